"""Each form of dataset folder is known by its files and read whole; what is wrong with one is counted and named."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from evals.datasets import check, load, tasks
from rag.cli import cli
from rag.errors import InputError

COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255)}


def lines(file, records):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def picture(file, colour="red"):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), COLOURS[colour]).save(file)
    return file


@pytest.fixture
def beir(tmp_path):
    root = tmp_path / "tides"
    lines(root / "corpus.jsonl", [{"_id": "d1", "title": "Tides", "text": "The sea.", "metadata": {"year": 1}},
                                  {"_id": "d 2", "title": "", "text": "The moon."}])  # fmt: skip
    lines(root / "queries.jsonl", [{"_id": "q1", "text": "sea"}, {"_id": "q2", "text": "moon"}])
    (root / "qrels").mkdir()
    (root / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\n")
    (root / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq2\td 2\t1\nq2\td1\t-1\n")
    return root


def test_beir_the_split_is_the_task_and_test_is_the_default(beir):
    assert tasks(beir) == ("dev", "test")
    assert load(beir).qrels == {"q1": {"d1": 2}}
    dev = load(beir, "dev")
    assert [query.id for query in dev.queries] == ["q2"]
    assert [(row.text, row.fields.get("year")) for row in dev.rows] == [("Tides The sea.", 1), ("The moon.", None)]
    assert dev.qrels["q2"] == {"d 2": 1, "d1": -1}


TOPICS = {
    "topics.txt": "<top>\n<num> Number: 1\n<title> high &amp; low\n<desc> Description:\nWhen?\n</top>\n"
    "<top>\n<num> 2 </num>\n<desc> the moon </desc>\n</top>\n",
    "topics.xml": '<topics task="x"><topic number="1"><query>high &amp; low</query><question>When?</question></topic>'
    '<topic number="2"><title>the moon</title></topic></topics>',
    "topics.tsv": "1\thigh & low\n2\tthe moon\n",
    "tides-topics.tsv": "1\thigh & low\n2\tthe moon\n",
}


@pytest.mark.parametrize("name", TOPICS)
def test_trec_topics_are_read_in_each_published_form(tmp_path, name):
    lines(tmp_path / "corpus.jsonl", [{"id": "d1", "text": "The sea."}])
    (tmp_path / name).write_text(TOPICS[name])
    (tmp_path / "qrels.txt").write_text("1 0 d1 1\n2 0 d1 0\n")
    dataset = load(tmp_path)
    assert [(query.id, query.text) for query in dataset.queries] == [("1", "high & low")]
    assert (dataset.qrels, dataset.left_out) == ({"1": {"d1": 1}}, 1)


def test_trec_topics_and_qrels_of_one_name_are_a_task(tmp_path):
    lines(tmp_path / "corpus.jsonl", [{"id": "d1", "text": "The sea."}])
    for name in ("2019", "2020"):
        (tmp_path / f"topics.{name}.tsv").write_text(f"{name}\tsea\n")
        (tmp_path / f"qrels.{name}.txt").write_text(f"{name} 0 d1 1\n")
    assert tasks(tmp_path) == ("2019", "2020")
    assert [query.id for query in load(tmp_path, "2020").queries] == ["2020"]
    with pytest.raises(InputError, match="2019, 2020"):
        load(tmp_path)


def mteb(root, store):
    picture(root / "img" / "red.png")
    passage = {"id": "d1", "modality": "text", "text": "The sea.", "image": None}
    store(root / "corpus" / "test", [passage, {**passage, "id": "d2", "text": "red", "image": "img/red.png"}])
    store(root / "queries" / "test", [{"id": "q1", "text": "a red thing", "image": None}])
    store(root / "qrels" / "test", [{"query-id": "q1", "corpus-id": "d2", "score": 1}])


def check_mteb(root):
    dataset = load(root)
    assert dataset.task.name == "test"
    assert [(row.id, row.modality, row.text) for row in dataset.rows] == [
        ("d1", "text", "The sea."),
        ("d2", "image", "red"),
    ]
    assert dataset.rows[1].image.is_file()
    assert dataset.qrels == {"q1": {"d2": 1}}


def test_mteb_as_json_lines(tmp_path):
    mteb(tmp_path, lambda file, records: lines(file.with_suffix(".jsonl"), records))
    check_mteb(tmp_path)


def test_mteb_as_parquet_with_the_pictures_inside(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    from pyarrow import parquet

    content = picture(tmp_path / "red.png").read_bytes()

    def store(file, records):
        file.parent.mkdir(parents=True, exist_ok=True)
        for record in records:
            if record.get("image"):
                record["image"] = {"bytes": content, "path": "red.png"}
        parquet.write_table(pyarrow.Table.from_pylist(records), f"{file}-00000-of-00001.parquet")

    root = tmp_path / "set"
    mteb(root, store)
    check_mteb(root)
    assert load(root).rows[1].image.read_bytes() == content
    assert load(root).digest == load(root).digest
    (root / "corpus" / "test-00000-of-00001.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="no Parquet file"):
        load(root)


def karpathy(root):
    for name in COLOURS:
        picture(root / "val2014" / f"{name} one.png", name)
    images = [
        {"filename": f"{name} one.png", "filepath": "val2014", "split": split,
         "sentences": [{"raw": f"a {name} square"}, {"raw": f"{name}."}]}
        for name, split in (("red", "test"), ("green", "test"), ("blue", "restval"))
    ]  # fmt: skip
    (root / "dataset_coco.json").write_text(json.dumps({"images": images, "dataset": "coco"}))


def test_karpathys_splits_give_two_tasks_each_and_test_comes_first(tmp_path):
    karpathy(tmp_path)
    assert tasks(tmp_path) == ("text2image", "image2text", "text2image-train", "image2text-train")
    forth, back = load(tmp_path, "text2image"), load(tmp_path, "image2text")
    assert [(len(forth.rows), len(forth.queries)), (len(back.rows), len(back.queries))] == [(2, 4), (4, 2)]
    assert {row.text for row in forth.rows} == {""}
    assert forth.qrels["val2014/red_one.png#1"] == {"val2014/red_one.png": 1}
    assert back.qrels["val2014/red_one.png"] == {"val2014/red_one.png#0": 1, "val2014/red_one.png#1": 1}
    assert [query.image.name for query in back.queries] == ["red one.png", "green one.png"]
    assert [query.text for query in load(tmp_path, "text2image-train").queries] == ["a blue square", "blue."]


CAPTIONS = {
    "captions.csv": "image,caption\nred.png,a red square\nblue.png,a blue one\nred.png,red\n",
    "captions.tsv": "filepath\ttitle\nred.png\ta red square\nblue.png\ta blue one\nred.png\tred\n",
    "results.csv": "image_name| comment_number| comment\nred.png| 0| a red square\nblue.png| 0| a blue one\n"
    "red.png| 1| red\n",
    "captions.json": json.dumps([{"image": "red.png", "caption": ["a red square", "red"]},
                                 {"image": "blue.png", "caption": "a blue one"}]),
    "captions_of.json": json.dumps({"red.png": ["a red square", "red"], "blue.png": "a blue one"}),
    "captions_val.json": json.dumps({"images": [{"id": 1, "file_name": "red.png"}, {"id": 2, "file_name": "blue.png"}],
                                     "annotations": [{"image_id": 1, "caption": "a red square"},
                                                     {"image_id": 2, "caption": "a blue one"},
                                                     {"image_id": 1, "caption": "red"}]}),
    "captions.jsonl": '{"file_name": "red.png", "text": "a red square"}\n'
    '{"file_name": "blue.png", "text": "a blue one"}\n{"file_name": "red.png", "text": "red"}\n',
}  # fmt: skip


@pytest.mark.parametrize("name", CAPTIONS)
def test_captions_are_read_alike_from_every_kind_of_file(tmp_path, name):
    (tmp_path / name).write_text(CAPTIONS[name])
    for colour in ("red", "blue"):
        picture(tmp_path / "images" / f"{colour}.png", colour)
    dataset = load(tmp_path, "text2image")
    assert {query.id: query.text for query in dataset.queries} == {
        "red.png#0": "a red square",
        "red.png#1": "red",
        "blue.png#0": "a blue one",
    }
    assert {row.id: row.image for row in dataset.rows} == {
        f"{colour}.png": tmp_path / "images" / f"{colour}.png" for colour in ("red", "blue")
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [("captions.csv", "colour,shape\nred,square\n"), ("captions.json", "{"), ("captions.json", '[{"image": "a"}]'),
     ("captions.json", '{"a.png": 3}'), ("dataset_x.json", '{"images": [1]}')],
)  # fmt: skip
def test_captions_that_cannot_be_understood_are_refused_in_one_line(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name) as caught:
        load(tmp_path, "text2image")
    assert "\n" not in str(caught.value)


def test_a_folder_of_no_form_is_told_all_forms(tmp_path):
    with pytest.raises(InputError, match=r"BEIR.*folder.*TREC.*MTEB.*captions"):
        load(tmp_path)
    with pytest.raises(InputError, match="is no dataset folder"):
        load(tmp_path / "gone")


WRONG = {
    "judged queries that exist nowhere: 1, the first is 'q9'": ("qrels.tsv", "q9\t0\td1\t1\n"),
    "judged documents that exist nowhere: 2, the first is 'd8'": ("qrels.tsv", "q1\t0\td8\t1\nq1\t0\td9\t1\n"),
    "document ids that stand twice: 1, the first is 'd1'": ("corpus.jsonl", '{"id": "d1", "text": "again"}\n'),
    "query ids that stand twice: 1, the first is 'q1'": ("queries.jsonl", '{"id": "q1", "query": "again"}\n'),
    "missing pictures: 2, the first is 'p1": (
        "corpus.jsonl",
        '{"id": "p1", "kind": "image"}\n{"id": "p2", "kind": "image", "image": "gone.png"}\n',
    ),
    "queries without words and without a picture: 1, the first is 'q7'": (
        "queries.jsonl",
        '{"id": "q7", "query": " "}\n',
    ),
}


@pytest.fixture
def small(tmp_path):
    root = tmp_path / "small"
    lines(root / "corpus.jsonl", [{"id": "d1", "text": "The sea."}])
    lines(root / "queries.jsonl", [{"id": "q1", "query": "sea"}])
    (root / "qrels.tsv").write_text("q1\t0\td1\t1\n")
    return root


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_is_counted_and_the_first_is_named(small, said):
    file, more = WRONG[said]
    with (small / file).open("a") as opened:
        opened.write(more)
    with pytest.raises(InputError) as caught:
        load(small)
    assert said in str(caught.value)
    (found,) = check(small)
    assert len(found.problems) == 1
    done = CliRunner().invoke(cli, ["eval", "check", str(small)])
    assert done.exit_code == 1
    assert said in done.stdout
    assert "1 problems" in done.stderr


def test_only_dangling_judgements_can_be_dropped(small):
    with (small / "qrels.tsv").open("a") as opened:
        opened.write("q9\t0\td1\t1\nq1\t0\td9\t1\n")
    assert load(small, strict=False).qrels == {"q1": {"d1": 1}}
    (small / "corpus.jsonl").write_text('{"id": "d1", "kind": "image", "image": "gone.png"}\n')
    with pytest.raises(InputError, match=r"gone\.png"):
        load(small, strict=False)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("qrels.tsv", "q1\t0\td1\t1\nq1\t0\td1\t2\n", "line 2.*contradicts"),
        ("corpus.jsonl", '{"id": "d1", "kind": "video"}\n', "'video'; allowed: text, image"),
        ("corpus.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("queries.jsonl", '{"id": true}\n', "has no id"),
        ("dataset.toml", '[tasks.a]\nqueries = "all"\n', "queries is no list"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_by_load_and_a_problem_to_check(small, file, text, said):
    (small / file).write_text(text)
    with pytest.raises(InputError, match=said):
        load(small)
    done = CliRunner().invoke(cli, ["eval", "check", str(small), "--json"])
    assert done.exit_code == 1


def test_bytes_that_are_no_text_are_refused(small):
    (small / "corpus.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        load(small)


def test_check_counts_what_a_task_holds(small):
    done = CliRunner().invoke(cli, ["eval", "check", str(small), "--json"])
    assert done.exit_code == 0
    (task,) = json.loads(done.stdout)["tasks"]
    assert task["counts"] == {"passages": 1, "pictures": 0, "queries": 1, "judgements": 1,
                              "queries_without_a_relevant_row": 0}  # fmt: skip


def test_the_digest_follows_content_and_not_the_order_of_lines(small):
    before = load(small).digest
    (small / "corpus.jsonl").write_text('\n{"text": "The sea.", "id": "d1"}\n')
    assert load(small).digest == before
    (small / "corpus.jsonl").write_text('{"text": "The seas.", "id": "d1"}\n')
    assert load(small).digest != before


def test_the_digest_follows_the_pictures(tmp_path):
    karpathy(tmp_path)
    before = load(tmp_path, "image2text").digest
    picture(tmp_path / "val2014" / "red one.png", "blue")
    assert load(tmp_path, "image2text").digest != before


def test_a_sample_depends_on_its_seed_and_keeps_the_rows_and_the_digest(tmp_path):
    karpathy(tmp_path)
    whole = load(tmp_path, "text2image")
    drawn = {seed: tuple(query.id for query in whole.sample(2, seed).queries) for seed in range(8)}
    assert all(len(ids) == 2 for ids in drawn.values())
    assert len(set(drawn.values())) > 1
    assert drawn[3] == tuple(query.id for query in whole.sample(2, 3).queries)
    assert whole.sample(2, 3).rows == whole.rows
    assert whole.sample(2, 3).digest == whole.digest
    assert whole.sample(99) is whole
    with pytest.raises(InputError, match="1 or more"):
        whole.sample(0)
