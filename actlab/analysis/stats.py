"""Intervals, shares, ties and ranks: everything that tables and figures claim about more than one seed.

Non-finite values never enter a mean: they are dropped, and ``n`` counts what is left. Whoever calls must say what was
dropped and why (diverged, undefined). Values are sorted before they are summed, so that no result depends on the order
in which runs finished.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actlab.later import Later, pd

# Quantiles come from the smaller room: most studies need nothing of the other, which takes a second to import.
special, sps = Later("scipy.special"), Later("scipy.stats")

# From here on the bootstrap: below, its intervals are too narrow.
BOOTSTRAP_FROM = 20
RESAMPLES = 1999
STUDENT, BOOTSTRAP, WILSON, NO_INTERVAL = "Student t", "BCa bootstrap", "Wilson", "none"


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval; NaN bounds where ``n`` is below 2 (shares: below 1)."""

    mean: float
    low: float
    high: float
    n: int
    method: str


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Take mean and confidence interval: Student t below n = 20, BCa bootstrap from there on.

    mean ± t_{n−1, (1+level)/2} · s/√n, s the standard deviation with n − 1. The bootstrap draws 1999 resamples from a
    fixed seed. A constant sample has an interval of width 0.

    Args:
        values: one number per seed, in any order; non-finite ones are dropped.
        level: coverage.

    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.484..., high=4.484..., n=3, method='Student t')
    >>> mean_interval([0.7, float("nan")])
    Interval(mean=0.7, low=nan, high=nan, n=1, method='none')

    References: Student 1908, Biometrika 6(1); Efron 1987, J. Am. Stat. Assoc. 82 (BCa).
    """
    x = np.sort(finite(values))
    n = len(x)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0, NO_INTERVAL)
    mean = float(x.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1, NO_INTERVAL)
    method = STUDENT if n < BOOTSTRAP_FROM else BOOTSTRAP
    if x[0] == x[-1]:
        return Interval(float(x[0]), float(x[0]), float(x[0]), n, method)
    if method == STUDENT:
        half = float(special.stdtrit(n - 1, (1 + level) / 2)) * float(x.std(ddof=1)) / math.sqrt(n)
        return Interval(mean, mean - half, mean + half, n, method)
    low, high = bootstrap_bounds(x[None], level)
    return Interval(mean, float(low[0]), float(high[0]), n, method)


def wilson_interval(successes: float, n: int, level: float = 0.95) -> Interval:
    """Take a share and its Wilson score interval, which stays inside [0, 1] and does not collapse at 0 or 1.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n), p = successes/n, z the normal quantile.

    >>> wilson_interval(5, 5)
    Interval(mean=1.0, low=0.565..., high=1.0, n=5, method='Wilson')

    Reference: Wilson 1927, J. Am. Stat. Assoc. 22.
    """
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0, WILSON)
    p, z = successes / n, float(special.ndtri((1 + level) / 2))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At the ends the bound is exact; rounding must not put it on the wrong side.
    return Interval(p, 0.0 if p == 0 else centre - half, 1.0 if p == 1 else centre + half, n, WILSON)


def difference_interval(a: pd.Series, b: pd.Series, level: float = 0.95) -> tuple[float, float]:
    """Bound mean(a) − mean(b): paired by index (the seed) where both have the same ones, else Welch.

    Args:
        a, b: values indexed by seed; an index that occurs twice (several cells pooled) cannot be paired.
        level: coverage.

    Returns:
        low, high; NaN where either side has fewer than two finite values.

    >>> difference_interval(pd.Series([1.0, 2.0, 3.0]), pd.Series([0.5, 1.5, 2.5]))
    (0.5, 0.5)

    Reference: Welch 1947, Biometrika 34.
    """
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if a.index.is_unique and b.index.is_unique and set(a.index) == set(b.index):
        paired = mean_interval(a - b.reindex(a.index), level)
        return paired.low, paired.high
    if min(len(a), len(b)) < 2:
        return math.nan, math.nan
    x, y = np.sort(a.to_numpy(float)), np.sort(b.to_numpy(float))
    difference = float(x.mean() - y.mean())
    u, v = float(x.var(ddof=1)) / len(x), float(y.var(ddof=1)) / len(y)
    if u + v == 0:
        return difference, difference
    freedom = (u + v) ** 2 / (u * u / (len(x) - 1) + v * v / (len(y) - 1))
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * math.sqrt(u + v)
    return difference - half, difference + half


def ties_with(best: Hashable, samples: Mapping[Hashable, pd.Series], level: float = 0.95) -> set[Hashable]:
    """Find the cells whose difference from the best has an interval that contains 0; not corrected for their number.

    >>> s = pd.Series([0.9, 0.8, 0.85])
    >>> sorted(ties_with("a", {"a": s, "b": s + [0.01, -0.02, 0.0], "c": s - 0.3}))
    ['b']
    """
    tied = set()
    for name, sample in samples.items():
        low, high = difference_interval(samples[best], sample, level)
        if name != best and low <= 0 <= high:
            tied.add(name)
    return tied


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over blocks (1 is best), with the Friedman test of "all are alike"; NaN where it is undefined."""

    ranks: pd.DataFrame
    mean: dict[str, Interval]
    statistic: float
    p_value: float


def rank_over_blocks(scores: pd.DataFrame, level: float = 0.95) -> Ranks:
    """Rank the columns within each complete row, average the ranks over rows.

    Args:
        scores: one row per block (a cell of everything else), one column per candidate; *lower is better*. Rows with a
            NaN are left out; +inf (diverged) ranks last.
        level: coverage.

    >>> ranked = rank_over_blocks(pd.DataFrame({"a": [0.1, 0.2, 0.1], "b": [0.3, 0.4, 0.2], "c": [0.2, 0.5, 0.9]}))
    >>> ranked.mean["a"].mean, round(ranked.p_value, 3)
    (1.0, 0.097)

    References: Friedman 1937, J. Am. Stat. Assoc. 32; Demšar 2006, J. Mach. Learn. Res. 7.
    """
    ranks = scores.dropna().rank(axis=1)
    mean = {str(name): mean_interval(ranks[name], level) for name in ranks}
    statistic = p_value = math.nan
    if len(ranks) >= 2 and ranks.shape[1] >= 3 and not (ranks.nunique(axis=1) == 1).all():
        test = sps.friedmanchisquare(*(ranks[name] for name in ranks))
        statistic, p_value = float(test.statistic), float(test.pvalue)
    return Ranks(ranks, mean, statistic, p_value)


def grouped_intervals(frame: pd.DataFrame, by: Sequence[str], level: float = 0.95, share: bool = False) -> pd.DataFrame:
    """Take ``mean_interval`` (or ``wilson_interval`` of 0/1) of the column ``value`` in every group, all at once.

    Args:
        frame: the columns ``by`` and ``value``.
        by: what makes a group; NaN is a value like any other.
        level: coverage.
        share: whether values are 0/1 and the Wilson interval is asked for.

    Returns:
        one row per group: ``by``, ``mean``, ``low``, ``high``, ``n``, ``method``; sorted by ``by``.
    """
    by = list(by)
    order = np.argsort(frame["value"].to_numpy(float), kind="stable")
    frame = frame.iloc[order]
    value = frame["value"].astype(float)
    groups = frame[by].assign(value=value.where(np.isfinite(value))).groupby(by, dropna=False)["value"]
    out = groups.agg(["mean", "std", "count", "min", "max"]).reset_index().rename(columns={"count": "n"})
    n = out["n"].to_numpy()
    if share:
        shares = [wilson_interval(round(p * k) if k else 0.0, k, level) for p, k in zip(out["mean"], n, strict=True)]
        bounds = {name: [getattr(interval, name) for interval in shares] for name in ("low", "high", "method")}
        return out[[*by, "mean"]].assign(**bounds, n=n)[[*by, "mean", "low", "high", "n", "method"]]
    constant = (out["min"] == out["max"]).to_numpy()
    out["mean"] = out["mean"].where(~constant, out["min"])  # a mean of equal numbers may differ from them by rounding
    quantile = special.stdtrit(np.maximum(n - 1, 1), (1 + level) / 2)
    half = np.where(n >= 2, quantile * out["std"].where(~constant, 0.0) / np.sqrt(np.maximum(n, 1)), np.nan)
    out["low"], out["high"] = out["mean"] - half, out["mean"] + half
    out["method"] = np.select([n < 2, n < BOOTSTRAP_FROM], [NO_INTERVAL, STUDENT], BOOTSTRAP)
    large = np.flatnonzero((n >= BOOTSTRAP_FROM) & ~constant)
    if large.size:
        place = groups.ngroup().to_numpy()  # groups are numbered in the order of `out`
        values = value.to_numpy()
        members = {i: values[(place == i) & np.isfinite(values)] for i in large}
        for size in sorted(set(n[large])):
            same = [i for i in large if n[i] == size]
            low, high = bootstrap_bounds(np.stack([members[i] for i in same]), level)
            out.loc[same, "low"], out.loc[same, "high"] = low, high
    return out[[*by, "mean", "low", "high", "n", "method"]]


def bootstrap_bounds(samples_GxN: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Bound the mean of each row by the BCa bootstrap; every row is resampled alike, whatever the other rows are.

    Rows must be sorted and not constant. Where BCa is undefined its percentile bounds stand in.
    """
    centre = samples_GxN.mean(axis=1, keepdims=True)
    scale = np.abs(samples_GxN - centre).max(axis=1, keepdims=True)  # third powers of large losses would overflow
    scaled = (samples_GxN - centre) / scale

    def bounds(rows: np.ndarray, method: str) -> np.ndarray:
        interval = sps.bootstrap(
            (rows,),
            np.mean,
            axis=1,
            confidence_level=level,
            n_resamples=RESAMPLES,
            method=method,
            rng=np.random.default_rng(0),
        ).confidence_interval
        return np.stack([interval.low, interval.high])

    parts = []
    for begin in range(0, len(scaled), 64):  # 64 rows of 1999 resamples at a time bound the memory
        rows = scaled[begin : begin + 64]
        both = bounds(rows, "BCa")
        undefined = ~np.isfinite(both).all(axis=0)
        if undefined.any():
            both[:, undefined] = bounds(rows[undefined], "percentile")
        parts.append(both)
    low, high = np.concatenate(parts, axis=1) * scale[:, 0] + centre[:, 0]
    return low, high


def finite(values: ArrayLike) -> np.ndarray:
    """Keep the finite values, as float64 in one dimension."""
    x = np.asarray(values, np.float64).ravel()
    return x[np.isfinite(x)]
