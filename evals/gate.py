"""The regression gate: a run is refused where a measure fell significantly below that of a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from evals.compare import Comparison, Difference, compare, refuse_unlike
from evals.record import RunRecord
from evals.statistics import SAME
from rag.errors import InputError

__all__ = ["FEWEST_COMMON", "Verdict", "gate"]

FEWEST_COMMON: Final = 10
"""The gate refuses to judge by fewer queries than this."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says. It is passed where no measure fell significantly by more than the tolerance."""

    comparison: Comparison
    falls: tuple[Difference, ...]
    alpha: float
    tolerance: float
    left_out: int
    """Queries that only one of the two runs was asked."""

    @property
    def passed(self) -> bool:
        """Whether nothing fell."""
        return not self.falls

    def to_json(self) -> dict[str, Any]:
        """The verdict as `triptych eval gate --json` prints it."""
        return {
            "passed": self.passed,
            "falls": [fall.measure for fall in self.falls],
            "alpha": self.alpha,
            "tolerance": self.tolerance,
            "left_out": self.left_out,
            **self.comparison.to_json(),
        }


def gate(
    baseline: RunRecord,
    run: RunRecord,
    measures: Sequence[str] = ("nDCG@10",),
    *,
    alpha: float = 0.05,
    tolerance: float = 0.0,
    seed: int = 0,
    names: tuple[str, str] = ("baseline", "run"),
) -> Verdict:
    """Judge a run by its baseline over the queries that both were asked.

    A measure fell where its mean is lower by more than `tolerance` and the corrected two-sided p is below `alpha`.

    Raises InputError where the runs are over other datasets or tasks, or have fewer than 10 queries in common.
    """
    refuse_unlike(names[0], baseline, names[1], run)
    ours, theirs = ({query.id for query in record.queries} for record in (baseline, run))
    common = ours & theirs
    if len(common) < FEWEST_COMMON:
        raise InputError(
            f"{names[0]} and {names[1]} have {len(common)} queries in common",
            f"the gate judges by at least {FEWEST_COMMON}",
            "run both over the same queries, or over larger samples",
        )
    records = {name: _on(record, common) for name, record in zip(names, (baseline, run), strict=True)}
    comparison = compare(records, measures, seed=seed)
    falls = tuple(d for d in comparison.differences if d.difference < -tolerance - SAME and d.corrected < alpha)
    return Verdict(comparison, falls, alpha, tolerance, len(ours ^ theirs))


def _on(record: RunRecord, queries: set[str]) -> RunRecord:
    return replace(record, queries=tuple(query for query in record.queries if query.id in queries))
