"""The peers rank the same rows with the same vectors, and are told apart by a corrected test."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evals.datasets import load
from evals.indexing import index
from evals.llama_index_peer import LlamaIndexPeer
from evals.offline import Collected
from evals.peers import OURS, compare, in_order, peers_lines, peers_markdown, variants
from rag.cli import cli
from rag.corpus import Corpus
from rag.errors import InputError

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers") / "colours"
    (folder / "images").mkdir(parents=True)
    rows = []
    for name, colour in COLOURS.items():
        Image.new("RGB", (64, 64), colour).save(folder / "images" / f"{name}.png")
        rows.append({"id": f"p:{name}", "kind": "image", "image": f"images/{name}.png", "caption": f"a {name} square"})
        rows.append({"id": f"t:{name}", "kind": "text", "text": f"The word for this colour is {name}."})
    queries = [{"id": f"w:{name}", "type": "words", "query": f"{name} square"} for name in COLOURS]
    queries += [{"id": f"s:{name}", "type": "seen", "query": "", "image": f"images/{name}.png"} for name in COLOURS]
    queries += [{"id": "f", "type": "filtered", "query": "red", "filter": "modality = image"}]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    judged = [(f"{kind}:{name}", f"p:{name}") for name in COLOURS for kind in "ws"] + [("f", "p:red")]
    (folder / "qrels.tsv").write_text("".join(f"{query}\t0\t{row}\t1\n" for query, row in judged))
    (folder / "dataset.toml").write_text(
        '[tasks.mixed]\nqueries = ["words", "seen"]\n'
        '[tasks.bare]\nqueries = ["words"]\nkinds = ["image"]\ncaption = []\n'
        '[tasks.filtered]\nqueries = ["filtered"]\n'
    )
    return folder


@pytest.fixture(scope="module")
def corpus(dataset, tmp_path_factory):
    with Corpus.open(tmp_path_factory.mktemp("index"), encoder="bundled") as opened:
        index(load(dataset, "mixed"), opened)
        yield opened


def test_our_variants_by_hand():
    nan = np.nan
    # Columns image, caption, text, lexical: two pictures, two passages.
    raw = np.array([[0.3, 0.6, nan, 2.0], [0.2, 0.7, nan, 0.0], [nan, nan, 0.8, 1.0], [nan, nan, 0.5, 0.0]])
    ranks = np.array([[1, 2, 0, 1], [2, 1, 0, 0], [0, 0, 1, 2], [0, 0, 2, 0]])
    one = Collected("q", "", ("p1", "p2", "t1", "t2"), np.array([True, True, False, False]), raw, ranks, None)
    orders = {name: list(ranking) for name, ranking in variants(one).items()}
    assert orders["BM25 (lexical leg alone)"] == ["p1", "t1"]
    assert orders["image leg alone"] == ["p1", "p2"]
    assert orders["caption leg alone"] == ["p2", "p1"]
    assert orders["concatenation: 5 passages, then 5 pictures"] == ["t1", "t2", "p1", "p2"]
    assert orders["one list by raw cosine (best leg)"] == ["t1", "p2", "p1", "t2"]
    assert orders["sum of raw cosines"] == ["p1", "p2", "t1", "t2"]
    rrf = variants(one)["RRF(60) over the legs"]
    assert rrf == pytest.approx({"p1": 2 / 61 + 1 / 62, "p2": 1 / 61 + 1 / 62, "t1": 1 / 61 + 1 / 62, "t2": 1 / 62})


def test_a_row_that_two_stores_find_keeps_its_first_place():
    assert in_order(["a", "b", "a"]) == {"a": 0.0, "b": -1.0}


def test_llama_index_ranks_by_the_cosines_that_our_legs_have(dataset, corpus):
    peer = LlamaIndexPeer(corpus)
    vector = corpus.encoder.encode_texts(["red square"])[0]
    texts, pictures = peer.retrieve(vector)
    assert set(texts) == {row.id for row in load(dataset, "mixed").rows}
    legs = {hit.metadata["row"]: hit.legs for hit in corpus.search("red square", k=6)}
    cosine = {row: (legs[row].get("caption") or legs[row]["text"]).raw for row in legs}
    assert texts == sorted(cosine, key=lambda row: -cosine[row])
    assert pictures == sorted((row for row in legs if "image" in legs[row]), key=lambda row: -legs[row]["image"].raw)


def test_nothing_is_encoded_for_the_peer_but_pictures_that_ask(corpus, monkeypatch):
    vector = corpus.encoder.encode_texts(["red square"])[0]

    def refuse(*_):
        raise AssertionError("encoded twice")

    monkeypatch.setattr(type(corpus.encoder), "encode_texts", refuse)
    monkeypatch.setattr(type(corpus.encoder), "encode_images", refuse)
    assert LlamaIndexPeer(corpus).retrieve(vector)[1]


def test_all_systems_are_compared_with_the_default_in_one_run(dataset, corpus):
    result = compare(load(dataset, "mixed"), corpus)
    names = [system.name for system in result.systems]
    assert names[0] == OURS
    assert len(names) == 14
    assert {"llama-index-core", "python"} <= set(result.versions)
    for system in result.systems:
        assert set(result.rankings[system.name]) == {f"{kind}:{name}" for name in COLOURS for kind in "ws"}
        assert system.low <= system.difference <= system.high
        assert 0 < system.p <= 1
        assert set(system.by_type) == {"words", "seen"}
    assert result.systems[0].difference == 0.0
    assert len(peers_lines(result)) == 16
    assert peers_markdown(result).count("\n| ") == 16


def test_pictures_without_words_are_in_the_peers_index(dataset, tmp_path):
    with Corpus.open(tmp_path / "bare", encoder="bundled") as bare:
        read = load(dataset, "bare")
        index(read, bare)
        result = compare(read, bare)
    metrics = {system.name: system.metrics["nDCG@10"] for system in result.systems}
    assert metrics["LlamaIndex MultiModalVectorStoreIndex, top 10 of each store"] == metrics["image leg alone"] > 0


def test_a_task_with_filters_is_refused(dataset, corpus):
    with pytest.raises(InputError, match="filters"):
        compare(load(dataset, "filtered"), corpus)


def test_the_command_prints_a_table_and_writes_markdown(dataset, tmp_path):
    table = tmp_path / "table.md"
    arguments = ["eval", "peers", dataset, "--task", "mixed", "--encoder", "bundled", "--markdown", table]
    done = CliRunner().invoke(cli, [str(word) for word in arguments])
    assert done.exit_code == 0, done.output
    assert OURS in done.stdout
    assert table.read_text().startswith("colours, task `mixed`, 6 queries")
