"""Evaluation reads dataset folders, indexes only what a task names, and measures as trec_eval does."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evals.datasets import load
from evals.metrics import MEASURES, aggregate, per_query
from rag.cli import cli
from rag.errors import InputError


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "colours"
    (folder / "images").mkdir(parents=True)
    rows = []
    for name, colour in {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}.items():
        Image.new("RGB", (64, 64), colour).save(folder / "images" / f"{name}.png")
        rows.append({"id": f"p:{name}", "kind": "image", "image": f"images/{name}.png", "caption": f"a {name} square",
                     "alt": "never to be indexed"})  # fmt: skip
        rows.append({"id": f"t:{name}", "kind": "text", "text": f"The word for this colour is {name}.", "level": 1})
    queries = [{"id": f"q:{name}", "type": "colour", "query": f"{name} square"} for name in ("red", "green", "blue")]
    queries += [{"id": "q:none", "type": "colour", "query": "purple"}, {"id": "q:other", "type": "other", "query": "x"}]
    queries += [{"id": "q:link", "type": "colour", "query": "watch this", "needs_external_link": True}]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    judged = [
        ("q:red", "p:red"),
        ("q:green", "p:green"),
        ("q:blue", "p:blue"),
        ("q:link", "p:red"),
        ("q:other", "t:red"),
    ]
    (folder / "qrels.tsv").write_text("".join(f"{query}\t0\t{document}\t1\n" for query, document in judged))
    (folder / "dataset.toml").write_text(
        'name = "colours"\n[tasks.words]\nqueries = ["colour"]\nkinds = ["image"]\ncaption = ["caption"]\n'
        '[tasks.picture]\nqueries = ["colour"]\nkinds = ["image"]\ncaption = []\n'
        '[tasks.mixed]\nqueries = ["colour", "other"]\n'
    )
    return folder


def test_a_task_takes_only_the_queries_and_fields_it_names(dataset):
    words = load(dataset, "words")
    assert [query.id for query in words.queries] == ["q:red", "q:green", "q:blue"]
    assert [row.text for row in words.rows] == ["a red square", "a green square", "a blue square"]
    assert {row.text for row in load(dataset, "picture").rows} == {""}
    assert len(load(dataset, "mixed").rows) == 6


def test_a_beir_folder_is_read(tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "title": "Tides", "text": "The sea rises."}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "sea"}\n')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\n")
    beir = load(tmp_path)
    assert beir.rows[0].text == "Tides The sea rises."
    assert beir.qrels == {"q1": {"d1": 2}}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("dataset.toml", "[tasks.words]\ncolour = ['x']\n", "queries, kinds"),
        ("corpus.jsonl", "{no json}", "line 1"),
        ("queries.jsonl", '{"query": "no id"}', "no id"),
        ("qrels.tsv", "one two\n", "query, 0, document, relevance"),
        ("qrels.tsv", "", "no query with a relevant document"),
        ("corpus.jsonl", '{"id": "p", "kind": "image", "image": "gone.png"}', "gone.png"),
    ],
)
def test_a_broken_dataset_is_refused_in_one_line(dataset, file, text, said):
    (dataset / file).write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        load(dataset, "words")
    assert "\n" not in str(caught.value)


def test_an_unknown_task_names_those_there_are(dataset):
    with pytest.raises(InputError, match="words, picture, mixed"):
        load(dataset, "nothing")


def test_measures_worked_out_by_hand():
    qrels = {"q1": {"a": 1, "b": 1}, "q2": {"c": 1}}
    scores = per_query(qrels, {"q1": {"x": 3.0, "a": 2.0, "b": 1.0}}, MEASURES[:5])
    ideal = 1 + 1 / np.log2(3)
    assert scores["q1"] == pytest.approx(
        {"nDCG@10": (1 / np.log2(3) + 1 / 2) / ideal, "R@10": 1, "hit@1": 0, "hit@10": 1, "RR@10": 0.5}
    )
    assert set(scores["q2"].values()) == {0.0}
    assert aggregate(scores)["R@10"] == 0.5


def test_eval_run_prints_what_the_run_file_says(dataset, tmp_path):
    import ir_measures

    arguments = [
        "eval",
        "run",
        dataset,
        "--task",
        "mixed",
        "--encoder",
        "bundled",
        "--corpus",
        tmp_path / "index",
        "--json",
    ]
    arguments += ["--run", tmp_path / "run.trec", "--per-query", tmp_path / "scores.jsonl"]
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert set(result) == {"dataset", "task", "queries", "metrics", "slices", "seconds", "settings"}
    assert result["queries"] == 4
    assert set(result["slices"]) == {"type=colour", "type=other", "modality=image", "modality=text"}
    qrels = list(ir_measures.read_trec_qrels(str(dataset / "qrels.tsv")))
    qrels = [qrel for qrel in qrels if qrel.query_id != "q:link"]
    run = list(ir_measures.read_trec_run(str(tmp_path / "run.trec")))
    by_library = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, run)[ir_measures.nDCG @ 10]
    assert result["metrics"]["nDCG@10"] == pytest.approx(by_library, abs=1e-6)
    per_query_scores = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert np.mean([row["nDCG@10"] for row in per_query_scores]) == pytest.approx(result["metrics"]["nDCG@10"])


def test_a_picture_that_cannot_be_opened_is_found_by_its_words_and_counted(dataset, tmp_path):
    whole = (dataset / "images" / "red.png").read_bytes()
    (dataset / "images" / "red.png").write_bytes(whole[:60])
    arguments = ["eval", "run", str(dataset), "--task", "words", "--json"]
    done = CliRunner().invoke(cli, arguments)
    result = json.loads(done.stdout)
    assert "1 pictures cannot be opened" in done.stderr
    assert result["settings"]["unopened_pictures"] == 1
    assert result["metrics"]["hit@1"] == 1.0


def test_a_second_run_reuses_the_index(dataset, tmp_path):
    from evals.runner import evaluate

    first = evaluate(dataset, "words", corpus=tmp_path / "index", encoder="bundled")
    indexed = []
    again = evaluate(dataset, "words", corpus=tmp_path / "index", progress=lambda done, total: indexed.append(done))
    assert indexed == []
    assert again.metrics == first.metrics
    evaluate(dataset, "mixed", corpus=tmp_path / "index")
    with pytest.raises(InputError, match="choose another folder"):
        evaluate(dataset, "picture", corpus=tmp_path / "index")
