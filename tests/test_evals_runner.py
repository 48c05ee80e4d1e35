"""A run is repeatable from its record, reuses index and vectors, and measures its slices."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from evals.cache import FILE
from evals.indexing import row_id
from evals.record import RunRecord
from evals.runner import evaluate, score_run
from evals.schema import Row
from rag.cli import cli
from rag.encoders.fake import fake_encoder
from rag.errors import InputError

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "colours"
    (root / "images").mkdir(parents=True)
    rows, queries, judged = [], [], []
    for number, name in enumerate(COLOURS):
        Image.new("RGB", (32, 32), name).save(root / "images" / f"{name}.png")
        rows.append({"id": f"p:{name}", "kind": "image", "image": f"images/{name}.png", "caption": f"{name} thing"})
        rows.append(
            {"id": f"t:{name}", "kind": "text", "text": f"{name} word", "level": number % 2, "tags": [name, "all"]}
        )
        queries.append({"id": f"w:{name}", "type": "words", "query": f"{name} word", "hard": number > 1})
        queries.append({"id": f"s:{name}", "type": "shown", "image": f"images/{name}.png"})
        judged += [f"w:{name}\t0\tt:{name}\t1", f"s:{name}\t0\tp:{name}\t2", f"s:{name}\t0\tt:{name}\t1"]
    (root / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (root / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (root / "qrels.tsv").write_text("\n".join(judged))
    (root / "dataset.toml").write_text(
        'name = "colours"\n[tasks.all]\nmetadata = ["level"]\n[tasks.words]\nqueries = ["words"]\nkinds = ["text"]\n'
    )
    return root


def ran(folder, task="all", **options):
    return evaluate(folder, task, encoder=fake_encoder(), **{"k": 10, **options})


def test_the_record_holds_the_run_whole(folder, tmp_path):
    result = ran(folder, corpus=tmp_path / "index", sample=6, seed=5)
    record = result.to_record()
    record.save(tmp_path / "run.json")
    assert RunRecord.load(tmp_path / "run.json") == record
    assert len(record.queries) == len(record.scores) == len(record.ranking) == len(record.qrels) == 6
    assert {query.image for query in record.queries if query.type == "shown"} <= {f"images/{c}.png" for c in COLOURS}
    assert all(len(hits) == 8 for hits in record.ranking.values())
    assert all(
        hits == tuple(sorted(hits, key=lambda hit: (hit[1], hit[0]), reverse=True)) for hits in record.ranking.values()
    )
    settings = record.settings
    assert settings["encoder_digest"] == fake_encoder().fingerprint.digest
    assert settings["weights"] == dict.fromkeys(("image", "caption", "text", "lexical"), 1.0)
    assert (settings["sample"], settings["seed"], settings["k"], settings["depth"]) == (6, 5, 10, 50)
    assert {"python", "llama-index-core", "qdrant-client", "qdrant-edge", "onnxruntime"} <= set(settings["versions"])
    assert 0 < record.seconds["p50"] <= record.seconds["p95"]
    assert record.index["points"] == 8
    assert record.index["bytes"] > 0
    assert record.created_at.endswith("+00:00")


def test_the_same_settings_give_the_same_ranking(folder, tmp_path):
    first, second = (ran(folder, corpus=tmp_path / name, sample=5, seed=2) for name in ("a", "b"))
    assert (first.ranking, first.scores) == (second.ranking, second.scores)
    assert first.data.digest == second.data.digest


def test_a_second_run_with_other_fusion_encodes_nothing(folder, tmp_path):
    first = ran(folder, corpus=tmp_path / "index")
    second = ran(folder, corpus=tmp_path / "index", fusion="rrf")
    assert first.index["rows_encoded"] == 12
    assert [second.index[name] for name in ("rows_encoded", "queries_encoded")] == [0, 0]
    assert second.settings["fusion"] == "rrf"


def test_another_task_finds_the_vectors_of_the_first(folder, tmp_path):
    ran(folder, corpus=tmp_path / "a", cache=tmp_path / "kept")
    other = ran(folder, "words", corpus=tmp_path / "b", cache=tmp_path / "kept")
    assert other.index["rows_encoded"] == other.index["queries_encoded"] == 0
    assert other.index["rows_reused"] == 4
    assert other.index["queries_reused"] == 4


def test_a_damaged_cache_changes_nothing(folder, tmp_path):
    first = ran(folder, corpus=tmp_path / "index")
    (tmp_path / "index" / "embeddings" / FILE).write_bytes(b"rubbish" * 1000)
    assert ran(folder, corpus=tmp_path / "index").ranking == first.ranking


def test_a_changed_picture_or_field_is_another_point(folder):
    image = folder / "images" / "red.png"
    row = Row("r", "image", "", image, {"level": 1})
    before = row_id(row)
    assert row_id(Row("r", "image", "", image, {"level": 2})) != before
    image.write_bytes(image.read_bytes() + b"\0")
    assert row_id(row) != before


def test_slices_by_type_by_modality_and_by_fields_of_queries_and_rows(folder):
    result = ran(folder, by=("hard", "tags", "level"))
    assert {name.split("=")[0] for name in result.slices} == {"type", "modality", "hard", "tags", "level"}
    assert {name for name in result.slices if name.startswith("modality")} == {"modality=both", "modality=text"}
    assert {name for name in result.slices if name.startswith("hard")} == {"hard=(none)", "hard=False", "hard=True"}
    assert {"tags=all", "tags=red", "level=0", "level=1"} <= set(result.slices)
    assert result.slices["tags=all"] == pytest.approx(result.metrics)
    of_words = [values["nDCG@10"] for query, values in result.scores.items() if query.startswith("w:")]
    assert result.slices["type=words"]["nDCG@10"] == pytest.approx(sum(of_words) / 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": ["nothing"]}, "hard, level, tags"),
        ({"measure": "R@100"}, "give -k 100"),
        ({"measure": "F1"}, "unknown measure"),
        ({"sample": -1}, "1 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_work(folder, tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        ran(folder, corpus=tmp_path / "index", **options)
    assert not (tmp_path / "index").exists()


def test_measures_are_those_asked_for_and_the_contracts_where_none_are(folder):
    assert list(ran(folder).metrics)[:5] == ["nDCG@10", "R@10", "hit@1", "hit@10", "RR@10"]
    assert list(ran(folder, measure="recall@1,Judged@5").metrics) == ["R@1", "Judged@5"]


def test_our_own_run_file_scored_as_anothers_has_the_same_scores(folder, tmp_path):
    result = ran(folder)
    result.write(tmp_path / "run")
    with (tmp_path / "run").open("a") as file:
        file.write("q:nobody Q0 t:red 1 1.0 other\n")
    again = score_run(folder, tmp_path / "run", "all")
    assert again.scores == result.scores
    assert again.settings["ignored_queries"] == 1
    arguments = ["eval", "score", folder, tmp_path / "run", "--task", "all", "--json", "--record", tmp_path / "r.json"]
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert json.loads(done.stdout)["metrics"] == pytest.approx(dict(result.metrics))
    assert RunRecord.load(tmp_path / "r.json").scores == result.scores


def test_a_run_that_answers_no_query_of_the_task_is_refused(folder, tmp_path):
    (tmp_path / "run").write_text("q:nobody Q0 t:red 1 1.0 other\n")
    with pytest.raises(InputError, match="answers no query"):
        score_run(folder, tmp_path / "run", "all")


def test_eval_run_writes_a_record_and_prints_the_contract(folder, tmp_path):
    arguments = ["eval", "run", folder, "--task", "words", "--json", "--record", tmp_path / "run.json", "--sample", "3",
                 "--measures", "P@5,AP", "--slice", "hard", "--depth", "20",
                 "--depths", "image=3", "--cache", tmp_path / "kept"]  # fmt: skip
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert set(printed) == {"dataset", "task", "queries", "metrics", "slices", "seconds", "settings"}
    record = RunRecord.load(tmp_path / "run.json")
    assert (printed["queries"], list(printed["metrics"])) == (3, ["P@5", "AP"])
    assert record.metrics == printed["metrics"]
    assert (record.settings["depth"], record.settings["depths"], record.settings["sample"]) == (20, {"image": 3}, 3)
    assert (tmp_path / "kept" / FILE).is_file()


def test_a_query_whose_picture_cannot_be_opened_counts_as_zero_and_is_told(folder):
    (folder / "images" / "query.png").write_bytes(b"no picture")
    queries = (folder / "queries.jsonl").read_text().replace("images/red.png", "images/query.png")
    (folder / "queries.jsonl").write_text(queries)
    result = ran(folder)
    assert result.settings["unopened_queries"] == 1
    assert set(result.scores["s:red"].values()) == {0.0}
    done = CliRunner().invoke(cli, ["eval", "run", str(folder), "--task", "all"])
    assert done.exit_code == 0, done.output
    assert "1 queries have pictures that cannot be opened" in done.stderr
    assert "ms (median)" in done.stdout
