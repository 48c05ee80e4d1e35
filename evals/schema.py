"""The frozen data of evaluation: rows, queries, tasks, datasets."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from rag.errors import InputError
from rag.schema import Modality

__all__ = ["Dataset", "Query", "Row", "Task", "file_digest"]


@dataclass(frozen=True)
class Row:
    """One document of the index: a passage, or a picture with the words that may be indexed with it."""

    id: str
    modality: Modality
    text: str
    """The passage; for a picture its caption (empty where the task leaves it out)."""
    image: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the task stores with the row, and filters may name."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What else the dataset says of the row. Never indexed; slices read it."""


@dataclass(frozen=True)
class Query:
    """One question in words, as a picture, or both."""

    id: str
    text: str
    image: Path | None = None
    type: str = ""
    filter: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What else the dataset says of the query; slices read it."""


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
    """A dataset folder read for one task. `qrels`: query → document → relevance (above 0 is relevant).

    Every query has a relevant row; every judged document is a row.
    """

    name: str
    task: Task
    rows: tuple[Row, ...]
    queries: tuple[Query, ...]
    qrels: Mapping[str, Mapping[str, int]]
    folder: Path = Path()
    """As it was given."""
    left_out: int = 0
    """Queries of the task that no row of the task answers; they do not take part."""
    whole: str = ""
    """The digest of the dataset that this one is a sample of; empty for a whole one."""
    seed: int = 0
    """With which the sample was drawn."""

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) over rows, pictures, queries and qrels of the whole task, in an order of their own."""
        if self.whole:
            return self.whole
        state = hashlib.sha256()
        for row in sorted(self.rows, key=lambda row: row.id):
            state.update(_canonical([row.id, row.modality, row.text, file_digest(row.image), dict(row.metadata)]))
        for query in sorted(self.queries, key=lambda query: query.id):
            grades = dict(self.qrels.get(query.id, {}))
            state.update(_canonical([query.id, query.text, file_digest(query.image), query.type, query.filter, grades]))
        return state.hexdigest()

    def sample(self, size: int, seed: int = 0) -> Dataset:
        """`size` of the queries, drawn without replacement, over all rows. Raises InputError for a size below 1.

        The draw depends on the seed and on the ids, not on their order in the file.
        """
        if size < 1:
            raise InputError(f"a sample of {size} queries", "allowed: 1 or more", "give --sample N")
        ids = sorted(query.id for query in self.queries)
        if size >= len(ids):
            return self
        drawn = set(random.Random(seed).sample(ids, size))
        return replace(
            self,
            queries=tuple(query for query in self.queries if query.id in drawn),
            qrels={id_: grades for id_, grades in self.qrels.items() if id_ in drawn},
            whole=self.digest,
            seed=seed,
        )


def file_digest(path: Path | None) -> str:
    """sha256 (hex) of a file's content; empty for no file and for one that cannot be read."""
    if path is None:
        return ""
    try:
        state = path.stat()
        return _digest_of(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return ""


@lru_cache(maxsize=200_000)
def _digest_of(path: Path, _mtime_ns: int, _size: int) -> str:
    """Cached by path, time and size: a run asks for the same picture three times."""
    with path.open("rb") as file:
        state = hashlib.sha256()
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, default=str).encode() + b"\n"
