"""Depth: which activations still train as the network gets deeper?

Predictions. σ' ≤ ¼, so under Glorot initialisation a sigmoid's backpropagated signal loses a constant factor a layer
and deep sigmoid networks do not train. He's variance keeps ReLU's signal at initialisation, layer after layer. So the
activation decides the depth.
"""

import math

import pandas as pd

from actlab.analysis.claims import CONTRADICTED, INCONCLUSIVE, SUPPORTED, Verdict, above, below
from actlab.analysis.stats import mean_interval, wilson_interval

DEEP = 10  # slopes are judged from this depth on: on a few layers the ends dominate
KEPT = math.log10(2) / 10  # a slope that halves or doubles the signal every ten layers, in decades a layer
SHARE = 0.8  # of seeds that must train


def slope_at_init(runs: pd.DataFrame, steps: pd.DataFrame, activation: str) -> pd.Series:
    """Vanishing slope at initialisation, one number a seed: the mean over depths (learning rates share their init)."""
    first = steps[steps["step"] == 0].merge(runs[["run", "activation", "depth", "seed"]], on="run")
    chosen = first[(first["activation"] == activation) & (first["depth"] >= DEEP)]
    return chosen.groupby("seed")["vanishing_slope"].mean()


def trained_share(runs: pd.DataFrame) -> pd.DataFrame:
    """Share of seeds trained, activation by depth, each at its best learning rate by validation loss."""
    by_rate = runs.groupby(["activation", "depth", "learning_rate"])
    loss = by_rate["validation_loss"].mean().where(by_rate["status"].agg(lambda status: bool((status == "ok").all())))
    best = loss.dropna().groupby(["activation", "depth"]).idxmin()
    return by_rate["trained"].mean()[best].groupby(["activation", "depth"]).first().unstack()


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
    """D1: the deepest trainable depths of the activations differ; the number is the share that reach the grid's end."""
    share = trained_share(runs)
    deepest = share.ge(SHARE).mul(share.columns.to_numpy(), axis=1).max(axis=1)
    end = max(share.columns)
    short = "; ".join(f"{name} to {int(depth)}" for name, depth in deepest.items() if depth < end)
    number = wilson_interval(int((deepest < end).sum()), len(deepest))
    return Verdict(
        "D1",
        "the choice of activation decides how deep a plain MLP trains",
        f"share of activations that do not train to the deepest network ({end} layers): {short or 'none'}",
        number,
        above(number, 0.0),
    )


CLAIMS = [sigmoid_vanishes, relu_survives, activation_decides_depth]
