"""What is said of more than one seed: means of samples, differences and ties (``intervals`` has the methods).

Non-finite values never enter a mean: they are dropped, and ``n`` counts what is left. Whoever calls must say what was
dropped and why (diverged, undefined). Values are sorted before they are summed, so that no result depends on the order
in which runs finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from actlab.analysis.intervals import (
    BESIDE,
    COUNTS,
    NOTHING,
    ROUNDING,
    UNBOUNDED,
    Interval,
    Quantity,
    intervals_of,
    square_and_add,
)
from actlab.analysis.variation import SEED, SPLIT, split_and_seed
from actlab.later import pd


def mean_interval(values: ArrayLike, level: float = 0.95, quantity: Quantity = UNBOUNDED) -> Interval:
    """Take mean and confidence interval, by the rule for the kind of quantity.

    Args:
        values: one number per seed, in any order; non-finite ones are dropped. A series that is indexed by
            (``data_seed``, ``seed``) is taken over both (see ``crossed``).
        level: coverage.
        quantity: what kind it is.

    >>> mean_interval([0.90, 0.92, 0.91, 0.95, 0.93], quantity=Quantity(0.0, 1.0))
    Interval(mean=0.92..., low=0.894..., high=0.942..., n=5, method='logit t', ...)
    >>> mean_interval([1.0, 2.0, 3.0]).method, mean_interval([0.7] * 5).method
    ('none', 'none')
    """
    x = np.asarray(values, np.float64).ravel()
    row = intervals_of(x, np.zeros(len(x), int), 1, quantity, level, *(split_and_seed(values) or ()))
    return one_of(row, 0)


def one_of(columns: Mapping[str, np.ndarray], i: int) -> Interval:
    """Take one interval of what ``intervals_of`` returns."""
    fields = {name: column[i] for name, column in columns.items() if name not in COUNTS}
    return Interval(**{name: value if name == "method" else value.item() for name, value in fields.items()})


def grouped_intervals(
    frame: pd.DataFrame, by: Sequence[str], level: float = 0.95, quantity: Quantity = UNBOUNDED
) -> pd.DataFrame:
    """Take ``mean_interval`` of the column ``value`` in every group, all at once.

    Args:
        frame: the columns ``by`` and ``value``; where it has both ``data_seed`` and ``seed`` besides, intervals are
            over splits and seeds, and the answer counts them.
        by: what makes a group; NaN is a value like any other.
        level: coverage.
        quantity: what kind it is.

    Returns:
        one row per group: ``by`` and the fields of ``Interval``; sorted by ``by``.
    """
    by = list(by)
    groups = frame.groupby(by, dropna=False)
    out = groups.size().reset_index()[by]
    repeats = [frame[name].to_numpy() for name in (SPLIT, SEED) if name in frame and name not in by]
    over_both = repeats if len(repeats) == 2 else []
    groups_of = groups.ngroup().to_numpy()
    columns = intervals_of(frame["value"].to_numpy(float), groups_of, len(out), quantity, level, *over_both)
    keys = {name: out[name] for name in by}
    names = ("mean", "low", "high", "n", *(COUNTS if over_both else ()), "method", *BESIDE)
    return pd.DataFrame(keys | {name: columns[name] for name in names})


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
    """Bound mean(a) − mean(b): by the pairs of one index (the seed, or split and seed) where there are any.

    A pair of which one value is missing is dropped, the others stay pairs.

    Args:
        a, b: values indexed by seed, or by (``data_seed``, ``seed``) and then taken over both; an index that occurs
            twice (several cells pooled) cannot be paired.
        level: coverage.
        quantity: what kind both are.

    >>> two = difference(pd.Series([0.9, 0.8, 0.7, 0.6, np.nan]), pd.Series([0.5, 0.5, 0.2, 0.3, 0.1]))
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
    return Difference(mean_interval(pd.Series(d, both), level, quantity.difference), dropped)


def paired_differences(
    values: pd.DataFrame, pairs: Sequence[tuple[Any, Any]], level: float = 0.95, quantity: Quantity = UNBOUNDED
) -> list[Interval]:
    """Bound the differences of several pairs of columns at once, each as ``difference`` does.

    Args:
        values: one row per seed, or per split and seed; one column per sample.
        pairs: of columns.
        level: coverage of each.
        quantity: what kind all of them are.

    >>> both = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.6, 0.8], "b": [0.5, 0.5, 0.2, 0.3, 0.1]})
    >>> paired_differences(both, [("a", "b")])
    [Interval(mean=0.439..., low=0.232..., high=0.747..., n=5, method='skew-extended t', ...)]
    """
    if not values.index.is_unique:
        return [difference(values[a], values[b], level, quantity).interval for a, b in pairs]
    wide = values.to_numpy(float)
    at = {name: i for i, name in enumerate(values)}
    x, y = (wide[:, [at[pair[side]] for pair in pairs]].T for side in (0, 1))
    x, y = (np.where(np.isfinite(x) & np.isfinite(y), side, np.nan) for side in (x, y))
    d = x - y
    for i in range(len(pairs)):
        there = np.isfinite(d[i])
        a, b, difference_of = x[i, there], y[i, there], d[i, there]
        if there.any() and np.ptp(difference_of) <= ROUNDING * max(np.abs(a).max(), np.abs(b).max()):
            d[i, there] = difference_of.min() if (a != b).all() else 0.0  # equal but for the subtraction's rounding
    groups = np.repeat(np.arange(len(pairs)), len(values))
    repeats = [np.tile(one, len(pairs)) for one in split_and_seed(values.iloc[:, 0]) or ()]
    row = intervals_of(d.ravel(), groups, len(pairs), quantity.difference, level, *repeats)
    return [one_of(row, i) for i in range(len(pairs))]
