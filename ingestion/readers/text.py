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

_CONTROLS: Final = re.compile("[\x00-\x08\x0e-\x1f]")

LOST: Final = "\ufffd"
"""What stands where a byte could not be decoded."""


def read(path: Path, root: Path) -> ParsedDocument:
    """Paragraphs, as blank lines separate them. Raises SourceError where the file is not text."""
    builder = Builder()
    text = load_text(path)
    note_lost(text, builder)
    add_paragraphs(text, builder)
    return builder.document(path.stem, "text/plain")


def add_paragraphs(text: str, builder: Builder) -> None:
    """Add text without structure: a blank line ends a paragraph."""
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        builder.text(paragraph)


def load_text(path: Path) -> str:
    """The file's text. Raises SourceError where it cannot be opened or is not text."""
    try:
        return decode(path.read_bytes())
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    except ValueError as exc:
        raise SourceError(f"{path} is not text ({exc})", "text files in any encoding are allowed") from exc


def decode(data: bytes) -> str:
    """Text by byte order mark, else UTF-8, else the likeliest encoding; bytes that fit none become U+FFFD.

    Raises ValueError where `data` is binary.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    lossy = data.decode("utf-8", "replace")
    bad = lossy.count(LOST)
    if "\x00" not in lossy and (not bad or _beyond_ascii(lossy) - bad > 10 * bad):
        return lossy
    from charset_normalizer import from_bytes

    matches = from_bytes(data)
    best = matches.best()
    # Short Western texts fit the code pages of their neighbours as well: of equals, the commonest on the web.
    western = (match for match in matches if match.encoding == "cp1252")
    if best is not None and (likely := next(western, None)) is not None:
        equal = (likely.chaos, likely.coherence) == (best.chaos, best.coherence)
        best = likely if equal else best
    text = lossy if best is None else str(best)
    if len(_CONTROLS.findall(text)) > 2 + len(text) // 100:
        raise ValueError("binary data")
    return text


def is_text(head: bytes) -> bool:
    """Whether a file that begins with `head` is text: it decodes, and holds no control character. UTF-16 and UTF-32
    have to say so by their mark."""
    marked = head.startswith(tuple(mark for mark, _ in _MARKS))
    if not marked and _CONTROLS.search(head.decode("latin-1")):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
        return True
    except UnicodeDecodeError:
        pass
    try:
        return not _CONTROLS.search(decode(head))
    except ValueError:
        return False


def note_lost(text: str, builder: Builder) -> None:
    """Name the bytes that could not be decoded."""
    if count := text.count(LOST):
        builder.omit(f"{count} character{'s' if count > 1 else ''}", f"undecodable, kept as {LOST}")


def _beyond_ascii(text: str) -> int:
    return sum(1 for char in text if char > "\x7f")
