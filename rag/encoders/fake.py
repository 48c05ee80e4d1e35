"""An encoder for tests whose vectors can be computed by hand: `ClipEncoder("fake")`, or `fake_encoder(dim=64)`.

A text is the bag of its words: each word adds 1 at its own index. A picture is the bag of its colours: each pixel adds
1 at the index of the nearest colour word. So "red" finds a red picture, and "red circle" finds it too, with cosine
0.707. Index 0 stands for nothing at all (a text without words), 1 to 12 for the colour words in the order of
`COLOURS`, and every other word lies at 13 + sha256(word) mod (dim - 13).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from rag.encoders.backend import Backend, Floats, Tokens, Window
from rag.errors import EncoderError

if TYPE_CHECKING:
    from PIL import Image

    from rag.encoders.encoder import ClipEncoder

__all__ = ["COLOURS", "FakeBackend", "fake_encoder", "word_index"]

COLOURS: Final[Mapping[str, tuple[int, int, int]]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
    "pink": (255, 192, 203),
    "brown": (139, 69, 19),
    "cyan": (0, 255, 255),
}
"""The colour words and the R, G, B that each stands for."""

_WORD: Final = re.compile(r"\w+")
_FIRST_WORD: Final = 1 + len(COLOURS)
_COLOUR_INDEX: Final = {word: index for index, word in enumerate(COLOURS, start=1)}
_SIDE: Final = 32


def word_index(word: str, dim: int) -> int:
    """The one index at which a word adds to a vector; letter case does not matter."""
    word = word.lower()
    if word in _COLOUR_INDEX:
        return _COLOUR_INDEX[word]
    hashed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return _FIRST_WORD + hashed % (dim - _FIRST_WORD)


class FakeBackend(Backend):
    """Hashed words and counted colours."""

    def __init__(self, dim: int = 64, window: int = 64) -> None:
        if dim <= _FIRST_WORD or window < 1:
            raise EncoderError(f"dim={dim}, window={window} was given", f"dim > {_FIRST_WORD} and window ≥ 1")
        self._dim = dim
        self.name = "fake"
        self.window = window
        self.preprocessing = f"text: {window} words; image: {_SIDE}×{_SIDE} nearest"

    @property
    def dim(self) -> int:
        """The dimension of the vectors."""
        return self._dim

    def digest(self) -> str:
        """sha256 of what would be the weights: the dimension."""
        return hashlib.sha256(f"fake {self._dim}".encode()).hexdigest()

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Words are tokens; a token's id is its index in the vector."""
        found = [list(_WORD.finditer(text)) for text in texts]
        return [
            Tokens([word_index(match.group(), self._dim) for match in words], [match.span() for match in words])
            for words in found
        ]

    def embed_texts(self, windows: Sequence[Window]) -> Floats:
        """Counts of words."""
        return self._bags([window.ids for window in windows])

    def prepare_image(self, picture: Image.Image) -> Sequence[int]:
        """The index of the nearest colour word for each pixel of a small copy."""
        from PIL import Image

        small = picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        pixels = np.asarray(small, dtype=np.int64).reshape(-1, 1, 3)
        distances = ((pixels - np.asarray(list(COLOURS.values()), dtype=np.int64)) ** 2).sum(axis=2)
        return [1 + int(index) for index in distances.argmin(axis=1)]

    def embed_images(self, prepared: Sequence[Sequence[int]]) -> Floats:
        """Counts of colours."""
        return self._bags(prepared)

    def _bags(self, bags: Sequence[Sequence[int]]) -> Floats:
        return np.stack([np.bincount(bag or [0], minlength=self._dim) for bag in bags]).astype(np.float32)


def fake_encoder(dim: int = 64, window: int = 64, embed_batch_size: int = 32) -> ClipEncoder:
    """A `ClipEncoder` over hashed words and counted colours; nothing is loaded."""
    from rag.encoders.encoder import ClipEncoder

    return ClipEncoder.over(FakeBackend(dim, window), embed_batch_size=embed_batch_size)
