"""A picture for every verdict, from the verdict itself: a row for each condition, a point, its interval, and δ."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from actlab.analysis import style
from actlab.analysis.claims import (
    AT_LEAST,
    AT_MOST,
    CONTRADICTED,
    DOUBT,
    EXACTLY,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    WITHIN,
    Verdict,
    claimed,
)
from actlab.analysis.conditions import remark, would_be
from actlab.analysis.intervals import COUNTED, percent
from actlab.analysis.under import Under

DRAWN_AS: dict[str, dict[str, Any]] = {
    SUPPORTED: {"color": "#0072B2", "marker": "o"},
    CONTRADICTED: {"color": "#D55E00", "marker": "X"},
    INCONCLUSIVE: {"color": "#707070", "marker": "D", "markerfacecolor": "white"},
}
"""By mark and colour, so that they are told apart by readers of every colour vision, and in print."""
SIZE = {"o": 5.0, "X": 6.0, "D": 4.5}
DELTA: dict[str, Any] = {"color": "#333333", "linewidth": 1.0, "linestyle": style.DASHES["dashed"], "zorder": 1.5}
CLAIMED: dict[str, Any] = {"color": "#0072B2", "alpha": 0.07, "linewidth": 0, "zorder": 0.5}
ROW, HEAD, ALONE = 0.21, 1.18, 0.72  # inches: of a row; of what is neither row nor text, where rows have names or not
OF_TITLE, OF_AXIS = 0.17, 0.14  # inches: of a line of text
DASHES = {False: style.DASHES["solid"], True: style.DASHES["dashed"]}
"""Of an interval; of the least and greatest of all values, of which a law is said."""
WORDS = {ONLY_IF: "true only under some conditions"}
SHARED = 3
"""Words that all names of conditions end with, from which on they are written once."""
MARGIN = 0.06  # of the range, on either side
LETTERS = {"title": 80, "row": 44, "axis": 90}  # that stand on a line
NARROWER = 1.6  # letters by which the axis's line is shorter for each letter of a row's name beyond 14


def rows_of(one: Verdict) -> tuple[Under, ...]:
    """Return what is drawn: what was found under each condition, or the verdict's own number; nothing of no number.

    >>> from actlab.analysis.claims import judge
    >>> some = judge("R", "relu", "is large", AT_LEAST, 0.1, [0.3, 0.31, 0.3, 0.32, 0.31], "its size")
    >>> [(row.condition, row.verdict) for row in rows_of(some)]
    [('', 'supported')]
    """
    under = one.under or (Under("", one.estimate, one.low, one.high, one.n, one.method, one.verdict),)
    return under if any(math.isfinite(row.estimate) for row in under) else ()


def draw(one: Verdict) -> Figure:
    """Draw a verdict: an estimate and its interval for each condition; shaded what is claimed, dashed where it ends."""
    rows = rows_of(one)
    with style.apply():
        shorter, shared = shortened([row.condition for row in rows])
        names = [textwrap.fill(name, LETTERS["row"]) for name in shorter]
        heading, said = textwrap.fill(title(one), LETTERS["title"]), axis(one, names)
        texts = OF_TITLE * (heading.count("\n") + 1) + OF_AXIS * (said.count("\n") + 1 + bool(shared))
        lines = len(rows) + sum(name.count("\n") for name in names) / 2
        figure = style.new_figure(style.WIDEST, (HEAD if any(names) else ALONE) + texts + ROW * lines)
        axes = figure.subplots()
        low, high = span(one, rows)
        axes.set_xlim(low, high)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        for begin, end in shaded(one, low, high):
            axes.axvspan(begin, end, **CLAIMED)
        for edge in edges(one):
            axes.axvline(edge, **DELTA)
        for place, row in enumerate(rows):
            point(axes, place, row, DASHES[of_law(one)])
        axes.set_yticks(range(len(rows)) if any(names) else [], names if any(names) else [])
        axes.spines["left"].set_visible(any(names))
        axes.grid(False, axis="y")
        axes.set_xlabel(said)
        if shared:  # above the names, and ending where they do
            axes.annotate(
                shared, (0, 1), (-6, 3), "axes fraction", "offset points", ha="right", va="bottom", fontsize=7.2
            )
        figure.suptitle(heading)
        marks, beside = legend(one, rows), bars(one, rows)
        if beside and not any(names):  # one row of marks has room for it
            marks.append(Line2D([], [], label=beside, color="#333333", linewidth=1.3, linestyle=DASHES[of_law(one)]))
        figure.legend(handles=marks, loc="outside lower center", ncols=5, title=beside if any(names) else None)
        return figure


def of_law(one: Verdict) -> bool:
    """Whether a verdict is on a law, whose bar is from the least to the greatest of all."""
    return one.form == EXACTLY


def shortened(names: Sequence[str]) -> tuple[list[str], str]:
    """Write once what all names of conditions end with, where that is some words: shorter names, and what is shared.

    >>> shortened(["sgd (0 of 9 networks are wholly dead)", "adam (5 of 9 networks are wholly dead)"])
    (['sgd (0 …)', 'adam (5 …)'], '… of 9 networks are wholly dead')
    >>> shortened(["depth 2", "depth 5"]), shortened(["at the end of training"])
    ((['depth 2', 'depth 5'], ''), (['at the end of training'], ''))
    """
    words = [name.split() for name in names]
    alike = 0
    while all(len(one) > alike + 1 and one[-1 - alike] == words[0][-1 - alike] for one in words):
        alike += 1
    if len(names) < 2 or alike < SHARED:
        return list(names), ""
    begun = [" ".join(one[:-alike]) for one in words]
    shared = " ".join(words[0][-alike:])
    inside = all(name.count("(") > name.count(")") for name in begun) and shared.endswith(")")
    return [f"{name} …{')' * inside}" for name in begun], f"… {shared.removesuffix(')') if inside else shared}"


def title(one: Verdict) -> str:
    """Say the claim, whose it is, and the verdict."""
    whose = f"{one.id}, {one.activation}" if one.activation else one.id
    word = WORDS.get(one.verdict, one.verdict)
    if (would := would_be(one)) != one.verdict:  # its rows alone would say otherwise
        word = f"{word} (would be {WORDS.get(would, would)}, but for {why(one)})"
    return f"{whose}: {one.statement} — {word}".replace("$", r"\$")


def why(one: Verdict) -> str:
    """Say in short why a verdict is not what its numbers alone make it."""
    return remark(one).partition("', but for ")[2].partition(": ")[0].partition(" (")[0] or "what stands beside it"


def edges(one: Verdict) -> tuple[float, ...]:
    """List where what is claimed ends: at δ; of "within" at −δ and δ."""
    return (-one.effect, one.effect) if one.form == WITHIN else (one.effect,)


def shaded(one: Verdict, low: float, high: float) -> list[tuple[float, float]]:
    """List the part of the axis that agrees with the claim: of a law there is a line alone."""
    each = {AT_LEAST: (one.effect, high), AT_MOST: (low, one.effect), WITHIN: (-one.effect, one.effect)}
    return [each[one.form]] if one.form in each else []


def span(one: Verdict, rows: tuple[Under, ...]) -> tuple[float, float]:
    """Choose an axis that has all estimates, the ends of all intervals, and δ on it."""
    ends = [*edges(one), *(x for row in rows for x in (row.estimate, row.low, row.high))]
    finite = [x for x in ends if math.isfinite(x)]
    low, high = min(finite), max(finite)
    pad = MARGIN * (high - low) or MARGIN * abs(high) or 1.0
    return low - pad, high + pad


def point(axes: Axes, place: int, row: Under, dash: Any) -> None:
    """Draw one condition: an interval without an end reaches the axis's."""
    low, high = axes.get_xlim()
    look = DRAWN_AS[row.verdict if row.verdict in DRAWN_AS else INCONCLUSIVE]
    if not math.isfinite(row.estimate):
        at: dict[str, Any] = {"va": "center", "ha": "center", "color": "#666666", "fontsize": 7}
        axes.text((low + high) / 2, place, "no value", **at)
        return
    if not math.isnan(row.low):
        ends = np.clip([row.low, row.high], low, high)
        axes.plot(ends, [place] * 2, color=look["color"], marker="", linewidth=1.3, linestyle=dash)
    edge = {"markeredgewidth": 1.0} if "markerfacecolor" in look else {"markeredgecolor": "white"}
    axes.plot([row.estimate], [place], linestyle="none", markersize=SIZE[look["marker"]], **look | edge)


def axis(one: Verdict, names: Sequence[str] = ()) -> str:
    """Say what the numbers are, with their unit, in lines that are as long as the axis: long names leave it less."""
    said = one.evidence.partition(DOUBT)[0].partition("; least favourable: ")[0].replace("$", r"\$")
    more = f" ({one.unit})" if one.unit and one.unit.replace(" / ", " per ") not in said else ""
    longest = max((len(line) for name in names for line in name.split("\n")), default=0)
    return textwrap.fill(f"{said}{more}", LETTERS["axis"] - int(NARROWER * max(longest - 14, 0)))


def legend(one: Verdict, rows: tuple[Under, ...]) -> list[Line2D | Patch]:
    """Explain the marks that occur, and what is claimed."""
    there = [word for word in DRAWN_AS if any(row.verdict == word for row in rows)]
    marks = [Line2D([], [], label=word, **DRAWN_AS[word] | {"markersize": 5.0, "linewidth": 1.3}) for word in there]
    said = f"claimed: {claimed(one)}"
    return [
        *marks,
        Line2D([], [], label=said, **DELTA) if of_law(one) else Patch(label=said, **CLAIMED | {"alpha": 0.25}),
    ]


def bars(one: Verdict, rows: tuple[Under, ...]) -> str | None:
    """Say what the bars are; nothing where there are none."""
    if not any(row.low < row.high for row in rows):
        return None
    if of_law(one):
        return "dashed: least to greatest of all"
    if one.method == COUNTED:
        return "bar: from those that hold to those that may"
    if len(rows) == 1:
        return "interval of 95 %"
    return f"bars: intervals of {percent(1 - 0.05 / len(rows))}, so that all hold at once"
