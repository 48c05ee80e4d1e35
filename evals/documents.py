"""Words and small pictures of a dataset's documents and queries, for people to look at."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from evals.datasets import load
from rag.errors import InputError, PictureError
from rag.pictures import open_picture

__all__ = ["THUMBNAIL", "Documents", "thumbnail"]

THUMBNAIL: Final = 160
"""Longest side of a thumbnail, in pixels."""


def thumbnail(picture: Path, longest: int = THUMBNAIL) -> str:
    """The picture as a `data:` URL of a JPEG, scaled down to `longest` pixels; empty where it cannot be opened."""
    try:
        image = open_picture(picture)
    except PictureError:
        return ""
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


@dataclass(frozen=True)
class Documents:
    """What can be shown of ids. There is nothing without a dataset folder; `note` says what is wrong."""

    words: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, Path] = field(default_factory=dict)
    asked: Mapping[str, Path] = field(default_factory=dict)
    """Query → its picture."""
    note: str = ""

    @classmethod
    def read(cls, folder: str | Path, task: str, digest: str) -> Documents:
        """Read a dataset folder.

        One that is missing or cannot be read gives no documents and a note; one whose data have another `digest` than
        those of the runs gives both, for most ids may still mean the same.
        """
        try:
            dataset = load(folder, task, strict=False)
        except InputError as exc:
            return cls(note=f"Texts and pictures of the documents are not shown: {exc}")
        changed = f"{folder} has changed since the runs: texts and pictures may be others than those that were found"
        return cls(
            note="" if dataset.digest == digest else changed,
            words={row.id: row.text for row in dataset.rows},
            pictures={row.id: row.image for row in dataset.rows if row.image},
            asked={query.id: query.image for query in dataset.queries if query.image},
        )

    def __bool__(self) -> bool:
        return bool(self.words)

    @cached_property
    def _drawn(self) -> dict[tuple[Path, int], str]:
        return {}

    def snippet(self, document: str, letters: int = 220) -> str:
        """The first words of a document; empty where it has none or is not known."""
        return textwrap.shorten(self.words.get(document, ""), letters, placeholder=" …")

    def picture(self, document: str) -> str:
        """A document's picture as a `data:` URL, or empty."""
        return self._draw(self.pictures.get(document), THUMBNAIL)

    def question(self, query: str, longest: int = THUMBNAIL) -> str:
        """A query's picture as a `data:` URL, or empty."""
        return self._draw(self.asked.get(query), longest)

    def _draw(self, path: Path | None, longest: int) -> str:
        if path is None:
            return ""
        if (path, longest) not in self._drawn:
            self._drawn[path, longest] = thumbnail(path, longest)
        return self._drawn[path, longest]
