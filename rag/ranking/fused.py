"""A ranked node that explains its score."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from llama_index.core.schema import BaseNode, ImageNode, MetadataMode, NodeWithScore
from pydantic import Field

from rag.schema import Hit, Leg, LegScore

__all__ = ["FusedNode", "to_hit", "to_hits"]

_SHOWN_ELSEWHERE = frozenset({"source", "page", "section", "caption"})


class FusedNode(NodeWithScore):
    """A node with its score and where it comes from: the legs' contributions and the adjustments add up to it."""

    legs: dict[Leg, LegScore] = Field(default_factory=dict)
    confidence: float | None = None
    """Estimated chance that the hit is relevant, from its calibrated score; None under other fusions."""
    adjustments: dict[str, float] = Field(default_factory=dict)
    """What stages after fusion added, by their names; negative where they took away."""

    def adjusted(self, name: str, added: float) -> FusedNode:
        """The node with `added` on top of its score, under `name`."""
        adjustments = {**self.adjustments, name: self.adjustments.get(name, 0.0) + added}
        score = fsum((*(leg.contribution for leg in self.legs.values()), *adjustments.values()))
        return self.model_copy(update={"adjustments": adjustments, "score": score})


def to_hit(scored: NodeWithScore, rank: int) -> Hit:
    """Flatten a scored node into what a reader of the results needs."""
    node: BaseNode = scored.node
    metadata = node.metadata
    picture = isinstance(node, ImageNode)
    page = metadata.get("page")
    fused = scored if isinstance(scored, FusedNode) else FusedNode(node=node)
    return Hit(
        rank=rank,
        id=node.node_id,
        score=float(scored.score or 0.0),
        modality="image" if picture else "text",
        text=node.get_content(MetadataMode.NONE),
        caption=str(metadata.get("caption", "")),
        image=(node.image_path or node.image_url or "") if isinstance(node, ImageNode) else "",
        source=str(metadata.get("source", "")),
        page=int(page) if page is not None else None,
        section=str(metadata.get("section", "")),
        metadata={key: value for key, value in metadata.items() if key not in _SHOWN_ELSEWHERE},
        legs=fused.legs,
        adjustments=fused.adjustments,
        confidence=fused.confidence,
    )


def to_hits(scored: Sequence[NodeWithScore]) -> list[Hit]:
    """Flatten a ranking; ranks are 1-based."""
    return [to_hit(node, rank) for rank, node in enumerate(scored, 1)]
