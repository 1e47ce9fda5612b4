"""Revival: do dead ReLU units come back because the layers below them move?

A ReLU unit that is dead on the whole training split gets no gradient. Under plain SGD its own weights then stay, and
only what comes from below can bring it back. Layer 2 has one layer below it, which `freeze_layers: 1` holds still.

Predictions, from before the first results. V1: under SGD some of the units of layer 2 that were ever dead come back.
V2: with the first layer frozen fewer do (by the law none does; a test holds it). V3: under Adam some come back although
all below is frozen, since what Adam remembers from before a death moves a unit's own weights on.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at

SOME = 0.01  # of the units that were ever dead


def revived(cells: Cells, optimizer: str, frozen: int, layer: int = 2) -> pd.Series:
    """Of all units of a layer that were ever dead, how many are alive at the end: one share per seed.

    Units are counted over all depths and rates together: a network in which one unit died weighs as much as its unit.
    """
    runs = cells.runs[(cells.runs["optimizer"] == optimizer) & (cells.runs["freeze_layers"] == frozen)]
    measures = ["revived_fraction", "ever_dead_fraction"]
    last = records_at(cells.layers, runs, "final", measures)
    of_seed = last[last["layer"] == layer].merge(runs[["run", "seed"]], on="run").groupby("seed")[measures].sum()
    ever = of_seed["ever_dead_fraction"]
    return of_seed["revived_fraction"] / ever.where(ever > 0)


def units_come_back(cells: Cells) -> Verdict:
    """V1: under SGD units of layer 2 come back."""
    evidence = "revived / ever dead in layer 2, all depths and rates, SGD"
    share = revived(cells, "sgd", 0)
    return judge("V1", "relu", "dead units come back under SGD", AT_LEAST, SOME, share, evidence, "revival_rate")


def because_layers_below_move(cells: Cells) -> Verdict:
    """V2: with the layer below frozen, fewer do."""
    free, frozen = (revived(cells, "sgd", k) for k in (0, 1))
    evidence = (
        f"revived / ever dead in layer 2, SGD: first layer trained ({free.mean():.3f}) minus frozen "
        f"({frozen.mean():.3f}), by seed"
    )
    statement = "and they do because the layer below moves"
    return judge("V2", "relu", statement, AT_LEAST, SOME, free - frozen, evidence, "revival_rate", difference=True)


def adam_moves_dead_units(cells: Cells) -> Verdict:
    """V3: under Adam they come back with all below them frozen."""
    evidence = "revived / ever dead in layer 2, all depths and rates, Adam, first layer frozen"
    share = revived(cells, "adam", 1)
    statement = "under Adam dead units come back although nothing below them moves"
    return judge("V3", "relu", statement, AT_LEAST, SOME, share, evidence, "revival_rate")


CLAIMS = [units_come_back, because_layers_below_move, adam_moves_dead_units]
