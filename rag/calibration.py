"""Calibration: what a raw score of a leg means, from how unrelated things of this collection score. Pure.

A cosine between a picture and words lies elsewhere than one between words (the modality gap: about 0.2 against 0.7 for
OpenAI's CLIP), so raw scores of different legs cannot be added. Subtracting from every vector the mean of its group,
words or pictures, closes the gap (GR-CLIP, arXiv 2507.19054). The part of that which depends neither on the point nor
on the question is the product of the two group means, which is the mean score of unrelated pairs. `Background` keeps it
with the spread of those pairs, and a leg's score counts in standard deviations above it. Both text legs come from one
tower: they share a background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import tanh
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rag.schema import Leg, Scale

__all__ = ["Background", "Calibration", "Group", "confidence", "estimate", "group_of", "lexical_scale"]

Group: TypeAlias = Literal["text", "image"]
"""Which tower made a vector."""
Matrix: TypeAlias = NDArray[np.float32]

SAMPLE: Final = 512
"""Vectors of each group that are looked at: a quarter of a million pairs, in a hundredth of a second."""
LEXICAL_SCALE: Final = 6.0
"""What the highest BM25 score that a question's terms allow counts, in standard deviations of the other legs. Chosen on
the development sets (docs/retrieval.md)."""
_CONFIDENCE: Final = (-4.6, 0.8)
_PRIOR_STD: Final = 0.1
_PRIOR_PAIRS: Final = 10.0
_PRIOR_PICTURES: Final = 10.0


@dataclass(frozen=True)
class Background:
    """Cosines of unrelated pairs, one vector of each of two groups."""

    mean: float = 0.0
    std: float = _PRIOR_STD
    pairs: int = 0

    @classmethod
    def of(cls, cosines: NDArray[np.floating[Any]]) -> Background:
        """Mean and standard deviation; the latter is drawn to a prior of 0.1 with the weight of ten pairs."""
        if cosines.size == 0:
            return cls()
        mean = float(cosines.mean(dtype=np.float64))
        squares = float(np.square(cosines - mean, dtype=np.float64).sum())
        std = (squares + _PRIOR_PAIRS * _PRIOR_STD**2) / (cosines.size + _PRIOR_PAIRS)
        return cls(_rounded(mean), _rounded(float(np.sqrt(std))), int(cosines.size))


@dataclass(frozen=True)
class Calibration:
    """The backgrounds of a collection, kept in its manifest."""

    text_text: Background = field(default_factory=Background)
    """Words asked of words."""
    cross: Background = field(default_factory=Background)
    """Words asked of pictures, and pictures of words."""
    image_image: Background = field(default_factory=Background)
    """Pictures asked of pictures."""
    reliability: float = 1.0
    """How much oftener a caption is nearer to its own picture than to another one than the other way round, 0 to 1.

    This is 2·AUC - 1, Somers' D (1962). Cross scores count this much: an encoder that cannot tell the pictures of this
    collection apart by words, as the bundled one cannot tell a textbook's figures, must not outvote the legs that can.
    1 where there are no captions."""
    points: int = 0
    """Points of the collection when it was looked at."""

    def scale(self, group: Group, leg: Leg) -> Scale:
        """How a dense leg's cosines with a vector of `group` count."""
        ours = group_of(leg)
        if group == ours:
            known = self.text_text if group == "text" else self.image_image
            return Scale(known.mean, 1 / known.std)
        return Scale(self.cross.mean, self.reliability / self.cross.std)

    def to_json(self) -> dict[str, Any]:
        """The calibration as the manifest keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Calibration:
        """What `to_json` made."""
        names = ("text_text", "cross", "image_image")
        return cls(**{**kept, **{name: Background(**kept[name]) for name in names}})


def confidence(score: float) -> float:
    """The chance that a hit with this calibrated score, all legs weighing 1, is relevant: a logistic curve.

    It was fitted on two textbooks, over questions they answer and questions they do not (docs/retrieval.md): elsewhere
    it orders and separates as well, but the number itself is rough.
    """
    return 0.5 * (1 + tanh((_CONFIDENCE[0] + _CONFIDENCE[1] * score) / 2))


def group_of(leg: Leg) -> Group:
    """The group of a dense leg's vectors."""
    return "image" if leg == "image" else "text"


def lexical_scale(ceiling: float, share: float = 1.0) -> Scale:
    """How BM25 scores count for a question whose terms allow at most `ceiling`, and whose words are a `share` of it.

    The rest of the question, a picture say, has nothing to ask here: it counts as unrelated, 0.
    """
    return Scale(0.0, LEXICAL_SCALE * share / ceiling if ceiling > 0 else 1.0)


def estimate(words: Matrix, pictures: Matrix, captions: Matrix, captioned: Matrix, points: int) -> Calibration:
    """Calibrate from samples of vectors, `(n, dim) float32, unit rows`.

    `words` and `pictures` are the two groups; `captions` and `captioned` are pictures with captions, row by row.
    """
    cross = Background.of(words @ pictures.T)
    return Calibration(
        text_text=Background.of(_off_diagonal(words)),
        cross=cross,
        image_image=Background.of(_off_diagonal(pictures)),
        reliability=_reliability(captions, captioned),
        points=points,
    )


def _off_diagonal(vectors: Matrix) -> NDArray[np.float32]:
    return np.asarray((vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)])


def _reliability(captions: Matrix, pictures: Matrix) -> float:
    """Somers' D of captions for their own pictures, not below 0, drawn to 1 with the weight of ten pictures."""
    count = len(captions)
    if count < 2:
        return 1.0
    cosines = captions @ pictures.T
    own = np.diag(cosines)[:, None]
    preferred = np.sign(own - cosines).sum() / (count * (count - 1))
    return _rounded((count * max(float(preferred), 0.0) + _PRIOR_PICTURES) / (count + _PRIOR_PICTURES))


def _rounded(value: float) -> float:
    """To a millionth: vectors differ in the seventh digit from engine to engine, scores should not."""
    return round(value, 6)
