"""Saturation: does a sigmoid saturate for large values, and does training drive it there?

Saturated is a pair of unit and row beyond the point past which |φ′| stays below the threshold of weak units (see
docs/measures.md): on either side. Values are made large in two ways: by weights of 1 to 16 times Glorot's standard
deviation, and by training, at three rates of each optimizer. Controls: ``centred_sigmoid``, with the same derivative,
and tanh, which is a sigmoid of twice the slope.

Predictions. At Glorot's weights z is within ±1 and next to nothing is saturated, before training and after it; at 16
times as much most of it is. So it is true of large values, which usual weights do not give.

What was decided when: all effects and conditions are from before the first results.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.under import Condition

SOME = 0.05  # of the pairs of unit and row
HALF = 0.5
AS_DRAWN = Condition("as drawn", evaluation="init")


def shares(cells: Cells, activation: str, at: str) -> pd.DataFrame:
    """The share of saturated pairs, mean over layers: one row a run."""
    runs = cells.runs[cells.runs["activation"] == activation]
    found = records_at(cells.layers, runs, at, ["saturated_low", "saturated_high"])
    found = found.assign(saturated=found["saturated_low"] + found["saturated_high"])
    return found.groupby("run", as_index=False)["saturated"].mean().merge(runs, on="run")


def large_values_saturate(cells: Cells) -> Verdict:
    """S2a: at the largest weights, before training, at least half."""
    rows = shares(cells, "sigmoid", "init")
    rows = rows[rows["weight_gain"] == rows["weight_gain"].max()]
    means = {AS_DRAWN: rows.groupby("seed")["saturated"].mean()}
    statement = f"saturates for large values (weights of {rows['weight_gain'].max():g} times Glorot's)"
    evidence = "share of (unit, row) that is saturated at initialisation, mean over layers"
    return judge("S2a", "sigmoid", statement, AT_LEAST, HALF, means, evidence, "saturated_low")


def usual_values_saturate(cells: Cells) -> Verdict:
    """S2b: at the usual weights, before training."""
    rows = shares(cells, "sigmoid", "init")
    means = {AS_DRAWN: rows[rows["weight_gain"] == 1].groupby("seed")["saturated"].mean()}
    evidence = "share of (unit, row) that is saturated at initialisation, mean over layers"
    statement = "saturates at the usual weights, before training"
    return judge("S2b", "sigmoid", statement, AT_LEAST, SOME, means, evidence, "saturated_low")


def training_saturates(cells: Cells) -> Verdict:
    """S2c: at the usual weights, at the end of training, at each optimizer and rate."""
    rows = shares(cells, "sigmoid", "final")
    rows = rows[rows["weight_gain"] == 1]
    means = {
        Condition(f"{optimizer} at {rate:g}", optimizer=optimizer, learning_rate=rate): some.set_index("seed")[
            "saturated"
        ]
        for (optimizer, rate), some in rows.groupby(["optimizer", "learning_rate"])
    }
    statement = "saturates through training, from the usual weights"
    evidence = "share of (unit, row) that is saturated at the end, mean over layers"
    return judge("S2c", "sigmoid", statement, AT_LEAST, SOME, means, evidence, "saturated_low")


CLAIMS = [large_values_saturate, usual_values_saturate, training_saturates]
