"""OpenDocument: texts, presentations (a slide is a page) and spreadsheets (a sheet is a section).

The package is a zip file with one XML tree of content, ISO/IEC 26300, so that zipfile and lxml are the whole library:
the walk is over the XML in any case, and only then are sizes and entities ours to bound.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ingestion.document import ParsedDocument, one_line
from ingestion.readers import _zip
from ingestion.readers._builder import CAPTION_LABEL, Builder
from ingestion.readers._links import address_suffix
from ingestion.readers._office import DAMAGED, damaged
from ingestion.readers._sheet import MAX_ROWS, add_regions
from ingestion.readers._tables import MAX_SPREAD, Cell, add_table, spread
from rag.errors import SourceError

_NS: Final = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_OFFICE, _TEXT, _TABLE, _DRAW, _STYLE, _META, _PRESENTATION, _MANIFEST = (
    _NS % name for name in ("office", "text", "table", "drawing", "style", "meta", "presentation", "manifest")
)
_SVG: Final = _NS % "svg-compatible"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_XLINK: Final = "{http://www.w3.org/1999/xlink}"
_MATH: Final = "{http://www.w3.org/1998/Math/MathML}"
_MAX_DEPTH: Final = 100
_MAX_COLUMNS: Final = 16_384
_WRAPPERS: Final = frozenset(
    {
        *(f"{_TEXT}{name}" for name in ("section", "index-body", "index-title", "numbered-paragraph")),
        *(f"{_TEXT}{name}" for name in ("table-of-content", "bibliography", "illustration-index", "alphabetical-index")),
        *(f"{_DRAW}g", f"{_DRAW}a", f"{_TABLE}shapes", f"{_OFFICE}forms"),
    }
)
_SKIPPED: Final = frozenset(
    {f"{_TEXT}tracked-changes", f"{_TEXT}note", f"{_OFFICE}annotation", f"{_OFFICE}annotation-end", f"{_TEXT}ruby-text"}
)
_FIELDS: Final = {"title": "title", "creator": "author", "subject": "subject", "language": "language", "date": "date"}


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is encrypted or damaged."""
    try:
        with _zip.opened(path) as archive:
            _refuse_encrypted(archive, path)
            reader = _Reader(archive)
            reader.body(_zip.parse_xml(archive.read("content.xml")))
            metadata = _metadata(archive)
            mime = archive.read("mimetype").decode("ascii", "replace").strip() if _has(archive, "mimetype") else ""
    except DAMAGED as exc:
        raise damaged(path, "OpenDocument", exc) from exc
    title = metadata.pop("title", "") or reader.title or path.stem
    return reader.builder.document(title, mime or "application/vnd.oasis.opendocument.text", metadata)


def _has(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.NameToInfo


def _refuse_encrypted(archive: zipfile.ZipFile, path: Path) -> None:
    manifest = _zip.read_xml(archive, "META-INF/manifest.xml")
    if manifest is not None and next(manifest.iter(f"{_MANIFEST}encryption-data"), None) is not None:
        raise SourceError(f"{path} is encrypted", "unencrypted files are read", "save it without a password")


def _metadata(archive: zipfile.ZipFile) -> dict[str, Any]:
    tree = _zip.read_xml(archive, "meta.xml")
    if tree is None:
        return {}
    found = {key: one_line(tree.findtext(f".//{_DC}{name}") or "") for name, key in _FIELDS.items()}
    author = one_line(tree.findtext(f".//{_META}initial-creator") or "")
    keywords = [word for element in tree.iter(f"{_META}keyword") if (word := one_line(element.text or ""))]
    known: dict[str, Any] = {key: value for key, value in found.items() if value}
    return known | ({"author": author} if author else {}) | ({"keywords": keywords} if keywords else {})


class _Reader:
    """One pass over an OpenDocument file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive, self.builder = archive, Builder()
        self.title = ""
        self.notes: list[str] = []
        self.told: set[str] = set()
        self.comments = 0
        self.shown: set[str] = set()
        self.parents: dict[str, str] = {}
        self.numbered: dict[str, frozenset[int]] = {}

    def styles(self, tree: Any | None) -> None:
        """What the styles of a tree say about titles and about which levels of a list are numbered."""
        for style in tree.iter(f"{_STYLE}style") if tree is not None else ():
            self.parents[style.get(f"{_STYLE}name", "")] = style.get(f"{_STYLE}parent-style-name", "")
        for style in tree.iter(f"{_TEXT}list-style") if tree is not None else ():
            levels = (
                level.get(f"{_TEXT}level", "1")
                for level in style.iter(f"{_TEXT}list-level-style-number")
                if level.get(f"{_STYLE}num-format")
            )
            self.numbered[style.get(f"{_STYLE}name", "")] = frozenset(int(n) for n in levels if n.isdigit())

    def body(self, content: Any) -> None:
        """What the file is for: a text, slides or sheets; then headers and footers, once."""
        self.styles(_zip.read_xml(self.archive, "styles.xml"))
        self.styles(content)
        for body in content.iterfind(f"{_OFFICE}body/*"):
            if body.tag == f"{_OFFICE}spreadsheet":
                for sheet in body.iterfind(f"{_TABLE}table"):
                    self.sheet(sheet)
            elif body.tag in (f"{_OFFICE}presentation", f"{_OFFICE}drawing"):
                for number, slide in enumerate(body.iterfind(f"{_DRAW}page"), 1):
                    self.slide(slide, number)
            else:
                self.container(body, 0)
                self.margins()
        self.end_notes()
        self.comments += sum(1 for _ in content.iter(f"{_OFFICE}annotation"))
        if self.comments:
            self.builder.omit(f"{self.comments} comment{'s' if self.comments > 1 else ''}", "remarks are left out")
        _zip.count_unshown(self.archive, self.shown, self.builder)

    def margins(self) -> None:
        """Headers and footers of the page styles, each once however many pages show it."""
        styles = _zip.read_xml(self.archive, "styles.xml")
        if styles is None:
            return
        self.builder.leave_sections()
        seen: set[str] = set()
        for margin in styles.iter(f"{_STYLE}header", f"{_STYLE}footer"):
            text = "\n".join(filter(None, (one_line(_text(p)) for p in margin.iter(f"{_TEXT}p"))))
            if any(map(str.isalpha, text)) and text not in seen:
                seen.add(text)
                self.builder.text(text)
            for frame in margin.iter(f"{_DRAW}frame"):
                self.frame(frame, 0)

    def container(self, element: Any, depth: int) -> None:
        """Paragraphs, lists, tables and frames in the order of the file."""
        if depth > _MAX_DEPTH:
            self.builder.text(_text(element))
            return
        for child in element:
            if child.tag == f"{_TEXT}h":
                level = child.get(f"{_TEXT}outline-level", "1")
                self.builder.heading(_text(child), int(level) if level.isdigit() else 1)
                self.attached(child, depth)
            elif child.tag == f"{_TEXT}p":
                self.paragraph(child, depth)
            elif child.tag == f"{_TEXT}list":
                self.list(child, 0)
            elif child.tag == f"{_TABLE}table":
                self.table(child, depth)
            elif child.tag == f"{_DRAW}frame":
                self.frame(child, depth)
            elif child.tag in _WRAPPERS:
                self.container(child, depth + 1)
            elif isinstance(child.tag, str) and child.tag.startswith(_DRAW) and child.tag not in _SKIPPED:
                self.container(child, depth + 1)

    def paragraph(self, paragraph: Any, depth: int) -> None:
        """A paragraph, then the frames anchored in it; its words are their caption where they begin as one."""
        text = _text(paragraph, self.told)
        style = paragraph.get(f"{_TEXT}style-name", "")
        style = self.parents.get(style) or style
        if style == "Title" and not self.title:
            self.title = one_line(text)
        frames = list(_frames(paragraph))
        caption = text if frames and CAPTION_LABEL.match(text.strip()) else ""
        if not caption:
            self.builder.text(text, "heading" if style == "Title" else "paragraph")
        self.attached(paragraph, depth, caption)

    def attached(self, element: Any, depth: int, caption: str = "") -> None:
        """Frames, shapes and notes within a paragraph."""
        for frame in _frames(element):
            if frame.tag == f"{_DRAW}frame":
                self.frame(frame, depth + 1, caption)
            else:
                self.container(frame, depth + 1)
        for note in element.iter(f"{_TEXT}note"):
            body = note.find(f"{_TEXT}note-body")
            if body is not None and depth < _MAX_DEPTH:
                self.notes.append("\n".join(_text(p) for p in body.iter(f"{_TEXT}p", f"{_TEXT}h")))

    def end_notes(self) -> None:
        """Foot- and endnotes gathered so far."""
        if self.notes:
            self.builder.leave_sections()
        for note in self.notes:
            self.builder.text(note, "notes")
        self.notes.clear()

    def list(self, element: Any, level: int, style: str = "") -> None:
        """A list; items beneath items are indented, and numbered where their style says so."""
        style = element.get(f"{_TEXT}style-name") or style
        ordered = level + 1 in self.numbered.get(style, ())
        number = 0
        for item in element.iterfind(f"{_TEXT}list-item") if level < _MAX_DEPTH else ():
            start = item.get(f"{_TEXT}start-value", "")
            number = int(start) if start.isdigit() else number + 1
            marker = f"{number}. " if ordered else "- "
            for child in item:
                if child.tag == f"{_TEXT}list":
                    self.list(child, level + 1, style)
                elif child.tag == f"{_TEXT}h":
                    self.container([child], level)
                elif child.tag == f"{_TEXT}p":
                    words = _text(child, self.told).strip()
                    self.builder.text(f"{'  ' * level}{marker}{words}" if words else "", "list")
                    marker = "  " if words else marker
                    self.attached(child, level)

    def table(self, table: Any, depth: int) -> None:
        """A table as text; one that only lays out the page as what its cells hold."""
        rows = [list(row) for _, row in _rows(table)]
        if max(map(len, rows), default=0) < 2:
            for cell in (cell for row in rows for cell in row):
                self.container(cell, depth + 1)
            return
        cells = [
            [Cell(_cell(cell), _span(cell, "columns"), _span(cell, "rows")) for cell in row if "covered" not in cell.tag]
            for row in rows
        ]
        add_table(self.builder, spread(cells))
        for frame in _frames(table):
            self.frame(frame, depth + 1)

    def sheet(self, sheet: Any) -> None:
        """A sheet of a spreadsheet."""
        self.builder.leave_sections()
        self.builder.heading(sheet.get(f"{_TABLE}name", ""), 1)
        name = sheet.get(f"{_TABLE}name", "")
        for _, add in add_regions(_sheet_rows(sheet), f"sheet {name}", self.builder):
            add()
        for frame in _frames(sheet):
            self.frame(frame, 0)

    def slide(self, slide: Any, number: int) -> None:
        """A slide: its title is its section; speaker notes come last."""
        self.builder.leave_sections()
        self.builder.page = number
        titles = [frame for frame in slide.iter(f"{_DRAW}frame") if frame.get(f"{_PRESENTATION}class") == "title"]
        title = one_line(" ".join(_text(p) for p in titles[0].iter(f"{_TEXT}p"))) if titles else ""
        named = slide.get(f"{_DRAW}name", "")
        self.builder.heading(title or ("" if re.fullmatch(r"page\d+", named) else named), 1)
        self.title = self.title or title
        for shape in slide:
            if shape.tag == f"{_PRESENTATION}notes" or (titles and shape is titles[0]):
                continue
            if shape.tag == f"{_DRAW}frame":
                self.frame(shape, 0)
            else:
                self.container([shape] if shape.tag == f"{_DRAW}g" else shape, 0)
        for notes in slide.iterfind(f"{_PRESENTATION}notes"):
            for frame in notes.iterfind(f"{_DRAW}frame[@{_PRESENTATION}class='notes']"):
                words = "\n".join(_text(p) for p in frame.iter(f"{_TEXT}p"))
                self.builder.text(words, "notes")

    def frame(self, frame: Any, depth: int, caption: str = "") -> None:
        """A frame: the first of its pictures that opens, a text box, a table or an embedded object."""
        if depth > _MAX_DEPTH:
            return
        alt = " ".join(one_line(frame.findtext(f"{_SVG}{name}") or "") for name in ("title", "desc"))
        boxes = frame.findall(f"{_DRAW}text-box")
        for box in boxes:
            words = " ".join(_text(p) for p in box.iterfind(f"{_TEXT}p")).strip()
            inner = [f for p in box.iterfind(f"{_TEXT}p") for f in _frames(p)]
            if inner and words and len(words) < 400:
                for picture in inner:
                    self.frame(picture, depth + 1, words)
            else:
                self.container(box, depth + 1)
        for table in frame.iterfind(f"{_TABLE}table"):
            self.table(table, depth + 1)
        for embedded in frame.findall(f"{_DRAW}object"):
            if self.embedded(embedded, alt):
                return
        if not boxes and frame.find(f"{_TABLE}table") is None:
            self.picture(frame.findall(f"{_DRAW}image"), alt, caption)

    def embedded(self, element: Any, alt: str) -> bool:
        """Add the formula or chart that a frame embeds; whether there was one that could be read."""
        href = element.get(f"{_XLINK}href", "").removeprefix("./").rstrip("/")
        inner = _zip.read_xml(self.archive, f"{href}/content.xml") if href else element.find(f"{_MATH}math")
        if inner is None:
            return False
        annotation = next(inner.iter(f"{_MATH}annotation"), None)
        if annotation is not None or inner.tag == f"{_MATH}math":
            text = annotation.text if annotation is not None else " ".join(inner.itertext())
            self.builder.text(one_line(text or ""))
            return True
        tables = list(inner.iter(f"{_TABLE}table"))
        title = next((_text(p) for t in inner.iter("{*}title") for p in t.iter(f"{_TEXT}p")), "") or alt
        for table in tables:
            add_table(self.builder, [[_cell(cell) for cell in row] for _, row in _rows(table)], title)
        return bool(tables)

    def picture(self, images: list[Any], alt: str, caption: str) -> None:
        """One picture, which may lie in the file in several forms: the first that opens."""
        for number, image in enumerate(images):
            href = image.get(f"{_XLINK}href", "")
            name = _zip.member(self.archive, "", href.removeprefix("./"))
            if name is None:
                if number + 1 == len(images) and href:
                    remote = "://" in href
                    reason = "linked, never fetched" if remote else "the file does not hold it"
                    self.builder.lost_picture(href, reason, alt, caption)
                continue
            data = self.archive.read(name)
            self.shown.add(name)
            # A preview that LibreOffice alone can draw stands in for what was read already.
            if name.endswith(".svm"):
                self.builder.junk("previews that only LibreOffice can draw")
                return
            if self.builder.picture(data, name, alt, caption):
                return


def _frames(element: Any) -> Iterator[Any]:
    """The outermost frames and shapes below `element`."""
    for child in element:
        if child.tag == f"{_DRAW}frame" or child.tag in (f"{_DRAW}custom-shape", f"{_DRAW}g", f"{_DRAW}rect"):
            yield child
        elif child.tag not in _SKIPPED:
            yield from _frames(child)


def _text(element: Any, told: set[str] | None = None) -> str:
    """The words of a paragraph; frames, notes and remarks are not among them."""
    parts = [element.text or ""]
    for child in element:
        tag = child.tag
        if tag == f"{_TEXT}s":
            count = child.get(f"{_TEXT}c", "1")
            parts.append(" " * min(int(count) if count.isdigit() else 1, 1000))
        elif tag == f"{_TEXT}tab":
            parts.append("\t")
        elif tag == f"{_TEXT}line-break":
            parts.append("\n")
        elif isinstance(tag, str) and tag not in _SKIPPED and not tag.startswith((_DRAW, _PRESENTATION)):
            words = _text(child, told)
            if tag == f"{_TEXT}a" and told is not None:
                words += address_suffix(words, child.get(f"{_XLINK}href", ""), told)
            parts.append(words)
        parts.append(child.tail or "")
    return "".join(parts)


def _rows(table: Any) -> Iterator[tuple[int, Iterator[Any]]]:
    """(times repeated, cells) of the rows, also those that a header or a group wraps."""
    for child in table:
        if child.tag == f"{_TABLE}table-row":
            yield _count(child, "number-rows-repeated", MAX_ROWS), (cell for cell in child if isinstance(cell.tag, str))
        elif child.tag in (f"{_TABLE}{name}" for name in ("table-header-rows", "table-rows", "table-row-group")):
            yield from _rows(child)


def _sheet_rows(sheet: Any) -> Iterator[list[str]]:
    for times, cells in _rows(sheet):
        row: list[str] = []
        for cell in cells:
            text = _cell(cell)
            # A cell without words is repeated to the edge of the sheet.
            row += [text] * min(_count(cell, "number-columns-repeated", _MAX_COLUMNS), _MAX_COLUMNS - len(row))
        while row and not row[-1]:
            row.pop()
        for _ in range(times if row else min(times, 1)):
            yield row


def _count(element: Any, name: str, most: int) -> int:
    value = element.get(f"{_TABLE}{name}", "1")
    return min(int(value), most) if value.isdigit() and len(value) < 12 else 1


def _span(cell: Any, name: str) -> int:
    return _count(cell, f"number-{name}-spanned", MAX_SPREAD)


def _cell(cell: Any) -> str:
    """The words of a cell, those of a table within it among them."""
    return one_line(" ".join(_text(p) for p in cell.iter(f"{_TEXT}p", f"{_TEXT}h")))
