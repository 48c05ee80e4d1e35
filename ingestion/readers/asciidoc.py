"""AsciiDoc: a small reader of its structure, because no maintained permissive library parses it.

Sections, paragraphs, lists, tables, blocks of code and pictures with their words are understood; macros that compute
(includes, conditions, counters) are not run, and an include is named as left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingestion.document import BlockKind, ParsedDocument, one_line
from ingestion.readers._asciidoc_inline import attributes_of, image_words, plain, substituted
from ingestion.readers._builder import Builder, resolve_link
from ingestion.readers._tables import Cell, add_table, spread
from ingestion.readers.text import load_text, note_lost

_HEADING: Final = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)$")
_ATTRIBUTE: Final = re.compile(r":(!?[\w-]+!?):(?:[ \t]+(.*))?$")
_LIST: Final = re.compile(r"([ \t]*)(\*{1,6}|-|\.{1,6}|\d{1,6}\.|[a-zA-Z]\.)[ \t]+(\S.*)$")
_TERM: Final = re.compile(r"[ \t]*(\S.*?)(?::{2,4}|;;)(?:[ \t]+(.*))?$")
_BLOCK_IMAGE: Final = re.compile(r"image::([^\s\[][^\[]*)\[(.*)\]\s*$")
INLINE_IMAGE: Final = re.compile(r"image:([^:\s\[][^\[]{0,2000})\[([^\]]{0,2000})\]")
_FENCE: Final = re.compile(r"(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|```\w*|[|,:!]===+)\s*$")
_DIRECTIVE: Final = re.compile(r"(include|ifdef|ifndef|ifeval|endif)::(\S*)\[.*\]\s*$")
_SILENT: Final = re.compile(r"(?:toc|anchor)::.*\[.*\]$|'{3,}$|<{3,}$|//(?!/)|\[\[[^\]]*\]\]$")
_CELL: Final = re.compile(r"(?:(?:^|(?<=\s))(?:(\d+)?(?:\.(\d+))?([+*]))?[<^>]?(?:\.[<^>])?[adehlmsv]?(?<!\s))?\|")
"""A cell's beginning, with its span or repetition, alignment and style."""
_MAX_TIMES: Final = 40
"""How often a cell may be repeated, and how far it may reach."""
_CODE: Final = ("----", "....", "```")
_DOCUMENT_FIELDS: Final = ("author", "revdate", "revnumber", "description", "keywords", "lang")


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened or is not text."""
    text = load_text(path)
    reader = _Reader(path.parent, root)
    note_lost(text, reader.builder)
    reader.blocks(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    metadata = {key: reader.attributes[key] for key in _DOCUMENT_FIELDS if reader.attributes.get(key)}
    if "revdate" in metadata:
        metadata["date"] = metadata.pop("revdate")
    title = reader.title or next(
        (block.text for block in reader.builder.items if getattr(block, "kind", "") == "heading"),  # type: ignore[union-attr]
        path.stem,
    )
    return reader.builder.document(title, "text/asciidoc", metadata)


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures that the document shows."""
    reader = _Reader(path.parent, root, only_links=True)
    reader.blocks(load_text(path).replace("\r\n", "\n").split("\n"))
    return tuple(dict.fromkeys(reader.found))


class _Reader:
    """One pass over the lines of a file."""

    def __init__(self, base: Path, root: Path, *, only_links: bool = False) -> None:
        self.builder, self.base, self.root = Builder(), base, root
        self.only_links = only_links
        self.found: list[Path] = []
        self.attributes: dict[str, str] = {}
        self.told: set[str] = set()
        self.title = ""
        self.caption = ""
        self.style = ""
        self.paragraph: list[str] = []
        self.item = ""
        self.lists: list[tuple[str, int, int]] = []

    def blocks(self, lines: list[str], depth: int = 0) -> None:
        """The lines of a document, or of a block within it."""
        at = 0
        while at < len(lines):
            line = lines[at].rstrip()
            fence = _FENCE.fullmatch(line)
            if fence and (line != "--" or not self.paragraph):
                self.flush()
                end = _end(lines, at + 1, "```" if line.startswith("```") else line)
                self.fenced(line, lines[at + 1 : end], depth)
                at = end + 1
                continue
            self.line(line, lines, at)
            at += 1
        self.flush()

    def line(self, line: str, lines: list[str], at: int) -> None:
        """One line outside of delimited blocks."""
        if line.strip() in ("", "+"):
            self.flush()
        elif _SILENT.match(line) or self.directive(line):
            return
        elif (attribute := _ATTRIBUTE.match(line)) and not self.paragraph:
            self.attributes[attribute[1].strip("!").lower()] = plain(attribute[2] or "", self.attributes, None)
        elif (heading := _HEADING.match(line)) and not self.paragraph:
            self.heading(len(heading[1]), _unclosed(heading[2], heading[1]), lines, at)
        elif re.fullmatch(r"\[[^\]]*\]", line) and not self.paragraph:
            self.style = line[1:-1]
        elif re.match(r"\.[^\s.]", line) and not self.paragraph:
            self.caption = plain(line[1:], self.attributes, self.told)
        elif image := _BLOCK_IMAGE.match(line):
            self.flush()
            self.image(image[1], image[2], self.taken())
        elif line.startswith("|") and line.count("|") > 1 and not self.paragraph:
            self.builder.text(
                " | ".join(plain(cell, self.attributes, self.told) for cell in line.strip("|").split("|"))
            )
        elif item := _LIST.match(line):
            self.flush()
            self.item = self.mark(item[2], len(item[1].expandtabs()))
            self.paragraph = [item[3]]
        elif (term := _TERM.match(line)) and not self.paragraph and " " not in term[1][:1]:
            self.builder.text(f"{plain(term[1], self.attributes, self.told)}:", "list")
            self.paragraph = [term[2]] if term[2] else []
            self.item = "  " if term[2] else ""
        else:
            self.paragraph.append(line)

    def directive(self, line: str) -> bool:
        """Whether the line is a directive: conditions hold, includes are named as left out."""
        directive = _DIRECTIVE.match(line)
        if directive and directive[1] == "include":
            self.builder.omit(f"include {directive[2]}", "files that a document names are not read into it")
        return directive is not None

    def heading(self, level: int, words: str, lines: list[str], at: int) -> None:
        """A section; the first of level 1 is the title, and the lines right under it are author and revision."""
        words = plain(words, self.attributes, self.told)
        self.lists.clear()
        self.taken()
        if level == 1 and not self.title:
            self.title = words
            for number, key in ((1, "author"), (2, "revdate")):
                line = lines[at + number].strip() if at + number < len(lines) else ""
                if (
                    not line
                    or line.startswith(":")
                    or (number == 1 and not re.fullmatch(r"[\w .;'-]+(<[^>]*>)?", line))
                ):
                    break
                self.attributes[key] = re.sub(r"\s*<[^>]*>", "", line)
                lines[at + number] = "//"
        self.builder.heading(words, level)

    def mark(self, mark: str, indent: int) -> str:
        """What stands before an item, indented by its depth. A mark that is not open yet opens a list within."""
        ordered = mark[0] == "." or mark[-1] == "."
        kind = "1." if mark[0] != "." and ordered else mark
        level = next(
            (at for at, (known, column, _) in enumerate(self.lists) if (known, column) == (kind, indent)), None
        )
        if level is None:
            level = len(self.lists)
            self.lists.append((kind, indent, 0))
        number = self.lists[level][2] + 1
        self.lists[level:] = [(kind, indent, number)]
        return f"{'  ' * level}{f'{number}.' if ordered else '-'} "

    def flush(self) -> None:
        """End the paragraph or item that is being gathered, then show the pictures within it."""
        lines, self.paragraph = self.paragraph, []
        mark, self.item = self.item, ""
        if not lines:
            return
        caption = self.taken()
        text = "\n".join(lines)
        if lines[0].startswith((" ", "\t")) and not mark:
            self.builder.text(text, "code")
            return
        images = INLINE_IMAGE.findall(text)
        kind: BlockKind = "list" if mark else "paragraph"
        if not mark:
            self.lists.clear()
        self.builder.text(caption)
        words = plain(INLINE_IMAGE.sub("", text), self.attributes, self.told).strip()
        self.builder.text(f"{mark}{words}" if words else "", kind)
        for source, inside in images:
            self.image(source, inside, "")

    def taken(self) -> str:
        """The title of the block that begins; it holds for this one only."""
        caption, self.caption, self.style = self.caption, "", ""
        return caption

    def fenced(self, fence: str, lines: list[str], depth: int) -> None:
        """A delimited block."""
        style = self.style
        caption = self.taken()
        if fence.startswith("////"):
            return
        if fence[1:4] == "===" and fence[0] in "|,:!":
            self.table(fence[0], lines, caption, style)
        elif fence.startswith(_CODE):
            self.builder.text(caption)
            self.builder.text("\n".join(lines), "code")
        elif fence.startswith("++++"):
            self.builder.text(re.sub(r"<[^>]*>", " ", "\n".join(lines)))
        else:
            self.builder.text(caption)
            self.nested(lines, depth)

    def nested(self, lines: list[str], depth: int) -> None:
        """The content of an example, a sidebar, a quotation."""
        if depth > 20:
            self.builder.text("\n".join(lines))
        else:
            self.blocks(list(lines), depth + 1)

    def table(self, separator: str, lines: list[str], caption: str, style: str) -> None:
        """A table: a row for each line, or where the number of columns is told, as many cells as that."""
        if separator in ",:":
            rows = [[Cell(plain(cell, self.attributes, self.told)) for cell in line.split(separator)] for line in lines]
            add_table(self.builder, spread(rows), caption)
            return
        text = [line.replace("!", "|") for line in lines] if separator == "!" else lines
        parsed = [list(_cells(line)) for line in text]
        columns = _columns(style)
        by_line = not columns and all(line.lstrip().startswith("|") or not line.strip() for line in text)
        rows = parsed if by_line else _regrouped(parsed, columns)
        images = [image for row in rows for cell in row for image in INLINE_IMAGE.findall(cell.text)]
        said = [
            [Cell(plain(INLINE_IMAGE.sub("", c.text), self.attributes, self.told), c.columns, c.rows) for c in row]
            for row in rows
        ]
        add_table(self.builder, spread(said), caption)
        for source, inside in images:
            self.image(source, inside, "")

    def image(self, source: str, inside: str, caption: str) -> None:
        """A picture: the block title over it, or `title=`, is its caption."""
        source = substituted(source.strip(), self.attributes)
        folder = self.attributes.get("imagesdir", "")
        if folder and not re.match(r"[a-z]+:|/", source, re.I):
            source = f"{folder.rstrip('/')}/{source}"
        alt, title = image_words(inside, self.attributes)
        if self.only_links:
            if isinstance(file := resolve_link(source, self.base, self.root), Path):
                self.found.append(file)
            return
        self.builder.linked_picture(source, self.base, self.root, alt, caption or title)


def _unclosed(words: str, mark: str) -> str:
    """The words of a heading without the mark that may close it as it opened it."""
    bare = words.removesuffix(mark)
    return bare.rstrip() if bare[-1:] in (" ", "\t") else words


def _end(lines: list[str], start: int, fence: str) -> int:
    """Where the block that `fence` opens ends: at the same line again, or with the file."""
    return next((at for at in range(start, len(lines)) if lines[at].rstrip() == fence), len(lines))


def _columns(style: str) -> int:
    """The number of columns that `cols=` tells; 0 where it is not told."""
    cols = attributes_of(style).get("cols", "")
    if match := re.fullmatch(r"\s*(\d{1,4})\*.*", cols):
        return int(match[1])
    return len(re.split(r"[,;]", cols)) if cols else 0


def _cells(line: str) -> Iterator[Cell]:
    """The cells that begin in a line; what stands before the first belongs to the cell of the line before."""
    marks = list(_CELL.finditer(line.replace("\\|", "\0\0"))) if "|" in line else []
    if line.strip() and (not marks or line[: marks[0].start()].strip()):
        yield Cell(one_line(line[: marks[0].start()] if marks else line), 0)
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(line)
        text = one_line(line[mark.end() : end].replace("\\|", "|"))
        times = _times(mark[1])
        if mark[3] == "*":
            yield from [Cell(text)] * times
        else:
            yield Cell(text, times, _times(mark[2]))


def _times(digits: str | None) -> int:
    return min(int(digits), _MAX_TIMES) if digits and len(digits) < 9 else 1


def _regrouped(parsed: list[list[Cell]], columns: int) -> list[list[Cell]]:
    """Rows of `columns` columns (default: as many as the first line with cells has), whatever the lines."""
    cells: list[Cell] = []
    for row in parsed:
        for cell in row:
            if cell.columns == 0 and cells:
                last = cells.pop()
                cells.append(Cell(f"{last.text} {cell.text}".strip(), last.columns, last.rows))
            elif cell.columns:
                cells.append(cell)
    width = columns or next((len(row) for row in parsed if row), 1)
    rows: list[list[Cell]] = [[]]
    taken: dict[int, int] = {}
    filled = 0
    for cell in cells:
        if filled + taken.get(len(rows) - 1, 0) >= width:
            rows.append([])
            filled = 0
        filled += cell.columns
        for below in range(1, cell.rows):
            taken[len(rows) - 1 + below] = taken.get(len(rows) - 1 + below, 0) + cell.columns
        rows[-1].append(cell)
    return rows
