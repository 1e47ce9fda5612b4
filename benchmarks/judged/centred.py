"""Mean activations of one layer, and accuracies by depth."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, accuracy, first_records, named
from experiments import centred


def mean_activation(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw mean activations of one layer."""
    values = np.clip(truth + 0.02 * rng.normal(size=len(runs)), None, None)
    return {"layers": first_records(runs, layer=np.ones(len(runs), int), act_mean=values)}


CASES = (
    Case(centred.outputs_are_off_centre, named("sigmoid"), mean_activation, 0.3, None),
    Case(
        centred.off_centre_hurts,
        named("sigmoid", "centred_sigmoid") | {"depth": (1, 2, 3, 5), "optimizer": TWO},
        accuracy("centred_sigmoid"),
        0.05,
    ),
)
