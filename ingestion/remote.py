"""Pictures of a document that lie on the web: asked for here by readers, fetched only where the user wants it.

A process that parses what a stranger wrote opens no connection. It names the picture, and the run fetches it, in the
one place where addresses are judged and where a picture that many documents show is fetched once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urljoin, urlsplit

__all__ = ["MAX_PICTURES", "Asker", "Fetch", "Fetched", "Wanted", "address", "asked", "fetched", "wanted"]

MAX_PICTURES: Final = 500
"""Pictures that are fetched for one document."""


@dataclass(frozen=True)
class Wanted:
    """A picture that a reader asks for."""

    url: str


@dataclass(frozen=True)
class Fetched:
    """Where a picture lies now, or the reason why it does not."""

    path: Path | None = None
    reason: str = ""
    passing: bool = False
    """Whether another try may well succeed."""


Fetch: TypeAlias = Callable[[str], Fetched]


class Asker:
    """What the reader of one document asks for."""

    def __init__(self, fetch: Fetch, base: str) -> None:
        self.fetch, self.base = fetch, base
        self.asked = 0
        self.passing = False
        """Whether something is missing now that may be there at another time."""


_asker: ContextVar[Asker | None] = ContextVar("remote pictures", default=None)


@contextmanager
def asked(fetch: Fetch | None, base: str = "") -> Iterator[Asker | None]:
    """Within the block readers get pictures by `fetch`, or none at all. `base`: the URL of the document itself."""
    asker = None if fetch is None else Asker(fetch, base)
    token = _asker.set(asker)
    try:
        yield asker
    finally:
        _asker.reset(token)


def wanted() -> bool:
    """Whether pictures on the web are asked for here."""
    return _asker.get() is not None


def address(src: str) -> str:
    """The http(s) address that `src` means in this document; empty where it means none."""
    asker = _asker.get()
    base = (asker.base if asker else "") or "https:"
    try:
        url = src.strip() if urlsplit(src).scheme else urljoin(base, src.strip())
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def fetched(src: str) -> Fetched | None:
    """The picture at `src`; None where nobody asks for pictures on the web, or it lies elsewhere."""
    asker, url = _asker.get(), address(src)
    if asker is None or not url:
        return None
    asker.asked += 1
    if asker.asked > MAX_PICTURES:
        return Fetched(reason=f"not fetched: more than {MAX_PICTURES} pictures of one document")
    got = asker.fetch(url)
    asker.passing |= got.passing
    return got
