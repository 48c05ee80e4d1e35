"""A store that is asked again where its server does not answer for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from llama_index.core.schema import BaseNode

from ingestion.seams import Store
from rag.errors import StoreUnreachable

__all__ = ["DELAYS", "PatientStore"]

T = TypeVar("T")

DELAYS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each further attempt: about a minute, which a server needs to be restarted."""


class PatientStore:
    """A store whose calls are repeated while no server answers, one call at a time.

    Every call of the store is idempotent (points are written and removed by id), so that repeating one which had been
    carried out changes nothing. Raises StoreUnreachable when the last delay has passed, or at once after `give_up`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_at_a_time, self._given_up = threading.Lock(), threading.Event()

    def sources(self) -> Mapping[str, Any]:
        """SourceState by source."""
        return self._patiently(self._store.sources)

    def points_of(self, source: str) -> Iterable[str]:
        """The ids of a source's points."""
        return self._patiently(lambda: self._store.points_of(source))

    def get_nodes(self, node_ids: list[str], *, with_vectors: bool) -> Sequence[BaseNode]:
        """Nodes by id, in any order."""
        return self._patiently(lambda: self._store.get_nodes(node_ids, with_vectors=with_vectors))

    def add(self, nodes: Sequence[BaseNode]) -> list[str]:
        """Upsert nodes with their vectors."""
        return self._patiently(lambda: self._store.add(nodes))

    def delete_ids(self, ids: list[str]) -> None:
        """Remove points."""
        self._patiently(lambda: self._store.delete_ids(ids))

    def optimize(self) -> Any:
        """Make what was written quick to search."""
        return self._patiently(self._store.optimize)

    def give_up(self) -> None:
        """Wait no longer: a call that fails raises."""
        self._given_up.set()

    def _patiently(self, call: Callable[[], T]) -> T:
        with self._one_at_a_time:
            for delay in DELAYS:
                try:
                    return call()
                except StoreUnreachable:
                    if self._given_up.wait(delay):
                        raise
            return call()
