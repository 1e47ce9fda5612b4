"""The catalogue's comparison tables and graphs: drawn from plain frames."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from actlab.analysis import style
from actlab.analysis.escaping import code
from actlab.analysis.latex.writing import Formula
from actlab.analysis.layout import Table, to_csv, to_latex, write_table
from actlab.analysis.looks import LineStyle, looks_of
from actlab.naming import drawn_name, file_stem

Looks = Mapping[str, Sequence[str] | None]
"""{activation: colour, marker and dash from its record}, in story order."""

WINDOW = 5.0  # graphs show [−5, 5] both ways, or farther out where a kink lies there
VALUE, SLOPE, FLAT = "φ", "φ′", "#DDE6EE"
SLOPE_COLOUR = "#444444"
EDGED = [withStroke(linewidth=1.8, foreground="white")]
"""Dashes with a white edge, which are seen on a dark line too."""
OVERVIEW = f"{VALUE} and {SLOPE} against z: each panel has a scale of its own"
NEARLY = 1.25  # of the window: what leaves it by no more is drawn whole
MATHS = {"C0": r"$C^0$", "C1": r"$C^1$", r"C$\infty$": r"$C^\infty$"}


def write_catalogue(properties: pd.DataFrame, curves: pd.DataFrame, looks: Looks, out: Path) -> list[Path]:
    """Write the catalogue: two tables, the curves as CSV, one graph per activation, one overview.

    Args:
        properties: one row per activation, as ``activations.properties.table`` makes it. Columns ``mean``,
            ``second_moment`` and ``slope_second_moment`` (of φ and φ' over a standard normal z) are shown if there.
        curves: ``activation``, ``z``, ``value``, ``derivative``.
        looks: the looks that the activations' records have.
        out: the folder; ``tables/`` and ``figures/`` arise in it.

    Returns:
        The files written.
    """
    tables, figures = out / "tables", out / "figures"
    tables.mkdir(parents=True, exist_ok=True)
    points = tables / "curves.csv"
    points.write_text(to_csv(curves.round(8)), encoding="utf-8", newline="\n")
    latex = dict(zip(properties["activation"], properties["latex"], strict=True))
    written = [*write(formulas(properties), tables, latex), *write(comparison(properties), tables), points]
    by_name = {str(name): curve for name, curve in curves.groupby("activation", sort=False)}
    graphs = write_graphs(properties, curves, looks, out)
    with style.apply():
        page = style.save(overview(properties, by_name, all_looks(looks)), figures / "overview")
    return [*written, *itertools.chain(*graphs.values()), *page]


def write_graphs(properties: pd.DataFrame, curves: pd.DataFrame, looks: Looks, out: Path) -> dict[str, list[Path]]:
    """Draw each activation on its own.

    Args:
        properties, curves, looks, out: as ``write_catalogue`` takes them.

    Returns:
        {activation: the files written}.
    """
    styles, names = all_looks(looks), properties["activation"]
    latex = dict(zip(names, properties["latex"], strict=True))
    stems = dict(zip(names, file_stems(names), strict=True))
    by_name = {str(name): curve for name, curve in curves.groupby("activation", sort=False)}
    written = {}
    with style.apply():
        for name, kinks in zip(names, properties["kinks"], strict=True):
            figure = style.new_figure(3.4, 2.7)
            axes = figure.subplots()
            draw(axes, by_name[name], styles[name].colour, window(kinks), labelled=True)
            shown = drawn_name(name)
            formula = latex[name].replace(r"\frac", r"\dfrac")  # else a fraction's letters are too small to read
            axes.set_title(f"{shown}\n${formula}$" if formula else shown, pad=10 if r"\dfrac" in formula else None)
            written[str(name)] = style.save(figure, out / "figures" / stems[name])
    return written


def file_stems(names: Iterable[str]) -> list[str]:
    """Name a file for each activation, none for two of them, also where a file system knows no capital letters.

    >>> file_stems(["relu", "leaky_relu(negative_slope=0.2)", "a/mine.py:f", "overview"])
    ['relu', 'leaky_relu-negative_slope=0.2', 'a-mine.py-f', 'overview-2']
    """
    taken = {"overview"}
    stems = []
    for name in names:
        plain = file_stem(re.sub(r"[^\w.=+-]+", "-", name).strip("-"))
        numbered = (f"{plain}-{i}" for i in itertools.count(2))
        stems.append(next(one for one in itertools.chain([plain], numbered) if one.lower() not in taken))
        taken.add(stems[-1].lower())
    return stems


def all_looks(looks: Looks) -> dict[str, LineStyle]:
    """Give each activation a look, those without one in their record included."""
    return looks_of({name: i for i, name in enumerate(looks)}, {name: look for name, look in looks.items() if look})


def write(table: Table, folder: Path, formulas: dict[str, str] | None = None) -> list[Path]:
    """Write the three files of a table; in LaTeX, formulas are set as such and the remaining symbols translated."""
    paths = write_table(table, folder, "catalogue")
    wide = table.wide.copy()
    if formulas:
        typeset: Any = [Formula(latex or r"\varphi(z)") for latex in formulas.values()]
        wide = wide.drop(columns="φ′(z)").assign(**{"φ(z)": typeset})
    text = to_latex(replace(table, wide=wide), "catalogue")
    for symbol, maths in MATHS.items():
        text = text.replace(symbol, maths)
    (folder / f"{table.name}.tex").write_text(text, encoding="utf-8", newline="\n")
    return paths


def formulas(properties: pd.DataFrame) -> Table:
    """Tabulate formula and derivative of each activation, with where it comes from."""
    columns = ["activation", "family", "formula", "derivative", "parameters", "learnable", "weight_init", "reference"]
    frame = properties[columns].reset_index(drop=True)
    wide = pd.DataFrame(
        {
            "activation": [code(name) for name in frame["activation"]],
            "φ(z)": frame["formula"],
            "φ′(z)": frame["derivative"],
            "learnable": frame["learnable"],
            "weight init": [code(name) for name in frame["weight_init"]],
            "reference": frame["reference"],
        }
    )
    note = "Weight init is the initializer recommended with the activation, which `auto` stands for."
    return Table("The activation functions", note, frame, wide, "formulas")


def comparison(properties: pd.DataFrame) -> Table:
    """Tabulate the properties of the functions, side by side."""
    left_out = ["formula", "derivative", "latex", "weight_init", "reference", "learnable", "parameters"]
    frame = properties.drop(columns=left_out).reset_index(drop=True)
    moments = {"mean": "E φ", "second_moment": "E φ²", "slope_second_moment": "E φ′²"}
    wide = pd.DataFrame(
        {
            "activation": [code(name) for name in frame["activation"]],
            "range": frame["range"],
            "turns at": [
                "" if math.isnan(z) else f"φ({short(z)}) = {short(value)}"
                for z, value in zip(frame["extremum_z"], frame["extremum_value"], strict=True)
            ],
            **{name: ["yes" if one else "no" for one in frame[name]] for name in ("monotonic", "convex", "odd")},
            "smoothness": frame["smoothness"],
            JUMPS: [jumps(*one) for one in zip(frame["smoothness"], frame["kinks"], strict=True)],
            "flat on": frame["flat_set"],
            "saturates": frame["saturates"],
            "max |φ′|": frame["max_slope"].map(short),
            **{head: frame[name].map(short) for name, head in moments.items() if name in frame},
            "operations": frame["operations"].astype(str),
            "with derivative": frame["operations_with_derivative"].astype(str),
        }
    )
    at = (
        "the parameters in their names, else at their defaults"
        if any("(" in one for one in frame["activation"])
        else "their default parameters"
    )
    sentences = [
        f"Found numerically from the functions at {at}. Range: a square bracket where the bound is",
        "attained. Smoothness: C0 where φ′ jumps, C1 where φ″ does. Flat on: constant by definition, not by underflow;",
        "a unit whose inputs all lie there is dead. Saturates: the sides on which φ′ → 0. Operations for one element:",
        "arithmetic and comparisons 1, division and roots 4, transcendental functions 10.",
        *(["Expectations are over a standard normal pre-activation."] if "mean" in frame else []),
    ]
    return Table("Properties of the activation functions", " ".join(sentences), frame, wide, "properties")


JUMPS = "jumps: φ, φ′ or φ″"
JUMPING = {"discontinuous": "φ", "C0": "φ′", "C1": "φ″", "C2": "φ‴"}
"""By the smoothness of a function, what of it jumps."""


def jumps(smoothness: str, places: str) -> str:
    """Say what jumps and where: of a kink the slope; nothing of a function without one.

    >>> jumps("C0", "0"), jumps("C1", "0"), jumps("C∞", "")
    ('φ′ at 0', 'φ″ at 0', '')
    """
    return f"{JUMPING.get(smoothness, 'a derivative')} at {places}" if places else ""


def short(x: float, decimals: int = 4) -> str:
    """Write a number with at most so many decimals and a typographic minus.

    >>> short(-0.1699712), short(1.0), short(math.inf), short(-0.00001)
    ('−0.17', '1', '∞', '0')
    """
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    text = f"{round(x, decimals) + 0.0:.{decimals}f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def window(kinks: str) -> float:
    """Choose how far out to draw, so that every kink is well inside.

    >>> window("0, 6"), window("−0.5, 0.5")
    (8.0, 5.0)
    """
    places = [abs(float(kink.replace("−", "-"))) for kink in kinks.split(", ") if kink]
    return 8.0 if max(places, default=0.0) > 4.0 else WINDOW


def draw(axes: Axes, curve: pd.DataFrame, colour: str, reach: float, labelled: bool) -> None:
    """Draw φ in its activation's colour, φ′ dashed in grey, and a shade where φ is flat by definition."""
    seen = curve[curve["z"].abs() <= reach + 1e-9]
    z, value, slope = (seen[name].to_numpy() for name in ("z", "value", "derivative"))
    ends = (min(value.min(), slope.min()), max(value.max(), slope.max()))
    low, high = (end if abs(end) <= NEARLY * reach else math.copysign(reach, end) for end in ends)
    margin = 0.08 * (high - low)
    axes.set(xlim=(-reach, reach), ylim=(low - margin, high + margin))
    for start, end in flat_stretches(curve):
        axes.axvspan(max(start, -reach), min(end, reach), color=FLAT, linewidth=0, zorder=0)
    axes.axhline(0.0, color="#999999", linewidth=0.6, zorder=1)
    axes.axvline(0.0, color="#999999", linewidth=0.6, zorder=1)
    for begin, end in intervals(slope):  # a jump of φ′ is a jump, not a steep line
        dashes: dict[str, Any] = {"linestyle": (0, (3, 1.5)), "linewidth": 1.1, "path_effects": EDGED}
        axes.plot(z[begin:end], slope[begin:end], color=SLOPE_COLOUR, zorder=3, **dashes)
    axes.plot(z, value, color=colour, linewidth=2.5, zorder=2.5)  # where both are 0, dashes are seen on it
    if labelled:
        axes.set_xlabel("z")
        handles = [axes.lines[-1], axes.lines[2]]
        names = [VALUE, SLOPE]
        if flat_stretches(curve):
            handles.append(axes.patches[0])  # type: ignore[arg-type]
            names.append("flat")
        axes.figure.legend(handles, names, loc="outside lower center", ncols=3)


def flat_stretches(curve: pd.DataFrame) -> list[tuple[float, float]]:
    """Find where the derivative is exactly 0 at two neighbouring points or more."""
    z = curve["z"].to_numpy()
    stretches: list[tuple[float, float]] = []
    begin = None
    for i, zero in enumerate([*(curve["derivative"] == 0), False]):
        if zero and begin is None:
            begin = i
        elif not zero and begin is not None:
            if i - begin > 1:
                stretches.append((float(z[begin]), float(z[i - 1])))
            begin = None
    return stretches


def intervals(slope: np.ndarray) -> list[tuple[int, int]]:
    """Find the index ranges between jumps: where one step is over five times its neighbours."""
    steps = np.abs(np.diff(slope))
    scale = np.abs(slope).max() * 1e-3
    neighbours = [
        max(steps[max(i - 2, 0) : i].max(initial=0), steps[i + 1 : i + 3].max(initial=0)) for i in range(len(steps))
    ]
    cuts = [i + 1 for i, step in enumerate(steps) if step > 5 * max(neighbours[i], scale)]
    return list(zip([0, *cuts], [*cuts, len(slope)], strict=True))


def at_least_two_ticks(axes: Axes) -> None:
    """Give the axis of y few ticks, but two that are seen: one alone says nothing of its scale."""
    for most in (4, 5, 6, 8):
        axes.locator_params(axis="y", nbins=most)
        low, high = axes.get_ylim()
        seen = [tick for tick in axes.get_yticks() if low <= tick <= high]
        if len(seen) >= 2:
            axes.set_yticks(seen)
            return


def overview(
    properties: pd.DataFrame, curves: Mapping[str, pd.DataFrame], styles: Mapping[str, LineStyle], columns: int = 5
) -> Figure:
    """Draw all activations on one page, small, in story order."""
    rows = -(-len(properties) // columns)
    figure = style.new_figure(1.25 * columns, 1.22 * rows + 0.3)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name, kinks in zip(panels, properties["activation"], properties["kinks"], strict=False):
        reach = window(kinks)
        draw(axes, curves[name], styles[name].colour, reach, labelled=False)
        axes.set_title(drawn_name(name), fontsize=7.5, pad=3)
        axes.tick_params(labelsize=7, length=2, pad=1.5)
        at_least_two_ticks(axes)
        axes.set_xticks([-reach, 0, reach])
    for axes in panels[len(properties) :]:
        axes.set_axis_off()
    lines = panels[0].lines
    shade = panels[0].axvspan(0, 0, color=FLAT, linewidth=0)
    names = [f"{VALUE}, in its own colour", SLOPE, "flat by definition"]
    figure.legend([lines[-1], lines[2], shade], names, loc="outside lower center", ncols=3)
    figure.suptitle(OVERVIEW)
    return figure
