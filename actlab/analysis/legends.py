"""Legends: one below a figure, as wide as it, that grows with its rows and not at the cost of the panels."""

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from actlab.analysis import style
from actlab.analysis.axes import START

HANDLE, BETWEEN, ROW = 0.31, 0.21, 0.165
"""Inches: of a key without its text, between two columns, and a row."""
PLANNED = 2
"""Rows that a figure has room for as it is made."""


def legend(figure: Figure, handles: Sequence[Artist], name: str, planned: int = PLANNED) -> None:
    """Add one legend for the whole figure, below it, as wide as the figure, which grows by what it has no room for.

    Args:
        figure: all but laid out.
        handles: what is explained.
        name: of the legend; empty for none.
        planned: how many rows the figure has room for.
    """
    if not handles:
        return
    columns = columns_of([str(handle.get_label()) for handle in handles], float(figure.get_size_inches()[0]))
    place: dict[str, Any] = {"loc": "outside lower center", "title": name or None, "title_fontsize": 8}
    figure.legend(handles=list(handles), ncols=columns, **place)
    figure.set_figheight(figure.get_figheight() + ROW * max(ceil(len(handles) / columns) - planned, 0))


def columns_of(labels: Sequence[str], room: float) -> int:
    """Choose the columns of a legend: as many as there is room for, in inches.

    >>> columns_of(["relu", "tanh"], 6.0), columns_of(["relu", "a long word of what a mark means"], 2.5)
    (2, 1)
    """
    widths = [HANDLE + wide(label) for label in labels]

    def all_of(columns: int) -> float:
        parts = np.array_split(np.arange(len(widths)), columns)
        return sum(max(widths[i] for i in part) for part in parts) + BETWEEN * (columns - 1)

    return next((number for number in range(len(widths), 1, -1) if all_of(number) <= room), 1)


@lru_cache(maxsize=1000)
def wide(label: str) -> float:
    """Measure a text of a legend, in inches.

    >>> wide("iiii") < wide("mmmm") / 3, wide("")
    (True, 0.0)
    """
    font = FontProperties(family=style.RC["font.family"], size=style.RC["legend.fontsize"])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a strange name is drawn all the same
        box = TextPath((0, 0), label, prop=font).get_extents() if label.strip() else None
    return float(box.x1) / 72 if box else 0.0


def keys_of_theory(
    ends: bool, end: Mapping[str, Any] | None = None, init: Mapping[str, Any] | None = None, some: bool = False
) -> list[Line2D]:
    """Explain a picture of theory: dashed without markers what is predicted, points what was measured at init.

    Args:
        ends: whether the end is drawn as well.
        end, init: how these are drawn, where not as a solid line and as points.
        some: whether theory does not reach all that is drawn.
    """
    text = "predicted, as far as theory reaches" if some else "predicted"
    dashed = Line2D([], [], label=text, linestyle=style.DASHES["dashed"], color="#444444")
    at_end, at_init = keys_of_times(end or {}, init or {"marker": "o", "markersize": 3, "linestyle": "none"})
    at_init.set_label("measured at init")
    return [*([at_end] if ends else []), dashed, at_init]


def keys_of_times(end: Mapping[str, Any], init: Mapping[str, Any]) -> tuple[Line2D, Line2D]:
    """Explain what was measured at the end and at init, drawn as is said."""
    grey: dict[str, Any] = {"color": "#444444", "markersize": 4}
    return Line2D([], [], label="at the end", **grey | {**end}), Line2D([], [], label="at init", **grey | {**init})


def keys_of_starts(figure: Figure) -> list[Line2D]:
    """Explain the line at which all layers begin, where a panel has it."""
    there = any(line.get_label() == START["label"] for axes in figure.axes for line in axes.lines)
    return [Line2D([], [], **START | {"label": "where all layers begin"})] if there else []
