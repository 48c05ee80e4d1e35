"""`FusionRetriever`: a LlamaIndex retriever that ranks passages and pictures together and explains every hit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from math import inf, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from numpy.typing import NDArray

from rag.errors import InputError
from rag.fusion import fuse, normalizer
from rag.question import Question
from rag.ranking import FusedNode, Stage
from rag.schema import DENSE_LEGS, LEGS, LEXICAL, Leg, LegScore

if TYPE_CHECKING:
    from rag.encoders import ClipEncoder
    from rag.store import Candidates, FilterExpr, NamedVectorStore

__all__ = ["FusionRetriever", "parse_weights"]


def parse_weights(given: Mapping[str, float]) -> dict[Leg, float]:
    """Complete weights for all legs; a leg that is not named weighs 1. Raises InputError."""
    unknown = [name for name in given if name not in LEGS]
    if unknown:
        raise InputError(
            f"unknown leg {unknown[0]!r} in the weights", f"allowed: {', '.join(LEGS)}", "as in text=1,image=0.5"
        )
    weights = {leg: _number(given.get(leg, 1.0)) for leg in LEGS}
    if not all(0 <= weight < inf for weight in weights.values()) or not any(weights.values()):
        raise InputError(
            f"weights {dict(given)}", "allowed: numbers of 0 or more, one of them above 0", "as in text=1,image=0.5"
        )
    return weights


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return nan


class FusionRetriever(BaseRetriever):
    """Retrieve by all legs of the collection in one round trip and fuse their scores.

    A question in words asks every leg. A picture asks the dense legs with its own vector. With both, the `image` leg is
    asked with the normalized sum of the two vectors, and the legs of words with the words.
    """

    def __init__(
        self,
        store: NamedVectorStore,
        encoder: ClipEncoder,
        *,
        similarity_top_k: int = 10,
        depth: int = 100,
        fusion: str = "zscore",
        weights: Mapping[str, float] | None = None,
        filters: FilterExpr | None = None,
        stages: Sequence[Stage] = (),
        **kwargs: Any,
    ) -> None:
        self.store, self.encoder, self.filters, self.stages = store, encoder, filters, tuple(stages)
        self.similarity_top_k, self.depth, self.fusion = similarity_top_k, depth, fusion
        for name, value in (("k", similarity_top_k), ("depth", depth)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} = {value!r}", "allowed: whole numbers of 1 or more", "give a larger one")
        self.weights = parse_weights(weights or {})
        self._normalize = normalizer(fusion)
        super().__init__(**kwargs)

    def search(self, question: Question) -> list[FusedNode]:
        """Rank the collection for a question: at most `similarity_top_k` nodes, best first, ties by id."""
        query = self.encode(question)
        depth = max(self.depth, self.similarity_top_k)
        ranking = self._fuse(self.store.candidates(query, depth=depth, filters=self.filters))
        for stage in self.stages:
            ranking = stage(ranking, question)
        return ranking[: self.similarity_top_k]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        image = query_bundle.image_path
        return list(self.search(Question(query_bundle.query_str or "", image or None)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)

    def encode(self, question: Question) -> dict[Leg, NDArray[np.float32] | str]:
        """One vector per dense leg with weight, and the words for `lexical`; each tower runs at most once."""
        asked = {leg for leg in LEGS if self.weights[leg] > 0}
        words = question.text.strip()
        text = self.encoder.encode_texts([words])[0] if words and asked & set(DENSE_LEGS) else None
        picture = None if question.image is None else self.encoder.encode_images([question.image])[0]
        query: dict[Leg, NDArray[np.float32] | str] = {}
        for leg in DENSE_LEGS:
            vector = _join(text, picture) if leg == "image" else (picture if text is None else text)
            if leg in asked and vector is not None:
                query[leg] = vector
        if LEXICAL in asked and words:
            query[LEXICAL] = words
        if not query:
            raise InputError("the weights leave no leg for this question", advice="give a dense leg a weight above 0")
        return query

    def _fuse(self, found: Candidates) -> list[FusedNode]:
        legs = [leg for leg in LEGS if leg in found.scores]
        ids = sorted(found.nodes)
        raw = np.array([[found.scores[leg].get(id_, np.nan) for leg in legs] for id_ in ids], dtype=np.float64)
        raw = raw.reshape(len(ids), len(legs))
        weights = np.array([self.weights[leg] for leg in legs], dtype=np.float64)
        scores, normalized = fuse(raw, weights, self._normalize)
        ranks = {leg: {id_: rank for rank, id_ in enumerate(found.ranked[leg], 1)} for leg in legs}
        best = np.argsort(-scores, kind="stable")[: None if self.stages else self.similarity_top_k]
        return [
            FusedNode(
                node=found.nodes[ids[row]],
                score=float(scores[row]),
                legs={
                    leg: LegScore(
                        raw=float(raw[row, column]),
                        normalized=float(normalized[row, column]),
                        weight=self.weights[leg],
                        rank=ranks[leg].get(ids[row]),
                    )
                    for column, leg in enumerate(legs)
                    if not np.isnan(raw[row, column])
                },
            )
            for row in best
        ]


def _join(text: NDArray[np.float32] | None, picture: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    if text is None or picture is None:
        return picture if text is None else text
    both: NDArray[np.float32] = text + picture
    norm = float(np.linalg.norm(both))
    return (both / norm).astype(np.float32) if norm > 0 else text
