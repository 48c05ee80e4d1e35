"""Citations: what is cited was sent, and a stream says the same as the whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.citations import CitationFilter, cited_numbers, keep_known

KNOWN = {1, 2, 3}
TEXTS = st.text(alphabet="[[]]1234, ;-–ab.\n\t", max_size=40)


@pytest.mark.parametrize(
    ("text", "cleaned", "cited"),
    [
        ("Blue [1].", "Blue [1].", (1,)),
        ("Blue [1, 2].", "Blue [1][2].", (1, 2)),
        ("Blue [2][1] and [2].", "Blue [2][1] and [2].", (2, 1)),
        ("Blue [1-3].", "Blue [1][2][3].", (1, 2, 3)),
        ("Blue [3–9].", "Blue [3].", (3,)),
        ("Blue [ 2 ; 9 ].", "Blue [2].", (2,)),
        ("Blue [9].", "Blue.", ()),
        ("Blue [9] sky [0].", "Blue sky.", ()),
        ("[9] Blue", "Blue", ()),
        ("Blue [[9]1]", "Blue [1]", (1,)),
        ("Blue [7[9]] [8, [9] 7]", "Blue", ()),
        ("Blue [one] [] [1", "Blue [one] [] [1", ()),
        ("Blue [12345]", "Blue [12345]", ()),
        ("Blue [١]", "Blue [١]", ()),
        ("", "", ()),
    ],
)
def test_markers_are_checked_against_what_was_sent(text, cleaned, cited):
    """Known numbers stay, one marker each; unknown ones go, with the space before them."""
    assert keep_known(text, KNOWN) == cleaned
    assert cited_numbers(cleaned) == cited


@given(TEXTS, st.sets(st.integers(0, 12)))
def test_only_what_was_sent_is_ever_cited(text, known):
    """Whatever the model writes, a cleaned text cites a subset of the known numbers, each once."""
    cited = cited_numbers(keep_known(text, known))
    assert set(cited) <= known
    assert len(cited) == len(set(cited))


@given(TEXTS)
def test_cleaning_twice_changes_nothing(text):
    """A cleaned text is already clean."""
    once = keep_known(text, KNOWN)
    assert keep_known(once, KNOWN) == once


@given(TEXTS)
def test_words_are_never_touched(text):
    """Cleaning removes nothing but markers and white space: letters and full stops stay in order."""

    def words(value: str) -> str:
        return "".join(char for char in value if char in "ab.")

    assert words(keep_known(text, KNOWN)) == words(text)


@given(TEXTS, st.lists(st.integers(0, 40), max_size=8))
def test_a_stream_says_the_same_however_it_is_cut(text, cuts):
    """The pieces of the filter join to the cleaned whole, for every way to cut the text."""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    cleaner = CitationFilter(KNOWN)
    pieces = [cleaner.feed(text[start:end]) for start, end in pairwise(edges)]
    assert "".join([*pieces, cleaner.finish()]) == keep_known(text, KNOWN)


def test_a_stream_does_not_wait_longer_than_it_must():
    """Plain text passes at once; only a possible marker and white space are held back."""
    cleaner = CitationFilter(KNOWN)
    assert cleaner.feed("The sky is ") == "The sky is"
    assert cleaner.feed("blue [") == " blue"
    assert cleaner.feed("1]") == ""
    assert cleaner.feed(". ") == " [1]."
