"""A question of any kind becomes one request; every hit tells where its score comes from; engines agree."""

import uuid
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.schema import ImageNode, Node, TextNode
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
from PIL import Image

from rag import ClipEncoder, FusionRetriever, NamedVectorStore
from rag.corpus import Corpus
from rag.encoders.fake import COLOURS, fake_encoder
from rag.errors import InputError
from rag.question import Question, Term
from rag.ranking import Collapse, RankingOptions
from rag.store import Candidates

WORDS = ["red", "blue", "green", "boat", "beach", "people", "sunset", "stone"]


@pytest.fixture(scope="module")
def encoder():
    return fake_encoder()


def node(text, number=0):
    return TextNode(id_=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{text} {number}")), text=text)


def picture(folder, colour, caption=""):
    path = folder / f"{colour}-{caption}.png"
    Image.new("RGB", (16, 16), COLOURS[colour]).save(path)
    metadata = {"caption": caption} if caption else {}
    id_ = str(uuid.uuid5(uuid.NAMESPACE_URL, path.name))
    return ImageNode(id_=id_, text=caption, image_path=str(path), metadata=metadata)


@pytest.fixture(params=["memory", "embedded"])
def corpus(request, tmp_path, encoder):
    where = {"qdrant": ":memory:"} if request.param == "memory" else {}
    with Corpus.open(tmp_path / "corpus", encoder=encoder, **where) as opened:
        opened.add_nodes(
            [
                node("a beach with people"),
                node("a beach with stones"),
                node("people in a town"),
                node("the red boat"),
                node("a blue sea"),
                picture(tmp_path, "red", "the red boat at the beach"),
                picture(tmp_path, "blue", "sea"),
                picture(tmp_path, "green"),
            ]
        )
        yield opened


def ids(hits):
    return [hit.id for hit in hits]


def test_a_negative_term_leads_away_from_what_it_names(corpus):
    plain = corpus.search("beach", modality="text")
    without = corpus.search("beach", terms=[Term(text="people", weight=-1)], modality="text")
    assert {hit.text for hit in plain[:2]} == {"a beach with people", "a beach with stones"}
    assert without[0].text == "a beach with stones"
    assert without[-1].text in {"people in a town", "a beach with people"}


def test_more_like_this_finds_the_likes_of_a_stored_passage_and_never_itself(corpus):
    this = next(hit for hit in corpus.search("people in a town", modality="text"))
    likes = corpus.search(terms=[Term(like=this.id)], modality="text")
    assert this.id not in ids(likes)
    assert likes[0].text == "a beach with people"


def test_more_like_this_picture_finds_its_colour_and_its_words(corpus):
    this = corpus.search("the red boat at the beach", modality="image", k=1)[0]
    likes = corpus.search(terms=[Term(like=this.id)], k=1)
    assert likes[0].text == "the red boat"


@pytest.mark.parametrize("id_", ["00000000-0000-0000-0000-000000000000", "nonsense", "7"])
def test_an_id_that_is_not_stored_is_refused_by_name(corpus, id_):
    with pytest.raises(InputError, match=f"nothing stored has the id '{id_}"):
        corpus.search(terms=[Term(like=id_)])


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"query": "green"}, "image"),
        ({"query": "sea", "modality": "image"}, "image"),
        ({"query": "people in a town", "modality": "text"}, "text"),
    ],
)
def test_words_find_pictures_and_passages(corpus, asked, wanted):
    assert corpus.search(k=1, **asked)[0].modality == wanted


def test_a_picture_finds_pictures_and_passages(corpus, tmp_path):
    Image.new("RGB", (9, 9), (250, 10, 10)).save(tmp_path / "question.png")
    pictures = corpus.search(image=tmp_path / "question.png", modality="image", k=1)
    passages = corpus.search(image=tmp_path / "question.png", modality="text", k=1)
    assert pictures[0].caption == "the red boat at the beach"
    assert passages[0].text == "the red boat"


def test_a_generic_node_with_a_picture_is_told_asked_for_and_asked_by_as_a_picture(corpus, tmp_path):
    shown = picture(tmp_path, "red", "generic")
    vector = corpus.encoder.get_image_embedding(shown.image_path)
    corpus.store.add([Node(id_=shown.node_id, image_resource={"path": shown.image_path}, embedding=vector)])
    hit = next(hit for hit in corpus.search("red", modality="image") if hit.id == shown.node_id)
    assert (hit.modality, hit.image) == ("image", shown.image_path)
    assert corpus.search(terms=[Term(like=hit.id)], k=1)[0].caption == "the red boat at the beach"


def test_llama_index_filters_bound_the_retriever_by_itself(corpus):
    pictures = MetadataFilters(filters=[MetadataFilter(key="modality", value="image")])
    found = FusionRetriever(corpus.store, corpus.encoder, filters=pictures).search(Question("sea"))
    assert found
    assert all(hit.picture for hit in found)


def test_words_and_a_picture_have_a_say_each_by_their_weights(corpus, tmp_path):
    Image.new("RGB", (9, 9), COLOURS["green"]).save(tmp_path / "question.png")
    question = tmp_path / "question.png"
    words_first = corpus.search("sea", terms=[Term(image=question, weight=0.05)], modality="image")
    picture_first = corpus.search(terms=[Term(text="sea", weight=0.05), Term(image=question)], modality="image")
    assert words_first[0].caption == "sea"
    assert picture_first[0].caption == ""


@pytest.mark.parametrize("weight", [0.01, 0.5, 3.0])
def test_each_leg_scores_the_weighted_mean_of_what_the_terms_score_in_it(corpus, tmp_path, weight):
    """`lexical` too, where a picture scores 0."""
    Image.new("RGB", (9, 9), COLOURS["green"]).save(tmp_path / "question.png")
    question = tmp_path / "question.png"
    both = corpus.search(terms=[Term(text="sea", weight=weight), Term(image=question)])
    words = {hit.id: hit.legs for hit in corpus.search("sea")}
    seen = {hit.id: hit.legs for hit in corpus.search(image=question)}
    for hit in both:
        for leg, score in hit.legs.items():
            of_words = words[hit.id][leg].normalized
            of_picture = seen[hit.id][leg].normalized if leg in seen[hit.id] else 0.0
            assert score.normalized == pytest.approx((weight * of_words + of_picture) / (weight + 1), abs=1e-4)


def test_weights_of_all_terms_times_a_number_change_nothing(corpus):
    once = corpus.search(terms=[Term(text="beach"), Term(text="people", weight=-0.5)])
    twice = corpus.search(terms=[Term(text="beach", weight=2), Term(text="people", weight=-1)])
    assert ids(once) == ids(twice)
    assert [hit.score for hit in once] == pytest.approx([hit.score for hit in twice], abs=1e-5)


@pytest.mark.parametrize(
    "terms",
    [
        [Term(text="people", weight=-1)],
        [Term(text="beach"), Term(text="beach", weight=-1)],
        [],
    ],
)
def test_a_question_that_asks_for_nothing_is_refused_in_one_line(corpus, terms):
    with pytest.raises(InputError) as caught:
        corpus.search(terms=terms)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{}, {"text": "a", "like": "b"}, {"text": "a", "weight": 0}, {"text": " "}])
def test_a_term_is_one_thing_with_a_weight(wrong):
    with pytest.raises(InputError):
        Term(**wrong)


def test_each_tower_runs_once_however_many_terms_there_are(corpus, tmp_path, monkeypatch):
    Image.new("RGB", (9, 9), COLOURS["green"]).save(tmp_path / "question.png")
    calls = []
    for tower in ("encode_texts", "encode_images"):
        whole = getattr(ClipEncoder, tower)
        spy = lambda self, batch, whole=whole: calls.append(len(batch)) or whole(self, batch)  # noqa: E731
        monkeypatch.setattr(ClipEncoder, tower, spy)
    image = Term(image=tmp_path / "question.png")
    corpus.search("red", terms=[Term(text="boat"), Term(text="sea", weight=-1), image, image])
    assert calls == [3, 2]


def test_a_search_tells_where_its_time_went(corpus):
    seconds = corpus.search("red").seconds
    assert set(seconds) == {"encode", "search", "fuse", "stages", "total"}
    assert sum(seconds[step] for step in ("encode", "search", "fuse", "stages")) <= seconds["total"] + 1e-9


def test_scores_of_one_hit_do_not_depend_on_how_many_are_asked_for(corpus):
    few, many = corpus.search("red boat", k=2), corpus.search("red boat", k=8)
    assert ids(few) == ids(many)[:2]
    assert [hit.score for hit in few] == pytest.approx([hit.score for hit in many[:2]], abs=1e-5)


def test_a_calibration_is_kept_with_the_collection_and_made_anew_when_it_has_grown(corpus):
    kept = corpus.store.manifest.statistics["calibration"]
    assert kept["points"] == 8
    corpus.store.add([node(f"stone {n}") for n in range(20)] and corpus_nodes(corpus, 20))
    assert corpus.store.calibration().points == 28
    assert corpus.store.manifest.statistics["calibration"]["points"] == 8
    corpus.store.calibrate()
    assert corpus.store.manifest.statistics["calibration"]["points"] == 28


def corpus_nodes(corpus, count):
    nodes = [node("stone", number) for number in range(count)]
    for one, vector in zip(nodes, corpus.encoder.encode_texts([one.text for one in nodes]), strict=True):
        one.embedding = vector.tolist()
    return nodes


TEXT = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
LEGS = st.fixed_dictionaries(
    {}, optional={leg: st.sampled_from([0.0, 0.5, 2.0]) for leg in ("image", "caption", "text")}
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    passages=st.lists(TEXT, min_size=1, max_size=12),
    captions=st.lists(st.one_of(st.just(""), TEXT), max_size=6),
    asked=st.lists(st.tuples(TEXT, st.sampled_from([1.0, 0.5, -0.5])), min_size=1, max_size=3),
    weights=LEGS,
    fusion=st.sampled_from(["calibrated", "zscore", "minmax", "dbsf", "rrf"]),
    k=st.integers(1, 20),
)
def test_engines_agree_and_explanations_add_up(
    passages, captions, asked, weights, fusion, k, encoder, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("twins")
    nodes = [node(text, number) for number, text in enumerate(passages)]
    nodes += [
        picture(folder, "red", f"{caption} {n}") if caption else picture(folder, "blue")
        for n, caption in enumerate(captions)
    ]
    nodes = list({one.node_id: one for one in nodes}.values())
    question = tuple(Term(text=text, weight=weight) for text, weight in asked)
    rankings = []
    for where in ({"path": folder / "embedded"}, {"url": ":memory:"}):
        with NamedVectorStore.open(**where, fingerprint=encoder.fingerprint) as store:
            opened = Corpus("twin", folder, store, settings=_settings(), encoder=encoder)
            opened.add_nodes([one.model_copy() for one in nodes])
            retriever = FusionRetriever(store, encoder, similarity_top_k=k, fusion=fusion, weights=weights)
            try:
                rankings.append(retriever.search(Question(more=question)))
            except InputError as refused:
                rankings.append(str(refused))
    embedded, memory = rankings
    if isinstance(embedded, str):
        assert embedded == memory
        return
    assert [hit.node_id for hit in embedded] == [hit.node_id for hit in memory]
    assert [hit.score for hit in embedded] == pytest.approx([hit.score for hit in memory], abs=1e-4)
    for hit in embedded:
        assert sum(leg.contribution for leg in hit.legs.values()) == pytest.approx(hit.score, abs=1e-6)
    assert all(first.score >= second.score for first, second in pairwise(embedded))


def _settings():
    from rag.settings import Settings

    return Settings()


def test_a_threshold_leaves_out_what_is_not_likely_and_keeps_the_rest_in_order(corpus):
    hits = corpus.search("the red boat at the beach")
    cut = corpus.search("the red boat at the beach", threshold=0.5)
    assert 0 < len(cut) < len(hits)
    assert ids(cut) == ids(hits)[: len(cut)]
    assert all(hit.confidence >= 0.5 for hit in cut)
    assert all(hit.confidence < 0.5 for hit in hits[len(cut) :])


def test_a_question_about_something_else_has_no_confident_hit(corpus):
    assert corpus.search("quarterly revenue", threshold=0.5) == []


def test_each_leg_gives_as_many_candidates_as_its_depth(corpus):
    retriever = corpus.as_retriever(k=1, depth=3, depths={"text": 2, "lexical": 1})
    found = retriever.candidates(retriever.encode(Question("a beach with people")))
    assert {leg: len(named) for leg, named in found.ranked.items()} == {
        "image": 3,
        "caption": 2,  # as many as there are
        "text": 2,
        "lexical": 1,
    }


def test_a_leg_whose_depth_is_named_is_not_deepened_for_more_hits(corpus):
    hits = corpus.as_retriever(k=8, depths={"text": 1, "lexical": 1}, weights={"image": 0, "caption": 0}).retrieve(
        "sea"
    )
    assert len(hits) <= 2


def asked_depths(corpus, monkeypatch, **options):
    """How deep the text leg alone was asked, each time, for two hits; and the hits."""
    copies = [node("a sunset", number) for number in range(6)]
    for passage in copies:
        passage.metadata["source"] = "long.md"
    corpus.add_nodes(copies)
    depths = []
    candidates = NamedVectorStore.candidates
    monkeypatch.setattr(
        NamedVectorStore,
        "candidates",
        lambda self, query, **more: depths.append(more["depth"]["text"]) or candidates(self, query, **more),
    )
    weights = {"image": 0, "caption": 0, "lexical": 0}
    hits = corpus.as_retriever(**{"k": 2, "depth": 2, "weights": weights, **options}).search(Question("a sunset"))
    return depths, hits


def test_grouping_finds_documents_below_the_one_that_fills_the_legs(corpus, monkeypatch):
    depths, hits = asked_depths(corpus, monkeypatch, ranking=RankingOptions(group=1))
    assert depths == [2, 8]
    assert [len(hit.grouped) for hit in hits] == [5, 0]


@pytest.mark.parametrize(
    ("options", "depths"),
    [
        ({}, [2]),  # nothing is left out
        ({"ranking": RankingOptions(group=2)}, [2]),  # enough is left
        ({"ranking": RankingOptions(group=1), "depths": {"text": 3}}, [3]),  # its depth is set by name
        ({"ranking": RankingOptions(group=1), "filters": "source = 'long.md'"}, [2, 8]),  # and there is no more
        ({"ranking": RankingOptions(group=1), "depth": 10}, [10]),  # deep enough at first
        ({"ranking": RankingOptions(quota="text=1")}, [2, 8]),
    ],
)
def test_legs_are_asked_deeper_once_where_a_stage_leaves_too_few_and_there_may_be_more(
    corpus, monkeypatch, options, depths
):
    assert asked_depths(corpus, monkeypatch, **options)[0] == depths


@pytest.mark.parametrize("depths", [{"text": 0}, {"text": 1.5}, {"texts": 5}])
def test_depths_that_mean_nothing_are_refused(corpus, depths):
    with pytest.raises(InputError, match="depths"):
        corpus.as_retriever(depths=depths)


class FoldsAll(Collapse):
    steady = False


@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_folding_the_head_gives_the_hits_of_folding_all(corpus, k):
    """Forty passages of five texts: the head is looked at further until it holds enough that differ."""
    corpus.add_nodes([node(text, number) for number in range(8) for text in WORDS[3:]])
    head, whole = (
        FusionRetriever(corpus.store, corpus.encoder, similarity_top_k=k, stages=[stage()]).search(Question("a boat"))
        for stage in (Collapse, FoldsAll)
    )
    assert [hit.node_id for hit in head] == [hit.node_id for hit in whole]
    assert [hit.score for hit in head] == pytest.approx([hit.score for hit in whole])


def test_a_search_that_folds_reads_the_head_of_the_candidates_alone(corpus, monkeypatch):
    corpus.add_nodes([node(f"stone {number}") for number in range(100)])
    read = []
    load = Candidates.load
    monkeypatch.setattr(Candidates, "load", lambda self, ids: read.append(list(ids)) or load(self, read[-1]))
    assert len(corpus.search("stone", k=4)) == 4
    assert [len(ids) for ids in read] == [12]


def test_confidence_rises_with_the_score(corpus):
    hits = corpus.search("beach")
    assert [hit.confidence for hit in hits] == sorted((hit.confidence for hit in hits), reverse=True)
    assert all(0 < hit.confidence < 1 for hit in hits)


@pytest.mark.parametrize(("threshold", "fusion"), [(1.5, None), (-0.1, None), (float("nan"), None), (0.5, "zscore")])
def test_a_threshold_that_means_nothing_is_refused(corpus, threshold, fusion):
    with pytest.raises(InputError, match="threshold"):
        corpus.search("beach", threshold=threshold, fusion=fusion)
