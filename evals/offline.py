"""Candidates of every query, collected once; rankings by any weights, normalizer and depth, computed from them.

What `rag.retriever` would rank is ranked here without asking the collection again: a leg of weight 0 is not asked, so
its own candidates do not count, and scores are normalized over the union of the candidates of the legs that are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from llama_index.core.schema import ImageNode
from numpy.typing import NDArray

from evals.datasets import load
from evals.indexing import index
from rag.errors import InputError
from rag.fusion import fuse, normalizers, settled
from rag.question import Question
from rag.retriever import FusionRetriever, parse_weights, scales_of
from rag.schema import LEGS, Leg, Scale
from rag.settings import Settings

if TYPE_CHECKING:
    from evals.schema import Dataset, Query
    from rag.corpus import Corpus
    from rag.store import Candidates

__all__ = ["DEFAULT", "Collected", "Setting", "Table", "collect", "indexed", "rank"]

Progress = Callable[[int, int], None]

EMBEDDINGS: Final = "embeddings"
"""Folder of the kept vectors in that of a corpus."""

_DISCOUNTS: Final = 1.0 / np.log2(np.arange(2, 12))


@dataclass(frozen=True)
class Setting:
    """What decides a ranking, given the vectors."""

    weights: tuple[float, ...] = (1.0,) * len(LEGS)
    """One per leg, in the order of `LEGS`."""
    fusion: str = str(Settings.model_fields["fusion"].default)
    depth: int = int(Settings.model_fields["depth"].default)
    """Candidates that each leg contributes."""

    @classmethod
    def of(cls, weights: Mapping[str, float], fusion: str = "", depth: int = 0) -> Setting:
        """A setting by leg names; a leg that is not named weighs 1. Raises InputError."""
        complete = parse_weights(weights)
        return cls(tuple(complete[leg] for leg in LEGS), fusion or DEFAULT.fusion, depth or DEFAULT.depth)

    @classmethod
    def only(cls, leg: Leg) -> Setting:
        """One leg alone."""
        return cls(tuple(float(leg == other) for other in LEGS))

    def to_json(self) -> dict[str, object]:
        """The setting under the names that `rag.settings` has for it."""
        return {"weights": dict(zip(LEGS, self.weights, strict=True)), "fusion": self.fusion, "depth": self.depth}


DEFAULT = Setting()
"""What Triptych does where nothing is set."""


@dataclass(frozen=True)
class Collected:
    """What the legs found for one query: `n` rows, in the order of their node ids (which breaks ties)."""

    query: str
    type: str
    rows: tuple[str, ...]
    """Row ids of the dataset."""
    pictures: NDArray[np.bool_]
    """(n,): whether the row is a picture."""
    raw: NDArray[np.float64]
    """(n, 4) raw scores in the order of `LEGS`; NaN where the row lacks the leg or the leg was not asked."""
    ranks: NDArray[np.int64]
    """(n, 4) 1-based rank among the leg's own candidates; 0 where the score was completed afterwards."""
    text: NDArray[np.float32] | None
    """(dim,) the vector of the question's words; None for a question without words."""
    scales: tuple[Scale, ...] = (Scale(),) * len(LEGS)
    """One per leg, in the order of `LEGS`: how `calibrated` counts its scores."""

    def found(self, weights: Sequence[float], depth: int) -> NDArray[np.bool_]:
        """(n,): the rows that the legs with weight have among their first `depth`."""
        asked = [leg for leg, weight in enumerate(weights) if weight > 0]
        ranks = self.ranks[:, asked]
        return np.asarray(((ranks > 0) & (ranks <= depth)).any(axis=1))


class _Recorder(FusionRetriever):
    """The retriever up to where it fuses."""

    def record(self, query: Query) -> Collected:
        asked = self.encode(Question(query.text, query.image))
        found = self.candidates(asked)
        scales = scales_of(asked, found)
        vector = asked.asked["text"] if query.text.strip() else None
        words = vector if isinstance(vector, np.ndarray) else None
        return _collected(query, found, tuple(scales.get(leg, Scale()) for leg in LEGS), words)


@contextmanager
def indexed(
    folder: str | Path,
    task: str = "",
    *,
    corpus: str | Path | None = None,
    encoder: str | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[Dataset, Corpus]]:
    """A dataset and an index of its rows, in `corpus` or in a temporary folder.

    Vectors are kept by content beside the index, as `evals.runner` keeps them: what it encoded is not encoded again.
    """
    from evals.cache import CachingEncoder, VectorCache, encoder_key
    from rag.corpus import Corpus

    dataset = load(folder, task)
    with tempfile.TemporaryDirectory() as temporary, Corpus.open(corpus or temporary, encoder=encoder) as opened:
        inner = opened.encoder
        with VectorCache(Path(corpus or temporary) / EMBEDDINGS, encoder_key(inner), inner.dim) as kept:
            wired = Corpus(opened.name, opened.root, opened.store, opened.settings, CachingEncoder(inner, kept))
            index(dataset, wired, progress)
            yield dataset, wired


def collect(
    dataset: Dataset, corpus: Corpus, depth: int = DEFAULT.depth, progress: Progress | None = None
) -> list[Collected]:
    """Ask every query of the dataset once, of all legs, for `depth` candidates each."""
    from rag.store import parse_filter

    collected = []
    for number, query in enumerate(dataset.queries, 1):
        filters = parse_filter(query.filter) if query.filter else None
        recorder = _Recorder(corpus.store, corpus.encoder, similarity_top_k=1, depth=depth, filters=filters)
        collected.append(recorder.record(query))
        if progress:
            progress(number, len(dataset.queries))
    return collected


def _collected(
    query: Query, found: Candidates, scales: tuple[Scale, ...], text: NDArray[np.float32] | None
) -> Collected:
    ids = sorted(found.load(found.nodes))
    raw = np.full((len(ids), len(LEGS)), np.nan)
    ranks = np.zeros((len(ids), len(LEGS)), dtype=np.int64)
    place = {id_: row for row, id_ in enumerate(ids)}
    for column, leg in enumerate(LEGS):
        for id_, score in found.scores.get(leg, {}).items():
            raw[place[id_], column] = score
        for rank, id_ in enumerate(found.ranked.get(leg, ()), 1):
            ranks[place[id_], column] = rank
    return Collected(
        query=query.id,
        type=query.type,
        rows=tuple(str(found.nodes[id_].metadata["row"]) for id_ in ids),
        pictures=np.array([isinstance(found.nodes[id_], ImageNode) for id_ in ids], dtype=bool),
        raw=raw,
        ranks=ranks,
        scales=scales,
        text=text,
    )


def rank(collected: Collected, setting: Setting, k: int = 100) -> dict[str, float]:
    """Row → score of the first `k` rows that the retriever would rank under `setting`, best first."""
    if not any(setting.weights):
        raise InputError("weights that are all 0", "allowed: one of them above 0", "give a leg a weight")
    asked = [leg for leg, weight in enumerate(setting.weights) if weight > 0]
    rows = np.flatnonzero(collected.found(setting.weights, setting.depth))
    weights = np.array([setting.weights[leg] for leg in asked])
    normalize = normalizers(setting.fusion, [collected.scales[leg] for leg in asked])
    scores, _ = fuse(collected.raw[rows][:, asked], weights, normalize)
    best = np.argsort(-scores, kind="stable")[:k]
    return {collected.rows[rows[row]]: float(scores[row]) for row in best}


class Table:
    """The candidates of many queries as padded arrays, to measure nDCG@10 of a setting in milliseconds.

    Equal to `evals.metrics` on the ranking of `evals.offline.rank`: trec_eval's gains and discounts, its float32
    scores, and its order of equal scores (document ids falling).
    """

    def __init__(self, collected: Sequence[Collected], qrels: Mapping[str, Mapping[str, int]]) -> None:
        self.queries = [one.query for one in collected]
        self._collected = [_by_falling_row(one) for one in collected]
        longest = max((len(one.rows) for one in collected), default=0)
        self._gains = np.zeros((len(collected), longest))
        self._ideal = np.ones(len(collected))
        for place, one in enumerate(self._collected):
            grades = qrels[one.query]
            self._gains[place, : len(one.rows)] = [max(grades.get(row, 0), 0) for row in one.rows]
            best = np.sort([max(grade, 0) for grade in grades.values()])[::-1][: len(_DISCOUNTS)]
            self._ideal[place] = float(best @ _DISCOUNTS[: len(best)]) or 1.0
        self._normalized = lru_cache(maxsize=12)(self._normalize)

    def ndcg(self, setting: Setting) -> NDArray[np.float64]:
        """(queries,) nDCG@10 of each query under `setting`."""
        asked = tuple(weight > 0 for weight in setting.weights)
        normalized, found = self._normalized(setting.fusion, setting.depth, asked)
        scores = np.where(found, normalized @ np.array(setting.weights), -np.inf).astype(np.float32)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : len(_DISCOUNTS)]
        gains = np.take_along_axis(np.where(found, self._gains, 0.0), best, axis=1)
        return np.asarray(gains @ _DISCOUNTS[: gains.shape[1]] / self._ideal)

    def _normalize(
        self, fusion: str, depth: int, asked: tuple[bool, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Normalized scores (queries, rows, legs), 0 where there is none, and which rows are candidates at all."""
        normalized = np.zeros((*self._gains.shape, len(LEGS)))
        found = np.zeros(self._gains.shape, dtype=bool)
        for place, one in enumerate(self._collected):
            rows = one.found(asked, depth)
            found[place, : len(rows)] = rows
            normalize = normalizers(fusion, one.scales)
            for leg in np.flatnonzero(asked):
                scored = np.flatnonzero(rows & ~np.isnan(one.raw[:, leg]))
                normalized[place, scored, leg] = normalize[leg](settled(one.raw[scored, leg]))
        return normalized, found

    def legs(self) -> list[int]:
        """The legs that scored any row at all."""
        return [leg for leg in range(len(LEGS)) if any((~np.isnan(one.raw[:, leg])).any() for one in self._collected)]


def _by_falling_row(one: Collected) -> Collected:
    order = sorted(range(len(one.rows)), key=lambda row: one.rows[row], reverse=True)
    return replace(
        one,
        rows=tuple(one.rows[row] for row in order),
        pictures=one.pictures[order],
        raw=one.raw[order],
        ranks=one.ranks[order],
    )
