"""Pictures with captions, as CLIP's benchmarks come: CSV or JSON, COCO annotations, Karpathy's splits.

Two tasks of each: `text2image` (a caption finds its picture, by the picture alone) and `image2text` (a picture finds
its captions). Where the file names splits, those are of `test`; the others are `text2image-val` and so on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evals.formats.files import text_of
from evals.formats.found import Format, Found
from evals.schema import Query, Row, Task
from rag.errors import InputError

__all__ = ["CAPTIONS"]

_NAMES: Final = (
    "dataset_*.json",
    "captions*.json",
    "captions*.jsonl",
    "captions*.csv",
    "captions*.tsv",
    "captions*.txt",
)
_OTHERS: Final = ("annotations/captions*.json", "*karpathy*.json", "results*.csv")
_PICTURE: Final = (
    "image",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image_path",
    "image_name",
    "picture",
    "path",
)
_CAPTION: Final = ("caption", "captions", "comment", "raw", "sentence", "sentences", "text", "title", "texts")
_FOLDERS: Final = ("", "images", "Images", "flickr30k-images", "Flicker8k_Dataset")
_DEFAULT_SPLIT: Final = "test"


@dataclass(frozen=True)
class _Shown:
    """A picture and its captions."""

    image: str
    captions: tuple[str, ...]
    split: str = ""


def _file(root: Path) -> Path | None:
    patterns = (*_NAMES, *_OTHERS)
    return next((file for pattern in patterns for file in sorted(root.glob(pattern)) if file.is_file()), None)


def _fits(root: Path) -> bool:
    return _file(root) is not None


def _tasks(root: Path) -> tuple[str, ...]:
    splits = sorted({shown.split for shown in _shown(root)}, key=lambda split: (split != _DEFAULT_SPLIT, split))
    return tuple(_task(kind, split) for split in splits for kind in ("text2image", "image2text"))


def _task(kind: str, split: str) -> str:
    return kind if split in ("", _DEFAULT_SPLIT) else f"{kind}-{split}"


def _read(root: Path, task: str) -> Found:
    shown = [
        item for item in _shown(root) if task in (_task("text2image", item.split), _task("image2text", item.split))
    ]
    pictures = {_id(item.image): _path(root, item.image) for item in shown}
    captions = {
        f"{_id(item.image)}#{number}": (text, _id(item.image))
        for item in shown
        for number, text in enumerate(item.captions)
    }
    if task.startswith("text2image"):
        rows = tuple(Row(id_, "image", "", path) for id_, path in pictures.items())
        queries = tuple(Query(id_, text, type="text2image") for id_, (text, _) in captions.items())
        qrels = {id_: {image: 1} for id_, (_, image) in captions.items()}
    else:
        rows = tuple(Row(id_, "text", text) for id_, (text, _) in captions.items())
        queries = tuple(Query(id_, "", path, "image2text") for id_, path in pictures.items())
        qrels = {id_: {} for id_ in pictures}
        for id_, (_, image) in captions.items():
            qrels[image][id_] = 1
    kind = "image" if task.startswith("text2image") else "text"
    documents, questions = tuple(row.id for row in rows), tuple(query.id for query in queries)
    return Found(root.name, Task(task, kinds=(kind,), caption=()), rows, queries, qrels, documents, questions)


def _id(image: str) -> str:
    return "_".join(image.split())


def _path(root: Path, image: str) -> Path:
    """The picture, as its name stands or in a folder where such datasets keep them; it need not exist."""
    names = [image, Path(image).name]
    places = [root / folder / name for name in names for folder in _FOLDERS]
    return next((place for place in places if place.is_file()), root / image)


def _shown(root: Path) -> list[_Shown]:
    """The pictures of the folder, each once, with all its captions in order. Raises InputError."""
    file = _file(root)
    if file is None:
        return []
    read = {".json": _of_json, ".jsonl": _of_lines}.get(file.suffix.lower(), _of_table)
    try:
        found = list(read(file))
    except (AttributeError, KeyError, TypeError, ValueError, csv.Error) as exc:
        raise InputError(
            f"{file} cannot be read ({type(exc).__name__}: {exc})",
            f"allowed: pictures under {', '.join(_PICTURE[:4])} … and captions under {', '.join(_CAPTION[:4])} …,"
            " COCO annotations, Karpathy splits",
            "correct the file",
        ) from exc
    merged: dict[tuple[str, str], list[str]] = {}
    for item in found:
        merged.setdefault((item.image, item.split), []).extend(item.captions)
    return [_Shown(image, tuple(captions), split) for (image, split), captions in merged.items()]


def _of_json(file: Path) -> Iterator[_Shown]:
    document = json.loads(text_of(file))
    if isinstance(document, list):
        yield from (_of_record(record) for record in document)
    elif "annotations" in document:
        names = {picture["id"]: picture["file_name"] for picture in document["images"]}
        yield from (_Shown(names[said["image_id"]], (_said(said["caption"]),)) for said in document["annotations"])
    elif isinstance(document.get("images"), list):
        yield from (_of_record(record) for record in document["images"])
    else:
        yield from (_Shown(image, _captions(said)) for image, said in document.items())


def _of_lines(file: Path) -> Iterator[_Shown]:
    yield from (_of_record(json.loads(line)) for line in text_of(file).split("\n") if line.strip())


def _of_table(file: Path) -> Iterator[_Shown]:
    lines = [line for line in text_of(file).splitlines() if line.strip()]
    if not lines:
        return
    mark = next((mark for mark in ("\t", "|", ",") if mark in lines[0]), ",")
    for row in csv.DictReader(lines, delimiter=mark, skipinitialspace=True):
        yield _of_record({(name or "").strip(): value for name, value in row.items() if isinstance(value, str)})


def _of_record(record: Mapping[str, Any]) -> _Shown:
    """A record of one picture; in Karpathy's form `filepath` is the folder of `filename`."""
    named = next((name for name in _PICTURE if record.get(name)), "")
    said = next((name for name in _CAPTION if record.get(name) is not None), "")
    if not named or not said:
        raise ValueError(f"no picture and caption among {', '.join(map(str, record))}")
    image = str(record[named]).strip()
    if named == "filename" and record.get("filepath"):
        image = f"{record['filepath']}/{image}"
    split = {"restval": "train"}.get(str(record.get("split") or ""), str(record.get("split") or ""))
    return _Shown(image, _captions(record[said]), split)


def _captions(said: Any) -> tuple[str, ...]:
    return tuple(_said(one) for one in said) if isinstance(said, list) else (_said(said),)


def _said(one: Any) -> str:
    """A caption, which may be a record with `raw`."""
    text = one["raw"] if isinstance(one, Mapping) else one
    if not isinstance(text, str):
        raise ValueError(f"caption {one!r} is no text")
    return " ".join(text.split())


CAPTIONS: Final = Format(
    "captions", "captions.csv, captions.json or dataset_NAME.json (Karpathy) beside the pictures", _fits, _tasks, _read
)
