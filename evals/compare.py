"""Compare recorded runs with the first of them, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from evals.record import RecordedQuery, RunRecord
from evals.statistics import SAME, bootstrap_interval, effect_size, holm, outcomes, randomization_test
from rag.errors import InputError

__all__ = ["Change", "Changes", "Comparison", "Difference", "changes", "compare", "labels", "refuse_unlike"]

DEFAULT_MEASURES: Final = ("nDCG@10", "R@10", "RR@10")
_SHOWN: Final = 5
"""First-ranked documents that are kept of a changed query."""


@dataclass(frozen=True)
class Difference:
    """A run against the baseline by one measure. All but `p`, `corrected` and `effect` in units of the measure."""

    run: str
    measure: str
    mean: float
    baseline: float
    difference: float
    low: float
    """Lower end of the 95 % bootstrap interval of the mean difference."""
    high: float
    p: float
    corrected: float
    """p by Holm's correction over all differences of the comparison."""
    wins: int
    losses: int
    ties: int
    effect: float | None
    """Mean difference in standard deviations; None where that is not defined."""
    by_query: tuple[float, ...]
    """Differences in the order of `Comparison.queries`."""


@dataclass(frozen=True)
class Change:
    """A query on which a run and the baseline differ much, and what both rank first."""

    run: str
    query: RecordedQuery
    baseline: float
    score: float
    baseline_top: tuple[str, ...]
    top: tuple[str, ...]
    relevant: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Score of the run less that of the baseline."""
        return self.score - self.baseline


@dataclass(frozen=True)
class Comparison:
    """Runs over the same queries, each against the first."""

    dataset: str
    task: str
    digest: str
    runs: tuple[str, ...]
    """Names of the runs, the baseline first."""
    measures: tuple[str, ...]
    """The first one decides which queries changed most."""
    queries: tuple[RecordedQuery, ...]
    means: Mapping[str, Mapping[str, float]]
    """Run → measure → mean over the queries."""
    differences: tuple[Difference, ...]
    """Measure by measure, run by run."""
    seed: int

    def of(self, run: str, measure: str) -> Difference:
        """The difference of a run by a measure. Raises KeyError for the baseline or an unknown name."""
        for difference in self.differences:
            if (difference.run, difference.measure) == (run, measure):
                return difference
        raise KeyError((run, measure))

    def to_json(self) -> dict[str, Any]:
        """The comparison as `triptych eval compare --json` prints it."""
        return {
            **{name: getattr(self, name) for name in ("dataset", "task", "digest", "seed")},
            "runs": list(self.runs),
            "measures": list(self.measures),
            "queries": len(self.queries),
            "means": {run: dict(values) for run, values in self.means.items()},
            "differences": [
                {name: value for name, value in asdict(difference).items() if name != "by_query"}
                for difference in self.differences
            ],
        }


Changes: TypeAlias = tuple[tuple[Change, ...], tuple[Change, ...]]
"""Queries that gained, queries that lost."""


def labels(paths: Sequence[Path]) -> tuple[str, ...]:
    """Names for run files: the file's name without ending where that tells them apart, else the path."""
    for name in (lambda path: path.stem, lambda path: str(path.with_suffix(""))):
        names = tuple(name(path) for path in paths)
        if len(set(names)) == len(names):
            return names
    return tuple(f"{path.with_suffix('')} ({number})" for number, path in enumerate(paths, 1))


def compare(records: Mapping[str, RunRecord], measures: Sequence[str] = (), *, seed: int = 0) -> Comparison:
    """Compare runs, the first being the baseline, by the measures given (nDCG@10, R@10 and RR@10 where there are none).

    The p values are corrected over all runs and measures of the comparison, for all of them are looked at.

    Raises InputError where there are fewer than two runs or queries, where the runs are over other datasets, tasks or
    queries, or where one of them lacks a measure.
    """
    if len(records) < 2:
        raise InputError(f"{len(records)} run", "a comparison is between at least 2", "name the baseline first")
    baseline, *others = records
    for other in others:
        refuse_unlike(baseline, records[baseline], other, records[other])
        _refuse_other_queries(baseline, records[baseline], other, records[other])
    first = records[baseline]
    chosen = _measures(records, measures)
    queries = tuple(sorted(first.queries, key=lambda query: query.id))
    scores = {
        name: {measure: np.array([record.scores[query.id][measure] for query in queries]) for measure in chosen}
        for name, record in records.items()
    }
    differences = [
        _difference(other, measure, scores[baseline][measure], scores[other][measure], seed)
        for measure in chosen
        for other in others
    ]
    corrected = holm([difference.p for difference in differences])
    return Comparison(
        dataset=first.dataset,
        task=first.task,
        digest=first.digest,
        runs=tuple(records),
        measures=chosen,
        queries=queries,
        means={run: {name: float(values.mean()) for name, values in rows.items()} for run, rows in scores.items()},
        differences=tuple(replace(d, corrected=p) for d, p in zip(differences, corrected, strict=True)),
        seed=seed,
    )


def changes(comparison: Comparison, records: Mapping[str, RunRecord], most: int = 3) -> dict[str, Changes]:
    """Run → the queries that gained most and those that lost most by the first measure, at most `most` of each."""
    baseline, *others = comparison.runs
    measure = comparison.measures[0]
    found = {}
    for run in others:
        by_query = comparison.of(run, measure).by_query
        order = sorted(range(len(by_query)), key=lambda index: (-by_query[index], comparison.queries[index].id))
        gained = [index for index in order if by_query[index] > SAME][:most]
        lost = [index for index in reversed(order) if by_query[index] < -SAME][:most]
        gains, losses = (
            tuple(_change(run, comparison.queries[i], measure, records[baseline], records[run]) for i in chosen)
            for chosen in (gained, lost)
        )
        found[run] = gains, losses
    return found


def _difference(
    run: str, measure: str, baseline: np.ndarray[Any, Any], scores: np.ndarray[Any, Any], seed: int
) -> Difference:
    by_query = scores - baseline
    low, high = bootstrap_interval(by_query, seed=seed)
    p = randomization_test(by_query, seed=seed)
    found = outcomes(by_query)
    return Difference(
        run=run,
        measure=measure,
        mean=float(scores.mean()),
        baseline=float(baseline.mean()),
        difference=float(by_query.mean()),
        low=low,
        high=high,
        p=p,
        corrected=p,
        wins=found.wins,
        losses=found.losses,
        ties=found.ties,
        effect=effect_size(by_query),
        by_query=tuple(by_query.tolist()),
    )


def _change(run: str, query: RecordedQuery, measure: str, baseline: RunRecord, other: RunRecord) -> Change:
    def top(record: RunRecord) -> tuple[str, ...]:
        return tuple(document for document, _ in record.ranking.get(query.id, ())[:_SHOWN])

    return Change(
        run=run,
        query=query,
        baseline=baseline.scores[query.id][measure],
        score=other.scores[query.id][measure],
        baseline_top=top(baseline),
        top=top(other),
        relevant=tuple(document for document, grade in baseline.qrels.get(query.id, {}).items() if grade > 0),
    )


def _measures(records: Mapping[str, RunRecord], wanted: Sequence[str]) -> tuple[str, ...]:
    shared = [
        measure
        for measure in next(iter(records.values())).metrics
        if all(measure in record.metrics for record in records.values())
    ]
    chosen = tuple(dict.fromkeys(wanted)) or tuple(name for name in DEFAULT_MEASURES if name in shared) or shared[:3]
    for measure in chosen:
        if measure not in shared:
            lacking = next(name for name, record in records.items() if measure not in record.metrics)
            raise InputError(
                f"{lacking} has no measure {measure!r}",
                f"all runs have: {', '.join(shared) or 'none in common'}",
                "choose one of them, or run again with that measure",
            )
    return tuple(chosen)


def refuse_unlike(name: str, record: RunRecord, other_name: str, other: RunRecord) -> None:
    """Raise InputError, naming both runs, where they are over other datasets or tasks."""
    if (record.dataset, record.task, record.digest) != (other.dataset, other.task, other.digest):
        raise InputError(
            f"{name} is a run of {_identity(record)} and {other_name} of {_identity(other)}",
            "runs are compared over the same dataset and task",
            "run one of them again over the data of the other",
        )


def _refuse_other_queries(name: str, record: RunRecord, other_name: str, other: RunRecord) -> None:
    ours, theirs = ({query.id for query in each.queries} for each in (record, other))
    if ours != theirs:
        raise InputError(
            f"{name} was asked {len(ours)} queries, {other_name} {len(theirs)}, {len(ours & theirs)} of them the same",
            "runs are compared over the same queries",
            "run both over the same sample",
        )


def _identity(record: RunRecord) -> str:
    return f"{record.dataset}, task {record.task}, digest {record.digest[:12]}"
