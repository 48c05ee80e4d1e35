"""From options to stages: what the command line and `RankingOptions` ask for is what happens."""

import json
import re

import pytest
from click.testing import CliRunner
from PIL import Image

from rag import Corpus
from rag.cli import cli
from rag.encoders.fake import fake_encoder
from rag.errors import InputError
from rag.ranking import RankingOptions
from rag.settings import Settings


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """Two documents of several passages, three pictures of which two are one file."""
    root = tmp_path_factory.mktemp("options")
    for name, colour in (("red", "red"), ("again", "red"), ("blue", "blue")):
        Image.new("RGB", (50, 40), colour).save(root / f"{name}.png")
    for name, words in (("kiln", "red brick"), ("mill", "red wheel")):
        parts = [f"## Part {n}\n\nThe {words} of the {name}, part{n} of it.\n" for n in range(4)]
        (root / f"{name}.md").write_text(f"# The {name}\n\n" + "\n".join(parts))
    corpus = str(root / "corpus")
    done = CliRunner().invoke(cli, ["ingest", str(root), "--corpus", corpus, "--encoder", "fake", "--json"])
    assert done.exit_code == 0, done.output
    return corpus


def search(where, *options):
    done = CliRunner().invoke(cli, ["search", "red brick", "--corpus", where, "--json", *options])
    assert done.exit_code == 0, done.output
    hits = json.loads(done.stdout)["hits"]
    for hit in hits:
        told = sum(leg["contribution"] for leg in hit["legs"].values()) + sum(hit["adjustments"].values())
        assert told == pytest.approx(hit["score"], abs=1e-6)
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    return hits


def test_options_of_the_command_line_do_what_they_say(where):
    """Collapse on and off, groups, places, boosts, recency and variety, each told in the JSON."""
    assert [hit for hit in search(where) if hit["similar"]]
    apart = search(where, "--no-collapse", "-k", "20")
    assert len(apart) == len(search(where, "-k", "20")) + 1
    assert not [hit for hit in apart if hit["similar"]]
    grouped = search(where, "--group", "1")
    assert len({hit["source"] for hit in grouped}) == len(grouped)
    assert [hit["modality"] for hit in search(where, "--quota", "image=2..2", "-k", "4")].count("image") == 2
    assert "image" not in [hit["modality"] for hit in search(where, "--quota", "image=0")]
    boosted = search(where, "--boost", "title contains mill: 50", "--boost", 'section contains "Part 3": 25')
    assert "mill" in boosted[0]["source"]
    assert len(boosted[0]["adjustments"]) == 2
    assert all(0.99 < hit["adjustments"]["recency"] <= 1 for hit in search(where, "--recency", "365"))
    assert any(hit["adjustments"].get("mmr", 0) < 0 for hit in search(where, "--mmr", "0.5", "-k", "20"))


def test_all_options_go_together_and_with_ask(where):
    """Every stage in one question; the answer is made of what they leave."""
    every = ["--group", "2", "--quota", "image=1", "--boost", "page exists: 1", "--recency", "9=0.1", "--mmr", "0.7"]
    assert len([hit for hit in search(where, *every) if hit["modality"] == "image"]) <= 1
    done = CliRunner().invoke(cli, ["ask", "red brick", "--corpus", where, "--json", "--quota", "image=0"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["images"] == []


@pytest.mark.parametrize(
    "options",
    [["--boost", "nowhere = 1: 2"], ["--quota", "image"], ["--quota", "image=11.."], ["--recency", "x"],
     ["--rerank", "no/such-model"], ["--rerank", "llm"]],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_done_ends_in_one_line(where, options):
    """Exit status 1, and what is allowed."""
    done = CliRunner().invoke(cli, ["search", "red", "--corpus", where, *options])
    assert done.exit_code == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "should not happen" not in done.stderr


def test_every_line_of_the_terminal_tells_what_was_folded_and_added(where):
    """`also like this`, `also of this document`, and with --explain the adjustments."""
    shown = CliRunner().invoke(cli, ["search", "red brick", "--corpus", where, "--group", "1", "--boost",
                                     "modality = text: 2", "--explain"]).output  # fmt: skip
    assert "also like this: " in shown
    assert "also of this document: " in shown
    assert re.search(r'boost: modality = "text" +\+2\.0000', shown)


def test_settings_say_what_is_done_where_nothing_is_said(tmp_path):
    """`collapse` and `rerank` of the settings; what is given overrules them, None is not given."""
    settings = Settings.load(collapse=False, rerank="llm", rerank_depth=7)
    assert RankingOptions.of(settings) == RankingOptions(collapse=False, rerank="llm", rerank_depth=7)
    assert RankingOptions.of(settings, collapse=None, rerank="") == RankingOptions(collapse=False, rerank_depth=7)
    with Corpus.open(tmp_path / "c", encoder=fake_encoder(), qdrant=":memory:", settings=settings) as corpus:
        with pytest.raises(InputError, match="no language model is configured"):
            corpus.search("red")
        assert corpus.search("red", ranking=RankingOptions()) == []


def test_engines_agree_after_every_stage(tmp_path):
    """The same hits, and scores to 1e-4, from memory and from the embedded engine, where no two hits are equal."""
    for n in range(6):
        (tmp_path / f"{n}.txt").write_text("red brick mill " + " ".join(f"word{n}{m}" for m in range(3 * n)))
    Image.new("RGB", (50, 40), "red").save(tmp_path / "red.png")
    options = RankingOptions(collapse=True, group=1, quota="image=1..3", mmr=0.8, boosts=("modality = image: 0.3",))
    files = sorted(tmp_path.iterdir())
    with (
        Corpus.open(tmp_path / "one", encoder=fake_encoder()) as embedded,
        Corpus.open(tmp_path / "other", encoder=fake_encoder(), qdrant=":memory:") as memory,
    ):
        embedded.ingest(*files)
        memory.ingest(*files)
        for question in ("red brick", "brick word31 word40", "word50 mill word22"):
            one, other = (corpus.search(question, ranking=options) for corpus in (embedded, memory))
            assert [hit.id for hit in one] == [hit.id for hit in other]
            assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=1e-4)
            assert any("mmr" in hit.adjustments for hit in one)
