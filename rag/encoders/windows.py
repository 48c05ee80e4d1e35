"""Pure functions that cut long texts into windows and pool their vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rag.encoders.backend import Floats, Tokens, Window

__all__ = ["OVERLAP", "cut", "length_sorted", "pool", "window_bounds"]

OVERLAP = 8
"""One token in so many of a window is repeated at the start of the next, so that no phrase is only ever seen broken."""


def window_bounds(count: int, window: int) -> list[tuple[int, int]]:
    """Half-open token ranges of at most `window` tokens that cover all `count` tokens, in order.

    A text that fits is one range, and so is an empty text: (0, 0).
    """
    if count <= window:
        return [(0, count)]
    overlap = window // OVERLAP
    return [(start, min(start + window, count)) for start in range(0, count - overlap, window - overlap)]


def cut(text: str, tokens: Tokens, window: int) -> list[Window]:
    """The windows of one text; a text that fits is one window with all its characters, one without tokens is empty."""
    if not tokens.ids:
        return [Window((), "")]
    bounds = window_bounds(len(tokens.ids), window)
    if len(bounds) == 1:
        return [Window(tokens.ids, text)]
    return [
        Window(tokens.ids[start:end], text[tokens.spans[start][0] : tokens.spans[end - 1][1]]) for start, end in bounds
    ]


def length_sorted(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Indices in batches of at most `size`, longest first, so that padding is small and memory peaks at once."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    for start in range(0, len(order), size):
        yield order[start : start + size]


def pool(vectors: Floats, owners: Sequence[int], lengths: Sequence[int], count: int) -> Floats:
    """The mean of each text's unit window vectors, weighted by their token counts: (count, dim), not normalized.

    Row i of `vectors` belongs to text `owners[i]` and has `lengths[i]` tokens. A text in one window keeps its vector
    exactly.
    """
    pooled = np.zeros((count, vectors.shape[1]), dtype=np.float64)
    weights = np.maximum(np.asarray(lengths, dtype=np.float64), 1.0)
    np.add.at(pooled, np.asarray(owners), vectors * weights[:, None])
    return pooled.astype(np.float32)
