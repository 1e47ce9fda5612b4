"""Which seeds train, of networks of 20 and 40 layers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, Draw, named, of
from experiments import trainable

STORY = ("sigmoid", "centred_sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish")
DEEP = {"weight_init": ("auto", "critical(...)"), "optimizer": TWO}


def share_trained(activation: str, base: float | None) -> Draw:
    """Draw which seeds train: of one the truth, or more often by the truth than any other."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        p = of(runs, activation, truth if base is None else base + truth, 0.5 if base is None else base)
        return {"runs": runs.assign(trained=rng.random(len(runs)) < p)}

    return draw


CASES = (
    Case(
        trainable.sigmoid_does_not_train,
        named("sigmoid") | {"depth": (20,)} | DEEP,
        share_trained("sigmoid", None),
        0.0,
        None,
    ),
    Case(
        trainable.centring_trains_deeper,
        named("sigmoid", "centred_sigmoid") | {"depth": (20,)} | DEEP,
        share_trained("centred_sigmoid", 0.1),
        0.85,
    ),
    Case(trainable.activation_decides_depth, named(*STORY) | {"depth": (40,)} | DEEP, share_trained("relu", 0.05), 0.9),
    Case(
        trainable.relu_trains_deeper,
        named("sigmoid", "relu") | {"depth": (20,)} | DEEP,
        share_trained("relu", 0.1),
        0.85,
    ),
)
