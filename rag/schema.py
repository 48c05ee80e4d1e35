"""The words every part shares: leg names, payload keys, and the frozen data that crosses boundaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Leg = Literal["image", "caption", "text", "lexical"]
Modality = Literal["text", "image"]

DENSE_LEGS: Final[tuple[Leg, ...]] = ("image", "caption", "text")
MODALITIES: Final[tuple[Modality, ...]] = ("text", "image")
LEXICAL: Final[Leg] = "lexical"
LEGS: Final[tuple[Leg, ...]] = (*DENSE_LEGS, LEXICAL)

TIE: Final = 2e-6
"""Scores nearer than this (relative above 1) are equal: engines differ by float32 rounding, about 3e-7."""

PAYLOAD_TYPES: Final[Mapping[str, str]] = {
    "doc_id": "keyword",
    "source": "keyword",
    "modality": "keyword",
    "mime": "keyword",
    "title": "keyword",
    "section": "keyword",
    "page": "integer",
    "position": "integer",
    "caption_source": "keyword",
    "image_uri": "keyword",
    "image_sha256": "keyword",
    "image_phash": "keyword",
    "width": "integer",
    "height": "integer",
    "content_sha256": "keyword",
    "ingested_at": "datetime",
}
"""The payload keys of a point and the Qdrant index type of each. User metadata comes beside them."""


@dataclass(frozen=True)
class Fingerprint:
    """What makes two encoders the same: vectors of equal fingerprints may share a collection."""

    name: str
    digest: str
    """sha256 (hex) over the weights."""
    dim: int
    preprocessing: str
    """A canonical, readable description of tokenization, windowing, resizing and normalization."""

    def __str__(self) -> str:
        return f"{self.name} ({self.digest[:12]}, {self.dim} dimensions)"


@dataclass(frozen=True)
class Scale:
    """How one leg's raw scores count for one question: `slope * (raw - zero)`, with a slope above 0."""

    zero: float = 0.0
    slope: float = 1.0


@dataclass(frozen=True)
class LegScore:
    """How one leg judged one hit. `contribution` = weight · normalized; the sum over legs is the hit's score."""

    raw: float
    """Cosine for dense legs, BM25 for `lexical`."""
    normalized: float
    weight: float
    rank: int | None
    """1-based rank among this leg's candidates; None where the score was completed afterwards."""

    @property
    def contribution(self) -> float:
        """What this leg adds to the score."""
        return self.weight * self.normalized

    def to_json(self) -> dict[str, Any]:
        """The leg as the command line prints it."""
        return {
            "raw": self.raw,
            "normalized": self.normalized,
            "weight": self.weight,
            "contribution": self.contribution,
            "rank": self.rank,
        }


@dataclass(frozen=True)
class Folded:
    """A hit that a better one stands for: it is listed there and takes no place of its own."""

    id: str
    source: str
    page: int | None
    image: str
    """Path or URL of the picture; empty for a passage."""
    score: float

    def to_json(self) -> dict[str, Any]:
        """The folded hit as the command line prints it."""
        return {"id": self.id, "source": self.source, "page": self.page, "image": self.image, "score": self.score}


@dataclass(frozen=True)
class Hit:
    """One ranked passage or picture."""

    rank: int
    id: str
    score: float
    modality: Modality
    text: str
    """The passage; for a picture the words that go with it (may be empty)."""
    caption: str
    image: str
    """Path or URL of the picture; empty for a passage."""
    source: str
    page: int | None
    section: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    legs: Mapping[Leg, LegScore] = field(default_factory=dict)
    adjustments: Mapping[str, float] = field(default_factory=dict)
    """What stages after fusion added to the score; with the legs' contributions it adds up to `score`."""
    similar: tuple[Folded, ...] = ()
    """Near-duplicates of this hit, best first."""
    grouped: tuple[Folded, ...] = ()
    """Further hits of the same document, best first, where hits are grouped by document."""
    confidence: float | None = None
    """Estimated chance, from 0 to 1, that the hit is relevant; None where the fusion was not `calibrated`."""

    def to_json(self) -> dict[str, Any]:
        """The hit as the command line prints it."""
        return {
            "rank": self.rank,
            "id": self.id,
            "score": self.score,
            "modality": self.modality,
            "text": self.text,
            "caption": self.caption,
            "image": self.image,
            "source": self.source,
            "page": self.page,
            "section": self.section,
            "metadata": dict(self.metadata),
            "legs": {leg: score.to_json() for leg, score in self.legs.items()},
            "adjustments": dict(self.adjustments),
            "similar": [folded.to_json() for folded in self.similar],
            "grouped": [folded.to_json() for folded in self.grouped],
            "confidence": self.confidence,
        }


class Hits(list[Hit]):
    """A ranking, best first, and where the time went: seconds for `encode`, `search`, `fuse`, `stages` and `total`."""

    def __init__(self, hits: Iterable[Hit] = (), seconds: Mapping[str, float] | None = None) -> None:
        super().__init__(hits)
        self.seconds: Mapping[str, float] = seconds or {}


@dataclass(frozen=True)
class Citation:
    """A marker of the answer, such as `[1]`, and the hit it stands for."""

    marker: str
    hit: Hit

    def to_json(self) -> dict[str, Any]:
        """The citation as the command line prints it."""
        return {"marker": self.marker, "hit": self.hit.to_json()}


@dataclass(frozen=True)
class Answer:
    """An answer with what it rests on. `abstained` says that the documents do not support one."""

    question: str
    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    images: tuple[str, ...]
    """Paths or URLs of the pictures that were sent to the model, or shown by the extractive answer."""
    llm: str
    """Name of the model; `extractive` where none was asked."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """Token counts as the model reports them."""

    def to_json(self) -> dict[str, Any]:
        """The answer as the command line prints it."""
        return {
            "question": self.question,
            "answer": self.answer,
            "abstained": self.abstained,
            "citations": [citation.to_json() for citation in self.citations],
            "images": list(self.images),
            "llm": self.llm,
            "usage": dict(self.usage),
        }
