"""Units: how many are dead or weak, by layer, over training, and by depth and learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from actlab.analysis.cells import Cells, cell_keys, sort_rows
from actlab.analysis.deviations import BAND, PREDICTED, is_predicted, outside_sentence, reaches_not, reasons_of
from actlab.analysis.drawings import (
    BORN_DEAD,
    COUNTED,
    FACETS,
    FRAMED,
    NAMED,
    NAMED_LINES,
    OF_THEM,
    TILES,
    Drawing,
    Spec,
    drawing,
    subject,
)
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import available, long, records_at, summarise
from actlab.analysis.figures.base import (
    MARKS,
    SELECTED,
    in_one_picture,
    in_short,
    intervals,
    is_of_training,
    of_kept_layers,
    only_nonzero,
    over_training,
    thin_layers,
    with_each,
    with_selected,
)
from actlab.analysis.intervals import FEWEST
from actlab.analysis.layout import records, words
from actlab.analysis.notes import definition, mean_of
from actlab.analysis.of_trained import all_count
from actlab.analysis.parts import figure
from actlab.analysis.predictions import cells_of_runs
from actlab.analysis.tables.units import HALF, begin_dead
from actlab.later import pd

ALIKE = 0.05
"""Shares of units that look the same on two maps."""
MOST_COUNTED = 99
"""Units that are a count; the share of more is a percentage."""
FEW_UNITS = (
    f"Of fewer than {FEWEST} runs that ever had a dead unit, and of at most {MOST_COUNTED} such units together, these "
    "are counted: 1/4 is one unit alive again, of four."
)
OF_INIT = {"weight_gain": "gain ", "bias_init": "bias "}


@figure
def dead_fraction(cells: Cells) -> Drawing | None:
    """Dead units by layer at the end, one line per depth; activations that cannot die are left out."""
    if not available(cells.layers, ["dead_fraction"]):
        return None
    values = long(records_at(cells.layers, cells.selected, "final", ["dead_fraction"]), ["dead_fraction"])
    frame, left_out = only_nonzero(intervals(thin_layers(values, cells), cells, ["layer"]))
    if frame.empty:
        return None
    spec = Spec(FACETS, x="layer", lines="depth", panels=subject(cells), looks=cells.looks)
    said = [
        definition("dead_fraction"),
        f"{mean_of(frame)}.",
        of_kept_layers(cells),
        all_count(cells.selected, cell_keys(cells)),
        *left_out,
    ]
    caption = " ".join(filter(None, said))
    return drawing(cells, frame, spec, "Dead units by layer at the end", caption)


@figure
def dead_over_training(cells: Cells) -> Drawing | None:
    """Dead units over training, mean over all hidden layers."""
    if not available(cells.steps, ["dead_fraction"]):
        return None
    values = over_training(cells, ["dead_fraction"])
    frame, left_out = only_nonzero(intervals(values, cells, ["step"]))
    if frame.empty:
        return None
    what = mean_of(frame)
    if int(frame["runs"].max()) < FEWEST:  # a median of so few leaps from one of them to another
        frame, what = with_each(frame, values, cells), "Each line is one seed"
    spec = Spec(FACETS, x="step", lines="depth", panels=subject(cells), looks=cells.looks)
    said = [definition("dead_fraction"), f"{what}.", all_count(cells.selected, cell_keys(cells)), *left_out]
    caption = " ".join(filter(None, said))
    return drawing(cells, frame, spec, "Dead units over training", caption)


@figure
def dead_by_depth(cells: Cells) -> Drawing | None:
    """Dead units at init against depth, one line per initialiser: of activations that can die."""
    names = [key for key in ("weight_init", "weight_gain", "bias_init") if key in cells.keys]
    if not available(cells.steps, ["dead_fraction"]) or not names or cells.runs["depth"].nunique() < 2:
        return None
    keys = [key for key in cell_keys(cells, cells.keys) if key == "depth" or not is_of_training(cells, key)]
    runs = cells.runs.drop_duplicates([*keys, *({"seed", "data_seed"} & set(cells.runs))])
    values = long(records_at(cells.steps, runs, "init", ["dead_fraction"]), ["dead_fraction"])  # of all layers
    frame = with_predicted_means(summarise(values, runs, keys, own=cells.own), runs, cells.predictions, keys)
    frame = with_reasons(frame, runs, cells, keys)
    frame, left_out = only_nonzero(sort_rows(frame, keys, cells.ranks))
    if frame.empty:
        return None
    one = "" if frame["activation"].nunique() > 1 else f": {frame['activation'].iloc[0]}"
    frame["initialiser"] = [
        ", ".join(f"{OF_INIT.get(name, '')}{in_short(value)}" for name, value in zip(names, row, strict=True))
        for row in frame[names].itertuples(index=False)
    ]
    spec = Spec(NAMED_LINES, x="depth", lines="initialiser", looks=cells.looks, fitted=True)
    said = [definition("dead_fraction"), f"Before training, of all hidden layers together. {mean_of(frame)}."]
    said += ["Dashed: what theory expects of networks of infinite width."] * is_predicted(frame)
    if reaches_not(frame):
        told = [key for key in keys if key in frame and frame[key].nunique(dropna=False) > 1]
        said.append(outside_sentence(frame[[*told, "outside"]], told))
    said += ["The axis ends above the greatest share.", *left_out]
    others = [key for key in keys if key in cells.keys and key not in names and key != "activation"]
    if frame["activation"].nunique() > 1:
        frame["initialiser"] = frame["activation"] + ", " + frame["initialiser"]
    return drawing(cells, frame, spec, f"Dead units at initialisation by depth{one}", " ".join(said), others)


def with_predicted_means(
    frame: pd.DataFrame, runs: pd.DataFrame, predictions: pd.DataFrame, keys: Sequence[str]
) -> pd.DataFrame:
    """Add to shares of dead units at init, means over all hidden layers, what theory expects of them: ``predicted``.

    Args:
        frame: the shares by ``keys``, the depth among these.
        runs: those of which they are.
        predictions: the study's, by layer; of a cell of which not all layers have one nothing is predicted.
        keys: what makes a cell.
    """
    if predictions.empty:
        return frame
    of_layers = predictions["measure"].eq("dead_fraction") & predictions["layer"].gt(0)
    there = predictions.loc[of_layers, ["cell", "value"]]
    if there.empty:
        return frame
    of_run = cells_of_runs(runs, predictions)[["run", "cell"]].merge(runs[["run", *keys]], on="run")
    rows = there.merge(of_run[["cell", *keys]].drop_duplicates(), on="cell")
    means = rows.groupby(list(keys), dropna=False)["value"].agg(["mean", "count"]).reset_index()
    means[PREDICTED] = means["mean"].where(means["count"] == means["depth"])
    means[list(BAND[1:])] = math.nan  # layers of one network die together: the spread of their mean is not known
    return frame.merge(means.drop(columns=["mean", "count"]), "left", on=list(keys))


def with_reasons(frame: pd.DataFrame, runs: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Say of cells of which theory expects nothing why: ``outside``, a column only where there is such a cell."""
    reasons = reasons_of(cells) if is_predicted(frame) else pd.DataFrame()
    if reasons.empty:
        return frame
    of_run = cells_of_runs(runs, cells.predictions)[["run", "cell"]].merge(reasons, on="cell")
    of_cell = of_run.merge(runs[["run", *keys]], on="run").drop_duplicates(list(keys))[[*keys, "outside"]]
    out = frame.merge(of_cell, "left", on=list(keys))
    return out.assign(outside=out["outside"].where(out[PREDICTED].isna(), "").fillna(""))


@figure
def dying(cells: Cells) -> Drawing | None:
    """Dead units at the end over depth and learning rate, one map per activation that can die."""
    return by_depth_and_rate(cells, "dead_fraction", "Dead units by depth and learning rate")


@figure
def weakening(cells: Cells) -> Drawing | None:
    """Weak units at the end over depth and learning rate, one map per activation: also of those that cannot die."""
    return by_depth_and_rate(cells, "weak_fraction", "Weak units by depth and learning rate")


def by_depth_and_rate(cells: Cells, measure: str, title: str) -> Drawing | None:
    """Draw a fraction of units at the end, at every rate: a map per activation that has any such unit."""
    if not available(cells.steps, made_of(measure)) or "learning_rate" not in cells.keys:
        return None
    values = at_the_end(cells, measure)
    keys = cell_keys(cells, cells.keys)
    frame, left_out = only_nonzero(sort_rows(summarise(values, cells.runs, keys), keys, cells.ranks))
    if frame.empty:
        return None
    others = [key for key in cells.keys if key != "learning_rate"]
    panels = subject(cells, others)
    means = f"{mean_of(frame, False)}, of means over hidden layers. {MARKS}"
    said = [definition(measure), means, *filter(None, [all_count(cells.runs, keys)]), *left_out]
    if frame["activation"].nunique() == 1:
        title = f"{title}: {frame['activation'].iloc[0]}"
    frame = with_born_dead(frame, cells, keys)
    if BORN_DEAD in frame and frame[BORN_DEAD].any():
        said.append(
            "Crossed: at least half of the networks have a wholly dead layer as they are drawn; no rate mends it."
        )
    if measure == "revival_rate" and "width" in cells.runs:
        frame = with_units(frame, cells, keys)
        said += [FEW_UNITS] * bool(frame[COUNTED].notna().any())
    whole, again = frame, ""
    if measure == "weak_fraction":
        frame, again = unlike_dead(frame, cells, keys)
    if frame.empty:
        return None
    said += [again] if again else []
    frame = with_selected(frame, cells)
    said += [SELECTED.strip()] * (FRAMED in frame)
    frame, panels, shown = in_one_picture(frame, panels, [key for key in others if key != "depth"])
    spec = Spec(TILES, x="learning_rate", lines="depth", panels=panels)
    made = drawing(cells, frame, spec, title, " ".join(said), [key for key in cells.keys if key not in shown])
    return replace(made, frame=whole.drop(columns=set(whole) - set(made.frame))) if again else made


def made_of(measure: str) -> list[str]:
    """List the measures that a fraction is made of: itself, or of the revival rate the two whose ratio it is."""
    return ["revived_fraction", "ever_dead_fraction"] if measure == "revival_rate" else [measure]


def at_the_end(cells: Cells, measure: str) -> pd.DataFrame:
    """Take a fraction of units at the end: one row a run, as ``long`` gives them."""
    rows = records_at(cells.steps, cells.runs, "final", made_of(measure))
    if measure == "revival_rate":
        ever = rows["ever_dead_fraction"]
        rows = rows.assign(revival_rate=rows["revived_fraction"] / ever.where(ever > 0))[["run", measure]]
    return long(rows, [measure])


def with_units(frame: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Add to revival rates of few runs how many units are alive again, of how many once dead.

    A percentage of two units says no more than that.
    """
    rows = records_at(cells.steps, cells.runs, "final", made_of("revival_rate"))
    rows = rows.merge(cells.runs[["run", "width", *keys]], on="run")
    names = {COUNTED: "revived_fraction", OF_THEM: "ever_dead_fraction"}
    units = {name: (rows[of] * rows["width"] * rows["depth"]).round() for name, of in names.items()}
    sums = rows.assign(**units).groupby(list(keys), dropna=False)[list(names)].sum().reset_index()
    out = frame.merge(sums, "left", on=list(keys))
    few = (out["n"] > 0) & (out["n"] < FEWEST) & (out[OF_THEM] <= MOST_COUNTED)
    return out.assign(**{name: out[name].where(few) for name in names})


def unlike_dead(frame: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Leave out the maps of weak units that are maps of dead units over again, and say which these are.

    A unit that is dead is weak. Cells of which fewer than half of the runs are left do not count.
    """
    if not available(cells.steps, ["dead_fraction"]):
        return frame, ""
    values = long(records_at(cells.steps, cells.runs, "final", ["dead_fraction"]), ["dead_fraction"])
    dead = summarise(values, cells.runs, keys).rename(columns={"mean": "dead"})[[*keys, "dead"]]
    both = frame.merge(dead, "left", on=list(keys))
    apart = (both["mean"] - both["dead"]).abs().where(2 * both["n"] >= both["runs"])
    maps = [key for key in keys if key not in ("depth", "learning_rate")]
    by = both.assign(apart=apart).groupby(maps, dropna=False)  # the activation is always among them
    most, some = by["apart"].transform("max"), by["dead"].transform("max")
    again = ((most <= ALIKE) & (some > 0)).set_axis(frame.index)
    if not again.any():
        return frame, ""
    names = [
        ", ".join(in_short(value) if key in NAMED else f"{words(key)} {in_short(value)}" for key, value in row.items())
        for row in records(frame.loc[again, maps].drop_duplicates())
    ]
    return frame[~again].reset_index(drop=True), (
        f"Not drawn, since these weak units are the dead ones, up to {most[again.to_numpy()].max():.2g} more where "
        f"half of the runs are left or more: {'; '.join(map(plain, names))}. The CSV has them."
    )


def with_born_dead(frame: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Say of which cells half of the networks or more have a wholly dead layer at initialisation."""
    if "network_dead" not in cells.steps:
        return frame
    out = frame.merge(begin_dead(cells, keys), on=list(keys), how="left")
    return out.assign(**{BORN_DEAD: out["born_with_dead_layer"] >= HALF})
