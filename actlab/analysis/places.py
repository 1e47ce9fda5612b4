"""Places: which of several stand before which, by how deep they train and then by a score, and what is left open.

One stands before another where it trains deeper; of two that train equally deep, where its score at that depth is
better for certain: the interval of their difference, by pairs of one seed, does not contain 0, at a level at which the
intervals of all pairs that are compared hold together (Bonferroni). Differences all alike, as ranks may be, have no
interval: they are judged by exchanges within pairs. A place is a range: from one more than how many stand before, to
how many are left when those behind are taken away. Those whose ranges meet may be tied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from actlab.analysis import ties
from actlab.analysis.censored import FEWEST_PAIRS, exchange_p_value
from actlab.later import pd
from actlab.measures import Measure


@dataclass(frozen=True)
class Place:
    """Where one stands among several.

    Attributes:
        order: its number in the list, by depth and mean score.
        low, high: the places that it may have.
    """

    order: int
    low: int
    high: int

    @property
    def text(self) -> str:
        """How it is written.

        >>> Place(2, 1, 3).text, Place(4, 4, 4).text
        ('1–3', '4')
        """
        return f"{self.low}–{self.high}" if self.low < self.high else f"{self.low}"


def places(depths: Mapping[str, float], scores: Mapping[str, pd.Series], record: Measure) -> dict[str, Place]:
    """Give each its place, in order.

    Args:
        depths: how deep each trains; 0 where it does not.
        scores: of each at that depth, indexed by seed.
        record: the score's measure, with what is better.

    >>> seeds = pd.Series([0.90, 0.92, 0.91, 0.95, 0.93])
    >>> scores = {"a": seeds, "b": seeds - [0.1, 0.11, 0.1, 0.12, 0.1], "c": seeds - [0.03, -0.02, 0.01, -0.02, 0.01]}
    >>> scores["d"] = seeds
    >>> found = places({"a": 30, "b": 30, "c": 30, "d": 10}, scores, Measure("x", range=(0.0, 1.0), better="higher"))
    >>> {name: place.text for name, place in found.items()}
    {'a': '1–2', 'c': '1–2', 'b': '3', 'd': '4'}

    Reference: Klein, Wright & Wieczorek 2020, A joint confidence region for an overall ranking of populations.
    """
    sign = -1 if record.better == "higher" else 1
    names = sorted(depths, key=lambda name: (-depths[name], sign * scores[name].mean()))
    level = 1 - (1 - ties.LEVEL) / max(sum(depths[a] == depths[b] for a, b in combinations(names, 2)), 1)

    def before(a: str, b: str) -> bool:
        """Whether one that is listed earlier stands before another for certain."""
        if depths[a] > depths[b]:
            return True
        found = ties.gap(scores[a], scores[b], record, level)
        return found.apart if found.interval.known else exchanged(scores[a], scores[b]) <= 1 - level

    ahead = {(a, b) for a, b in combinations(names, 2) if before(a, b)}
    return {
        name: Place(i, 1 + sum(b == name for _, b in ahead), len(names) - sum(a == name for a, _ in ahead))
        for i, name in enumerate(names, 1)
    }


def exchanged(a: pd.Series, b: pd.Series) -> float:
    """Take the p of equal scores by exchanges within pairs; 1 of too few."""
    x, y = ties.paired(a, b)
    return exchange_p_value(x, y) if len(x) >= FEWEST_PAIRS else 1.0
