"""Lines of PDF pages put together to paragraphs, lists and headings; running heads told from text. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ingestion.document import BlockKind, one_line
from ingestion.readers._furniture import PAGE_NUMBER
from ingestion.readers._pdf_layout import Line
from ingestion.readers._pdf_parts import Box, around

CAPTION: Final = re.compile(
    r"(?:fig(?:ure|\.)?|abb(?:ildung|\.)?|table|tab\.|tabelle|photo|plate|chart|image|diagram|map|scheme|exhibit)"
    r"\s*\.?\s*(?:\d|[A-Z]\.?\d|[IVX]+\b)[\w.\-–]*",
    re.I,
)
"""How a caption begins: "Figure 3: …", "Fig. 2.", "Abb. 7", "Table A1"."""

_BULLET: Final = re.compile(r"(?:[-–—•▪■□☐◦●○‣⁃*·➢✓]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)])\s+\S")
_SENTENCE_END: Final = (".", "!", "?", ":", ";", "。", "”", '"', ")")
_LARGER: Final = 1.12
"""A heading's letters are at least this much larger than those of most of the text."""
_MAX_HEADING: Final = 150
"""Characters."""
_MAX_HEADING_LINES: Final = 3
_LEVELS: Final = 4
"""Sizes of letters that are told apart; smaller headings share the last level."""
_MARGIN: Final = 0.15
"""The share of a page's height, above and below, where running heads stand."""
_OUTERMOST: Final = 4
"""Lines from the page's edge among which running heads are."""
_REPEATED: Final = 3
"""Pages on which a line must stand at the same place to be a running head."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together."""

    text: str
    box: Box
    kind: BlockKind
    size: float
    bold: bool
    lines: int


def running_lines(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[dict[int, str]]:
    """Which lines (by their number) of each page are running heads, and which of them are page numbers (`""`).

    A running head stands at the same height of the upper or lower margin of at least three pages, with the same words
    but for digits. A page number is a number alone in the margin.
    """
    found: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    result: list[dict[int, str]] = [{} for _ in pages]
    for page, (lines, height) in enumerate(zip(pages, heights, strict=True)):
        for number in _in_margins(lines, height):
            text = one_line(lines[number].text)
            if PAGE_NUMBER.fullmatch(text):
                result[page][number] = ""
            words = re.sub(r"\d+", "#", text.casefold())
            found[words, round(lines[number].box.top / 8)].append((page, number))
    for (words, height_8), places in found.items():
        near = places + found.get((words, height_8 + 1), []) + found.get((words, height_8 - 1), [])
        if len({page for page, _ in near}) >= _REPEATED:
            for page, number in places:
                result[page].setdefault(number, words)
    return result


def _in_margins(lines: Sequence[Line], height: float) -> Iterator[int]:
    """The numbers of the lines near the upper and the lower edge of a page."""
    by_height = sorted(range(len(lines)), key=lambda number: lines[number].box.top)
    for number in by_height[:_OUTERMOST]:
        if lines[number].box.bottom <= _MARGIN * height:
            yield number
    for number in by_height[-_OUTERMOST:]:
        if lines[number].box.top >= (1 - _MARGIN) * height:
            yield number


def body_size(pages: Iterable[Sequence[Line]]) -> float:
    """The size of most letters of a document; 0 where it has none."""
    letters: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            letters[line.size] += len(line.text)
    return letters.most_common(1)[0][0] if letters else 0.0


class Vocabulary:
    """The words of a document, to tell hyphens that divide a word at a line's end from those that belong to it."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._words: set[str] = set()
        parted = False
        for line in lines:
            found = re.findall(r"[\w-]+", line.text.casefold())[parted:]
            parted = line.divided or line.text.endswith("-")
            self._words.update(found[:-1] if parted else found)

    def joined(self, first: str, second: str) -> str:
        """`first` and `second`, of which a hyphen at the line's end was taken: with the hyphen where the document has
        the word so, or has its parts and not the whole; without it else."""
        before, after = re.findall(r"[\w-]*$", first)[0], re.match(r"\w*", second)
        rest = after[0] if after else ""
        whole, parted = f"{before}{rest}".casefold(), f"{before}-{rest}".casefold()
        keep = whole not in self._words and (
            parted in self._words
            or not rest[:1].islower()
            or (
                before.casefold() in self._words
                and rest.casefold() in self._words
                and len(min(before, rest, key=len)) > 3
            )
        )
        return f"{first}-{second}" if keep else f"{first}{second}"


def paragraphs(lines: Sequence[Line], words: Vocabulary, titles: AbstractSet[str] = frozenset()) -> Iterator[Paragraph]:
    """The lines of a page, in reading order, put together. Lines that are one of `titles` (bare) stand alone."""
    gap = _usual_gap(lines)
    group: list[Line] = []
    alone = False
    for line in lines:
        title = bool(titles) and bare(line.text) in titles
        if group and (alone or title or _divides(group, line, gap)):
            yield _told(group, words)
            group = []
        group.append(line)
        alone = title
    if group:
        yield _told(group, words)


def bare(title: str) -> str:
    """A title without its number and case, as it may stand on the page."""
    return re.sub(r"^[\d.\sIVX]*\s", "", one_line(title)).casefold().strip(" .")


def _usual_gap(lines: Sequence[Line]) -> float:
    """The empty space between two lines of a paragraph, in points."""
    gaps = sorted(
        lower.box.top - upper.box.bottom
        for upper, lower in pairwise(lines)
        if upper.column == lower.column and lower.box.top > upper.box.top
    )
    return gaps[len(gaps) // 3] if gaps else 0.0


def _divides(group: Sequence[Line], line: Line, usual: float) -> bool:
    """Whether a paragraph ends before `line`."""
    before = group[-1]
    if before.column != line.column:
        ended = before.text.endswith(_SENTENCE_END) and not before.divided
        return ended or line.size != before.size or not (before.divided or line.text[:1].islower())
    if (len(before.cells) > 1) != (len(line.cells) > 1) and not _wrapped_cell(before, line):
        return True
    if abs(line.size - before.size) > 0.08 * before.size or (
        line.bold != before.bold and len(group) <= _MAX_HEADING_LINES
    ):
        return True
    if line.box.top - before.box.bottom > max(usual, 0.0) + 0.4 * line.size:
        return True
    if _BULLET.match(line.text) or CAPTION.match(line.text):
        return len(line.cells) == 1 and not before.divided
    indented = line.box.left - before.box.left > 0.8 * line.size and before.box.left <= before.left + line.size
    ended = before.text.endswith(_SENTENCE_END)
    short = before.box.right < before.right - 0.15 * (before.right - before.left)
    return len(line.cells) == 1 and ended and (indented or short)


def _wrapped_cell(before: Line, line: Line) -> bool:
    """Whether a line of one piece goes on with a cell of the table row before it."""
    return (
        len(before.cells) > 1
        and line.box.left > before.box.left + 2 * line.size
        and line.box.width < 0.5 * (before.right - before.left)
    )


_LEADERS: Final = re.compile(r"(?:\s?[.…·_]){5,}")
"""The dots of a table of contents, the line of a form."""


def _told(group: Sequence[Line], words: Vocabulary) -> Paragraph:
    first = group[0]
    kind: BlockKind = "paragraph"
    if sum(len(line.cells) > 1 for line in group) > max(1, len(group) // 2):
        kind = "table"
        text = "\n".join(" | ".join(line.cells) for line in group)
    elif all(line.fixed for line in group) and len(group) > 1:
        kind = "code"
        text = "\n".join(_indented(line, min(one.box.left for one in group)) for line in group)
    else:
        if CAPTION.match(first.text):
            kind = "caption"
        elif _BULLET.match(first.text):
            kind = "list"
        text = _unwrapped(group, words)
    box = around(line.box for line in group)
    if kind != "code":
        text = _LEADERS.sub(" … ", text)
    return Paragraph(text, box, kind, first.size, all(line.bold for line in group), len(group))


def _indented(line: Line, left: float) -> str:
    spaces = round((line.box.left - left) / max(0.6 * line.size, 1.0))
    return " " * min(spaces, 40) + line.text + ("-" if line.divided else "")


def _unwrapped(group: Sequence[Line], words: Vocabulary) -> str:
    """A paragraph without the line breaks that the margin made: where the next line's first word would have had room,
    the break was meant."""
    text = group[0].text
    for before, line in pairwise(group):
        if before.divided:
            text = words.joined(text, line.text)
            continue
        if re.search(r"\w-$", text) and line.text[:1].islower():
            text = words.joined(text[:-1], line.text)
            continue
        word = line.text.split(" ", 1)[0]
        room = before.right - before.box.right - (len(word) + 1) * 0.55 * line.size
        meant = room > 0.08 * (before.right - before.left) and before.column == line.column
        text += ("\n" if meant else " ") + line.text
    return text + ("-" if group[-1].divided else "")


def heading_levels(paragraphs: Iterable[Paragraph], body: float) -> Mapping[float, int]:
    """The level of a heading by the size of its letters, largest first."""
    sizes = sorted({one.size for one in paragraphs if _may_head(one) and one.size >= _LARGER * body}, reverse=True)
    levels: dict[float, int] = {}
    for size in sizes:
        last = min(levels, default=0.0)
        step = 0 if levels and size > 0.95 * last else 1
        levels[size] = min((levels[last] if levels else 0) + step, _LEVELS)
    return levels


def heading_level(paragraph: Paragraph, levels: Mapping[float, int], body: float) -> int:
    """The level of a paragraph that is a heading, 0 for others. Bold lines by themselves are headings below all that
    are set in larger letters."""
    if not _may_head(paragraph):
        return 0
    if paragraph.size in levels:
        return levels[paragraph.size]
    alone = paragraph.bold and paragraph.lines <= 2 and paragraph.size >= 0.95 * body
    return max(levels.values(), default=0) + 1 if alone and not paragraph.text.endswith((".", ",", ";")) else 0


def _may_head(paragraph: Paragraph) -> bool:
    return (
        paragraph.kind in ("paragraph", "list")
        and paragraph.lines <= _MAX_HEADING_LINES
        and len(paragraph.text) <= _MAX_HEADING
        and any(char.isalpha() for char in paragraph.text)
        and len(one_line(paragraph.text)) > 1
        and not (paragraph.kind == "list" and not re.match(r"\(?(?:\d|[A-Z])", paragraph.text))
    )
