"""Two ways to overlap work in threads that keep its order: to make things ahead of their use, and to finish them behind
it. Both are bounded, so that the slowest stage sets the pace and memory does not grow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Full, Queue
from typing import Any, Generic, TypeVar

__all__ = ["Behind", "ahead"]

T = TypeVar("T")

_POLL: float = 0.2
"""Seconds after which a thread that waits for room looks whether anybody still wants its things."""


@dataclass(frozen=True)
class _End:
    """The last thing in a queue, and the error that ended the work, if one did."""

    error: BaseException | None = None


@contextmanager
def ahead(items: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """The items, made in a thread up to `depth` ahead. What making them raises is raised where it would have come.

    Leaving the context early ends the thread when it has made the item it is at.
    """
    queue: Queue[T | _End] = Queue(depth)
    left = threading.Event()

    def put(item: T | _End) -> bool:
        while not left.is_set():
            try:
                queue.put(item, timeout=_POLL)
            except Full:
                continue
            return True
        return False

    def fill() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as exc:  # noqa: BLE001  # raised in the thread that asks
            error = exc
        put(_End(error))

    thread = threading.Thread(target=fill, name="triptych-ahead", daemon=True)
    thread.start()
    try:
        yield _until_end(queue)
    finally:
        left.set()
        thread.join()


def _until_end(queue: Queue[Any]) -> Iterator[Any]:
    while not isinstance(item := queue.get(), _End):
        yield item
    if item.error is not None:
        raise item.error


class Behind(Generic[T]):
    """A thread that carries out jobs in the order in which they come; at most `depth` wait.

    After a job that raised nothing more is carried out, and its error is raised by the next `put` or by `finish`.
    """

    def __init__(self, depth: int) -> None:
        self._queue: Queue[Callable[[], T] | None] = Queue(depth)
        self._results: Queue[T] = Queue()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def put(self, job: Callable[[], T]) -> None:
        """Add a job; wait while too many do."""
        self._raise()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="triptych-behind", daemon=True)
            self._thread.start()
        self._queue.put(job)

    def results(self) -> Iterator[T]:
        """What the jobs that are done have returned, each once, in order."""
        while not self._results.empty():
            yield self._results.get()

    def rest(self) -> None:
        """Wait until the jobs that were added are done."""
        self._queue.join()
        self._raise()

    def finish(self) -> None:
        """Wait until all jobs are done; no more may be added."""
        self.stop()
        self._raise()

    def stop(self) -> None:
        """Wait until the jobs that were added are done, or one has failed; raises nothing."""
        if self._thread is not None and self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                if self._error is None:
                    self._results.put(job())
            except BaseException as exc:  # noqa: BLE001  # raised in the thread that asks
                self._error = exc
            finally:
                self._queue.task_done()
