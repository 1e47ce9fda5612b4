"""Shares of units that die, come back, or are weak."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import Case, Draw, bounded, first_records, of
from experiments import dying_relu

START = {"weight_init": ("he_normal",), "bias_init": ("zeros", "constant(value=-0.5)")}
DYING = {"activation": ("relu", "leaky_relu"), "depth": (2, 5, 10), **START}
AT_HIGH = {**DYING, "optimizer": ("adam",), "learning_rate": (0.1,)}


def died(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw the share of units alive at the start that are dead at the end."""
    return {"steps": first_records(runs, died_fraction=bounded(rng, truth, 0.004, len(runs)), born_dead_fraction=0.0)}


def revived(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw the share of units ever dead that are alive at the end: alike of those born dead and of those that died."""
    ever, back = bounded(rng, 0.3, 0.05, len(runs)), bounded(rng, truth, 0.02, len(runs))
    born = ever / 4
    shares = {"ever_dead_fraction": ever, "revived_fraction": ever * back, "dead_fraction": ever * (1 - back)}
    shares |= {"born_dead_fraction": born, "died_fraction": (ever - born) * (1 - back)}
    return {"steps": first_records(runs, **shares, network_dead=0.0)}


def weak(comparing: bool) -> Draw:
    """Draw shares of weak units: of leaky ReLU the truth, or more by it than ReLU's."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        mean = of(runs, "leaky_relu", 0.4 + truth if comparing else truth, 0.4)
        return {"steps": first_records(runs, weak_fraction=bounded(rng, mean, 0.015, len(runs)))}

    return draw


def last_accuracy(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw accuracies at the end, of which leaky ReLU's is higher by the truth."""
    values = bounded(rng, of(runs, "leaky_relu", 0.7 + truth, 0.7), 0.02, len(runs))
    return {"steps": first_records(runs, test_accuracy=values)}


CASES = (
    Case(
        dying_relu.relu_units_die,
        DYING | {"optimizer": ("adam", "sgd"), "learning_rate": (0.1, 0.3)},
        died,
        0.03,
        None,
    ),
    *(
        Case(
            claim, DYING | {"optimizer": ("adam", "sgd"), "learning_rate": (1e-3, 1e-2, 0.1, 0.3)}, revived, 0.02, None
        )
        for claim in (dying_relu.dead_stay_dead, dying_relu.died_stay_dead)
    ),
    Case(dying_relu.leaky_is_hardly_weak, AT_HIGH, weak(False), 0.02, None),
    Case(dying_relu.leaky_reduces, AT_HIGH, weak(True), -0.04),
    Case(dying_relu.leaky_performs, AT_HIGH, last_accuracy, 0.05),
)
