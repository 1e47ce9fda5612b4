"""Which cells of a column are as good as its best, and of which that cannot be told yet.

The best is chosen by the same runs that it is then compared with, so an interval of one difference is not enough:
the intervals of all pairs of the column must hold together. Each has the level 1 − (1 − .95)/pairs (Bonferroni), and is
the skew-extended t of paired differences, also of what has two ends: at such levels the logit's holds too few columns
of skewed cells. ``benchmarks/ties.py`` counts how often they hold.

With δ the difference below which two cells are taken for equally good, a cell whose interval lies within ±δ is *as good
as the best*, whether or not the interval contains 0; one whose interval contains 0 and reaches beyond is *undecided*;
any other is apart from the best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.analysis import stats
from actlab.analysis.intervals import (
    FEWEST,
    NOTHING,
    ROUNDING,
    Interval,
    Quantity,
    quantity_of,
    square_and_add,
)
from actlab.analysis.variation import independent, split_and_seed
from actlab.later import Later, pd
from actlab.measures import Measure

special = Later("scipy.special")

LEVEL = 0.95
NEAR, FACTOR = 0.02, 1.1
"""What is no difference: of a quantity with two ends this share of its range, of any other with one end this factor."""
MARKS = ("best", "as_good", "undecided")
BEHIND = ("behind", "behind_low", "behind_high")
COLUMNS = (*MARKS, *BEHIND, "seeds_to_decide", "pairs", "dropped_pairs")
"""What ``mark`` adds to a table."""
UNMARKED: dict[str, Any] = (
    dict.fromkeys(MARKS, False) | dict.fromkeys((*BEHIND, "seeds_to_decide", "pairs"), math.nan) | {"dropped_pairs": 0}
)


@dataclass(frozen=True)
class Margin:
    """Below which difference two cells are taken for equally good.

    Attributes:
        delta: that difference; of ratios its logarithm.
        ratio: whether cells are compared by the ratio of their means, as losses are.
        end: from which end of its range a quantity is measured then.
    """

    delta: float
    ratio: bool = False
    end: float = 0.0

    @property
    def words(self) -> str:
        """How a note says it.

        >>> Margin(0.02).words, Margin(math.log(1.1), ratio=True).words, Margin(math.log(1.1), True, 1.0).words
        ('±0.02', 'a factor of 1.1', 'a factor of 1.1 of its distance from 1')
        """
        if not self.ratio:
            return f"±{self.delta:g}"
        return f"a factor of {math.exp(self.delta):g}{f' of its distance from {self.end:g}' if self.end else ''}"


def margin_of(record: Measure) -> Margin | None:
    """Say which difference is none, by a measure's range: None where it has no end, and nothing can be said.

    >>> margin_of(Measure("test_accuracy", range=(0.0, 1.0))), margin_of(Measure("own"))
    (Margin(delta=0.02, ratio=False, end=0.0), None)
    """
    quantity = quantity_of(record)
    if quantity.log10:
        return Margin(math.log(FACTOR), ratio=True)
    if quantity.low is not None and quantity.high is not None:
        return Margin(NEAR * (quantity.high - quantity.low))
    end = quantity.low if quantity.low is not None else quantity.high
    return None if end is None else Margin(math.log(FACTOR), ratio=True, end=end)


def family_level(level: float, cells: int) -> float:
    """Give the level of each of the k(k − 1)/2 intervals of k cells that holds all of them together.

    >>> family_level(0.95, 2), round(family_level(0.95, 5), 6)
    (0.95, 0.995)

    Reference: Bonferroni 1936; Dunn 1961, J. Am. Stat. Assoc. 56.
    """
    return 1 - (1 - level) / max(cells * (cells - 1) // 2, 1)


def ratio_parts(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare means by their ratio: ln(mean a / mean b), and what each seed adds to it, a/mean a − b/mean b.

    The parts' spread is that of the logarithm of the ratio, by the delta method. Seeds are the last axis.

    >>> ratio_parts(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    (np.float64(0.693...), array([-0.5,  0.5]))
    """
    mean_a, mean_b = a.mean(axis=-1), b.mean(axis=-1)
    return np.log(mean_a / mean_b), a / mean_a[..., None] - b / mean_b[..., None]


@dataclass(frozen=True)
class Gap:
    """How far one cell is behind another: the difference in what is better, or the logarithm of the ratio.

    Attributes:
        interval: the gap with its interval, at the level of the family; none where all pairs differ alike.
        std: standard deviation of the pairs' differences (see ``spread_of``).
        dropped: seeds without a partner.
        pairs: how many there are; 0 where the two share no seed, and are compared as independent means.
    """

    interval: Interval
    std: float = math.nan
    dropped: int = 0
    pairs: int = 0

    def within(self, delta: float) -> bool:
        """Whether the whole interval lies within ±δ."""
        return self.interval.known and -delta <= self.interval.low and self.interval.high <= delta

    @property
    def apart(self) -> bool:
        """Whether it is behind for certain: the interval does not contain 0."""
        return self.interval.known and self.interval.low > 0


def gap(ahead: pd.Series, behind: pd.Series, record: Measure, level: float = LEVEL) -> Gap:
    """Bound how far one cell is behind another, by the pairs of one index (the seed) where there are any.

    Args:
        ahead, behind: values indexed by seed; of geometric means their log10.
        record: the measure's, with what is better and a range.
        level: of this interval.

    >>> seeds = pd.Series([0.90, 0.92, 0.91, 0.95, 0.93])
    >>> found = gap(seeds, seeds - [0.1, 0.11, 0.1, 0.12, 0.1], Measure("right", range=(0.0, 1.0), better="higher"))
    >>> round(found.interval.mean, 3), found.apart, found.within(0.02)
    (0.106, True, False)
    """
    quantity, margin = quantity_of(record), margin_of(record)
    a, b = (ahead, behind) if record.better == "higher" else (behind, ahead)
    if margin is not None and margin.ratio and quantity.low is None and not quantity.log10:
        a, b = margin.end - b, margin.end - a  # from the end above, more is worse
    elif margin is not None and margin.ratio and not quantity.log10:
        a, b = a - margin.end, b - margin.end
    if quantity.log10:
        a, b = a * math.log(10), b * math.log(10)
    arithmetic = margin is not None and margin.ratio and not quantity.log10
    x, y = paired(a, b)
    if arithmetic and len(x):
        if min(x.mean(), y.mean()) <= 0:
            return Gap(NOTHING, pairs=len(x))
        centre, parts = ratio_parts(x.to_numpy(), y.to_numpy())
        parts = np.zeros_like(parts) if np.ptp(parts) <= ROUNDING else parts
        dropped = len(a.index.union(b.index)) - len(x)
        interval = stats.mean_interval(pd.Series(parts + centre, x.index), level)
        return Gap(interval, spread_of(pd.Series(parts, x.index)), dropped, len(x))
    if arithmetic:
        logs = [logarithm(stats.mean_interval(one, level, Quantity(0.0))) for one in (a, b)]
        return Gap(square_and_add(*logs), spread_apart(a / a.mean(), b / b.mean()))
    found = stats.difference(a, b, level)
    spread = spread_of(x - y) if len(x) > 1 else spread_apart(a, b)
    return Gap(found.interval, spread, found.dropped, len(x))


def paired(a: pd.Series, b: pd.Series) -> tuple[pd.Series, pd.Series]:
    """List the values of both that have one index; none where an index occurs twice."""
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not (a.index.is_unique and b.index.is_unique):
        return a.iloc[:0], b.iloc[:0]
    both = a.index.intersection(b.index)
    return a.reindex(both).astype(float), b.reindex(both).astype(float)


def logarithm(one: Interval) -> Interval:
    """Take the natural logarithm of a mean and its bounds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, low, high = (float(np.log(x)) for x in (one.mean, one.low, one.high))
    return Interval(mean, low, high, one.n, one.method)


def spread_of(values: pd.Series) -> float:
    """The standard deviation of values; of those that cross splits and seeds, what n of each would average over.

    The variance of the mean of n splits × n seeds is at most (that of the splits' means + that of the seeds')/n: more
    seeds alone leave the splits' part as it is.

    >>> index = pd.MultiIndex.from_product([range(3), range(4)], names=["data_seed", "seed"])
    >>> spread_of(pd.Series([1.0] * 4 + [2.0] * 4 + [3.0] * 4, index)), spread_of(pd.Series([1.0, 2.0, 3.0]))
    (1.0, 1.0)
    """
    of = split_and_seed(values)
    if len(values) < 2:
        return 0.0
    if of is None or min(len(set(labels)) for labels in of) < 2:
        return float(values.std(ddof=1))
    return math.hypot(*(float(values.groupby(labels).mean().std(ddof=1)) for labels in of))


def spread_apart(a: pd.Series, b: pd.Series) -> float:
    """The standard deviation of a difference of two values without pairs."""
    return math.hypot(spread_of(a), spread_of(b))


def seeds_to_decide(spread: float, delta: float, cells: int, level: float = LEVEL) -> float:
    """Say how many seeds would decide, whichever way: the least n with t·s/√n ≤ δ/2.

    An interval that is no wider than δ lies within ±δ if it contains 0. t is Student's quantile with n − 1 degrees of
    freedom at the level of the family, s the standard deviation of the paired differences that was seen. Where splits
    and seeds both vary it is so many of each (see ``spread_of``).

    Args:
        spread: s.
        delta: δ, on the scale on which cells are compared.
        cells: how many are compared with one another.
        level: of the family.

    >>> [seeds_to_decide(s, 0.02, 10) for s in (0.0, 0.005, 0.01, 0.03)]
    [nan, 8.0, 17.0, 102.0]
    """
    if not spread > 0 or not math.isfinite(spread):
        return math.nan
    tail = (1 + family_level(level, cells)) / 2

    def decides(n: int) -> bool:
        return bool(special.stdtrit(n - 1, tail) * spread / math.sqrt(n) <= delta / 2)

    most = FEWEST
    while not decides(most):
        most *= 2
    few = max(most // 2, FEWEST)
    while few < most:
        middle = (few + most) // 2
        few, most = (few, middle) if decides(middle) else (middle + 1, most)
    return float(most)


def mark(means: Mapping[Any, float], samples: Mapping[Any, pd.Series], record: Measure) -> dict[Any, dict[str, Any]]:
    """Mark the cells of one column that are compared: the best (all of them, where means are equal), and the others.

    Args:
        means: the mean of each, as the table prints it.
        samples: their values, indexed by seed; of geometric means their log10.
        record: the measure's.

    Returns:
        {cell: ``COLUMNS``}: ``behind`` with its interval is how far it is behind the best, of ratios as a factor;
        nothing where fewer than two cells are compared, or the measure's record does not say which way is better.
    """
    margin = margin_of(record)
    if len(means) < 2 or margin is None or not record.better:
        return {}
    best = (max if record.better == "higher" else min)(means.values())
    bests = [name for name, mean in means.items() if abs(mean - best) <= ROUNDING * max(abs(mean), abs(best))]
    level = family_level(LEVEL, len(means))
    out: dict[Any, dict[str, Any]] = {}
    for name in means:
        if name in bests:
            out[name] = UNMARKED | {"best": True}
            continue
        gaps = [gap(samples[one], samples[name], record, level) for one in bests]
        # Of several that are equally good, each must bear the verdict; what is shown is the least certain.
        shown = max(gaps, key=lambda one: one.interval.high - one.interval.low if one.interval.known else math.inf)
        as_good = all(one.within(margin.delta) for one in gaps)
        undecided = not as_good and not all(one.apart for one in gaps)
        interval = (shown.interval.mean, shown.interval.low, shown.interval.high)
        out[name] = {
            "best": False,
            "as_good": as_good,
            "undecided": undecided,
            **dict(zip(BEHIND, (math.exp(x) if margin.ratio else x for x in interval), strict=True)),
            "seeds_to_decide": seeds_to_decide(shown.std, margin.delta, len(means)) if undecided else math.nan,
            "pairs": float(shown.pairs),
            "dropped_pairs": max(one.dropped for one in gaps),
        }
    return out


def compared(frame: pd.DataFrame) -> pd.Series:
    """Say which cells may be compared: at least ``FEWEST`` seeds, of which each run trained and has a value."""
    sound = independent(frame) >= FEWEST
    for name in ("diverged", "missing", "censored"):
        sound &= frame[name] == 0 if name in frame else True
    return sound & (frame["n_trained"] == frame["runs"]) if "n_trained" in frame else sound
