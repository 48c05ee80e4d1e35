"""The command line keeps its contract: JSON forms, exit codes, and one line for what cannot be done."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from rag.cli import cli
from rag.corpus import Corpus
from rag.demo import FILES
from rag.schema import LEGS
from tests.openai_server import KEY, MODEL, OpenAIServer
from tests.patience import LONG

ROOT = Path(__file__).resolve().parents[1]
HIT_KEYS = {
    "rank",
    "id",
    "score",
    "modality",
    "text",
    "caption",
    "image",
    "source",
    "page",
    "section",
    "metadata",
    "legs",
    "adjustments",
    "similar",
    "grouped",
    "confidence",
}


def triptych(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def document(*arguments, code=0):
    done = triptych(*arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def refused(*arguments, code=1):
    """Run what cannot be done; returns its one line."""
    done = triptych(*arguments)
    assert done.exit_code == code, done.output
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("triptych: ")
    assert done.stdout == ""
    return lines[0]


def points(corpus):
    return document("status", "--corpus", corpus)["points"]


def test_ingesting_twice_changes_nothing(tmp_path):
    first = document("ingest", FILES, "--corpus", tmp_path / "c")
    again = document("ingest", FILES, "--corpus", tmp_path / "c")
    assert set(first) >= {"corpus", "encoder", "sources", "nodes", "failures", "seconds"}
    assert set(first["sources"]) >= {"added", "updated", "unchanged", "removed", "skipped", "failed"}
    assert first["sources"]["added"] > 8
    assert again["sources"] == {**first["sources"], "added": 0, "unchanged": first["sources"]["added"]}
    assert again["nodes"] == first["nodes"]
    assert points(tmp_path / "c") == sum(first["nodes"].values())


def test_a_hit_tells_where_it_comes_from_and_how_each_leg_judged_it(demo_corpus):
    hits = document("search", "rain in the wettest month", "--corpus", demo_corpus, "-k", 5)["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4, 5]
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    for hit in hits:
        assert set(hit) == HIT_KEYS | {"adjustments", "confidence"}
        assert Path(hit["source"]).exists()
        assert set(hit["legs"]) <= set(LEGS)
        assert sum(leg["contribution"] for leg in hit["legs"].values()) == pytest.approx(hit["score"], abs=1e-6)


def test_modality_image_gives_pictures_that_can_be_opened(demo_corpus):
    hits = document("search", "a chart of rainfall", "--corpus", demo_corpus, "-k", 4, "--modality", "image")["hits"]
    assert len(hits) == 4
    for hit in hits:
        assert hit["modality"] == "image"
        with Image.open(hit["image"]) as picture:
            picture.verify()


def test_a_picture_finds_itself(demo_corpus):
    picture = document("search", "chart", "--corpus", demo_corpus, "--modality", "image", "-k", 1)["hits"][0]["image"]
    best = document("search", "--image", picture, "--corpus", demo_corpus, "-k", 1, "--weights", "text=0,caption=0")
    assert best["hits"][0]["image"] == picture
    assert best["hits"][0]["legs"]["image"]["raw"] == pytest.approx(1, abs=1e-4)


def test_ask_quotes_the_documents_and_says_that_it_is_extractive(demo_corpus):
    answer = document("ask", "Which month had the most rain?", "--corpus", demo_corpus)
    assert set(answer) == {"question", "answer", "abstained", "citations", "images", "llm", "usage"}
    assert answer["llm"] == "extractive"
    assert "xtractive" in answer["answer"]
    for citation in answer["citations"]:
        assert citation["marker"] in answer["answer"]


def test_status_counts_what_the_collection_holds(demo_corpus):
    status = document("status", "--corpus", demo_corpus)
    assert set(status) == {"corpus", "encoder", "engine", "points", "nodes", "sources", "vectors"}
    assert status["points"] == sum(status["nodes"].values())
    assert status["vectors"]["text"] == status["nodes"]["text"]
    assert status["vectors"]["image"] == status["nodes"]["image"]


def test_delete_removes_a_source_and_nothing_else(demo_corpus):
    before = points(demo_corpus)
    names = document("status", "--sources", "--corpus", demo_corpus)["source_names"]
    removed = document("delete", names[0], "--corpus", demo_corpus)["removed"]
    assert removed > 0
    assert points(demo_corpus) == before - removed
    assert document("status", "--sources", "--corpus", demo_corpus)["source_names"] == names[1:]


def test_encoders_lists_the_bundled_one(demo_corpus):
    assert "bundled" in [encoder["name"] for encoder in document("encoders")["encoders"]]


def test_demo_answers_three_questions(tmp_path):
    told = document("demo", "--corpus", tmp_path / "d")
    assert [answer["needs"] for answer in told["answers"]] == ["passage", "picture", "both"]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["ingest", "no-such-file.pdf"], "no-such-file.pdf"),
        (["search", "rain", "--filter", "colour = red"], "colour"),
        (["search", "rain", "--filter", "page >="], "page >="),
        (["search", "rain", "--fusion", "magic"], "magic"),
        (["search", "rain", "--weights", "smell=1"], "smell"),
        (["search", "rain", "--weights", "text=0,image=0,caption=0,lexical=0"], "weights"),
        (["search", "  "], "empty question"),
        (["search", "--image", "no-such-picture.png"], "no-such-picture.png"),
        (["delete", "no-such-source"], "no-such-source"),
    ],
)
def test_bad_input_ends_in_one_line_and_loses_nothing(demo_corpus, arguments, given):
    before = points(demo_corpus)
    line = refused(*arguments, "--corpus", demo_corpus)
    assert given in line
    assert points(demo_corpus) == before


def test_an_empty_folder_is_refused(tmp_path, demo_corpus):
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("ingest", tmp_path / "empty", "--corpus", demo_corpus)


def test_an_unknown_encoder_names_those_that_are_known(tmp_path):
    line = refused("ingest", FILES, "--corpus", tmp_path / "c", "--encoder", "no-such-encoder")
    assert "no-such-encoder" in line
    assert "bundled" in line


def test_a_corpus_that_is_not_there_is_not_made_by_a_question(tmp_path):
    assert "triptych ingest" in refused("search", "rain", "--corpus", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_picture_that_cannot_be_opened_is_refused_as_a_question(tmp_path, demo_corpus):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of use")
    assert "broken.png" in refused("search", "--image", tmp_path / "broken.png", "--corpus", demo_corpus)


def test_a_server_that_is_not_there_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert url in refused("status", "--qdrant", url)


def test_a_corrupt_picture_is_reported_and_the_rest_goes_on(tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of use")
    (folder / "notes.md").write_text("# Notes\n\nThe lamp was lit at dusk.\n")
    report = document("ingest", folder, "--corpus", tmp_path / "c", code=3)
    assert report["sources"]["added"] == 1
    assert report["sources"]["failed"] == 1
    failure = report["failures"][0]
    assert failure["source"].endswith("broken.png")
    assert failure["error"]
    assert "\n" not in failure["message"]


def test_an_encrypted_pdf_is_reported_with_the_way_out(tmp_path, demo_corpus):
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "secret.pdf"), encrypt=StandardEncryption("key"))
    canvas.drawString(72, 700, "hidden")
    canvas.save()
    before = points(demo_corpus)
    failure = document("ingest", tmp_path / "secret.pdf", "--corpus", demo_corpus, code=3)["failures"][0]
    assert "encrypted" in failure["message"]
    assert points(demo_corpus) == before


def test_ask_sends_the_question_to_a_configured_model(demo_corpus, monkeypatch):
    with OpenAIServer(["October [1]."]) as server:
        monkeypatch.setenv("TRIPTYCH_LLM_BASE_URL", server.url)
        monkeypatch.setenv("TRIPTYCH_LLM_API_KEY", KEY)
        answer = document("ask", "Which month is wettest?", "--corpus", demo_corpus, "--llm", MODEL)
    assert answer["answer"] == "October [1]."
    assert answer["llm"] == MODEL
    assert answer["usage"]["total_tokens"] > 0
    assert not server.problems


def test_a_wrong_key_is_told_without_showing_it(demo_corpus, monkeypatch):
    with OpenAIServer(["never said"]) as server:
        monkeypatch.setenv("TRIPTYCH_LLM_BASE_URL", server.url)
        monkeypatch.setenv("TRIPTYCH_LLM_API_KEY", "sk-a-wrong-one")
        line = refused("ask", "Which month is wettest?", "--corpus", demo_corpus, "--llm", MODEL)
    assert server.url in line
    assert "sk-a-wrong-one" not in line


def test_a_model_server_that_is_not_there_is_named(demo_corpus, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        monkeypatch.setenv("TRIPTYCH_LLM_BASE_URL", url)
        assert url in refused("ask", "Which month is wettest?", "--corpus", demo_corpus, "--llm", MODEL)


def test_wrong_usage_exits_with_two(demo_corpus):
    for arguments in (
        ["search", "-k", "0"],
        ["search", "--nonsense"],
        ["ingest"],
        ["search", "x", "--weights", "text"],
        ["search", "x", "--threshold", "nan"],
        ["search", "x", "--mmr", "nan"],
        ["search", "x", "--wait", "nan"],
    ):
        assert triptych(*arguments, "--corpus", demo_corpus).exit_code == 2


def test_a_corpus_that_another_process_holds_is_waited_for_and_then_refused(demo_corpus):
    code = (
        "import sys; from rag import Corpus; c = Corpus.open(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(demo_corpus)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        line = refused("status", "--corpus", demo_corpus, "--wait", 0.1)
        ending = threading.Timer(0.5, holder.communicate)
        ending.start()
        assert document("status", "--corpus", demo_corpus, "--wait", LONG)["points"] > 0
        ending.join()
    assert str(demo_corpus) in line
    assert "after 0.1 s of waiting" in line
    assert "--wait SECONDS" in line
    assert points(demo_corpus) > 0


def test_another_encoder_is_refused_and_both_are_named(demo_corpus):
    from rag.encoders.fake import fake_encoder
    from rag.errors import EncoderMismatch

    with pytest.raises(EncoderMismatch, match="bundled") as caught:
        Corpus.open(demo_corpus, encoder=fake_encoder(dim=64))
    assert "64" in str(caught.value)


def test_an_interrupted_command_ends_in_one_line(demo_corpus, monkeypatch):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("rag.corpus.Corpus.status", interrupted)
    assert "interrupted" in refused("status", "--corpus", demo_corpus)


def test_json_is_utf_8_whatever_the_terminal_speaks(demo_corpus):
    result = subprocess.run(
        [sys.executable, "-m", "rag.cli", "search", "tern \u2192 \u706f", "--corpus", demo_corpus, "--json"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert json.loads(result.stdout.decode("utf-8"))["query"] == "tern \u2192 \u706f"


def test_metadata_of_thousands_of_digits_is_words(tmp_path, demo_corpus):
    (tmp_path / "note.txt").write_text("A note.")
    digits = "1" * 5000
    document("ingest", tmp_path / "note.txt", "--corpus", demo_corpus, "--metadata", f"n={digits}")
    hits = document("search", "note", "--corpus", demo_corpus, "--filter", "n exists")["hits"]
    assert [hit["metadata"]["n"] for hit in hits] == [digits]


def test_every_command_has_help():
    def walk(command, path):
        yield path, command
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, [*path, name])

    for path, command in walk(cli, []):
        assert command.help, path
        assert triptych(*path, "--help").exit_code == 0
