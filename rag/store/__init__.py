"""The vector store: one collection with named vectors, embedded, on a server or in memory; its filters and manifest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.store.candidates import Candidates
    from rag.store.filters import FilterExpr, parse_filter
    from rag.store.lexical import LexicalSettings
    from rag.store.states import SourceState
    from rag.store.store import NamedVectorStore

_HOMES = {
    "Candidates": "rag.store.candidates",
    "FilterExpr": "rag.store.filters",
    "LexicalSettings": "rag.store.lexical",
    "NamedVectorStore": "rag.store.store",
    "SourceState": "rag.store.states",
    "parse_filter": "rag.store.filters",
}

__all__ = ["Candidates", "FilterExpr", "LexicalSettings", "NamedVectorStore", "SourceState", "parse_filter"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rag.store' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
