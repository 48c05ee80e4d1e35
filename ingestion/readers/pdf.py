"""PDF by pypdfium2: text in reading order under its headings, tables, pictures with the captions that stand by them.

A page is taken apart (`_pdf_page`), its tables and figures are told from its text (`_pdf_tables`, `_pdf_figures`), its
text is put in order (`_pdf_layout`). What needs the whole document comes last: running heads, the size of the body's
letters, headings (`_pdf_text`). Drawings made of lines are rendered as pictures. See docs/ingestion.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import pypdfium2 as pdfium
from pypdfium2 import raw

from ingestion import ocr
from ingestion.document import Block, ParsedDocument, Picture, one_line
from ingestion.junk import TINY
from ingestion.readers import _pdf_pictures as pixels
from ingestion.readers._builder import Builder
from ingestion.readers._pdf_annots import over_page, with_links
from ingestion.readers._pdf_figures import Figure, caption_of, figures
from ingestion.readers._pdf_layout import Line, ordered
from ingestion.readers._pdf_page import display, objects, pieces
from ingestion.readers._pdf_parts import Box, Drawing, Image, Piece
from ingestion.readers._pdf_scan import scanned_lines
from ingestion.readers._pdf_tables import Table, strokes, tables, upright_rules
from ingestion.readers._pdf_text import (
    Paragraph,
    Vocabulary,
    bare,
    body_size,
    heading_level,
    heading_levels,
    paragraphs,
    running_lines,
)
from rag.errors import PictureError, SourceError
from rag.pictures import DAMAGE

MAX_PAGES: Final = 20_000
MAX_BROKEN: Final = 100
"""Pages in a row that cannot be read, after which the rest is given up: a file may claim billions."""
SCAN_LETTERS: Final = 25
SCAN_SHARE: Final = 0.6
"""A page with fewer letters of which an image covers more than this is a scan."""

_MAX_CAPTION: Final = 600
_UNSAID: Final = ("", "untitled", "unspecified", "anonymous")
"""What programs write into metadata that nobody filled in."""


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is encrypted or damaged."""
    pdf = _open(path)
    try:
        return _Reader(pdf).document(path)
    finally:
        pdf.close()


def _open(path: Path) -> Any:
    try:
        return pdfium.PdfDocument(path.read_bytes())
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    except pdfium.PdfiumError as exc:
        if exc.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise SourceError(
                f"{path} is encrypted", "only PDFs that open without a password can be read", "save it without one"
            ) from exc
        raise SourceError(f"{path} is not a readable PDF ({exc})", advice="repair it or save it again") from exc


@dataclass(frozen=True)
class _Shown:
    """A picture of a page, or the reason why its pixels are not there."""

    box: Box
    name: str
    data: bytes = b""
    labels: str = ""
    lost: str = ""


@dataclass(frozen=True)
class _Page:
    """What is kept of a page until the whole document is known."""

    number: int
    height: float
    lines: list[Line]
    tables: list[Table]
    pictures: list[_Shown] = field(default_factory=list)
    scan: list[str] = field(default_factory=list)
    """The lines that OCR read on it."""
    remarks: tuple[str, ...] = ()
    """What was remarked on it."""


class _Reader:
    """Two passes over a PDF: its pages one by one, then all of them together."""

    def __init__(self, pdf: Any) -> None:
        self.pdf = pdf
        self.builder = Builder()
        self.outline = self._outline()
        self.left_out = 0
        self.told: set[str] = set()
        self._open_form()

    def document(self, path: Path) -> ParsedDocument:
        """The whole document. Raises SourceError where not a single page can be read."""
        pages = self.pages()
        if not pages:
            raise SourceError(f"{path} has no readable page", advice="repair it or save it again")
        self.tell(pages)
        metadata = self._metadata()
        title = metadata.pop("title", "")
        for attachment in range(raw.FPDFDoc_GetAttachmentCount(self.pdf)):
            self.builder.omit(f"attachment {attachment + 1}", "files inside of PDFs are not read")
        return self.builder.document(title or path.stem, "application/pdf", metadata)

    def pages(self) -> list[_Page]:
        """The pages that can be read."""
        found: list[_Page] = []
        broken = 0
        total = len(self.pdf)
        for index in range(total):
            if broken >= MAX_BROKEN or index >= MAX_PAGES:
                self.builder.omit(
                    f"pages {index + 1} to {total}", f"more than {MAX_PAGES} pages, or {broken} broken ones"
                )
                break
            try:
                page = self.pdf[index]
            except pdfium.PdfiumError as exc:
                broken += 1
                self.builder.omit(f"page {index + 1}", str(exc))
                continue
            try:
                found.append(self.page(page, index + 1))
                broken = 0
            finally:
                page.close()
        return found

    def page(self, page: Any, number: int) -> _Page:
        """A page taken apart. What PDFium cannot give is named, and the rest kept."""
        area = Box(0, 0, *page.get_size())
        shown = display(page)
        drawings: list[Drawing] = []
        images: list[Image] = []
        try:
            for found in objects(page, shown):
                (images if isinstance(found, Image) else drawings).append(found)  # type: ignore[arg-type]
        except pdfium.PdfiumError as exc:
            self.builder.omit(f"pictures of page {number}", str(exc))
        lines = strokes(drawings)
        textpage = page.get_textpage()
        try:
            text = list(pieces(textpage, shown, upright_rules(lines)))
            letters = sum(len(piece.text) for piece in text)
            over = over_page(self.pdf, page, textpage, shown)
        finally:
            textpage.close()
        if over.passed_over:
            self.builder.omit(f"{over.passed_over} links or remarks of page {number}", "more than can be looked at")
        text = [*with_links(text, over.links, self.told), *over.pieces]
        ruled = tables(lines, text, area)
        taken = {piece for table in ruled for piece in table.pieces}
        free = [piece for place, piece in enumerate(text) if place not in taken]
        kept = self.images(page, images, number)
        loose = [one for one in drawings if not any(one.box.share_in(table.box.grown(2)) > 0.8 for table in ruled)]
        drawn = figures(loose, kept, free, area)
        labels = {place for figure in drawn for place in figure.labels}
        flow = ordered([piece for place, piece in enumerate(free) if place not in labels])
        result = _Page(number, area.height, flow, ruled, remarks=over.remarks)
        for place, figure in enumerate(drawn, 1):
            result.pictures.extend(self.shown(page, figure, free, f"page {number}, picture {place}"))
        if letters < SCAN_LETTERS and any(image.box.area > SCAN_SHARE * area.area for image in images):
            self.scanned(page, result)
        return result

    def images(self, page: Any, images: Sequence[Image], number: int) -> list[Image]:
        """The images that may show something."""
        kept = []
        for image in images:
            try:
                small = min(pixels.size(page, image)) < TINY
            except pdfium.PdfiumError as exc:
                self.builder.lost_picture(f"page {number}, an image", f"cannot be extracted ({exc})")
                continue
            if small:
                self.builder.junk(f"smaller than {TINY} pixels and without words")
            else:
                kept.append(image)
        return kept

    def shown(self, page: Any, figure: Figure, text: Sequence[Piece], name: str) -> list[_Shown]:
        """The pixels of a figure; nothing where it shows nothing, which is counted."""
        labels = "\n".join(dict.fromkeys(text[place].text for place in sorted(figure.labels)))
        try:
            if figure.image is not None:
                data = pixels.picture(page, figure.image)
            else:
                data = pixels.drawn(page, figure.box, figure.images)
        except pixels.Blank as exc:
            self.builder.junk(str(exc))
            return [_Shown(figure.box, name, labels=labels)] if labels else []
        except (pdfium.PdfiumError, PictureError, *DAMAGE) as exc:
            return [_Shown(figure.box, name, labels=labels, lost=f"cannot be extracted ({exc})")]
        for _ in figure.images[1 if figure.strips else 0 :]:
            self.builder.junk("strips or parts of a picture that is kept whole")
        return [_Shown(figure.box, name, data, labels)]

    def scanned(self, page: Any, kept: _Page) -> None:
        """Read the words of a scanned page, or say that they were not read."""
        if not ocr.wanted():
            self.builder.omit(
                f"page {kept.number}", "a scan, kept as a picture; its words were not read, for OCR is off"
            )
            return
        kept.scan.extend(scanned_lines(pixels.region(page, Box(0, 0, *page.get_size()), pixels.SCANNED)))

    def tell(self, pages: Sequence[_Page]) -> None:
        """Add all pages to the document."""
        running = running_lines([page.lines for page in pages], [page.height for page in pages])
        told: set[str] = set()
        flows: list[list[Line]] = []
        for page, heads in zip(pages, running, strict=True):
            flows.append([line for place, line in enumerate(page.lines) if self.is_text(heads.get(place), told)])
        if self.left_out:
            self.builder.omit(f"{self.left_out} lines", "page numbers and running heads, kept where they are first")
        words = Vocabulary(line for page in pages for line in page.lines)
        titles = [{bare(title) for _, title in self.outline.get(page.number - 1, [])} for page in pages]
        bodies = [list(paragraphs(flow, words, known)) for flow, known in zip(flows, titles, strict=True)]
        body = body_size(flows)
        levels = {} if self.outline else heading_levels((one for found in bodies for one in found), body)
        for page, found in zip(pages, bodies, strict=True):
            self.builder.page = page.number
            self.tell_page(page, found, [0 if self.outline else heading_level(one, levels, body) for one in found])

    def is_text(self, head: str | None, told: set[str]) -> bool:
        """Whether a line is kept: it is no running head, or the first of its kind."""
        if head is None or (head and head not in told):
            told.add(head or "")
            return True
        self.left_out += 1
        return False

    def tell_page(self, page: _Page, found: Sequence[Paragraph], levels: Sequence[int]) -> None:
        """Add a page: its paragraphs, each picture before its caption or where it stands, tables where they stand."""
        pictures: dict[int, list[tuple[_Shown, str]]] = defaultdict(list)
        captions = set()
        for shown in page.pictures:
            caption = caption_of(shown.box, found)
            place = _place(shown.box, found) if caption is None else caption
            captions.add(caption)
            pictures[place].append((shown, one_line(found[caption].text)[:_MAX_CAPTION] if caption is not None else ""))
        ruled: dict[int, list[Table]] = defaultdict(list)
        for table in page.tables:
            ruled[_place(table.box, found)].append(table)
        pending = self.open_sections(page.number - 1, found)
        for place, paragraph in zip(count(), found):
            self.tell_things(pictures.get(place, []), ruled.get(place, []))
            self.tell_paragraph(paragraph, levels[place], pending)
        self.tell_things(pictures.get(len(found), []), ruled.get(len(found), []))
        if page.scan:
            self.builder.text("\n".join(page.scan))
        for remark in page.remarks:
            self.builder.text(remark, "notes")

    def tell_things(self, pictures: Sequence[tuple[_Shown, str]], ruled: Sequence[Table]) -> None:
        """Add what stands between paragraphs."""
        for table in ruled:
            rows = [" | ".join(map(one_line, row)).rstrip(" |") for row in table.rows]
            self.builder.text("\n".join(row for row in rows if row.strip(" |")), "table")
        for shown, caption in pictures:
            self.add(shown, caption)

    def open_sections(self, index: int, found: Sequence[Paragraph]) -> list[tuple[int, str]]:
        """The outline's entries of a page that still wait for their words. Those whose words are not there count from
        the page's start."""
        starts = [bare(paragraph.text) for paragraph in found]
        pending: list[tuple[int, str]] = []
        for level, title in self.outline.get(index, []):
            if any(start.startswith(bare(title)) for start in starts):
                pending.append((level, title))
            elif not pending:
                self.builder.heading(title, level, keep=False)
        return pending

    def tell_paragraph(self, paragraph: Paragraph, level: int, pending: list[tuple[int, str]]) -> None:
        """Add a paragraph, opening the section of the outline's entry whose words it begins with."""
        start = bare(paragraph.text)
        match = next((entry for entry in pending if bare(entry[1]) and start.startswith(bare(entry[1]))), None)
        if match:
            del pending[: pending.index(match) + 1]
            self.builder.heading(match[1], match[0], keep=False)
            if len(start) <= len(bare(match[1])) + 3:
                self.builder.items.append(
                    Block(one_line(paragraph.text), self.builder.section, self.builder.page, "heading")
                )
                return
        if level:
            self.builder.heading(paragraph.text, level)
        else:
            self.builder.text(paragraph.text, paragraph.kind)

    def add(self, shown: _Shown, caption: str) -> None:
        """Add a picture with the words that it shows; they stay as text where its pixels are not there."""
        if shown.lost:
            self.builder.lost_picture(shown.name, shown.lost)
        elif shown.data and self.builder.picture(shown.data, shown.name, caption=caption):
            picture = self.builder.items[-1]
            if shown.labels and isinstance(picture, Picture):
                self.builder.items[-1] = replace(picture, ocr=shown.labels)
            return
        self.builder.text(shown.labels)

    def _open_form(self) -> None:
        """Let PDFium read the values of the form, if there is one. Scripts in it are not run."""
        kind = self.pdf.get_formtype()
        try:
            if kind != raw.FORMTYPE_NONE:
                self.pdf.init_forms()
        except pdfium.PdfiumError as exc:
            self.builder.omit("form", str(exc))
        if kind == raw.FORMTYPE_XFA_FULL:
            self.builder.omit("form", "made with XFA: only what it also holds as a plain form is read")

    def _outline(self) -> dict[int, list[tuple[int, str]]]:
        """(level, title) of the outline's entries by page index, in order."""
        entries: dict[int, list[tuple[int, str]]] = defaultdict(list)
        try:
            for bookmark in self.pdf.get_toc():
                destination = bookmark.get_dest()
                index = destination.get_index() if destination else None
                if index is not None and index >= 0 and (title := one_line(bookmark.get_title())):
                    entries[index].append((bookmark.level + 1, title))
        except (pdfium.PdfiumError, ValueError) as exc:
            self.builder.omit("outline", str(exc))
        return entries

    def _metadata(self) -> dict[str, Any]:
        try:
            fields = self.pdf.get_metadata_dict(skip_empty=True)
        except (pdfium.PdfiumError, ValueError):
            return {}
        known = {key.lower(): one_line(value) for key, value in fields.items()}
        kept = ("title", "author", "subject", "keywords")
        return {key: known[key] for key in kept if known.get(key, "").lower() not in _UNSAID}


def _place(box: Box, found: Sequence[Paragraph]) -> int:
    """The number of the paragraph before which a thing stands: the first of those below it in its column, else the one
    after the last above it."""
    middle = box.centre[1]
    beside = [
        (place, paragraph.box.top)
        for place, paragraph in enumerate(found)
        if min(box.right, paragraph.box.right) > max(box.left, paragraph.box.left)
    ]
    below = [place for place, top in beside if top >= middle]
    if below:
        return below[0]
    return max((place for place, _ in beside), default=len(found) - 1) + 1
