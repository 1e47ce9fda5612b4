"""Revival by layer: which of the units that were dead at some evaluation are alive at the end."""

from __future__ import annotations

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.estimates import available, long, records_at, summarise
from actlab.analysis.layout import Table, pivot
from actlab.analysis.notes import definitions, notes
from actlab.analysis.parts import table
from actlab.analysis.tables.base import order


@table(default=False)
def revivals(cells: Cells) -> Table | None:
    """Of the units of each kept layer that were dead at some evaluation, the share that is alive at the end."""
    if len(available(cells.layers, ("revived_fraction", "ever_dead_fraction"))) < 2:
        return None
    keys = cell_keys(cells, cells.keys)
    at_end = records_at(cells.layers, cells.runs, "final", ("revived_fraction", "ever_dead_fraction"))
    ever = at_end["ever_dead_fraction"]
    at_end["revival_rate"] = at_end["revived_fraction"] / ever.where(ever > 0)
    values = long(at_end[["run", "layer", "revival_rate"]], ["revival_rate"])
    frame = order(summarise(values, cells.runs, keys, own=cells.own), cells, keys, ["layer"])
    printed = frame[frame["n"] > 0]
    wide = pivot(printed if len(printed) else frame, keys, ["layer"], 3)
    sentences = [
        "At the end, by hidden layer from the input on.",
        f"{definitions('revival_rate')}.",
        "Undefined of a run in whose layer no unit was ever dead.",
        *(["Layers in which none was in any run are in the CSV only."] if len(printed) < len(frame) else []),
    ]
    return Table("Revived units by layer", notes(cells, frame, " ".join(sentences)), frame, wide)
