"""Errors are one line: what was given, what is allowed, what to do next."""

import pytest

from rag.errors import TriptychError


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("it is broken.", "it is broken; repair it"),
        ("nothing in .", "nothing in .; repair it"),
        ("nothing in a/..", "nothing in a/..; repair it"),
        ("nothing in ./.", "nothing in ./.; repair it"),
        ("two\nlines.\n", "two lines; repair it"),
    ],
)
def test_a_full_stop_is_left_out_and_a_path_of_dots_is_not(given, told):
    assert str(TriptychError(given, "", "repair it.")) == told
