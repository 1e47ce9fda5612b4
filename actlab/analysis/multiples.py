"""Small multiples against depth: a panel for each activation, in one scale but for those that would press all flat."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from actlab.analysis import style
from actlab.analysis.axes import (
    AT_END,
    arrangement,
    curve,
    is_predicted,
    looks_of,
    name_edges,
    panel_title,
    points,
    predicted,
    width_of,
)
from actlab.analysis.axis_scales import depth_axis
from actlab.analysis.deviations import reaches_not
from actlab.analysis.drawings import Spec
from actlab.analysis.legends import keys_of_theory, keys_of_times, legend
from actlab.analysis.looks import LineStyle
from actlab.analysis.of_trained import partly, untrained
from actlab.analysis.point_intervals import NO_THEORY, RING, RINGED, dots
from actlab.analysis.point_marks import half_filled, key_of_ranges
from actlab.analysis.reaches import padded, scales
from actlab.measures import DECADES_PER_LAYER, about

OWN = "own scale"
DOTTED: dict[str, Any] = {"marker": "o", "markersize": 3, "linestyle": style.DASHES["dotted"]}
UNTRAINED = "diamond: at the end, where no run trained"
DIAMOND: dict[str, Any] = {"marker": "D", "linestyle": "none", "markersize": 6.0, "markerfacecolor": "none"}
OWN_GROUND = "#F4F4F4"


def small_multiples(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw a panel for each value of ``panels``: at init points, what is predicted dashed, at the end a line.

    Where ``x`` does not vary, rows with dots are drawn instead.
    """
    x, panels, measure = spec.x, spec.panels, str(frame["measure"].iloc[0])
    if frame[x].nunique() < 2:
        return dots(spec, frame)
    values = list(dict.fromkeys(frame[panels]))
    looks = looks_of(panels, values, spec.looks)
    far, span = scales(frame, panels)
    low, high = padded([(0.0, 0.0), span])
    ends, theory = at_the_end(frame), is_predicted(frame)
    rows, columns = arrangement(len(values))
    figure = style.new_figure(width_of(rows, columns, 2.1), 1.45 * rows + 0.8)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    keys: dict[str, dict[str, Any]] = {}
    for i, value in enumerate(values):
        axes, panel = grid.flat[i], frame[frame[panels] == value]
        one_panel(axes, panel, x, looks[value])
        if theory and not is_predicted(panel):
            axes.text(0.98, 0.04, NO_THEORY, transform=axes.transAxes, ha="right", fontsize=7, color="#555555")
        keys |= {f"ringed: {RINGED}": {"color": "#444444", **RING}} if partly(panel).any() else {}
        keys |= {UNTRAINED: {"color": "#444444", **DIAMOND}} if untrained(panel).any() else {}
        for part, marker in ((of_init(panel), "o"), (of_end(panel), AT_END)):
            keys |= half_filled(axes, part, x, LineStyle(looks[value].colour, marker), 3.4)
        if about(measure).unit == DECADES_PER_LAYER:
            axes.axhline(0, color="#999999", linewidth=0.8, zorder=0.5)
        name = panel_title(panels, value)
        axes.set_title(f"{name} ({OWN})" if value in far else name)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        if value not in far:
            axes.set_ylim(low, high)
        own_or_shared(axes, value, far, values[i - i % columns : i])
        depth_axis(axes, sorted(frame[x].unique()), x)
        axes.set_xlabel("")
    name_edges(grid, len(values), about(x).axis, "")
    keys |= key_of_ranges(figure) if theory else {}
    figure.supylabel(about(measure).axis, fontsize=8)
    end = {"marker": AT_END, "markersize": 3.2}
    handles = keys_of_theory(ends, end, some=reaches_not(frame)) if theory else keys_of_times(end, DOTTED)[not ends :]
    legend(figure, [*handles, *(Line2D([], [], label=text, **look) for text, look in keys.items())], "")
    return figure


def own_or_shared(axes: Axes, value: Any, far: Container[Any], before: Iterable[Any]) -> None:
    """Set a panel apart that has a scale of its own; label the shared one once a row, at its first panel.

    Args:
        axes: the panel.
        value: what it is of.
        far: of which the panels have scales of their own.
        before: what the panels to its left are of.
    """
    if value in far:
        axes.set_facecolor(OWN_GROUND)
    axes.tick_params(labelleft=value in far or all(one in far for one in before))


def one_panel(axes: Axes, panel: pd.DataFrame, x: str, look: LineStyle) -> None:
    """Draw one panel; at the end rings mark what is of those runs alone that trained, diamonds that none did."""
    init, end = of_init(panel), of_end(panel)
    if len(end):
        curve(axes, end, x, LineStyle(look.colour, AT_END), linewidth=1.5, markersize=3.2)
        for some, mark in ((end[partly(end)], RING), (end[untrained(end)], DIAMOND)):
            axes.plot(some[x], some["mean"], color=look.colour, **mark)
    if is_predicted(panel):
        predicted(axes, init, x, look.colour)
    elif len(init):
        curve(axes, init, x, LineStyle(look.colour, ""), False, linewidth=0.8, linestyle=DOTTED["linestyle"])
    points(axes, init, x, LineStyle(look.colour, "o"), 3.0)


def of_init(panel: pd.DataFrame) -> pd.DataFrame:
    """Take what is of initialisation, or of no time."""
    return panel[panel["at"] == "init"] if "at" in panel else panel


def of_end(panel: pd.DataFrame) -> pd.DataFrame:
    """Take what is of the end of training."""
    return panel[panel["at"] == "final"] if "at" in panel else panel[:0]


def at_the_end(frame: pd.DataFrame) -> bool:
    """Whether a frame has the end of training."""
    return "at" in frame and bool((frame["at"] == "final").any())
