"""The Word and PowerPoint readers, over files made by python-docx and python-pptx."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import docx
import pptx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingestion.document import Block, ParsedDocument
from ingestion.readers import read
from rag.errors import SourceError


def picture(colour: str = "red", kind: str = "PNG") -> BytesIO:
    buffer = BytesIO()
    image = Image.new("RGB", (40, 30), colour)
    image.paste("black", (0, 0, 20, 15))
    image.save(buffer, kind)
    buffer.seek(0)
    return buffer


def shown(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(item.kind, item.text) if isinstance(item, Block) else ("PICTURE", item.words) for item in document.items]


@pytest.fixture
def word(tmp_path: Path) -> Path:
    file = docx.Document()
    file.core_properties.title = "Rain"
    file.core_properties.author = "Ann"
    file.add_heading("Results", 1)
    file.add_paragraph("It rained.")
    file.add_paragraph("first", style="List Bullet")
    file.add_paragraph().add_run().add_picture(picture("red"))
    file.element.body.findall(".//" + qn("wp:docPr"))[0].set("descr", "Red bars")
    file.add_paragraph("Figure 1: Rain by month", style="Caption")
    file.add_heading("Detail", 2)
    table = file.add_table(2, 2)
    for cell, words in zip((c for row in table.rows for c in row.cells), ("Month", "mm", "May", "12"), strict=True):
        cell.text = words
    file.add_paragraph("Text after ").add_run().add_picture(picture("blue", "JPEG"))
    file.add_paragraph("End.")
    file.save(str(tmp_path / "a.docx"))
    return tmp_path / "a.docx"


def test_a_word_file_is_read_in_order(word: Path):
    document = read(word)
    assert (document.title, document.metadata["author"]) == ("Rain", "Ann")
    assert shown(document) == [
        ("heading", "Results"),
        ("paragraph", "It rained."),
        ("list", "- first"),
        ("PICTURE", "Figure 1: Rain by month\nRed bars"),
        ("heading", "Detail"),
        ("table", "Month | mm\nMay | 12"),
        ("paragraph", "Text after"),
        ("PICTURE", ""),
        ("paragraph", "End."),
    ]
    assert document.items[5].section == ("Results", "Detail")
    assert document.pictures[0].caption_source == "caption"


def test_content_controls_and_insertions_are_read_and_deletions_are_not(tmp_path: Path):
    file = docx.Document()
    paragraph = file.add_paragraph("kept ")
    for tag, text_tag, words in (("w:ins", "w:t", "inserted"), ("w:del", "w:delText", "deleted")):
        change, run, text = OxmlElement(tag), OxmlElement("w:r"), OxmlElement(text_tag)
        text.text = words
        run.append(text)
        change.append(run)
        paragraph._p.append(change)
    control, content = OxmlElement("w:sdt"), OxmlElement("w:sdtContent")
    content.append(file.add_paragraph("controlled")._p)
    control.append(content)
    file.element.body.insert(1, control)
    file.save(str(tmp_path / "a.docx"))
    assert [text for _, text in shown(read(tmp_path / "a.docx"))] == ["kept inserted", "controlled"]


def test_a_damaged_picture_in_a_document_is_named_and_the_rest_goes_on(word: Path, tmp_path: Path):
    broken = tmp_path / "broken.docx"
    with zipfile.ZipFile(word) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[:40] if name.endswith(".png") else data)
    document = read(broken)
    assert len(document.pictures) == 1
    assert ("caption", "Figure 1: Rain by month\nRed bars") in shown(document)
    assert "word/media/image1.png" in document.warnings[0].what


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    file = pptx.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[1])
    slide.shapes.title.text = "Rain"
    slide.placeholders[1].text = "It rained\nIt stopped"
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    second = file.slides.add_slide(file.slide_layouts[5])
    second.shapes.title.text = "Figures"
    shape = second.shapes.add_picture(picture(), 0, 0)
    shape._element.nvPicPr.cNvPr.set("descr", "Red bars")
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "in a group"
    group.shapes.add_picture(picture("blue"), 0, 0)._element.nvPicPr.cNvPr.set("descr", "Blue bars")
    table = second.shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table
    for index, words in enumerate(("Month", "mm", "May", "12")):
        table.cell(index // 2, index % 2).text = words
    data = CategoryChartData()
    data.categories = ["May", "June"]
    data.add_series("mm", (12, 7.5))
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(2), Inches(2), data)
    file.slides.add_slide(file.slide_layouts[6]).shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "Bye"
    file.save(str(tmp_path / "a.pptx"))
    return tmp_path / "a.pptx"


def test_slides_are_pages_and_titles_are_sections(slides: Path):
    document = read(slides)
    assert document.title == "Rain"
    assert [(item.page, item.section) for item in document.items] == [
        *[(1, ("Rain",))] * 4,
        *[(2, ("Figures",))] * 6,
        (3, ()),
    ]
    assert shown(document) == [
        ("heading", "Rain"),
        ("list", "- It rained"),
        ("list", "- It stopped"),
        ("notes", "Say it slowly."),
        ("heading", "Figures"),
        ("PICTURE", "Red bars"),
        ("paragraph", "in a group"),
        ("PICTURE", "Blue bars"),
        ("table", "Month | mm\nMay | 12"),
        ("table", "| May | June\nmm | 12 | 7.5"),
        ("paragraph", "Bye"),
    ]


def test_an_office_file_is_known_by_its_content(word: Path, slides: Path, tmp_path: Path):
    assert read(word.rename(tmp_path / "b.pptx")).title == "Rain"
    assert read(slides.rename(tmp_path / "b.txt")).mime.endswith("presentation")


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["word", "slides"])
def test_truncated_office_files_are_refused(name: str, share: float, request: pytest.FixtureRequest):
    path: Path = request.getfixturevalue(name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SourceError, match="not a readable"):
        read(path)


def test_an_encrypted_office_file_says_so(tmp_path: Path):
    path = tmp_path / "a.docx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(SourceError, match="encrypted or an old binary"):
        read(path)


def test_a_package_that_unpacks_to_too_much_is_refused(word: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ingestion.readers._office.MAX_UNPACKED", 1000)
    with pytest.raises(SourceError, match="unpacks to"):
        read(word)


@pytest.mark.parametrize("name", ["word", "slides"])
def test_a_package_whose_relations_make_no_sense_is_refused(name: str, request: pytest.FixtureRequest, tmp_path: Path):
    path: Path = request.getfixturevalue(name)
    broken = tmp_path / f"broken{path.suffix}"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(broken, "w") as target:
        for part in source.namelist():
            data = source.read(part)
            target.writestr(part, data.replace(b" Target=", b" Aim=") if part == "_rels/.rels" else data)
    with pytest.raises(SourceError, match="not a readable"):
        read(broken)
