"""Gradients at initialisation: whose signal vanishes or explodes, at what rate, and what theory says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from actlab.analysis.cells import Cells
from actlab.analysis.deviations import PREDICTED, predicted_text
from actlab.analysis.findings.base import (
    MOST_EXAMPLES,
    MOST_NAMED,
    Finding,
    Row,
    Tables,
    at_depth,
    called,
    deepest,
    keys_of,
    middle,
    named,
    tied,
    varied,
    whole,
)
from actlab.analysis.layout import estimate, records
from actlab.analysis.notes import listed
from actlab.analysis.tables.base import without
from actlab.later import pd
from actlab.naming import counted

HALVED = math.log10(2) / 10
"""The slope that matters, in decades per layer."""
SCALE = "To shrink or grow is by more than a factor of 2 in ten layers; a decade is a factor of 10."
LONG = 350
"""Letters of what is said in one go."""
BEYOND = 3.0  # standard errors
SIX = 6  # digits to which slopes of the same networks agree
FIGURES = ("vanishing_slopes", "gradient_norms")


def slopes_at_init(cells: Cells, tables: Tables) -> tuple[pd.DataFrame, list[str]]:
    """Take the signal's slopes at initialisation, and the keys that they depend on.

    What differs in its training alone begins as the same networks, and counts once.
    """
    if "vanishing_slopes" not in tables:
        return pd.DataFrame(), []
    frame = tables["vanishing_slopes"].frame
    frame = frame[(frame["measure"] == "vanishing_slope") & (frame["at"] == "init")]
    keys = keys_of(cells, frame)
    for key in [key for key in keys if key not in ("activation", "depth")]:
        others = without(keys, key)
        if frame["mean"].round(SIX).groupby([frame[name] for name in others], dropna=False).nunique().max() <= 1:
            frame, keys = frame.drop_duplicates(others), others
    return frame, keys


def slopes(cells: Cells, tables: Tables) -> Finding | None:
    """Whose signal vanishes, whose explodes, whose keeps its size, by intervals, in the deepest networks."""
    frame, keys = slopes_at_init(cells, tables)
    lines = lines_of(frame, keys)
    frame = frame[frame["n"] > 0] if len(frame) else frame
    if frame.empty:
        return None
    last = deepest(frame, without(keys, "depth"))
    without_slope = lines - lines_of(last, keys)
    last = last.assign(_=middle(last)).sort_values("_", kind="stable")
    names = varied(last, keys)
    names = names if last["depth"].nunique() == 1 else without(names, "depth")
    begin = f"Before training, at {at_depth(last)},"
    known = last["low"].notna()
    if not known.any():
        lowest, highest = (in_one(last, end, names, cells) for end in (last.index[0], last.index[-1]))
        ends = f"slopes from {lowest} to {highest}" if len(last) > 1 else f"a slope of {lowest}"
        text = (
            f"{begin} the gradient on its way back to the input has {ends}: below 0 it shrinks. Medians and ranges: so "
            "few runs give no interval."
        )
        return Finding(text, "vanishing_slopes", FIGURES)
    shrinks, grows = last[known & (last["high"] < -HALVED)], last[known & (last["low"] > HALVED)][::-1]
    keeps = last[known & (last["low"] >= -HALVED) & (last["high"] <= HALVED)]
    rest = last.drop(index=[*shrinks.index, *grows.index, *keeps.index])
    texts = [("shrinks", numbered(shrinks, names)), ("grows", numbered(grows, names))]
    texts += [("keeps its size", f" {count_or_names(keeps, names)}" if len(keeps) else "")]
    parts = [f"{how}{which}" for how, which in texts if which]
    if len(rest):
        parts.append(f"may shrink, grow or keep its size {count_or_names(rest, names)}, which is not decided")
    if without_slope:
        parts.append(f"has no slope in {counted(without_slope, 'further cell')}, where no run has a defined one")
    begin += " the gradient on its way back to the input"
    text = f"{begin} {'; it '.join(parts)}. {SCALE}"
    if len(text) <= LONG:
        return Finding(text, "vanishing_slopes", FIGURES)
    ways = [one for one in parts if one.startswith(("shrinks", "grows"))]
    others = [one for one in parts if one not in ways]
    head, *tail = [*ways, *(["; it ".join(others)] if others else [])]
    each = [f"{begin} {head}.", *(f"The gradient {one}." for one in tail)]
    each[-1] += f" {SCALE}"
    return Finding(each[0], "vanishing_slopes", FIGURES, tuple(each[1:]))


def lines_of(frame: pd.DataFrame, keys: Sequence[str]) -> int:
    """Count the cells of a table that differ in more than their depth."""
    others = without(keys, "depth")
    return len(frame[others].drop_duplicates()) if others else min(len(frame), 1)


def numbered(rows: pd.DataFrame, names: Sequence[str]) -> str:
    """Write slopes with their cells, the steepest first; of many the steepest of each activation."""
    if rows.empty:
        return ""
    some = rows if len(rows) <= MOST_EXAMPLES else rows.drop_duplicates("activation").head(MOST_EXAMPLES)
    first, *others = records(some)
    unit = f"{with_theory(first)} decades per layer with {called(first, names)}"
    texts = [unit, *(f"{with_theory(row)} with {called(row, names)}" for row in others)]
    if len(some) == len(rows):
        return f": {listed(texts)}"
    return f" in {counted(len(rows), 'cell')}, the steepest {listed(texts)}"


def in_one(rows: pd.DataFrame, extreme: Any, names: Sequence[str], cells: Cells) -> str:
    """Write the slope that is an extreme, with all cells that have it."""
    number = with_theory({str(key): value for key, value in rows.loc[extreme].items()})
    return f"{number} decades per layer with {named(tied(rows, extreme, '_', cells), names)}"


def count_or_names(rows: pd.DataFrame, names: Sequence[str]) -> str:
    """Name few cells, and count many."""
    return f"in {counted(len(rows), 'cell')}" if len(rows) > MOST_NAMED + 1 else f"with {named(rows, names)}"


def with_theory(row: Row) -> str:
    """Write a slope with its interval, and the one that theory predicts, where it does."""
    text = estimate(row)
    predicted = predicted_text(row) if PREDICTED in row and not math.isnan(row[PREDICTED]) else ""
    return f"{text} (theory {predicted})" if predicted else text


def predicted(cells: Cells, tables: Tables) -> Finding | None:
    """Of how many slopes theory holds, and where it is the furthest off."""
    frame, keys = slopes_at_init(cells, tables)
    if frame.empty or PREDICTED not in frame:
        return None
    there = frame[frame[PREDICTED].notna()]
    judged = there[whole(there) & there["standard_errors"].notna()]
    if judged.empty:
        return None
    near = int((judged["standard_errors"].abs() <= BEYOND).sum())
    judged = judged.assign(_=judged["standard_errors"].abs())
    furthest = judged["_"].idxmax()
    off = records(judged.loc[[furthest]])[0]
    those = named(tied(judged, furthest, "_", cells), varied(frame, keys))
    cells_of_frame = counted(len(frame), "cell")
    everywhere = f"all {cells_of_frame}" if len(frame) > 1 else "the one cell"
    number = everywhere if len(there) == len(frame) else f"{len(there)} of {cells_of_frame}"
    number += " of depth 3 or more" * bool((cells.runs["depth"] < 3).any())  # shallower ones have no slope
    of = "of these" if len(judged) == len(there) else f"of the {len(judged)} in which every run has a slope"
    where = f"{'all' if near == len(judged) else near or 'none'} {of}" if len(frame) > 1 or not near else "it"
    beyond = f", and in {len(judged) - near} it is not" * (0 < near < len(judged))
    by_what = "(the median, and the range) " * bool(off["n"] > 1 and math.isnan(off["low"]))
    text = (
        f"Mean-field theory predicts the gradient's slope before training in {number}. In "
        f"{where} the measured mean is within {BEYOND:g} standard "
        f"errors of what is predicted (those that theory gives a mean of so many networks of that width){beyond}; "
        f"the furthest off, by {abs(off['standard_errors']):.3g} of them, is "
        f"{those}: {estimate(off)} decades per layer {by_what}"
        f"measured, {predicted_text(off)} predicted."
    )
    return Finding(text, "vanishing_slopes", ("predicted_slopes", *FIGURES))
