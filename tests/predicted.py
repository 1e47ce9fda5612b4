"""A frame of predictions for the frames of a study: made by hand, about what was measured, with known spreads."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from actlab.analysis.predictions import OF_PREDICTION
from actlab.measures import LOG10

SETTINGS = ("data", "data_seed", "activation", "depth", "width", "weight_init", "weight_gain", "bias_init")
SPREADS = {
    "signal_grad_norm": 0.05,
    "weight_grad_norm": 0.04,
    "act_mean": 0.03,
    "act_var": 0.02,
    "preact_second_moment": 0.03,
    "correlation": 0.03,
    "dead_fraction": 0.02,
    "vanishing_slope": 0.01,
    "weight_slope": 0.02,
    "vanishing_slope_median": 0.01,
}
LOGGED = ("signal_grad_norm", "weight_grad_norm")


def predictions_of(
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    outside: Mapping[int, str] | None = None,
    spreads: Mapping[str, float] = SPREADS,
    settings: Sequence[str] = SETTINGS,
) -> pd.DataFrame:
    """Predict for every cell, layer and measure the mean of what was measured there, off by half a spread.

    ``outside`` gives depths of which theory says nothing, and why.
    """
    keys = [name for name in settings if name in runs]
    rows = []
    for number, (values, cell) in enumerate(runs.groupby(keys, dropna=False, sort=True)):
        name, where = f"cell{number:02d}", (*values,)
        depth = int(cell["depth"].iloc[0])
        if depth in (outside or {}):
            rows.append((name, *where, "", 0, np.nan, np.nan, np.nan, f"outside theory: {outside[depth]}"))
            continue
        for frame, per in ((layers, "layer"), (steps, None)):
            first = frame[(frame["step"] == 0) & frame["run"].isin(cell["run"])]
            for layer, part in first.groupby(per) if per else [(0, first)]:
                for measure, spread in spreads.items():
                    if measure not in part or measure.endswith(("slope", "median")) != (per is None):
                        continue
                    logged = measure in LOGGED
                    there = np.log10(part[measure]) if logged else part[measure]
                    if there.notna().any():
                        column = LOG10 + measure if logged else measure
                        value = float(there.mean()) + 0.5 * spread
                        rows.append((name, *where, column, int(layer), value, 1e-9, spread, "infinite width"))
    return pd.DataFrame(rows, columns=["cell", *keys, *OF_PREDICTION])
