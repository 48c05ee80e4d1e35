"""A hash of what a picture looks like: near-identical pictures have hashes that differ in few bits."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from rag.errors import InputError

__all__ = ["NEAR_BITS", "hash_distance", "perceptual_hash"]

NEAR_BITS: Final = 4
"""Pictures whose hashes differ in at most this many bits look the same; the measurement is in docs/ranking.md."""

_SIDE: Final = 32
_LOW: Final = 8
_FAINT: Final = 8.0
"""Coefficients of smaller magnitude count as zero: in a flag they are rounding errors, and would be random bits."""
_CELLS: Final = 4
_LEVELS: Final = (-36, -12, 12, 36)
"""Where a cell's mean blue and red difference (0 is gray) sets a bit each, as a thermometer does."""
_DIGITS: Final = (_LOW * _LOW + _CELLS * _CELLS * 2 * len(_LEVELS)) // 4


def _cosines() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(8, 32): the lowest rows of the orthonormal DCT-II."""
    rows, columns = np.arange(_LOW)[:, None], np.arange(_SIDE)[None]
    basis = np.sqrt(2 / _SIDE) * np.cos(np.pi * rows * (2 * columns + 1) / (2 * _SIDE))
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, dtype=np.float64)


def perceptual_hash(image: Image.Image) -> str:
    """48 hexadecimal digits: 64 bits of shape, then 128 of colour. `image` is RGB, as `open_picture` gives it.

    Shape: which of the 8×8 lowest frequencies of the brightness are above their median (the pHash of Zauner 2010, with
    faint frequencies taken for zero). Colour: the mean colour differences of 4×4 cells, for flags and charts that
    differ in colour alone have the same shape.
    """
    light = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    basis = _cosines()
    found = (basis @ np.asarray(light, dtype=np.float64) @ basis.T).ravel()
    found[0] = 0  # the mean brightness is no shape
    found[np.abs(found) < _FAINT] = 0
    shape = found > max(0.0, float(np.median(found[1:])))
    small = image.resize((_CELLS * 4, _CELLS * 4), Image.Resampling.BOX).convert("YCbCr")
    cells = np.asarray(small.resize((_CELLS, _CELLS), Image.Resampling.BOX), dtype=np.float64)[..., 1:] - 128
    colour = cells[..., None] > np.asarray(_LEVELS, dtype=np.float64)
    return np.packbits(np.concatenate([shape, colour.ravel()])).tobytes().hex()


def hash_distance(first: str, second: str) -> int:
    """The number of bits in which two hashes differ. Raises InputError for what is no hash of `perceptual_hash`."""
    try:
        if len(first) == len(second) == _DIGITS:
            return (int(first, 16) ^ int(second, 16)).bit_count()
    except ValueError:
        pass
    raise InputError(f"picture hashes {first!r} and {second!r}", f"{_DIGITS} hexadecimal digits each")
