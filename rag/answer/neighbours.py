"""The passages beside a hit, attached to it: each text once, however many hits it stands beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import (
    BaseNode,
    MetadataMode,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
)

if TYPE_CHECKING:
    from rag.store import NamedVectorStore

__all__ = ["Neighbours", "attached", "joined", "with_neighbours"]

_LEAST_OVERLAP: Final = 20
"""Characters below which an end that equals the next beginning may be chance."""


class Neighbours(BaseNodePostprocessor):
    """A LlamaIndex postprocessor that widens passages by the ones before and after, pictures by the words around.

    Texts are attached as `attached` says; scores, order and what explains them stay. For query engines, as in
    `corpus.as_query_engine(llm, node_postprocessors=[Neighbours(corpus.store)])`.
    """

    _store: Any = PrivateAttr()

    def __init__(self, store: NamedVectorStore, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._store = store

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex knows the postprocessor by."""
        return "Neighbours"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        texts = with_neighbours(self._store, [scored.node for scored in nodes])
        return [scored.model_copy(update={"node": _saying(scored.node, texts[scored.node_id])}) for scored in nodes]


def with_neighbours(store: NamedVectorStore, nodes: Sequence[BaseNode]) -> dict[str, str]:
    """The text of each node, best first, with the passages beside it: one request to the store. See `attached`."""
    beside = {node.node_id: (_id(node, NodeRelationship.PREVIOUS), _id(node, NodeRelationship.NEXT)) for node in nodes}
    wanted = sorted({id_ for ids in beside.values() for id_ in ids if id_} - set(beside))
    found = store.get_nodes(wanted, with_vectors=False) if wanted else []
    texts = {node.node_id: node.get_content(MetadataMode.NONE) for node in [*found, *nodes]}
    return attached(beside, texts)


def attached(beside: Mapping[str, tuple[str, str]], texts: Mapping[str, str]) -> dict[str, str]:
    """The text of each hit with what stands before and after it.

    `beside`: hit ids, best first, and the ids before and after each ("" for none); `texts`: what is known of them.
    A neighbour that is a hit itself is left to its own place, where it can be cited; a neighbour of several hits goes
    to the best of them; one that stands both before and after (a picture within a passage) comes once. So no text is
    repeated.
    """
    taken = set(beside)
    whole: dict[str, str] = {}
    for id_, (before, after) in beside.items():
        parts = []
        for part in (before, id_, after):
            if part == id_ or (part and part not in taken):
                taken.add(part)
                parts.append(texts.get(part, ""))
        whole[id_] = joined(parts)
    return whole


def joined(texts: Sequence[str]) -> str:
    """Texts as paragraphs, in their order; where one begins with the words that the last ended with, they come once."""
    whole = ""
    for text in filter(None, (text.strip() for text in texts)):
        shared = _overlap(whole, text)
        rest = text[shared:].lstrip()
        whole = f"{whole}{' ' if shared else chr(10) * 2}{rest}".rstrip() if whole else text
    return whole


def _overlap(before: str, after: str) -> int:
    """Characters, whole words, that `before` ends with and `after` begins with; 0 for a few that may be chance."""
    for size in range(min(len(before), len(after)), _LEAST_OVERLAP - 1, -1):
        if before.endswith(after[:size]) and _parted(before[: len(before) - size][-1:]) and _parted(after[size:][:1]):
            return size
    return 0


def _parted(char: str) -> bool:
    return not char.isalnum()


def _id(node: BaseNode, side: NodeRelationship) -> str:
    info = node.relationships.get(side)
    return info.node_id if isinstance(info, RelatedNodeInfo) else ""


def _saying(node: BaseNode, text: str) -> BaseNode:
    widened = node.model_copy()
    widened.set_content(text)
    return widened
