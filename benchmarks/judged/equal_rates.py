"""Generalisation gaps with 50 rows, at every learning rate alike: PReLU's, leaky ReLU's, and PReLU's regularised."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, named, of
from benchmarks.judged.regularised import LEAKY, regularised_runs
from experiments import equal_rates

ALONE = {"weight_decay": 0.0, "dropout": 0.0}
RATES = {"optimizer": TWO, "learning_rate": (3e-4, 1e-3, 3e-3, 1e-2)}
BESIDE_LEAKY = {"network": tuple({"activation": name} | ALONE for name in ("prelu", LEAKY))}
REGULARISED = {"means": (ALONE, ALONE | {"weight_decay": 0.1}, ALONE | {"dropout": 0.2})}


def prelu_alone(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw gaps: PReLU's, left alone, is larger by the truth. Pairs of a seed differ by 0.02, as the study's do."""
    pair = runs.groupby(["optimizer", "learning_rate", "seed"]).ngroup().to_numpy()
    there = of(runs, "prelu", 1.0, 0.0) * ~regularised_runs(runs)
    noise = rng.normal(size=len(runs)) + rng.normal(size=pair.max() + 1)[pair]
    return {"runs": runs.assign(generalization_gap_error=0.2 + truth * there + 0.014 * noise)}


CASES = (
    Case(equal_rates.prelu_overfits_at_equal_rates, BESIDE_LEAKY | RATES, prelu_alone, 0.05),
    Case(equal_rates.regularisation_mends_at_equal_rates, named("prelu") | REGULARISED | RATES, prelu_alone, 0.05),
)
