"""What is too small for its numbers, and 0 for that: a logarithmic axis has no place for it, so its lower edge has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

NEAR = 1e-30
"""Below it the next value may be beyond float32, whose least normal number is 1.2e−38."""
KEY = "0: underflows"
LOOK: dict[str, Any] = {"marker": "v", "linestyle": "none", "markersize": 5.0, "clip_on": False, "zorder": 3}


def underflown(line: pd.DataFrame, x: str) -> list[float]:
    """List where a line's values are 0 in every run, by underflow: behind one that was nearly beyond its numbers.

    What is not known for another reason, as of runs that diverged, is not among them.

    >>> rows = {"layer": [32, 64, 100], "mean": [1e-16, 1e-35, np.nan], "n": [20, 20, 0], "missing": [0, 0, 20]}
    >>> underflown(pd.DataFrame(rows | {"runs": 20}), "layer")
    [100.0]
    >>> underflown(pd.DataFrame(rows | {"runs": 20, "mean": [1.0, 1e-3, np.nan]}), "layer")
    []
    """
    if not {"n", "missing", "runs"} <= set(line):
        return []
    line = line.sort_values(x, kind="stable")
    before = line["mean"].ffill()
    there = (line["n"] == 0) & (line["missing"] == line["runs"]) & (line["runs"] > 0) & before.between(0, NEAR)
    return [float(place) for place in line.loc[there, x]]


def mark_underflows(axes: Axes, line: pd.DataFrame, x: str, colour: str) -> dict[str, dict[str, Any]]:
    """Mark at the lower edge of a logarithmic axis where a line is 0 by underflow; give the key of the mark, if any."""
    places = underflown(line, x)
    if not places:
        return {}
    axes.plot(places, np.zeros(len(places)), transform=axes.get_xaxis_transform(), color=colour, **LOOK)
    return {KEY: {"color": "#444444", **LOOK}}
