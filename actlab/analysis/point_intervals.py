"""Points with their intervals, one group for each depth, in it the activations beside one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from actlab.analysis import style
from actlab.analysis.accuracies import SAID, accuracy_scale, heights_of, is_accuracy
from actlab.analysis.axes import (
    CHANCE,
    chance,
    framed,
    is_predicted,
    line_label,
    looks_of,
    of_shares,
    upright,
)
from actlab.analysis.drawings import RANGED, SCALE, WHEN, Spec, in_order
from actlab.analysis.layout import number, records, setting, words
from actlab.analysis.legends import columns_of, legend
from actlab.analysis.looks import LineStyle
from actlab.analysis.maps import UNKNOWN
from actlab.analysis.of_trained import NONE_TRAINED, TRAINED
from actlab.analysis.reaches import padded, scales
from actlab.measures import DECADES_PER_LAYER, about

IN_ORDER = "at each, from left to right, in the order of the key"
BETWEEN = 0.25  # of a group's width is left free
BAND = "#F6F6F6"
PLACE = "place"
FEWEST_LAYERS = 3  # of a slope
STRIP = 0.09  # of a panel's height, below all values: what has none
LOST, MISSING = "all runs diverged", "no value"
NONE, PARTLY = "hollow: no run trained", "half filled: of those with a value"
SEEDS, RINGED = "one run each, where only some trained", "of those that trained"
RING: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 7.0, "markerfacecolor": "none"}
KEYS: Mapping[str, dict[str, Any]] = {
    "95 % interval": {"linewidth": 1.1},
    "range": {"linewidth": 1.1, "linestyle": style.DASHES["dotted"]},
    SEEDS: {"marker": "o", "linestyle": "none", "markersize": 2.2, "markeredgewidth": 0.0},
    NONE: {"marker": "o", "linestyle": "none", "markersize": 4.0, "markerfacecolor": "white"},
    PARTLY: {"marker": "o", "linestyle": "none", "markersize": 4.0, "fillstyle": "left"},
    RINGED: RING,
    LOST: {"marker": "x", "linestyle": "none", "markersize": 4.0},
    MISSING: {"marker": "_", "linestyle": "none", "markersize": 5.0},
    "chance": CHANCE,
}
"""What else the legend explains, of what occurs."""


def point_intervals(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw a panel for each measure and time: at each value of ``x`` a point and its interval for each of ``lines``."""
    values, groups = list(dict.fromkeys(frame[spec.lines])), in_order(frame[spec.x])
    looks = looks_of(spec.lines, values, spec.looks)
    panels = panels_of(frame)
    width = min(max(1.0 + len(groups) * (0.25 + 0.1 * len(values)), 4.6), style.WIDEST)
    figure = style.new_figure(width, 1.0)
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    seen: dict[str, Mapping[str, Any]] = {}
    for axes, rows in zip(grid, panels, strict=True):
        seen |= panel(axes, spec, rows, groups, looks)
    grid[-1].set_xticks(range(len(groups)), [setting(one) for one in groups])
    grid[-1].set_xlabel(f"{about(spec.x).axis} ({IN_ORDER})" if len(values) > 1 else about(spec.x).axis)
    handles = [
        Line2D(
            [],
            [],
            color=look.colour,
            marker=look.marker or "o",
            markersize=4,
            ls="none",
            label=line_label(spec.lines, one),
        )
        for one, look in looks.items()
    ]
    order = {key: look for key, look in KEYS.items() if key in seen} | seen
    handles += [Line2D([], [], **({"color": "#555555"} | {**look}), label=key) for key, look in order.items()]
    rows_of_key = math.ceil(len(handles) / columns_of([str(one.get_label()) for one in handles], width))
    figure.set_figheight(2.0 * len(panels) + (1.0 if len(panels) == 1 else 0.0) + 0.75 + 0.165 * rows_of_key)
    legend(figure, handles, "" if spec.lines == "activation" else words(spec.lines), rows_of_key)
    return figure


def panel(
    axes: Axes, spec: Spec, frame: pd.DataFrame, groups: list[Any], looks: Mapping[Any, LineStyle]
) -> dict[str, Mapping[str, Any]]:
    """Draw one panel; return what of it a key must say: ``KEYS`` that occur, and frames."""
    measure = str(frame["measure"].iloc[0])
    step, order = (1 - BETWEEN) / len(looks), list(looks)
    within = (np.array([order.index(one) for one in frame[spec.lines]]) - (len(order) - 1) / 2) * step
    frame = frame.assign(**{PLACE: np.array([groups.index(one) for one in frame[spec.x]]) + within})
    seen = {"chance"} if chance(axes, frame) else set()
    keys: dict[str, Mapping[str, Any]] = {}
    nowhere: list[tuple[float, str, LineStyle]] = []
    if is_accuracy(measure):
        accuracy_scale(axes, heights_of(frame))
    for row in records(frame):
        look, x = looks[row[spec.lines]], row[PLACE]
        runs = [float(text) for text in str(row.get("seeds") or "").split()]
        if runs:
            axes.plot(
                [x] * len(runs), runs, color=look.colour, alpha=0.8, **KEYS[SEEDS] | {"marker": look.marker or "o"}
            )
            seen.add(SEEDS)
        if np.isfinite(row["mean"]) and (not runs or row.get(TRAINED)):
            seen |= point(axes, x, row, look)
        elif not runs:
            nowhere.append((x, LOST if row["diverged"] and row["diverged"] == row["runs"] else MISSING, look))
    for value, look in looks.items():
        keys |= framed(axes, frame[frame[spec.lines] == value], PLACE, look.colour)
    for i in set(range(len(groups))) - {groups.index(one) for one in frame[spec.x]}:
        text = why_no_points(measure, spec.x, groups[i])
        look_of: dict[str, Any] = {"color": "#555555", "fontsize": 7, "ha": "center", "va": "center"}
        look_of["bbox"] = {"facecolor": BAND if i % 2 else "white", "edgecolor": "none", "pad": 0.5}
        axes.text(i, 0.5, text, transform=axes.get_xaxis_transform(), **look_of)
    for i in range(1, len(groups), 2):
        axes.axvspan(i - 0.5, i + 0.5, color=BAND, linewidth=0, zorder=0)
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.grid(False, axis="x")
    if not is_accuracy(measure):
        of_shares(axes, measure)
    if about(measure).unit == DECADES_PER_LAYER:
        axes.axhline(0, color="#999999", linewidth=0.8, zorder=0.5)
    axes.set_ylabel(upright(measure) + (f"\n({SAID})" if is_accuracy(measure) else ""))
    if "at" in frame:
        axes.set_title(WHEN.get(str(frame["at"].iloc[0]), ""))
    if nowhere:
        strip(axes, nowhere)
        seen |= {why for _, why, _ in nowhere}
    return {key: look for key, look in KEYS.items() if key in seen} | keys


def strip(axes: Axes, nowhere: Sequence[tuple[float, str, LineStyle]]) -> None:
    """Add a strip below an axis, and mark in it what has no value, as a key says why."""
    scale = axes.yaxis.get_transform()
    low, high = scale.transform(np.array(axes.get_ylim(), dtype=float))
    below, middle = scale.inverted().transform(low - np.array([1.0, 0.5]) * STRIP * (high - low))
    ends = axes.get_ylim()
    axes.axhspan(below, ends[0], color=UNKNOWN, linewidth=0, zorder=0.4)
    for x, why, look in nowhere:
        axes.plot([x], [middle], color=look.colour, **KEYS[why])
    axes.set_ylim(below, ends[1])
    axes.set_yticks([tick for tick in axes.get_yticks() if ends[0] <= tick <= ends[1]])


def point(axes: Axes, x: float, row: Mapping[str, Any], look: LineStyle) -> set[str]:
    """Draw an estimate with its interval, or range; hollow where no run trained. Return what occurs."""
    seen = set()
    if np.isfinite(row["low"]):
        key = "range" if row[RANGED] else "95 % interval"
        axes.plot([x, x], [row["low"], row["high"]], color=look.colour, marker="", **KEYS[key])
        seen.add(key)
    key = NONE if row.get(NONE_TRAINED) else PARTLY if row["diverged"] + row["missing"] > 0 else ""
    face = {name: KEYS[key][name] for name in ("markerfacecolor", "fillstyle") if name in KEYS.get(key, {})}
    axes.plot([x], [row["mean"]], color=look.colour, marker=look.marker or "o", markersize=4.0, **face)
    if row.get(TRAINED):
        axes.plot([x], [row["mean"]], color=look.colour, **RING)
        seen.add(RINGED)
    return seen | ({key} if key else set())


UNFILLED = "x+|_1234"  # markers that are all edge
CAP = 7.0
"""Points: how tall the ends of an interval are: where its marker would hide them they are seen all the same."""
NARROW = 1.5
"""Points: a shade that is narrower is not seen behind the stroke of what is predicted."""
NO_THEORY = "no theory"
SHORT = (0, (2, 1))  # dashes of which there are several in the height of a row: one alone would look solid
STROKE: dict[str, Any] = {"color": "#444444", "linewidth": 1.0, "linestyle": SHORT, "zorder": 1.5}
SPREAD: dict[str, Any] = {"color": "#000000", "alpha": 0.08, "linewidth": 0}


def dot(axes: Axes, row: Mapping[str, Any], place: int, look: LineStyle, theory: bool) -> None:
    """Draw an estimate as a dot with its interval, and behind it an upright stroke where it is predicted."""
    if theory and np.isfinite(row["predicted"]):
        ends = [row["predicted_low"], row["predicted_high"]]
        axes.fill_betweenx([place - 0.35, place + 0.35], *ends, **SPREAD)
        axes.plot([row["predicted"]] * 2, [place - 0.42, place + 0.42], marker="", **STROKE)
    if np.isfinite(row["low"]):
        dash = style.DASHES["dotted" if row[RANGED] else "solid"]
        axes.plot([row["low"], row["high"]], [place] * 2, color=look.colour, linewidth=1.2, linestyle=dash, marker="")
        caps: dict[str, Any] = {"marker": "|", "markersize": CAP, "markeredgewidth": 0.8, "linestyle": "none"}
        axes.plot([row["low"], row["high"]], [place] * 2, color=look.colour, **caps)
    edge: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4} if look.marker not in UNFILLED else {}
    axes.plot([row["mean"]], [place], marker=look.marker, color=look.colour, markersize=4.5, zorder=3, **edge)
    if row.get(TRAINED):
        axes.plot([row["mean"]], [place], color=look.colour, **RING)


def say_beside(axes: Axes, row: Mapping[str, Any], place: float, text: str) -> None:
    """Write a text to the right of an estimate, or to the left where it lies at the right end of its axis."""
    ends = [row[name] for name in ("low", "mean", "high") if np.isfinite(row[name])]
    low, high = axes.get_xlim()
    left = max(ends) > low + 0.8 * (high - low)
    look: dict[str, Any] = {"color": "#555555", "fontsize": 7, "va": "center", "ha": "right" if left else "left"}
    where: dict[str, Any] = {"xytext": (-6 if left else 6, 0), "textcoords": "offset points"}
    axes.annotate(text, (min(ends) if left else max(ends), place), **where, **look)


def why_empty(rows: pd.DataFrame) -> str:
    """Say why there is no dot in a row.

    >>> why_empty(pd.DataFrame([{"runs": 5, "diverged": 0, "missing": 5}])), why_empty(pd.DataFrame())
    ('undefined: a norm is 0 or not finite (5 of 5 runs)', 'not run')
    """
    if rows.empty:
        return "not run"
    lost = {name: int(rows[name].sum()) for name in ("diverged", "missing")}
    word = "diverged" if lost["diverged"] > lost["missing"] else "undefined: a norm is 0 or not finite"
    return f"{word} ({max(lost.values())} of {int(rows['runs'].sum())} runs)"


def why_no_line(panel: pd.DataFrame) -> str:
    """Say in a panel without a line why there is none.

    >>> why_no_line(pd.DataFrame({"n": [0, 3], "runs": 20})).replace(chr(10), " ")
    'not drawn: at most 3 of 20 have a value'
    """
    most = int(panel["n"].max())
    return f"not drawn: at most {most} of\n{panel['runs'].max():.0f} have a value" if most else "no value"


def why_no_points(measure: str, x: str, value: Any) -> str:
    """Say where a group has no points why: no slope is there where fewer than three layers are.

    >>> why_no_points("vanishing_slope", "depth", 2), why_no_points("test_accuracy", "depth", 2)
    ('a slope takes\\ndepth 3 or more', 'no value')
    """
    shallow = about(measure).unit == DECADES_PER_LAYER and x == "depth" and value < FEWEST_LAYERS
    return f"a slope takes\ndepth {FEWEST_LAYERS} or more" if shallow else "no value"


def beyond(row: Mapping[str, Any], above: bool) -> str:
    """Write an estimate that lies beyond the axis, with an arrow to the side where it does.

    >>> beyond({"mean": -2.34, "low": -2.36, "high": -2.31, "predicted": -2.23}, False)
    '◂ −2.34 [−2.36, −2.31], predicted −2.23'
    """
    text = number(row["mean"])
    text += f" [{number(row['low'])}, {number(row['high'])}]" if np.isfinite(row["low"]) else ""
    theory = row.get("predicted", np.nan)
    text += f", predicted {number(theory)}" if np.isfinite(theory) else f", {NO_THEORY}" * ("predicted" in row)
    return f"{text} ▸" if above else f"◂ {text}"


def say(axes: Axes, place: float, text: str, right: bool = False) -> None:
    """Write a text into a row without a dot."""
    look: dict[str, Any] = {"color": "#555555", "fontsize": 7, "va": "center", "ha": "right" if right else "left"}
    look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    axes.text(0.98 if right else 0.02, place, text, transform=axes.get_yaxis_transform(), **look)


def shades(rows: pd.DataFrame, axes: Axes) -> float:
    """Take how wide the narrowest shade about a prediction is, of the width of its panel."""
    if not {"predicted_low", "predicted_high"} <= set(rows):
        return math.inf
    low, high = axes.get_xlim()
    return float((rows["predicted_high"] - rows["predicted_low"]).min() / (high - low))


def panels_of(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Split the rows by measure, and by time where there are several."""
    by = ["measure", *(["at"] if "at" in frame else [])]
    return [rows for _, rows in frame.groupby(by, sort=False)]


def dots(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw, where depth does not vary, a row for each value of ``lines``, a dot and its interval."""
    lines, panels = spec.lines, panels_of(frame)
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    # Titles, axis and key stand about the rows, which have room for a dot and its shade however few they are.
    figure = style.new_figure(min(2.0 + 3.2 * len(panels), style.WIDEST), 1.65 + max(0.24 * len(values), 0.4))
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True, sharex=frame["measure"].nunique() == 1)[0]
    reaches = [(str(rows["measure"].iloc[0]), *scales(rows, lines)) for rows in panels]
    for axes, rows, (measure, far, _) in zip(grid, panels, reaches, strict=True):
        slopes = about(measure).unit == DECADES_PER_LAYER
        low, high = padded([(0.0, 0.0)] * slopes + [ends for name, _, ends in reaches if name == measure])
        if high > low and (slopes or SCALE[0] in rows or any(some for name, some, _ in reaches if name == measure)):
            axes.set_xlim(low, high)
        for place, value in enumerate(values):
            of_value = rows[rows[lines] == value]
            known = bool(of_value["mean"].notna().any())
            if known and value not in far:
                for row in records(of_value):
                    dot(axes, row, place, looks[value], is_predicted(rows))
                    if is_predicted(rows) and not np.isfinite(row["predicted"]):
                        say_beside(axes, row, place, NO_THEORY)
            else:
                above = known and float(of_value["mean"].iloc[0]) > high
                say(axes, place, beyond(of_value.iloc[0], above) if known else why_empty(of_value), above)
        if slopes:
            axes.axvline(0, color="#999999", linewidth=0.8, zorder=0.5)
        axes.set_xlabel(about(measure).axis)
        if "at" in rows:
            axes.set_title(WHEN.get(str(rows["at"].iloc[0]), ""))
    grid[0].set_yticks(range(len(values)), [line_label(lines, value) for value in values])
    grid[0].set_ylim(len(values) - 0.5, -0.5)
    handles: list[Any] = []
    if is_predicted(frame):
        handles += [Line2D([], [], color="#444444", marker="o", linewidth=1.2, label="measured, with its interval")]
        room = 72 * (figure.get_size_inches()[0] - 1.4) / len(panels)  # points, about
        narrow = any(room * shades(of, axes) < NARROW for of, axes in zip(panels, grid, strict=True))
        text = "±2 standard errors" + ", where wider than that line" * narrow
        handles += [Line2D([], [], label="predicted", **STROKE), Patch(label=text, **SPREAD)]
    if TRAINED in frame and (frame[TRAINED].fillna("") != "").any():
        handles.append(Line2D([], [], color="#444444", label=f"ringed: {RINGED}", **RING))
    legend(figure, handles, "")
    return figure
