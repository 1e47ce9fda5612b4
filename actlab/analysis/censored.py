"""Times that may never come: their median, and which of several cells is the soonest.

A run that never got there within its steps, or diverged, has the time ∞: it counts, as the last of all. A mean over the
others would be that of a selection.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from actlab.later import Later, pd

sps = Later("scipy.stats")

FEWEST_PAIRS = 6
"""Of fewer pairs no exchange of labels is rarer than .05 on two sides: 2^(1 − 5) is .0625."""
LEVEL = 0.05
RESAMPLES = 9_999


def median_time(times: ArrayLike) -> float:
    """Take Kaplan and Meier's median: the first time by which at least half of all had got there; ∞ if fewer ever did.

    All are followed to one and the same end, so their estimate is the share that had got there by then.

    Args:
        times: one per run, ∞ where it never got there.

    >>> median_time([250, 500, math.inf, 250]), median_time([250, math.inf, math.inf])
    (250.0, inf)

    Reference: Kaplan & Meier 1958, J. Am. Stat. Assoc. 53.
    """
    ordered = np.sort(np.asarray(times, float))
    return float(ordered[(len(ordered) - 1) // 2]) if len(ordered) else math.nan


def exchange_p_value(a: ArrayLike, b: ArrayLike, resamples: int = RESAMPLES) -> float:
    """Take the two-sided p of equal times: how often exchanges within pairs move their means so far apart.

    All 2ⁿ exchanges are counted where they are no more than ``resamples`` (up to 13 pairs of 9,999), else that many are
    drawn, always the same.

    Args:
        a, b: scores, one per pair each.
        resamples: how many exchanges to draw.

    >>> exchange_p_value([1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12])
    0.03125
    """

    def apart(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(np.mean(x - y, axis=axis))

    options = {"permutation_type": "samples", "vectorized": True, "n_resamples": resamples}
    pair = (np.asarray(a, float), np.asarray(b, float))
    return float(sps.permutation_test(pair, apart, rng=np.random.default_rng(0), **options).pvalue)


@dataclass(frozen=True)
class Soonest:
    """Which of several cells got there first.

    Attributes:
        best: the cell of the lowest mean rank; None where several share it, or none got there.
        later: the cells that are later than it, by the test.
        undecided: those of which that cannot be told.
        p_values: {cell: p beside the best, before the correction}, of those that were tested.
        pairs: the fewest pairs of any comparison with the best.
        comparisons: of how many the best is corrected for: all pairs of cells, since it is chosen from the same times.
        resamples: how many exchanges were drawn at most.
        shared: the cells that share the lowest mean rank, where several do.
    """

    best: Hashable = None
    later: Sequence[Hashable] = ()
    undecided: Sequence[Hashable] = ()
    p_values: dict[Hashable, float] = field(default_factory=dict)
    pairs: int = 0
    comparisons: int = 0
    resamples: int = RESAMPLES
    shared: Sequence[Hashable] = ()

    @property
    def needed(self) -> int:
        """How many pairs it takes at the least, for the clearest difference to pass the correction: m·2^(1 − n) ≤ .05.

        >>> Soonest(comparisons=1).needed, Soonest(comparisons=45).needed
        (6, 11)
        """
        return max(FEWEST_PAIRS, math.ceil(1 + math.log2(max(self.comparisons, 1) / LEVEL)))


def soonest(times: pd.DataFrame) -> Soonest:
    """Find the cell that got there first, and which of the others are later.

    All times are ranked together, ∞ last; the best has the lowest mean rank. Each of the others is compared with it
    over the pairs of one seed (``exchange_p_value`` of the ranks), by Bonferroni for all pairs of cells.

    Args:
        times: one row per seed, one column per cell; ∞ where it never got there, NaN where there is no such run.

    >>> slow = [500.0, 750.0, math.inf, 500.0, 750.0, 1000.0]
    >>> found = soonest(pd.DataFrame({"a": [250.0] * 6, "b": slow}))
    >>> found.best, found.later, found.needed
    ('a', ['b'], 6)
    >>> soonest(pd.DataFrame({"a": [250.0] * 6, "b": [250.0] * 6})).shared
    ['a', 'b']
    """
    cells = list(times)
    comparisons = len(cells) * (len(cells) - 1) // 2
    resamples = max(RESAMPLES, 200 * comparisons)
    empty = Soonest(comparisons=comparisons, resamples=resamples)
    values = times.to_numpy(float)
    if len(cells) < 2 or not np.isfinite(values).any():
        return empty
    ranks = pd.Series(values.ravel()).rank().to_numpy().reshape(values.shape)
    means = np.nanmean(ranks, axis=0)
    first = np.flatnonzero(means <= means.min() + 1e-9)
    if len(first) > 1:
        return Soonest(comparisons=comparisons, resamples=resamples, shared=[cells[i] for i in first])
    best = int(first[0])
    p_values: dict[Hashable, float] = {}
    pairs = []
    for i in range(len(cells)):
        if i == best:
            continue
        both = np.isfinite(ranks[:, i]) & np.isfinite(ranks[:, best])
        pairs.append(int(both.sum()))
        if pairs[-1] >= empty.needed:
            p_values[cells[i]] = exchange_p_value(ranks[both, i], ranks[both, best], resamples)
    later = [cell for cell, p in p_values.items() if p * comparisons <= LEVEL]
    undecided = [cell for i, cell in enumerate(cells) if i != best and cell not in later]
    return Soonest(cells[best], later, undecided, p_values, min(pairs), comparisons, resamples)
