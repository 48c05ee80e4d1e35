"""The text layer of a PDF page: lines put together to paragraphs, headings told by the size of their letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pypdfium2 import raw

from ingestion.document import one_line
from ingestion.readers._builder import CAPTION_LABEL

_SENTENCE_END: Final = (".", "!", "?", ":", ";", "。", ".”", '."', ".)")
_BULLET: Final = re.compile(r"(?:[-–•▪◦*·]|\(?\w{1,3}[.)])\s")
_LARGER: Final = 1.12
"""A heading's letters are at least this much larger than those of most of the page's text."""
_LARGEST: Final = 1.5
"""From here on it is a heading of the first level."""
_MAX_HEADING: Final = 120
"""Characters."""


def headings(textpage: Any) -> dict[str, int]:
    """The level (1 or 2) of each line of the page that is set in larger letters than most of its text."""
    text = textpage.get_text_range()
    sizes: dict[str, float] = {}
    letters: Counter[float] = Counter()
    start = 0
    for line in text.split("\n"):
        words = one_line(line)
        if words:
            size = round(raw.FPDFText_GetFontSize(textpage, start + len(line) // 2), 1)
            sizes[words] = size
            letters[size] += len(words)
        start += len(line) + 1
    body = letters.most_common(1)[0][0] if letters else 0.0
    return {
        words: 1 if size >= _LARGEST * body else 2
        for words, size in sizes.items()
        if body and size >= _LARGER * body and len(words) <= _MAX_HEADING and any(char.isalpha() for char in words)
    }


def full_width(lines: Sequence[str]) -> float:
    """Characters of a line that reaches the right margin, or nearly."""
    lengths = sorted(len(line) for line in lines if line)
    return 0.8 * lengths[len(lengths) * 4 // 5] if lengths else 0.0


def split_lines(text: str) -> list[str]:
    """The lines of a page, stripped; blank ones are kept, they divide."""
    return [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def paragraphs(lines: Sequence[str], titles: Mapping[str, int]) -> Iterator[str]:
    """Lines put together: a heading, a short line that ends a sentence or a caption, a caption's label or a blank line
    divides. Lines stay apart by newlines."""
    full = full_width(lines)
    gathered: list[str] = []
    for line in lines:
        title = one_line(line) in titles
        if gathered and (not line or title or CAPTION_LABEL.match(line)):
            yield "\n".join(gathered)
            gathered = []
        if line:
            gathered.append(line)
        ends = title or (len(line) < full and line.endswith(_SENTENCE_END))
        if gathered and (ends or (CAPTION_LABEL.match(gathered[0]) and (len(line) < full or line.endswith(".")))):
            yield "\n".join(gathered)
            gathered = []
    if gathered:
        yield "\n".join(gathered)


def unwrapped(lines: Sequence[str], full: float) -> str:
    """A paragraph without the line breaks that the margin made; a line that ended early keeps its own, and so does a
    list."""
    text = ""
    before = ""
    for line in lines:
        wrapped = len(before) >= full and not _BULLET.match(line)
        text += (" " if wrapped else "\n") + line if text else line
        before = line
    return text
