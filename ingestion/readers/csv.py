"""Comma-separated values, whatever separates them, in whatever encoding."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingestion.document import ParsedDocument
from ingestion.readers._builder import Builder
from ingestion.readers._sheet import add_regions
from ingestion.readers.text import load_text, note_lost

_DELIMITERS: Final = ",;\t|"
_SAMPLE: Final = 1 << 16
_MAX_LINES: Final = 100
"""Lines of one cell. A longer one began with a stray quote, which swallowed what follows."""


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened or is not text."""
    builder = Builder()
    text = load_text(path).lstrip("\ufeff")
    note_lost(text, builder)
    for _, add in add_regions(_rows(text, path), "the file", builder):
        add()
    mime = "text/tab-separated-values" if path.suffix.lower() in (".tsv", ".tab") else "text/csv"
    return builder.document(path.stem, mime)


def _rows(text: str, path: Path) -> Iterator[list[str]]:
    """The rows; where quotes do not match, they are read as any other sign."""
    lines = text.replace("\x00", "").splitlines(keepends=True)
    delimiter = delimiter_of(text[:_SAMPLE], path.suffix.lower())
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
        stray = any(cell.count("\n") > _MAX_LINES for row in rows for cell in row)
    except csv.Error:
        stray = True
    for row in (line.split(delimiter) for line in lines) if stray else rows:
        yield [cell.strip() for cell in row]


def delimiter_of(sample: str, suffix: str = "") -> str:
    """The separator that divides most of the first lines into the same number of fields, which is at least two."""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]
    if suffix in (".tsv", ".tab") and any("\t" in line for line in lines):
        return "\t"

    def steadiness(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
        most = max(set(widths), key=lambda width: (widths.count(width), width), default=0)
        return (widths.count(most), most) if most > 1 else (0, 0)

    try:
        return max(_DELIMITERS, key=steadiness)
    except csv.Error:
        return ","
