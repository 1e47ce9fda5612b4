"""Gradients: their norms by place in the network, and how they change with depth."""

from __future__ import annotations

from actlab.analysis import of_trained
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.deviations import is_predicted, pivot_beside, theory_note, with_predictions
from actlab.analysis.estimates import at_both_ends, available
from actlab.analysis.layout import Table
from actlab.analysis.notes import NO_LOGARITHM, notes
from actlab.analysis.parts import table
from actlab.analysis.tables.base import along_the_network, order, place_note


@table
def gradient_norms(cells: Cells) -> Table | None:
    """Norms of the backpropagated signal and of the weight gradient, by place in the network, at init and end."""
    names = ("signal_grad_norm", "weight_grad_norm")
    measures = available(cells.layers, names)
    if not measures:
        return None
    keys = cell_keys(cells)
    values = along_the_network(cells, measures)
    frame = of_trained.summarise_trained(values, cells.selected, keys, cells.own)
    frame = with_predictions(frame, values, cells, keys)
    frame = order(frame, cells, keys, ["measure", "at", "position"])
    wide = pivot_beside(frame, [*keys, "measure", "at"], ["position"], text=of_trained.estimate)
    note = (
        f"Means over seeds are geometric, with intervals of log10. {NO_LOGARITHM} {place_note(frame)} "
        f"{theory_note(cells, frame)}"
    )
    note = " ".join(filter(None, [note.strip(), of_trained.note(frame)]))
    return Table("Gradient norms", notes(cells, frame, note, selected=True, asked=names), frame, wide)


@table
def vanishing_slopes(cells: Cells) -> Table | None:
    """Least-squares slope per layer of log10 gradient norm towards the input, at init and at the end."""
    names = (
        "vanishing_slope",
        "vanishing_slope_residual",
        "vanishing_slope_median",
        "weight_slope",
        "weight_slope_residual",
    )
    deep = cells.selected[cells.selected["depth"] >= 3]
    measures = available(cells.steps, names)
    if deep.empty or not measures:
        return None
    keys = cell_keys(cells)
    values = at_both_ends(cells.steps, deep, measures)
    frame = with_predictions(of_trained.summarise_trained(values, deep, keys), values, cells, keys)
    frame = order(frame, cells, keys, ["measure", "at"])
    printed = frame[~frame["measure"].str.endswith("_residual")] if is_predicted(frame) else frame
    wide = pivot_beside(printed, keys, ["measure", "at"], text=of_trained.estimate)
    note = (
        "Slope in decades per layer, going towards the input, over all hidden layers: negative is vanishing, 0 "
        "preserved, positive exploding; *residual*: standard deviation about the line, in decades. *vanishing slope*: "
        "of the root mean square over rows, which the rows with the largest norms decide; *median slope*: of the "
        "median row's norm. From depth 3 on; undefined where a norm is exactly 0."
    )
    if is_predicted(frame):
        note = f"{note} The residuals are in the CSV. {theory_note(cells, frame)}"
    note = " ".join(filter(None, [note, of_trained.note(frame)]))
    return Table("Vanishing slopes", notes(cells, frame, note, selected=True, asked=names), frame, wide)
