"""Archives, unpacked below a folder: regular files under the names they have, nothing else, within bounds.

An archive that lies about itself as a whole (a bomb, a damaged directory) is refused as a whole. A member that cannot
be had is named, and the others are kept. Links and devices are never made.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias

from ingestion.sources.limits import Limits
from ingestion.sources.names import member_path, printable
from rag.errors import SourceError

__all__ = ["Unpacked", "unpack"]

_BLOCK: Final = 1 << 18
_UTF8_NAME: Final = 0x800
_ENCRYPTED: Final = 0x1
_TAIL: Final = 65_557
"""Bytes at the end of a zip file that hold its end record: 22, and the longest comment."""
_MAX_DIRECTORY: Final = 32 * 2**20
"""Bytes of a zip file's directory, which `zipfile` reads into objects of several times that size."""
_MAX_TAR_HEADER: Final = 2**20
"""Bytes of an extended header of a tar archive, which `tarfile` reads into memory."""
_EXTENDED: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG: Final = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)

Stream: TypeAlias = BufferedReader | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
_PACKERS: Final[tuple[tuple[bytes, Callable[[Path, Literal["rb"]], Stream]], ...]] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7z", lzma.open),
)
_PACKED: Final = tuple(magic for magic, _ in _PACKERS)
_DAMAGE: Final = (
    *(EOFError, NotImplementedError, RuntimeError, ValueError, LookupError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)


@dataclass
class Unpacked:
    """What became of the members that are not files below the folder now, by printable name."""

    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def unpack(path: Path, into: Path, limits: Limits, name: str = "") -> Unpacked:
    """Write the members of the archive `path` below the folder `into`. `name` is how errors call the archive.

    A relative link from one member to another then leads where it led. Of members of one name the last is kept, as
    unpacking in order does. Raises SourceError where the archive cannot be opened or exceeds a limit.
    """
    result = Unpacked()
    with _told(name or str(path)):
        target = _Target(into, limits, _allowance(path, limits), name or str(path), result)
        (_unzip if _is_zip(path) else _untar)(path, target)
    return result


def _is_zip(path: Path) -> bool:
    """By its beginning; `zipfile.is_zipfile` also finds the zip file inside a tar archive."""
    with path.open("rb") as file:
        head = file.read(4)
    return head in (b"PK\x03\x04", b"PK\x05\x06") or (path.suffix.lower() == ".zip" and not head.startswith(_PACKED))


def _allowance(path: Path, limits: Limits) -> int:
    """How many bytes a file of this size may unpack to."""
    return min(limits.unpacked, max(limits.free, limits.ratio * path.stat().st_size))


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGE, OSError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise SourceError(f"{name} cannot be unpacked ({exc.strerror})", advice="try again") from exc
        raise SourceError(
            f"{name} is damaged, or no archive ({_words(exc)})",
            "zip, and tar by itself or in gzip, bzip2 or xz, are opened",
            "pack it again",
        ) from exc


def _words(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


class _Target:
    """The folder that is written to, and the account of what goes there."""

    def __init__(self, into: Path, limits: Limits, allowance: int, name: str, result: Unpacked) -> None:
        self._into, self._limits, self.allowance, self._name = into, limits, allowance, name
        self._result, self._members, self._size = result, 0, 0
        self._written: set[str] = set()

    def count(self, members: int = 1) -> None:
        """Raises SourceError where the archive has too many members."""
        self._members += members
        if self._members > self._limits.members:
            raise SourceError(
                f"{self._name} has more than {self._limits.members} members", "fewer are unpacked", "split the archive"
            )

    def check(self, size: int) -> None:
        """Raises SourceError where `size` bytes more are too many."""
        if self._size + size > self.allowance:
            raise self.too_large()

    def too_large(self) -> SourceError:
        """The archive unpacks to too much."""
        return SourceError(
            f"{self._name} unpacks to more than {self.allowance} bytes",
            f"{self._limits.ratio} times its size, and {self._limits.unpacked} bytes, are allowed",
            "unpack it by hand and name the folder",
        )

    def leave_out(self, name: str, reason: str) -> None:
        """Note a member that is no file."""
        self._result.left_out[printable(name)] = reason

    def fail(self, name: str, reason: str) -> None:
        """Note a member that cannot be had."""
        self._result.failed[printable(name)] = reason

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write one member, or note why not."""
        try:
            path = self._into / member_path(name)
        except ValueError as exc:
            self.fail(name, str(exc))
            return
        try:
            if path.exists() and name not in self._written:
                raise FileExistsError  # a folder; or a file whose name this file system takes for the same
            path.parent.mkdir(parents=True, exist_ok=True)
            self._written.add(name)
            with path.open("wb") as file:
                while block := content.read(_BLOCK):
                    self.check(len(block))
                    self._size += len(block)
                    file.write(block)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            self.fail(name, "another member is where this one belongs")
        except (*_DAMAGE, OSError) as exc:
            if isinstance(exc, OSError) and exc.errno is not None:
                raise
            path.unlink()
            self.fail(name, f"damaged ({_words(exc)})")


def _unzip(path: Path, target: _Target) -> None:
    _check_directory(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        target.count(len(members))
        target.check(sum(info.file_size for info in members))
        last = {_zip_name(info): info for info in members}
        for info in members:
            name = _zip_name(info)
            kind = info.external_attr >> 16
            if info.is_dir():
                continue
            if last[name] is not info:
                target.leave_out(name, "another member of this name comes later")
            elif stat.S_IFMT(kind) not in (0, stat.S_IFREG):
                target.leave_out(name, "a link or a device, never made")
            elif info.flag_bits & _ENCRYPTED:
                target.fail(name, "encrypted; pack it without a password")
            else:
                _unzip_one(archive, info, name, target)


def _unzip_one(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, target: _Target) -> None:
    try:
        content = archive.open(info)
    except _DAMAGE as exc:
        target.fail(name, f"damaged ({_words(exc)})")
        return
    with content:
        target.write(name, content)


def _check_directory(path: Path) -> None:
    """Raises ValueError where the directory of a zip file is too large to be read (APPNOTE 4.3.16, 4.3.14)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL - 76))
        tail = file.read()
    sizes = [0]
    if (at := tail.rfind(b"PK\x05\x06")) >= 0:
        sizes.append(struct.unpack_from("<L", tail, at + 12)[0])
    if (at := tail.rfind(b"PK\x06\x06")) >= 0:
        sizes.append(struct.unpack_from("<Q", tail, at + 40)[0])
    if max(size for size in sizes if size != 0xFFFFFFFF) > _MAX_DIRECTORY:
        raise ValueError(f"a directory of more than {_MAX_DIRECTORY} bytes")


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The member's name. Where nothing says that it is UTF-8 it mostly is all the same; else it is code page 437."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        return info.orig_filename.split("\x00")[0].encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _untar(path: Path, target: _Target) -> None:
    """In one pass, so that nothing is unpacked twice."""
    with (
        _decompressed(path) as stream,
        tarfile.open(
            fileobj=_Bounded(stream, target), mode="r|", tarinfo=_Header, encoding="utf-8", errors="surrogateescape"
        ) as archive,
    ):
        for member in archive:
            target.count()
            if member.isdir():
                continue
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                target.leave_out(member.name, "a link or a device, never made")
                continue
            with content:
                target.write(member.name, content)


def _decompressed(path: Path) -> Stream:
    with path.open("rb") as file:
        head = file.read(3)
    for magic, opener in _PACKERS:
        if head.startswith(magic):
            return opener(path, "rb")
    return path.open("rb")


class _Bounded(BufferedIOBase):
    """A stream that ends the unpacking when more has come out of it than the archive may hold: headers, padding and
    members that are left out count too."""

    def __init__(self, stream: Stream, target: _Target) -> None:
        self._stream, self._target, self._read = stream, target, 0

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes. Raises SourceError when there have been too many."""
        block = self._stream.read(size)
        self._read += len(block)
        if self._read > self._target.allowance + self._target.allowance // 8 + _BLOCK:
            raise self._target.too_large()
        return block


class _Header(tarfile.TarInfo):
    """A header that neither fills the memory nor ends the archive without a word."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Any:
        """Raises ReadError where it is damaged, which `tarfile` takes for the end; or where an extended header is too
        large, which it would read whole."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as exc:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(exc)) from exc
        if header.type in (*_EXTENDED, *_LONG) and header.size > _MAX_TAR_HEADER:
            raise tarfile.ReadError(f"a header of {header.size} bytes")
        return header
