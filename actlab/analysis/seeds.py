"""How many seeds would decide a claim that its interval leaves open, if the effect is as large as it was estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from actlab.analysis.crossed import CROSSED
from actlab.analysis.intervals import FEWEST, ROUNDING, Interval
from actlab.analysis.seeds_of_shares import MOST, is_share, seeds_for_share

Name = TypeVar("Name", bound=str)
POWER = (1.96 + 0.84) / 1.96
"""By how much an interval must be narrower than the distance to δ, for 4 of 5 such studies to decide."""
RACES = "races"
"""How the method of an interval ends that holds those of several races, each of rounds: it has no seeds."""
OF_RACES = "more rounds decide it only where each race's own interval is as wide, not where races differ"
ABOUT_DELTA = "no number of seeds would, since the effect is about as large as δ"
NO_VALUE = "no number of seeds like these would, since none has a value"
ALIKE = "no number of seeds like these would, since all are alike"
CROSSED_FEWEST = f"it takes {FEWEST} splits and {FEWEST} seeds"
NEVER = (OF_RACES, ABOUT_DELTA, NO_VALUE, ALIKE)
"""What is said of a number that more seeds leave open."""
ALONE = " this condition alone"
"""What is said of how many seeds decide under one condition, where none would under another."""


def seeds_to_decide(effect: float, interval: Interval, two_sided: bool = False) -> float:
    """Estimate how many seeds decide "at least δ", "at most δ" or "within ±δ" in 4 of 5 studies.

    The half-width of a mean's interval shrinks as 1/√n. It is to be so small beside the distance from the estimate to δ
    that the interval misses δ with a probability of 80 %: n' = n · (1.43 · half-width / distance)², 1.43 = (1.96 +
    .84)/1.96. Those of shares do not shrink so near 0 and 1: see ``seeds_for_share``.

    Args:
        effect: δ.
        interval: what was found, over n seeds.
        two_sided: whether the claim is "within ±δ".

    Returns:
        n', at least n + 1; NaN where there is no interval, or it is over several splits.

    >>> seeds_to_decide(0.1, Interval(0.2, 0.05, 0.35, 10, "Student t"))
    46
    >>> seeds_to_decide(0.2, Interval(0.0, -0.2378, 0.2378, 20, "Newcombe"))
    25
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
    if is_share(interval):
        return seeds_for_share(effect, interval, two_sided)
    return max(math.ceil(interval.n * (POWER * reach / distance) ** 2), interval.n + 1)


def what_would_decide(effect: float, interval: Interval, two_sided: bool = False) -> str:
    """Say how many seeds would decide what an interval leaves open, or why none would; empty where that is not known.

    >>> what_would_decide(0.1, Interval(0.2, 0.05, 0.35, 10, "Student t"))
    'about 46 seeds would decide'
    >>> what_would_decide(0.1, Interval(0.101, 0.0, 0.2, 10, "Student t"))
    'no number of seeds would, since the effect is about as large as δ'
    >>> what_would_decide(0.1, Interval(0.1, float("nan"), float("nan"), 3, "none"))
    'it takes 5 seeds'
    >>> what_would_decide(0.1, Interval(0.2, 0.05, 0.35, 10, "Student t, all of 3 races"))
    "more rounds decide it only where each race's own interval is as wide, not where races differ"
    >>> what_would_decide(0.1, Interval(float("nan"), float("nan"), float("nan"), 0, "none"))
    'no number of seeds like these would, since none has a value'
    """
    if interval.method.endswith(RACES):
        return OF_RACES
    if not interval.n:
        return NO_VALUE
    if not interval.known and interval.n < FEWEST:
        return f"it takes {FEWEST} seeds"
    if not interval.known and math.isfinite(interval.least):
        spread = interval.greatest - interval.least
        rounding = ROUNDING * max(abs(interval.least), abs(interval.greatest))
        return ALIKE if spread <= rounding else CROSSED_FEWEST
    seeds = seeds_to_decide(effect, interval, two_sided)
    if math.isnan(seeds):
        return ""
    return ABOUT_DELTA if seeds > MOST else f"about {seeds:,} seeds would decide"


def what_would_decide_each(effect: float, of_open: Mapping[Name, Interval], two_sided: bool = False) -> dict[Name, str]:
    """Say what would decide under each condition that is open; where none would under some, of that one alone.

    >>> nothing, a = Interval(float("nan"), float("nan"), float("nan"), 0, "none"), Interval(1, -1, 3, 10, "log t")
    >>> what_would_decide_each(0.0, {"a": a, "b": nothing})["a"]
    'about 82 seeds would decide this condition alone'
    """
    said = {name: what_would_decide(effect, interval, two_sided) for name, interval in of_open.items()}
    never = any(text in NEVER for text in said.values())
    return {name: text + ALONE * (never and text.startswith("about")) for name, text in said.items()}
