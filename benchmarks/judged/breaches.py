"""The last layer's variance and accuracies of trained networks, with and without SELU's conditions."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, accuracy, bounded, named, of
from benchmarks.judged.normalising import BROKEN, GLOROT, WHOLE, last_variance
from experiments import breaches

TRAINED = WHOLE | {"dropout": 0.0, "dropout_kind": "standard"}
DROPOUTS: tuple[dict[str, object], ...] = tuple(
    {"dropout": 0.1, "dropout_kind": kind} for kind in ("standard", "alpha")
)
BREACHES = tuple(one for one in BROKEN if one != GLOROT)  # of 64 units, whose Glorot weights are LeCun's
CONDITIONS = (TRAINED, *(TRAINED | one for one in (*BREACHES, *DROPOUTS)))
SELU = named("selu") | {"optimizer": TWO, "conditions": CONDITIONS}


def cost(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw accuracies: SELU's is lower by the truth wherever a condition is broken; alpha dropout breaks none."""
    whole = (runs["weight_init"] == "lecun_normal") & runs["standardize"] & ~runs["residual"]
    dropout = (runs["dropout"] > 0) & (runs["dropout_kind"] == "standard")
    mean = 0.9 - truth * (of(runs, "selu", 1.0, 0.0) * (~whole | dropout))
    return {"runs": runs.assign(test_accuracy=bounded(rng, np.asarray(mean), 0.012, len(runs)))}


CASES = (
    Case(breaches.stays_normalised, SELU | {"conditions": (TRAINED,)}, last_variance, 0.15, None),
    Case(breaches.conditions_pay, SELU, cost, 0.04),
    Case(breaches.gelu_is_better_there, SELU | named("selu", "gelu"), accuracy("gelu"), 0.04),
)
