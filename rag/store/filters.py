"""The filter language: parse, check, evaluate, and compile to Qdrant and LlamaIndex. Pure: no client, no clock."""

from __future__ import annotations

from rag.store.filter_ast import And, Comparison, Date, Exists, FilterExpr, Membership, Not, Or
from rag.store.filter_check import check, matches
from rag.store.filter_compile import from_llama_index, to_llama_index, to_qdrant
from rag.store.filter_parser import parse_filter

__all__ = [
    "And",
    "Comparison",
    "Date",
    "Exists",
    "FilterExpr",
    "Membership",
    "Not",
    "Or",
    "check",
    "from_llama_index",
    "matches",
    "parse_filter",
    "to_llama_index",
    "to_qdrant",
]
