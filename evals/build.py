"""Make a dataset folder of a corpus that was ingested, so that its owner can measure on documents of their own.

Three kinds of questions: `caption2image` (a caption finds its picture, the picture alone indexed), `heading2text` (a
heading finds the passages of its section, indexed without their headings) and, with a language model, `question2text`
(a question that the model wrote finds the passage it was written from; marked `written_by`).
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prompts import render
from rag.answer.material import fresh_nonce, unmarked
from rag.errors import InputError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM
    from llama_index.core.schema import BaseNode

    from rag.corpus import Corpus
    from rag.settings import Settings

__all__ = ["Built", "build", "build_lines", "writer"]

Progress = Callable[[int, int], None]

_ARROW: Final = " › "
_MIN_CHARS: Final = 80
"""A passage shorter than this is not asked about: it holds too little for a question of its own."""
_NONE: Final = "NONE"
_TASKS: Final[Mapping[str, str]] = {
    "caption2image": 'queries = ["caption2image"]\nkinds = ["image"]\ncaption = []',
    "heading2text": 'queries = ["heading2text"]\nkinds = ["text"]\ntext = ["body"]',
    "question2text": 'queries = ["question2text"]\nkinds = ["text"]\ntext = ["text"]',
}
_KEPT: Final = ("source", "title", "section", "page", "caption_source")


@dataclass(frozen=True)
class _Question:
    """A query with the rows that are relevant to it."""

    text: str
    type: str
    rows: tuple[str, ...]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """What was written, and what was left out."""

    folder: str
    rows: Mapping[str, int]
    """text, image."""
    queries: Mapping[str, int]
    """By type."""
    left_out: Mapping[str, int]
    """ambiguous_headings (of more than one document), missing_pictures, unanswered (by the model)."""

    def to_json(self) -> dict[str, Any]:
        """As `triptych eval build --json` prints it."""
        return {
            "folder": self.folder,
            "rows": dict(self.rows),
            "queries": dict(self.queries),
            "left_out": dict(self.left_out),
        }


def build(
    corpus: Corpus,
    folder: str | Path,
    *,
    sample: int = 0,
    seed: int = 0,
    llm: LLM | None = None,
    questions: int = 50,
    progress: Progress | None = None,
) -> Built:
    """Write a dataset of the corpus to a new folder. The same corpus, seed and numbers give the same one.

    At most `sample` queries of a type are drawn with `seed` (0 for all); `llm` is asked for `questions` more, of as
    many passages. Raises InputError for a folder that holds something, and for a corpus that yields no query; LLMError.
    """
    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{folder} is there already", "allowed: a new or an empty folder", "choose another")
    nodes = sorted(corpus.store.get_nodes(with_vectors=False), key=_place)
    rows = [_row(node) for node in nodes]
    shown = {row["id"] for row in rows if row["kind"] == "image" and Path(row["path"]).is_file()}
    kept = [row for row in rows if row["kind"] == "text" or row["id"] in shown]
    draw = random.Random(seed)
    headings, ambiguous = _headings(kept)
    asked = [*_drawn(_captions(kept), sample, draw), *_drawn(headings, sample, draw)]
    passages = [row for row in kept if row["kind"] == "text" and len(row["body"]) >= _MIN_CHARS]
    chosen = _drawn(passages, questions, draw) if llm is not None and questions else []
    written = list(_written(chosen, llm, progress)) if llm is not None else []
    asked += written
    if not asked:
        raise InputError(
            f"{corpus.name} has no captions and no sections", "allowed: a corpus with either", "or give --llm NAME"
        )
    _write(root, Path(corpus.name).name, kept, asked, seed)
    return Built(
        folder=str(folder),
        rows={kind: sum(row["kind"] == kind for row in kept) for kind in ("text", "image")},
        queries=dict(Counter(question.type for question in asked)),
        left_out={
            "ambiguous_headings": ambiguous,
            "missing_pictures": len(rows) - len(kept),
            "unanswered": len(chosen) - len(written),
        },
    )


def writer(settings: Settings, name: str) -> LLM:
    """The language model `name` at the endpoint of the settings. Raises InputError where it is none that writes."""
    from rag.answer import load_llm

    model = load_llm(name, base_url=settings.llm_base_url, api_key=settings.openai_key(), timeout=settings.llm_timeout)
    if model is None:
        raise InputError(f"{name!r} writes no questions", "allowed: a language model", "leave --llm out, or name one")
    return model


def build_lines(built: Built) -> list[str]:
    """What was written, for the terminal."""
    queries = ", ".join(f"{count} {name}" for name, count in built.queries.items())
    lines = [f"{built.folder}: {built.rows['text']} passages, {built.rows['image']} pictures; queries: {queries}"]
    left = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in built.left_out.items() if count)
    return [*lines, f"left out: {left}"] if left else lines


def _place(node: BaseNode) -> tuple[str, int, str]:
    return str(node.metadata.get("source", "")), int(node.metadata.get("position") or 0), node.node_id


def _row(node: BaseNode) -> dict[str, Any]:
    from llama_index.core.schema import ImageNode, MetadataMode

    facts = {name: node.metadata[name] for name in _KEPT if node.metadata.get(name) not in (None, "")}
    if isinstance(node, ImageNode):
        caption = str(node.metadata.get("caption") or "")
        return {"id": node.node_id, "kind": "image", "path": node.image_path or "", "caption": caption, **facts}
    text = node.get_content(MetadataMode.NONE)
    return {"id": node.node_id, "kind": "text", "text": text, "body": _body(text, facts), **facts}


def _body(text: str, facts: Mapping[str, Any]) -> str:
    """The passage without the headings it begins with: they are the questions."""
    headings = {part.casefold() for part in (*str(facts.get("section", "")).split(_ARROW), str(facts.get("title", "")))}
    lines = text.split("\n")
    while lines and (not lines[0].strip() or lines[0].strip(" #*").casefold() in headings):
        lines.pop(0)
    return "\n".join(lines)


def _captions(rows: Sequence[Mapping[str, Any]]) -> list[_Question]:
    """One query a caption; pictures of the same caption are relevant alike."""
    pictures: dict[str, list[str]] = {}
    for row in rows:
        if row["kind"] == "image" and (caption := " ".join(row["caption"].split())):
            pictures.setdefault(caption, []).append(row["id"])
    return [_Question(caption, "caption2image", tuple(ids)) for caption, ids in pictures.items()]


def _headings(rows: Sequence[Mapping[str, Any]]) -> tuple[list[_Question], int]:
    """One query a heading of a section, and how many headings were left out: those that several documents have.

    "Introduction" would find the sections of every other document too, and be right.
    """
    passages: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        heading = str(row.get("section", "")).rpartition(_ARROW)[2].strip()
        if row["kind"] == "text" and heading and row["body"].strip():
            passages.setdefault(heading, []).append(row)
    own = {name: found for name, found in passages.items() if len({row.get("source") for row in found}) == 1}
    questions = [_Question(name, "heading2text", tuple(row["id"] for row in found)) for name, found in own.items()]
    return questions, len(passages) - len(own)


def _written(rows: Sequence[Mapping[str, Any]], llm: LLM, progress: Progress | None) -> Iterator[_Question]:
    """A question of each passage that the model found one for."""
    from llama_index.core.base.llms.types import ChatMessage, MessageRole

    name = llm.metadata.model_name
    for number, row in enumerate(rows, 1):
        nonce = fresh_nonce()
        heading = unmarked(" ".join(str(row.get("section") or row.get("title") or "").split()))
        values = {"nonce": nonce, "number": "1", "heading": heading, "body": unmarked(row["text"]).strip()}
        reply = llm.chat(
            [
                ChatMessage(role=MessageRole.SYSTEM, content=render("eval_question", {"nonce": nonce})),
                ChatMessage(role=MessageRole.USER, content=render("answer_document", values)),
            ]
        )
        if question := _question_in(str(reply.message.content or "")):
            yield _Question(question, "question2text", (row["id"],), {"written_by": name})
        if progress:
            progress(number, len(rows))


def _question_in(reply: str) -> str:
    """The first line of a reply without its quotation marks; empty where the model found no question."""
    line = next((line.strip() for line in reply.splitlines() if line.strip()), "").strip("\"'“”„«»` ")
    return "" if line.rstrip(".").upper() == _NONE else line


def _drawn(items: Sequence[Any], size: int, draw: random.Random) -> list[Any]:
    """At most `size` of the items in their order; all of them for 0."""
    if not size or size >= len(items):
        return list(items)
    return [items[place] for place in sorted(draw.sample(range(len(items)), size))]


def _write(root: Path, name: str, rows: Sequence[dict[str, Any]], asked: Sequence[_Question], seed: int) -> None:
    try:
        (root / "images").mkdir(parents=True, exist_ok=True)
        corpus = [_stored(root, row) for row in rows]
        ids = [f"{question.type}-{number:05}" for number, question in enumerate(asked, 1)]
        queries = [
            {"id": id_, "type": question.type, "query": question.text, **question.more}
            for id_, question in zip(ids, asked, strict=True)
        ]
        judged = [f"{id_}\t0\t{row}\t1" for id_, question in zip(ids, asked, strict=True) for row in question.rows]
        for file, records in (("corpus.jsonl", corpus), ("queries.jsonl", queries)):
            lines = [json.dumps(record, ensure_ascii=False, default=str) for record in records]
            (root / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
        (root / "qrels.tsv").write_text("\n".join(judged) + "\n", encoding="utf-8")
        (root / "dataset.toml").write_text(_described(name, asked, seed), encoding="utf-8")
    except OSError as exc:
        raise InputError(f"{root} cannot be written ({exc.strerror})", advice="choose another folder") from exc


def _stored(root: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The row as the folder holds it; a picture is copied."""
    if row["kind"] == "text":
        return row
    path = Path(row["path"])
    shutil.copyfile(path, root / "images" / path.name)
    return {"image": f"images/{path.name}", **{name: value for name, value in row.items() if name != "path"}}


def _described(name: str, asked: Sequence[_Question], seed: int) -> str:
    types = [type_ for type_ in _TASKS if any(question.type == type_ for question in asked)]
    head = f"# Made by triptych eval build, seed {seed}.\nname = {json.dumps(name, ensure_ascii=False)}\n"
    tasks = [f"\n[tasks.{type_}]\n{_TASKS[type_]}\n" for type_ in types]
    return head + "".join(tasks)
