"""Where a collection can live: an embedded shard, a Qdrant server, or memory. One interface, one set of errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from rag.errors import StoreError, StoreUnauthorized, StoreUnreachable

EngineKind = Literal["embedded", "memory", "server"]
MEMORY: Final = ":memory:"
TIMEOUT_SECONDS: Final = 30
_PASSING: Final = frozenset({429, 502, 503, 504})
"""HTTP states that end by themselves: too many requests; a proxy before a server that starts or is overwhelmed."""


@dataclass(frozen=True)
class Engine:
    """A client with the methods of `QdrantClient` that the store uses, what kind it is, and a name for messages."""

    client: Any
    kind: EngineKind
    where: str


class MappedClient:
    """A `QdrantClient` whose failures are this project's errors, in one line, naming the URL and never the key."""

    def __init__(self, client: Any, where: str) -> None:
        self._client, self._where = client, where

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        return _mapped(attribute, self._where) if callable(attribute) else attribute


def open_engine(*, path: Path | None = None, url: str | None = None, api_key: str | None = None) -> Engine:
    """The engine of a folder, of a URL, or of `:memory:`. Nothing is created and no server is asked yet."""
    if (path is None) == (url is None):
        raise StoreError("path and url together" if path else "neither path nor url", "one of the two")
    if path is not None:
        from rag.store.edge import EdgeClient

        return Engine(EdgeClient(Path(path)), "embedded", str(path))
    from qdrant_client import QdrantClient

    if url == MEMORY:
        return Engine(QdrantClient(MEMORY), "memory", MEMORY)
    where = without_credentials(str(url))
    try:
        client = QdrantClient(url=url, api_key=api_key, timeout=TIMEOUT_SECONDS, check_compatibility=False)
    except ValueError as exc:
        raise StoreError(f"Qdrant URL {where}", "a URL such as http://localhost:6333") from exc
    return Engine(MappedClient(client, where), "server", where)


def without_credentials(url: str) -> str:
    """The URL without user name, password and query, fit for a message."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _mapped(method: Callable[..., Any], where: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        import httpx
        from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        try:
            return method(*args, **kwargs)
        except UnexpectedResponse as exc:
            if exc.status_code in (401, 403):
                raise StoreUnauthorized(
                    f"the Qdrant server at {where} refused the API key (HTTP {exc.status_code})",
                    advice="set the key of this server",
                ) from exc
            if exc.status_code in _PASSING:
                raise StoreUnreachable(
                    f"the Qdrant server at {where} cannot answer now (HTTP {exc.status_code})",
                    advice="wait until it is up, or look into its log",
                ) from exc
            said = exc.content.decode("utf-8", "replace")[:300]
            raise StoreError(f"the Qdrant server at {where} answered HTTP {exc.status_code}: {said}") from exc
        except ResourceExhaustedResponse as exc:
            raise StoreUnreachable(
                f"the Qdrant server at {where} is over its limits", advice=f"try again in {exc.retry_after_s} seconds"
            ) from exc
        except (ResponseHandlingException, JSONDecodeError) as exc:
            if not isinstance(getattr(exc, "source", None), httpx.HTTPError):
                raise StoreError(
                    f"{where} answered, but not as a Qdrant server does", advice="check the URL and its port"
                ) from exc
            raise StoreUnreachable(
                f"no Qdrant server answers at {where}",
                advice="start the server, or check the URL and the network",
            ) from exc

    return call
