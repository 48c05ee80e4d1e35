"""Evaluation datasets: a folder with `corpus.jsonl`, `queries.jsonl`, `qrels.tsv` and, per task, what is indexed.

BEIR folders (`_id`, `title`, `text`, `qrels/test.tsv`) are read too; their one task is called `default`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import InputError
from rag.schema import Modality

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Dataset", "Query", "Row", "Task", "load"]

DEFAULT_TASK = "default"


@dataclass(frozen=True)
class Row:
    """One document of the index: a passage, or a picture with the words that may be indexed with it."""

    id: str
    modality: Modality
    text: str
    """The passage; for a picture its caption (empty where the task leaves it out)."""
    image: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """One question in words, as a picture, or both."""

    id: str
    text: str
    image: Path | None = None
    type: str = ""
    filter: str = ""


@dataclass(frozen=True)
class Task:
    """Which queries and rows take part, and which fields of a row are indexed. A field not named is not indexed."""

    name: str
    queries: tuple[str, ...] = ()
    """Query types; empty for all."""
    kinds: tuple[str, ...] = ("text", "image")
    text: tuple[str, ...] = ("text",)
    caption: tuple[str, ...] = ("caption",)
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A dataset folder read for one task. `qrels`: query → document → relevance (an integer of 0 or more)."""

    name: str
    task: Task
    rows: tuple[Row, ...]
    queries: tuple[Query, ...]
    qrels: Mapping[str, Mapping[str, int]]


def load(folder: str | Path, task: str = "") -> Dataset:
    """Read a dataset folder for a task; the name may be left out where there is only one. Raises InputError."""
    root = Path(folder)
    if not (root / "corpus.jsonl").is_file() or not (root / "queries.jsonl").is_file():
        raise InputError(
            f"{folder} is no dataset folder",
            "it holds corpus.jsonl, queries.jsonl and qrels.tsv (or qrels/test.tsv)",
            "check the path",
        )
    name, tasks = _tasks(root)
    if not task and len(tasks) == 1:
        task = next(iter(tasks))
    if task not in tasks:
        raise InputError(
            f"unknown task {task!r} of {root.name}", f"allowed: {', '.join(tasks)}", "choose one with --task"
        )
    chosen = tasks[task]
    rows = tuple(_rows(root, chosen))
    judged = _qrels(root)
    known = {row.id for row in rows}
    queries = tuple(query for query in _queries(root, chosen) if query.id in judged)
    qrels = {
        query.id: {document: grade for document, grade in judged[query.id].items() if document in known}
        for query in queries
    }
    answerable = tuple(query for query in queries if any(qrels[query.id].values()))
    if not answerable:
        raise InputError(
            f"task {task!r} of {root.name} has no query with a relevant document", advice="check qrels and dataset.toml"
        )
    return Dataset(name, chosen, rows, answerable, {query.id: qrels[query.id] for query in answerable})


def _tasks(root: Path) -> tuple[str, dict[str, Task]]:
    file = root / "dataset.toml"
    if not file.is_file():
        return root.name, {DEFAULT_TASK: Task(DEFAULT_TASK, text=("title", "text"))}
    try:
        described = tomllib.loads(file.read_text(encoding="utf-8"))
        tasks = {
            name: Task(name, **{key: tuple(value) for key, value in fields.items()})
            for name, fields in described.get("tasks", {}).items()
        }
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as exc:
        raise InputError(
            f"{file} cannot be read: {exc}",
            "allowed in a task: lists named queries, kinds, text, caption, metadata",
            "correct the file",
        ) from exc
    return str(described.get("name", root.name)), tasks or {DEFAULT_TASK: Task(DEFAULT_TASK)}


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as exc:
                raise InputError(f"{file}, line {number} is no JSON: {exc.msg}", advice="correct the line") from exc
            record.setdefault("id", record.get("_id"))
            if not isinstance(record["id"], str) or not record["id"]:
                raise InputError(
                    f"{file}, line {number} has no id", "allowed: a string under id or _id", "correct the line"
                )
            yield record


def _rows(root: Path, task: Task) -> Iterator[Row]:
    for record in _json_lines(root / "corpus.jsonl"):
        kind: Modality = "image" if record.get("kind", "text") == "image" else "text"
        if kind not in task.kinds:
            continue
        metadata = {name: record[name] for name in task.metadata if record.get(name) is not None}
        if kind == "text":
            yield Row(record["id"], kind, _words(record, task.text), metadata=metadata)
            continue
        image = root / str(record.get("image", ""))
        if not image.is_file():
            raise InputError(
                f"picture {record.get('image')!r} of row {record['id']} is missing", advice="restore it or drop the row"
            )
        yield Row(record["id"], kind, _words(record, task.caption), image, metadata)


def _words(record: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    return " ".join(text for name in fields if (text := str(record.get(name) or "").strip()))


def _queries(root: Path, task: Task) -> Iterator[Query]:
    for record in _json_lines(root / "queries.jsonl"):
        kind = str(record.get("type", ""))
        # A question that can only be answered by following a link is not one the index can answer.
        if (task.queries and kind not in task.queries) or record.get("needs_external_link"):
            continue
        image = record.get("image")
        text = str(record.get("query") or record.get("text") or "")
        yield Query(record["id"], text, root / image if image else None, kind, str(record.get("filter") or ""))


def _qrels(root: Path) -> dict[str, dict[str, int]]:
    file = next((path for path in (root / "qrels.tsv", root / "qrels" / "test.tsv") if path.is_file()), None)
    if file is None:
        raise InputError(f"{root} has no qrels", "allowed: qrels.tsv or qrels/test.tsv", "add the relevance judgements")
    qrels: dict[str, dict[str, int]] = {}
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if not fields or (number == 1 and fields[-1] == "score"):
                continue
            try:
                query, document, grade = fields[0], fields[-2], int(fields[-1])
            except (IndexError, ValueError) as exc:
                raise InputError(
                    f"{file}, line {number}: {line.strip()!r}",
                    "allowed: query, 0, document, relevance",
                    "correct the line",
                ) from exc
            qrels.setdefault(query, {})[document] = grade
    return qrels
