"""BM25 as sparse vectors: stemmed terms without stop words. The engine multiplies by IDF.

Vectors are made here, by the tokenizer of Qdrant Edge, for every engine alike, so that the same words give the same
scores wherever the collection lives. `k`, `b` and `avg_len` are Robertson and Zaragoza's (2009, "The Probabilistic
Relevance Framework", section 3.4); `avg_len` is in terms, and fixed, so that adding documents changes no vector. 64 is
near the length of a passage of 150 words without stop words, and measures better on the development sets than the
engine's default of 256 (question2text, nDCG@10 over 500 questions each: .533 and .411 against .497 and .384).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import qdrant_edge as edge
from qdrant_client import models

from rag.errors import StoreError


@dataclass(frozen=True)
class LexicalSettings:
    """What decides a BM25 vector. Kept in the manifest: documents and questions must agree on it."""

    language: str = "english"
    k: float = 1.2
    b: float = 0.75
    avg_len: float = 64.0


@dataclass(frozen=True)
class Lexicon:
    """Words to sparse vectors; empty where no term is left after stop words."""

    settings: LexicalSettings = field(default_factory=LexicalSettings)
    _model: edge.Bm25 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = self.settings
        config = edge.Bm25Config(language=own.language, k=own.k, b=own.b, avg_len=own.avg_len)
        try:
            object.__setattr__(self, "_model", edge.Bm25(config))
        except ValueError as exc:
            raise StoreError(f"lexical settings {own}: {exc}", "a language with a stemmer, such as english") from exc

    def document(self, text: str) -> models.SparseVector | None:
        """Term weights of a passage; None where no term is left."""
        return _sparse(self._model.embed_document(text))

    def query(self, text: str) -> models.SparseVector | None:
        """The terms of a question, each weighing 1; None where no term is left."""
        return _sparse(self._model.embed_query(text))


def _sparse(vector: edge.SparseVector) -> models.SparseVector | None:
    if not vector.indices:
        return None
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))
