"""A picture for every verdict, from the verdict itself: a row for each condition, a point, its interval, and δ."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from actlab.analysis import style
from actlab.analysis.claims import (
    AT_LEAST,
    AT_MOST,
    CONTRADICTED,
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
from actlab.analysis.lineage import MINUS, what_of
from actlab.analysis.typeset import in_print
from actlab.analysis.under import Under

HELD = "held back"
"""Of a condition whose numbers would decide, but for what else is known of them, as how they were selected."""
DRAWN_AS: dict[str, dict[str, Any]] = {
    SUPPORTED: {"color": "#0072B2", "marker": "o"},
    CONTRADICTED: {"color": "#D55E00", "marker": "X"},
    INCONCLUSIVE: {"color": "#707070", "marker": "D", "markerfacecolor": "white"},
    HELD: {"color": "#2b2b2b", "marker": "s"},
}
"""By mark and colour, so that they are told apart by readers of every colour vision, and in print."""
SIZE = {"o": 5.0, "X": 6.0, "D": 4.5, "s": 4.8}
DELTA: dict[str, Any] = {"color": "#333333", "linewidth": 1.0, "linestyle": style.DASHES["dashed"], "zorder": 1.5}
CLAIMED: dict[str, Any] = {"color": "#D3E6F2", "linewidth": 0, "zorder": 0.4}
"""One colour in a picture and in its key; beneath the grid."""
WIDTH = 3.6  # inches, as a column of a page of two: letters are printed as large as they say, 7 pt at least
ROW, HEAD, ALONE = 0.21, 1.1, 0.66  # inches: of a row; of what is neither row nor text, where rows have names or not
OF_NAME = 0.55  # rows: of a line of a row's name
OF_TITLE, OF_AXIS = 0.17, 0.14  # inches: of a line of text
DASHES = {False: style.DASHES["solid"], True: style.DASHES["dashed"]}
"""Of an interval; of the least and greatest of all values, of which a law is said."""
WORDS = {ONLY_IF: "true only under some conditions"}
COUNTS = re.compile(r"(.+) \(([^()]*?)(\d+ of \d+)([^()]*)\)")
"""A condition's name that ends with a remark on how many of how many."""
COUNT, JOINED = re.compile(r"(\d+) of (\d+)"), "\\1\u00a0of\u00a0\\2"
"""How many of how many, and the same on one line."""
BUT_FOR = "', but for "
SHARE = re.compile(r"share|probability|\w* ?fraction")
FREE = (0.5, 0.3, 0.7, 0.15, 0.85)  # of the axis, where "no value" may stand
OF_WORDS = 0.32  # of the axis, that "no interval" takes beside a mark
MARGIN = 0.06  # of the range, on either side
LETTERS = {"title": 48, "row": 27, "axis": 52, "key": 60}  # that stand on a line
KEY = 9  # letters that a mark and the space beside it are as wide as
LEAST_PLAIN, MOST_PLAIN = 1e-3, 1e4  # numbers on an axis between them are written by Matplotlib
NARROWER = 0.8  # letters by which the axis's line is shorter for each letter of a row's name beyond 14


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
        shorter, counts = shortened([row.condition for row in rows])
        names = [textwrap.fill(COUNT.sub(JOINED, name), LETTERS["row"]).replace("\u00a0", " ") for name in shorter]
        heading, said = textwrap.fill(title(one), LETTERS["title"]), axis(one, names)
        marks, beside = legend(one, rows), bars(one, rows)
        if beside and not any(names):  # the row of marks has room for it
            marks.append(Line2D([], [], label=beside, color="#333333", linewidth=1.3, linestyle=DASHES[of_law(one)]))
        notes = [textwrap.fill(note, LETTERS["key"]) for note in (counts, beside if any(names) else "") if note]
        columns, lines_of_key = in_columns([str(mark.get_label()) for mark in marks])
        below = OF_AXIS * ("\n".join(["", *notes]).count("\n") - bool(any(names)) + lines_of_key - 1)
        texts = OF_TITLE * (heading.count("\n") + 1) + OF_AXIS * (said.count("\n") + 1) + below
        places, length = places_of(names)
        figure = style.new_figure(WIDTH, (HEAD if any(names) else ALONE) + texts + ROW * length)
        axes = figure.subplots()
        low, high = span(one, rows)
        axes.set_xlim(low, high)
        axes.set_ylim(length - 0.4, -0.6)
        for begin, end in shaded(one, low, high):
            axes.axvspan(begin, end, **CLAIMED)
        for edge in edges(one):
            axes.axvline(edge, **DELTA)
        for place, row in zip(places, rows, strict=True):
            point(axes, place, row, DASHES[of_law(one)], edges(one))
        axes.set_yticks(places if any(names) else [], names if any(names) else [])
        axes.spines["left"].set_visible(any(names))
        axes.grid(False, axis="y")
        axes.locator_params(axis="x", nbins=5)
        if not LEAST_PLAIN <= max(abs(low), abs(high)) < MOST_PLAIN:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: in_print(f"{x:.12g}")))
        axes.set_xlabel(said)
        figure.suptitle(heading, fontsize=9)
        figure.legend(handles=marks, loc="outside lower center", ncols=columns, title="\n".join(notes) or None)
        return figure


def places_of(names: Sequence[str]) -> tuple[list[float], float]:
    """Place rows below each other, those whose names have several lines farther apart; gives their whole length, too.

    >>> places_of(["adam", "momentum"]), places_of(["a name\\nof two lines", "adam"])
    (([0.0, 1.0], 2.0), ([0.2, 1.4], 2.4))
    """
    places, length = [], 0.0
    for name in names:
        tall = max(1.0, 0.3 + OF_NAME * (name.count("\n") + 1))
        places.append(round(length + (tall - 1) / 2, 6))
        length += tall
    return places, round(length, 6)


def in_columns(labels: Sequence[str]) -> tuple[int, int]:
    """Choose in how many columns the labels of a key stand, as many as there is room for; gives its lines, too.

    >>> in_columns(["supported", "claimed: at least 1"]), in_columns(["contradicted", "claimed: 1", "a bar " * 8])
    ((2, 1), (1, 3))
    """
    for lines in range(1, len(labels)):
        widest = [max(map(len, labels[i : i + lines])) for i in range(0, len(labels), lines)]
        if sum(letters + KEY for letters in widest) <= LETTERS["key"]:
            return len(widest), lines
    return 1, len(labels)


def of_law(one: Verdict) -> bool:
    """Whether a verdict is on a law, whose bar is from the least to the greatest of all."""
    return one.form == EXACTLY


def shortened(names: Sequence[str]) -> tuple[list[str], str]:
    """Write once what names of conditions remark on their counts: names with bare counts, and what these are.

    >>> shortened(["sgd (0 of 9 networks are wholly dead)", "adam (5 of 9 networks are wholly dead)", "other"])
    (['sgd (0 of 9)', 'adam (5 of 9)', 'other'], '(k of n): k of n networks are wholly dead')
    >>> shortened(["depth 2", "depth 5"]), shortened(["at the end (0 of 9 are dead)"])
    ((['depth 2', 'depth 5'], ''), (['at the end (0 of 9 are dead)'], ''))
    """
    parts = [COUNTS.fullmatch(name) for name in names]
    remarks = [(part[2], part[4]) for part in parts if part]
    if len(remarks) < 2 or len(set(remarks)) > 1:
        return list(names), ""
    before, after = remarks[0]
    bare = [f"{part[1]} ({part[3]})" if part else name for name, part in zip(names, parts, strict=True)]
    return bare, f"(k of n): {before}k of n{after}"


def title(one: Verdict) -> str:
    """Say the claim, whose it is, and the verdict."""
    whose = f"{one.id}, {one.activation}" if one.activation else one.id
    word = WORDS.get(one.verdict, one.verdict)
    if (would := would_be(one)) != one.verdict:  # its rows alone would say otherwise
        word = f"{word} (would be {WORDS.get(would, would)}, but for {why(one)})"
    return f"{whose}: {one.statement} — {word}".replace("$", r"\$")


def why(one: Verdict) -> str:
    """Say in short why a verdict is not what its numbers alone make it."""
    return reason(remark(one)) or "what stands beside it"


def edges(one: Verdict) -> tuple[float, ...]:
    """List where what is claimed ends: at δ; of "within" at −δ and δ."""
    return (-one.effect, one.effect) if one.form == WITHIN else (one.effect,)


def shaded(one: Verdict, low: float, high: float) -> list[tuple[float, float]]:
    """List the part of the axis that agrees with the claim: of a law there is a line alone."""
    each = {AT_LEAST: (one.effect, high), AT_MOST: (low, one.effect), WITHIN: (-one.effect, one.effect)}
    return [each[one.form]] if one.form in each else []


def span(one: Verdict, rows: tuple[Under, ...]) -> tuple[float, float]:
    """Choose an axis that has all estimates, the ends of all intervals, and δ on it; of one share alone from 0 to 1."""
    ends = [*edges(one), *(x for row in rows for x in (row.estimate, row.low, row.high))]
    finite = [x for x in ends if math.isfinite(x)]
    low, high = min(finite), max(finite)
    if low == high and 0 <= low <= 1 and SHARE.match(one.evidence) and MINUS not in one.evidence:
        low, high = 0.0, 1.0
        return low - MARGIN / 3, high  # that a mark at 0 is whole
    pad = MARGIN * (high - low) or MARGIN * abs(high) or 1.0
    return low - pad, high + pad


def word_of(row: Under) -> str:
    """Say how a condition is marked: as decided; one whose numbers would decide, but for something else, as held back.

    >>> word_of(Under("adam", 0.4, 0.3, 0.5, 20, "t", INCONCLUSIVE, "would be 'supported', but for its selection: x"))
    'held back'
    """
    if row.verdict == INCONCLUSIVE and BUT_FOR in row.more:
        return HELD
    return row.verdict if row.verdict in DRAWN_AS else INCONCLUSIVE


def reason(remarked: str) -> str:
    """Take from a remark what holds a verdict back, in short; empty where it says nothing of that."""
    return remarked.partition(BUT_FOR)[2].partition(": ")[0].partition(" (")[0]


def point(axes: Axes, place: float, row: Under, dash: Any, lines: Sequence[float] = ()) -> None:
    """Draw one condition: an interval without an end reaches the axis's; "no value" stands clear of the lines of δ."""
    low, high = axes.get_xlim()
    look = DRAWN_AS[word_of(row)]
    if not math.isfinite(row.estimate):
        clear = max(FREE, key=lambda x: min((abs(x - (line - low) / (high - low)) for line in lines), default=0.0))
        at: dict[str, Any] = {"va": "center", "ha": "center", "color": "#555555", "fontsize": 7}
        axes.text(low + clear * (high - low), place, "no value", **at)
        return
    if not math.isnan(row.low):
        ends = np.clip([row.low, row.high], low, high)
        axes.plot(ends, [place] * 2, color=look["color"], marker="", linewidth=1.3, linestyle=dash)
    else:
        without_interval(axes, place, row.estimate, lines)
    edge = {"markeredgewidth": 1.0} if "markerfacecolor" in look else {"markeredgecolor": "white"}
    axes.plot([row.estimate], [place], linestyle="none", markersize=SIZE[look["marker"]], **look | edge)


def without_interval(axes: Axes, place: float, x: float, lines: Sequence[float]) -> None:
    """Say beside a mark that what it stands for has no interval, on the side that has room clear of the lines of δ."""
    low, high = axes.get_xlim()
    beside = {"left": (x, x + OF_WORDS * (high - low)), "right": (x - OF_WORDS * (high - low), x)}
    free = [side for side, (begin, end) in beside.items() if low <= begin and end <= high]
    clear = [side for side in free if not any(beside[side][0] < line < beside[side][1] for line in lines)]
    side = (clear or free or ["left"])[0]
    at: dict[str, Any] = {"xytext": (5 if side == "left" else -5, 0), "textcoords": "offset points", "ha": side}
    axes.annotate("no interval", (x, place), va="center", color="#555555", fontsize=7, **at)


def axis(one: Verdict, names: Sequence[str] = ()) -> str:
    """Say what the numbers are, with their unit, in lines as long as the axis; the page has more."""
    text = what_of(one)
    more = f" ({one.unit})" if one.unit and one.unit.replace(" / ", " per ") not in text else ""
    longest = max((len(line) for name in names for line in name.split("\n")), default=0)
    width = LETTERS["axis"] - int(NARROWER * longest)
    return textwrap.fill(in_print(f"{text}{more}").replace("$", r"\$"), width)


def legend(one: Verdict, rows: tuple[Under, ...]) -> list[Line2D | Patch]:
    """Explain the marks that occur, and what is claimed."""
    there = [word for word in DRAWN_AS if any(word_of(row) == word for row in rows)]
    reasons = ", ".join(dict.fromkeys(reason(row.more) for row in rows if word_of(row) == HELD))
    names = {word: f"{word}: {reasons}" if word == HELD and reasons else word for word in there}
    marks = [
        Line2D([], [], label=names[word], **DRAWN_AS[word] | {"markersize": 5.0, "linewidth": 1.3}) for word in there
    ]
    said = f"claimed: {in_print(claimed(one))}"
    return [*marks, Line2D([], [], label=said, **DELTA) if of_law(one) else Patch(label=said, **CLAIMED)]


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
