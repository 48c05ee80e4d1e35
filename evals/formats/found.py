"""What a format finds in a folder, and the form that every format has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evals.schema import Query, Row, Task

__all__ = ["Format", "Found"]


@dataclass(frozen=True)
class Found:
    """A folder read for one task, before anything is checked."""

    name: str
    task: Task
    rows: tuple[Row, ...]
    """Those of the task; a picture's path need not exist."""
    queries: tuple[Query, ...]
    """Those of the task, judged or not."""
    qrels: Mapping[str, Mapping[str, int]]
    documents: tuple[str, ...]
    """The ids of all documents of the folder, of whatever task, as often as they stand there."""
    questions: tuple[str, ...]
    """The ids of all queries of the folder, likewise."""


@dataclass(frozen=True)
class Format:
    """One form of dataset folder."""

    name: str
    sign: str
    """The files by which it is known, as an error names them."""
    fits: Callable[[Path], bool]
    tasks: Callable[[Path], tuple[str, ...]]
    """Names of the tasks, in the order of the folder; at least one."""
    read: Callable[[Path, str], Found]
    """Read a folder that fits for one of its tasks. Raises InputError for a file that cannot be understood."""
