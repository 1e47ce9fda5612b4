"""How many seeds decide a claim: of shares by their own intervals, counted by hand; of what no number decides, why."""

import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from actlab.analysis.claims import AT_LEAST, judge
from actlab.analysis.intervals import FLAG, NOTHING, UNBOUNDED, Interval, percent
from actlab.analysis.judging import judge_any_pair, largest_difference
from actlab.analysis.seeds import ALIKE, CROSSED_FEWEST, NO_VALUE, seeds_to_decide, what_would_decide
from actlab.analysis.stats import mean_interval

FURTHER = 30
"""So many numbers of seeds beyond the one that decides are to decide, too."""


def quantile(level):
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson(share, n, z):
    """Wilson's interval, whose bounds are the shares that the score test just does not reject: solved for by hand."""
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return tuple((share + z * z / (2 * n) + side * half) / (1 + z * z / n) for side in (-1, 1))


def newcombe(plus, minus, n, z):
    """Newcombe's interval of plus − minus, of shares of n pairs."""
    (low_p, high_p), (low_m, high_m) = wilson(plus, n, z), wilson(minus, n, z)
    rest = (1 - plus) * (1 - minus)
    r = min(math.sqrt(plus * minus / rest), 1) if rest > 0 else 0

    def reach(a, b):
        return math.sqrt(a * a + b * b + 2 * r * a * b)

    d = plus - minus
    return d - reach(plus - low_p, high_m - minus), d + reach(high_p - plus, minus - low_m)


def decides(low, high, effect, two_sided=False):
    if two_sided:
        return (-effect <= low and high <= effect) or low > effect or high < -effect
    return low >= effect or high < effect


def power(share, n, z, effect):
    """Of a share, by the score test's critical count: no interval is formed, the least and the greatest count are."""
    at = z * math.sqrt(effect * (1 - effect) / n)
    found = [k for k in range(n + 1) if k / n >= effect + at or k / n < effect - at]
    return sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in found)


def paired_power(plus, minus, n, z, effect, two_sided):
    total = 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            likely = math.comb(n, a) * math.comb(n - a, b) * plus**a * minus**b * (1 - plus - minus) ** (n - a - b)
            if likely > 1e-9 and decides(*newcombe(a / n, b / n, n, z), effect, two_sided):
                total += likely
    return total


def flags(count, n):
    return np.repeat([1.0, 0.0], [count, n - count])


@pytest.mark.parametrize("level", [0.95, 0.9975])
@pytest.mark.parametrize(
    ("count", "effect"), [(18, 0.6), (19, 0.75), (14, 0.5), (0, 0.1), (20, 0.9), (1, 0.2), (8, 0.6), (20, 0.97)]
)
def test_the_seeds_of_a_share_are_the_fewest_from_which_on_four_of_five_studies_decide(count, effect, level):
    interval = mean_interval(flags(count, 20), level, FLAG)
    n, z = seeds_to_decide(effect, interval), quantile(level)
    assert all(power(count / 20, more, z, effect) >= 0.8 for more in range(n, n + FURTHER))
    assert n == 21 or power(count / 20, n - 1, z, effect) < 0.8


@pytest.mark.parametrize(("n", "level", "effect", "least"), [(20, 0.9875, 0.2, 25), (20, 1 - 0.0125 / 55, 0.2, 55)])
def test_where_all_pairs_tie_the_upper_bound_alone_is_below_delta(n, level, effect, least):
    """The bound of 0 of n is z²/(n + z²), of both shares of a difference of ties alike."""
    z = quantile(level)
    assert least == max(math.ceil(z * z * (1 - effect) / effect), n + 1)
    ties = mean_interval(np.zeros(n), level, FLAG.difference)
    assert seeds_to_decide(effect, ties) == least
    assert what_would_decide(effect, ties) == f"about {least} seeds would decide"
    alike = pd.DataFrame({name: flags(n, n) for name in "abcdefghijk"})
    if least == 55:
        assert seeds_to_decide(effect, largest_difference(alike, "trained", 0.9875)) == least


@pytest.mark.parametrize(
    ("plus", "minus", "effect", "two_sided"),
    [(7, 5, 0.5, False), (1, 0, 0.25, False), (12, 2, 0.2, False), (1, 1, 0.25, True)],
)
def test_the_seeds_of_a_paired_difference_count_the_pairs_that_differ(plus, minus, effect, two_sided):
    pairs = np.repeat([1.0, -1.0, 0.0], [plus, minus, 20 - plus - minus])
    interval = mean_interval(pairs, 0.95, FLAG.difference)
    assert interval.differ == pytest.approx((plus + minus) / 20)
    n, z = seeds_to_decide(effect, interval, two_sided), quantile(0.95)

    def of(seeds):
        return paired_power(plus / 20, minus / 20, seeds, z, effect, two_sided)

    assert n < 90
    assert all(of(more) >= 0.8 for more in range(n, n + 8, 2))
    assert n == 21 or of(n - 1) < 0.8


def test_the_largest_difference_of_one_pair_takes_as_many_seeds_as_that_pair():
    pair = pd.DataFrame({"a": [1.0] * 7 + [0.0] * 13, "b": [0.0] * 7 + [1.0] * 5 + [0.0] * 8})
    alone = mean_interval(pair["a"] - pair["b"], 0.95, FLAG.difference)
    assert seeds_to_decide(0.5, largest_difference(pair, "trained")) == seeds_to_decide(0.5, alone)


def test_no_number_of_seeds_decides_a_share_that_is_about_delta():
    near = mean_interval(flags(12, 20), quantity=FLAG)
    assert what_would_decide(0.6, near) == what_would_decide(0.61, near)
    assert what_would_decide(0.6, near).startswith("no number of seeds would")


def test_the_seeds_of_a_mean_are_as_before():
    mean = Interval(0.2, 0.05, 0.35, 10, "Student t")
    assert seeds_to_decide(0.1, mean) == math.ceil(10 * ((1.96 + 0.84) / 1.96 * 0.15 / 0.1) ** 2)


def test_what_no_seeds_decide_says_why():
    """None has a value, or all are equal: more of the same leave it open. Never is there a blank."""
    assert what_would_decide(0.1, NOTHING) == what_would_decide(0.1, mean_interval([math.nan] * 20)) == NO_VALUE
    assert what_would_decide(0.01, mean_interval(np.zeros(20))) == ALIKE
    assert what_would_decide(0.01, mean_interval([0.1 + 0.2, 0.3] * 10)) == ALIKE
    assert what_would_decide(0.01, mean_interval([0.1, 0.3])) == "it takes 5 seeds"
    index = pd.MultiIndex.from_product([range(2), range(10)], names=["data_seed", "seed"])
    few_splits = mean_interval(pd.Series(np.arange(20.0), index), quantity=UNBOUNDED)
    assert not few_splits.known
    assert what_would_decide(0.01, few_splits) == CROSSED_FEWEST
    same = pd.DataFrame({"a": [1.0] * 20, "b": [0.7] * 20})
    assert f"({ALIKE})" == judge("E", "", "s", AT_LEAST, 0.5, same["a"] - same["b"], "e").condition
    assert what_would_decide(0.5, largest_difference(same)) == ALIKE


@pytest.mark.parametrize("lost", [np.full(20, math.nan), np.zeros(20)])
def test_a_condition_that_no_seeds_decide_takes_the_promise_from_the_others(lost):
    open_, met = np.tile([0.0, 0.3], 10), np.tile([0.9, 1.0], 10)
    with_it = judge("E", "", "s", AT_LEAST, 0.1, {"a": open_, "b": met, "c": lost}, "e")
    alone, settled, never = (row.more for row in with_it.under)
    assert alone.startswith("about")
    assert alone.endswith("seeds would decide this condition alone")
    assert not settled
    assert never in (NO_VALUE, ALIKE)
    assert f"({alone})" in with_it.condition
    assert f"({never})" in with_it.condition
    without = judge("E", "", "s", AT_LEAST, 0.1, {"a": open_, "b": met, "d": met}, "e")
    assert f"({without.under[0].more})" in without.condition
    assert without.under[0].more == alone.removesuffix(" this condition alone")


def test_a_level_below_one_never_reads_as_certain():
    for tail in np.logspace(-1, -9, 200):
        text = percent(1 - tail)
        said = float(text.removesuffix(" %"))
        assert said < 100
        assert abs(said / 100 - (1 - tail)) <= tail
    assert percent(0.95) == "95.0 %"
    assert percent(1.0) == "100.0 %"


def test_no_method_of_a_verdict_says_100_percent():
    many = {f"at {i}": np.arange(10.0) for i in range(300)}
    assert judge("E", "", "s", AT_LEAST, 0.5, many, "e").method.endswith("99.98 %")
    wide = pd.DataFrame({str(i): flags(i % 21, 20) for i in range(16)})
    assert "99.96 %, all 120 pairs" in judge_any_pair("D", "s", 0.2, wide, "e", "trained").method
