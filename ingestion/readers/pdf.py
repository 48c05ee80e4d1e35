"""PDF by pypdfium2: text page by page under the outline's headings (without an outline, under lines in larger letters),
embedded pictures with the caption that stands by them. A page's own number is left out.

Drawings made of lines (vector charts) are not pictures in a PDF and are not kept as such; their labels are text.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pypdfium2 as pdfium
from pypdfium2 import raw

from ingestion.document import Block, ParsedDocument, Picture, one_line
from ingestion.junk import TINY
from ingestion.readers._builder import CAPTION_LABEL, Builder
from ingestion.readers._pdf_text import full_width, headings, paragraphs, split_lines, unwrapped
from rag.errors import SourceError

CAPTION_REACH: Final = 90.0
"""Points (1/72 inch) below or above a picture within which its caption begins."""

_HYPHEN: Final = re.compile("(\\w)(?:[\ufffe\x02\u00ad]\r?\n?|-\r?\n(?=[a-zß-öø-ÿ]))")
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


class _Reader:
    """One pass over a PDF."""

    def __init__(self, pdf: Any) -> None:
        self.pdf = pdf
        self.builder = Builder()
        self.outline = self._outline()
        self.full = 0.0
        self.seen: set[str] = set()
        self.dropped: Counter[str] = Counter()

    def document(self, path: Path) -> ParsedDocument:
        """The whole document. Raises SourceError where not a single page can be read."""
        broken = 0
        for index in range(len(self.pdf)):
            self.builder.page = index + 1
            try:
                page = self.pdf[index]
            except pdfium.PdfiumError as exc:
                broken += 1
                self.builder.omit(f"page {index + 1}", str(exc))
                continue
            try:
                self.read_page(page, index)
            finally:
                page.close()
        if broken == len(self.pdf):
            raise SourceError(f"{path} has no readable page", advice="repair it or save it again")
        metadata = self._metadata()
        title = metadata.pop("title", "")
        return self.builder.document(title or path.stem, "application/pdf", metadata)

    def read_page(self, page: Any, index: int) -> None:
        """Add a page's paragraphs, each picture before its caption or at the page's end."""
        textpage = page.get_textpage()
        try:
            lines = split_lines(_HYPHEN.sub(r"\1", textpage.get_text_bounded()))
            larger = {} if self.outline else headings(textpage)
            told = [paragraph for paragraph in paragraphs(lines, larger) if paragraph != str(index + 1)]
            pictures = self.pictures(page, textpage, told, index)
        finally:
            textpage.close()
        titles = self.outline.get(index, [])
        # An outline entry whose words are not on the page counts from the page's start.
        words = {_bare(line) for line in lines}
        pending = []
        for level, title in titles:
            if _bare(title) in words:
                pending.append((level, title))
            elif not pending:
                self.builder.heading(title, level, keep=False)
        self.full = full_width(lines)
        for number, paragraph in enumerate(told):
            if one_line(paragraph) in larger:
                self.builder.heading(paragraph, larger[one_line(paragraph)])
            else:
                self.paragraph(paragraph, pending, pictures.pop(number, []))
        for picture in pictures.pop(-1, []):
            self.add(picture)

    def paragraph(self, paragraph: str, pending: list[tuple[int, str]], pictures: list[Picture]) -> None:
        """Add a paragraph, opening the section of an outline entry where its words stand as a line."""
        gathered: list[str] = []
        for line in paragraph.split("\n"):
            match = next((entry for entry in pending if _bare(entry[1]) == _bare(line)), None)
            if match is None:
                gathered.append(line)
                continue
            self.builder.text(unwrapped(gathered, self.full))
            gathered.clear()
            del pending[: pending.index(match) + 1]
            self.builder.heading(match[1], match[0], keep=False)
            self.builder.items.append(Block(one_line(line), self.builder.section, self.builder.page, "heading"))
        for picture in pictures:
            self.add(picture)
        self.builder.text(unwrapped(gathered, self.full), "caption" if pictures else "paragraph")

    def add(self, picture: Picture) -> None:
        """Add a picture once; the same bytes again without a caption are a logo or a background."""
        digest = hashlib.sha256(picture.data).hexdigest()
        if digest in self.seen and not picture.caption:
            self.builder.junk("shown before in this document")
            return
        if self.builder.picture(picture.data, picture.name, caption=picture.caption):
            self.seen.add(digest)

    def pictures(self, page: Any, textpage: Any, paragraphs: list[str], index: int) -> dict[int, list[Picture]]:
        """The page's pictures by the number of the paragraph that is their caption; -1 where there is none."""
        found: dict[int, list[Picture]] = defaultdict(list)
        try:
            images = list(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE]))
        except pdfium.PdfiumError as exc:
            self.builder.omit(f"pictures of page {index + 1}", str(exc))
            return found
        for number, image in enumerate(images, 1):
            name = f"page {index + 1}, picture {number}"
            try:
                data = self.picture_bytes(image, page)
                if data is None:
                    continue
                at = _caption_at(textpage, image.get_bounds(), paragraphs)
            except (pdfium.PdfiumError, ValueError, OSError, MemoryError) as exc:
                self.builder.lost_picture(name, f"cannot be extracted ({exc})")
                continue
            caption = one_line(paragraphs[at])[:_MAX_CAPTION] if at >= 0 else ""
            found[at].append(Picture(data, "", 0, 0, caption=caption, name=name))
        return found

    def picture_bytes(self, image: Any, page: Any) -> bytes | None:
        """The picture as a file: a JPEG as it is, anything else as PNG. None for junk, which is counted."""
        width, height = image.get_px_size()
        if min(width, height) < TINY:
            self.builder.junk(f"smaller than {TINY} pixels and without words")
            return None
        if image.get_filters(skip_simple=True) == ["DCTDecode"]:
            return bytes(image.get_data(decode_simple=True))
        meta = image.get_metadata()
        stencil = meta.bits_per_pixel == 1 and meta.colorspace == raw.FPDF_COLORSPACE_UNKNOWN
        if stencil and not _fills(image.get_bounds(), page.get_size()):
            self.builder.junk("pure masks")
            return None
        try:
            bitmap = image.get_bitmap()
        except pdfium.PdfiumError:
            bitmap = image.get_bitmap(render=True)
        pil = bitmap.to_pil()
        if pil.getextrema() in _flat(pil):
            self.builder.junk("of a single colour")
            return None
        buffer = BytesIO()
        pil.save(buffer, "PNG")
        return buffer.getvalue()

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


def _bare(title: str) -> str:
    """A title without its number and case, as it may stand on the page."""
    return re.sub(r"^[\d.\sIVX]*\s", "", one_line(title)).casefold().strip(" .")


def _fills(bounds: tuple[float, float, float, float], size: tuple[float, float]) -> bool:
    left, bottom, right, top = bounds
    return (right - left) * (top - bottom) > 0.5 * size[0] * size[1]


def _flat(pil: Any) -> list[Any]:
    """What `getextrema` says of a picture of one colour, as that picture itself would say it."""
    pixel = pil.getpixel((0, 0))
    return [(pixel, pixel)] if not isinstance(pixel, tuple) else [tuple((value, value) for value in pixel)]


def _caption_at(textpage: Any, bounds: tuple[float, float, float, float], paragraphs: list[str]) -> int:
    """The number of the paragraph that begins with the label nearest to the picture (below it first); -1 if none."""
    left, bottom, right, top = bounds
    for low, high in ((bottom - CAPTION_REACH, bottom + 4), (top - 4, top + CAPTION_REACH / 2)):
        near = textpage.get_text_bounded(left - 36, low, right + 36, high)
        for line in near.splitlines():
            if label := CAPTION_LABEL.match(line.strip()):
                words = one_line(label[0])
                for number, paragraph in enumerate(paragraphs):
                    if one_line(paragraph).startswith(words):
                        return number
    return -1
