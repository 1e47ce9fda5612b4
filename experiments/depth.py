"""Depth: which activations still train as the network gets deeper?

Predictions. σ' ≤ ¼, so under Glorot initialisation a sigmoid's backpropagated signal loses a constant factor a layer
and deep sigmoid networks do not train. He's variance keeps ReLU's signal at initialisation, layer after layer. So the
activation decides the depth.
"""

import math

import pandas as pd

from actlab.analysis.cells import Select, build_cells
from actlab.analysis.claims import CONTRADICTED, INCONCLUSIVE, SUPPORTED, Verdict, above, below
from actlab.analysis.stats import mean_interval

DEEP = 10  # slopes are judged from this depth on: on a few layers the ends dominate
KEPT = math.log10(2) / 10  # a slope that halves or doubles the signal every ten layers, in decades a layer


def slope_at_init(runs: pd.DataFrame, steps: pd.DataFrame, activation: str) -> pd.Series:
    """Vanishing slope at initialisation, one number a seed: the mean over depths (learning rates share their init)."""
    first = steps[steps["step"] == 0].merge(runs[["run", "activation", "depth", "seed"]], on="run")
    chosen = first[(first["activation"] == activation) & (first["depth"] >= DEEP)]
    return chosen.groupby("seed")["vanishing_slope"].mean()


def trained_at_the_end(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Whether a run trained at the deepest network, seed by activation, each at the rate that validation loss chose."""
    found = build_cells(runs, steps, layers, Select()).selected
    deepest = found[found["depth"] == found["depth"].max()]
    return deepest.pivot(index="seed", columns="activation", values="trained").astype(float)


def sigmoid_vanishes(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Verdict:
    """S3: a sigmoid's signal loses at least half in ten layers."""
    number = mean_interval(slope_at_init(runs, steps, "sigmoid"))
    return Verdict(
        "S3",
        "sigmoid: gradients vanish with depth",
        f"vanishing slope at initialisation, depths from {DEEP}, decades a layer",
        number,
        below(number, -KEPT),
    )


def relu_survives(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Verdict:
    """R2: a ReLU's signal under He initialisation neither halves nor doubles in ten layers."""
    number = mean_interval(slope_at_init(runs, steps, "relu"))
    inside = number.low > -KEPT and number.high < KEPT
    outside = number.high < -KEPT or number.low > KEPT
    return Verdict(
        "R2",
        "relu: gradients survive the depth (He initialisation)",
        f"vanishing slope at initialisation, depths from {DEEP}, decades a layer",
        number,
        SUPPORTED if inside else CONTRADICTED if outside else INCONCLUSIVE,
    )


def activation_decides_depth(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Verdict:
    """D1: at the deepest network the best activation trains more seeds than the worst, by a whole interval."""
    trained = trained_at_the_end(runs, steps, layers)
    share = trained.mean()
    best, worst = str(share.idxmax()), str(share.idxmin())
    number = mean_interval(trained[best] - trained[worst])
    return Verdict(
        "D1",
        "the choice of activation decides how deep a plain MLP trains",
        f"share of seeds trained at {int(runs['depth'].max())} layers, {best} ({share[best]:.1f}) minus {worst} "
        f"({share[worst]:.1f}), paired by seed",
        number,
        above(number, 0.0),
    )


CLAIMS = [sigmoid_vanishes, relu_survives, activation_decides_depth]
