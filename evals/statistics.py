"""Paired statistics of two runs over the same queries. Pure: arrays in, numbers out; seeded, so that they repeat.

Every function takes the differences run − baseline, one a query: `(n,) float64`, finite, in the order of the queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rag.errors import InputError

__all__ = ["SAME", "Outcomes", "bootstrap_interval", "effect_size", "holm", "outcomes", "randomization_test"]

SAME: Final = 1e-9
"""Scores that differ by no more than this are equal: they differ by the rounding of sums alone."""

_EXACT: Final = 16
"""Up to this many queries that differ, every one of the 2^n assignments of signs is looked at."""

_CELLS: Final = 1 << 22
"""Numbers drawn at a time, so that memory stays small whatever the number of queries."""

Differences = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """On how many queries the run is better than the baseline, worse, and equal (to `SAME`)."""

    wins: int
    losses: int
    ties: int


def randomization_test(differences: ArrayLike, *, seed: int = 0, samples: int = 50_000) -> float:
    """Two-sided p of the paired randomization (sign flip) test of a mean difference of 0; in (0, 1].

    Under the null hypothesis a query's two scores might as well be swapped: p is the share of assignments of signs
    whose mean is at least as far from 0 as the one observed. Exact where at most 16 queries differ; else `samples`
    seeded draws, the observed assignment counted as one more, so that p is never 0 and the test stays valid.
    Symmetric: runs in the other order have the same p.

    Raises InputError without differences. Source: Smucker, Allan and Carterette, CIKM 2007; the +1: Phipson and
    Smyth, 2010.
    """
    values = _checked(differences)
    values = values[np.abs(values) > SAME]  # a query without a difference has the same sum under either sign
    if not len(values):
        return 1.0
    observed = abs(values.sum()) - SAME * np.abs(values).sum()
    if len(values) <= _EXACT:
        signs = 1.0 - 2.0 * (np.arange(1 << len(values))[:, None] >> np.arange(len(values)) & 1)
        return float(np.mean(np.abs(signs @ values) >= observed))
    generator = np.random.default_rng(seed)
    extreme = 0
    for count in _chunks(samples, len(values)):
        flipped = generator.integers(0, 2, (count, len(values)), dtype=np.uint8)
        extreme += int(np.count_nonzero(np.abs(values.sum() - 2.0 * (flipped @ values)) >= observed))
    return (extreme + 1) / (samples + 1)


def bootstrap_interval(
    differences: ArrayLike, *, confidence: float = 0.95, seed: int = 0, samples: int = 10_000
) -> tuple[float, float]:
    """Bootstrap interval (BCa) of the mean difference: queries are drawn with replacement, both scores together.

    Always low ≤ high; equal differences give an interval of width 0.

    Raises InputError with fewer than two differences, which show nothing about their spread, or where `confidence` is
    not between 0 and 1. Source: Efron and Tibshirani, An Introduction to the Bootstrap, 14.3; for retrieval, Sakai,
    SIGIR 2006.
    """
    values = _checked(differences)
    if len(values) < 2:
        raise InputError("1 query", "an interval needs at least 2", "compare over more queries")
    if not 0 < confidence < 1:
        raise InputError(f"confidence {confidence:g}", "allowed: between 0 and 1", "such as 0.95")
    mean = float(values.mean())
    if np.ptp(values) <= SAME:
        return mean, mean
    generator = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            values[generator.integers(0, len(values), (count, len(values)))].mean(axis=1)
            for count in _chunks(samples, len(values))
        ]
    )
    low, high = np.quantile(drawn, _bca_levels(values, mean, drawn, confidence))
    return float(low), float(high)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Holm-Bonferroni: p values corrected for being several, in the order given; never smaller than what was given.

    Holds the chance of even one false alarm among them, however the comparisons depend on each other. Source: Holm,
    Scandinavian Journal of Statistics 6, 1979.
    """
    corrected = [0.0] * len(ps)
    running = 0.0
    for rank, position in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        running = max(running, min(1.0, (len(ps) - rank) * ps[position]))
        corrected[position] = running
    return tuple(corrected)


def outcomes(differences: ArrayLike) -> Outcomes:
    """Wins, losses and ties of the run; they add up to the number of queries."""
    values = _checked(differences)
    wins, losses = int(np.count_nonzero(values > SAME)), int(np.count_nonzero(values < -SAME))
    return Outcomes(wins, losses, len(values) - wins - losses)


def effect_size(differences: ArrayLike) -> float | None:
    """Mean difference in units of its standard deviation over the queries; 0 where nothing differs.

    None where it is not defined: one query, or the same difference at every query. Source: Sakai, SIGIR Forum 48(1),
    2014.
    """
    values = _checked(differences)
    if np.abs(values).max() <= SAME:
        return 0.0
    if len(values) < 2 or np.ptp(values) <= SAME:
        return None
    return float(values.mean() / values.std(ddof=1))


def _checked(differences: ArrayLike) -> Differences:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise InputError(
            f"differences of shape {values.shape}", "one finite number a query, at least one", "score the queries first"
        )
    return values


def _chunks(samples: int, width: int) -> Iterator[int]:
    step = max(1, _CELLS // width)
    for start in range(0, samples, step):
        yield min(step, samples - start)


def _bca_levels(values: Differences, mean: float, drawn: Differences, confidence: float) -> tuple[float, float]:
    """The two quantiles of the bootstrap means, corrected for bias and for skew."""
    normal = NormalDist()
    below = (np.count_nonzero(drawn < mean) + np.count_nonzero(drawn <= mean)) / (2 * len(drawn))
    bias = normal.inv_cdf(min(max(below, 0.5 / len(drawn)), 1 - 0.5 / len(drawn)))
    # The jackknife of a mean has a closed form: leaving a value out moves it by −(value − mean) / (n − 1).
    centred = values - mean
    acceleration = float((centred**3).sum() / (6 * (centred**2).sum() ** 1.5))
    levels = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + normal.inv_cdf(tail)
        room = 1 - acceleration * z
        levels.append(normal.cdf(bias + z / room) if room > 0 else float(z > 0))
    return levels[0], levels[1]
