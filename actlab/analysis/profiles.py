"""Decades by layer, all lines overlaid: the way of the gradient from the last layer to the first.

Where one that vanishes presses the others together, these are drawn once more below, on a scale of their own.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from actlab.analysis import style
from actlab.analysis.axes import (
    BAND,
    NOT_KEPT,
    curve,
    is_predicted,
    line_label,
    looks_of,
    name_lines,
    points,
    unknown_between,
)
from actlab.analysis.axis_scales import decades_scale
from actlab.analysis.drawings import Spec
from actlab.analysis.layout import number
from actlab.analysis.legends import legend
from actlab.analysis.looks import LineStyle
from actlab.analysis.named_lines import UNDER, WIDER, beneath
from actlab.analysis.of_trained import TRAINED, untrained
from actlab.analysis.reaches import drawn
from actlab.measures import LOG10

NEAR = 3.0  # decades
FEWEST_NEAR = 3  # lines, that one panel would press to a third of their height or less
THICK, EXACTLY = 1.7, 1e-3
"""Points that a line is wide; of an axis, how near two lines are of which the one hides the other."""
LINES: Mapping[str, dict[str, Any]] = {
    "measured": {"color": "#666666", "linewidth": THICK},
    "predicted by mean-field theory": {"color": "#333333", "linewidth": 1.0, "linestyle": style.DASHES["dashed"]},
}
HEIGHTS = ("mean", "low", "high", "predicted")
FEWEST_DECADES = 2.0
OTHERS = "the others: below"
BETWEEN = "markers: layers that were kept; dots lead from one to the next"


def profile(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw decades against layers, the last at the left: measured solid, predicted dashed, a name at each line's end.

    Args:
        spec: what is drawn.
        frame: estimates of one depth, with ``loss`` where names are to have it beside them.
    """
    frame = in_decades(frame)
    values = list(dict.fromkeys(frame.loc[frame["mean"].notna(), spec.lines]))
    looks = looks_of(spec.lines, values, spec.looks)
    near = pressed(frame, spec.lines)
    parts = [values, near] if near else [values]
    high = max(4.2, 0.17 * len(values) + 1.4) + 1.2 * (len(parts) - 1)
    figure = style.new_figure(style.WIDEST, high)
    grid = figure.subplots(len(parts), 1, squeeze=False, sharex=True, height_ratios=(1.0, 1.3)[-len(parts) :])[:, 0]
    under: dict[Any, int] = {}
    for axes, part in zip(grid, parts, strict=True):
        rows = frame[frame[spec.lines].isin(part)]
        decades_scale(axes, drawn(rows), FEWEST_DECADES)
        below = beneath(axes, rows, spec.x, spec.lines, EXACTLY) if axes is grid[-1] else {}
        draw(axes, spec, rows, {value: looks[value] for value in values if value in part}, below)
        way(axes, int(frame[spec.x].max()))
        under |= below
    grid[-1].set_xlabel("hidden layer, from the last to the first: the way of the gradient →")
    figure.supylabel("signal gradient norm / that of the last hidden layer", fontsize=8)
    if near:
        grid[-1].set_title("the others, on a scale of their own", fontsize=7.5)
    gaps = any(unknown_between(line[spec.x].to_numpy()) for _, line in kept_layers(frame).groupby(spec.lines))
    keys = dict(LINES) if is_predicted(frame) else {}
    if gaps and keys:
        keys["measured"] = keys["measured"] | {"marker": "o", "markersize": 4, "linestyle": "none"}
    keys |= {BETWEEN: {"color": "#444444", "marker": "o", "markersize": 4, **NOT_KEPT}} if gaps and not keys else {}
    keys |= {UNDER: {"color": "#666666", "linewidth": THICK + WIDER}} if under and not gaps else {}
    legend(figure, [Line2D([], [], label=name, **look) for name, look in keys.items()], "")
    style.lay_out(figure)  # positions are known only then
    named = [[value for value in values if value not in near], near] if near else [values]
    for axes, part in zip(grid, named, strict=True):
        others = {OTHERS: (0.0, "#444444")} if near and axes is grid[0] else {}
        name_lines(axes, names_at_ends(spec, frame[frame[spec.lines].isin(part)], looks) | others)
    return figure


def names_at_ends(spec: Spec, frame: pd.DataFrame, looks: Mapping[Any, LineStyle]) -> dict[str, tuple[float, str]]:
    """List the names of lines, with their losses, and where these end: height and colour."""
    ends = {}
    for value, line in frame[frame[spec.lines].isin(looks)].groupby(spec.lines, sort=False):
        line = line.sort_values(spec.x)
        name = line_label(spec.lines, value)
        if "loss" in line and np.isfinite(line["loss"].iloc[0]):
            some = f"; {line[TRAINED].iloc[0]}" if TRAINED in line and line[TRAINED].iloc[0] else ""
            some = "; none trained" if untrained(line).any() else some
            name += f" (loss {number(float(line['loss'].iloc[0]), 2)}{some})"
        ends[name] = (float(line["mean"].dropna().iloc[0]), looks[value].colour)
    return ends


def pressed(frame: pd.DataFrame, lines: str) -> list[Any]:
    """List the lines near 1, where others would press these together on one scale; none where no others do.

    >>> frame = pd.DataFrame({"activation": list("abcd"), "mean": [-0.5, 0.0, 0.5, -19.0]})
    >>> pressed(frame, "activation"), pressed(frame.head(3), "activation")
    (['a', 'b', 'c'], [])
    """
    ends = frame.groupby(lines, sort=False)["mean"].agg(["min", "max"]).dropna()
    near = ends[(ends["min"] > -NEAR) & (ends["max"] < NEAR)]
    whole, span = (max(one["max"].max() - one["min"].min(), 0.0) for one in (ends, near))
    if len(near) < FEWEST_NEAR or len(near) == len(ends) or whole < FEWEST_NEAR * span:
        return []
    return list(near.index)


def draw(
    axes: Axes,
    spec: Spec,
    frame: pd.DataFrame,
    looks: Mapping[Any, LineStyle],
    under: Mapping[Any, int],
    thick: float = THICK,
) -> None:
    """Draw all lines, measured ones in their colours; theory dashed, where it lies on a line in a dark shade.

    Args:
        axes: the panel.
        spec, frame: what is drawn in it.
        looks: of each line.
        under: how many lines lie upon a line, which is so much wider (see ``named_lines.beneath``).
        thick: how wide the others are, in points.
    """
    axes.axhline(0.0, color="#999999", linewidth=0.8, zorder=0.5)
    for value, look in looks.items():
        line = frame[frame[spec.lines] == value]
        solid = LineStyle(look.colour, look.marker)
        kept = from_the_last(kept_layers(line), spec.x)
        alone = unknown_between(kept[spec.x].to_numpy()) and is_predicted(line)  # theory has the line
        upon = under.get(value, 0)
        size = (2.2 + 0.5 * upon) * thick
        wide: dict[str, Any] = {"linewidth": thick + WIDER * upon, "markersize": size}
        wide |= {"zorder": 2 - 0.1 * upon} if upon else {}
        if alone:
            points(axes, kept, spec.x, solid, size)
        else:
            curve(axes, kept, spec.x, solid, True, min(BAND, 0.9 / len(looks)), **wide)
        if is_predicted(line):
            theory = line[line["predicted"].notna()].sort_values(spec.x)
            dashed = LINES["predicted by mean-field theory"] | {
                "color": look.colour if alone else dark(look.colour),
                "zorder": 3,
            }
            axes.plot(theory[spec.x], theory["predicted"], marker="", **dashed)


def kept_layers(line: pd.DataFrame) -> pd.DataFrame:
    """Take the layers of which something was measured: of others theory alone speaks."""
    return line[line["runs"] > 0] if "runs" in line else line


def from_the_last(line: pd.DataFrame, x: str) -> pd.DataFrame:
    """Let the interval begin where the line does: relative to itself, the last layer is the same in all networks."""
    last = line[x] == line[x].max()
    return line.assign(**{name: line[name].where(~last, line[name].fillna(line["mean"])) for name in ("low", "high")})


def way(axes: Axes, last: int, ticks: int = 6) -> None:
    """Let the x axis run from the last layer to the first, with a tick at both."""
    each = max(round(last / ticks), 1)
    places = [one for one in range(last, 1, -each) if one - 1 > each / 2]
    axes.set_xticks([*places, 1])
    axes.set_xlim(last + 0.01 * last, 1 - 0.015 * last)


def dark(colour: str) -> tuple[float, ...]:
    """Mix a colour with as much black.

    >>> dark("#ffffff")
    (0.5, 0.5, 0.5)
    """
    return tuple(part / 2 for part in to_rgb(colour))


def in_decades(frame: pd.DataFrame) -> pd.DataFrame:
    """Take log10 of what a frame holds as it is."""
    there = [name for name in HEIGHTS if name in frame]
    if LOG10 + "mean" in frame:
        return frame.assign(**{name: frame[LOG10 + name] for name in there})
    return frame.assign(**{name: np.log10(frame[name].where(frame[name] > 0)) for name in there})
