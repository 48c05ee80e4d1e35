"""A process that reads files for a run and may be killed without harm: `main` is all that it does.

It ends when its run does: at the end of its input; on Linux by a signal of the kernel even while a parser is busy; and
where neither is seen, by an alarm a little after the file's time is over.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import IO, Final

import ingestion.readers.image  # what nearly every reader needs is imported while the run still starts  # noqa: F401
from ingestion import frames
from ingestion.reading import Reading, carry_out
from ingestion.remote import Fetched, Wanted
from rag.errors import SourceError

__all__ = ["OUT_OF_MEMORY", "main"]

OUT_OF_MEMORY: Final = 86
"""The exit status that says so."""

_GRACE: Final = 30.0
"""Seconds that the run has to end a slow reader itself."""
_PR_SET_PDEATHSIG: Final = 1


def main(parent: int, timeout: float, memory: int) -> None:
    """Answer each job on standard input. `timeout` in seconds a file, `memory` in MiB for the whole process.

    What parsers print is dropped: standard output carries answers alone.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    _limit(memory)
    while (length := frames.read_length(requests)) is not None:
        job = frames.load(frames.read_body(requests, length) or b"")
        _alarm(timeout + _GRACE)
        try:
            body = _answer(carry_out(job, partial(_ask, requests, answers)), job.path)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        _alarm(0)
        frames.write(answers, body)


def _ask(requests: IO[bytes], answers: IO[bytes], url: str) -> Fetched:
    """Have the run fetch a picture. An empty frame says that a question follows. The file's time stands still."""
    left = signal.getitimer(signal.ITIMER_REAL)[0] if hasattr(signal, "getitimer") else 0.0
    _alarm(0)
    frames.write(answers, b"")
    frames.write(answers, frames.dump(Wanted(url)))
    length = frames.read_length(requests)
    if length is None:
        os._exit(1)
    got: Fetched = frames.load(frames.read_body(requests, length) or b"")
    _alarm(left)
    return got


def _answer(reading: Reading, path: object) -> bytes:
    try:
        return frames.dump(reading)
    except frames.Unreadable as exc:
        return frames.dump(Reading(error=SourceError(f"{path} was read to something that is no data ({exc})")))


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the run's process is gone; end at once where it already is."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _limit(mebibytes: int) -> None:
    """Bound the memory that the process may write to, which address space that is only reserved is not part of."""
    if sys.platform == "linux":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        limit = mebibytes << 20 if hard == resource.RLIM_INFINITY else min(mebibytes << 20, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
