"""Mean and variance of the last layer as drawn, with and without SELU's conditions."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import Case, first_records, named
from experiments import normalising

WHOLE: dict[str, object] = {"weight_init": "lecun_normal", "standardize": True, "residual": False}
GLOROT: dict[str, object] = {"weight_init": "glorot_normal"}
BROKEN: tuple[dict[str, object], ...] = (
    {"weight_init": "he_normal"},
    GLOROT,
    {"standardize": False},
    {"residual": True},
)
KEPT = {"width": (64, 256), "conditions": (WHOLE,)}
LACKING = KEPT | {"conditions": tuple(WHOLE | one for one in BROKEN)}


def last_mean(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw mean activations of the last layer, whatever the conditions."""
    values = truth + 0.03 * rng.normal(size=len(runs))
    return {"layers": first_records(runs, layer=100, act_mean=values, act_var=1.0)}


def last_variance(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw variances of the last layer, whatever the conditions: 10^truth."""
    decades = truth + 0.05 * rng.normal(size=len(runs))
    return {"layers": first_records(runs, layer=100, act_mean=0.0, act_var=10.0**decades)}


CASES = (
    Case(normalising.mean_is_kept, named("selu") | KEPT, last_mean, 0.1, None),
    Case(normalising.variance_is_kept, named("selu") | KEPT, last_variance, 0.15, None),
    Case(normalising.each_condition_is_needed, named("selu") | LACKING, last_variance, 0.5, None),
    Case(normalising.elu_drifts, named("elu") | KEPT, last_variance, 0.5, None),
)
