"""What a study's pictures of a claim do not show: all conditions on one scale beside δ, one share apart from another.

A study draws before anything is claimed of it. Here its stored numbers are drawn again for the verdict.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from actlab.analysis import style
from actlab.analysis.claims import Verdict, claimed
from actlab.analysis.drawings import NAMED, TILES, Spec
from actlab.analysis.figures.base import in_short
from actlab.analysis.layout import words
from actlab.analysis.panels import render
from actlab.analysis.reaches import padded
from actlab.analysis.verdict_figures import CLAIMED, DELTA, edges, shaded
from actlab.analysis.verdicts import Part, redrawn_name
from actlab.later import pd
from actlab.measures import about

SLOPE, DIED, BORN = "vanishing_slope", "died_fraction", "born_dead_fraction"
OWN: dict[str, Any] = {"color": "#0072B2", "marker": "o", "markersize": 4.0}
OTHER: dict[str, Any] = {"color": "#8A8A8A", "marker": "o", "markersize": 2.8}
MOST_ACROSS = 4
HEAD = 15  # letters on a line of a panel's head


class Kind(NamedTuple):
    """How a figure is drawn again: from which file of the study's folder, its title, and by which function."""

    file: str
    title: str
    draw: Callable[[Verdict, pd.DataFrame], Figure]


def kind_of(one: Verdict, folder: Path) -> Kind | None:
    """Return how the figure of a verdict is drawn again, where it is and the study has the numbers; else None."""
    kind = KINDS.get(one.figure)
    return kind if kind and (folder / kind.file).is_file() else None


def titles(verdicts: Sequence[Verdict], folder: Path) -> dict[str, str]:
    """Title the figures of a study's verdicts that are drawn again, by the verdicts' ids."""
    return {one.id: kind.title for one in verdicts if (kind := kind_of(one, folder))}


def figures(parts: Sequence[Part], names: Mapping[tuple[str, str], str], folder: Path) -> Iterator[tuple[str, Figure]]:
    """Draw all figures of a trial that are drawn again, each with the name of its files.

    Args:
        parts: of the trial.
        names: what ``verdicts.figures_of`` returns.
        folder: the trial's.
    """
    for part in parts:
        for one in part.verdicts:
            if one.id in part.redrawn and (part.name, one.id) in names:
                yield redrawn_name(names[part.name, one.id], one), draw(one, folder / part.name)


def draw(one: Verdict, folder: Path) -> Figure:
    """Draw a verdict's figure from the numbers of its study; there is a kind of it."""
    kind = KINDS[one.figure]
    return kind.draw(one, pd.read_csv(folder / kind.file, encoding="utf-8"))


def with_panels(frame: pd.DataFrame, placed: Sequence[str]) -> pd.DataFrame:
    """Name what rows differ in beside what has a place in a picture: ``panel``, by the settings before ``measure``.

    >>> with_panels(pd.DataFrame({"depth": 5, "width": [8, 9], "measure": "a"}), ["depth"])["panel"].tolist()
    ['width 8', 'width 9']
    """
    settings = [name for name in frame.columns[: list(frame).index("measure")] if name not in placed]
    varied = [name for name in settings if frame[name].nunique() > 1]
    texts = [
        ", ".join(
            in_short(value) if name in NAMED else f"{words(name)} {in_short(value)}"
            for name, value in zip(varied, row, strict=True)
        )
        for row in frame[varied].itertuples(index=False, name=None)
    ]
    return frame.assign(panel=texts)


def slopes(one: Verdict, frame: pd.DataFrame) -> Figure:
    """Draw the slopes of all activations under all conditions on one scale; shaded what is claimed of one of them."""
    frame = frame[frame["measure"] == SLOPE]
    names = list(dict.fromkeys(frame["activation"]))
    settings = [name for name in frame.columns[: list(frame).index("measure")] if name != "activation"]
    frame = with_panels(frame.sort_values(settings, kind="stable"), ["activation"])
    heads = list(dict.fromkeys(frame["panel"]))
    ends = frame[["mean", "low", "high"]].to_numpy(float)
    low, high = padded([(float(ends[ends == ends].min()), float(max(ends[ends == ends].max(), 0.0)))])
    of_slopes = one.unit == about(SLOPE).unit
    with style.apply():
        columns = min(len(heads), MOST_ACROSS)
        rows = -(-len(heads) // columns)
        figure = style.new_figure(style.WIDEST, rows * (0.13 * len(names) + 0.45) + 1.1)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes in list(grid.flat)[len(heads) :]:
            axes.set_visible(False)
        for axes, head in zip(grid.flat, heads, strict=False):
            axes.set_title(textwrap.fill(head, HEAD), fontsize=7.5)
            for begin, end in shaded(one, low, high) if of_slopes else ():
                axes.axvspan(begin, end, **CLAIMED)
            for edge in edges(one) if of_slopes else (0.0,):
                axes.axvline(edge, **DELTA)
            panel = frame[frame["panel"] == head]
            cells = panel[["activation", "mean", "low", "high"]].itertuples(index=False, name=None)
            for name, mean, least, most in cells:
                look, place = OWN if name == one.activation else OTHER, names.index(name)
                axes.plot([least, most], [place] * 2, color=look["color"], marker="", linewidth=1.2)
                axes.plot([mean], [place], linestyle="none", **look)
            axes.set_yticks(range(len(names)), names, fontsize=7)
            axes.tick_params(axis="x", labelsize=7)
        grid[0, 0].set_xlim(low, high)
        grid[0, 0].set_ylim(len(names) - 0.4, -0.6)
        for axes in list(grid.flat)[max(len(heads) - columns, 0) : len(heads)]:
            axes.set_xlabel(about(SLOPE).axis.replace(" [", "\n["), fontsize=7.5)
            axes.tick_params(labelbottom=True)
        figure.suptitle(f"{one.id}: all conditions on one scale")
        keys: list[Line2D | Patch] = [Line2D([], [], linestyle="none", label=one.activation, **OWN)]
        keys.append(Line2D([], [], linestyle="none", label="the others", **OTHER))
        if of_slopes:
            keys.append(Patch(label=f"claimed: {claimed(one)} {one.unit}", **CLAIMED))
            keys.append(Line2D([], [], label="δ", **DELTA))
        else:
            keys.append(Line2D([], [], label="0: neither vanishes nor grows", **DELTA))
        figure.legend(handles=keys, loc="outside lower center", ncols=4)
        return figure


def deaths(one: Verdict, frame: pd.DataFrame) -> Figure:
    """Draw the units that died in training beside those that were dead at the start, at every depth and rate."""
    frame = frame[(frame["activation"] == one.activation) & frame["measure"].isin((DIED, BORN))]
    frame = with_panels(frame, ["activation", "depth", "learning_rate"])
    frame = frame.sort_values("measure", key=lambda column: column != DIED, kind="stable").reset_index(drop=True)
    which = frame["measure"].map({DIED: "died", BORN: "dead at the start"})
    frame["panel"] = which + ": " + frame["panel"]
    with style.apply():
        figure = render(Spec(TILES, x="learning_rate", lines="depth", panels="panel"), frame.assign(measure=DIED))
        figure.suptitle(f"{one.id}, {one.activation}: died in training, beside dead at the start")
        return figure


KINDS: Mapping[str, Kind] = {
    "vanishing_slopes": Kind("figures/vanishing_slopes.csv", "Slopes under all conditions, on one scale", slopes),
    "dying": Kind(
        "tables/death.csv", "Units that died in training, apart from those dead at the start; of all units", deaths
    ),
}
"""The figures of claims that are drawn again, by the names that studies have for them."""
