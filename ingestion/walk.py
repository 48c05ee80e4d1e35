"""Which files an ingestion is about: paths given by the user to sources, each once, in a stable order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from ingestion.lock import LOCK_FILE
from ingestion.patterns import Patterns
from ingestion.readers import reader_name
from ingestion.readers.image import SIDECAR_SUFFIXES, is_sidecar_size
from ingestion.report import Failure, Skip
from rag.errors import InputError, SourceError

INSIDE: Final = "!/"
"""Between the name of an archive and that of its member, in the name of a source."""
ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its name."""
    return name.lower().endswith(ARCHIVES)


def unread(path: PurePath) -> str:
    """Why a file that no reader is known for is left out."""
    return f"no reader for {path.suffix}" if path.suffix else "no suffix, and no content of a kind that is read"


@dataclass(frozen=True)
class Found:
    """A file to read."""

    path: Path
    """Absolute and resolved, so that one file has one name however it was reached."""
    root: Path
    """The folder that bounds what it may link to: the one given by the user, or the file's own."""
    named: bool
    """Whether the user named the file itself, not a folder above it."""
    origin: str = ""
    """Where it was fetched from, or which archive it was in; empty where it lies where it belongs."""

    @property
    def source(self) -> str:
        """The name under which the store keeps the file: where it came from, or its path, absolute and resolved, with
        forward slashes.

        A relative path would name another file from another working directory, and the same file twice; a file: URI
        would have to be quoted in every filter.
        """
        return self.origin or self.path.as_posix()

    @property
    def url(self) -> str:
        """Its address on the web, from which relative addresses in it are seen; empty where it has none of its own."""
        return self.origin if self.origin.startswith(("http://", "https://")) and INSIDE not in self.origin else ""

    def failed(self, error: InputError) -> Failure:
        """The failure of this file, told by its source where it was read from a temporary folder."""
        if not self.origin:
            return Failure.of(self.source, error)
        told = str(error).replace(str(self.path), self.source).replace(f"{self.root}{os.sep}", "")
        return Failure(self.source, type(error).__name__, told)


@dataclass(frozen=True)
class Survey:
    """What was given, as files. Where a field speaks of beginnings, it means those of sources' names."""

    files: tuple[Found, ...] = ()
    skips: tuple[Skip, ...] = ()
    parts: tuple[Skip, ...] = ()
    """Sidecars: words of a picture beside them, which reads them."""
    folders: tuple[Path, ...] = ()
    """The folders among the given paths, resolved."""
    unlisted: tuple[Path, ...] = ()
    """Folders below them that could not be listed: what is in them is not known."""
    archives: tuple[Found, ...] = ()
    """Archives, not opened."""
    failures: tuple[Failure, ...] = ()
    """What could not be fetched, unpacked or reached."""
    gone: tuple[Failure, ...] = ()
    """What its server says is no longer there."""
    listed: tuple[str, ...] = ()
    """Beginnings, beside the folders', of which all that there is was found."""
    closed: tuple[str, ...] = ()
    """Beginnings of which nothing is known, wherever they lie."""

    @property
    def complete(self) -> tuple[str, ...]:
        """Beginnings of the sources of which those that were not found are gone."""
        return (*map(_inside, self.folders), *self.listed)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Beginnings of the sources that may be there though they were not found."""
        return (*map(_inside, self.unlisted), *self.closed)


def _inside(folder: Path) -> str:
    return folder.as_posix().rstrip("/") + "/"


def survey(
    paths: Sequence[str | Path],
    exclude: Sequence[Path] = (),
    patterns: Sequence[str] = (),
    include: Sequence[str] = (),
) -> Survey:
    """The files under `paths`, named files first, then folders in the order given, each sorted; hidden ones are not
    looked at.

    `exclude`: folders that are not looked into. `patterns` and `include`: what is left out, and what alone is read, as
    in .gitignore and relative to each folder given; `.triptychignore` files below it add to them. A folder that is a
    corpus holds copies of documents, not documents.

    Raises InputError where a path does not exist, before anything else is done.
    """
    if not paths:
        raise InputError("no path was given", "files and folders are allowed", "name at least one")
    resolved = [_existing(path) for path in paths]
    excluded = tuple(path.resolve() for path in exclude)
    files: dict[Path, Found] = {}
    skips: dict[str, Skip] = {}
    parts: dict[str, Skip] = {}
    failures: dict[str, Failure] = {}
    unlisted: list[Path] = []
    archives: dict[Path, Found] = {}
    beside = _Beside()

    def place(found: Found) -> None:
        _place(found, files, skips, parts, failures, archives, beside)

    def closed(error: OSError) -> None:
        folder = Path(error.filename)
        unlisted.append(folder)
        failures[_shown(folder)] = _failed(folder, f"the folder cannot be listed ({error.strerror or error})")

    for path in resolved:
        if not path.is_dir():
            place(Found(path, path.parent, True))
    folders = tuple(dict.fromkeys(path for path in resolved if path.is_dir()))
    for folder in folders:
        for path in _below(folder, excluded, closed, Patterns(patterns, include), skips):
            try:
                target = _resolve(path)
            except PermissionError as exc:
                failures[_shown(path)] = _failed(path, f"it cannot be reached ({exc.strerror})")
                continue
            if target is None or not target.is_relative_to(folder):
                skips[_shown(path)] = Skip(_shown(path), "a link that leads out of the folder, or nowhere")
            elif target not in files:
                place(Found(target, folder, False))
    return Survey(
        *(tuple(files.values()), tuple(skips.values()), tuple(parts.values()), folders, tuple(unlisted)),
        archives=tuple(archives.values()),
        failures=tuple(failures.values()),
    )


def _existing(path: str | Path) -> Path:
    try:
        return Path(path).expanduser().resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as exc:
        raise InputError(
            f"{path} does not exist or cannot be reached", "existing files and folders are allowed", "check the path"
        ) from exc


def _resolve(path: Path) -> Path | None:
    """Where a path leads; None for a link to nowhere or in a circle. Raises PermissionError."""
    try:
        return path.resolve(strict=True)
    except PermissionError:
        raise
    except (OSError, RuntimeError):
        return None


def _below(
    folder: Path,
    excluded: Sequence[Path],
    closed: Callable[[OSError], None],
    patterns: Patterns,
    skips: dict[str, Skip],
) -> Iterator[Path]:
    def left_out(path: Path, reason: str) -> bool:
        if reason:
            skips[_shown(path)] = Skip(_shown(path), reason)
        return bool(reason)

    for current, names, files in os.walk(folder, onerror=closed):
        here = Path(current)
        patterns.enter(here)
        names[:] = [
            name
            for name in sorted(names)
            if not name.startswith(".")
            and (here / name).resolve() not in excluded
            and not left_out(here / name, patterns.reason(here / name, folder, folder=True))
            and not left_out(here / name, "a corpus of Triptych" if is_corpus(here / name) else "")
        ]
        for name in sorted(files):
            path = here / name
            if name.startswith("."):
                continue
            # An archive is to its members what a folder is to its files: what alone is read may lie in it.
            if not left_out(path, patterns.reason(path, folder, folder=is_archive(name))):
                yield path


def is_corpus(folder: Path) -> bool:
    """Whether a folder is one that an ingestion, or an embedded engine, has written."""
    if os.path.isfile(folder / LOCK_FILE):
        return True
    try:
        return next((folder / "qdrant").glob("*/edge_config.json"), None) is not None
    except PermissionError:  # what cannot be looked into is told by the walk
        return False


def _place(
    found: Found,
    files: dict[Path, Found],
    skips: dict[str, Skip],
    parts: dict[str, Skip],
    failures: dict[str, Failure],
    archives: dict[Path, Found],
    beside: _Beside,
) -> None:
    shown = _shown(found.path)
    if not os.path.isfile(found.path):
        skips.setdefault(shown, Skip(shown, "not a regular file"))
    elif shown != found.source and (reader_name(found.path) or is_archive(shown)):
        failures[shown] = _failed(found.path, "the name is not UTF-8", "rename the file")
    elif picture := beside.captioned(found):
        parts.setdefault(shown, Skip(shown, f"the caption of {picture.name}"))
    elif is_archive(found.path.name):
        archives[found.path] = found
    elif reader_name(found.path) is None:
        skips.setdefault(shown, Skip(shown, unread(found.path)))
    else:
        files[found.path] = found


def _shown(path: Path) -> str:
    """The path as a report can carry it: bytes that are not UTF-8 become question marks."""
    return path.as_posix().encode("utf-8", "replace").decode()


def _failed(path: Path, reason: str, advice: str = "") -> Failure:
    return Failure.of(_shown(path), SourceError(f"{_shown(path)}: {reason}", advice=advice))


class _Beside:
    """The pictures of each folder, by the names of the files that may tell of them: a folder is listed once, however
    many files it holds."""

    def __init__(self) -> None:
        self._pictures: dict[Path, dict[str, list[str]]] = {}

    def captioned(self, found: Found) -> Path | None:
        """The picture whose sidecar the file is, unless it was named itself."""
        path = found.path
        if found.named or path.suffix.lower() not in SIDECAR_SUFFIXES or not is_sidecar_size(path):
            return None
        if path.parent not in self._pictures:
            self._pictures[path.parent] = _pictures_in(path.parent)
        named_alike = (path.parent / name for name in self._pictures[path.parent].get(os.path.normcase(path.stem), ()))
        return next((picture for picture in named_alike if os.path.isfile(picture)), None)


def _pictures_in(folder: Path) -> dict[str, list[str]]:
    """The names of pictures in a folder, sorted, under what stands before each of their dots: `a.b.png` under `a` and
    under `a.b`, and `a` without a suffix under itself. None where the folder cannot be listed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return {}
    found: dict[str, list[str]] = {}
    for name in names:
        path = folder / name
        if "." not in name and not os.path.isfile(path):  # a pipe, which would be looked into
            continue
        if reader_name(path) == "image":
            for dot in [at for at, sign in enumerate(name) if sign == "."] or [len(name)]:
                found.setdefault(os.path.normcase(name[:dot]), []).append(name)
    return found
