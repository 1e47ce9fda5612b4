"""Means and differences of samples: no influence of order or neighbours, pairs kept, what is missing counted."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import stats
from actlab.analysis.intervals import FLAG, UNBOUNDED, Quantity

RNG = np.random.default_rng(0)
KINDS = {"bounded": Quantity(0.0, 1.0), "positive": Quantity(0.0), "unbounded": UNBOUNDED, "flag": FLAG}


def draw(kind, n, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random(n) < 0.7) * 1.0 if kind == "flag" else rng.beta(5, 2, n)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [3, 5, 30])
def test_the_order_of_values_changes_no_bit(kind, n):
    x = draw(kind, n)
    first, *others = (stats.mean_interval(one, quantity=KINDS[kind]) for one in (x, x[::-1], RNG.permutation(x)))
    assert all(repr(one) == repr(first) for one in others)


def test_one_value_has_no_interval_and_none_no_mean():
    one, none = stats.mean_interval([2.0]), stats.mean_interval([])
    assert (one.mean, one.n) == (2.0, 1)
    assert math.isnan(one.low)
    assert math.isnan(none.mean)
    assert none.n == 0


def test_what_is_not_finite_is_dropped_and_not_counted():
    result = stats.mean_interval([1.0, math.nan, 3.0, math.inf, -math.inf])
    assert (result.mean, result.n) == (2.0, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_get_what_each_would_get_alone(kind):
    sizes = {"a": 1, "b": 5, "c": 19, "d": 20, "e": 33, "f": 20, "g": 4}
    frame = pd.DataFrame({"g": np.repeat(list(sizes), list(sizes.values()))})
    frame["value"] = draw(kind, len(frame), 1)
    frame.loc[frame["g"] == "f", "value"] = 1.0
    frame.loc[3, "value"] = math.nan
    result = stats.grouped_intervals(frame.sample(frac=1, random_state=0), ["g"], quantity=KINDS[kind]).set_index("g")
    for name in sizes:
        alone = vars(stats.mean_interval(frame.loc[frame["g"] == name, "value"], quantity=KINDS[kind]))
        row = result.loc[name]
        assert row["method"] == alone.pop("method")
        assert math.isnan(alone.pop("differ"))  # of differences alone
        np.testing.assert_allclose(row[list(alone)].astype(float), list(alone.values()), rtol=1e-12)


# Differences


def pairs_of_values(n=7):
    seeds = [4, 9, 2, 7, 1, 5, 3][:n]
    return pd.Series(RNG.beta(20, 2, n), seeds), pd.Series(RNG.beta(15, 3, n), seeds)


def test_differences_of_the_same_seeds_are_paired():
    a, b = pairs_of_values()
    found = stats.difference(a, b.sample(frac=1, random_state=1))
    assert repr(found.interval) == repr(stats.mean_interval(a - b))
    assert found.dropped == 0


def test_a_pair_with_a_missing_value_is_dropped_and_the_others_stay_pairs():
    a, b = pairs_of_values()
    lost = a.copy()
    lost.iloc[2] = math.nan
    found = stats.difference(lost, b)
    assert repr(found.interval) == repr(stats.mean_interval((a - b).drop(a.index[2])))
    assert (found.interval.n, found.dropped) == (6, 1)
    assert stats.difference(b, lost).dropped == 1
    absent = stats.difference(a.drop(a.index[2]), b)
    assert repr(absent) == repr(found)


def test_a_seed_that_is_lost_on_both_sides_is_no_dropped_pair():
    a, b = pairs_of_values()
    a.iloc[0] = b.iloc[0] = math.inf
    assert stats.difference(a, b).dropped == 0


def test_pairing_is_kept_where_it_tells_more_than_two_samples_do():
    a, _ = pairs_of_values()
    b = a - [0.010, 0.011, 0.012, 0.010, 0.009, 0.011, 0.010]
    b.iloc[0] = math.nan
    found = stats.difference(a, b).interval
    assert found.low > 0.005
    apart = stats.difference(a, b.set_axis(b.index + 100)).interval
    assert apart.low < 0 < apart.high


def test_differences_of_bounded_quantities_stay_within_their_range():
    a, b = pd.Series([1.0, 1.0, 1.0, 0.9, 1.0]), pd.Series([0.0, 0.0, 0.02, 0.0, 0.9])
    found = stats.difference(a, b, quantity=Quantity(0.0, 1.0)).interval
    assert -1 <= found.low <= found.mean <= found.high <= 1
    assert stats.difference(a, b).interval.high > 1  # what an unbounded quantity's does
    apart = stats.difference(a, b.set_axis(range(10, 15)), quantity=Quantity(0.0, 1.0)).interval
    assert -1 <= apart.low <= apart.high <= 1


def test_differences_without_pairs_join_both_intervals():
    a, b = pairs_of_values()
    b = b.set_axis(b.index + 100)
    found = stats.difference(a, b, quantity=Quantity(0.0, 1.0)).interval
    x, y = (stats.mean_interval(one, quantity=Quantity(0.0, 1.0)) for one in (a, b))
    assert found.low == pytest.approx(x.mean - y.mean - math.hypot(x.mean - x.low, y.high - y.mean))
    assert found.high == pytest.approx(x.mean - y.mean + math.hypot(x.high - x.mean, y.mean - y.low))


def test_differences_of_shares_without_pairs_are_newcombe():
    """Newcombe 1998, table II (a): 56/70 and 48/80, method 10."""
    a = pd.Series([1.0] * 56 + [0.0] * 14)
    b = pd.Series([1.0] * 48 + [0.0] * 32, index=range(100, 180))
    found = stats.difference(a, b, quantity=FLAG).interval
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_equal_differences_are_no_interval_of_width_0():
    a, _ = pairs_of_values()
    found = stats.difference(a, a - 0.01)  # which differ by the rounding of the subtraction
    assert not found.interval.known
    assert found.interval.mean == pytest.approx(0.01)
    assert not stats.difference(a, a.copy()).interval.known


def test_several_cells_of_a_seed_cannot_be_paired():
    a, b = pd.Series([0.1, 0.2, 0.4, 0.3, 0.5], [0, 0, 1, 1, 2]), pd.Series([0.3, 0.1, 0.2, 0.5, 0.2], range(5))
    assert stats.difference(a, b).interval.method == "square-and-add"


def test_differences_of_several_pairs_at_once_are_those_of_each():
    rng = np.random.default_rng(5)
    both = pd.MultiIndex.from_product([range(4), range(5)], names=["data_seed", "seed"])
    for index in (pd.RangeIndex(20), both, pd.Index([0, *range(19)])):
        x = pd.DataFrame(rng.random((20, 5)), index=index, columns=list("abcde"))
        x.iloc[3, 0], x.iloc[5, 1] = np.nan, np.inf
        x["c"], x["d"], x["e"] = x["b"], x["b"] + 0.1, np.nan
        flags = (x > 0.5).astype(float)
        for values, quantity in ((x, UNBOUNDED), (x.clip(0, 1), Quantity(0.0, 1.0)), (flags, FLAG)):
            pairs = list(itertools.combinations(values, 2))
            found = stats.paired_differences(values, pairs, 0.99, quantity)
            single = [stats.difference(values[a], values[b], 0.99, quantity).interval for a, b in pairs]
            assert [repr(one) for one in found] == [repr(one) for one in single]
