"""One panel of decades by layer, all lines overlaid: the way of the gradient from the last layer to the first."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from actlab.analysis import style
from actlab.analysis.axes import (
    BAND,
    NOT_KEPT,
    curve,
    drawn,
    is_predicted,
    legend,
    line_label,
    looks_of,
    name_lines,
    points,
    unknown_between,
)
from actlab.analysis.axis_scales import decades_scale
from actlab.analysis.drawings import Spec
from actlab.analysis.layout import number
from actlab.analysis.looks import LineStyle
from actlab.analysis.named_lines import UNDER, WIDER, beneath
from actlab.analysis.of_trained import TRAINED, untrained
from actlab.measures import LOG10

NEAR = 3.0  # decades
THICK, EXACTLY = 1.7, 1e-3
"""Points that a line is wide; of an axis, how near two lines are of which the one hides the other."""
CORNER = (0.08, 0.08, 0.33, 0.36)
"""The place of the magnified lines below one that falls: left, bottom, width and height, in parts of the panel."""
LINES: Mapping[str, dict[str, Any]] = {
    "measured": {"color": "#666666", "linewidth": THICK},
    "predicted by mean-field theory": {"color": "#333333", "linewidth": 1.0, "linestyle": style.DASHES["dashed"]},
}
HEIGHTS = ("mean", "low", "high", "predicted")
FEWEST_DECADES = 2.0
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
    figure = style.new_figure(style.WIDEST, max(4.2, 0.17 * len(values) + 1.4))
    axes = figure.subplots()
    decades_scale(axes, drawn(frame), FEWEST_DECADES)
    under = beneath(axes, frame, spec.x, spec.lines, EXACTLY)
    draw(axes, spec, frame, looks, under)
    way(axes, int(frame[spec.x].max()))
    axes.set_xlabel("hidden layer, from the last to the first: the way of the gradient →")
    axes.set_ylabel("signal gradient norm / that of the last hidden layer")
    gaps = any(unknown_between(line[spec.x].to_numpy()) for _, line in kept_layers(frame).groupby(spec.lines))
    keys = dict(LINES) if is_predicted(frame) else {}
    if gaps and keys:
        keys["measured"] = keys["measured"] | {"marker": "o", "markersize": 4, "linestyle": "none"}
    keys |= {BETWEEN: {"color": "#444444", "marker": "o", "markersize": 4, **NOT_KEPT}} if gaps and not keys else {}
    keys |= {UNDER: {"color": "#666666", "linewidth": THICK + WIDER}} if under and not gaps else {}
    legend(figure, [Line2D([], [], label=name, **look) for name, look in keys.items()], "")
    style.lay_out(figure)  # positions are known only then
    ends = {}
    for value in values:
        line = frame[frame[spec.lines] == value].sort_values(spec.x)
        name = line_label(spec.lines, value)
        if "loss" in line and np.isfinite(line["loss"].iloc[0]):
            some = f"; {line[TRAINED].iloc[0]}" if TRAINED in line and line[TRAINED].iloc[0] else ""
            some = "; none trained" if untrained(line).any() else some
            name += f" (loss {number(float(line['loss'].iloc[0]), 2)}{some})"
        ends[name] = (float(line["mean"].dropna().iloc[0]), looks[value].colour)
    name_lines(axes, ends)
    magnify(axes, spec, frame, looks, under)
    return figure


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


def magnify(
    axes: Axes, spec: Spec, frame: pd.DataFrame, looks: Mapping[Any, LineStyle], under: Mapping[Any, int]
) -> None:
    """Draw most lines again, magnified, where a few that fall deep press them together, and there is room below."""
    ends = frame.groupby(spec.lines, sort=False)["mean"].agg(["min", "max"])
    near = ends[(ends["min"] > -NEAR) & (ends["max"] < NEAR)]
    low, high = axes.get_ylim()
    if len(near) < 3 or (high - low) < 3 * (near["max"].max() - near["min"].min()) or crosses(axes, CORNER):
        return
    rows = frame[frame[spec.lines].isin(near.index)]
    inset = axes.inset_axes(CORNER)
    draw(inset, spec, rows, {value: looks[value] for value in near.index}, under, 1.2)
    heights = drawn(rows).dropna()
    pad = 0.08 * (heights.max() - heights.min())
    inset.set_ylim(heights.min() - pad, heights.max() + pad)
    way(inset, int(frame[spec.x].max()), 3)
    inset.yaxis.set_major_locator(FixedLocator([math.log10(k * 10.0**n) for n in range(-4, 4) for k in (1, 3)]))
    inset.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{10.0**y:.2g}"))
    inset.tick_params(labelsize=7)
    inset.set_title("those near 1, magnified", fontsize=7.5)


def crosses(axes: Axes, box: tuple[float, float, float, float]) -> bool:
    """Whether any line of some axes comes into a box, in parts of them: left, bottom, width and height."""
    left, bottom, width, height = box
    for line in axes.get_lines():
        at = axes.transAxes.inverted().transform(axes.transData.transform(np.column_stack(line.get_data())))
        at = at[np.isfinite(at).all(1)]
        if len(at) > 1 and line.get_transform() == axes.transData:
            x = np.linspace(left - 0.1, left + width + 0.02, 50)
            y = np.interp(x, *at[np.argsort(at[:, 0], kind="stable")].T)
            if ((y > bottom - 0.05) & (y < bottom + height + 0.06)).any():
                return True
    return False


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
