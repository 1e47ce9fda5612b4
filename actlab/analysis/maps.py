"""Maps: a shade for each pair of two settings, or of layer and step; one scale for all maps of a measure."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from actlab.analysis import style
from actlab.analysis.axes import arrangement, line_label, name_edges
from actlab.analysis.drawings import GREYED, Spec, in_order
from actlab.analysis.layout import records, setting
from actlab.measures import LOG10, about

UNKNOWN = "#E3E3E3"
MOST_NUMBERS = 60  # cells of a map that have their number in them
MOST_TICKS = 9
SHADES = {"trained": "Blues", "test_accuracy": "Greens", "test_loss": "Purples"}
OF_UNITS, OF_NORMS = "YlOrBr", "viridis"


def heat_map(
    axes: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    across: Sequence[Any],
    down: Sequence[Any],
    top: float,
    colours: str = OF_UNITS,
) -> None:
    """Draw a map of ``mean`` from 0 to ``top``, every cell with its number; grey where the frame says so."""
    cells = {(row[y], row[x]): row for row in records(frame)}
    shade = np.full((len(down), len(across)), np.nan)
    for i, j in np.ndindex(shade.shape):
        cell = cells.get((down[i], across[j]))
        if cell is None:
            continue
        grey = bool(cell.get(GREYED, False))
        shade[i, j] = math.nan if grey else cell["mean"]
        if grey:
            axes.axvspan(j - 0.5, j + 0.5, (i) / len(down), (i + 1) / len(down), color=UNKNOWN, linewidth=0)
        text = "" if math.isnan(cell["mean"]) else f"{cell['mean']:.2f}".removeprefix("0")
        text += f"\n{cell['diverged']:g} div." if cell["diverged"] else ""
        ink = "#888888" if grey else "white" if cell["mean"] > 0.6 * top else "#222222"
        axes.text(j, i, text.strip(), ha="center", va="center", fontsize=6.5, color=ink, linespacing=0.9)
    edges = [np.arange(len(side) + 1) - 0.5 for side in (across, down)]
    known = np.ma.masked_invalid(shade)
    axes.pcolormesh(*edges, known, cmap=colours, vmin=0, vmax=top, edgecolors="white", linewidth=0.5, alpha=0.9)
    axes.set_xticks(range(len(across)), [setting(one) for one in across])
    axes.set_yticks(range(len(down)), [setting(one) for one in down])
    axes.grid(False)
    axes.tick_params(length=0)


def heat_maps(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw shares over two settings, one map for each value of ``panels``; diverged runs are counted in the cell."""
    values = list(dict.fromkeys(frame[spec.panels]))
    across, down = in_order(frame[spec.x]), in_order(frame[spec.lines])
    rows, columns = arrangement(len(values))
    wide, tall = max(0.62 * len(across), 1.2), max(0.3 * len(down), 0.6)
    heads = [textwrap.fill(str(value), max(int(wide * 12), 16)) for value in values]
    lines = max(head.count("\n") for head in heads)
    figure = style.new_figure((wide + 0.45) * columns + 0.9, (tall + 0.65 + 0.13 * lines) * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, value, head in zip(grid.flat, values, heads, strict=False):
        heat_map(axes, frame[frame[spec.panels] == value], spec.x, spec.lines, across, down, 1.0)
        axes.set_title(head)
    name_edges(grid, len(values), about(spec.x).axis, about(spec.lines).axis)
    return figure


def share_map(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw shares as one map: a row for each value of ``lines``, a column for each of ``x``."""
    down, across = list(dict.fromkeys(frame[spec.lines]))[::-1], in_order(frame[spec.x])
    longest = max(len(str(value)) for value in down)
    figure = style.new_figure(1.0 + 0.065 * longest + 0.62 * len(across), 0.8 + 0.24 * len(down))
    axes = figure.subplots()
    heat_map(axes, frame, spec.x, spec.lines, across, down, 1.0, SHADES["trained"])
    axes.set_xlabel(about(spec.x).axis)
    return figure


def tiles(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw for each value of ``panels`` the maps of all measures side by side, with numbers where there is room.

    Shares have the scale from 0 to 1, and measures of ``log`` one in decades, which stands below where there are no
    numbers; what is not known is grey.
    """
    values, measures = list(dict.fromkeys(frame[spec.panels])), list(dict.fromkeys(frame["measure"]))
    sides = {name: (in_order(of[spec.x]), in_order(of[spec.lines])) for name, of in frame.groupby("measure")}
    numbers = not spec.log and max(len(across) * len(down) for across, down in sides.values()) <= MOST_NUMBERS
    beside = 2 if len(values) > 4 else 1
    rows = math.ceil(len(values) / beside)
    wide = max(0.3 * max(len(across) for across, _ in sides.values()), 1.8) if numbers else 2.7
    tall = max(0.2 * max(len(down) for _, down in sides.values()), 1.0) if numbers else 1.5
    columns = beside * len(measures)
    figure = style.new_figure(columns * (wide + 0.35) + 0.5, rows * (tall + 0.4) + (0.5 if numbers else 1.2))
    grid = figure.subplots(rows, columns, squeeze=False)
    scales = {name: scale(spec, frame[frame["measure"] == name]) for name in measures}
    for i, j in np.ndindex(rows, columns):
        place, measure = i * beside + j // len(measures), measures[j % len(measures)]
        axes: Any = grid[i, j]
        if place >= len(values):
            axes.set_visible(False)
            continue
        there = frame[(frame[spec.panels] == values[place]) & (frame["measure"] == measure)]
        tile(axes, spec, there, sides[measure], scales[measure], numbers)
        head = line_label(spec.panels, values[place])
        head = head if len(measures) == 1 else f"{head}: {about(measure).words}"
        axes.set_title(textwrap.fill(head, int(wide * 14)), fontsize=7.5)
        if place + beside >= len(values):
            axes.set_xlabel(about(spec.x).axis)
        if j == 0:
            axes.set_ylabel(about(spec.lines).axis)
    for j, name in enumerate(measures * beside) if not numbers else ():
        bar = figure.colorbar(scales[name], ax=list(grid[:, j]), location="bottom", **BAR)
        bar.set_label(about(name).axis, fontsize=7.5)
        if name in spec.log:
            bar.ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$10^{{{y:.0f}}}$"))
    return figure


BAR: Mapping[str, Any] = {"fraction": 0.05, "aspect": 30, "shrink": 0.9, "pad": 0.02}


def scale(spec: Spec, frame: pd.DataFrame) -> ScalarMappable:
    """Choose the one scale of all maps of a measure."""
    name = str(frame["measure"].iloc[0])
    heights = shades(spec, frame)
    heights = heights[np.isfinite(heights)]
    known = (float(heights.min()), float(heights.max())) if len(heights) else (0.0, 1.0)
    share = about(name).range == (0.0, 1.0)
    colours = SHADES.get(name, OF_NORMS if name in spec.log else OF_UNITS)
    return ScalarMappable(Normalize(*((0.0, 1.0) if share else known)), colours)


def shades(spec: Spec, frame: pd.DataFrame) -> pd.Series:
    """Take what a map shades: log10 of measures that have an axis of decades."""
    if str(frame["measure"].iloc[0]) not in spec.log:
        return frame["mean"]
    log10 = np.log10(frame["mean"].where(frame["mean"] > 0))
    return frame[LOG10 + "mean"].fillna(log10) if LOG10 + "mean" in frame else log10


def tile(
    axes: Axes,
    spec: Spec,
    frame: pd.DataFrame,
    sides: tuple[Sequence[Any], Sequence[Any]],
    scale: ScalarMappable,
    numbers: bool,
) -> None:
    """Draw one of many maps."""
    across, down = sides
    shade = np.full((len(down), len(across)), np.nan)
    if len(frame):
        heights = shades(spec, frame)
        places = [down.index(one) for one in frame[spec.lines]], [across.index(one) for one in frame[spec.x]]
        shade[places] = heights
    axes.set_facecolor(UNKNOWN)
    edges = [np.arange(len(side) + 1) - 0.5 for side in (across, down)]
    low, high = scale.get_clim()
    assert low is not None  # scales are made with both ends
    assert high is not None
    look: dict[str, Any] = {"edgecolors": "white", "linewidth": 0.4} if numbers else {}
    axes.pcolormesh(*edges, np.ma.masked_invalid(shade), cmap=scale.cmap, vmin=low, vmax=high, **look)
    for i, j in np.argwhere(np.isfinite(shade)) if numbers else ():
        dark = low + 0.6 * (high - low) < shade[i, j]
        ink = "white" if dark else "#222222"
        text = f"{shade[i, j]:.2f}".removeprefix("0").replace("-", "−")
        axes.text(j, i, text, ha="center", va="center", fontsize=5.5, color=ink)
    known = shade[np.isfinite(shade)]
    if not numbers and len(known) and not known.any() and about(str(frame["measure"].iloc[0])).range == (0.0, 1.0):
        axes.text(0.5, 0.5, "0 throughout", transform=axes.transAxes, ha="center", va="center", color="#777777")
    for axis, side in ((axes.xaxis, across), (axes.yaxis, down)):
        at = range(len(side)) if numbers else round_places(side)
        axis.set_ticks(at, [short(side[i]) for i in at])
    axes.tick_params(length=0, labelsize=6)
    axes.grid(False)


def round_places(side: Sequence[Any], most: int = MOST_TICKS) -> list[int]:
    """Choose the places to tick: the first, and the multiples of the least round number of which there are few enough.

    >>> [list(range(1, 31))[i] for i in round_places(range(1, 31))], round_places(["a", "b"])
    ([1, 5, 10, 15, 20, 25, 30], [0, 1])
    >>> [range(0, 1001, 25)[i] for i in round_places(range(0, 1001, 25))]
    [0, 200, 400, 600, 800, 1000]
    """
    if len(side) <= most or isinstance(side[0], str):
        return list(range(0, len(side), math.ceil(len(side) / most)))
    for step in (k * 10**n for n in range(12) for k in (1, 2, 5)):
        at = [i for i, one in enumerate(side) if one % step == 0]
        if 2 < len(at) < most:
            return at if side[0] % step == 0 else [0, *(i for i in at if i > 1)]
    return list(range(0, len(side), math.ceil(len(side) / most)))


def short(value: Any) -> str:
    """Write a setting with few letters.

    >>> short(0.00003), short(0.1), short(20)
    ('3e−5', '0.1', '20')
    """
    text = setting(value)
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        digits, power = f"{value:.0e}".split("e")
        return f"{digits}e−{abs(int(power))}" if float(f"{value:.0e}") == value else text
    return text
