"""Gaps and accuracies of PReLU and leaky ReLU, left alone and regularised."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, Draw, named, of
from experiments import regularised

ALONE = {"weight_decay": 0.0, "decay_activation_parameters": False, "dropout": 0.0}
MEANS = ({"weight_decay": 0.1}, {"weight_decay": 0.1, "decay_activation_parameters": True}, {"dropout": 0.2})
NETWORKS = {"optimizer": TWO, "means": (ALONE, *(ALONE | one for one in MEANS))}
LEAKY = "leaky_relu(negative_slope=0.25)"


def regularised_runs(runs: pd.DataFrame) -> pd.Series:
    """Which runs are not left alone."""
    return (runs["weight_decay"] > 0) | (runs["dropout"] > 0)


def changed(measure: str, start: float, sign: float) -> Draw:
    """Draw a measure, which regularisation of any kind changes by sign times the truth."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        there = regularised_runs(runs).to_numpy(float)
        return {"runs": runs.assign(**{measure: start + sign * truth * there + 0.009 * rng.normal(size=len(runs))})}

    return draw


def prelu_alone(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw gaps: PReLU's, left alone, is larger by the truth than all others."""
    there = of(runs, "prelu", 1.0, 0.0) * ~regularised_runs(runs)
    return {"runs": runs.assign(generalization_gap_error=0.2 + truth * there + 0.009 * rng.normal(size=len(runs)))}


CASES = (
    Case(
        regularised.regularisation_mends,
        named("prelu") | NETWORKS,
        changed("generalization_gap_error", 0.2, -1.0),
        0.04,
    ),
    Case(regularised.regularisation_helps, named("prelu") | NETWORKS, changed("test_accuracy", 0.8, 1.0), 0.04),
    Case(regularised.simpler_is_better, named("prelu", LEAKY) | NETWORKS, prelu_alone, 0.04),
)
