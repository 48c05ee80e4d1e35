"""A sample of a collection's vectors, and what it tells about them. The same on every engine.

The first points in the order of their ids are a random sample, for ids are digests; and they are the same points
wherever the collection lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client import models

from rag.calibration import SAMPLE, Calibration, estimate
from rag.schema import Leg
from rag.store.collection import Collection


def calibrate(collection: Collection, points: int) -> Calibration:
    """Estimate the backgrounds of a collection of `points` points from at most `SAMPLE` vectors of each leg."""
    dim = collection.manifest.encoder.dim
    texts, captions = _with(collection, ["text"]), _with(collection, ["caption"])
    both, pictures = _with(collection, ["caption", "image"]), _with(collection, ["image"])
    return estimate(
        words=_matrix([*_vectors(texts, "text"), *_vectors(captions, "caption")], dim),
        pictures=_matrix(_vectors(pictures, "image"), dim),
        captions=_matrix(_vectors(both, "caption"), dim),
        captioned=_matrix(_vectors(both, "image"), dim),
        points=points,
    )


def _with(collection: Collection, legs: list[Leg]) -> list[Any]:
    """The first points that have all of the legs, with these vectors."""
    condition = models.Filter(must=[models.HasVectorCondition(has_vector=leg) for leg in legs])
    return list(collection.scroll(condition, payload=False, vectors=legs, limit=SAMPLE))


def _vectors(records: Sequence[Any], leg: Leg) -> list[Any]:
    return [record.vector[leg] for record in records]


def _matrix(vectors: Sequence[Any], dim: int) -> Any:
    return np.asarray(vectors, dtype=np.float32).reshape(len(vectors), dim)
