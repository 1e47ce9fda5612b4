"""Slopes at initialisation, by initialiser and width."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import Case, Draw, first_records, named, of
from experiments import slopes

WEIGHTS = {"weight_init": ("he_normal", "lecun_normal", "glorot_normal", "critical"), "width": (64, 256)}


def slope(activation: str, other: str = "") -> Draw:
    """Draw slopes at initialisation: of one the truth; or one's nearer to 0 than the other's by the truth."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        mean = of(runs, other, -0.02 - truth, -0.02) if other else of(runs, activation, truth, 0.0)
        return {"steps": first_records(runs, vanishing_slope=mean + 0.008 * rng.normal(size=len(runs)))}

    return draw


CASES = (
    Case(slopes.sigmoid_vanishes, named("sigmoid") | WEIGHTS, slope("sigmoid"), -0.05, None),
    Case(slopes.relu_survives, named("relu") | WEIGHTS, slope("relu"), 0.0, None),
    Case(slopes.leaky_never_vanishes, named("leaky_relu") | WEIGHTS, slope("leaky_relu"), -0.01, None),
    Case(slopes.mish_flows_better_than_swish, named("mish", "swish") | WEIGHTS, slope("mish", "swish"), 0.03),
    Case(slopes.mish_flows_better_than_gelu, named("mish", "gelu") | WEIGHTS, slope("mish", "gelu"), 0.03),
)
