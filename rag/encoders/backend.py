"""The seam behind `ClipEncoder`: a backend turns prepared batches into raw vectors, and nothing else.

Windowing, sorting, pooling, checking, normalizing and threading are written once around it, in `windows` and `encoder`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rag.errors import EncoderError

if TYPE_CHECKING:
    from PIL import Image

    from rag.encoders.preprocess import PixelRecipe

__all__ = [
    "Backend",
    "Floats",
    "Integers",
    "TensorBackend",
    "Tokens",
    "Window",
    "file_digest",
    "load_tokenizer",
    "unit_rows",
]

Floats: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Tokens:
    """The content tokens of one text, without specials: their ids and their character offsets, in the same order."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """A stretch of one text that fits the text tower: its token ids without specials, and its characters."""

    ids: Sequence[int]
    text: str


class Backend(ABC):
    """One encoder's arithmetic. Implementations are safe to call from several threads."""

    name: str
    """What loads it again (`bundled`, a hub id, a folder's full path), or the name of what was handed in."""
    window: int
    """How many content tokens fit one pass of the text tower."""
    preprocessing: str
    """A canonical description of tokenization and pixels; it enters the fingerprint."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """The dimension of both towers' vectors."""

    @abstractmethod
    def digest(self) -> str:
        """sha256 (hex) over the weights, computed once."""

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The content tokens of each text, all of them, without truncation."""

    @abstractmethod
    def embed_texts(self, windows: Sequence[Window]) -> Floats:
        """One raw vector for each window: (n, dim) float32; n ≥ 1, no window longer than `window`."""

    @abstractmethod
    def prepare_image(self, picture: Image.Image) -> Any:
        """What `embed_images` takes for an upright RGB picture. Pure; it runs in several threads at once."""

    @abstractmethod
    def embed_images(self, prepared: Sequence[Any]) -> Floats:
        """One raw vector for each prepared picture: (n, dim) float32; n ≥ 1."""


class TensorBackend(Backend):
    """A backend with a tokenizer of the `tokenizers` library and two towers that take padded arrays."""

    def __init__(self, tokenizer: Any, context: int, recipe: PixelRecipe, pad_id: int) -> None:
        """`context` is the tower's length with specials; `tokenizer` is adjusted to give every token of a text."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        # A document that spells out an end-of-text marker must not end the text there.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._before, self._after = _specials(tokenizer)
        self._pad_id = pad_id
        self._recipe = recipe
        self._lock = Lock()
        self.window = context - len(self._before) - len(self._after)
        self.preprocessing = f"text: {context} tokens with {context - self.window} specials; image: {recipe.describe()}"

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The content tokens of each text, all of them, without truncation."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [Tokens(encoding.ids, encoding.offsets) for encoding in encodings]

    def embed_texts(self, windows: Sequence[Window]) -> Floats:
        """Pad to the longest window of this batch and run the text tower."""
        rows = [[*self._before, *window.ids, *self._after] for window in windows]
        shape = (len(rows), max(len(row) for row in rows))
        ids, mask = np.full(shape, self._pad_id, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return self.run_text(ids, mask)

    def prepare_image(self, picture: Image.Image) -> Floats:
        """The pixel tensor of a picture: (3, size, size) float32."""
        from rag.encoders.preprocess import to_pixels

        return to_pixels(picture, self._recipe)

    def embed_images(self, prepared: Sequence[Floats]) -> Floats:
        """Stack the pixel tensors and run the image tower."""
        return self.run_image(np.stack(prepared))

    @abstractmethod
    def run_text(self, ids: Integers, mask: Integers) -> Floats:
        """(b, t) int64 ids and mask → (b, dim) float32."""

    @abstractmethod
    def run_image(self, pixels: Floats) -> Floats:
        """(b, 3, size, size) float32 → (b, dim) float32."""


def load_tokenizer(path: Path) -> Any:
    """A tokenizer of the `tokenizers` library from its file.

    Raises:
        EncoderError: the file is missing or no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(path.read_text("utf-8"))
    except Exception as exc:  # the library raises plain Exception for everything it cannot parse
        raise EncoderError(f"{str(path)!r} is not a tokenizer ({exc})", advice="get or build the model again") from exc


def _specials(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special ids that the tokenizer puts before and after a text."""
    content = len(tokenizer.encode("a", add_special_tokens=False).ids)
    if not content:
        raise EncoderError("the tokenizer drops the letter 'a'", "every letter has a token", "use another model")
    encoding = tokenizer.encode("a", add_special_tokens=True)
    first = encoding.special_tokens_mask.index(0)
    return list(encoding.ids[:first]), list(encoding.ids[first + content :])


def unit_rows(raw: Floats, count: int, dim: int) -> Floats:
    """Rows of length 1 in float32.

    Raises:
        EncoderError: the array has another shape than (count, dim), or holds a row without a direction.
    """
    rows = np.asarray(raw, dtype=np.float64)
    if rows.shape != (count, dim):
        raise EncoderError(f"the encoder returned an array of shape {rows.shape}", f"expected ({count}, {dim})")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.all(np.isfinite(norms)) or not np.all(norms > 0):
        bad = int(np.flatnonzero(~(np.isfinite(norms[:, 0]) & (norms[:, 0] > 0)))[0])
        raise EncoderError(
            f"the encoder returned a vector of length {norms[bad, 0]} for item {bad}",
            "vectors are finite and not zero",
            "check the weights, or use precision='fp32'",
        )
    return np.asarray(rows / norms, dtype=np.float32)


def file_digest(paths: Iterable[Path]) -> str:
    """sha256 (hex) over names and contents of files, in the order of their names.

    Raises:
        EncoderError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in sorted(paths, key=lambda path: path.name):
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    except OSError as exc:
        raise EncoderError(f"the weights cannot be read: {exc}", advice="download or build the model again") from exc
    return digest.hexdigest()
