"""Maximal marginal relevance: what a better hit already shows counts for less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rag.errors import InputError
from rag.question import Question
from rag.ranking.fused import FusedNode, behind
from rag.schema import Leg

__all__ = ["MMR", "VectorsOf", "similarities"]

VectorsOf: TypeAlias = Callable[[Sequence[str], Leg], Mapping[str, Sequence[float]]]
"""The stored vectors of one leg for the ids that have it, as `NamedVectorStore.vectors_of` gives them."""


@dataclass(frozen=True)
class MMR:
    """Order the first `depth` hits by maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998).

    There the next hit is the one with the highest λ·rel(d) − (1−λ)·max sim(d, chosen). Here rel is the score, scaled
    by the range R of the scores of the `depth` hits, and everything is multiplied by R/λ, which changes no order:
    score(d) − R·(1−λ)/λ · max sim(d, chosen). So scores keep their unit, the adjustment `mmr` is the price of
    repetition alone (never above 0), and λ = 1 changes nothing. The scores of what is chosen fall by construction.
    What lies below `depth` stays behind, in its order. Vectors are fetched once a kind. For sim see `similarities`.
    Raises InputError where λ is not above 0 and at most 1.
    """

    vectors_of: VectorsOf
    weight: float = 0.7
    """λ."""
    depth: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise InputError(f"mmr {self.weight}", "allowed: numbers above 0, up to 1", "as in --mmr 0.7")

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Order by marginal relevance."""
        head = ranking[: self.depth]
        if self.weight == 1 or len(head) < 2:
            return list(ranking)
        price = (1 - self.weight) / self.weight * (head[0].total - head[-1].total)
        scores = np.array([hit.total for hit in head], dtype=np.float64)
        sims = price * similarities(head, self.vectors_of)
        chosen: list[FusedNode] = []
        worth, left = scores.copy(), np.ones(len(head), dtype=bool)
        while left.any():
            best = int(np.argmax(np.where(left, worth, -np.inf)))
            chosen.append(head[best].moved("mmr", float(worth[best])))
            left[best] = False
            worth = np.minimum(worth, scores - sims[best])
        return [*chosen, *behind(chosen[-1].total, ranking[self.depth :], "mmr")]


def similarities(hits: Sequence[FusedNode], vectors_of: VectorsOf) -> NDArray[np.float64]:
    """(n, n), symmetric, in [0, 1]: how much more alike two hits are than two of these hits usually are.

    Two passages are compared by their `text` vectors, two pictures by their `image` vectors: max(0, cos − m)/(1 − m),
    with the mean cosine m of the pairs of that kind among `hits`. Without m every second passage would pay for
    being a passage: with CLIP two texts have a cosine of 0.74 on average, two pictures 0.60. A passage and a picture
    have similarity 0: that a figure and the words about it are both shown is what a mixed ranking is for. So has
    whatever lacks the vector.
    """
    found = np.zeros((len(hits), len(hits)))
    legs: dict[Leg, list[int]] = {"image": [], "text": []}
    for row, hit in enumerate(hits):
        legs["image" if hit.picture else "text"].append(row)
    for leg, rows in legs.items():
        vectors = vectors_of([hits[row].node_id for row in rows], leg) if len(rows) > 1 else {}
        here = np.array([row for row in rows if hits[row].node_id in vectors], dtype=np.intp)
        if len(here) > 1:
            matrix = np.array([vectors[hits[row].node_id] for row in here], dtype=np.float64)
            found[np.ix_(here, here)] = _above_mean(matrix)
    return found


def _above_mean(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, dim), not zero → (n, n) in [0, 1]."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    mean = float(cosines[np.triu_indices(len(unit), 1)].mean())
    if mean > 1 - 1e-6:
        return np.ones_like(cosines)
    return np.asarray(np.clip((cosines - mean) / (1 - mean), 0.0, 1.0), dtype=np.float64)
