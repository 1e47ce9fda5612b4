"""What was measured against what was predicted of it, and below it how far apart they are."""

import math
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from actlab.analysis import style
from actlab.analysis.axes import drawn, legend, line_label, looks_of, points, spread_out
from actlab.analysis.drawings import Spec
from actlab.analysis.layout import words
from actlab.measures import about

MOST_NAMED = 11  # in a legend of points: the story's
FAR, MOST_FAR = 3.0, 2  # standard errors, and how many are named


def scatter(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw, a panel for each measure, what was measured against what was predicted, and below it the deviations."""
    lines = spec.lines
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    others = values[MOST_NAMED:] if len(values) > MOST_NAMED + 1 else []
    looks |= {value: replace(looks[value], colour="#A6A6A6") for value in others}
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
        farthest = set(worst.nlargest(MOST_FAR).index)
        for value in [*others, *(value for value in values if value not in others)]:
            one = rows[rows[lines] == value]
            points(above, one, spec.x, looks[value])
            axes_of = {"color": looks[value].colour, "marker": looks[value].marker, "markersize": 3.0}
            below.plot(one[spec.x], one["standard_errors"], linestyle="none", **axes_of)
            far = one[one["standard_errors"].abs() > FAR]
            if value in farthest and len(far):
                last = far.loc[far["standard_errors"].abs().idxmax()]
                at = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 7}
                below.annotate(str(value), (last[spec.x], last["standard_errors"]), color="#555555", **at)
        above.set_title(record.words)
        below.set_xlabel(f"predicted [{record.unit}]" if record.unit else "predicted")
        spread_out(above, drawn(rows))
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
        more = f"{len(others)} others, named where farthest off"
        handles.append(Line2D([], [], color="#A6A6A6", marker="o", linestyle="none", markersize=4, label=more))
    legend(figure, handles, "" if lines == "activation" else words(lines))
    return figure
