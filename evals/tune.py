"""Find weights, normalizer and depth on a training half of the queries; say on the other half what they are worth.

Every query's candidates are collected once; a setting is then tried in milliseconds, on arrays. A convex combination
learns its weights from few queries (Bruch et al., arXiv 2210.11934).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evals.metrics import per_query
from evals.offline import DEFAULT, Collected, Progress, Setting, Table, collect, indexed, rank
from evals.schema import Dataset
from evals.statistics import bootstrap_interval, randomization_test
from rag.corpus import Corpus
from rag.errors import InputError
from rag.fusion import NORMALIZERS
from rag.schema import LEGS

__all__ = ["MEASURE", "TuneResult", "search", "split", "tune", "tune_folder", "tune_lines"]

MEASURE: Final = "nDCG@10"
GRID: Final = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Weights that a leg is tried with."""
DEPTHS: Final = (20, 50, 100, 200)
SIGNIFICANT: Final = 0.05
_BETTER: Final = 1e-9


@dataclass(frozen=True)
class TuneResult:
    """What was found on the training queries, and what it is worth on the held-out ones."""

    dataset: str
    task: str
    setting: Setting
    train: Mapping[str, float]
    """`queries`, and the mean measure of `default` and `tuned`."""
    held_out: Mapping[str, float]
    """As `train`; `difference` (tuned − default), its 95 % bootstrap interval `low` to `high`, and `p` of the paired
    randomization test."""
    trials: int
    """Settings that were tried."""
    seed: int
    encoder: str

    @property
    def significant(self) -> bool:
        """Whether the held-out queries show a gain that chance does not explain (p below .05)."""
        return self.held_out["p"] < SIGNIFICANT and self.held_out["difference"] > 0

    @property
    def verdict(self) -> str:
        """One sentence on the gain."""
        if self.setting == DEFAULT:
            return "no setting was better than the default on the training queries"
        if self.significant:
            return "the gain on the held-out queries is significant"
        return "the gain on the held-out queries is not significant: keep the default unless you know better"

    def to_json(self) -> dict[str, Any]:
        """The result as `triptych eval tune --json` prints it."""
        return {
            "dataset": self.dataset,
            "task": self.task,
            "measure": MEASURE,
            "settings": self.setting.to_json(),
            "default": DEFAULT.to_json(),
            "train": dict(self.train),
            "held_out": dict(self.held_out),
            "significant": self.significant,
            "verdict": self.verdict,
            "trials": self.trials,
            "seed": self.seed,
            "encoder": self.encoder,
        }

    def to_toml(self) -> str:
        """The settings as `triptych.toml` of a corpus holds them, with where they come from."""
        weights = ", ".join(f"{leg} = {weight!r}" for leg, weight in zip(LEGS, self.setting.weights, strict=True))
        held = self.held_out
        return (
            f"# Found by triptych eval tune on {json.dumps(self.dataset)}, task {json.dumps(self.task)},"
            f" seed {self.seed}; encoder {json.dumps(self.encoder)}.\n"
            f"# Held-out {MEASURE}: {held['tuned']:.4f}, default {held['default']:.4f}"
            f" (95 % interval of the difference {held['low']:+.4f} to {held['high']:+.4f}, p = {held['p']:.3g}).\n"
            f"# {self.verdict[:1].upper()}{self.verdict[1:]}.\n"
            f"fusion = {json.dumps(self.setting.fusion)}\ndepth = {self.setting.depth}\nweights = {{ {weights} }}\n"
        )

    def write(self, file: Path) -> None:
        """Write the settings where `Corpus.open` reads them if `file` is `triptych.toml` in the corpus's folder."""
        try:
            file.write_text(self.to_toml(), encoding="utf-8")
        except OSError as exc:
            raise InputError(f"{file} cannot be written ({exc.strerror})", advice="choose another file") from exc


def split(collected: Sequence[Collected], seed: int = 0) -> tuple[list[Collected], list[Collected]]:
    """Halve the queries, type by type, at random: (training, held out). Raises InputError for fewer than 4 queries."""
    if len(collected) < 4:
        raise InputError(f"{len(collected)} queries", "allowed: 4 or more, to tune on one half", "add queries")
    generator = np.random.default_rng(seed)
    train: set[str] = set()
    for kind in sorted({one.type for one in collected}):
        members = [one.query for one in collected if one.type == kind]
        # The odd one goes to the half that is smaller so far, so that many small types do not fill one half.
        half = len(members) // 2 + (len(members) % 2 and 2 * len(train) < len(members))
        train |= {members[place] for place in generator.permutation(len(members))[:half]}
    return [one for one in collected if one.query in train], [one for one in collected if one.query not in train]


def search(table: Table, *, seed: int = 0, trials: int = 600) -> tuple[Setting, int]:
    """The setting with the best mean on the table among at most `trials`, and how many were tried.

    Coordinate search: from each start one setting after another (a leg's weight, the normalizer, the depth) is set to
    its best value until none helps. Starts: the default, each leg's weight raised, then random ones. Weights are scaled
    so that the largest is 1, for only their ratios matter. Of equals the first found stays, and the default is first.
    """
    means: dict[Setting, float] = {}
    legs = table.legs()
    generator = np.random.default_rng(seed)

    def mean(setting: Setting) -> float:
        if setting not in means:
            if len(means) >= trials:
                return -np.inf
            means[setting] = float(table.ndcg(setting).mean())
        return means[setting]

    best = DEFAULT
    mean(best)
    for start in _starts(legs, generator):
        found = _climb(start, legs, mean, generator)
        if mean(found) > mean(best) + _BETTER:
            best = found
        if len(means) >= trials or len(legs) < 2:
            break
    return best, len(means)


def _starts(legs: Sequence[int], generator: np.random.Generator) -> list[Setting]:
    raised = [_weighted(DEFAULT, {leg: 3.0}, legs) for leg in legs]
    drawn = [_weighted(DEFAULT, {leg: float(generator.choice(GRID[1:])) for leg in legs}, legs) for _ in range(8)]
    return [DEFAULT, *raised, *drawn]


def _climb(start: Setting, legs: Sequence[int], mean: Callable[[Setting], float], generator: Any) -> Setting:
    best = start
    coordinates = [*legs, "fusion", "depth"]
    while True:
        before = best
        for place in generator.permutation(len(coordinates)):
            for candidate in _along(best, coordinates[place], legs):
                if mean(candidate) > mean(best) + _BETTER:
                    best = candidate
        if best == before:
            return best


def _along(setting: Setting, coordinate: int | str, legs: Sequence[int]) -> list[Setting]:
    """The settings that differ from one in a single coordinate."""
    if coordinate == "fusion":
        return [replace(setting, fusion=name) for name in NORMALIZERS]
    if coordinate == "depth":
        return [replace(setting, depth=depth) for depth in DEPTHS]
    others = any(setting.weights[leg] > 0 for leg in legs if leg != coordinate)
    return [_weighted(setting, {int(coordinate): weight}, legs) for weight in GRID if weight > 0 or others]


def _weighted(setting: Setting, changed: Mapping[int, float], legs: Sequence[int]) -> Setting:
    """`setting` with other weights, scaled so that the largest of `legs` is 1; legs without scores keep theirs."""
    weights = [changed.get(leg, weight) for leg, weight in enumerate(setting.weights)]
    largest = max(weights[leg] for leg in legs)
    return replace(setting, weights=tuple(round(w / largest, 4) if leg in legs else w for leg, w in enumerate(weights)))


def tune(
    dataset: Dataset, corpus: Corpus, *, seed: int = 0, trials: int = 600, progress: Progress | None = None
) -> TuneResult:
    """Tune on a seeded half of the dataset's queries over an index of its rows, and measure on the other half.

    The held-out figures are those of `evals.metrics`, not of the quick table that the search uses. Weights and
    normalizer are found for rankings shorter than `depth`: a search for more hits than `depth` deepens its legs.
    """
    per_query(dataset.qrels, {})  # a missing extra is told before the work, not after it
    collected = collect(dataset, corpus, max(DEPTHS), progress)
    train, held_out = split(collected, seed)
    found, tried = search(Table(train, dataset.qrels), seed=seed, trials=trials)
    tuned, default = _measured(held_out, dataset, found), _measured(held_out, dataset, DEFAULT)
    low, high = bootstrap_interval(tuned - default, seed=seed)
    on_train = [float(_measured(train, dataset, setting).mean()) for setting in (DEFAULT, found)]
    return TuneResult(
        dataset=dataset.name,
        task=dataset.task.name,
        setting=found,
        train={"queries": len(train), "default": on_train[0], "tuned": on_train[1]},
        held_out={
            "queries": len(held_out),
            "default": float(default.mean()),
            "tuned": float(tuned.mean()),
            "difference": float((tuned - default).mean()),
            "low": low,
            "high": high,
            "p": randomization_test(tuned - default, seed=seed),
        },
        trials=tried,
        seed=seed,
        encoder=str(corpus.store.fingerprint),
    )


def _measured(collected: Sequence[Collected], dataset: Dataset, setting: Setting) -> NDArray[np.float64]:
    ranking = {one.query: rank(one, setting) for one in collected}
    scores = per_query({query: dataset.qrels[query] for query in ranking}, ranking)
    return np.array([scores[query][MEASURE] for query in ranking])


def tune_folder(
    folder: str | Path,
    task: str = "",
    *,
    corpus: str | Path | None = None,
    encoder: str | None = None,
    seed: int = 0,
    trials: int = 600,
    progress: Progress | None = None,
) -> TuneResult:
    """Index a dataset folder for a task, in `corpus` or in a temporary folder, and tune on it."""
    with indexed(folder, task, corpus=corpus, encoder=encoder, progress=progress) as (dataset, opened):
        return tune(dataset, opened, seed=seed, trials=trials, progress=progress)


def tune_lines(result: TuneResult) -> list[str]:
    """The result for the terminal."""
    train, held, setting = result.train, result.held_out, result.setting
    weights = ",".join(f"{leg}={weight:g}" for leg, weight in zip(LEGS, setting.weights, strict=True))
    return [
        f"{result.dataset}, task {result.task}: {result.trials} settings tried, seed {result.seed}",
        f"found     --weights {weights} --fusion {setting.fusion}, depth {setting.depth}",
        f"training  {train['queries']} queries  {MEASURE} default {train['default']:.4f}  tuned {train['tuned']:.4f}",
        f"held out  {held['queries']} queries  {MEASURE} default {held['default']:.4f}  tuned {held['tuned']:.4f}",
        f"          difference {held['difference']:+.4f}, 95 % interval {held['low']:+.4f} to {held['high']:+.4f},"
        f" randomization p = {held['p']:.3g}",
        f"          {result.verdict}",
    ]
