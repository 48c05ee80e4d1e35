"""Counting what becomes of each source, and telling of it while it happens."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from llama_index.core.schema import BaseNode, ImageNode

from ingestion.report import Failure, IngestReport, Notice, Outcome, ProgressEvent, Skip, SourceCounts

__all__ = ["Progress", "Settled", "Tally", "counted"]

Progress: TypeAlias = Callable[[ProgressEvent], None]


@dataclass(frozen=True)
class Settled:
    """What became of one source."""

    source: str
    outcome: Outcome
    nodes: tuple[int, int] = (0, 0)
    """Passages and pictures."""
    failure: Failure | None = None
    reason: str = ""
    """Why it was skipped."""
    notices: tuple[Notice, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Pictures left out of it, by reason."""


def counted(nodes: Sequence[BaseNode]) -> tuple[int, int]:
    """How many passages and how many pictures there are among the nodes."""
    images = sum(isinstance(node, ImageNode) for node in nodes)
    return len(nodes) - images, images


class Tally:
    """What a run has done so far. Used by one thread."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._started = progress, time.monotonic()
        self.total, self._waited = 0, 0.0
        self._counts: Counter[Outcome] = Counter()
        self._texts = self._images = 0
        self._failures: list[Failure] = []
        self._skips: list[Skip] = []
        self._notices: list[Notice] = []
        self._removed: list[str] = []
        self._left_out: Counter[str] = Counter()
        self.parts: list[Skip] = []

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time until the end of the context as one in which nothing is encoded."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - started

    def add(self, settled: Settled) -> None:
        """Count a source and tell of it."""
        self._counts[settled.outcome] += 1
        self._texts += settled.nodes[0]
        self._images += settled.nodes[1]
        self._notices += settled.notices
        self._left_out.update(settled.left_out)
        if settled.failure is not None:
            self._failures.append(settled.failure)
        if settled.outcome == "skipped":
            self._skips.append(Skip(settled.source, settled.reason))
        if settled.outcome == "removed":
            self._removed.append(settled.source)
        if self._progress is not None:
            done, total = sum(self._counts.values()), self.total - len(self.parts)
            nodes = self._texts + self._images
            self._progress(ProgressEvent(done, max(done, total), settled.source, settled.outcome, nodes))

    def report(self, stopped: str = "") -> IngestReport:
        """What was done."""
        return IngestReport(
            SourceCounts(**{str(outcome): count for outcome, count in self._counts.items()}),
            *(self._texts, self._images),
            failures=tuple(self._failures),
            skips=tuple(self._skips),
            parts=tuple(self.parts),
            warnings=tuple(self._notices),
            left_out=dict(self._left_out),
            seconds=time.monotonic() - self._started,
            removed=tuple(self._removed),
            waited=self._waited,
            stopped=stopped,
        )
