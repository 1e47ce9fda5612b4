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


def reversing(k: int, n: int) -> list[int]:
    """An order of n of which k pairs are reversed.

    >>> reversing(0, 3), reversing(2, 3), reversing(3, 3)
    ([0, 1, 2], [2, 0, 1], [2, 1, 0])
    """
    rest, order = list(range(n)), []
    for left in reversed(range(n)):
        order.append(rest.pop(min(k, left)))
        k -= min(k, left)
    return order


def gain_in_order(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw scores of which GELU's gains rise with the difficulty but for some pairs: Kendall's τ has the truth as mean.

    How many of a seed's pairs are reversed is binomially distributed, with probability (1 − τ)/2 each.
    """
    gain = pd.Series(0.0, runs.index)
    rows = runs[runs["activation"] == "gelu"].assign(hard=runs["data"].map(complexity.difficulty))
    for _, some in rows.groupby([rows["seed"], rows["optimizer"], rows["data"].str.partition("(")[0]]):
        n = len(some)
        k = int(rng.binomial(n * (n - 1) // 2, (1 - truth) / 2))
        gain[some.sort_values("hard").index] = 0.01 * np.asarray(reversing(k, n))
    score = 0.6 + gain.to_numpy()
    return {"runs": runs.assign(test_accuracy=(score + 1) / 2, test_r2=score)}


CASES = (
    Case(complexity.gelu_gains_with_difficulty, BOTH, gain_on_patterns(False), 0.05),
    Case(complexity.gelu_is_better, BOTH, gain_on_patterns(True), 0.07),
    Case(complexity.gains_in_order, BOTH, gain_in_order, 0.9),
)
