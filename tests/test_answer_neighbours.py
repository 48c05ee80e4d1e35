"""What stands beside a hit is attached to it, and no text is sent twice."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.llms import MockLLM
from PIL import Image

from rag import Corpus
from rag.answer.neighbours import Neighbours, attached, joined
from rag.encoders.fake import fake_encoder
from rag.settings import Settings
from tests.openai_server import KEY, MODEL, OpenAIServer


@given(st.permutations(range(8)), st.integers(1, 8), st.integers(1, 3))
def test_no_text_comes_twice_and_every_hit_has_its_own(order, count, stride):
    """Over any hits of a chain of passages: own text first of all, each neighbour at most once, at its best hit."""
    texts = {str(n): f"text{n}." for n in range(8)}
    hits = [str(n) for n in order[:count]]
    beside = {h: (str(int(h) - stride), str(int(h) + stride)) for h in hits}
    whole = attached(beside, texts)
    said = re.findall(r"text\d", " ".join(whole.values()))
    assert len(set(said)) == len(said)
    assert list(whole) == hits
    for hit in hits:
        assert f"text{hit}" in whole[hit]
        for near in beside[hit]:
            if near in texts:
                assert f"text{near}" in said
    free = {near for hit in hits for near in beside[hit]} - set(hits)
    for near in free & set(texts):
        best = next(hit for hit in hits if near in beside[hit])
        assert f"text{near}" in whole[best]


def test_a_passage_on_both_sides_of_a_picture_comes_once():
    """A picture within a passage has it before and after."""
    assert attached({"p": ("t", "t")}, {"p": "caption", "t": "around it"}) == {"p": "around it\n\ncaption"}


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (["One two three.", "Four five."], "One two three.\n\nFour five."),
        (["Rain fell. The river rose by night.", "The river rose by night. Then it froze."],
         "Rain fell. The river rose by night. Then it froze."),
        (["a b", "a b"], "a b\n\na b"),
        (["unbelievable circumstances today", "able circumstances today again"],
         "unbelievable circumstances today\n\nable circumstances today again"),
        (["", "  ", "alone"], "alone"),
        ([], ""),
    ],
)  # fmt: skip
def test_passages_that_overlap_are_joined_at_their_seam(texts, whole):
    """Whole words, and enough of them not to be chance."""
    assert joined(texts) == whole


@given(st.lists(st.text("ab cd", max_size=60), max_size=4))
def test_joining_loses_no_word(texts):
    """Every text is still there, word for word."""
    for text in texts:
        assert " ".join(text.split()) in " ".join(joined(texts).split())


PARTS = ("kiln", "quarry", "harbour", "chapel", "school")


@pytest.fixture(params=["", ":memory:"])
def corpus(request, tmp_path):
    """A page of five long paragraphs, a passage each, with a picture between the second and the third."""
    sea = Image.new("RGB", (60, 60), "blue")
    sea.paste("white", (0, 0, 6, 6))
    sea.save(tmp_path / "sea.png")
    paragraphs = [f"The {name} " + " ".join(f"{name}{n}" for n in range(50)) + "." for name in PARTS]
    paragraphs.insert(2, "![](sea.png)")
    (tmp_path / "page.md").write_text("# Ness\n\n" + "\n\n".join(paragraphs) + "\n")
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder(), qdrant=request.param) as opened:
        opened.ingest(tmp_path / "page.md")
        yield opened


def test_the_words_around_a_picture_between_two_passages_go_with_it(corpus):
    """Before and after it, where neither is a hit."""
    [picture] = corpus.search("blue", k=1, modality="image")
    words = corpus.passages([picture])[picture.id]
    assert words.index("quarry49") < words.index("harbour0")
    assert "kiln" not in words


def test_a_request_to_the_model_holds_each_text_once(corpus):
    """Hits that are neighbours of one another, and a picture between them."""
    with OpenAIServer(["The kiln [1]."]) as server:
        corpus.settings = Settings.load(llm=MODEL, llm_base_url=server.url, llm_api_key=KEY)
        corpus.ask("kiln quarry harbour blue", k=4)
    [request] = server.requests
    for name in PARTS:
        assert request.text.count(f"{name}17") <= 1
    assert request.text.count("quarry17") == request.text.count("harbour17") == 1


def test_the_postprocessor_widens_nodes_and_leaves_their_scores(corpus):
    """For anyone's query engine; what is stored stays as it is."""
    found = corpus.as_retriever(k=1, modality="text").retrieve("quarry3")
    [wide] = Neighbours(corpus.store).postprocess_nodes(found)
    assert wide.node.get_content().count("kiln17") == wide.node.get_content().count("harbour17") == 1
    assert (wide.score, wide.node_id, wide.legs) == (found[0].score, found[0].node_id, found[0].legs)
    assert "kiln17" not in found[0].node.get_content()
    engine = corpus.as_query_engine(MockLLM(), k=1, modality="text", node_postprocessors=[Neighbours(corpus.store)])
    assert "kiln17" in engine.query("quarry3").source_nodes[0].node.get_content()
