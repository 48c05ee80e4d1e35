"""What lies beside the text of a document is kept: headers, footers, notes, comments, forms, diagrams, pictures of
masters; each format by a document made for it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import docx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsmap

from ingestion.readers import read
from tests.document_files import png, shown, told

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
