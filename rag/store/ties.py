"""Equal scores: engines differ by float32 rounding, and must give the same order all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from rag.schema import TIE


def equal(higher: float, lower: float) -> bool:
    """Whether two scores are the same but for rounding."""
    return higher - lower <= TIE * max(1.0, abs(higher))


def ordered(scores: Iterable[tuple[str, float]]) -> tuple[str, ...]:
    """Ids by falling score; a run of equal scores in the order of ids."""
    falling = sorted(sorted(scores), key=itemgetter(1), reverse=True)
    out: list[str] = []
    run: list[str] = []
    last = 0.0
    for point_id, score in falling:
        if run and not equal(last, score):
            out += sorted(run)
            run = []
        run.append(point_id)
        last = score
    return tuple(out + sorted(run))


def overflows(points: Sequence[Any], depth: int, limit: int) -> bool:
    """Whether points beyond the `limit` that was asked for may equal the last of the `depth` that count."""
    return len(points) == limit and equal(points[depth - 1].score, points[-1].score)
