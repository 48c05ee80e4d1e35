"""Word documents: headings, paragraphs, lists, tables, text boxes, notes and pictures, in the order of the file.

python-docx opens the package; the walk is over the XML itself, because content controls, text boxes and tracked
insertions are invisible to its paragraph interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lxml import etree

from ingestion.document import BlockKind, ParsedDocument, one_line
from ingestion.readers._builder import CAPTION_LABEL, Builder
from ingestion.readers._office import DAMAGED, core_metadata, damaged, open_package

_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_V: Final = "{urn:schemas-microsoft-com:vml}"
_WP: Final = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_FALLBACK: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_CHART: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"

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
        self.title = ""

    def document(self) -> ParsedDocument:
        """Body first, then foot- and endnotes."""
        self.container(self.package.element.body)
        self.place("")
        for kind in ("footnotes", "endnotes"):
            self.notes(kind)
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
        """A heading opens a section; a caption goes to the picture before it; pictures wait for their caption."""
        text = one_line(_text(paragraph)) if self.level(paragraph) else _text(paragraph)
        style = self.style_name(paragraph)
        level = self.level(paragraph)
        if self._waiting and text.strip() and (style == "caption" or CAPTION_LABEL.match(text.strip())):
            self.place(text)
        elif text.strip() or self.has_pictures(paragraph):
            self.place("")
            if level:
                self.builder.heading(text, level)
            elif style == "title" and text.strip() and not self.title:
                self.title = one_line(text)
                self.builder.text(text, "heading")
            else:
                self.builder.text(*self.as_block(paragraph, text, style))
        for box in _descend(paragraph, f"{_W}txbxContent"):
            self.container(box)
        self.pictures(paragraph)

    def as_block(self, paragraph: Any, text: str, style: str) -> tuple[str, BlockKind]:
        """The text of a plain paragraph and its kind."""
        if style.startswith("list") or paragraph.find(f"{_W}pPr/{_W}numPr") is not None:
            return (f"- {text.strip()}" if text.strip() else ""), "list"
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
        value = outline.get(f"{_W}val", "9") if outline is not None else "9"
        return int(value) + 1 if value.isdigit() and int(value) < 9 else 0

    def has_pictures(self, paragraph: Any) -> bool:
        """Whether a paragraph without text shows something."""
        return next(_descend(paragraph, f"{_A}blip", f"{_V}imagedata"), None) is not None

    def pictures(self, paragraph: Any) -> None:
        """Let the paragraph's pictures wait for a caption."""
        for blip in _descend(paragraph, f"{_A}blip", f"{_V}imagedata", _CHART):
            alt = _alt(blip)
            if blip.tag == _CHART:
                self.builder.lost_picture("chart", "drawn by Office from data, not a picture", alt)
                continue
            embedded = blip.get(f"{_R}embed") or blip.get(f"{_R}id")
            linked = blip.get(f"{_R}link")
            try:
                relation = self.part.rels[embedded or linked]
                if relation.is_external:
                    self.builder.lost_picture(relation.target_ref, "linked, never fetched", alt)
                    continue
                part = relation.target_part
                self._waiting.append((part.blob, str(part.partname).lstrip("/"), alt))
            except (KeyError, AttributeError, ValueError):
                self.builder.lost_picture(str(embedded), "the file does not hold it", alt)

    def place(self, caption: str) -> None:
        """Put down the pictures that were waiting."""
        waiting, self._waiting = self._waiting, []
        for data, name, alt in waiting:
            self.builder.picture(data, name, alt, caption)

    def table(self, table: Any) -> None:
        """A table as lines of cells; one that only lays out the page as what its cells hold."""
        rows = [list(_rows_of(row, f"{_W}tc")) for row in _rows_of(table, f"{_W}tr")]
        if max(map(len, rows), default=0) < 2 or next(table.iter(f"{_W}txbxContent"), None) is not None:
            for cell in (cell for row in rows for cell in row):
                self.container(cell)
                self.place("")
            return
        lines = [" | ".join(one_line(" ".join(_text(p) for p in cell.iter(f"{_W}p"))) for cell in row) for row in rows]
        self.builder.text("\n".join(line for line in lines if line.strip(" |")), "table")
        for paragraph in table.iter(f"{_W}p"):
            self.pictures(paragraph)
            self.place("")

    def notes(self, kind: str) -> None:
        """Foot- or endnotes, which lie in a part of their own."""
        for relation in self.part.rels.values():
            if relation.reltype.endswith(f"/{kind}") and not relation.is_external:
                tree = etree.fromstring(
                    relation.target_part.blob, etree.XMLParser(resolve_entities=False, no_network=True)
                )
                self.builder.leave_sections()
                for note in tree:
                    if note.get(f"{_W}type") in (None, "normal"):
                        self.builder.text("\n".join(_text(p) for p in note.iter(f"{_W}p")), "notes")


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


def _text(element: Any) -> str:
    """The text of a paragraph as a reader sees it: insertions and formulas in, deletions and fallbacks out."""
    parts: list[str] = []
    for child in element:
        if child.tag in (f"{_W}t", f"{_M}t"):
            parts.append(child.text or "")
        elif child.tag in _BREAKS:
            parts.append(_BREAKS[child.tag])
        elif child.tag not in _SKIPPED and isinstance(child.tag, str):
            parts.append(_text(child))
    return "".join(parts)


def _alt(blip: Any) -> str:
    """The alt text of a picture: the description of the drawing around it, else its title."""
    for parent in blip.iterancestors():
        if parent.tag in (f"{_WP}inline", f"{_WP}anchor"):
            properties = parent.find(f"{_WP}docPr")
            return "" if properties is None else properties.get("descr") or properties.get("title") or ""
        if parent.tag == f"{_V}shape" and parent.get("alt"):
            return str(parent.get("alt"))
    return ""
