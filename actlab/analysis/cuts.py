"""Axes that end below a few heights, which would press all others flat: lines leave them through their top."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from actlab.analysis.layout import number

FAR_ABOVE = 2.0
"""Decades beyond nearly all heights: what lies so far up is cut off."""
NEAR, ROOM = 1.0, 0.1
"""Decades beyond nearly all heights up to which the axis holds what there is, and what is left above it."""
CUT: dict[str, Any] = {
    **{"marker": "^", "linestyle": "none", "markersize": 4.5},
    "label": "leaves the axis",
}
ASIDE, BELOW = 4.0, 9.5
"""Points from the mark of what leaves an axis to its text, and from one text to another below it."""


def cut_at(heights: pd.Series) -> float:
    """Choose the height at which a logarithmic axis may end, where a few heights lie decades above nearly all others.

    >>> cut_at(pd.Series([1.0] * 99 + [1e6])) < 10, cut_at(pd.Series([1.0, 2.0, 30.0]))
    (True, inf)

    What lies only a little above the others stays inside.

    >>> 8 < cut_at(pd.Series([1.0] * 98 + [8.0, 1e6])) < 20
    True
    """
    logs = np.log10(heights[(heights > 0) & np.isfinite(heights)])
    if len(logs) < 20 or logs.max() - logs.quantile(0.98) < FAR_ABOVE:
        return math.inf
    return float(10 ** (logs[logs <= logs.quantile(0.98) + NEAR].max() + ROOM))


def mark_cut(axes: Axes, rows: pd.DataFrame, x: str, top: float, colour: str) -> bool:
    """Mark where a line leaves an axis through its top, and say at the farthest how far up it goes.

    Args:
        axes: the panel.
        rows: the line: ``mean``, and ``high``, the end of its interval or its greatest seed.
        x: the column along the horizontal axis.
        top: where the axis ends.
        colour: the line's.

    Returns:
        whether it leaves the axis anywhere.
    """
    rows = rows.sort_values(x)
    at, most = rows[x].to_numpy(float), np.fmax(*rows[["mean", "high"]].to_numpy(float).T)
    above = np.flatnonzero(most > top)
    if not len(above):
        return False
    for part in np.split(above, np.flatnonzero(np.diff(above) > 1) + 1):
        place = at[part[np.argmax(most[part])]]
        mark = {name: value for name, value in CUT.items() if name != "label"}
        axes.plot([place], [1.0], transform=axes.get_xaxis_transform(), color=colour, clip_on=False, zorder=4, **mark)
    place, span = at[np.nanargmax(most)], float(np.ptp(at)) or 1.0
    near = sum(abs(text.xy[0] - place) < span / 4 for text in axes.texts if isinstance(text, Annotation))
    left = place - at[0] > span / 4  # of the mark there is room for the text
    look: dict[str, Any] = {"ha": "right" if left else "left", "va": "top", "fontsize": 7, "color": colour}
    shift = (-ASIDE if left else ASIDE, -1.0 - BELOW * near)
    where: dict[str, Any] = {"xy": (place, 1.0), "xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
    axes.annotate(f"to {number(float(np.nanmax(most)))}", xytext=shift, **where, **look)
    return True
