"""Revival: do dead ReLU units come back because the layers below them move?

A ReLU unit that is dead on the whole training split gets no gradient. Under plain SGD its own weights then stay, and
only what comes from below can bring it back. Layer 2 has one layer below it, which ``freeze_layers: 1`` holds still:
everything here is of layer 2, of networks that differ in that alone.

Predictions, from before the first results. V1: some of the units that were ever dead come back. V2, a law: under plain
SGD without decay none does while the first layer is frozen. V3: more do where it moves. V4: under Adam some come back
although all below is frozen, since what Adam remembers from before a death moves a unit's own weights on.

What was changed when. V2 was a difference (now V3) in a pilot of 240 runs, and V3 of SGD alone; no effect was changed.
With results known, a seed's share stopped being of whichever of its runs did not diverge: settings of which more than
half diverged are left out, then seeds that lack a run of the rest. Under SGD, V3 was *supported* until then (0.168
[0.061, 0.270]), mostly by the four networks of 5 layers at rate 1 that had not diverged, of 20.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import judge_law
from actlab.naming import counted

SOME = 0.01  # of the units that were ever dead
LAYER = 2
PAIR = ["seed", "depth", "learning_rate"]  # what two runs that differ in the frozen layer alone have in common
MEASURES = ["revived_fraction", "ever_dead_fraction"]
CELL = ["depth", "learning_rate"]  # over these a seed's units are counted together
HOW = "units of all depths and rates counted together, one share a seed"


def units(cells: Cells, optimizer: str, frozen: int, at: str = "final") -> pd.DataFrame:
    """What revived and what was ever dead in layer 2, one row per run; of runs that diverged there is neither (NaN)."""
    runs = cells.runs[(cells.runs["optimizer"] == optimizer) & (cells.runs["freeze_layers"] == frozen)]
    last = records_at(cells.layers, runs, at, MEASURES)
    last = last[last["layer"] == LAYER].drop(columns="layer")
    return runs[["run", *PAIR]].merge(last, on="run", how="left").drop(columns="run")


def sound(rows: pd.DataFrame) -> pd.DataFrame:
    """Take those rows of which no run diverged."""
    return rows[rows.notna().all(axis=1)]


def same_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Take rows such that every seed has one of each setting, so that its share is of the same ones as the others.

    Settings of which more than half diverged are left out first: few of their seeds are left, and no sample.
    """
    rows = rows.assign(sound=rows.notna().all(axis=1))
    rows = rows[rows.groupby(CELL)["sound"].transform("mean") >= 0.5]
    return rows[rows.groupby("seed")["sound"].transform("all")].drop(columns="sound")


def compared(rows: pd.DataFrame, what: str) -> str:
    """Say how many of some runs, or pairs of runs, are compared, and why the others are not."""
    kept, lost = same_cells(rows), len(rows) - len(sound(rows))
    text = f"{len(kept)} of {len(rows)} {what}"
    if not lost:
        return text
    cells_lost = len(rows[CELL].drop_duplicates()) - len(kept[CELL].drop_duplicates())
    return f"{text}, {kept['seed'].nunique()} seeds ({lost} diverged; {counted(cells_lost, 'setting')} left out)"


def share(rows: pd.DataFrame, end: str = "") -> pd.Series:
    """Of all units that were ever dead, how many are alive at the end: one share a seed."""
    revived, ever = (rows.groupby("seed")[f"{name}{end}"].sum() for name in MEASURES)
    return (revived / ever.where(ever > 0)).dropna()


def counts(rows: pd.DataFrame, width: int, end: str = "") -> tuple[int, int]:
    """Of the units of layer 2, how many that were ever dead are alive at the end, and how many these are."""
    revived, ever = (float(rows[f"{name}{end}"].sum()) * width for name in MEASURES)
    return round(revived), round(ever)


def pairs(cells: Cells, optimizer: str) -> pd.DataFrame:
    """Runs with the first layer trained beside the same with it frozen."""
    free, frozen = (units(cells, optimizer, k) for k in (0, 1))
    return free.merge(frozen, on=PAIR, suffixes=("", "_frozen"))


def optimizers(cells: Cells) -> list[str]:
    """The study's optimizers."""
    return sorted(cells.runs["optimizer"].unique())


def units_come_back(cells: Cells) -> Verdict:
    """V1: units that were dead come back."""
    found = {}
    for name in optimizers(cells):
        rows = units(cells, name, 0)
        found[f"{name}, {compared(rows, 'runs')}"] = share(same_cells(rows))
    evidence = f"revived / ever dead in layer {LAYER}, first layer trained; {HOW}"
    return judge("V1", "relu", "some dead units come back", AT_LEAST, SOME, found, evidence, "revival_rate")


def frozen_stay_dead(cells: Cells) -> Verdict:
    """V2, a law: under plain SGD none does while the layer below is frozen."""
    most = sound(units(cells, "sgd", 1, at="max"))
    revived = most.loc[most["ever_dead_fraction"] > 0, "revived_fraction"]
    statement = "under plain SGD none comes back while the layer below is frozen"
    evidence = (
        f"greatest revived fraction of layer {LAYER} at any evaluation, of each run with a dead unit there that "
        "did not diverge"
    )
    return judge_law("V2", "relu", statement, 0.0, revived, evidence, "run")


def moving_layer_revives(cells: Cells) -> Verdict:
    """V3: more come back where the layer below moves."""
    found = {}
    for name in optimizers(cells):
        both = pairs(cells, name)
        kept = same_cells(both)
        found[f"{name}, {compared(both, 'pairs of runs')}"] = (share(kept) - share(kept, "_frozen")).dropna()
    evidence = f"revived / ever dead in layer {LAYER}, first layer trained minus frozen, paired by seed; {HOW}"
    statement = "more dead units come back where the layer below them moves than where it is frozen"
    return judge("V3", "relu", statement, AT_LEAST, SOME, found, evidence, "revival_rate", difference=True)


def adam_moves_dead_units(cells: Cells) -> Verdict:
    """V4: under Adam they come back with all below them frozen."""
    rows = units(cells, "adam", 1)
    evidence = f"revived / ever dead in layer {LAYER}, first layer frozen; {HOW}; {compared(rows, 'runs')}"
    statement = "under Adam some come back although nothing below them moves"
    return judge("V4", "relu", statement, AT_LEAST, SOME, share(same_cells(rows)), evidence, "revival_rate")


CLAIMS = [units_come_back, frozen_stay_dead, moving_layer_revives, adam_moves_dead_units]
