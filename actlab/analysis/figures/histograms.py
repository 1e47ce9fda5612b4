"""Histograms of every layer: of z, of h, and of the gradient on its way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from actlab.analysis.binned import AT_EDGE, LEAST, both_ends, keys_of, outermost, shares
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.drawings import RIDGES, WHEN, Drawing, Spec, drawing, subject
from actlab.analysis.escaping import code
from actlab.analysis.figures.base import one_depth, thin_layers
from actlab.analysis.notes import span
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
    kept = thin_layers(counts, cells, MOST_ROWS).merge(runs[["run", *keys]], on="run")
    frame = order(shares(kept, keys), cells, keys, ["at", "layer", "bin"])
    frame = frame.sort_values("measure", key=lambda column: column.map(HISTOGRAMS.index), kind="stable")
    frame = frame.reset_index(drop=True)
    number = "one run" if frame["n"].max() == 1 else f"{span(frame['n'])} runs"
    caption = (
        f"Values of all units and probe rows of {number} a panel, counted together. Each outline is as high as any "
        "other: places and widths compare, heights do not. Bins are of equal steps along the axis. Layer 1, below, is "
        f"next to the input{thinned(counts, frame)}. {beyond(frame)} Where every layer has less than {100 * LEAST:g} % "
        "for each decade the axis may end; NaN lies in no bin, and at the end runs that diverged are left out."
    )
    title = f"Histograms by layer, networks of {counted(depth, 'hidden layer')}"
    spec = Spec(RIDGES, x="bin", lines="layer", panels=subject(cells), looks=cells.looks)
    made = drawing(cells, frame.assign(low=np.nan), spec, title, caption, [*cells.selected_keys, "measure"])
    return replace(made, frame=frame)


def thinned(counts: pd.DataFrame, frame: pd.DataFrame) -> str:
    """Say that not all layers are drawn."""
    number, shown = counts["layer"].nunique(), frame["layer"].nunique()
    return f"; {shown} of {number} kept layers are drawn" if shown < number else ""


def beyond(frame: pd.DataFrame) -> str:
    """Say how much lies beyond the outermost edges of the bins, and where most."""
    outer = frame[[i in outermost(name) for i, name in frame[["bin", "measure"]].itertuples(index=False)]]
    if outer.empty:
        return "Nothing lies beyond the outermost bins."
    by = keys_of(frame)
    most = outer.groupby(by, dropna=False, sort=False)["mean"].sum()
    where = dict(zip(by, np.atleast_1d(most.index[int(most.argmax())]), strict=True))
    place = f"{code(str(where['activation']))}, layer {where['layer']}, {WHEN[where['at']]}"
    return (
        f"Up to {100 * most.max():.2g} % of a layer's values lie beyond the outermost edges "
        f"({about(where['measure']).words}: {place}), drawn as a bin of {AT_EDGE:g} decades."
    )
