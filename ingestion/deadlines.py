"""Deadlines of many pieces of work, watched by one thread: a thread for each would cost more than a small file does."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Deadlines"]


class Deadlines:
    """Calls what is to be called where work is not done in time. Its thread starts with the first deadline and ends
    with `close`, or with the process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes, self._closed = math.inf, False

    @contextmanager
    def within(self, seconds: float, late: Callable[[], None]) -> Iterator[None]:
        """Call `late`, once, where the context is not left within so many seconds; never after it is left. `late` must
        not wait for anything: all others are watched by the thread that calls it."""
        work, due = object(), time.monotonic() + max(seconds, 0.0)
        with self._changed:
            self._due[work] = due, late
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="triptych-deadlines", daemon=True)
                self._thread.start()
            if due < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._due.pop(work, None)

    def close(self) -> None:
        """End the thread; what is under way is watched no longer."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for work in [work for work, (due, _) in self._due.items() if due <= now]:
                    self._due.pop(work)[1]()
                self._wakes = min((due for due, _ in self._due.values()), default=math.inf)
                self._changed.wait(None if math.isinf(self._wakes) else min(self._wakes - now, threading.TIMEOUT_MAX))
