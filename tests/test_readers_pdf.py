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


def test_columns_are_read_one_after_the_other(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.setFont("Helvetica", 10)
    canvas.drawString(
        72, 780, "A line that goes across both of the columns, from the left margin to the right one of all."
    )
    for row in range(6):
        canvas.drawString(72, 750 - 14 * row, f"left column of the page, its row {row},")
        canvas.drawString(320, 750 - 14 * row, f"right column of the page, its row {row},")
    canvas.save()
    text = " ".join(block.text for block in read(tmp_path / "a.pdf").blocks)
    assert text.index("both of the columns") < text.index("left column of the page, its row 0")
    assert text.index("left column of the page, its row 5") < text.index("right column of the page, its row 0")


def test_a_ruled_table_is_a_line_a_row(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.grid([72, 172, 272, 372], [700, 680, 650, 630])
    for top, row in (
        (686, ("Month", "Rain", "Sun")),
        (669, ("May", "12 mm", "long")),
        (636, ("June", "3 mm", "longer")),
    ):
        for column, cell in enumerate(row):
            canvas.drawString(76 + 100 * column, top, cell)
    canvas.drawString(176, 656, "measured")
    canvas.save()
    blocks = read(tmp_path / "a.pdf").blocks
    assert [(block.kind, block.text) for block in blocks] == [
        ("table", "Month | Rain | Sun\nMay | 12 mm measured | long\nJune | 3 mm | longer")
    ]


def test_a_drawing_is_a_picture_with_its_labels_and_its_caption(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.setFillColor("red")
    for number in range(6):
        canvas.circle(120 + 40 * number, 600 + 10 * number, 20, fill=1)
    canvas.setFillColor("black")
    canvas.drawString(110, 570, "May")
    lines(canvas, 520, "Figure 2. Drops that fell.")
    lines(canvas, 300, "Text that is far from the drawing stays text.")
    canvas.save()
    document = read(tmp_path / "a.pdf")
    (picture,) = document.pictures
    assert (picture.caption, picture.ocr) == ("Figure 2. Drops that fell.", "May")
    assert [block.text for block in document.blocks] == [
        *("Figure 2. Drops that fell.", "Text that is far from the drawing stays text.")
    ]


def test_frames_and_rules_are_no_pictures(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.line(72, 800, 520, 800)
    canvas.roundRect(72, 600, 400, 100, 10)
    lines(canvas, 680, "A note in a frame is text, whatever corners the frame has.", "It goes on.")
    canvas.save()
    document = read(tmp_path / "a.pdf")
    assert document.pictures == ()
    assert "A note in a frame" in document.blocks[0].text


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_picture_is_kept_as_the_page_shows_it(tmp_path: Path, turn: int):
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(400, 400))
    canvas.setPageRotation(turn)
    canvas.drawImage(chart("red"), 100, 100, 120, 80)
    canvas.save()
    (picture,) = read(tmp_path / "a.pdf").pictures
    with Image.open(BytesIO(picture.data)) as shown:
        flat = shown.convert("RGB")
    # The chart is red in its upper left: pages turn clockwise.
    x, y = {0: (0.2, 0.3), 90: (0.7, 0.2), 180: (0.8, 0.7), 270: (0.3, 0.8)}[turn]
    assert flat.size == ((120, 80) if turn % 180 == 0 else (80, 120))
    assert flat.getpixel((int(x * flat.width), int(y * flat.height))) == (255, 0, 0)


def test_strips_of_a_picture_are_that_picture(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    for number in range(4):
        canvas.drawImage(chart("red", size=(240, 64)), 72, 600 - 64 * number, 240, 64)
    canvas.save()
    document = read(tmp_path / "a.pdf")
    assert len(document.pictures) == 1
    assert [str(warning) for warning in document.warnings] == [
        "3 pictures: strips or parts of a picture that is kept whole"
    ]


def test_running_heads_are_kept_once_and_counted(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"))
    for number in range(4):
        canvas.drawString(72, 810, f"The rain report, part {number}")
        canvas.drawString(72, 600, f"Words of page {'abcd'[number]}.")
        canvas.drawString(300, 30, str(number + 1))
        canvas.showPage()
    canvas.save()
    document = read(tmp_path / "a.pdf")
    text = "\n".join(block.text for block in document.blocks)
    assert text.count("rain report") == 1
    assert [f"page {page}." in text for page in "abcd"] == [True] * 4
    assert [warning.what for warning in document.warnings] == ["7 lines"]


def test_a_scan_is_a_picture_and_says_that_its_words_were_not_read(tmp_path: Path):
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(200, 200))
    canvas.drawImage(chart("red", "JPEG", (400, 400)), 0, 0, 200, 200)
    canvas.save()
    document = read(tmp_path / "a.pdf")
    assert len(document.pictures) == 1
    assert [warning.what for warning in document.warnings] == ["page 1"]
    assert "OCR is off" in document.warnings[0].reason
