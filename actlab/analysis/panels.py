"""Drawing: from a table of estimates to a figure. Nothing here computes a statistic.

Every function takes a long frame with ``mean``, ``low`` and ``high`` and draws what it holds. NaN leaves a gap.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from actlab.analysis import style
from actlab.analysis.layout import records, setting, words
from actlab.analysis.style import LineStyle
from actlab.measures import DECADES_A_LAYER, about

BAND = 0.16
MARKED = 8  # a longer line has no markers


def label(name: str) -> str:
    """An axis label for a measure or a setting."""
    return about(name).axis


def title(text: str) -> str:
    """A panel's title: parameters on a line of their own.

    >>> title("leaky_relu(negative_slope=0.2)")
    'leaky_relu\\n(negative_slope=0.2)'
    """
    return text.replace("(", "\n(", 1) if len(text) > 18 else text


def looks_of(column: str, values: Sequence[Any]) -> dict[Any, LineStyle]:
    """A look for each value of the column that tells lines apart: an activation's own, or one by order."""
    if column == "activation":
        return {value: style.look(str(value)) for value in values}
    if all(isinstance(value, int | float | np.number) for value in values):
        colours = style.sequence(values)
        return {value: LineStyle(colours[value], style.MARKERS[i % 14], style.SOLID) for i, value in enumerate(values)}
    named = list(style.LOOKS.values())
    return {value: named[i % 11] for i, value in enumerate(values)}


def curve(
    axes: Axes, rows: pd.DataFrame, x: str, look: LineStyle, band: bool = True, alpha: float = BAND, **line: Any
) -> Line2D:
    """One line with its interval as a band; markers only where there are few points."""
    order = np.argsort(rows[x].to_numpy(float), kind="stable")
    at, mean, low, high = (rows[name].to_numpy(float)[order] for name in (x, "mean", "low", "high"))
    settings = {**look.line, **line}
    if len(at) > MARKED:
        settings["marker"] = ""
    if band and np.isfinite(low).any():
        if len(at) > 1:
            shade(axes, at, low, high, color=look.colour, alpha=alpha)
        else:
            axes.vlines(at, low, high, color=look.colour, linewidth=1.0)
    (drawn,) = axes.plot(at, mean, **settings)
    return drawn


def shade(axes: Axes, at: np.ndarray, low: np.ndarray, high: np.ndarray, **band: Any) -> None:
    """A band between two curves, with a gap where either is not known.

    ``Axes.fill_between`` draws the same, and finds the limits of all axes that share one anew each time.
    """
    known = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    stretches = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    corners = [
        np.column_stack([np.concatenate([at[i], at[i][::-1]]), np.concatenate([low[i], high[i][::-1]])])
        for i in stretches
    ]
    axes.add_collection(PolyCollection(corners, linewidth=0, **band), autolim=False)
    axes.update_datalim(np.concatenate(corners))


def log_scale(axes: Axes, values: pd.Series, decades: float = 1.0) -> None:
    """A log y axis with few labels, at least so many ``decades`` high: what hardly differs must look so."""
    positive = values[(values > 0) & np.isfinite(values)]
    axes.set_yscale("log")
    if positive.empty:
        return
    low, high = math.log10(positive.min()), math.log10(positive.max())
    pad = max((decades - (high - low)) / 2, 0.05 * (high - low))
    low, high = max(low - pad, -300.0), min(high + pad, 300.0)
    axes.set_ylim(10.0**low, 10.0**high)
    near = high - low <= 2
    axes.yaxis.set_major_locator(LogLocator(numticks=6, subs=(1.0, 2.0, 5.0) if near else (1.0,)))
    if near and low > -3 and high < 4:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def depth_axis(axes: Axes, depths: Sequence[float], name: str = "depth") -> None:
    """A log axis for depths, ticked at the depths themselves; those too close to a neighbour are not labelled."""
    if len(depths) > 1 and min(depths) > 0 and max(depths) / min(depths) >= 4:
        axes.set_xscale("log")
    texts, last = [], -math.inf
    for depth in depths:
        place = math.log(depth) if axes.get_xscale() == "log" else depth
        span = (
            (math.log(max(depths)) - math.log(min(depths))) if axes.get_xscale() == "log" else max(depths) - min(depths)
        )
        texts.append(f"{depth:g}" if span == 0 or place - last > 0.05 * span else "")
        last = place if texts[-1] else last
    axes.set_xticks(list(depths), texts)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label(name))


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Push heights apart until neighbours differ by ``gap``, moving each as little as may be.

    >>> [round(h, 2) for h in spread([0.5, 0.5, 0.9], 0.1)]
    [0.45, 0.55, 0.9]
    """
    order = np.argsort(heights, kind="stable")
    groups: list[list[float]] = []  # centre, number: neighbours that touch move as one
    for i in order:
        groups.append([heights[i], 1])
        while len(groups) > 1:
            (a, m), (b, n) = groups[-2:]
            if b - a >= gap * (m + n) / 2 - 1e-12:
                break
            groups[-2:] = [[(a * m + b * n) / (m + n), m + n]]
    placed = [centre + gap * (k - (number - 1) / 2) for centre, number in groups for k in range(int(number))]
    out = [0.0] * len(heights)
    for place, i in zip(placed, order, strict=True):
        out[i] = place
    return out


def name_lines(axes: Axes, ends: Mapping[str, tuple[float, str]]) -> None:
    """Write each line's name at the right of the panel, at the height where it ends, without overlap."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        scaled = [(math.log(y) - math.log(low)) / (math.log(high) - math.log(low)) for y, _ in ends.values()]
    else:
        scaled = [(y - low) / (high - low) for y, _ in ends.values()]
    height = axes.get_window_extent().height / axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    for (name, (_, colour)), y, was in zip(ends.items(), spread(scaled, 0.145 / height), scaled, strict=True):
        axes.plot([1.005, 1.03], [was, y], transform=axes.transAxes, color=colour, linewidth=0.6, clip_on=False)
        axes.text(1.035, y, name, transform=axes.transAxes, color=colour, va="center", fontsize=7.5)


def against_depth(frame: pd.DataFrame, lines: str, x: str = "depth", log: bool = False) -> Figure:
    """A measure against depth, one named line for each value of ``lines``; a panel for each ``measure`` and ``at``."""
    panels = [(str(m), rows) for m, rows in frame.groupby(["measure", *(["at"] if "at" in frame else [])], sort=False)]
    if frame[x].nunique() < 2:
        return dots(frame, lines)
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values)
    longest = max(len(str(value)) for value in values)
    width = 4.6 + 0.062 * longest
    figure = style.new_figure(min(width * len(panels), 12.5), max(3.4, 0.17 * len(values) + 0.9))
    shared = frame.groupby("measure").ngroups == 1
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=shared)[0]
    for axes, (_, rows) in zip(grid, panels, strict=True):
        measure = str(rows["measure"].iloc[0])
        ends = {}
        for value in values:
            line = rows[rows[lines] == value]
            if line["mean"].notna().any():
                curve(axes, line, x, looks[value], True, min(BAND, 0.9 / len(values)))
                last = line.sort_values(x)["mean"].dropna().iloc[-1]
                ends[setting(value) if lines != "activation" else str(value)] = (float(last), looks[value].colour)
        depth_axis(axes, sorted(frame[x].unique()), x)
        if axes is grid[0] or not shared:
            axes.set_ylabel(label(measure))
        if about(measure).unit == DECADES_A_LAYER:
            axes.axhline(0, color="#999999", linewidth=0.8, zorder=0.5)
        if about(measure).range == (0.0, 1.0):  # an interval may reach beyond what there is
            low, high = axes.get_ylim()
            axes.set_ylim(max(low, -0.03), min(high, 1.03))
        if log:
            log_scale(axes, frame["mean"])
        if "at" in rows:
            axes.set_title({"init": "at init", "final": "at the end"}.get(str(rows["at"].iloc[0]), ""))
        if ends and axes is grid[-1]:
            style.lay_out(figure)  # positions are known only then
            name_lines(axes, ends)
    return figure


def dots(frame: pd.DataFrame, lines: str) -> Figure:
    """Where depth does not vary: one row for each value of ``lines``, a dot and its interval."""
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values)
    panels = list(frame.groupby(["measure", *(["at"] if "at" in frame else [])], sort=False))
    figure = style.new_figure(2.0 + 3.2 * len(panels), 0.9 + 0.24 * len(values))
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True, sharex=frame["measure"].nunique() == 1)[0]
    for axes, (_, rows) in zip(grid, panels, strict=True):
        for place, value in enumerate(values):
            for _, row in rows[rows[lines] == value].iterrows():
                if np.isfinite(row["low"]):
                    axes.plot([row["low"], row["high"]], [place, place], color=looks[value].colour, linewidth=1.2)
                axes.plot([row["mean"]], [place], marker=looks[value].marker, color=looks[value].colour)
        axes.set_xlabel(label(str(rows["measure"].iloc[0])))
        if "at" in rows:
            axes.set_title({"init": "at init", "final": "at the end"}.get(str(rows["at"].iloc[0]), ""))
    grid[0].set_yticks(range(len(values)), [setting(v) if lines != "activation" else str(v) for v in values])
    grid[0].set_ylim(len(values) - 0.5, -0.5)
    return figure


def by_activation(frame: pd.DataFrame, facet: str, x: str = "layer", lines: str = "depth", log: bool = False) -> Figure:
    """Small multiples, one a value of ``facet``: a measure against ``x``, one line for each value of ``lines``.

    Where the frame has ``at``, the end is a solid line with its interval and init a dashed one without. On a log axis
    each panel has its own range: one vanishing gradient would flatten all others.
    """
    facets = list(dict.fromkeys(frame[facet]))
    colours = style.sequence(frame[lines].unique())
    rows, columns = arrangement(len(facets))
    figure = style.new_figure(max(2.15 * columns + 0.5, 4.2), 1.75 * rows + 0.75)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=not log)
    for axes, value in zip(grid.flat, facets, strict=False):
        panel = frame[frame[facet] == value]
        for name, line in panel.groupby(lines):
            look = LineStyle(colours[name], "o" if line[x].nunique() == 1 else "", style.SOLID)
            if "at" in line:
                curve(axes, line[line["at"] == "init"], x, look, False, linewidth=1.0, linestyle=style.DASHED)
                line = line[line["at"] == "final"]
            curve(axes, line, x, look, linewidth=1.2)
        axes.set_title(title(str(value) if facet == "activation" else f"{words(facet)} {setting(value)}"))
        if log:
            log_scale(axes, panel["mean"], 3.0)
    if not log:
        grid.flat[0].set_ylim(-0.02, max(0.1, 1.1 * float(frame[["mean", "high"]].max().max())))
    grid.flat[0].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    name_edges(grid, len(facets), label(x), label(str(frame["measure"].iloc[0])))
    handles = [Line2D([], [], color=colour, label=f"{value:g}", linewidth=2) for value, colour in colours.items()]
    if "at" in frame:
        for name, dash in (("at the end", style.SOLID), ("at init", style.DASHED)):
            handles.append(Line2D([], [], color="#444444", label=name, linestyle=dash))
    legend(figure, handles, words(lines))
    return figure


def arrangement(number: int) -> tuple[int, int]:
    """Rows and columns for so many panels: at most five columns, as few gaps as may be.

    >>> arrangement(3), arrangement(6), arrangement(10), arrangement(11)
    ((1, 3), (2, 3), (2, 5), (3, 4))
    """
    if number <= 5:
        return 1, number
    columns = min((5, 4, 3) if number <= 9 else (5, 4), key=lambda n: (-number % n, -n))
    return math.ceil(number / columns), columns


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


def grid_of_lines(
    frame: pd.DataFrame,
    rows: str,
    columns: str,
    x: str,
    lines: str,
    log: Callable[[Any], bool] = lambda _: False,
    row_label: Callable[[Any], str] = lambda value: label(str(value)),
) -> Figure:
    """A grid of panels, ``rows`` by ``columns``, in each a measure against ``x``, one line for each value of ``lines``.

    Layers are coloured by their place in the network, from the input (dark) to the output (light).
    """
    down, across = list(dict.fromkeys(frame[rows])), list(dict.fromkeys(frame[columns]))
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values)
    below = 0.5 + 0.19 * math.ceil(len(values) / 6) if lines != "layer" else 0.7
    alpha = min(BAND, 0.6 / len(values))  # many bands must not bury the lines
    figure = style.new_figure(max(2.2 * len(across) + 0.5, 3.8), 1.8 * len(down) + below)
    grid = figure.subplots(len(down), len(across), squeeze=False, sharex="col", sharey="row")
    for i, one in enumerate(down):
        of_row = frame[frame[rows] == one]
        for j, other in enumerate(across):
            axes = grid[i, j]
            panel = of_row[of_row[columns] == other]
            if lines == "layer":
                looks = looks_of(lines, sorted(panel[lines].unique()))
            for value in values:
                line = panel[panel[lines] == value]
                if len(line):
                    marker = "" if lines == "layer" else looks[value].marker
                    curve(axes, line, x, looks[value], True, alpha, markersize=2.2, linewidth=1.1, marker=marker)
            if i == 0:
                axes.set_title(f"{words(columns)} {setting(other)}")
            if i == len(down) - 1:
                axes.set_xlabel(label(x))
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        grid[i, 0].set_ylabel(row_label(one))
        if log(one):
            log_scale(grid[i, 0], of_row["mean"])
    if lines == "layer":
        ends = style.sequence(range(3))
        names = dict(zip(("first layer", "middle", "last layer"), ends.values(), strict=True))
        handles = [Line2D([], [], label=name, color=colour, linewidth=2) for name, colour in names.items()]
        legend(figure, handles, "")
        return figure
    told = {value: str(value) if isinstance(value, str) else f"{value:g}" for value in values}
    handles = [Line2D([], [], label=told[value], **{**looks[value].line, "markersize": 4}) for value in values]
    legend(figure, handles, "" if lines == "activation" else words(lines))
    return figure


def legend(figure: Figure, handles: Sequence[Line2D], name: str) -> None:
    """One legend for the whole figure, below it, as wide as the figure."""
    if not handles:
        return
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(len(handles), int(figure.get_size_inches()[0] / (0.45 + 0.068 * longest))))
    figure.legend(
        handles=list(handles), loc="outside lower center", ncols=columns, title=name or None, title_fontsize=8
    )


def heat_maps(frame: pd.DataFrame, facet: str, x: str = "learning_rate", y: str = "depth") -> Figure:
    """Shares over two settings, one map for each value of ``facet``; diverged runs are told in the cell."""
    facets = list(dict.fromkeys(frame[facet]))
    across, down = sorted(frame[x].unique()), sorted(frame[y].unique())
    rows, columns = arrangement(len(facets))
    wide, tall = max(0.62 * len(across), 1.2), max(0.3 * len(down), 0.6)
    figure = style.new_figure((wide + 0.45) * columns + 0.9, (tall + 0.65) * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    top = max(float(frame["mean"].max()), 0.2)
    for axes, value in zip(grid.flat, facets, strict=False):
        heat_map(axes, frame[frame[facet] == value], x, y, across, down, top)
        axes.set_title(title(str(value)))
    name_edges(grid, len(facets), label(x), label(y))
    return figure


def share_map(frame: pd.DataFrame, lines: str, x: str = "depth") -> Figure:
    """Shares as one map: a row for each value of ``lines``, a column for each depth."""
    down, across = list(dict.fromkeys(frame[lines]))[::-1], sorted(frame[x].unique())
    longest = max(len(str(value)) for value in down)
    figure = style.new_figure(1.0 + 0.065 * longest + 0.62 * len(across), 0.8 + 0.24 * len(down))
    axes = figure.subplots()
    heat_map(axes, frame, x, lines, across, down, 1.0, "Blues")
    axes.set_xlabel(label(x))
    return figure


def heat_map(
    axes: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    across: Sequence[Any],
    down: Sequence[Any],
    top: float,
    colours: str = "YlOrBr",
) -> None:
    """A map of ``mean`` from 0 to ``top``, every cell with its number."""
    cells = {(row[y], row[x]): row for row in records(frame)}
    shade = np.full((len(down), len(across)), np.nan)
    for i, j in np.ndindex(shade.shape):
        cell = cells.get((down[i], across[j]))
        if cell is None:
            continue
        shade[i, j] = cell["mean"]
        text = "" if math.isnan(cell["mean"]) else f"{cell['mean']:.2f}".removeprefix("0")
        text += f"\n{cell['diverged']:g} div." if cell["diverged"] else ""
        ink = "white" if cell["mean"] > 0.6 * top else "#222222"
        axes.text(j, i, text.strip(), ha="center", va="center", fontsize=6.5, color=ink, linespacing=0.9)
    edges = [np.arange(len(side) + 1) - 0.5 for side in (across, down)]
    shown = np.ma.masked_invalid(shade)
    axes.pcolormesh(*edges, shown, cmap=colours, vmin=0, vmax=top, edgecolors="white", linewidth=0.5, alpha=0.9)
    axes.set_xticks(range(len(across)), [setting(one) for one in across])
    axes.set_yticks(range(len(down)), [setting(one) for one in down])
    axes.grid(False)
    axes.tick_params(length=0)
