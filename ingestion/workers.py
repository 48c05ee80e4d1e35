"""Readers in processes of their own: they parse ahead while the run encodes; what kills or stalls one costs one file.

A process is started as a plain interpreter, not by `multiprocessing`: spawning would run the caller's script again, and
forking would copy threads in the middle of their work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Protocol

from ingestion import frames
from ingestion.deadlines import Deadlines
from ingestion.reading import ATTEMPTS, Job, Reading, carry_out
from ingestion.remote import MAX_PICTURES, Fetch, Wanted
from rag.errors import SourceError

__all__ = ["InProcess", "ReaderPool", "Readers", "open_readers"]

TIMEOUT: Final = 300.0
"""Seconds that a file may take."""
MEMORY: Final = 2048
"""MiB that a reader process may use."""
AHEAD: Final = 3
"""Files per process that are read before they are asked for, so that one slow file does not stop the others."""
AHEAD_BYTES: Final = 256 << 20
"""What was read ahead and waits in this process; beyond it the readers keep their answers until they are asked for."""

MAX_QUESTIONS: Final = 2 * ATTEMPTS * MAX_PICTURES
"""Pictures that a process may ask for while it reads one file, by which time it has long been told that there are too
many."""
MAX_QUESTION: Final = 1 << 20
"""Bytes of an address."""

_OUT_OF_MEMORY: Final = 86
"""The exit status of a reader process that was refused memory."""
_BOOT: Final = (
    "import json, sys\n"
    "path, *limits = json.loads(sys.argv[1])\n"
    "sys.path[:] = path\n"
    "from ingestion.reader_process import main\n"
    "main(*limits)\n"
)
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Readers(Protocol):
    """What reads files for a run."""

    def read(self, jobs: Iterable[Job], fetch: Fetch | None = None) -> Iterator[Reading]:
        """One reading for each job, in the order of the jobs; jobs are taken as they are needed. `fetch` gets the
        pictures that they show from the web; it is called by many threads."""

    def close(self) -> None:
        """Stop at once; a `read` in progress ends."""


class InProcess:
    """Reading in this process, one file after the other and without limits: for debugging, and for trusted files."""

    def warm(self) -> None:
        """Nothing to start."""

    def read(self, jobs: Iterable[Job], fetch: Fetch | None = None) -> Iterator[Reading]:
        """One reading for each job, when it is asked for."""
        for job in jobs:
            try:
                yield carry_out(job, fetch)
            except MemoryError:
                yield _failed(job, "needed more memory than there is")

    def close(self) -> None:
        """Nothing to stop."""

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to stop."""


def open_readers(workers: int | None = None, timeout: float = TIMEOUT, memory: int = MEMORY) -> ReaderPool | InProcess:
    """A pool of `workers` processes (None: as many as help on this machine), or for 0 no process at all."""
    if workers == 0 or not sys.executable:
        return InProcess()
    return ReaderPool(workers, timeout, memory)


class ReaderPool:
    """Up to `workers` reader processes, started as they are needed and used again.

    A file that takes longer than `timeout` seconds, needs more than `memory` MiB (where the platform can bound it:
    Linux) or crashes its reader is a reading with an error that says so; the process is replaced. So that the outcome
    does not depend on what a process read before, a file that fails in a used one is tried again in a fresh one.
    """

    def __init__(self, workers: int | None = None, timeout: float = TIMEOUT, memory: int = MEMORY) -> None:
        self.workers = workers or min(8, os.cpu_count() or 1)
        self.timeout, self.memory = timeout, memory
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._guard = threading.Lock()
        self._room, self._deadlines = _Room(AHEAD_BYTES), Deadlines()
        self._closed = False
        # As long-lived as the processes: on Linux a process is told to end with the thread that started it.
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="triptych-reader")

    def warm(self) -> None:
        """Start one process already, while the caller has other things to load."""
        self._idle.append(_Process(self.timeout, self.memory, self._deadlines))

    def read(self, jobs: Iterable[Job], fetch: Fetch | None = None) -> Iterator[Reading]:
        """One reading for each job, in the order of the jobs, read ahead by all processes.

        Jobs are taken a few ahead of what is asked for; what waits here is bounded in number and in bytes.
        """
        waiting: deque[tuple[Job, Future[bytes | Reading]]] = deque()
        for turn, job in enumerate(jobs, start=self._room.due):
            waiting.append((job, self._threads.submit(self._answer, job, turn, fetch)))
            if len(waiting) >= AHEAD * self.workers:
                yield self._next(*waiting.popleft())
        while waiting:
            yield self._next(*waiting.popleft())

    def peak(self) -> int:
        """Bytes of memory that the largest process which waits has had at most; 0 where the platform does not tell."""
        with self._guard:
            return max((process.peak() for process in self._idle), default=0)

    def close(self) -> None:
        """Kill every process; a `read` in progress ends with an error. A closed pool reads no more."""
        with self._guard:
            self._closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        self._room.open_wide()
        for process in idle:
            process.bury()
        for process in busy:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        self._deadlines.close()

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _next(self, job: Job, future: Future[bytes | Reading]) -> Reading:
        answer = future.result()
        if isinstance(answer, Reading):
            self._room.leave(0)
            return answer
        self._room.leave(len(answer))
        try:
            reading: Reading = frames.load(answer)
        except frames.Unreadable as exc:
            return _failed(job, f"was read to something that is no data ({exc})")
        return reading

    def _answer(self, job: Job, turn: int, fetch: Fetch | None) -> bytes | Reading:
        """The answer of a process, tried once more in a fresh one where a used one broke; or why there is none."""
        while True:
            process = self._take()
            fresh = not process.served
            try:
                answer = process.ask(job, self.timeout, lambda length: self._room.enter(turn, length), fetch)
            except _Broken as broken:
                process.bury()
                if fresh or broken.late or self._closed:
                    return _failed(job, broken.reason)
            else:
                self._give_back(process)
                return answer
            finally:
                with self._guard:
                    self._busy.discard(process)

    def _take(self) -> _Process:
        """A process that waits, or a new one; a dead one where the pool is closed."""
        with self._guard:
            process = self._idle.pop() if self._idle else _Process(self.timeout, self.memory, self._deadlines)
            self._busy.add(process)
            if self._closed:
                process.kill()
            return process

    def _give_back(self, process: _Process) -> None:
        with self._guard:
            if not self._closed:
                self._idle.append(process)
                return
        process.bury()


class _Broken(Exception):
    """A process that gave no answer, and why. `late`: it took too long."""

    def __init__(self, reason: str, late: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.late = reason, late


class _Process:
    """One reader process. Used by one thread at a time; `kill` may be called by any."""

    def __init__(self, timeout: float, memory: int, deadlines: Deadlines) -> None:
        self.served, self._late, self._memory, self._deadlines = 0, False, memory, deadlines
        about = json.dumps([sys.path, os.getpid(), timeout, memory])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, about],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("TRIPTYCH_DEBUG") else subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
        )

    def ask(self, job: Job, timeout: float, enter: Callable[[int], None], fetch: Fetch | None = None) -> bytes:
        """The answer as it was sent; `enter` is called with its length and returns when there is room for it.

        Raises _Broken where the process took longer than `timeout` seconds, those of `fetch` not counted, or died.
        """
        message, left, questions = frames.dump(job), timeout, 0
        while True:
            started = time.monotonic()
            length, question = self._sent(message, left)
            left -= time.monotonic() - started
            if question is None or fetch is None or questions > MAX_QUESTIONS:
                break
            questions += 1
            message = frames.dump(fetch(question.url))
        if length:
            enter(length)
            body = frames.read_body(self._pipe(self._process.stdout), length)
            if body is not None:
                self.served += 1
                return body
        if self._late:
            raise _Broken(f"took longer than {timeout:g} s", late=True)
        if question is not None:
            raise _Broken("asked for more than it may")
        raise _Broken(self._epitaph())

    def _sent(self, message: bytes, seconds: float) -> tuple[int | None, Wanted | None]:
        """The length of what the process answers to a message within so many seconds, None where it is gone; or what it
        asks for before it answers, which an empty frame announces."""
        with self._deadlines.within(seconds, self._expire):
            try:
                frames.write(self._pipe(self._process.stdin), message)
                length = frames.read_length(self._pipe(self._process.stdout))
                return length, self._question() if length == 0 else None
            except (OSError, frames.Unreadable):
                return None, None

    def _question(self) -> Wanted:
        """What the process asks for. Raises Unreadable where it is none."""
        length = frames.read_length(self._pipe(self._process.stdout)) or 0
        body = frames.read_body(self._pipe(self._process.stdout), length) if length < MAX_QUESTION else None
        question = frames.load(body or b"")
        if not isinstance(question, Wanted):
            raise frames.Unreadable("not a question")
        return question

    def _expire(self) -> None:
        self._late = True
        self._process.kill()

    def kill(self) -> None:
        """End the process, whatever it does, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def bury(self) -> None:
        """`kill`, and let go of its pipes, which no thread may be using."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent to it is lost with it
                self._pipe(pipe).close()

    def peak(self) -> int:
        """Bytes of memory that it has had at most, which only Linux tells of another process."""
        with suppress(OSError):
            status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8")
            return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
        return 0

    def _epitaph(self) -> str:
        status = self._process.wait()
        if status == _OUT_OF_MEMORY:
            return f"needed more than {self._memory} MiB"
        return f"crashed its reader (signal {-status})" if status < 0 else f"ended its reader (exit status {status})"

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        if stream is None:
            raise ValueError("a reader process is started with pipes")
        return stream


class _Room:
    """Bytes of answers that may wait in this process. The answer that is due is always let in, so nobody waits in
    vain."""

    def __init__(self, limit: int) -> None:
        self.due, self._limit, self._used = 0, limit, 0
        self._changed = threading.Condition()

    def enter(self, turn: int, length: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: turn == self.due or self._used + length <= self._limit)
            self._used += length

    def leave(self, length: int) -> None:
        with self._changed:
            self.due += 1
            self._used -= length
            self._changed.notify_all()

    def open_wide(self) -> None:
        with self._changed:
            self._limit = sys.maxsize
            self._changed.notify_all()


def _failed(job: Job, reason: str) -> Reading:
    return Reading(error=SourceError(f"{job.path} {reason}", advice="the other files are not touched by it"))
