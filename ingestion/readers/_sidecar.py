"""Files beside a picture that tell of it: `x.txt` and `x.json` beside `x.jpg`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingestion.captions import keyword_list, split_keywords
from ingestion.document import one_line
from ingestion.readers.text import load_text

__all__ = ["SIDECAR_SUFFIXES", "Sidecar", "is_sidecar_size", "read_sidecar"]

SIDECAR_SUFFIXES: Final = (".json", ".txt")
_SIDECAR_BYTES: Final = {".txt": 4096, ".json": 65536}
"""A longer text beside a picture of the same name is a document of its own, not a caption."""

_CAPTION_KEYS: Final = ("caption", "description", "text", "title")
_ALT_KEYS: Final = ("alt", "alt_text", "altText")
_KEYWORD_KEYS: Final = ("keywords", "tags")


@dataclass(frozen=True)
class Sidecar:
    """What a file beside a picture says of it."""

    caption: str = ""
    alt: str = ""
    keywords: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The other scalar fields of a JSON file."""


def is_sidecar_size(path: Path) -> bool:
    """Whether `path` is a file short enough to be about a picture beside it."""
    try:
        return path.is_file() and path.stat().st_size <= _SIDECAR_BYTES.get(path.suffix.lower(), 0)
    except OSError:
        return False


def read_sidecar(path: Path) -> Sidecar:
    """What a sidecar says. Raises SourceError or ValueError where it cannot be read."""
    text = load_text(path)
    if path.suffix.lower() != ".json":
        return Sidecar(one_line(text))
    try:
        fields = json.loads(text)
    except RecursionError as exc:
        raise ValueError("JSON that is nested too deeply") from exc
    if not isinstance(fields, dict):
        raise ValueError("a JSON object with the key caption is expected")
    captions = [one_line(str(fields[key])) for key in _CAPTION_KEYS if isinstance(fields.get(key), str | int | float)]
    listed = next((fields[key] for key in _KEYWORD_KEYS if fields.get(key)), ())
    keywords = (
        split_keywords([listed])
        if isinstance(listed, str)
        else [str(word) for word in (listed if isinstance(listed, list) else [listed]) if _is_scalar(word)]
    )
    used = {*_CAPTION_KEYS, *_ALT_KEYS, *_KEYWORD_KEYS}
    return Sidecar(
        next(filter(None, captions), ""),
        next((one_line(str(fields[key])) for key in _ALT_KEYS if fields.get(key) and _is_scalar(fields[key])), ""),
        keyword_list(keywords),
        {key: value for key, value in fields.items() if key not in used and _is_scalar(value)},
    )


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
