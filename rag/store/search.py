"""One question put to one collection: at most two batch requests, whatever the number of legs.

The first asks each leg for ids and scores. The second fetches what the union of the candidates still lacks: the payload
of each, once, and its exact score in every leg that has not named it. Where more equal scores end a leg than were asked
for, the second asks that leg further, and has what it finds scored by the other legs in the same request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from llama_index.core.schema import BaseNode
from qdrant_client import models

from rag.schema import LEXICAL, Leg
from rag.store.candidates import Candidates, LazyNodes
from rag.store.lexical import Lexicon
from rag.store.points import legs_of
from rag.store.terms import idfs, term_requests
from rag.store.ties import ordered, overflows

_SLACK: Final = 16
_WIDER: Final = 1024
_NEVER_TOGETHER: Final[Mapping[Leg, tuple[Leg, ...]]] = {
    "text": ("image", "caption"),
    "image": ("text",),
    "caption": ("text",),
    LEXICAL: (),
}
"""Legs that a point found by a leg cannot have: a passage shows nothing, and a picture is no passage."""


@dataclass
class _Found:
    """What is known so far. Each method takes the points of one answer."""

    legs: Iterable[Leg]
    named: dict[Leg, list[tuple[str, float]]] = field(default_factory=dict)
    """Id and score of what each leg came up with by itself."""
    scores: dict[Leg, dict[str, float]] = field(default_factory=dict)
    payloads: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.named.update({leg: [] for leg in self.legs})
        self.scores.update({leg: {} for leg in self.legs})

    def name(self, leg: Leg, points: Iterable[Any]) -> None:
        self.named[leg] = [(str(point.id), float(point.score)) for point in points]
        self.scores[leg].update(self.named[leg])

    def score(self, leg: Leg, points: Iterable[Any]) -> None:
        self.scores[leg].update((str(point.id), float(point.score)) for point in points)

    def describe(self, points: Iterable[Any]) -> None:
        self.payloads.update((str(point.id), point.payload or {}) for point in points)

    def name_and_describe(self, leg: Leg, points: Sequence[Any]) -> None:
        self.name(leg, points)
        self.describe(points)

    def missing(self, leg: Leg, ids: Iterable[str]) -> list[str]:
        """Those of `ids` that may have the leg, and whose score in it is not known."""
        other_kind = [self.scores[other] for other in _NEVER_TOGETHER[leg] if other in self.scores]
        known = self.scores[leg]
        return [i for i in ids if i not in known and not any(i in scores for scores in other_kind)]


@dataclass(frozen=True)
class Search:
    """A vector a leg, the same filter for all."""

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
    payloads_first: bool = False
    """Whether the first request fetches payloads: several times for a point of several legs, but a second request may
    not be needed then."""

    def run(self, node_of: Callable[[Mapping[str, Any]], BaseNode], complete: bool) -> Candidates:
        """Ask, cut at `depth`, complete. What another writer deletes between the two requests is left out."""
        started = time.perf_counter()
        found = _Found(self.vectors)
        cut, ceiling = self._first(found)
        searched = time.perf_counter()
        self._second(found, cut, complete)
        ranked = {
            leg: tuple(i for i in ordered(found.named[leg])[: self.depth] if i in found.payloads)
            for leg in self.vectors
        }
        payloads = {i: found.payloads[i] for ids in ranked.values() for i in ids}
        return Candidates(
            nodes=LazyNodes(payloads, node_of),
            ranked=ranked,
            scores={
                leg: _scores(leg, found.scores[leg], payloads if complete else ranked[leg], payloads)
                for leg in self.vectors
            },
            lexical_ceiling=ceiling,
            payloads=payloads,
            seconds={"search": searched - started, "complete": time.perf_counter() - searched},
        )

    def ceiling(self) -> float | None:
        """The highest lexical score that the question's terms allow, in a request of its own."""
        return self._ceiling(self._batch(self._terms()))

    def _first(self, found: _Found) -> tuple[list[Leg], float | None]:
        """Fill in what the legs name; return the legs that equal scores may be missing from, and the ceiling."""
        limit = self.depth + _SLACK
        asked = self._asked()
        requests = [self._request(leg, self.filter, limit, with_payload=self.payloads_first) for leg in asked]
        answers = self._batch([*requests, *self._terms()])
        take = found.name_and_describe if self.payloads_first else found.name
        cut = []
        for leg, points in zip(asked, answers, strict=False):
            take(leg, points)
            if overflows(points, self.depth, limit):
                cut.append(leg)
        return cut, self._ceiling(answers[len(asked) :])

    def _second(self, found: _Found, cut: Sequence[Leg], complete: bool) -> None:
        sure = (ordered(found.named[leg])[: self.depth] for leg in self.vectors if leg not in cut)
        union = list(dict.fromkeys(point_id for ids in sure for point_id in ids))
        jobs: list[tuple[Callable[[Sequence[Any]], None], models.QueryRequest]] = []
        if union and not self.payloads_first:
            jobs.append((found.describe, _described(union)))
        wide = {leg: self._request(leg, self.filter, self.depth + _WIDER, with_payload=True) for leg in cut}
        jobs += [(partial(found.name_and_describe, leg), request) for leg, request in wide.items()]
        for leg in self._unsettled(found) if complete else ():
            exactly, missing = partial(replace(self, exact=True)._request, leg), found.missing(leg, union)
            if missing:
                jobs.append((partial(found.score, leg), exactly(_has_id(missing), len(missing))))
            jobs += [
                (partial(found.score, leg), exactly(None, request.limit or 0, prefetch=request))
                for other, request in wide.items()
                if other != leg
            ]
        for (take, _), points in zip(jobs, self._batch([request for _, request in jobs]), strict=True):
            take(points)

    def _asked(self) -> list[Leg]:
        return [leg for leg, vector in self.vectors.items() if vector is not None]

    def _unsettled(self, found: _Found) -> list[Leg]:
        """Legs that have not named all that could score in them."""
        exact_legs = self.vectors if self.exact or not self.tunable else {LEXICAL}
        limit = self.depth + _SLACK
        return [leg for leg in self._asked() if leg not in exact_legs or len(found.named[leg]) >= limit]

    def _terms(self) -> list[models.QueryRequest]:
        question = self.vectors.get(LEXICAL)
        return term_requests(question, self._params(LEXICAL)) if self.lexicon and question else []

    def _ceiling(self, answers: Sequence[Sequence[Any]]) -> float | None:
        question = self.vectors.get(LEXICAL)
        return self.lexicon.ceiling(idfs(question, answers)) if self.lexicon and question else None

    def _batch(self, requests: list[models.QueryRequest]) -> list[Sequence[Any]]:
        if not requests:
            return []
        answers = self.client.query_batch_points(self.collection, requests=requests)
        return [answer.points for answer in answers]

    def _request(
        self,
        leg: Leg,
        condition: models.Filter | None,
        limit: int,
        with_payload: bool = False,
        prefetch: models.QueryRequest | None = None,
    ) -> models.QueryRequest:
        return models.QueryRequest(
            prefetch=None if prefetch is None else _as_prefetch(prefetch),
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


def _scores(
    leg: Leg, known: Mapping[str, float], ids: Iterable[str], payloads: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """The scores of `ids` in a leg. Who has words, but none of the question's, scores 0."""
    scores = {}
    for point_id in ids:
        if point_id in known:
            scores[point_id] = known[point_id]
        elif leg == LEXICAL and LEXICAL in legs_of(payloads[point_id]):
            scores[point_id] = 0.0
    return scores


def _has_id(ids: Sequence[str]) -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids))])


def _described(ids: Sequence[str]) -> models.QueryRequest:
    return models.QueryRequest(filter=_has_id(ids), limit=len(ids), with_payload=True)


def _as_prefetch(request: models.QueryRequest) -> models.Prefetch:
    return models.Prefetch(
        query=request.query, using=request.using, filter=request.filter, params=request.params, limit=request.limit
    )
