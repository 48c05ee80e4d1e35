"""BEIR: `corpus.jsonl`, `queries.jsonl` and one file of judgements a split, `qrels/test.tsv`. The split is the task.

Source: Thakur et al., "BEIR", NeurIPS 2021, and the folders of its release.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from evals.formats.files import assemble, json_lines, read_qrels
from evals.formats.found import Format, Found
from evals.schema import Task

__all__ = ["BEIR"]


def _fits(root: Path) -> bool:
    ours = (root / "dataset.toml").is_file() or (root / "qrels.tsv").is_file()
    lines = (root / "corpus.jsonl").is_file() and (root / "queries.jsonl").is_file()
    return lines and not ours and any((root / "qrels").glob("*.tsv"))


def _tasks(root: Path) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in (root / "qrels").glob("*.tsv")))


def _read(root: Path, task: str) -> Found:
    corpus, queries = json_lines(root / "corpus.jsonl"), json_lines(root / "queries.jsonl")
    qrels = read_qrels(root / "qrels" / f"{task}.tsv")
    return assemble(root, Task(task, text=("title", "text")), corpus, queries, qrels)


BEIR: Final = Format("BEIR", "corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv", _fits, _tasks, _read)
