"""Word documents: headings, paragraphs, lists, tables, text boxes, notes and pictures, in the order of the file.

python-docx opens the package; the walk is over the XML itself, because content controls, text boxes and tracked
insertions are invisible to its paragraph interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ingestion.document import BlockKind, ParsedDocument, one_line
from ingestion.readers import _zip
from ingestion.readers._builder import CAPTION_LABEL, Builder, whole
from ingestion.readers._links import address_suffix
from ingestion.readers._numbering import Numbering
from ingestion.readers._office import DAMAGED, add_chart, add_diagram, core_metadata, damaged, open_package
from ingestion.readers._omml import M, latex
from ingestion.readers._tables import add_table

_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_V: Final = "{urn:schemas-microsoft-com:vml}"
_WP: Final = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_FALLBACK: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_CHART: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_DIAGRAM: Final = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_CHECKBOX: Final = "{http://schemas.microsoft.com/office/word/2010/wordml}checkbox"
_OFFICE_TITLE: Final = "{urn:schemas-microsoft-com:office:office}title"
_TABLE_LABEL: Final = re.compile(r"tab(?:le|elle|leau|la)?\b", re.I)

_SKIPPED: Final = frozenset(
    {f"{_W}del", f"{_W}moveFrom", _FALLBACK, f"{_W}txbxContent", f"{_W}instrText", f"{_W}delText"}
)
_BREAKS: Final = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
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
        """The roots of the parts that are related to the document as `kind`."""
        for relation in self.part.rels.values():
            if relation.reltype.endswith(f"/{kind}") and not relation.is_external:
                yield _zip.parse_xml(relation.target_part.blob)

    def document(self) -> ParsedDocument:
        """Body first, then foot- and endnotes, then headers and footers, each once."""
        self.container(self.package.element.body)
        self.place("")
        self.say_caption()
        for kind in ("footnotes", "endnotes"):
            self.notes(kind)
        self.margins()
        if comments := sum(1 for tree in self.trees("comments") for _ in tree.iter(f"{_W}comment")):
            self.builder.omit(f"{comments} comment{'s' if comments > 1 else ''}", "remarks on the text are left out")
        for part in self.package.part.package.iter_parts():
            name = str(part.partname).lstrip("/")
            if str(part.content_type).startswith("image/") and name not in self.shown:
                self.builder.junk(_zip.unshown_reason(name))
        metadata = core_metadata(self.package.core_properties)
        title = metadata.pop("title", "") or self.title
        headings = (block.text for block in self.builder.items if getattr(block, "kind", "") == "heading")  # type: ignore[union-attr]
        return self.builder.document(title or next(headings, self.path.stem), _MIME, metadata)

    def container(self, element: Any) -> None:
        """The paragraphs and tables of a body, a cell, a text box or a content control."""
        for child in element:
            if child.tag == f"{_W}p":
                self.paragraph(child)
            elif child.tag == f"{_W}tbl":
                self.place("")
                self.table(child)
            elif child.tag in _SKIPPED or not isinstance(child.tag, str):
                continue
            elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}customXml", f"{_W}ins", f"{_W}moveTo"):
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
        for box in _descend(paragraph, f"{_W}txbxContent"):
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
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        found = self.styles.get(style.get(f"{_W}val")) if style is not None else None
        return str(found.name or "").lower() if found is not None else ""

    def level(self, paragraph: Any) -> int:
        """1 to 9 for a heading, by its style or its outline level; 0 for anything else."""
        if match := re.fullmatch(r"heading (\d)", self.style_name(paragraph)):
            return int(match[1])
        outline = paragraph.find(f"{_W}pPr/{_W}outlineLvl")
        value = whole(outline.get(f"{_W}val", ""), 9) if outline is not None else 9
        return value + 1 if value < 9 else 0

    def has_pictures(self, paragraph: Any) -> bool:
        """Whether a paragraph without text shows something."""
        return next(_descend(paragraph, f"{_A}blip", f"{_V}imagedata", _CHART, _DIAGRAM), None) is not None

    def pictures(self, paragraph: Any) -> None:
        """Let the paragraph's pictures wait for a caption."""
        for blip in _descend(paragraph, f"{_A}blip", f"{_V}imagedata", _CHART, _DIAGRAM):
            alt = _alt(blip)
            if blip.tag in (_CHART, _DIAGRAM):
                self.drawn(blip, alt)
                continue
            embedded = blip.get(f"{_R}embed") or blip.get(f"{_R}id")
            linked = blip.get(f"{_R}link")
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
        chart = element.tag == _CHART
        try:
            part = self.part.rels[element.get(f"{_R}id" if chart else f"{_R}dm")].target_part
            tree = _zip.parse_xml(part.blob)
        except (KeyError, AttributeError, ValueError):
            self.builder.lost_picture("chart" if chart else "diagram", "the file does not hold its data", alt)
            return
        self.place("")
        (add_chart if chart else add_diagram)(self.builder, tree)
        self.builder.text(one_line(alt), "caption")

    def table(self, table: Any) -> None:
        """A table as lines of cells, then what lies in them; one that only lays out the page as what its cells hold."""
        rows = [list(_rows_of(row, f"{_W}tc")) for row in _rows_of(table, f"{_W}tr")]
        if max(map(len, rows), default=0) < 2 or next(table.iter(f"{_W}txbxContent"), None) is not None:
            for cell in (cell for row in rows for cell in row):
                self.container(cell)
                self.place("")
            return
        caption, self._caption = self._caption, ""
        add_table(self.builder, self.grid(rows), caption)
        for cell in (cell for row in rows for cell in row):
            for inner in _descend(cell, f"{_W}tbl"):
                self.table(inner)
            for paragraph in _descend(cell, f"{_W}p"):
                self.pictures(paragraph)
                self.place("")

    def grid(self, rows: list[list[Any]]) -> list[list[str]]:
        """The words of a table by row and column: what a merged cell says stands in all that it covers."""
        grid: list[list[str]] = []
        for cells in rows:
            row: list[str] = []
            for cell in cells:
                text = self.cell(cell)
                merged = cell.find(f"{_W}tcPr/{_W}vMerge")
                if merged is not None and merged.get(f"{_W}val") != "restart" and grid and len(row) < len(grid[-1]):
                    text = text or grid[-1][len(row)]
                span = cell.find(f"{_W}tcPr/{_W}gridSpan")
                width = span.get(f"{_W}val", "1") if span is not None and len(cells) > 1 else "1"
                row += [text] * min(whole(width, 1), 100)
            grid.append(row)
        return grid

    def cell(self, cell: Any) -> str:
        """The words of a cell, without those of the tables in it."""
        parts = []
        for paragraph in _descend(cell, f"{_W}p", f"{_W}tbl"):
            if paragraph.tag == f"{_W}p" and (text := one_line(self.text(paragraph))):
                numbered = self.numbering.label(paragraph)
                parts.append(f"{numbered[0]} {text}" if numbered else text)
        return " ".join(parts)

    def notes(self, kind: str) -> None:
        """Foot- or endnotes, which lie in a part of their own."""
        for tree in self.trees(kind):
            self.builder.leave_sections()
            for note in tree:
                if note.get(f"{_W}type") in (None, "normal"):
                    self.builder.text("\n".join(self.text(p) for p in note.iter(f"{_W}p")), "notes")

    def margins(self) -> None:
        """Headers and footers: their words once, however many sections show them; a page number alone is none."""
        seen: set[str] = set()
        for kind in ("header", "footer"):
            for tree in self.trees(kind):
                text = "\n".join(filter(None, (one_line(self.text(p)) for p in tree.iter(f"{_W}p"))))
                if any(map(str.isalpha, text)) and text not in seen:
                    seen.add(text)
                    self.builder.leave_sections()
                    self.builder.text(text)

    def text(self, element: Any) -> str:
        """The text of a paragraph as a reader sees it: insertions and formulas in, deletions and fallbacks out; a link
        with its address where that says more."""
        parts: list[str] = []
        for child in element:
            if child.tag == f"{_W}t":
                parts.append(child.text or "")
            elif child.tag in _BREAKS:
                parts.append(_BREAKS[child.tag])
            elif child.tag == f"{M}oMath":
                parts.append(f" ${latex(child).strip()}$ ")
            elif child.tag == f"{_W}hyperlink":
                words = self.text(child)
                relation = self.part.rels.get(child.get(f"{_R}id"))
                target = relation.target_ref if relation is not None and relation.is_external else ""
                parts.append(words + address_suffix(words, target, self.told))
            elif child.tag == f"{_W}sdt" and (box := next(child.iter(_CHECKBOX), None)) is not None:
                parts.append("[x]" if _checked(box) else "[ ]")
            elif child.tag not in _SKIPPED and isinstance(child.tag, str):
                parts.append(self.text(child))
        return "".join(parts)


def _rows_of(element: Any, tag: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, also where a content control wraps them."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}customXml", f"{_W}ins"):
            yield from _rows_of(child, tag)


def _descend(element: Any, *tags: str) -> Iterator[Any]:
    """Elements of the given tags, without those in fallbacks, deletions, or text boxes (unless these are asked for)."""
    for child in element:
        if child.tag in tags:
            yield child
        elif child.tag not in _SKIPPED:
            yield from _descend(child, *tags)


def _checked(box: Any) -> bool:
    """Whether a check box of a form is ticked."""
    state = next((child for child in box if child.tag.endswith("}checked")), None)
    return state is not None and "1" in state.attrib.values()


def _alt(blip: Any) -> str:
    """The alt text of a picture: the description of the drawing around it, else its title."""
    for parent in blip.iterancestors():
        if parent.tag in (f"{_WP}inline", f"{_WP}anchor"):
            properties = parent.find(f"{_WP}docPr")
            return "" if properties is None else properties.get("descr") or properties.get("title") or ""
        if parent.tag == f"{_V}shape" and parent.get("alt"):
            return str(parent.get("alt"))
    return str(blip.get(_OFFICE_TITLE) or "")
