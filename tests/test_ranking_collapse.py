"""Near-duplicates take one place, and nothing is lost."""

import pytest
from hypothesis import given
from PIL import Image

from rag import Corpus
from rag.encoders.fake import fake_encoder
from rag.ranking import Collapse, RankingOptions, to_hits
from tests.rankings import ASKED, ids, node, rankings, require_explained

A = "0" * 48


def folded_ids(ranking):
    return [folded.id for hit in ranking for folded in hit.similar]


@given(rankings())
def test_every_node_is_kept_or_listed_once_and_collapsing_again_changes_nothing(ranking):
    """Kept and folded nodes together are the ranking; scores stay; collapse is idempotent."""
    collapsed = Collapse()(ranking, ASKED)
    require_explained(collapsed)
    assert sorted(ids(collapsed) + folded_ids(collapsed)) == sorted(ids(ranking))
    assert [(hit.node_id, hit.score) for hit in collapsed] == [
        (hit.node_id, hit.score) for hit in ranking if hit.node_id in set(ids(collapsed))
    ]
    assert Collapse()(collapsed, ASKED) == collapsed


def test_the_best_ranked_picture_stands_for_the_others_and_tells_where_they_are():
    """Source, page, picture and score of what is folded are told, best first."""
    first = node(1, 3.0, picture=True, image_sha256="a", source="one.pdf", page=1)
    second = node(2, 2.0, picture=True, image_sha256="a", source="two.pdf", page=7)
    third = node(3, 1.0, picture=True, image_sha256="a", source="three.pdf")
    [hit] = to_hits(Collapse()([first, second, third], ASKED))
    assert hit.id == first.node_id
    assert hit.to_json()["similar"] == [
        {"id": second.node_id, "source": "two.pdf", "page": 7, "image": "2.png", "score": 2.0},
        {"id": third.node_id, "source": "three.pdf", "page": None, "image": "3.png", "score": 1.0},
    ]


@pytest.mark.parametrize(("bits", "places"), [(0xF, 1), (0x1F, 2)])
def test_pictures_are_one_up_to_four_bits_of_their_hashes(bits, places):
    """Four differing bits are a near-duplicate, five are another picture."""
    ranking = [node(1, 2.0, picture=True, image_phash=A), node(2, 1.0, picture=True, image_phash=f"{bits:048x}")]
    assert len(Collapse()(ranking, ASKED)) == places


def test_small_steps_do_not_add_up():
    """A picture like a folded one, but not like the kept one, has a place of its own."""
    ranking = [node(n, -float(n), picture=True, image_phash=f"{2 ** (3 * n) - 1:048x}") for n in range(3)]
    assert ids(Collapse()(ranking, ASKED)) == [ranking[0].node_id, ranking[2].node_id]


@pytest.mark.parametrize("digits", ["", "not hexadecimal", None, "00"])
def test_a_hash_that_says_nothing_folds_nothing(digits):
    """Without hashes that can be compared, only the same file is the same picture."""
    ranking = [node(1, 2.0, picture=True, image_phash=A), node(2, 1.0, picture=True, image_phash=digits)]
    assert Collapse()(ranking, ASKED) == ranking


def test_the_same_words_are_one_passage_and_passages_and_pictures_never_are():
    """White space apart; a picture whose words equal a passage stays beside it."""
    ranking = [
        node(1, 4.0, text="the same words"),
        node(2, 3.0, text="the same words", picture=True),
        node(3, 2.0, text="the  same\nwords"),
        node(4, 1.0, text="The same words"),
    ]
    assert ids(Collapse()(ranking, ASKED)) == [ranking[0].node_id, ranking[1].node_id, ranking[3].node_id]


@pytest.mark.parametrize("engine", ["", ":memory:"])
def test_search_collapses_unless_told_otherwise(tmp_path, engine):
    """The same picture and the same words in three documents are one hit each, and three with `--no-collapse`."""
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (64, 48), "red").save(tmp_path / name / "red.png")
        (tmp_path / name / "note.txt").write_text("The red barn stands by the mill.")
    with Corpus.open(tmp_path / "corpus", encoder=fake_encoder(), qdrant=engine) as corpus:
        corpus.ingest(*(tmp_path / name for name in ("one", "two", "three")))
        hits = corpus.search("red")
        assert [(hit.modality, len(hit.similar)) for hit in sorted(hits, key=lambda hit: hit.modality)] == [
            ("image", 2),
            ("text", 2),
        ]
        assert len(corpus.search("red", ranking=RankingOptions())) == 6
        assert len(corpus.as_retriever().retrieve("red")) == 6
