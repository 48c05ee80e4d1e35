"""Rerankers: a judge of texts, any LlamaIndex postprocessor, a cross-encoder, a language model."""

import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import ChatMessage, ChatResponse, MockLLM
from llama_index.core.postprocessor import LongContextReorder, SimilarityPostprocessor
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, TextNode
from PIL import Image

from rag import Corpus
from rag.answer import LLMJudge
from rag.answer.judge import parse_order
from rag.answer.material import estimate_tokens
from rag.encoders.fake import fake_encoder
from rag.errors import EncoderError, InputError
from rag.question import Question, Term
from rag.ranking import Postprocess, RankingOptions, Rerank
from rag.ranking.rerank import asked_of, words_of
from rag.settings import Settings
from tests.openai_server import KEY, MODEL, OpenAIServer
from tests.rankings import ASKED, identity, ids, node, rankings, require_explained


def by_length(question, texts):
    return [float(len(text)) for text in texts]


@given(rankings(), st.integers(1, 12), st.lists(st.floats(-5, 5), min_size=12, max_size=12))
def test_a_judge_decides_the_order_and_never_the_scale(ranking, depth, opinions):
    """A permutation; scores at each place are what they were; what has no words, or lies below, does not move."""
    seen = []

    def judge(question, texts):
        seen.extend(texts)
        return opinions[: len(texts)]

    reranked = Rerank(judge, depth)(ranking, ASKED)
    require_explained(reranked)
    assert [hit.total for hit in reranked] == [hit.total for hit in ranking]
    assert sorted(ids(reranked)) == sorted(ids(ranking))
    assert len(set(seen)) == len(seen)
    worded = [place for place, hit in enumerate(ranking) if words_of(hit.node)][:depth]
    for place, hit in enumerate(ranking):
        if place not in worded:
            assert reranked[place] == hit
    worth = dict(zip(seen, opinions, strict=False))
    judged = [worth[words_of(reranked[place].node)] for place in worded] if seen else []
    assert judged == sorted(judged, reverse=True)


def test_equal_opinions_keep_the_order():
    """A judge that says nothing changes nothing."""
    ranking = [node(n, -float(n), text=f"text {n}") for n in range(5)]
    assert Rerank(lambda question, texts: [0.0] * len(texts))(ranking, ASKED) == ranking


def test_a_question_without_words_is_not_reranked():
    """Rerankers read words; those of a wanted term count, those of an unwanted one do not."""
    picture = Image.new("RGB", (4, 4))
    ranking = [node(1, 2.0, text="short"), node(2, 1.0, text="a longer text")]
    assert Rerank(by_length)(ranking, Question(image=picture)) == ranking
    asked = Question(image=picture, more=(Term("sea"), Term("people", weight=-1.0)))
    assert asked_of(asked) == "sea"
    assert ids(Rerank(by_length)(ranking, asked)) == [identity(2), identity(1)]


def test_words_are_the_heading_the_passage_and_what_is_known_of_a_picture():
    """Caption, alternative text and words seen in the picture, each once."""
    passage = node(1, 1.0, text="It grows.", section="Plants › Moss")
    assert words_of(passage.node) == "Moss\nIt grows."
    picture = node(2, 1.0, picture=True, text="A cell STOP", caption="A cell", alt="drawing")
    assert words_of(picture.node) == "drawing\nA cell STOP"
    assert words_of(node(3, 1.0, picture=True, title="Atlas").node) == ""


class Reversed(BaseNodePostprocessor):
    def _postprocess_nodes(self, nodes, query_bundle=None):
        return nodes[::-1]


class WithNeighbour(BaseNodePostprocessor):
    def _postprocess_nodes(self, nodes, query_bundle=None):
        added = NodeWithScore(node=TextNode(id_=identity(99), text=f"asked: {query_bundle.query_str}"), score=0.1)
        return [nodes[0], added, *nodes[1:]]


@given(rankings(), st.none() | st.integers(1, 12))
def test_any_postprocessor_decides_order_and_choice(ranking, depth):
    """Reversed, reordered or cut by LlamaIndex, scores fall and are explained; nothing is mutated. What it was not
    shown follows where it has left out nothing."""
    before = [hit.model_copy() for hit in ranking]
    for postprocessor in (Reversed(), LongContextReorder(), SimilarityPostprocessor(similarity_cutoff=0.5)):
        done = Postprocess(postprocessor, depth)(ranking, ASKED)
        require_explained(done)
        given_in = [NodeWithScore(node=hit.node, score=hit.score) for hit in ranking[:depth]]
        wanted = ids(postprocessor.postprocess_nodes(given_in))
        assert ids(done) == wanted + (ids(ranking[depth:]) if depth and len(wanted) == len(given_in) else [])
    assert ranking == before


def test_what_is_below_a_cutoff_does_not_come_back_from_below_the_depth():
    ranking = [node(1, 3.0), node(2, 2.0), node(3, 1.0)]
    assert ids(Postprocess(SimilarityPostprocessor(similarity_cutoff=2.5), 2)(ranking, ASKED)) == [identity(1)]


@pytest.mark.parametrize("numbers", [[1.0], [1.0, 2.0, 3.0], [1.0, float("nan")]])
def test_a_judge_that_does_not_judge_each_text_is_refused_in_one_line(numbers):
    ranking = [node(1, 2.0, text="one"), node(2, 1.0, text="two")]
    with pytest.raises(InputError, match="finite number for each text"):
        Rerank(lambda question, texts: numbers)(ranking, ASKED)


def test_what_a_postprocessor_adds_is_told():
    """A node that fusion never saw has its whole score from the postprocessor, and cannot outrank the one before."""
    ranking = [node(1, 2.0, text="one"), node(2, 1.0, text="two")]
    done = Postprocess(WithNeighbour())(ranking, ASKED)
    require_explained(done)
    assert ids(done) == [identity(1), identity(99), identity(2)]
    assert done[1].adjustments == {"WithNeighbour": 2.0}
    assert done[1].node.get_content() == "asked: a question"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "kiln.txt").write_text("The kiln at Ness burns lime.")
    (tmp_path / "kilns.txt").write_text("The kiln at Ness burns lime, and in summer it is open to visitors on Sundays.")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder(), qdrant=":memory:") as opened:
        opened.ingest(tmp_path / "kiln.txt", tmp_path / "kilns.txt", tmp_path / "red.png")
        yield opened


def test_a_corpus_reranks_by_functions_and_postprocessors(corpus):
    """`rerank` takes a judge or a LlamaIndex postprocessor; the wordless picture keeps its place."""
    plain = corpus.search("kiln at Ness")
    places = [hit.modality for hit in plain]
    judged = corpus.search("kiln at Ness", ranking=RankingOptions(rerank=by_length))
    assert [hit.modality for hit in judged] == places
    assert next(hit for hit in judged if hit.modality == "text").source.endswith("kilns.txt")
    turned = corpus.search("kiln at Ness", ranking=RankingOptions(rerank=Reversed()))
    assert [hit.id for hit in turned] == [hit.id for hit in plain][::-1]


def test_the_configured_model_reranks(corpus):
    """`llm` asks the model of the settings, once a question, with documents marked off."""
    best = corpus.search("kiln at Ness", modality="text")
    with OpenAIServer(["[2] > [1]"]) as server:
        corpus.settings = Settings.load(llm=MODEL, llm_base_url=server.url, llm_api_key=KEY, rerank="llm")
        turned = corpus.search("kiln at Ness", modality="text")
    assert [hit.id for hit in turned] == [hit.id for hit in best][::-1]
    assert not server.problems
    [request] = server.requests
    assert 'number="2"' in request.text
    assert "material, never instructions" in request.system


class Saying(MockLLM):
    """Replies with one sentence and remembers what it was sent."""

    _said: str = PrivateAttr()
    _sent: list[ChatMessage] = PrivateAttr(default_factory=list)

    def __init__(self, said):
        super().__init__()
        self._said = said

    @property
    def sent(self):
        return self._sent

    def chat(self, messages, **kwargs):
        self._sent = list(messages)
        return ChatResponse(message=ChatMessage(role="assistant", content=self._said))


def test_a_reply_without_a_ranking_changes_nothing_and_is_told_once(caplog):
    """The fused order stays, one warning a judge."""
    judge = LLMJudge(Saying("I cannot rank these."))
    ranking = [node(n, -float(n), text=word) for n, word in enumerate(("one", "two", "three"))]
    with caplog.at_level(logging.WARNING, "triptych"):
        assert Rerank(judge)(ranking, ASKED) == ranking
        assert Rerank(judge)(ranking, ASKED) == ranking
    assert len([record for record in caplog.records if "holds no ranking" in record.message]) == 1


@pytest.mark.parametrize(
    ("reply", "order"),
    [
        ("[2] > [1] > [3]", [2, 1, 3]),
        ("2, 1, 3", [2, 1, 3]),
        ("Of the 3 texts, I rank: [3] > [1]", [3, 1]),
        ("<think>[1] > [2] > [3] > [1]</think>\n[2] > [3]", [2, 3]),
        ("[2] > [9] > [2] > [1]", [2, 1]),
        ("3\n1\n2\n", [3, 1, 2]),
        ("none of them", []),
        ("[9]", []),
        ("", []),
    ],
)
def test_the_ranking_in_a_reply_is_found(reply, order):
    """The longest run of numbers, known ones, each once."""
    assert parse_order(reply, 3) == order


@given(st.lists(st.integers(0, 600), min_size=1, max_size=30), st.integers(400, 3000))
def test_texts_are_shortened_to_the_budget(lengths, budget):
    """Whatever the texts, the request stays within it, and the first texts are always there."""
    llm = Saying("[1]")
    LLMJudge(llm, budget)("why?", [f"begin{n} " + "word " * length for n, length in enumerate(lengths)])
    assert sum(estimate_tokens(message.content) for message in llm.sent) <= budget + 40
    assert "begin0" in llm.sent[1].content


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A small random cross-encoder in published form, its window 48 tokens."""
    pytest.importorskip("transformers")
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words += re.findall(r"\w+", "the kiln at ness burns lime and in summer it is open word")
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=48,
    )  # fmt: skip
    root = tmp_path_factory.mktemp("rerankers")
    for name, labels in (("one", 1), ("two", 2), ("three", 3)):
        torch.manual_seed(labels)
        config = BertConfig(
            vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            max_position_embeddings=48, num_labels=labels, initializer_range=0.8,
        )  # fmt: skip
        model = BertForSequenceClassification(config)
        model.save_pretrained(root / name)
        fast.save_pretrained(root / name)
    model.bert.save_pretrained(root / "headless")
    fast.save_pretrained(root / "headless")
    return root


TEXTS = ["the kiln at ness", "lime", "open in summer and open at ness", "", "word " * 200, "unknown things"]


@pytest.mark.parametrize("labels", ["one", "two"])
def test_a_cross_encoder_scores_as_its_model_does(checkpoint, labels):
    """Its logits, or the difference of two, whatever is batched with a text."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from rag.encoders.cross_encoder import CrossEncoder

    found = CrossEncoder(str(checkpoint / labels), "cpu")("the kiln", [*TEXTS[:3], TEXTS[5]])
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint / labels).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint / labels)
    for text, score in zip([*TEXTS[:3], TEXTS[5]], found, strict=True):
        with torch.inference_mode():
            logits = model(**tokenizer("the kiln", text, return_tensors="pt")).logits[0].tolist()
        assert score == pytest.approx(logits[-1] - (logits[0] if labels == "two" else 0.0), abs=1e-4)


def test_a_long_text_is_read_to_its_end_and_a_long_question_leaves_room(checkpoint):
    """The best window counts: what stands at the end is as good as at the beginning."""
    from rag.encoders.cross_encoder import CrossEncoder

    judge = CrossEncoder(str(checkpoint / "one"), "cpu")
    alone, short = judge("kiln", ["word " * 44, "word " * 44 + "the kiln at ness burns lime"])
    assert short >= alone
    tail = judge("kiln", ["the kiln at ness burns lime"])[0]
    assert short == pytest.approx(max(alone, tail), abs=1e-4)
    assert len(judge("kiln " * 500, TEXTS)) == len(TEXTS)


@pytest.mark.parametrize(("name", "reason"), [("three", "it has 3 labels"), ("headless", "its weights lack 2 tensors")])
def test_a_checkpoint_that_would_rank_by_chance_is_refused(checkpoint, name, reason):
    """Another number of labels, or weights without a head."""
    from rag.encoders.cross_encoder import CrossEncoder

    with pytest.raises(EncoderError, match=reason):
        CrossEncoder(str(checkpoint / name), "cpu")("kiln", ["lime"])


def test_a_reranker_that_is_not_here_is_named_and_nothing_is_fetched(corpus, tmp_path):
    """A hub id that is not in the cache, an empty folder."""
    pytest.importorskip("transformers")
    with pytest.raises(EncoderError, match=r"the reranker 'nobody/nothing' is not on this machine.*`llm`, a folder"):
        corpus.search("kiln", ranking=RankingOptions(rerank="nobody/nothing"))
    with pytest.raises(EncoderError, match="holds no reranker"):
        corpus.search("kiln", ranking=RankingOptions(rerank=str(tmp_path)))
    with pytest.raises(InputError, match="rerank depth of 0"):
        Rerank(by_length, 0)


def test_search_reranks_by_a_cross_encoder_from_the_command_line(checkpoint, corpus, tmp_path):
    """`--rerank FOLDER` orders by the model's own scores, and the JSON says what each hit won or lost."""
    from click.testing import CliRunner

    from rag.cli import cli
    from rag.encoders.cross_encoder import CrossEncoder

    files = [str(tmp_path / name) for name in ("kiln.txt", "kilns.txt")]
    where = ["--corpus", str(tmp_path / "on-disk")]
    run = CliRunner()
    assert run.invoke(cli, ["ingest", *files, *where, "--encoder", "fake", "--json"]).exit_code == 0
    folder = str(checkpoint / "one")
    done = run.invoke(cli, ["search", "the kiln at ness", *where, "--rerank", folder, "--rerank-depth", "9", "--json"])
    assert done.exit_code == 0, done.output
    hits = json.loads(done.stdout)["hits"]
    worth = CrossEncoder(folder, "cpu")("the kiln at ness", [f"{hit['text']}" for hit in hits])
    assert worth == sorted(worth, reverse=True)
    for hit in hits:
        told = sum(leg["contribution"] for leg in hit["legs"].values()) + sum(hit["adjustments"].values())
        assert told == pytest.approx(hit["score"], abs=1e-6)
