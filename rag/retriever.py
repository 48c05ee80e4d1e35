"""`FusionRetriever`: a LlamaIndex retriever that ranks passages and pictures together and explains every hit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, nan
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from numpy.typing import NDArray

from rag.calibration import confidence, lexical_scale
from rag.errors import InputError
from rag.fusion import CALIBRATED, fuse, normalizers
from rag.query import LegQueries, build
from rag.question import Question, Term
from rag.ranking import FusedNode, Stage
from rag.schema import LEGS, LEXICAL, Leg, LegScore, Scale

if TYPE_CHECKING:
    from rag.encoders import ClipEncoder
    from rag.store import Candidates, NamedVectorStore
    from rag.store.store import Filters

__all__ = ["FusionRetriever", "Ranked", "parse_depths", "parse_weights"]

_HEAD: Final = 3
"""Candidates that steady stages are shown first, for each hit asked for."""
_DEEPER: Final = 4
"""How many times its depth a leg is asked for where stages left too few hits."""


@dataclass(frozen=True)
class Ranked:
    """A ranking, best first, and where the time went."""

    nodes: list[FusedNode]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """`encode`, `search`, `fuse`, `stages` (reading the hits, and all that happens after fusion), and `total`."""


def parse_weights(given: Mapping[str, float]) -> dict[Leg, float]:
    """Complete weights for all legs; a leg that is not named weighs 1. Raises InputError."""
    _require_legs(given, "weights", "as in text=1,image=0.5")
    weights = {leg: _number(given.get(leg, 1.0)) for leg in LEGS}
    if not all(0 <= weight < inf for weight in weights.values()) or not any(weights.values()):
        raise InputError(
            f"weights {dict(given)}", "allowed: numbers of 0 or more, one of them above 0", "as in text=1,image=0.5"
        )
    return weights


def parse_depths(given: Mapping[str, int]) -> dict[Leg, int]:
    """Depths of the legs that are named. Raises InputError."""
    _require_legs(given, "depths", "as in text=100,image=20")
    if any(not isinstance(depth, int) or depth < 1 for depth in given.values()):
        raise InputError(f"depths {dict(given)}", "allowed: whole numbers of 1 or more", "as in text=100,image=20")
    return {leg: given[leg] for leg in LEGS if leg in given}


def _require_legs(given: Mapping[str, Any], what: str, advice: str) -> None:
    unknown = [name for name in given if name not in LEGS]
    if unknown:
        raise InputError(f"unknown leg {unknown[0]!r} in the {what}", f"allowed: {', '.join(LEGS)}", advice)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return nan


def _threshold(value: float, fusion: str) -> float:
    if not 0 <= value <= 1:
        raise InputError(f"threshold {value!r}", "allowed: a confidence from 0 to 1", "as in --threshold 0.3")
    if value > 0 and fusion != CALIBRATED:
        raise InputError(f"a threshold with fusion {fusion!r}", f"allowed with: {CALIBRATED}", "leave one of them out")
    return value


class FusionRetriever(BaseRetriever):
    """Retrieve by all legs of the collection in one round trip, or two where scores are to be completed, and fuse them.

    Words ask every leg; a picture asks the dense legs with its own vector; several terms ask each leg together.
    Each leg gives its `depth` best candidates, at least as many as there are to be hits; a leg named in `depths` gives
    that many. Where a stage that thins the ranking leaves fewer hits than asked for, the other legs are asked once
    more, for four times as many.
    """

    def __init__(
        self,
        store: NamedVectorStore,
        encoder: ClipEncoder,
        *,
        similarity_top_k: int = 10,
        depth: int = 50,
        depths: Mapping[str, int] | None = None,
        fusion: str = CALIBRATED,
        weights: Mapping[str, float] | None = None,
        filters: Filters = None,
        threshold: float = 0.0,
        stages: Sequence[Stage] = (),
        **kwargs: Any,
    ) -> None:
        self.store, self.encoder, self.filters, self.stages = store, encoder, filters, tuple(stages)
        self.similarity_top_k, self.depth, self.fusion = similarity_top_k, depth, fusion
        for name, value in (("k", similarity_top_k), ("depth", depth)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} = {value!r}", "allowed: whole numbers of 1 or more", "give a larger one")
        self.depths = parse_depths(depths or {})
        self.weights, self.threshold = parse_weights(weights or {}), _threshold(threshold, fusion)
        normalizers(fusion, ())
        super().__init__(**kwargs)

    def search(self, question: Question) -> list[FusedNode]:
        """Rank the collection for a question: at most `similarity_top_k` nodes, best first, ties by id."""
        return self.rank(question).nodes

    def rank(self, question: Question) -> Ranked:
        """`search`, with the seconds that each step took."""
        seconds: dict[str, float] = {}
        with _timed(seconds, "total"):
            with _timed(seconds, "encode"):
                query = self.encode(question)
            ranking, more = self._ranked(query, question, seconds)
            if more and len(ranking) < self.similarity_top_k and any(map(_thins, self.stages)):
                ranking, _ = self._ranked(query, question, seconds, _DEEPER)
        return Ranked(ranking, seconds)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return list(self.search(asked_by(query_bundle)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)

    def encode(self, question: Question) -> LegQueries:
        """What each leg with weight is asked; each tower runs at most once."""
        return build(question, [leg for leg in LEGS if self.weights[leg] > 0], self.encoder, self.store)

    def candidates(self, query: LegQueries, times: int = 1) -> Candidates:
        """The candidates of all legs, in one round trip or two; `times` as many as usual."""
        depth = {leg: self._depth(leg, times) + len(query.exclude) for leg in query.asked}
        return self.store.candidates(query.asked, depth=depth, filters=self.filters, ceiling=LEXICAL in query.asked)

    def _depth(self, leg: Leg, times: int) -> int:
        return self.depths.get(leg, max(self.depth, self.similarity_top_k) * times)

    def _ranked(
        self, query: LegQueries, question: Question, seconds: dict[str, float], times: int = 1
    ) -> tuple[list[FusedNode], bool]:
        """The hits, and whether deeper legs may give more: one was cut at its depth, and no score was too low."""
        with _timed(seconds, "search"):
            found = self.candidates(query, times)
        with _timed(seconds, "fuse"):
            fused = self._fuse(found, scales_of(query, found), query.exclude)
        with _timed(seconds, "stages"):
            ranking = self._staged(fused, question)
        free = [leg for leg in found.ranked if leg not in self.depths]
        cut = any(len(found.ranked[leg]) >= self._depth(leg, times) for leg in free)
        return ranking, cut and len(fused.best) == len(fused.ids)

    def _fuse(self, found: Candidates, scales: Mapping[Leg, Scale], exclude: frozenset[str]) -> _Fused:
        legs = [leg for leg in LEGS if leg in found.scores]
        ids = sorted(set(found.nodes) - exclude)
        raw = np.array([[found.scores[leg].get(id_, np.nan) for leg in legs] for id_ in ids], dtype=np.float64)
        raw = raw.reshape(len(ids), len(legs))
        weights = np.array([self.weights[leg] for leg in legs], dtype=np.float64)
        scores, normalized = fuse(raw, weights, normalizers(self.fusion, [scales[leg] for leg in legs]))
        sure = [confidence(float(score)) if self.fusion == CALIBRATED else None for score in scores]
        best = [row for row in np.argsort(-scores, kind="stable") if (sure[row] or 0.0) >= self.threshold]
        return _Fused(found, ids, {leg: self.weights[leg] for leg in legs}, raw, normalized, scores, sure, best)

    def _staged(self, fused: _Fused, question: Question) -> list[FusedNode]:
        """The hits. Stages that are steady are shown the head of the ranking, and more where it leaves too few."""
        steady = all(getattr(stage, "steady", False) for stage in self.stages)
        seen = self.similarity_top_k * (_HEAD if self.stages else 1) if steady else len(fused.best)
        while True:
            ranking = fused.head(seen)
            for stage in self.stages:
                ranking = stage(ranking, question)
            if len(ranking) >= self.similarity_top_k or seen >= len(fused.best):
                return ranking[: self.similarity_top_k]
            seen *= 2


@dataclass(frozen=True)
class _Fused:
    """The scores of all candidates. Nodes are read and built for those alone that are looked at."""

    found: Candidates
    ids: Sequence[str]
    weights: Mapping[Leg, float]
    """Of the legs that are columns of `raw` and `normalized`, in their order."""
    raw: NDArray[np.float64]
    """(ids, legs); NaN for a leg that a point lacks."""
    normalized: NDArray[np.float64]
    scores: NDArray[np.float64]
    sure: Sequence[float | None]
    best: Sequence[int]
    """Rows, best first."""

    def head(self, count: int) -> list[FusedNode]:
        """The first `count`, less what has been deleted since."""
        rows = self.best[:count]
        there = set(self.found.load(self.ids[row] for row in rows))
        return [self._node(row) for row in rows if self.ids[row] in there]

    def _node(self, row: int) -> FusedNode:
        id_ = self.ids[row]
        return FusedNode(
            node=self.found.nodes[id_],
            score=float(self.scores[row]),
            confidence=self.sure[row],
            legs={
                leg: LegScore(
                    raw=float(self.raw[row, column]),
                    normalized=float(self.normalized[row, column]),
                    weight=weight,
                    rank=self.ranks[leg].get(id_),
                )
                for column, (leg, weight) in enumerate(self.weights.items())
                if not np.isnan(self.raw[row, column])
            },
        )

    @cached_property
    def ranks(self) -> dict[Leg, dict[str, int]]:
        """The 1-based place of each candidate in each leg that named it."""
        return {leg: {id_: rank for rank, id_ in enumerate(self.found.ranked[leg], 1)} for leg in self.weights}


def asked_by(bundle: QueryBundle) -> Question:
    """The question of a LlamaIndex query: its words, or what a transform (HyDE, say) would have embedded instead."""
    said = [text for text in bundle.embedding_strs if text.strip()]
    words = bundle.query_str if bundle.query_str in said else ""
    others = (Term(text=text) for text in said if text != words)
    return Question(words, bundle.image_path or None, tuple(others))


def scales_of(query: LegQueries, found: Candidates) -> dict[Leg, Scale]:
    """How the scores of each leg count, now that the ceiling of the words is known."""
    return {**query.scales, LEXICAL: lexical_scale(found.lexical_ceiling or 0.0, query.said)}


def _thins(stage: Stage) -> bool:
    return getattr(stage, "thins", False)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = perf_counter()
    yield
    seconds[step] = seconds.get(step, 0.0) + perf_counter() - started
