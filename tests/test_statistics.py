"""Paired tests and intervals: exact where they can be, seeded where not, and equal to SciPy's where SciPy has them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evals.statistics import bootstrap_interval, effect_size, holm, outcomes, randomization_test
from rag.errors import InputError

scores = st.floats(-1, 1, allow_nan=False).map(lambda value: round(value, 3))
few = st.lists(scores, min_size=1, max_size=10)
some = st.lists(scores, min_size=2, max_size=40)
ps = st.lists(st.floats(1e-6, 1), min_size=1, max_size=12)


def scipy_p(values, seed=0):
    def mean(sample, axis=-1):
        return np.mean(sample, axis=axis)

    return stats.permutation_test(
        (np.asarray(values),), mean, permutation_type="samples", vectorized=True, n_resamples=50_000,
        rng=np.random.default_rng(seed),
    ).pvalue  # fmt: skip


def test_three_differences_can_be_checked_by_hand():
    # Of the eight sums ±1±2±3, four are at least 4 away from 0: 6, 4, -4, -6.
    assert randomization_test([-1, 2, 3]) == 0.5
    assert randomization_test([1, 2, 3]) == 0.25
    assert randomization_test([1, 2, 3, 0, 0]) == 0.25


@given(few)
@settings(max_examples=40)
def test_the_exact_test_is_scipys(values):
    values = [value + 0.0 for value in values]
    assert randomization_test(values) == pytest.approx(scipy_p(values) if len(values) > 1 else 1.0, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.06])
def test_the_drawn_test_is_scipys_within_the_error_of_drawing(shift):
    values = np.random.default_rng(3).normal(shift, 0.3, 120)
    p, reference = randomization_test(values), scipy_p(values, seed=9)
    assert p == pytest.approx(reference, abs=4 * np.sqrt(2 * reference * (1 - reference) / 50_000) + 1e-4)


@pytest.mark.parametrize("shape", [lambda g: g.normal(0.05, 0.3, 80), lambda g: g.exponential(0.2, 60) - 0.05])
def test_the_interval_is_scipys_within_the_error_of_drawing(shape):
    values = shape(np.random.default_rng(5))
    theirs = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=20_000, rng=np.random.default_rng(8))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert bootstrap_interval(values, samples=20_000) == pytest.approx(
        tuple(theirs.confidence_interval), abs=width / 40
    )


@given(some)
@settings(max_examples=40)
def test_p_lies_in_0_1_and_does_not_depend_on_which_run_comes_first(values):
    p = randomization_test(values, samples=500)
    assert 0 < p <= 1
    assert randomization_test([-value for value in values], samples=500) == p


@given(some)
@settings(max_examples=40)
def test_the_interval_is_ordered_within_the_values_and_turns_with_the_sign(values):
    low, high = bootstrap_interval(values, samples=400)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    wide = bootstrap_interval(values, samples=400, confidence=0.99)
    assert wide[0] <= low
    assert wide[1] >= high
    turned = bootstrap_interval([-value for value in values], samples=400)
    assert turned == pytest.approx((-high, -low), abs=0.02)


def test_identical_runs_have_p_1_no_effect_and_an_interval_of_width_0():
    values = np.zeros(300)
    assert randomization_test(values) == 1
    assert bootstrap_interval(values) == (0, 0)
    assert effect_size(values) == 0
    assert (outcomes(values).wins, outcomes(values).losses, outcomes(values).ties) == (0, 0, 300)


def test_the_same_seed_repeats_and_a_difference_everywhere_is_never_p_0():
    values = np.full(40, 0.1)
    assert randomization_test(values, samples=999) == 1 / 1000
    spread = np.random.default_rng(1).normal(size=50)
    assert randomization_test(spread, seed=4) == randomization_test(spread, seed=4)
    assert bootstrap_interval(spread, seed=4) == bootstrap_interval(spread, seed=4)


def test_under_the_null_hypothesis_one_test_in_twenty_is_below_5_percent():
    generator = np.random.default_rng(2)
    below = sum(randomization_test(generator.normal(size=30), samples=400) < 0.05 for _ in range(600))
    assert below / 600 == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 600))


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(6)
    held = 0
    for _ in range(300):
        low, high = bootstrap_interval(generator.exponential(1.0, 60), samples=500)
        held += low <= 1 <= high
    assert held / 300 == pytest.approx(0.94, abs=0.05)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@given(ps)
def test_holm_never_lowers_a_p_and_keeps_their_order(values):
    corrected = holm(values)
    assert all(1 >= after >= before for before, after in zip(values, corrected, strict=True))
    by_p = sorted(range(len(values)), key=lambda index: values[index])
    assert all(corrected[a] <= corrected[b] for a, b in pairwise(by_p))


@given(some)
def test_wins_losses_and_ties_are_all_the_queries(values):
    found = outcomes(values)
    assert found.wins + found.losses + found.ties == len(values)


def test_the_effect_is_the_mean_in_standard_deviations_and_none_where_it_is_not_defined():
    assert effect_size([1, 3]) == pytest.approx(2 / np.sqrt(2))
    assert effect_size([0.5, 0.5]) is None
    assert effect_size([0.5]) is None


@pytest.mark.parametrize("values", [[], [float("nan")], [[1.0]]])
def test_what_is_not_a_difference_a_query_is_refused(values):
    with pytest.raises(InputError, match="one finite number a query"):
        randomization_test(values)


def test_an_interval_needs_two_queries_and_a_confidence_below_1():
    with pytest.raises(InputError, match="at least 2"):
        bootstrap_interval([0.3])
    with pytest.raises(InputError, match="between 0 and 1"):
        bootstrap_interval([0.3, 0.1], confidence=1)
