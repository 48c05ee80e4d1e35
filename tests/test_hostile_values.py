"""One odd value in a file costs that value, not the file: numbers that are none, headers and fields that contradict
themselves, nesting without end."""

# ruff: noqa: E501  # markup reads better whole
from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path

import pytest

from ingestion.readers import _sheet, read
from ingestion.readers._builder import whole
from rag.errors import TriptychError
from tests.document_files import png, rezipped, told, write
from tests.samples import samples
from tests.test_readers_odf import package, text_document

ODD = ("²", "⑤", "--5", "9" * 5000, "-", "")
"""Numbers that are none, or are refused by `int`."""


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_number_in_an_attribute_does_not_cost_the_page(odd: str, tmp_path: Path):
    markup = f'<ol start="{odd}"><li value="{odd}">one</ol><table><tr><td colspan="{odd}">a<td>b</table>'
    assert len(read(write(tmp_path / "a.html", markup)).blocks) == 2


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_number_in_an_attribute_does_not_cost_the_document(odd: str, tmp_path: Path):
    body = (
        f'<text:h text:outline-level="{odd}">H</text:h><text:p>a<text:s text:c="{odd}"/>b</text:p>'
        f'<text:list><text:list-item text:start-value="{odd}"><text:p>c</text:p></text:list-item></text:list>'
    )
    assert [block.text for block in read(text_document(tmp_path / "a.odt", body)).blocks] == ["H", "a b", "- c"]
    for given, default in ((odd, 7), ("12", 7)):
        assert whole(given, default) == (12 if given == "12" else 7)


@pytest.mark.parametrize("value", ["!!bool x", "!!timestamp x", "!!int x", "- " * 900 + "x"])
def test_front_matter_that_contradicts_itself_costs_the_front_matter(value: str, tmp_path: Path):
    document = read(write(tmp_path / "a.md", f"---\na: {value}\n---\nwords\n"))
    assert ([block.text for block in document.blocks], dict(document.metadata)) == (["words"], {})
    assert told(document).startswith("front matter: ")


def test_toml_that_is_nested_without_end_costs_the_front_matter(tmp_path: Path):
    document = read(write(tmp_path / "a.md", "+++\na = " + "[" * 5000 + "\n+++\nwords\n"))
    assert ([block.text for block in document.blocks], len(document.warnings)) == (["words"], 1)


def test_metadata_that_no_engine_can_store_is_told_and_left_out(tmp_path: Path):
    given = f"---\na: .nan\nb: 0x{'f' * 5000}\nc: [1, .inf]\nd: 2\n0x{'f' * 5000}: 1\n---\nwords\n"
    document = read(write(tmp_path / "a.md", given.replace(f"0x{'f' * 5000}: 1\n", "")))
    assert dict(document.metadata) == {"d": 2}
    assert [warning.what for warning in document.warnings] == ["metadata a", "metadata b", "metadata c"]
    assert [block.text for block in read(write(tmp_path / "b.md", given)).blocks] == ["words"]


@pytest.mark.parametrize("beside", ['{"keywords": 5}', '{"tags": {"a": 1}}', '{"alt": {}, "tags": true}', "[" * 30_000])
def test_a_sidecar_of_any_json_does_not_cost_the_picture(beside: str, tmp_path: Path):
    write(tmp_path / "a.json", beside)
    assert len(read(write(tmp_path / "a.png", png())).pictures) == 1


def test_a_base_address_that_is_none_does_not_cost_the_page(tmp_path: Path):
    document = read(write(tmp_path / "a.html", '<base href="http://["><p>words</p><img src="x.png">'))
    assert [block.text for block in document.blocks] == ["words"]


def test_half_a_character_in_a_notebook_does_not_cost_the_notebook(tmp_path: Path):
    cells = [{"cell_type": "markdown", "source": "a\ud800b"}]
    assert read(write(tmp_path / "a.ipynb", json.dumps({"cells": cells}))).blocks[0].text == "ab"


@pytest.mark.parametrize(
    "header", ["Content-Type: text/plain; x=", "Content-Disposition: attachment; filename=", "MIME-Version: 1"]
)
def test_a_header_that_cannot_be_parsed_costs_that_header(header: str, tmp_path: Path):
    document = read(write(tmp_path / "a.eml", f"Subject: rain\n{header}{'(' * 9000}\n\nwords"))
    assert (document.title, document.blocks[-1].text) == ("rain", "words")


def test_restructuredtext_that_docutils_does_not_parse_is_kept_as_text(tmp_path: Path):
    deep = "\n".join(" " * number + f"w{number}\n" for number in range(500))
    document = read(write(tmp_path / "a.rst", deep))
    assert [block.text for block in document.blocks] == [f"w{number}" for number in range(500)]
    assert "docutils does not parse it" in told(document)


def test_a_table_of_contents_is_no_text(tmp_path: Path):
    document = read(write(tmp_path / "a.rst", "T\n=\n\n.. contents::\n\nA\n-\n\nwords\n\nB\n-\n\nmore\n"))
    assert [block.text for block in document.blocks] == ["T", "A", "words", "B", "more"]


def test_a_heading_without_end_is_not_stored_with_each_passage(tmp_path: Path):
    document = read(write(tmp_path / "a.md", f"# {'a' * 50_000}\n\nwords\n"))
    assert [len(block.text) for block in document.blocks] == [50_000, 5]
    assert len(document.blocks[1].section[0]) == 1001


def test_an_address_without_end_is_told_by_its_beginning(tmp_path: Path):
    document = read(write(tmp_path / "a.html", f'<p>words</p><img src="{"a" * 20_000}">'))
    assert len(document.warnings[0].what) == 301


def test_many_sheets_share_one_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_sheet, "MAX_CELLS", 10)
    row = '<table:table-row table:number-rows-repeated="8"><table:table-cell><text:p>a</text:p></table:table-cell></table:table-row>'
    body = "".join(f'<table:table table:name="{name}">{row}</table:table>' for name in "AB")
    assert told(read(package(tmp_path / "a.ods", "spreadsheet", body))).startswith(
        "rows from 3 of sheet B: more than 10"
    )


def test_a_failed_assertion_in_the_drawing_library_is_a_picture_that_cannot_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import resvg_py

    class PanicException(BaseException):
        """As pyo3 names it."""

    def panic(**_: object) -> bytes:
        raise PanicException("unwrap")

    monkeypatch.setattr(resvg_py, "svg_to_bytes", panic)
    with pytest.raises(TriptychError, match="cannot be drawn"):
        read(write(tmp_path / "a.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))


def test_a_part_that_is_there_twice_warns_nobody(tmp_path: Path):
    path = samples(tmp_path)["docx"]
    with zipfile.ZipFile(path) as archive:
        rels = archive.read("_rels/.rels").replace(
            b"http://schemas.openxmlformats.org/officeDocument/2006/", b"http://purl.oclc.org/ooxml/officeDocument/"
        )
    rezipped(path, {"_rels/.rels": rels})
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("_rels/.rels", rels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "Results" in [block.text for block in read(path).blocks]


def test_a_shape_that_is_damaged_does_not_cost_the_slides(tmp_path: Path):
    path = samples(tmp_path)["pptx"]
    with zipfile.ZipFile(path) as archive:
        slide = archive.read("ppt/slides/slide1.xml")
    assert slide.count(b"<a:gridCol ")
    document = read(
        rezipped(
            path,
            {
                "ppt/slides/slide1.xml": slide.replace(b"<a:tr h=", b'<a:tc gridSpan="x"/><a:tr h=').replace(
                    b"<a:tc>", b'<a:tc gridSpan="x">'
                )
            },
        )
    )
    assert any("Rain fell" in block.text for block in document.blocks)
    assert "a shape of slide 1: damaged" in told(document)


def test_a_sheet_that_is_damaged_does_not_cost_the_others(tmp_path: Path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["kept", "words"])
    book.create_sheet("Other").append(["lost", 5])
    book.save(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet2.xml")
    document = read(
        rezipped(tmp_path / "a.xlsx", {"xl/worksheets/sheet2.xml": sheet.replace(b"<v>5</v>", b"<v>x</v>")})
    )
    assert "kept | words" in [block.text for block in document.blocks]
    assert "the rest of sheet Other: damaged" in told(document)
