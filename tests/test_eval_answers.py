"""Answers are measured by what they cite, what the citations hold, whether they abstain, and by known answers."""

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from evals.answer_measures import (
    Statement,
    citation_precision,
    citation_recall,
    contains_answer,
    exact_match,
    lexical_support,
    statements,
    token_f1,
)
from evals.answers import questions
from evals.datasets import load
from rag.cli import cli
from rag.schema import Answer
from tests.openai_server import KEY, MODEL, OpenAIServer, Request

ABSTENTION = "The documents do not answer this question."


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "capitals"
    folder.mkdir()
    facts = {"fr": ("France", "Paris"), "jp": ("Japan", "Tokyo"), "pe": ("Peru", "Lima")}
    rows = [
        {"id": f"t:{key}", "kind": "text", "text": f"The capital of {country} is {city}."}
        for key, (country, city) in facts.items()
    ]
    queries = [
        {"id": f"q:{key}", "query": f"What is the capital of {country}?", "answer": city}
        for key, (country, city) in facts.items()
    ]
    queries.append({"id": "q:no", "query": "Who wrote zzyzx?", "answerable": False})
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels.tsv").write_text("".join(f"q:{key}\t0\tt:{key}\t1\n" for key in facts))
    return folder


def answered(text, llm="model", abstained=False, images=()):
    return Answer("q", text, abstained, (), tuple(images), llm)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The sea rises [1]. Moons pull it [2][3].", [("The sea rises.", (1,)), ("Moons pull it.", (2, 3))]),
        ("The sea rises. [1] Moons pull it. [2]", [("The sea rises.", (1,)), ("Moons pull it.", (2,))]),
        ("The sea rises. Moons pull it. [2]", [("The sea rises.", ()), ("Moons pull it.", (2,))]),
        ("It is so. [1]", []),
    ],
)
def test_a_statement_takes_the_markers_that_follow_it(text, expected):
    assert [(one.text, one.cited) for one in statements(answered(text))] == expected


def test_of_an_extractive_answer_the_quotations_and_pictures_are_statements():
    text = "Extractive answer:\n“The sea rises. It falls.” [1]\nPictures:\n[2] A chart. (a) High. (pictures/tide.png)"
    found = statements(answered(text, llm="extractive", images=["pictures/tide.png"]))
    assert [(one.text, one.cited) for one in found] == [
        ("“The sea rises. It falls.”", (1,)),
        ("A chart. (a) High.", (2,)),
    ]
    assert statements(answered(ABSTENTION, abstained=True)) == ()


def test_the_notice_of_a_missing_citation_is_no_statement():
    text = "Moons pull the sea.\n(No support: this answer cites none of the documents.)"
    assert [one.text for one in statements(answered(text))] == ["Moons pull the sea."]


def test_citations_against_the_qrels_by_hand():
    assert citation_precision(["a", "x"], {"a", "b", "c"}) == 0.5
    assert citation_precision([], {"a"}) is None
    assert citation_recall(["a", "x"], {"a", "b", "c"}, found={"a", "b", "x"}) == 0.5
    assert citation_recall(["a"], {"a"}, found={"x"}) is None


def test_support_is_the_share_of_words_that_the_cited_passages_hold():
    passages = {1: "The tide rises twice a day.", 2: "Nothing of it."}
    assert lexical_support([Statement("Tides sink twice", (1,))], passages) == pytest.approx(2 / 3)
    assert lexical_support([Statement("tide twice", (1,)), Statement("tide", ())], passages) == 0.5
    assert lexical_support([Statement("tide", (2,))], passages) == 0.0
    assert lexical_support([], passages) is None


def test_answers_match_as_in_squad():
    assert exact_match("The Tokyo!", ["tokyo"]) == 1.0
    assert exact_match("It is Tokyo", ["tokyo"]) == 0.0
    assert contains_answer("It is Tokyo.", ["tokyo"]) == 1.0
    assert contains_answer("Tokyoite", ["tokyo"]) == 0.0
    assert token_f1("It is Tokyo", ["tokyo", "kyoto"]) == pytest.approx(0.5)
    assert token_f1("", ["tokyo"]) == 0.0


@given(st.text(), st.lists(st.text(), min_size=1))
def test_token_f1_is_a_share_and_1_where_the_match_is_exact(answer, known):
    assert 0.0 <= token_f1(answer, known) <= 1.0
    if exact_match(answer, known):
        assert token_f1(answer, known) == 1.0


def test_questions_are_answerable_marked_or_robbed_of_their_rows(dataset):
    asked = questions(load(dataset), unanswerable=2)
    assert [one.query.id for one in asked if one.answerable] == ["q:fr", "q:jp", "q:pe"]
    marked, *robbed = [one for one in asked if not one.answerable]
    assert marked.query.id == "q:no"
    assert [one.without for one in robbed] == [(one.query.id.replace("q:", "t:"),) for one in robbed]
    assert questions(load(dataset), unanswerable=2) == asked
    assert sum(one.answerable for one in questions(load(dataset), sample=2)) == 2


def ask(dataset, tmp_path, *more):
    lines = tmp_path / "answers.jsonl"
    arguments = ["eval", "answers", dataset, "--corpus", tmp_path / "index", "--encoder", "bundled"]
    done = CliRunner().invoke(cli, [str(word) for word in [*arguments, "--json", "--per-query", lines, *more]])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), [json.loads(line) for line in lines.read_text().splitlines()]


def test_the_extractive_answer_is_measured_without_any_model(dataset, tmp_path):
    result, lines = ask(dataset, tmp_path, "--unanswerable", "3")
    metrics = result["metrics"]
    assert result["settings"]["llm"] == "extractive"
    assert result["counts"]["answerable"] == 3
    assert result["counts"]["unanswerable"] == 4
    assert metrics["citation_recall"] == metrics["contains_answer"] == metrics["lexical_support"] == 1.0
    assert metrics["wrong_abstention"] == 0.0
    assert 0.0 < metrics["token_f1"] < 1.0
    assert "faithfulness" not in metrics
    assert [line["abstained"] for line in lines if line["query"] == "q:no"] == [True]
    robbed = [line for line in lines if not line["answerable"] and line["query"] != "q:no"]
    assert robbed
    assert not any(line["query"].replace("q:", "t:") in line["cited"] for line in robbed)


class Judging(OpenAIServer):
    """Also takes what LlamaIndex's evaluators send: one message, or several, of the user's."""

    def read(self, body):
        if len(body["messages"]) == 2 and body["messages"][0]["role"] == "system":
            return super().read(body)
        return Request(body, "", str(body["messages"]))


def test_a_model_answers_and_a_model_judges(dataset, tmp_path, monkeypatch):
    # Each question: the answer, faithfulness, relevancy, and the support of its one statement.
    script = ["The capital is surely Paris [1].", "NO", "YES", "NO"]
    with Judging(script) as server:
        monkeypatch.setenv("TRIPTYCH_LLM_BASE_URL", server.url)
        monkeypatch.setenv("TRIPTYCH_LLM_API_KEY", KEY)
        result, lines = ask(dataset, tmp_path, "--llm", MODEL, "--judge", MODEL, "--sample", "1")
    assert not server.problems
    answered = next(line for line in lines if line["answerable"])
    assert result["settings"]["llm"] == result["settings"]["judge"] == MODEL
    assert answered["answer"] == "The capital is surely Paris [1]."
    assert {answered[name] for name in ("faithfulness", "relevancy", "judged_support")} <= {0.0, 1.0}
    judged = [request.text for request in server.requests if "surely Paris" in request.text]
    assert len(judged) >= 3
    assert any("The capital of" in text for text in judged)


def test_an_abstention_is_right_or_wrong_by_the_question(dataset, tmp_path, monkeypatch):
    with OpenAIServer([ABSTENTION]) as server:
        monkeypatch.setenv("TRIPTYCH_LLM_BASE_URL", server.url)
        monkeypatch.setenv("TRIPTYCH_LLM_API_KEY", KEY)
        result, _ = ask(dataset, tmp_path, "--llm", MODEL)
    assert result["metrics"]["wrong_abstention"] == result["metrics"]["right_abstention"] == 1.0
    assert result["metrics"]["token_f1"] == 0.0
    assert "citation_precision" not in result["metrics"]
