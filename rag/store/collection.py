"""One Qdrant collection on one engine: its manifest, its payload indexes, and paging. Knows points, not nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from qdrant_client import models

from rag.errors import StoreError, StoreMissing
from rag.schema import DENSE_LEGS, LEXICAL, PAYLOAD_TYPES, Fingerprint
from rag.store.engines import Engine
from rag.store.lexical import LexicalSettings
from rag.store.manifest import MANIFEST_ID, MANIFEST_KEY, Manifest, manifest_of
from rag.store.points import own_fields
from rag.store.values import MIXED, field_path, widen

PAGE: Final = 1000
BATCH: Final = 256
_SPARSE_LEG: Final = models.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=2000)
"""With fewer KB of vectors than this a filter is scanned, not searched by the graph. The embedded engine spreads the
vectors of a leg over all points: at its default of 10,000 it scanned half of a leg that three points in ten have, which
took 18 ms where the graph takes 1 to 2, though it finds less (docs/cost.md). The other numbers are its defaults."""
_NOT_MANIFEST: Final = models.HasIdCondition(has_id=[MANIFEST_ID])


class Collection:
    """A collection that has a manifest. The manifest is never counted, listed or deleted here."""

    def __init__(self, engine: Engine, name: str, manifest: Manifest) -> None:
        self.engine, self.name, self.manifest = engine, name, manifest

    @classmethod
    def open(
        cls, engine: Engine, name: str, fingerprint: Fingerprint | None, create: bool, lexical: LexicalSettings | None
    ) -> Collection:
        """Open a collection, or make it where it is missing, `create` is set and the encoder is known.

        Raises EncoderMismatch for another encoder than the collection's, InputError for other lexical settings,
        StoreError for a collection without manifest.
        """
        where = f"collection {name} at {engine.where}"
        manifest = _read_manifest(engine, name, where)
        if manifest is None:
            if fingerprint is None or not create:
                raise StoreMissing(f"there is no {where}", advice="ingest something first")
            manifest = Manifest(encoder=fingerprint, lexical=lexical or LexicalSettings())
            _create(engine, name, manifest, where)
        if fingerprint is not None:
            manifest.require(fingerprint, where)
        if lexical is not None:
            manifest.require_lexical(lexical, where)
        return cls(engine, name, manifest)

    @property
    def client(self) -> Any:
        """The engine's client."""
        return self.engine.client

    @property
    def fields(self) -> dict[str, str]:
        """Every field a filter may name, and its type."""
        return {**self.manifest.fields, **PAYLOAD_TYPES}

    def refresh(self) -> Manifest:
        """Read the manifest again."""
        where = f"collection {self.name} at {self.engine.where}"
        found = _read_manifest(self.engine, self.name, where)
        if found is None:
            raise StoreError(f"{where} has lost its manifest", advice="ingest anew")
        self.manifest = found
        return found

    def set_statistics(self, statistics: Mapping[str, Any]) -> None:
        """Merge JSON values into the manifest's statistics."""
        self._merge("statistics", statistics)
        self.manifest = replace(self.manifest, statistics={**self.manifest.statistics, **statistics})

    def upsert(self, points: Sequence[models.PointStruct]) -> None:
        """Insert or replace points, their metadata fields recorded first (and on a server indexed)."""
        self._learn_fields(points)
        for start in range(0, len(points), BATCH):
            self.client.upsert(self.name, points=list(points[start : start + BATCH]), wait=True)

    def update(self, points: Sequence[models.PointStruct]) -> None:
        """Set the vectors and payload keys given; other vectors and keys of the points stay."""
        self._learn_fields(points)
        vectors = [models.PointVectors(id=point.id, vector=point.vector) for point in points if point.vector]
        if vectors:
            self.client.update_vectors(self.name, points=vectors, wait=True)
        for point in points:
            self.client.set_payload(self.name, payload=point.payload, points=[point.id], wait=True)

    def index_fields(self, only: Iterable[str] | None = None) -> None:
        """Make the payload index of every field, or of those named, that lacks one of its type."""
        schema = self.client.get_collection(self.name).payload_schema
        fields = self.fields
        for field, kind in fields.items() if only is None else [(field, fields[field]) for field in only]:
            present = schema.get(field_path(field))
            if present is not None and present.data_type != kind:
                self.client.delete_payload_index(self.name, field_name=field_path(field))
            if kind != MIXED and (present is None or present.data_type != kind):
                _index(self.client, self.name, field, kind)

    def delete_ids(self, ids: Iterable[str]) -> None:
        """Delete points by id; ids that are not there are no error."""
        gone = [point_id for point_id in ids if point_id != MANIFEST_ID]
        for start in range(0, len(gone), PAGE):
            selector = models.PointIdsList(points=list(gone[start : start + PAGE]))
            self.client.delete(self.name, points_selector=selector, wait=True)

    def delete_where(self, condition: models.Filter | None) -> None:
        """Delete the points that match; all of them for None."""
        selector = models.FilterSelector(filter=_without_manifest(condition))
        self.client.delete(self.name, points_selector=selector, wait=True)

    def count(self, condition: models.Filter | None = None) -> int:
        """The exact number of points that match."""
        answer = self.client.count(self.name, count_filter=_without_manifest(condition), exact=True)
        return int(answer.count)

    def retrieve(self, ids: Sequence[str], *, payload: Any = True, vectors: Any = False) -> list[Any]:
        """The points that exist among `ids`."""
        found = self.client.retrieve(self.name, ids=list(ids), with_payload=payload, with_vectors=vectors)
        return [record for record in found if str(record.id) != MANIFEST_ID]

    def scroll(
        self,
        condition: models.Filter | None = None,
        *,
        payload: Any = True,
        vectors: Any = False,
        limit: int | None = None,
    ) -> Iterator[Any]:
        """Every point that matches, or the first `limit` that the engine comes by."""
        following: Any = None
        left = limit
        while left is None or left > 0:
            page, following = self.client.scroll(
                self.name,
                scroll_filter=_without_manifest(condition),
                limit=PAGE if left is None else min(PAGE, left),
                offset=following,
                with_payload=payload,
                with_vectors=vectors,
            )
            yield from page
            left = None if left is None else left - len(page)
            if following is None:
                return

    def _learn_fields(self, points: Iterable[models.PointStruct]) -> None:
        known = dict(self.manifest.fields)
        for point in points:
            for name, kind in own_fields(point.payload or {}).items():
                known[name] = widen(known.get(name), kind) or kind
        changed = {name: kind for name, kind in known.items() if self.manifest.fields.get(name) != kind}
        if not changed:
            return
        self._merge("fields", changed)
        self.manifest = replace(self.manifest, fields=known)
        if self.engine.kind == "server":
            self.index_fields()

    def _merge(self, part: str, values: Mapping[str, Any]) -> None:
        # merged by key in the engine, so that two writers of one server never lose each other's entries
        self.client.set_payload(
            self.name, payload=dict(values), points=[MANIFEST_ID], key=f"{MANIFEST_KEY}.{part}", wait=True
        )


def _without_manifest(condition: models.Filter | None) -> models.Filter:
    return models.Filter(must=[condition] if condition else None, must_not=[_NOT_MANIFEST])


def _read_manifest(engine: Engine, name: str, where: str) -> Manifest | None:
    client = engine.client
    if not client.collection_exists(name):
        return None
    found = client.retrieve(name, ids=[MANIFEST_ID], with_payload=True)
    if found:
        return manifest_of(found[0].payload, where)
    if client.count(name, exact=True).count:
        raise StoreError(f"{where} has no manifest", "collections made by triptych", "name another collection")
    return None


def _create(engine: Engine, name: str, manifest: Manifest, where: str) -> None:
    client, dim = engine.client, manifest.encoder.dim
    if client.collection_exists(name):
        _require_legs(client.get_collection(name).config.params.vectors, dim, where)
    else:
        vectors = {
            leg: models.VectorParams(
                size=dim,
                distance=models.Distance.COSINE,
                hnsw_config=_SPARSE_LEG if engine.kind == "embedded" and leg in ("image", "caption") else None,
            )
            for leg in DENSE_LEGS
        }
        sparse = {LEXICAL: models.SparseVectorParams(modifier=models.Modifier.IDF)}
        client.create_collection(name, vectors_config=vectors, sparse_vectors_config=sparse)
    if engine.kind == "server":
        for field, kind in PAYLOAD_TYPES.items():
            _index(client, name, field, kind)
    client.upsert(name, points=[manifest.to_point()], wait=True)


def _require_legs(vectors: Any, dim: int, where: str) -> None:
    """An empty collection without manifest (made by hand, or by a run that was killed) may be taken over if it fits."""
    sizes = {leg: params.size for leg, params in vectors.items()} if isinstance(vectors, dict) else {}
    if sizes != dict.fromkeys(DENSE_LEGS, dim):
        raise StoreError(f"{where} has vectors {sizes}", f"{', '.join(DENSE_LEGS)} of {dim}", "name another collection")


def _index(client: Any, name: str, field: str, kind: str) -> None:
    schema = models.PayloadSchemaType(kind)
    client.create_payload_index(name, field_name=field_path(field), field_schema=schema, wait=True)
