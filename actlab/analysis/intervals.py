"""Confidence intervals: one rule for each kind of quantity, chosen by simulated coverage (``benchmarks/coverage.py``).

| quantity | interval |
| --- | --- |
| share of runs | Wilson's score interval |
| mean with both ends known (an accuracy, a share of units) | Student's t of the logit, by the delta method |
| mean with one end known (a loss, a number of steps) | Student's t of the log of the distance from it, likewise |
| any other mean (a slope, log10 of a norm) | Student's t, extended by Johnson's correction towards the longer tail |
| difference of shares, paired | Wilson's of both, joined by Newcombe's square-and-add |
| difference of means, paired | that of a mean; of what has both ends, the differences have too |
| difference without pairs | the intervals of both, joined by square-and-add (MOVER) |

A mean of fewer than ``FEWEST`` values, or of equal ones, has no interval: no method covers that population then. A
share of one run has none either. Over several splits and several seeds it needs as many of both, and the methods are
those of ``crossed``.
Everything here is plain NumPy; what is a group is one integer a value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from actlab.analysis.crossed import CROSSED, as_plain, repeats
from actlab.later import Later
from actlab.measures import GEOMETRIC, SHARE, Measure

special = Later("scipy.special")

# Of two equally likely kinds of runs, fewer show only one kind too often: in 1 of 8 samples of four, 1 of 16 of five.
FEWEST = 5
LOGIT, LOG, EXTENDED, WILSON, NO_INTERVAL = "logit t", "log t", "skew-extended t", "Wilson", "none"
NEWCOMBE, SQUARE_AND_ADD = "Newcombe", "square-and-add"
COUNTED = "counted"
"""The method of a share of what may still go either way: its bounds let what is open do so."""
COMPUTED = "computed"
"""The method of a number that is no estimate: it has no error beyond rounding, and no n."""
# Beyond rounding, values that are equal in the measurements are still equal after they were averaged.
ROUNDING = 1e-12
BESIDE = ("median", "least", "greatest", "share", "share_low", "share_high")
"""What stands where a mean has no interval: order statistics, and the share of runs in the larger of two groups."""
COUNTS = ("splits", "seeds")
"""How many of each a mean is over, where several splits are: ``n`` counts their pairs then."""


@dataclass(frozen=True)
class Quantity:
    """What an interval has to know of a quantity.

    Attributes:
        low, high: the ends of its range, None where there is none.
        share: whether it is true or false of a run, or the share of such runs within a seed.
        log10: whether values are logarithms, and the mean is to be read as a power of ten.
    """

    low: float | None = None
    high: float | None = None
    share: bool = False
    log10: bool = False

    @property
    def difference(self) -> Quantity:
        """The kind of the difference of two such quantities.

        >>> Quantity(0.0, 1.0).difference, Quantity(0.0).difference
        (Quantity(low=-1.0, high=1.0, ...), Quantity(low=None, high=None, ...))
        """
        if self.low is None or self.high is None:
            return Quantity(log10=self.log10)
        return Quantity(self.low - self.high, self.high - self.low, self.share)

    @property
    def method(self) -> str:
        """How its intervals are made."""
        if self.share:
            return WILSON if self.low == 0 else NEWCOMBE
        ends = (self.low is not None) + (self.high is not None)
        return (EXTENDED, LOG, LOGIT)[ends]


UNBOUNDED, FLAG = Quantity(), Quantity(0.0, 1.0, share=True)


def quantity_of(record: Measure) -> Quantity:
    """Read from a measure's record what kind of quantity it is, over seeds.

    >>> quantity_of(Measure("weak", range=(0.0, 1.0))).method, quantity_of(Measure("own")).method
    ('logit t', 'skew-extended t')
    """
    if record.over_seeds == SHARE:
        return FLAG
    low, high = (end if end is not None and math.isfinite(end) else None for end in record.range)
    if record.over_seeds == GEOMETRIC:
        low, high = (math.log10(end) if end is not None and end > 0 else None for end in (low, high))
        return Quantity(low, high, log10=True)
    return Quantity(low, high)


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval; NaN bounds where there is none, and then what stands in its place.

    ``differ`` is the share of pairs whose flags differ, of a paired difference of shares: its interval rests on it.
    """

    mean: float
    low: float
    high: float
    n: int
    method: str
    median: float = math.nan
    least: float = math.nan
    greatest: float = math.nan
    share: float = math.nan
    share_low: float = math.nan
    share_high: float = math.nan
    differ: float = field(default=math.nan, repr=False, compare=False)

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


NOTHING = Interval(math.nan, math.nan, math.nan, 0, NO_INTERVAL)


def percent(level: float) -> str:
    """Write a level in percent, with as many digits that it does not read as certainty.

    >>> percent(0.95), percent(0.9875), percent(1 - 0.0125 / 55)
    ('95.0 %', '98.8 %', '99.98 %')
    """
    digits = 1
    while level < 1 and float(f"{100 * level:.{digits}f}") >= 100:
        digits += 1
    return f"{100 * level:.{digits}f} %"


def wilson_bounds(p: np.ndarray, n: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Bound shares by Wilson's score interval, which stays inside [0, 1] and does not collapse at 0 or 1.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n), z the normal quantile. A mean of n shares within seeds varies at
    most as much as one of n flags does: then p is that mean, and n counts seeds.

    Reference: Wilson 1927, J. Am. Stat. Assoc. 22.
    """
    z = float(special.ndtri((1 + level) / 2))
    k = np.where(n > 0, n, 1)
    centre = (p + z * z / (2 * k)) / (1 + z * z / k)
    half = z / (1 + z * z / k) * np.sqrt(p * (1 - p) / k + z * z / (4 * k * k))
    # At the ends the bound is exact; rounding must not put it on the wrong side.
    low, high = np.where(p <= 0, 0.0, np.maximum(centre - half, 0)), np.where(p >= 1, 1.0, np.minimum(centre + half, 1))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def share_difference_bounds(
    plus: np.ndarray, minus: np.ndarray, n: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bound the mean of paired differences of flags, which are 1 in a share ``plus`` of pairs, −1 in one ``minus``.

    Wilson's bounds of both shares are joined: d − √(a² + b² + 2rab), a = plus − its lower, b = the upper of minus −
    minus, r the size of their (negative) correlation √(plus·minus / ((1 − plus)(1 − minus))).

    Reference: Newcombe 1998, Stat. Med. 17 (paired proportions).
    """
    (low_p, high_p), (low_m, high_m) = wilson_bounds(plus, n, level), wilson_bounds(minus, n, level)
    rest = (1 - plus) * (1 - minus)
    r = np.where(rest > 0, np.sqrt(np.minimum(plus * minus / np.where(rest > 0, rest, 1), 1)), 0)

    def reach(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(a * a + b * b + 2 * r * a * b)

    low = plus - minus - reach(plus - low_p, high_m - minus)
    high = plus - minus + reach(high_p - plus, minus - low_m)
    return np.maximum(low, -1), np.minimum(high, 1)


def mean_bounds(
    mean: np.ndarray, std: np.ndarray, skew: np.ndarray, n: np.ndarray, quantity: Quantity, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bound means: Student's t on the scale on which the quantity's ends are at infinity, by the delta method.

    Both ends a, b: p = (mean − a)/(b − a), logit p ± t·e/((b − a)·p·(1 − p)), e = s/√n the standard error, t Student's
    quantile with n − 1. One end a: a + (mean − a)·exp(± t·e/(mean − a)). None: mean ± t·e, and further by
    |γ|·s·(1 + 2t²)/6n on the side of the longer tail, γ the sample's skewness.

    Args:
        mean, std, skew, n: of each sample; ``std`` with n − 1, ``skew`` adjusted (Fisher and Pearson's G₁).
        quantity: the kind of all of them.
        level: coverage.

    References: Student 1908, Biometrika 6(1); Johnson 1978, J. Am. Stat. Assoc. 73 (the correction).
    """
    low_end, high_end = quantity.low, quantity.high
    t = special.stdtrit(np.maximum(n - 1, 1), (1 + level) / 2)
    reach = t * std / np.sqrt(n)
    if low_end is not None and high_end is not None:
        span = high_end - low_end
        p = (mean - low_end) / span
        centre, half = special.logit(p), reach / (span * p * (1 - p))
        ends = (low_end + span * special.expit(centre + side * half) for side in (-1, 1))
        mirrored = (high_end - span * special.expit(-centre - side * half) for side in (-1, 1))
        # Each way is exact next to one end.
        low, high = (np.where(p < 0.5, one, other) for one, other in zip(ends, mirrored, strict=True))
        return low, high
    if low_end is not None:
        factor = np.exp(reach / (mean - low_end))
        return low_end + (mean - low_end) / factor, low_end + (mean - low_end) * factor
    if high_end is not None:
        factor = np.exp(reach / (high_end - mean))
        return high_end - (high_end - mean) * factor, high_end - (high_end - mean) / factor
    further = skew * std * (1 + 2 * t * t) / (6 * n)
    return mean - reach + np.minimum(further, 0), mean + reach + np.maximum(further, 0)


def intervals_of(
    values: np.ndarray,
    groups: np.ndarray,
    size: int,
    quantity: Quantity,
    level: float = 0.95,
    splits: np.ndarray | None = None,
    seeds: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Take the mean of each group with its interval, or with what stands in its place.

    Values that are not finite are dropped, and ``n`` counts what is left. Where some lie outside the range that the
    quantity is said to have, it is taken as unbounded: a wrong record must not make a wrong interval.

    Args:
        values: numbers, in any order.
        groups: which of the groups 0 to ``size`` − 1 each belongs to.
        size: number of groups; one without a value has n = 0.
        quantity: what kind of quantity it is.
        level: coverage.
        splits, seeds: which split and seed each value is of, whole numbers; without both, values are independent.

    Returns:
        the fields of ``Interval``, an array each; with splits and seeds how many of each have a value, too.
    """
    finite = np.isfinite(values)
    order = np.lexsort((values[finite], groups[finite]))
    v, g = values[finite][order], groups[finite][order]
    there, first, count = np.unique(g, return_index=True, return_counts=True)
    out: dict[str, np.ndarray] = {name: np.full(size, np.nan) for name in ("mean", "low", "high", *BESIDE, "differ")}
    out["n"] = np.zeros(size, int)
    out["method"] = np.full(size, NO_INTERVAL, object)
    if splits is not None:
        out |= {name: np.zeros(size, int) for name in COUNTS}
    if not len(v):
        return out
    if quantity.low is not None and quantity.high is not None:  # what is out by rounding alone is not outside
        inside = np.clip(v, quantity.low, quantity.high)
        v = np.where(np.abs(v - inside) <= 1e-6 * (quantity.high - quantity.low), inside, v)
    n, last = count, first + count - 1
    least, greatest = v[first], v[last]
    tiny = np.finfo(float).tiny
    equal = greatest - least <= np.maximum(ROUNDING * np.maximum(np.abs(least), np.abs(greatest)), tiny)
    mean = np.clip(np.add.reduceat(v, first) / n, least, greatest)  # rounding may put it beyond them
    mean = np.where(equal, least, mean)
    out["n"][there], out["mean"][there] = n, mean
    independent, both, found = n, np.zeros(len(there), bool), None
    if splits is not None and seeds is not None:
        found = repeats(np.repeat(np.arange(len(there)), n), splits[finite][order], seeds[finite][order])
        independent, both = found.independent, found.both
        out["splits"][there], out["seeds"][there] = found.splits, found.seeds
    if quantity.share:
        if quantity.low == 0:
            low, high = wilson_bounds(mean, independent, level)
        else:
            plus, minus = (np.add.reduceat(np.maximum(side, 0), first) / n for side in (v, -v))
            low, high = share_difference_bounds(plus, minus, independent, level)
            out["differ"][there] = plus + minus
        several = n > 1  # of one run there is nothing to take an interval over
        out["low"][there], out["high"][there] = np.where(several, low, np.nan), np.where(several, high, np.nan)
        named = np.where(both, CROSSED + quantity.method, quantity.method)
        out["method"][there] = np.where(several, named, NO_INTERVAL)
        return out
    deviation = v - np.repeat(mean, n)
    scale = np.maximum(greatest - least, tiny)  # third powers of large losses would overflow
    z = deviation / np.repeat(scale, n)
    second, third = np.add.reduceat(z**2, first) / n, np.add.reduceat(z**3, first) / n
    std = scale * np.sqrt(second * n / np.maximum(n - 1, 1))
    spread = np.where(equal, 1.0, second)
    skew = third / spread**1.5 * np.sqrt(n * np.maximum(n - 1.0, 1.0)) / np.maximum(n - 2, 1)
    of = n
    if found is not None and both.any():
        crossed_std, crossed_skew, size_of = as_plain(found, z, np.sqrt(second * n / np.maximum(n - 1, 1)))
        std, skew, of = (
            np.where(both, one, other)
            for one, other in ((scale * crossed_std, std), (crossed_skew, skew), (size_of, n))
        )
    enough = (independent >= FEWEST) & ~equal
    outside = np.zeros(len(there), bool)
    if quantity.low is not None:
        outside |= least < quantity.low
    if quantity.high is not None:
        outside |= greatest > quantity.high
    for kind, which in ((quantity, enough & ~outside), (Quantity(), enough & outside)):
        at = np.flatnonzero(which)
        low, high = mean_bounds(mean[at], std[at], skew[at], of[at], kind, level)
        out["low"][there[at]], out["high"][there[at]] = low, high
        out["method"][there[at]] = np.where(both[at], CROSSED + kind.method, kind.method)
    middle = (v[first + (n - 1) // 2] + v[first + n // 2]) / 2
    instead = np.flatnonzero(~enough & (n > 1))
    alike = np.array([larger_part(v[first[i] : last[i] + 1], bool(equal[i]), quantity) for i in instead], float)
    share = np.where(alike > 0, alike, np.nan) / n[instead]
    beside = (
        middle[instead],
        least[instead],
        greatest[instead],
        share,
        *wilson_bounds(share, independent[instead], level),
    )
    for name, column in zip(BESIDE, beside, strict=True):
        out[name][there[instead]] = column
    return out


def larger_part(ordered: np.ndarray, equal: bool, quantity: Quantity) -> int:
    """Count the values in the larger of two groups, of a sample that falls into two; 0 where it does not.

    Two groups: a gap over a quarter of the quantity's range and three quarters of the sample's.

    >>> larger_part(np.array([0.1, 0.94, 0.95]), False, Quantity(0.0, 1.0))
    2
    """
    if equal:
        return len(ordered)
    if quantity.low is None or quantity.high is None or len(ordered) < 3:
        return 0
    gaps = np.diff(ordered)
    at = int(gaps.argmax())
    wide = gaps[at] > max((quantity.high - quantity.low) / 4, 0.75 * (ordered[-1] - ordered[0]))
    return max(at + 1, len(ordered) - at - 1) if wide else 0


def square_and_add(a: Interval, b: Interval) -> Interval:
    """Bound the difference of two independent estimates by their own intervals (MOVER).

    d − √((a − its lower)² + (the upper of b − b)²), and likewise above; n is that of the smaller sample.

    References: Newcombe 1998, Stat. Med. 17 (shares); Zou & Donner 2008, Stat. Med. 27.
    """
    d = a.mean - b.mean
    if not (a.known and b.known):
        return Interval(d, math.nan, math.nan, min(a.n, b.n), NO_INTERVAL)
    low = d - math.hypot(a.mean - a.low, b.high - b.mean)
    high = d + math.hypot(a.high - a.mean, b.mean - b.low)
    return Interval(d, low, high, min(a.n, b.n), SQUARE_AND_ADD)
