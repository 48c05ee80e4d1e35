"""Tuning searches on one half of the queries, tells what it is worth on the other, and writes what a corpus loads."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.datasets import load
from evals.indexing import index
from evals.metrics import per_query
from evals.offline import DEFAULT, Collected, Setting, Table, collect, rank
from evals.tune import search, split, tune, tune_lines
from rag.cli import cli
from rag.corpus import Corpus
from rag.errors import InputError
from rag.fusion import NORMALIZERS
from rag.schema import LEGS
from rag.settings import Settings

WORDS = ["red", "green", "blue", "tide", "star", "moon", "cell", "bone", "leaf", "salt"]


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    rows = [{"id": f"t{n}", "kind": "text", "text": f"the {word} {WORDS[n - 1]} of it"} for n, word in enumerate(WORDS)]
    queries = [{"id": f"q{n}", "type": f"type{n % 2}", "query": f"{word} thing"} for n, word in enumerate(WORDS)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels.tsv").write_text("".join(f"q{n}\t0\tt{n}\t1\n" for n in range(len(WORDS))))
    return folder


def collected(seed, rows=30, query="q", kind="", useful=None):
    """A query whose relevant row is r0; the leg `useful` puts it first, the others score at random, with ties."""
    generator = np.random.default_rng(seed)
    raw = generator.integers(0, 8, (rows, len(LEGS))) / 8.0
    raw[generator.random(raw.shape) < 0.2] = np.nan
    if useful is not None:
        raw[0, useful] = 2.0
    ranks = np.zeros(raw.shape, dtype=np.int64)
    for leg in range(len(LEGS)):
        held = np.flatnonzero(~np.isnan(raw[:, leg]))
        ranks[held[np.argsort(-raw[held, leg], kind="stable")], leg] = 1 + np.arange(len(held))
    return Collected(query, kind, tuple(f"r{n}" for n in range(rows)), np.zeros(rows, dtype=bool), raw, ranks, None)


SETTINGS = st.builds(
    Setting,
    weights=st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 3.0])] * 4).filter(any),
    fusion=st.sampled_from(sorted(NORMALIZERS)),
    depth=st.sampled_from([1, 3, 10, 50]),
)


@settings(max_examples=60)
@given(SETTINGS, st.lists(st.integers(0, 1000), min_size=1, max_size=4, unique=True), st.integers(0, 3))
def test_the_quick_measure_is_that_of_the_library(setting, seeds, grade):
    queries = [collected(seed, rows=5 + seed % 30, query=f"q{seed}") for seed in seeds]
    qrels = {one.query: {"r0": 1, "r2": grade, "r4": 2, "elsewhere": 1} for one in queries}
    scores = per_query(qrels, {one.query: rank(one, setting) for one in queries})
    expected = [scores[one.query]["nDCG@10"] for one in queries]
    assert Table(queries, qrels).ndcg(setting) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "given",
    [{}, {"text": 0.0}, {"lexical": 3.0, "image": 0.0}, {"text": 1, "image": 0, "caption": 0, "lexical": 0}],
    ids=str,
)
def test_an_offline_ranking_is_the_one_the_retriever_makes(dataset, tmp_path, given):
    read = load(dataset)
    with Corpus.open(tmp_path / "index", encoder="bundled", settings=Settings(depth=4)) as corpus:
        index(read, corpus)
        for fusion in ("zscore", "rrf"):
            for query, one in zip(read.queries, collect(read, corpus, depth=9), strict=True):
                hits = corpus.search(query.text, k=4, weights=given, fusion=fusion)
                offline = rank(one, Setting.of(given, fusion, 4), k=4)
                assert list(offline) == [hit.metadata["row"] for hit in hits]
                assert list(offline.values()) == pytest.approx([hit.score for hit in hits], abs=1e-5)


def test_the_search_finds_the_leg_that_is_right():
    queries = [collected(seed, query=f"q{seed}", useful=2) for seed in range(12)]
    table = Table(queries, {one.query: {"r0": 1} for one in queries})
    found, tried = search(table, seed=1)
    assert table.ndcg(DEFAULT).mean() < 0.9 < table.ndcg(found).mean()
    assert found.weights[2] == max(found.weights)
    assert 1 < tried <= 600
    assert search(table, seed=1) == (found, tried)


def test_trials_bound_the_settings_that_are_tried():
    queries = [collected(seed, query=f"q{seed}") for seed in range(4)]
    assert search(Table(queries, {one.query: {"r0": 1} for one in queries}), trials=7)[1] == 7


def test_where_nothing_is_better_the_default_stays():
    queries = [collected(seed, query=f"q{seed}") for seed in range(4)]
    found, _ = search(Table(queries, {one.query: {"nowhere": 1} for one in queries}))
    assert found == DEFAULT


def test_the_split_halves_every_type_and_repeats_with_its_seed():
    queries = [collected(0, query=f"q{n}", kind=f"type{n % 3}") for n in range(20)]
    train, held_out = split(queries, seed=3)
    assert {one.query for one in train} | {one.query for one in held_out} == {one.query for one in queries}
    assert len(train) == len(held_out) == 10
    for kind in ("type0", "type1", "type2"):
        assert abs(sum(one.type == kind for one in train) - sum(one.type == kind for one in held_out)) <= 1
    assert [one.query for one in split(queries, seed=3)[0]] == [one.query for one in train]
    assert [one.query for one in split(queries, seed=4)[0]] != [one.query for one in train]
    with pytest.raises(InputError, match="4 or more"):
        split(queries[:3])


def test_what_tune_writes_is_what_the_corpus_loads(dataset, tmp_path):
    read, folder = load(dataset), tmp_path / "index"
    with Corpus.open(folder, encoder="bundled") as corpus:
        index(read, corpus)
        result = tune(read, corpus, trials=40)
    result.write(folder / "triptych.toml")
    with Corpus.open(folder) as corpus:
        assert corpus.settings.depth == result.setting.depth
        assert corpus.settings.fusion == result.setting.fusion
        assert tuple(corpus.settings.weights[leg] for leg in LEGS) == result.setting.weights
    assert result.held_out["queries"] + result.train["queries"] == len(WORDS)
    assert result.held_out["low"] <= result.held_out["difference"] <= result.held_out["high"]
    assert result.verdict in "\n".join(tune_lines(result))
    assert f"default {result.held_out['default']:.4f}" in result.to_toml()


def test_the_command_prints_json_and_says_what_a_gain_is_worth(dataset, tmp_path):
    arguments = ["eval", "tune", dataset, "--corpus", tmp_path / "index", "--encoder", "bundled", "--trials", 20]
    written = tmp_path / "tuned.toml"
    done = CliRunner().invoke(cli, [str(word) for word in [*arguments, "--json", "--write", written]])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert {"settings", "default", "train", "held_out", "significant", "verdict", "trials", "seed"} <= set(result)
    assert result["trials"] <= 20
    assert result["verdict"] in done.stderr
    assert written.read_text().count("depth = ") == 1
