"""What is stored of each source, told by a few payload keys of its points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rag.store.points import Codec

STATE_KEYS: Final = ("source", "doc_id", "revision", "doc_nodes", "modality", "image_uri")


@dataclass(frozen=True)
class SourceState:
    """What is stored of one source."""

    source: str
    doc_id: str
    revisions: tuple[str, ...]
    """The values of the payload key `revision`, sorted; more than one after an interrupted update."""
    nodes: int
    """Points stored."""
    expected: int | None
    """Points there should be (payload key `doc_nodes`); None where it was not recorded or points disagree."""
    pictures: tuple[str, ...] = ()
    """Where the file of each picture among the points lies, sorted; empty for one that has none."""

    @property
    def revision(self) -> str | None:
        """The one revision stored; None where there is none, or more than one."""
        return self.revisions[0] if len(self.revisions) == 1 else None


class Seen:
    """The points of one source, looked at one after the other; none of them is kept."""

    __slots__ = ("doc_id", "expected", "nodes", "pictures", "revisions")

    def __init__(self) -> None:
        self.doc_id, self.nodes = "", 0
        self.revisions: set[str] = set()
        self.expected: set[Any] = set()
        self.pictures: list[str] = []

    def add(self, payload: Mapping[str, Any], codec: Codec) -> None:
        """Count a point by its payload."""
        self.doc_id = self.doc_id or str(payload.get("doc_id", ""))
        self.nodes += 1
        self.expected.add(payload.get("doc_nodes"))
        if payload.get("revision") is not None:
            self.revisions.add(str(payload["revision"]))
        if payload.get("modality") == "image":
            self.pictures.append(codec.picture_file(payload))

    def state(self, source: str) -> SourceState:
        """What was seen."""
        only = next(iter(self.expected)) if len(self.expected) == 1 else None
        return SourceState(
            source=source,
            doc_id=self.doc_id,
            revisions=tuple(sorted(self.revisions)),
            nodes=self.nodes,
            expected=only if isinstance(only, int) else None,
            pictures=tuple(sorted(self.pictures)),
        )
