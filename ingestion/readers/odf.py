"""OpenDocument: texts, presentations (a slide is a page) and spreadsheets (a sheet is a section).

The package is a zip file with one XML tree of content, ISO/IEC 26300, so that zipfile and lxml are the whole library:
the walk is over the XML in any case, and only then are sizes and entities ours to bound.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ingestion.document import ParsedDocument, one_line
from ingestion.readers import _zip
from ingestion.readers._builder import CAPTION_LABEL, Builder, whole
from ingestion.readers._furniture import Furniture
from ingestion.readers._odf import (
    DC,
    DRAW,
    MANIFEST,
    MATH,
    META,
    OFFICE,
    PRESENTATION,
    STYLE,
    SVG,
    TABLE,
    TEXT,
    XLINK,
    cell_of,
    comment_of,
    frames_of,
    margins_of,
    masters_of,
    rows_of,
    sheet_rows_of,
    span_of,
    text_of,
)
from ingestion.readers._office import DAMAGED, damaged
from ingestion.readers._sheet import add_regions
from ingestion.readers._tables import Cell, add_table, spread
from rag.errors import SourceError

_MAX_DEPTH: Final = 100
_WRAPPERS: Final = frozenset(
    {
        *(f"{TEXT}{name}" for name in ("section", "index-body", "index-title", "numbered-paragraph")),
        *(f"{TEXT}{name}" for name in ("table-of-content", "bibliography", "illustration-index", "alphabetical-index")),
        *(f"{DRAW}g", f"{DRAW}a", f"{TABLE}shapes", f"{OFFICE}forms"),
    }
)
_FIELDS: Final = {"title": "title", "creator": "author", "subject": "subject", "language": "language", "date": "date"}


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is encrypted or damaged."""
    try:
        with _zip.opened(path) as archive:
            _refuse_encrypted(archive, path)
            reader = _Reader(archive)
            reader.body(_zip.parse_xml(archive.read("content.xml")))
            metadata = _metadata(archive, reader.builder)
            mime = _mime(archive)
    except DAMAGED as exc:
        raise damaged(path, "OpenDocument", exc) from exc
    title = metadata.pop("title", "") or reader.title or path.stem
    return reader.builder.document(title, mime or "application/vnd.oasis.opendocument.text", metadata)


def _mime(archive: zipfile.ZipFile) -> str:
    """What the file says it is; empty where it does not, or not legibly."""
    try:
        return archive.read("mimetype").decode("ascii", "replace").strip()
    except (KeyError, *_zip.BROKEN):
        return ""


def _refuse_encrypted(archive: zipfile.ZipFile, path: Path) -> None:
    manifest = _zip.read_xml(archive, "META-INF/manifest.xml")
    if manifest is not None and next(manifest.iter(f"{MANIFEST}encryption-data"), None) is not None:
        raise SourceError(f"{path} is encrypted", "unencrypted files are read", "save it without a password")


def _metadata(archive: zipfile.ZipFile, builder: Builder) -> dict[str, Any]:
    tree = _zip.read_xml_if_whole(archive, "meta.xml", builder)
    if tree is None:
        return {}
    found = {key: one_line(tree.findtext(f".//{DC}{name}") or "") for name, key in _FIELDS.items()}
    author = one_line(tree.findtext(f".//{META}initial-creator") or "")
    keywords = [word for element in tree.iter(f"{META}keyword") if (word := one_line(element.text or ""))]
    known: dict[str, Any] = {key: value for key, value in found.items() if value}
    return known | ({"author": author} if author else {}) | ({"keywords": keywords} if keywords else {})


class _Reader:
    """One pass over an OpenDocument file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive, self.builder = archive, Builder()
        self.title = ""
        self.furniture = Furniture(self.builder)
        self.masters: dict[str, Any] = {}
        self.told: set[str] = set()
        self.shown: set[str] = set()
        self.parents: dict[str, str] = {}
        self.numbered: dict[str, frozenset[int]] = {}

    def styles(self, tree: Any | None) -> None:
        """What the styles of a tree say about titles and about which levels of a list are numbered."""
        for style in tree.iter(f"{STYLE}style") if tree is not None else ():
            self.parents[style.get(f"{STYLE}name", "")] = style.get(f"{STYLE}parent-style-name", "")
        for style in tree.iter(f"{TEXT}list-style") if tree is not None else ():
            levels = (
                level.get(f"{TEXT}level", "1")
                for level in style.iter(f"{TEXT}list-level-style-number")
                if level.get(f"{STYLE}num-format")
            )
            self.numbered[style.get(f"{STYLE}name", "")] = frozenset(whole(level, 0) for level in levels)

    def body(self, content: Any) -> None:
        """What the file is for: a text, slides or sheets; then notes and comments, headers and footers."""
        styles = _zip.read_xml_if_whole(self.archive, "styles.xml", self.builder)
        self.styles(styles)
        self.styles(content)
        self.masters = masters_of(styles)
        pages = 0
        for body in content.iterfind(f"{OFFICE}body/*"):
            if body.tag == f"{OFFICE}spreadsheet":
                for sheet in body.iterfind(f"{TABLE}table"):
                    self.sheet(sheet)
            elif body.tag in (f"{OFFICE}presentation", f"{OFFICE}drawing"):
                for pages, slide in enumerate(body.iterfind(f"{DRAW}page"), 1):
                    self.slide(slide, pages)
            else:
                self.container(body, 0)
                self.notes(body)
        for margin in margins_of(styles):
            with self.furniture.added():
                self.container(margin, 0)
        self.furniture.finish(pages)
        _zip.count_unshown(self.archive, self.shown, self.builder)

    def notes(self, element: Any) -> None:
        """Foot- and endnotes, then comments: what stands beside the text, in the order of its places."""
        self.builder.leave_sections()
        for body in element.iter(f"{TEXT}note-body"):
            self.builder.text("\n".join(text_of(p, self.told) for p in body.iter(f"{TEXT}p", f"{TEXT}h")), "notes")
            for frame in frames_of(body):
                self.frame(frame, 0)
        self.comments(element)

    def comments(self, element: Any) -> None:
        """The comments within `element`, each with who made it."""
        for annotation in element.iter(f"{OFFICE}annotation"):
            self.builder.text(comment_of(annotation), "notes")

    def container(self, element: Any, depth: int) -> None:
        """Paragraphs, lists, tables and frames in the order of the file."""
        if depth > _MAX_DEPTH:
            self.builder.text(text_of(element))
            return
        for child in element:
            if child.tag == f"{TEXT}h":
                self.builder.heading(text_of(child), whole(child.get(f"{TEXT}outline-level", ""), 1))
                self.attached(child, depth)
            elif child.tag == f"{TEXT}p":
                self.paragraph(child, depth)
            elif child.tag == f"{TEXT}list":
                self.items(child, 0)
            elif child.tag == f"{TABLE}table":
                self.table(child, depth)
            elif child.tag == f"{DRAW}frame":
                self.frame(child, depth)
            elif child.tag in _WRAPPERS or str(child.tag).startswith(DRAW):
                self.container(child, depth + 1)

    def paragraph(self, paragraph: Any, depth: int) -> None:
        """A paragraph, then the frames anchored in it; its words are their caption where they begin as one."""
        text = text_of(paragraph, self.told)
        style = paragraph.get(f"{TEXT}style-name", "")
        style = self.parents.get(style) or style
        if style == "Title" and not self.title:
            self.title = one_line(text)
        frames = list(frames_of(paragraph))
        caption = text if frames and CAPTION_LABEL.match(text.strip()) else ""
        if not caption:
            self.builder.text(text, "heading" if style == "Title" else "paragraph")
        self.attached(paragraph, depth, caption)

    def attached(self, element: Any, depth: int, caption: str = "") -> None:
        """Frames and shapes within a paragraph."""
        for frame in frames_of(element):
            if frame.tag == f"{DRAW}frame":
                self.frame(frame, depth + 1, caption)
            else:
                self.container(frame, depth + 1)

    def items(self, element: Any, level: int, style: str = "") -> None:
        """A list; items beneath items are indented, and numbered where their style says so."""
        style = element.get(f"{TEXT}style-name") or style
        ordered = level + 1 in self.numbered.get(style, ())
        number = 0
        for item in element.iterfind(f"{TEXT}list-item") if level < _MAX_DEPTH else ():
            number = whole(item.get(f"{TEXT}start-value", ""), number + 1)
            marker = f"{number}. " if ordered else "- "
            for child in item:
                if child.tag == f"{TEXT}list":
                    self.items(child, level + 1, style)
                elif child.tag == f"{TEXT}h":
                    self.container([child], level)
                elif child.tag == f"{TEXT}p":
                    words = text_of(child, self.told).strip()
                    self.builder.text(f"{'  ' * level}{marker}{words}" if words else "", "list")
                    marker = "  " if words else marker
                    self.attached(child, level)

    def table(self, table: Any, depth: int) -> None:
        """A table as text; one that only lays out the page as what its cells hold."""
        rows = [list(row) for _, row in rows_of(table)]
        if max(map(len, rows), default=0) < 2:
            for cell in (cell for row in rows for cell in row):
                self.container(cell, depth + 1)
            return
        cells = [
            [
                Cell(cell_of(cell, self.told), span_of(cell, "columns"), span_of(cell, "rows"))
                for cell in row
                if "covered" not in cell.tag
            ]
            for row in rows
        ]
        add_table(self.builder, spread(cells))
        for frame in frames_of(table):
            self.frame(frame, depth + 1)

    def sheet(self, sheet: Any) -> None:
        """A sheet of a spreadsheet."""
        self.builder.leave_sections()
        self.builder.heading(sheet.get(f"{TABLE}name", ""), 1)
        name = sheet.get(f"{TABLE}name", "")
        for _, add in add_regions(sheet_rows_of(sheet, self.told, self.builder), f"sheet {name}", self.builder):
            add()
        for frame in frames_of(sheet):
            self.frame(frame, 0)
        self.comments(sheet)

    def slide(self, slide: Any, number: int) -> None:
        """A slide: its title is its section; speaker notes come last."""
        self.builder.leave_sections()
        self.builder.page = number
        titles = [frame for frame in slide.iter(f"{DRAW}frame") if frame.get(f"{PRESENTATION}class") == "title"]
        title = one_line(" ".join(text_of(p) for p in titles[0].iter(f"{TEXT}p"))) if titles else ""
        named = slide.get(f"{DRAW}name", "")
        self.builder.heading(title or ("" if re.fullmatch(r"page\d+", named) else named), 1)
        self.title = self.title or title
        self.shapes(shape for shape in slide if not titles or shape is not titles[0])
        for notes in slide.iterfind(f"{PRESENTATION}notes"):
            for frame in notes.iterfind(f"{DRAW}frame[@{PRESENTATION}class='notes']"):
                words = "\n".join(text_of(p) for p in frame.iter(f"{TEXT}p"))
                self.builder.text(words, "notes")
        self.comments(slide)
        master = slide.get(f"{DRAW}master-page-name", "")
        if master in self.masters and self.furniture.is_new(master):
            with self.furniture.added(master):
                self.shapes(shape for shape in self.masters[master] if not shape.get(f"{PRESENTATION}class"))

    def shapes(self, shapes: Iterable[Any]) -> None:
        """What lies on a slide or on its master."""
        for shape in shapes:
            if shape.tag == f"{DRAW}frame":
                self.frame(shape, 0)
            elif shape.tag not in (f"{PRESENTATION}notes", f"{OFFICE}annotation"):
                self.container([shape] if shape.tag == f"{DRAW}g" else shape, 0)

    def frame(self, frame: Any, depth: int, caption: str = "") -> None:
        """A frame: the first of its pictures that opens, a text box, a table or an embedded object."""
        if depth > _MAX_DEPTH:
            return
        alt = " ".join(one_line(frame.findtext(f"{SVG}{name}") or "") for name in ("title", "desc"))
        boxes = frame.findall(f"{DRAW}text-box")
        for box in boxes:
            words = " ".join(text_of(p) for p in box.iterfind(f"{TEXT}p")).strip()
            inner = [f for p in box.iterfind(f"{TEXT}p") for f in frames_of(p)]
            if inner and words and len(words) < 400:
                for picture in inner:
                    self.frame(picture, depth + 1, words)
            else:
                self.container(box, depth + 1)
        for table in frame.iterfind(f"{TABLE}table"):
            self.table(table, depth + 1)
        for embedded in frame.findall(f"{DRAW}object"):
            if self.embedded(embedded, alt):
                return
        if not boxes and frame.find(f"{TABLE}table") is None:
            self.picture(frame.findall(f"{DRAW}image"), alt, caption)

    def embedded(self, element: Any, alt: str) -> bool:
        """Add the formula or chart that a frame embeds; whether there was one that could be read."""
        href = element.get(f"{XLINK}href", "").removeprefix("./").rstrip("/")
        inner = _zip.read_xml(self.archive, f"{href}/content.xml") if href else element.find(f"{MATH}math")
        if inner is None:
            return False
        annotation = next(inner.iter(f"{MATH}annotation"), None)
        if annotation is not None or inner.tag == f"{MATH}math":
            text = annotation.text if annotation is not None else " ".join(inner.itertext())
            self.builder.text(one_line(text or ""))
            return True
        tables = list(inner.iter(f"{TABLE}table"))
        title = next((text_of(p) for t in inner.iter("{*}title") for p in t.iter(f"{TEXT}p")), "") or alt
        for table in tables:
            add_table(self.builder, [[cell_of(cell) for cell in row] for _, row in rows_of(table)], title)
        return bool(tables)

    def picture(self, images: list[Any], alt: str, caption: str) -> None:
        """One picture, which may lie in the file in several forms: the first that opens."""
        for number, image in enumerate(images):
            href = image.get(f"{XLINK}href", "")
            name = _zip.member(self.archive, "", href.removeprefix("./"))
            if name is None:
                if number + 1 == len(images) and href:
                    remote = "://" in href
                    reason = "linked, never fetched" if remote else "the file does not hold it"
                    self.builder.lost_picture(href, reason, alt, caption)
                continue
            self.shown.add(name)
            # A preview that LibreOffice alone can draw stands in for what was read already.
            if name.endswith(".svm"):
                self.builder.junk("previews that only LibreOffice can draw")
                return
            if _zip.add_picture(self.archive, name, self.builder, alt, caption):
                return
