"""The marks of maps: what each cell has of them, how they look, and the key of those that occur."""

import colorsys
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from actlab.analysis.drawings import BORN_DEAD, COUNTED, FRAMED, OF_THEM, RANGED
from actlab.analysis.of_trained import NONE_TRAINED

EDGE = "#CFCFCF"
FADED = 0.35
OVERLAYS: Mapping[str, Mapping[str, Any]] = {
    "some": {"facecolor": "none", "edgecolor": "white", "hatch": "////"},
    "faint": {"facecolor": "white", "alpha": 1 - FADED},
}
"""What is laid over cells without numbers of which some runs, or more than half, have no value."""
HATCHES: Mapping[str, str] = {"diverged": "/////", "without": ".....", "born dead": "xxxxx"}
UNDER_NUMBERS = {"born dead": "#DADADA"}
"""Colours of hatches that have a number upon them: lighter than letters."""
READ_ON_HATCHES: Mapping[str, Any] = {"path_effects": [withStroke(linewidth=1.8, foreground="white")]}


def pale(colour: Any) -> tuple[float, float, float]:
    """Fade a colour, red, green and blue, towards white in its own hue: laid thinly upon it a dark brown is a grey.

    >>> tuple(round(255 * one) for one in pale((0.4, 0.145, 0.024, 1.0)))
    (247, 162, 122)
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*colour[:3])
    return colorsys.hls_to_rgb(hue, 1 - FADED * (1 - lightness), saturation)


def lost(frame: pd.DataFrame) -> pd.Series:
    """Tell of each row whether some of its runs diverged, or have no value."""
    return frame["diverged"] + frame.get("missing", 0) > 0


def marks(cell: Mapping[str, Any], height: float) -> Iterator[str]:
    """Say which marks a cell has: see ``keys``."""
    if bool(cell.get(FRAMED, False)):
        yield "framed"
    if not np.isfinite(height):
        yield "diverged" if cell["diverged"] and cell["diverged"] >= cell["runs"] else "without"
        return
    if born_dead := bool(cell.get(BORN_DEAD, False)):
        yield "born dead"
    if bool(cell.get(NONE_TRAINED, False)):
        yield "none trained"
    if cell["diverged"] + cell.get("missing", 0) and cell["n"] < cell["runs"]:
        yield "lost"
        if 2 * cell["n"] < cell["runs"] and not born_dead:
            yield "faint"


def hatched(mark: str) -> dict[str, Any]:
    """Choose how a cell looks that is hatched, and its key."""
    edge = UNDER_NUMBERS.get(mark, "#9A9A9A")
    return {"hatch": HATCHES[mark], "facecolor": "white", "edgecolor": edge, "linewidth": 0}


def counts(cell: Mapping[str, Any]) -> str:
    """Write how many of how many a share is, where they are too few for a percentage; else nothing.

    >>> counts({"counted": 1.0, "of_them": 3.0}), counts({"counted": 1.0, "of_them": math.nan})
    ('1/3', '1')
    >>> counts({"counted": math.nan}), counts({})
    ('', '')
    """
    if not np.isfinite(cell.get(COUNTED, math.nan)):
        return ""
    return f"{cell[COUNTED]:.0f}" + (f"/{cell[OF_THEM]:.0f}" if np.isfinite(cell[OF_THEM]) else "")


def written(value: float, share: bool) -> str:
    """Write a number with few letters: a share in percent, of which 100 has too many; others without the 0 in front.

    >>> written(0.934, True), written(1.0, True), written(0.999, True), written(0.001, True), written(-0.25, False)
    ('93', 'all', '>99', '<1', '−.25')
    """
    if share and value == 1:
        return "all"
    if share:
        return "<1" if 0 < value < 0.005 else ">99" if value >= 0.995 else f"{100 * value:.0f}"
    text = f"{value:z.2f}" if abs(value) < 0.995 else f"{value:.1f}"
    return text.replace("0.", ".", 1).replace("-", "−") if abs(value) < 0.995 else text.replace("-", "−")


def keys(occurring: set[str], frame: pd.DataFrame) -> list[Artist]:
    """Make the key of the marks that occur."""
    framed = "framed: selected rate"
    if FRAMED in frame and (numbers := {bool(one): set(of) for one, of in frame.groupby(FRAMED)["runs"]}).get(True):
        inside, outside = (span_of(numbers.get(one, set())) for one in (True, False))
        framed += f" ({inside} runs, others {outside})" if outside and inside != outside else ""
    of_lost = frame[lost(frame) & (frame["n"] < frame["runs"])]
    median = RANGED in of_lost and bool((of_lost[RANGED] & of_lost["mean"].notna()).any())
    left = "median of the k runs left" if median else "k runs left"
    why = "diverged" if "missing" not in of_lost or not of_lost["missing"].any() else "diverged or have no value"
    alone = COUNTED in frame and frame[OF_THEM].isna().all()
    others = "numbers" if "counts" not in occurring else "numbers in other maps" if alone else "other numbers"
    made: dict[str, Artist] = {
        "percent": Line2D(
            [], [], linestyle="none", label="numbers: percent" if "counts" not in occurring else f"{others}: percent"
        ),
        "counts": Line2D([], [], linestyle="none", label=key_of_counts(frame)),
        "framed": Patch(facecolor="white", edgecolor="black", linewidth=1.2, label=framed),
        "lost": Line2D([], [], linestyle="none", label=f"(k): {left}, the others {why}"),
        "some": Patch(
            **{**OVERLAYS["some"], "facecolor": "#A6A6A6", "linewidth": 0}, label="at least half, not all, have a value"
        ),
        "faint": Patch(facecolor="#F9DCB8", label="faded: fewer than half have a value"),
        "none trained": Patch(facecolor="white", edgecolor=EDGE, linewidth=0.6, label="not filled: no run trained"),
        "diverged": Patch(**hatched("diverged"), label="all diverged"),
        "without": Patch(**hatched("without"), label="no run has a value"),
        "born dead": Patch(**hatched("born dead"), label="at least half begin with a dead layer"),
    }
    return [one for name, one in made.items() if name in occurring]


def key_of_counts(frame: pd.DataFrame) -> str:
    """Say what counts in the cells of a map are of."""
    there = frame[frame[COUNTED].notna()] if COUNTED in frame else frame.assign(**{OF_THEM: math.nan})
    if there[OF_THEM].notna().any():
        return f"i/j: i of j {'runs' if (there['measure'] == 'trained').all() else 'units'}, where few"
    told = FRAMED in frame and frame[FRAMED].any()  # the key of frames says it
    return "trained: how many runs" if told else f"trained: how many of {span_of(set(there['runs']))} runs"


def span_of(numbers: set[int]) -> str:
    """Write which numbers there are.

    >>> span_of({3}), span_of({3, 20}), span_of(set())
    ('3', '3 to 20', '')
    """
    if not numbers:
        return ""
    least, most = min(numbers), max(numbers)
    return f"{least}" if least == most else f"{least} to {most}"
