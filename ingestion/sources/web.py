"""One URL, one document: fetched from the address that was checked, within bounds, and never because a document names
it.

The check sits where the connection is made. The name is resolved once, all its addresses are judged, and the socket is
opened to one of them, so that a name which changes its mind in between (DNS rebinding) gains nothing; a redirect opens
another connection and is judged like the first. The Host header and the name in the TLS certificate stay the URL's.
Proxies of the environment are not used: they would resolve the name themselves.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpcore
import httpx

from ingestion.sources.addresses import INTERNAL, refusal
from ingestion.sources.limits import Access
from ingestion.sources.names import file_name
from rag.errors import InputError, SourceError, SourceGone

__all__ = ["address", "check", "fetch"]

_CHUNK: Final = 1 << 16
_HEAD: Final = 1024
_GONE: Final = (404, 410)
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
    deadline = _Deadline(access.limits.seconds)
    with (
        _told(target.source, access, deadline),
        httpx.Client(
            transport=_Transport(access, deadline, target.source),
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
        raise SourceError(
            f"{source} answers HTTP {response.status_code} {response.reason_phrase}".rstrip(),
            "200 is read",
            "open it in a browser, and name the address that shows the document",
        )
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
    return path.rename(folder / (name or _name(target, mime, head)))


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
def _told(source: str, access: Access, deadline: _Deadline) -> Iterator[None]:
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
        raise SourceError(f"{source} cannot be fetched ({told})", advice="try again later") from exc


def _too_slow(source: str, access: Access) -> SourceError:
    return SourceError(
        f"{source} takes longer than {access.limits.seconds:g} s",
        "quicker servers are waited for",
        "raise TRIPTYCH_FETCH_TIMEOUT, or fetch it by hand and name the file",
    )


class _Deadline:
    """The moment by which all must be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Whether it is too late."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Seconds that are left. Raises httpcore.ReadTimeout where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left


class _Transport(httpx.BaseTransport):
    """httpx over a connection pool whose connections are made by `_Guard`."""

    def __init__(self, access: Access, deadline: _Deadline, source: str) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=1,
            network_backend=_Guard(access, deadline, source),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises httpx.UnsupportedProtocol where it is neither http nor https."""
        if request.url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"redirected to {request.url.scheme}:, only http and https are fetched")
        response = self._pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


class _Guard(httpcore.NetworkBackend):
    """Connects to addresses that may be fetched from, and to no others."""

    def __init__(self, access: Access, deadline: _Deadline, source: str) -> None:
        self._access, self._deadline, self._source = access, deadline, source
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A stream to the first address of `host` that answers. Raises SourceError where one of them is refused, which
        would be a way to have it tried."""
        addresses = self._access.resolve(host, port, self._deadline.left())
        for address in addresses:
            if reason := refusal(address, allow_private=self._access.allow_private):
                internal = reason in INTERNAL
                raise SourceError(
                    f"{self._source} leads to {address}, {reason}",
                    "public addresses are fetched from",
                    "--allow-private admits it" if internal else "fetch it by hand and name the file",
                )
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._backend.connect_tcp(
                    address, port, timeout=self._deadline.left(), socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failed = exc
            else:
                return _Stream(stream, self._deadline)
        raise failed


class _Stream(httpcore.NetworkStream):
    """A stream none of whose steps outlasts the deadline of them all."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most `max_bytes`."""
        return self._stream.read(max_bytes, timeout=self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of `buffer`."""
        self._stream.write(buffer, timeout=self._deadline.left())

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The stream, encrypted; the certificate must be the host's."""
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What the socket tells."""
        return self._stream.get_extra_info(info)
