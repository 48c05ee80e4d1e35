"""The embedded engine: Qdrant Edge shards in this process, spoken to in the words of `QdrantClient`.

Each collection is one shard in its own folder. A shard is held by one process at a time (a lock on its write-ahead
log); what was acknowledged survives `kill -9`. Only the methods the store uses are here, with the arguments it uses.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import qdrant_edge as edge
from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from rag.errors import StoreError, StoreLocked
from rag.store.edge_convert import (
    from_vector,
    is_twin,
    to_filter,
    to_params,
    to_selector,
    to_vector,
    twin_path,
    with_twins,
    without_twins,
)
from rag.store.room import RESERVE, require_room, size_on_disk

T = TypeVar("T")

_DISTANCES = {
    models.Distance.COSINE: edge.Distance.Cosine,
    models.Distance.DOT: edge.Distance.Dot,
    models.Distance.EUCLID: edge.Distance.Euclid,
    models.Distance.MANHATTAN: edge.Distance.Manhattan,
}
_SCHEMA_TYPES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "text": edge.PayloadSchemaType.Text,
    "uuid": edge.PayloadSchemaType.Uuid,
}
_INDEXES = {
    "keyword": edge.KeywordIndexParams,
    "integer": edge.IntegerIndexParams,
    "float": edge.FloatIndexParams,
    "bool": edge.BoolIndexParams,
    "datetime": edge.DatetimeIndexParams,
    "text": edge.TextIndexParams,
    "uuid": edge.UuidIndexParams,
}
_SCHEMA_TYPES_BACK = {str(native): models.PayloadSchemaType(ours) for ours, native in _SCHEMA_TYPES.items()}


class EdgeClient:
    """`QdrantClient` over Qdrant Edge shards under `path`. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._shards: dict[str, edge.EdgeShard] = {}
        self._lock = threading.RLock()
        self._closed = False

    def __enter__(self) -> EdgeClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Flush and let go of every shard; calling it again does nothing."""
        with self._lock:
            self._closed = True
            while self._shards:
                name, shard = self._shards.popitem()
                with self._told(name):
                    shard.flush()
                    shard.close()

    def flush(self, collection_name: str) -> None:
        """Write everything through to the disk, for a machine that may lose power."""
        self._run(collection_name, lambda shard: shard.flush())

    def collection_exists(self, collection_name: str) -> bool:
        """Whether the collection's folder holds a shard."""
        return (self._path / collection_name / "edge_config.json").is_file()

    def create_collection(
        self,
        collection_name: str,
        vectors_config: Mapping[str, models.VectorParams],
        sparse_vectors_config: Mapping[str, models.SparseVectorParams] | None = None,
    ) -> bool:
        """Make a new shard. Raises StoreError where there is one already."""
        folder = self._path / collection_name
        if self.collection_exists(collection_name):
            raise StoreError(f"collection {collection_name} in {self._path}", "a name that is free")
        config = edge.EdgeConfig(
            vectors={
                name: edge.EdgeVectorParams(
                    size=params.size, distance=_DISTANCES[params.distance], hnsw_config=_hnsw(params.hnsw_config)
                )
                for name, params in vectors_config.items()
            },
            sparse_vectors={
                name: edge.EdgeSparseVectorParams(
                    modifier=edge.Modifier.Idf if params.modifier == models.Modifier.IDF else None
                )
                for name, params in (sparse_vectors_config or {}).items()
            },
        )
        with self._lock, self._told(collection_name):
            folder.mkdir(parents=True, exist_ok=True)
            self._shards[collection_name] = edge.EdgeShard.create(str(folder), config)
        return True

    def get_collection(self, collection_name: str) -> models.CollectionInfo:
        """Vectors, payload indexes and number of points of a collection."""
        info = self._run(collection_name, lambda shard: shard.info())
        config = edge_config(self._path / collection_name)
        return models.CollectionInfo.model_construct(
            status=models.CollectionStatus.GREEN,
            points_count=info.points_count,
            segments_count=info.segments_count,
            indexed_vectors_count=info.indexed_vectors_count,
            config=models.CollectionConfig.model_construct(params=config),
            payload_schema=_told_schema(info.payload_schema),
        )

    def delete_collection(self, collection_name: str) -> bool:
        """Remove a collection and its files."""
        with self._lock:
            if not self.collection_exists(collection_name):
                return False
            self._shard(collection_name)
            shard = self._shards.pop(collection_name)
            with self._told(collection_name):
                shard.close()
            shutil.rmtree(self._path / collection_name)
        return True

    def upsert(self, collection_name: str, points: Iterable[models.PointStruct], wait: bool = True) -> None:
        """Insert points, or replace them whole. Returns when they are in the write-ahead log."""
        converted = [
            edge.Point(id=point.id, vector=to_vector(point.vector), payload=with_twins(point.payload or {}))
            for point in points
        ]
        self._update(collection_name, edge.UpdateOperation.upsert_points(converted))

    def update_vectors(self, collection_name: str, points: Iterable[models.PointVectors], wait: bool = True) -> None:
        """Set the named vectors given; the point's other vectors stay."""
        converted = [edge.PointVectors(id=point.id, vector=to_vector(point.vector)) for point in points]
        self._update(collection_name, edge.UpdateOperation.update_vectors(converted))

    def set_payload(
        self,
        collection_name: str,
        payload: Mapping[str, Any],
        points: Sequence[Any],
        key: str | None = None,
        wait: bool = True,
    ) -> None:
        """Merge keys into the payload of points (or into the object at `key` of it)."""
        operation = edge.UpdateOperation.set_payload(list(points), with_twins(payload), key)
        self._update(collection_name, operation)

    def delete(self, collection_name: str, points_selector: Any, wait: bool = True) -> None:
        """Delete points by a list of ids or by a filter."""
        selector = points_selector
        if isinstance(selector, models.FilterSelector):
            selector = selector.filter
        if isinstance(selector, models.PointIdsList):
            selector = selector.points
        if isinstance(selector, models.Filter):
            operation = edge.UpdateOperation.delete_points_by_filter(to_filter(selector) or edge.Filter())
        else:
            operation = edge.UpdateOperation.delete_points(list(selector))
        self._update(collection_name, operation)

    def create_payload_index(self, collection_name: str, field_name: str, field_schema: Any, wait: bool = True) -> None:
        """Index a payload field, and the twin that a boolean is matched by; an index of another type is replaced.

        Filters read the index; the vector graphs get no further links for it, which would be built for each field
        anew. The price is recall where a filter leaves few (docs/cost.md).
        """
        kind = str(getattr(field_schema, "value", field_schema))
        indexes = {field_name: _INDEXES[kind](enable_hnsw=False)}
        if kind == "bool":
            indexes[twin_path(field_name)] = _INDEXES["keyword"](enable_hnsw=False)
        for path, index in indexes.items():
            self._update(collection_name, edge.UpdateOperation.create_field_index(path, index))

    def delete_payload_index(self, collection_name: str, field_name: str, wait: bool = True) -> None:
        """Drop the index of a payload field, and that of its twin."""
        for path in (field_name, twin_path(field_name)):
            self._update(collection_name, edge.UpdateOperation.delete_field_index(path))

    def query_points(self, collection_name: str, **request: Any) -> QueryResponse:
        """One query; see `query_batch_points`."""
        native = models.QueryRequest(
            query=request.get("query"),
            using=request.get("using"),
            filter=request.get("query_filter"),
            params=request.get("search_params"),
            limit=request.get("limit", 10),
            offset=request.get("offset"),
            score_threshold=request.get("score_threshold"),
            with_payload=request.get("with_payload", True),
            with_vector=request.get("with_vectors", False),
        )
        return self.query_batch_points(collection_name, [native])[0]

    def query_batch_points(self, collection_name: str, requests: Sequence[models.QueryRequest]) -> list[QueryResponse]:
        """Several nearest-neighbour or plain filter queries, planned as one batch."""
        filters: dict[int, edge.Filter | None] = {}
        batch = edge.QueryBatchRequest([_query_request(request, filters) for request in requests])
        answers = self._run(collection_name, lambda shard: shard.query_batch(batch))
        return [
            QueryResponse.model_construct(points=_all_scored(request, points))
            for request, points in zip(requests, answers, strict=True)
        ]

    def scroll(
        self,
        collection_name: str,
        *,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        offset: Any = None,
        with_payload: Any = True,
        with_vectors: Any = False,
    ) -> tuple[list[models.Record], Any]:
        """A page of points in the order of their ids, and the id that the next page starts with."""
        request = edge.ScrollRequest(
            offset=offset,
            limit=limit,
            filter=to_filter(scroll_filter),
            with_payload=to_selector(with_payload),
            with_vector=to_selector(with_vectors),
        )
        records, following = self._run(collection_name, lambda shard: shard.scroll(request))
        return [_record(record) for record in records], None if following is None else _id(following)

    def retrieve(
        self, collection_name: str, ids: Sequence[Any], with_payload: Any = True, with_vectors: Any = False
    ) -> list[models.Record]:
        """The points that exist among `ids`."""
        selectors = to_selector(with_payload), to_selector(with_vectors)
        found = self._run(collection_name, lambda shard: shard.retrieve(list(ids), *selectors))
        return [_record(record) for record in found]

    def count(
        self, collection_name: str, count_filter: models.Filter | None = None, exact: bool = True
    ) -> models.CountResult:
        """The number of points that match."""
        request = edge.CountRequest(exact=exact, filter=to_filter(count_filter))
        return models.CountResult(count=self._run(collection_name, lambda shard: shard.count(request)))

    def optimize(self, collection_name: str) -> bool:
        """Build the indexes of what came in since the last time; True where there was something to do.

        Raises StoreError where there is no room for a second copy of the collection, which is made meanwhile.
        """
        folder = self._path / collection_name
        require_room(folder, RESERVE + size_on_disk(folder))
        return self._run(collection_name, lambda shard: shard.optimize())

    def _update(self, name: str, operation: edge.UpdateOperation) -> None:
        require_room(self._path / name)
        self._run(name, lambda shard: shard.update(operation))

    def _run(self, name: str, action: Callable[[edge.EdgeShard], T]) -> T:
        shard = self._shard(name)
        with self._told(name):
            return action(shard)

    def _shard(self, name: str) -> edge.EdgeShard:
        with self._lock:
            if self._closed:
                raise StoreError(f"{self._path} is closed", advice="open it again")
            if name not in self._shards:
                if not self.collection_exists(name):
                    raise StoreError(f"no collection {name} in {self._path}", advice="ingest something first")
                with self._told(name):
                    self._shards[name] = edge.EdgeShard.load(str(self._path / name))
            return self._shards[name]

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # the binding raises bare Exception for all that goes wrong in the engine
            if "WouldBlock" in str(exc):
                raise StoreLocked(
                    f"{self._path / name} is in use by another process",
                    "one process at a time",
                    "wait for the other to end, or share the collection through a Qdrant server",
                ) from exc
            advice = "let this user write there: even a search does" if "Permission denied" in str(exc) else ""
            raise StoreError(f"the embedded engine failed on {self._path / name}: {exc}", advice=advice) from exc


def _hnsw(config: models.HnswConfigDiff | None) -> edge.HnswIndexConfig | None:
    if config is None:
        return None
    return edge.HnswIndexConfig(config.m or 16, config.ef_construct or 100, config.full_scan_threshold or 10_000)


def _told_schema(found: Mapping[str, edge.PayloadIndexInfo]) -> dict[str, models.PayloadIndexInfo]:
    """The indexes without those of twins; a boolean counts as indexed where its twin is."""
    kinds = {key: _SCHEMA_TYPES_BACK.get(str(index.data_type)) for key, index in found.items()}
    return {
        key: models.PayloadIndexInfo(data_type=kind, points=found[key].points)
        for key, kind in kinds.items()
        if kind and not is_twin(key) and (kind != models.PayloadSchemaType.BOOL or twin_path(key) in found)
    }


def edge_config(folder: Path) -> models.CollectionParams:
    """The vectors of a shard, read from the configuration it keeps beside its data."""
    config = json.loads((folder / "edge_config.json").read_text(encoding="utf-8"))
    return models.CollectionParams(
        vectors={
            name: models.VectorParams(size=params["size"], distance=params["distance"])
            for name, params in config.get("vectors", {}).items()
        },
        sparse_vectors={
            name: models.SparseVectorParams(modifier=params.get("modifier"))
            for name, params in config.get("sparse_vectors", {}).items()
        },
    )


def _query_request(request: models.QueryRequest, filters: dict[int, edge.Filter | None]) -> edge.QueryRequest:
    """`filters` are those converted before, by identity: the requests of a batch share a filter, and it may be long."""
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


def _id(point_id: Any) -> Any:
    return point_id if isinstance(point_id, int) else str(point_id)


class Scored(NamedTuple):
    """What the store reads of a `models.ScoredPoint`; hundreds of these are made for a question."""

    id: Any
    score: float
    payload: dict[str, Any] | None
    vector: Any


def _all_scored(request: models.QueryRequest, points: Sequence[edge.ScoredPoint]) -> list[Scored]:
    if request.with_payload or request.with_vector:
        return [_scored(point) for point in points]
    return [Scored(_id(point.id), point.score, None, None) for point in points]


def _scored(point: edge.ScoredPoint) -> Scored:
    payload = point.payload
    return Scored(
        _id(point.id), point.score, None if payload is None else without_twins(payload), from_vector(point.vector)
    )


def _record(record: edge.Record) -> models.Record:
    return models.Record.model_construct(
        id=_id(record.id),
        payload=None if record.payload is None else without_twins(record.payload),
        vector=from_vector(record.vector),
    )
