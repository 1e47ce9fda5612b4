"""Maps of layers by steps, which have no room for numbers: which of them are drawn, and lines of equal height."""

import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.lines import Line2D
from matplotlib.path import Path

from actlab.analysis.axes import line_label
from actlab.analysis.drawings import Spec
from actlab.analysis.layout import records
from actlab.measures import about

DECADES = [sign * k for sign in (-1, 1) for k in (1, 3, 10, 30, 100, 300)] + [0]
WIDE_DECADE = 0.5
"""Of norms: how far from 1, in decades, shades are even; beyond they are of the logarithm of decades."""
SPANNED, MOST_LINES = 6.0, 6
"""Decades from which on a map has lines of equal height, and how many at most."""
STUB = 10.0
"""Points: a shorter piece of such a line, beside its label, would be read as a dot or a minus of that."""


def places_of(
    spec: Spec, frame: pd.DataFrame, values: Sequence[Any], measures: Sequence[Any], numbers: bool
) -> list[tuple[Any, str]]:
    """List the maps, value by value; without numbers in them, measure by measure where some are 0 throughout.

    Of such maps of shares there is none: the key names them. The measure with most maps comes first.
    """
    pairs = [(value, str(name)) for value in values for name in measures]
    nothing = set(zero_throughout(spec, frame)) if not numbers else set()
    if not nothing or len(nothing) == len(pairs):
        return pairs
    left = [one for one in pairs if one not in nothing]
    number = Counter(name for _, name in left)
    return sorted(left, key=lambda one: -number[one[1]])


def zero_throughout(spec: Spec, frame: pd.DataFrame) -> list[tuple[Any, str]]:
    """List of which values what share is 0 in all places where it was measured."""
    shares = frame[[about(str(name)).range == (0.0, 1.0) for name in frame["measure"]]]
    if shares.empty:
        return []
    most = shares.groupby([spec.panels, "measure"], sort=False)["mean"].max().reset_index()
    return [(one[spec.panels], str(one["measure"])) for one in records(most[most["mean"] == 0])]


def named_zero(spec: Spec, left_out: Sequence[tuple[Any, str]]) -> list[Artist]:
    """Make the key of the maps that are left out, one line a measure."""
    of_measure = {name: [value for value, one in left_out if one == name] for _, name in left_out}
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            label=f"{name_of(name)}, 0 throughout: {', '.join(line_label(spec.panels, one) for one in them)}",
        )
        for name, them in of_measure.items()
    ]


def name_of(measure: str) -> str:
    """Name a measure in a sentence.

    >>> name_of("dead_fraction"), name_of("stable_rank")
    ('dead units', 'stable rank')
    """
    return about(measure).label or about(measure).words


def say_in_corner(axes: Axes, texts: Sequence[str]) -> None:
    """Write into the place of a map that is not there which are left out."""
    axes.set_visible(True)
    axes.set_axis_off()
    lines = [line for text in texts for line in textwrap.wrap(text, 34)]
    axes.text(0.5, 0.5, "\n".join(lines), transform=axes.transAxes, ha="center", va="center", fontsize=7.5)


def decades(axes: Axes, shade: np.ndarray) -> None:
    """Draw lines of equal height over a map that spans so many decades that shades alone do not tell them."""
    low, high = np.nanmin(shade), np.nanmax(shade)
    step = next(k * 10**n for n in range(9) for k in (1, 2, 5) if (high - low) / (k * 10**n) <= MOST_LINES)
    levels = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
    if min(shade.shape) > 1:
        lines = axes.contour(np.ma.masked_invalid(shade), levels, colors="white", linewidths=0.6, linestyles="solid")
        axes.clabel(lines, fmt=lambda level: f"$10^{{{level:.0f}}}$", fontsize=7.0, inline_spacing=2)
        drop_stubs(axes, lines)


def drop_stubs(axes: Axes, lines: QuadContourSet) -> None:
    """Take away the pieces of lines that are too short to be read as such beside a label."""
    kept = []
    for path in lines.get_paths():
        begins = np.flatnonzero(path.codes == Path.MOVETO) if path.codes is not None else [0]
        pieces = [one for one in np.split(path.vertices, begins[1:]) if len(one) > 1]
        inches = [np.hypot(*np.diff(axes.transData.transform(one), axis=0).T).sum() / axes.figure.dpi for one in pieces]
        long = [Path(one) for one, length in zip(pieces, inches, strict=True) if 72 * length >= STUB]
        kept.append(Path.make_compound_path(*long))
    lines.set_paths(kept)
