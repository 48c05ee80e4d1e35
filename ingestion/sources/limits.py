"""How much of what a stranger offers is taken in, and from where."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, Queue
from socket import SOCK_STREAM, getaddrinfo
from typing import Final, TypeAlias

__all__ = ["Access", "Limits", "Resolver", "resolved"]

Resolver: TypeAlias = Callable[[str, int, float], Sequence[str]]
"""(host, port, seconds) -> the host's addresses. Raises OSError, TimeoutError among them, where there are none."""

MEBIBYTE: Final = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds. What exceeds one is refused with the figure, never cut off."""

    fetched: int = 100 * MEBIBYTE
    """Bytes of one document from a URL or a bucket, after decompression."""
    seconds: float = 60.0
    """For one URL in all: looking its name up, redirects, the last byte."""
    redirects: int = 5
    unpacked: int = 2048 * MEBIBYTE
    """Bytes that the members of one archive, or the objects below one prefix, take together."""
    members: int = 20_000
    """Members of one archive, or objects below one prefix."""
    ratio: int = 200
    """Unpacked to packed size of an archive; deflate itself ends at 1032."""
    free: int = 64 * MEBIBYTE
    """Bytes of an unpacked archive below which the ratio does not matter."""


def resolved(host: str, port: int, seconds: float) -> Sequence[str]:
    """The addresses of `host` as the operating system finds them, which offers no time limit of its own."""
    answer: Queue[list[str] | OSError] = Queue()

    def ask() -> None:
        try:
            answer.put([str(entry[4][0]) for entry in getaddrinfo(host, port, type=SOCK_STREAM)])
        except (OSError, UnicodeError) as exc:
            answer.put(exc if isinstance(exc, OSError) else OSError(str(exc)))

    threading.Thread(target=ask, name="triptych-resolver", daemon=True).start()
    try:
        found = answer.get(timeout=max(seconds, 0.0))
    except Empty as exc:
        raise TimeoutError(f"{host} was not resolved in time") from exc
    if isinstance(found, OSError):
        raise found
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Access:
    """What an ingestion may open beside the files that it was given."""

    archives: bool = False
    """Whether archives are opened."""
    allow_private: bool = False
    """Whether URLs may lead to loopback and private addresses."""
    limits: Limits = field(default_factory=Limits)
    resolve: Resolver = resolved
    pictures: bool = False
    """Whether pictures are fetched that documents show from the web."""
