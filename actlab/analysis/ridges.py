"""Histograms of layers one above the other: how values lie at initialisation, and at the end of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from actlab.analysis import style
from actlab.analysis.axes import arrangement, looks_of, name_edges, panel_title
from actlab.analysis.axis_scales import in_one_notation
from actlab.analysis.binned import CUT, GAP, SAID, Axis, axis_of, beyond, keys_of
from actlab.analysis.drawings import Spec
from actlab.analysis.layout import records, setting
from actlab.analysis.legends import legend
from actlab.analysis.of_trained import of_how_many
from actlab.measures import about

TALL = 0.9  # of a row is the highest bin
ROW = 0.2  # inches
PAD = 0.02  # of the axis, beyond either end of it: what piles up in an outermost bin stands free of the frame
BEFORE = "#C4C4C4"
STRIP = "#EFEFEF"
MOST_TICKS = 7
PERCENT: dict[str, Any] = {"fontsize": 7, "color": "#444444", "va": "bottom"}


def ridges(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw a panel for each value of ``panels``, in it a row for each layer: grey at init, in colour at the end.

    Args:
        spec: what is drawn.
        frame: shares of one measure.
    """
    values = list(dict.fromkeys(frame[spec.panels]))
    looks = looks_of(spec.panels, values, spec.looks)
    layers = sorted(frame[spec.lines].unique())
    axis, measure = axis_of(frame), str(frame["measure"].iloc[0])
    rows, columns = arrangement(len(values), 3)
    figure = style.new_figure(
        min(max(2.35 * columns + 0.5, 4.4), style.WIDEST), (ROW * len(layers) + 0.55) * rows + 0.7
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    said = bool((share_at_zero(frame, axis) >= SAID).any())
    for axes, value in zip(grid.flat, values, strict=False):
        ridge(axes, frame[frame[spec.panels] == value], layers, axis, looks[value].colour, said)
        axes.set_title("\n".join([panel_title(spec.panels, value), runs_of(frame[frame[spec.panels] == value])]))
    scale(grid.flat[0], axis, layers)
    name_edges(grid, len(values), about(measure).axis, about(spec.lines).axis)
    cut = bool((beyond(frame, axis)[["below", "above"]] >= CUT).any(axis=None))
    legend(figure, [*KEYS, *([CUT_KEY] if cut else []), *([zero_key(axis)] if said else [])], "")
    return figure


def runs_of(panel: pd.DataFrame) -> str:
    """Say of how many runs the rows of a panel are, of which those at the end may be others.

    >>> rows = pd.DataFrame({"at": ["init", "final"], "n": [3, 1], "of_trained": ["", "1 of 3 trained"]})
    >>> runs_of(rows), runs_of(rows.assign(of_trained="")), runs_of(rows.assign(n=3, of_trained=""))
    ('3 runs; end: 1 of 3 trained', '3 runs; end: 1 of 3 runs', '3 runs')
    """
    panel = panel.assign(runs=panel["n"].max())
    texts = [of_how_many(panel[panel["at"] == at]) for at in ("init", "final") if (panel["at"] == at).any()]
    return f"{texts[0]}; end: {texts[-1]}" if len(set(texts)) > 1 else texts[0]


KEYS = (
    Line2D([], [], color=BEFORE, linewidth=6, label="at initialisation"),
    Line2D([], [], color="#333333", linewidth=1.2, label="at the end"),
)

BEYOND: Mapping[str, dict[str, Any]] = {
    "init": {"color": "#8C8C8C", "markersize": 3.2},
    "final": {"markersize": 3.2, "markeredgecolor": "#333333", "markeredgewidth": 0.3},
}
CUT_KEY = Line2D([], [], linestyle="none", marker=">", color="#555555", label=f"{100 * CUT:g} % or more lie beyond")


def zero_key(axis: Axis) -> Line2D:
    """Say what the numbers beside the rows are."""
    what = "exactly 0" if math.isnan(axis.inner) else f"nearer to 0 than {in_one_notation([10.0**axis.inner])[0]}"
    return Line2D([], [], linestyle="none", label=f"right: % {what}, init → end")


def ridge(axes: Axes, frame: pd.DataFrame, layers: Sequence[Any], axis: Axis, colour: str, said: bool) -> None:
    """Draw the rows of one panel, each outline as high as any other: heights are of densities along the axis."""
    shown = np.flatnonzero((axis.right > axis.left) & (axis.left >= axis.low - 1e-6) & (axis.right <= axis.high + 1e-6))
    shown = shown[np.argsort(axis.left[shown], kind="stable")]
    negative = shown[axis.right[shown] < 0] if not math.isnan(axis.inner) else shown[:0]
    for at, look in (("init", {"fill": True, "color": BEFORE, "linewidth": 0}), ("final", {"color": colour})):
        for row, layer in enumerate(layers):
            here = frame[(frame["layer"] == layer) & (frame["at"] == at)]
            share = np.zeros(len(axis.left))
            share[here["bin"]] = here["mean"]
            with np.errstate(invalid="ignore", divide="ignore"):
                height = share / (axis.right - axis.left)
            if not (top := np.nanmax(height[shown], initial=0.0)):
                continue
            height *= TALL / top
            for side in (negative, np.setdiff1d(shown, negative)):
                side = side[np.argsort(axis.left[side], kind="stable")]
                outline(axes, row, axis.left[side], axis.right[side], height[side], look)
    for part in records(beyond(frame, axis)):
        place = layers.index(part["layer"]) + (0.5 if part["at"] == "init" else 0.18)
        for end, x, marker in (("below", 0.01, "<"), ("above", 0.99, ">")):
            if part[end] >= CUT:
                mark: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none", "zorder": 4} | BEYOND[
                    part["at"]
                ]
                axes.plot([x], [place], transform=axes.get_yaxis_transform(), **mark)
    if said:
        for row, layer in enumerate(layers):
            texts = []
            for at in ("init", "final"):
                here = frame[(frame["layer"] == layer) & (frame["at"] == at)]
                near = here["mean"][np.isnan(axis.left[here["bin"]])].sum()
                texts += [f"{100 * near:.0f}"] if len(here) else []
            axes.text(1.01, row + 0.1, " → ".join(texts), transform=axes.get_yaxis_transform(), **PERCENT)
    if not math.isnan(axis.inner):
        axes.axvspan(-GAP, GAP, color=STRIP, linewidth=0, zorder=0)
    pad = PAD * (axis.high - axis.low)
    axes.set_xlim(axis.low - pad, axis.high + pad)
    axes.set_ylim(-0.08, len(layers))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def outline(
    axes: Axes, row: int, left: np.ndarray, right: np.ndarray, height: np.ndarray, look: dict[str, Any]
) -> None:
    """Draw the steps of neighbouring bins upon a row, from the first that holds something to the last."""
    there = np.flatnonzero(height > 0)
    if not len(there):
        return
    part = slice(there[0], there[-1] + 1)
    edges = np.append(left[part], right[there[-1]])
    axes.stairs(row + height[part], edges, baseline=row, **{"linewidth": 0.9} | look)
    if "fill" not in look:
        axes.stairs(row + height[part], edges, baseline=row, fill=True, linewidth=0, alpha=0.18, **look)


def share_at_zero(frame: pd.DataFrame, axis: Axis) -> pd.Series:
    """Take the share of each bin that the axis does not tell from 0, summed by row of the picture."""
    inside = frame["mean"].where(np.isnan(axis.left[frame["bin"]]), 0.0)
    return inside.groupby([frame[name] for name in keys_of(frame)], dropna=False).sum()


def scale(axes: Axes, axis: Axis, layers: Sequence[Any]) -> None:
    """Tick decades, and the layers at their rows."""
    axes.set_yticks([row + 0.25 for row in range(len(layers))], [setting(layer) for layer in layers])
    if math.isnan(axis.inner):
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"$10^{{{x:.0f}}}$"))
        return
    most = math.floor(max(axis.high, -axis.low) + axis.inner - GAP + 1e-6)
    decades = range(int(axis.inner) + 1, most + 1)
    both = axis.low < -GAP
    each = max(math.ceil((axis.high - axis.low) / MOST_TICKS), 1)
    shown = [k for k in decades if k % each == 0]
    values = [0.0, *(10.0**k for k in shown), *(-(10.0**k) for k in shown if both)]
    places = [0.0 if value == 0 else axis.place(value) for value in values]
    inside = [i for i, x in enumerate(places) if axis.low - 1e-6 <= x <= axis.high + 1e-6]
    axes.set_xticks([places[i] for i in inside], in_one_notation([values[i] for i in inside]))
    between = [sign * axis.place(10.0**k) for k in decades for sign in (-1, 1)[not both :]]
    axes.set_xticks([x for x in between if axis.low - 1e-6 <= x <= axis.high + 1e-6], minor=True)
