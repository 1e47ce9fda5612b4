"""What was measured against what was predicted of it, and below it how far apart they are."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from actlab.analysis import style
from actlab.analysis.axes import line_label, looks_of, points
from actlab.analysis.axis_scales import spread_out
from actlab.analysis.drawings import Spec
from actlab.analysis.layout import words
from actlab.analysis.legends import legend
from actlab.analysis.reaches import drawn
from actlab.measures import about

MOST_NAMED = 11  # in a legend of points: the story's
NEAR = 5.0  # standard errors
ASIDE = 0.2  # of the width: nearer to an edge names are written towards the middle
FAR, MOST_FAR = 3.0, 2  # standard errors, and how many are named


def scatter(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw, a panel for each measure, what was measured against what was predicted, and below it the deviations."""
    lines = spec.lines
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    others = values[MOST_NAMED:] if len(values) > MOST_NAMED + 1 else []
    looks |= {value: replace(looks[value], colour="#A6A6A6", marker="o") for value in others}
    panels = [rows for _, rows in frame.groupby("measure", sort=False)]
    wide = min(max(3.3 * len(panels), 4.6), style.WIDEST)
    figure = style.new_figure(wide, (wide / len(panels) - 0.5) * 1.5 + 0.6 + 0.19 * math.ceil(len(values) / 4))
    grid = figure.subplots(2, len(panels), squeeze=False, sharex="col", height_ratios=(2, 1))
    for (above, below), rows in zip(grid.T, panels, strict=True):
        record = about(str(rows["measure"].iloc[0]))
        ends = [float(rows[["mean", spec.x]].min().min()), float(rows[["mean", spec.x]].max().max())]
        above.plot(ends, ends, color="#999999", linewidth=0.8, linestyle=style.DASHES["dashed"], marker="", zorder=0.5)
        below.axhspan(-2, 2, color="#000000", alpha=0.07, linewidth=0)
        below.axhline(0, color="#999999", linewidth=0.8, zorder=0.5)
        worst = rows[rows[lines].isin(others)].groupby(lines)["standard_errors"].agg(lambda one: one.abs().max())
        named: list[tuple[str, float, float]] = []
        beyond = float(rows.loc[~rows[lines].isin(others), "standard_errors"].abs().max())
        # A name beside points of others would be taken for theirs: those alone are named that lie further out.
        farthest = set(worst[~(worst <= beyond)].nlargest(MOST_FAR).index)
        for value in [*others, *(value for value in values if value not in others)]:
            one = rows[rows[lines] == value]
            points(above, one, spec.x, looks[value])
            axes_of = {"color": looks[value].colour, "marker": looks[value].marker, "markersize": 3.0}
            below.plot(one[spec.x], one["standard_errors"], linestyle="none", **axes_of)
            far = one[one["standard_errors"].abs() > FAR]
            if value in farthest and len(far):
                last = far.loc[far["standard_errors"].abs().idxmax()]
                named.append((str(value), float(last[spec.x]), float(last["standard_errors"])))
        above.set_title(record.words)
        below.set_xlabel(f"predicted [{record.unit}]" if record.unit else "predicted")
        spread_out(above, drawn(rows))
        deviations_scale(below, rows["standard_errors"], bool(named))
        for name, x, y in named:
            name_beyond(below, name, x, y)
    grid[0, 0].set_ylabel("measured")
    grid[1, 0].set_ylabel("deviation\n[standard errors]")
    handles = [
        Line2D(
            [],
            [],
            color=looks[value].colour,
            marker=looks[value].marker,
            linestyle="none",
            markersize=4,
            label=line_label(lines, value),
        )
        for value in values
        if value not in others
    ]
    if others:
        more = f"{len(others)} others, the farthest off named"
        handles.append(Line2D([], [], color="#A6A6A6", marker="o", linestyle="none", markersize=4, label=more))
    legend(figure, handles, "" if lines == "activation" else words(lines))
    return figure


def deviations_scale(axes: Axes, values: pd.Series, room: bool) -> None:
    """Let the y axis hold all deviations: linear to ±5, and in decades beyond where a few lie far from all others.

    Args:
        axes: the panel.
        values: in standard errors.
        room: whether names are to stand beyond the outermost.
    """
    axes.margins(y=0.3 if room else 0.05)
    known = values[np.isfinite(values)].abs()
    if known.max() <= 2 * NEAR or known.quantile(0.9) > NEAR:
        return
    axes.set_yscale("symlog", linthresh=NEAR, linscale=1.1)
    axes.yaxis.set_major_locator(FixedLocator([sign * k * NEAR for sign in (-1, 1) for k in (0, 0.4, 1, 5, 20, 200)]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}".replace("-", "−")))
    axes.yaxis.set_minor_locator(NullLocator())


def name_beyond(axes: Axes, name: str, x: float, y: float) -> None:
    """Name a point on that side of it on which there are no others: away from 0, and towards the middle of the axes."""
    place = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[0]
    side = "left" if place < ASIDE else "right" if place > 1 - ASIDE else "center"
    shift = {"left": 11, "right": -11, "center": 6}[side]
    rise = math.copysign(8.0, y) if side == "center" else 0.0  # at an edge beside it: below it may be the axis
    look: dict[str, Any] = {
        "color": "#333333",
        "fontsize": 7,
        "ha": side,
        "va": "center" if not rise else "top" if y < 0 else "bottom",
        "zorder": 4,
    }
    look["path_effects"] = [withStroke(linewidth=2.0, foreground="white")]
    look["arrowprops"] = {"arrowstyle": "-", "color": "#555555", "linewidth": 0.6, "shrinkA": 0.0, "shrinkB": 1.5}
    axes.annotate(name, (x, y), xytext=(shift, rise), textcoords="offset points", **look)
