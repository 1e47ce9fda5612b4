"""How figures look in Matplotlib: settings, colours of ordered quantities, and files without dates."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from matplotlib.transforms import Bbox
from PIL import Image

from actlab.analysis.formats import DPI, Formats
from actlab.analysis.looks import LineStyle

DASHES: dict[str, Any] = {
    "solid": "-",
    "dashed": (0, (4, 1.5)),
    "dotted": (0, (1, 1.2)),
    "dashdot": (0, (5, 1.5, 1, 1.5)),
}
SHORT_DASHES = Outline([(x, 0.0) for x in (-7.5, -3.5, -2.0, 2.0, 3.5, 7.5)], [Outline.MOVETO, Outline.LINETO] * 3)
"""A mark of three dashes, 15 points wide: of what is dashed, at one place alone; a point upon it leaves its gaps."""


def line(look: LineStyle) -> dict[str, Any]:
    """Keywords for ``Axes.plot``."""
    return {"color": look.colour, "marker": look.marker, "linestyle": DASHES[look.dash]}


LIGHTEST = 0.85  # of viridis: beyond it lines are too light on white


def places() -> ListedColormap:
    """Make the colours that ``sequence`` takes from, the darkest at 0 and the lightest at 1."""
    return ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, LIGHTEST, 256)))


def sequence(values: Iterable[float]) -> dict[float, str]:
    """Give each value of an ordered quantity (depth, layer) a colour: dark for small, light for large.

    >>> list(sequence([2, 10])) == [2, 10]
    True
    """
    ordered = sorted(set(values))
    shades = mpl.colormaps["viridis"](np.linspace(0.0, LIGHTEST, max(len(ordered), 2)))
    return {value: to_hex(rgba) for value, rgba in zip(ordered, shades, strict=False)}


NOTHING: Any = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What files say of when and by what they were made."""
WIDEST = 6.38  # inches: with its margins a picture fills a page of 6.5, on which letters have the size that they say
AREA = 60  # pixels
SCREEN = 110  # pixels of a page per inch
RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titley": 1.0,  # no ticks above a panel: else the place of its title is sought again at each look
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.2,  # of which exponents have .7
    "ytick.labelsize": 7.2,
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
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "actlab",  # else every file has other ids
}


@contextmanager
def apply() -> Iterator[None]:
    """Apply Matplotlib's settings for a ``with`` block: build *and* save a figure inside it.

    They begin with Matplotlib's own defaults: a ``matplotlibrc`` of the user's changes no figure.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def save(figure: Figure, stem: Path, suffixes: Sequence[str] = Formats.suffixes, dpi: int = DPI) -> list[Path]:
    """Write ``stem.png`` and ``stem.svg``, or what is asked for: the same bytes for the same figure, without a date.

    The PNG has a palette, which makes it a third of the size, and in which lines and areas keep their colours; the
    SVG's paths are cut to two decimals.

    Args:
        figure: the figure.
        stem: the files' path without a suffix.
        suffixes: which of ``png``, ``svg`` and ``pdf``.
        dpi: pixels per inch of a PNG.

    Returns:
        The paths.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = {suffix: stem.with_name(f"{stem.name}.{suffix}") for suffix in suffixes}
    with drawn(figure) as box:
        for suffix, path in paths.items():
            if suffix == "png":
                raster(figure, box, dpi).save(path, optimize=True, dpi=(dpi, dpi))
            elif suffix == "svg":
                vector = io.StringIO()
                figure.savefig(vector, format="svg", bbox_inches=box, metadata=NOTHING["svg"])
                path.write_text(short_paths(vector.getvalue()), encoding="utf-8", newline="\n")
            else:
                figure.savefig(path, format=suffix, bbox_inches=box, metadata=NOTHING[suffix])
    return list(paths.values())


@contextmanager
def drawn(figure: Figure) -> Iterator[Bbox]:
    """Lay a figure out, once for all files of a ``with`` block; gives the box of all that is in it."""
    with apply(), warnings.catch_warnings():
        for drawn_all_the_same in ("Glyph .* missing", "constrained_layout not applied"):  # strange names, little room
            warnings.filterwarnings("ignore", drawn_all_the_same, UserWarning)
        lay_out(figure)
        figure.set_layout_engine(None)  # laid out and measured once, not twice a file
        box = figure.get_tightbbox().padded(0.08)
        for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
            if not axis.get_label_text():
                axis.set_label_coords(0.0, 0.0)  # else its place is sought for each file
        yield box


def raster(figure: Figure, box: Bbox, dpi: int) -> Image.Image:
    """Draw a figure in dots, with a palette."""
    dots = io.BytesIO()
    figure.savefig(dots, format="rgba", dpi=dpi, bbox_inches=box)
    pixels = np.frombuffer(dots.getbuffer(), np.uint8)
    # Matplotlib rounds both sides down, of products that differ from these by an ulp.
    width, height = int(box.width * dpi), int(box.height * dpi)
    fits = (one for one in (width, width + 1, width - 1) if pixels.size % (4 * one) == 0)
    pixels = pixels.reshape(-1, next(one for one in fits if abs(pixels.size // (4 * one) - height) <= 1), 4)
    return in_palette(pixels[..., :3])


class Picture(Figure):
    """A figure that a notebook shows as its file looks; where Matplotlib's pyplot is at work, that shows it."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Draw it for a notebook: sharp on a dense screen, and as wide as it is on paper."""
        content = io.BytesIO()
        with drawn(self) as box:
            raster(self, box, DPI).save(content, "PNG", optimize=True)
        return content.getvalue(), {"width": round(box.width * SCREEN), "height": round(box.height * SCREEN)}


def in_palette(pixels_HxWx3: np.ndarray, most: int = 256, kept: int = 192) -> Image.Image:
    """Draw with a palette in which what has an area keeps its colour; soft edges get the next one that there is.

    A palette that is a mean of similar colours would draw a thin blue line in the teal of a thicker one beside it. A
    picture of too many colours, as of a smooth scale, has none.

    Args:
        pixels_HxWx3: red, green and blue, 0 to 255.
        most: how many colours there may be.
        kept: how many of these are the most frequent ones among pixels that have a neighbour of their own colour.
    """
    packed_HxW = pixels_HxWx3.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours_K, place_N = np.unique(packed_HxW, return_inverse=True)
    if len(colours_K) > most:
        flat = [packed_HxW[:, 1:][packed_HxW[:, 1:] == packed_HxW[:, :-1]]]
        flat += [packed_HxW[1:][packed_HxW[1:] == packed_HxW[:-1]]]
        there, number = np.unique(np.concatenate(flat), return_counts=True)
        if (number >= AREA).sum() > kept:
            return Image.fromarray(pixels_HxWx3)
        chosen = there[np.argsort(-number, kind="stable")[:kept]]
        rest = Image.fromarray(rgb(np.setdiff1d(colours_K, chosen))[None]).quantize(most - len(chosen))
        others = np.array(rest.convert("RGB"))[0] @ np.array([65536, 256, 1], np.uint32)
        chosen = np.unique(np.concatenate([chosen, others]))
        here_Kx3, there_Cx3 = (rgb(one).astype(float) for one in (colours_K, chosen))
        apart_KxC = (there_Cx3**2).sum(1) - 2 * here_Kx3 @ there_Cx3.T  # squared, less what all of a row have
        place_N, colours_K = apart_KxC.argmin(1)[place_N], chosen
    image = Image.fromarray(place_N.reshape(packed_HxW.shape).astype(np.uint8), "P")
    image.putpalette(rgb(colours_K).tobytes())
    return image


def rgb(packed_K: np.ndarray) -> np.ndarray:
    """Take whole numbers apart into red, green and blue.

    >>> rgb(np.array([0x0072B2])).tolist()
    [[0, 114, 178]]
    """
    return np.stack([packed_K >> 16, packed_K >> 8 & 255, packed_K & 255], -1).astype(np.uint8)


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
    return re.sub(r'\b(?:d|x|y)="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), flat)


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of its own, outside pyplot's global state."""
    # Measured at the resolution at which it is saved: letters are hinted to whole pixels, so widths depend on it.
    figure = Picture(figsize=(width, height), layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    return figure
