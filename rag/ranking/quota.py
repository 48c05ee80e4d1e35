"""Places for passages and pictures among the first hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rag.errors import InputError
from rag.question import Question
from rag.ranking.fused import FusedNode
from rag.schema import MODALITIES, Modality

__all__ = ["Bounds", "Quota", "parse_quota"]


@dataclass(frozen=True)
class Bounds:
    """How many hits of a modality there may be: at least `least` where that many are found, at most `most`."""

    least: int = 0
    most: int | None = None
    """None for any number."""

    def __post_init__(self) -> None:
        if self.least < 0 or (self.most is not None and self.most < self.least):
            raise InputError(f"a quota of {self.least}..{self.most}", "allowed: LEAST..MOST with 0 ≤ LEAST ≤ MOST")


@dataclass(frozen=True)
class Quota:
    """The best `k` hits within bounds for each modality, in the order they had, with their scores.

    Hits above `most` of a modality give way to the next ones of another. Where a modality has fewer than `least` among
    the first `k`, the lowest hits of the other give way to its best, as long as the other keeps its own `least`; what
    is not found cannot be shown. Raises InputError where the least numbers exceed `k`.
    """

    thins: ClassVar[bool] = True
    k: int
    bounds: Mapping[Modality, Bounds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (needed := sum(bounds.least for bounds in self.bounds.values())) > self.k:
            raise InputError(f"a quota of at least {needed} hits", f"allowed: at most k = {self.k}", "raise -k")

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Choose the hits."""
        places: dict[Modality, list[int]] = {modality: [] for modality in MODALITIES}
        for place, scored in enumerate(ranking):
            places["image" if scored.picture else "text"].append(place)
        bounds = {modality: self.bounds.get(modality, Bounds()) for modality in MODALITIES}
        due = [place for modality in MODALITIES for place in places[modality][: bounds[modality].least]]
        allowed = (place for modality in MODALITIES for place in places[modality][: bounds[modality].most])
        others = sorted(set(allowed) - set(due))
        chosen = sorted(due + others[: self.k - len(due)])
        return [ranking[place] for place in chosen]


def parse_quota(text: str) -> dict[Modality, Bounds]:
    """Parse `image=3,text=2..6`: `3` and `..3` are at most three, `2..` at least two. Raises InputError."""
    found: dict[Modality, Bounds] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, numbers = (piece.strip() for piece in part.partition("="))
        modality = next((modality for modality in MODALITIES if modality == name), None)
        least, dots, most = (piece.strip() for piece in numbers.partition(".."))
        if modality is None or modality in found or not _numbers(least, most, dots):
            raise InputError(
                f"quota {part!r}",
                f"allowed: {' and '.join(MODALITIES)}, each once, with N (at most), N.. (at least) or N..M",
                "as in --quota image=3 or --quota image=2..4,text=3..",
            )
        if dots:
            found[modality] = Bounds(int(least or 0), int(most) if most else None)
        else:
            found[modality] = Bounds(most=int(least))
    return found


def _numbers(least: str, most: str, dots: str) -> bool:
    given = [number for number in (least, most) if number]
    return bool(given) and all(number.isdecimal() and number.isascii() for number in given) and bool(least or dots)
