"""PDF by reportlab, in its invariant mode: no dates and no random ids."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Image, KeepTogether, SimpleDocTemplate
from reportlab.platypus import Paragraph as Text

from .blocks import Block, Bullets, Heading, Notes, Paragraph, Picture, Table, title
from .canvas import INK, MUTED, NAVY
from .pictures import encoded, painted

BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11.5, leading=16, spaceAfter=8, textColor=HexColor(INK))
CAPTION = ParagraphStyle(
    "caption", parent=BODY, fontName="Times-Italic", fontSize=10, spaceAfter=14, textColor=HexColor(MUTED)
)
TITLE = ParagraphStyle(
    "title", fontName="Helvetica-Bold", fontSize=22, leading=27, spaceAfter=12, textColor=HexColor(NAVY)
)
SECTION = ParagraphStyle("section", parent=TITLE, fontSize=14, leading=18, spaceBefore=8, spaceAfter=5, keepWithNext=1)
WIDEST, TALLEST = 135 * mm, 108 * mm


class _Pages(SimpleDocTemplate):  # type: ignore[misc,unused-ignore]
    """The page number is drawn last, so that a reader of the page meets it last."""

    def afterPage(self) -> None:
        """Draw the foot of the page that is about to end."""
        self.canv.setFont("Helvetica", 9)
        self.canv.setFillColor(HexColor(MUTED))
        self.canv.drawCentredString(A4[0] / 2, 14 * mm, str(self.page))


def pdf(blocks: list[Block]) -> bytes:
    """Pages of A4 with the page number at the foot."""
    target = io.BytesIO()
    document = _Pages(
        target,
        pagesize=A4,
        leftMargin=25 * mm,
        rightMargin=25 * mm,
        topMargin=22 * mm,
        bottomMargin=24 * mm,
        title=title(blocks),
        author="Triptych demo corpus",
        lang="en",
        invariant=1,
    )
    document.build([_flowable(block) for block in blocks])
    return target.getvalue()


def _flowable(block: Block) -> Flowable:
    match block:
        case Heading(level, text):
            return Text(escape(text), TITLE if level == 1 else SECTION)
        case Paragraph(text) | Notes(text):
            return Text(escape(text), BODY)
        case Picture():
            return _figure(block)
        case Bullets() | Table():
            raise NotImplementedError("no PDF of the demo has a list or a table")


def _figure(picture: Picture) -> Flowable:
    width, height = painted(picture.name).size
    shrink = min(WIDEST / width, TALLEST / height)
    image = Image(io.BytesIO(encoded(picture.name)), width * shrink, height * shrink, hAlign="LEFT")
    return KeepTogether([image, Text(escape(picture.figure), CAPTION)])
