"""Calibration tells what unrelated vectors score, and how far words and pictures may be compared."""

import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import ImageNode, TextNode

from rag.calibration import Background, Calibration, confidence, estimate, lexical_scale
from rag.schema import Fingerprint, Scale
from rag.store import NamedVectorStore, sample


def unit(rows):
    rows = np.asarray(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def clouds(count=200, dim=32, gap=2.0, agreement=1.0, seed=0):
    """Words and pictures of `count` things: two clouds a gap apart, whose pairs agree more or less."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(count, dim))
    words = meaning + rng.normal(size=(count, dim)) * 0.3
    pictures = agreement * meaning + rng.normal(size=(count, dim)) * 0.3
    words[:, 0] += gap * np.sqrt(dim)
    pictures[:, 1] += gap * np.sqrt(dim)
    return unit(words), unit(pictures)


def test_a_background_worked_out_by_hand():
    found = Background.of(np.array([0.2, 0.4], dtype=np.float32))
    assert found.mean == pytest.approx(0.3)
    assert found.std == pytest.approx(np.sqrt((2 * 0.1**2 + 10 * 0.1**2) / 12))
    assert found.pairs == 2


def test_nothing_to_look_at_gives_the_prior():
    empty = np.empty((0, 8), dtype=np.float32)
    assert estimate(empty, empty, empty, empty, 0) == Calibration()


def test_the_mean_of_unrelated_pairs_is_the_product_of_the_group_means():
    words, pictures = clouds()
    found = estimate(words, pictures, words, pictures, 400)
    assert found.cross.mean == pytest.approx(float(words.mean(axis=0) @ pictures.mean(axis=0)), abs=1e-5)


def test_calibrated_scores_of_unrelated_pairs_lie_about_zero_on_both_sides_of_the_gap():
    words, pictures = clouds()
    found = estimate(words, pictures, words, pictures, 400)
    question, _ = clouds(count=2000, seed=1)
    across = (question @ pictures.T - found.scale("text", "image").zero) * found.scale("text", "image").slope
    within = (question @ words.T - found.scale("text", "text").zero) * found.scale("text", "text").slope
    assert abs(across.mean()) < 0.1
    assert abs(within.mean()) < 0.1
    assert across.std() == pytest.approx(within.std(), rel=0.1)


def test_an_encoder_that_cannot_tell_pictures_by_words_has_little_say_across_the_gap():
    blind = estimate(*clouds(agreement=0.0), *clouds(agreement=0.0), 400)
    seeing = estimate(*clouds(), *clouds(), 400)
    assert blind.reliability < 0.3
    assert seeing.reliability > 0.9
    assert blind.scale("text", "image").slope < seeing.scale("text", "image").slope / 3
    assert blind.scale("image", "image").slope == 1 / blind.image_image.std


def test_without_captions_words_and_pictures_are_trusted():
    words, pictures = clouds(agreement=0.0)
    none = words[:0]
    assert estimate(words, pictures, none, none, 400).reliability == 1


def test_both_text_legs_have_one_background():
    found = estimate(*clouds(), *clouds(), 400)
    assert found.scale("text", "text") == found.scale("text", "caption")


@given(st.floats(0.1, 1000))
def test_the_highest_bm25_score_counts_the_same_for_every_question(ceiling):
    scale = lexical_scale(ceiling)
    assert (ceiling - scale.zero) * scale.slope == pytest.approx(
        (10 - lexical_scale(10).zero) * lexical_scale(10).slope
    )


def test_a_question_without_known_terms_has_a_scale_all_the_same():
    assert lexical_scale(0.0) == Scale(0.0, 1.0)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_confidence_is_a_chance_that_rises_with_the_score(first, second):
    lower, higher = sorted([first, second])
    assert 0 <= confidence(lower) <= confidence(higher) <= 1


def test_confidence_worked_out_by_hand():
    assert confidence(5.75) == pytest.approx(0.5)
    assert confidence(0.0) == pytest.approx(1 / (1 + np.exp(4.6)))


def test_a_calibration_survives_its_json():
    found = estimate(*clouds(), *clouds(), 400)
    assert Calibration.from_json(found.to_json()) == found


def test_every_engine_is_sampled_alike_in_whatever_order_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "SAMPLE", 32)
    rng = np.random.default_rng(0)
    nodes = [_node(number, rng) for number in range(200)]
    found = []
    for seed, where in enumerate(({"path": tmp_path / "embedded"}, {"url": ":memory:"})):
        shuffled = [nodes[place] for place in np.random.default_rng(seed).permutation(len(nodes))]
        with NamedVectorStore.open(**where, fingerprint=Fingerprint("double", "0" * 64, 8, "none")) as store:
            for start in range(0, len(shuffled), 60):
                store.add(shuffled[start : start + 60])
            store.delete_ids([node.node_id for node in shuffled[:20]])
            store.add(shuffled[:20])
            found.append(store.calibrate())
    assert found[0] == found[1]
    assert found[0].image_image.pairs == 32 * 31


def _node(number, rng):
    vector, caption = (rng.normal(size=8).tolist() for _ in range(2))
    common = {"id_": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))), "text": f"text {number}", "embedding": vector}
    if number % 2:
        return TextNode(**common)
    return ImageNode(**common, text_embedding=caption, image_path="p.png", metadata={"caption": "c"})
