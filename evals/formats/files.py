"""The files that several formats share: JSON lines of rows and queries, relevance judgements."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from evals.formats.found import Found
from evals.schema import Query, Row, Task
from rag.errors import InputError
from rag.schema import Modality

__all__ = ["assemble", "json_lines", "query_of", "read_qrels", "row_of", "text_of"]

_ROW: Final = frozenset({"id", "_id", "kind", "image", "metadata"})
_QUERY: Final = frozenset({"id", "_id", "query", "text", "image", "type", "filter", "metadata"})
_HEADERS: Final = frozenset({"score", "relevance", "rel", "label"})


def text_of(file: Path) -> str:
    """The file as UTF-8. Raises InputError where it is not, or cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise InputError(f"{file} cannot be read ({exc.strerror})", advice="check the path") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{file} is not UTF-8 (byte {exc.start})", "allowed: UTF-8", "convert the file") from exc


def json_lines(file: Path, keys: tuple[str, ...] = ("id", "_id")) -> Iterator[dict[str, Any]]:
    """The records of a file, one JSON object a line, each with a string `id`. Raises InputError and names the line."""
    for number, line in enumerate(text_of(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as exc:
            raise InputError(f"{file}, line {number} is no JSON: {exc.msg}", advice="correct the line") from exc
        if not isinstance(record, dict):
            raise InputError(f"{file}, line {number} is no JSON object", advice="correct the line")
        yield with_id(record, keys, f"{file}, line {number}")


def with_id(record: dict[str, Any], keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The record with its id, found under one of `keys`, as the string `id`."""
    id_ = next((record[key] for key in keys if record.get(key) not in (None, "")), None)
    if not isinstance(id_, str | int) or isinstance(id_, bool):
        raise InputError(f"{where} has no id", f"allowed: a string under {' or '.join(keys)}", "correct the line")
    return {**record, "id": str(id_)}


def row_of(root: Path, task: Task, record: Mapping[str, Any]) -> Row | None:
    """The row of a corpus record; None where the task leaves its kind out. Raises InputError for an unknown kind."""
    kind: Modality = "image" if record.get("kind") == "image" else "text"
    if record.get("kind", "text") not in ("text", "image"):
        raise InputError(f"row {record['id']} is of kind {record['kind']!r}", "allowed: text, image", "correct corpus")
    if kind not in task.kinds:
        return None
    metadata = {name: record[name] for name in task.metadata if record.get(name) is not None}
    words = _words(record, task.text if kind == "text" else task.caption)
    # `Path(…) / ""` is the folder itself, which is no file: a picture without a path counts as missing.
    image = root / str(record.get("image") or "") if kind == "image" else None
    return Row(record["id"], kind, words, image, metadata, _fields(record, _ROW))


def query_of(root: Path, record: Mapping[str, Any]) -> Query:
    """The query of a record. Its picture's path need not exist."""
    image = record.get("image")
    return Query(
        record["id"],
        str(record.get("query") or record.get("text") or "").strip(),
        root / str(image) if image else None,
        str(record.get("type") or ""),
        str(record.get("filter") or ""),
        _fields(record, _QUERY),
    )


def assemble(
    root: Path,
    task: Task,
    corpus: Iterable[dict[str, Any]],
    questions: Iterable[dict[str, Any]],
    qrels: Mapping[str, Mapping[str, int]],
    name: str = "",
) -> Found:
    """The rows and queries of records. A task that names query types takes those alone."""
    documents, rows, asked, queries = [], [], [], []
    for record in corpus:
        documents.append(record["id"])
        if row := row_of(root, task, record):
            rows.append(row)
    for record in questions:
        asked.append(record["id"])
        query = query_of(root, record)
        # A question that can only be answered by following a link is not one the index can answer.
        if not (task.queries and query.type not in task.queries) and not record.get("needs_external_link"):
            queries.append(query)
    return Found(name or root.name, task, tuple(rows), tuple(queries), qrels, tuple(documents), tuple(asked))


def read_qrels(file: Path) -> dict[str, dict[str, int]]:
    """Query → document → relevance, of a TREC file (query, iteration, document, relevance) or BEIR's three columns.

    Raises InputError, with the line, for anything else and for two different judgements of one pair.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text_of(file).splitlines(), 1):
        fields = [part.strip() for part in line.split("\t")] if line.count("\t") >= 2 else line.split()
        if not any(fields) or (number == 1 and fields[-1].lower() in _HEADERS):
            continue
        where = f"{file}, line {number}: {line.strip()!r}"
        try:
            if len(fields) not in (3, 4):
                raise IndexError
            query, document, grade = fields[0], fields[-2], int(fields[-1])
        except (IndexError, ValueError) as exc:
            raise InputError(where, "allowed: query, 0, document, relevance", "correct the line") from exc
        if qrels.setdefault(query, {}).setdefault(document, grade) != grade:
            raise InputError(f"{where} contradicts an earlier line", "one judgement a pair", "correct the line")
    return qrels


def _words(record: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    return " ".join(text for name in fields if (text := str(record.get(name) or "").strip()))


def _fields(record: Mapping[str, Any], taken: frozenset[str]) -> dict[str, Any]:
    nested = record.get("metadata")
    own = {name: value for name, value in record.items() if name not in taken}
    return {**nested, **own} if isinstance(nested, Mapping) else own
