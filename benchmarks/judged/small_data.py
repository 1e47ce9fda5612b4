"""Generalisation gaps by activation and number of training rows, in pairs of one seed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, Draw, named, of
from experiments import small_data
from experiments.small_data import LEAKY, PER_UNIT, PRELU

ROWS = {"train_rows": (50, 200, 1000), "optimizer": TWO}
MISH = {one.__name__: one for one in small_data.CLAIMS if one.__name__.startswith("mish")}
LOSS = "generalization_gap_loss_at_target"


def gap(one: str, sign: float, measure: str, spread: float) -> Draw:
    """Draw gaps: one's is larger by sign times the truth; pairs of a seed vary together, by twice the spread."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        pair = runs.groupby(["train_rows", "optimizer", "seed"]).ngroup().to_numpy()
        noise = rng.normal(size=len(runs)) + 2 * rng.normal(size=pair.max() + 1)[pair]
        return {"runs": runs.assign(**{measure: 0.2 + of(runs, one, sign * truth, 0.0) + spread * noise})}

    return draw


def larger(one: str) -> Draw:
    """Draw gaps in error rate, of which one's is larger by the truth."""
    return gap(one, 1.0, "generalization_gap_error", 0.009)


CASES = (
    Case(small_data.prelu_overfits, named(PRELU, LEAKY) | ROWS, larger(PRELU), 0.04),
    Case(small_data.per_unit_overfits, named(PER_UNIT, LEAKY) | ROWS, larger(PER_UNIT), 0.04),
    *(
        Case(
            MISH[f"mish_regularises_beside_{other}"], named(other, "mish") | ROWS, gap("mish", -1.0, LOSS, 0.055), 0.15
        )
        for other in ("relu", "gelu", "swish")
    ),
)
