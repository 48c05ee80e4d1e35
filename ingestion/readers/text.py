"""Plain text in whatever encoding it has."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

from ingestion.document import ParsedDocument
from ingestion.readers._builder import Builder
from rag.errors import SourceError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(path: Path, root: Path) -> ParsedDocument:
    """Paragraphs, as blank lines separate them. Raises SourceError where the file is not text."""
    builder = Builder()
    for paragraph in re.split(r"\n[ \t]*\n", load_text(path).replace("\r\n", "\n").replace("\r", "\n")):
        builder.text(paragraph)
    return builder.document(path.stem, "text/plain")


def load_text(path: Path) -> str:
    """The file's text. Raises SourceError where it cannot be opened or is not text."""
    try:
        return decode(path.read_bytes())
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    except ValueError as exc:
        raise SourceError(f"{path} is not text ({exc})", "text files in any encoding are allowed") from exc


def decode(data: bytes) -> str:
    """Text by byte order mark, else UTF-8, else the likeliest encoding. Raises ValueError where `data` is binary."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _guess(data)
    if "\x00" in text:
        return _guess(data)
    return text


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None or "\x00" in (text := str(best)):
        raise ValueError("binary data")
    return text
