"""Revival: do dead ReLU units come back because the layers below them move?

A ReLU unit that is dead on the whole training split gets no gradient. Under plain SGD its own weights then stay, and
only what comes from below can bring it back. Layer 2 has one layer below it, which ``freeze_layers: 1`` holds still:
everything here is of layer 2, of networks that differ in that alone.

Predictions, from before the first results. V1: some of the units that were ever dead come back. V2, a law: under plain
SGD without decay none does while the first layer is frozen. V3: more do where it moves. V4: under Adam some come back
although all below is frozen, since what Adam remembers from before a death moves a unit's own weights on.

What was changed when. V2 was a difference (now V3) in a pilot of 240 runs, and V3 of SGD alone; no effect was changed.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import judge_law

SOME = 0.01  # of the units that were ever dead
LAYER = 2
PAIR = ["seed", "depth", "learning_rate"]  # what two runs that differ in the frozen layer alone have in common
MEASURES = ["revived_fraction", "ever_dead_fraction"]
HOW = "units of all depths and rates counted together, one share a seed"


def units(cells: Cells, optimizer: str, frozen: int, at: str = "final") -> pd.DataFrame:
    """What revived and what was ever dead in layer 2, a row a run; runs that diverged are left out."""
    runs = cells.runs[(cells.runs["optimizer"] == optimizer) & (cells.runs["freeze_layers"] == frozen)]
    last = records_at(cells.layers, runs, at, MEASURES)
    sound = runs.loc[runs["status"] == "ok", ["run", *PAIR]]
    return last[last["layer"] == LAYER].merge(sound, on="run")


def share(rows: pd.DataFrame, end: str = "") -> pd.Series:
    """Of all units that were ever dead, how many are alive at the end: one share a seed."""
    revived, ever = (rows.groupby("seed")[f"{name}{end}"].sum() for name in MEASURES)
    return (revived / ever.where(ever > 0)).dropna()


def pairs(cells: Cells, optimizer: str) -> pd.DataFrame:
    """Runs with the first layer trained beside the same with it frozen; a pair with a diverged run is left out."""
    free, frozen = (units(cells, optimizer, k) for k in (0, 1))
    return free.merge(frozen, on=PAIR, suffixes=("", "_frozen"))


def optimizers(cells: Cells) -> list[str]:
    """The study's optimizers."""
    return sorted(cells.runs["optimizer"].unique())


def units_come_back(cells: Cells) -> Verdict:
    """V1: units that were dead come back."""
    found = {name: share(units(cells, name, 0)) for name in optimizers(cells)}
    evidence = f"revived / ever dead in layer {LAYER}, first layer trained; {HOW}"
    return judge("V1", "relu", "some dead units come back", AT_LEAST, SOME, found, evidence, "revival_rate")


def frozen_stay_dead(cells: Cells) -> Verdict:
    """V2, a law: under plain SGD none does while the layer below is frozen."""
    most = units(cells, "sgd", 1, at="max")
    revived = most.loc[most["ever_dead_fraction"] > 0, "revived_fraction"]
    statement = "under plain SGD none comes back while the layer below is frozen"
    evidence = f"greatest revived fraction of layer {LAYER} at any evaluation, of the runs with a dead unit there"
    return judge_law("V2", "relu", statement, 0.0, revived, evidence, "run")


def moving_layer_revives(cells: Cells) -> Verdict:
    """V3: more come back where the layer below moves."""
    found = {}
    for name in optimizers(cells):
        both = pairs(cells, name)
        found[f"{name}, {len(both)} pairs of runs"] = (share(both) - share(both, "_frozen")).dropna()
    evidence = f"revived / ever dead in layer {LAYER}, first layer trained minus frozen, paired by seed; {HOW}"
    statement = "more dead units come back where the layer below them moves than where it is frozen"
    return judge("V3", "relu", statement, AT_LEAST, SOME, found, evidence, "revival_rate", difference=True)


def adam_moves_dead_units(cells: Cells) -> Verdict:
    """V4: under Adam they come back with all below them frozen."""
    evidence = f"revived / ever dead in layer {LAYER}, first layer frozen; {HOW}"
    statement = "under Adam some come back although nothing below them moves"
    return judge("V4", "relu", statement, AT_LEAST, SOME, share(units(cells, "adam", 1)), evidence, "revival_rate")


CLAIMS = [units_come_back, frozen_stay_dead, moving_layer_revives, adam_moves_dead_units]
