"""TREC: `corpus.jsonl` beside a file of topics and a file of qrels.

Topics are read in the forms that TREC has published: `<top>` with `<num>` and `<title>` (the closing tags may be left
out), XML with `<topic number="1">`, and lines of id, tab, words. Where there are several, `topics.NAME.txt` goes with
`qrels.NAME.txt`, and NAME is the task.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, Final

from evals.formats.files import assemble, json_lines, read_qrels, text_of
from evals.formats.found import Format, Found
from evals.schema import Task
from rag.errors import InputError

__all__ = ["TREC"]

_SUFFIXES: Final = frozenset({".txt", ".tsv", ".xml", ".qrels", ".qrel", ".topics", ".trec"})
_TOP: Final = re.compile(r"<top>(.*?)(?:</top>|(?=<top>)|\Z)", re.S | re.I)
_TOPIC: Final = re.compile(r"<topic\b([^>]*)>(.*?)</topic>", re.S | re.I)
_NUMBER: Final = re.compile(r"""\b(?:number|id)\s*=\s*["']([^"']+)["']""", re.I)
_FIELD: Final = re.compile(r"<(\w+)>(.*?)(?=<|\Z)", re.S)
_LABEL: Final = re.compile(r"^\s*(?:number|topic|description|narrative)\s*:", re.I)
_QUESTION: Final = ("title", "query", "question", "desc", "description")
"""Fields of a topic, the first of which that is there is asked."""


def _found(root: Path, word: str) -> dict[str, Path]:
    """Task → file, for the files of a folder whose name begins or ends with `topics` or `qrels`."""
    found = {}
    for file in sorted(root.iterdir()) if root.is_dir() else ():
        if not file.is_file() or word not in file.name.lower() or file.name.startswith("."):
            continue
        stem = file.stem if file.suffix.lower() in _SUFFIXES else file.name
        if file.suffix.lower() in _SUFFIXES or word in stem.lower():
            # `2019qrels-pass.txt` belongs to `2019topics-pass.tsv`: what is left of the name is the task.
            rest = re.sub(word, "", stem, count=1, flags=re.I) if word in stem.lower() else stem
            found[re.sub(r"[._-]+", "-", rest).strip("-")] = file
    return found


def _pairs(root: Path) -> dict[str, tuple[Path, Path]]:
    topics, qrels = _found(root, "topics"), _found(root, "qrels")
    if len(topics) == len(qrels) == 1:
        name = next(iter(qrels)) or next(iter(topics)) or "default"
        return {name: (next(iter(topics.values())), next(iter(qrels.values())))}
    return {name or "default": (file, qrels[name]) for name, file in topics.items() if name in qrels}


def _fits(root: Path) -> bool:
    return (root / "corpus.jsonl").is_file() and not (root / "queries.jsonl").is_file() and bool(_pairs(root))


def _tasks(root: Path) -> tuple[str, ...]:
    return tuple(_pairs(root))


def _read(root: Path, task: str) -> Found:
    topics, qrels = _pairs(root)[task]
    corpus = json_lines(root / "corpus.jsonl")
    return assemble(root, Task(task, text=("title", "text")), corpus, read_topics(topics), read_qrels(qrels))


def read_topics(file: Path) -> Iterator[dict[str, Any]]:
    """The topics of a file as records with `id`, `query`, and the other fields. Raises InputError."""
    text = text_of(file)
    if re.search(r"<top>", text, re.I):
        for match in _TOP.finditer(text):
            yield _topic(file, match.group(1), "")
    elif re.search(r"<topic\b", text, re.I):
        for match in _TOPIC.finditer(text):
            number = _NUMBER.search(match.group(1))
            yield _topic(file, match.group(2), number.group(1) if number else "")
    else:
        for place, line in enumerate(text.splitlines(), 1):
            if line.strip():
                id_, tab, words = line.partition("\t")
                if not tab or not id_.strip():
                    raise InputError(
                        f"{file}, line {place}: {line.strip()[:60]!r}", "allowed: id, tab, words", "correct the line"
                    )
                yield {"id": id_.strip(), "query": words.strip()}


def _topic(file: Path, body: str, number: str) -> dict[str, Any]:
    fields = {name.lower(): unescape(" ".join(_LABEL.sub("", words).split())) for name, words in _FIELD.findall(body)}
    id_ = number or fields.get("num", "") or fields.get("number", "")
    if not id_:
        raise InputError(
            f"{file} has a topic without a number",
            "allowed: <num> within <top>, or <topic number=…>",
            "correct the topic",
        )
    asked = next((fields[name] for name in _QUESTION if fields.get(name)), "")
    rest = {name: words for name, words in fields.items() if name not in ("num", "number", "type", "image", "filter")}
    return {**rest, "id": id_, "query": asked}


TREC: Final = Format("TREC", "corpus.jsonl, topics.* and qrels.*", _fits, _tasks, _read)
