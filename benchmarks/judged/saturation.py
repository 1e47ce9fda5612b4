"""Shares of saturated pairs of unit and row, in sigmoid networks of two layers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, Draw, bounded, first_records, named
from experiments import saturation

DRAWN = named("sigmoid") | {"weight_gain": (1, 16)}
TRAINED = DRAWN | {"optimizer": TWO, "learning_rate": (1e-3, 1e-2, 1e-1)}


def saturated(spread: float) -> Draw:
    """Draw shares that are saturated, half of them on each side: by the truth, more in one layer than in the other."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        shares = [bounded(rng, part * truth, spread, len(runs)) / 2 for part in (1.2, 0.8)]
        layers = (first_records(runs, layer=i + 1, saturated_low=s, saturated_high=s) for i, s in enumerate(shares))
        return {"layers": pd.concat(layers, ignore_index=True)}

    return draw


CASES = (
    Case(saturation.large_values_saturate, DRAWN, saturated(0.03), 0.6, None),
    Case(saturation.usual_values_saturate, DRAWN, saturated(0.02), 0.1, None),
    Case(saturation.training_saturates, TRAINED, saturated(0.02), 0.1, None),
)
