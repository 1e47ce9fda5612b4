"""How figures look: one colour, marker and dash an activation in every figure of every study, and files without dates.

A look belongs to an activation's *name*, never to its place in a study, so that two figures can be laid side by side.
The names of the common story differ in hue and lightness (after Okabe & Ito, and Tol's muted scheme, both made for
colour-blind readers); a relative shares the hue and differs in marker and dash, which survives a black-and-white print.
"""

import colorsys
import io
import math
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PIL import Image

Dash = Any  # what Matplotlib takes as a line style

SOLID: Dash = "-"
DASHED: Dash = (0, (4, 1.5))
DOTTED: Dash = (0, (1, 1.2))
DASHDOT: Dash = (0, (5, 1.5, 1, 1.5))


@dataclass(frozen=True)
class LineStyle:
    """Colour, marker and dash of one activation."""

    colour: str
    marker: str
    dash: Dash

    @property
    def line(self) -> dict[str, Any]:
        """Keywords for ``Axes.plot``."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.dash}


# The story's own names first, then their relatives by family.
LOOKS: dict[str, LineStyle] = {
    "sigmoid": LineStyle("#D55E00", "o", SOLID),
    "relu": LineStyle("#0072B2", "s", SOLID),
    "leaky_relu": LineStyle("#56B4E9", "^", DASHED),
    "prelu": LineStyle("#332288", "v", DASHDOT),
    "elu": LineStyle("#009E73", "D", SOLID),
    "selu": LineStyle("#7CAE00", "P", DASHED),
    "gelu": LineStyle("#CC79A7", "X", SOLID),
    "swish": LineStyle("#882255", "p", DASHED),
    "mish": LineStyle("#AA4499", "h", DASHDOT),
    "tanh": LineStyle("#E69F00", "<", SOLID),
    "linear": LineStyle("#555555", "|", DOTTED),
    # sigmoidal
    "centred_sigmoid": LineStyle("#A63D00", ">", DASHED),
    "hard_sigmoid": LineStyle("#F28E4B", "d", DOTTED),
    "hard_tanh": LineStyle("#B88A00", "*", DASHED),
    "softsign": LineStyle("#F5C242", "8", DASHDOT),
    "scaled_tanh": LineStyle("#C66A3A", "H", DASHDOT),
    "erf": LineStyle("#D98880", "x", DOTTED),
    "arctan": LineStyle("#8C6A00", "+", DOTTED),
    # rectified
    "relu6": LineStyle("#004C78", "d", DASHED),
    "star_relu": LineStyle("#3F8FC4", "*", DOTTED),
    "squareplus": LineStyle("#1B9AAA", ">", DASHED),
    "relu_squared": LineStyle("#1F4E8C", "H", DOTTED),
    "softplus": LineStyle("#44AA99", "8", SOLID),
    # exponential
    "celu": LineStyle("#117733", "o", DOTTED),
    # gated
    "gelu_tanh": LineStyle("#E5A3C6", "x", DOTTED),
    "quick_gelu": LineStyle("#B25C8B", "H", DOTTED),
    "silu": LineStyle("#AA5577", "+", DOTTED),
    "hard_swish": LineStyle("#661100", "d", DASHED),
    # neither
    "sine": LineStyle("#999933", "*", DASHDOT),
    "snake": LineStyle("#6B6B1F", "H", DASHED),
    "gaussian": LineStyle("#BFB34A", "<", DOTTED),
    "absolute": LineStyle("#4D4D1A", "d", SOLID),
    "softshrink": LineStyle("#8899AA", "x", DASHDOT),
    "tanhshrink": LineStyle("#5F7285", "h", DOTTED),
}
# Users' own functions: hues that no name of the story has, chosen by a checksum of the name.
OTHERS = ("#6E4B1F", "#4B7F52", "#A0527F", "#3D6E8F", "#8F6F00", "#7A4FBF", "#B5475A", "#2F8F8F")
MARKERS = "osD^vP<>Xph*d8"
DASHES = (SOLID, DASHED, DOTTED, DASHDOT)


def colours(labels: Iterable[str], orders: Iterable[float] | None = None) -> dict[str, LineStyle]:
    """The look of each activation, in the order of the story.

    Args:
        labels: names, with parameters where a study sets them: ``relu``, ``leaky_relu(negative_slope=0.2)``.
        orders: the place of each label in the story; the dictionary comes in this order, labels of one place by name.

    Returns:
        ``{label: LineStyle}``. A label's look depends on the label alone, never on its neighbours.

    >>> looks = colours(["relu", "sigmoid", "leaky_relu(negative_slope=0.2)"], [2, 1, 3])
    >>> list(looks), looks["relu"].colour
    (['sigmoid', 'relu', 'leaky_relu(negative_slope=0.2)'], '#0072B2')
    """
    names = list(labels)
    places = [0.0] * len(names) if orders is None else list(orders)
    place = dict(zip(names, places, strict=True))
    return {label: look(label) for label in sorted(place, key=lambda name: (place[name], name))}


def look(label: str) -> LineStyle:
    """The look of one label: its name's, shaded by its parameters; users' own names by a checksum of the name."""
    name, _, parameters = label.partition("(")
    mark = zlib.crc32(label.encode())
    base = LOOKS.get(name)
    if base is None:
        key = zlib.crc32(name.encode())
        base = LineStyle(OTHERS[key % len(OTHERS)], MARKERS[key // 8 % len(MARKERS)], DASHES[key // 128 % len(DASHES)])
    if not parameters:
        return base
    return LineStyle(shade(base.colour, parameters), MARKERS[mark % len(MARKERS)], DASHES[mark // 16 % len(DASHES)])


def shade(colour: str, parameters: str) -> str:
    """A colour of the same hue whose lightness follows the first number in ``parameters``: dark small, light large.

    The scale is fixed (10⁻³ to 10, by decades), so that a value has the same shade in every study.
    """
    found = re.search(r"=\s*(-?[\d.]+(?:e[-+]?\d+)?)", parameters)
    value = abs(float(found[1])) if found else (zlib.crc32(parameters.encode()) % 97) / 97
    t = 0.0 if value == 0 else min(max((math.log10(value) + 3) / 4, 0.0), 1.0)
    hue, _, saturation = colorsys.rgb_to_hls(*to_rgb(colour))
    return to_hex(colorsys.hls_to_rgb(hue, 0.22 + 0.48 * t, saturation))


def sequence(values: Iterable[float]) -> dict[float, str]:
    """One colour a value of an ordered quantity (depth, layer): dark for small, light for large, legible on white.

    >>> list(sequence([2, 10])) == [2, 10]
    True
    """
    ordered = sorted(set(values))
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, max(len(ordered), 2)))
    return {value: to_hex(rgba) for value, rgba in zip(ordered, shades, strict=False)}


DPI = 140
RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titley": 1.0,  # no ticks above a panel: else the place of its title is sought again at each look
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "figure.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "lines.markeredgewidth": 0.7,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
    "svg.fonttype": "none",  # text stays text: small, searchable, read by screen readers
    "svg.hashsalt": "actlab",  # else every file has other ids
}


@contextmanager
def apply() -> Iterator[None]:
    """Matplotlib's settings for the duration of a ``with`` block: build *and* save a figure inside it."""
    with mpl.rc_context(RC):
        yield


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.svg``: the same bytes for the same figure, without date or version.

    The PNG has a palette of at most 255 colours, which is a third of the size; the SVG's paths are cut to two decimals.

    Returns:
        The two paths.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, svg = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    raster, vector = io.BytesIO(), io.StringIO()
    with apply():
        lay_out(figure)
        figure.set_layout_engine(None)  # laid out and measured once, not twice a file
        box = figure.get_tightbbox().padded(0.08)
        for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
            if not axis.get_label_text():
                axis.set_label_coords(0.0, 0.0)  # else its place is sought for each file
        figure.savefig(raster, format="rgba", dpi=DPI, bbox_inches=box)
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(vector, format="svg", bbox_inches=box, metadata=nothing)
    width = int(box.width * DPI)
    pixels = np.frombuffer(raster.getbuffer(), np.uint8).reshape(-1, width, 4)
    Image.fromarray(pixels).convert("RGB").quantize(255, dither=Image.Dither.NONE).save(png)
    svg.write_text(short_paths(vector.getvalue()), encoding="utf-8", newline="\n")
    return [png, svg]


def lay_out(figure: Figure) -> None:
    """Give every panel its place, without drawing."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def short_paths(svg: str) -> str:
    """Cut the coordinates inside ``d="..."`` and ``x``/``y`` to two decimals, and the indentation of tags.

    >>> short_paths('<path d="M 1.23456 2 L 3.001 4"/><text>0.00123</text>')
    '<path d="M 1.23 2 L 3.00 4"/><text>0.00123</text>'
    """
    flat = re.sub(r"\n +<", "\n<", svg)
    return re.sub(r'\b(?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), flat)


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, outside pyplot's global state."""
    # Measured at the resolution at which it is saved: letters are hinted to whole pixels, so widths depend on it.
    figure = Figure(figsize=(width, height), layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    return figure
