"""What the tables share: cells and their order, the best of a column, the places in a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actlab.analysis import ties
from actlab.analysis.cells import Cells, sort_rows
from actlab.analysis.estimates import at_both_ends, summarise
from actlab.analysis.variation import repeats_of
from actlab.later import pd
from actlab.measures import about

MIDDLE, MIDDLE_KEPT = "middle", "middle kept"


def without(keys: Sequence[str], name: str) -> list[str]:
    """Leave out one of the keys."""
    return [key for key in keys if key != name]


def by_cell(cells: Cells, values: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Take intervals by cell over the selected runs, sorted."""
    return sort_rows(summarise(values, cells.selected, keys, own=cells.own), keys, cells.ranks)


def order(
    frame: pd.DataFrame,
    cells: Cells,
    keys: Sequence[str],
    within: Sequence[str],
    places: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Sort rows by cell, then by the splits within a cell, words in an order of their own."""
    orders: dict[str, Sequence[str]] = {
        "at": ("init", "final"),
        "position": ("first", MIDDLE, MIDDLE_KEPT, "last"),
        **(places or {}),
    }
    out = frame.copy()
    for name in within:
        if name in orders:
            out[name] = pd.Categorical(
                out[name].astype(str), [w for w in orders[name] if w in set(out[name])], ordered=True
            )
    out = out.sort_values(list(within), kind="stable") if within else out
    for name in within:
        if name in orders:
            out[name] = out[name].astype(str)
    return sort_rows(out, keys, cells.ranks)


def positions(cells: Cells) -> pd.DataFrame:
    """Find the first, middle and last kept hidden layer of each depth: ``depth``, ``layer``, ``position``.

    Of an even number of layers the lower of the two is the middle. Where a study kept only some layers and a depth's
    middle is not among them, the nearest one takes its place, and is called so.
    """
    kept = cells.layers[["run", "layer"]].drop_duplicates().merge(cells.runs[["run", "depth"]], on="run")
    rows = []
    for depth, layers in kept.groupby("depth")["layer"]:
        there = sorted(set(layers))
        inner = [layer for layer in there if there[0] < layer < there[-1]]
        middle = min(inner, key=lambda layer: (abs(2 * layer - (there[0] + there[-1])), layer)) if inner else None
        named = {"first": there[0], MIDDLE: middle, "last": there[-1] if len(there) > 1 else None}
        rows += [(depth, layer, position) for position, layer in named.items() if layer is not None]
    out = pd.DataFrame(rows, columns=["depth", "layer", "position"])
    between = out[out["position"] == MIDDLE]
    nearest_only = (between["layer"] != (between["depth"] + 1) // 2).any()
    return out.replace({"position": {MIDDLE: MIDDLE_KEPT}}) if nearest_only else out


def place_note(frame: pd.DataFrame) -> str:
    """Say which layers the places of a table are."""
    if (frame["position"] == MIDDLE_KEPT).any():
        return (
            "*first*, *last*: hidden layers from the input on; *middle kept*: of the layers that were kept, the "
            "nearest to the middle."
        )
    return "*first*, *middle*, *last*: hidden layers from the input on."


def along_the_network(cells: Cells, measures: Sequence[str]) -> pd.DataFrame:
    """Take layer measures of the selected runs at init and at the end, in the first, middle and last kept layer."""
    values = at_both_ends(cells.layers, cells.selected, measures).merge(cells.runs[["run", "depth"]], on="run")
    return values.merge(positions(cells), on=["depth", "layer"]).drop(columns="depth")


def mark_best(frame: pd.DataFrame, values: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Mark within one data set and depth the best mean, what is as good, and what is undecided (see ``ties``).

    Only cells of which every run trained and has a value, of at least five seeds, are compared: a mean over runs that
    trained and runs that did not is neither's.
    """
    where, repeats = [*keys, "measure"], repeats_of(cells.runs)
    runs = cells.runs
    failed = values[["run"]].merge(runs[["run", "trained", "status", *keys]], on="run")
    failed = failed[~failed["trained"].astype(bool) | (failed["status"] != "ok")][list(keys)].drop_duplicates()
    sound = ties.compared(frame) & frame[list(keys)].merge(failed, how="left", indicator=True)["_merge"].eq(
        "left_only"
    ).set_axis(frame.index)
    row_of = frame.loc[sound, where].assign(_row=frame.index[sound])
    samples = values.merge(runs[["run", *repeats, *keys]], on="run").merge(row_of, on=where)
    samples = samples.sort_values(["_row", *repeats])
    by_row = {row: part.set_index(repeats)["value"].astype(float) for row, part in samples.groupby("_row")}
    fixed = {one.column for one in cells.settings if one.problem} | {"measure"}
    problem = [name for name in where if name in fixed]
    marks: dict[Any, dict[str, Any]] = {}
    for _, rows in frame[sound].groupby(problem, dropna=False):
        record = about(str(rows["measure"].iloc[0]), cells.own)
        marks |= ties.mark(rows["mean"].to_dict(), {row: by_row[row] for row in rows.index}, record)
    return frame.assign(**{name: [marks.get(row, ties.UNMARKED)[name] for row in frame.index] for name in ties.COLUMNS})


def with_selected(frame: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Add the selected value of the swept key to each cell."""
    if cells.select is None:
        return frame
    chosen = cells.selection.loc[cells.selection["selected"], [*cells.selected_keys, cells.over]]
    if not cells.selected_keys:
        return frame.assign(**{cells.over: chosen[cells.over].iloc[0]})
    return frame.merge(chosen, on=cells.selected_keys, how="left")


def without_zeros(frame: pd.DataFrame, by: Sequence[str], keep: str) -> pd.DataFrame:
    """Leave out the rows whose group has no estimate but 0; of a frame with nothing else, keep one measure's."""
    nonzero = frame.assign(_=~(frame["mean"] == 0)).groupby(list(by), dropna=False)["_"].transform("any").to_numpy()
    return frame[nonzero] if nonzero.any() else frame[(frame["measure"] == keep).to_numpy()]
