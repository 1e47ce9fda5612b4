"""The picture that answers first: how far the gradient gets, of all activations in one panel, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.deviations import BAND, DEVIATION, is_predicted, joined, networks
from actlab.analysis.drawings import PROFILE, Drawing, Spec, drawing, subject
from actlab.analysis.estimates import available, long, records_at
from actlab.analysis.figures.base import (
    is_of_training,
    of_kept_layers,
    of_those_trained,
    one_depth,
    predicted_between,
    predicted_layers,
    thin_layers,
    without_logarithm,
)
from actlab.analysis.notes import mean_of
from actlab.analysis.of_trained import of_untrained, summarise_trained, with_none_trained
from actlab.analysis.parts import figure
from actlab.analysis.tables.base import order
from actlab.later import pd
from actlab.measures import LOG10

NORM, RELATIVE = "signal_grad_norm", "relative_signal_grad_norm"
FEWEST_LAYERS = 3


@figure
def gradient_by_layer(cells: Cells) -> Drawing | None:
    """Signal gradient norm by layer at init, relative to the last hidden layer's: one line per activation."""
    return relative_norms(cells, "init")


@figure
def gradient_by_layer_at_end(cells: Cells) -> Drawing | None:
    """Signal gradient norm by layer at the end, relative to the last hidden layer's, with the loss it came with."""
    return relative_norms(cells, "final")


def relative_norms(cells: Cells, at: str) -> Drawing | None:
    """Draw log10 of the signal gradient's norm, less that of the last hidden layer, at one depth."""
    if not available(cells.layers, [NORM]):
        return None
    depth = one_depth(cells.selected["depth"])
    keys = [key for key in cell_keys(cells) if at != "init" or key == "depth" or not is_of_training(cells, key)]
    runs = cells.selected[cells.selected["depth"] == depth]
    if at == "init":  # runs that differ in their training begin as the same networks
        runs = runs.drop_duplicates([*keys, *({"seed", "data_seed"} & set(runs))])
    values = long(records_at(cells.layers, runs, at, [NORM]), [NORM], at=at)
    values = thin_layers(relative(values, runs), cells)
    if depth < FEWEST_LAYERS or not np.isfinite(values["value"]).any():
        return None
    frame = summarise_trained(values.assign(measure=LOG10 + NORM), runs, keys, cells.own)
    frame = with_none_trained(frame, runs, keys) if at != "init" else frame
    if at == "init" and not cells.predictions.empty:
        there = networks(cells, long(records_at(cells.layers, runs, at, [NORM]), [NORM], at=at))
        frame = joined(frame, relative(there, runs, ("value", BAND[0])).assign(spread=np.nan), cells, keys)
        frame = frame.drop(
            columns=[*BAND[1:], *(LOG10 + name for name in BAND[1:]), DEVIATION, "standard_errors"], errors="ignore"
        )
    frame = order(frame, cells, keys, ["layer"])
    lines = subject(cells, keys)
    what = "Norm of the gradient with respect to z, relative to the last hidden layer's: where it falls to the right, "
    what += "the gradient vanishes on its way to the input. Where a few press all others flat, the others stand "
    what += f"once more below, on a scale of their own. {mean_of(frame)}."
    if at == "init":
        title = f"The gradient on its way back through {depth} hidden layers, at initialisation"
    else:
        others = of_untrained(runs, keys)["run"]
        frame = frame.merge(losses(runs[~runs["run"].isin(others)], keys), on=keys, how="left")
        what += (
            " Beside each name the median training loss: all norms fall with it, and only the slope speaks of depth."
        )
        title = f"The gradient on its way back through {depth} hidden layers, at the end of training"
    kept = of_kept_layers(cells)
    if at == "init" and is_predicted(frame):
        measured, kept = ("Markers: measured, at the layers that were kept.", "") if kept else ("Solid: measured.", "")
        what += f" {measured} Dashed: predicted by mean-field theory."
    what = " ".join(filter(None, [what, kept, of_those_trained(frame, cells), without_logarithm(frame)]))
    if at == "init" and is_predicted(frame):
        theory = predicted_layers(cells, keys)
        theory = theory[theory["measure"] == LOG10 + NORM]
        last = theory[theory["layer"] == depth].set_index(keys)["value"].rename("last")
        theory = theory.merge(last, on=keys)
        theory["value"] -= theory.pop("last")
        frame = predicted_between(frame.assign(at="init"), theory, keys).drop(
            columns=["at", *BAND[1:]], errors="ignore"
        )
        frame = order(frame, cells, keys, ["layer"])
    frame = frame.assign(measure=RELATIVE)
    spec = Spec(PROFILE, x="layer", lines=lines, looks=cells.looks, log=(RELATIVE,))
    return drawing(cells, frame, spec, title, what, [key for key in keys if key in cells.selected_keys])


def relative(values: pd.DataFrame, runs: pd.DataFrame, columns: Sequence[str] = ("value",)) -> pd.DataFrame:
    """Take log10 of norms less that of the last hidden layer; a run of which that is not kept has none.

    Args:
        values: ``run``, ``measure``, ``layer`` and the columns, log10 where ``measure`` or ``logged`` says so.
        runs: with their ``depth``.
        columns: what to make relative.
    """
    out = values.merge(runs[["run", "depth"]], on="run")
    logged = out["logged"] if "logged" in out else out["measure"].str.startswith(LOG10)
    for name in columns:
        logs = out[name].where(logged, np.log10(out[name].where(out[name] > 0)))
        last = out["run"].map(logs[out["layer"] == out["depth"]].groupby(out["run"]).first()).astype(float)
        out[name] = (logs - last).where(np.isfinite(logs) & np.isfinite(last))
    if "logged" in out:
        out["logged"] = True
    return out.drop(columns="depth")


def losses(runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Take the median training loss of each cell: keys, ``loss``."""
    return runs.groupby(list(keys), dropna=False)["train_loss"].median().rename("loss").reset_index()
