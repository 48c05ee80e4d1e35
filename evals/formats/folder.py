"""Triptych's own form: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv`, and tasks in `dataset.toml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from evals.formats.files import assemble, json_lines, read_qrels, text_of
from evals.formats.found import Format, Found
from evals.schema import Task
from rag.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["FOLDER"]

DEFAULT_TASK: Final = "default"


def _fits(root: Path) -> bool:
    return (root / "corpus.jsonl").is_file() and (root / "queries.jsonl").is_file()


def _described(root: Path) -> tuple[str, dict[str, Task]]:
    file = root / "dataset.toml"
    if not file.is_file():
        return root.name, {DEFAULT_TASK: Task(DEFAULT_TASK, text=("title", "text"))}
    try:
        described = tomllib.loads(text_of(file))
        tasks = {
            name: Task(name, **{key: _names(key, value) for key, value in fields.items()})
            for name, fields in described.get("tasks", {}).items()
        }
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as exc:
        raise InputError(
            f"{file} cannot be read: {exc}",
            "allowed in a task: lists named queries, kinds, text, caption, metadata",
            "correct the file",
        ) from exc
    return str(described.get("name", root.name)), tasks or {DEFAULT_TASK: Task(DEFAULT_TASK)}


def _names(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{key} is no list of strings")
    return tuple(value)


def _tasks(root: Path) -> tuple[str, ...]:
    return tuple(_described(root)[1])


def _read(root: Path, task: str) -> Found:
    name, tasks = _described(root)
    judged = next((path for path in (root / "qrels.tsv", root / "qrels" / "test.tsv") if path.is_file()), None)
    if judged is None:
        raise InputError(f"{root} has no qrels", "allowed: qrels.tsv or qrels/test.tsv", "add the relevance judgements")
    corpus, queries = json_lines(root / "corpus.jsonl"), json_lines(root / "queries.jsonl")
    return assemble(root, tasks[task], corpus, queries, read_qrels(judged), name)


FOLDER: Final = Format("folder", "corpus.jsonl, queries.jsonl and qrels.tsv, with dataset.toml", _fits, _tasks, _read)
