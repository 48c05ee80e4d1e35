"""What a question costs at a size: `triptych bench search --points N`, on the embedded engine."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from rag.bench.synthetic import FILTER, Synthetic
from rag.errors import InputError
from rag.question import Question
from rag.ranking import Collapse
from rag.retriever import FusionRetriever
from rag.schema import DENSE_LEGS, LEXICAL, Leg
from rag.store import NamedVectorStore, parse_filter

DEPTH: Final = 50
K: Final = 10


@dataclass(frozen=True)
class _Known:
    """An encoder that knows the vectors of the questions: what is measured here is retrieval, not encoding."""

    vectors: Mapping[str, NDArray[np.float32]]

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vector of each text."""
        return np.stack([self.vectors[text] for text in texts])


def points(count: int, questions: int, folder: Path | None) -> dict[str, Any]:
    """Milliseconds (p50, p95) and recall@10 against exact search, over a synthetic corpus of `count` points.

    The corpus is made in `folder`, and used again if it is there already. Raises InputError for one of another size.
    """
    corpus = Synthetic(count)
    with tempfile.TemporaryDirectory() as temporary:
        path = folder or Path(temporary)
        with NamedVectorStore.open(path=path, fingerprint=corpus.fingerprint, exact=False) as store:
            building = _seconds(lambda: _build(store, corpus)) if store.count() == 0 else 0.0
            if store.count() != count:
                raise InputError(f"a corpus of {store.count()} points in {path}", f"{count} of them", "another folder")
            measured = _measure(store, corpus.questions(questions))
            matching = len(store.ids(parse_filter(FILTER)))
    return {
        "points": count,
        "questions": questions,
        "filter": FILTER,
        "matching": matching / count,
        "building_seconds": building,
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
        **measured,
    }


def _build(store: NamedVectorStore, corpus: Synthetic) -> None:
    for batch in corpus.nodes():
        store.add(batch)
    store.optimize()


def _measure(store: NamedVectorStore, vectors: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    known, condition = cast(Any, _Known(vectors)), parse_filter(FILTER)
    filtered = FusionRetriever(store, known, similarity_top_k=K, depth=DEPTH, filters=condition)
    fused = FusionRetriever(store, known, similarity_top_k=K, depth=DEPTH)
    folded = FusionRetriever(store, known, similarity_top_k=K, depth=DEPTH, filters=condition, stages=[Collapse()])
    only = {"image": 0.0, "caption": 0.0, LEXICAL: 0.0}
    alone = FusionRetriever(store, known, similarity_top_k=K, depth=DEPTH, weights=only)
    stages: dict[str, list[float]] = {"search": [], "complete": [], "rank": []}

    def plain(words: str) -> None:
        found = store.candidates({"text": vectors[words]}, depth=K)
        _ = [found.nodes[i] for i in found.load(found.ranked["text"][:K])]

    def staged(words: str) -> None:
        started = time.perf_counter()
        found = store.candidates(_legs(words, vectors), depth=DEPTH, filters=condition, ceiling=True)
        for stage, seconds in found.seconds.items():
            stages[stage].append(seconds)
        stages["rank"].append(time.perf_counter() - started)

    jobs: dict[str, Callable[[str], Any]] = {
        "one leg": plain,
        "one leg, retrieved": lambda words: alone.search(Question(words)),
        "fused": lambda words: fused.search(Question(words)),
        "fused with filter": lambda words: filtered.search(Question(words)),
        "fused with filter, folded": lambda words: folded.search(Question(words)),
    }
    recall = _recall(store, vectors, filtered, known)
    for job in (*jobs.values(), staged):
        for words in vectors:  # once unmeasured, so that all that is measured comes from a warm file cache
            job(words)
    for times in stages.values():
        times.clear()
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for words in vectors:  # in turns, so that what else the machine does falls on all alike
        for name, job in jobs.items():
            taken[name].append(_seconds(lambda job=job, words=words: job(words)))  # type: ignore[misc]
        staged(words)
    # what the retriever adds to the candidates: fusion, and building the nodes that it returns
    stages["rank"] = [
        max(0.0, whole - part) for whole, part in zip(taken["fused with filter"], stages["rank"], strict=True)
    ]
    milliseconds = {name: _percentiles(times) for name, times in taken.items()}
    return {
        "milliseconds": {f"{name} {p}": value for name, both in milliseconds.items() for p, value in both.items()},
        "stages": {name: _percentiles(times) for name, times in stages.items()},
        "ratio": milliseconds["fused with filter"]["p50"] / milliseconds["one leg"]["p50"],
        "recall@10": recall,
    }


def _recall(
    store: NamedVectorStore, vectors: Mapping[str, NDArray[np.float32]], filtered: FusionRetriever, known: Any
) -> dict[str, float]:
    """The mean share of the exact ten best that are among the approximate ten, with the filter."""
    exact = store.searching(exact=True)
    exactly = FusionRetriever(exact, known, similarity_top_k=K, depth=DEPTH, filters=filtered.filters)
    shares: dict[str, list[float]] = {leg: [] for leg in (*DENSE_LEGS, "fused")}
    for words, vector in vectors.items():
        for leg in DENSE_LEGS:
            one, other = (
                s.candidates({leg: vector}, depth=K, filters=filtered.filters).ranked[leg] for s in (store, exact)
            )
            shares[leg].append(_share(one, other))
        ranked = [[hit.node.node_id for hit in r.search(Question(words))] for r in (filtered, exactly)]
        shares["fused"].append(_share(*ranked))
    return {name: statistics.fmean(values) for name, values in shares.items()}


def _share(found: Sequence[str], wanted: Sequence[str]) -> float:
    return len(set(found) & set(wanted)) / len(wanted) if wanted else 1.0


def _legs(words: str, vectors: Mapping[str, NDArray[np.float32]]) -> dict[Leg, NDArray[np.float32] | str]:
    return {**dict.fromkeys(DENSE_LEGS, vectors[words]), LEXICAL: words}


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {f"p{share}": 1000 * ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (50, 95)}


def _seconds(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started
