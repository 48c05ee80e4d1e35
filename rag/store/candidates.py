"""What the legs of one question found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llama_index.core.schema import BaseNode

from rag.schema import Leg

Payload = Mapping[str, Any]


class Payloads(Mapping[str, Payload]):
    """Payloads by id, fetched when they are first asked for: reading one costs more than scoring ten points."""

    def __init__(
        self, ids: Iterable[str], known: Mapping[str, Payload], fetch: Callable[[list[str]], Mapping[str, Payload]]
    ) -> None:
        self._payloads: dict[str, Payload | None] = {id_: known.get(id_) for id_ in ids}
        self._fetch = fetch
        self._lock = threading.RLock()

    def load(self, ids: Iterable[str]) -> None:
        """Fetch those of `ids` that are not known, in one request. What has been deleted since is no longer here."""
        with self._lock:
            lacking = [id_ for id_ in ids if self._payloads.get(id_, {}) is None]
            found = self._fetch(lacking) if lacking else {}
            for id_ in lacking:
                if id_ in found:
                    self._payloads[id_] = found[id_]
                else:
                    del self._payloads[id_]

    def __getitem__(self, node_id: str) -> Payload:
        self.load([node_id])
        payload = self._payloads[node_id]
        assert payload is not None
        return payload

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._payloads

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._payloads))

    def __len__(self) -> int:
        return len(self._payloads)


class LazyNodes(Mapping[str, BaseNode]):
    """Nodes by id, each built from its payload when it is first asked for: a question shows ten of hundreds."""

    def __init__(self, payloads: Mapping[str, Payload], build: Callable[[Payload], BaseNode]) -> None:
        self._payloads, self._build = payloads, build
        self._built: dict[str, BaseNode] = {}
        self._lock = threading.Lock()

    def __getitem__(self, node_id: str) -> BaseNode:
        with self._lock:
            if node_id not in self._built:
                self._built[node_id] = self._build(self._payloads[node_id])
            return self._built[node_id]

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._payloads

    def __iter__(self) -> Iterator[str]:
        return iter(self._payloads)

    def __len__(self) -> int:
        return len(self._payloads)


@dataclass(frozen=True)
class Candidates:
    """What the legs found for one question."""

    nodes: Mapping[str, BaseNode]
    """The union of all legs' candidates, by id. A node is built when it is asked for; ids cost nothing."""
    ranked: Mapping[Leg, tuple[str, ...]]
    """Each leg's own candidates, best first, equal scores in the order of ids."""
    scores: Mapping[Leg, Mapping[str, float]]
    """Raw score of every node of the union that has the leg (only of the leg's own candidates if not completed)."""
    payloads: Payloads
    """The payload of each node of the union: the flat keys that filters see, without building the node."""
    seconds: Mapping[str, float]
    """Wall time of the round trips: `search`, and `complete`, which on a server fetches the payloads too."""
    lexical_ceiling: float | None = None
    """`NamedVectorStore.lexical_ceiling` of the question, where it was asked for."""

    def load(self, ids: Iterable[str]) -> list[str]:
        """Fetch the payloads of these nodes in one request, before they are looked at; those that are still there."""
        wanted = list(ids)
        self.payloads.load(wanted)
        return [id_ for id_ in wanted if id_ in self.payloads]
