"""Triptych beside its peers: the same rows, the same encoder, the same vectors, the same measures, in one run.

Our own variants are ranked offline from candidates that are collected once. LlamaIndex's index is built and asked as it
is, from vectors that are already there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.metrics import aggregate, per_query
from evals.offline import DEFAULT, Collected, Progress, Setting, collect, indexed, rank
from evals.schema import Dataset
from evals.statistics import bootstrap_interval, holm, randomization_test
from evals.versions import versions
from rag.corpus import Corpus
from rag.errors import InputError
from rag.schema import LEGS, LEXICAL, Leg

if TYPE_CHECKING:
    from evals.llama_index_peer import LlamaIndexPeer

__all__ = ["OURS", "SHOWN", "Comparison", "PeersResult", "compare", "peers_folder", "variants"]

OURS: Final = "Triptych, default fusion"
SHOWN: Final = ("nDCG@10", "R@10", "hit@1", "hit@10", "RR@10")
"""Measures of the table, in its order; nDCG@10 is the one that is tested."""
SUMS: Final = ("zscore", "minmax", "dbsf")
"""Other normalizers, with the default's weights."""
RRF_K: Final = 60
HALF: Final = 5
_PEER_STORE: Final = "llama-index-vector-stores-qdrant"

Ranking = Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """One system: its measures, and how Triptych's default differs from it in nDCG@10 on the same queries."""

    name: str
    metrics: Mapping[str, float]
    by_type: Mapping[str, float]
    """nDCG@10 by query type, where there is more than one type."""
    difference: float
    """Mean nDCG@10 of Triptych's default − that of this system."""
    low: float
    high: float
    """The 95 % bootstrap interval of the difference."""
    p: float
    """Paired randomization test of the difference, corrected by Holm over all systems of the run."""

    def to_json(self) -> dict[str, Any]:
        """The comparison as `triptych eval peers --json` prints it."""
        return {
            "system": self.name,
            "metrics": dict(self.metrics),
            "by_type": dict(self.by_type),
            "ours_minus_this": {"difference": self.difference, "low": self.low, "high": self.high, "p_holm": self.p},
        }


@dataclass(frozen=True)
class PeersResult:
    """All systems of one run; Triptych's default comes first, its difference from itself is 0."""

    dataset: str
    task: str
    queries: int
    systems: tuple[Comparison, ...]
    encoder: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    rankings: Mapping[str, Mapping[str, Ranking]]
    """System → query → row → score; not part of the JSON."""

    def to_json(self) -> dict[str, Any]:
        """The result as `triptych eval peers --json` prints it."""
        return {
            "dataset": self.dataset,
            "task": self.task,
            "queries": self.queries,
            "encoder": self.encoder,
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "systems": [system.to_json() for system in self.systems],
        }


def variants(collected: Collected) -> dict[str, Ranking]:
    """What each of our own systems ranks for one query: name → row → score, best first.

    The concatenation gives each of its two lists half of the first ten places, passages first. A leg that the query
    was not asked of ranks nothing.
    """
    return {
        OURS: rank(collected, DEFAULT),
        "BM25 (lexical leg alone)": rank(collected, Setting.only(LEXICAL)),
        **{f"{leg} leg alone": rank(collected, Setting.only(leg)) for leg in LEGS if leg != LEXICAL},
        **{f"{name} sum over the legs": rank(collected, replace(DEFAULT, fusion=name)) for name in SUMS},
        "concatenation: 5 passages, then 5 pictures": _concatenation(collected),
        "one list by raw cosine (best leg)": _by_cosine(collected, lambda cosines: np.nanmax(cosines, axis=1)),
        "sum of raw cosines": _by_cosine(collected, lambda cosines: np.nansum(cosines, axis=1)),
        f"RRF({RRF_K}) over the legs": _reciprocal_ranks(collected),
    }


def _reciprocal_ranks(collected: Collected) -> Ranking:
    """Cormack et al., SIGIR 2009: a row that a leg does not have among its candidates gets nothing from it."""
    ranks = _within_depth(collected)
    return _best(collected, np.where(ranks > 0, 1.0 / (RRF_K + ranks), 0.0).sum(axis=1), (ranks > 0).any(axis=1))


def _by_cosine(collected: Collected, combine: Callable[[Any], Any]) -> Ranking:
    """Rows by what `combine` makes of their raw cosines, without any normalization."""
    dense = [LEGS.index(leg) for leg in LEGS if leg != LEXICAL]
    rows = (_within_depth(collected)[:, dense] > 0).any(axis=1)
    scores = np.full(len(rows), -np.inf)
    scores[rows] = combine(collected.raw[rows][:, dense])
    return _best(collected, scores, rows)


def _concatenation(collected: Collected) -> Ranking:
    def leg(name: Leg, rows: Any) -> list[str]:
        column = collected.raw[:, LEGS.index(name)]
        return list(_best(collected, column, rows & ~np.isnan(column)))

    passages, pictures = leg("text", ~collected.pictures), leg("image", collected.pictures)
    halves = [*passages[:HALF], *pictures[:HALF], *passages[HALF:], *pictures[HALF:]]
    return in_order(halves)


def in_order(rows: Sequence[str]) -> Ranking:
    """Scores that keep the order of `rows`; of a row that stands there twice the first place counts."""
    return {row: -float(place) for place, row in enumerate(dict.fromkeys(rows))}


def _within_depth(collected: Collected) -> Any:
    return np.where(collected.ranks <= DEFAULT.depth, collected.ranks, 0)


def _best(collected: Collected, scores: Any, rows: Any, k: int = 100) -> Ranking:
    places = np.flatnonzero(rows)
    order = places[np.argsort(-scores[places], kind="stable")][:k]
    return {collected.rows[place]: float(scores[place]) for place in order}


def compare(dataset: Dataset, corpus: Corpus, *, seed: int = 0, progress: Progress | None = None) -> PeersResult:
    """Rank every query with every system over an index of the dataset's rows, and test Triptych's default against each.

    Raises InputError for a task whose queries have filters: the peers would need another language for them.
    """
    from evals.llama_index_peer import LlamaIndexPeer

    if any(query.filter for query in dataset.queries):
        raise InputError(
            f"task {dataset.task.name!r} of {dataset.name} has queries with filters",
            "allowed: tasks without",
            "choose another task",
        )
    per_query(dataset.qrels, {})  # a missing extra is told before the work, not after it
    collected = collect(dataset, corpus, DEFAULT.depth, progress)
    rankings: dict[str, dict[str, Ranking]] = {}
    peer = LlamaIndexPeer(corpus)
    for one, query in zip(collected, dataset.queries, strict=True):
        for name, ranking in {**_of_peer(peer, one, query.image), **variants(one)}.items():
            rankings.setdefault(name, {})[one.query] = ranking
    ordered = {OURS: rankings.pop(OURS), **rankings}
    return PeersResult(
        dataset=dataset.name,
        task=dataset.task.name,
        queries=len(dataset.queries),
        systems=_compared(dataset, ordered, seed),
        encoder=str(corpus.store.fingerprint),
        settings={**DEFAULT.to_json(), "seed": seed, "rrf_k": RRF_K},
        versions={**versions(), _PEER_STORE: version(_PEER_STORE)},
        rankings=ordered,
    )


def _of_peer(peer: LlamaIndexPeer, one: Collected, image: Path | None) -> dict[str, Ranking]:
    texts, pictures = peer.retrieve(one.text, image)
    name = "LlamaIndex MultiModalVectorStoreIndex"
    return {
        f"{name}, top 10 of each store": in_order([*texts, *pictures]),
        f"{name}, top 5 of each store": in_order([*texts[:HALF], *pictures[:HALF]]),
    }


def _compared(dataset: Dataset, rankings: Mapping[str, Mapping[str, Ranking]], seed: int) -> tuple[Comparison, ...]:
    scores = {name: per_query(dataset.qrels, run) for name, run in rankings.items()}
    values = {name: np.array([row["nDCG@10"] for row in rows.values()]) for name, rows in scores.items()}
    others = [name for name in rankings if name != OURS]
    differences = {name: values[OURS] - values[name] for name in others}
    corrected = dict(
        zip(others, holm([randomization_test(differences[name], seed=seed) for name in others]), strict=True)
    )
    types = sorted({query.type for query in dataset.queries})
    kinds = np.array([query.type for query in dataset.queries])
    return tuple(
        Comparison(
            name=name,
            metrics=aggregate(scores[name]),
            by_type={kind: float(values[name][kinds == kind].mean()) for kind in types} if len(types) > 1 else {},
            difference=float(differences[name].mean()) if name in differences else 0.0,
            **_interval(differences.get(name), seed),
            p=corrected.get(name, 1.0),
        )
        for name in rankings
    )


def _interval(differences: Any, seed: int) -> dict[str, float]:
    low, high = (0.0, 0.0) if differences is None else bootstrap_interval(differences, seed=seed)
    return {"low": low, "high": high}


def peers_folder(
    folder: str | Path,
    task: str = "",
    *,
    corpus: str | Path | None = None,
    encoder: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> PeersResult:
    """Index a dataset folder for a task, in `corpus` or in a temporary folder, and compare the systems on it."""
    with indexed(folder, task, corpus=corpus, encoder=encoder, progress=progress) as (dataset, opened):
        return compare(dataset, opened, seed=seed, progress=progress)


def rows_of(result: PeersResult) -> tuple[list[str], list[list[str]]]:
    """The table: its head, and a row of words a system."""
    kinds = list(result.systems[0].by_type)
    head = ["system", *SHOWN, *(f"nDCG@10 {kind}" for kind in kinds), "ours − this", "95 % interval", "p (Holm)"]
    rows = []
    for system in result.systems:
        tested = system.name != OURS
        rows.append(
            [
                system.name,
                *(f"{system.metrics[name]:.3f}" for name in SHOWN),
                *(f"{system.by_type[kind]:.3f}" for kind in kinds),
                f"{system.difference:+.3f}" if tested else "",
                f"{system.low:+.3f} to {system.high:+.3f}" if tested else "",
                _p(system.p) if tested else "",
            ]
        )
    return head, rows


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def peers_lines(result: PeersResult) -> list[str]:
    """The table for the terminal."""
    head, rows = rows_of(result)
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(word.ljust(width) if not column else word.rjust(width) for column, (word, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in [head, *rows])
    ]
    return [f"{result.dataset}, task {result.task}: {result.queries} queries, encoder {result.encoder}", *lines]


def peers_markdown(result: PeersResult) -> str:
    """The table for a document, with what repeats it."""
    head, rows = rows_of(result)
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] + ["--:"] * (len(head) - 1), *rows]]
    versions = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    return "\n".join(
        [
            f"{result.dataset}, task `{result.task}`, {result.queries} queries, encoder {result.encoder};"
            f" {versions}; seed {result.settings['seed']}.",
            "",
            *lines,
            "",
        ]
    )
