"""Connections to addresses that were judged, within one deadline: what carries a fetch.

The judgement sits where the connection is made. The name is resolved once, all its addresses are judged, and the socket
is opened to one of them, so that a name which changes its mind in between (DNS rebinding) gains nothing; a redirect
opens another connection and is judged like the first. The Host header and the name in the TLS certificate stay the
URL's. Proxies of the environment are not used: they would resolve the name themselves.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

from ingestion.sources.addresses import INTERNAL, refusal
from ingestion.sources.limits import Access
from rag.errors import SourceError

__all__ = ["Deadline", "Transport"]


class Deadline:
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


class Transport(httpx.BaseTransport):
    """httpx over a connection pool whose connections are made by `_Guard`."""

    def __init__(self, access: Access, deadline: Deadline, source: str) -> None:
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

    def __init__(self, access: Access, deadline: Deadline, source: str) -> None:
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

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
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
