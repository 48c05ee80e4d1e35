"""The inverse document frequencies of a question's terms, read off the engine's own scores.

No engine tells how many points hold a term. But the best passage of a question of one term scores IDF times the weight
that the term has in that passage, and the passage can be had with its vector: the quotient is the IDF the engine uses,
over the points it counts, to float32 rounding. One request a term, which can travel with the question itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdrant_client import models

from rag.schema import LEXICAL


def term_requests(question: models.SparseVector, params: models.SearchParams | None) -> list[models.QueryRequest]:
    """One request for each term of a question, to be sent in a batch."""
    return [
        models.QueryRequest.model_construct(
            query=models.SparseVector.model_construct(indices=[term], values=[1.0]),
            using=LEXICAL,
            params=params,
            limit=1,
            with_payload=False,
            with_vector=[LEXICAL],
        )
        for term in question.indices
    ]


def idfs(question: models.SparseVector, answers: Sequence[Sequence[Any]]) -> list[float]:
    """The IDF of each term that some point holds and that weighs more than 0, times its weight in the question."""
    found = []
    for term, weight, points in zip(question.indices, question.values, answers, strict=True):
        for point in points:
            passage = point.vector[LEXICAL]
            if weight > 0:
                found.append(float(weight) * float(point.score) / passage.values[passage.indices.index(term)])
    return found
