"""Run the queries of a dataset against an index of its rows and measure the ranking."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.datasets import Dataset, Query, load
from evals.indexing import index, row_id
from evals.metrics import aggregate, deepest, measures, per_query, ranked, read_run, trec_id, write_run
from evals.record import RecordedQuery, RunRecord
from evals.slices import check_fields, slices
from evals.versions import versions
from rag.corpus import Corpus
from rag.errors import InputError, PictureError

if TYPE_CHECKING:
    from llama_index.core.embeddings import MultiModalEmbedding

    from rag.retriever import FusionRetriever

__all__ = ["EvalResult", "evaluate", "index", "row_id", "run", "score_run"]

Progress = Callable[[int, int], None]

_EMBEDDINGS = "embeddings"
_COLLECTION = "qdrant"


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
    data: Dataset
    """What was run."""
    index: Mapping[str, Any] = field(default_factory=dict)
    """points, bytes on disk, texts and pictures encoded and reused."""
    created_at: str = ""

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

    def cost_line(self) -> str:
        """What the run took, for the terminal; empty where nothing was searched."""
        if not self.seconds:
            return ""
        seconds, index = self.seconds, self.index
        return (
            f"query {1000 * seconds['p50']:.1f} ms (median), {1000 * seconds['p95']:.1f} ms (95 %);"
            f" index {seconds.get('index', 0):.1f} s, {index['points']} points, {index['bytes'] / 1e6:.1f} MB"
        )

    def to_record(self) -> RunRecord:
        """The run as `triptych eval run --record` keeps it."""
        data = self.data
        return RunRecord(
            dataset=self.dataset,
            digest=data.digest,
            folder=str(data.folder),
            task=self.task,
            queries=tuple(_recorded(query, data.folder) for query in data.queries),
            qrels={query.id: dict(data.qrels[query.id]) for query in data.queries},
            ranking={query.id: tuple(ranked(self.ranking.get(query.id, {}))) for query in data.queries},
            scores=self.scores,
            metrics=self.metrics,
            slices=self.slices,
            settings=self.settings,
            seconds=self.seconds,
            index=self.index,
            created_at=self.created_at,
        )


def evaluate(
    folder: str | Path,
    task: str = "",
    *,
    corpus: str | Path | None = None,
    encoder: str | MultiModalEmbedding | None = None,
    k: int = 100,
    weights: Mapping[str, float] | None = None,
    fusion: str | None = None,
    depth: int | None = None,
    depths: Mapping[str, int] | None = None,
    measure: str | Iterable[str] = (),
    by: Sequence[str] = (),
    sample: int = 0,
    seed: int = 0,
    cache: str | Path | None = None,
    strict: bool = True,
    progress: Progress | None = None,
) -> EvalResult:
    """Index a dataset folder for a task, in `corpus` or in a temporary folder, and measure its queries.

    `measure` names measures (see `evals.metrics.measures`), `by` fields to slice by. With `sample` only so many queries
    are asked, drawn with `seed`. Vectors are kept in the folder `cache` [`embeddings` of the corpus]. With `strict`
    false, judgements of what exists nowhere are dropped instead of refused.
    """
    dataset = load(folder, task, strict=strict)
    if sample:
        dataset = dataset.sample(sample, seed)
    names = _checked(measure, k, dataset, by)
    with tempfile.TemporaryDirectory() as temporary, Corpus.open(corpus or temporary, encoder=encoder) as opened:
        from evals.cache import CachingEncoder, VectorCache, encoder_key

        inner = opened.encoder
        with VectorCache(cache or Path(corpus or temporary) / _EMBEDDINGS, encoder_key(inner), inner.dim) as kept:
            caching = CachingEncoder(inner, kept)
            wired = Corpus(opened.name, opened.root, opened.store, opened.settings, caching)
            started = time.perf_counter()
            index(dataset, wired, progress)
            indexed = time.perf_counter() - started
            rows = caching.counts
            result = run(
                dataset, wired, k=k, weights=weights, fusion=fusion, depth=depth, depths=depths, measure=names, by=by
            )
            asked = {name: count - rows[name] for name, count in caching.counts.items()}
    return replace(
        result,
        seconds={"index": indexed, **result.seconds},
        index={**result.index, **_counted("rows", rows), **_counted("queries", asked)},
    )


def run(
    dataset: Dataset,
    corpus: Corpus,
    *,
    k: int = 100,
    weights: Mapping[str, float] | None = None,
    fusion: str | None = None,
    depth: int | None = None,
    depths: Mapping[str, int] | None = None,
    measure: str | Iterable[str] = (),
    by: Sequence[str] = (),
    progress: Progress | None = None,
) -> EvalResult:
    """Ask every query for its first `k` rows and measure the ranking. Unanswered queries count as 0.

    A query whose picture cannot be opened is unanswered; the settings count those as `unopened_queries`. The seconds of
    a query hold its encoding, unless the corpus's encoder has its vector already.
    """
    names = _checked(measure, k, dataset, by)
    search: dict[str, Any] = {"weights": weights, "fusion": fusion, "depth": depth, "depths": depths}
    asking = corpus.as_retriever(k=k, **search)
    ranking: dict[str, dict[str, float]] = {}
    took: list[float] = []
    unopened = 0
    for number, query in enumerate(dataset.queries, 1):
        started = time.perf_counter()
        try:
            ranking[query.id] = _ask(corpus.as_retriever(k=k, filters=query.filter, **search), query)
        except PictureError:
            ranking[query.id], unopened = {}, unopened + 1
        took.append(time.perf_counter() - started)
        if progress:
            progress(number, len(dataset.queries))
    settings = {
        **_encoder_settings(corpus),
        "fusion": asking.fusion,
        "weights": dict(asking.weights),
        "k": k,
        "depth": asking.depth,
        "depths": dict(asking.depths),
        "unopened_pictures": _unopened(corpus),
        "unopened_queries": unopened,
    }
    result = _measured(dataset, ranking, names, by, settings)
    p50, p95 = (float(value) for value in np.percentile(took, [50, 95]))
    seconds = {"search": sum(took), "per_query": sum(took) / len(took), "p50": p50, "p95": p95}
    return replace(result, seconds=seconds, index={"points": corpus.store.count(), "bytes": _bytes(corpus)})


def score_run(
    folder: str | Path,
    run_file: str | Path,
    task: str = "",
    *,
    measure: str | Iterable[str] = (),
    by: Sequence[str] = (),
    strict: bool = True,
) -> EvalResult:
    """Measure another system's run, a file in TREC form, as if it were ours. Nothing is indexed or searched.

    Queries of the file that the task does not ask are ignored, and counted in the settings. Raises InputError where
    none is left.
    """
    dataset = load(folder, task, strict=strict)
    check_fields(dataset, by)
    given = read_run(run_file)
    documents = {trec_id(row.id): row.id for row in dataset.rows}
    ranking = {
        query.id: {documents.get(document, document): score for document, score in found.items()}
        for query in dataset.queries
        if (found := given.get(trec_id(query.id)))
    }
    if not ranking:
        raise InputError(
            f"{run_file} answers no query of {dataset.name}, task {dataset.task.name}",
            f"allowed: queries such as {dataset.queries[0].id}",
            "check the file and --task",
        )
    settings = {"run": Path(run_file).name, "ignored_queries": len(given) - len(ranking)}
    return _measured(dataset, ranking, measures(measure), by, settings)


def _checked(measure: str | Iterable[str], k: int, dataset: Dataset, by: Sequence[str]) -> tuple[str, ...]:
    """The names of the measures. What is wrong, a missing extra too, is told before the work, not after it."""
    names = measures(measure)
    if deepest(names) > k:
        raise InputError(
            f"{', '.join(names)} of rankings of {k}",
            f"allowed: measures of the first {k}",
            f"give -k {deepest(names)} or other --measures",
        )
    check_fields(dataset, by)
    per_query(dataset.qrels, {}, names)
    return names


def _ask(retriever: FusionRetriever, query: Query) -> dict[str, float]:
    from rag.question import Question

    found = retriever.search(Question(query.text, query.image))
    return {hit.node.metadata["row"]: float(hit.score or 0.0) for hit in found}


def _measured(
    dataset: Dataset,
    ranking: Mapping[str, Mapping[str, float]],
    names: tuple[str, ...],
    by: Sequence[str],
    settings: Mapping[str, Any],
) -> EvalResult:
    scores = per_query(dataset.qrels, ranking, names)
    return EvalResult(
        dataset=dataset.name,
        task=dataset.task.name,
        metrics=aggregate(scores),
        slices=slices(dataset, scores, by),
        seconds={},
        settings={
            **settings,
            "measures": list(names),
            "sample": len(dataset.queries) if dataset.whole else 0,
            "seed": dataset.seed,
            "queries_left_out": dataset.left_out,
            "dataset_digest": dataset.digest,
            "versions": versions(),
        },
        ranking=ranking,
        scores=scores,
        data=dataset,
        created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _encoder_settings(corpus: Corpus) -> dict[str, str]:
    mark = corpus.store.fingerprint
    return {"encoder": str(mark), "encoder_digest": mark.digest, "preprocessing": mark.preprocessing}


def _recorded(query: Query, folder: Path) -> RecordedQuery:
    image = query.image
    inside = image is not None and image.is_relative_to(folder)
    shown = "" if image is None else (image.relative_to(folder).as_posix() if inside else str(image))
    return RecordedQuery(query.id, query.text, shown, query.type, query.filter)


def _counted(what: str, counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{what}_{name}": count for name, count in counts.items()}


def _bytes(corpus: Corpus) -> int:
    """What the embedded index takes on the disk; 0 for a server and for memory."""
    if corpus.store.engine_kind != "embedded":
        return 0
    sizes = (file.stat() for file in (corpus.root / _COLLECTION).rglob("*") if file.is_file())
    # The engine reserves room ahead: where the system tells blocks, count what is really taken.
    return sum(getattr(state, "st_blocks", 0) * 512 or state.st_size for state in sizes)


def _unopened(corpus: Corpus) -> int:
    """Pictures of the index that could not be opened, and are found by their words alone."""
    counts = corpus.store.counts()
    return int(counts["nodes"]["image"] - counts["vectors"]["image"])
