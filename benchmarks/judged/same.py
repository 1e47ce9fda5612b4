"""Accuracies of GELU and of its copy: the claim is that they tie."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, bounded, named, of
from experiments import same

NETWORKS = named("gelu", "same_act.py:gelu_again") | {"depth": (2, 10), "optimizer": TWO}


def both(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw accuracies: GELU's is higher than its copy's by the truth; spreads are those of ``results/depth``."""
    mean = of(runs, "gelu", 0.95 + truth, 0.95)
    values = np.where(runs["depth"] == 2, bounded(rng, mean, 0.0055, len(runs)), bounded(rng, mean, 0.011, len(runs)))
    return {"runs": runs.assign(test_accuracy=values)}


CASES = (Case(same.ties_independently, NETWORKS, both, 0.0, None, seeds=100),)
