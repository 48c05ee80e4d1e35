"""`RunRecord`: one JSON file that holds a run whole: what was asked, what came back, and what repeats it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rag.errors import InputError

__all__ = ["FORMAT", "RecordedQuery", "RunRecord"]

FORMAT: Final = 1
"""Version of the file's form. A reader refuses a file of another one."""


@dataclass(frozen=True)
class RecordedQuery:
    """A query as it was asked."""

    id: str
    text: str = ""
    image: str = ""
    """Path of the picture, relative to the dataset folder where it lies within; empty for a question in words."""
    type: str = ""
    filter: str = ""


@dataclass(frozen=True)
class RunRecord:
    """One run of one task of one dataset. Every query of the run is in `queries` and `scores`, answered or not."""

    dataset: str
    digest: str
    """sha256 (hex) over the rows, pictures, queries and qrels of the whole task (before a sample is drawn)."""
    folder: str
    """The dataset folder as it was given; `evals.datasets.load(folder, task)` finds texts and pictures of documents."""
    task: str
    queries: tuple[RecordedQuery, ...]
    qrels: Mapping[str, Mapping[str, int]]
    """Query → document → relevance, for the queries of the run."""
    ranking: Mapping[str, tuple[tuple[str, float], ...]]
    """Query → (document, score), best first. A query without hits has an empty one."""
    scores: Mapping[str, Mapping[str, float]]
    """Query → measure → value."""
    metrics: Mapping[str, float]
    """Measure → mean over all queries."""
    slices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """`type=NAME`, `modality=NAME` or `FIELD=VALUE` → measure → mean."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """encoder, fusion, weights, k, depth, sample, seed, measures, versions and what else decides the outcome."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """index, search (whole), and per query: per_query (mean), p50, p95."""
    index: Mapping[str, Any] = field(default_factory=dict)
    """points; bytes on disk; how many rows and queries were encoded, how many vectors came from the cache."""
    created_at: str = ""
    """ISO 8601, UTC."""

    def to_json(self) -> dict[str, Any]:
        """The record as its file holds it."""
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in ("dataset", "digest", "folder", "task", "created_at")},
            "metrics": dict(self.metrics),
            "slices": {name: dict(values) for name, values in self.slices.items()},
            "settings": dict(self.settings),
            "seconds": dict(self.seconds),
            "index": dict(self.index),
            "queries": [asdict(query) for query in self.queries],
            "qrels": {query: dict(grades) for query, grades in self.qrels.items()},
            "scores": {query: dict(values) for query, values in self.scores.items()},
            "ranking": {query: [[document, score] for document, score in hits] for query, hits in self.ranking.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunRecord:
        """The record of a parsed file. Raises InputError where it is of another form."""
        given = document.get("format") if isinstance(document, Mapping) else None
        if given != FORMAT:
            raise InputError(
                f"no run record of format {FORMAT} (format {given!r})",
                "allowed: a file that triptych eval run --record wrote",
                "run it again",
            )
        try:
            fields = {name: value for name, value in document.items() if name != "format"}
            fields["queries"] = tuple(RecordedQuery(**query) for query in fields["queries"])
            fields["ranking"] = {
                query: tuple((str(doc), float(score)) for doc, score in hits)
                for query, hits in fields["ranking"].items()
            }
            return cls(**fields)
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise InputError(
                f"a damaged run record ({exc})", "allowed: a file that triptych eval run --record wrote", "run it again"
            ) from exc

    def save(self, path: str | Path) -> None:
        """Write the record as one JSON document. Raises InputError where the file cannot be written."""
        try:
            Path(path).write_text(json.dumps(self.to_json(), ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as exc:
            raise InputError(f"{path} cannot be written ({exc.strerror})", advice="choose another file") from exc

    @classmethod
    def load(cls, path: str | Path) -> RunRecord:
        """Read a record. Raises InputError for a file that is missing or of another form."""
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as exc:
            raise InputError(
                f"{path} cannot be read ({exc.strerror})",
                "allowed: a file that triptych eval run --record wrote",
                "check the path",
            ) from exc
        except ValueError as exc:
            raise InputError(
                f"{path} is no JSON ({exc})", "allowed: a file that triptych eval run --record wrote", "run it again"
            ) from exc
        try:
            return cls.from_json(document)
        except InputError as exc:
            raise InputError(f"{path}: {exc.given}", exc.allowed, exc.advice) from exc
