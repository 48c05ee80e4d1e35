"""Measures of a ranking, by ir-measures (which computes them with trec_eval's code)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import MissingExtra

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["MEASURES", "aggregate", "per_query", "write_run"]

MEASURES: Mapping[str, str] = {
    "nDCG@10": "nDCG@10",
    "R@10": "R@10",
    "hit@1": "Success@1",
    "hit@10": "Success@10",
    "RR@10": "RR@10",
}
"""Our names and those of ir-measures. `hit@k` is 1 where a relevant document is among the first k, else 0."""

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]


def _library() -> ModuleType:
    try:
        import ir_measures
    except ImportError as exc:
        raise MissingExtra("evaluation", "eval") from exc
    library: ModuleType = ir_measures
    return library


def per_query(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Score every judged query: query → measure → value. A query that the run does not answer scores 0."""
    library = _library()
    parsed = {library.parse_measure(theirs): ours for ours, theirs in MEASURES.items()}
    scores = {query: dict.fromkeys(MEASURES, 0.0) for query in qrels}
    result: Any
    for result in library.iter_calc(list(parsed), qrels, run):
        scores[result.query_id][parsed[result.measure]] = float(result.value)
    return scores


def aggregate(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mean over all queries, measure by measure."""
    count = max(len(scores), 1)
    return {name: sum(row[name] for row in scores.values()) / count for name in MEASURES}


def write_run(path: Path, run: Run, tag: str = "triptych") -> None:
    """Write a ranking in TREC form: query, Q0, document, rank, score, tag."""
    with path.open("w", encoding="utf-8") as file:
        for query, ranking in run.items():
            ordered = sorted(ranking.items(), key=lambda item: (-item[1], item[0]))
            for rank, (document, score) in enumerate(ordered, 1):
                file.write(f"{query} Q0 {document} {rank} {score!r} {tag}\n")
