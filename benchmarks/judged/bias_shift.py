"""Mean activations and bias shift of ReLU, leaky ReLU and ELU."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, bounded, first_records, named, of
from experiments import bias_shift

NETWORKS = named("relu", "leaky_relu", "elu") | {"optimizer": TWO}


def shifted(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw |mean| over root mean square, and the share of z² that is a shift: ELU's is less by the truth."""
    shift = bounded(rng, of(runs, "elu", 0.5 - truth, 0.5), 0.04, len(runs))
    sign = rng.choice([-1.0, 1.0], len(runs))
    measures = {"act_mean": sign * shift, "act_var": 1 - shift**2, "preact_mean_share": shift}
    return {"layers": first_records(runs, layer=2, **measures)}


def share(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw shares of z² that are a shift."""
    shift = bounded(rng, truth, 0.02, len(runs))
    return {"layers": first_records(runs, layer=2, act_mean=0.0, act_var=1.0, preact_mean_share=shift)}


CASES = (
    Case(bias_shift.means_are_nearer, NETWORKS, shifted, 0.2),
    Case(bias_shift.shift_is_less, NETWORKS, shifted, 0.2),
    Case(bias_shift.shift_is_less_than_leaky, NETWORKS, shifted, 0.2),
    Case(bias_shift.relu_shifts, named("relu") | {"optimizer": TWO}, share, 0.2, None),
)
