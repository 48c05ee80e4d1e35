"""A question costs at most two batch requests, builds only the nodes that are looked at, and says what it took."""

from __future__ import annotations

import random
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import ImageNode, TextNode

from rag.schema import LEGS, Fingerprint
from rag.store import NamedVectorStore
from rag.store.collection import Collection
from rag.store.engines import Engine, open_engine

DIM = 8
PRINT = Fingerprint("double", "0" * 64, DIM, "none")


class Watched:
    """A client that counts its batches, and deletes a point after the first of them if told to."""

    def __init__(self, client: Any) -> None:
        self.client, self.batches, self.payloads, self.fetched, self.deleting = client, 0, 0, 0, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def retrieve(self, name: str, ids: list[str], **selection: Any) -> list[Any]:
        self.fetched += 1
        return self.client.retrieve(name, ids=ids, **selection)

    def query_batch_points(self, name: str, requests: list[Any]) -> list[Any]:
        self.batches += 1
        answers = self.client.query_batch_points(name, requests=requests)
        self.payloads += sum(point.payload is not None for answer in answers for point in answer.points)
        if self.deleting:
            self.client.delete(name, points_selector=[self.deleting])
            self.deleting = ""
        return answers


@pytest.fixture(params=["embedded", "memory"])
def watched(request, tmp_path: Path):
    engine = open_engine(path=tmp_path) if request.param == "embedded" else open_engine(url=":memory:")
    client = Watched(engine.client)
    collection = Collection.open(Engine(client, request.param, "here"), "c", PRINT, True, None)
    with NamedVectorStore(collection=collection) as store:
        yield store, client


def nodes(count: int, text: str = "") -> list[TextNode]:
    rng, numbers = random.Random(3), np.random.default_rng(3)
    made: list[TextNode] = []
    for number in range(1, count + 1):
        words = text or " ".join(rng.choices(["moon", "tree", "lamp", "rain"], k=rng.randint(0, 9)))
        common = {"id_": str(uuid.UUID(int=number)), "text": words, "embedding": numbers.normal(size=DIM).tolist()}
        if number % 3:
            made.append(TextNode(**common))
        else:
            caption = numbers.normal(size=DIM).tolist() if number % 2 else None
            made.append(ImageNode(**common, text_embedding=caption, image_path="a.png"))
    return made


QUESTION = {leg: np.random.default_rng(number).normal(size=DIM) for number, leg in enumerate(LEGS[:3])}


def test_each_payload_is_fetched_once_however_many_legs_name_the_point(watched):
    store, client = watched
    store.add(nodes(200))
    client.payloads = client.fetched = 0
    found = store.candidates({**QUESTION, "lexical": "moon rain"}, depth=40)
    assert client.batches == 2
    assert len(found.nodes) < sum(len(ids) for ids in found.ranked.values())
    assert client.payloads == (0 if store.engine_kind == "embedded" else len(found.nodes))
    shown = list(found.nodes)[:10]
    assert found.load(shown) == found.load(shown) == shown
    assert [found.nodes[id_].node_id for id_ in shown] == shown
    assert client.fetched == (1 if store.engine_kind == "embedded" else 0)


def test_nodes_are_built_when_they_are_asked_for_and_then_kept(watched, monkeypatch):
    store, _ = watched
    store.add(nodes(60))
    built: list[str] = []
    codec = type(store._codec)
    build = codec.node
    monkeypatch.setattr(codec, "node", lambda self, payload: built.append("one") or build(self, payload))
    found = store.candidates({**QUESTION, "lexical": "moon"}, depth=10)
    first = found.ranked["text"][0]
    assert (len(found.nodes), first in found.nodes, "nothing" in found.nodes, built) == (
        len(found.payloads),
        True,
        False,
        [],
    )
    assert found.nodes[first] is found.nodes[first]
    assert built == ["one"]
    assert [node.node_id for node in found.nodes.values()] == list(found.nodes)
    assert {found.payloads[id_]["modality"] for id_ in found.ranked["image"]} == {"image"}
    with pytest.raises(KeyError):
        found.nodes["nothing"]


@pytest.mark.parametrize("legs", [LEGS, ("text",), ("lexical",), ("image", "lexical")])
def test_equal_scores_without_end_cost_no_third_request(watched, legs):
    store, client = watched
    same = nodes(90, "the same words")
    for node in same:
        node.embedding = [1.0] * DIM
    store.add(same)
    question = {leg: asked for leg, asked in {**QUESTION, "lexical": "words"}.items() if leg in legs}
    found = store.candidates(question, depth=5)
    assert client.batches == 2
    for leg in legs:
        has = {node.node_id for node in same if leg in store_legs(node)}
        if leg != "caption":
            assert found.ranked[leg] == tuple(sorted(has)[:5])
        assert found.scores[leg].keys() == has & found.nodes.keys()
        alone = store.candidates({leg: question[leg]}, depth=1000).scores[leg]
        assert found.scores[leg] == {id_: pytest.approx(alone[id_], abs=1e-5) for id_ in found.scores[leg]}


def store_legs(node: TextNode) -> set[str]:
    if isinstance(node, ImageNode):
        return {"image", "lexical"} | ({"caption"} if node.text_embedding else set())
    return {"text", "lexical"}


def test_a_point_that_is_deleted_between_the_two_requests_is_left_out(watched):
    store, client = watched
    store.add(nodes(200))
    best = store.candidates(QUESTION, depth=5).ranked["text"][0]
    client.deleting = best
    found = store.candidates(QUESTION, depth=5)
    ids = found.load(found.ranked["text"])
    assert (best in ids, best in found.nodes, len(ids)) == (False, False, 4)
    if store.engine_kind != "embedded":
        assert all(best not in found.ranked[leg] and best not in found.scores[leg] for leg in found.ranked)


def test_a_search_says_how_long_each_round_trip_took(watched):
    store, _ = watched
    store.add(nodes(20))
    seconds = store.candidates(QUESTION).seconds
    assert seconds.keys() == {"search", "complete"}
    assert seconds["search"] > 0
