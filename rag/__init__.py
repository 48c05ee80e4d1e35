"""Triptych: question answering over mixed documents, text and pictures in one Qdrant collection."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.corpus import Corpus
    from rag.encoders import ClipEncoder
    from rag.errors import TriptychError
    from rag.question import Question, Term
    from rag.retriever import FusionRetriever
    from rag.schema import Answer, Hit
    from rag.settings import Settings
    from rag.store import NamedVectorStore

__version__ = "0.1.0"

_HOMES = {
    "Answer": "rag.schema",
    "ClipEncoder": "rag.encoders",
    "Corpus": "rag.corpus",
    "FusionRetriever": "rag.retriever",
    "Hit": "rag.schema",
    "NamedVectorStore": "rag.store",
    "Question": "rag.question",
    "Settings": "rag.settings",
    "Term": "rag.question",
    "TriptychError": "rag.errors",
}

__all__ = [
    "Answer",
    "ClipEncoder",
    "Corpus",
    "FusionRetriever",
    "Hit",
    "NamedVectorStore",
    "Question",
    "Settings",
    "Term",
    "TriptychError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import rag` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
