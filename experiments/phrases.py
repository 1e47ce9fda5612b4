"""How the findings write numbers: a mean with its interval, a share with its count, a range of settings."""

from collections.abc import Sequence

import pandas as pd

from actlab.analysis.intervals import FLAG, Interval, Quantity, quantity_of
from actlab.analysis.layout import number, with_bounds
from actlab.analysis.notes import listed
from actlab.analysis.stats import mean_interval
from actlab.measures import about
from actlab.naming import show


def say(one: Interval) -> str:
    """Write a mean with its interval; where it has none the value that all have, or median and range.

    >>> say(mean_interval([0.0] * 5)), say(mean_interval([1.0, 2.0, 4.0])), say(mean_interval([]))
    ('0 (all 5 alike)', '2.00 (1.00 to 4.00, n = 3)', '–')
    """
    if one.known:
        return with_bounds(one.mean, one.low, one.high)
    if one.n == 0:
        return "–"
    if one.n == 1 or one.least == one.greatest:
        return f"{number(one.mean)} ({f'all {one.n} alike' if one.n > 1 else 'one run'})"
    return f"{number(one.median)} ({number(one.least)} to {number(one.greatest)}, n = {one.n})"


def mean_of(values: pd.Series, measure: str, difference: bool = False) -> str:
    """Write the mean of one number a seed, with the interval of the measure's kind."""
    quantity: Quantity = quantity_of(about(measure))
    return say(mean_interval(values, quantity=quantity.difference if difference else quantity))


def share_of(flags: pd.Series) -> str:
    """Write how many of some runs: ``all of 20 [0.84, 1.00]``, with Wilson's interval of their share.

    >>> share_of(pd.Series([True] * 5)), share_of(pd.Series([False, False, True]))
    ('all of 5 [0.57, 1.00]', '1 of 3 [0.06, 0.79]')
    """
    one = mean_interval(flags.astype(float), quantity=FLAG)
    count = int(flags.sum())
    words = "all" if count == len(flags) else "none" if count == 0 else str(count)
    return f"{words} of {len(flags)} [{one.low:.2f}, {one.high:.2f}]"


def code(names: Sequence[str]) -> str:
    """List activations."""
    return listed([f"`{name}`" for name in names])


def span_of(values: pd.Series) -> str:
    """Write the least and the greatest of some settings: ``1e-05 to 0.1``."""
    numbers = sorted(values.unique())
    return " to ".join(dict.fromkeys(show(x) for x in (numbers[0], numbers[-1])))
