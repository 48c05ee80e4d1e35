"""Fusion is pure: these rules hold for any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rag.errors import InputError
from rag.fusion import CALIBRATED, NORMALIZERS, fuse, normalizers, settled
from rag.schema import Scale

SCALE = Scale(zero=0.25, slope=2.0)


def normalizer(name):
    return normalizers(name, [SCALE])[0]


scores = arrays(np.float64, st.integers(1, 30), elements=st.floats(-50, 50).map(lambda value: round(value, 4)))
names = pytest.mark.parametrize("name", [*NORMALIZERS, "rrf(7)"])
all_names = pytest.mark.parametrize("name", [CALIBRATED, *NORMALIZERS, "rrf(7)"])


@all_names
@given(column=scores)
def test_a_normalizer_keeps_the_order(name, column):
    normalized = normalizer(name)(column)
    above = column[:, None] > column[None, :]
    assert (normalized[:, None] - normalized[None, :])[above].min(initial=0.0) >= 0
    assert np.unique(normalized).size == pytest.approx(np.unique(column).size, abs=0) or np.ptp(column) < 1e-3


@names
@given(column=scores, shift=st.floats(-5, 5), scale=st.floats(0.5, 4))
def test_a_normalizer_that_sees_one_question_alone_ignores_shift_and_scale(name, column, shift, scale):
    if 0 < np.ptp(column) < 1e-3:
        return
    normalize = normalizer(name)
    assert normalize(np.round(column * 8) * scale + shift) == pytest.approx(normalize(np.round(column * 8)), abs=1e-6)


@given(column=scores, other=st.floats(-50, 50))
def test_calibrated_gives_a_score_the_same_value_whatever_else_was_found(column, other):
    alone = normalizer(CALIBRATED)(column)
    among = normalizer(CALIBRATED)(np.append(column, other))[:-1]
    assert among == pytest.approx(alone)


@given(column=scores, shift=st.floats(-5, 5), stretch=st.floats(0.5, 4))
def test_calibrated_follows_its_scale_where_scores_are_shifted_and_stretched(column, shift, stretch):
    moved = normalizers(CALIBRATED, [Scale(SCALE.zero * stretch + shift, SCALE.slope / stretch)])[0]
    assert moved(column * stretch + shift) == pytest.approx(normalizer(CALIBRATED)(column), abs=1e-6)


@all_names
def test_no_hit_gives_no_score(name):
    assert normalizer(name)(np.array([])).size == 0


@pytest.mark.parametrize(("name", "value"), [("minmax", 0.5), ("zscore", 0.0), ("dbsf", 0.5), ("rrf", 1 / 61)])
def test_equal_scores_and_a_single_hit_have_a_defined_value(name, value):
    assert normalizer(name)(np.array([3.0])) == pytest.approx([value])
    assert normalizer(name)(np.array([2.0, 2.0])) == pytest.approx([value, value])


def test_golden_values_worked_out_by_hand():
    column = np.array([1.0, 3.0, 5.0])
    assert normalizer("minmax")(column) == pytest.approx([0, 0.5, 1])
    assert normalizer("zscore")(column) == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5)])
    assert normalizer(CALIBRATED)(column) == pytest.approx([1.5, 5.5, 9.5])
    assert normalizer("rrf")(column) == pytest.approx([1 / 63, 1 / 62, 1 / 61])
    assert normalizer("rrf(1)")(np.array([4.0, 4.0, 2.0])) == pytest.approx([1 / 2, 1 / 2, 1 / 4])


@given(
    raw=arrays(np.float64, (6, 3), elements=st.one_of(st.floats(-9, 9), st.just(np.nan))),
    weights=arrays(np.float64, 3, elements=st.floats(0, 5)),
)
def test_the_score_is_the_sum_of_contributions_and_order_of_points_does_not_matter(raw, weights):
    for name in (CALIBRATED, "zscore"):
        normalize = normalizers(name, [SCALE, Scale(), Scale(-1.0, 0.5)])
        total, normalized = fuse(raw, weights, normalize)
        assert np.isfinite(total).all()
        assert (normalized * weights).sum(axis=1) == pytest.approx(total)
        backwards, _ = fuse(raw[::-1], weights, normalize)
        assert backwards[::-1] == pytest.approx(total)


@given(column=arrays(np.float64, 5, elements=st.integers(-9, 9)), weight=st.floats(0.01, 5))
def test_under_zscore_a_leg_that_is_absent_counts_as_an_average_one(column, weight):
    raw = np.column_stack([np.append(column, [column.mean(), 0.0])])
    with_average, _ = fuse(raw[:-1], np.array([weight]), [normalizer("zscore")])
    raw[-2:] = np.nan
    without, _ = fuse(raw, np.array([weight]), [normalizer("zscore")])
    assert with_average[-1] == pytest.approx(without[-1], abs=1e-9)


@given(column=scores, noise=st.integers(0, 2**32 - 1))
def test_what_only_rounding_tells_apart_is_equal_and_nothing_else_moves(column, noise):
    jitter = np.random.default_rng(noise).uniform(-3e-7, 3e-7, column.size)
    found = settled(column + jitter)
    assert found == pytest.approx(column, abs=1e-5)
    equal = column[:, None] == column[None, :]
    assert ((found[:, None] == found[None, :]) == equal).all()


@given(weight=st.floats(0.01, 5))
def test_under_calibrated_a_leg_that_is_absent_counts_as_one_of_something_unrelated(weight):
    scores, _ = fuse(np.array([[SCALE.zero], [np.nan]]), np.array([weight]), [normalizer(CALIBRATED)])
    assert scores == pytest.approx([0.0, 0.0])


def test_a_leg_without_weight_changes_nothing():
    raw = np.array([[0.1, 9.0], [0.4, -2.0], [0.3, np.nan]])
    alone, _ = fuse(raw[:, :1], np.array([2.0]), [normalizer("minmax")])
    both, _ = fuse(raw, np.array([2.0, 0.0]), [normalizer("minmax")] * 2)
    assert both == pytest.approx(alone)


@pytest.mark.parametrize("name", ["", "mean", "rrf(0)", "rrf(x)", "rrf(-1)", "rrf(nan)"])
def test_an_unknown_fusion_is_refused_in_one_line(name):
    with pytest.raises(InputError, match="allowed: calibrated, zscore, minmax, dbsf, rrf") as caught:
        normalizer(name)
    assert "\n" not in str(caught.value)
