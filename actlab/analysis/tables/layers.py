"""Layers: moments of their activations, and the parameters that they learned."""

from __future__ import annotations

from actlab.analysis import of_trained
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.deviations import is_predicted, pivot_beside, theory_note, with_predictions
from actlab.analysis.escaping import code
from actlab.analysis.estimates import available, long, parameter_columns, records_at
from actlab.analysis.layout import Table, pivot, records, words
from actlab.analysis.notes import definitions, notes
from actlab.analysis.parts import table
from actlab.analysis.tables.base import along_the_network, order, place_note, positions
from actlab.measures import GEOMETRIC, about


@table
def moments(cells: Cells) -> Table | None:
    """Mean and variance of the activations in the first, middle and last hidden layer, at init and at the end."""
    names = ("act_mean", "act_var", "act_var_within", "preact_mean_share", *predicted_only(cells))
    measures = available(cells.layers, names)
    if not measures:
        return None
    keys = cell_keys(cells)
    values = along_the_network(cells, measures)
    frame = of_trained.summarise_trained(values, cells.selected, keys, cells.own)
    frame = with_predictions(frame, values, cells, keys)
    frame = order(frame, cells, keys, ["at", "measure", "position"])
    both = frame["measure"].isin(["act_mean", "act_var"]) & (frame["position"] == "first")
    printed = frame[both | (frame["position"] == "last")]
    if is_predicted(frame):  # a table has only so much room
        main = ["act_mean", "act_var", *predicted_only(cells)]
        printed = frame[frame["measure"].isin(main) & (frame["position"] == "last")]
    wide = pivot_beside(printed, [*keys, "at"], ["measure", "position"], text=of_trained.estimate)
    geometric = [words(name) for name in measures if about(name).over_seeds == GEOMETRIC]
    sentences = [
        f"{definitions(*measures)}.",
        *([f"Means over seeds of {' and '.join(geometric)} are geometric."] if geometric else []),
        f"{place_note(frame)} What is not printed of them is in the CSV.",
        *([theory_note(cells, frame)] if is_predicted(frame) else []),
        *filter(None, [of_trained.note(frame)]),
    ]
    note = notes(cells, frame, " ".join(sentences), selected=True, asked=names)
    return Table("Means and variances of activations", note, frame, wide)


def predicted_only(cells: Cells) -> list[str]:
    """List what else of a layer's values is shown where it is predicted."""
    predicted = set(cells.predictions["measure"]) if len(cells.predictions) else set()
    return [name for name in ("preact_second_moment", "correlation") if name in predicted]


@table
def learned_parameters(cells: Cells) -> Table | None:
    """Learned activation parameters by layer at the end."""
    names = parameter_columns(cells.layers, cells.runs)
    if not names:
        return None
    measures = available(cells.layers, [name + part for name in names for part in ("", "_min", "_max")])
    learns = cells.selected[cells.selected["learnable_per"].astype(bool)]
    keys = cell_keys(cells)
    values = long(records_at(cells.layers, learns, "final", measures), measures)
    frame = order(of_trained.summarise_trained(values, learns, keys), cells, keys, ["measure", "layer"])
    frame = frame[frame.groupby(["activation", "measure"])["n"].transform("max") > 0].reset_index(drop=True)
    printed = frame.merge(positions(cells), on=["depth", "layer"], how="inner")
    printed = order(printed, cells, keys, ["measure", "position"])
    wide = pivot(printed, [*keys, "measure"], ["position"], text=of_trained.estimate)
    pairs = records(printed[["activation", "measure"]].drop_duplicates())
    learned = ", ".join(
        f"{row['measure']} of {code(str(row['activation']))}" for row in pairs if row["measure"] in names
    )
    note = (
        f"{learned}, at the end; *min* and *max* over a layer's units where each unit has its own. "
        f"{place_note(printed)} The layers between are in the CSV. {of_trained.note(frame)}"
    ).strip()
    return Table("Learned parameters", notes(cells, frame, note, selected=True), frame, wide)
