"""Fusion of leg scores: pure functions on arrays.

A candidate list is a matrix `(n, legs)` of raw scores, NaN where a point lacks the leg. A normalizer maps one leg's
column to comparable numbers and keeps its order; `fuse` adds the weighted columns up. Convex combination of normalized
scores: Bruch et al., arXiv 2210.11934. Reciprocal rank fusion: Cormack et al., SIGIR 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rag.errors import InputError

__all__ = ["NORMALIZERS", "dbsf", "fuse", "minmax", "normalizer", "rrf", "zscore"]

Column: TypeAlias = NDArray[np.float64]
Normalizer: TypeAlias = Callable[[Column], Column]


EQUAL = 1e-5
"""Scores that span less than this (relative above 1) are equal: engines differ by float32 rounding, about 3e-7."""


def minmax(scores: Column) -> Column:
    """Map linearly to [0, 1]; equal scores (and a single one) map to 0.5."""
    if _equal(scores):
        return np.full_like(scores, 0.5)
    return np.asarray((scores - scores.min()) / np.ptp(scores), dtype=np.float64)


def zscore(scores: Column) -> Column:
    """Subtract the mean and divide by the standard deviation; equal scores (and a single one) map to 0."""
    if _equal(scores):
        return np.zeros_like(scores)
    return np.asarray((scores - scores.mean()) / scores.std(), dtype=np.float64)


def dbsf(scores: Column) -> Column:
    """Map mean ± 3 standard deviations to [0, 1] without clipping (distribution-based score fusion); equal: 0.5."""
    return zscore(scores) / 6 + 0.5


def rrf(scores: Column, k: float = 60.0) -> Column:
    """Return 1 / (k + rank) with 1-based ranks; equal scores share the better rank."""
    ranks = 1 + np.searchsorted(np.sort(-scores), -scores, side="left")
    return np.asarray(1.0 / (k + ranks), dtype=np.float64)


def _equal(scores: Column) -> bool:
    return scores.size == 0 or bool(np.ptp(scores) <= EQUAL * max(1.0, float(np.abs(scores).max())))


NORMALIZERS: Mapping[str, Normalizer] = {"zscore": zscore, "minmax": minmax, "dbsf": dbsf, "rrf": rrf}


def normalizer(name: str) -> Normalizer:
    """Find a normalizer by name; `rrf(20)` sets the constant of rrf. Raises InputError."""
    if name in NORMALIZERS:
        return NORMALIZERS[name]
    if name.startswith("rrf(") and name.endswith(")"):
        try:
            k = float(name[4:-1])
        except ValueError:
            k = -1.0
        if k > 0:
            return partial(rrf, k=k)
    raise InputError(
        f"unknown fusion {name!r}",
        f"allowed: {', '.join(NORMALIZERS)} and rrf(K) with K above 0",
        "choose one of them with --fusion",
    )


def fuse(raw: NDArray[np.float64], weights: Column, normalize: Normalizer) -> tuple[Column, NDArray[np.float64]]:
    """Fuse raw scores `(n, legs)`, NaN where a leg is absent, with `weights` (legs,) of 0 or more.

    Returns (scores (n,), normalized (n, legs)); absent entries are normalized to 0, and
    `scores == normalized @ weights`. Under `zscore` an absent leg thus counts as an average one.
    """
    present = ~np.isnan(raw)
    normalized = np.zeros_like(raw)
    for leg in range(raw.shape[1]):
        rows = present[:, leg]
        normalized[rows, leg] = normalize(raw[rows, leg])
    return normalized @ weights, normalized
