"""MTEB: the folders (or file prefixes) `corpus`, `queries` and `qrels`, as JSON lines or Parquet, with pictures.

A record is a picture where it has one; its `text` is then the caption. Pictures inside Parquet files are written once,
under their digest, to the folder `.pictures` of the dataset. The split of `qrels` is the task; rows and queries of that
split are taken where there are such, else all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from evals.formats.files import assemble, json_lines, read_qrels, with_id
from evals.formats.found import Format, Found
from evals.schema import Task
from rag.errors import InputError, MissingExtra

__all__ = ["MTEB"]

_CORPUS_ID: Final = ("id", "_id", "corpus-id", "corpus_id", "docid")
_QUERY_ID: Final = ("id", "_id", "query-id", "query_id", "qid")
_GRADE: Final = ("score", "relevance", "label")
_SHARD: Final = re.compile(r"-\d+-of-\d+$")
_ENDINGS: Final = (".jsonl", ".parquet", ".tsv")
_PICTURES: Final = ".pictures"


def _parts(root: Path, name: str) -> dict[str, list[Path]]:
    """Split → files, in order, of `name/` or `name-…`."""
    within = [file for file in sorted((root / name).glob("*")) if file.suffix in _ENDINGS]
    beside = [file for file in sorted(root.glob(f"{name}-*")) if file.suffix in _ENDINGS]
    parts: dict[str, list[Path]] = {}
    for file in within or beside:
        split = _SHARD.sub("", file.stem)
        parts.setdefault("test" if file in beside and split == name else split, []).append(file)
    return parts


def _questions(root: Path) -> dict[str, list[Path]]:
    return _parts(root, "queries") or _parts(root, "query")


def _fits(root: Path) -> bool:
    return bool(_parts(root, "corpus") and _questions(root) and _parts(root, "qrels"))


def _tasks(root: Path) -> tuple[str, ...]:
    return tuple(_parts(root, "qrels"))


def _read(root: Path, task: str) -> Found:
    corpus = (_row(root, record) for record in _records(_of(_parts(root, "corpus"), task), _CORPUS_ID))
    queries = ({**record, **_shown(root, record)} for record in _records(_of(_questions(root), task), _QUERY_ID))
    taken = Task(task, text=("title", "text"), caption=("title", "text"))
    return assemble(root, taken, corpus, queries, _qrels(_parts(root, "qrels")[task]))


def _of(parts: Mapping[str, list[Path]], task: str) -> list[Path]:
    return parts.get(task) or [file for files in parts.values() for file in files]


def _row(root: Path, record: dict[str, Any]) -> dict[str, Any]:
    shown = _shown(root, record)
    return {**record, **shown, "kind": "image" if shown["image"] else "text"}


def _records(files: Iterable[Path], keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for file in files:
        if file.suffix == ".jsonl":
            yield from json_lines(file, keys)
        elif file.suffix == ".parquet":
            for number, record in enumerate(_parquet(file), 1):
                yield with_id(record, keys, f"{file}, row {number}")


def _qrels(files: Iterable[Path]) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for file in files:
        if file.suffix == ".tsv":
            for query, grades in read_qrels(file).items():
                qrels.setdefault(query, {}).update(grades)
            continue
        for record in _records([file], ("query-id", "query_id", "qid")):
            document = next((record[key] for key in ("corpus-id", "corpus_id", "docid") if key in record), None)
            grade = next((record[key] for key in _GRADE if key in record), None)
            if document is None or not isinstance(grade, int | float):
                raise InputError(
                    f"{file}: a judgement of query {record['id']}",
                    "allowed: query-id, corpus-id and a number under score",
                    "correct the file",
                )
            qrels.setdefault(record["id"], {})[str(document)] = int(grade)
    return qrels


def _parquet(file: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import pyarrow.parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as exc:
        raise MissingExtra(f"reading {file.name}", "parquet") from exc
    try:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=256):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as exc:
        raise InputError(f"{file} is no Parquet file ({exc})", advice="fetch it again") from exc


def _shown(root: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """`image` as a path relative to the folder; empty where the record has no picture."""
    image = record.get("image")
    if isinstance(image, Mapping):
        content, name = image.get("bytes"), str(image.get("path") or "")
        return {"image": _written(root, content, Path(name).suffix) if isinstance(content, bytes) else name}
    return {"image": _written(root, image, "") if isinstance(image, bytes) else str(image or "")}


def _written(root: Path, content: bytes, suffix: str) -> str:
    name = f"{_PICTURES}/{hashlib.sha256(content).hexdigest()}{suffix or '.img'}"
    if not (root / name).is_file():
        try:
            (root / _PICTURES).mkdir(exist_ok=True)
            (root / name).write_bytes(content)
        except OSError as exc:
            raise InputError(
                f"the pictures of {root.name} cannot be written to {root / _PICTURES} ({exc.strerror})",
                advice="copy the dataset to a folder that can be written",
            ) from exc
    return name


MTEB: Final = Format("MTEB", "folders corpus, queries and qrels of .jsonl or .parquet", _fits, _tasks, _read)
