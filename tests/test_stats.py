"""Properties of the intervals: scipy's closed forms, no influence of order or neighbours, what is missing counted."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from actlab.analysis import stats

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [2, 5, 19])
def test_below_twenty_the_interval_is_student_t(n):
    x = RNG.normal(3, 2, n)
    result = stats.mean_interval(x, 0.9)
    low, high = sps.t.interval(0.9, n - 1, loc=x.mean(), scale=sps.sem(x))
    assert (result.method, result.n) == ("Student t", n)
    np.testing.assert_allclose([result.mean, result.low, result.high], [x.mean(), low, high], rtol=1e-12)


def test_from_twenty_on_the_interval_is_the_bootstrap_of_scipy():
    x = np.sort(RNG.lognormal(size=25))
    result = stats.mean_interval(x)
    theirs = sps.bootstrap((x,), np.mean, n_resamples=1999, rng=np.random.default_rng(0)).confidence_interval
    assert result.method == "BCa bootstrap"
    np.testing.assert_allclose([result.low, result.high], theirs, rtol=1e-9)
    assert result.high - result.mean > result.mean - result.low  # skewed to the right


def test_the_bootstrap_survives_huge_numbers():
    x = RNG.lognormal(size=25)
    small, large = stats.mean_interval(x), stats.mean_interval(x * 1e150)
    np.testing.assert_allclose([large.low, large.high], np.array([small.low, small.high]) * 1e150, rtol=1e-9)


@pytest.mark.parametrize("n", [3, 30])
def test_the_order_of_values_changes_no_bit(n):
    x = RNG.lognormal(size=n)
    assert stats.mean_interval(x) == stats.mean_interval(x[::-1]) == stats.mean_interval(RNG.permutation(x))


@pytest.mark.parametrize("n", [2, 40])
def test_a_constant_sample_has_an_interval_of_no_width(n):
    result = stats.mean_interval([0.1] * n)
    assert (result.low, result.mean, result.high) == (0.1, 0.1, 0.1)


def test_one_value_has_no_interval_and_none_no_mean():
    one, none = stats.mean_interval([2.0]), stats.mean_interval([])
    assert (one.mean, one.n) == (2.0, 1)
    assert math.isnan(one.low)
    assert math.isnan(none.mean)
    assert none.n == 0


def test_what_is_not_finite_is_dropped_and_not_counted():
    result = stats.mean_interval([1.0, math.nan, 3.0, math.inf, -math.inf])
    assert (result.mean, result.n) == (2.0, 2)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 5), (5, 5), (17, 20)])
def test_shares_have_the_wilson_interval_of_scipy(k, n):
    result = stats.wilson_interval(k, n)
    theirs = sps.binomtest(k, n).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose([result.low, result.high], [theirs.low, theirs.high], atol=1e-12)
    assert 0 <= result.low <= result.mean <= result.high <= 1


def test_differences_with_the_same_seeds_are_paired():
    a, b = pd.Series(RNG.normal(size=6)), pd.Series(RNG.normal(size=6))
    theirs = sps.ttest_rel(a, b).confidence_interval()
    np.testing.assert_allclose(stats.difference_interval(a, b.sample(frac=1, random_state=1)), theirs, rtol=1e-12)


def test_differences_with_other_seeds_are_welch():
    a, b = pd.Series(RNG.normal(size=6)), pd.Series(RNG.normal(size=4), index=range(10, 14))
    theirs = sps.ttest_ind(a, b, equal_var=False).confidence_interval()
    np.testing.assert_allclose(stats.difference_interval(a, b), theirs, rtol=1e-12)


def test_a_seed_that_diverged_on_one_side_unpairs():
    a, b = pd.Series([1.0, 2.0, math.nan]), pd.Series([1.5, 2.5, 3.5])
    assert stats.difference_interval(a, b) == stats.difference_interval(a.dropna(), b)
    assert stats.difference_interval(a, b)[1] > stats.difference_interval(b, b)[1] == 0


def test_a_tie_is_a_difference_that_may_be_zero():
    base = pd.Series([0.80, 0.82, 0.84, 0.86])
    samples = {"best": base, "close": base - [0.01, -0.02, 0.01, 0.01], "shifted": base - 0.01, "lone": base[:1]}
    # A shift that is the same in every seed is not a tie, however wide each interval is: pairing sees it.
    assert stats.ties_with("best", samples) == {"close"}
    losses = {name: -sample for name, sample in samples.items()}
    assert stats.ties_with("best", losses) == {"close"}


def test_ranks_agree_with_friedman_and_sum_to_a_constant():
    scores = pd.DataFrame(RNG.normal(size=(8, 4)), columns=list("abcd"))
    scores.loc[8] = [0.1, math.nan, 0.2, 0.3]  # not a complete block
    result = stats.rank_over_blocks(scores)
    theirs = sps.friedmanchisquare(*(scores.dropna()[name] for name in scores))
    assert (result.statistic, result.p_value) == (pytest.approx(theirs.statistic), pytest.approx(theirs.pvalue))
    assert sum(one.mean for one in result.mean.values()) == pytest.approx(1 + 2 + 3 + 4)
    assert result.mean["a"].n == 8


def test_friedman_is_undefined_and_quiet_where_there_is_nothing_to_test():
    same = pd.DataFrame(1.0, index=range(3), columns=list("abc"))
    assert math.isnan(stats.rank_over_blocks(same).p_value)
    assert math.isnan(stats.rank_over_blocks(same[["a", "b"]]).p_value)


def test_groups_get_what_each_would_get_alone():
    sizes = {"a": 1, "b": 5, "c": 19, "d": 20, "e": 33, "f": 20}
    frame = pd.DataFrame({"g": np.repeat(list(sizes), list(sizes.values()))})
    frame["value"] = RNG.lognormal(size=len(frame))
    frame.loc[frame["g"] == "f", "value"] = 0.3
    frame.loc[3, "value"] = math.nan
    result = stats.grouped_intervals(frame.sample(frac=1, random_state=0), ["g"]).set_index("g")
    for name in sizes:
        alone = stats.mean_interval(frame.loc[frame["g"] == name, "value"])
        row = result.loc[name]
        assert (row["n"], row["method"]) == (alone.n, alone.method)
        np.testing.assert_allclose(
            row[["mean", "low", "high"]].astype(float), [alone.mean, alone.low, alone.high], rtol=1e-12
        )


def test_grouped_shares_get_what_each_would_get_alone():
    frame = pd.DataFrame({"g": ["a"] * 5 + ["b"] * 3, "value": [1, 1, 0, 1, 0, 0, 0, 0.0]})
    result = stats.grouped_intervals(frame, ["g"], share=True)
    assert result["low"].tolist() == [stats.wilson_interval(3, 5).low, stats.wilson_interval(0, 3).low]
