"""What stands on many pages of a document by itself: headers, footers, masters. Told once, whatever the format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ingestion.document import Block, Picture, one_line
from ingestion.junk import LOGO, is_logo
from ingestion.readers._builder import Builder

_ROMAN: Final = r"(?=[ivxlc])c{0,3}(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})"
"""A number below 400 as it is written. More letters than these, or another order, are a word: civil, mild, mix."""
PAGE_NUMBER: Final = re.compile(
    r"[-–—\s|·]*(?:(?:page|seite|p\.)\s*)?"
    rf"(?:\d{{1,5}}(?:[-–.]\d{{1,4}})?|(?-i:{_ROMAN}|{_ROMAN.upper()}))"
    r"(?:\s*(?:/|of|von)\s*\d+)?[-–—\s|·]*",
    re.I,
)
"""A line that says nothing but which page it stands on. Roman numbers are of small or of capital letters: Vi and Liv
are names."""


class Furniture:
    """The furniture of the document that `builder` gathers. Of its words those stay that the document did not say
    before; page numbers and what repeats are counted. Its pictures stay, once."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._said: set[str] = set()
        self._heard = self._repeated = 0
        self._shown: Counter[str] = Counter()
        self._drawn_by: dict[str, list[Picture]] = {}

    @contextmanager
    def added(self, master: str = "") -> Iterator[None]:
        """What is added within the block is furniture, of `master` where a page names one. It stands in no section."""
        builder = self._builder
        builder.leave_sections()
        self._said.update(_words(item) for item in builder.items[self._heard :] if isinstance(item, Block))
        first = len(builder.items)
        yield
        builder.leave_sections()
        added, builder.items[first:] = builder.items[first:], []
        for item in added:
            line = one_line(item.text) if isinstance(item, Block) else ""
            words = line.casefold()
            page_number = PAGE_NUMBER.fullmatch(line) or not any(map(str.isalnum, line))
            if isinstance(item, Block) and (page_number or words in self._said):
                self._repeated += 1
            else:
                builder.items.append(item)
                self._said.add(words)
        self._heard = len(builder.items)
        bare = [item for item in builder.items[first:] if isinstance(item, Picture) and not item.words]
        self._drawn_by.setdefault(master, []).extend(bare)

    def is_new(self, master: str) -> bool:
        """Note that a page shows what `master` draws; whether it is the first that does."""
        self._shown[master] += 1
        return self._shown[master] == 1

    def finish(self, pages: int = 0) -> None:
        """Tell what was left out, and leave out what masters draw on half of the pages: the rule of `ingestion.junk`,
        for what it cannot see."""
        logos = [one for master, on in self._shown.items() if is_logo(on, pages) for one in self._drawn_by[master]]
        gone = set(map(id, logos))
        self._builder.items = [item for item in self._builder.items if id(item) not in gone]
        for _ in logos:
            self._builder.junk(LOGO)
        if self._repeated:
            lines = f"{self._repeated} line{'s' if self._repeated > 1 else ''} of headers and footers"
            self._builder.omit(lines, "page numbers, or words that the document has elsewhere")


def _words(block: Block) -> str:
    return one_line(block.text).casefold()
