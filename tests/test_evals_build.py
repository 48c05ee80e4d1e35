"""A dataset built of a corpus loads, runs, and asks nothing whose answer is indexed beside it."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from evals.build import build, build_lines, writer
from evals.datasets import check, load
from evals.runner import evaluate
from rag.answer import load_llm
from rag.cli import cli
from rag.corpus import Corpus
from rag.encoders.fake import fake_encoder
from rag.errors import InputError
from tests.openai_server import KEY, MODEL, OpenAIServer

TEXT = "The {} is a bird that many people come to see, for it nests here every year between April and August."


@pytest.fixture
def corpus(tmp_path):
    documents = tmp_path / "documents"
    documents.mkdir()
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        Image.new("RGB", (40, 40), colour).save(documents / f"{name}.png")
    (documents / "birds.md").write_text(
        f"# Birds\n\n{TEXT.format('puffin')}\n\n## Red ones\n\n{TEXT.format('robin')}\n\n![a red square](red.png)\n\n"
        f"## Sources\n\n{TEXT.format('book')}\n"
    )
    (documents / "boats.md").write_text(
        f"# Boats\n\n{TEXT.format('ferry')}\n\n![a blue square](blue.png)\n\n## Sources\n\n{TEXT.format('log')}\n"
    )
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder()) as opened:
        opened.ingest(documents)
        yield opened


def test_captions_find_pictures_and_headings_find_the_passages_of_their_section(corpus, tmp_path):
    built = build(corpus, tmp_path / "out")
    assert built.rows == {"text": 5, "image": 2}
    assert built.left_out == {"ambiguous_headings": 1, "missing_pictures": 0, "unanswered": 0}
    assert "ambiguous headings" in build_lines(built)[1]
    assert all(not one.problems for one in check(tmp_path / "out"))
    pictures = load(tmp_path / "out", "caption2image")
    assert {row.text for row in pictures.rows} == {""}
    assert all(row.image.is_file() for row in pictures.rows)
    passages = load(tmp_path / "out", "heading2text")
    asked = {query.text: query.id for query in passages.queries}
    assert set(asked) == {"Birds", "Boats", "Red ones"}
    (found,) = passages.qrels[asked["Red ones"]]
    assert next(row.text for row in passages.rows if row.id == found) == TEXT.format("robin")


def test_what_was_built_runs(corpus, tmp_path, monkeypatch):
    build(corpus, tmp_path / "out")
    result = evaluate(tmp_path / "out", "caption2image", encoder=fake_encoder())
    assert result.metrics["hit@1"] == 1.0


def test_the_same_seed_builds_the_same_dataset_and_another_draws_others(corpus, tmp_path):
    def drawn(name, seed):
        build(corpus, tmp_path / name, sample=1, seed=seed)
        return (tmp_path / name / "queries.jsonl").read_text()

    assert drawn("a", 1) == drawn("b", 1)
    assert len({drawn(f"s{seed}", seed) for seed in range(2, 8)}) > 1


def test_a_model_writes_questions_that_carry_its_name(corpus, tmp_path):
    replies = ['"Which bird has a red breast?"\nIt is the robin.', "NONE."]
    with OpenAIServer(replies) as server:
        model = load_llm(MODEL, base_url=server.url, api_key=KEY)
        built = build(corpus, tmp_path / "out", llm=model, questions=2, seed=3)
        system, user = server.requests[0].system, server.requests[0].text
    assert server.problems == []
    nonce = user.split("<document-", 1)[1].split(" ", 1)[0]
    assert nonce in system
    assert "between April and August" in user
    assert built.queries["question2text"] == 1
    assert built.left_out["unanswered"] == 1
    queries = [json.loads(line) for line in (tmp_path / "out" / "queries.jsonl").read_text().splitlines()]
    (question,) = [query for query in queries if query["type"] == "question2text"]
    assert (question["query"], question["written_by"]) == ("Which bird has a red breast?", MODEL)
    assert [query for query in queries if "written_by" in query] == [question]
    assert len(load(tmp_path / "out", "question2text").queries) == 1


def test_a_folder_that_holds_something_is_left_alone(corpus, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="there already"):
        build(corpus, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_corpus_without_captions_and_sections_and_a_name_that_is_no_model_are_refused(tmp_path):
    with Corpus.open(tmp_path / "empty", encoder=fake_encoder()) as opened:
        with pytest.raises(InputError, match="no captions and no sections"):
            build(opened, tmp_path / "out")
        with pytest.raises(InputError, match="writes no questions"):
            writer(opened.settings, "extractive")
    assert not (tmp_path / "out").exists()


def test_the_command_builds_what_check_accepts(demo_corpus, tmp_path):
    out = str(tmp_path / "out")
    done = CliRunner().invoke(cli, ["eval", "build", out, "--corpus", str(demo_corpus), "--sample", "5", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["queries"] == {"caption2image": 5, "heading2text": 5}
    assert CliRunner().invoke(cli, ["eval", "check", out]).exit_code == 0
