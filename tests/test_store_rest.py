"""The server engine speaks the REST interface that qdrant-client documents.

There is no Qdrant server here, so a loopback one answers each route the store uses from `QdrantClient(":memory:")`. It
proves what the store sends and reads; what a real server makes of it is proved with TRIPTYCH_TEST_QDRANT_URL.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import ImageNode, NodeRelationship, RelatedNodeInfo, TextNode
from qdrant_client import QdrantClient
from qdrant_client.http import models as rest

from rag.errors import EncoderMismatch, StoreUnauthorized
from rag.schema import PAYLOAD_TYPES, Fingerprint
from rag.store import NamedVectorStore, parse_filter

DIM = 8
PRINT = Fingerprint("double", "0" * 64, DIM, "none")
KEY = "s3cret"


class Rest:
    """The routes of a collection, answered by a client in memory."""

    def __init__(self) -> None:
        self.client, self.lock = QdrantClient(":memory:"), threading.Lock()
        self.indexed: dict[str, str] = {}
        self.batches: list[dict[str, Any]] = []

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        _, _, name, *rest_of_path = path.split("/")
        with self.lock:
            return getattr(self, "_".join([method.lower(), *rest_of_path[:3]]))(name, body, rest_of_path)

    def get_exists(self, name, body, path):
        return {"exists": self.client.collection_exists(name)}

    def put(self, name, body, path):
        made = rest.CreateCollection.model_validate(body)
        return self.client.create_collection(
            name, vectors_config=made.vectors, sparse_vectors_config=made.sparse_vectors
        )

    def get(self, name, body, path):
        info = self.client.get_collection(name).model_dump(mode="json")
        info["payload_schema"] = {key: {"data_type": kind, "points": 0} for key, kind in self.indexed.items()}
        return info

    def put_points(self, name, body, path):
        return self.client.upsert(name, rest.PointsList.model_validate(body).points)

    def post_points(self, name, body, path):
        asked = rest.PointRequest.model_validate(body)
        return self.client.retrieve(name, asked.ids, with_payload=asked.with_payload, with_vectors=asked.with_vector)

    def post_points_count(self, name, body, path):
        return self.client.count(name, count_filter=rest.CountRequest.model_validate(body).filter)

    def post_points_scroll(self, name, body, path):
        asked = rest.ScrollRequest.model_validate(body)
        points, following = self.client.scroll(
            name,
            scroll_filter=asked.filter,
            limit=asked.limit,
            offset=asked.offset,
            with_payload=asked.with_payload,
            with_vectors=asked.with_vector,
        )
        return {"points": [point.model_dump(mode="json") for point in points], "next_page_offset": following}

    def post_points_query_batch(self, name, body, path):
        self.batches.append(body)
        return self.client.query_batch_points(name, rest.QueryRequestBatch.model_validate(body).searches)

    def post_points_delete(self, name, body, path):
        kind = rest.FilterSelector if "filter" in body else rest.PointIdsList
        return self.client.delete(name, kind.model_validate(body))

    def post_points_payload(self, name, body, path):
        asked = rest.SetPayload.model_validate(body)
        return self.client.set_payload(name, asked.payload, points=asked.points, key=asked.key)

    def put_points_vectors(self, name, body, path):
        return self.client.update_vectors(name, rest.UpdateVectors.model_validate(body).points)

    def put_index(self, name, body, path):
        asked = rest.CreateFieldIndex.model_validate(body)
        self.indexed[asked.field_name] = asked.field_schema.value
        return {"operation_id": 0, "status": "completed"}

    def delete_index(self, name, body, path):
        return {"operation_id": 0, "status": "completed"}


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


@pytest.fixture
def server() -> Iterator[tuple[str, Rest]]:
    routes = Rest()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            if self.headers.get("api-key") != KEY:
                status, said = 401, {"status": {"error": "Unauthorized"}}
            else:
                result = plain(routes.answer(self.command, self.path.split("?")[0], body))
                status, said = 200, {"result": result, "status": "ok", "time": 0.0}
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *arguments) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}", routes
    listening.shutdown()
    thread.join()
    listening.server_close()


pytestmark = [
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]


def nodes() -> list[Any]:
    numbers = np.random.default_rng(6)
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="doc")}
    made: list[Any] = []
    for number in range(1, 40):
        common = {
            "id_": str(uuid.UUID(int=number)),
            "text": ["moon light", "tree", ""][number % 3],
            "embedding": numbers.normal(size=DIM).tolist(),
            "metadata": {"source": f"{number % 4}.md", "page": number, "my key": number % 2 == 0},
            "relationships": source,
        }
        made.append(ImageNode(**common, image_path="a.png") if number % 5 == 0 else TextNode(**common))
    return made


def test_over_rest_the_store_gives_what_it_gives_in_memory(server):
    url, routes = server
    question = {leg: np.random.default_rng(8).normal(size=DIM) for leg in ("image", "caption", "text")}
    expr = parse_filter('page >= 3 and ("my key" = true or modality = image)')
    with (
        NamedVectorStore.open(url=url, api_key=KEY, fingerprint=PRINT) as remote,
        NamedVectorStore.open(url=":memory:", fingerprint=PRINT) as local,
    ):
        for store in (remote, local):
            store.add(nodes())
            store.delete_nodes(filters=parse_filter("page = 7"))
            store.add_captions([ImageNode(id_=str(uuid.UUID(int=5)), text="a lamp", text_embedding=[1.0] * DIM)])
            store.set_statistics({"text": {"n": 1}})
        for depth in (3, 100):
            one, other = (
                store.candidates({**question, "lexical": "moons"}, depth=depth, filters=expr)
                for store in (remote, local)
            )
            assert one.ranked == other.ranked
            assert {leg: dict(scores) for leg, scores in one.scores.items()} == {
                leg: pytest.approx(dict(scores), abs=1e-6) for leg, scores in other.scores.items()
            }
        dumped = [[node.model_dump() for node in store.get_nodes(with_vectors=False)] for store in (remote, local)]
        assert dumped[0] == dumped[1]
        assert remote.counts() == local.counts()
        assert remote.sources() == local.sources()
        assert remote.refresh().statistics == {"text": {"n": 1}}
        assert remote.delete_source("1.md") == local.delete_source("1.md") > 0
        remote.clear()
        assert remote.count() == 0
    assert routes.indexed == {**PAYLOAD_TYPES, '"my key"': "bool"}


def test_over_rest_all_legs_go_in_one_request_with_exactness_and_live_idf(server):
    url, routes = server
    with NamedVectorStore.open(url=url, api_key=KEY, fingerprint=PRINT) as store:
        store.add(nodes())
        store.candidates({"text": np.ones(DIM), "image": np.ones(DIM), "lexical": "moon"})
    (batch,) = routes.batches
    assert [search["using"] for search in batch["searches"]] == ["text", "image", "lexical"]
    assert batch["searches"][0]["params"]["exact"] is True
    assert batch["searches"][2]["params"]["idf"]["corpus"]["must"] == [{"has_vector": "lexical"}]


def test_over_rest_the_manifest_guards_the_encoder_and_the_key_is_sent(server):
    url, _ = server
    NamedVectorStore.open(url=url, api_key=KEY, fingerprint=PRINT).close()
    with pytest.raises(EncoderMismatch):
        NamedVectorStore.open(url=url, api_key=KEY, fingerprint=Fingerprint("other", "1" * 64, DIM, "none"))
    with pytest.raises(StoreUnauthorized, match=url):
        NamedVectorStore.open(url=url, api_key="wrong", fingerprint=PRINT)


def test_a_field_that_another_writer_added_can_be_filtered_on(server):
    url, _ = server
    with (
        NamedVectorStore.open(url=url, api_key=KEY, fingerprint=PRINT) as reader,
        NamedVectorStore.open(url=url, api_key=KEY, fingerprint=PRINT) as writer,
    ):
        writer.add([TextNode(text="moon", embedding=[1.0] * DIM, metadata={"hue": "red"})])
        reader.add([TextNode(text="moon", embedding=[1.0] * DIM, metadata={"size": 1})])
        assert len(reader.get_nodes(filters=parse_filter("hue = red"))) == 1
        assert {"hue", "size"} <= writer.refresh().fields.keys()
