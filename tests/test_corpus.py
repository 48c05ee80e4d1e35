"""`Corpus` wires the parts together, and each part is an ordinary piece of LlamaIndex."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from PIL import Image

from rag import Corpus
from rag.encoders.fake import fake_encoder
from rag.errors import EncoderError, EncoderMismatch, FilterError, InputError
from rag.ranking import FusedNode
from rag.settings import Settings
from tests.openai_server import KEY, MODEL, OpenAIServer
from tests.patience import LONG


@pytest.fixture
def folder(tmp_path):
    """Three short documents and two pictures about colours, small enough to know by heart."""
    root = tmp_path / "documents"
    root.mkdir()
    Image.new("RGB", (80, 60), (220, 20, 20)).save(root / "door.png")
    (root / "door.txt").write_text("The red door of the boathouse.")
    Image.new("RGB", (80, 60), (20, 20, 220)).save(root / "sea.png")
    (root / "paint.md").write_text(
        "# Paint\n\n## Doors\n\nEvery door is painted red in spring.\n\n![The blue sea at noon](sea.png)\n\n"
        "## Walls\n\nThe walls are white and need lime.\n"
    )
    (root / "lime.html").write_text("<html><body><h1>Lime</h1><p>Lime is burnt in the kiln at Ness.</p></body></html>")
    return root


@pytest.fixture
def corpus(folder, tmp_path):
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder()) as opened:
        opened.ingest(folder)
        yield opened


def test_a_question_in_words_finds_passages_and_pictures_in_one_ranking(corpus):
    hits = corpus.search("the red door", k=4)
    assert {"text", "image"} <= {hit.modality for hit in hits}
    assert "red" in (hits[0].text + hits[0].caption)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]


def test_a_picture_as_the_question_finds_what_looks_like_it(corpus, tmp_path):
    Image.new("RGB", (30, 30), (10, 10, 240)).save(tmp_path / "question.png")
    best = corpus.search(image=tmp_path / "question.png", modality="image", k=1)[0]
    assert best.caption == "The blue sea at noon"


def test_words_and_a_picture_may_be_asked_together(corpus, tmp_path):
    Image.new("RGB", (30, 30), (10, 10, 240)).save(tmp_path / "question.png")
    legs = corpus.search("noon", image=tmp_path / "question.png", modality="image", k=1)[0].legs
    assert set(legs) == {"image", "caption", "lexical"}


def test_a_filter_holds_in_every_leg(corpus):
    hits = corpus.search("red door lime", filters='title contains "Paint"', k=10)
    assert hits
    assert {Path(hit.source).name for hit in hits} == {"paint.md"}


def test_a_second_corpus_over_the_same_folder_opens_with_its_own_encoder(folder, tmp_path):
    with Corpus.open(tmp_path / "c", encoder="fake") as first:
        first.ingest(folder)
        found = [(hit.id, hit.score) for hit in first.search("red door")]
    with Corpus.open(tmp_path / "c") as again:
        assert [(hit.id, hit.score) for hit in again.search("red door")] == found
        assert again.encoder.name == "fake"


def test_another_encoder_is_refused(corpus, tmp_path):
    corpus.close()
    with pytest.raises(EncoderMismatch, match="fake"):
        Corpus.open(tmp_path / "corpus", encoder=fake_encoder(dim=32))


def test_memory_gives_the_same_hits_as_the_embedded_engine(folder, tmp_path, corpus):
    with Corpus.open(tmp_path / "other", encoder=fake_encoder(), qdrant=":memory:") as memory:
        memory.ingest(folder)
        for question in ("red door", "lime kiln", "blue", "white walls at noon"):
            here, there = corpus.search(question), memory.search(question)
            assert [hit.id for hit in here] == [hit.id for hit in there]
            assert [hit.score for hit in here] == pytest.approx([hit.score for hit in there], abs=1e-4)


def test_a_passage_is_given_with_its_neighbours_and_a_picture_with_the_words_around_it(corpus):
    hits = corpus.search("blue sea at noon", k=10)
    sea = next(hit for hit in hits if hit.caption == "The blue sea at noon")
    assert "painted red in spring" in corpus.passages([sea])[sea.id]
    doors = next(hit for hit in hits if hit.modality == "text" and "painted red" in hit.text)
    assert "need lime" in corpus.passages([doors])[doors.id]


def test_ask_sends_passages_and_pictures_to_the_model_and_checks_its_citations(corpus):
    with OpenAIServer(["The door is red [1], or so it says [99]."]) as server:
        settings = Settings.load(llm=MODEL, llm_base_url=server.url, llm_api_key=KEY)
        corpus.settings = settings
        answer = corpus.ask("Which colour is the door?")
    assert not server.problems
    assert [citation.marker for citation in answer.citations] == ["[1]"]
    assert "[99]" not in answer.answer
    assert len(server.requests[0].images) == len(answer.images) == 2
    assert answer.llm == MODEL


def test_the_retriever_is_a_llamaindex_retriever_sync_and_async(corpus):
    retriever = corpus.as_retriever(k=3)
    nodes = retriever.retrieve("red door")
    again = asyncio.run(retriever.aretrieve("red door"))
    assert [node.node_id for node in nodes] == [node.node_id for node in again]
    assert all(isinstance(node, FusedNode) and node.legs for node in nodes)


async def test_async_retrieval_does_not_block_the_loop(corpus, monkeypatch):
    """While the encoder works the loop runs on: it is the loop that lets the encoder end."""
    retriever, asked, let = corpus.as_retriever(), threading.Event(), threading.Event()
    encode = type(corpus.encoder).encode_texts

    def waiting(self, texts):
        asked.set()
        assert let.wait(LONG), "the event loop was blocked"
        return encode(self, texts)

    monkeypatch.setattr(type(corpus.encoder), "encode_texts", waiting)
    task = asyncio.create_task(retriever.aretrieve("red door"))
    while not (asked.is_set() or task.done()):
        await asyncio.sleep(0.001)
    assert not task.done()
    let.set()
    assert await task


def test_query_engine_and_chat_engine_answer_from_the_corpus(corpus):
    from rag.answer import load_llm

    with OpenAIServer(["Red."]) as server:
        llm = load_llm(MODEL, base_url=server.url, api_key=KEY)
        assert str(corpus.as_query_engine(llm=llm).query("Which colour is the door?")) == "Red."
        assert str(corpus.as_chat_engine(llm=llm).chat("Which colour is the door?")) == "Red."


def test_an_engine_without_a_model_says_how_to_name_one(corpus):
    with pytest.raises(InputError, match="TRIPTYCH_LLM"):
        corpus.as_query_engine()


def test_delete_takes_a_source_as_a_hit_names_it(corpus):
    source = corpus.search("lime kiln", k=1)[0].source
    assert corpus.delete(source) == 1
    assert source not in corpus.store.sources()


@pytest.mark.parametrize("filters", ["modality exists) or (modality = text", "modality = image) or (modality = text"])
def test_a_filter_must_be_whole_by_itself_and_cannot_undo_the_modality(corpus, filters):
    for modality in ("", "image"):
        with pytest.raises(FilterError, match="filter"):
            corpus.search("tide", filters=filters, modality=modality)


def test_or_in_a_filter_stays_within_the_modality(corpus):
    hits = corpus.search("tide", filters="modality = text or modality = image", modality="image")
    assert {hit.modality for hit in hits} == {"image"}


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"k": 0}, "k = 0"),
        ({"k": -1}, "k = -1"),
        ({"k": 2.5}, "k = 2.5"),
        ({"modality": "video"}, "modality 'video'; allowed: text, image"),
        ({"weights": {"text": "x"}}, "weights"),
    ],
)
def test_what_cannot_be_meant_is_refused_not_replaced_by_a_default(corpus, options, given):
    with pytest.raises(InputError, match=given):
        corpus.search("tide", **options)


def test_a_question_that_is_not_unicode_is_refused(corpus):
    with pytest.raises(InputError, match="not UTF-8"):
        corpus.search("tide \udcff")


def test_a_file_is_no_corpus(folder):
    file = next(path for path in folder.rglob("*") if path.is_file())
    with pytest.raises(InputError, match="is a file; allowed: a folder"):
        Corpus.open(file, encoder=fake_encoder())


def test_what_is_no_encoder_is_refused_by_its_kind(tmp_path):
    with pytest.raises(EncoderError, match=r"a MockEmbedding was given as the encoder; allowed: .*MultiModalEmbedding"):
        Corpus.open(tmp_path / "new", encoder=MockEmbedding(embed_dim=8))


def test_a_corpus_of_an_encoder_without_a_name_says_to_hand_it_in(corpus, monkeypatch):
    monkeypatch.setattr(corpus, "_encoder", None)
    manifest = corpus.store.manifest
    nameless = replace(manifest, encoder=replace(manifest.encoder, name="My own"))
    monkeypatch.setattr(type(corpus.store), "manifest", property(lambda store: nameless))
    with pytest.raises(EncoderError, match=r"made by encoder My own .*hand it in: Corpus\.open"):
        corpus.search("tide")


def test_a_model_that_only_completes_text_is_asked_without_pictures(corpus):
    assert str(corpus.as_query_engine(llm=MockLLM(max_tokens=3)).query("tide")) == "text text text"


def test_a_corpus_that_lies_in_its_own_documents_reads_the_documents_alone(folder):
    with Corpus.open(folder, encoder=fake_encoder()) as corpus:
        first = corpus.ingest(folder)
        again = corpus.ingest(folder)
    assert again.sources.unchanged == first.sources.added
    assert not [skip for skip in again.skips if "/qdrant/" in skip.source or "/pictures/" in skip.source]


@pytest.mark.parametrize("source", ["nowhere.md", "a\0b", ""])
def test_deleting_what_is_no_source_is_refused(corpus, source):
    with pytest.raises(InputError, match="no source"):
        corpus.delete(source)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**80])
def test_a_number_larger_than_any_stored_one_matches_nothing(corpus, number):
    assert corpus.search("door", filters=f"width = {number}") == []


def test_an_ingestion_ends_with_a_calibration_of_what_is_stored(corpus, folder):
    assert corpus.store.manifest.statistics["calibration"]["points"] == corpus.store.count()
    (folder / "more.txt").write_text("The harbour is deep.\n")
    corpus.ingest(folder)
    assert corpus.store.is_calibrated


def test_a_calibration_that_a_killed_run_did_not_come_to_is_made_by_the_next(corpus, folder):
    corpus.store.set_statistics({"calibration": {**corpus.store.calibration().to_json(), "points": 1}})
    corpus.ingest(folder)
    assert corpus.store.manifest.statistics["calibration"]["points"] == corpus.store.count()


def test_a_picture_file_goes_with_the_last_of_its_places(tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (80, 60), (220, 20, 20)).save(folder / f"{name}.png")

    def files() -> int:
        return sum(path.is_file() for path in (tmp_path / "corpus/pictures").rglob("*"))

    with Corpus.open(tmp_path / "corpus", encoder="fake") as corpus:
        corpus.ingest(folder)
        assert (corpus.status()["points"], files()) == (3, 1)
        corpus.delete(str(folder / "a.png"))
        (folder / "a.png").unlink()
        (folder / "b.png").unlink()
        corpus.ingest(folder, remove_missing=True)
        assert (corpus.status()["points"], files()) == (1, 1)
        corpus.delete(str(folder / "c.png"))
        assert (corpus.status()["points"], files()) == (0, 0)


def test_a_picture_that_another_collection_of_the_folder_shows_stays(tmp_path: Path):
    Image.new("RGB", (80, 60), (220, 20, 20)).save(tmp_path / "a.png")
    for name in ("one", "two"):
        with Corpus.open(tmp_path / "corpus", collection=name, encoder="fake") as corpus:
            corpus.ingest(tmp_path / "a.png")
    with Corpus.open(tmp_path / "corpus", collection="one") as corpus:
        corpus.delete(str(tmp_path / "a.png"))
    with Corpus.open(tmp_path / "corpus", collection="two") as corpus:
        (hit,) = corpus.search("a.png", modality="image")
        assert Path(hit.image).is_file()
