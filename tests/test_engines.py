"""The engines are twins: the same points, questions and filters give the same hits on each of them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from llama_index.core.schema import ImageNode, TextNode
from qdrant_client import models

from rag.errors import EncoderMismatch, StoreError, StoreLocked, StoreUnauthorized, StoreUnreachable
from rag.schema import LEGS, Fingerprint
from rag.store import NamedVectorStore
from rag.store.edge import EdgeClient
from rag.store.edge_convert import twin_path, with_twins, without_twins
from rag.store.filters import And, Comparison, Date, Exists, Membership, Not, Or, matches

ROOT = Path(__file__).resolve().parents[1]
DIM = 16
PRINT = Fingerprint("double", "0" * 64, DIM, "none")
SERVER = os.environ.get("TRIPTYCH_TEST_QDRANT_URL")
OTHERS = ["memory", *(["server"] if SERVER else [])]
WORDS = ["blur", "kernel", "image", "star", "galaxy", "moon", "planet", "orbit", "light", "lamp", "tree", "rain"]


def open_store(kind: str, folder: Path, **settings) -> NamedVectorStore:
    where = {"embedded": {"path": folder / "corpus"}, "memory": {"url": ":memory:"}, "server": {"url": SERVER}}[kind]
    name = f"test-{uuid.uuid4().hex}" if kind == "server" else "triptych"
    return NamedVectorStore.open(**where, collection=name, **{"fingerprint": PRINT, **settings})


def drop(store: NamedVectorStore) -> None:
    if store.engine_kind == "server":
        store.client.delete_collection(store.collection_name)
    store.close()


@pytest.fixture(scope="module", params=OTHERS)
def opened(request, tmp_path_factory) -> Iterator[tuple[NamedVectorStore, NamedVectorStore]]:
    folder = tmp_path_factory.mktemp("twins")
    pair = open_store("embedded", folder), open_store(request.param, folder)
    yield pair
    for store in pair:
        drop(store)


@pytest.fixture
def twins(opened) -> tuple[NamedVectorStore, NamedVectorStore]:
    for store in opened:
        store.clear()
    return opened


def random_metadata(rng: random.Random) -> dict:
    makers = {
        "page": lambda: rng.randint(1, 5),
        "section": lambda: rng.choice(["Results", "results of 2024", "Método", ""]),
        "tags": lambda: rng.sample(["a", "b", "art", "a b"], rng.randint(0, 3)),
        "weight": lambda: rng.choice([0.5, 1.0, 2, -1.25]),
        "done": lambda: rng.random() < 0.5,
        "made": lambda: rng.choice(["2024-01-05", "2024-01-05T12:00:00Z", "2024-02-01T00:30:00+02:00"]),
        "two words": lambda: rng.choice(["x", "y"]),
        "nothing": lambda: None,
    }
    return {name: make() for name, make in makers.items() if rng.random() < 0.75}


def random_nodes(rng: random.Random, count: int) -> list:
    numbers = np.random.default_rng(rng.randrange(2**32))
    directions = numbers.normal(size=(max(2, count // 2), DIM))
    nodes = []
    for _ in range(count):
        text = " ".join(rng.choices(WORDS, k=rng.choice([0, 1, 3, 12])))
        vector = directions[rng.randrange(len(directions))].tolist()
        common = {"id_": str(uuid.UUID(int=rng.getrandbits(128))), "text": text, "metadata": random_metadata(rng)}
        if rng.random() < 0.4:
            caption = numbers.normal(size=DIM).tolist() if rng.random() < 0.6 else None
            nodes.append(ImageNode(**common, embedding=vector, text_embedding=caption, image_path="p.png"))
        else:
            nodes.append(TextNode(**common, embedding=vector))
    return nodes


def random_filter(rng: random.Random, depth: int = 2):
    if depth and rng.random() < 0.5:
        kind = rng.choice([Not, And, Or])
        if kind is Not:
            return Not(random_filter(rng, depth - 1))
        return kind(tuple(random_filter(rng, depth - 1) for _ in range(rng.randint(2, 3))))
    order = rng.choice(["=", "!=", "<", "<=", ">", ">="])
    equal = rng.choice(["=", "!="])
    return rng.choice(
        [
            Comparison("page", order, rng.choice([0, 2, 3, 2.5])),
            Comparison("weight", order, rng.choice([1, 0.5, -2])),
            Comparison("made", order, Date(rng.choice(["2024-01-05", "2024-01-31T22:30:00Z"]))),
            Comparison("done", equal, rng.random() < 0.5),
            Comparison("section", equal, rng.choice(["Results", "", "Método"])),
            Comparison("section", "contains", rng.choice(["esult", "2024", "é", " of "])),
            Comparison("tags", rng.choice(["=", "!=", "contains"]), rng.choice(["a", "art"])),
            Comparison("two words", equal, "x"),
            Membership("page", (1, 3.0)),
            Membership("tags", ("b", "art")),
            Membership("done", (True,)),
            Exists(rng.choice(["tags", "section", "nothing", "done"])) if rng.random() < 0.8 else Exists("page"),
            Comparison("modality", equal, "image"),
        ]
    )


def assert_same(one, other) -> None:
    assert one.ranked == other.ranked
    assert one.nodes.keys() == other.nodes.keys()
    for leg in one.scores:
        assert one.scores[leg].keys() == other.scores[leg].keys()
        for point_id, score in one.scores[leg].items():
            assert score == pytest.approx(other.scores[leg][point_id], abs=1e-4), (leg, point_id)


def known(expr, fields) -> bool:
    if isinstance(expr, (And, Or)):
        return all(known(part, fields) for part in expr.parts)
    return known(expr.part, fields) if isinstance(expr, Not) else expr.field in fields


@pytest.mark.parametrize("seed", range(8))
def test_the_same_questions_and_filters_give_the_same_hits_and_scores(twins, seed):
    rng = random.Random(seed)
    nodes = random_nodes(rng, rng.choice([5, 30, 60]))
    for store in twins:
        store.add(nodes)
    if seed % 2:
        twins[0].optimize()
    for round_ in range(30):
        if round_ == 15:
            gone = [node.node_id for node in nodes[::4]]
            changed = [node.model_copy(update={"text": "moon light"}) for node in nodes[1::4]]
            for store in twins:
                store.delete_ids(gone)
                store.add(changed)
        numbers = np.random.default_rng(rng.randrange(2**32))
        asked = {leg: numbers.normal(size=DIM) for leg in rng.sample(LEGS[:3], rng.randint(1, 3))}
        if rng.random() < 0.7:
            asked["lexical"] = " ".join(rng.choices([*WORDS, "the", "unknown"], k=rng.randint(0, 4)))
        expr = random_filter(rng) if rng.random() < 0.6 else None
        if expr is not None and not known(expr, twins[0].fields()):
            expr = None
        one, other = (store.candidates(asked, depth=rng_depth(round_), filters=expr) for store in twins)
        assert_same(one, other)


def rng_depth(round_: int) -> int:
    return (1, 3, 10, 100)[round_ % 4]


@pytest.mark.parametrize("seed", range(3))
def test_every_engine_gives_a_filter_the_meaning_of_plain_python(twins, seed):
    rng = random.Random(100 + seed)
    nodes = random_nodes(rng, 60)
    for store in twins:
        store.add(nodes)
    twins[0].optimize(index_fields=seed > 0)
    for _ in range(60):
        expr = random_filter(rng, depth=3)
        payloads = {
            node.node_id: {**node.metadata, "modality": "image" if isinstance(node, ImageNode) else "text"}
            for node in nodes
        }
        expected = sorted(point_id for point_id, payload in payloads.items() if matches(expr, payload))
        for store in twins:
            if known(expr, store.fields()):
                assert [node.node_id for node in store.get_nodes(filters=expr)] == expected, str(expr)


def test_equal_scores_are_ordered_by_id_even_where_they_are_cut(twins):
    ids = [str(uuid.UUID(int=number)) for number in random.Random(5).sample(range(1, 2**62), 200)]
    nodes = [TextNode(id_=point_id, text="the same words", embedding=[1.0] * DIM) for point_id in ids]
    for store in twins:
        store.add(nodes)
        found = store.candidates({"text": np.ones(DIM), "lexical": "words"}, depth=7)
        assert found.ranked["text"] == found.ranked["lexical"] == tuple(sorted(ids)[:7])


def test_completion_gives_every_node_of_the_union_its_score_in_every_leg_it_has(twins):
    rng = random.Random(9)
    nodes = random_nodes(rng, 60)
    question = {leg: np.random.default_rng(4).normal(size=DIM) for leg in LEGS[:3]}
    for store in twins:
        store.add(nodes)
        few = store.candidates({**question, "lexical": "moon light"}, depth=2)
        all_ = store.candidates({**question, "lexical": "moon light"}, depth=1000)
        for leg in LEGS:
            has = {i for i in few.nodes if i in all_.scores[leg]}
            assert few.scores[leg].keys() == has
            assert all(few.scores[leg][i] == pytest.approx(all_.scores[leg][i], abs=1e-5) for i in has)
            assert len(few.ranked[leg]) <= 2


def test_a_node_with_words_that_shares_no_term_scores_zero_and_one_without_words_is_absent(twins):
    ids = [str(uuid.UUID(int=number)) for number in (1, 2, 3)]
    nodes = [
        TextNode(id_=point_id, text=text, embedding=[1.0] * DIM)
        for point_id, text in zip(ids, ["moon", "tree", "the of and"], strict=True)
    ]
    for store in twins:
        store.add(nodes)
        found = store.candidates({"text": np.ones(DIM), "lexical": "moons"})
        assert found.ranked["lexical"] == (ids[0],)
        assert found.scores["lexical"].keys() == {ids[0], ids[1]}
        assert found.scores["lexical"][ids[1]] == 0.0
        silent = store.candidates({"text": np.ones(DIM), "lexical": "the of"})
        assert silent.ranked["lexical"] == ()
        assert silent.scores["lexical"] == {ids[0]: 0.0, ids[1]: 0.0}


class Counting:
    """A client that counts its batch requests."""

    def __init__(self, client) -> None:
        self.client, self.batches = client, 0

    def __getattr__(self, name):
        return getattr(self.client, name)

    def query_batch_points(self, *args, **kwargs):
        self.batches += 1
        return self.client.query_batch_points(*args, **kwargs)


@pytest.mark.parametrize(("depth", "complete", "trips"), [(100, True, 1), (2, False, 1), (2, True, 2)])
def test_all_legs_go_in_one_request_and_a_second_only_where_scores_miss(tmp_path, depth, complete, trips):
    from rag.store.collection import Collection
    from rag.store.engines import Engine, open_engine

    engine = open_engine(path=tmp_path)
    client = Counting(engine.client)
    collection = Collection.open(Engine(client, "embedded", "here"), "c", PRINT, True, None)
    with NamedVectorStore(collection=collection) as store:
        store.add(random_nodes(random.Random(2), 60))
        asked = {leg: np.random.default_rng(leg_number).normal(size=DIM) for leg_number, leg in enumerate(LEGS[:3])}
        store.candidates({**asked, "lexical": "moon star"}, depth=depth, complete=complete)
        assert client.batches == trips


def test_booleans_survive_their_twins_at_any_depth():
    payload = {"a": True, "b": [False, "x"], "c": {"d": True, "e": 1}, "f": 1, "g": "true"}
    assert without_twins(with_twins(payload)) == payload
    assert twin_path('c."d e"') == 'c."__bool__d e"'
    assert twin_path("done") == "__bool__done"


def test_a_vector_of_another_name_or_engine_failure_is_told_in_one_line(tmp_path):
    with EdgeClient(tmp_path) as client:
        client.create_collection("c", {"text": models.VectorParams(size=4, distance=models.Distance.COSINE)})
        with pytest.raises(StoreError, match="dim: 4, got 3"):
            client.query_points("c", query=[1.0, 2.0, 3.0], using="text")
        with pytest.raises(StoreError, match="no collection d"):
            client.count("d")
        with pytest.raises(StoreError, match="collection c"):
            client.create_collection("c", {})
        assert client.delete_collection("c")
        assert not client.collection_exists("c")
        assert not client.delete_collection("c")


def test_get_collection_tells_vectors_indexes_and_points(tmp_path):
    with open_store("embedded", tmp_path) as store:
        store.add([TextNode(text="", embedding=[1.0] * DIM, metadata={"my key": 1, "odd": [1, "x"]})])
        assert not store.client.get_collection("triptych").payload_schema
        store.optimize(index_fields=True)
        store.add([TextNode(text="", embedding=[1.0] * DIM, metadata={"my key": 1.5})])
        store.optimize(index_fields=True)
        info = store.client.get_collection("triptych")
        assert info.payload_schema['"my key"'].data_type == models.PayloadSchemaType.FLOAT
        assert "odd" not in info.payload_schema
        assert {name: v.size for name, v in info.config.params.vectors.items()} == dict.fromkeys(LEGS[:3], DIM)
        assert info.config.params.sparse_vectors["lexical"].modifier == models.Modifier.IDF
        assert info.payload_schema["page"].data_type == models.PayloadSchemaType.INTEGER
        assert info.points_count == 3


def test_a_large_collection_whose_ingestion_was_interrupted_is_not_scanned_for_each_source(tmp_path):
    with open_store("embedded", tmp_path) as store:
        nodes = [TextNode(text="", embedding=[1.0] * DIM, metadata={"source": f"{n % 250}.md"}) for n in range(1000)]
        store.add(nodes[:999])
        assert len(store.points_of("0.md")) == 4
        assert not store.client.get_collection("triptych").payload_schema
        store.add(nodes[999:])
        assert store.points_of("249.md") == {node.node_id for node in nodes[249::250]}
        assert set(store.client.get_collection("triptych").payload_schema) == {"source"}


def test_a_filter_on_a_boolean_has_an_index_and_its_twin_is_not_told(tmp_path):
    with open_store("embedded", tmp_path) as store:
        store.add([TextNode(text="", embedding=[1.0] * DIM, metadata={"done": True, "is it": [False]})])
        store.optimize(index_fields=True)
        told = store.client.get_collection("triptych").payload_schema
        assert told["done"].data_type == told['"is it"'].data_type == models.PayloadSchemaType.BOOL
        assert not any("__bool__" in key for key in told)
        kept = store.client._shard("triptych").info().payload_schema
        assert {twin_path("done"), twin_path('"is it"')} <= kept.keys()
        assert store.ids(Comparison("done", "=", True)) == store.ids(Comparison("is it", "=", False)) == store.ids()
        store.client.delete_payload_index("triptych", "done")
        assert twin_path("done") not in store.client._shard("triptych").info().payload_schema


def test_closing_twice_is_no_error_and_what_was_added_is_there_when_opened_again(tmp_path):
    store = open_store("embedded", tmp_path)
    store.add([TextNode(text="moon", embedding=[1.0] * DIM, metadata={"flag": True})])
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.count()
    with open_store("embedded", tmp_path, fingerprint=None) as again:
        assert again.count() == 1
        assert again.fingerprint == PRINT
        assert again.fields()["flag"] == "bool"


def run_python(code: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, stdin=subprocess.PIPE)


OPEN = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from llama_index.core.schema import TextNode
from rag.schema import Fingerprint
from rag.store import NamedVectorStore
store = NamedVectorStore.open(path=Path(sys.argv[1]), fingerprint=Fingerprint("double", "0" * 64, 16, "none"))
"""


def test_a_corpus_that_another_process_holds_is_refused_in_one_line(tmp_path):
    holder = run_python(OPEN + "print('open', flush=True); sys.stdin.read()", str(tmp_path / "corpus"))
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked, match="in use by another process") as told:
            open_store("embedded", tmp_path)
        assert "\n" not in str(told.value)
    finally:
        holder.communicate()
    with open_store("embedded", tmp_path) as store:
        assert store.count() == 0


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    code = OPEN + (
        "import itertools\n"
        "for number in itertools.count():\n"
        "    nodes = [TextNode(text='moon', embedding=[1.0] * 16, metadata={'n': number}) for _ in range(10)]\n"
        "    ids = store.add(nodes)\n"
        "    print(*ids, flush=True)\n"
    )
    writer = run_python(code, str(tmp_path / "corpus"))
    acknowledged = {point_id for _ in range(20) for point_id in writer.stdout.readline().split()}
    os.kill(writer.pid, signal.SIGKILL)
    rest, _ = writer.communicate()
    acknowledged |= {
        point_id for line in rest.splitlines(keepends=True) if line.endswith("\n") for point_id in line.split()
    }
    with open_store("embedded", tmp_path) as store:
        assert acknowledged <= {node.node_id for node in store.get_nodes(with_vectors=False)}
        assert len(acknowledged) >= 200


def test_threads_may_add_and_ask_at_the_same_time(tmp_path):
    with open_store("embedded", tmp_path) as store:

        def work(number: int) -> None:
            for _ in range(5):
                store.add(random_nodes(random.Random(number), 20))
                store.candidates({"text": np.ones(DIM), "lexical": "moon"}, depth=5)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert store.count() == 80


@pytest.fixture
def refusing_server() -> Iterator[tuple[str, list[int]]]:
    statuses = [401]

    class Refusing(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(statuses[0])
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *arguments) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", statuses
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize(
    ("status", "error"), [(401, StoreUnauthorized), (403, StoreUnauthorized), (500, StoreError), (404, StoreError)]
)
def test_a_server_that_refuses_is_named_with_its_url_and_never_with_the_key(refusing_server, status, error):
    url, statuses = refusing_server
    statuses[0] = status
    with pytest.raises(error, match=url) as told:
        NamedVectorStore.open(url=url, api_key="s3cret", fingerprint=PRINT)
    assert "s3cret" not in str(told.value)
    assert str(status) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_server_that_is_no_qdrant_is_told_so(refusing_server):
    url, statuses = refusing_server
    statuses[0] = 200
    with pytest.raises(StoreError, match="not as a Qdrant server"):
        NamedVectorStore.open(url=url, fingerprint=PRINT)


def test_a_port_where_nobody_listens_is_an_unreachable_store_in_one_line():
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"http://user:s3cret@127.0.0.1:{server.server_port}"
    server.server_close()
    with pytest.raises(StoreUnreachable, match=r"127\.0\.0\.1") as told:
        NamedVectorStore.open(url=url, fingerprint=PRINT)
    assert "s3cret" not in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["embedded", *(["server"] if SERVER else [])])
def test_another_encoder_or_dimension_is_refused_and_both_are_named(kind, tmp_path):
    store = open_store(kind, tmp_path)
    name = store.collection_name
    where = {"url": SERVER} if kind == "server" else {"path": tmp_path / "corpus"}
    if kind == "embedded":
        store.close()
    others = [Fingerprint("other", "1" * 64, DIM, "none"), Fingerprint("double", "0" * 64, 8, "none")]
    for other in others:
        with pytest.raises(EncoderMismatch) as told:
            NamedVectorStore.open(**where, collection=name, fingerprint=other)
        assert str(other) in str(told.value)
        assert str(PRINT) in str(told.value)
    with pytest.raises(EncoderMismatch, match=r"with cropped.*with none"):
        NamedVectorStore.open(**where, collection=name, fingerprint=Fingerprint("double", "0" * 64, DIM, "cropped"))
    renamed = Fingerprint("a/folder", "0" * 64, DIM, "none")
    NamedVectorStore.open(**where, collection=name, fingerprint=renamed).close()
    if kind == "server":
        drop(store)


def test_a_collection_without_manifest_is_refused_unless_it_is_empty_and_fits(tmp_path):
    folder = tmp_path / "corpus"
    vectors = {leg: models.VectorParams(size=DIM, distance=models.Distance.COSINE) for leg in LEGS[:3]}
    sparse = {"lexical": models.SparseVectorParams(modifier=models.Modifier.IDF)}
    with EdgeClient(folder) as client:
        client.create_collection("triptych", vectors, sparse)
        client.create_collection("small", {"text": vectors["text"]})
        client.create_collection("foreign", vectors, sparse)
        client.upsert("foreign", [models.PointStruct(id=1, vector={}, payload={})])
    with open_store("embedded", tmp_path) as store:
        assert store.count() == 0
    with pytest.raises(StoreError, match="vectors"):
        NamedVectorStore.open(path=folder, collection="small", fingerprint=PRINT)
    with pytest.raises(StoreError, match="no manifest"):
        NamedVectorStore.open(path=folder, collection="foreign", fingerprint=PRINT)


def test_opening_what_is_not_there_without_an_encoder_says_so(tmp_path):
    with pytest.raises(StoreError, match="there is no collection"):
        NamedVectorStore.open(path=tmp_path)
    with pytest.raises(StoreError, match="there is no collection"):
        NamedVectorStore.open(path=tmp_path, fingerprint=PRINT, create=False)
    with pytest.raises(StoreError, match="one of the two"):
        NamedVectorStore.open(fingerprint=PRINT)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no rights to take away")
def test_a_corpus_that_may_not_be_written_is_told_with_what_to_do():
    with TemporaryDirectory() as name:
        folder, me = Path(name), os.geteuid()
        folder.chmod(0o755)
        NamedVectorStore.open(path=folder / "qdrant", collection="c", fingerprint=PRINT).close()
        for path in folder.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            if me == 0:
                os.seteuid(65534)
            with pytest.raises(StoreError, match="let this user write there"):
                NamedVectorStore.open(path=folder / "qdrant", collection="c")
        finally:
            os.seteuid(me)
            for path in folder.rglob("*"):
                path.chmod(0o755)
