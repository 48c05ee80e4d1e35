"""What lies beside the text of a document is kept: headers, footers, notes, comments, forms, diagrams, pictures of
masters; each format by a document made for it."""

from __future__ import annotations

import struct
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsmap
from pptx.oxml import parse_xml as pptx_xml
from pptx.oxml.ns import _nsmap as pptx_names
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Inches
from reportlab.pdfgen.canvas import Canvas

from ingestion.document import ParsedDocument
from ingestion.readers import read
from ingestion.readers._furniture import PAGE_NUMBER
from rag.pictures import open_picture
from tests.document_files import png, rezipped, shown, told
from tests.test_readers_epub import book
from tests.test_readers_odf import package, text_document

_WORD = " ".join(
    [
        *(f'xmlns:{prefix}="{uri}"' for prefix, uri in nsmap.items()),
        'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"',
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"',
        'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"',
    ]
)


def _insert(parent: docx.oxml.xmlchemy.BaseOxmlElement, inner: str, at: int = 0) -> None:
    for number, child in enumerate(parse_xml(f"<w:body {_WORD}>{inner}</w:body>")):
        parent.insert(at + number, child)


def _said(words: str) -> str:
    return f'<w:p><w:r><w:t xml:space="preserve">{words}</w:t></w:r></w:p>'


def _box(words: str) -> str:
    inner = f"<w:txbxContent>{_said(words)}</w:txbxContent>"
    return (
        '<w:p><w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx>'
        f"{inner}</wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>{inner}</v:textbox>"
        "</v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )


# Page numbers


@pytest.mark.parametrize(
    "line", ["7", "- 12 -", "Page 3 of 9", "Seite 4/12", "i", "iv", "XIV", "Page xc", "cccxcix", "| xii |", "2-14"]
)
def test_numbers_alone_are_page_numbers(line: str):
    assert PAGE_NUMBER.fullmatch(line)


@pytest.mark.parametrize(
    "line", ["civil", "mild", "dim", "mix", "vivid", "MIX", "ill", "CIVIC", "Vi", "Liv", "iiii", "vx", "", "p."]
)
def test_words_of_roman_letters_are_no_page_numbers(line: str):
    assert not PAGE_NUMBER.fullmatch(line)


# Word


def test_what_stands_in_headers_and_footers_of_word_is_kept_once(tmp_path: Path):
    file = docx.Document()
    file.add_paragraph("Annual report")
    file.add_section()
    for number, section in enumerate(file.sections):
        header, footer = section.header, section.footer
        header.is_linked_to_previous = footer.is_linked_to_previous = False
        header.paragraphs[0].text, footer.paragraphs[0].text = "Annual report", f"Page {number + 1} of 2"
        header.add_paragraph().add_run().add_picture(BytesIO(png("red", (80, 40))))
        _insert(header._element, _box("Rain Ltd., a company of weather"), 1)
    mark = '<w:p><w:r><w:pict><v:shape><v:textpath string="CONFIDENTIAL"/></v:shape></w:pict></w:r></w:p>'
    _insert(file.sections[1].footer._element, mark, 1)
    file.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert shown(document) == [
        ("paragraph", "Annual report"),
        ("paragraph", "Rain Ltd., a company of weather"),
        ("PICTURE", ""),
        ("paragraph", "CONFIDENTIAL"),
    ]
    assert "5 lines of headers and footers: page numbers, or words that the document has elsewhere" in told(document)
    assert document.left_out == {"thumbnails of the document itself": 1, "shown before in this document": 1}


def test_the_notes_of_word_keep_their_pictures_and_their_own_links(tmp_path: Path):
    file = docx.Document()
    file.add_paragraph("Text")
    file.part.relate_to("https://example.org/body", RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    notes = Part(PackURI("/word/footnotes.xml"), "application/xml", b"", file.part.package)
    image, _ = file.part.get_or_add_image(BytesIO(png("red")))
    picture = notes.relate_to(file.part.related_parts[image], RELATIONSHIP_TYPE.IMAGE)
    link = notes.relate_to("https://example.org/note", RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    drawing = f'<w:pict><v:shape alt="Red bars"><v:imagedata r:id="{picture}"/></v:shape></w:pict>'
    words = f'<w:p><w:hyperlink r:id="{link}"><w:r><w:t>Source</w:t></w:r></w:hyperlink><w:r>{drawing}</w:r></w:p>'
    notes._blob = f'<w:footnotes {_WORD}><w:footnote w:id="1">{words}</w:footnote></w:footnotes>'.encode()
    file.part.relate_to(notes, RELATIONSHIP_TYPE.FOOTNOTES)
    file.save(str(tmp_path / "a.docx"))
    assert shown(read(tmp_path / "a.docx")) == [
        ("paragraph", "Text"),
        ("notes", "Source (https://example.org/note)"),
        ("PICTURE", "Red bars"),
    ]


def test_a_comment_of_word_is_kept_with_its_author_and_what_it_is_about(tmp_path: Path):
    file = docx.Document()
    paragraph = file.add_paragraph("It rained ")
    about = paragraph.add_run("for forty days")
    paragraph.add_run(" and nights.")
    file.add_comment(about, text="Really?", author="Ann", initials="A")
    file.save(str(tmp_path / "a.docx"))
    assert shown(read(tmp_path / "a.docx")) == [
        ("paragraph", "It rained for forty days and nights."),
        ("notes", "Comment by Ann on “for forty days”: Really?"),
    ]


def test_the_choices_of_an_old_form_and_embedded_objects_of_word_are_told(tmp_path: Path):
    file = docx.Document()
    entries = "".join(f'<w:listEntry w:val="{entry}"/>' for entry in ("dry", "wet"))
    choice = f'<w:ffData><w:ddList><w:result w:val="1"/>{entries}</w:ddList></w:ffData>'
    box = '<w:ffData><w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox></w:ffData>'
    _insert(
        file.element.body,
        f'<w:p><w:r><w:t xml:space="preserve">May: </w:t></w:r><w:r><w:fldChar>{choice}</w:fldChar></w:r></w:p>'
        f'<w:p><w:r><w:fldChar>{box}</w:fldChar></w:r><w:r><w:t xml:space="preserve"> seen</w:t></w:r></w:p>'
        '<w:p><w:r><w:object><o:OLEObject ProgID="Excel.Sheet.12"/></w:object></w:r></w:p>',
    )
    file.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert shown(document) == [("paragraph", "May: wet"), ("paragraph", "[x] seen")]
    assert "1 embedded Excel.Sheet.12: not read" in told(document)


# PowerPoint


def _deck(slides: int, *, layout: int = 6) -> pptx.presentation.Presentation:
    file = pptx.Presentation()
    for number in range(slides):
        slide = file.slides.add_slide(file.slide_layouts[layout])
        slide.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = f"Slide {number + 1} of rain"
    return file


def _draw(owner: pptx.slide.SlideLayout | pptx.slide.SlideMaster, picture: bytes, words: str = "") -> None:
    """A picture and a text box, which python-pptx makes on slides alone."""
    _, identity = owner.part.get_or_add_image_part(BytesIO(picture))
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in pptx_names.items() if prefix in "apr")
    shape = '<p:nv{0}Pr><p:cNvPr id="90" name="x"/><p:cNv{0}Pr/><p:nvPr/></p:nv{0}Pr>'
    blip = f'<p:blipFill><a:blip r:embed="{identity}"/></p:blipFill><p:spPr/>'
    text = f"<p:spPr/><p:txBody><a:bodyPr/><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody>"
    owner.shapes._spTree.append(pptx_xml(f"<p:pic {names}>{shape.format('Pic')}{blip}</p:pic>"))
    if words:
        owner.shapes._spTree.append(pptx_xml(f"<p:sp {names}>{shape.format('Sp')}{text}</p:sp>"))


def test_a_master_s_words_are_kept_once_and_its_logo_is_left_out_by_the_rule_for_logos(tmp_path: Path):
    file = _deck(4)
    _draw(file.slide_masters[0], png("red"), "Rain Ltd.")
    file.save(str(tmp_path / "a.pptx"))
    document = read(tmp_path / "a.pptx")
    assert [text for _, text in shown(document)].count("Rain Ltd.") == 1
    assert not document.pictures
    assert document.left_out["a logo or background, on half of the pages or more"] == 1


def test_a_layout_s_picture_is_kept_on_the_first_slide_that_shows_it(tmp_path: Path):
    file = _deck(3)
    _draw(file.slide_layouts[6], png("blue"))
    _draw(file.slide_masters[0], png("red"))
    _draw(file.slide_layouts[5], png("green"))
    file.slide_layouts[6].element.set("showMasterSp", "0")
    file.save(str(tmp_path / "a.pptx"))
    document = read(tmp_path / "a.pptx")
    assert [(picture.page, picture.name) for picture in document.pictures] == [(1, "x on slide 1")]
    assert document.left_out["in the file, but on none of its pages"] == 2


def test_the_picture_behind_a_slide_is_kept_and_its_page_number_is_not(tmp_path: Path):
    file = _deck(1)
    slide = file.slides[0]
    _, identity = slide.part.get_or_add_image_part(BytesIO(png("blue")))
    slide.background.fill.solid()
    properties = slide.element.find(".//" + qn("p:bgPr"))
    properties.insert(0, pptx_xml(f'<a:blipFill {nsdecls("a", "r")}><a:blip r:embed="{identity}"/></a:blipFill>'))
    for kind, words in (("sldNum", "1"), ("ftr", "Rain Ltd.")):
        box = slide.shapes.add_textbox(0, 0, Inches(1), Inches(1))
        box.text_frame.text = words
        box.element.find(".//" + qn("p:nvPr")).append(pptx_xml(f'<p:ph {nsdecls("p")} type="{kind}" idx="12"/>'))
    file.save(str(tmp_path / "a.pptx"))
    assert shown(read(tmp_path / "a.pptx")) == [
        ("paragraph", "Slide 1 of rain"),
        ("paragraph", "Rain Ltd."),
        ("PICTURE", ""),
    ]


# Excel


def test_links_headers_hidden_sheets_and_pictures_in_cells_of_excel_are_kept(tmp_path: Path):
    file = openpyxl.Workbook()
    sheet = file.active
    sheet.title = "Rain"
    for row in (["Source", "mm"], ["the office", 12], ["the archive", 7]):
        sheet.append(row)
    sheet["A2"].hyperlink = "https://example.org/rain"
    sheet["A3"] = '=HYPERLINK("https://example.org/archive","the archive")'
    sheet.oddHeader.left.text, sheet.oddHeader.center.text = "Rain && Wind Ltd.", "Page &P of &N"
    hidden = file.create_sheet("Notes")
    hidden.sheet_state = "hidden"
    hidden.append(["kept in the dark"])
    file.save(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as package:
        cells = package.read("xl/worksheets/sheet1.xml").replace(b"<v></v>", b"<v>the archive</v>")
        cells = cells.replace(b"<v />", b"<v>the archive</v>").replace(b'r="A3"', b'r="A3" t="str"')
    relation = '<Relationship Id="r1" Type="http://x/image" Target="../media/image1.png"/>'
    document = read(
        rezipped(
            tmp_path / "a.xlsx",
            {
                "xl/worksheets/sheet1.xml": cells,
                "xl/richData/richValueRel.xml": "<x/>",
                "xl/richData/_rels/richValueRel.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/'
                f'package/2006/relationships">{relation}</Relationships>',
                "xl/media/image1.png": png("red"),
            },
        )
    )
    assert shown(document) == [
        ("heading", "Rain"),
        (
            "table",
            "Source | mm\nthe office (https://example.org/rain) | 12\nthe archive (https://example.org/archive) | 7",
        ),
        ("paragraph", "Rain & Wind Ltd."),
        ("heading", "Notes"),
        ("paragraph", "kept in the dark"),
        ("PICTURE", ""),
    ]
    assert not document.left_out


def test_a_chart_of_office_2016_is_a_table(tmp_path: Path):
    file = docx.Document()
    cx = "http://schemas.microsoft.com/office/drawing/2014/chartex"
    levels = ('strDim type="cat"', ("May", "June")), ('numDim type="val"', ("12", "7.5"))
    data = ""
    for kind, values in levels:
        points = "".join(f"<cx:pt idx='{at}'>{value}</cx:pt>" for at, value in enumerate(values))
        data += f"<cx:{kind}><cx:lvl>{points}</cx:lvl></cx:{kind.split()[0]}>"
    title = "<cx:chart><cx:title><a:p><a:r><a:t>Rain</a:t></a:r></a:p></cx:title></cx:chart>"
    chart = Part(PackURI("/word/charts/chartEx1.xml"), "application/xml", b"", file.part.package)
    chart._blob = (
        f'<cx:chartSpace xmlns:cx="{cx}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        f'<cx:chartData><cx:data id="0">{data}</cx:data></cx:chartData>{title}</cx:chartSpace>'
    ).encode()
    identity = file.part.relate_to(chart, "http://x/chartEx")
    _insert(
        file.element.body,
        '<w:p><w:r><mc:AlternateContent><mc:Choice Requires="cx1"><w:drawing>'
        f'<cx:chart xmlns:cx="{cx}" r:id="{identity}"/></w:drawing></mc:Choice></mc:AlternateContent></w:r></w:p>',
    )
    file.save(str(tmp_path / "a.docx"))
    assert shown(read(tmp_path / "a.docx")) == [("table", "Rain\nMay | 12\nJune | 7.5")]


# OpenDocument


def test_first_headers_their_tables_and_pictures_and_the_notes_of_tables_are_kept(tmp_path: Path):
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    noted = "May<text:note><text:note-body><text:p>A note in a table.</text:p></text:note-body></text:note>"
    remark = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Really?</text:p></office:annotation>"
    body = f"""<text:p>Text{remark}</text:p><table:table><table:table-row>{cell.format(noted)}{cell.format("12")}
</table:table-row></table:table>"""
    frame = '<draw:frame><draw:image xlink:href="Pictures/a.png"/></draw:frame>'
    margins = f"""<style:header><text:p>Annual report</text:p></style:header><style:header-first><table:table>
<table:table-row>{cell.format("Rain Ltd.")}{cell.format("Weather")}</table:table-row></table:table></style:header-first>
<style:footer-left><text:p>Page 2 of 7{frame}</text:p></style:footer-left>"""
    document = read(text_document(tmp_path / "a.odt", body, office_styles=margins, Pictures__a_png=png("red")))
    assert shown(document) == [
        ("paragraph", "Text"),
        ("table", "May | 12"),
        ("notes", "A note in a table."),
        ("notes", "Comment by Ann: Really?"),
        ("paragraph", "Annual report"),
        ("table", "Rain Ltd. | Weather"),
        ("PICTURE", ""),
    ]
    assert "1 line of headers and footers" in told(document)


def test_what_a_master_of_slides_draws_and_comments_on_slides_and_cells_are_kept(tmp_path: Path):
    remark = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Really?</text:p></office:annotation>"
    box = "<draw:frame{}><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>"
    slide = f'<draw:page draw:master-page-name="M">{remark}{box.format("", "It rained.")}</draw:page>'
    master = f"""<style:master-page style:name="M">{box.format(' presentation:class="title"', "Click here")}
{box.format("", "Rain Ltd.")}</style:master-page>"""
    kept = [("paragraph", "It rained."), ("notes", "Comment by Ann: Really?"), ("paragraph", "Rain Ltd.")]
    path = package(tmp_path / "a.odp", "presentation", slide, office_styles=master)
    assert shown(read(path)) == kept
    link = '<text:a xlink:href="https://example.org/rain">the office</text:a>'
    cells = f"<table:table-cell><text:p>{link}</text:p>{remark}</table:table-cell>"
    sheet = f'<table:table table:name="Rain"><table:table-row>{cells}</table:table-row></table:table>'
    assert shown(read(package(tmp_path / "a.ods", "spreadsheet", sheet)))[1:] == [
        ("paragraph", "the office (https://example.org/rain)"),
        ("notes", "Comment by Ann on “the office”: Really?"),
    ]


# Books


def test_the_notes_of_a_book_that_readers_show_on_demand_are_kept(tmp_path: Path):
    page = '<p>Text</p><aside epub:type="footnote" hidden="">A foot.</aside><p hidden="">Nothing.</p>'
    with zipfile.ZipFile(book(tmp_path / "a.epub")) as package:
        second = package.read("OPS/text/two.xhtml").replace(b"<h1>", page.encode() + b"<h1>")
    document = read(rezipped(tmp_path / "a.epub", {"OPS/text/two.xhtml": second}))
    words = [text for _, text in shown(document)]
    assert "A foot." in words
    assert "Nothing." not in words


# PDF


@pytest.fixture
def canvas(tmp_path: Path) -> Canvas:
    made = Canvas(str(tmp_path / "a.pdf"))
    made.setFont("Courier", 10)
    return made


def _read(canvas: Canvas) -> ParsedDocument:
    canvas.save()
    return read(Path(canvas._filename))


def test_what_was_filled_into_a_form_stands_beside_its_labels(canvas: Canvas):
    form = canvas.acroForm
    rows = ("Name:", "Weather:", "Towns:", "Wet:", "Dry:", "Wind:", "Key:")
    for number, label in enumerate(rows):
        canvas.drawString(72, 750 - 60 * number, label)
    form.textfield(name="name", value="Ann Example", x=150, y=745, width=200, height=20)
    form.choice(name="weather", value="rain", options=["hail", "rain"], x=150, y=685, height=20)
    form.listbox(name="towns", value="Ulm", options=["Bonn", "Ulm"], x=150, y=610, width=99, height=50)
    form.checkbox(name="wet", checked=True, x=150, y=565)
    form.checkbox(name="dry", checked=False, x=150, y=505)
    form.radio(name="wind", value="weak", selected=False, x=150, y=445)
    form.radio(name="wind", value="strong", selected=True, x=180, y=445)
    form.textfield(name="key", value="secret", x=150, y=385, fieldFlags="password")
    words = " ".join(text for _, text in shown(_read(canvas)))
    assert (
        " ".join(words.replace("|", " ").split())
        == "Name: Ann Example Weather: rain Towns: Ulm Wet: [x] Dry: [ ] Wind: [ ] [x] Key:"
    )


def test_a_link_of_a_pdf_keeps_its_address_behind_its_label_once(canvas: Canvas):
    canvas.drawString(72, 750, "Ask the office or the office of rain, as all those who live at the far")
    canvas.drawString(72, 738, "end of the road do. Or see https://example.org/plain for more of all that.")
    office = 72 + 22 * 6
    canvas.linkURL("https://example.org/rain", (office + 4, 748, office + 5 * 6, 760))
    for left, right, foot in ((72 + 54 * 6, 72 + 70 * 6, 748), (72, 72 + 15 * 6, 736)):
        canvas.linkURL("https://example.org/road", (left, foot, right, foot + 11))
    canvas.linkURL("https://example.org/plain", (72 + 27 * 6, 736, 72 + 52 * 6, 748))
    canvas.linkURL("https://example.org/empty", (72, 100, 90, 120))
    assert " ".join(" ".join(text for _, text in shown(_read(canvas))).split()) == (
        "Ask the office or the office (https://example.org/rain) of rain, as all those who live at the far "
        "end of the road (https://example.org/road) do. Or see https://example.org/plain for more of all that."
    )


def test_remarks_on_a_pdf_are_kept_with_the_words_they_are_about(canvas: Canvas):
    for number, line in enumerate(("It rained for forty days.", "It was wet.", "It stopped.")):
        canvas.drawString(72, 750 - 12 * number, line)
    left = 72 + 10 * 6
    canvas.highlightAnnotation(
        "Really?", (left, 748, left + 14 * 6, 760), QuadPoints=[left, 760, left + 84, 760, left, 748, left + 84, 748]
    )
    canvas.textAnnotation("A note.", (300, 700, 320, 720))
    canvas.freeTextAnnotation("written on the page", (72, 600, 200, 620))
    kept = shown(_read(canvas))
    assert "written on the page" in " ".join(text for _, text in kept)
    assert kept[-2:] == [("notes", "Comment on “for forty days”: Really?"), ("notes", "Comment: A note.")]


# Metafiles


def _record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<II", kind, 8 + len(body)) + body


def _drawing() -> bytes:
    """An EMF file with a red bar of a hundred by two hundred pixels."""
    bar = _record(39, struct.pack("<4I", 1, 0, 0x0000FF, 0)) + _record(37, struct.pack("<I", 1))
    bar += _record(43, struct.pack("<4i", 40, 50, 140, 250)) + _record(14, struct.pack("<3I", 0, 16, 20))
    head = struct.pack("<8i", 0, 0, 399, 299, 0, 0, 10583, 7937) + b" EMF"
    head += struct.pack("<IIIHHIII", 0x10000, 88 + len(bar), 5, 2, 0, 0, 0, 0)
    return _record(1, head + struct.pack("<4i", 1024, 768, 271, 203)) + bar


def _with_drawing(tmp_path: Path, drawing: bytes) -> ParsedDocument:
    file = docx.Document()
    file.add_paragraph("Text")
    part = Part(PackURI("/word/media/image1.emf"), "image/x-emf", drawing, file.part.package)
    identity = file.part.relate_to(part, RELATIONSHIP_TYPE.IMAGE)
    shape = f'<w:pict><v:shape alt="Red bar"><v:imagedata r:id="{identity}"/></v:shape></w:pict>'
    _insert(file.element.body, f"<w:p><w:r>{shape}</w:r></w:p>")
    file.save(str(tmp_path / "a.docx"))
    return read(tmp_path / "a.docx")


def test_a_drawing_of_office_is_a_picture(tmp_path: Path):
    pytest.importorskip("metafile_render")
    (picture,) = _with_drawing(tmp_path, _drawing()).pictures
    image = open_picture(picture.data)
    assert picture.alt == "Red bar"
    assert image.getpixel((image.width // 4, image.height // 2)) == (255, 0, 0)
    assert image.getpixel((image.width * 3 // 4, image.height // 2)) == (255, 255, 255)


def test_a_drawing_that_cannot_be_drawn_is_named_and_keeps_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "metafile_render", None)
    document = _with_drawing(tmp_path, _drawing())
    assert ("caption", "Red bar") in shown(document)
    assert 'picture word/media/image1.emf: a metafile, drawn only with the extra: pip install "triptych-rag[emf]"' in (
        told(document)
    )


def test_a_damaged_drawing_is_named(tmp_path: Path):
    pytest.importorskip("metafile_render")
    document = _with_drawing(tmp_path, _drawing()[:120])
    assert "picture word/media/image1.emf: a metafile that cannot be drawn" in told(document)
