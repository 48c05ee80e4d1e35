"""Boosts by filter and by age."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import ImageNode, TextNode
from PIL import Image

from rag import Corpus
from rag.encoders.fake import fake_encoder
from rag.errors import FilterError, InputError
from rag.ranking import Boost, RankingOptions, Recency
from rag.ranking.boost import parse_boost, parse_recency
from rag.schema import Fingerprint
from rag.store import NamedVectorStore, parse_filter
from tests.rankings import ASKED, identity, ids, node, rankings, require_explained

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


def no_judge(name):
    raise AssertionError(name)


def fields_of(found):
    return {**found.metadata, "modality": "image" if isinstance(found, ImageNode) else "text"}


@given(rankings(), st.floats(-5, 5))
def test_a_boost_adds_its_amount_where_the_filter_holds_and_nowhere_else(ranking, amount):
    """Same nodes, exact amounts, told by the expression."""
    expr = parse_filter('modality = image and (page >= 2 or source contains "1")')
    boosted = Boost(expr, amount, fields_of)(ranking, ASKED)
    require_explained(boosted)
    assert sorted(ids(boosted)) == sorted(ids(ranking))
    before = {hit.node_id: hit for hit in ranking}
    for hit in boosted:
        metadata = hit.node.metadata
        holds = hit.picture and (metadata["page"] >= 2 or "1" in metadata["source"])
        assert hit.total - before[hit.node_id].total == pytest.approx(amount if holds else 0.0)
        assert hit.adjustments == ({f"boost: {expr}": amount} if holds else {})


def test_equal_scores_keep_the_order_they_came_in():
    """A boost that makes two equal does not swap them."""
    ranking = [node(1, 2.0), node(2, 1.0, picture=True)]
    assert ids(Boost(parse_filter("modality = image"), 1.0, fields_of)(ranking, ASKED)) == ids(ranking)


@given(st.floats(0, 5000), st.floats(0.1, 900))
def test_recency_halves_with_each_half_life(age, half_life):
    """amount · 2^(−age / half-life)."""
    date = (NOW - timedelta(days=age)).isoformat()
    [hit] = Recency(half_life, NOW, 3.0)([node(1, 1.0, ingested_at=date)], ASKED)
    assert hit.adjustments["recency"] == pytest.approx(3 * 0.5 ** (age / half_life), rel=1e-3)
    require_explained([hit])


def test_recency_reads_dates_lists_of_dates_and_passes_over_what_is_no_date():
    """The youngest of a list counts, the future counts as now, words and nothing add nothing."""
    ranking = [
        node(1, 0.0, when=["2020-01-01", "2026-05-02"]),
        node(2, 0.0, when="2030-01-01"),
        node(3, 0.0, when="soon"),
        node(4, 0.0),
        node(5, 0.0, when=7),
    ]
    added = {hit.node_id: hit.adjustments.get("recency") for hit in Recency(30, NOW, 1.0, "when")(ranking, ASKED)}
    assert list(map(added.get, map(identity, range(1, 6)))) == [pytest.approx(0.5), 1.0, None, None, None]


def test_options_are_read_as_they_are_written():
    """The last colon of a boost, FIELD:DAYS=AMOUNT of recency."""
    expr, amount = parse_boost('section contains "a: b" and page > 1: -0.5')
    assert (str(expr), amount) == ('section contains "a: b" and page > 1', -0.5)
    assert parse_recency("30", NOW) == Recency(30, NOW)
    assert parse_recency("published:365=0.5", NOW) == Recency(365, NOW, 0.5, "published")


@pytest.mark.parametrize(
    "options",
    [
        {"boosts": ("modality = image",)},
        {"boosts": ("modality = image: much",)},
        {"boosts": ("modality = image: nan",)},
        {"boosts": (": 1",)},
        {"recency": "soon"},
        {"recency": "0"},
        {"recency": "30=inf"},
        {"recency": "nowhere:30"},
        {"recency": "page:30"},
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(options):
    """Before any search, with an example of what can be."""
    with stocked() as store, pytest.raises(InputError, match="as in --") as caught:
        RankingOptions(**options).stages(store, 10, no_judge)
    assert "\n" not in str(caught.value)


def test_a_boost_on_an_unknown_field_fails_closed():
    """As a filter does, with the fields there are."""
    with stocked() as store, pytest.raises(FilterError, match=r"unknown field 'pag'.*did you mean page"):
        RankingOptions(boosts=("pag = 1: 2",)).stages(store, 10, no_judge)


def stocked():
    """A store of two passages, one of them published last year."""
    store = NamedVectorStore.open(url=":memory:", fingerprint=Fingerprint("fake", "0", 2, "none"))
    store.add(
        [
            TextNode(
                id_=identity(n), text="words", embedding=[1.0, n], metadata={"page": n, "published": f"202{n}-01-01"}
            )
            for n in (4, 5)
        ]
    )
    return store


def test_a_boost_by_date_compares_dates():
    """ISO words on a date field mean their whole day, as in a filter."""
    with stocked() as store:
        [stage] = RankingOptions(boosts=("published >= 2025-01-01: 5",)).stages(store, 10, no_judge)
    ranking = [node(4, 2.0, published="2024-01-01"), node(5, 1.0, published="2025-01-01")]
    assert ids(stage(ranking, ASKED)) == [identity(5), identity(4)]


def test_a_boost_holds_where_a_filter_on_the_same_field_does(tmp_path):
    """Of every field there is, those among them that the store adds to a node's own metadata."""
    (tmp_path / "page.md").write_text("# Flags\n\nA red flag.\n\n![a red flag](red.png)\n")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder(), qdrant=":memory:") as corpus:
        corpus.ingest(tmp_path / "page.md", metadata={"year": 2024})
        [picture] = corpus.search("flag", filters="image_uri exists")
        stored = corpus.store.fields_of(corpus.store.get_nodes([picture.id])[0])["image_uri"]
        for test in (*(f"{field} exists" for field in corpus.store.fields()), f'image_uri = "{stored}"', "year = 2024"):
            found = {hit.id for hit in corpus.search("flag", filters=test)}
            boosted = corpus.search("flag", ranking=RankingOptions(boosts=(f"{test}: 1",)))
            assert {hit.id for hit in boosted if hit.adjustments} == found, test
