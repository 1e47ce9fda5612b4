"""Standing: each activation in one row, from what it does to a gradient to how well it classifies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.estimates import available, records_at
from actlab.analysis.layout import Table, estimate, records
from actlab.analysis.notes import definitions, notes
from actlab.analysis.parts import table
from actlab.analysis.tables.base import by_cell
from actlab.analysis.tables.outcomes import final_performance, trained
from actlab.later import pd

UNITS = ("dead_fraction", "weak_fraction")
SLOPE = "vanishing_slope"


@table(default=False)
def standing(cells: Cells) -> Table | None:
    """Activations, one row each: how deep they train, performance by depth, gradient slope, dead and weak units.

    It is made where activation and depth are all that varies.
    """
    if cells.untrained or set(cell_keys(cells)) != {"activation", "depth"}:
        return None
    outcome, share = final_performance(cells), trained(cells)
    assert share is not None
    wide = outcome.wide.copy()
    if "measure" in wide:  # of regression: the loss, which is what decides
        return None
    if "deepest" in share.wide:
        wide.insert(1, "trains to depth", list(share.wide["deepest"]))
    deepest = cells.selected[cells.selected["depth"] == cells.selected["depth"].max()]
    more = [
        (SLOPE, "init", "decades per layer, init"),
        *((name, "final", name.replace("_fraction", ", end")) for name in UNITS),
    ]
    frames = [outcome.frame, share.frame]
    for name, at, head in more:
        if not available(cells.steps, (name,)) or (name == SLOPE and deepest["depth"].max() < 3):
            continue
        values = records_at(cells.steps, deepest, at, [name]).rename(columns={name: "value"}).assign(measure=name)
        frame = by_cell(cells, values[["run", "measure", "value"]], ["activation"])
        texts = {str(row["activation"]): in_cell(row) for row in records(frame)}
        wide[head] = [texts.get(str(one).strip("`"), "–") for one in wide["activation"]]
        frames.append(frame.assign(depth=deepest["depth"].max(), at=at))
    depth = int(deepest["depth"].max())
    what = (
        f"Final {outcome.title[0].lower()}{outcome.title[1:].partition(' by ')[0]} by depth, and at depth {depth} the "
        f"slope of the signal's gradient at initialisation and the units at the end. {definitions(*UNITS)}. *trains to "
        "depth*: the deepest network of which at least 80 % of runs trained; ≥ where that is the end of the grid."
    )
    note = notes(cells, outcome.frame, what, selected=True, marks=True)
    return Table("Where each activation stands", note, pd.concat(frames, ignore_index=True), wide)


def in_cell(row: Mapping[str, Any]) -> str:
    """Write an estimate; of units of which no run has any, 0."""
    return "0" if row["least"] == row["greatest"] == 0 else estimate(row)
