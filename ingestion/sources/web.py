"""One URL, one document: fetched within bounds, and never because a document names it."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpcore
import httpx

from ingestion.sources.limits import Access
from ingestion.sources.names import file_name
from ingestion.sources.wire import Deadline, Transport
from rag.errors import InputError, SourceError, SourceGone

__all__ = ["address", "check", "fetch"]

_CHUNK: Final = 1 << 16
_HEAD: Final = 1024
_GONE: Final = (404, 410)
_LATER: Final = (408, 425, 429, *range(500, 600))
"""Answers that say nothing about another time."""
_LEGACY: Final = re.compile(r"(?:iso8859|cp\d|koi8|mac-|shift_jis|euc_|gb|big5|tis-|utf-16)")
"""Encodings of texts, as Python names them. Others of Python's are none, or take quadratic time (punycode)."""
_FAILURES: Final = (
    *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, httpx.HTTPError, httpx.InvalidURL),
    *(OSError, zlib.error),
)


@dataclass(frozen=True)
class _Target:
    """A URL as it was given, and the name under which the store keeps what it leads to."""

    url: httpx.URL
    source: str


def address(given: str) -> str:
    """The name of a URL as a source: without credentials and fragment. Raises InputError where it is malformed."""
    return _parsed(given).source


def check(given: str) -> None:
    """Raises InputError where a URL is malformed."""
    _parsed(given)


def _parsed(given: str) -> _Target:
    try:
        url = httpx.URL(given)
        bare = url.copy_with(userinfo=b"", fragment=None)
    except (httpx.InvalidURL, ValueError) as exc:
        raise InputError(f"{given!r} is not a URL ({exc})", "https://host/path is allowed", "correct it") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"{given!r} names no host", "https://host/path is allowed", "correct it")
    source = str(bare.copy_with(path=bare.path or "/"))
    return _Target(url, source)


def fetch(given: str, folder: Path, access: Access) -> Path:
    """Write what the URL `given` leads to into `folder`, under a name whose suffix says what it is.

    Raises SourceGone where the server says that there is nothing (404, 410); SourceError where the address is refused,
    the server fails, or what it sends is too large, too slow or nothing that is read.
    """
    target = _parsed(given)
    deadline = Deadline(access.limits.seconds)
    with (
        _told(target.source, access, deadline),
        httpx.Client(
            transport=Transport(access, deadline, target.source),
            trust_env=False,
            timeout=None,
            headers={"User-Agent": "triptych", "Accept": "*/*", "Accept-Encoding": "gzip, identity"},
        ) as client,
        _answered(client, target, access) as response,
    ):
        _check(response, target.source, access)
        return _save(response, target, folder, access)


@contextmanager
def _answered(client: httpx.Client, target: _Target, access: Access) -> Iterator[httpx.Response]:
    """The answer, its body unread. The bodies of redirects are never read; httpx would, whole."""
    request = client.build_request("GET", target.url)
    for _ in range(access.limits.redirects + 1):
        response = client.send(request, stream=True, follow_redirects=False)
        try:
            if response.next_request is None:
                yield response
                return
        finally:
            response.close()
        request = response.next_request
    raise SourceError(
        f"{target.source} redirects more than {access.limits.redirects} times", advice="name the address it leads to"
    )


def _check(response: httpx.Response, source: str, access: Access) -> None:
    if response.status_code in _GONE:
        raise SourceGone(f"{source} is gone (HTTP {response.status_code})", advice="--remove-missing removes it")
    if response.status_code != 200:
        error = SourceError(
            f"{source} answers HTTP {response.status_code} {response.reason_phrase}".rstrip(),
            "200 is read",
            "open it in a browser, and name the address that shows the document",
        )
        raise _passing(error) if response.status_code in _LATER else error
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > access.limits.fetched:
        raise _too_large(source, access)


def _save(response: httpx.Response, target: _Target, folder: Path, access: Access) -> Path:
    """The body, in a file. The type is checked when its first bytes are there, before the rest is waited for."""
    mime = response.headers.get("content-type", "")
    body = _decoded(response.iter_raw(_CHUNK), response.headers.get("content-encoding", ""), target.source)
    head, size, path = b"", 0, folder / ".fetching"
    name = None
    with path.open("wb") as file:
        for chunk in body:
            size += len(chunk)
            if size > access.limits.fetched:
                raise _too_large(target.source, access)
            file.write(chunk)
            if name is None and len(head) < _HEAD:
                head += chunk[:_HEAD]
                name = _name(target, mime, head) if len(head) >= _HEAD else None
    if mime.lower().startswith("text/"):
        _as_utf8(path, response.charset_encoding or "")
    return path.rename(folder / (name or _name(target, mime, head)))


def _as_utf8(path: Path, charset: str) -> None:
    """Keep what only the header says, the encoding: a text in another one is written as UTF-8, with the mark of it.

    A text that is UTF-8 is left alone whatever the header says; servers add theirs without looking.
    """
    try:
        name = codecs.lookup(charset).name if charset else ""
    except (LookupError, ValueError):
        return
    if not _LEGACY.match(name):
        return
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError:
        # What calls itself Latin-1 is Windows-1252 on the web (WHATWG Encoding, 4.2).
        with suppress(UnicodeDecodeError):
            text = data.decode("cp1252" if name == "iso8859-1" else name)
            path.write_bytes(codecs.BOM_UTF8 + text.encode("utf-8", "replace"))


def _name(target: _Target, mime: str, head: bytes) -> str:
    name = file_name(target.url.path, target.url.host, mime, head)
    if name is None:
        raise SourceError(
            f"{target.source} is of the content type {mime or 'unknown'}",
            "documents, pages and pictures are read",
            "name the document itself",
        )
    return name


def _decoded(chunks: Iterable[bytes], encoding: str, source: str) -> Iterator[bytes]:
    """The body without its compression, in pieces of at most 64 KiB however far a piece of it expands."""
    if encoding.strip().lower() in ("", "identity"):
        yield from chunks
        return
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise SourceError(f"{source} is sent in the encoding {encoding!r}", "gzip was asked for", "fetch it by hand")
    unzip, begun = zlib.decompressobj(wbits=31), False
    for chunk in chunks:
        rest = chunk
        while rest:
            if unzip.eof:
                unzip = zlib.decompressobj(wbits=31)
            begun = True
            yield unzip.decompress(rest, _CHUNK)
            rest = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    while begun and not unzip.eof and (piece := unzip.decompress(b"", _CHUNK)):
        yield piece
    if begun and not unzip.eof:
        raise SourceError(f"{source} ends within its compressed data", advice="try again")


def _too_large(source: str, access: Access) -> SourceError:
    return SourceError(
        f"{source} is larger than {access.limits.fetched} bytes",
        "smaller documents are fetched",
        "raise TRIPTYCH_FETCH_LIMIT, or fetch it by hand and name the file",
    )


@contextmanager
def _told(source: str, access: Access, deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except httpcore.TimeoutException as exc:
        raise _too_slow(source, access) from exc
    except _FAILURES as exc:
        if deadline.passed:
            raise _too_slow(source, access) from exc
        told = " ".join(str(exc).split()) or type(exc).__name__
        raise _passing(SourceError(f"{source} cannot be fetched ({told})", advice="try again later")) from exc


def _too_slow(source: str, access: Access) -> SourceError:
    return _passing(
        SourceError(
            f"{source} takes longer than {access.limits.seconds:g} s",
            "quicker servers are waited for",
            "raise TRIPTYCH_FETCH_TIMEOUT, or fetch it by hand and name the file",
        )
    )


def _passing(error: SourceError) -> SourceError:
    error.passing = True
    return error
