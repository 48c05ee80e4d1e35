"""The OpenDocument reader: texts, slides and sheets keep order, structure, pictures with their words, and notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.readers import read
from rag.errors import SourceError
from tests.document_files import png, rezipped, shown, spoilt, told, zipped

_NAMES = ("office", "text", "table", "style", "meta", "presentation")
_NS = " ".join(
    [
        *(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in _NAMES),
        'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"',
        'xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"',
        'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"',
        'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"',
    ]
)
_META = "<dc:title>Rain</dc:title><meta:initial-creator>Ann</meta:initial-creator><meta:keyword>wet</meta:keyword>"


def package(path: Path, kind: str, body: str, styles: str = "", office_styles: str = "", **members: bytes) -> Path:
    content = f"<office:automatic-styles>{styles}</office:automatic-styles>"
    content += f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    parts: dict[str, str | bytes] = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {_NS}>{content}</office:document-content>",
        "meta.xml": f"<office:document-meta {_NS}><office:meta>{_META}</office:meta></office:document-meta>",
        "styles.xml": f"<office:document-styles {_NS}>{office_styles}</office:document-styles>",
    }
    return zipped(path, parts | {name.replace("__", "/").replace("_", "."): data for name, data in members.items()})


def text_document(path: Path, body: str, **more: object) -> Path:
    return package(path, "text", body, **more)  # type: ignore[arg-type]


def _frame(name: str, alt: str = "") -> str:
    return f'<draw:frame><draw:image xlink:href="Pictures/{name}"/><svg:desc>{alt}</svg:desc></draw:frame>'


def test_a_text_is_read_in_order(tmp_path: Path):
    body = f"""<text:h text:outline-level="1">Results</text:h><text:p>It<text:s text:c="2"/>rained<text:tab/>hard
<text:note><text:note-body><text:p>A foot.</text:p></text:note-body></text:note>
<office:annotation><text:p>Really?</text:p></office:annotation> and <text:a xlink:href="https://example.org/rain">long</text:a>.</text:p>
<text:list text:style-name="L"><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>in</text:p>
</text:list-item></text:list></text:list-item><text:list-item><text:p>two</text:p></text:list-item></text:list>
<text:p>{_frame("a.png", "Red bars")}</text:p>
<text:p><draw:frame><draw:text-box><text:p>{_frame("b.png")}Figure 1: Blue bars</text:p></draw:text-box>
</draw:frame></text:p>
<table:table><table:table-row>
<table:table-cell table:number-columns-spanned="2"><text:p>Rain</text:p></table:table-cell>
<table:covered-table-cell/><table:table-cell><text:p>mm</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell><text:p>May</text:p></table:table-cell><table:table-cell/>
<table:table-cell><text:p>12</text:p></table:table-cell></table:table-row></table:table>"""
    level = '<text:list-level-style-number text:level="1" style:num-format="1"/>'
    margins = (
        "<style:header><text:p>Annual report</text:p></style:header><style:footer><text:p>3</text:p></style:footer>"
    )
    path = text_document(
        tmp_path / "a.odt",
        body,
        styles=f'<text:list-style style:name="L">{level}</text:list-style>',
        Pictures__a_png=png("red"),
        Pictures__b_png=png("blue"),
        office_styles=margins,
    )
    document = read(path)
    assert (document.title, document.metadata) == ("Rain", {"author": "Ann", "keywords": ["wet"]})
    assert shown(document) == [
        ("heading", "Results"),
        ("paragraph", "It rained\thard and long (https://example.org/rain)."),
        ("list", "1. one"),
        ("list", "  - in"),
        ("list", "2. two"),
        ("PICTURE", "Red bars"),
        ("PICTURE", "Figure 1: Blue bars"),
        ("table", "Rain | Rain | mm\nMay |  | 12"),
        ("notes", "A foot."),
        ("notes", "Comment: Really?"),
        ("paragraph", "Annual report"),
    ]


def test_slides_are_pages_with_notes(tmp_path: Path):
    body = f"""<draw:page draw:name="page1">
<draw:frame presentation:class="title"><draw:text-box><text:p>Rain</text:p></draw:text-box></draw:frame>
<draw:g>{_frame("a.png", "Red bars")}</draw:g><draw:custom-shape><text:p>in a shape</text:p></draw:custom-shape>
<presentation:notes><draw:frame presentation:class="notes"><draw:text-box><text:p>Say it slowly.</text:p>
</draw:text-box></draw:frame></presentation:notes></draw:page>
<draw:page draw:name="Summary"><draw:frame><draw:text-box><text:p>Bye</text:p></draw:text-box></draw:frame>
</draw:page>"""
    document = read(package(tmp_path / "a.odp", "presentation", body, Pictures__a_png=png()))
    assert [(item.page, item.section) for item in document.items] == [(1, ("Rain",))] * 4 + [(2, ("Summary",))] * 2
    assert shown(document) == [
        ("heading", "Rain"),
        ("PICTURE", "Red bars"),
        ("paragraph", "in a shape"),
        ("notes", "Say it slowly."),
        ("heading", "Summary"),
        ("paragraph", "Bye"),
    ]


def _row(*cells: str, times: int = 1) -> str:
    inside = "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
    rest = '<table:table-cell table:number-columns-repeated="16384"/>'
    return f'<table:table-row table:number-rows-repeated="{times}">{inside}{rest}</table:table-row>'


def test_a_sheet_repeated_to_its_edges_is_read_at_once(tmp_path: Path):
    rows = _row("Month", "mm") + _row("May", "12") + _row(times=1048574)
    document = read(package(tmp_path / "a.ods", "spreadsheet", f'<table:table table:name="Rain">{rows}</table:table>'))
    assert shown(document) == [("heading", "Rain"), ("table", "Month | mm\nMay | 12")]


def test_a_row_repeated_a_million_times_is_bounded_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ingestion.readers._sheet.MAX_CELLS", 1000)
    body = f'<table:table table:name="Rain">{_row("May", "12", times=1_000_000)}</table:table>'
    document = read(package(tmp_path / "a.ods", "spreadsheet", body))
    assert "rows from 501 of sheet Rain" in told(document)


def test_copies_of_a_row_or_a_cell_are_kept_to_a_thousand_and_the_others_counted(tmp_path: Path):
    many = '<table:table-cell table:number-columns-repeated="1100"><text:p>rain</text:p></table:table-cell>'
    last = "<table:table-cell><text:p>end</text:p></table:table-cell>"
    rows = _row("May", "12", times=1_000_000) + _row("June", "9") + f"<table:table-row>{many}{last}</table:table-row>"
    document = read(package(tmp_path / "a.ods", "spreadsheet", f'<table:table table:name="Rain">{rows}</table:table>'))
    words = "\n".join(block.text for block in document.blocks)
    assert words.count("June | 9") == 1
    assert (words.count("rain"), words.count("end")) == (1000, 1)
    assert told(document) == (
        "999000 rows of sheet Rain: copies of the one before, beyond 1000\n"
        "100 cells of sheet Rain: copies of the one before, beyond 1000"
    )


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("https://example.org/x.png", "never fetched"),
        ("Pictures/none.png", "does not hold"),
        ("../../../../etc/passwd", "does not hold"),
    ],
)
def test_a_picture_that_is_not_in_the_file_is_named_and_keeps_its_words(tmp_path: Path, href: str, reason: str):
    frame = _frame("x.png", "the words").replace("Pictures/x.png", href)
    document = read(text_document(tmp_path / "a.odt", f"<text:p>Before{frame}</text:p>"))
    assert shown(document) == [("paragraph", "Before"), ("caption", "the words")]
    assert reason in told(document)


def test_pictures_that_no_page_shows_are_counted(tmp_path: Path):
    path = text_document(
        tmp_path / "a.odt", "<text:p>x</text:p>", Thumbnails__thumbnail_png=png(), Pictures__z_png=png()
    )
    assert told(read(path)) == (
        "1 picture: thumbnails of the document itself\n1 picture: in the file, but on none of its pages"
    )


def test_an_encrypted_document_says_so(tmp_path: Path):
    entry = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    manifest = f"<manifest:manifest {_NS}>{entry}</manifest:manifest>"
    path = rezipped(text_document(tmp_path / "a.odt", ""), {"META-INF/manifest.xml": manifest})
    with pytest.raises(SourceError, match="encrypted"):
        read(path)


def test_nesting_without_end_is_flattened(tmp_path: Path):
    body = "<text:section>" * 200 + "<text:p>deep</text:p>" + "</text:section>" * 200
    assert [text for _, text in shown(read(text_document(tmp_path / "a.odt", body)))] == ["deep"]


@pytest.mark.parametrize("part", ["Pictures/a.png", "meta.xml", "styles.xml", "mimetype"])
def test_a_damaged_part_beside_the_text_costs_itself_and_is_named(tmp_path: Path, part: str):
    body = f"<text:p>Before{_frame('a.png', 'Red bars')}</text:p><text:p>After</text:p>"
    path = spoilt(text_document(tmp_path / "a.odt", body, Pictures__a_png=png()), part)
    document = read(path)
    assert [text for _, text in shown(document)] == ["Before", "Red bars", "After"]
    assert part == "mimetype" or f"{part}: damaged" in told(document)


def test_a_damaged_text_costs_the_file(tmp_path: Path):
    with pytest.raises(SourceError, match="OpenDocument"):
        read(spoilt(text_document(tmp_path / "a.odt", "<text:p>words</text:p>"), "content.xml"))
