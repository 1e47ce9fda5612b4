"""How many seeds decide a claim on shares of runs: the outcomes of a study are counted, each with its own interval.

Wilson's and Newcombe's intervals do not shrink as 1/√n near 0 and 1, as those of means do: of 0 of n runs the upper
bound is z²/(n + z²).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from actlab.analysis.intervals import NEWCOMBE, WILSON, Interval, share_difference_bounds, wilson_bounds
from actlab.later import Later

special = Later("scipy.special")

OFTEN = 0.8
"""In this share of studies with so many seeds the interval is to decide."""
MOST = 1000
"""Beyond so many seeds the effect is called about as large as δ."""
FAR = 5.0
"""Beyond so many standard deviations, outcomes are too rare to count: fewer than 1 in 100,000."""
Shares = tuple[float, float]


def is_share(interval: Interval) -> bool:
    """Whether an interval is of a share of runs, or of a difference of two.

    >>> is_share(Interval(0.0, -0.2, 0.2, 20, "Newcombe, all 3 pairs")), is_share(Interval(0, -1, 1, 9, "log t"))
    (True, False)
    """
    return interval.method.startswith((WILSON, NEWCOMBE))


def seeds_for_share(effect: float, interval: Interval, two_sided: bool = False) -> float:
    """Count how many seeds decide in 4 of 5 studies, if the shares are those that were found.

    n' is the least n > ``interval.n`` from which on Σ P(outcome)·[its interval decides] ≥ 0.8: an outcome is how many
    of n runs are counted (binomial), or of n pairs are for and against (trinomial). Intervals have the level that the
    given one has.

    Args:
        effect: δ.
        interval: Wilson's or Newcombe's. Of the latter the share of pairs that differ is used; without it the least
            that there can be, |mean|.
        two_sided: whether the claim is "within ±δ".

    Returns:
        n'; infinite where it is beyond ``MOST``.

    >>> seeds_for_share(0.2, Interval(0.0, 0.0, 0.2378, 20, "Wilson"))
    25
    """
    paired = interval.method.startswith(NEWCOMBE)
    differ = max(interval.differ if math.isfinite(interval.differ) else 0.0, abs(interval.mean))
    shares = ((differ + interval.mean) / 2, (differ - interval.mean) / 2) if paired else (interval.mean, 0.0)
    below, above = interval.mean - interval.low, interval.high - interval.mean
    reach = -below if below > above else above  # the longer side: the shorter one may be cut off at an end
    rounded = [round(one, 12) for one in (*shares, reach)]
    return least(rounded[0], rounded[1], interval.n, rounded[2], paired, effect, two_sided)


@cache
def least(plus: float, minus: float, n: int, reach: float, paired: bool, effect: float, two_sided: bool) -> float:
    """See ``seeds_for_share``; ``reach`` is to the bound on the longer side, negative where that is the lower one."""
    level = level_of((plus, minus), n, reach, paired)

    def decides(seeds: int) -> bool:
        return power((plus, minus), seeds, level, paired, effect, two_sided) >= OFTEN

    if n >= MOST:
        return math.inf
    few, most = n, n + 1
    while not decides(most):
        if most == MOST:
            return math.inf
        few, most = most, min(2 * most, MOST)
    while most - few > 1:
        middle = (few + most) // 2
        few, most = (few, middle) if decides(middle) else (middle, most)
    # Counts are whole numbers, so that the power rises in a sawtooth: no later n may fall below again.
    seeds = most
    while seeds <= min(most + most // 8 + 8, MOST):
        most = most if decides(seeds) else seeds + 1
        seeds += 1
    return most if most <= MOST else math.inf


def bounds(plus: np.ndarray, minus: np.ndarray, n: int, level: float, paired: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bound shares of n runs, or of pairs for less pairs against."""
    of = np.full(np.shape(plus), n)
    return share_difference_bounds(plus, minus, of, level) if paired else wilson_bounds(plus, of, level)


def level_of(shares: Shares, n: int, reach: float, paired: bool) -> float:
    """Find the level of an interval from how far it reaches, by bisection of z.

    >>> round(level_of((0.0, 0.0), 20, 0.23776, False), 4)
    0.9875
    """
    plus, minus = (np.array([one]) for one in shares)
    few, most = 0.0, 8.0
    for _ in range(50):
        z = (few + most) / 2
        low, high = bounds(plus, minus, n, 2 * float(special.ndtr(z)) - 1, paired)
        mean = shares[0] - shares[1]
        far = float(high[0]) - mean if reach > 0 else mean - float(low[0])
        few, most = (few, z) if far >= abs(reach) else (z, most)
    return 2 * float(special.ndtr(most)) - 1


def power(shares: Shares, n: int, level: float, paired: bool, effect: float, two_sided: bool) -> float:
    """Sum the probabilities of the outcomes of n seeds whose interval decides."""
    a, b = np.meshgrid(*(counts(share, n) for share in shares), indexing="ij")
    rest = n - a - b
    a, b, rest = (one[rest >= 0] for one in (a, b, rest))
    neither = max(1 - sum(shares), 0.0)
    ways = special.gammaln(n + 1) - sum(special.gammaln(one + 1) for one in (a, b, rest))
    likely = sum(special.xlogy(count, share) for count, share in ((a, shares[0]), (b, shares[1]), (rest, neither)))
    low, high = bounds(a / n, b / n, n, level, paired)
    inside = (-effect <= low) & (high <= effect)
    decided = (inside | (low > effect) | (high < -effect)) if two_sided else (low >= effect) | (high < effect)
    return float(np.exp(ways + likely)[decided].sum())


def counts(share: float, n: int) -> np.ndarray:
    """The numbers of n runs that are not too rare.

    >>> counts(0.0, 20), counts(0.5, 4)
    (array([0]), array([0, 1, 2, 3, 4]))
    """
    far = FAR * math.sqrt(n * share * (1 - share)) + FAR * (0 < share < 1)
    return np.arange(max(math.floor(n * share - far), 0), min(math.ceil(n * share + far), n) + 1)
