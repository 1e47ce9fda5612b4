"""The axis of accuracies: equal steps are equal ratios of errors, so that .98 is as far from .96 as .9 is from .8.

On an axis of equal differences, all that trained would lie on one another wherever something stayed at chance.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from actlab.analysis.of_trained import partly

TICKS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.997, 0.998, 0.999)
APART = 0.06
"""Of the axis: ticks that are nearer to one another are left out."""
PAD = 0.05
LEAST_ERROR = 1e-4
REACHED = 0.9
"""From 0 on every axis reaches at least so far: what hardly differs looks so."""
SAID = "equal steps: equal ratios of errors"


def is_accuracy(measure: str) -> bool:
    """Tell whether a measure is an accuracy.

    >>> is_accuracy("test_accuracy"), is_accuracy("test_loss")
    (True, False)
    """
    return measure.endswith("_accuracy")


def accuracy_scale(axes: Axes, heights: Sequence[float] | pd.Series) -> None:
    """Scale the y axis by log10 of the error; accuracies of 1, which have none, stand at half of the least one.

    Args:
        axes: a panel.
        heights: all accuracies that it shows.
    """
    known = np.clip([one for one in heights if np.isfinite(one)], 0.0, 1.0)
    some = known[known < 1.0 - 1e-9]
    perfect = len(some) < len(known)
    least = max(float((1.0 - some).min()) / (1.0 + perfect), LEAST_ERROR) if len(some) else 0.1
    top = max(-math.log10(least), -math.log10(1.0 - REACHED))
    high = top if perfect else top * (1.0 + PAD)

    def place(accuracy: npt.ArrayLike) -> Any:
        return -np.log10(np.maximum(1.0 - np.asarray(accuracy, dtype=float), 10.0**-high))

    def accuracy(place: npt.ArrayLike) -> Any:
        return 1.0 - 10.0 ** -np.asarray(place, dtype=float)

    axes.set_yscale("function", functions=(place, accuracy))
    limits = 0.0, 1.0 if perfect else float(accuracy(high))
    axes.set_ylim(*limits)
    ticks = [1.0] if perfect else []
    for tick in TICKS[::-1]:
        if limits[0] <= tick <= limits[1] and all(abs(place(tick) - place(one)) > APART * high for one in ticks):
            ticks.append(tick)
    axes.yaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def heights_of(rows: pd.DataFrame) -> list[float]:
    """List all that a panel shows: estimates, both ends of intervals, single runs, and chance."""
    texts = rows["seeds"].fillna("") if "seeds" in rows else pd.Series(dtype=str)
    alone = [float(one) for text in texts for one in str(text).split()]
    shown = rows[texts.eq("") | partly(rows)] if len(texts) else rows
    names = [name for name in ("mean", "low", "high") if name in rows]
    return [*shown[names].to_numpy(float).ravel(), *alone, *rows.get("chance", [])]
