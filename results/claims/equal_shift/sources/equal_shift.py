"""Equal shift: does ELU shift the next layer less than ReLU after training, where both have one learning rate?

``bias_shift.py`` compares networks after training at the rate that each one's validation loss selects: ten times as
high for ReLU as for ELU. A higher rate moves weights and biases further in the same steps, so that what it finds after
training may be the rate's doing. Here the three activations have the same rate, at four rates of each optimizer. All of
them train at these in that study's tuning runs; so they do at 1e-4 of Adam, which is not among them.

Prediction. The shift's share stays less than ReLU's and leaky ReLU's at each of these, as it is in networks as drawn.

What was decided when: effect, quantity and prediction are those of ``bias_shift.py``, from before its results. That a
control at equal rates was needed was seen in those results; it was written before its own.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at

LESS = 0.1  # of the share
OF = "preact_mean_share"


def shares(cells: Cells) -> dict[str, pd.DataFrame]:
    """The share of z² that is a shift, mean over layers from the second on: seed by activation, by optimizer, rate."""
    found = records_at(cells.layers, cells.runs, "final", [OF])
    settings = cells.runs[["run", "seed", "activation", "optimizer", "learning_rate"]]
    found = found[found["layer"] > 1].merge(settings, on="run")
    return {
        f"{optimizer} at {rate:g}": some.pivot_table(OF, "seed", "activation")
        for (optimizer, rate), some in found.groupby(["optimizer", "learning_rate"])
    }


def judged(cells: Cells, id: str, statement: str, other: str) -> Verdict:
    """Judge that ELU's share is less than another's, at each of the rates run here."""
    gains = {at: wide[other] - wide["elu"] for at, wide in shares(cells).items()}
    evidence = (
        f"share of z² that is units' own mean over rows at the end, {other} minus elu at the same rate, at the rates "
        "run here, mean over layers 2 to 10, paired by seed"
    )
    return judge(id, "elu", statement, AT_LEAST, LESS, gains, evidence, OF, difference=True)


def less_than_relu_at_equal_rates(cells: Cells) -> Verdict:
    """E1d: E1b after training, at one rate."""
    return judged(cells, "E1d", "negative outputs reduce the bias shift after training, both at one rate", "relu")


def less_than_leaky_at_equal_rates(cells: Cells) -> Verdict:
    """E1e: E1c after training, at one rate."""
    statement = "reduces the bias shift beside leaky relu after training, too, both at one rate"
    return judged(cells, "E1e", statement, "leaky_relu")


CLAIMS = [less_than_relu_at_equal_rates, less_than_leaky_at_equal_rates]
