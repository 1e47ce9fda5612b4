"""Lines of a measure against depth, each named at its end, so that all are seen: also those that lie on one another."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from actlab.analysis import style
from actlab.analysis.accuracies import SAID, accuracy_scale, heights_of, is_accuracy
from actlab.analysis.axes import (
    BAND,
    CHANCE,
    chance,
    curve,
    framed,
    is_predicted,
    line_label,
    looks_of,
    name_lines,
    of_shares,
    points,
    predicted,
    upright,
)
from actlab.analysis.axis_scales import depth_axis
from actlab.analysis.deviations import reaches_not
from actlab.analysis.drawings import WHEN, Spec
from actlab.analysis.legends import legend
from actlab.analysis.looks import LineStyle
from actlab.analysis.of_trained import partly, untrained
from actlab.analysis.point_intervals import KEYS, NONE, RING, RINGED, dots, panels_of
from actlab.analysis.point_marks import half_filled, key_of_ranges
from actlab.analysis.reaches import drawn
from actlab.measures import DECADES_PER_LAYER, about

AS_THEORY = ": measured (points), predicted (dashed)"
RUN = "small: one run, where some runs of a setting trained and others did not"
ONE_RUN: dict[str, Any] = {
    **{"color": "#444444", "marker": "o", "markersize": 2.4, "markeredgewidth": 0.0, "linestyle": "none"},
}
UNDER = "wide: a line on which another lies"
UNDER_POINT = "large: a point on which another lies"
WIDER, LARGER, ALIKE = 2.2, 1.3, 0.012
"""Points that a line is wider than one that lies upon it, and times that its markers are larger (were they more, they
would look like errors); of an axis, how near two lines are that look like one."""
MARKER = 3.5  # points
FEW_BESIDE, BESIDE = 4, 4.5
"""Of so many lines of points those of one place stand a little aside of one another: how far, in typographic points."""
ASIDE = 0.05
"""Of an axis: how wide the runs of all lines at one place are spread, so that none hides another's."""


def named_lines(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw a measure against depth, one named line for each value of ``lines``; a panel per ``measure`` and ``at``."""
    x, lines, panels = spec.x, spec.lines, panels_of(frame)
    if frame[x].nunique() < 2:
        return dots(spec, frame)
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    longest = max(len(str(value)) for value in values)
    below = len(panels) > 1  # beside one another they would be too narrow for a page
    tall = 0.34 if is_accuracy(str(frame["measure"].iloc[0])) else 0.17
    high = max(2.3, 0.15 * len(values) + 0.55) * len(panels) + 0.5 if below else max(3.4, tall * len(values) + 0.9)
    figure = style.new_figure(min((5.4 if below else 4.6) + 0.062 * longest, style.WIDEST), high)
    shared = frame.groupby("measure").ngroups == 1
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=below, sharey=shared)[:, 0]
    all_ends: list[dict[str, tuple[float, str]]] = []
    keys: dict[str, dict[str, Any]] = {}
    for axes, rows in zip(grid, panels, strict=True):
        measure = str(rows["measure"].iloc[0])
        depth_axis(axes, sorted(frame[x].unique()), x)
        of_shares(axes, measure, drawn(frame) if spec.fitted else None)
        if is_accuracy(measure):
            accuracy_scale(axes, heights_of(rows))
        ends = {}
        under = beneath(axes, rows, x, lines)
        for i, value in enumerate(values):
            line = rows[rows[lines] == value]
            if line["mean"].notna().any():
                aside = (i - (len(values) - 1) / 2) / len(values)
                drawn_line, runs = each_run(axes, line, x, looks[value], aside)
                keys |= {RUN: ONE_RUN} if one_by_one(line).any() else {}
                wide = wider(under.get(value, 0))
                beside = BESIDE * (i - (len(values) - 1) / 2) * (is_predicted(rows) and len(values) <= FEW_BESIDE)
                wide |= {"aside": beside} if beside else {}
                draw_beside(axes, drawn_line, x, looks[value], is_predicted(rows), min(BAND, 0.9 / len(values)), **wide)
                keys |= half_filled(axes, drawn_line, x, looks[value], wide.get("markersize", MARKER) + 0.5, beside)
                some, none = line[partly(line)], line[untrained(line)]
                axes.plot(some[x], some["mean"], color=looks[value].colour, **RING)
                hollow = KEYS[NONE] | {"color": looks[value].colour, "marker": looks[value].marker or "o"}
                axes.plot(none[x], none["mean"], **hollow)
                keys |= {NONE: {"color": "#444444", **KEYS[NONE]}} if len(none) else {}
                keys |= {f"ringed: {RINGED}": {"color": "#444444", **RING}} if len(some) else {}
                keys |= framed(axes, line, x, looks[value].colour)
                last = line.sort_values(x)["mean"].dropna().iloc[-1] if not runs else float(np.median(runs))
                ends[line_label(lines, value)] = (float(last), looks[value].colour)
        axes.set_xlabel(about(x).axis if axes is grid[-1] else "")
        axes.set_ylabel(upright(measure) + (f"\n({SAID})" if is_accuracy(measure) else ""))
        if about(measure).unit == DECADES_PER_LAYER:
            axes.axhline(0, color="#999999", linewidth=0.8, zorder=0.5)
        if "at" in rows:
            axes.set_title(WHEN.get(str(rows["at"].iloc[0]), "") + AS_THEORY * is_predicted(rows))
        for value in chance(axes, rows):
            ends["chance"] = (value, CHANCE["color"])
        theory = is_predicted(rows)
        keys |= (keys_of_theory(rows) if theory and "at" not in rows else {}) | (
            key_of_ranges(figure) if theory else {}
        )
        keys |= {UNDER_POINT if theory else UNDER: key_of_under(theory)} if under else {}
        all_ends.append(ends)
    legend(figure, [Line2D([], [], label=text, **look) for text, look in keys.items()], "")
    style.lay_out(figure)  # positions are known only then
    for axes, ends in zip(grid, all_ends, strict=True):
        name_lines(axes, ends)
    return figure


def beneath(axes: Axes, rows: pd.DataFrame, x: str, lines: str, alike: float = ALIKE) -> dict[Any, int]:
    """Count for each line how many of those drawn after it lie upon all of it, by the scale of an axis.

    Args:
        axes: a panel with its scales.
        rows: what is drawn in it.
        x: the column along the horizontal axis.
        lines: the column that tells lines apart.
        alike: how near two lines are that look like one, of what the axis shows.
    """
    place = axes.yaxis.get_transform().transform
    wide = rows.assign(mean=place(rows["mean"].to_numpy(float))).pivot_table("mean", x, lines, sort=False)
    known = wide.to_numpy(float)
    span = float(np.nanmax(known) - np.nanmin(known)) if np.isfinite(known).any() else 0.0
    if axes.get_yscale() != "linear" or about(str(rows["measure"].iloc[0])).range == (0.0, 1.0):
        low, high = place(np.array(axes.get_ylim()))
        span = float(high - low)
    order = [value for value in dict.fromkeys(rows[lines]) if value in wide]
    out: dict[Any, int] = {}
    for i, one in enumerate(order):
        for other in order[i + 1 :]:
            both = (wide[one] - wide[other]).abs()
            if wide[one].notna().sum() > 1 and wide[one].notna().equals(wide[other].notna() & wide[one].notna()):
                out[one] = out.get(one, 0) + int(both.max() <= alike * span)
    return {one: number for one, number in out.items() if number}


def keys_of_theory(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Say how what was measured, and what is predicted of it, is drawn in a panel of points."""
    text = "predicted, as far as theory reaches" if reaches_not(rows) else "predicted"
    return {
        "measured": {"color": "#444444", "marker": "o", "linestyle": "none"},
        text: {"color": "#444444", "linewidth": 1.0, "linestyle": style.DASHES["dashed"]},
    }


def wider(upon: int) -> dict[str, Any]:
    """Choose width and markers of a line such that those that lie upon it leave it seen."""
    if not upon:
        return {}
    return {"linewidth": 1.3 + WIDER * upon, "markersize": LARGER * MARKER, "zorder": 1.9}


def key_of_under(theory: bool) -> dict[str, Any]:
    """Show in a legend what others lie on: a wide line, or where theory has the lines a large point."""
    return {"color": "#444444", "marker": "o", **wider(1)} | ({"linestyle": "none"} if theory else {})


def each_run(
    axes: Axes, line: pd.DataFrame, x: str, look: LineStyle, aside: float = 0.0
) -> tuple[pd.DataFrame, list[float]]:
    """Draw the runs of cells that have them by themselves as points, and leave a gap there in the line.

    Where nearly all trained, and the estimate is of these, the others are drawn and the line has no gap.

    Args:
        axes: a panel with its scales.
        line: the estimates of one line.
        x: the column along the horizontal axis.
        look: the line's.
        aside: where among all lines this one is, from −.5 to .5: its runs stand a little aside.

    Returns:
        the line with its gaps, and the runs at its last place if these are drawn by themselves.
    """
    line = line.sort_values(x)
    apart, alone = one_by_one(line), one_by_one(line) & ~partly(line)
    if not apart.any():
        return line, []
    scale = axes.xaxis.get_transform()
    low, high = scale.transform(np.array(axes.get_xlim()))
    runs: list[float] = []
    for at, texts in zip(line.loc[apart, x], line.loc[apart, "seeds"], strict=True):
        runs = [float(text) for text in str(texts).split()]
        place = scale.inverted().transform(scale.transform(np.array([float(at)])) + ASIDE * aside * (high - low))
        marker = {"marker": look.marker or "o"}
        axes.plot([float(place[0])] * len(runs), runs, alpha=0.8, **ONE_RUN | marker | {"color": look.colour})
    gaps = line.assign(**{name: line[name].mask(alone) for name in ("mean", "low", "high")})
    return gaps, runs if bool(alone.iloc[-1]) else []


def one_by_one(line: pd.DataFrame) -> pd.Series:
    """Tell of each estimate whether its runs are drawn instead.

    >>> one_by_one(pd.DataFrame({"mean": [0.5, 0.9], "seeds": ["0.1 0.9", ""]})).tolist()
    [True, False]
    """
    return line["seeds"].fillna("") != "" if "seeds" in line else pd.Series(False, line.index)


def draw_beside(
    axes: Axes, line: pd.DataFrame, x: str, look: LineStyle, theory: bool, alpha: float, **more: Any
) -> None:
    """Draw a line with its band; where a panel shows theory, points with intervals, and dashed what is predicted."""
    if not theory:
        curve(axes, line, x, look, True, alpha, **more)
        return
    points(axes, line, x, look, more.get("markersize", MARKER), aside=more.get("aside", 0.0))
    predicted(axes, line, x, look.colour)
