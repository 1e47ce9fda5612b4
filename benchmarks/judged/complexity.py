"""Scores of generated data of graded difficulty."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, Draw
from experiments import complexity

PATTERNS = (*(f"spirals(turns={n})" for n in range(1, 6)), *(f"sine(frequency={n})" for n in (1, 2, 4, 8)))
BOTH = {"activation": ("relu", "gelu"), "data": PATTERNS, "optimizer": TWO}


def gain_on_patterns(of_the_hardest: bool) -> Draw:
    """Draw scores of generated data: GELU's gain is the truth at the hardest, or rises by it with each doubling."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        hard = runs["data"].map(complexity.difficulty)
        family = runs["data"].str.partition("(")[0]
        steps = np.log2(hard / hard.groupby(family).transform("max"))
        gain = truth * (1.0 if of_the_hardest else steps) * (runs["activation"] == "gelu")
        score = 0.6 + np.asarray(gain, float) + 0.03 * rng.normal(size=len(runs))
        return {"runs": runs.assign(test_accuracy=(score + 1) / 2, test_r2=score)}

    return draw


CASES = (
    Case(complexity.gelu_gains_with_difficulty, BOTH, gain_on_patterns(False), 0.05),
    Case(complexity.gelu_is_better, BOTH, gain_on_patterns(True), 0.07),
)
