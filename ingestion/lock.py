"""One ingestion into a corpus at a time: a lock file in its folder, which also says that the folder is a corpus; and
the waiting for a corpus that another process holds.

The lock is the operating system's and ends with the process that holds it, however that ends. It guards the processes
of one machine. Nothing guards a server's collection across machines; there the ids, which depend on nothing but the
content, make two runs over the same files end in the same points.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from rag.errors import StoreError, StoreLocked

__all__ = ["LOCK_FILE", "exclusive", "one_at_a_time", "when_free"]

T = TypeVar("T")

LOCK_FILE: Final = "triptych.lock"

_POLL: Final = 0.2
_FAR: Final = 1 << 20
"""Where the locked byte is where a lock keeps others from reading: beyond the process id."""


@contextmanager
def one_at_a_time(root: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the corpus in `root` for an ingestion. Raises StoreLocked where another holds it longer than `wait` seconds,
    StoreError where the file cannot be written."""
    path = root / LOCK_FILE
    try:
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise StoreError(
            f"{path} cannot be written ({exc.strerror or exc})", advice="choose a folder that can be written"
        ) from exc
    try:
        when_free(lambda: _take(descriptor, root), root, wait)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def when_free(attempt: Callable[[], T], root: Path, wait: float) -> T:
    """What `attempt` returns, tried for `wait` seconds while it raises StoreLocked. The error that is raised then says
    how long was waited, and names the process that ingests, if one does."""
    end = time.monotonic() + wait
    while True:
        try:
            return attempt()
        except StoreLocked as exc:
            if time.monotonic() >= end:
                by = _holder(root)
                told = exc.given + (f" (process {by} is ingesting)" if by else "")
                told += f", after {wait:g} s of waiting" if wait else ""
                raise StoreLocked(told, exc.allowed, f"{exc.advice}, or try for longer: --wait SECONDS") from exc
        time.sleep(min(_POLL, max(0.0, end - time.monotonic())))


def _take(descriptor: int, root: Path) -> None:
    try:
        exclusive(descriptor)
    except OSError as exc:
        raise StoreLocked(f"another ingestion into {root} is under way", "one at a time", "wait until it ends") from exc


def _holder(root: Path) -> str:
    """The id of the process that holds the lock; empty where none does, or its file cannot be read."""
    with suppress(OSError):
        descriptor = os.open(root / LOCK_FILE, os.O_RDWR)
        try:
            exclusive(descriptor)
        except OSError:
            return os.read(descriptor, 20).decode("ascii", "ignore").strip()
        finally:
            os.close(descriptor)
    return ""


if sys.platform == "win32":
    import msvcrt

    def exclusive(descriptor: int) -> None:
        """Lock an open file for this process alone. Raises OSError where another holds it."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def exclusive(descriptor: int) -> None:
        """Lock an open file for this process alone. Raises OSError where another holds it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
