"""The regression gate: a run is refused where a measure fell significantly below that of a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from evals.compare import Comparison, Difference, compare, refuse_unlike
from evals.record import RunRecord
from evals.statistics import SAME
from rag.errors import InputError

__all__ = ["FEWEST_COMMON", "Verdict", "gate"]

FEWEST_COMMON: Final = 10
"""The gate refuses to judge by fewer queries than this."""

DEFAULT_MEASURES: Final = ("nDCG@10",)
"""One, so that no correction weakens the test of the measure that everybody looks at."""


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
    records: Mapping[str, RunRecord],
    measures: Sequence[str] = (),
    *,
    alpha: float = 0.05,
    tolerance: float = 0.0,
    seed: int = 0,
) -> Verdict:
    """Judge a run by its baseline (two records, the baseline first) over the queries that both were asked.

    A measure (nDCG@10 where none is given) fell where its mean is lower by more than `tolerance` and the two-sided p,
    corrected for the number of measures, is below `alpha`.

    Raises InputError where the runs are over other datasets or tasks, or have fewer than 10 queries in common.
    """
    (name, baseline), (other_name, run) = records.items()
    refuse_unlike(name, baseline, other_name, run)
    ours, theirs = ({query.id for query in record.queries} for record in (baseline, run))
    common = ours & theirs
    if len(common) < FEWEST_COMMON:
        raise InputError(
            f"{name} and {other_name} have {len(common)} queries in common",
            f"the gate judges by at least {FEWEST_COMMON}",
            "run both over the same queries, or over larger samples",
        )
    compared = {label: _on(record, common) for label, record in records.items()}
    comparison = compare(compared, measures or DEFAULT_MEASURES, most=0, seed=seed)
    falls = tuple(d for d in comparison.differences if d.difference < -tolerance - SAME and d.corrected < alpha)
    return Verdict(comparison, falls, alpha, tolerance, len(ours ^ theirs))


def _on(record: RunRecord, queries: set[str]) -> RunRecord:
    return replace(record, queries=tuple(query for query in record.queries if query.id in queries))
