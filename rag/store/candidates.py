"""What the legs of one question found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.schema import BaseNode

from rag.schema import Leg, Modality


class LazyNodes(Mapping[str, BaseNode]):
    """Nodes by id, each built from its payload when it is first asked for: a question shows ten of hundreds."""

    def __init__(
        self, payloads: Mapping[str, Mapping[str, Any]], build: Callable[[Mapping[str, Any]], BaseNode]
    ) -> None:
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
    lexical_ceiling: float | None = None
    """`NamedVectorStore.lexical_ceiling` of the question, where it was asked for."""
    payloads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The payload of each node of the union: the flat keys that filters see, without building the node."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of the round trips: `search`, and `complete`, which fetches the payloads too."""

    def modality(self, node_id: str) -> Modality:
        """Whether a node of the union is a passage or a picture."""
        modality: Modality = self.payloads[node_id]["modality"]
        return modality
