"""From a question to what each leg is asked: one vector a dense leg, weighted words for `lexical`.

Scores of one leg are linear in its vector, so the weighted sum of the terms' scores is the score of one vector, the
weighted sum of the terms' vectors. What is added up are calibrated scores: a term's vector counts with the slope that
its group's cosines have in this leg, so that words and a picture of equal weight have equal say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from llama_index.core.schema import BaseNode, ImageNode, MetadataMode
from numpy.typing import NDArray

from rag.calibration import Calibration, Group
from rag.errors import InputError
from rag.question import Question, Term
from rag.schema import DENSE_LEGS, LEXICAL, Leg, Scale
from rag.store.points import is_picture

if TYPE_CHECKING:
    from rag.encoders import ClipEncoder
    from rag.store import NamedVectorStore

__all__ = ["LegQueries", "build"]

Vector = NDArray[np.float32]

_CANCELLED = 1e-4
"""A sum of unit vectors that is shorter than this points nowhere."""


@dataclass(frozen=True)
class LegQueries:
    """What each leg is asked, and how its scores count."""

    asked: Mapping[Leg, Vector | Mapping[str, float]]
    scales: Mapping[Leg, Scale] = field(default_factory=dict)
    """Of the dense legs; that of `lexical` is known when its ceiling is."""
    said: float = 1.0
    """The share of what is wanted that is said in words: BM25 is relative to its ceiling, and would forget it."""
    exclude: frozenset[str] = frozenset()
    """Ids of the stored nodes that the question names: they are not among their own hits."""


@dataclass(frozen=True)
class _Meant:
    """A term as vectors: which vector of which group it puts to which leg, and its words."""

    weight: float
    vectors: Mapping[Leg, tuple[Group, Vector]]
    words: str = ""


def build(question: Question, legs: Sequence[Leg], encoder: ClipEncoder, store: NamedVectorStore) -> LegQueries:
    """Encode a question for some legs; each tower runs at most once.

    Raises InputError where no leg is left to ask, where terms cancel out, or for an id that is not stored.
    """
    share = sum(term.weight for term in question.terms if term.weight > 0)
    meant = [*_encoded(question, legs, encoder), *_stored(question, store)]
    dense = [leg for leg in DENSE_LEGS if leg in legs]
    asked: dict[Leg, Vector | Mapping[str, float]] = {}
    scales: dict[Leg, Scale] = {}
    known = store.calibration() if dense else Calibration()
    for leg in dense:
        asked[leg], scales[leg] = _combined(meant, leg, share, known)
    words: dict[str, float] = {}
    for one in meant:
        if one.words.strip():
            words[one.words] = words.get(one.words, 0.0) + one.weight / share
    if LEXICAL in legs and any(weight > 0 for weight in words.values()):
        asked[LEXICAL] = words
    if not asked:
        raise InputError("the weights leave no leg for this question", advice="give a dense leg a weight above 0")
    said = sum(weight for weight in words.values() if weight > 0)
    return LegQueries(asked, scales, said, frozenset(term.like for term in question.terms if term.like))


def _encoded(question: Question, legs: Sequence[Leg], encoder: ClipEncoder) -> list[_Meant]:
    words = [term for term in question.terms if term.text]
    dense = [leg for leg in DENSE_LEGS if leg in legs]
    if not dense:
        return [_Meant(term.weight, {}, term.text) for term in words]
    pictures = [(term, term.image) for term in question.terms if term.image is not None]
    texts = encoder.encode_texts([term.text.strip() for term in words]) if words else ()
    images = encoder.encode_images([image for _, image in pictures]) if pictures else ()
    return [
        *(_everywhere(term, "text", vector, dense) for term, vector in zip(words, texts, strict=True)),
        *(_everywhere(term, "image", vector, dense) for (term, _), vector in zip(pictures, images, strict=True)),
    ]


def _everywhere(term: Term, group: Group, vector: Any, dense: Sequence[Leg]) -> _Meant:
    return _Meant(term.weight, dict.fromkeys(dense, (group, vector)), term.text)


def _stored(question: Question, store: NamedVectorStore) -> list[_Meant]:
    """Terms that name stored nodes, in one request, with the vectors that these have already."""
    terms = [term for term in question.terms if term.like]
    ids = [term.like for term in terms if _is_uuid(term.like)]
    nodes = {node.node_id: node for node in store.get_nodes(ids)} if ids else {}
    lost = [term.like for term in terms if term.like not in nodes]
    if lost:
        raise InputError(f"nothing stored has the id {lost[0]!r}", "allowed: the id of a hit", "see search --json")
    return [_Meant(term.weight, _own_vectors(nodes[term.like]), _own_words(nodes[term.like])) for term in terms]


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _own_vectors(node: BaseNode) -> dict[Leg, tuple[Group, Vector]]:
    """A passage asks by its text; a picture asks pictures by itself, and words by its caption where it has one."""
    own = _array(node.embedding)
    if not is_picture(node):
        return {} if own is None else dict.fromkeys(DENSE_LEGS, ("text", own))
    caption = _array(node.text_embedding) if isinstance(node, ImageNode) else None
    found: dict[Leg, tuple[Group, Vector]] = {}
    for leg in DENSE_LEGS:
        group: Group = "text" if caption is not None and (leg != "image" or own is None) else "image"
        vector = caption if group == "text" else own
        if vector is not None:
            found[leg] = (group, vector)
    return found


def _own_words(node: BaseNode) -> str:
    return node.get_content(MetadataMode.NONE)


def _array(vector: Sequence[float] | None) -> Vector | None:
    return None if vector is None else np.asarray(vector, dtype=np.float32)


def _combined(meant: Sequence[_Meant], leg: Leg, share: float, known: Calibration) -> tuple[Vector, Scale]:
    """The unit vector and the scale whose calibrated score is the weighted mean of the terms' calibrated scores."""
    total: Any = 0.0
    zero = length = 0.0
    for one in meant:
        if leg in one.vectors:
            group, vector = one.vectors[leg]
            scale = known.scale(group, leg)
            slope = one.weight / share * scale.slope
            total, zero, length = (
                total + slope * vector.astype(np.float64),
                zero + slope * scale.zero,
                length + abs(slope),
            )
    norm = float(np.linalg.norm(total))
    if norm <= _CANCELLED * length or norm == 0:
        raise InputError("the terms of the question cancel out", "allowed: terms that differ", "change the weights")
    return (total / norm).astype(np.float32), Scale(zero / norm, norm)
