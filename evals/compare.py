"""Compare recorded runs with the first of them, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from evals.metrics import measures as names_of
from evals.record import RecordedQuery, RunRecord
from evals.statistics import SAME, bootstrap_interval, effect_size, holm, outcomes, randomization_test
from rag.errors import InputError

__all__ = ["Change", "Changes", "Comparison", "Difference", "compare", "read", "refuse_unlike"]

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


Changes: TypeAlias = tuple[tuple[Change, ...], tuple[Change, ...]]
"""Queries that gained, queries that lost."""


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
    """Measure by measure, run by run; none where there is only the baseline."""
    changes: Mapping[str, Changes]
    """Run → the queries that changed most by the first measure."""
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
            "changes": {
                run: {
                    word: [{**asdict(change), "difference": change.difference} for change in side]
                    for word, side in zip(("gained", "lost"), sides, strict=True)
                }
                for run, sides in self.changes.items()
            },
        }


def read(paths: Sequence[Path]) -> dict[str, RunRecord]:
    """Name → record of run files. Raises InputError for a file that is no run record."""
    return dict(zip(_labels(paths), map(RunRecord.load, paths), strict=True))


def _labels(paths: Sequence[Path]) -> tuple[str, ...]:
    """Names for run files: the file's name without ending where that tells them apart, else the path."""
    for name in (lambda path: path.stem, lambda path: str(path.with_suffix(""))):
        names = tuple(name(path) for path in paths)
        if len(set(names)) == len(names):
            return names
    return tuple(f"{path.with_suffix('')} ({number})" for number, path in enumerate(paths, 1))


def compare(
    records: Mapping[str, RunRecord], measures: Sequence[str] = (), *, most: int = 3, seed: int = 0
) -> Comparison:
    """Compare runs, the first being the baseline, by the measures given (nDCG@10, R@10 and RR@10 where there are none).

    The p values are corrected over all runs and measures of the comparison, for all of them are looked at.

    At most `most` queries that gained and as many that lost are kept of each run. One run alone has no differences.

    Raises InputError where the runs are over other datasets, tasks or queries, are of fewer than two queries, or where
    one of them lacks a measure.
    """
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
    changed = {
        difference.run: _changes(queries, difference, first, records[difference.run], most)
        for difference in differences
        if difference.measure == chosen[0]
    }
    return Comparison(
        dataset=first.dataset,
        task=first.task,
        digest=first.digest,
        runs=tuple(records),
        measures=chosen,
        queries=queries,
        means={run: {name: float(values.mean()) for name, values in rows.items()} for run, rows in scores.items()},
        differences=tuple(replace(d, corrected=p) for d, p in zip(differences, corrected, strict=True)),
        changes=changed,
        seed=seed,
    )


def _changes(
    queries: Sequence[RecordedQuery], difference: Difference, baseline: RunRecord, other: RunRecord, most: int
) -> Changes:
    by_query = difference.by_query
    order = sorted(range(len(by_query)), key=lambda index: (-by_query[index], queries[index].id))
    gained = [index for index in order if by_query[index] > SAME][:most]
    lost = [index for index in reversed(order) if by_query[index] < -SAME][:most]
    gains, losses = (
        tuple(_change(difference.run, queries[index], difference.measure, baseline, other) for index in chosen)
        for chosen in (gained, lost)
    )
    return gains, losses


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
    named = [name for given in wanted for name in ((given,) if given in shared else names_of(given))]
    chosen = tuple(dict.fromkeys(named)) or tuple(name for name in DEFAULT_MEASURES if name in shared) or shared[:3]
    for measure in chosen:
        if measure not in shared:
            lacking = next(name for name, record in records.items() if measure not in record.metrics)
            raise InputError(
                f"{lacking} has no measure {measure!r}",
                f"all runs have: {', '.join(shared) or 'none in common'}",
                f"choose one of them, or run {lacking} again with --measures {measure}",
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
