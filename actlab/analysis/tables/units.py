"""Units: how many are dead or weak, and how they died."""

from __future__ import annotations

from collections.abc import Sequence

from actlab.analysis.cells import Cells, cell_keys, sort_rows
from actlab.analysis.deviations import joined, networks, pivot_beside, theory_note
from actlab.analysis.estimates import available, long, records_at, summarise
from actlab.analysis.layout import Table, pivot, records
from actlab.analysis.notes import definitions, notes
from actlab.analysis.of_trained import all_count
from actlab.analysis.parts import table
from actlab.analysis.predictions import in_spreads
from actlab.analysis.tables.base import order, without, without_zeros
from actlab.later import pd

DEATHS = (
    "born_dead_fraction",
    "died_fraction",
    "revived_fraction",
    "ever_dead_fraction",
    "revival_rate",
    "weak_fraction",
)

BORN = ("born_dead", "stayed_dead", "born_trained")
"""Of a cell's networks: how many were born dead, how many of these were dead at the end, and how many trained."""
HALF = 0.5
"""The share of networks that begin with a dead layer from which on no learning rate is to blame for dead units."""


@table
def dead_units(cells: Cells) -> Table | None:
    """Units dead, without gradient, weak and born dead at the end, at every learning rate."""
    measures = available(cells.steps, ("dead_fraction", "no_gradient_fraction", "weak_fraction", "born_dead_fraction"))
    if not measures:
        return None
    keys = cell_keys(cells, cells.keys)
    frame = summarise(long(records_at(cells.steps, cells.runs, "final", measures), measures), cells.runs, keys)
    frame = order(frame, cells, keys, ["measure"], {"measure": measures})
    whole = long(records_at(cells.steps, cells.runs, "final", ["network_dead"]), ["network_dead"])
    frame = pd.concat([frame, order(summarise(whole, cells.runs, keys), cells, keys, [])], ignore_index=True)
    frame = with_births(frame, cells, keys)
    others = [*without(keys, "depth"), "measure"]
    printed = without_zeros(frame, others, "dead_fraction")
    wide = pivot_beside(sort_rows(printed, others[:-1], cells.ranks), others, ["depth"], 3)
    defined = [name for name in measures if name in ("dead_fraction", "no_gradient_fraction")]
    defined = list(dict.fromkeys(["dead_fraction", *defined, "weak_fraction", "network_dead"]))
    note = f"{cells.at_last.capitalize()}, mean over all hidden layers. {definitions(*defined)}."
    if len(printed) < len(frame):
        note = f"{note} Rows that are 0 throughout are in the CSV only."
    note = " ".join(filter(None, [note, all_count(cells.runs, keys), theory_note(cells, frame)]))
    return Table("Dead and weak units", notes(cells, frame, note), frame, wide)


@table
def death(cells: Cells) -> Table | None:
    """How units died: born dead, died in training, revived, ever dead."""
    measures = [*available(cells.steps, DEATHS), "revival_rate"]
    if "ever_dead_fraction" not in cells.steps:
        return None
    keys = cell_keys(cells, cells.keys)
    at_end = records_at(cells.steps, cells.runs, "final", measures)
    ever = at_end["ever_dead_fraction"]
    at_end["revival_rate"] = at_end["revived_fraction"] / ever.where(ever > 0)
    frame = order(summarise(long(at_end, DEATHS), cells.runs, keys), cells, keys, ["measure"], {"measure": DEATHS})
    frame["measure"] = frame["measure"].astype(str)
    frame = with_births(frame, cells, keys)
    died = frame[frame["measure"] == "ever_dead_fraction"].assign(_=lambda f: ~(f["mean"] == 0))
    with_death = frame.merge(died[[*keys, "_"]], on=keys)["_"].to_numpy()
    printed = frame[with_death] if with_death.any() else frame
    wide = pivot_beside(printed, keys, ["measure"], 3)
    every = sorted(set(cells.runs["evaluate_every"])) if "evaluate_every" in cells.runs else []
    steps = "step" if every == [1] else f"{' or '.join(map(str, every))} steps"
    unseen = f", every {steps}: a unit that dies and revives in between is not seen"
    sentences = [
        "At the end, mean over all hidden layers; death is judged on the whole training split, at evaluations"
        f"{unseen if every else ''}.",
        f"{definitions('revival_rate')}.",
        *(["Cells in which no unit was ever dead are in the CSV only."] if len(printed) < len(frame) else []),
        *filter(None, [all_count(cells.runs, keys), theory_note(cells, frame)]),
    ]
    return Table("How units died", notes(cells, frame, " ".join(sentences)), frame, wide)


@table(default=False)
def dead_networks(cells: Cells) -> Table | None:
    """Networks with a wholly dead layer: before training (born dead), at the end, and whether those born so trained."""
    if "network_dead" not in cells.steps:
        return None
    keys = cell_keys(cells, cells.keys)
    at = {name: records_at(cells.steps, cells.runs, name, ["network_dead"]) for name in ("init", "final")}
    runs = cells.runs[["run", "trained", *keys]]
    for name, values in at.items():
        runs = runs.merge(values[["run", "network_dead"]].rename(columns={"network_dead": name}), "left", on="run")
    born = runs[runs["init"] == 1]
    if born.empty:
        return None
    born = born.assign(born_dead=1, stayed_dead=born["final"] == 1, born_trained=born["trained"].astype(bool))
    values = pd.concat([long(values, ["network_dead"]).assign(at=name) for name, values in at.items()])
    frame = order(summarise(values, cells.runs, keys), cells, keys, ["at"])
    frame = frame.merge(born.groupby(keys, dropna=False)[[*BORN]].sum().reset_index(), "left", on=keys)
    frame[[*BORN]] = frame[[*BORN]].fillna(0).astype(int)
    wide = pivot(frame, keys, ["at"], 2)
    wide["born dead"] = [str(row["born_dead"]) for row in records(frame.drop_duplicates(keys))]
    wide["still dead at the end"] = [str(row["stayed_dead"]) for row in records(frame.drop_duplicates(keys))]
    note = (
        f"Share of networks with a wholly dead layer, before training and {cells.at_last}, with Wilson's interval. "
        f"{definitions('network_dead')}."
    )
    return Table("Networks with a dead layer", notes(cells, frame, note), frame, wide)


def begin_dead(cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """List by cell the share of networks that have a wholly dead layer before training: no rate mends those."""
    there = records_at(cells.steps, cells.runs, "init", ["network_dead"]).merge(cells.runs[["run", *keys]], on="run")
    return there.groupby(list(keys), dropna=False)["network_dead"].mean().rename("born_with_dead_layer").reset_index()


def with_births(frame: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Add to the units born dead what was predicted of them, which is the share of units that are dead at step 0.

    The table's number is a mean over hidden layers. Where theory gives one of the whole network, that is it; else it is
    the mean of the layers' predictions, and the mean of their spreads, which is the most that its own can be.
    """
    if cells.predictions.empty or "dead_fraction" not in set(cells.predictions["measure"]):
        return frame
    of_whole = cells.predictions.loc[cells.predictions["measure"] == "dead_fraction", "layer"].eq(0).any()
    frames = (cells.steps if of_whole else cells.layers, cells.runs, "init", ["dead_fraction"])
    values = networks(cells, long(records_at(*frames), ["dead_fraction"]))
    if not of_whole:
        depth = values["run"].map(cells.runs.set_index("run")["depth"])
        values = values[values.groupby("run")["layer"].transform("size") == depth]
        numbers = ["value", "predicted", "spread", "error", "logged"]
        values = values.groupby(["run", "measure"], as_index=False)[numbers].mean()
        values["deviation"] = in_spreads(values["value"] - values["predicted"], values["spread"], values["error"])
    return joined(frame, values.assign(measure="born_dead_fraction"), cells, keys)
