"""Candidates of several legs in one round trip, with the scores of their union completed exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final

from llama_index.core.schema import BaseNode
from qdrant_client import models

from rag.schema import LEXICAL, Leg
from rag.store.lexical import Lexicon
from rag.store.points import legs_of
from rag.store.terms import idfs, term_requests

TIE: Final = 2e-6
"""Scores nearer than this (relative above 1) are equal: engines differ by float32 rounding, about 3e-7."""
_SLACK: Final = 16
_WIDER: Final = 1024


@dataclass(frozen=True)
class Candidates:
    """What the legs found for one question."""

    nodes: Mapping[str, BaseNode]
    """The union of all legs' candidates, by id."""
    ranked: Mapping[Leg, tuple[str, ...]]
    """Each leg's own candidates, best first, equal scores in the order of ids."""
    scores: Mapping[Leg, Mapping[str, float]]
    """Raw score of every node of the union that has the leg (only of the leg's own candidates if not completed)."""
    lexical_ceiling: float | None = None
    """`NamedVectorStore.lexical_ceiling` of the question, where it was asked for."""


@dataclass(frozen=True)
class Search:
    """One question put to one collection: a vector a leg, the same filter for all."""

    client: Any
    collection: str
    vectors: Mapping[Leg, Any]
    """Dense lists, or a sparse vector for `lexical`; None for a leg that has nothing to ask."""
    depth: int
    filter: models.Filter | None
    exact: bool
    tunable: bool
    """Whether the engine reads search parameters; memory is always exact and live."""
    live_idf: bool
    """Whether IDF must be computed over live points: an engine's own counts still hold deleted ones."""
    lexicon: Lexicon | None = None
    """Given where the ceiling of the lexical scores is asked for."""

    def run(self, node_of: Callable[[Mapping[str, Any]], BaseNode], complete: bool) -> Candidates:
        """Ask, cut at `depth`, complete. One request, a second only if a score is missing or equal scores overflow."""
        points, exhausted, ceiling = self._first()
        ranked = {leg: _ordered(points[leg])[: self.depth] for leg in self.vectors}
        payloads = {str(p.id): p.payload or {} for leg in self.vectors for p in points[leg]}
        union = dict.fromkeys(point_id for ids in ranked.values() for point_id in ids)
        known = {leg: {str(p.id): float(p.score) for p in points[leg]} for leg in self.vectors}
        if complete:
            self._complete(known, {point_id: payloads[point_id] for point_id in union}, exhausted)
        return Candidates(
            nodes={point_id: node_of(payloads[point_id]) for point_id in union},
            ranked=ranked,
            scores={
                leg: {i: known[leg][i] for i in (union if complete else ranked[leg]) if i in known[leg]}
                for leg in self.vectors
            },
            lexical_ceiling=ceiling,
        )

    def ceiling(self) -> float | None:
        """The highest lexical score that the question's terms allow, in a request of its own."""
        terms = self._terms()
        return self._ceiling(self._batch(terms))

    def _first(self) -> tuple[dict[Leg, Sequence[Any]], frozenset[Leg], float | None]:
        """The points of each leg, the legs of which these are all that could score, and the lexical ceiling."""
        limit = self.depth + _SLACK
        found, about_terms = self._ask(self.vectors, limit, self._terms())
        limits = dict.fromkeys(found, limit)
        cut = [leg for leg, points in found.items() if _tie_overflows(points, self.depth, limit)]
        if cut:
            wider, _ = self._ask({leg: self.vectors[leg] for leg in cut}, limit + _WIDER)
            found.update(wider)
            limits.update(dict.fromkeys(cut, limit + _WIDER))
        exact_legs = self.vectors if self.exact or not self.tunable else {LEXICAL}
        exhausted = frozenset(leg for leg in exact_legs if leg in found and len(found[leg]) < limits[leg])
        return found, exhausted, self._ceiling(about_terms)

    def _ask(
        self, vectors: Mapping[Leg, Any], limit: int, besides: Sequence[models.QueryRequest] = ()
    ) -> tuple[dict[Leg, Sequence[Any]], list[Sequence[Any]]]:
        """The answers of the legs, and those of the requests that travel with them."""
        asked = [leg for leg, vector in vectors.items() if vector is not None]
        requests = [self._request(leg, self.filter, limit, with_payload=True) for leg in asked]
        answers = self._batch([*requests, *besides])
        legs: dict[Leg, Sequence[Any]] = dict.fromkeys(vectors, ())
        legs.update(zip(asked, answers[: len(asked)], strict=True))
        return legs, answers[len(asked) :]

    def _terms(self) -> list[models.QueryRequest]:
        question = self.vectors.get(LEXICAL)
        return term_requests(question, self._params(LEXICAL)) if self.lexicon and question else []

    def _ceiling(self, answers: Sequence[Sequence[Any]]) -> float | None:
        question = self.vectors.get(LEXICAL)
        return self.lexicon.ceiling(idfs(question, answers)) if self.lexicon and question else None

    def _complete(
        self,
        known: Mapping[Leg, dict[str, float]],
        payloads: Mapping[str, Mapping[str, Any]],
        exhausted: Set[Leg],
    ) -> None:
        missing = {
            leg: [i for i, payload in payloads.items() if i not in known[leg] and leg in legs_of(payload)]
            for leg in self.vectors
        }
        asked = [leg for leg in missing if missing[leg] and leg not in exhausted]
        exactly = replace(self, exact=True)
        requests = [exactly._request(leg, _has_id(missing[leg]), len(missing[leg])) for leg in asked]
        for leg, points in zip(asked, self._batch(requests), strict=True):
            known[leg].update({str(point.id): float(point.score) for point in points})
        for point_id in missing.get(LEXICAL, ()):
            known[LEXICAL].setdefault(point_id, 0.0)

    def _batch(self, requests: list[models.QueryRequest]) -> list[Sequence[Any]]:
        if not requests:
            return []
        answers = self.client.query_batch_points(self.collection, requests=requests)
        return [answer.points for answer in answers]

    def _request(
        self, leg: Leg, condition: models.Filter | None, limit: int, with_payload: bool = False
    ) -> models.QueryRequest:
        return models.QueryRequest(
            query=self.vectors[leg],
            using=leg,
            filter=condition,
            params=self._params(leg),
            limit=limit,
            with_payload=with_payload,
        )

    def _params(self, leg: Leg) -> models.SearchParams | None:
        if not self.tunable:
            return None
        if leg == LEXICAL and self.live_idf:
            corpus = models.Filter(must=[models.HasVectorCondition(has_vector=LEXICAL)])
            return models.SearchParams(idf=models.IdfCorpusParams(corpus=corpus))
        return models.SearchParams(exact=True) if self.exact and leg != LEXICAL else None


def _has_id(ids: Sequence[str]) -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids))])


def _equal(higher: float, lower: float) -> bool:
    return higher - lower <= TIE * max(1.0, abs(higher))


def _tie_overflows(points: Sequence[Any], depth: int, limit: int) -> bool:
    return len(points) == limit and _equal(points[depth - 1].score, points[-1].score)


def _ordered(points: Iterable[Any]) -> tuple[str, ...]:
    """Ids by falling score; a run of equal scores in the order of ids."""
    falling = sorted(points, key=lambda point: (-point.score, str(point.id)))
    ordered: list[str] = []
    run: list[str] = []
    last = 0.0
    for point in falling:
        if run and not _equal(last, point.score):
            ordered += sorted(run)
            run = []
        run.append(str(point.id))
        last = point.score
    return tuple(ordered + sorted(run))
