"""Object stores through fsspec: one object, or all below a prefix.

fsspec finds the package of a protocol by itself (s3fs, gcsfs, adlfs); they are the user's, and so are the credentials,
which each finds where its cloud keeps them. The protocols are a closed list: fsspec knows many more, some of which wrap
others or run commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec

from ingestion.sources.limits import Limits
from ingestion.sources.names import member_path
from rag.errors import InputError, MissingExtra, SourceError, SourceGone

__all__ = ["PROTOCOLS", "Listing", "Object", "address", "check", "download", "listing"]

PROTOCOLS: Final = {
    **{"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"},
    **{"az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "memory": "fsspec"},
}
"""Protocol -> the package that speaks it."""

_SAME: Final = {"s3a": "s3", "gcs": "gs"}
_BLOCK: Final = 1 << 20
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Object:
    """An object of a store."""

    key: str
    """How the store calls it."""
    path: PurePosixPath
    """Its path below the prefix; its name where it was given itself."""
    size: int


@dataclass(frozen=True)
class Listing:
    """What lies below a URL."""

    files: Any
    """The fsspec file system."""
    objects: tuple[Object, ...]
    refused: dict[str, str]
    """Objects whose names cannot be taken, and why."""
    single: bool
    """Whether the URL names one object, not a prefix."""


def address(given: str) -> str:
    """The name of a URL as a source or as the beginning of sources. Raises InputError where it is malformed."""
    protocol, _, rest = given.partition("://")
    protocol = protocol.lower()
    if protocol not in PROTOCOLS:
        raise InputError(
            f"{given!r} is of the unknown kind {protocol}:",
            f"paths and URLs of the kinds http, https, file, {', '.join(PROTOCOLS)} are allowed",
            "correct it",
        )
    if not rest.strip("/") or "::" in rest:
        raise InputError(f"{given!r} names no bucket", f"{protocol}://bucket/prefix is allowed", "correct it")
    return f"{_SAME.get(protocol, protocol)}://{rest.rstrip('/')}"


def check(given: str) -> None:
    """Raises InputError where a URL is malformed, MissingExtra where the package of its protocol is not installed."""
    package = PROTOCOLS[address(given).partition("://")[0]]
    if find_spec(package) is None:
        raise MissingExtra(f"{given.partition('://')[0]}://", package=package)


def listing(given: str, limits: Limits) -> Listing:
    """What lies below the URL `given`, sorted.

    Raises MissingExtra where the package of its protocol is not installed; SourceGone where nothing is there;
    SourceError where the store cannot be listed, or what is there exceeds a limit.
    """
    source = address(given)
    protocol = source.partition("://")[0]
    try:
        files, root = fsspec.core.url_to_fs(source)
    except ImportError as exc:
        raise MissingExtra(f"{protocol}://", package=PROTOCOLS[protocol]) from exc
    except ValueError as exc:
        raise InputError(f"{given!r}: {exc}", f"{protocol}://bucket/prefix is allowed", "correct it") from exc
    with _told(source):
        files.invalidate_cache()
        single = not given.endswith("/") and files.isfile(root)
        found = {root: files.info(root)} if single else files.find(root, detail=True)
    # A key that ends with a slash is an empty object by which consoles show a folder.
    keys = {
        key: int(info.get("size") or 0)
        for key, info in sorted(found.items())
        if info["type"] == "file" and not key.endswith("/") and (single or key != root)
    }
    if not keys:
        raise _nothing(source)
    _check(source, keys, limits)
    objects, refused = [], {}
    for key, size in keys.items():
        name = PurePosixPath(key).name if single else key.removeprefix(root).lstrip("/")
        try:
            objects.append(Object(key, member_path(name), size))
        except ValueError as exc:
            refused[name] = str(exc)
    return Listing(files, tuple(objects), refused, single)


def _check(source: str, keys: dict[str, int], limits: Limits) -> None:
    if len(keys) > limits.members:
        raise SourceError(
            f"{source} holds {len(keys)} objects", f"at most {limits.members} are read at once", "name longer prefixes"
        )
    if sum(keys.values()) > limits.unpacked:
        raise SourceError(
            f"{source} holds {sum(keys.values())} bytes",
            f"at most {limits.unpacked} are read at once",
            "name longer prefixes",
        )


def download(files: Any, objects: Sequence[Object], into: Path, limits: Limits) -> dict[PurePosixPath, SourceError]:
    """Write objects below the folder `into`, several at a time. Returns those that could not be had."""

    def one(item: Object) -> SourceError | None:
        path = into / item.path
        try:
            _download(files, item, path, limits)
        except SourceError as exc:
            if path.is_file():
                path.unlink()
            return exc
        return None

    threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="triptych-fetch")
    try:
        ended = list(threads.map(one, objects))
    finally:
        threads.shutdown(cancel_futures=True)
    return {item.path: error for item, error in zip(objects, ended, strict=True) if error is not None}


def _download(files: Any, item: Object, path: Path, limits: Limits) -> None:
    if item.size > limits.fetched:
        raise _too_large(item, limits)
    with _told(item.key):
        path.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with files.open(item.key, "rb") as source, path.open("wb") as file:
            while block := source.read(_BLOCK):
                size += len(block)
                if size > limits.fetched:
                    raise _too_large(item, limits)
                file.write(block)


def _too_large(item: Object, limits: Limits) -> SourceError:
    return SourceError(
        f"{item.key} is larger than {limits.fetched} bytes", "smaller objects are fetched", "raise TRIPTYCH_FETCH_LIMIT"
    )


def _nothing(name: str) -> SourceGone:
    return SourceGone(
        f"{name}: nothing is there",
        "objects and prefixes are allowed",
        "check the name, or forget what is stored of it: --remove-missing",
    )


@contextmanager
def _told(name: str) -> Iterator[None]:
    """The packages of the protocols raise errors of their own, which cannot be named without installing them all."""
    try:
        yield
    except (SourceError, MemoryError):
        raise
    except FileNotFoundError as exc:
        raise _nothing(name) from exc
    except Exception as exc:  # botocore's, aiohttp's, Google's and Azure's have no base in common
        told = " ".join(str(exc).split())
        raise SourceError(
            f"{name} cannot be read ({type(exc).__name__}{': ' * bool(told)}{told})",
            advice="check name and credentials",
        ) from exc
