"""One question put to one collection: at most two batch requests, whatever the number of legs.

The first asks each leg for ids and scores. The second fetches what the union of the candidates still lacks: the payload
of each, once (in process only when it is looked at), and its exact score in every leg that has not named it. Where more
equal scores end a leg than were asked for, the second asks that leg further, and has what it finds scored by the other
legs in the same request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from llama_index.core.schema import BaseNode
from qdrant_client import models

from rag.schema import LEXICAL, Leg
from rag.store.candidates import Candidates, LazyNodes, Payloads
from rag.store.lexical import Lexicon
from rag.store.points import legs_of
from rag.store.terms import idfs, term_requests
from rag.store.ties import ordered, overflows

_SLACK: Final = 16
_WIDER: Final = 1024
_FILTERED: Final = models.SearchParams(hnsw_ef=256)
"""A filter takes neighbours out of the graph, so a wider search makes up for it (docs/cost.md has the figures)."""
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
    wordless: set[str] = field(default_factory=set)
    """Ids of points that lack `lexical`."""
    orders: dict[Leg, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.named.update({leg: [] for leg in self.legs})
        self.scores.update({leg: {} for leg in self.legs})

    def name(self, leg: Leg, points: Iterable[Any]) -> None:
        self.named[leg] = [(str(point.id), float(point.score)) for point in points]
        self.scores[leg].update(self.named[leg])
        self.orders.pop(leg, None)

    def score(self, leg: Leg, points: Iterable[Any]) -> None:
        self.scores[leg].update((str(point.id), float(point.score)) for point in points)

    def miss_words(self, points: Iterable[Any]) -> None:
        self.wordless.update(str(point.id) for point in points)

    def describe(self, points: Sequence[Any]) -> None:
        self.payloads.update((str(point.id), point.payload or {}) for point in points)
        self.miss_words(point for point in points if LEXICAL not in legs_of(point.payload or {}))

    def name_and_describe(self, leg: Leg, points: Sequence[Any]) -> None:
        self.name(leg, points)
        self.describe(points)

    def missing(self, leg: Leg, ids: Iterable[str]) -> list[str]:
        """Those of `ids` that may have the leg, and whose score in it is not known."""
        settled = set(self.scores[leg]).union(*(self.scores.get(other, ()) for other in _NEVER_TOGETHER[leg]))
        return [i for i in ids if i not in settled]

    def best(self, leg: Leg, depth: int) -> tuple[str, ...]:
        """The first of what a leg named, equal scores in the order of ids."""
        if leg not in self.orders:
            self.orders[leg] = ordered(self.named[leg])[:depth]
        return self.orders[leg]


@dataclass(frozen=True)
class Search:
    """A vector a leg, the same filter for all."""

    client: Any
    collection: str
    vectors: Mapping[Leg, Any]
    """Dense lists, or a sparse vector for `lexical`; None for a leg that has nothing to ask."""
    depths: Mapping[Leg, int]
    """Candidates of each leg, and the only ones that count."""
    filter: models.Filter | None
    exact: bool
    tunable: bool
    """Whether the engine reads search parameters; memory is always exact and live."""
    idf_corpus: models.Filter | None
    """The live points, where IDF is computed over these: an engine's own counts still hold deleted ones."""
    lazy: bool
    """Whether payloads are fetched when they are looked at: in process, reading hundreds costs more than the search,
    and there is no round trip to save."""
    lexicon: Lexicon | None = None
    """Given where the ceiling of the lexical scores is asked for."""
    payloads_first: bool = False
    """Whether the first request fetches payloads: several times for a point of several legs, but a second request may
    not be needed then."""

    def run(self, node_of: Callable[[Mapping[str, Any]], BaseNode], complete: bool) -> Candidates:
        """Ask, cut each leg at its depth, complete. What is deleted meanwhile is left out when payloads are fetched."""
        started = time.perf_counter()
        found = _Found(self.vectors)
        cut, ceiling = self._first(found)
        searched = time.perf_counter()
        self._second(found, cut, complete)
        ranked = {
            leg: tuple(i for i in found.best(leg, self.depths[leg]) if self.lazy or i in found.payloads)
            for leg in self.vectors
        }
        payloads = Payloads((i for ids in ranked.values() for i in ids), found.payloads, self._fetch)
        return Candidates(
            nodes=LazyNodes(payloads, node_of),
            ranked=ranked,
            scores={
                leg: _scores(leg, found.scores[leg], payloads if complete else ranked[leg], found.wordless)
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
        """Fill in what the legs name; return the legs that equal scores may be missing from, and the ceiling.

        Where the search is approximate, which of many equal scores are seen is left to the engine too.
        """
        asked = self._asked()
        requests = [
            self._request(leg, self.filter, self._limit(leg), with_payload=self.payloads_first) for leg in asked
        ]
        answers = self._batch([*requests, *self._terms()])
        take = found.name_and_describe if self.payloads_first else found.name
        cut = []
        for leg, points in zip(asked, answers, strict=False):
            take(leg, points)
            if (self.exact or not self.tunable) and overflows(points, self.depths[leg], self._limit(leg)):
                cut.append(leg)
        return cut, self._ceiling(answers[len(asked) :])

    def _second(self, found: _Found, cut: Sequence[Leg], complete: bool) -> None:
        sure = (found.best(leg, self.depths[leg]) for leg in self.vectors if leg not in cut)
        union = list(dict.fromkeys(point_id for ids in sure for point_id in ids))
        jobs: list[tuple[Callable[[Sequence[Any]], None], models.QueryRequest]] = []
        if union and not self.payloads_first and not self.lazy:
            jobs.append((found.describe, _listed(_has_id(union), len(union), with_payload=True)))
        wide = {leg: self._request(leg, self.filter, self.depths[leg] + _WIDER, with_payload=True) for leg in cut}
        jobs += [(partial(found.name_and_describe, leg), request) for leg, request in wide.items()]
        if complete and self.lazy and LEXICAL in self.vectors and not self.payloads_first:
            silent = found.missing(LEXICAL, union)
            if silent:
                jobs.append((found.miss_words, _listed(_wordless(_has_id(silent)), len(silent))))
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
        return [leg for leg in self._asked() if leg not in exact_legs or len(found.named[leg]) >= self._limit(leg)]

    def _limit(self, leg: Leg) -> int:
        """Points asked for: some more than count, so that equal scores at the end of a leg are seen."""
        return self.depths[leg] + _SLACK

    def _terms(self) -> list[models.QueryRequest]:
        question = self.vectors.get(LEXICAL)
        return term_requests(question, self._params(LEXICAL)) if self.lexicon and question else []

    def _ceiling(self, answers: Sequence[Sequence[Any]]) -> float | None:
        question = self.vectors.get(LEXICAL)
        return self.lexicon.ceiling(idfs(question, answers)) if self.lexicon and question else None

    def _fetch(self, ids: list[str]) -> dict[str, Mapping[str, Any]]:
        records = self.client.retrieve(self.collection, ids=ids, with_payload=True)
        return {str(record.id): record.payload or {} for record in records}

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
        return models.QueryRequest.model_construct(  # valid by construction, and validation reads every number
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
        if leg == LEXICAL and self.idf_corpus is not None:
            return models.SearchParams(idf=models.IdfCorpusParams(corpus=self.idf_corpus))
        if leg == LEXICAL:
            return None
        if self.exact:
            return models.SearchParams(exact=True)
        return _FILTERED if self.filter is not None else None


def _scores(leg: Leg, known: Mapping[str, float], ids: Iterable[str], wordless: Container[str]) -> dict[str, float]:
    """The scores of `ids` in a leg. Who has words, but none of the question's, scores 0."""
    scores = {}
    for point_id in ids:
        if point_id in known:
            scores[point_id] = known[point_id]
        elif leg == LEXICAL and point_id not in wordless:
            scores[point_id] = 0.0
    return scores


def _has_id(ids: Sequence[str]) -> models.Filter:
    return models.Filter.model_construct(must=[models.HasIdCondition.model_construct(has_id=list(ids))])


def _wordless(condition: models.Filter) -> models.Filter:
    return models.Filter(must=[condition], must_not=[models.HasVectorCondition(has_vector=LEXICAL)])


def _listed(condition: models.Filter, limit: int, with_payload: bool = False) -> models.QueryRequest:
    return models.QueryRequest.model_construct(filter=condition, limit=limit, with_payload=with_payload)


def _as_prefetch(request: models.QueryRequest) -> models.Prefetch:
    return models.Prefetch.model_construct(
        query=request.query, using=request.using, filter=request.filter, params=request.params, limit=request.limit
    )
