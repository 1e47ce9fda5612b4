"""How far axes reach: one scale for all that is compared, but for a few that would press all others flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from actlab.analysis.drawings import SCALE, Drawing, as_drawn
from actlab.analysis.layout import number
from actlab.later import pd
from actlab.measures import about

PRESSED = 2.5
"""How many times as high a scale would have to be for the sake of a few that lie far out, which it then leaves out."""
FEW = 4
"""Of so many one may be left out."""
AXIS = ("axis_low", "axis_high")
"""How far the axis of several pictures reaches that share one."""


def scales(frame: pd.DataFrame, by: str) -> tuple[set[Any], tuple[float, float]]:
    """Choose which values of a column lie too far out for one scale, and how far that of all others reaches.

    Shares have one scale, from 0 to 1. Pictures that differ by width only have one scale (``SCALE``).

    >>> frame = pd.DataFrame({"a": list("pqrs"), "mean": [0.0, 0.1, -0.1, -0.9], "measure": "vanishing_slope"})
    >>> scales(frame, "a")
    ({'s'}, (-0.1, 0.1))
    """
    if AXIS[0] in frame:
        low, high = (float(frame[name].iloc[0]) for name in AXIS)
        each = {value: ends_of(rows) for value, rows in frame.groupby(by, sort=False, dropna=False)}
        return {value for value, (least, most) in each.items() if least < low or most > high}, (low, high)
    reach = {value: ends_of(rows) for value, rows in frame.groupby(by, sort=False, dropna=False)}
    known = {value: ends for value, ends in reach.items() if np.isfinite(ends).all()}
    share = about(str(frame["measure"].iloc[0])).range == (0.0, 1.0)
    far = set() if share else those_far_out(known)
    return far, span_of([ends for value, ends in known.items() if value not in far])


def on_one_axis(made: Drawing, by: str) -> Drawing:
    """Give the pictures of a figure one axis (``AXIS``), about 0; those that it would press flat have one together.

    Titles say how many times finer or coarser an axis is than that of most.

    Args:
        made: the figure.
        by: the column of which a few values may lie beyond an axis.
    """
    if len(made.pages) < 2:
        return made
    wide = {page: span_of([(0.0, 0.0), scales(as_drawn(rows), by)[1]]) for page, rows in made.pages.items()}
    left = sorted(wide, key=lambda page: wide[page][0] - wide[page][1])
    axes: dict[str, tuple[float, float]] = {}
    while left:
        widest, first = np.ptp(wide[left[0]]), wide[left[0]]
        alike = [page for page in left if PRESSED * np.ptp(wide[page]) >= widest]
        axes |= dict.fromkeys(alike, span_of([first, *(wide[page] for page in alike)]))
        left = [page for page in left if page not in axes]
    usual = Counter(float(np.ptp(ends)) for ends in axes.values()).most_common(1)[0][0]
    times = {page: float(np.ptp(ends)) / usual for page, ends in axes.items() if usual and np.ptp(ends)}
    said = {
        page: f"{made.heads[page]}, axis {number(max(one, 1 / one), 2)} times {'finer' if one < 1 else 'coarser'}"
        for page, one in times.items()
        if one != 1
    }
    pages = {page: rows.assign(**dict(zip(AXIS, axes[page], strict=True))) for page, rows in made.pages.items()}
    return replace(made, pages=pages, heads={**made.heads, **said})


def drawn(rows: pd.DataFrame, spreads: bool = False) -> pd.Series:
    """List the heights that a picture of some estimates reaches: of intervals and predictions both ends.

    Args:
        rows: the estimates.
        spreads: whether predictions are drawn with the spread about them.
    """
    names = ["mean", "low", "high", "predicted", *(["predicted_low", "predicted_high"] if spreads else [])]
    return pd.concat([rows[name].astype(float) for name in names if name in rows], ignore_index=True)


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


def far_out(heights: Mapping[Any, pd.Series], pressed: float = PRESSED, few: int = FEW) -> set[Any]:
    """Choose which of several panels lie too far out for one scale: ``those_far_out`` of their heights, log10 of norms.

    >>> logs = {name: pd.Series([-1.0, 0.0]) for name in ("relu", "tanh", "elu")}
    >>> far_out(logs | {"sigmoid": pd.Series([-30.0, 0.0])})
    {'sigmoid'}
    """
    known = {value: of[np.isfinite(of)] for value, of in heights.items()}
    ends = {value: (float(of.min()), float(of.max())) for value, of in known.items() if len(of)}
    return those_far_out(ends, pressed, few)


def span_of(ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Take how far several reach together.

    >>> span_of([(0.1, 0.2), (-0.3, 0.1)]), span_of([])
    ((-0.3, 0.2), (0.0, 0.0))
    """
    return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=0.0)


def those_far_out(ends: Mapping[Any, tuple[float, float]], pressed: float = PRESSED, few: int = FEW) -> set[Any]:
    """Choose the few that lie so far out that a scale that holds them would press all others flat.

    ``pressed`` is how many times as high as that of the others such a scale is; of ``few`` one may be left out.

    >>> those_far_out({"relu": (-0.01, 0.01), "tanh": (-0.1, 0.0), "elu": (0.0, 0.1), "sigmoid": (-0.7, 0.1)})
    {'sigmoid'}
    >>> those_far_out({"relu": (-0.3, 0.0), "tanh": (-0.1, 0.0), "elu": (0.0, 0.1), "sigmoid": (-0.7, 0.1)})
    set()
    """
    left = sorted(ends, key=lambda value: max(map(abs, ends[value])))
    far: set[Any] = set()
    most = len(left) // few
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
