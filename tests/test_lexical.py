"""Words to BM25 vectors: by language, remembered by the collection, with the same scores on every engine."""

from __future__ import annotations

import json
import math
import random
import unicodedata
import uuid
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from llama_index.core.schema import TextNode

from rag.cli import cli
from rag.errors import InputError
from rag.schema import Fingerprint
from rag.store import LexicalSettings, NamedVectorStore, parse_filter
from rag.store.lexical import LANGUAGES, Lexicon

DIM = 4
PRINT = Fingerprint("double", "0" * 64, DIM, "none")


@pytest.fixture(params=["embedded", "memory"])
def where(request, tmp_path: Path) -> dict:
    return {"path": tmp_path} if request.param == "embedded" else {"url": ":memory:"}


def opened(where: dict, language: str = "english") -> NamedVectorStore:
    return NamedVectorStore.open(**where, fingerprint=PRINT, lexical=LexicalSettings(language=language))


def passages(*texts: str) -> list[TextNode]:
    return [
        TextNode(id_=str(uuid.UUID(int=number)), text=text, embedding=[1.0] * DIM, metadata={"page": number})
        for number, text in enumerate(texts, 1)
    ]


def found(store: NamedVectorStore, words: str) -> list[int]:
    return [uuid.UUID(id_).int for id_ in store.candidates({"lexical": words}).ranked["lexical"]]


@pytest.mark.parametrize(
    ("language", "texts", "words", "expected"),
    [
        ("german", ("Die Häuser der Stadt", "ein Garten"), "das Haus", [1]),
        ("german", ("Die Häuser der Stadt", "ein Garten"), "der die das und", []),
        ("german", ("Die Häuser der Stadt", "er ging"), "STÄDTE", [1]),
        ("french", ("les chevaux galopent", "la mer"), "le cheval galopait", [1]),
        ("french", ("les élections nationales", "la mer"), "l'élection", [1]),
        ("french", ("les élections nationales", "la mer"), "le la les des", []),
        ("english", ("Die Häuser der Stadt", "the gardens"), "Haus", []),
        ("japanese", ("月の光が好きです", "雨が降る"), "月", [1]),
    ],
)
def test_words_meet_by_the_stems_and_stop_words_of_the_language(where, language, texts, words, expected):
    with opened(where, language) as store:
        store.add(passages(*texts))
        assert found(store, words) == expected


def test_every_language_that_is_offered_makes_vectors():
    for language in LANGUAGES:
        assert Lexicon(LexicalSettings(language=language)).query("galaxy") is not None, language


def test_letters_meet_however_unicode_writes_them():
    lexicon = Lexicon(LexicalSettings(language="german"))
    decomposed = unicodedata.normalize("NFD", "Häuser")
    assert lexicon.document(decomposed) == lexicon.document("Häuser")
    assert Lexicon().query("\ufb01eld") == Lexicon().query("field")


@pytest.mark.parametrize("language", ["klingon", "", "de"])
def test_a_language_that_is_not_there_is_told_with_those_that_are(language):
    with pytest.raises(InputError, match=r"allowed: arabic, .*german.*turkish"):
        LexicalSettings(language=language)


def test_numbers_that_bm25_is_not_defined_for_are_refused():
    for wrong in ({"k": -1.0}, {"b": 2.0}, {"avg_len": 0.0}):
        with pytest.raises(InputError, match="b from 0 to 1"):
            LexicalSettings(**wrong)


def test_the_command_line_makes_a_collection_for_a_language_and_refuses_another_later(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text("# Stadt\n\nDie Häuser der Stadt sind alt.\n", encoding="utf-8")
    corpus = str(tmp_path / "corpus")

    def run(*arguments: str):
        return CliRunner().invoke(cli, [*arguments, "--corpus", corpus, "--json"])

    made = run("ingest", str(tmp_path / "a.md"), "--encoder", "fake", "--language", "German")
    assert made.exit_code == 0, made.output
    assert json.loads(run("search", "das Haus").stdout)["hits"][0]["legs"]["lexical"]["raw"] > 0
    assert run("ingest", str(tmp_path / "a.md")).exit_code == 0
    refused = run("ingest", str(tmp_path / "a.md"), "--language", "french")
    assert refused.exit_code == 1
    assert "language french" in refused.stderr
    assert "made with language german" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    monkeypatch.setenv("TRIPTYCH_LANGUAGE", "klingon")
    unknown = run("ingest", str(tmp_path / "a.md"))
    assert unknown.exit_code == 1
    assert "allowed: arabic" in unknown.stderr


def idf(count: int, holding: int) -> float:
    """Qdrant's, after Robertson and Zaragoza (2009), section 3.3, plus one so that it is never negative."""
    return math.log((count - holding + 0.5) / (holding + 0.5) + 1)


def test_the_ceiling_is_the_sum_of_the_idfs_of_the_terms_that_are_there_times_k_plus_1(where):
    with opened(where) as store:
        store.add(passages("moon light", "moon moon", "tree", "the of", "moon tree river"))
        expected = 2.2 * (idf(4, 3) + idf(4, 2))
        assert store.lexical_ceiling("moons and trees, dragons") == pytest.approx(expected, rel=1e-5)
        assert store.lexical_ceiling("dragons") is None
        assert store.lexical_ceiling("the of") is None
        assert store.lexical_ceiling("") is None


def test_the_ceiling_counts_what_is_there_now(where):
    with opened(where) as store:
        nodes = passages("moon", "moon", "tree", "tree", "river")
        store.add(nodes)
        store.delete_ids([nodes[0].node_id])
        store.add([nodes[3].model_copy(update={"text": "moon"})])
        assert store.lexical_ceiling("moon") == pytest.approx(2.2 * idf(4, 2), rel=1e-5)


def test_no_passage_scores_above_the_ceiling_and_every_engine_gives_the_same(tmp_path):
    rng = random.Random(7)
    words = ["moon", "light", "tree", "river", "galaxy", "star", "lamp"]
    nodes = passages(*(" ".join(rng.choices(words, k=rng.choice([0, 1, 2, 40, 300]))) for _ in range(60)))
    with opened({"path": tmp_path}) as embedded, opened({"url": ":memory:"}) as memory:
        for store in (embedded, memory):
            store.add(nodes)
        for _ in range(20):
            question = " ".join(rng.choices([*words, "dragon", "the"], k=rng.randint(1, 6)))
            one, other = embedded.lexical_ceiling(question), memory.lexical_ceiling(question)
            assert one == (None if other is None else pytest.approx(other, abs=1e-4))
            best = max(embedded.candidates({"lexical": question}).scores["lexical"].values(), default=0.0)
            assert best < (one or 1e-9)


def test_the_ceiling_travels_with_the_question_whatever_its_filter(where):
    with opened(where) as store:
        store.add(passages("moon light", "moon", "tree"))
        asked = {"text": np.ones(DIM), "lexical": "moon"}
        got = store.candidates(asked, filters=parse_filter("page = 3"), ceiling=True)
        assert got.lexical_ceiling == pytest.approx(store.lexical_ceiling("moon"), rel=1e-6)
        assert got.nodes.keys() == {str(uuid.UUID(int=3))}
        assert store.candidates(asked).lexical_ceiling is None
        assert store.candidates({"text": np.ones(DIM)}, ceiling=True).lexical_ceiling is None
