"""The PDF reader, over files made by reportlab."""

from __future__ import annotations

import contextlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ingestion.document import Block
from ingestion.readers import read
from rag.errors import SourceError


def chart(colour: str, kind: str = "PNG", size: tuple[int, int] = (120, 80)) -> ImageReader:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((10, 10, 60, 60), fill=colour)
    buffer = BytesIO()
    image.save(buffer, kind)
    buffer.seek(0)
    return ImageReader(buffer)


def lines(canvas: Canvas, top: int, *rows: str) -> None:
    for number, row in enumerate(rows):
        canvas.drawString(72, top - 14 * number, row)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    canvas = Canvas(str(path))
    canvas.setTitle("Rain report")
    canvas.setAuthor("Ann")
    canvas.bookmarkPage("one")
    canvas.addOutlineEntry("Summary", "one", 0)
    lines(canvas, 780, "Summary", "It rained a lot in the year that this report is about, and more.", "It was wet.")
    canvas.drawImage(chart("red"), 72, 500, 240, 160)
    lines(canvas, 480, "Figure 1: Rain by month.")
    lines(canvas, 400, "After the figure comes a line of text that is long enough.")
    canvas.showPage()
    canvas.bookmarkPage("two")
    canvas.addOutlineEntry("Method", "two", 0)
    lines(canvas, 780, "We used a bucket.")
    canvas.drawImage(chart("blue", "JPEG"), 72, 500, 240, 160)
    canvas.drawImage(chart("green", size=(8, 8)), 400, 500, 10, 10)
    canvas.save()
    return path


def test_a_pdf_keeps_pages_sections_and_captioned_pictures(report: Path):
    document = read(report)
    assert (document.title, document.metadata, document.mime) == ("Rain report", {"author": "Ann"}, "application/pdf")
    shown = [
        (item.page, item.section, item.kind if isinstance(item, Block) else item.mime, getattr(item, "caption", ""))
        for item in document.items
    ]
    assert shown == [
        (1, ("Summary",), "heading", ""),
        (1, ("Summary",), "paragraph", ""),
        (1, ("Summary",), "image/png", "Figure 1: Rain by month."),
        (1, ("Summary",), "caption", ""),
        (1, ("Summary",), "paragraph", ""),
        (2, ("Method",), "paragraph", ""),
        (2, ("Method",), "image/jpeg", ""),
    ]
    assert "It was wet." in document.blocks[1].text


def test_tiny_pictures_are_counted_not_kept(report: Path):
    assert [str(warning) for warning in read(report).warnings] == [
        "1 picture: smaller than 16 pixels and without words"
    ]


def test_the_same_picture_on_every_page_is_kept_once(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    logo = chart("red")
    for _ in range(3):
        canvas.drawImage(logo, 72, 700)
        canvas.showPage()
    canvas.save()
    document = read(tmp_path / "a.pdf")
    assert len(document.pictures) == 1
    assert [str(warning) for warning in document.warnings] == ["2 pictures: shown before in this document"]


def test_pictures_of_one_colour_are_junk(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.drawImage(ImageReader(Image.new("RGB", (100, 100), "gray")), 72, 700)
    canvas.save()
    assert read(tmp_path / "a.pdf").pictures == ()


def test_words_divided_at_line_ends_are_joined(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    lines(canvas, 780, "This is about the encyclo-", "pedia of rain.")
    canvas.save()
    assert "encyclopedia" in read(tmp_path / "a.pdf").blocks[0].text


def test_an_encrypted_pdf_says_so(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"), encrypt=StandardEncryption("secret", canPrint=0))
    canvas.drawString(72, 700, "hidden")
    canvas.save()
    with pytest.raises(SourceError, match="encrypted"):
        read(tmp_path / "a.pdf")


def test_a_pdf_that_opens_without_a_password_is_read(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"), encrypt=StandardEncryption("", "owner", canPrint=0))
    canvas.drawString(72, 700, "readable")
    canvas.save()
    assert read(tmp_path / "a.pdf").blocks[0].text == "readable"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_pdf_is_read_or_refused(report: Path, share: float):
    data = report.read_bytes()
    report.write_bytes(data[: int(len(data) * share)])
    with contextlib.suppress(SourceError):
        assert read(report).mime == "application/pdf"


def test_lines_in_larger_letters_are_headings_and_wrapped_lines_are_joined(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.setFont("Helvetica-Bold", 20)
    canvas.drawString(72, 760, "The lamp")
    for y, line in (
        (720, "The lamp is lit every evening, one hour before"),
        (705, "the sun goes down, by the keeper."),
    ):
        canvas.setFont("Helvetica", 11)
        canvas.drawString(72, y, line)
    canvas.drawString(300, 40, "1")
    canvas.save()
    blocks = read(tmp_path / "a.pdf").blocks
    assert [(block.kind, block.text) for block in blocks] == [
        ("heading", "The lamp"),
        ("paragraph", "The lamp is lit every evening, one hour before the sun goes down, by the keeper."),
    ]
    assert blocks[1].section == ("The lamp",)
