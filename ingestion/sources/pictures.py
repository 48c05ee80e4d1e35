"""Pictures that documents show from the web, fetched for a run: each once, by the rules for URLs that were given."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ingestion.readers import reader_name
from ingestion.remote import Fetched
from ingestion.rooms import rooms
from ingestion.sources.limits import Access
from rag.errors import InputError, MissingExtra, SourceError

__all__ = ["WebPictures", "web_pictures"]

PATIENCE: Final = 3
"""Failures of a host after which nothing more is asked of it in this run: a slow one would hold up every picture."""
_STOPPED: Final = Fetched(reason="not fetched: the run was ended", passing=True)


@contextmanager
def web_pictures(access: Access) -> Iterator[WebPictures | None]:
    """What fetches the pictures of a run, until its end; None where they are not asked for. Raises MissingExtra."""
    if not access.pictures:
        yield None
        return
    try:
        from ingestion.sources import web  # noqa: F401
    except ImportError as exc:
        raise MissingExtra("fetching pictures", "remote") from exc
    with rooms() as room:
        pictures = WebPictures(access, room())
        try:
            yield pictures
        finally:
            pictures.close()


class WebPictures:
    """Fetches pictures into `folder`; may be called by many threads."""

    def __init__(self, access: Access, folder: Path) -> None:
        self._access, self._folder = access, folder
        self._guard = threading.Lock()
        self._known: dict[str, Future[Fetched]] = {}
        self._failed: Counter[str] = Counter()
        self._size = 0
        self._closed: Future[Fetched] = Future()

    def __call__(self, url: str) -> Fetched:
        """The picture at `url`, waited for if another document asked for it already."""
        with self._guard:
            future = self._known.get(url.partition("#")[0])
            if future is None:
                future = self._known[url.partition("#")[0]] = Future()
                folder = self._folder / str(len(self._known))
                # A thread of its own: `close` waits for no server.
                threading.Thread(target=self._work, args=(future, url, folder), daemon=True).start()
        wait([future, self._closed], return_when=FIRST_COMPLETED)
        return (future if future.done() else self._closed).result()

    def close(self) -> None:
        """Whoever waits is told that there is nothing."""
        with self._guard:
            if not self._closed.done():
                self._closed.set_result(_STOPPED)

    def _work(self, future: Future[Fetched], url: str, folder: Path) -> None:
        got = Fetched(reason="cannot be fetched", passing=True)
        try:
            got = self._refused(urlsplit(url).netloc) or self._fetched(url, folder)
        finally:
            future.set_result(got)

    def _refused(self, host: str) -> Fetched | None:
        """Why nothing more is fetched, of this host or at all."""
        if self._closed.done():
            return _STOPPED
        if self._failed[host] >= PATIENCE:
            return Fetched(reason=f"not fetched: its host failed {PATIENCE} times", passing=True)
        most = self._access.limits.unpacked
        return Fetched(reason=f"not fetched: more than {most} bytes in one run") if self._size > most else None

    def _fetched(self, url: str, folder: Path) -> Fetched:
        from ingestion.sources.web import fetch

        try:
            folder.mkdir()
            path = fetch(url, folder, self._access)
        except InputError as exc:
            passing = isinstance(exc, SourceError) and exc.passing
            self._failed[urlsplit(url).netloc] += passing
            return Fetched(reason=_reason(exc, url), passing=passing)
        except OSError as exc:
            return Fetched(reason=f"cannot be stored ({exc.strerror or exc})", passing=True)
        with self._guard:
            self._size += path.stat().st_size
        if reader_name(path) != "image":
            path.unlink()
            return Fetched(reason=f"leads to no picture, but to a {path.suffix} file")
        return Fetched(path)


def _reason(error: InputError, url: str) -> str:
    """What is wrong with a picture whose name is told already."""
    return error.given.removeprefix(url.partition("#")[0]).strip() or error.given
