"""Marks of points: told apart by their shapes, half filled where some runs have no value; and ranges that are seen."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from actlab.analysis import style
from actlab.analysis.axes import RANGES
from actlab.analysis.looks import LineStyle
from actlab.analysis.of_trained import partly
from actlab.analysis.point_intervals import KEYS, PARTLY

SLENDER = "PX*"
"""Markers with arms: as large as a disc they hold half as much, and a thick edge fills what is between the arms."""
LONGER, EDGE = 1.2, 0.25
"""How much longer than other markers slender ones are, and the edge that they have then, in points."""
RANGE = "dotted upright: least to greatest of the runs"
SEEN = 5.0
"""Points that an upright line is longer than the mark upon it."""
HALF: dict[str, Any] = {"linestyle": "none", "fillstyle": "left", "markerfacecoloralt": "white", "zorder": 2.1}


def told_apart(figure: Figure) -> Figure:
    """Draw pluses, crosses and stars larger, with thin edges: of 2 points they look like a diamond and a square."""
    of_keys = [line for one in figure.legends for line in one.get_lines()]
    for line in [*(line for axes in figure.axes for line in axes.lines), *of_keys]:
        if str(line.get_marker()) in SLENDER and line.get_marker():
            line.set_markersize(line.get_markersize() + LONGER)
            filled = line.get_fillstyle() == "full" and not same_color(line.get_markerfacecolor(), "white")
            line.set_markeredgewidth(EDGE if filled else line.get_markeredgewidth())
    return figure


def of_some(line: pd.DataFrame) -> pd.Series:
    """Tell of each estimate whether it is of some runs alone, since others diverged or have no value.

    >>> of_some(pd.DataFrame({"mean": [1.0, 1.0, np.nan], "n": [20, 13, 0], "runs": 20})).tolist()
    [False, True, False]
    """
    if not {"n", "runs"} <= set(line):
        return pd.Series(False, line.index)
    return (line["n"] < line["runs"]) & line["mean"].notna() & ~partly(line)


def half_filled(
    axes: Axes, line: pd.DataFrame, x: str, look: LineStyle, size: float = 4.0, aside: float = 0.0
) -> dict[str, dict[str, Any]]:
    """Mark the estimates of a line that are of some runs alone; give the key of the mark, if there is any.

    Args:
        axes: a panel.
        line: the estimates of one line.
        x: the column along the horizontal axis.
        look: the line's.
        size: of the marks, in points.
        aside: how far to the right of their place they are drawn, in points.
    """
    some = line[of_some(line)]
    if some.empty:
        return {}
    place = offset_copy(axes.transData, axes.get_figure(True), aside, units="points")
    look_of: dict[str, Any] = {"color": look.colour, "marker": look.marker or "o", "markersize": size}
    axes.plot(some[x], some["mean"], transform=place, **look_of, **HALF)
    return {PARTLY: {"color": "#444444", **KEYS[PARTLY]}}


def key_of_ranges(figure: Figure) -> dict[str, dict[str, Any]]:
    """Say how points have a range that have no interval, where one is seen: longer than the mark upon it."""
    look = {"color": "#444444", "linewidth": 1.0, "linestyle": style.DASHES["dotted"], "marker": ""}
    for axes in figure.axes:
        axes.get_ylim()  # else limits that are to be sought are not, and heights are of others
        ranges = [one for one in axes.collections if isinstance(one, LineCollection) and one.get_label() == RANGES]
        if any(longest(axes, one) > SEEN for one in ranges):
            return {RANGE: look}
    return {}


def longest(axes: Axes, lines: LineCollection) -> float:
    """Measure the longest of upright lines, in points."""
    ends = np.array([axes.transData.transform(np.asarray(one))[:, 1] for one in lines.get_segments()])
    dots = axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    return float(np.ptp(ends, axis=1).max()) * 72 / dots if len(ends) else 0.0


def keys_of_ranges(figure: Figure) -> list[Line2D]:
    """``key_of_ranges`` as what a legend takes."""
    return [Line2D([], [], label=text, **look) for text, look in key_of_ranges(figure).items()]
