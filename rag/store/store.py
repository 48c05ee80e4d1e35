"""`NamedVectorStore`: LlamaIndex's Qdrant store with the three panels and BM25, over any of the engines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, ImageNode
from llama_index.core.vector_stores.types import MetadataFilters, VectorStoreQuery, VectorStoreQueryResult
from llama_index.vector_stores.qdrant import QdrantVectorStore
from numpy.typing import NDArray
from qdrant_client import models

from rag.calibration import Calibration
from rag.errors import FilterError, InputError, StoreError
from rag.schema import LEGS, LEXICAL, Fingerprint, Leg
from rag.store.candidates import Candidates
from rag.store.collection import Collection
from rag.store.engines import EngineKind, open_engine
from rag.store.filters import FilterExpr, check, from_llama_index, to_qdrant
from rag.store.lexical import LexicalSettings, Lexicon
from rag.store.manifest import Manifest
from rag.store.points import LEGS_KEY, Codec, dense
from rag.store.queries import run_query
from rag.store.sample import calibrate
from rag.store.search import Search
from rag.store.states import STATE_KEYS, Seen, SourceState

EXACT_UP_TO: Final = 20_000
"""Points up to which dense legs are searched exactly unless `exact` says otherwise: a scan takes milliseconds."""
INDEX_FIELDS_FROM: Final = 1000
DRIFT: Final = 1.5
"""A collection that has grown or shrunk by this factor is calibrated anew."""
_CALIBRATION: Final = "calibration"

Filters = FilterExpr | MetadataFilters | None
Asked = NDArray[Any] | str | Mapping[str, float]
"""What a leg is asked: a vector; for `lexical` words, or several with a weight each."""


class NamedVectorStore(QdrantVectorStore):
    """A collection with the named vectors `image`, `caption`, `text` and sparse `lexical`. Made by `open`.

    Safe to use from several threads; the async methods run the sync ones in threads.
    """

    _collection: Collection = PrivateAttr()
    _codec: Codec = PrivateAttr()
    _exact: bool | None = PrivateAttr()
    _size: int = PrivateAttr()
    _sources_indexed: bool = PrivateAttr(default=False)
    _calibration: Calibration | None = PrivateAttr(default=None)

    def __init__(self, *, collection: Collection, pictures_root: Path | None = None, exact: bool | None = None) -> None:
        super().__init__(
            collection_name=collection.name,
            client=collection.client,
            dense_vector_name="text",
            sparse_vector_name=LEXICAL,
            index_doc_id=False,
        )
        manifest = collection.manifest
        self._collection, self._exact = collection, exact
        self._codec = Codec(manifest.encoder.dim, Lexicon(manifest.lexical), pictures_root)
        self._size = self.count()

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex knows the store by."""
        return "NamedVectorStore"

    @classmethod
    def open(
        cls,
        *,
        path: Path | None = None,
        url: str | None = None,
        api_key: str | None = None,
        collection: str = "triptych",
        fingerprint: Fingerprint | None = None,
        pictures_root: Path | None = None,
        create: bool = True,
        exact: bool | None = None,
        lexical: LexicalSettings | None = None,
    ) -> NamedVectorStore:
        """Open the collection at a folder (embedded), at a URL (server), or in `:memory:`; make it where it is missing.

        Without `fingerprint` only what exists is opened. `exact` forces exact or approximate search; None decides by
        size. Raises EncoderMismatch, StoreLocked, StoreUnreachable, StoreUnauthorized or StoreError.
        """
        engine = open_engine(path=path, url=url, api_key=api_key)
        try:
            opened = Collection.open(engine, collection, fingerprint, create, lexical)
            return cls(collection=opened, pictures_root=pictures_root, exact=exact)
        except BaseException:
            engine.client.close()
            raise

    def __enter__(self) -> NamedVectorStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine; calling it again does nothing."""
        self._collection.client.close()

    def searching(self, *, exact: bool | None) -> NamedVectorStore:
        """This collection, on the same engine, searched exactly, approximately, or (None) as its size has it."""
        return NamedVectorStore(collection=self._collection, pictures_root=self._codec.pictures_root, exact=exact)

    def optimize(self, *, index_fields: bool | None = None) -> None:
        """Build indexes after a large ingest. A server does so by itself, memory has none.

        `index_fields` says whether the embedded engine gets payload indexes; None decides by size, for each costs a
        flush to the disk, and below a thousand points a scan is as quick.
        """
        if self.engine_kind != "embedded":
            return
        if self.count() >= INDEX_FIELDS_FROM if index_fields is None else index_fields:
            self._collection.index_fields()
        self._collection.client.optimize(self.collection_name)
        self._collection.client.flush(self.collection_name)

    @property
    def fingerprint(self) -> Fingerprint:
        """The encoder that made the collection's vectors."""
        return self.manifest.encoder

    @property
    def manifest(self) -> Manifest:
        """The manifest as last read or written; `refresh` reads it again."""
        return self._collection.manifest

    @property
    def engine_kind(self) -> EngineKind:
        """`embedded`, `server` or `memory`."""
        return self._collection.engine.kind

    def refresh(self) -> Manifest:
        """Read the manifest again: another process may have added fields to a server's collection."""
        return self._collection.refresh()

    def set_statistics(self, statistics: Mapping[str, Any]) -> None:
        """Merge JSON values into the manifest's `statistics`."""
        self._collection.set_statistics(statistics)

    def calibrate(self) -> Calibration:
        """Look at a sample of the vectors and keep in the manifest what unrelated ones score. Ends every ingestion."""
        self._calibration = calibrate(self._collection, self.count())
        self.set_statistics({_CALIBRATION: self._calibration.to_json()})
        return self._calibration

    @property
    def is_calibrated(self) -> bool:
        """Whether the calibration that is kept was made of as many points as there are now."""
        kept = _kept_calibration(self.manifest)
        return kept is not None and kept.points == self.count()

    def calibration(self) -> Calibration:
        """What unrelated vectors score here; estimated anew, but not kept, where the collection has since changed size
        by half or was never looked at."""
        known = self._calibration or _kept_calibration(self.manifest)
        if known is None or not known.points / DRIFT <= self._size <= known.points * DRIFT:
            known = calibrate(self._collection, self._size)
        self._calibration = known
        return known

    def fields(self) -> dict[str, str]:
        """Every field a filter may name, and its type."""
        return self._collection.fields

    def fields_of(self, node: BaseNode) -> dict[str, Any]:
        """What a filter sees of a node that was found here."""
        return self._codec.fields(node)

    def add(self, nodes: Sequence[BaseNode], shard_identifier: Any | None = None, **add_kwargs: Any) -> list[str]:
        """Insert nodes, or replace those with the same ids. Returns their ids in order; nothing is stored on error."""
        _refuse_shards(shard_identifier)
        points = [self._codec.point(node) for node in nodes]
        self._collection.upsert(points)
        before, self._size = self._size, self._size + len(points)
        if before <= EXACT_UP_TO < self._size:
            self._size = self.count()
        return [str(point.id) for point in points]

    async def async_add(
        self, nodes: Sequence[BaseNode], shard_identifier: Any | None = None, **kwargs: Any
    ) -> list[str]:
        """`add` in a thread."""
        return await asyncio.to_thread(self.add, nodes, shard_identifier, **kwargs)

    def add_captions(self, nodes: Sequence[ImageNode]) -> None:
        """Set `caption`, `lexical` and the payload of stored pictures from their nodes; `image` is not touched.

        Raises StoreError, before anything is changed, where a picture is not stored yet.
        """
        stored = {str(p.id): p.payload or {} for p in self._collection.retrieve([node.node_id for node in nodes])}
        changes = []
        for node in nodes:
            if node.node_id not in stored:
                raise StoreError(f"picture {node.node_id} is not stored", "ids of stored pictures", "add it first")
            vectors = {leg: v for leg, v in self._codec.vectors(node).items() if leg in ("caption", LEXICAL)}
            legs = {*stored[node.node_id].get(LEGS_KEY, ()), *vectors}
            point = models.PointStruct(
                id=node.node_id, vector=vectors, payload=self._codec.payload(node, dict.fromkeys(legs))
            )
            changes.append(point)
        self._collection.update(changes)

    def delete(self, ref_doc_id: str, shard_identifier: Any | None = None, **delete_kwargs: Any) -> None:
        """Delete all nodes of a document."""
        _refuse_shards(shard_identifier)
        self._collection.delete_where(_is("doc_id", ref_doc_id))

    async def adelete(self, ref_doc_id: str, shard_identifier: Any | None = None, **delete_kwargs: Any) -> None:
        """`delete` in a thread."""
        await asyncio.to_thread(self.delete, ref_doc_id, shard_identifier, **delete_kwargs)

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | FilterExpr | None = None,
        shard_identifier: Any | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Delete the nodes that have one of the ids and match the filters, whichever of the two are given."""
        _refuse_shards(shard_identifier)
        if node_ids is None and filters is None:
            raise InputError("neither ids nor filters", "what to delete", "use clear() to delete all nodes")
        self._collection.delete_where(self.condition(filters, node_ids))

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | FilterExpr | None = None,
        shard_identifier: Any | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """`delete_nodes` in a thread."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, shard_identifier, **delete_kwargs)

    def delete_ids(self, ids: Iterable[str]) -> None:
        """Delete nodes by id; ids that are not there are no error."""
        self._collection.delete_ids(ids)

    def delete_source(self, source: str) -> int:
        """Delete all nodes of a source and say how many there were."""
        condition = _is("source", source)
        count = self._collection.count(condition)
        self._collection.delete_where(condition)
        return count

    def clear(self) -> None:
        """Delete all nodes; the collection and its manifest stay."""
        self._collection.delete_where(None)

    async def aclear(self) -> None:
        """`clear` in a thread."""
        await asyncio.to_thread(self.clear)

    def get_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | FilterExpr | None = None,
        limit: int | None = None,
        shard_identifier: Any | None = None,
        *,
        with_vectors: bool = True,
    ) -> list[BaseNode]:
        """The nodes that have one of the ids and match the filters, in the order of ids; all of them without either."""
        _refuse_shards(shard_identifier)
        found = []
        for record in self._collection.scroll(self.condition(filters, node_ids), vectors=with_vectors, limit=limit):
            node = self._codec.node(record.payload)
            if with_vectors:
                _restore_vectors(node, record.vector or {})
            found.append(node)
        return sorted(found, key=lambda node: node.node_id)

    async def aget_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | FilterExpr | None = None,
        limit: int | None = None,
        shard_identifier: Any | None = None,
    ) -> list[BaseNode]:
        """`get_nodes` in a thread."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters, limit, shard_identifier)

    def candidates(
        self,
        query: Mapping[Leg, Asked],
        *,
        depth: int | Mapping[Leg, int] = 100,
        filters: Filters = None,
        complete: bool = True,
        node_ids: Sequence[str] | None = None,
        ceiling: bool = False,
    ) -> Candidates:
        """The `depth` best of each leg asked, and the exact score of each of them in every leg that it has.

        `depth` is a number for all legs, or one for each leg asked.
        Dense legs are asked with a vector of the encoder's dimension, `lexical` with words, which may be weighted. A
        node that has `lexical` but shares no term with them scores 0. `ceiling` asks for `Candidates.lexical_ceiling`,
        in the same round trip. Raises FilterError for a filter that cannot match, InputError for a leg or depth that
        does not exist, StoreError for a vector of another shape.
        """
        depths = {leg: depth if isinstance(depth, int) else depth[leg] for leg in query}
        if any(one < 1 for one in depths.values()):
            raise InputError(f"depth {depth}", "1 or more")
        search = self._search(query, depths, self.condition(filters, node_ids), ceiling)
        if self._size <= min(depths.values(), default=0) or (not search.lazy and (len(query) == 1 or not complete)):
            search = replace(search, payloads_first=True)
        return search.run(self._codec.node, complete)

    def lexical_ceiling(self, words: str) -> float | None:
        """The highest score that `words` allow any passage: the sum over their terms of IDF · (k + 1).

        IDF is the engine's own, over the whole collection whatever filter the question has. None where no term of
        the words is in the collection. One round trip; `candidates(…, ceiling=True)` has it without one.
        """
        return self._search({LEXICAL: words}, {LEXICAL: 1}, None, ceiling=True).ceiling()

    def _search(
        self,
        query: Mapping[Leg, Asked],
        depths: Mapping[Leg, int],
        condition: models.Filter | None,
        ceiling: bool,
    ) -> Search:
        return Search(
            client=self._collection.client,
            collection=self.collection_name,
            vectors={leg: self._asked(leg, asked) for leg, asked in query.items()},
            depths=depths,
            filter=condition,
            exact=self.is_exact,
            tunable=self.engine_kind != "memory",
            idf_corpus=self._idf_corpus(),
            lazy=self.engine_kind == "embedded",
            lexicon=self._codec.lexicon if ceiling else None,
        )

    def _idf_corpus(self) -> models.Filter | None:
        # a large collection is searched approximately in any case, and the engine's own counts come at no cost
        if not self.is_exact:
            return None
        # IDF counts only points that have the vector anyway; that of all points, the embedded engine has sooner
        if self.engine_kind == "embedded":
            return models.Filter()
        return models.Filter(must=[models.HasVectorCondition(has_vector=LEXICAL)])

    async def acandidates(self, query: Mapping[Leg, Asked], **kwargs: Any) -> Candidates:
        """`candidates` in a thread."""
        return await asyncio.to_thread(self.candidates, query, **kwargs)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """LlamaIndex's query: modes default, sparse, text_search, hybrid and mmr; `leg="image"` asks another leg."""
        return run_query(self, query, **kwargs)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """`query` in a thread."""
        return await asyncio.to_thread(self.query, query, **kwargs)

    @property
    def is_exact(self) -> bool:
        """Whether dense legs are searched exactly rather than by HNSW."""
        return self._size <= EXACT_UP_TO if self._exact is None else self._exact

    def count(self) -> int:
        """The number of nodes."""
        return self._collection.count()

    def counts(self) -> dict[str, Any]:
        """`{"points", "nodes": {"text", "image"}, "vectors": {leg: points that have it}}`."""
        has = {leg: models.Filter(must=[models.HasVectorCondition(has_vector=leg)]) for leg in LEGS}
        return {
            "points": self.count(),
            "nodes": {modality: self._collection.count(_is("modality", modality)) for modality in ("text", "image")},
            "vectors": {leg: self._collection.count(condition) for leg, condition in has.items()},
        }

    def sources(self) -> dict[str, SourceState]:
        """What is stored, by source. Reads a few payload keys of every point, and keeps only what the states hold."""
        seen: dict[str, Seen] = {}
        for record in self._collection.scroll(payload=list(STATE_KEYS)):
            seen.setdefault(str(record.payload.get("source", "")), Seen()).add(record.payload, self._codec)
        return {source: points.state(source) for source, points in sorted(seen.items())}

    def ids(self, filters: Filters = None) -> set[str]:
        """The ids of the nodes that match; of all nodes without a filter."""
        return {str(record.id) for record in self._collection.scroll(self.condition(filters), payload=False)}

    def pictures(self) -> set[str]:
        """The `image_uri` of every picture: a URL, or a path, relative to the pictures' root where it lies below it."""
        found = self._collection.scroll(_is("modality", "image"), payload=["image_uri"])
        return {str(record.payload["image_uri"]) for record in found if record.payload.get("image_uri")}

    def points_of(self, source: str) -> set[str]:
        """The ids of a source's nodes.

        An embedded collection of some size has its sources indexed first where they are not, as after a first ingestion
        that was interrupted: who asks for one source asks for many, and each would cost a scan.
        """
        if self.engine_kind == "embedded" and self._size >= INDEX_FIELDS_FROM and not self._sources_indexed:
            self._collection.index_fields(["source"])
            self._sources_indexed = True
        return {str(record.id) for record in self._collection.scroll(_is("source", source), payload=False)}

    def vectors_of(self, ids: Sequence[str], leg: Leg) -> dict[str, list[float]]:
        """The stored vectors of one dense leg, by id, for the ids that have it."""
        found = self._collection.retrieve(ids, payload=False, vectors=[leg])
        return {str(record.id): list(record.vector[leg]) for record in found if leg in (record.vector or {})}

    def condition(self, filters: Filters, node_ids: Sequence[str] | None = None) -> models.Filter | None:
        """The Qdrant filter for filters and ids, checked against the collection's fields; None for no condition."""
        must: list[Any] = []
        if filters is not None:
            expr = filters if isinstance(filters, FilterExpr) else from_llama_index(filters)
            must.append(to_qdrant(self._checked(expr)))
        if node_ids is not None:
            must.append(models.HasIdCondition(has_id=list(node_ids)))
        return models.Filter(must=must) if must else None

    def _checked(self, expr: FilterExpr) -> FilterExpr:
        try:
            return check(expr, self.fields())
        except FilterError:
            if self.engine_kind != "server":
                raise
            self.refresh()
            return check(expr, self.fields())

    def _asked(self, leg: Leg, asked: Asked) -> Any:
        if leg not in LEGS:
            raise InputError(f"leg {leg!r}", ", ".join(LEGS))
        if isinstance(asked, str | Mapping) != (leg == LEXICAL):
            raise InputError(f"{type(asked).__name__} for leg {leg}", "words for lexical, a vector for the others")
        if isinstance(asked, str | Mapping):
            return self._codec.lexicon.query(asked)
        return dense(asked, self.fingerprint.dim, f"the question for leg {leg}")


def _refuse_shards(shard_identifier: Any) -> None:
    if shard_identifier is not None:
        raise InputError(f"shard {shard_identifier!r}", "no shard: collections here are not sharded by key")


def _is(key: str, value: str) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key=key, match=models.MatchValue(value=value))])


def _restore_vectors(node: BaseNode, vectors: Mapping[str, Any]) -> None:
    node.embedding = vectors.get("image", vectors.get("text"))
    if isinstance(node, ImageNode):
        node.text_embedding = vectors.get("caption")


def _kept_calibration(manifest: Manifest) -> Calibration | None:
    kept = manifest.statistics.get(_CALIBRATION)
    return Calibration.from_json(kept) if kept else None
