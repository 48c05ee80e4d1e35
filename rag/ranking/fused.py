"""A ranked node that explains its score."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore
from pydantic import Field

from rag.schema import Folded, Hit, Leg, LegScore
from rag.store.points import is_picture, picture_of

__all__ = ["FusedNode", "behind", "in_slots", "to_hit", "to_hits"]

_SHOWN_ELSEWHERE = frozenset({"source", "page", "section", "caption"})


class FusedNode(NodeWithScore):
    """A node with its score and where it comes from: the legs' contributions and the adjustments add up to it."""

    legs: dict[Leg, LegScore] = Field(default_factory=dict)
    confidence: float | None = None
    """Estimated chance that the hit is relevant, from its calibrated score; None under other fusions."""
    adjustments: dict[str, float] = Field(default_factory=dict)
    """What stages after fusion added, by their names; negative where they took away."""
    similar: tuple[Folded, ...] = ()
    """Near-duplicates that this node stands for."""
    grouped: tuple[Folded, ...] = ()
    """Further nodes of its document that it stands for."""

    @property
    def total(self) -> float:
        """The score as a number; a node without one counts as 0."""
        return float(self.score or 0.0)

    @property
    def picture(self) -> bool:
        """Whether the node is a picture rather than a passage, as the store sees it."""
        return is_picture(self.node)

    def adjusted(self, name: str, added: float) -> FusedNode:
        """The node with `added` on top of its score, under `name`."""
        adjustments = {**self.adjustments, name: self.adjustments.get(name, 0.0) + added}
        score = fsum((*(leg.contribution for leg in self.legs.values()), *adjustments.values()))
        return self.model_copy(update={"adjustments": adjustments, "score": score})

    def moved(self, name: str, score: float) -> FusedNode:
        """The node with the score `score` exactly; what that adds or takes is told under `name`."""
        if score == self.total:
            return self
        added = self.adjustments.get(name, 0.0) + score - self.total
        return self.model_copy(update={"adjustments": {**self.adjustments, name: added}, "score": score})

    def folded(self) -> Folded:
        """What is told of this node where a better one stands for it."""
        hit = to_hit(self, 0)
        return Folded(hit.id, hit.source, hit.page, hit.image, hit.score)


def to_hit(scored: NodeWithScore, rank: int) -> Hit:
    """Flatten a scored node into what a reader of the results needs."""
    node: BaseNode = scored.node
    metadata = node.metadata
    page = metadata.get("page")
    fused = scored if isinstance(scored, FusedNode) else FusedNode(node=node)
    return Hit(
        rank=rank,
        id=node.node_id,
        score=float(scored.score or 0.0),
        modality="image" if fused.picture else "text",
        text=node.get_content(MetadataMode.NONE),
        caption=str(metadata.get("caption", "")),
        image=picture_of(node) or "",
        source=str(metadata.get("source", "")),
        page=int(page) if page is not None else None,
        section=str(metadata.get("section", "")),
        metadata={key: value for key, value in metadata.items() if key not in _SHOWN_ELSEWHERE},
        legs=fused.legs,
        adjustments=fused.adjustments,
        similar=fused.similar,
        grouped=fused.grouped,
        confidence=fused.confidence,
    )


def to_hits(scored: Sequence[NodeWithScore]) -> list[Hit]:
    """Flatten a ranking; ranks are 1-based."""
    return [to_hit(node, rank) for rank, node in enumerate(scored, 1)]


def behind(score: float, rest: Sequence[FusedNode], name: str) -> list[FusedNode]:
    """`rest`, best first, shifted by one amount, under `name`, where its best would be above `score`."""
    shift = min(0.0, score - rest[0].total) if rest else 0.0
    return [hit.moved(name, min(score, hit.total + shift)) for hit in rest] if shift else list(rest)


def in_slots(order: Sequence[FusedNode], name: str) -> list[FusedNode]:
    """`order` with the scores of its members handed out anew, the highest to the first; told under `name`.

    Whoever orders by another measure decides the order, not the scale: scores fall, keep their unit, and what lies
    outside keeps its place.
    """
    scores = sorted((hit.total for hit in order), reverse=True)
    return [hit.moved(name, score) for hit, score in zip(order, scores, strict=True)]
