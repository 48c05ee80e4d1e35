"""All that a run was given, as files: paths walked, URLs fetched, archives unpacked, each under its true name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ingestion.patterns import IGNORE_FILE, Patterns
from ingestion.readers import READERS, reader_name
from ingestion.report import Failure, Skip
from ingestion.rooms import rooms
from ingestion.sources.archives import unpack
from ingestion.sources.limits import Access
from ingestion.sources.names import member_path
from ingestion.walk import INSIDE, Found, Survey, is_archive, survey, unread
from rag.errors import InputError, MissingExtra, SourceError, SourceGone

__all__ = ["gathered", "is_url"]

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_WEB: Final = ("http", "https")
_SMALL: Final = 2**20
"""Bytes up to which an object that nothing reads is fetched all the same: it may be the caption of a picture."""
_UNASKED: Final = "an archive, opened only when asked: --archives"
_NESTED: Final = "an archive in an archive, not opened"


def is_url(given: str | Path) -> bool:
    """Whether what the user gave is a URL, and not a path."""
    return isinstance(given, str) and _URL.match(given) is not None


@contextmanager
def gathered(
    given: Sequence[str | Path],
    access: Access,
    exclude: Sequence[Path] = (),
    patterns: Sequence[str] = (),
    include: Sequence[str] = (),
) -> Iterator[Survey]:
    """The files that `given` stands for, until the end of the context; see `ingestion.walk.survey`. Patterns hold for
    the members of archives and the objects below a prefix as they do for the files below a folder.

    What cannot be fetched or unpacked is among the failures, with its reason. Raises InputError where a path does not
    exist or a URL is malformed, MissingExtra where a package for it is missing: both before anything is fetched.
    """
    paths = [_local(one) if is_url(one) and _kind(str(one)) == "file" else one for one in given]
    urls = [str(one) for one in paths if is_url(one)]
    for url in urls:
        _remote(url).check(url)
    paths = [one for one in paths if not is_url(one)]
    found = survey(paths, exclude, patterns, include) if paths or not urls else Survey()
    with ExitStack() as houses:
        everything = _Gathered(houses, access, patterns, include)
        everything.add(found)
        for url in dict.fromkeys(urls):
            (everything.web if _kind(url) in _WEB else everything.store)(url)
        yield everything.survey(found)


def _kind(url: str) -> str:
    return url.partition("://")[0].lower()


def _local(url: str | Path) -> Path:
    parts = urlsplit(str(url))
    if parts.netloc not in ("", "localhost"):
        raise InputError(f"{url} is a file of another machine", "file:///path is allowed", "name a path")
    return Path(url2pathname(parts.path))


def _remote(url: str) -> ModuleType:
    """The module that fetches `url`. Raises MissingExtra."""
    try:
        if _kind(url) in _WEB:
            from ingestion.sources import web

            return web
        from ingestion.sources import stores
    except ImportError as exc:
        raise MissingExtra(f"fetching {_kind(url)}://", "remote") from exc
    return stores


class _Gathered:
    """What was found until now, by source, so that what is given twice is dealt with once."""

    def __init__(self, houses: ExitStack, access: Access, patterns: Sequence[str], include: Sequence[str]) -> None:
        self._houses, self._access = houses, access
        self._new_room: Callable[[], Path] | None = None
        self._patterns, self._include, self._rules = patterns, include, Patterns(patterns, include)
        self._files: dict[str, Found] = {}
        self._skips: dict[str, Skip] = {}
        self._parts: dict[str, Skip] = {}
        self._failures: dict[str, Failure] = {}
        self._gone: dict[str, Failure] = {}
        self._listed: list[str] = []
        self._closed: list[str] = []

    def survey(self, local: Survey) -> Survey:
        """All of it."""
        return Survey(
            *(tuple(self._files.values()), tuple(self._skips.values()), tuple(self._parts.values())),
            folders=local.folders,
            unlisted=local.unlisted,
            failures=tuple(self._failures.values()),
            gone=tuple(self._gone.values()),
            listed=tuple(self._listed),
            closed=tuple(self._closed),
        )

    def add(self, found: Survey) -> None:
        """Files that lie where they belong, and the archives among them."""
        self._files.update((file.source, file) for file in found.files)
        self._skips.update((skip.source, skip) for skip in found.skips)
        self._parts.update((part.source, part) for part in found.parts)
        self._failures.update((failure.source, failure) for failure in found.failures)
        for archive in found.archives:
            self._archive(archive.path, archive.source)

    def web(self, url: str) -> None:
        """One URL, one document; or an archive."""
        from ingestion.sources.web import address, fetch

        source, room = address(url), self._room()
        try:
            path = fetch(url, room, self._access)
        except SourceError as exc:
            self._fail(source, exc)
        else:
            self._file(path, room, source)

    def store(self, url: str) -> None:
        """One object, or all below a prefix."""
        from ingestion.sources.stores import address, download, listing

        source, room, limits = address(url), self._room(), self._access.limits
        try:
            found = listing(url, limits)
        except SourceError as exc:
            self._fail(source, exc)
            return
        base = source.rpartition("/")[0] if found.single else source
        wanted = [item for item in found.objects if found.single or self._wants(item.path, item.size, base)]
        for path, error in download(found.files, wanted, room, limits).items():
            self._fail(f"{base}/{path}", error)
        if found.single:
            for item in wanted:
                if (room / item.path).is_file():
                    self._file(room / item.path, room, source)
            return
        for name, reason in found.refused.items():
            self._refuse(f"{base}/{name}", reason, "")
        self._tree(room, f"{base}/", nested=False)

    def _room(self) -> Path:
        """A folder of its own for each thing fetched: documents cannot see what others brought."""
        if self._new_room is None:
            self._new_room = self._houses.enter_context(rooms())
        return self._new_room()

    def _file(self, path: Path, room: Path, source: str) -> None:
        if is_archive(path.name):
            self._archive(path, source)
        elif reader_name(path) is None:
            self._skips[source] = Skip(source, unread(path))
        else:
            self._files[source] = Found(path, room, True, source)

    def _archive(self, path: Path, source: str) -> None:
        if not self._access.archives:
            self._skips[source] = Skip(source, _UNASKED)
            self._closed.append(source + INSIDE)
            return
        room = self._room()
        try:
            result = unpack(path, room, self._access.limits, source)
        except SourceError as exc:
            self._fail(source, exc)
            return
        for name, reason in result.left_out.items():
            self._skips[source + INSIDE + name] = Skip(source + INSIDE + name, reason)
        for name, reason in result.failed.items():
            self._refuse(source + INSIDE + name, reason, self._excluded(name))
        self._tree(room, source + INSIDE, nested=True)

    def _tree(self, room: Path, base: str, *, nested: bool) -> None:
        """The files below a temporary folder, whose sources begin with `base`."""
        found = survey([room], (), self._patterns, self._include)

        def named(text: str) -> str:
            return text.replace(f"{room.as_posix()}/", base).replace(f"{room}{os.sep}", base)

        for file in found.files:
            self._files[named(file.source)] = Found(file.path, room, False, named(file.source))
        for skips, into in ((found.skips, self._skips), (found.parts, self._parts)):
            into.update((named(skip.source), Skip(named(skip.source), named(skip.reason))) for skip in skips)
        for archive in found.archives:
            if nested:
                self._skips[named(archive.source)] = Skip(named(archive.source), _NESTED)
            else:
                self._archive(archive.path, named(archive.source))
        self._listed.append(base)

    def _wants(self, path: PurePosixPath, size: int, base: str) -> bool:
        """Whether an object is worth fetching; if not, and it is not hidden, the reason is told."""
        if any(part.startswith(".") for part in path.parts):
            return path.name == IGNORE_FILE
        reason = self._excluded(str(path))
        known = path.suffix.lower() in READERS or is_archive(path.name)
        if not reason and not known and size > (_SMALL if path.suffix else self._access.limits.fetched):
            reason = unread(path)
        if reason:
            self._skips[f"{base}/{path}"] = Skip(f"{base}/{path}", reason)
        return not reason

    def _excluded(self, name: str) -> str:
        """Why the patterns leave a member out; empty where they do not, or where the name cannot be taken."""
        try:
            path = Path(os.sep, member_path(name))
        except ValueError:
            return ""
        root = Path(os.sep)
        above = (self._rules.reason(folder, root, folder=True) for folder in path.parents if folder != root)
        return next(filter(None, above), self._rules.reason(path, root, folder=is_archive(name)))

    def _refuse(self, source: str, reason: str, excluded: str) -> None:
        """A member that cannot be had, unless it is not wanted anyway."""
        if excluded:
            self._skips[source] = Skip(source, excluded)
        else:
            self._failures[source] = Failure.of(source, SourceError(f"{source}: {reason}"))

    def _fail(self, source: str, error: SourceError) -> None:
        (self._gone if isinstance(error, SourceGone) else self._failures)[source] = Failure.of(source, error)
        self._closed += [source + INSIDE, source + "/"]
