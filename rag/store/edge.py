"""The embedded engine: Qdrant Edge shards in this process, spoken to in the words of `QdrantClient`.

Each collection is one shard in its own folder. A shard is held by one process at a time (a lock on its write-ahead
log); what was acknowledged survives `kill -9`. Only the methods the store uses are here, with the arguments it uses.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar
from weakref import WeakSet

import qdrant_edge as edge
from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from rag.errors import StoreError, StoreLocked
from rag.store.edge_convert import point_id, to_filter, to_selector, to_vector, twin_path, with_twins
from rag.store.edge_requests import all_scored, query_request, stored
from rag.store.edge_schema import config_of, indexes_of, params_of, told_schema
from rag.store.room import RESERVE, require_room, size_on_disk

T = TypeVar("T")

_CLIENTS: Final[WeakSet[EdgeClient]] = WeakSet()
"""Those of this process: what one of them holds, no waiting sets free."""
_CLIENTS_LOCK: Final = threading.Lock()


class EdgeClient:
    """`QdrantClient` over Qdrant Edge shards under `path`. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._shards: dict[str, edge.EdgeShard] = {}
        self._lock = threading.RLock()
        self._closed = False
        with _CLIENTS_LOCK:
            _CLIENTS.add(self)

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
        config = config_of(vectors_config, sparse_vectors_config or {})
        with self._lock, self._told(collection_name):
            folder.mkdir(parents=True, exist_ok=True)
            self._shards[collection_name] = edge.EdgeShard.create(str(folder), config)
        return True

    def get_collection(self, collection_name: str) -> models.CollectionInfo:
        """Vectors, payload indexes and number of points of a collection."""
        info = self._run(collection_name, lambda shard: shard.info())
        config = params_of(self._path / collection_name)
        return models.CollectionInfo.model_construct(
            status=models.CollectionStatus.GREEN,
            points_count=info.points_count,
            segments_count=info.segments_count,
            indexed_vectors_count=info.indexed_vectors_count,
            config=models.CollectionConfig.model_construct(params=config),
            payload_schema=told_schema(info.payload_schema),
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
        """Index a payload field; an index of another type is replaced."""
        kind = str(getattr(field_schema, "value", field_schema))
        for path, index in indexes_of(field_name, kind).items():
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
        batch = edge.QueryBatchRequest([query_request(request, filters) for request in requests])
        answers = self._run(collection_name, lambda shard: shard.query_batch(batch))
        return [
            QueryResponse.model_construct(points=all_scored(request, points))
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
        return [stored(record) for record in records], None if following is None else point_id(following)

    def retrieve(
        self, collection_name: str, ids: Sequence[Any], with_payload: Any = True, with_vectors: Any = False
    ) -> list[models.Record]:
        """The points that exist among `ids`."""
        selectors = to_selector(with_payload), to_selector(with_vectors)
        found = self._run(collection_name, lambda shard: shard.retrieve(list(ids), *selectors))
        return [stored(record) for record in found]

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
            if "WouldBlock" in str(exc) and self._open_here(name):
                raise StoreError(
                    f"{self._path / name} is open in this process already",
                    "once in a process",
                    "use what is open, or close it first",
                ) from exc
            if "WouldBlock" in str(exc):
                raise StoreLocked(
                    f"{self._path / name} is in use by another process",
                    "one process at a time",
                    "wait for the other to end, or share the collection through a Qdrant server",
                ) from exc
            advice = "let this user write there: even a search does" if "Permission denied" in str(exc) else ""
            raise StoreError(f"the embedded engine failed on {self._path / name}: {exc}", advice=advice) from exc

    def _open_here(self, name: str) -> bool:
        """Whether another client of this process holds the shard."""
        folder = (self._path / name).resolve()
        with _CLIENTS_LOCK:
            others = [client for client in _CLIENTS if client is not self]
        return any((other._path / held).resolve() == folder for other in others for held in list(other._shards))
