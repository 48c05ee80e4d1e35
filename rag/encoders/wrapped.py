"""LlamaIndex's own `ClipEmbedding`, or any other `MultiModalEmbedding`, behind our seam."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np

from rag.encoders.backend import Backend, Floats, Tokens, Window, unit_rows
from rag.errors import EncoderError

if TYPE_CHECKING:
    from llama_index.core.embeddings import MultiModalEmbedding
    from PIL import Image

__all__ = ["PROBES", "WrappedBackend"]

PROBES: Final = ("a photo of a dog", "annual rainfall in millimetres", "Wie hoch ist der Turm?")
"""Texts whose vectors tell one model from another where the weights cannot be hashed."""

# Pieces of up to eight letters are at least as many as a subword tokenizer's tokens in nearly all text.
_PIECE: Final = re.compile(r"\w{1,8}|[^\w\s]")
_CLIP_PIECES: Final = 48
_OTHER_PIECES: Final = 200


class WrappedBackend(Backend):
    """An embedding whose tokenizer is not known: texts are cut at words, and cut again where the embedding refuses.

    Vectors keep whatever dependence on batches the embedding itself has.
    """

    preprocessing = "text: pieces of words; image: upright RGB PNG"

    def __init__(self, embedding: MultiModalEmbedding, name: str | None = None, window: int | None = None) -> None:
        """`window`: pieces (words, or eight letters of longer ones) per call; by default 48 for CLIP, else 200."""
        kind = type(embedding).__name__
        self._embedding = embedding
        self.name = name or f"{kind} {embedding.model_name}"
        self.window = window or (_CLIP_PIECES if "clip" in kind.lower() else _OTHER_PIECES)

    @property
    def dim(self) -> int:
        """The dimension of the probes' vectors."""
        return int(self._probes.shape[1])

    def digest(self) -> str:
        """sha256 over class, model name and the probes' unit vectors, rounded to three places."""
        head = f"{type(self._embedding).__name__}\0{self._embedding.model_name}\0{self.dim}\0"
        rounded = np.rint(unit_rows(self._probes, len(PROBES), self.dim) * 1000).astype("<i4")
        return hashlib.sha256(head.encode() + rounded.tobytes()).hexdigest()

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Pieces of words; their ids mean nothing."""
        found = [[match.span() for match in _PIECE.finditer(text)] for text in texts]
        return [Tokens(range(len(spans)), spans) for spans in found]

    def embed_texts(self, windows: Sequence[Window]) -> Floats:
        """All at once, or one by one where the embedding refuses one of them."""
        texts = [window.text for window in windows]
        try:
            return np.asarray(self._embedding.get_text_embedding_batch(texts), dtype=np.float32)
        except (RuntimeError, ValueError):
            return np.stack([self._embed_text(text) for text in texts])

    def prepare_image(self, picture: Image.Image) -> bytes:
        """PNG bytes, which every multimodal embedding opens."""
        buffer = BytesIO()
        picture.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def embed_images(self, prepared: Sequence[bytes]) -> Floats:
        """One call of the embedding's own batching."""
        try:
            vectors = self._embedding.get_image_embedding_batch([BytesIO(data) for data in prepared])
        except (RuntimeError, ValueError) as exc:
            raise self._refused("a picture", exc) from exc
        return np.asarray(vectors, dtype=np.float32)

    @cached_property
    def _probes(self) -> Floats:
        return self.embed_texts([Window((), probe) for probe in PROBES])

    def _embed_text(self, text: str) -> Floats:
        """The vector of one text; where it is refused, the weighted mean of its halves' unit vectors."""
        try:
            return np.asarray(self._embedding.get_text_embedding(text), dtype=np.float32)
        except (RuntimeError, ValueError) as exc:
            spans = self.tokenize([text])[0].spans
            if len(spans) < 2:
                raise self._refused(f"the text {text[:40]!r}", exc) from exc
            middle = len(spans) // 2
            halves = [self._embed_text(text[: spans[middle][0]]), self._embed_text(text[spans[middle][0] :])]
        rows = unit_rows(np.stack(halves), 2, len(halves[0]))
        return np.asarray(rows[0] * middle + rows[1] * (len(spans) - middle), dtype=np.float32)

    def _refused(self, what: str, exc: Exception) -> EncoderError:
        return EncoderError(f"{self.name} refused {what} ({exc})", advice="check the embedding that was handed in")
