"""What the runs came to: their final metric, whether they trained, how well they generalise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from actlab.analysis import bimodal, of_trained
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.confounds import at_the_end, same_seeds, that_chose
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import long
from actlab.analysis.layout import Table, lay_out, pivot, setting, words
from actlab.analysis.notes import notes, selection_note
from actlab.analysis.parts import table
from actlab.analysis.tables.base import by_cell, mark_best, order, with_selected, without
from actlab.later import pd
from actlab.naming import counted

TRAINED_SHARE = 0.8
LOSS_SCALE = "mean squared error in units of the training targets' variance"
R2_SCALE = "1 − loss / variance of the split's targets: 1 is perfect, 0 what their mean would score"


@table
def performance(cells: Cells) -> Table | None:
    """Test accuracy (classification), or test loss and R² (regression), at the end, by cell."""
    return final_performance(cells, ("test_r2",))


def final_performance(cells: Cells, also: Sequence[str] = ()) -> Table:
    """Make the table of final performance, one metric for each run: the one by which activations are ranked.

    Args:
        cells: the study's.
        also: further metrics that it is to have, of the runs that have them.
    """
    measure = np.where(cells.selected["task"] == "classification", "test_accuracy", "test_loss")
    value = np.where(measure == "test_accuracy", cells.selected["test_accuracy"], cells.selected["test_loss"])
    values = pd.DataFrame({"run": cells.selected["run"], "measure": measure, "value": value.astype(float)})
    regression = cells.selected[cells.selected["task"] == "regression"]
    there = [name for name in also if name in regression and regression[name].notna().any()]
    more = [regression[["run"]].assign(measure=name, value=regression[name].astype(float)) for name in there]
    values = pd.concat([values, *more], ignore_index=True)
    keys = cell_keys(cells)
    frame = bimodal.with_trained(by_cell(cells, values, keys), values, cells.selected, keys)
    frame = with_selected(mark_best(frame, values, cells, keys), cells)
    wide = pivot(frame, [*without(keys, "depth"), "measure"], ["depth"], {"test_accuracy": 3}, bimodal.estimate)
    names = [*sorted(set(measure)), *there]
    scales = {"test_loss": f" ({LOSS_SCALE})", "test_r2": f" ({R2_SCALE})"}
    what = " and ".join(f"{words(name)}{scales.get(name, '')}" for name in names)
    note = notes(cells, frame, f"Final {what}.", selected=True, marks=True)
    metrics = " and ".join(map(words, names))
    depths = sorted(set(cells.runs["depth"]))
    by = "activation and depth" if len(depths) > 1 else f"activation, depth {depths[0]}"
    return Table(f"{metrics[0].upper()}{metrics[1:]} by {by}", note, frame, wide)


@table
def trained(cells: Cells) -> Table | None:
    """Share of runs that trained, and the deepest network of which at least 80 % did."""
    keys = cell_keys(cells)
    values = cells.selected[["run"]].assign(measure="trained", value=cells.selected["trained"].astype(float))
    frame = with_selected(by_cell(cells, values, keys), cells)
    wide = pivot(frame, without(keys, "depth"), ["depth"], 2)
    groups = frame.assign(_=frame["depth"].where(frame["mean"] >= TRAINED_SHARE)).groupby(
        without(keys, "depth"), dropna=False, sort=False
    )
    frame["deepest_trained_depth"] = groups["_"].transform("max")
    frame["at_grid_end"] = frame["deepest_trained_depth"] == groups["depth"].transform("max")
    if frame["depth"].nunique() > 1:
        deepest = frame.drop_duplicates(without(keys, "depth"))
        pairs = zip(deepest["deepest_trained_depth"], deepest["at_grid_end"], strict=True)
        wide["deepest"] = ["none" if math.isnan(d) else f"≥ {d:g}" if at_end else f"{d:g}" for d, at_end in pairs]
    what = (
        "Share of runs whose final training loss is at most half of the best constant predictor's; a diverged run is "
        "not trained. *deepest*: the deepest network of which at least 80 % of runs trained; ≥ where that is the end "
        "of the grid."
    )
    return Table("Share of runs trained", notes(cells, frame, what, selected=True), frame, wide)


@table
def generalization(cells: Cells) -> Table | None:
    """Test minus train, for loss and error rate, at the end and at equal training loss."""
    names = ("generalization_gap_loss", "generalization_gap_error")
    measures = [name + part for name in names for part in ("", "_at_target") if name in cells.selected]
    measures = [name for name in measures if cells.selected[name].notna().any()]
    if not measures:
        return None
    keys = cell_keys(cells)
    values = cells.selected[["run", *measures]].copy()
    values.loc[cells.selected["status"] != "ok", measures] = math.nan  # it may have met the target before it diverged
    frame = of_trained.summarise_trained(long(values, measures), cells.selected, keys, cells.own)
    frame = order(frame, cells, keys, ["measure"])
    frame = with_selected(frame, cells)
    wide = pivot(frame, keys, ["measure"], text=of_trained.estimate)
    note = (
        "Test − train, at the end and at the first evaluation whose training loss is at most the data set's target "
        "(*at target*; undefined for a run that never gets there). A network that learned nothing has no gap. "
        f"{of_trained.note(frame)}"
    ).strip()
    return Table("Generalisation gaps", notes(cells, frame, note, selected=True), frame, wide)


@table
def selection(cells: Cells) -> Table | None:
    """Which value of the swept key each cell got, and what diverged at the others."""
    if cells.select is None:
        return None
    over = cells.over
    frame = cells.selection
    others = cell_keys(cells)
    frame = frame.assign(**{key: cells.runs[key].iloc[0] for key in others if key not in frame})
    lines = []
    at_edge = 0
    for _, rows in frame.groupby(others, dropna=False, sort=False):
        if not rows["selected"].any():  # its tuning runs are not all trained
            lines.append({key: rows.iloc[0][key] for key in others} | {"text": "not yet"})
            continue
        chosen = rows[rows["selected"]].iloc[0]
        at_edge += int(len(rows) > 1 and chosen[over] in (rows[over].min(), rows[over].max()))
        here, elsewhere = int(chosen["diverged"]), int(rows.loc[~rows["selected"], "diverged"].sum())
        remarks = [
            *([f"{here} of {int(chosen['n']) + here} diverged"] if here else []),
            *([f"{elsewhere} diverged at other values"] if elsewhere else []),
        ]
        text = plain(setting(chosen[over])) + (f" ({'; '.join(remarks)})" if remarks else "")
        lines.append({key: chosen[key] for key in others} | {"text": text})
    across = ["depth"] if "depth" in others else []
    wide = lay_out(pd.DataFrame(lines).assign(measure=over), without(others, "depth"), across)
    ends = at_the_end(frame, cells.selected, over, others)
    sentences = [
        selection_note(cells),
        f"In {at_edge} of {counted(len(lines), 'cell')} the selected value is at an end of its grid.",
        ends or ("None of these trains." if at_edge else ""),
        same_seeds(frame, that_chose(cells), cells.selected, over),
        f"The CSV has the mean final {plain(words(cells.select.by))} of every value.",
    ]
    note = " ".join(filter(None, sentences))
    return Table(f"Selected {plain(words(over))}", note, frame, wide)
