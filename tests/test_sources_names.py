"""Names that strangers chose: as members of an archive, as files that were fetched."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion.readers import READERS
from ingestion.sources.names import file_name, member_path
from ingestion.walk import is_archive

PARTS = st.sampled_from(["..", ".", "", "a", "b.txt", "C:", "con", "\\", "\\..\\", "~", "\0", "\u202e", "\udcff", "é"])
NAMES = st.one_of(st.text(), st.lists(PARTS).map("/".join), st.lists(PARTS).map("\\".join))


@given(NAMES, st.booleans())
@example("../../etc/passwd", False)
@example("a/../../b", False)
@example("..\\..\\b", False)
@example("//server/share", False)
def test_a_member_is_written_below_the_folder_or_not_at_all(name: str, windows: bool):
    try:
        path = member_path(name, windows=windows)
    except ValueError:
        return
    root = Path("/somewhere/below").resolve()
    inside = (root / path).resolve()
    assert inside.is_relative_to(root)
    assert inside != root
    assert ".." not in path.parts
    assert not path.is_absolute()
    assert str(path).encode().decode() == str(path)


@given(NAMES)
def test_a_name_that_is_taken_stays_as_it_is(name: str):
    try:
        path = member_path(name)
    except ValueError:
        return
    assert member_path(str(path)) == path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("a\\..\\x", "leads out"),
        ("/etc/passwd", "absolute"),
        ("\\\\host\\x", "absolute"),
        ("C:\\x", "absolute"),
        ("c:x", "absolute"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("\udcff.txt", "UTF-8"),
        ("./", "empty"),
        ("x" * 300, "too long"),
        ("x/" * 600, "too long"),
    ],
)
def test_a_name_that_could_do_harm_is_refused_with_the_reason(name: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        member_path(name, windows=False)


@pytest.mark.parametrize("name", ["con", "aux.txt", "a/NUL", "com1.tar.gz", "a. ", "a?b", "x/a:b"])
def test_names_that_mean_devices_to_windows_are_refused_there(name: str):
    with pytest.raises(ValueError, match="Windows"):
        member_path(name, windows=True)
    assert member_path(name, windows=False) == PurePosixPath(name)


@pytest.mark.parametrize(
    ("path", "mime", "head", "name"),
    [
        ("/a/report.pdf", "application/pdf", b"", "report.pdf"),
        ("/a/report", "application/pdf; charset=x", b"", "report.pdf"),
        ("/", "text/html", b"", "example.com.html"),
        ("/page.php", "Text/HTML", b"", "page.php.html"),
        ("/readme.md", "text/plain", b"words", "readme.md"),
        ("/notes", "text/plain", b"words", "notes.txt"),
        ("/notes", "text/plain", b"", "notes.txt"),
        ("/notes", "text/plain; charset=utf-16", "\ufeffwords".encode("utf-16-le"), "notes.txt"),
        ("/notes", "text/plain", b"\0\1", None),
        ("/notes", "", b"", None),
        ("/a.docx", "application/zip", b"PK\x03\x04", "a.docx"),
        ("/a.markdown", "text/markdown", b"", "a.markdown"),
        ("/a.txt", "text/html", b"", "a.html"),
        ("/download", "application/octet-stream", b"%PDF-1.7", "download.pdf"),
        ("/download", "", b"\x89PNG\r\n\x1a\n", "download.png"),
        ("/download", "", b"  <!DOCTYPE html>", "download.html"),
        ("/set.tgz", "application/gzip", b"", "set.tgz"),
        ("/set", "application/zip", b"PK\x03\x04", "set.zip"),
        ("/x.md", "image/png", b"", "x.png"),
        ("/movie.mp4", "video/mp4", b"", None),
        ("/x.md", "video/mp4", b"", None),
        ("/app.js", "application/javascript", b"x", None),
        ("/data", "application/octet-stream", b"\0\1", None),
    ],
)
def test_the_kind_of_a_document_is_told_by_its_type_then_its_suffix_then_its_beginning(
    path: str, mime: str, head: bytes, name: str | None
):
    assert file_name(path, "example.com", mime, head) == name


@given(st.text(), st.text(), st.sampled_from(["text/html", "", "text/plain", "application/pdf", "image/png"]))
def test_a_fetched_document_is_a_file_in_its_folder_that_something_reads(path: str, host: str, mime: str):
    name = file_name(path, host, mime, b"words")
    if name is None:
        return
    assert Path(name).name == name
    assert len(name.encode()) <= 255
    assert Path(name).suffix.lower() in READERS or is_archive(name)
