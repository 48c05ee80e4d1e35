"""Word documents: headings, paragraphs, lists, tables, text boxes, notes and pictures, in the order of the file.

python-docx opens the package; the walk is over the XML itself, because content controls, text boxes and tracked
insertions are invisible to its paragraph interface.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

from ingestion.document import BlockKind, ParsedDocument, one_line
from ingestion.readers import _zip
from ingestion.readers._builder import CAPTION_LABEL, Builder, whole
from ingestion.readers._furniture import Furniture
from ingestion.readers._links import address_suffix
from ingestion.readers._numbering import Numbering
from ingestion.readers._office import (
    CX,
    DAMAGED,
    DIAGRAM,
    A,
    R,
    add_chart,
    add_diagram,
    add_newer_chart,
    core_metadata,
    damaged,
    open_package,
)
from ingestion.readers._omml import M, latex
from ingestion.readers._tables import add_table
from ingestion.readers._word import (
    BREAKS,
    CHART,
    CHECKBOX,
    OLE,
    SKIPPED,
    TEXTPATH,
    V,
    W,
    alt_of,
    chosen,
    descend,
    is_checked,
    remarked,
    rows_of,
)

_TABLE_LABEL: Final = re.compile(r"tab(?:le|elle|leau|la)?\b", re.I)
_DRAWN: Final = {CHART: add_chart, DIAGRAM: add_diagram, f"{CX}chart": add_newer_chart}
_PICTURES: Final = (f"{A}blip", f"{V}imagedata", *_DRAWN)
_MAX_QUOTE: Final = 80
"""Characters of the words that a comment is about."""
_MIME: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is encrypted or damaged."""
    import docx
    from docx.exceptions import PythonDocxError
    from docx.opc.exceptions import OpcError

    errors = (*DAMAGED, PythonDocxError, OpcError)
    try:
        return _Reader(open_package(path, docx.Document), path).document()
    except errors as exc:
        raise damaged(path, "Word", exc) from exc


class _Reader:
    """One pass over a Word document."""

    def __init__(self, package: Any, path: Path) -> None:
        self.package, self.path = package, path
        self.builder = Builder()
        self.part = package.part
        self.styles = {style.style_id: style for style in package.styles}
        self._waiting: list[tuple[bytes, str, str]] = []
        self._caption = ""
        self.title = ""
        self.shown: set[str] = set()
        self.told: set[str] = set()
        self.numbering = Numbering.of(self.tree("numbering"), self.tree("styles"))

    def tree(self, kind: str) -> Any | None:
        """The root of the first part that is related to the document as `kind`."""
        return next(self.trees(kind), None)

    def trees(self, kind: str) -> Iterator[Any]:
        """The roots of the parts that are related to the document as `kind`; while one is looked at, relations are
        its own."""
        for relation in list(self.package.part.rels.values()):
            if relation.reltype.endswith(f"/{kind}") and not relation.is_external:
                with self.within(relation.target_part):
                    yield _zip.parse_xml(relation.target_part.blob)

    @contextmanager
    def within(self, part: Any) -> Iterator[None]:
        """Look up relations in `part`: the same id is another thing in each."""
        before, self.part = self.part, part
        try:
            yield
        finally:
            self.part = before

    def document(self) -> ParsedDocument:
        """Body first, then foot- and endnotes and comments, then headers and footers."""
        self.whole(self.package.element.body)
        for kind in ("footnotes", "endnotes"):
            self.notes(kind)
        self.comments()
        furniture = Furniture(self.builder)
        for kind in ("header", "footer"):
            for tree in self.trees(kind):
                with furniture.added():
                    self.whole(tree)
        furniture.finish()
        objects = Counter(one_line(one.get("ProgID", "")) for one in self.package.element.body.iter(OLE))
        for kind, number in objects.items():
            self.builder.omit(f"{number} embedded {kind or 'object'}", "not read; its preview is kept as a picture")
        for part in self.package.part.package.iter_parts():
            name = str(part.partname).lstrip("/")
            if str(part.content_type).startswith("image/") and name not in self.shown:
                self.builder.junk(_zip.unshown_reason(name))
        metadata = core_metadata(self.package.core_properties)
        title = metadata.pop("title", "") or self.title
        headings = (block.text for block in self.builder.items if getattr(block, "kind", "") == "heading")  # type: ignore[union-attr]
        return self.builder.document(title or next(headings, self.path.stem), _MIME, metadata)

    def whole(self, element: Any) -> None:
        """A body, a header or a footer, to its end."""
        self.container(element)
        self.place("")
        self.say_caption()

    def container(self, element: Any) -> None:
        """The paragraphs and tables of a body, a cell, a text box or a content control."""
        for child in element:
            if child.tag == f"{W}p":
                self.paragraph(child)
            elif child.tag == f"{W}tbl":
                self.place("")
                self.table(child)
            elif child.tag in SKIPPED or not isinstance(child.tag, str):
                continue
            elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins", f"{W}moveTo"):
                self.container(child)

    def paragraph(self, paragraph: Any) -> None:
        """A heading opens a section; pictures wait for the caption below them, unless there was one right above."""
        text, style, level = self.text(paragraph), self.style_name(paragraph), self.level(paragraph)
        numbered = self.numbering.label(paragraph) if text.strip() or self.has_pictures(paragraph) else None
        is_caption = bool(text.strip()) and (style == "caption" or CAPTION_LABEL.match(text.strip()) is not None)
        if is_caption and self._waiting:
            self.place(text)
        elif is_caption and style == "caption" and not self.has_pictures(paragraph):
            self.say_caption()
            self._caption = text
        elif text.strip() or self.has_pictures(paragraph):
            self.place("")
            if text.strip():
                self.say_caption()
            if level:
                label = f"{numbered[0]} " if numbered and numbered[0] != "-" else ""
                self.builder.heading(label + one_line(text) if text.strip() else "", level)
            elif style == "title" and text.strip() and not self.title:
                self.title = one_line(text)
                self.builder.text(text, "heading")
            else:
                self.builder.text(*self.as_block(text, style, numbered))
        for box in descend(paragraph, f"{W}txbxContent"):
            self.container(box)
        self.pictures(paragraph)
        if self._waiting and self._caption and not _TABLE_LABEL.match(self._caption.strip()):
            caption, self._caption = self._caption, ""
            self.place(caption)

    def say_caption(self) -> None:
        """A caption that turned out to stand over nothing is text."""
        self.builder.text(self._caption, "caption")
        self._caption = ""

    def as_block(self, text: str, style: str, numbered: tuple[str, int] | None) -> tuple[str, BlockKind]:
        """The text of a plain paragraph and its kind."""
        if numbered or style.startswith("list"):
            label, depth = numbered or ("-", 0)
            return (f"{'  ' * depth}{label} {text.strip()}" if text.strip() else ""), "list"
        if style == "caption":
            return text, "caption"
        return text, "code" if "code" in style or style == "html preformatted" else "paragraph"

    def style_name(self, paragraph: Any) -> str:
        """The English name of a built-in style, lower case; python-docx translates ids of every language."""
        style = paragraph.find(f"{W}pPr/{W}pStyle")
        found = self.styles.get(style.get(f"{W}val")) if style is not None else None
        return str(found.name or "").lower() if found is not None else ""

    def level(self, paragraph: Any) -> int:
        """1 to 9 for a heading, by its style or its outline level; 0 for anything else."""
        if match := re.fullmatch(r"heading (\d)", self.style_name(paragraph)):
            return int(match[1])
        outline = paragraph.find(f"{W}pPr/{W}outlineLvl")
        value = whole(outline.get(f"{W}val", ""), 9) if outline is not None else 9
        return value + 1 if value < 9 else 0

    def has_pictures(self, paragraph: Any) -> bool:
        """Whether a paragraph without text shows something."""
        return next(descend(paragraph, *_PICTURES), None) is not None

    def pictures(self, paragraph: Any) -> None:
        """Let the paragraph's pictures wait for a caption."""
        for blip in descend(paragraph, *_PICTURES):
            alt = alt_of(blip)
            if blip.tag in _DRAWN:
                self.drawn(blip, alt)
                continue
            embedded = blip.get(f"{R}embed") or blip.get(f"{R}id")
            linked = blip.get(f"{R}link")
            try:
                relation = self.part.rels[embedded or linked]
                if relation.is_external:
                    self.builder.lost_picture(relation.target_ref, "linked, never fetched", alt)
                    continue
                part = relation.target_part
                name = str(part.partname).lstrip("/")
                self.shown.add(name)
                self._waiting.append((part.blob, name, alt))
            except (KeyError, AttributeError, ValueError):
                self.builder.lost_picture(str(embedded), "the file does not hold it", alt)

    def place(self, caption: str) -> None:
        """Put down the pictures that were waiting."""
        waiting, self._waiting = self._waiting, []
        for data, name, alt in waiting:
            self.builder.picture(data, name, alt, caption)

    def drawn(self, element: Any, alt: str) -> None:
        """A chart or a diagram, which Office draws from data: its words and numbers."""
        diagram = element.tag == DIAGRAM
        try:
            part = self.part.rels[element.get(f"{R}dm" if diagram else f"{R}id")].target_part
            tree = _zip.parse_xml(part.blob)
        except (KeyError, AttributeError, ValueError):
            self.builder.lost_picture("diagram" if diagram else "chart", "the file does not hold its data", alt)
            return
        self.place("")
        _DRAWN[element.tag](self.builder, tree)
        self.builder.text(one_line(alt), "caption")

    def table(self, table: Any) -> None:
        """A table as lines of cells, then what lies in them; one that only lays out the page as what its cells hold."""
        rows = [list(rows_of(row, f"{W}tc")) for row in rows_of(table, f"{W}tr")]
        if max(map(len, rows), default=0) < 2 or next(table.iter(f"{W}txbxContent"), None) is not None:
            for cell in (cell for row in rows for cell in row):
                self.container(cell)
                self.place("")
            return
        caption, self._caption = self._caption, ""
        add_table(self.builder, self.grid(rows), caption)
        for cell in (cell for row in rows for cell in row):
            for inner in descend(cell, f"{W}tbl"):
                self.table(inner)
            for paragraph in descend(cell, f"{W}p"):
                self.pictures(paragraph)
                self.place("")

    def grid(self, rows: list[list[Any]]) -> list[list[str]]:
        """The words of a table by row and column: what a merged cell says stands in all that it covers."""
        grid: list[list[str]] = []
        for cells in rows:
            row: list[str] = []
            for cell in cells:
                text = self.cell(cell)
                merged = cell.find(f"{W}tcPr/{W}vMerge")
                if merged is not None and merged.get(f"{W}val") != "restart" and grid and len(row) < len(grid[-1]):
                    text = text or grid[-1][len(row)]
                span = cell.find(f"{W}tcPr/{W}gridSpan")
                width = span.get(f"{W}val", "1") if span is not None and len(cells) > 1 else "1"
                row += [text] * min(whole(width, 1), 100)
            grid.append(row)
        return grid

    def cell(self, cell: Any) -> str:
        """The words of a cell, without those of the tables in it."""
        parts = []
        for paragraph in descend(cell, f"{W}p", f"{W}tbl"):
            if paragraph.tag == f"{W}p" and (text := one_line(self.text(paragraph))):
                numbered = self.numbering.label(paragraph)
                parts.append(f"{numbered[0]} {text}" if numbered else text)
        return " ".join(parts)

    def notes(self, kind: str) -> None:
        """Foot- or endnotes, which lie in a part of their own."""
        for tree in self.trees(kind):
            self.builder.leave_sections()
            for note in tree:
                if note.get(f"{W}type") in (None, "normal"):
                    self.note(note, "")

    def note(self, note: Any, said: str) -> None:
        """The words of a note or a comment after what is `said` of it, then its pictures."""
        paragraphs = list(note.iter(f"{W}p"))
        words = "\n".join(filter(str.strip, map(self.text, paragraphs)))
        self.builder.text(f"{said}{words}" if words else "", "notes")
        for paragraph in paragraphs:
            self.pictures(paragraph)
        self.place("")

    def comments(self) -> None:
        """Remarks on the text, each with who made it and the words it is about."""
        about = remarked(self.package.element.body)
        for tree in self.trees("comments"):
            self.builder.leave_sections()
            for comment in tree.iter(f"{W}comment"):
                author, words = one_line(comment.get(f"{W}author", "")), about.get(comment.get(f"{W}id", ""), "")
                said = f"Comment{author and f' by {author}'}"
                quoted = shorten(one_line(words), _MAX_QUOTE, placeholder=" …")
                self.note(comment, f"{said} on “{quoted}”: " if quoted else f"{said}: ")

    def text(self, element: Any) -> str:
        """The text of a paragraph as a reader sees it: insertions and formulas in, deletions and fallbacks out; a link
        with its address where that says more."""
        parts: list[str] = []
        for child in element:
            if child.tag == f"{W}t":
                parts.append(child.text or "")
            elif child.tag in BREAKS:
                parts.append(BREAKS[child.tag])
            elif child.tag == f"{M}oMath":
                parts.append(f" ${latex(child).strip()}$ ")
            elif child.tag == f"{W}hyperlink":
                words = self.text(child)
                relation = self.part.rels.get(child.get(f"{R}id"))
                target = relation.target_ref if relation is not None and relation.is_external else ""
                parts.append(words + address_suffix(words, target, self.told))
            elif child.tag in (TEXTPATH, f"{W}ffData"):
                parts.append(child.get("string", "") if child.tag == TEXTPATH else chosen(child))
            elif child.tag == f"{W}sdt" and (box := next(child.iter(CHECKBOX), None)) is not None:
                parts.append("[x]" if is_checked(box) else "[ ]")
            elif child.tag not in SKIPPED and isinstance(child.tag, str):
                parts.append(self.text(child))
        return "".join(parts)
