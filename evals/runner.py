"""Run the queries of a dataset against an index of its rows and measure the ranking."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.datasets import Dataset, Row, load
from evals.metrics import aggregate, per_query, write_run
from rag.corpus import Corpus
from rag.errors import InputError

if TYPE_CHECKING:
    from llama_index.core.schema import TextNode

__all__ = ["EvalResult", "evaluate", "index", "run"]

Progress = Callable[[int, int], None]

_ROWS = uuid.UUID("5f0b7bb0-7d0c-5d58-8b6e-3a1f0a8f3c11")


@dataclass(frozen=True)
class EvalResult:
    """Measures of one run, its ranking and per-query scores."""

    dataset: str
    task: str
    metrics: Mapping[str, float]
    slices: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, float]
    settings: Mapping[str, Any]
    ranking: Mapping[str, Mapping[str, float]]
    scores: Mapping[str, Mapping[str, float]]

    def write(self, run_file: Path | None = None, per_query_file: Path | None = None) -> None:
        """Write the ranking in TREC form, and the scores of each query as JSON lines."""
        if run_file:
            write_run(run_file, self.ranking)
        if per_query_file:
            with per_query_file.open("w", encoding="utf-8") as file:
                for query, values in self.scores.items():
                    file.write(json.dumps({"query": query, **values}) + "\n")

    def to_json(self) -> dict[str, Any]:
        """The result as `triptych eval run --json` prints it."""
        return {
            "dataset": self.dataset,
            "task": self.task,
            "queries": len(self.scores),
            "metrics": dict(self.metrics),
            "slices": {name: dict(values) for name, values in self.slices.items()},
            "seconds": dict(self.seconds),
            "settings": dict(self.settings),
        }


def evaluate(
    folder: str | Path,
    task: str = "",
    *,
    corpus: str | Path | None = None,
    encoder: str | None = None,
    k: int = 100,
    weights: Mapping[str, float] | None = None,
    fusion: str | None = None,
    progress: Progress | None = None,
) -> EvalResult:
    """Index a dataset folder for a task, in `corpus` or in a temporary folder, and measure its queries."""
    dataset = load(folder, task)
    per_query(dataset.qrels, {})  # a missing extra is told before the work, not after it
    with tempfile.TemporaryDirectory() as temporary, Corpus.open(corpus or temporary, encoder=encoder) as opened:
        started = time.perf_counter()
        index(dataset, opened, progress)
        indexed = time.perf_counter() - started
        result = run(dataset, opened, k=k, weights=weights, fusion=fusion)
    return replace(result, seconds={"index": indexed, **result.seconds})


def index(dataset: Dataset, corpus: Corpus, progress: Progress | None = None) -> None:
    """Store the rows that the corpus does not hold yet. Raises InputError where it holds another dataset's rows."""
    wanted = {row_id(row): row for row in dataset.rows}
    held = corpus.store.ids()
    strangers = held - set(wanted)
    if strangers:
        raise InputError(
            f"{corpus.name} holds {len(strangers)} nodes that are not rows of {dataset.name}, task {dataset.task.name}",
            advice="choose another folder with --corpus",
        )
    corpus.add_nodes([_node(id_, row) for id_, row in wanted.items() if id_ not in held], progress)


def run(
    dataset: Dataset,
    corpus: Corpus,
    *,
    k: int = 100,
    weights: Mapping[str, float] | None = None,
    fusion: str | None = None,
    progress: Progress | None = None,
) -> EvalResult:
    """Ask every query for its first `k` rows and measure the ranking. Unanswered queries count as 0."""
    ranking: dict[str, dict[str, float]] = {}
    started = time.perf_counter()
    for number, query in enumerate(dataset.queries, 1):
        hits = corpus.search(query.text, image=query.image, k=k, filters=query.filter, weights=weights, fusion=fusion)
        ranking[query.id] = {hit.metadata["row"]: hit.score for hit in hits}
        if progress:
            progress(number, len(dataset.queries))
    elapsed = time.perf_counter() - started
    scores = per_query(dataset.qrels, ranking)
    return EvalResult(
        dataset=dataset.name,
        task=dataset.task.name,
        metrics=aggregate(scores),
        slices=_slices(dataset, scores),
        seconds={"search": elapsed, "per_query": elapsed / len(dataset.queries)},
        settings={
            "encoder": str(corpus.store.fingerprint),
            "fusion": fusion or corpus.settings.fusion,
            "weights": dict(weights or {}),
            "k": k,
            "depth": corpus.settings.depth,
            "unopened_pictures": _unopened(corpus),
        },
        ranking=ranking,
        scores=scores,
    )


def _unopened(corpus: Corpus) -> int:
    """Pictures of the index that could not be opened, and are found by their words alone."""
    counts = corpus.store.counts()
    return int(counts["nodes"]["image"] - counts["vectors"]["image"])


def _slices(dataset: Dataset, scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The measures by query type, where there is more than one."""
    types = sorted({query.type for query in dataset.queries})
    if len(types) < 2:
        return {}
    return {
        f"type={name}": aggregate({query.id: scores[query.id] for query in dataset.queries if query.type == name})
        for name in types
    }


def row_id(row: Row) -> str:
    """UUIDv5 of a row's id and of what is indexed of it, so that another task's row is another point."""
    digest = hashlib.sha256(f"{row.modality}\0{row.text}".encode()).hexdigest()
    return str(uuid.uuid5(_ROWS, f"{row.id}\0{digest}"))


def _node(id_: str, row: Row) -> TextNode:
    from llama_index.core.schema import ImageNode, TextNode

    metadata = {"source": row.id, "row": row.id, **row.metadata}
    hidden = sorted(metadata)
    common: dict[str, Any] = {
        "id_": id_,
        "text": row.text,
        "metadata": {**metadata, "caption": row.text} if row.image and row.text else metadata,
        "excluded_embed_metadata_keys": [*hidden, "caption"],
        "excluded_llm_metadata_keys": [*hidden, "caption"],
    }
    if row.image:
        return ImageNode(image_path=str(Path(row.image).resolve()), **common)
    return TextNode(**common)
