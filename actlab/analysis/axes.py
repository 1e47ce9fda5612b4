"""What the panels of a figure are drawn with: curves, bands, scales, names at lines, maps, legends.

Nothing here computes a statistic. Frames have ``mean``, ``low`` and ``high``; NaN leaves a gap.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from actlab.analysis import style
from actlab.analysis.drawings import RANGED
from actlab.analysis.layout import setting, words
from actlab.analysis.looks import MARKERS, LineStyle, from_palette
from actlab.analysis.of_trained import partly
from actlab.measures import about

BAND = 0.16
MARKED = 8  # a longer line has no markers
ENOUGH = 8  # layers that stand for all, where they are evenly spread
AT_INIT: dict[str, Any] = {"marker": "+", "markersize": 4.0, "linestyle": "none"}
HIGH = 32  # letters along an axis
AT_END = "s"
"""Marks of what was measured where no lines can be drawn."""
RANGES = "_ranges"
"""What upright lines are called that are ranges, not intervals."""
NOT_KEPT: dict[str, Any] = {"linewidth": 0.8, "linestyle": style.DASHES["dotted"], "alpha": 0.8}
"""How points of layers are joined between which none was kept."""


def looks_of(column: str, values: Sequence[Any], looks: Mapping[str, LineStyle]) -> dict[Any, LineStyle]:
    """Give each value of the column that tells lines apart a look: an activation's own, or one by order."""
    if column == "activation":
        return {value: looks[str(value)] for value in values}
    if all(isinstance(value, int | float | np.number) for value in values):
        colours = style.sequence(values)
        return {value: LineStyle(colours[value], MARKERS[i % len(MARKERS)]) for i, value in enumerate(values)}
    return {value: from_palette(i) for i, value in enumerate(values)}


def line_label(column: str, value: Any) -> str:
    """Name a line."""
    return str(value) if column == "activation" else setting(value)


def is_predicted(rows: pd.DataFrame) -> bool:
    """Whether anything of what is drawn together is predicted, be it a bound."""
    return "predicted" in rows and bool((rows["predicted"].notna() | bounded(rows)).any())


def bounded(rows: pd.DataFrame) -> pd.Series:
    """Tell of each row whether theory has two bounds alone."""
    if "predicted_low" not in rows:
        return pd.Series(False, rows.index)
    return rows["predicted"].isna() & rows["predicted_low"].notna() & rows["predicted_high"].notna()


def title(text: str) -> str:
    """Write a panel's title: parameters on a line of their own.

    >>> title("leaky_relu(negative_slope=0.2)")
    'leaky_relu\\n(negative_slope=0.2)'
    """
    return text.replace("(", "\n(", 1) if len(text) > 18 else text


def panel_title(column: str, value: Any) -> str:
    """Write which value of a column a panel is of; the name of an activation or a data set says it alone.

    >>> panel_title("data", "wine"), panel_title("width", 64)
    ('wine', 'width 64')
    """
    return title(str(value) if column in ("activation", "data") else f"{words(column)} {setting(value)}")


def curve(
    axes: Axes, rows: pd.DataFrame, x: str, look: LineStyle, band: bool = True, alpha: float = BAND, **line: Any
) -> Line2D:
    """Draw one line with its interval as a band, a range as a lighter one with dotted edges; few points are marked."""
    order = np.argsort(rows[x].to_numpy(float), kind="stable")
    at, mean, low, high = (rows[name].to_numpy(float)[order] for name in (x, "mean", "low", "high"))
    settings = {**style.line(look), **line}
    if x == "layer" and unknown_between(at):
        return across_gaps(axes, rows.iloc[order], x, settings, band)
    if len(at) > MARKED and "markevery" not in line:
        settings["marker"] = ""
    if band and np.isfinite(low).any():
        ranged = rows[RANGED].to_numpy(bool)[order] if RANGED in rows else np.zeros(len(at), bool)
        if len(at) == 1:
            axes.vlines(
                at,
                low,
                high,
                color=look.colour,
                linewidth=1.0,
                linestyle=style.DASHES["dotted" if ranged[0] else "solid"],
                label=RANGES if ranged[0] else "",
            )
        else:
            for which, edges in ((~ranged, False), (ranged, True)):
                if (which & np.isfinite(low)).any():
                    ends = np.where(which, low, np.nan), np.where(which, high, np.nan)
                    shade(axes, at, *ends, color=look.colour, alpha=alpha, edges=edges)
    (drawn,) = axes.plot(at, mean, **settings)
    return drawn


def unknown_between(layers: np.ndarray) -> bool:
    """Whether nothing is known of what lies between some layers: few are kept, and these are no neighbours.

    Many layers, evenly spread, stand for those between them.

    >>> unknown_between(np.array([1, 2, 3])), unknown_between(np.array([1, 2, 4, 8]))
    (False, True)
    """
    apart = np.diff(np.unique(layers))
    return bool((apart > 1).any()) and (len(apart) + 1 < ENOUGH or bool(apart.max() - apart.min() > 1))


def across_gaps(axes: Axes, rows: pd.DataFrame, x: str, settings: Mapping[str, Any], bars: bool) -> Line2D:
    """Draw what is known of some layers alone: points with their intervals, and between them dots that say so."""
    look = LineStyle(settings["color"], settings["marker"] or "o")
    face = {"markerfacecolor": settings["markerfacecolor"]} if "markerfacecolor" in settings else {}
    points(axes, rows, x, look, settings.get("markersize", 3.0), bars, **face)
    at, mean = (rows[name].to_numpy(float) for name in (x, "mean"))
    (drawn_line,) = axes.plot(at, mean, color=look.colour, marker="", **NOT_KEPT)
    return drawn_line


def points(
    axes: Axes,
    rows: pd.DataFrame,
    x: str,
    look: LineStyle,
    size: float = 3.0,
    bars: bool = True,
    aside: float = 0.0,
    **marker: Any,
) -> None:
    """Draw what was measured as points with their intervals, ranges dotted; ``aside``: points to the right of it."""
    at, mean, low, high = (rows[name].to_numpy(float) for name in (x, "mean", "low", "high"))
    known = np.isfinite(low) & np.isfinite(high)
    ranged = rows[RANGED].to_numpy(bool) if RANGED in rows else np.zeros(len(at), bool)
    place: dict[str, Any] = {"color": look.colour}
    place |= {"transform": offset_copy(axes.transData, axes.get_figure(True), aside, units="points")} if aside else {}
    for some, dash, name in ((known & ~ranged, "solid", ""), (known & ranged, "dotted", RANGES)):
        if bars and some.any():
            look_of: dict[str, Any] = {"linewidth": 0.8, "linestyle": style.DASHES[dash], "label": name}
            axes.vlines(at[some], low[some], high[some], **look_of, **place)
    settings = {"marker": look.marker or "o", "markersize": size, "linestyle": "none", **marker}
    axes.plot(at, mean, **place, **settings)


def predicted(axes: Axes, rows: pd.DataFrame, x: str, colour: str, alpha: float = 0.0) -> None:
    """Draw a prediction dashed, and shaded (``alpha``) the spread that one network is expected to have about it.

    Where theory has two bounds alone, both are dashed, and shaded is what lies between them.
    """
    there = rows[bounded(rows)].sort_values(x)
    if len(there):
        at, low, high = (there[name].to_numpy(float) for name in (x, "predicted_low", "predicted_high"))
        shade(axes, at, low, high, colour, BAND)
        for bound in (low, high):
            axes.plot(at, bound, color=colour, linewidth=1.0, linestyle=style.DASHES["dashed"], marker="")
    there = rows[rows["predicted"].notna()]
    order = np.argsort(there[x].to_numpy(float), kind="stable")
    names = (x, "predicted", "predicted_low", "predicted_high")
    at, mean, low, high = (there[name].to_numpy(float)[order] for name in names)
    if not len(at):
        return
    if alpha and len(at) > 1 and np.isfinite(low).any():
        shade(axes, at, low, high, colour, alpha)
    single = {"marker": style.SHORT_DASHES, "markersize": 15.0} if len(at) == 1 else {"marker": ""}
    axes.plot(at, mean, color=colour, linestyle=style.DASHES["dashed"], linewidth=1.0, **single)


def shade(
    axes: Axes, at: np.ndarray, low: np.ndarray, high: np.ndarray, color: str, alpha: float, edges: bool = False
) -> None:
    """Fill the band between two curves, with a gap where either is not known; lighter and with dotted ``edges``.

    ``Axes.fill_between`` draws the same, and computes the limits of all axes that share one again each time.
    """
    known = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    stretches = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    corners = [
        np.column_stack([np.concatenate([at[i], at[i][::-1]]), np.concatenate([low[i], high[i][::-1]])])
        for i in stretches
    ]
    alone = [i[0] for i in stretches if len(i) == 1]  # an interval between two that are not known is a line
    if alone:
        dash = style.DASHES["dotted" if edges else "solid"]
        axes.vlines(
            at[alone],
            low[alone],
            high[alone],
            linewidth=1.0,
            color=color,
            alpha=0.5,
            linestyle=dash,
            label=RANGES * edges,
        )
    band: dict[str, Any] = {"color": color, "alpha": alpha, "linewidth": 0}
    if edges:
        colours = {"facecolor": to_rgba(color, alpha / 2), "edgecolor": to_rgba(color, 0.5)}
        band = {**colours, "linewidth": 0.5, "linestyle": style.DASHES["dotted"]}
    axes.add_collection(PolyCollection(corners, **band), autolim=False)
    axes.update_datalim(np.concatenate(corners))


def of_shares(axes: Axes, measure: str, heights: pd.Series | None = None) -> None:
    """Let the y axis of what is a share reach from 0 to 1, or to the next round number above given heights."""
    if about(measure).range == (0.0, 1.0):
        top = 1.0 if heights is None else round_share(float(heights.max()))
        axes.set_ylim(-0.03 * top, 1.03 * top)


def round_share(most: float) -> float:
    """Choose where an axis of shares ends that is to hold one.

    >>> round_share(0.43), round_share(0.06), round_share(0.97), round_share(float("nan"))
    (0.5, 0.1, 1.0, 1.0)
    """
    return next((top for top in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8) if most <= top), 1.0)


CHANCE: dict[str, Any] = {"color": "#777777", "linewidth": 1.0, "linestyle": style.DASHES["dotted"]}


def chance(axes: Axes, rows: pd.DataFrame) -> list[float]:
    """Draw what a network scores that learned nothing, where the rows have it; list it."""
    values = sorted(set(rows["chance"].dropna().round(6))) if "chance" in rows else []
    for value in values:
        axes.axhline(value, zorder=0.6, marker="", **CHANCE)
    return values


BETTER = "framed: another {} does clearly better"
FRAME: dict[str, Any] = {"marker": "s", "linestyle": "none", "markersize": 8.0, "markerfacecolor": "none"}


def framed(axes: Axes, line: pd.DataFrame, x: str, colour: str) -> dict[str, dict[str, Any]]:
    """Frame the cells of a line in which another value than the selected one does clearly better; say so in a key."""
    there = line[line["outscored_by"].fillna("") != ""] if "outscored_by" in line else line[:0]
    if there.empty:
        return {}
    texts = there["seeds"].fillna("") if "seeds" in there else pd.Series("", there.index)
    each = [[float(one) for one in str(text).split()] for text in texts]
    of_all = zip(each, there["mean"], partly(there), strict=True)
    heights = [np.median(runs) if runs and not some else mean for runs, mean, some in of_all]
    axes.plot(there[x], heights, color=colour, **FRAME)
    return {BETTER.format(there["outscored_by"].iloc[0]): {"color": "#444444", **FRAME}}


EACH_SEED: dict[str, Any] = {"linewidth": 0.5, "alpha": 0.6, "marker": ""}


def each_seed(axes: Axes, line: pd.DataFrame, x: str, look: LineStyle, **more: Any) -> None:
    """Draw the line of each seed thin, or as is said: where they are few, an interval says less."""
    line = line.sort_values(x)
    seeds = [[float(one) for one in str(texts).split()] for texts in line["each"]]
    for i in range(min(map(len, seeds))):
        heights = [of_step[i] for of_step in seeds]
        axes.plot(line[x].to_numpy(float), heights, color=look.colour, zorder=1.8, **EACH_SEED | more)


def separate_labels(
    heights: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Push heights apart until neighbours differ by ``gap``, moving each as little as may be, between two bounds.

    Where there is no room for all between the bounds, they are centred between them.

    >>> [round(h, 2) for h in separate_labels([0.5, 0.5, 0.9], 0.1)]
    [0.45, 0.55, 0.9]
    >>> [round(h, 2) for h in separate_labels([1.0, 1.0], 0.1, 0.0, 1.0)]
    [0.9, 1.0]
    """
    if (len(heights) - 1) * gap > high - low:
        low = high = (low + high) / 2

    def bounded(centre: float, number: float) -> float:
        half = min(gap * (number - 1) / 2, (high - low) / 2)
        return min(max(centre, low + half), high - half)

    order = np.argsort(heights, kind="stable")
    groups: list[list[float]] = []  # centre, number: neighbours that touch move as one
    for i in order:
        groups.append([bounded(heights[i], 1), 1])
        while len(groups) > 1:
            (a, m), (b, n) = groups[-2:]
            if b - a >= gap * (m + n) / 2 - 1e-12:
                break
            groups[-2:] = [[bounded((a * m + b * n) / (m + n), m + n), m + n]]
    placed = [centre + gap * (k - (number - 1) / 2) for centre, number in groups for k in range(int(number))]
    out = [0.0] * len(heights)
    for place, i in zip(placed, order, strict=True):
        out[i] = place
    return out


def name_lines(axes: Axes, ends: Mapping[str, tuple[float, str]]) -> None:
    """Write each line's name at the right of the panel, at the height where it ends, without overlap."""
    place = axes.yaxis.get_transform().transform
    low, high = place(np.array(axes.get_ylim(), dtype=float))
    scaled = [float((place(np.array([y]))[0] - low) / (high - low)) for y, _ in ends.values()]
    height = axes.get_window_extent().height / axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    places = separate_labels(scaled, 0.145 / height, 0.0, 1.0)
    for (name, (_, colour)), y, was in zip(ends.items(), places, scaled, strict=True):
        axes.plot([1.005, 1.03], [was, y], transform=axes.transAxes, color=colour, linewidth=0.6, clip_on=False)
        axes.text(1.035, y, name, transform=axes.transAxes, color=colour, va="center", fontsize=7.5)


def arrangement(number: int, most_rows: int = 5) -> tuple[int, int]:
    """Choose rows and columns for so many panels: three columns, which a page has room for, or two.

    Two where one panel would be left over in the last of three, and the rows are not too many then.

    >>> arrangement(3), arrangement(4), arrangement(8), arrangement(10), arrangement(10, 4), arrangement(13)
    ((1, 3), (2, 2), (3, 3), (5, 2), (4, 3), (5, 3))
    """
    two = number > 3 and number % 3 == 1 and math.ceil(number / 2) <= most_rows
    columns = 2 if two else min(number, 3)
    return math.ceil(number / columns), columns


def width_of(rows: int, columns: int, each: float) -> float:
    """Choose how wide a picture of panels is, in inches; where it is tall two columns are wider than they need be.

    >>> width_of(1, 2, 2.1), width_of(5, 2, 2.1), width_of(5, 3, 2.1) == style.WIDEST
    (4.7, 5.75, True)
    """
    return min(max(each * columns * (1.25 if columns == 2 and rows > 3 else 1.0) + 0.5, 4.2), style.WIDEST)


def name_edges(grid: np.ndarray, used: int, below: str, left: str) -> None:
    """Hide the unused panels of a grid; name the x axis under each column's lowest panel, the y axis at the left."""
    columns = grid.shape[1]
    for i, axes in enumerate(grid.flat):
        axes.set_visible(i < used)
        if i < used <= i + columns:
            axes.set_xlabel(below)
            axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel(left)


def upright(measure: str) -> str:
    """Name a measure along a vertical axis: in lines no longer than its panel is high.

    >>> upright("generalization_gap_error_at_target").splitlines()
    ['generalization gap in error rate', 'at target']
    """
    return textwrap.fill(about(measure).axis, HIGH)


START: dict[str, Any] = {"color": "#777777", "linewidth": 0.9, "linestyle": style.DASHES["dotted"], "label": "_start"}


def start_of(axes: Axes, panel: pd.DataFrame, x: str) -> None:
    """Draw the value with which all layers of a panel begin, if it is one value."""
    first = panel.loc[panel[x] == panel[x].min(), "mean"].dropna()
    if len(first) and first.max() - first.min() <= 1e-6 * abs(first.max()):
        axes.axhline(float(first.iloc[0]), zorder=0.8, **START)
