"""The seam of everything that happens to a ranking after fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.question import Question
from rag.ranking.fused import FusedNode

__all__ = ["Stage"]


class Stage(Protocol):
    """A step after fusion: a ranking in, a ranking out. Pure but for what it was made with.

    A stage with a true attribute `steady` promises that what follows the head of a ranking decides nothing about the
    hits that the head gives: it is shown the head alone where that is enough. Any other is shown every candidate.
    One with a true attribute `thins` may leave too few of the candidates: the legs are then asked once more, deeper.
    """

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Rank anew, leave out or adjust. `ranking` is best first, and holds more than is shown; it is cut afterwards.

        The scores of what is returned fall, and each is still the sum of its contributions and adjustments.
        """
