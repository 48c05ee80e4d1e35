"""Measures of a ranking, by ir-measures (which computes them with trec_eval's code).

Everything is computed over one order, trec_eval's own: by score as a 32-bit float, largest first, equal ones by
document id, last first. Other tools break ties otherwise; here every measure, the run file and the record agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rag.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["FAMILIES", "MEASURES", "aggregate", "deepest", "measures", "per_query", "ranked", "read_run", "write_run"]

MEASURES: Final = ("nDCG@10", "R@10", "hit@1", "hit@10", "RR@10", "P@10", "AP")
"""The measures of a run where no others are asked for."""

FAMILIES: Final[Mapping[str, str]] = {
    "nDCG": "nDCG",
    "R": "R",
    "hit": "Success",
    "P": "P",
    "AP": "AP",
    "RR": "RR",
    "Rprec": "Rprec",
    "Judged": "Judged",
}
"""Our names and those of ir-measures, without cutoffs.

`R@k` is recall: the share of the relevant documents among the first k. `hit@k` is 1 where any is among them, else 0:
CLIP's papers print that one as R@k. `AP` and `RR` are over the whole ranking. `Judged@k` is the share of the first k,
or of all where there are fewer, that somebody judged.
"""

_ALIASES: Final[dict[str, str]] = {
    "ndcg": "nDCG",
    "recall": "R",
    "success": "hit",
    "precision": "P",
    "map": "AP",
    "mrr": "RR",
    "r-prec": "Rprec",
}
_NEEDS_CUTOFF: Final = frozenset({"R", "hit", "P", "Judged"})
_TAKES_NO_CUTOFF: Final = frozenset({"Rprec"})
_NAME: Final = re.compile(r"([A-Za-z-]+)(?:@([1-9][0-9]*))?")

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]


def _library() -> ModuleType:
    try:
        import ir_measures
    except ImportError as exc:
        raise MissingExtra("evaluation", "eval") from exc
    library: ModuleType = ir_measures
    return library


def measures(given: str | Iterable[str] = ()) -> tuple[str, ...]:
    """The names of measures, each once, as results carry them; `MEASURES` for none.

    `given` is names, or one string of them between commas: `recall@10` is `R@10`, `MAP` is `AP`, `MRR@10` is `RR@10`.
    Raises InputError for a name that is none.
    """
    names = given.split(",") if isinstance(given, str) else given
    return tuple(dict.fromkeys(_canonical(name.strip()) for name in names if name.strip())) or MEASURES


def _canonical(name: str) -> str:
    match = _NAME.fullmatch(name)
    known = {ours.lower(): ours for ours in FAMILIES} | _ALIASES
    family = known.get(match.group(1).lower()) if match else None
    cutoff = match.group(2) if match else None
    if family is None or (cutoff is None and family in _NEEDS_CUTOFF) or (cutoff and family in _TAKES_NO_CUTOFF):
        raise InputError(
            f"unknown measure {name!r}",
            "allowed: nDCG@k, R@k (recall), hit@k, P@k, AP, AP@k, RR@k, Rprec, Judged@k",
            "as in --measures nDCG@10,R@100",
        )
    return f"{family}@{cutoff}" if cutoff else family


def deepest(names: Iterable[str]) -> int:
    """The largest cutoff of some measures; 0 where none has one."""
    return max((int(cutoff) for name in names if (cutoff := name.partition("@")[2])), default=0)


def ranked(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """(document, score), best first, in trec_eval's order (see the module)."""
    return sorted(scores.items(), key=lambda item: (np.float32(item[1]), item[0]), reverse=True)


@cache
def _parsed(names: tuple[str, ...]) -> dict[Any, str]:
    library = _library()
    parsed = {}
    for name in names:
        family, at, cutoff = name.partition("@")
        parsed[library.parse_measure(f"{FAMILIES[family]}{at}{cutoff}")] = name
    return parsed


def per_query(qrels: Qrels, run: Run, names: Sequence[str] = MEASURES) -> dict[str, dict[str, float]]:
    """Score every judged query: query → measure → value. A query that the run does not answer scores 0."""
    parsed = _parsed(tuple(names))
    scores = {query: dict.fromkeys(names, 0.0) for query in qrels}
    answered = {query: run[query] for query in qrels if run.get(query)}
    # Ranks instead of scores: the library's providers break ties each in its own way, and distinct ranks have none.
    places = {
        query: {document: float(len(hits) - place) for place, (document, _) in enumerate(ranked(hits))}
        for query, hits in answered.items()
    }
    result: Any
    for result in _library().iter_calc(list(parsed), qrels, places):
        scores[result.query_id][parsed[result.measure]] = float(result.value)
    return scores


def aggregate(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mean over all queries, measure by measure. Of no queries, 0 for the default measures."""
    names = next(iter(scores.values()), dict.fromkeys(MEASURES, 0.0))
    count = max(len(scores), 1)
    return {name: sum(row[name] for row in scores.values()) / count for name in names}


def write_run(path: Path, run: Run, tag: str = "triptych") -> None:
    """Write a ranking in TREC form: query, Q0, document, rank, score, tag. White space in an id becomes %20."""
    with path.open("w", encoding="utf-8") as file:
        for query, hits in run.items():
            for rank, (document, score) in enumerate(ranked(hits), 1):
                file.write(f"{trec_id(query)} Q0 {trec_id(document)} {rank} {score!r} {tag}\n")


def trec_id(id_: str) -> str:
    """The id as a TREC file can hold it."""
    return re.sub(r"\s", lambda space: f"%{ord(space.group()):02X}", id_)


def read_run(path: str | Path) -> dict[str, dict[str, float]]:
    """Query → document → score, of a run in TREC form. Raises InputError, with the line, for anything else.

    As in trec_eval the rank is not read; the score decides. A document that stands twice for a query is an error.
    """
    run: dict[str, dict[str, float]] = {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} cannot be read ({exc})", "allowed: a run in TREC form", "check the path") from exc
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        try:
            query, _, document, _, score, *_ = fields
            value = float(score)
        except ValueError as exc:
            raise InputError(
                f"{path}, line {number}: {line.strip()[:80]!r}",
                "allowed: query, Q0, document, rank, score, tag",
                "correct the line",
            ) from exc
        if document in run.setdefault(query, {}) or not np.isfinite(value):
            raise InputError(
                f"{path}, line {number}: document {document} of query {query} stands twice, or its score is no number",
                "allowed: each document once a query, with a finite score",
                "correct the line",
            )
        run[query][document] = value
    return run
