"""What a collection of the embedded engine is made of: its vectors, and the payload indexes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from qdrant_client import models

from rag.store.edge_convert import is_twin, twin_path

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


def config_of(
    vectors: Mapping[str, models.VectorParams], sparse_vectors: Mapping[str, models.SparseVectorParams]
) -> edge.EdgeConfig:
    """The configuration of a new shard."""
    return edge.EdgeConfig(
        vectors={
            name: edge.EdgeVectorParams(
                size=params.size, distance=_DISTANCES[params.distance], hnsw_config=_hnsw(params.hnsw_config)
            )
            for name, params in vectors.items()
        },
        sparse_vectors={
            name: edge.EdgeSparseVectorParams(
                modifier=edge.Modifier.Idf if params.modifier == models.Modifier.IDF else None
            )
            for name, params in sparse_vectors.items()
        },
    )


def indexes_of(field: str, kind: str) -> dict[str, Any]:
    """The indexes of a payload field of a type, by path: its own, and that of the twin that a boolean is matched by.

    Filters read the index; the vector graphs get no further links for it, which would be built for each field
    anew. The price is recall where a filter leaves few (docs/cost.md).
    """
    kinds = {field: kind, **({twin_path(field): "keyword"} if kind == "bool" else {})}
    return {path: _INDEXES[one](enable_hnsw=False) for path, one in kinds.items()}


def told_schema(found: Mapping[str, edge.PayloadIndexInfo]) -> dict[str, models.PayloadIndexInfo]:
    """The indexes without those of twins; a boolean counts as indexed where its twin is."""
    kinds = {key: _SCHEMA_TYPES_BACK.get(str(index.data_type)) for key, index in found.items()}
    return {
        key: models.PayloadIndexInfo(data_type=kind, points=found[key].points)
        for key, kind in kinds.items()
        if kind and not is_twin(key) and (kind != models.PayloadSchemaType.BOOL or twin_path(key) in found)
    }


def params_of(folder: Path) -> models.CollectionParams:
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


def _hnsw(config: models.HnswConfigDiff | None) -> edge.HnswIndexConfig | None:
    if config is None:
        return None
    return edge.HnswIndexConfig(config.m or 16, config.ef_construct or 100, config.full_scan_threshold or 10_000)
