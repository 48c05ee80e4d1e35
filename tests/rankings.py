"""Rankings for tests: explained nodes whose scores are sums, some of them alike."""

from __future__ import annotations

import uuid
from itertools import pairwise
from math import fsum

from hypothesis import strategies as st
from llama_index.core.schema import ImageNode, NodeRelationship, ObjectType, RelatedNodeInfo, TextNode

from rag.question import Question
from rag.ranking import FusedNode
from rag.schema import LegScore

ASKED = Question("a question")


def identity(number: int) -> str:
    return str(uuid.UUID(int=number))


def node(number, score, *, picture=False, text="", document="", **metadata):
    """A node with one leg, whose contribution is the score."""
    legs = {"image" if picture else "text": LegScore(raw=score / 2, normalized=score, weight=1.0, rank=1)}
    relationships = {}
    if document:
        info = RelatedNodeInfo(node_id=document, node_type=ObjectType.DOCUMENT)
        relationships[NodeRelationship.SOURCE] = info
    common = {"id_": identity(number), "text": text, "metadata": metadata, "relationships": relationships}
    made = ImageNode(image_path=f"{number}.png", **common) if picture else TextNode(**common)
    return FusedNode(node=made, score=score, legs=legs)


@st.composite
def rankings(draw, least=0):
    """Up to 12 nodes, best first: passages and pictures of four documents, with words and hashes that recur."""
    scores = sorted(draw(st.lists(st.floats(-9, 9), min_size=least, max_size=12)), reverse=True)
    made = []
    for number, score in enumerate(scores, 1):
        picture = draw(st.booleans())
        metadata = {"source": f"{draw(st.integers(1, 4))}.md", "page": draw(st.integers(1, 3))}
        if picture and draw(st.booleans()):
            metadata["image_phash"] = f"{draw(st.integers(0, 31)):048x}"
        if picture and draw(st.booleans()):
            metadata["image_sha256"] = str(draw(st.integers(1, 3)))
        document = draw(st.sampled_from(["", "d1", "d2", "d3"]))
        text = draw(st.sampled_from(["", "one", "two words", "two  words", "three"]))
        made.append(node(number, score, picture=picture, text=text, document=document, **metadata))
    return made


def ids(ranking):
    return [hit.node_id for hit in ranking]


def require_explained(ranking):
    """Scores fall, are the sums of what is told of them, and no node comes twice."""
    assert len(set(ids(ranking))) == len(ranking)
    assert all(one.total >= other.total for one, other in pairwise(ranking))
    for hit in ranking:
        told = fsum([*(leg.contribution for leg in hit.legs.values()), *hit.adjustments.values()])
        assert abs(told - hit.total) <= 1e-6
