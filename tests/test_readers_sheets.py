"""Spreadsheets: sheets are sections, tables stand alone in each passage, and absurd sizes end in a count."""

from __future__ import annotations

import datetime
import time
import zipfile
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image as SheetImage

from ingestion.document import Picture
from ingestion.readers import read
from ingestion.readers._tables import Cell, spread
from ingestion.readers.csv import delimiter_of
from rag.errors import SourceError
from tests.document_files import png, rezipped, shown, told, write
from tests.patience import processor_seconds


def workbook(path: Path, *rows: list[object], name: str = "Rain") -> Path:
    file = openpyxl.Workbook()
    file.active.title = name
    for row in rows:
        file.active.append(row)
    file.save(path)
    return path


# Excel


def test_a_sheet_is_a_section_and_its_values_read_as_they_look(tmp_path: Path):
    day = datetime.datetime(2024, 5, 1)
    document = read(
        workbook(tmp_path / "a.xlsx", ["Day", "mm", "wet"], [day, 0.1 + 0.2, True], [day.replace(hour=9), 3, False])
    )
    assert shown(document) == [
        ("heading", "Rain"),
        ("table", "Day | mm | wet\n2024-05-01 | 0.3 | TRUE\n2024-05-01 09:00:00 | 3 | FALSE"),
    ]
    assert document.items[1].section == ("Rain",)


def test_tables_side_by_side_are_apart_but_a_form_is_not(tmp_path: Path):
    apart = [["a", "b", None, "c", "d"], [1, 2, None, 3, 4]]
    form = [["Voltage", None, "kV", 130], ["Current", None, "A", 12]]
    document = read(workbook(tmp_path / "a.xlsx", *apart, [], *form))
    assert [text for kind, text in shown(document) if kind == "table"] == [
        "a | b\n1 | 2",
        "c | d\n3 | 4",
        "Voltage | kV | 130\nCurrent | A | 12",
    ]


def test_every_group_of_rows_has_the_header(tmp_path: Path):
    rows = [[f"station {number}", number, number * 1.5] for number in range(200)]
    document = read(workbook(tmp_path / "a.xlsx", ["Station", "Number", "Rain"], *rows))
    tables = [text for kind, text in shown(document) if kind == "table"]
    assert len(tables) > 5
    assert all(text.startswith("Station | Number | Rain\n") and len(text) < 600 for text in tables)
    assert sum(text.count("\n") for text in tables) == 200


def test_what_a_merged_cell_says_stands_in_every_row_it_covers(tmp_path: Path):
    file = openpyxl.Workbook()
    for row in (["Rain by month"], ["Year", "Month", "mm"], [2024, "May", 12], [None, "June", 7]):
        file.active.append(row)
    file.active.merge_cells("A1:C1")
    file.active.merge_cells("A3:A4")
    file.save(tmp_path / "a.xlsx")
    assert shown(read(tmp_path / "a.xlsx"))[1:] == [
        ("table", "Rain by month\nYear | Month | mm\n2024 | May | 12\n2024 | June | 7")
    ]


def test_pictures_charts_and_notes_of_a_sheet_are_kept(tmp_path: Path):
    file = openpyxl.Workbook()
    sheet = file.active
    for row in (["Month", "mm"], ["May", 12], ["June", 7], [], ["Below", "it"], [1, 2]):
        sheet.append(row)
    sheet.add_image(SheetImage(BytesIO(png())), "D2")
    chart = BarChart()
    chart.title = "Rain by month"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "D20")
    sheet["B2"].comment = Comment("Measured twice", "Ann")
    file.save(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        drawing = archive.read("xl/drawings/drawing1.xml").replace(b'descr="Picture"', b'descr="Red bars"')
    document = read(rezipped(tmp_path / "a.xlsx", {"xl/drawings/drawing1.xml": drawing}))
    assert [entry for entry in shown(document) if entry[0] != "heading"] == [
        ("table", "Month | mm\nMay | 12\nJune | 7"),
        ("PICTURE", "Red bars"),
        ("table", "Below | it\n1 | 2"),
        ("caption", "Rain by month (bar chart)"),
        ("notes", "Note on B2 by Ann: Measured twice"),
    ]


def test_formulas_without_a_result_are_counted(tmp_path: Path):
    document = read(workbook(tmp_path / "a.xlsx", ["mm", "double"], [1, "=A2*2"], [2, "=A3*2"]))
    assert told(document) == "2 formulas of sheet Sheet: the file holds no result for them".replace("Sheet", "Rain")


def test_a_picture_that_is_linked_is_not_fetched(tmp_path: Path):
    file = openpyxl.Workbook()
    file.active["A1"] = "x"
    file.active.add_image(SheetImage(BytesIO(png())), "D2")
    file.save(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        name = "xl/drawings/_rels/drawing1.xml.rels"
        rels = archive.read(name).replace(b"/xl/media/image1.png", b"https://example.org/x.png")
    document = read(rezipped(tmp_path / "a.xlsx", {name: rels}))
    assert not document.pictures
    assert "picture of a sheet: the file does not hold it" in told(document)


@pytest.mark.parametrize("cells", ['<c r="A1048576"><v>2</v></c>', '<c r="XFD1048576"><v>2</v></c>'])
def test_a_million_empty_rows_do_not_hang(tmp_path: Path, cells: str):
    path = workbook(tmp_path / "a.xlsx", ["Month", "mm"], ["May", 12])
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    sheet = sheet.replace("</sheetData>", f'<row r="1048576">{cells}</row></sheetData>')
    started = time.process_time()
    document = read(rezipped(path, {"xl/worksheets/sheet1.xml": sheet}))
    assert time.process_time() - started < processor_seconds(8)
    assert shown(document)[1:] == [("table", "Month | mm\nMay | 12"), ("paragraph", "2")]


def test_cells_beyond_the_bound_are_counted_as_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ingestion.readers._sheet.MAX_CELLS", 100)
    document = read(workbook(tmp_path / "a.xlsx", *[[1, 2]] * 200))
    assert "rows from 51 of sheet Rain" in told(document)


def test_a_merged_area_of_a_whole_sheet_is_not_filled(tmp_path: Path):
    path = workbook(tmp_path / "a.xlsx", ["Month", "mm"], ["May", 12])
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    merged = '</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    document = read(rezipped(path, {"xl/worksheets/sheet1.xml": sheet.replace("</sheetData>", merged)}))
    assert shown(document)[1:] == [("table", "Month | mm\nMay | 12")]


def test_a_strict_workbook_is_read_as_any_other(tmp_path: Path):
    path = workbook(tmp_path / "a.xlsx", ["Month", "mm"], ["May", 12])
    loose = b"http://schemas.openxmlformats.org/"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    strict = {
        name: data.replace(loose + b"officeDocument/2006/", b"http://purl.oclc.org/ooxml/officeDocument/").replace(
            loose + b"spreadsheetml/2006/", b"http://purl.oclc.org/ooxml/spreadsheetml/"
        )
        for name, data in parts.items()
    }
    assert shown(read(rezipped(path, strict)))[1:] == [("table", "Month | mm\nMay | 12")]


# CSV


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "Month,mm\nMay,12\n"),
        ("a.csv", "Month;mm\r\nMay;12\r\n"),
        ("a.csv", "Month|mm\nMay|12\n"),
        ("a.tsv", "Month\tmm\nMay\t12\n"),
        ("a.csv", '\ufeff"Month","mm"\n"May", "12"\n'),
        ("a.csv", "Month,mm\n\n\n"),
    ],
)
def test_csv_is_read_whatever_separates_it(tmp_path: Path, name: str, content: str):
    (entry,) = shown(read(write(tmp_path / name, content)))
    assert entry == ("table", "Month | mm\nMay | 12" if "May" in content else "Month | mm")


def test_separators_within_quotes_separate_nothing(tmp_path: Path):
    path = write(tmp_path / "a.csv", 'Name,Note\nAnn,"wet, and\ncold"\n')
    assert shown(read(path)) == [("table", "Name | Note\nAnn | wet, and cold")]


def test_decimal_commas_do_not_separate():
    assert delimiter_of("Monat;mm\nMai;1,5\nJuni;2,5\n") == ";"


@pytest.mark.parametrize("swallowed", ["x" * (1 << 21), "x\n" * 200])
def test_a_lone_quote_swallows_no_row(tmp_path: Path, swallowed: str):
    path = write(tmp_path / "a.csv", f'Name,Size\nAnn,"{swallowed}\nBob,2\n')
    assert "Bob | 2" in shown(read(path))[-1][1].split("\n")


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_csv_is_read_in_any_encoding(tmp_path: Path, encoding: str):
    path = write(tmp_path / "a.csv", "Größe,Länge\nBrücke,Fluß\n".encode(encoding))
    assert shown(read(path)) == [("table", "Größe | Länge\nBrücke | Fluß")]


# Tables of any file


def test_cells_that_span_fill_their_rows_and_columns():
    rows = [[Cell("title", 3)], [Cell("a", 1, 2), Cell("b", 2)], [Cell("c"), Cell("d")]]
    assert spread(rows) == [["title"], ["a", "b", "b"], ["a", "c", "d"]]


def test_spans_are_bounded():
    grid = spread([[Cell("a", 10**9, 10**9), Cell("b")]])
    assert len(grid) == 1
    assert len(grid[0]) < 5000


# Files that are not what their name says


def test_an_old_or_encrypted_file_says_how_to_save_it(tmp_path: Path):
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)
    for name, stream, words in (
        ("a.xlsx", "EncryptedPackage", "encrypted.*without a password"),
        ("a.docx", "WordDocument", "old binary Word.*docx"),
        ("a.xls", "Workbook", "old binary Excel.*xlsx"),
        ("a.doc", "WordDocument", "old binary Word.*docx"),
        ("a.ppt", "PowerPoint Document", "old binary PowerPoint.*pptx"),
        ("a.msg", "__properties_version1.0", "Outlook message.*eml"),
        ("a.xls", "nothing known", "old binary Excel.*xlsx"),
    ):
        with pytest.raises(SourceError, match=words):
            read(write(tmp_path / name, head + stream.encode("utf-16-le")))


def test_a_web_page_named_xls_is_a_web_page(tmp_path: Path):
    path = write(tmp_path / "a.xls", "<html><table><tr><td>Month</td><td>mm</td></tr></table></html>")
    assert shown(read(path)) == [("table", "Month | mm")]


def test_a_bitmap_in_a_metafile_is_a_picture(tmp_path: Path):
    import struct

    bitmap = png(kind="BMP")
    info, pixels = bitmap[14:54], bitmap[54:]
    record = struct.pack("<II64x", 81, 80 + len(info) + len(pixels))
    record = record[:48] + struct.pack("<IIII", 80, len(info), 80 + len(info), len(pixels)) + bytes(16)
    header = struct.pack("<II32s4s44x", 1, 88, b"", b" EMF")
    metafile = header + record + info + pixels + struct.pack("<IIIII", 14, 20, 0, 0, 20)
    file = openpyxl.Workbook()
    file.active.add_image(SheetImage(BytesIO(png())), "A1")
    file.save(tmp_path / "a.xlsx")
    (picture,) = read(rezipped(tmp_path / "a.xlsx", {"xl/media/image1.png": metafile})).pictures
    assert isinstance(picture, Picture)
    assert (picture.mime, picture.width, picture.height) == ("image/bmp", 40, 30)
