"""Following folders: an ingestion now, and one after each burst of changes below them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Final, TypeVar

from rag.errors import MissingExtra

__all__ = ["follow"]

T = TypeVar("T")

QUIET: Final = 500
"""Milliseconds without a change that end a burst."""
BURST: Final = 5_000
"""Milliseconds after which a burst that does not end is dealt with all the same."""
AGAIN: Final = 5_000
"""Milliseconds after which a round that left failures is repeated once: a file may have been half written."""


def follow(paths: Sequence[str | Path], run: Callable[[], bool], *, ignore: Path, stop: Event | None = None) -> None:
    """Call `run` now, and after changes below `paths`, until `stop` is set or the process is interrupted.

    `run` says whether something failed. What changes in `ignore` (the corpus, which a run itself writes) or in hidden
    files is no change. Raises MissingExtra, and what `run` raises.
    """
    try:
        from watchfiles import watch
    except ImportError as exc:
        raise MissingExtra("following a folder", "watch") from exc
    roots = [Path(path).resolve() for path in paths]
    own = ignore.resolve()

    def counts(_change: object, changed: str) -> bool:
        path = Path(changed)
        inside = next((path.relative_to(root).parts for root in roots if path.is_relative_to(root)), ())
        return not path.is_relative_to(own) and not any(part.startswith(".") for part in inside[:-1])

    run()
    again = True  # what changed before the watching began is seen by a second round
    bursts = watch(
        *roots,
        watch_filter=counts,
        step=QUIET,
        debounce=BURST,
        rust_timeout=AGAIN,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=True,
    )
    while (changes := _next(bursts)) is not None:
        if changes or again:
            again = run() and bool(changes)


def _next(bursts: Iterator[T]) -> T | None:
    """The next burst of changes; None where the process is interrupted between two rounds, or is to stop."""
    try:
        return next(bursts, None)
    except KeyboardInterrupt:
        return None
