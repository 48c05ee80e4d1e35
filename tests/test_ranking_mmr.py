"""Maximal marginal relevance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import Corpus
from rag.encoders.fake import fake_encoder
from rag.errors import InputError
from rag.ranking import MMR, RankingOptions
from rag.ranking.mmr import similarities
from tests.rankings import ASKED, ids, node, rankings, require_explained


def vectors(seed=0, calls=None):
    """Vectors that depend on the id alone."""

    def of(wanted, leg):
        if calls is not None:
            calls.append(leg)
        made = {id_: np.random.default_rng([int(id_[-4:], 16), seed]).normal(size=4) for id_ in wanted}
        return {id_: list(vector) for id_, vector in made.items()}

    return of


@given(rankings(), st.floats(0.01, 1), st.integers(1, 12), st.integers(0, 9))
def test_mmr_orders_and_explains_and_never_raises_a_score(ranking, weight, depth, seed):
    """A permutation of the first `depth`, the rest behind in its order, every price told and none above 0."""
    ordered = MMR(vectors(seed), weight, depth)(ranking, ASKED)
    require_explained(ordered)
    assert sorted(ids(ordered[:depth])) == sorted(ids(ranking[:depth]))
    assert ids(ordered[depth:]) == ids(ranking[depth:])
    assert all(hit.adjustments.get("mmr", 0.0) <= 0 for hit in ordered)
    assert ids(ordered[:1]) == ids(ranking[:1])


@given(rankings())
def test_relevance_alone_changes_nothing(ranking):
    """λ = 1 keeps nodes, order and scores."""
    assert MMR(vectors(), 1.0)(ranking, ASKED) == ranking


@given(rankings(least=2), st.floats(0.05, 0.95), st.integers(0, 9))
def test_the_order_is_that_of_the_published_formula(ranking, weight, seed):
    """λ·rel − (1−λ)·max sim, rel scaled to [0, 1], chosen one by one: the same values up to the stated factor."""
    scores = np.array([hit.total for hit in ranking])
    span = np.ptp(scores)
    if span < 1e-6:
        return
    relevance, sims = (scores - scores.min()) / span, similarities(ranking, vectors(seed))
    chosen, values = [], []
    while len(chosen) < len(ranking):
        left = [row for row in range(len(ranking)) if row not in chosen]
        value = {r: weight * relevance[r] - (1 - weight) * max((sims[r, c] for c in chosen), default=0) for r in left}
        best = max(left, key=lambda row: (value[row], -row))
        chosen.append(best)
        values.append(value[best])
    ordered = MMR(vectors(seed), weight)(ranking, ASKED)
    told = weight * (np.array([hit.total for hit in ordered]) - scores.min()) / span
    assert told == pytest.approx(np.array(values), abs=1e-6)


@given(rankings(), st.integers(0, 9))
def test_similarities_are_symmetric_bounded_and_zero_between_modalities(ranking, seed):
    """Two of a kind are compared, and with themselves they are one."""
    found = similarities(ranking, vectors(seed))
    assert found == pytest.approx(found.T)
    assert ((found >= 0) & (found <= 1)).all()
    pictures = np.array([hit.picture for hit in ranking], dtype=bool)
    assert not found[np.ix_(pictures, ~pictures)].any()


def test_a_passage_that_says_the_same_again_falls_behind_one_that_says_something_else():
    """Worked out by hand: two equal vectors, a third at right angles; mean cosine 1/3."""
    ranking = [node(1, 3.0), node(2, 2.0), node(3, 1.0)]
    stored = dict(zip(ids(ranking), ([1.0, 0.0], [1.0, 0.0], [0.0, 1.0]), strict=True))
    ordered = MMR(lambda wanted, leg: {id_: stored[id_] for id_ in wanted}, 0.5)(ranking, ASKED)
    assert ids(ordered) == [ranking[0].node_id, ranking[2].node_id, ranking[1].node_id]
    assert [hit.total for hit in ordered] == pytest.approx([3.0, 1.0, 0.0])
    assert ordered[2].adjustments == {"mmr": pytest.approx(-2.0)}


def test_hits_without_vectors_and_single_ones_pay_nothing():
    """A picture whose vector is missing has nothing to be compared by."""
    ranking = [node(1, 2.0, picture=True), node(2, 1.0, picture=True), node(3, 0.5)]
    assert ids(MMR(lambda wanted, leg: {}, 0.2)(ranking, ASKED)) == ids(ranking)


def test_vectors_are_fetched_once_a_kind():
    """Two requests at most, whatever the depth."""
    calls = []
    MMR(vectors(calls=calls), 0.5)([node(n, -float(n), picture=n % 2 == 0) for n in range(9)], ASKED)
    assert sorted(calls) == ["image", "text"]


@pytest.mark.parametrize("weight", [0, -0.1, 1.1, float("nan")])
def test_a_weight_outside_its_range_is_refused(weight):
    """Above 0, up to 1."""
    with pytest.raises(InputError, match="allowed: numbers above 0, up to 1"):
        MMR(vectors(), weight)


@pytest.mark.parametrize("engine", ["", ":memory:"])
def test_over_a_store_repetition_falls_behind(tmp_path, engine):
    """Two notes that say nearly the same: the second makes room for another, on every engine alike."""
    (tmp_path / "a.txt").write_text("lime kiln burnt coal fire stone")
    (tmp_path / "b.txt").write_text("lime kiln burnt coal fire stones")
    (tmp_path / "c.txt").write_text("lime kiln tour opening hours tickets for visitors with children")
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder(), qdrant=engine) as corpus:
        corpus.ingest(*(tmp_path / name for name in ("a.txt", "b.txt", "c.txt")))
        plain = corpus.search("lime kiln burnt coal fire")
        varied = corpus.search("lime kiln burnt coal fire", ranking=RankingOptions(mmr=0.3))
    assert [hit.source[-5:] for hit in plain] != [hit.source[-5:] for hit in varied]
    assert varied[1].source.endswith("c.txt")
    assert varied[2].adjustments["mmr"] < 0
