"""How many seeds would decide a claim that its interval leaves open, if the effect is as large as it was estimated."""

from __future__ import annotations

import math

from actlab.analysis.crossed import CROSSED
from actlab.analysis.intervals import FEWEST, Interval

POWER = (1.96 + 0.84) / 1.96
"""By how much an interval must be narrower than the distance to δ, for 4 of 5 such studies to decide."""
MOST = 1000
"""Beyond so many seeds the effect is called about as large as δ."""
RACES = "races"
"""How the method of an interval ends that holds those of several races, each of rounds: it has no seeds."""
OF_RACES = "more rounds decide it only where each race's own interval is as wide, not where races differ"
ABOUT_DELTA = "no number of seeds would, since the effect is about as large as δ"


def seeds_to_decide(effect: float, interval: Interval, two_sided: bool = False) -> float:
    """Estimate how many seeds decide "at least δ", "at most δ" or "within ±δ" in 4 of 5 studies.

    An interval's half-width shrinks as 1/√n. It is to be so small beside the distance from the estimate to δ that the
    interval misses δ with a probability of 80 %: n' = n · (1.43 · half-width / distance)², 1.43 = (1.96 + .84)/1.96.

    Args:
        effect: δ.
        interval: what was found, over n seeds.
        two_sided: whether the claim is "within ±δ".

    Returns:
        n', at least n + 1; NaN where there is no interval, or it is over several splits.

    >>> seeds_to_decide(0.1, Interval(0.2, 0.05, 0.35, 10, "Student t"))
    46
    """
    if not interval.known or interval.method.startswith(CROSSED):
        return math.nan
    edges = (-effect, effect) if two_sided else (effect,)
    mean = interval.mean
    edge = min(edges, key=lambda one: abs(mean - one))
    reach = mean - interval.low if edge < mean else interval.high - mean
    distance = abs(mean - edge)
    if distance == 0:
        return math.inf
    return max(math.ceil(interval.n * (POWER * reach / distance) ** 2), interval.n + 1)


def what_would_decide(effect: float, interval: Interval, two_sided: bool = False) -> str:
    """Say how many seeds would decide what an interval leaves open; empty where that is not known.

    >>> what_would_decide(0.1, Interval(0.2, 0.05, 0.35, 10, "Student t"))
    'about 46 seeds would decide'
    >>> what_would_decide(0.1, Interval(0.101, 0.0, 0.2, 10, "Student t"))
    'no number of seeds would, since the effect is about as large as δ'
    >>> what_would_decide(0.1, Interval(0.1, float("nan"), float("nan"), 3, "none"))
    'it takes 5 seeds'
    >>> what_would_decide(0.1, Interval(0.2, 0.05, 0.35, 10, "Student t, all of 3 races"))
    "more rounds decide it only where each race's own interval is as wide, not where races differ"
    """
    if interval.method.endswith(RACES):
        return OF_RACES
    if 0 < interval.n < FEWEST and not interval.known:
        return f"it takes {FEWEST} seeds"
    seeds = seeds_to_decide(effect, interval, two_sided)
    if math.isnan(seeds):
        return ""
    return ABOUT_DELTA if seeds > MOST else f"about {seeds:,} seeds would decide"
