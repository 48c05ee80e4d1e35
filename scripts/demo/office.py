"""DOCX and PPTX, packed again without clock times and without the thumbnails of their templates."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from docx import Document
from docx.shared import Cm
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.util import Emu, Inches, Pt

from .blocks import Block, Bullets, Heading, Notes, Paragraph, Picture, Table, title
from .pictures import encoded, filename, painted

MADE: Final = datetime(2026, 1, 1)
AUTHOR: Final = "Triptych demo corpus"
ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_THUMBNAIL: Final = re.compile(rb'<Relationship [^>]*Target="docProps/thumbnail\.jpeg"[^>]*/>')


def docx(blocks: list[Block]) -> bytes:
    """A document whose pictures carry alt texts and are followed by captions."""
    document = Document()
    _describe(document.core_properties, title(blocks))
    for block in blocks:
        _add(document, block)
    return _packed(document)


def _add(document: Any, block: Block) -> None:
    match block:
        case Heading(level, text):
            document.add_heading(text, level - 1)
        case Paragraph(text) | Notes(text):
            document.add_paragraph(text)
        case Bullets(items):
            for item in items:
                document.add_paragraph(item, style="List Bullet")
        case Picture(name, alt):
            width, height = painted(name).size
            shape = document.add_picture(io.BytesIO(encoded(name)), width=Cm(min(15.0, 12.0 * width / height)))
            shape._inline.docPr.set("descr", alt)
            shape._inline.docPr.set("name", filename(name))
            document.paragraphs[-1].paragraph_format.keep_with_next = True
            document.add_paragraph(block.figure, style="Caption")
        case Table():
            raise NotImplementedError("no DOCX of the demo has a table")


def pptx(blocks: list[Block]) -> bytes:
    """A title slide, then one slide for each section: bullets, at most one picture, speaker's notes."""
    show = Presentation()
    show.slide_width, show.slide_height = Inches(13.333), Inches(7.5)
    _describe(show.core_properties, title(blocks))
    starts = [i for i, block in enumerate(blocks) if isinstance(block, Heading)]
    for start, end in pairwise([*starts, len(blocks)]):
        _slide(show, blocks[start:end])
    return _packed(show)


def _slide(show: Any, blocks: list[Block]) -> None:
    first = isinstance(blocks[0], Heading) and blocks[0].level == 1
    slide = show.slides.add_slide(show.slide_layouts[0 if first else 1])
    illustrated = any(isinstance(block, Picture) for block in blocks)
    heading, body = slide.shapes.title, slide.placeholders[1]
    _place(heading, 0.7, 2.0 if first else 0.5, 11.9, 1.5 if first else 1.1)
    _place(body, 0.7, 3.7 if first else 1.8, 5.2 if illustrated else 11.9, 1.4 if first else 4.8)
    for block in blocks:
        match block:
            case Heading(_, text):
                heading.text_frame.text = text
                heading.text_frame.paragraphs[0].font.color.rgb = RGBColor(0x1D, 0x35, 0x57)
            case Paragraph(text):
                body.text_frame.text = text
            case Bullets(items):
                body.text_frame.text = "\n".join(items)
                for paragraph in body.text_frame.paragraphs:
                    paragraph.font.size, paragraph.space_after = Pt(26), Pt(10)
            case Picture():
                _slide_picture(slide, block)
            case Notes(text):
                slide.notes_slide.notes_text_frame.text = text
            case Table():
                raise NotImplementedError("no slide of the demo has a table")


def _slide_picture(slide: Any, picture: Picture) -> None:
    width, height = painted(picture.name).size
    shown = Inches(6.6)
    tall = Emu(shown * height // width)
    shape = slide.shapes.add_picture(io.BytesIO(encoded(picture.name)), Inches(6.2), Inches(1.8), width=shown)
    shape.name = filename(picture.name)
    shape._element.nvPicPr.cNvPr.set("descr", picture.alt)
    caption = slide.shapes.add_textbox(Inches(6.2), Inches(1.9) + tall, shown, Inches(0.5))
    caption.text_frame.text = picture.figure
    caption.text_frame.paragraphs[0].font.size = Pt(16)
    caption.text_frame.paragraphs[0].font.italic = True


def _place(shape: Any, left: float, top: float, width: float, height: float) -> None:
    shape.left, shape.top, shape.width, shape.height = Inches(left), Inches(top), Inches(width), Inches(height)


def _describe(properties: Any, name: str) -> None:
    properties.title, properties.author, properties.last_modified_by = name, AUTHOR, AUTHOR
    properties.created = properties.modified = MADE
    properties.comments, properties.keywords, properties.revision = "", "", 1


def _packed(document: Any) -> bytes:
    """The saved package, every member stamped with the same time."""
    saved, target = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name == "docProps/thumbnail.jpeg":
                continue
            data = _THUMBNAIL.sub(b"", old.read(name)) if name == "_rels/.rels" else old.read(name)
            member = zipfile.ZipInfo(name, ZIP_EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            new.writestr(member, data)
    return target.getvalue()
