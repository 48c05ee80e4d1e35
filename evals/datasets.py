"""Evaluation datasets: a folder in one of several forms, read for a task, checked, and frozen.

The forms stand in `evals.formats`; which one a folder has is told by the files that are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.formats import FORMATS, Format, Found
from evals.schema import Dataset, Query, Row, Task
from rag.errors import InputError

__all__ = ["Check", "Dataset", "Problem", "Query", "Row", "Task", "check", "check_lines", "load", "tasks"]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a dataset, how often, and the first of them."""

    what: str
    count: int
    first: str
    dangling: bool = False
    """Whether it is a judgement of what exists nowhere, which a lenient reader can drop."""

    def __str__(self) -> str:
        return f"{self.what}: {self.count}, the first is {self.first!r}" if self.count else self.what


@dataclass(frozen=True)
class Check:
    """What a dataset holds for a task, and what is wrong with it."""

    dataset: str
    form: str
    task: str
    counts: Mapping[str, int]
    """Rows of text and of pictures, queries that take part, judgements, queries that no row answers."""
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The check as `triptych eval check --json` prints it."""
        return {
            "dataset": self.dataset,
            "form": self.form,
            "task": self.task,
            "counts": dict(self.counts),
            "problems": list(self.problems),
        }


def load(folder: str | Path, task: str = "", *, strict: bool = True) -> Dataset:
    """Read a dataset folder for a task; the name may be left out where there is only one, or one called `test`.

    Queries that no row of the task answers do not take part (`Dataset.left_out` counts them). With `strict` false,
    judgements of queries and documents that exist nowhere are dropped. Raises InputError for anything else that is
    wrong: each kind of problem with its count and the first of them.
    """
    root = Path(folder)
    form = _form(root)
    found = form.read(root, _chosen(form, root, task))
    wrong = [problem for problem in problems(found) if strict or not problem.dangling]
    if wrong:
        raise InputError(
            f"{root.name}, task {found.task.name}: {'; '.join(map(str, wrong))}",
            advice="correct the files; triptych eval check tells whether they are whole",
        )
    return _dataset(found, root)


def tasks(folder: str | Path) -> tuple[str, ...]:
    """The names of a dataset's tasks. Raises InputError for a folder that is none."""
    root = Path(folder)
    return _form(root).tasks(root)


def check(folder: str | Path, task: str = "") -> list[Check]:
    """What is in a dataset, and all that is wrong with it, for one task or for each. Raises InputError for no dataset.

    A file that cannot be understood is a problem of the tasks that need it.
    """
    root = Path(folder)
    form = _form(root)
    chosen = [_chosen(form, root, task)] if task else form.tasks(root)
    return [_checked(form, root, name) for name in chosen]


def check_lines(checks: Iterable[Check]) -> list[str]:
    """Checks for the terminal."""
    lines = []
    for one in checks:
        counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in one.counts.items())
        lines.append(f"{one.dataset} ({one.form}), task {one.task}: {counts or 'not readable'}")
        lines += [f"  problem: {problem}" for problem in one.problems]
    return lines


def problems(found: Found) -> list[Problem]:
    """Everything that is wrong with a folder as it was read, dangling judgements first."""
    documents, questions = set(found.documents), set(found.questions)
    judged = {document: None for grades in found.qrels.values() for document in grades}
    pictures = [(row.id, row.image) for row in found.rows] + [(query.id, query.image) for query in found.queries]
    named = [
        _problem("judged queries that exist nowhere", (id_ for id_ in found.qrels if id_ not in questions), True),
        _problem("judged documents that exist nowhere", (id_ for id_ in judged if id_ not in documents), True),
        _problem("document ids that stand twice", _twice(found.documents)),
        _problem("query ids that stand twice", _twice(found.questions)),
        _problem("missing pictures", (f"{id_}: {path}" for id_, path in pictures if path and not path.is_file())),
        _problem(
            "queries without words and without a picture",
            (query.id for query in found.queries if not query.text.strip() and query.image is None),
        ),
    ]
    wrong = [problem for problem in named if problem]
    return wrong if wrong or _answerable(found) else [Problem("no query with a relevant document", 0, "")]


def _problem(what: str, first: Iterable[str], dangling: bool = False) -> Problem | None:
    found = list(first)
    return Problem(what, len(found), found[0], dangling) if found else None


def _twice(ids: Iterable[str]) -> list[str]:
    return [id_ for id_, count in Counter(ids).items() if count > 1]


def _form(root: Path) -> Format:
    form = next((form for form in FORMATS if form.fits(root)), None)
    if form is None:
        raise InputError(
            f"{root} is no dataset folder",
            "allowed: " + "; ".join(f"{form.name} ({form.sign})" for form in FORMATS),
            "check the path",
        )
    return form


def _chosen(form: Format, root: Path, task: str) -> str:
    names = form.tasks(root)
    if not task:
        task = names[0] if len(names) == 1 else "test"
        if task not in names:
            raise InputError(
                f"{root.name} has {len(names)} tasks", f"allowed: {', '.join(names)}", "choose with --task"
            )
    if task not in names:
        raise InputError(
            f"unknown task {task!r} of {root.name}", f"allowed: {', '.join(names)}", "choose one with --task"
        )
    return task


def _answerable(found: Found) -> list[Query]:
    known = {row.id for row in found.rows}
    relevant = {
        query
        for query, grades in found.qrels.items()
        if any(grade > 0 and document in known for document, grade in grades.items())
    }
    return [query for query in found.queries if query.id in relevant]


def _dataset(found: Found, root: Path) -> Dataset:
    known = {row.id for row in found.rows}
    queries = tuple(_answerable(found))
    qrels = {
        query.id: {document: grade for document, grade in found.qrels[query.id].items() if document in known}
        for query in queries
    }
    return Dataset(
        found.name, found.task, found.rows, queries, qrels, folder=root, left_out=len(found.queries) - len(queries)
    )


def _checked(form: Format, root: Path, task: str) -> Check:
    try:
        found = form.read(root, task)
    except InputError as exc:
        return Check(root.name, form.name, task, {}, (str(exc),))
    dataset = _dataset(found, root)
    counts = {
        "passages": sum(row.modality == "text" for row in dataset.rows),
        "pictures": sum(row.modality == "image" for row in dataset.rows),
        "queries": len(dataset.queries),
        "judgements": sum(len(grades) for grades in dataset.qrels.values()),
        "queries_without_a_relevant_row": dataset.left_out,
    }
    return Check(found.name, form.name, task, counts, tuple(str(problem) for problem in problems(found)))
