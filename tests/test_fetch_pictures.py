"""Pictures that documents show from the web: fetched only when asked, once a run, and each that is missing is named."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ingestion.remote import Fetched
from ingestion.report import IngestReport
from ingestion.sources import Access, Limits, WebPictures
from ingestion.workers import InProcess, ReaderPool
from rag.corpus import Corpus
from rag.encoders.fake import fake_encoder
from tests.document_files import png, rezipped
from tests.test_readers_epub import book
from tests.web_site import Site, answer, redirect, served


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as made:
        made.pages["/a.png"] = answer(png("red"), Content_Type="image/png")
        yield made


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder(), qdrant=":memory:") as opened:
        yield opened


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def ingest(corpus: Corpus, *given: str | Path, **options: Any) -> IngestReport:
    return corpus.ingest(*given, **{"readers": InProcess(), "allow_private": True, "fetch_pictures": True, **options})


def lost(report: IngestReport) -> dict[str, str]:
    return {notice.what: notice.reason for notice in report.warnings}


def outcomes(report: IngestReport) -> dict[str, int]:
    return {outcome: count for outcome, count in report.sources.to_json().items() if count}


def asked(site: Site) -> list[str]:
    return [path for path, _ in site.asked]


def test_nothing_is_fetched_unless_asked_and_then_the_document_is_read_anew(site: Site, corpus: Corpus, docs: Path):
    (docs / "a.html").write_text(f"<p>Rain</p><img src='{site.url('/a.png')}' alt='Red bars'>")
    report = ingest(corpus, docs, fetch_pictures=False)
    assert (report.images, asked(site)) == (0, [])
    assert lost(report) == {f"picture {site.url('/a.png')}": "remote, fetched only when asked: --fetch-pictures"}
    report = ingest(corpus, docs)
    assert (outcomes(report), report.images, lost(report)) == ({"updated": 1}, 1, {})
    assert outcomes(ingest(corpus, docs)) == {"unchanged": 1}
    assert asked(site) == ["/a.png"]


def test_every_kind_of_page_gets_its_pictures_and_one_picture_is_fetched_once(site: Site, corpus: Corpus, docs: Path):
    url = site.url("/a.png")
    (docs / "a.md").write_text(f"![Bars]({url})\n")
    (docs / "b.rst").write_text(f".. image:: {url}\n   :alt: Bars\n")
    (docs / "c.adoc").write_text(f"image::{url}[Bars]\n")
    cell = {"cell_type": "markdown", "source": f"![Bars]({url}#x)", "metadata": {}}
    (docs / "d.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4, "metadata": {}}))
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><body><img src="{url}" alt="Bars"/></body></html>'
    rezipped(book(docs / "e.epub"), {"OPS/text/two.xhtml": page})
    small, large = site.url("/small.png"), url
    (docs / "f.html").write_text(f"<img src='{small}' srcset='{large} 800w, {small} 100w' alt='Bars'>")
    report = ingest(corpus, docs)
    shown = [node for node in corpus.store.get_nodes() if node.metadata.get("caption") == "Bars"]
    assert sorted(Path(node.metadata["source"]).name for node in shown) == [
        *("a.md", "b.rst", "c.adoc", "d.ipynb", "e.epub", "f.html")
    ]
    assert not [what for what in lost(report) if url in what]
    assert asked(site) == ["/a.png"]


def test_processes_that_read_ask_the_run_and_two_documents_share_a_picture(site: Site, corpus: Corpus, docs: Path):
    for number in range(4):
        (docs / f"{number}.html").write_text(f"<p>Rain {number}</p><img src='{site.url('/a.png')}' alt='Red bars'>")
    with ReaderPool(workers=2) as readers:
        report = ingest(corpus, docs, readers=readers)
    assert (report.images, lost(report), asked(site)) == (4, {}, ["/a.png"])


def test_the_time_of_a_file_stands_still_while_a_picture_is_fetched(site: Site, corpus: Corpus, docs: Path):
    def slow(request: BaseHTTPRequestHandler) -> None:
        time.sleep(2.5)
        answer(png("red"), Content_Type="image/png")(request)

    site.pages["/slow.png"] = slow
    (docs / "a.html").write_text(f"<p>Rain</p><img src='{site.url('/slow.png')}' alt='Red bars'>")
    with ReaderPool(workers=1, timeout=2.0) as readers:
        readers.warm()
        report = ingest(corpus, docs, readers=readers)
    assert (report.images, report.failures) == (1, ())


def test_what_cannot_be_fetched_is_named_with_the_reason_and_keeps_its_words(site: Site, corpus: Corpus, docs: Path):
    corpus.settings.fetch_timeout, corpus.settings.fetch_limit = 0.5, 1
    hung = []

    def hang(request: BaseHTTPRequestHandler) -> None:
        hung.append(request)
        time.sleep(1.5)

    site.pages |= {
        "/private": redirect("http://169.254.169.254/latest/meta-data/"),
        "/large.png": answer(b"\x89PNG\r\n\x1a\n" + bytes(2**20), Content_Type="image/png"),
        "/page": answer(b"<p>Sign in"),
        "/film": answer(b"film", Content_Type="video/mp4"),
        "/broken.png": answer(png("red")[:60], Content_Type="image/png"),
        "/hang.png": hang,
    }
    names = ("private", "large.png", "page", "film", "broken.png", "hang.png", "gone.png")
    body = "".join(f"<p>about {name}</p><img src='{site.url(f'/{name}')}' alt='alt of {name}'>" for name in names)
    (docs / "a.html").write_text(body)
    report = ingest(corpus, docs)
    told = {what.rpartition("/")[2]: reason for what, reason in lost(report).items()}
    assert told.pop("broken.png")
    assert told == {
        "private": "leads to 169.254.169.254, a link-local address",
        "large.png": "is larger than 1048576 bytes",
        "page": "leads to no picture, but to a .html file",
        "film": "is of the content type video/mp4",
        "hang.png": "takes longer than 0.5 s",
        "gone.png": "is gone (HTTP 404)",
    }
    assert report.images == 0
    words = " ".join(node.text for node in corpus.store.get_nodes())
    assert all(f"alt of {name}" in words for name in names)


def test_loopback_is_refused_where_private_addresses_are_not_allowed(site: Site, corpus: Corpus, docs: Path):
    (docs / "a.html").write_text(f"<p>Rain</p><img src='{site.url('/a.png')}'>")
    report = ingest(corpus, docs, allow_private=False)
    assert list(lost(report).values()) == ["leads to 127.0.0.1, a loopback address"]
    assert not site.asked


def test_what_failed_for_now_is_tried_again_and_what_is_gone_is_not(site: Site, corpus: Corpus, docs: Path):
    site.pages["/busy.png"] = answer(b"", 503)
    (docs / "busy.html").write_text(f"<p>Rain</p><img src='{site.url('/busy.png')}' alt='Red bars'>")
    (docs / "gone.html").write_text(f"<p>Wind</p><img src='{site.url('/gone.png')}' alt='Blue bars'>")
    assert outcomes(ingest(corpus, docs)) == {"added": 2}
    site.pages["/busy.png"] = answer(png("red"), Content_Type="image/png")
    report = ingest(corpus, docs)
    assert (outcomes(report), report.images) == ({"updated": 1, "unchanged": 1}, 1)
    assert outcomes(ingest(corpus, docs)) == {"unchanged": 2}


def test_a_fetched_page_gets_the_pictures_beside_it_and_a_mail_gets_none(site: Site, corpus: Corpus, docs: Path):
    site.pages["/deep/page"] = answer(b"<p>Rain</p><img src='../a.png' alt='Red bars'>")
    assert ingest(corpus, site.url("/deep/page")).images == 1
    page = f"<p>Rain</p><img src='{site.url('/pixel.png')}'>"
    (docs / "a.eml").write_text(f"From: a@example.org\nContent-Type: text/html\n\n{page}")
    ingest(corpus, docs)
    assert asked(site) == ["/deep/page", "/a.png"]


def test_a_host_that_fails_again_and_again_is_left_alone(site: Site, tmp_path: Path):
    site.pages |= {f"/{number}.png": answer(b"", 500) for number in range(9)}
    pictures = WebPictures(Access(allow_private=True, limits=Limits(seconds=5)), tmp_path)
    got = [pictures(site.url(f"/{number}.png")) for number in range(9)]
    assert len(site.asked) == 3
    assert got[-1] == Fetched(reason="not fetched: its host failed 3 times", passing=True)


def test_closing_lets_go_of_those_who_wait_for_a_server(site: Site, tmp_path: Path):
    pictures = WebPictures(Access(allow_private=True, limits=Limits(seconds=30)), tmp_path)

    def close(request: BaseHTTPRequestHandler) -> None:
        pictures.close()
        time.sleep(1)

    site.pages["/slow.png"] = close
    started = time.monotonic()
    assert pictures(site.url("/slow.png")) == Fetched(reason="not fetched: the run was ended", passing=True)
    assert time.monotonic() - started < 0.9
