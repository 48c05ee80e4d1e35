"""What lies over a page of a PDF: what was filled into its form, what was remarked on it, where its links lead."""

from __future__ import annotations

import ctypes
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from textwrap import shorten
from typing import Any, Final

from pypdfium2 import raw

from ingestion.document import one_line
from ingestion.readers._links import address_suffix
from ingestion.readers._pdf_page import Affine
from ingestion.readers._pdf_parts import Box, Piece

MAX_ANNOTATIONS: Final = 10_000
"""Of a page that are looked at."""
MAX_LOOKED_AT: Final = 100_000_000
"""Letters of a page, times the areas for which they are looked through: some seconds."""
_ROW: Final = 16
"""Points: pieces are looked up by the rows of this height that they touch."""
_MAX_ROWS: Final = 1000
"""200 inches, the longest page that PDF knows."""
_WORD: Final = re.compile(r"\w*(?:[/.:@#%-]+\w+)*")
"""The rest of a word, or of an address."""
_MAX_QUADS: Final = 20
_MAX_QUOTE: Final = 80
"""Characters of the words that a remark is about."""
_LETTER: Final = 10.0
"""Points: the size of letters in a field, unless it is lower."""
_WIDTH: Final = 0.5
"""The width of a letter, as a share of its size."""
_UNSEEN: Final = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_PASSWORD: Final = 1 << 13
"""The flag of a field whose value nobody is to see (ISO 32000-1, 12.7.4.3)."""
_FILLED: Final = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX)
_TICKED: Final = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
_MARKING: Final = (
    *(raw.FPDF_ANNOT_HIGHLIGHT, raw.FPDF_ANNOT_UNDERLINE, raw.FPDF_ANNOT_SQUIGGLY, raw.FPDF_ANNOT_STRIKEOUT),
)
_SILENT: Final = (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_FREETEXT)
"""Kinds whose contents are no remark: a window that repeats one, a description, or text of the page."""


@dataclass(frozen=True)
class Link:
    """An area of the page that leads to an address; `label` are the words in it."""

    box: Box
    address: str
    label: str


@dataclass(frozen=True)
class Annotations:
    """What lies over a page."""

    pieces: tuple[Piece, ...] = ()
    """What is filled in or written on it, where it stands."""
    remarks: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    passed_over: int = 0
    """How many were not looked at, because there are too many."""


def over_page(pdf: Any, page: Any, textpage: Any, shown: Affine) -> Annotations:
    """What lies over a page and is meant to be seen."""
    reader = _Reader(pdf, textpage, shown)
    count = max(raw.FPDFPage_GetAnnotCount(page.raw), 0)
    most = min(count, MAX_ANNOTATIONS, MAX_LOOKED_AT // max(textpage.count_chars(), 1))
    for index in range(most):
        if annotation := raw.FPDFPage_GetAnnot(page.raw, index):
            try:
                reader.take(annotation)
            finally:
                raw.FPDFPage_CloseAnnot(annotation)
    return Annotations(tuple(reader.pieces), tuple(reader.remarks), tuple(reader.links), count - most)


class _Reader:
    def __init__(self, pdf: Any, textpage: Any, shown: Affine) -> None:
        self.pdf, self.textpage, self.place = pdf, textpage, shown
        self.pieces: list[Piece] = []
        self.remarks: list[str] = []
        self.links: list[Link] = []

    def take(self, annotation: Any) -> None:
        """One annotation, by its kind."""
        rect = raw.FS_RECTF()
        if raw.FPDFAnnot_GetFlags(annotation) & _UNSEEN or not raw.FPDFAnnot_GetRect(annotation, rect):
            return
        box = self.place.box(rect.left, rect.bottom, rect.right, rect.top)
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        if kind == raw.FPDF_ANNOT_LINK:
            if address := self.address(annotation):
                self.links.append(Link(box, address, one_line(self.words_in(rect))))
        elif kind == raw.FPDF_ANNOT_WIDGET:
            if self.pdf.formenv is not None:
                self.pieces += _lines(self.value(annotation), box)
        elif kind == raw.FPDF_ANNOT_FREETEXT:
            self.pieces += _lines(_string(annotation, b"Contents"), box)
        if kind not in _SILENT and (words := one_line(_string(annotation, b"Contents"))):
            author = one_line(_string(annotation, b"T"))
            about = shorten(self.marked(annotation), _MAX_QUOTE, placeholder=" …") if kind in _MARKING else ""
            self.remarks.append(f"Comment{author and f' by {author}'}{about and f' on “{about}”'}: {words}")

    def value(self, widget: Any) -> str:
        """What a field of a form holds, as the page shows it."""
        form = self.pdf.formenv
        kind = raw.FPDFAnnot_GetFormFieldType(form, widget)
        if kind in _TICKED:
            return "[x]" if raw.FPDFAnnot_IsChecked(form, widget) else "[ ]"
        if kind == raw.FPDF_FORMFIELD_LISTBOX:
            chosen = (
                number
                for number in range(raw.FPDFAnnot_GetOptionCount(form, widget))
                if raw.FPDFAnnot_IsOptionSelected(form, widget, number)
            )
            return ", ".join(_told(raw.FPDFAnnot_GetOptionLabel, form, widget, number) for number in chosen)
        if kind not in _FILLED or raw.FPDFAnnot_GetFormFieldFlags(form, widget) & _PASSWORD:
            return ""
        return _told(raw.FPDFAnnot_GetFormFieldValue, form, widget)

    def address(self, annotation: Any) -> str:
        """Where a link leads to outside of the document."""
        link = raw.FPDFAnnot_GetLink(annotation)
        action = raw.FPDFLink_GetAction(link) if link else None
        if not action or raw.FPDFAction_GetType(action) != raw.PDFACTION_URI:
            return ""
        length = raw.FPDFAction_GetURIPath(self.pdf.raw, action, None, 0)
        buffer = ctypes.create_string_buffer(max(length, 1))
        raw.FPDFAction_GetURIPath(self.pdf.raw, action, buffer, length)
        return buffer.value.decode("utf-8", "replace")

    def marked(self, annotation: Any) -> str:
        """The words that a marker went over."""
        quad, words = raw.FS_QUADPOINTSF(), []
        for number in range(min(raw.FPDFAnnot_CountAttachmentPoints(annotation), _MAX_QUADS)):
            if raw.FPDFAnnot_GetAttachmentPoints(annotation, number, quad):
                xs, ys = (quad.x1, quad.x2, quad.x3, quad.x4), (quad.y1, quad.y2, quad.y3, quad.y4)
                words.append(self.words_in(raw.FS_RECTF(min(xs), max(ys), max(xs), min(ys))))
        return one_line(" ".join(words))

    def words_in(self, rect: Any) -> str:
        """The text of the page in a rectangle."""
        return str(self.textpage.get_text_bounded(rect.left, rect.bottom, rect.right, rect.top))


def _string(annotation: Any, key: bytes) -> str:
    return _told(raw.FPDFAnnot_GetStringValue, annotation, key)


def _told(function: Callable[..., int], *of: Any) -> str:
    """What a function of PDFium writes as UTF-16 into a buffer that the caller has to measure."""
    length = function(*of, None, 0)
    if length <= 2:
        return ""
    buffer = ctypes.create_string_buffer(length)
    function(*of, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw[: length - 2].decode("utf-16-le", "replace")


def _lines(text: str, box: Box) -> Iterator[Piece]:
    """The lines of a text that fills a box: a single one in its middle, several from its top."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    size = max(min(_LETTER, 0.8 * box.height / len(lines)), 1.0)
    top = box.centre[1] - size / 2 if len(lines) == 1 else box.top
    for number, line in enumerate(lines):
        if words := one_line(line):
            right = box.left + max(min(box.width, len(words) * size * _WIDTH), 1.0)
            upper = top + number * 1.2 * size
            yield Piece(words, Box(box.left, upper, right, upper + size), round(size, 1))


def with_links(pieces: Sequence[Piece], links: Sequence[Link], told: set[str]) -> list[Piece]:
    """The pieces, with the address of each link behind its label where that says more; `told` are those of the
    document. A label that goes on in the next line is one, with one address at its end."""
    rows: dict[int, list[int]] = defaultdict(list)
    for place, piece in enumerate(pieces):
        for row in range(int(piece.box.top - 2) // _ROW, min(int(piece.box.bottom + 2) // _ROW, _MAX_ROWS) + 1):
            rows[row].append(place)
    suffixes: list[tuple[int, int, str]] = []
    for address, parts in groupby((link for link in links if link.label), key=lambda link: link.address):
        run = list(parts)
        at = _covered(pieces, rows[int(run[-1].box.centre[1]) // _ROW], run[-1])
        if at is not None:
            place, start, end = at
            label = " ".join([*(link.label for link in run[:-1]), pieces[place].text[start:end]])
            suffixes.append((place, end, address_suffix(label, address, told)))
    linked = list(pieces)
    for place, end, suffix in sorted(suffixes, reverse=True):
        text = linked[place].text
        linked[place] = replace(linked[place], text=f"{text[:end]}{suffix}{text[end:]}")
    return linked


def _covered(pieces: Sequence[Piece], places: Sequence[int], link: Link) -> tuple[int, int, int] | None:
    """The piece, of those at `places`, in which the label of a link stands, and from where to where: of several the
    nearest. The areas of links are drawn by hand and cut through words; a word that is touched belongs to the label."""
    x, y = link.box.centre
    found: list[tuple[float, int, int, int]] = []
    for place in places:
        piece, text = pieces[place], pieces[place].text
        start = text.find(link.label) if piece.box.top - 2 <= y <= piece.box.bottom + 2 else -1
        while start >= 0:
            end = start + len(link.label)
            middle = piece.box.left + piece.box.width * (start + end) / 2 / len(text)
            first = start - len(_WORD.match(text[:start][::-1])[0]) if text[start].isalnum() else start  # type: ignore[index]
            last = end + len(_WORD.match(text[end:])[0]) if text[end - 1].isalnum() else end  # type: ignore[index]
            found.append((abs(middle - x), place, first, last))
            start = text.find(link.label, end)
    return min(found)[1:] if found else None
