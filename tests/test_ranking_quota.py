"""Places for passages and pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.ranking import Bounds, Quota
from rag.ranking.quota import parse_quota
from tests.rankings import ASKED, ids, node, rankings, require_explained

bounds = st.tuples(st.integers(0, 3), st.none() | st.integers(3, 6)).map(lambda pair: Bounds(*pair))


@given(rankings(), st.integers(6, 10), bounds, bounds)
def test_bounds_hold_and_the_best_that_they_allow_are_chosen(ranking, k, pictures, passages):
    """At most `most`, at least `least` where found, k hits where allowed, in the order they had."""
    chosen = Quota(k, {"image": pictures, "text": passages})(ranking, ASKED)
    require_explained(chosen)
    assert ids(chosen) == [id_ for id_ in ids(ranking) if id_ in set(ids(chosen))]
    room = 0
    for kind, bound in ((True, pictures), (False, passages)):
        found = ids(hit for hit in ranking if hit.picture is kind)
        mine = ids(hit for hit in chosen if hit.picture is kind)
        most = len(found) if bound.most is None else min(bound.most, len(found))
        assert mine == found[: len(mine)]
        assert min(bound.least, len(found)) <= len(mine) <= most
        room += most
    assert len(chosen) == min(k, room)
    free = {hit.node_id for hit in ranking} - {
        hit.node_id for kind, bound in ((True, pictures), (False, passages))
        for hit in [hit for hit in chosen if hit.picture is kind][: bound.least]
    }  # fmt: skip
    left_out = [hit for hit in ranking if hit.node_id not in ids(chosen)]
    for hit in left_out:
        bound, kind = (pictures, True) if hit.picture else (passages, False)
        full = bound.most is not None and sum(other.picture is kind for other in chosen) >= bound.most
        worse = [other for other in chosen if other.node_id in free and other.total < hit.total]
        assert full or not worse


def test_without_bounds_it_is_the_first_k():
    """A quota that asks for nothing is the cut."""
    ranking = [node(n, -float(n), picture=n % 2 == 0) for n in range(6)]
    assert Quota(4)(ranking, ASKED) == ranking[:4]


def test_a_least_number_takes_the_places_of_the_lowest_hits():
    """Two pictures far below come in, the two lowest passages go."""
    ranking = [node(n, -float(n), picture=n >= 8) for n in range(12)]
    chosen = Quota(5, {"image": Bounds(2)})(ranking, ASKED)
    assert ids(chosen) == ids([*ranking[:3], *ranking[8:10]])


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("image=3", {"image": Bounds(0, 3)}),
        ("image=..3", {"image": Bounds(0, 3)}),
        ("image=2..", {"image": Bounds(2, None)}),
        (" image = 2..4 , text=0 ", {"image": Bounds(2, 4), "text": Bounds(0, 0)}),
        ("", {}),
    ],
)
def test_a_quota_is_written_as_a_range(text, meaning):
    """N is at most, N.. at least, N..M both."""
    assert parse_quota(text) == meaning


@pytest.mark.parametrize(
    "text", ["image", "image=", "image=..", "image=x", "video=3", "image=1,image=2", "image=-1", "3"]
)
def test_what_is_no_quota_is_refused(text):
    """One line says what is allowed."""
    with pytest.raises(InputError, match="allowed: text and image, each once"):
        parse_quota(text)


def test_a_quota_that_cannot_hold_is_refused():
    """More than k at least, or a least number above the most."""
    with pytest.raises(InputError, match="at least 4 hits; allowed: at most k = 3"):
        Quota(3, {"image": Bounds(2), "text": Bounds(2)})
    with pytest.raises(InputError, match=r"a quota of 4\.\.2"):
        parse_quota("image=4..2")
