"""Splitting: nothing is lost, everything fits, and sections stay apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.document import Block
from ingestion.split import PASSAGE_TOKENS, split_blocks
from rag.errors import InputError


def words(text: str) -> list[tuple[int, int]]:
    """A tokenizer whose tokens are words and punctuation marks."""
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def pairs(text: str) -> list[tuple[int, int]]:
    """A tokenizer that cuts words into pieces of two characters, as subword tokenizers do."""
    return [match.span() for match in re.finditer(r"\w{1,2}|[^\w\s]", text)]


def test_short_paragraphs_of_a_section_share_a_passage():
    blocks = [Block("One.", ("A",)), Block("Two.", ("A",)), Block("Three.", ("B",))]
    passages = split_blocks(blocks, words, 50)
    assert [(p.text, p.section, p.blocks) for p in passages] == [("One.\n\nTwo.", "A", (0, 1)), ("Three.", "B", (2, 2))]


def test_a_passage_never_spans_two_pages():
    assert [p.page for p in split_blocks([Block("One", page=1), Block("Two", page=2)], words, 50)] == [1, 2]


def test_a_long_paragraph_is_cut_at_sentence_ends():
    text = "The sun is hot. The moon is cold. The sea is deep."
    assert [p.text for p in split_blocks([Block(text)], words, 12)] == [
        "The sun is hot. The moon is cold.",
        "The sea is deep.",
    ]


def test_a_long_sentence_is_cut_between_words():
    assert [p.text for p in split_blocks([Block("one two three four five")], words, 2)] == [
        "one two",
        "three four",
        "five",
    ]


def test_a_single_long_word_is_cut_within():
    assert [p.text for p in split_blocks([Block("abcdefghij")], pairs, 2)] == ["abcd", "efgh", "ij"]


def test_the_overlap_repeats_whole_sentences():
    passages = split_blocks([Block("A b. C d. E f. G h.")], words, 6, overlap=3)
    assert [p.text for p in passages] == ["A b. C d.", "C d. E f.", "E f. G h."]


def test_a_heading_opens_the_first_passage_beneath_it():
    blocks = [Block("Parent", ("Parent",), kind="heading"), Block("Child", ("Parent", "Child"), kind="heading")]
    blocks.append(Block("Text here.", ("Parent", "Child")))
    (passage,) = split_blocks(blocks, words, 50)
    assert passage.text == "Parent\nChild\nText here."
    assert (passage.section, passage.kind) == ("Parent › Child", "paragraph")


def test_a_heading_is_not_left_behind_at_the_end_of_a_full_passage():
    blocks = [Block("one two three"), Block("Head", kind="heading"), Block("four five six")]
    assert [p.text for p in split_blocks(blocks, words, 4)] == ["one two three", "Head\nfour five six"]


def test_a_heading_takes_some_of_a_paragraph_that_would_fill_a_passage():
    blocks = [Block("Head", kind="heading"), Block("A b. C d. E f.")]
    assert [p.text for p in split_blocks(blocks, words, 9)] == ["Head\nA b. C d.", "E f."]


def test_a_megabyte_without_a_break_is_cut_in_linear_time():
    seen = 0

    def counting(text: str) -> list[tuple[int, int]]:
        nonlocal seen
        seen += len(text)
        return words(text)

    text = "word " * 40_000
    passages = split_blocks([Block(text)], counting, 200)
    assert sum(len(p.text.split()) for p in passages) == 40_000
    assert seen < 40 * len(text)


def test_large_windows_are_not_filled():
    assert all(len(words(p.text)) <= PASSAGE_TOKENS for p in split_blocks([Block("word " * 1000)], words, 8000))


@pytest.mark.parametrize(("window", "overlap"), [(0, 0), (5, 5), (5, -1)])
def test_impossible_sizes_are_refused(window: int, overlap: int):
    with pytest.raises(InputError):
        split_blocks([Block("text")], words, window, overlap)


_TEXT = st.text(alphabet=st.sampled_from('abc dé.\n!?。 \t("-漢'), min_size=0, max_size=120)
_BLOCKS = st.lists(
    st.builds(
        Block,
        _TEXT,
        st.sampled_from([(), ("A",), ("A", "B"), ("C",)]),
        st.sampled_from([None, 1, 2]),
        st.sampled_from(["heading", "paragraph", "list", "table", "code"]),
    ),
    max_size=8,
)


@given(_BLOCKS, st.integers(1, 30), st.integers(0, 5), st.sampled_from([words, pairs]))
def test_every_word_is_kept_and_every_passage_fits(blocks, window, overlap, spans):
    """Without overlap the letters of all passages are those of all blocks, in order; with it, none is missing."""
    overlap = min(overlap, window - 1)
    passages = split_blocks(blocks, spans, window, overlap)
    assert all(len(spans(p.text)) <= window for p in passages)
    whole = "".join("".join(block.text.split()) for block in blocks)
    if overlap == 0:
        assert "".join("".join(p.text.split()) for p in passages) == whole
    held = [set() for _ in blocks]
    for passage in passages:
        for number in range(passage.blocks[0], passage.blocks[1] + 1):
            held[number].update(passage.text.split())
    if window >= 30 and spans is words:
        for block, found in zip(blocks, held, strict=True):
            assert set(block.text.split()) <= found or len(words(block.text)) > window


@given(_BLOCKS, st.integers(1, 30))
def test_sections_and_pages_stay_apart(blocks, window):
    for passage in split_blocks(blocks, words, window):
        held = [b for b in blocks[passage.blocks[0] : passage.blocks[1] + 1] if b.text.strip() and b.kind != "heading"]
        assert {(" › ".join(b.section), b.page) for b in held} <= {(passage.section, passage.page)}
