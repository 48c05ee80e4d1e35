"""A corpus of any size out of a seed: clustered vectors, words of a Zipf law, payloads as ingestion makes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from llama_index.core.schema import ImageNode, NodeRelationship, RelatedNodeInfo, TextNode
from numpy.typing import NDArray

from rag.schema import Fingerprint

DIM: Final = 512
FILTER: Final = "published >= 2020-01-01 and (tags in (physics, biology) or page <= 12) and not draft = true"
"""What is asked with a filter: dates, lists, numbers, a negation. About a quarter of the points match."""

_TAGS: Final = ("physics", "biology", "history", "law", "music", "sports", "travel", "cooking")
_VOCABULARY: Final = 30_000
_PER_DOCUMENT: Final = 20
_PICTURES: Final = 0.3
_CAPTIONED: Final = 0.8
_NAMESPACE: Final = uuid.UUID(int=0)


@dataclass(frozen=True)
class Synthetic:
    """`points` nodes, three in ten of them pictures, and questions about their topics."""

    points: int
    seed: int = 0
    _topics: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    _gap: NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        object.__setattr__(self, "_topics", _unit(rng.normal(size=(max(8, self.points // 50), DIM))))
        object.__setattr__(self, "_gap", _unit(rng.normal(size=(1, DIM)))[0])

    @property
    def fingerprint(self) -> Fingerprint:
        """Stands for the encoder that the vectors are not from."""
        return Fingerprint("synthetic", f"{self.seed:064x}", DIM, "none")

    def nodes(self, batch: int = 1000) -> Iterator[list[TextNode]]:
        """The nodes, `batch` at a time; pictures lie in another part of the space than words, as they do with CLIP."""
        rng = np.random.default_rng((self.seed, 1))
        for start in range(0, self.points, batch):
            numbers = range(start, min(start + batch, self.points))
            topics = rng.integers(len(self._topics), size=len(numbers))
            words, shown = self._vectors(rng, topics, 0.9), self._vectors(rng, topics, 1.4, gap=1.0)
            yield [
                self._node(rng, number, int(topic), words[row], shown[row])
                for row, (number, topic) in enumerate(zip(numbers, topics, strict=True))
            ]

    def questions(self, count: int) -> dict[str, NDArray[np.float32]]:
        """Questions in words, and the vector of each."""
        rng = np.random.default_rng((self.seed, 2))
        topics = rng.integers(len(self._topics), size=count)
        vectors = self._vectors(rng, topics, 0.9)
        texts = [f"{' '.join(_topical(rng, int(topic), 2))} {' '.join(_words(rng, 3))}" for topic in topics]
        return dict(zip(texts, vectors, strict=True))

    def _vectors(
        self, rng: np.random.Generator, topics: NDArray[np.int64], noise: float, gap: float = 0.0
    ) -> NDArray[np.float32]:
        around = _unit(rng.normal(size=(len(topics), DIM)))
        return _unit(self._topics[topics] + noise * around + gap * self._gap)

    def _node(
        self,
        rng: np.random.Generator,
        number: int,
        topic: int,
        words: NDArray[np.float32],
        shown: NDArray[np.float32],
    ) -> TextNode:
        document, position = divmod(number, _PER_DOCUMENT)
        picture = rng.random() < _PICTURES
        ids = {
            NodeRelationship.SOURCE: str(uuid.uuid5(_NAMESPACE, f"document {document}")),
            NodeRelationship.PREVIOUS: _id(number - 1),
            NodeRelationship.NEXT: _id(number + 1),
        }
        metadata = _metadata(rng, document, position, topic) | {"mime": "image/png" if picture else "application/pdf"}
        common = {
            "id_": _id(number),
            "metadata": metadata,
            "relationships": {side: RelatedNodeInfo(node_id=id_) for side, id_ in ids.items()},
            "excluded_llm_metadata_keys": sorted(set(metadata) - {"title", "section", "page"}),
            "excluded_embed_metadata_keys": sorted(metadata),
        }
        if not picture:
            text = " ".join([*_words(rng, int(rng.integers(60, 150))), *_topical(rng, topic, 6)])
            return TextNode(text=text, embedding=words.tolist(), **common)
        captioned = rng.random() < _CAPTIONED
        caption = " ".join([*_words(rng, 12), *_topical(rng, topic, 3)]) if captioned else ""
        return ImageNode(
            text=caption,
            image_path=f"pictures/{number % 256:02x}/{number:x}.png",
            embedding=shown.tolist(),
            text_embedding=words.tolist() if captioned else None,
            **common,
        )


def _metadata(rng: np.random.Generator, document: int, position: int, topic: int) -> dict[str, object]:
    year, month, day = 2010 + 7 * document % 16, 1 + document % 12, 1 + document % 28
    return {
        "source": f"library/volume-{document // 100}/report-{document}.pdf",
        "title": f"Report {document} on {' '.join(_topical(rng, topic, 2))}",
        "section": f"Chapter {position // 5} › {' '.join(_words(rng, 3))}",
        "page": position + 1,
        "position": position,
        "content_sha256": rng.bytes(32).hex(),
        "ingested_at": "2025-06-01T12:00:00+00:00",
        "revision": f"{document:064x}",
        "doc_nodes": _PER_DOCUMENT,
        "published": f"{year}-{month:02}-{day:02}",
        "tags": [_TAGS[topic % 8], _TAGS[int(rng.integers(8))]],
        "draft": bool(rng.random() < 0.1),
        "rating": round(float(rng.random()) * 5, 2),
    }


def _id(number: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"node {number}"))


def _words(rng: np.random.Generator, count: int) -> list[str]:
    ranks = np.minimum(rng.zipf(1.2, size=count), _VOCABULARY)
    return [f"w{rank:x}q" for rank in ranks.tolist()]


def _topical(rng: np.random.Generator, topic: int, count: int) -> list[str]:
    return [f"t{topic:x}z{int(number)}" for number in rng.integers(20, size=count)]


def _unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    units: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return units
