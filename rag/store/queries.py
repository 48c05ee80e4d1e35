"""LlamaIndex's `VectorStoreQuery` asked of a `NamedVectorStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode, VectorStoreQueryResult
from llama_index.vector_stores.qdrant.utils import relative_score_fusion

from rag.errors import InputError
from rag.schema import LEXICAL, Leg
from rag.store.filters import And, FilterExpr, Membership, from_llama_index

if TYPE_CHECKING:
    from rag.store.store import NamedVectorStore

Mode = VectorStoreQueryMode
_MMR_PREFETCH = 4


def run_query(store: NamedVectorStore, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
    """Answer a query in its mode. Raises InputError for a mode, a leg or a part of the query that is missing.

    Keyword `leg` (or the query's `embedding_field`) names the dense leg, `text` by default; `mmr_prefetch_k` is the
    number of candidates MMR chooses from, four times `similarity_top_k` by default.
    """
    leg = cast(Leg, kwargs.get("leg") or query.embedding_field or "text")
    k = query.similarity_top_k
    if query.mode == Mode.DEFAULT:
        return _one_leg(store, query, leg, k)
    if query.mode in (Mode.SPARSE, Mode.TEXT_SEARCH):
        return _one_leg(store, query, LEXICAL, query.sparse_top_k or k)
    if query.mode == Mode.HYBRID:
        found = _one_leg(store, query, leg, k), _one_leg(store, query, LEXICAL, query.sparse_top_k or k)
        alpha = 0.5 if query.alpha is None else query.alpha
        return relative_score_fusion(*found, alpha=alpha, top_k=query.hybrid_top_k or k)
    if query.mode == Mode.MMR:
        return _mmr(store, query, leg, kwargs)
    raise InputError(f"query mode {query.mode.value}", "default, sparse, text_search, hybrid, mmr")


def _one_leg(store: NamedVectorStore, query: VectorStoreQuery, leg: Leg, k: int) -> VectorStoreQueryResult:
    asked = _asked(query, leg)
    found = store.candidates(
        {leg: asked}, depth=k, filters=_filters(query), complete=False, node_ids=query.node_ids or None
    )
    ids = found.load(found.ranked[leg])
    return VectorStoreQueryResult(
        nodes=[found.nodes[i] for i in ids], similarities=[found.scores[leg][i] for i in ids], ids=ids
    )


def _mmr(store: NamedVectorStore, query: VectorStoreQuery, leg: Leg, kwargs: dict[str, Any]) -> VectorStoreQueryResult:
    threshold = kwargs.get("mmr_threshold", query.mmr_threshold)
    pool = _one_leg(store, query, leg, int(kwargs.get("mmr_prefetch_k") or query.similarity_top_k * _MMR_PREFETCH))
    ids = pool.ids or []
    vectors = store.vectors_of(ids, leg)
    scores, chosen = get_top_k_mmr_embeddings(
        query_embedding=query.query_embedding or [],
        embeddings=[vectors[i] for i in ids],
        similarity_top_k=query.similarity_top_k,
        embedding_ids=ids,
        mmr_threshold=threshold,
    )
    nodes = dict(zip(ids, pool.nodes or [], strict=True))
    return VectorStoreQueryResult(nodes=[nodes[i] for i in chosen], similarities=scores, ids=chosen)


def _asked(query: VectorStoreQuery, leg: Leg) -> Any:
    if leg == LEXICAL:
        if query.query_str is None:
            raise InputError("a query without words", "query_str, for modes that search by words")
        return query.query_str
    if query.query_embedding is None:
        raise InputError("a query without a vector", "query_embedding, for modes that search by meaning")
    return np.asarray(query.query_embedding, dtype=np.float32)


def _filters(query: VectorStoreQuery) -> FilterExpr | None:
    parts: list[FilterExpr] = []
    if query.filters is not None:
        parts.append(from_llama_index(query.filters))
    if query.doc_ids:
        parts.append(Membership("doc_id", tuple(query.doc_ids)))
    return And(tuple(parts)) if parts else None
