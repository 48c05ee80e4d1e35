"""The small Markdown of `content/`: headings, paragraphs, lists, tables, pictures and speaker's notes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PICTURE: Final = re.compile(r'!\[(?P<alt>[^\]]*)\]\((?P<name>[\w-]+) "(?P<caption>[^"]+)"\)')


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the document and comes once."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list without numbers."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first row is the head."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A picture by its name in `pictures.PAINTERS`; `alt` may be empty, `number` counts from 1 in its document."""

    name: str
    alt: str
    caption: str
    number: int

    @property
    def figure(self) -> str:
        """The caption as it is printed below the picture."""
        return f"Figure {self.number}: {self.caption}"


@dataclass(frozen=True)
class Notes:
    """What the speaker says to a slide."""

    text: str


Block = Heading | Paragraph | Bullets | Table | Picture | Notes


def parse(text: str) -> list[Block]:
    """The blocks of a content file, which are separated by empty lines."""
    blocks: list[Block] = []
    for chunk in text.strip().split("\n\n"):
        number = 1 + sum(isinstance(block, Picture) for block in blocks)
        blocks.append(_block(chunk.strip(), number))
    return blocks


def _block(chunk: str, number: int) -> Block:
    lines = chunk.splitlines()
    if heading := re.fullmatch(r"(#+) (.+)", chunk):
        return Heading(len(heading[1]), heading[2])
    if picture := _PICTURE.fullmatch(chunk):
        return Picture(picture["name"], picture["alt"], picture["caption"], number)
    if chunk.startswith("- "):
        return Bullets(tuple(line.removeprefix("- ") for line in lines))
    if chunk.startswith("|"):
        rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
        return Table((rows[0], *rows[2:]))
    if chunk.startswith("> "):
        return Notes(chunk.removeprefix("> "))
    return Paragraph(" ".join(lines))


def title(blocks: list[Block]) -> str:
    """The heading of level 1."""
    return next(block.text for block in blocks if isinstance(block, Heading) and block.level == 1)
