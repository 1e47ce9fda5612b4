"""The rule of intervals: what a record says decides the method; inside the range; never of width 0."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import special
from scipy import stats as sps

from actlab import measure, measures
from actlab.analysis.estimates import summarise
from actlab.analysis.intervals import FEWEST, FLAG, UNBOUNDED, Quantity, quantity_of
from actlab.analysis.stats import mean_interval
from actlab.measures import MEASURES, Measure

RNG = np.random.default_rng(0)
FRACTION, POSITIVE, CORRELATION = Quantity(0.0, 1.0), Quantity(0.0), Quantity(-1.0, 1.0)
BELOW = Quantity(None, 0.0)


def interval(values, quantity=UNBOUNDED, level=0.95):
    return mean_interval(values, level, quantity)


# What each is, by an independent computation


@pytest.mark.parametrize(("k", "n"), [(0, 2), (0, 5), (3, 5), (5, 5), (17, 20)])
def test_shares_have_the_wilson_interval_of_scipy(k, n):
    result = interval([1.0] * k + [0.0] * (n - k), FLAG)
    theirs = sps.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert (result.method, result.n) == ("Wilson", n)
    np.testing.assert_allclose([result.low, result.high], [theirs.low, theirs.high], atol=1e-12)
    assert 0 <= result.low <= result.mean <= result.high <= 1


@pytest.mark.parametrize(("quantity", "a", "b"), [(FRACTION, 0.0, 1.0), (CORRELATION, -1.0, 1.0)])
def test_with_both_ends_it_is_students_t_of_the_logit(quantity, a, b):
    x = a + (b - a) * RNG.beta(5, 2, 7)
    result = interval(x, quantity, 0.9)
    p, e = (x.mean() - a) / (b - a), sps.sem(x) / (b - a)
    step = sps.t.ppf(0.95, 6) * e / (p * (1 - p))
    ends = [a + (b - a) * special.expit(special.logit(p) + side * step) for side in (-1, 1)]
    assert result.method == "logit t"
    np.testing.assert_allclose([result.low, result.high], ends, rtol=1e-12)


def test_with_one_end_it_is_students_t_of_the_log():
    x = RNG.exponential(size=9)
    result = interval(x, POSITIVE)
    step = sps.t.ppf(0.975, 8) * sps.sem(x) / x.mean()
    assert result.method == "log t"
    np.testing.assert_allclose([result.low, result.high], x.mean() * np.exp([-step, step]), rtol=1e-12)
    mirrored = interval(-x, BELOW)
    np.testing.assert_allclose([-mirrored.high, -mirrored.low], [result.low, result.high], rtol=1e-12)
    shifted = interval(x + 7, Quantity(7.0))
    np.testing.assert_allclose([shifted.low - 7, shifted.high - 7], [result.low, result.high], rtol=1e-9)


@pytest.mark.parametrize("n", [5, 19, 40])
def test_without_ends_it_is_students_t_extended_towards_the_longer_tail(n):
    x = RNG.lognormal(size=n)
    result = interval(x, level=0.9)
    low, high = sps.t.interval(0.9, n - 1, loc=x.mean(), scale=sps.sem(x))
    t = sps.t.ppf(0.95, n - 1)
    further = sps.skew(x, bias=False) * x.std(ddof=1) * (1 + 2 * t**2) / (6 * n)
    assert further > 0
    assert result.method == "skew-extended t"
    np.testing.assert_allclose([result.mean, result.low, result.high], [x.mean(), low, high + further], rtol=1e-12)
    mirrored = interval(-x, level=0.9)
    np.testing.assert_allclose([-mirrored.high, -mirrored.low], [result.low, result.high], rtol=1e-12)


def test_of_a_symmetric_sample_nothing_is_extended():
    x = np.array([-2.0, -1, 0, 1, 2])
    result = interval(x)
    np.testing.assert_allclose([result.low, result.high], sps.t.interval(0.95, 4, scale=sps.sem(x)), rtol=1e-12)


@pytest.mark.parametrize(("plus", "minus", "n"), [(5, 0, 5), (3, 1, 6), (0, 0, 5), (10, 10, 20)])
def test_paired_differences_of_flags_join_both_wilson_intervals(plus, minus, n):
    result = interval([1.0] * plus + [-1.0] * minus + [0.0] * (n - plus - minus), FLAG.difference)
    (lp, hp), (lm, hm) = (sps.binomtest(k, n).proportion_ci(0.95, method="wilson") for k in (plus, minus))
    p, m = plus / n, minus / n
    r = math.sqrt(p * m / ((1 - p) * (1 - m))) if p * m else 0
    low = p - m - math.sqrt((p - lp) ** 2 + (hm - m) ** 2 + 2 * r * (p - lp) * (hm - m))
    high = p - m + math.sqrt((hp - p) ** 2 + (m - lm) ** 2 + 2 * r * (hp - p) * (m - lm))
    assert result.method == "Newcombe"
    np.testing.assert_allclose([result.low, result.high], [max(low, -1), min(high, 1)], atol=1e-12)


# Inside the range, and of some width


def nasty(n):
    """Samples at the ends of [0, 1], of two values, of very unlike sizes."""
    yield [1.0] * (n - 1) + [0.0]
    yield [0.0] * (n - 1) + [1.0]
    yield [1.0] * (n - 1) + [1 - 1e-9]
    yield [0.0] * (n - 1) + [1e-12]
    yield [0.0] * (n - 1) + [1e-300]
    yield [0.1, 0.95] * n
    yield [10.0**-k for k in range(n)]
    yield RNG.beta(0.05, 0.05, n)


@pytest.mark.parametrize("n", [5, 6, 20])
@pytest.mark.parametrize("case", range(8))
@pytest.mark.parametrize(
    ("quantity", "ends"),
    [(FRACTION, (0, 1)), (POSITIVE, (0, math.inf)), (FLAG, (0, 1)), (UNBOUNDED, (-math.inf, math.inf))],
)
def test_an_interval_holds_its_mean_inside_the_range(quantity, ends, case, n):
    x = list(nasty(n))[case]
    result = interval(x, quantity)
    assert ends[0] <= result.low <= result.mean <= result.high <= ends[1]
    assert result.low < result.high


@pytest.mark.parametrize("quantity", [FRACTION, POSITIVE, UNBOUNDED, CORRELATION])
@pytest.mark.parametrize("n", [2, 5, 40])
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_equal_values_have_no_interval_but_the_share_of_runs_that_are_so(quantity, n, value):
    result = interval([value] * n, quantity)
    assert not result.known
    assert (result.mean, result.method, result.median) == (value, "none", value)
    wilson = interval([1.0] * n, FLAG)
    assert (result.share, result.share_low, result.share_high) == (1.0, wilson.low, wilson.high)


def test_values_that_differ_by_rounding_alone_are_equal():
    x = np.array([0.1 + 0.2, 0.3, 0.3, 0.3, 0.6 / 2])
    assert np.ptp(x) > 0
    assert not interval(x, FRACTION).known
    assert not interval([0.0, 0.0, 0.0, 0.0, 5e-324], FRACTION).known


@pytest.mark.parametrize("quantity", [FRACTION, POSITIVE, UNBOUNDED])
def test_few_values_have_median_and_range_instead(quantity):
    x = [0.5, 0.8, 0.6, 0.7]
    result = interval(x, quantity)
    assert len(x) == FEWEST - 1
    assert not result.known
    assert (result.median, result.least, result.greatest) == (pytest.approx(0.65), 0.5, 0.8)
    assert math.isnan(result.share)
    assert interval([*x, 0.65], quantity).known


def test_few_values_in_two_groups_have_the_share_of_the_larger():
    result = interval([0.10, 0.95, 0.94], FRACTION)
    wilson = interval([0.0, 1.0, 1.0], FLAG)
    assert (result.median, result.share) == (0.94, pytest.approx(2 / 3))
    assert (result.share_low, result.share_high) == (wilson.low, wilson.high)
    assert math.isnan(interval([0.10, 0.12, 0.11], FRACTION).share)


def test_flags_have_an_interval_from_two_on():
    assert not interval([1.0], FLAG).known
    assert not interval([0.0], FLAG.difference).known
    for n in (2, 3, 4):
        assert interval([1.0] * n, FLAG).known
        assert interval([0.0] * n, FLAG.difference).known


def test_huge_numbers_have_the_intervals_of_small_ones():
    x = RNG.lognormal(size=25)
    for quantity in (POSITIVE, UNBOUNDED):
        small, large = interval(x, quantity), interval(x * 1e150, quantity)
        np.testing.assert_allclose([large.low, large.high], np.array([small.low, small.high]) * 1e150, rtol=1e-9)


def test_what_lies_outside_by_rounding_is_inside_and_what_lies_far_outside_has_no_ends():
    x = np.array([0.9, 0.95, 0.99, 1.0, 1.0])
    assert interval(x + np.array([0, 0, 0, 0, 1e-7]), FRACTION).high <= 1
    wrong = interval(x + np.array([0, 0, 0, 0, 0.5]), FRACTION)
    assert wrong.method == "skew-extended t"
    assert wrong.high > 1


# The record decides


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_has_the_method_that_its_record_says(name):
    one = MEASURES[name]
    ends = sum(end is not None for end in one.range)
    expected = {"share": "Wilson", "geometric": "skew-extended t"}.get(
        one.over_seeds, ("skew-extended t", "log t", "logit t")[ends]
    )
    assert quantity_of(one).method == expected


def test_a_geometric_mean_has_the_ends_of_its_logarithm():
    ratio = Measure("ratio", over_seeds="geometric", range=(0.0, 1.0))
    assert quantity_of(ratio) == Quantity(None, 0.0, log10=True)


def frame_of(values, measure="own"):
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(len(values))], "seed": range(len(values)), "status": "ok"})
    runs["depth"] = 2
    return runs[["run"]].assign(measure=measure, value=np.asarray(values, float)), runs


def test_a_users_measure_gets_the_rule_of_its_record():
    x = [0.99, 0.97, 1.0, 0.7, 0.98]

    @measure(range=(0.0, 1.0))
    def own(z_MxW):
        """A share."""

    record = {"own": measures.declared(own, "own")}
    stored = measures.from_plain(measures.to_plain(record.values()))
    row = summarise(*frame_of(x), ["depth"], own=stored).iloc[0]
    assert (row["method"], row["high"]) == ("logit t", interval(x, FRACTION).high)
    unknown = summarise(*frame_of(x), ["depth"]).iloc[0]
    assert unknown["method"] == "skew-extended t"
    assert unknown["high"] > 1


@pytest.mark.parametrize("ends", [(1.0, 0.0), (0.0, 0.0), (0.0, "1"), (0.0,), (math.nan, 1.0), [1.0, 0.0], 1.0])
def test_a_range_that_is_none_is_refused(ends):
    with pytest.raises(measures.MeasureError, match="expected the least and the greatest value"):
        measure(range=ends)


def test_an_infinite_end_is_no_end():
    assert quantity_of(Measure("own", range=(0.0, math.inf))) == POSITIVE


def test_equal_norms_have_no_interval_and_their_own_value():
    values, runs = frame_of([1e-3] * 5, "signal_grad_norm")
    row = summarise(values, runs, ["depth"]).iloc[0]
    assert (row["mean"], row["median"], row["share"]) == (pytest.approx(1e-3), pytest.approx(1e-3), 1.0)
    assert math.isnan(row["low"])


@pytest.mark.parametrize("settings", [1, 4])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_flags_pooled_over_settings_keep_wilsons_interval(settings, value):
    """Runs of one seed may be copies of one another: as much is known as by one flag of each seed."""
    runs = pd.DataFrame([{"seed": seed, "depth": 2 + i} for seed in range(5) for i in range(settings)])
    runs["run"], runs["status"] = [f"r{i}" for i in range(len(runs))], "ok"
    values = runs[["run"]].assign(measure="trained", value=value)
    row = summarise(values, runs.assign(width=64), ["width"]).iloc[0]
    alone = interval([value] * 5, FLAG)
    assert (row["n"], row["runs"], row["method"]) == (5, 5 * settings, "Wilson")
    assert (row["low"], row["mean"], row["high"]) == (alone.low, value, alone.high)


def test_a_share_over_settings_is_the_mean_of_each_seeds_share():
    runs = pd.DataFrame([{"seed": seed, "depth": 2 + i} for seed in range(5) for i in range(4)])
    runs["run"], runs["status"], runs["width"] = [f"r{i}" for i in range(20)], "ok", 64
    values = runs[["run"]].assign(measure="trained", value=(runs["depth"] > 2 + runs["seed"] % 3) * 1.0)
    row = summarise(values, runs, ["width"]).iloc[0]
    shares = values["value"].groupby(runs["seed"]).mean()
    theirs = 5 * shares.mean()
    z = sps.norm.ppf(0.975)
    centre, half = theirs + z * z / 2, z * math.sqrt(theirs * (1 - theirs / 5) + z * z / 4)
    np.testing.assert_allclose(
        [row["low"], row["high"]], [(centre - half) / (5 + z * z), (centre + half) / (5 + z * z)]
    )
