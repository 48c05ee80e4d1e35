"""Fusion of leg scores: pure functions on arrays.

A candidate list is a matrix `(n, legs)` of raw scores, NaN where a point lacks the leg. A normalizer maps one leg's
column to comparable numbers and keeps its order; `fuse` adds the weighted columns up. All but `calibrated` see the
candidates of the one question only, so their scores compare hits of one question, not of two. Convex combination of
normalized scores: Bruch et al., arXiv 2210.11934. Reciprocal rank fusion: Cormack et al., SIGIR 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rag.errors import InputError
from rag.schema import TIE, Scale

__all__ = ["CALIBRATED", "NORMALIZERS", "calibrated", "dbsf", "fuse", "minmax", "normalizers", "rrf", "zscore"]

Column: TypeAlias = NDArray[np.float64]
Normalizer: TypeAlias = Callable[[Column], Column]

CALIBRATED = "calibrated"
EQUAL = 1e-5
"""Scores that span less than this (relative above 1) are equal: engines differ by float32 rounding, about 3e-7."""


def calibrated(scores: Column, scale: Scale) -> Column:
    """Map linearly by what is known of the leg before the question was asked; see `rag.calibration`."""
    return (scores - scale.zero) * scale.slope


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


def settled(scores: Column) -> Column:
    """Give scores that only rounding tells apart one value, so that every engine sees the same ties."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    apart = -np.diff(falling) > TIE * np.maximum(1.0, np.abs(falling[:-1]))
    first = np.maximum.accumulate(np.where(np.append(True, apart), np.arange(scores.size), 0))
    result = np.empty_like(scores)
    result[order] = falling[first]
    return result


def _equal(scores: Column) -> bool:
    return scores.size == 0 or bool(np.ptp(scores) <= EQUAL * max(1.0, float(np.abs(scores).max())))


NORMALIZERS: Mapping[str, Normalizer] = {"zscore": zscore, "minmax": minmax, "dbsf": dbsf, "rrf": rrf}


def normalizers(name: str, scales: Sequence[Scale]) -> list[Normalizer]:
    """The normalizer of each leg, whose scales matter to `calibrated` alone; `rrf(20)` sets the constant of rrf.

    Raises InputError for a name that is none.
    """
    if name == CALIBRATED:
        return [partial(calibrated, scale=scale) for scale in scales]
    return [_by_question(name)] * len(scales)


def _by_question(name: str) -> Normalizer:
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
        f"allowed: {CALIBRATED}, {', '.join(NORMALIZERS)} and rrf(K) with K above 0",
        "choose one of them with --fusion",
    )


def fuse(
    raw: NDArray[np.float64], weights: Column, normalize: Sequence[Normalizer]
) -> tuple[Column, NDArray[np.float64]]:
    """Fuse raw scores `(n, legs)`, NaN where a leg is absent, with `weights` (legs,) of 0 or more, a normalizer a leg.

    Returns (scores (n,), normalized (n, legs)); absent entries are normalized to 0, and
    `scores == normalized @ weights`. Under `calibrated` an absent leg thus counts as one that scores like unrelated
    things do, under `zscore` as an average candidate's.
    """
    present = ~np.isnan(raw)
    normalized = np.zeros_like(raw)
    for leg, of_leg in enumerate(normalize):
        rows = present[:, leg]
        if rows.any():
            normalized[rows, leg] = of_leg(settled(raw[rows, leg]))
    return normalized @ weights, normalized
