"""Histograms of every layer: of z, of h, and of the gradient on its way back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from actlab.analysis.binned import CUT, DELTA, LEAST, SAID, axis_of, beyond, both_ends, shares
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.drawings import RIDGES, WHEN, Drawing, Spec, drawing, subject
from actlab.analysis.escaping import code
from actlab.analysis.figures.base import of_those_trained, one_depth, thin_layers
from actlab.analysis.layout import records
from actlab.analysis.notes import listed, span
from actlab.analysis.of_trained import TRAINED, how_many, of_untrained, with_none_trained
from actlab.analysis.parts import figure
from actlab.analysis.tables.base import order
from actlab.later import pd
from actlab.measures import HISTOGRAMS, about
from actlab.naming import counted

MOST_ROWS = 12


@figure
def histograms(cells: Cells) -> Drawing | None:
    """Histograms of z, h and the signal gradient by layer, at init and at the end; a panel per activation."""
    if cells.histograms.empty or cells.selected.empty:
        return None
    runs = cells.selected[cells.selected["run"].isin(cells.histograms["run"])]
    if runs.empty:
        return None
    depth = one_depth(runs["depth"])
    runs = runs[runs["depth"] == depth]
    counts = both_ends(cells.histograms, cells.steps, runs)
    keys = cell_keys(cells)
    others = of_untrained(runs, keys)
    there = counts[(counts["at"] == "init") | ~counts["run"].isin(others["run"])]
    kept = thin_layers(there, cells, MOST_ROWS).merge(runs[["run", *keys]], on="run")
    frame = order(shares(kept, keys), cells, keys, ["at", "layer", "bin"])
    if len(others):
        frame = frame.merge(how_many(others, keys), "left", on=keys)
        frame[TRAINED] = frame[TRAINED].where(frame["at"] != "init").fillna("")
    frame = with_none_trained(frame, runs, keys)
    frame = frame.sort_values("measure", key=lambda column: column.map(HISTOGRAMS.index), kind="stable")
    frame = frame.reset_index(drop=True)
    number = "one run" if frame["n"].max() == 1 else f"{span(frame['n'])} runs"
    said = [
        f"Values of all units and probe rows of {number} a panel, as its head says, counted together: where outlines "
        "lie further left from row to row values shrink, and where they widen they spread. Each outline is as high as "
        "any other: places and widths compare, heights do not. Bins are of equal steps along the axis. Layer 1, below, "
        "is next to the input"
        f"{thinned(counts, frame)}.",
        of_those_trained(frame, cells),
        exactly_zero(frame, runs),
        f"Where every layer has less than {100 * LEAST:g} % for each decade the axis may end; NaN lies in no bin, and "
        "at the end runs that diverged are left out.",
    ]
    caption = " ".join(filter(None, said))
    title = f"How values spread by layer, networks of {counted(depth, 'hidden layer')}"
    spec = Spec(RIDGES, x="bin", lines="layer", panels=subject(cells), looks=cells.looks)
    made = drawing(cells, frame.assign(low=np.nan), spec, title, caption, [*cells.selected_keys, "measure"])
    return replace(made, frame=frame, caption=f"{made.caption} {cut(made.pages.values())}")


def thinned(counts: pd.DataFrame, frame: pd.DataFrame) -> str:
    """Say that not all layers are drawn."""
    number, shown = counts["layer"].nunique(), frame["layer"].nunique()
    return f"; {shown} of {number} kept layers are drawn" if shown < number else ""


def exactly_zero(frame: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Say where gradients come from that are exactly 0, where a picture says how many are."""
    if not ((frame["measure"] == DELTA) & (frame["bin"] == 0) & (frame["mean"] >= SAID)).any():
        return ""
    floats = listed(sorted(set(runs["dtype"]))) if "dtype" in runs else "float32"
    return (
        f"A signal gradient is exactly 0 behind a flat piece of the activation, or where {floats} rounds it to 0 "
        "(underflow, mostly); of an activation without a flat piece (`gelu`, `selu`) it is the latter alone."
    )


def cut(pages: Iterable[pd.DataFrame]) -> str:
    """Say how much of a layer lies beyond an end of the axis of its picture, and where most."""
    parts = pd.concat([beyond(rows, axis_of(rows)) for rows in pages], ignore_index=True)
    most = parts[["below", "above"]].max(axis=1)
    if not most.max() >= CUT:
        return f"Of no layer {100 * CUT:g} % lie beyond an end of the axis."
    where = records(parts.loc[[most.idxmax()]])[0]
    place = f"{code(str(where['activation']))}, layer {where['layer']}, {WHEN[where['at']]}"
    return (
        f"A triangle at an end of the axis: {100 * CUT:g} % or more of the layer's values lie beyond it (grey: at "
        f"init); the most are {100 * most.max():.2g} % ({about(where['measure']).words}: {place})."
    )
