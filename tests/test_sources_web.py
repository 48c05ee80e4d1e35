"""Fetching over real sockets: what is refused, what is bounded, and that only what was judged is connected to."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ingestion.readers import read
from ingestion.sources.limits import Access, Limits, Resolver, resolved
from ingestion.sources.web import address, fetch
from rag.errors import InputError, SourceError, SourceGone
from tests.patience import LONG
from tests.web_site import Site, answer, redirect, served


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as made:
        yield made


def resolver(table: dict[str, Sequence[str]]) -> Resolver:
    def resolve(host: str, port: int, seconds: float) -> Sequence[str]:
        return table[host] if host in table else resolved(host, port, seconds)

    return resolve


OPEN = Access(allow_private=True, limits=Limits(fetched=100_000))


def test_a_page_is_written_to_a_file_whose_name_says_what_it_is(site: Site, tmp_path: Path):
    site.pages["/a/page?q=1"] = answer(b"<p>words")
    path = fetch(site.url("/a/page?q=1"), tmp_path, OPEN)
    assert path.name == "page.html"
    assert path.read_bytes() == b"<p>words"
    assert list(tmp_path.iterdir()) == [path]


def test_a_source_is_named_without_credentials_and_fragment():
    assert address("HTTPS://me:secret@Example.COM/a?b=c#d") == "https://example.com/a?b=c"
    assert address("https://example.com:443") == "https://example.com/"


@pytest.mark.parametrize("given", ["http://", "https:///x", "http://[::1", "http://a b/\x00"])
def test_what_is_no_url_is_refused(given: str):
    with pytest.raises(InputError, match=r"https://host/path is allowed"):
        address(given)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_a_loopback_address_is_refused_however_it_is_written(site: Site, tmp_path: Path, host: str):
    site.pages["/"] = answer(b"secret")
    with pytest.raises(SourceError, match=r"leads to .*, (a loopback|a private) address.*--allow-private"):
        fetch(site.url("/", host), tmp_path, Access())
    assert not site.asked


@pytest.mark.parametrize("given", ["10.0.0.1", "169.254.169.254", "224.0.0.1", "240.0.0.1", "fd00:ec2::254", "0.0.0.0"])
def test_a_name_that_leads_to_an_internal_address_is_refused_before_a_connection(tmp_path: Path, given: str):
    access = Access(resolve=resolver({"example.com": ["8.8.8.8", given]}))
    with pytest.raises(SourceError, match=f"example.com/ leads to {given}, "):
        fetch("http://example.com/", tmp_path, access)


def test_cloud_metadata_is_refused_even_where_private_addresses_are_allowed(tmp_path: Path):
    with pytest.raises(SourceError, match="a link-local address; public addresses are fetched from; fetch it by hand"):
        fetch("http://169.254.169.254/latest/meta-data/", tmp_path, OPEN)


def test_the_name_is_resolved_once_and_the_address_that_was_judged_is_connected_to(site: Site, tmp_path: Path):
    asked: list[str] = []
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    def rebinding(host: str, port: int, seconds: float) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    site.pages["/"] = answer(b"<p>words")
    fetch(site.url("/", "rebind.example"), tmp_path, Access(allow_private=True, resolve=rebinding))
    assert asked == ["rebind.example"]
    assert site.asked[0][1]["Host"] == f"rebind.example:{site.port}"


def test_an_address_that_does_not_answer_gives_way_to_the_next(site: Site, tmp_path: Path):
    site.pages["/"] = answer(b"<p>words")
    access = Access(allow_private=True, resolve=resolver({"two.example": ["::1", "127.0.0.1"]}))
    assert fetch(site.url("/", "two.example"), tmp_path, access).read_bytes() == b"<p>words"


def test_a_redirect_is_judged_like_the_first_address(site: Site, tmp_path: Path):
    site.pages["/"] = redirect("http://internal.example/admin")
    access = Access(allow_private=True, resolve=resolver({"internal.example": ["169.254.169.254"]}))
    with pytest.raises(SourceError, match=r"leads to 169\.254\.169\.254, a link-local address"):
        fetch(site.url(), tmp_path, access)


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://example.com/", "ws://127.0.0.1/", "gopher://x/", "http://["]
)
def test_a_redirect_to_anything_but_http_is_refused(site: Site, tmp_path: Path, to: str):
    site.pages["/"] = redirect(to)
    with pytest.raises(SourceError, match="cannot be fetched"):
        fetch(site.url(), tmp_path, OPEN)


def test_redirects_are_followed_five_times_and_no_more(site: Site, tmp_path: Path):
    site.pages |= {f"/{n}": redirect(f"/{n + 1}") for n in range(6)} | {"/6": answer(b"<p>end")}
    assert fetch(site.url("/1"), tmp_path, OPEN).read_bytes() == b"<p>end"
    with pytest.raises(SourceError, match="redirects more than 5 times"):
        fetch(site.url("/0"), tmp_path, OPEN)


def test_the_body_of_a_redirect_is_not_read(site: Site, tmp_path: Path):
    sent: list[int] = []

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", "/end")
        request.end_headers()
        try:
            while len(sent) < 3000:
                sent.append(request.wfile.write(b"x" * 65536))
        except OSError:
            return

    site.pages |= {"/": endless, "/end": answer(b"<p>end")}
    assert fetch(site.url(), tmp_path, OPEN).read_bytes() == b"<p>end"
    assert len(sent) < 300


def test_credentials_stay_with_the_host_they_were_given_for(site: Site, tmp_path: Path):
    site.pages |= {
        "/": redirect("/same"),
        "/same": redirect(site.url("/other", "other.example")),
        "/other": answer(b"<p>"),
    }
    access = Access(allow_private=True, resolve=resolver({"other.example": ["127.0.0.1"]}))
    fetch(site.url("/", "me:secret@127.0.0.1"), tmp_path, access)
    sent = {path: headers.get("Authorization", "") for path, headers in site.asked}
    assert sent["/"].startswith("Basic ")
    assert sent["/same"].startswith("Basic ")
    assert sent["/other"] == ""


def test_an_error_never_repeats_credentials(site: Site, tmp_path: Path):
    site.pages["/"] = answer(b"", 500)
    with pytest.raises(SourceError) as caught:
        fetch(site.url("/", "me:secret@127.0.0.1"), tmp_path, OPEN)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [404, 410])
def test_what_the_server_says_is_gone_is_told_apart(site: Site, tmp_path: Path, status: int):
    site.pages["/"] = answer(b"", status)
    with pytest.raises(SourceGone, match=f"is gone \\(HTTP {status}\\)"):
        fetch(site.url(), tmp_path, OPEN)


@pytest.mark.parametrize("status", [204, 206, 401, 403, 500, 503])
def test_other_answers_are_failures(site: Site, tmp_path: Path, status: int):
    site.pages["/"] = answer(b"", status)
    with pytest.raises(SourceError, match=f"answers HTTP {status}") as caught:
        fetch(site.url(), tmp_path, OPEN)
    assert not isinstance(caught.value, SourceGone)


def test_what_says_that_it_is_too_large_is_not_read(site: Site, tmp_path: Path):
    site.pages["/"] = answer(b"", Content_Length="100001")
    with pytest.raises(SourceError, match="is larger than 100000 bytes"):
        fetch(site.url(), tmp_path, OPEN)


def test_what_does_not_say_how_large_it_is_is_cut_off_by_an_error(site: Site, tmp_path: Path):
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            return

    site.pages["/"] = endless
    with pytest.raises(SourceError, match="is larger than 100000 bytes"):
        fetch(site.url(), tmp_path, OPEN)


def test_a_body_shorter_than_its_length_is_a_failure(site: Site, tmp_path: Path):
    site.pages["/"] = answer(b"half", Content_Length="100")
    with pytest.raises(SourceError, match="cannot be fetched"):
        fetch(site.url(), tmp_path, OPEN)


def test_compression_is_undone(site: Site, tmp_path: Path):
    words = b"<p>" + bytes(range(32, 120)) * 500
    half = len(words) // 2
    site.pages["/"] = answer(gzip.compress(words[:half]) + gzip.compress(words[half:]), Content_Encoding="gzip")
    assert fetch(site.url(), tmp_path, OPEN).read_bytes() == words


def test_a_compressed_bomb_ends_at_the_limit(site: Site, tmp_path: Path):
    site.pages["/"] = answer(gzip.compress(bytes(50 << 20)), Content_Encoding="gzip")
    with pytest.raises(SourceError, match="is larger than 100000 bytes"):
        fetch(site.url(), tmp_path, Access(allow_private=True, limits=Limits(fetched=100_000)))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 100_000


@pytest.mark.parametrize(
    ("body", "encoding", "told"),
    [
        (gzip.compress(b"words" * 999)[:-20], "gzip", "ends within its compressed data"),
        (b"no gzip at all", "gzip", "cannot be fetched"),
        (zlib.compress(b"words"), "br", "is sent in the encoding 'br'"),
        (gzip.compress(b"words"), "gzip, gzip", "is sent in the encoding"),
    ],
)
def test_compression_that_is_broken_or_was_not_asked_for_is_a_failure(
    site: Site, tmp_path: Path, body: bytes, encoding: str, told: str
):
    site.pages["/"] = answer(body, Content_Encoding=encoding)
    with pytest.raises(SourceError, match=told):
        fetch(site.url(), tmp_path, OPEN)


def test_a_content_type_that_nothing_reads_is_told(site: Site, tmp_path: Path):
    site.pages["/film"] = answer(b"x", Content_Type="video/mp4")
    with pytest.raises(SourceError, match="is of the content type video/mp4; documents, pages and pictures are read"):
        fetch(site.url("/film"), tmp_path, OPEN)


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        ("Größe – €", "cp1252", "ISO-8859-1"),
        ("Слова", "cp1251", "windows-1251"),
        ("言葉", "shift_jis", "Shift_JIS"),
        ("Größe", "utf-8", "ISO-8859-1"),
        ("Größe", "utf-16", "utf-16"),
    ],
)
def test_a_text_keeps_the_encoding_that_only_the_header_tells(
    site: Site, tmp_path: Path, text: str, encoding: str, said: str
):
    page = f"<p>{text}</p>".encode(encoding)
    site.pages["/"] = answer(page, Content_Type=f"text/html; charset={said}")
    (block,) = read(fetch(site.url(), tmp_path, OPEN)).blocks
    assert block.text == text


@pytest.mark.parametrize("said", ["punycode", "zip", "no-such", "unicode_escape", "\u00ff", "utf-8"])
def test_an_encoding_that_is_none_changes_nothing(site: Site, tmp_path: Path, said: str):
    site.pages["/"] = answer(b"<p>\xff words", Content_Type=f"text/html; charset={said}")
    assert fetch(site.url(), tmp_path, OPEN).read_bytes() == b"<p>\xff words"


HURRY = Access(allow_private=True, limits=Limits(seconds=0.5))


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_server_that_drips_is_left_when_the_time_for_all_is_over(site: Site, tmp_path: Path, part: str):
    stop, ended = threading.Event(), threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + (b"\r\n" if part == "body" else b"X: "))
        end = time.monotonic() + LONG
        with suppress(OSError):
            while not stop.wait(0.05):
                request.wfile.write(b"x")
                request.wfile.flush()
                if time.monotonic() > end:
                    ended.set()
                    return

    site.pages["/"] = drip
    with pytest.raises(SourceError, match=r"takes longer than 0\.5 s"):
        fetch(site.url(), tmp_path, HURRY)
    stop.set()
    assert not ended.is_set()


def test_a_server_that_says_nothing_is_left_when_the_time_is_over(tmp_path: Path):
    told = pytest.raises(SourceError, match=r"takes longer than 0\.5 s")
    with socket.create_server(("127.0.0.1", 0)) as silent, told:
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/", tmp_path, HURRY)


def test_a_name_that_is_not_resolved_in_time_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    held = threading.Event()
    monkeypatch.setattr("ingestion.sources.limits.getaddrinfo", lambda *_, **__: held.wait(LONG) and [])
    with pytest.raises(SourceError, match=r"takes longer than 0\.5 s|was not resolved in time"):
        fetch("http://slow.example/", tmp_path, HURRY)
    held.set()


def test_nobody_at_home_is_a_failure(tmp_path: Path):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # nobody else can take the port, and nobody listens
        with pytest.raises(SourceError, match="cannot be fetched"):
            fetch(f"http://127.0.0.1:{deaf.getsockname()[1]}/", tmp_path, OPEN)


def test_a_proxy_of_the_environment_is_not_asked(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.pages["/"] = answer(b"<p>words")
    assert fetch(site.url(), tmp_path, OPEN).read_bytes() == b"<p>words"


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with a certificate for tls.example, made for this test and trusted."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl on PATH")
    pem, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made_by = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=tls.example", "-addext", "subjectAltName=DNS:tls.example", "-days", "2"]
    subprocess.run([*made_by, *named, "-keyout", key, "-out", pem], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with served(context) as made:
        made.pages["/"] = answer(b"<p>encrypted")
        yield made


def test_the_certificate_must_be_that_of_the_name(encrypted: Site, tmp_path: Path):
    names: dict[str, Sequence[str]] = {"tls.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    access = Access(allow_private=True, resolve=resolver(names))
    assert fetch(f"https://tls.example:{encrypted.port}/", tmp_path, access).read_bytes() == b"<p>encrypted"
    assert encrypted.asked.pop()[1]["Host"] == f"tls.example:{encrypted.port}"
    for host in ("other.example", "127.0.0.1"):
        with pytest.raises(SourceError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(f"https://{host}:{encrypted.port}/", tmp_path, access)
    assert not encrypted.asked
