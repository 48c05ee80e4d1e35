"""Sources end to end: what a corpus holds after URLs, buckets and archives were ingested, and ingested again."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner
from PIL import Image

from ingestion.report import IngestReport
from ingestion.workers import InProcess
from rag.cli import cli
from rag.corpus import Corpus
from rag.encoders.fake import fake_encoder
from rag.errors import InputError
from tests.web_site import Site, answer, served


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as made:
        yield made


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary folders."""
    folder = tmp_path / "rooms"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def corpus(tmp_path: Path, rooms: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder(), qdrant=":memory:") as opened:
        yield opened
    assert not list(rooms.iterdir())


@pytest.fixture
def bucket() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def ingest(corpus: Corpus, *given: str | Path, **options: Any) -> IngestReport:
    return corpus.ingest(*given, readers=InProcess(), **{"allow_private": True, "archives": True, **options})


def counts(report: IngestReport) -> dict[str, int]:
    return {outcome: count for outcome, count in report.sources.to_json().items() if count}


def sources(corpus: Corpus) -> set[str]:
    return set(corpus.store.sources())


def png(colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(data, "PNG")
    return data.getvalue()


PAGE = b"<title>Page</title><p>Some words.</p><img src='img/red.png' alt='A red square'>"


def pack(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return path


def test_a_page_is_known_by_its_url_and_a_second_fetch_changes_nothing(corpus: Corpus, site: Site):
    site.pages["/page?v=1"] = answer(b"<title>Page</title><p>Words of the web.", ETag='"1"')
    assert counts(ingest(corpus, site.url("/page?v=1#part"))) == {"added": 1}
    (hit,) = corpus.search("web")
    assert hit.source == site.url("/page?v=1")
    assert counts(ingest(corpus, site.url("/page?v=1"))) == {"unchanged": 1}


def test_the_content_decides_what_is_unchanged_whatever_the_server_says_of_it(corpus: Corpus, site: Site):
    site.pages["/page"] = answer(b"<p>Old words.", ETag='"same"')
    ingest(corpus, site.url("/page"))
    site.pages["/page"] = answer(b"<p>New words.", ETag='"same"')
    assert counts(ingest(corpus, site.url("/page"))) == {"updated": 1}
    site.pages["/page"] = answer(b"<p>New words.", ETag='"other"')
    assert counts(ingest(corpus, site.url("/page"))) == {"unchanged": 1}


def test_a_url_that_is_gone_is_removed_only_when_asked(corpus: Corpus, site: Site):
    site.pages["/page"] = answer(b"<p>Words.")
    ingest(corpus, site.url("/page"))
    site.pages["/page"] = answer(b"", 404)
    assert counts(ingest(corpus, site.url("/page"))) == {"failed": 1}
    assert sources(corpus) == {site.url("/page")}
    assert counts(ingest(corpus, site.url("/page"), remove_missing=True)) == {"removed": 1}
    assert not sources(corpus)
    assert counts(ingest(corpus, site.url("/page"), remove_missing=True)) == {"failed": 1}


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_url_that_fails_keeps_what_is_stored(corpus: Corpus, site: Site, status: int):
    site.pages["/page"] = answer(b"<p>Words.")
    ingest(corpus, site.url("/page"))
    site.pages["/page"] = answer(b"", status)
    report = ingest(corpus, site.url("/page"), remove_missing=True)
    assert counts(report) == {"failed": 1}
    assert f"HTTP {status}" in str(report.failures[0])
    assert sources(corpus) == {site.url("/page")}


def test_nothing_is_fetched_because_a_document_names_it(corpus: Corpus, site: Site, tmp_path: Path):
    named = f"<p>Words.</p><img src='{site.url('/x.png')}' alt='far'><img src='/y.png'>".encode()
    site.pages["/page"] = answer(named)
    (tmp_path / "page.html").write_bytes(named)
    (tmp_path / "page.md").write_text(f"![far]({site.url('/x.png')})\n\nWords [too]({site.url('/z.html')}).")
    pack(tmp_path / "a.zip", page_html=named)
    ingest(corpus, site.url("/page"), *(tmp_path / name for name in ("page.html", "page.md", "a.zip")))
    assert [path for path, _ in site.asked] == ["/page"]


def test_a_fetched_page_sees_no_file_of_this_machine_and_of_no_other_source(corpus: Corpus, site: Site, tmp_path: Path):
    (tmp_path / "secret.png").write_bytes(png())
    site.pages["/page"] = answer(
        f"<p>Words.</p><img src='{(tmp_path / 'secret.png').as_uri()}'><img src='{tmp_path}/secret.png'>"
        "<img src='../secret.png'><img src='file:///etc/hostname'>".encode()
    )
    site.pages["/secret.png"] = answer(png("blue"), Content_Type="image/png")
    report = ingest(corpus, site.url("/page"), site.url("/secret.png"))
    assert (report.texts, report.images) == (1, 1)


def test_an_archive_is_opened_only_when_asked(corpus: Corpus, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    pack(tmp_path / "docs/a.zip", a_txt=b"Words.")
    (tmp_path / "docs/b.txt").write_text("Words.")
    report = ingest(corpus, tmp_path / "docs", archives=False)
    assert counts(report) == {"added": 1, "skipped": 1}
    assert [skip.reason for skip in report.skips] == ["an archive, opened only when asked: --archives"]
    with pytest.raises(InputError, match="open archives: --archives"):
        ingest(corpus, tmp_path / "docs/a.zip", archives=False)


def test_members_are_read_by_their_own_readers_and_linked_as_in_the_archive(corpus: Corpus, tmp_path: Path):
    path = pack(tmp_path / "a.zip", docs__page_html=PAGE, docs__img__red_png=png(), note_md=b"# Note\n\nMore words.")
    report = ingest(corpus, path)
    assert counts(report) == {"added": 2}
    assert [part.source for part in report.parts] == [f"{path}!/docs/img/red.png"]
    assert sources(corpus) == {f"{path}!/docs/page.html", f"{path}!/note.md"}
    (hit,) = corpus.search("red", modality="image")
    assert (hit.source, hit.caption) == (f"{path}!/docs/page.html", "A red square")
    assert counts(ingest(corpus, path)) == {"unchanged": 2}


def test_a_member_that_is_gone_is_removed_only_when_asked_and_never_when_the_archive_fails(
    corpus: Corpus, tmp_path: Path
):
    path = pack(tmp_path / "a.zip", a_txt=b"One.", b_txt=b"Two.")
    ingest(corpus, path)
    pack(path, a_txt=b"One.")
    assert counts(ingest(corpus, path)) == {"unchanged": 1}
    assert len(sources(corpus)) == 2
    assert counts(ingest(corpus, path, remove_missing=True)) == {"unchanged": 1, "removed": 1}
    path.write_bytes(b"no archive any longer")
    for given in (path, tmp_path):
        report = ingest(corpus, given, remove_missing=True)
        assert report.sources.failed == 1
        assert "is damaged" in str(report.failures[0])
        assert sources(corpus) == {f"{path}!/a.txt"}


def test_members_of_an_archive_that_is_not_opened_this_time_stay(corpus: Corpus, tmp_path: Path):
    pack(tmp_path / "a.zip", a_txt=b"One.")
    (tmp_path / "b.txt").write_text("Two.")
    ingest(corpus, tmp_path)
    assert counts(ingest(corpus, tmp_path, archives=False, remove_missing=True)) == {"unchanged": 1, "skipped": 1}
    (tmp_path / "a.zip").unlink()
    assert counts(ingest(corpus, tmp_path, archives=False, remove_missing=True)) == {"unchanged": 1, "removed": 1}


def test_a_member_that_cannot_be_had_is_a_failure_by_its_name_and_keeps_what_is_stored(corpus: Corpus, tmp_path: Path):
    path = pack(tmp_path / "a.zip", a_txt=b"One.", b_txt=b"Two.")
    ingest(corpus, path)
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    report = ingest(corpus, path, remove_missing=True)
    assert counts(report) == {"unchanged": 1, "failed": 1}
    assert str(report.failures[0]) == f"{path}!/b.txt: encrypted; pack it without a password"
    assert len(sources(corpus)) == 2


def test_a_hostile_name_is_a_failure_and_writes_nothing(corpus: Corpus, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../evil.txt", "words")
        archive.writestr("good.txt", "words")
    report = ingest(corpus, tmp_path / "a.zip")
    assert counts(report) == {"added": 1, "failed": 1}
    assert "the name leads out of the folder" in str(report.failures[0])
    assert not list(tmp_path.rglob("evil.txt"))


def test_patterns_hold_for_members_as_for_files(corpus: Corpus, tmp_path: Path):
    path = pack(tmp_path / "a.zip", a_txt=b"1", drafts__b_txt=b"2", c_md=b"3", _triptychignore=b"c.md\n")
    report = ingest(corpus, path, exclude=["drafts/"])
    assert sources(corpus) == {f"{path}!/a.txt"}
    assert {skip.source: skip.reason for skip in report.skips} == {
        f"{path}!/drafts": "excluded by --exclude",
        f"{path}!/c.md": f"excluded by {path}!/.triptychignore",
    }


def test_what_alone_is_read_may_lie_in_an_archive(corpus: Corpus, bucket: Any, tmp_path: Path):
    path = pack(tmp_path / "a.zip", a_txt=b"1", b_md=b"2")
    (tmp_path / "c.txt").write_text("3")
    bucket.pipe({"/b/a.zip": path.read_bytes(), "/b/c.txt": b"3", "/b/d.md": b"4"})
    ingest(corpus, tmp_path, "memory://b", include=["*.md"])
    assert sources(corpus) == {f"{path}!/b.md", "memory://b/a.zip!/b.md", "memory://b/d.md"}


def test_an_archive_in_an_archive_is_not_opened(corpus: Corpus, tmp_path: Path):
    inner = pack(tmp_path / "inner.zip", a_txt=b"1").read_bytes()
    report = ingest(corpus, pack(tmp_path / "a.zip", inner_zip=inner, b_txt=b"2"))
    assert counts(report) == {"added": 1, "skipped": 1}
    assert report.skips[0].reason == "an archive in an archive, not opened"


def test_an_unreadable_member_is_told_by_its_true_name(corpus: Corpus, tmp_path: Path, rooms: Path):
    path = pack(tmp_path / "a.zip", a_pdf=b"no pdf at all", b_txt=b"2")
    report = ingest(corpus, path)
    assert counts(report) == {"added": 1, "failed": 1}
    assert str(rooms) not in json.dumps(report.to_json())
    assert f"{path}!/a.pdf" in report.failures[0].message


def test_an_archive_can_be_fetched(corpus: Corpus, site: Site, tmp_path: Path):
    packed = pack(tmp_path / "a.zip", docs__page_html=PAGE, docs__img__red_png=png()).read_bytes()
    site.pages["/a.zip"] = answer(packed, Content_Type="application/zip")
    assert counts(ingest(corpus, site.url("/a.zip"))) == {"added": 1}
    assert sources(corpus) == {site.url("/a.zip!/docs/page.html")}
    site.pages["/a.zip"] = answer(b"", 410)
    assert counts(ingest(corpus, site.url("/a.zip"), remove_missing=True)) == {"removed": 1}


def test_a_prefix_is_ingested_like_a_folder(corpus: Corpus, bucket: Any):
    bucket.pipe({"/b/docs/page.html": PAGE, "/b/docs/img/red.png": png(), "/b/x/n.txt": b"words", "/b/y.bin": b"\0"})
    report = ingest(corpus, "memory://b/", exclude=["x/"])
    assert counts(report) == {"added": 1, "skipped": 2}
    assert {skip.source for skip in report.skips} == {"memory://b/x/n.txt", "memory://b/y.bin"}
    assert sources(corpus) == {"memory://b/docs/page.html"}
    assert len(corpus.search("red", modality="image")) == 1
    assert ingest(corpus, "memory://b").sources.unchanged == 1
    bucket.rm("/b/docs/page.html")
    assert "memory://b/docs/page.html" in ingest(corpus, "memory://b", remove_missing=True).removed


def test_one_object_is_ingested_like_a_file(corpus: Corpus, bucket: Any):
    bucket.pipe({"/b/n.txt": b"words", "/b/other.txt": b"words"})
    assert counts(ingest(corpus, "memory://b/n.txt")) == {"added": 1}
    assert sources(corpus) == {"memory://b/n.txt"}
    bucket.rm("/b/n.txt")
    assert counts(ingest(corpus, "memory://b/n.txt", remove_missing=True)) == {"removed": 1}


def test_a_prefix_that_lists_nothing_removes_nothing(corpus: Corpus, bucket: Any):
    bucket.pipe({"/b/n.txt": b"words"})
    ingest(corpus, "memory://b")
    bucket.store.clear()
    assert counts(ingest(corpus, "memory://b", remove_missing=True)) == {"failed": 1}
    assert sources(corpus) == {"memory://b/n.txt"}


def test_a_file_url_is_the_path_it_names(corpus: Corpus, tmp_path: Path):
    (tmp_path / "a b.txt").write_text("words")
    ingest(corpus, (tmp_path / "a b.txt").as_uri())
    assert sources(corpus) == {(tmp_path / "a b.txt").as_posix()}


def test_a_malformed_url_is_refused_before_anything_is_fetched(corpus: Corpus, site: Site):
    site.pages["/"] = answer(b"<p>Words.")
    with pytest.raises(InputError, match="unknown kind ftp"):
        ingest(corpus, site.url(), "ftp://example.com/x")
    assert not site.asked


def test_a_temporary_folder_that_cannot_be_made_is_told(corpus: Corpus, site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(InputError, match=r"no temporary folder can be made .*; name one in TMPDIR"):
        ingest(corpus, site.url("/page"))


def triptych(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_command_takes_urls_and_archives(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIPTYCH_READER_WORKERS", "0")
    site.pages["/page"] = answer(b"<p>Words.")
    path = pack(tmp_path / "a.zip", a_txt=b"Words.")
    where = ("--corpus", tmp_path / "c", "--encoder", "fake")
    done = triptych("ingest", site.url("/page"), path, "--archives", "--allow-private", *where, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["sources"]["added"] == 2


def test_the_command_tells_in_one_line_why_a_url_is_refused(site: Site, tmp_path: Path):
    done = triptych("ingest", site.url("/page"), "--corpus", tmp_path / "c", "--encoder", "fake")
    assert done.exit_code == 3
    told = f"triptych: {site.url('/page')} leads to 127.0.0.1, a loopback address; public addresses are fetched from"
    assert done.stderr.splitlines() == [f"{told}; --allow-private admits it"]
    assert not site.asked


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ftp://example.com/x"], "unknown kind ftp"),
        (["https://"], "names no host"),
        (["s3://"], "names no bucket"),
        (["https://example.com/", "--watch"], "files and folders can be followed"),
    ],
)
def test_the_command_refuses_what_is_no_source_in_one_line(arguments: list[str], told: str, tmp_path: Path):
    done = triptych("ingest", *arguments, "--corpus", tmp_path / "c", "--encoder", "fake")
    assert done.exit_code == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
