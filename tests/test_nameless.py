"""Files without a suffix: their first bytes say what they are, and what is of no kind that is read is told."""

from __future__ import annotations

import gzip
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion.document import Block, Picture
from ingestion.readers import READERS, read, reader_name
from ingestion.walk import survey
from rag.errors import SourceError
from tests.samples import samples

TOLD = sorted({"pdf", "docx", "pptx", "xlsx", "odf", "epub", "html", "image"})
"""Readers whose files say by their first bytes what they are."""


def made(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def said(item: Block | Picture) -> Block | Picture:
    return replace(item, name="") if isinstance(item, Picture) else item


@pytest.mark.parametrize("kind", TOLD)
def test_a_file_without_a_suffix_is_read_as_one_with_it(tmp_path: Path, kind: str):
    of_kind = [path for path in samples(tmp_path).values() if READERS[path.suffix] == kind]
    assert of_kind
    for path in of_kind:
        folder = tmp_path / f"{path.suffix[1:]} alone"
        folder.mkdir()
        named = made(folder / f"same{path.suffix}", path.read_bytes())
        bare = made(folder / "same", path.read_bytes())
        assert reader_name(bare) == kind, path.suffix
        assert list(map(said, read(bare).items)) == list(map(said, read(named).items))
        assert read(bare).mime == read(named).mime


@pytest.mark.parametrize(
    "content",
    [
        b"all:\n\tcc -o x x.c\n",
        b"",
        b"page one\n\fpage two\n",
        ("caf\u00e9 " * 4000).encode(),
        ("x" + "\u00e9" * 8000).encode(),
        "Stra\u00dfe und Br\u00fccke \u00fcber den Flu\u00df. ".encode("cp1252") * 9,
        "words".encode("utf-16"),
        b"<configuration><html/></configuration>",
    ],
)
def test_what_decodes_without_control_characters_is_text(tmp_path: Path, content: bytes):
    assert reader_name(made(tmp_path / "README", content)) == "text"


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01\x01" + bytes(9),
        gzip.compress(b"words"),
        random.Random(7).randbytes(5000),
        b"BM is no bitmap\x00",
        b"words, then\x00a zero",
        b"PK\x03\x04 no archive",
        "words".encode("utf-16-le"),
    ],
)
def test_binary_files_are_skipped_and_the_reason_told(tmp_path: Path, content: bytes):
    path = made(tmp_path / "data", content)
    assert reader_name(path) is None
    found = survey([tmp_path])
    assert [skip.reason for skip in found.skips] == ["no suffix, and no content of a kind that is read"]
    with pytest.raises(SourceError, match="unknown kind"):
        read(path)


def test_only_files_without_a_suffix_are_looked_into(tmp_path: Path):
    made(tmp_path / "words.xyz", b"words")
    made(tmp_path / ".hidden", b"words")
    made(tmp_path / "README", b"words")
    found = survey([tmp_path, tmp_path / ".hidden"])
    assert [file.path.name for file in found.files] == ["README"]
    assert {Path(skip.source).name for skip in found.skips} == {"words.xyz", ".hidden"}


def test_a_page_is_one_also_behind_a_declaration_and_remarks(tmp_path: Path):
    page = b'<?xml version="1.0"?>\n<!-- a --><!-- b -->\n<!DOCTYPE html><html><p>words</p></html>'
    assert reader_name(made(tmp_path / "page", page)) == "html"
    assert reader_name(made(tmp_path / "no page", b"<!-- a -->" * 800)) == "text"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root opens every file")
def test_a_file_that_cannot_be_opened_is_no_skip(tmp_path: Path):
    made(tmp_path / "README", b"words").chmod(0)
    assert [file.path.name for file in survey([tmp_path]).files] == ["README"]


def test_a_picture_without_a_suffix_keeps_its_caption_beside_it(tmp_path: Path):
    picture = next(path for path in samples(tmp_path).values() if path.suffix == ".png").read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    made(folder / "photo", picture)
    made(folder / "photo.txt", b"A caption")
    made(folder / "photo.old", picture)
    made(folder / "README", b"words")
    made(folder / "README.txt", b"no caption")
    found = survey([folder])
    assert sorted(file.path.name for file in found.files) == ["README", "README.txt", "photo"]
    assert [part.reason for part in found.parts] == ["the caption of photo"]
    assert read(folder / "photo").items[0].caption == "A caption"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_a_pipe_beside_a_caption_is_not_looked_into(tmp_path: Path):
    os.mkfifo(tmp_path / "photo")
    (tmp_path / "photo.txt").write_text("Words of their own.")
    found = survey([tmp_path])
    assert [one.path.name for one in found.files] == ["photo.txt"]
