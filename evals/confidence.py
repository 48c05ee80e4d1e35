"""What a hit's confidence is worth: of the hits that claim 0.7, are seven in ten relevant?

Questions of the dataset are asked, and as many of another one, which nothing in the collection can answer. Every hit's
confidence is held against what the qrels say; a hit for a foreign question is never relevant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evals.datasets import load
from evals.offline import Progress, indexed
from evals.schema import Dataset, Query
from rag.calibration import confidence
from rag.corpus import Corpus
from rag.errors import InputError
from rag.fusion import CALIBRATED
from rag.question import Question

__all__ = ["Reliability", "measure", "reliability_folder", "reliability_lines"]

HITS: Final = 10
"""Hits of a question that are looked at."""
BINS: Final = 10


@dataclass(frozen=True)
class Bin:
    """Hits of like confidence."""

    predicted: float
    """Mean confidence."""
    observed: float
    """Share that is relevant."""
    hits: int


@dataclass(frozen=True)
class Reliability:
    """How confidences fare on one dataset."""

    dataset: str
    task: str
    questions: int
    foreign: int
    """Questions of the other dataset."""
    bins: tuple[Bin, ...]
    error: float
    """Expected calibration error: mean |predicted - observed| over the hits (Guo et al., arXiv 1706.04599)."""
    separation: float
    """Chance that the best hit of a question of the dataset is more confident than that of a foreign one."""
    fitted: tuple[float, float]
    """Intercept and slope of the logistic curve that would fit these hits best."""

    def to_json(self) -> dict[str, Any]:
        """The result as `triptych eval confidence --json` prints it."""
        return {
            "dataset": self.dataset,
            "task": self.task,
            "questions": self.questions,
            "foreign": self.foreign,
            "bins": [vars(one) for one in self.bins],
            "error": self.error,
            "separation": self.separation,
            "fitted": {"intercept": self.fitted[0], "slope": self.fitted[1]},
        }


def measure(
    dataset: Dataset, corpus: Corpus, foreign: Dataset, *, sample: int, seed: int, progress: Progress | None = None
) -> Reliability:
    """Ask `sample` questions of either dataset over an index of the first. Raises InputError for questions without
    words."""
    rng = np.random.default_rng(seed)
    own, others = _drawn(dataset, sample, rng), _drawn(foreign, sample, rng)
    retriever = corpus.as_retriever(k=HITS, fusion=CALIBRATED)
    rows: list[tuple[float, bool]] = []
    best: dict[bool, list[float]] = {True: [], False: []}
    for number, (query, at_home) in enumerate([*((q, True) for q in own), *((q, False) for q in others)], 1):
        hits = retriever.search(Question(query.text))
        grades = dataset.qrels.get(query.id, {}) if at_home else {}
        rows += [(float(hit.score or 0.0), grades.get(str(hit.node.metadata["row"]), 0) > 0) for hit in hits]
        best[at_home].append(float(hits[0].score or 0.0) if hits else -np.inf)
        if progress:
            progress(number, len(own) + len(others))
    scores, relevant = np.array([score for score, _ in rows]), np.array([right for _, right in rows])
    return Reliability(
        dataset=dataset.name,
        task=dataset.task.name,
        questions=len(own),
        foreign=len(others),
        bins=(bins := _bins(scores, relevant)),
        error=sum(abs(one.predicted - one.observed) * one.hits for one in bins) / max(len(rows), 1),
        separation=_separation(best[True], best[False]),
        fitted=fit(scores, relevant),
    )


def _drawn(dataset: Dataset, sample: int, rng: np.random.Generator) -> list[Query]:
    asked = [query for query in dataset.queries if query.text.strip() and not query.filter]
    if not asked:
        raise InputError(
            f"{dataset.name} has no questions in words", "allowed: tasks with words", "choose another task"
        )
    chosen = rng.choice(len(asked), min(sample, len(asked)), replace=False)
    return [asked[place] for place in sorted(chosen)]


def _bins(scores: NDArray[np.float64], relevant: NDArray[np.bool_]) -> tuple[Bin, ...]:
    claimed = np.array([confidence(score) for score in scores])
    place = np.minimum((claimed * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(float(claimed[place == one].mean()), float(relevant[place == one].mean()), int((place == one).sum()))
        for one in np.unique(place)
    )


def _separation(own: Sequence[float], foreign: Sequence[float]) -> float:
    ours, theirs = np.array(own)[:, None], np.array(foreign)[None, :]
    return float(((ours > theirs) + 0.5 * (ours == theirs)).mean())


def fit(scores: NDArray[np.float64], relevant: NDArray[np.bool_]) -> tuple[float, float]:
    """Logistic regression on one number, by Newton's method: intercept and slope."""
    design = np.column_stack([np.ones_like(scores), scores])
    beta = np.zeros(2)
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ beta))
        slope = design.T @ (relevant - chance)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return float(beta[0]), float(beta[1])


def reliability_folder(
    folder: str | Path,
    foreign: str | Path,
    *,
    task: str = "",
    foreign_task: str = "",
    corpus: str | Path | None = None,
    encoder: str | None = None,
    sample: int = 300,
    seed: int = 0,
    progress: Progress | None = None,
) -> Reliability:
    """Index a dataset folder, in `corpus` or in a temporary folder, and hold its hits' confidences against qrels."""
    others = load(foreign, foreign_task)
    with indexed(folder, task, corpus=corpus, encoder=encoder, progress=progress) as (dataset, opened):
        return measure(dataset, opened, others, sample=sample, seed=seed, progress=progress)


def reliability_lines(result: Reliability) -> list[str]:
    """The result for the terminal."""
    return [
        f"{result.dataset}, task {result.task}: {result.questions} questions, and {result.foreign} foreign ones",
        "confidence  relevant   hits",
        *(f"{one.predicted:10.2f}  {one.observed:8.2f}  {one.hits:5}" for one in result.bins),
        f"calibration error {result.error:.3f}; fitted here: intercept {result.fitted[0]:.2f}, slope"
        f" {result.fitted[1]:.2f}",
        f"the best hit of an own question is more confident than that of a foreign one: {result.separation:.3f}",
    ]
