"""Queries as the embedded engine takes them, and the points of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import qdrant_edge as edge
from qdrant_client import models

from rag.errors import StoreError
from rag.store.edge_convert import (
    from_vector,
    point_id,
    to_filter,
    to_params,
    to_selector,
    to_vector,
    without_twins,
)


def query_request(request: models.QueryRequest, filters: dict[int, edge.Filter | None]) -> edge.QueryRequest:
    """One query of a batch. Raises StoreError for what the engine has no words for.

    `filters` are those converted before, by identity: the requests of a batch share a filter, and it may be long.
    """
    if id(request.filter) not in filters:
        filters[id(request.filter)] = to_filter(request.filter)
    if isinstance(request.prefetch, list):
        raise StoreError("several prefetches", "one, without prefetches of its own")
    return edge.QueryRequest(
        limit=request.limit or 10,
        offset=request.offset,
        prefetches=None if request.prefetch is None else [_prefetch(request.prefetch)],
        query=_nearest(request),
        filter=filters[id(request.filter)],
        score_threshold=request.score_threshold,
        params=to_params(request.params),
        with_payload=to_selector(request.with_payload),
        with_vector=to_selector(request.with_vector),
    )


def _prefetch(request: models.Prefetch) -> edge.Prefetch:
    return edge.Prefetch(
        limit=request.limit or 10,
        query=_nearest(request),
        params=to_params(request.params),
        filter=to_filter(request.filter),
    )


def _nearest(request: models.QueryRequest | models.Prefetch) -> edge.Query | None:
    query = request.query.nearest if isinstance(request.query, models.NearestQuery) else request.query
    return None if query is None else edge.Query.Nearest(to_vector(query), using=request.using)


class Scored(NamedTuple):
    """What the store reads of a `models.ScoredPoint`; hundreds of these are made for a question."""

    id: Any
    score: float
    payload: dict[str, Any] | None
    vector: Any


def all_scored(request: models.QueryRequest, points: Sequence[edge.ScoredPoint]) -> list[Scored]:
    """The points that answer a request; payloads and vectors are looked at where they were asked for."""
    if request.with_payload or request.with_vector:
        return [_scored(point) for point in points]
    return [Scored(point_id(point.id), point.score, None, None) for point in points]


def _scored(point: edge.ScoredPoint) -> Scored:
    payload = point.payload
    return Scored(
        point_id(point.id), point.score, None if payload is None else without_twins(payload), from_vector(point.vector)
    )


def stored(record: edge.Record) -> models.Record:
    """A point that was fetched."""
    return models.Record.model_construct(
        id=point_id(record.id),
        payload=None if record.payload is None else without_twins(record.payload),
        vector=from_vector(record.vector),
    )
