"""How far axes reach: one scale for all that is compared, but for a few that would press all others flat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from actlab.analysis.axes import drawn
from actlab.analysis.drawings import SCALE
from actlab.measures import about

PRESSED = 2.5
"""How many times as high a scale would have to be for the sake of a few that lie far out, which it then leaves out."""
FEW = 4
"""Of so many one may be left out."""


def scales(frame: pd.DataFrame, by: str) -> tuple[set[Any], tuple[float, float]]:
    """Choose which values of a column lie too far out for one scale, and how far that of all others reaches.

    Shares have one scale, from 0 to 1. Pictures that differ by width only have one scale (``SCALE``).

    >>> frame = pd.DataFrame({"a": list("pqrs"), "mean": [0.0, 0.1, -0.1, -0.9], "measure": "vanishing_slope"})
    >>> scales(frame, "a")
    ({'s'}, (-0.1, 0.1))
    """
    reach = {value: ends_of(rows) for value, rows in frame.groupby(by, sort=False, dropna=False)}
    known = {value: ends for value, ends in reach.items() if np.isfinite(ends).all()}
    share = about(str(frame["measure"].iloc[0])).range == (0.0, 1.0)
    far = set() if share else those_far_out(known)
    return far, span_of([ends for value, ends in known.items() if value not in far])


def padded(ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Take how far several reach together, and a little more.

    >>> padded([(0.0, 0.5), (0.5, 1.0)])
    (-0.05, 1.05)
    """
    low, high = span_of(ends)
    pad = 0.05 * (high - low)
    return low - pad, high + pad


def ends_of(rows: pd.DataFrame) -> tuple[float, float]:
    """Take how far down and up some estimates are drawn; NaN where there are none."""
    if SCALE[0] in rows and rows[SCALE[0]].notna().any():
        return float(rows[SCALE[0]].min()), float(rows[SCALE[1]].max())
    heights = drawn(rows, True)
    heights = heights[np.isfinite(heights)]
    return float(heights.min()), float(heights.max())


def far_out(heights: Mapping[Any, pd.Series], pressed: float = PRESSED) -> set[Any]:
    """Choose which of several panels lie too far out for one scale: ``those_far_out`` of their heights, log10 of norms.

    >>> logs = {name: pd.Series([-1.0, 0.0]) for name in ("relu", "tanh", "elu")}
    >>> far_out(logs | {"sigmoid": pd.Series([-30.0, 0.0])})
    {'sigmoid'}
    """
    known = {value: of[np.isfinite(of)] for value, of in heights.items()}
    ends = {value: (float(of.min()), float(of.max())) for value, of in known.items() if len(of)}
    return those_far_out(ends, pressed)


def span_of(ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Take how far several reach together.

    >>> span_of([(0.1, 0.2), (-0.3, 0.1)]), span_of([])
    ((-0.3, 0.2), (0.0, 0.0))
    """
    return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=0.0)


def those_far_out(ends: Mapping[Any, tuple[float, float]], pressed: float = PRESSED) -> set[Any]:
    """Choose the few that lie so far out that a scale that holds them would press all others flat.

    ``pressed`` is how many times as high as that of the others such a scale is.

    >>> those_far_out({"relu": (-0.01, 0.01), "tanh": (-0.1, 0.0), "elu": (0.0, 0.1), "sigmoid": (-0.7, 0.1)})
    {'sigmoid'}
    >>> those_far_out({"relu": (-0.3, 0.0), "tanh": (-0.1, 0.0), "elu": (0.0, 0.1), "sigmoid": (-0.7, 0.1)})
    set()
    """
    left = sorted(ends, key=lambda value: max(map(abs, ends[value])))
    far: set[Any] = set()
    most = len(left) // FEW
    number = 1
    while len(far) + number <= most:
        (low, high), (low_of_others, high_of_others) = (
            span_of([(0.0, 0.0), *(ends[value] for value in some)]) for some in (left, left[:-number])
        )
        if high - low >= pressed * (high_of_others - low_of_others) > 0:
            far |= set(left[-number:])
            left, number = left[:-number], 1
        else:
            number += 1
    return far
