"""The EPUB reader: the spine in order, its pictures, its metadata and the names of its parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.readers import read
from rag.errors import SourceError
from tests.document_files import png, rezipped, shown, spoilt, told, zipped

_CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
_PAGE = '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>{}</body></html>'
_OPF = """<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>
<dc:title>Rain</dc:title><dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator><dc:language>en</dc:language></metadata>
<manifest><item id="two" href="text/two.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/one%20a.xhtml" media-type="application/xhtml+xml"/>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="cover" href="img/cover.png" media-type="image/png" properties="cover-image"/></manifest>
<spine><itemref idref="one"/><itemref idref="two"/><itemref idref="gone"/></spine></package>"""
_NAV = '<nav><a href="text/one%20a.xhtml">Preface</a><a href="text/two.xhtml#x">Second</a></nav>'


def book(path: Path) -> Path:
    return zipped(
        path,
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": _CONTAINER,
            "OPS/book.opf": _OPF,
            "OPS/nav.xhtml": _PAGE.format(_NAV),
            "OPS/text/one a.xhtml": _PAGE.format('<p>Before</p><img src="../img/a.png" alt="Red bars"/>'),
            "OPS/text/two.xhtml": _PAGE.format(
                '<h1>Chapter</h1><svg><title>Blue</title><image xlink:href="../img/b.png"/></svg><p>After</p>'
                '<img src="../../../../etc/passwd" alt="lost"/><img src="https://example.org/x.png" alt="remote"/>'
            ),
            "OPS/img/a.png": png("red"),
            "OPS/img/b.png": png("blue"),
            "OPS/img/cover.png": png("green"),
        },
    )


def test_a_book_is_read_along_its_spine(tmp_path: Path):
    document = read(book(tmp_path / "a.epub"))
    assert (document.title, document.metadata) == ("Rain", {"author": ["Ann", "Bob"], "language": "en"})
    assert [(text, item.section) for (_, text), item in zip(shown(document), document.items, strict=True)] == [
        ("Before", ("Preface",)),
        ("Red bars", ("Preface",)),
        ("Chapter", ("Chapter",)),
        ("Blue", ("Chapter",)),
        ("After", ("Chapter",)),
        ("lost", ("Chapter",)),
        ("remote", ("Chapter",)),
        ("Cover of Rain", ()),
    ]
    assert len(document.pictures) == 3


def test_what_the_book_does_not_hold_is_named(tmp_path: Path):
    assert told(read(book(tmp_path / "a.epub"))).splitlines() == [
        "picture ../../../../etc/passwd: the book does not hold it",
        "picture https://example.org/x.png: remote, fetched only when asked: --fetch-pictures",
        "part gone: the book does not hold it",
    ]


def test_parts_are_named_by_the_table_of_contents_of_epub_2_too(tmp_path: Path):
    point = '<navLabel><text>Old preface</text></navLabel><content src="text/one%20a.xhtml"/>'
    ncx = f"<ncx><navMap><navPoint>{point}</navPoint></navMap></ncx>"
    opf = _OPF.replace('properties="nav"', "").replace(
        'href="nav.xhtml" media-type="application/xhtml+xml"', 'href="toc.ncx" media-type="application/x-dtbncx+xml"'
    )
    path = rezipped(book(tmp_path / "a.epub"), {"OPS/toc.ncx": ncx, "OPS/book.opf": opf})
    assert read(path).items[0].section == ("Old preface",)


@pytest.mark.parametrize(
    ("method", "refused"),
    [("http://www.idpf.org/2008/embedding", False), ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", True)],
)
def test_a_protected_book_is_refused_but_not_one_with_obfuscated_fonts(tmp_path: Path, method: str, refused: bool):
    data = f'<encryption><EncryptionMethod Algorithm="{method}"/></encryption>'
    path = rezipped(book(tmp_path / "a.epub"), {"META-INF/encryption.xml": data})
    if refused:
        with pytest.raises(SourceError, match="DRM"):
            read(path)
    else:
        assert read(path).title == "Rain"


@pytest.mark.parametrize("part", ["META-INF/container.xml", "OPS/book.opf"])
def test_a_book_without_its_directory_is_refused(tmp_path: Path, part: str):
    with pytest.raises(SourceError, match="not a readable EPUB"):
        read(rezipped(book(tmp_path / "a.epub"), {part: "nonsense"}))


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ("OPS/text/one a.xhtml", {"Before", "Red bars"}),
        ("OPS/img/b.png", set()),
        ("OPS/img/cover.png", set()),
        ("OPS/nav.xhtml", set()),
    ],
)
def test_a_damaged_part_of_a_book_costs_itself_and_is_named(tmp_path: Path, part: str, lost: set[str]):
    whole = {text for _, text in shown(read(book(tmp_path / "a.epub")))}
    document = read(spoilt(tmp_path / "a.epub", part))
    assert {text for _, text in shown(document)} == whole - lost
    assert f"{part}: damaged (" in told(document)


def test_a_book_of_which_no_page_can_be_read_is_refused(tmp_path: Path):
    pages = ("OPS/text/one a.xhtml", "OPS/text/two.xhtml")
    with pytest.raises(SourceError, match="none of its pages"):
        read(spoilt(book(tmp_path / "a.epub"), *pages))
