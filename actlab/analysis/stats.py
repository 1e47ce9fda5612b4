"""What is said of more than one seed: means of samples, differences and ranks (``intervals`` has the methods).

Non-finite values never enter a mean: they are dropped, and ``n`` counts what is left. Whoever calls must say what was
dropped and why (diverged, undefined). Values are sorted before they are summed, so that no result depends on the order
in which runs finished.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actlab.analysis.intervals import (
    BESIDE,
    NOTHING,
    ROUNDING,
    UNBOUNDED,
    Interval,
    Quantity,
    intervals_of,
    square_and_add,
)
from actlab.later import Later, pd

sps = Later("scipy.stats")


def mean_interval(values: ArrayLike, level: float = 0.95, quantity: Quantity = UNBOUNDED) -> Interval:
    """Take mean and confidence interval, by the rule for the kind of quantity.

    Args:
        values: one number per seed, in any order; non-finite ones are dropped.
        level: coverage.
        quantity: what kind it is.

    >>> mean_interval([0.90, 0.92, 0.91, 0.95, 0.93], quantity=Quantity(0.0, 1.0))
    Interval(mean=0.92..., low=0.894..., high=0.942..., n=5, method='logit t', ...)
    >>> mean_interval([1.0, 2.0, 3.0]).method, mean_interval([0.7] * 5).method
    ('none', 'none')
    """
    x = np.asarray(values, np.float64).ravel()
    row = intervals_of(x, np.zeros(len(x), int), 1, quantity, level)
    return Interval(**{name: column[0].item() if name != "method" else column[0] for name, column in row.items()})


def grouped_intervals(
    frame: pd.DataFrame, by: Sequence[str], level: float = 0.95, quantity: Quantity = UNBOUNDED
) -> pd.DataFrame:
    """Take ``mean_interval`` of the column ``value`` in every group, all at once.

    Args:
        frame: the columns ``by`` and ``value``.
        by: what makes a group; NaN is a value like any other.
        level: coverage.
        quantity: what kind it is.

    Returns:
        one row per group: ``by`` and the fields of ``Interval``; sorted by ``by``.
    """
    by = list(by)
    groups = frame.groupby(by, dropna=False)
    out = groups.size().reset_index()[by]
    columns = intervals_of(frame["value"].to_numpy(float), groups.ngroup().to_numpy(), len(out), quantity, level)
    keys = {name: out[name] for name in by}
    return pd.DataFrame(keys | {name: columns[name] for name in ("mean", "low", "high", "n", "method", *BESIDE)})


@dataclass(frozen=True)
class Difference:
    """The mean of one sample minus that of another.

    Attributes:
        interval: the difference and its interval; ``n`` counts pairs where there are any.
        dropped: seeds without a partner: only one of the samples has a value of them.
    """

    interval: Interval
    dropped: int = 0


def difference(a: pd.Series, b: pd.Series, level: float = 0.95, quantity: Quantity = UNBOUNDED) -> Difference:
    """Bound mean(a) − mean(b): by the pairs of one index (the seed) where there are any.

    A pair of which one value is missing is dropped, the others stay pairs.

    Args:
        a, b: values indexed by seed; an index that occurs twice (several cells pooled) cannot be paired.
        level: coverage.
        quantity: what kind both are.

    >>> two = difference(pd.Series([0.9, 0.8, 0.7, 0.6, math.nan]), pd.Series([0.5, 0.5, 0.2, 0.3, 0.1]))
    >>> two.interval.n, two.dropped
    (4, 1)
    """
    paired = a.index.is_unique and b.index.is_unique and bool(set(a.index) & set(b.index))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not paired:
        return Difference(square_and_add(mean_interval(a, level, quantity), mean_interval(b, level, quantity)))
    both = a.index.intersection(b.index)
    dropped = len(a.index.union(b.index)) - len(both)
    if both.empty:
        return Difference(NOTHING, dropped)
    x, y = a.reindex(both).to_numpy(float), b.reindex(both).to_numpy(float)
    d = x - y
    if np.ptp(d) <= ROUNDING * max(np.abs(x).max(), np.abs(y).max()):  # equal but for the rounding of the subtraction
        d = np.full_like(d, np.sort(d)[0] if (x != y).all() else 0.0)
    return Difference(mean_interval(d, level, quantity.difference), dropped)


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over blocks (1 is best), with the Friedman test of "all are alike"; NaN where it is undefined."""

    ranks: pd.DataFrame
    mean: dict[str, Interval]
    statistic: float
    p_value: float

    @property
    def quantity(self) -> Quantity:
        """A rank lies between 1 and the number of candidates."""
        return Quantity(1.0, float(max(self.ranks.shape[1], 2)))


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
    statistic = p_value = math.nan
    if len(ranks) >= 2 and ranks.shape[1] >= 3 and not (ranks.nunique(axis=1) == 1).all():
        test = sps.friedmanchisquare(*(ranks[name] for name in ranks))
        statistic, p_value = float(test.statistic), float(test.pvalue)
    ranked = Ranks(ranks, {}, statistic, p_value)
    ranked.mean.update({str(name): mean_interval(ranks[name], level, ranked.quantity) for name in ranks})
    return ranked
