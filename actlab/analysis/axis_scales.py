"""The scales of axes: logarithmic ones, decades, depths, layers, and both ways where a few values lie far out."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from actlab.analysis import style
from actlab.analysis.drawings import pressed_flat
from actlab.measures import about


def log_scale(axes: Axes, values: pd.Series, decades: float = 1.0) -> None:
    """Make the y axis logarithmic, at least ``decades`` high: what hardly differs must look so."""
    positive = values[(values > 0) & np.isfinite(values)]
    axes.set_yscale("log")
    if positive.empty:
        return
    low, high = math.log10(positive.min()), math.log10(positive.max())
    pad = max((decades - (high - low)) / 2, 0.05 * (high - low))
    low, high = max(low - pad, -300.0), min(high + pad, 300.0)
    axes.set_ylim(10.0**low, 10.0**high)
    near = high - low <= 2.1
    axes.yaxis.set_major_locator(LogLocator(numticks=6, subs=(1.0, 2.0, 5.0) if near else (1.0,)))
    if near and low > -3 and high < 4:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def pressed_scale(axes: Axes, values: pd.Series) -> bool:
    """Let the y axis be linear to ±1, and in decades beyond, where a few values would press all others flat.

    Returns:
        whether it is so, which its label must say.
    """
    if not pressed_flat(values):
        return False
    known = values[np.isfinite(values)].abs()
    axes.set_yscale("symlog", linthresh=1.0, linscale=1.0)
    most = math.ceil(math.log10(known.max()))
    step = math.ceil(most / 4)
    below = bool(values.min() < -1)
    signs = (-1, 1) if below else (1,)
    ticks = range(0 if step == 1 else step, most + 1, step)  # of many decades the first lies upon 0
    places = [0.0, *(s * 10.0**n for s in signs for n in ticks)]
    axes.set_yticks(places, in_one_notation(places))
    if not below:  # the other half would be empty
        axes.set_ylim(min(float(values.min()), 0.0) - 0.2, 3 * float(values.max()))
    axes.yaxis.set_minor_locator(NullLocator())
    return True


LEAST_PLAIN, MOST_PLAIN = 1e-3, 1e3
"""Between these the ticks of an axis are written as they are."""


def in_one_notation(values: Sequence[float]) -> list[str]:
    """Write the powers of ten at an axis, with their signs: all as they are, or all but 0 and ±1 as powers.

    >>> in_one_notation([-100.0, 0.0, 0.01]), in_one_notation([-1.0, 0.0, 100.0, 1e4])
    (['−100', '0', '0.01'], ['−1', '0', '$10^{2}$', '$10^{4}$'])
    """
    plain = all(LEAST_PLAIN <= abs(value) <= MOST_PLAIN for value in values if value)
    texts = [
        f"{abs(value):g}" if plain or abs(value) in (0, 1) else f"$10^{{{math.log10(abs(value)):.0f}}}$"
        for value in values
    ]
    return ["−" * (value < 0) + text for value, text in zip(values, texts, strict=True)]


def decades_scale(axes: Axes, log10: pd.Series, decades: float = 1.0) -> None:
    """Make the y axis one of decades, at least so many high, where log10 is drawn: of what lies beyond float64."""
    known = log10[np.isfinite(log10)]
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$10^{{{y:.0f}}}$"))
    if len(known):
        low, high = float(known.min()), float(known.max())
        pad = max((decades - (high - low)) / 2, 0.05 * (high - low))
        axes.set_ylim(low - pad, high + pad)


def depth_axis(axes: Axes, depths: Sequence[float], name: str = "depth") -> None:
    """Tick the x axis at the depths themselves, logarithmic if they are far apart; label those with room."""
    if len(depths) > 1 and min(depths) > 0 and max(depths) / min(depths) >= 4:
        axes.set_xscale("log")
    texts, last = [], -math.inf
    for depth in depths:
        place = math.log(depth) if axes.get_xscale() == "log" else depth
        span = (
            (math.log(max(depths)) - math.log(min(depths))) if axes.get_xscale() == "log" else max(depths) - min(depths)
        )
        texts.append(f"{depth:g}" if span == 0 or place - last > 0.05 * span else "")
        last = place if texts[-1] else last
    axes.set_xticks(list(depths), texts)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(about(name).axis)


def layer_axis(axes: Axes, last: int, most: int = 6) -> None:
    """Tick the x axis at layers: the first, round numbers, and the last."""
    step = next(k * 10**n for n in range(9) for k in (1, 2, 5) if last / (k * 10**n) <= most - 1)
    between = [one for one in range(step, last, step) if one > 1 and last - one > step / 2]
    axes.set_xticks(sorted({1, *between, last}))  # of one layer the first is the last: twice, its number looks bold


SYMLOG_TICKS = [sign * k for sign in (-1, 1) for k in (0.1, 1, 10, 100)] + [0.0]


def spread_out(axes: Axes, values: pd.Series) -> None:
    """Let both axes reach over the same values, in decades beyond .1 where a few lie far from most of them."""
    known = values[np.isfinite(values)]
    low, high = min(float(known.min()), 0.0), max(float(known.max()), 0.0)
    pad = 0.06 * (high - low)
    if known.abs().max() > 5 * max(known.abs().quantile(0.9), 0.05):
        axes.set_xscale("symlog", linthresh=0.1, linscale=0.8)
        axes.set_yscale("symlog", linthresh=0.1, linscale=0.8)
        axis: Any
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(SYMLOG_TICKS))
            axis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}".replace("-", "−")))
            axis.set_minor_locator(NullLocator())
        low, high = (1.25 * end if abs(end) > 0.1 else end + math.copysign(0.02, end) for end in (low, high))
        pad = 0.0
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(low - pad, high + pad)
    axes.set_box_aspect(1)


BAR: dict[str, Any] = {"location": "bottom", "aspect": 16, "shrink": 0.6, "pad": 0.02}
HIGH_BAR = 0.16  # inches


def bar_of_places(figure: Figure, panels: Sequence[Axes]) -> None:
    """Draw below a picture which colours layers have, in the order of those that a panel has."""
    high = HIGH_BAR / figure.get_figheight()
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), style.places()), ax=panels, **BAR | {"fraction": high})
    bar.set_ticks([0.0, 1.0], labels=["first layer", "last layer"])
