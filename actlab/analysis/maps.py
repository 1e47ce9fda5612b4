"""Maps: a shade for each pair of two settings, or of layer and step; one scale for all maps of a measure.

Every mark has one meaning in all of them, and a key says those that occur: blank is not in the grid, hatched diverged,
dotted without a value, crossed begins with a dead layer, faded is what fewer than half of the runs are left of, not
filled is of networks that did not train, and framed the selected rate. A picture is no wider than a page, so that its
letters keep their size there.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

from actlab.analysis import style
from actlab.analysis.axes import line_label, name_edges
from actlab.analysis.drawings import OF_THEM, Spec, in_order
from actlab.analysis.layout import records, setting
from actlab.analysis.legends import columns_of, legend
from actlab.analysis.map_marks import (
    EDGE,
    HATCHES,
    OVERLAYS,
    READ_ON_HATCHES,
    counts,
    hatched,
    keys,
    lost,
    marks,
    pale,
    written,
)
from actlab.analysis.maps_of_layers import (
    DECADES,
    SPANNED,
    WIDE_DECADE,
    decades,
    named_zero,
    places_of,
    say_in_corner,
    zero_throughout,
)
from actlab.analysis.of_trained import of_how_many
from actlab.analysis.reaches import far_out
from actlab.measures import LOG10, about

UNKNOWN = "#D9D9D9"
INK = "#222222"
PAGE = style.WIDEST
LETTERS = 7.0  # points, at least, on such a page
LETTER = 0.0084  # inches that a letter is wide, for each point of its size
CELL, WIDE = 0.159, 0.34  # inches: a cell is at least and at most so wide
ROW, TWO_LINES = 0.2, 0.215  # inches: a row of one line, or of two
MOST_ACROSS, MOST_DOWN = 20, 24  # cells of a map that have their number in them
MOST_TICKS = 9
ROUND_A_MAP = 1.0  # inches: title, axis and key of the one map of a picture
INSIDE = 0.05  # of the width of what a frame is about: how far inside it runs
SHADES = {"trained": "Blues", "test_accuracy": "Greens", "test_loss": "Purples"}
OF_UNITS, OF_NORMS = "YlOrBr", "viridis"
END = {True: "min", False: "neither"}
BAR: Mapping[str, Any] = {"location": "bottom", "fraction": 0.05, "aspect": 30, "shrink": 0.9, "pad": 0.02}


@dataclass(frozen=True)
class MapStyle:
    """How the maps of a picture are drawn.

    Attributes:
        scales: {measure: its one scale}.
        numbers: whether cells have their number in them.
        two_lines: whether some have how many runs are left below it.
        cell: inches that a cell is wide.
    """

    scales: Mapping[str, ScalarMappable]
    numbers: bool
    two_lines: bool
    cell: float

    def size(self, across: Sequence[Any], down: Sequence[Any]) -> tuple[float, float]:
        """Return width and height of a map in inches."""
        if not self.numbers:
            return 2.75, 1.5
        return self.cell * len(across), max((TWO_LINES if self.two_lines else ROW) * len(down), 0.5)


def share_map(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw shares as one map: a row for each value of ``lines``, a column for each of ``x``."""
    down, across = list(dict.fromkeys(frame[spec.lines]))[::-1], in_order(frame[spec.x])
    longest = max(len(str(value)) for value in down)
    look = look_of(spec, frame, len(across), len(down), 0.42)
    wide, tall = look.size(across, down)
    figure = style.new_figure(0.4 + LETTER * LETTERS * longest + wide, ROUND_A_MAP + tall)
    axes = figure.subplots()
    occurring = tile(axes, spec, frame, (across, down), look)
    axes.set_xlabel(about(spec.x).axis)
    legend(figure, keys(occurring, frame), "")
    return figure


def look_of(spec: Spec, frame: pd.DataFrame, across: int, down: int, cell: float = CELL) -> MapStyle:
    """Choose the look of all maps of a picture: numbers where there is room for them."""
    scales = {str(name): scale(spec, of) for name, of in frame.groupby("measure", sort=False)}
    numbers = not spec.log and across <= MOST_ACROSS and down <= MOST_DOWN
    left = frame.loc[lost(frame) & (frame["n"] < frame["runs"]), "n"]
    two_digits = numbers and bool((left > 9).any())  # "(17)" is wider than ".93"
    wide = two_digits or (OF_THEM in frame and frame[OF_THEM].notna().any())  # as is "1/3"
    return MapStyle(scales, numbers, numbers and bool((left > 0).any()), max(cell, 0.23) if wide else cell)


def tiles(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw for each value of ``panels`` the maps of all measures side by side, with numbers where there is room.

    Shares have the scale from 0 to 1, and measures of ``log`` one in decades, which stands below where there are no
    numbers.
    """
    values, measures = list(dict.fromkeys(frame[spec.panels])), list(dict.fromkeys(frame["measure"]))
    sides, own = sides_of(spec, frame)
    look = look_of(spec, frame, *(max(len(side[i]) for side in sides.values()) for i in (0, 1)))
    wide, tall = (max(sizes) for sizes in zip(*(look.size(*side) for side in sides.values()), strict=True))
    tall += 0.14 * own
    room, gap = PAGE - 0.42, 0.05
    each = places_of(spec, frame, values, measures, look.numbers)
    measures, values = (list(dict.fromkeys(one[i] for one in each)) for i in (1, 0))
    across = max(int(room // (wide + gap)) // len(measures), 1)  # of all maps of a value, where there are all
    whole = len(each) == len(values) * len(measures)
    rows = math.ceil(len(values) / across) if whole else math.ceil(len(each) / (across * len(measures)))
    beside = math.ceil(len(values) / rows) if whole else across
    columns = beside * len(measures)
    most = max(len(across) for across, _ in sides.values())
    look = replace(look, cell=max(look.cell, min(WIDE, (room / columns - gap) / most)))
    wide = look.cell * most if look.numbers else wide
    heads = {(value, name): head_of(spec, value, name, measures, whole and look.numbers) for value, name in each}
    letters = max(int(max(wide, 1.0) / (LETTER * 7.5)), 12)
    for value, name in each if not look.numbers else ():
        heads[value, name] += f" ({of_how_many(frame[(frame[spec.panels] == value) & (frame['measure'] == name)])})"
    heads = {at: "\n".join(textwrap.wrap(text, letters)) for at, text in heads.items()}
    high = tall + 0.12 + 0.125 * max(text.count("\n") + 1 for text in heads.values())
    high += 0.0 if look.numbers else 0.18
    figure = style.new_figure(max(columns * (wide + gap) + 0.42, 3.6), rows * high + 1.2)
    engine = figure.get_layout_engine()
    if look.numbers and isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.02, wspace=0.0)
    grid = figure.subplots(rows, columns, squeeze=False)
    occurring: set[str] = set()
    axes: Any
    for place, (axes, (value, measure)) in enumerate(zip(grid.flat, each, strict=False)):
        there = frame[(frame[spec.panels] == value) & (frame["measure"] == measure)]
        occurring |= tile(axes, spec, there, sides[value, measure], look)
        axes.set_title(heads[value, measure], fontsize=7.5)
        if look.numbers:  # every map has the same axes
            axes.tick_params(labelleft=place % columns == 0, labelbottom=own)
    name_edges(grid, len(each), about(spec.x).axis, about(spec.lines).axis)
    for j, name in enumerate(measures * (beside if whole else 1)) if not look.numbers else ():
        heights, low = shades(spec, frame[frame["measure"] == name]), look.scales[name].get_clim()[0] or 0.0
        bar = figure.colorbar(look.scales[name], ax=list(grid[:, j]), extend=END[bool((heights < low).any())], **BAR)
        bar.set_label(about(name).axis, fontsize=7.5)
        if name in spec.log:
            low, high = look.scales[name].get_clim()
            bar.ax.xaxis.set_major_locator(FixedLocator([one for one in DECADES if low <= one <= high]))
            bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$10^{{{y:.0f}}}$"))
    zero = named_zero(spec, [one for one in zero_throughout(spec, frame) if one not in each])
    if zero and len(each) < grid.size and not look.numbers:
        say_in_corner(grid.flat[len(each)], [str(one.get_label()) for one in zero])
        zero = []
    handles = [*keys(occurring, frame), *zero]
    if look.numbers:  # two lines of a cell need all the height that a map is to have
        lines = math.ceil(len(handles) / columns_of([str(one.get_label()) for one in handles], figure.get_figwidth()))
        figure.set_figheight(rows * high + 0.6 + 0.18 * lines)
    legend(figure, handles, "")
    return figure


def sides_of(spec: Spec, frame: pd.DataFrame) -> tuple[dict[tuple[Any, str], tuple[list[Any], list[Any]]], bool]:
    """List the columns and the rows of each map, by what it is of and its measure.

    All have the same; but where a quarter of their columns or more would be blank each has columns of its own.

    Returns:
        {(value of ``panels``, measure): columns, rows}, and whether the columns are each map's own.
    """
    of_measure = {str(name): (in_order(of[spec.x]), in_order(of[spec.lines])) for name, of in frame.groupby("measure")}
    by: Any = frame.groupby([spec.panels, "measure"], sort=False)
    each = {(value, str(name)): in_order(of[spec.x]) for (value, name), of in by}
    blank = sum(1 - len(across) / len(of_measure[name][0]) for (_, name), across in each.items())
    own = 4 * blank >= len(each)
    pairs = [(value, name) for value in dict.fromkeys(frame[spec.panels]) for name in of_measure]
    return {at: (each.get(at, []) if own else of_measure[at[1]][0], of_measure[at[1]][1]) for at in pairs}, own


def head_of(spec: Spec, value: Any, measure: str, measures: Sequence[str], beside: bool) -> str:
    """Write what a map is of; of one that stands ``beside`` that of the first measure what it adds to it."""
    head = line_label(spec.panels, value)
    if beside and measure in spec.labels and measure != measures[0]:
        return spec.labels[measure]
    return head if len(measures) == 1 else f"{head}: {about(measure).words}"


def scale(spec: Spec, frame: pd.DataFrame) -> ScalarMappable:
    """Choose the one scale of all maps of a measure; that of norms leaves out a few that fall far below all others."""
    name = str(frame["measure"].iloc[0])
    heights = shades(spec, frame)
    heights = heights[np.isfinite(heights)]
    if name in spec.log:
        far = far_out({value: shades(spec, of) for value, of in frame.groupby(spec.panels, sort=False)})
        near = heights[~frame.loc[heights.index, spec.panels].isin(far)]
        heights = near if len(near) else heights
    known = (float(heights.min()), float(heights.max())) if len(heights) else (0.0, 1.0)
    share = about(name).range == (0.0, 1.0)
    colours = SHADES.get(name, OF_NORMS if name in spec.log else OF_UNITS)
    if name in spec.log:  # decades: a network that loses twenty of them must not make all others one shade
        return ScalarMappable(AsinhNorm(WIDE_DECADE, *known), colours)
    return ScalarMappable(Normalize(*((0.0, 1.0) if share else known)), colours)


def shades(spec: Spec, frame: pd.DataFrame) -> pd.Series:
    """Take what a map shades: log10 of measures that have an axis of decades."""
    if frame.empty or str(frame["measure"].iloc[0]) not in spec.log:
        return frame["mean"]
    log10 = np.log10(frame["mean"].where(frame["mean"] > 0))
    return frame[LOG10 + "mean"].fillna(log10) if LOG10 + "mean" in frame else log10


def tile(
    axes: Axes, spec: Spec, frame: pd.DataFrame, sides: tuple[Sequence[Any], Sequence[Any]], look: MapStyle
) -> set[str]:
    """Draw one map.

    Returns:
        which marks it has that a key must say.
    """
    across, down = sides
    occurring: set[str] = set()
    shade = np.full((len(down), len(across)), np.nan)
    overlaid: dict[str, list[Rectangle]] = {mark: [] for mark in OVERLAYS}
    colours = next(iter(look.scales.values())) if frame.empty else look.scales[str(frame["measure"].iloc[0])]
    low, high = colours.get_clim()
    assert low is not None  # scales are made with both ends
    assert high is not None
    share = not frame.empty and about(str(frame["measure"].iloc[0])).range == (0.0, 1.0)
    for cell, height in zip(records(frame), shades(spec, frame), strict=True):
        i, j = down.index(cell[spec.lines]), across.index(cell[spec.x])
        here = set(marks(cell, height)) - (
            set() if look.numbers else {"none trained"}
        )  # the head of such a map says it
        if not look.numbers and "lost" in here:  # nothing but a pattern has room
            here = here - {"lost"} | (set() if "faint" in here else {"some"})
            overlaid["faint" if "faint" in here else "some"].append(box(i, j))
        occurring |= here
        if hatch := next((one for one in HATCHES if one in here), ""):
            axes.add_patch(box(i, j, **hatched(hatch)))
        else:
            shade[i, j] = height
        if look.numbers and np.isfinite(height):
            plain = here & {"born dead", "none trained"}
            shown_in = colours.cmap(colours.norm(height))
            face = "none" if plain else pale(shown_in) if "faint" in here else shown_in
            axes.add_patch(box(i, j, facecolor=face, edgecolor=EDGE, linewidth=0.4))
            dark = not plain and "faint" not in here and low + 0.55 * (high - low) < height
            text = (counts(cell) or written(height, share)) + f"\n({cell['n']:g})" * ("lost" in here)
            occurring |= ({"counts"} if counts(cell) else {"percent"}) if share else set()
            ink: dict[str, Any] = {"color": "white" if dark else INK, **(READ_ON_HATCHES if hatch else {})}
            axes.text(j, i, text, ha="center", va="center", fontsize=LETTERS, linespacing=0.95, zorder=5, **ink)
        if "framed" in here:  # the dark lines above all light ones: of neighbours none rubs out another's
            for light, width, above in (("white", 2.4, 4.0), ("black", 1.2, 4.5)):
                frame_of = {"facecolor": "none", "edgecolor": light, "linewidth": width, "zorder": above}
                axes.add_patch(box(i, j, INSIDE, **frame_of))
    known = shade[np.isfinite(shade)]
    for mark, drawn in OVERLAYS.items():
        if overlaid[mark]:
            axes.add_collection(PatchCollection(overlaid[mark], **drawn, linewidth=0, zorder=2))
    if not look.numbers:
        edges = [np.arange(len(side) + 1) - 0.5 for side in (across, down)]
        # Without a line about them cells would leave seams where a renderer softens their edges.
        shown: dict[str, Any] = {"cmap": colours.cmap, "norm": colours.norm, "linewidth": 0.3}
        axes.pcolormesh(*edges, np.ma.masked_invalid(shade), edgecolors="face", **shown)
        if isinstance(colours.norm, AsinhNorm) and len(known) and np.ptp(known) > SPANNED:
            decades(axes, shade)
        if len(known) and not known.any() and share:
            axes.text(0.5, 0.5, "0 throughout", transform=axes.transAxes, ha="center", va="center", color="#777777")
    axes.set_xlim(-0.5, len(across) - 0.5)
    axes.set_ylim(-0.5, len(down) - 0.5)
    for axis, side in ((axes.xaxis, across), (axes.yaxis, down)):
        at = fitting(side, look.cell) if look.numbers and axis is axes.xaxis else range(len(side))
        at = at if look.numbers else round_places(side)
        axis.set_ticks(at, [short(side[i]) for i in at])
    axes.tick_params(length=0, labelsize=LETTERS)
    axes.grid(False)
    return occurring


def box(i: int, j: int, inside: float = 0.0, **look: Any) -> Rectangle:
    """Make the box of a cell, or one a little inside of it."""
    return Rectangle((j - 0.5 + inside, i - 0.5 + inside), 1 - 2 * inside, 1 - 2 * inside, **look)


def fitting(side: Sequence[Any], cell: float) -> list[int]:
    """Choose the places to tick that have room for their texts: all, or every second, third, ..."""
    widest = max(len(short(one)) for one in side) * LETTER * LETTERS + 0.04
    return list(range(0, len(side), math.ceil(widest / cell)))


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

    >>> short(0.00003), short(0.1), short(20), short(1 / 3)
    ('3e−5', '.1', '20', '.333')
    """
    text = setting(value)
    if isinstance(value, float) and 0 < abs(value) < 0.001:
        digits, power = f"{value:.2g}".split("e") if "e" in f"{value:.2g}" else f"{value:.0e}".split("e")
        return f"{digits}e−{abs(int(power))}"
    if isinstance(value, float) and 0 < abs(value) < 1:
        return f"{value:.3g}".replace("0.", ".", 1).replace("-", "−")
    return text
