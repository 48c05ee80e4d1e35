"""Hits grouped by document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rag.errors import InputError
from rag.question import Question
from rag.ranking.fused import FusedNode

__all__ = ["Group"]


@dataclass(frozen=True)
class Group:
    """Keep the `most` best hits of each document; the first of them lists the others in `grouped`.

    A document is a `doc_id`, or where a node has none its `source`; a node with neither is a document of its own.
    Grouping twice changes nothing. Scores stay as they are. Raises InputError for less than one hit a document.
    """

    thins: ClassVar[bool] = True
    most: int = 1

    def __post_init__(self) -> None:
        if self.most < 1:
            raise InputError(f"{self.most} hits a document", "allowed: 1 or more", "as in --group 1")

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Group the ranking."""
        kept: list[FusedNode] = []
        places: dict[str, list[int]] = {}
        for scored in ranking:
            document = scored.node.ref_doc_id or scored.node.metadata.get("source") or f"node {scored.node_id}"
            here = places.setdefault(str(document), [])
            if len(here) < self.most:
                here.append(len(kept))
                kept.append(scored)
                continue
            first = kept[here[0]]
            kept[here[0]] = first.model_copy(update={"grouped": (*first.grouped, scored.folded(), *scored.grouped)})
        return kept
