"""Near-duplicates folded into the best-ranked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llama_index.core.schema import MetadataMode

from rag.pictures import NEAR_BITS
from rag.question import Question
from rag.ranking.fused import FusedNode

__all__ = ["Collapse"]


@dataclass(frozen=True)
class Collapse:
    """Keep the best of each set of near-duplicates; it lists the others in `similar`.

    Passages are duplicates if their words are the same but for white space; pictures if their files are the same
    (`image_sha256`) or their hashes (`image_phash`) differ in at most `bits` bits. A picture without a hash is compared
    by its file alone: vectors are no substitute, for the nearest pictures of an encoder are like, not the same.
    Each is compared with those kept, never with those folded, so that no chain of small steps joins two ends, and
    collapsing twice changes nothing. Scores stay as they are. Reading every candidate would cost more than the search,
    so `similar` lists those in the head of the ranking.
    """

    steady: ClassVar[bool] = True
    bits: int = NEAR_BITS

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Fold the ranking."""
        kept: list[FusedNode] = []
        exact: dict[str, int] = {}
        hashes: list[tuple[int, int, int]] = []
        for scored in ranking:
            key, digits = _identity(scored), _hash(scored)
            at = exact.get(key) if key else None
            if at is None and digits is not None:
                at = next((place for place, *other in hashes if self._near(digits, (other[0], other[1]))), None)
            if at is not None:
                best = kept[at]
                kept[at] = best.model_copy(update={"similar": (*best.similar, scored.folded(), *scored.similar)})
                continue
            if key:
                exact[key] = len(kept)
            if digits is not None:
                hashes.append((len(kept), *digits))
            kept.append(scored)
        return kept

    def _near(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one[0] == other[0] and (one[1] ^ other[1]).bit_count() <= self.bits


def _identity(scored: FusedNode) -> str:
    """What only exact duplicates share; empty where nothing can be said."""
    if scored.picture:
        return f"picture {found}" if (found := scored.node.metadata.get("image_sha256")) else ""
    words = " ".join(scored.node.get_content(MetadataMode.NONE).split())
    return f"words {words}" if words else ""


def _hash(scored: FusedNode) -> tuple[int, int] | None:
    """Length in digits, and value, of a picture's hash: hashes of two lengths say nothing of one another."""
    digits = scored.node.metadata.get("image_phash") if scored.picture else None
    try:
        return (len(digits), int(digits, 16)) if isinstance(digits, str) and digits else None
    except ValueError:
        return None
