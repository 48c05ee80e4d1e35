"""The seam of everything that happens to a ranking after fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.question import Question
from rag.ranking.fused import FusedNode

__all__ = ["Stage"]


class Stage(Protocol):
    """A step after fusion: a ranking in, a ranking out. Pure but for what it was made with."""

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Rank anew, leave out or adjust. `ranking` holds every candidate, best first; it is cut afterwards.

        The scores of what is returned fall, and each is still the sum of its contributions and adjustments.
        """
