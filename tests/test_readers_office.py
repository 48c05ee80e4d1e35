"""The Word and PowerPoint readers, over files made by python-docx and python-pptx."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import docx
import pptx
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsmap, qn
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingestion.document import Block, ParsedDocument
from ingestion.readers import read
from rag.errors import SourceError
from tests.document_files import rezipped

_V = "urn:schemas-microsoft-com:vml"


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
        ("table", "bar chart\n | mm\nMay | 12\nJune | 7.5"),
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
    with pytest.raises(SourceError, match="encrypted"):
        read(path)


def test_a_package_that_unpacks_to_too_much_is_refused(word: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ingestion.readers._zip.MAX_UNPACKED", 1000)
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


# What Word keeps elsewhere than in its paragraphs


def body_of(file: docx.document.Document, inner: str) -> None:
    """Append raw XML to the body, before the section's properties."""
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in nsmap.items()) + f' xmlns:v="{_V}"'
    for child in parse_xml(f"<w:body {names}>{inner}</w:body>"):
        file.element.body.insert(len(file.element.body) - 1, child)


def saved(file: docx.document.Document, path: Path) -> ParsedDocument:
    file.save(str(path))
    return read(path)


def test_headers_and_footers_are_told_once(tmp_path: Path):
    file = docx.Document()
    file.add_paragraph("Text")
    for section in (file.sections[0], file.add_section()):
        section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
        section.header.paragraphs[0].text, section.footer.paragraphs[0].text = "Annual report", "12"
    assert shown(saved(file, tmp_path / "a.docx")) == [("paragraph", "Text"), ("paragraph", "Annual report")]


def test_lists_and_headings_keep_the_numbers_that_word_computes(tmp_path: Path):
    file = docx.Document()
    for words in ("one", "two"):
        file.add_paragraph(words, style="List Number")
    file.add_paragraph("in", style="List Bullet 2")
    document = saved(file, tmp_path / "a.docx")
    assert [text.strip() for kind, text in shown(document) if kind == "list"] == ["1. one", "2. two", "- in"]


def test_merged_cells_fill_their_rows_and_nested_tables_follow(tmp_path: Path):
    file = docx.Document()
    table = file.add_table(3, 3)
    for cell, words in zip((c for row in table.rows for c in row.cells), "abcdefghi", strict=True):
        cell.text = words
    table.cell(1, 0).merge(table.cell(2, 0)).text = "tall"
    table.cell(0, 1).merge(table.cell(0, 2)).text = "wide"
    inner = table.cell(2, 2).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "x", "y"
    assert [text for kind, text in shown(saved(file, tmp_path / "a.docx")) if kind == "table"] == [
        "a | wide | wide\ntall | e | f\ntall | h | i",
        "x | y",
    ]


def test_a_caption_goes_to_what_it_stands_over_or_under(tmp_path: Path):
    file = docx.Document()
    file.add_paragraph("Figure 1: above", style="Caption")
    file.add_paragraph().add_run().add_picture(picture("red"))
    file.add_paragraph("Text")
    file.add_paragraph().add_run().add_picture(picture("blue"))
    file.add_paragraph("Figure 2: below", style="Caption")
    file.add_paragraph("Table 1: rain", style="Caption")
    table = file.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "May", "12"
    file.add_paragraph("Figure 3: lost", style="Caption")
    assert shown(saved(file, tmp_path / "a.docx")) == [
        ("PICTURE", "Figure 1: above"),
        ("paragraph", "Text"),
        ("PICTURE", "Figure 2: below"),
        ("table", "Table 1: rain\nMay | 12"),
        ("caption", "Figure 3: lost"),
    ]


def test_links_and_formulas_are_text(tmp_path: Path):
    file = docx.Document()
    relation = file.part.relate_to("https://example.org/rain", RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    body_of(
        file,
        f"""<w:p><w:r><w:t xml:space="preserve">See </w:t></w:r>
        <w:hyperlink r:id="{relation}"><w:r><w:t>more</w:t></w:r></w:hyperlink></w:p>
        <w:p><m:oMath><m:f><m:num><m:r><m:t>π</m:t></m:r></m:num><m:den><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e>
        <m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:den></m:f></m:oMath></w:p>""",
    )
    assert [text for _, text in shown(saved(file, tmp_path / "a.docx"))] == [
        "See more (https://example.org/rain)",
        r"$\frac{ \pi }{x^{2}}$",
    ]


def test_pictures_in_the_old_drawing_language_keep_their_alt_text(tmp_path: Path):
    file = docx.Document()
    identity, _ = file.part.get_or_add_image(picture())
    body_of(
        file,
        f'<w:p><w:r><w:pict><v:shape alt="Red bars"><v:imagedata r:id="{identity}"/></v:shape></w:pict></w:r></w:p>',
    )
    assert shown(saved(file, tmp_path / "a.docx")) == [("PICTURE", "Red bars")]


def test_every_picture_of_a_package_is_kept_or_counted(tmp_path: Path):
    document = saved(docx.Document(), tmp_path / "a.docx")
    assert [str(warning) for warning in document.warnings] == ["1 picture: thumbnails of the document itself"]


# What PowerPoint keeps elsewhere than in its shapes


def test_merged_cells_numbered_lists_and_links_of_slides(tmp_path: Path):
    file = pptx.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[6])
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table
    for index, words in enumerate(("Rain", "", "May", "12")):
        table.cell(index // 2, index % 2).text = words
    table.cell(0, 0).merge(table.cell(0, 1))
    frame = slide.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame
    frame.text = "one"
    frame.add_paragraph().text = "two"
    for paragraph in frame.paragraphs:
        paragraph._p.get_or_add_pPr().append(paragraph._p.makeelement(qn("a:buAutoNum"), {"type": "arabicPeriod"}))
    run = slide.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.paragraphs[0].add_run()
    run.text, run.hyperlink.address = "more", "https://example.org/rain"
    file.save(str(tmp_path / "a.pptx"))
    assert shown(read(tmp_path / "a.pptx")) == [
        ("table", "Rain\nMay | 12"),
        ("list", "1. one"),
        ("list", "2. two"),
        ("paragraph", "more (https://example.org/rain)"),
    ]


def test_pictures_of_layouts_are_counted_not_kept(tmp_path: Path):
    file = pptx.Presentation()
    layout = file.slide_layouts[6]
    shape = file.slides.add_slide(layout).shapes.add_picture(picture(), 0, 0)
    part, _ = layout.part.get_or_add_image_part(picture("blue"))
    assert part is not None
    assert shape is not None
    file.save(str(tmp_path / "a.pptx"))
    document = read(tmp_path / "a.pptx")
    assert len(document.pictures) == 1
    assert "1 picture: in the file, but on none of its pages" in map(str, document.warnings)


def test_a_chart_of_any_kind_is_a_table(slides: Path, tmp_path: Path):
    with zipfile.ZipFile(slides) as package:
        (name,) = (part for part in package.namelist() if part.startswith("ppt/charts/chart"))
        unknown = package.read(name).replace(b"c:barChart", b"c:bar3DChart")
    document = read(rezipped(slides, {name: unknown}))
    assert ("table", "bar chart\n | mm\nMay | 12\nJune | 7.5") in shown(document)
