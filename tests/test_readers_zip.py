"""What every zip-based format goes through: bombs, entities, passwords and paths that lead out are refused or inert."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest

from ingestion.readers import _zip, read
from rag.errors import SourceError
from tests.document_files import rezipped, zipped
from tests.test_readers_epub import book
from tests.test_readers_odf import text_document

FORMATS = ["docx", "pptx", "xlsx", "odt", "epub"]
BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def package(kind: str, folder: Path) -> Path:
    path = folder / f"a.{kind}"
    if kind == "docx":
        docx.Document().save(str(path))
    elif kind == "pptx":
        pptx.Presentation().save(str(path))
    elif kind == "xlsx":
        openpyxl.Workbook().save(path)
    else:
        return book(path) if kind == "epub" else text_document(path, "<text:p>x</text:p>")
    return path


@pytest.mark.parametrize("kind", FORMATS)
def test_a_package_that_unpacks_to_too_much_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_zip, "MAX_UNPACKED", 100)
    with pytest.raises(SourceError, match="unpacks to"):
        read(package(kind, tmp_path))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_part_that_unpacks_to_a_thousand_times_its_size_is_refused(kind: str, tmp_path: Path):
    path = rezipped(package(kind, tmp_path), {"bomb.bin": bytes(_zip.FREE_RATIO + 1)})
    with pytest.raises(SourceError, match="at most 200 times"):
        read(path)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_package_of_too_many_parts_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_zip, "MAX_MEMBERS", 1)
    with pytest.raises(SourceError, match="parts"):
        read(package(kind, tmp_path))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_package_with_a_password_is_refused(kind: str, tmp_path: Path):
    path = package(kind, tmp_path)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match="encrypted"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("kind", "part"), [("docx", "word/document.xml"), ("pptx", "ppt/presentation.xml"), ("xlsx", "xl/workbook.xml")]
)
def test_an_open_packaging_part_with_entities_is_refused(kind: str, part: str, encoding: str, tmp_path: Path):
    path = package(kind, tmp_path)
    with zipfile.ZipFile(path) as archive:
        body = archive.read(part).decode().partition("?>")[2]
    with pytest.raises(SourceError, match="XML entities"):
        read(rezipped(path, {part: (BOMB + body).encode(encoding)}))


def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    doctype = f'<!DOCTYPE x [<!ENTITY inner "grown"><!ENTITY outer SYSTEM "{secret.as_uri()}">]>'
    tree = _zip.parse_xml(f"<?xml version='1.0'?>{doctype}<x>a&inner;b&outer;c</x>".encode())
    assert [tree.text, *(entity.tail for entity in tree)] == ["a", "b", "c"]


def test_a_tree_that_would_take_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_zip, "MAX_XML", 10)
    with pytest.raises(ValueError, match="at most 10"):
        _zip.parse_xml(b"<x>0123456789</x>")


@pytest.mark.parametrize(
    ("href", "member"),
    [
        ("x.png", "text/x.png"),
        ("./x.png", "text/x.png"),
        ("x.png?a=1", "text/x.png"),
        ("../pic%20ture.png", "pic ture.png"),
        ("/pic ture.png", "pic ture.png"),
        ("../../etc/passwd", None),
        ("../../../pic ture.png", None),
        ("https://example.org/x.png", None),
        ("//example.org/x.png", None),
        ("file:///etc/passwd", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_an_address_only_chooses_among_the_members(tmp_path: Path, href: str, member: str | None):
    with zipfile.ZipFile(zipped(tmp_path / "a.zip", {"text/x.png": "", "pic ture.png": ""})) as archive:
        assert _zip.member(archive, "text/page.html", href) == member


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_package_is_refused(kind: str, share: float, tmp_path: Path):
    path = package(kind, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SourceError, match="not a readable"):
        read(path)
