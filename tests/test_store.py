"""`NamedVectorStore` as LlamaIndex users meet it: nodes in, the same nodes out, on every engine."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from pathlib import Path

import numpy as np
import pytest
from llama_index.core.schema import ImageNode, Node, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

import rag.store
from rag.errors import FilterError, InputError, StoreError
from rag.schema import LEGS, Fingerprint
from rag.store import NamedVectorStore, parse_filter
from rag.store.lexical import LexicalSettings
from rag.store.manifest import MANIFEST_ID
from tests.patience import LONG

DIM = 8
PRINT = Fingerprint("double", "0" * 64, DIM, "none")
SERVER = os.environ.get("TRIPTYCH_TEST_QDRANT_URL")
PICTURES = Path("/corpus/pictures")


def axis(number: int, tilt: float = 0.0) -> list[float]:
    """A unit vector whose cosines can be computed by hand."""
    vector = [0.0] * DIM
    vector[number], vector[(number + 1) % DIM] = (1 - tilt**2) ** 0.5, tilt
    return vector


def node_id(number: int) -> str:
    return str(uuid.UUID(int=number))


@pytest.fixture(scope="module", params=["embedded", "memory", *(["server"] if SERVER else [])])
def opened(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    where = {"embedded": {"path": folder}, "memory": {"url": ":memory:"}, "server": {"url": SERVER}}[request.param]
    name = f"test-{uuid.uuid4().hex}"
    with NamedVectorStore.open(**where, collection=name, fingerprint=PRINT, pictures_root=PICTURES) as store:
        yield store
        if request.param == "server":
            store.client.delete_collection(name)


@pytest.fixture
def store(opened):
    opened.clear()
    return opened


def passage(number: int, text: str = "moon light", source: str = "a.md", **metadata) -> TextNode:
    return TextNode(
        id_=node_id(number),
        text=text,
        embedding=axis(number % DIM),
        metadata={"source": source, "doc_nodes": 3, "revision": "r1", **metadata},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc-{source}")},
    )


def picture(number: int, **settings) -> ImageNode:
    given = {"text": "", "image_path": str(PICTURES / "ab" / "cd.png"), "embedding": axis(0), **settings}
    return ImageNode(id_=node_id(number), **given)


def random_value(rng: random.Random, depth: int = 2):
    simple = [
        lambda: rng.choice(["", "ü 日本 🪐", 'quote " and \\ slash', "line\nbreak\t\x00", "2024-01-05", "None"]),
        lambda: rng.randint(-(2**53), 2**53),
        lambda: rng.choice([0.1, -1.5, 1e300, 0.0]),
        lambda: rng.random() < 0.5,
        lambda: None,
    ]
    if depth and rng.random() < 0.3:
        if rng.random() < 0.5:
            return [random_value(rng, 0) for _ in range(rng.randint(0, 3))]
        return {rng.choice(["a", "b c", "ü"]): random_value(rng, depth - 1) for _ in range(2)}
    return rng.choice(simple)()


def random_node(rng: random.Random, number: int):
    names = ["page", "colour", "a.b", "two words", "ünï", "x[0]", 'say "hi"', "doc_id", "image_uri", "modality", "1st"]
    common = {
        "id_": node_id(number + 1),
        "text": rng.choice(["", "moon", "the of", "  spaces  ", "ü\n日本"]),
        "metadata": {name: random_value(rng) for name in rng.sample(names, rng.randint(0, 6))},
        "excluded_embed_metadata_keys": rng.sample(names, 2),
        "excluded_llm_metadata_keys": rng.sample(names, 1),
        "metadata_template": "{key} = {value}",
        "text_template": "{metadata_str} :: {content}",
        "embedding": axis(number % DIM),
        "relationships": {
            NodeRelationship.SOURCE: RelatedNodeInfo(node_id="d", metadata={"k": 1}),
            NodeRelationship.NEXT: RelatedNodeInfo(node_id=node_id(number + 2)),
        },
    }
    if rng.random() < 0.5:
        return TextNode(**common, start_char_idx=3, end_char_idx=9, mimetype="text/markdown")
    where = rng.choice(
        [
            {"image_path": str(PICTURES / "ab" / "ü x.png")},
            {"image_path": "/elsewhere/y.png"},
            {"image_path": "relative/z.jpg"},
            {"image_url": "https://example.org/a.png"},
        ]
    )
    return ImageNode(**common, **where, text_embedding=axis(2) if rng.random() < 0.5 else None)


def test_nodes_come_back_unchanged_whatever_their_metadata(store):
    rng = random.Random(11)
    nodes = [random_node(rng, number) for number in range(80)]
    hashes = [node.hash for node in nodes]
    assert store.add(nodes) == [node.node_id for node in nodes]
    assert [node.hash for node in nodes] == hashes
    back = store.get_nodes()
    assert [node.hash for node in back] == hashes
    for given, got in zip(nodes, back, strict=True):
        assert type(got) is type(given)
        assert got.model_dump() == given.model_dump()


def test_generic_nodes_with_resources_come_back_too(store):
    given = Node(id_=node_id(1), text_resource={"text": "moon"}, embedding=axis(1), metadata={"k": "v"})
    shown = Node(id_=node_id(2), image_resource={"path": PICTURES / "a.png"}, embedding=axis(1))
    store.add([given, shown])
    assert [node.model_dump() for node in store.get_nodes()] == [given.model_dump(), shown.model_dump()]
    assert store.counts()["vectors"] == {"image": 1, "caption": 0, "text": 1, "lexical": 1}


def test_a_leg_that_a_node_lacks_is_absent(store):
    store.add([passage(1), passage(2, text="the of"), picture(3), picture(4, text="moon", text_embedding=axis(1))])
    assert store.counts() == {
        "points": 4,
        "nodes": {"text": 2, "image": 2},
        "vectors": {"image": 2, "caption": 1, "text": 2, "lexical": 2},
    }
    found = store.candidates({leg: np.ones(DIM) for leg in LEGS[:3]} | {"lexical": "moon"})
    assert set(found.scores["caption"]) == {node_id(4)}
    assert set(found.scores["text"]) == {node_id(1), node_id(2)}
    assert set(found.scores["lexical"]) == {node_id(1), node_id(4)}


def test_scores_are_cosines_whatever_the_length_of_the_vectors(store):
    long = passage(1)
    long.embedding = [5 * value for value in axis(1, 0.6)]
    store.add([long])
    found = store.candidates({"text": 3 * np.array(axis(1))})
    assert found.scores["text"][node_id(1)] == pytest.approx(0.8, abs=1e-6)


def test_a_picture_under_the_root_is_stored_relative_and_follows_a_moved_corpus(tmp_path):
    node = picture(1, image_path=str(tmp_path / "one" / "pictures" / "ab.png"), metadata={"image_uri": "x.png"})
    node.metadata["image_uri"] = node.image_path
    with NamedVectorStore.open(
        path=tmp_path / "one", fingerprint=PRINT, pictures_root=tmp_path / "one" / "pictures"
    ) as store:
        store.add([node])
        payload = store.client.retrieve(store.collection_name, ids=[node.node_id])[0].payload
        assert payload["image_uri"] == "ab.png"
        assert str(tmp_path) not in str(payload)
    (tmp_path / "one").rename(tmp_path / "two")
    moved = tmp_path / "two" / "pictures"
    with NamedVectorStore.open(path=tmp_path / "two", pictures_root=moved) as store:
        (got,) = store.get_nodes()
        assert got.image_path == got.metadata["image_uri"] == str(moved / "ab.png")
        assert len(store.get_nodes(filters=parse_filter("image_uri = ab.png"))) == 1


def test_no_payload_holds_vectors_or_the_bytes_of_a_picture(store):
    store.add([picture(1, image="aGVsbG8=", text_embedding=axis(1))])
    (record,) = store.client.retrieve(store.collection_name, ids=[node_id(1)])
    assert "aGVsbG8=" not in str(record.payload)
    assert "0.0, 0.0" not in str(record.payload)
    with pytest.raises(StoreError, match="as files or URLs"):
        store.add([picture(2, image="aGVsbG8=", image_path=None)])


def test_adding_again_replaces_and_a_failed_add_stores_nothing(store):
    store.add([passage(1), passage(2)])
    store.add([passage(1, text="changed")])
    assert [node.text for node in store.get_nodes()] == ["changed", "moon light"]
    wrong = passage(4)
    wrong.embedding = [1.0] * (DIM + 1)
    with pytest.raises(StoreError, match=rf"\({DIM},\)"):
        store.add([passage(3), wrong])
    assert store.count() == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"embedding": [0.0] * DIM}, "zero"),
        ({"embedding": [float("nan")] * DIM}, "not finite"),
        ({"id_": "not-a-uuid"}, "UUID"),
        ({"metadata": {"x": float("nan")}}, "finite numbers"),
    ],
)
def test_a_node_that_cannot_be_stored_is_refused_before_the_engine_sees_it(store, change, told):
    with pytest.raises(StoreError, match=told):
        store.add([passage(1).model_copy(update=change)])
    assert store.count() == 0


def test_captions_come_later_without_touching_the_picture(store):
    store.add([picture(1, metadata={"keep": "me"})])
    before = store.vectors_of([node_id(1)], "image")
    store.add_captions([picture(1, text="a moon", text_embedding=axis(3), metadata={"keep": "me"}, embedding=None)])
    assert store.vectors_of([node_id(1)], "image") == before
    (node,) = store.get_nodes()
    assert (node.text, node.text_embedding, node.metadata) == ("a moon", axis(3), {"keep": "me"})
    found = store.candidates({"image": axis(0), "caption": axis(3), "lexical": "moons"})
    assert all(found.ranked[leg] == (node_id(1),) for leg in found.ranked)
    with pytest.raises(StoreError, match="not stored"):
        store.add_captions([picture(2)])


def test_deleting_by_document_id_filter_and_source_takes_those_and_no_others(store):
    store.add([passage(number, source=f"{number % 3}.md", page=number) for number in range(1, 10)])
    store.delete("doc-0.md")
    assert store.count() == 6
    assert store.delete_source("1.md") == 3
    store.delete_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="page", value=2)]))
    store.delete_nodes([node_id(5), node_id(99)])
    assert store.points_of("2.md") == {node_id(8)}
    store.delete_ids([node_id(8), MANIFEST_ID])
    assert store.count() == 0
    assert store.refresh().encoder == PRINT
    with pytest.raises(InputError, match="neither"):
        store.delete_nodes()


def test_sources_tell_revisions_and_how_many_nodes_are_missing(store):
    store.add([passage(1), passage(2), passage(3, source="b.md"), passage(4, source="b.md", revision="r2")])
    a, b = store.sources()["a.md"], store.sources()["b.md"]
    assert (a.doc_id, a.revision, a.nodes, a.expected) == ("doc-a.md", "r1", 2, 3)
    assert (b.revision, b.revisions, b.nodes) == (None, ("r1", "r2"), 2)
    assert list(store.sources()) == ["a.md", "b.md"]


def test_sources_tell_where_the_file_of_each_picture_lies(store):
    said = {"source": "a.md"}
    store.add(
        [
            passage(1),
            picture(2, metadata=said),
            picture(3, metadata=said, image_path="/elsewhere/b.png"),
            picture(4, metadata=said, image_path=None, image_url="https://example.org/c.png"),
        ]
    )
    state = store.sources()["a.md"]
    assert state.pictures == ("", *sorted(["/elsewhere/b.png", str(PICTURES / "ab" / "cd.png")]))
    assert state.nodes == 4


def test_the_manifest_is_never_found_listed_or_counted(store):
    store.set_statistics({"text": {"mean": 0.5}})
    assert store.refresh().statistics["text"] == {"mean": 0.5}
    assert store.count() == 0
    assert store.get_nodes() == store.get_nodes([MANIFEST_ID]) == []
    assert store.get_nodes(filters=parse_filter("not page exists")) == []
    assert store.sources() == {}
    store.add([passage(1)])
    assert set(store.candidates({"text": axis(1), "lexical": "moon"}).nodes) == {node_id(1)}


def test_fields_of_the_users_metadata_are_remembered_with_their_types(store):
    store.add([passage(1, hue="red", size=1, seen=True, born="2024-01-05", tags=["a", "b"], deep={"x": 1})])
    store.add([passage(2, size=1.5, born="long ago")])
    own = {"hue": "keyword", "size": "float", "seen": "bool", "born": "keyword", "tags": "keyword"}
    assert own.items() <= store.fields().items()
    assert own.items() <= store.refresh().fields.items()
    assert "deep" not in store.fields()
    assert [node.node_id for node in store.get_nodes(filters=parse_filter("seen = true"))] == [node_id(1)]


def test_a_filter_on_a_field_nobody_has_is_an_error_and_no_empty_answer(store):
    store.add([passage(1)])
    with pytest.raises(FilterError, match="did you mean source"):
        store.candidates({"text": axis(1)}, filters=parse_filter("sorce = a.md"))
    unknown = MetadataFilters(filters=[MetadataFilter(key="no such field", value=1)])
    with pytest.raises(FilterError, match="unknown field"):
        store.query(VectorStoreQuery(query_embedding=axis(1), filters=unknown))


def test_more_nodes_than_a_page_are_all_listed(store):
    rng = np.random.default_rng(1)
    store.add([TextNode(id_=node_id(n), text="", embedding=rng.normal(size=DIM).tolist()) for n in range(1, 2101)])
    assert len(store.get_nodes(with_vectors=False)) == store.count() == 2100
    assert len(store.get_nodes(limit=7)) == 7


@pytest.mark.parametrize(
    ("leg", "value", "told"),
    [
        ("sound", [1.0], "leg 'sound'"),
        ("text", "words", "str for leg text"),
        ("lexical", np.ones(DIM), "ndarray for leg lexical"),
        ("text", np.ones(DIM - 1), "shape"),
        ("text", np.zeros(DIM), "zero"),
    ],
)
def test_a_question_that_no_leg_can_take_is_told(store, leg, value, told):
    with pytest.raises((InputError, StoreError), match=told):
        store.candidates({leg: value})


def query(mode: VectorStoreQueryMode = VectorStoreQueryMode.DEFAULT, **settings) -> VectorStoreQuery:
    return VectorStoreQuery(**{"query_embedding": axis(1), "similarity_top_k": 2, "mode": mode, **settings})


def test_the_default_query_asks_text_and_another_leg_on_request(store):
    store.add([passage(1), passage(2), picture(3, text_embedding=axis(1))])
    found = store.query(query())
    assert (found.ids, found.similarities[0]) == ([node_id(1), node_id(2)], pytest.approx(1.0))
    assert store.query(query(), leg="caption").ids == [node_id(3)]
    assert store.query(query(embedding_field="image")).ids == [node_id(3)]
    assert store.query(query(doc_ids=["doc-none"])).ids == []
    assert store.query(query(node_ids=[node_id(2)])).ids == [node_id(2)]


def test_sparse_and_hybrid_queries_use_the_words(store):
    store.add([passage(1, text="tree"), passage(2, text="lamp"), passage(3, text="moon")])
    assert store.query(query(VectorStoreQueryMode.SPARSE, query_str="moons")).ids == [node_id(3)]
    hybrid = store.query(query(VectorStoreQueryMode.HYBRID, query_str="lamp", alpha=0.5, similarity_top_k=3))
    assert set(hybrid.ids or [node.node_id for node in hybrid.nodes][:2]) >= {node_id(1), node_id(2)}
    with pytest.raises(InputError, match="query_str"):
        store.query(query(VectorStoreQueryMode.HYBRID))
    with pytest.raises(InputError, match="query mode svm"):
        store.query(query(VectorStoreQueryMode.SVM))


def test_mmr_prefers_what_differs_from_what_it_has_chosen(store):
    nodes = [passage(1), passage(2), passage(3)]
    for node, vector in zip(nodes, [axis(1), axis(1, 0.1), axis(0, 0.7)], strict=True):
        node.embedding = vector
    store.add(nodes)
    assert store.query(query()).ids == [node_id(1), node_id(2)]
    assert store.query(query(VectorStoreQueryMode.MMR, mmr_threshold=0.3)).ids == [node_id(1), node_id(3)]


def test_operators_that_the_plain_store_refuses_work(store):
    store.add([passage(1, tags=["a", "b"], name="x, y"), passage(2, tags=["b"], name="x"), passage(3, name="y")])

    def ids(key, op, value):
        wanted = MetadataFilters(filters=[MetadataFilter(key=key, operator=op, value=value)])
        return [uuid.UUID(node.node_id).int for node in store.get_nodes(filters=wanted)]

    assert ids("tags", FilterOperator.CONTAINS, "a") == [1]
    assert ids("tags", FilterOperator.ANY, ["a", "b"]) == [1, 2]
    assert ids("tags", FilterOperator.ALL, ["a", "b"]) == [1]
    assert ids("name", FilterOperator.IN, ["x, y"]) == [1]
    assert ids("name", FilterOperator.IN, "x, y") == [1]
    assert ids("name", FilterOperator.NIN, ["x", "y"]) == [1]
    assert ids("tags", FilterOperator.NE, "a") == [2, 3]
    assert ids("tags", FilterOperator.IS_EMPTY, None) == [3]
    assert ids("name", FilterOperator.TEXT_MATCH, ", ") == [1]


async def test_the_async_twins_do_the_same_and_leave_the_loop_free(store, monkeypatch):
    assert await store.async_add([passage(1), passage(2)]) == [node_id(1), node_id(2)]
    assert (await store.aquery(query())).ids == [node_id(1), node_id(2)]
    assert len(await store.aget_nodes()) == 2
    assert (await store.acandidates({"text": axis(1)}, depth=1)).ranked["text"] == (node_id(1),)
    await store.adelete_nodes([node_id(2)])
    await store.adelete("doc-a.md")
    await store.aclear()
    assert store.count() == 0

    released = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(NamedVectorStore, "query", lambda *_: _wait_for(released, loop))
    waiting = asyncio.create_task(store.aquery(query()))
    await asyncio.sleep(0)
    released.set()
    assert await waiting == "answered while the loop ran"


def _wait_for(event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> str:
    asyncio.run_coroutine_threadsafe(event.wait(), loop).result(timeout=LONG)
    return "answered while the loop ran"


def test_a_vector_store_index_of_llama_index_works_on_top(store):
    from llama_index.core import MockEmbedding, VectorStoreIndex

    index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=DIM))
    index.insert_nodes([TextNode(id_=node_id(1), text="moon"), TextNode(id_=node_id(2), text="tree")])
    hits = index.as_retriever(similarity_top_k=2).retrieve("moon")
    assert {hit.node.node_id for hit in hits} == {node_id(1), node_id(2)}


def test_the_language_of_the_lexical_leg_is_kept_with_the_collection(tmp_path):
    german = LexicalSettings(language="german")
    with NamedVectorStore.open(path=tmp_path, fingerprint=PRINT, lexical=german) as store:
        store.add([passage(1, text="die Häuser der Stadt")])
    with NamedVectorStore.open(path=tmp_path) as store:
        assert store.manifest.lexical == german
        assert store.candidates({"lexical": "das Haus, die"}).ranked["lexical"] == (node_id(1),)
        assert store.candidates({"lexical": "die der"}).ranked["lexical"] == ()
    with pytest.raises(InputError, match=r"language french .* was made with language german"):
        NamedVectorStore.open(path=tmp_path, lexical=LexicalSettings(language="french"))


def test_what_the_package_names_is_there():
    assert sorted(rag.store.__all__) == rag.store.__all__
    assert all(getattr(rag.store, name) is not None for name in rag.store.__all__)
    with pytest.raises(AttributeError):
        rag.store.nothing  # noqa: B018


def test_a_small_collection_is_searched_exactly_and_a_large_one_by_hnsw(store, monkeypatch):
    monkeypatch.setattr("rag.store.store.EXACT_UP_TO", 30)
    rng = np.random.default_rng(3)
    nodes = [TextNode(id_=node_id(n), text="", embedding=rng.normal(size=DIM).tolist()) for n in range(1, 32)]
    monkeypatch.setattr(store, "_size", 0)
    store.add(nodes[:20])
    store.add(nodes[:20])
    assert store.is_exact
    store.add(nodes)
    assert not store.is_exact
    assert len(store.candidates({"text": rng.normal(size=DIM)}, depth=40).ranked["text"]) == 31


def test_exactness_can_be_forced_either_way():
    for exact in (True, False):
        with NamedVectorStore.open(url=":memory:", fingerprint=PRINT, exact=exact) as store:
            assert store.is_exact is exact
