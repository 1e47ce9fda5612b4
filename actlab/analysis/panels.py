"""Drawing with Matplotlib: from a specification and a frame of estimates to a figure.

Nothing here computes a statistic. Every kind of figure has its function; ``render`` knows which. NaN leaves a gap.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from actlab.analysis import style
from actlab.analysis.axes import (
    BAND,
    CHANCE,
    arrangement,
    chance,
    curve,
    cut_at,
    decades_scale,
    depth_axis,
    drawn,
    each_seed,
    is_predicted,
    keys_of_theory,
    layer_axis,
    legend,
    line_label,
    log_scale,
    looks_of,
    mark_cut,
    name_edges,
    name_lines,
    of_shares,
    points,
    predicted,
    spread_out,
    title,
)
from actlab.analysis.drawings import (
    DOTS,
    FACETS,
    GRID,
    MAP,
    NAMED_LINES,
    PROFILE,
    RIDGES,
    SCATTER,
    TILES,
    WHEN,
    Spec,
    as_drawn,
    in_order,
)
from actlab.analysis.estimates import LOGS
from actlab.analysis.layout import records, setting, words
from actlab.analysis.looks import LineStyle
from actlab.analysis.maps import share_map, tiles
from actlab.analysis.point_intervals import SPREAD, STROKE, dot, point_intervals, why_empty
from actlab.analysis.profiles import profile
from actlab.analysis.ridges import ridges
from actlab.measures import DECADES_PER_LAYER, LOG10, about

MOST_NAMED = 11  # in a legend of points: the story's
FAR = 3.0  # spreads
AS_THEORY = ": measured (points), predicted (dashed)"


def render(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw a frame as the specification says: medians and ranges where means have no interval."""
    return KINDS[spec.kind](spec, as_drawn(frame))


def panels_of(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Split the rows by measure, and by time where there are several."""
    by = ["measure", *(["at"] if "at" in frame else [])]
    return [rows for _, rows in frame.groupby(by, sort=False)]


def named_lines(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw a measure against depth, one named line for each value of ``lines``; a panel per ``measure`` and ``at``."""
    x, lines, panels = spec.x, spec.lines, panels_of(frame)
    if frame[x].nunique() < 2:
        return dots(spec, frame)
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    longest = max(len(str(value)) for value in values)
    width = 4.6 + 0.062 * longest
    figure = style.new_figure(min(width * len(panels), 12.5), max(3.4, 0.17 * len(values) + 0.9))
    shared = frame.groupby("measure").ngroups == 1
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=shared)[0]
    for axes, rows in zip(grid, panels, strict=True):
        measure = str(rows["measure"].iloc[0])
        ends = {}
        for value in values:
            line = rows[rows[lines] == value]
            if line["mean"].notna().any():
                drawn_line = each_run(axes, line, x, looks[value])
                draw_beside(axes, drawn_line, x, looks[value], is_predicted(rows), min(BAND, 0.9 / len(values)))
                last = line.sort_values(x)["mean"].dropna().iloc[-1]
                ends[line_label(lines, value)] = (float(last), looks[value].colour)
        depth_axis(axes, sorted(frame[x].unique()), x)
        if axes is grid[0] or not shared:
            axes.set_ylabel(about(measure).axis)
        if about(measure).unit == DECADES_PER_LAYER:
            axes.axhline(0, color="#999999", linewidth=0.8, zorder=0.5)
        of_shares(axes, measure)
        if "at" in rows:
            axes.set_title(WHEN.get(str(rows["at"].iloc[0]), "") + AS_THEORY * is_predicted(rows))
        for value in chance(axes, rows):
            ends["chance"] = (value, CHANCE["color"])
        if ends and axes is grid[-1]:
            style.lay_out(figure)  # positions are known only then
            name_lines(axes, ends)
    return figure


def each_run(axes: Axes, line: pd.DataFrame, x: str, look: LineStyle) -> pd.DataFrame:
    """Draw the runs of cells that have them by themselves as points, and leave a gap there in the line."""
    if "seeds" not in line or not (line["seeds"].fillna("") != "").any():
        return line
    apart = line["seeds"].fillna("") != ""
    for at, texts in zip(line.loc[apart, x], line.loc[apart, "seeds"], strict=True):
        runs = [float(text) for text in str(texts).split()]
        hollow: dict[str, Any] = {"markerfacecolor": "white", "markersize": 4.0, "linestyle": "none", "alpha": 0.8}
        axes.plot([at] * len(runs), runs, color=look.colour, marker=look.marker or "o", **hollow)
    return line.assign(**{name: line[name].mask(apart) for name in ("mean", "low", "high")})


def draw_beside(
    axes: Axes, line: pd.DataFrame, x: str, look: LineStyle, theory: bool, alpha: float, **more: Any
) -> None:
    """Draw a line with its band; where a panel shows theory, points with intervals, and dashed what is predicted."""
    if not theory:
        curve(axes, line, x, look, True, alpha, **more)
        return
    points(axes, line, x, look, more.get("markersize", 3.5))
    predicted(axes, line, x, look.colour)


def dots(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw, where depth does not vary, a row for each value of ``lines``, a dot and its interval."""
    lines, panels = spec.lines, panels_of(frame)
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    figure = style.new_figure(2.0 + 3.2 * len(panels), 0.9 + 0.24 * len(values))
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True, sharex=frame["measure"].nunique() == 1)[0]
    for axes, rows in zip(grid, panels, strict=True):
        for place, value in enumerate(values):
            of_value = rows[rows[lines] == value]
            for row in records(of_value):
                dot(axes, row, place, looks[value], is_predicted(rows))
            if not of_value["mean"].notna().any():
                at: dict[str, Any] = {
                    "transform": axes.get_yaxis_transform(),
                    "va": "center",
                    "color": "#666666",
                    "fontsize": 7,
                }
                at |= {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5}}
                axes.text(0.02, place, why_empty(of_value), **at)
        axes.set_xlabel(about(str(rows["measure"].iloc[0])).axis)
        if "at" in rows:
            axes.set_title(WHEN.get(str(rows["at"].iloc[0]), ""))
    grid[0].set_yticks(range(len(values)), [line_label(lines, value) for value in values])
    grid[0].set_ylim(len(values) - 0.5, -0.5)
    if is_predicted(frame):
        measured = Line2D([], [], color="#444444", marker="o", linewidth=1.2, label="measured, with its interval")
        legend(figure, [measured, Line2D([], [], label="predicted", **STROKE), Patch(label="its spread", **SPREAD)], "")
    return figure


def facets(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw small multiples, one for each of ``panels``: a measure against ``x``, a line for each of ``lines``.

    Where the frame has ``at``, the end is a solid line with its interval and init a dotted one without. Where it has
    predictions, these are dashed, and init is points; if nothing else is drawn, with its interval, and the predictions
    with their spread. On a log axis each panel has its own range: one vanishing gradient would flatten all others.
    Few layers lie upon many: the shallowest network is drawn last.
    """
    x, lines = spec.x, spec.lines
    measure = str(frame["measure"].iloc[0])
    log = measure in spec.log
    beyond = log and LOGS[0] in frame  # of float64, as gradients of a thousand layers are
    if beyond:
        logs = [str(name) for name in frame if str(name).startswith(LOG10)]
        frame = frame.assign(**{name.removeprefix(LOG10): frame[name] for name in logs})
    theory, alone = is_predicted(frame), set(frame.get("at", [])) == {"init"}
    values = list(dict.fromkeys(frame[spec.panels]))
    colours = style.sequence(frame[lines].unique())
    rows, columns = arrangement(len(values))
    figure = style.new_figure(max(2.15 * columns + 0.5, 4.2), 1.75 * rows + 0.75)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=not log)
    for axes, value in zip(grid.flat, values, strict=False):
        panel = frame[frame[spec.panels] == value]
        for name, line in reversed(list(panel.groupby(lines))):
            look = LineStyle(colours[name], "o" if line[x].nunique() == 1 else "")
            if "at" in line:
                init = line[line["at"] == "init"]
                if theory:
                    predicted(axes, init, x, look.colour, BAND if alone else 0.0)
                    points(axes, init, x, look, 2.0, bars=alone)
                else:
                    curve(axes, init, x, look, False, linewidth=1.2, linestyle=style.DASHES["dotted"])
                line = line[line["at"] == "final"]
            if len(line):
                curve(axes, line, x, look, linewidth=1.2)
        axes.set_title(title(str(value) if spec.panels == "activation" else f"{words(spec.panels)} {setting(value)}"))
        bars = panel.index[(panel["at"] != "init") | alone] if "at" in panel else panel.index
        shown = drawn(panel.assign(low=panel["low"].loc[bars], high=panel["high"].loc[bars]), alone)
        if beyond:
            decades_scale(axes, shown, 3.0)
        elif log:
            log_scale(axes, shown, 1.0 if alone else 3.0)
    if not log:
        of_shares(grid.flat[0], measure)
    if x == "layer":
        layer_axis(grid.flat[0], int(frame[x].max()))
    else:
        grid.flat[0].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    name_edges(grid, len(values), about(x).axis, about(measure).axis)
    handles = [Line2D([], [], color=colour, label=setting(value), linewidth=2) for value, colour in colours.items()]
    if theory:
        handles += keys_of_theory(not alone)
    elif "at" in frame:
        for name, dash in list({"at the end": "solid", "at init": "dotted"}.items())[alone:]:
            handles.append(Line2D([], [], color="#444444", label=name, linestyle=style.DASHES[dash]))
    legend(figure, handles, words(lines))
    return figure


def grid_of_lines(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw rows (``panels``) by ``columns``, in each panel a measure against ``x``, a line for each of ``lines``.

    Layers are coloured by their place in the network, from the input (dark) to the output (light). Where theory is
    drawn, it alone is dashed: lines of what was measured are solid, and told apart by markers.
    """
    lines, theory = spec.lines, is_predicted(frame)
    down, across = list(dict.fromkeys(frame[spec.panels])), list(dict.fromkeys(frame[spec.columns]))
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    if theory:
        looks = {value: replace(look, dash="solid") for value, look in looks.items()}
    ticks = in_order(frame[spec.x]) if spec.x == "depth" else []
    below = 0.5 + 0.19 * math.ceil((len(values) + 3 * theory) / 6) if lines != "layer" else 0.7
    alpha = min(BAND, 0.6 / len(values))  # many bands must not bury the lines
    figure = style.new_figure(max(2.2 * len(across) + 0.5, 3.8), 1.8 * len(down) + below)
    grid = figure.subplots(len(down), len(across), squeeze=False, sharex="col", sharey="row")
    for i, one in enumerate(down):
        of_row = frame[frame[spec.panels] == one]
        log = of_row["measure"].iloc[0] in spec.log
        top = cut_at(drawn(of_row)) if log and spec.x == "step" else math.inf
        for j, other in enumerate(across):
            axes = grid[i, j]
            panel = of_row[of_row[spec.columns] == other]
            if lines == "layer":
                looks = looks_of(lines, sorted(panel[lines].unique()), spec.looks)
            for value in values:
                line = panel[panel[lines] == value]
                if len(line):
                    marker = "o" if lines == "layer" else looks[value].marker
                    small: dict[str, Any] = {"markersize": 2.2, "linewidth": 1.1, "marker": marker}
                    small |= {"markevery": 1} if theory else {}
                    mark_cut(axes, line, spec.x, top, looks[value].colour)
                    line = line.assign(**{name: line[name].clip(upper=top) for name in ("mean", "low", "high")})
                    if "each" in line:
                        each_seed(axes, line, spec.x, looks[value], top)
                        line = line.assign(low=np.nan, high=np.nan)
                    draw_beside(axes, line, spec.x, looks[value], is_predicted(of_row), alpha, **small)
            if lines == "layer" and len(panel):
                start_of(axes, panel, spec.x)
            if i == 0:
                axes.set_title(f"{words(spec.columns)} {setting(other)}")
            if ticks:
                depth_axis(axes, ticks, spec.x)
            elif spec.x == "layer" and len(panel):
                layer_axis(axes, int(panel["layer"].max()), 4)
            else:
                axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.set_xlabel(about(spec.x).axis if i == len(down) - 1 else "")
        grid[i, 0].set_ylabel(spec.labels.get(one, title(one)))
        if log:
            log_scale(grid[i, 0], drawn(of_row).clip(upper=top))
        else:
            of_shares(grid[i, 0], str(of_row["measure"].iloc[0]))
    if lines == "layer":
        colours = style.sequence(range(3)).values()
        names = zip(("first layer", "middle", "last layer"), colours, strict=True)
        handles = [Line2D([], [], label=name, color=colour, linewidth=2) for name, colour in names]
        legend(figure, [*handles, Line2D([], [], label="where all layers begin", **START)], "")
        return figure
    ends = not theory or ("at" in frame and bool((frame["at"] == "final").any()))
    line_of: dict[str, Any] = {"markersize": 4, **({} if ends else {"linestyle": "none"})}
    handles = [Line2D([], [], label=line_label(lines, one), **{**style.line(looks[one]), **line_of}) for one in values]
    if theory:
        handles += keys_of_theory(ends)
    legend(figure, handles, "" if lines == "activation" else words(lines))
    return figure


START: dict[str, Any] = {"color": "#777777", "linewidth": 0.9, "linestyle": style.DASHES["dotted"]}


def start_of(axes: Axes, panel: pd.DataFrame, x: str) -> None:
    """Draw the value with which all layers of a panel begin, if it is one value."""
    first = panel.loc[panel[x] == panel[x].min(), "mean"].dropna()
    if len(first) and first.max() - first.min() <= 1e-6 * abs(first.max()):
        axes.axhline(float(first.iloc[0]), zorder=0.8, **START)


def scatter(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw, a panel for each measure, what was measured against what was predicted, and below it the deviations."""
    lines = spec.lines
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    others = values[MOST_NAMED:] if len(values) > MOST_NAMED + 1 else []
    looks |= {value: replace(looks[value], colour="#A6A6A6") for value in others}
    panels = [rows for _, rows in frame.groupby("measure", sort=False)]
    figure = style.new_figure(max(3.3 * len(panels), 4.6), 4.9 + 0.19 * math.ceil(len(values) / 6))
    grid = figure.subplots(2, len(panels), squeeze=False, sharex="col", height_ratios=(3, 1))
    for (above, below), rows in zip(grid.T, panels, strict=True):
        record = about(str(rows["measure"].iloc[0]))
        ends = [float(rows[["mean", spec.x]].min().min()), float(rows[["mean", spec.x]].max().max())]
        above.plot(ends, ends, color="#999999", linewidth=0.8, linestyle=style.DASHES["dashed"], marker="", zorder=0.5)
        below.axhspan(-2, 2, color="#000000", alpha=0.07, linewidth=0)
        below.axhline(0, color="#999999", linewidth=0.8, zorder=0.5)
        for value in [*others, *(value for value in values if value not in others)]:
            one = rows[rows[lines] == value]
            points(above, one, spec.x, looks[value])
            axes_of = {"color": looks[value].colour, "marker": looks[value].marker, "markersize": 3.0}
            below.plot(one[spec.x], one["deviation"], linestyle="none", **axes_of)
            far = one[one["deviation"].abs() > FAR]
            if value in others and len(far):
                last = far.loc[far["deviation"].abs().idxmax()]
                at = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 6.5}
                below.annotate(str(value), (last[spec.x], last["deviation"]), color="#555555", **at)
        above.set_title(record.words)
        below.set_xlabel(f"predicted [{record.unit}]" if record.unit else "predicted")
        spread_out(above, pd.concat([rows["mean"], rows[spec.x]]))
    grid[0, 0].set_ylabel("measured")
    grid[1, 0].set_ylabel("deviation [spreads]")
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
        more = f"{len(others)} others, named below where far off"
        handles.append(Line2D([], [], color="#A6A6A6", marker="o", linestyle="none", markersize=4, label=more))
    legend(figure, handles, "" if lines == "activation" else words(lines))
    return figure


KINDS: dict[str, Callable[[Spec, pd.DataFrame], Figure]] = {
    NAMED_LINES: named_lines,
    FACETS: facets,
    GRID: grid_of_lines,
    MAP: share_map,
    SCATTER: scatter,
    PROFILE: profile,
    TILES: tiles,
    RIDGES: ridges,
    DOTS: point_intervals,
}
