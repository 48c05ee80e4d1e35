"""Without a language model the answer quotes the documents, shows pictures, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer.answerer import Answerer
from rag.answer.extractive import UNSURE, content_words, sentences
from rag.schema import Hit


def passage(rank: int, text: str, **changes: object) -> Hit:
    values = {"caption": "", "image": "", "source": "guide.md", "page": None, "section": "", **changes}
    return Hit(rank, f"t{rank}", 1 / rank, "text", text, **values)


def picture(rank: int, caption: str, image: str = "", text: str = "") -> Hit:
    return Hit(rank, f"p{rank}", 1 / rank, "image", text, caption, image or f"p{rank}.png", "guide.md", 2, "")


HITS = [
    passage(1, "Lighthouses warn ships. The tower at Gull Point was built in 1871. It is white."),
    picture(2, "The tower of Gull Point at dusk", "tower.png"),
    passage(3, "Bread needs flour. Dr. Hale says that flour keeps for a year."),
    picture(4, "A loaf of bread", "loaf.png"),
]


def ask(question: str, hits=HITS, **more):
    return Answerer().answer(question, hits, **more)


def test_the_sentence_that_shares_most_with_the_question_is_quoted_with_the_next_and_cited():
    """A golden answer: opening words, the best sentence with its number, the pictures with caption and path."""
    answer = ask("When was the tower at Gull Point built?")
    assert answer.answer == (
        "Extractive answer (no language model is configured):\n"
        "“The tower at Gull Point was built in 1871. It is white.” [1]\n"
        "Pictures:\n"
        "[2] The tower of Gull Point at dusk (tower.png)"
    )
    assert not answer.abstained
    assert [citation.marker for citation in answer.citations] == ["[1]", "[2]"]
    assert [citation.hit.id for citation in answer.citations] == ["t1", "p2"]
    assert answer.images == ("tower.png",)
    assert answer.llm == "extractive"
    assert answer.usage == {}


def test_plural_and_case_do_not_matter_and_stop_words_do_not_count():
    """`Loaves of BREADS` shares `bread` with the passage; `what is the` shares nothing."""
    assert content_words("What is the Breads' flour?") == {"bread", "flour"}
    assert "“Bread needs flour. Dr. Hale says that flour keeps for a year.” [3]" in ask("BREADS").answer
    assert ask("What is it that they have?").abstained


def test_words_that_nobody_wrote_make_it_abstain_but_the_nearest_pictures_are_still_shown():
    """Where no word is shared the answer abstains; a picture among the first three is shown as merely near."""
    answer = ask("quantum chromodynamics")
    assert answer.abstained
    assert answer.answer == (
        "The documents do not answer this question. The nearest pictures, found without any word in common:\n"
        "[2] The tower of Gull Point at dusk (tower.png)"
    )
    assert answer.images == ("tower.png",)


@pytest.mark.parametrize("hits", [[], [passage(1, "Nothing to do with it.")]])
def test_without_support_it_abstains_in_the_fixed_sentence(hits):
    """No hits, or passages without a shared word: the fixed sentence, no citations."""
    answer = ask("volcano?", hits)
    assert answer.answer == "The documents do not answer this question."
    assert answer.abstained
    assert answer.citations == ()


def test_a_question_that_is_a_picture_is_answered_by_the_nearest_pictures():
    """A picture without words has the pictures found as its answer, and does not abstain."""
    answer = ask("", [picture(1, "", "a.png"), picture(2, "A gull", "b.png")], image="query.png")
    assert not answer.abstained
    assert answer.images == ("a.png", "b.png")
    assert "[1] (a.png)" in answer.answer


def test_neighbours_are_quoted_under_their_hit_and_a_sentence_only_once():
    """Passages with neighbours replace the hit's text; a sentence in two passages is quoted for the better one."""
    hits = [passage(1, "Gulls nest here."), passage(2, "Eggs are laid in May.")]
    passages = {"t1": "Gulls nest here. Eggs are laid in May.", "t2": "Gulls nest here. Eggs are laid in May."}
    assert ask("When are eggs laid?", hits, passages=passages).answer.splitlines()[1:] == [
        "“Eggs are laid in May.” [1]"
    ]


def test_rank_decides_between_equal_sentences_and_shared_words_between_unequal_ones():
    """A rare shared word outweighs the rank; with equal words the better hit is quoted first."""
    hits = [passage(1, "A red kite flies."), passage(2, "A red gull flies."), passage(3, "A red gull sleeps.")]
    numbers = [citation.marker for citation in ask("red gull", hits).citations]
    assert numbers == ["[2]", "[3]"]


def test_quotes_carry_no_foreign_markers_and_no_control_characters():
    """A document's own `[2]` reads `(2)`, and terminal escapes do not reach the terminal."""
    answer = ask("gull", [passage(1, "The gull \x1b[31mis white [2].")])
    assert "“The gull [31mis white (2).” [1]" in answer.answer
    assert [citation.marker for citation in answer.citations] == ["[1]"]


def test_a_long_sentence_is_clipped():
    """A quote has at most 400 characters."""
    answer = ask("gull", [passage(1, "gull " * 300)])
    quote = answer.answer.splitlines()[1]
    assert quote.endswith("…” [1]")
    assert len(quote) <= 400 + len("“” [1]")


def test_sentences_end_at_stops_and_lines():
    """Sentences are cut after stops followed by no small letter, and at line ends."""
    assert sentences("See Fig. 3 by Dr. Hale. It is 3.5 m. It is approx. six. “So?” Yes!\nNext 行。次") == [
        "See Fig. 3 by Dr. Hale.",
        "It is 3.5 m.",
        "It is approx. six.",
        "“So?”",
        "Yes!",
        "Next 行。",
        "次",
    ]


async def test_the_four_ways_to_ask_say_the_same():
    """answer, aanswer, stream and astream give one extractive answer."""
    question = "When was the tower built?"
    expected = ask(question)
    stream = Answerer().stream(question, HITS)
    again = Answerer().astream(question, HITS)
    assert await Answerer().aanswer(question, HITS) == expected
    assert ("".join(stream), stream.answer) == (expected.answer, expected)
    assert ("".join([piece async for piece in again]), again.answer) == (expected.answer, expected)


def test_the_same_question_twice_gives_the_same_answer():
    """The extractive answer is deterministic."""
    assert ask("tower bread flour white") == ask("tower bread flour white")


def test_where_no_hit_is_confident_the_answer_abstains_though_words_are_shared():
    question = "When was the tower at Gull Point built?"
    unsure = [replace(hit, confidence=UNSURE / 2) for hit in HITS]
    assert ask(question, unsure).abstained
    assert ask(question, [replace(unsure[0], confidence=UNSURE), *unsure[1:]]).answer == ask(question).answer


def test_without_confidences_shared_words_decide():
    mixed = [replace(HITS[0], confidence=None), *(replace(hit, confidence=0.0) for hit in HITS[1:])]
    assert not ask("When was the tower at Gull Point built?", mixed).abstained
