"""Centred: does a sigmoid train worse because its outputs are not centred on zero?

The control is ``centred_sigmoid``, σ(z) − ½: the same derivative at every z, and outputs whose mean is near 0. What
differs between the two is the mean alone. tanh is beside them as what is usually taken in sigmoid's place.

Predictions. A mean of ½ in every unit adds a common shift to the next pre-activations, which makes the loss's curvature
larger in that direction (LeCun et al. 1998, Efficient BackProp): the control should reach a lower loss in the same
steps, more so at greater depth.

What was decided when: effects and conditions are from before the first results. These had rates selected at the ends
of a grid from 1e-3 to 1e-1, which is why it reaches from 3e-4 to 1 now.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import capped
from actlab.analysis.under import Condition

OFF = 0.25  # a mean activation: half of what a sigmoid has at z = 0
MATTERS = 0.02  # of test accuracy


def outputs_are_off_centre(cells: Cells) -> Verdict:
    """S1, first half: the mean activation is far from zero at initialisation, in every network."""
    runs = cells.selected[cells.selected["activation"] == "sigmoid"]
    first = records_at(cells.layers, runs, "init", ["act_mean"]).merge(runs[["run", "seed"]], on="run")
    means = {Condition("as drawn", evaluation="init"): first.groupby("seed")["act_mean"].mean()}
    evidence = "mean activation at initialisation, mean over layers and depths"
    return judge(
        "S1a", "sigmoid", "outputs are not zero-centred", AT_LEAST, OFF, means, evidence, "act_mean", figure="moments"
    )


def gain_of_centring(cells: Cells, optimizer: str, depth: int) -> pd.Series:
    """Test accuracy of the control minus that of sigmoid, pairs of one seed, each at its selected rate."""
    chosen = cells.selected[(cells.selected["optimizer"] == optimizer) & (cells.selected["depth"] == depth)]
    by_seed = chosen.pivot_table("test_accuracy", "seed", "activation")
    return by_seed["centred_sigmoid"] - by_seed["sigmoid"]


def off_centre_hurts(cells: Cells) -> Verdict:
    """S1, second half: centring alone gives a better network, at each depth and with each optimizer."""
    gains = {
        Condition(f"{optimizer}, depth {depth}", optimizer=optimizer, depth=depth): gain_of_centring(
            cells, optimizer, depth
        )
        for optimizer in sorted(cells.selected["optimizer"].unique())
        for depth in sorted(cells.selected["depth"].unique())
    }
    evidence = "test accuracy, centred_sigmoid minus sigmoid, paired by seed, each at its selected rate"
    verdict = judge(
        "S1b",
        "sigmoid",
        "outputs that are not zero-centred hurt (test accuracy)",
        AT_LEAST,
        MATTERS,
        gains,
        evidence,
        "test_accuracy",
        difference=True,
        figure="accuracy_by_depth",
    )
    rows = cells.selected[cells.selected["activation"].isin(["sigmoid", "centred_sigmoid"])]
    return capped(verdict, cells, rows)


CLAIMS = [outputs_are_off_centre, off_centre_hurts]
