"""Equal shift: does ELU shift the next layer less than ReLU after training, where both have one learning rate?

``bias_shift.py`` compares networks after training at the rate that each one's validation loss selects: ten times as
high for ReLU as for ELU. A higher rate moves weights and biases further in the same steps, so that what it finds after
training may be the rate's doing. Here the three activations have the same rate, at four rates of each optimizer. All of
them train at these in that study's tuning runs; so they do at 1e-4 of Adam, which is not among them.

Prediction. The shift's share stays less than ReLU's and leaky ReLU's at each of these, as it is in networks as drawn.

What was decided when: effect, quantity and prediction are those of ``bias_shift.py``, from before its results. That a
control at equal rates was needed was seen in those results; it was written before its own. With these known, E1f and
C1c were added: E1a after training and C1b at equal rates, with their quantities and effects. For E1f the study was
trained again, with two more measures. The chain has had C1c and E1d since, in the place of C1b and E1b.
E1g, E1h and E1i came last: of ReLU's shift at the highest rate of momentum nearly half is gone with ELU, which is less
than 0.1 of z² and contradicts E1d, but is a reduction.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.under import Condition

LESS = 0.1  # of the share; and of the mean, in units of the root mean square
AT_ALL = 0.0
OF = "preact_mean_share"


def of_share(rows: pd.DataFrame) -> pd.Series:
    """The share of z² that is a shift."""
    return rows[OF]


def of_means(rows: pd.DataFrame) -> pd.Series:
    """|mean| over root mean square of a layer's activations."""
    return rows["act_mean"].abs() / np.sqrt(rows["act_mean"] ** 2 + rows["act_var"])


def by_rate(
    cells: Cells, measures: list[str], value: Callable[[pd.DataFrame], pd.Series] = of_share
) -> dict[str, pd.DataFrame]:
    """A number at the end, mean over layers from the second on: seed by activation, by optimizer and rate."""
    found = records_at(cells.layers, cells.runs, "final", measures)
    settings = cells.runs[["run", "seed", "activation", "optimizer", "learning_rate"]]
    found = found[found["layer"] > 1].merge(settings, on="run")
    found = found.assign(value=value(found))
    return {
        Condition(f"{optimizer} at {rate:g}", optimizer=optimizer, learning_rate=rate): some.pivot_table(
            "value", "seed", "activation"
        )
        for (optimizer, rate), some in found.groupby(["optimizer", "learning_rate"])
    }


def judged(cells: Cells, id: str, statement: str, other: str, effect: float = LESS) -> Verdict:
    """Judge that ELU's share is less than another's, at each of the rates run here."""
    gains = {at: wide[other] - wide["elu"] for at, wide in by_rate(cells, [OF]).items()}
    evidence = (
        f"share of z² that is units' own mean over rows at the end, {other} minus elu at the same rate, at the rates "
        "run here, mean over layers 2 to 10, paired by seed"
    )
    return judge(id, "elu", statement, AT_LEAST, effect, gains, evidence, OF, difference=True)


def less_than_relu_at_equal_rates(cells: Cells) -> Verdict:
    """E1d: E1b after training, at one rate."""
    statement = f"negative outputs reduce the bias shift after training, both at one rate, by {LESS} of z² or more"
    return judged(cells, "E1d", statement, "relu")


def less_at_all_than_relu(cells: Cells) -> Verdict:
    """E1g: E1d without a size."""
    statement = "negative outputs reduce the bias shift after training, both at one rate, by however little"
    return judged(cells, "E1g", statement, "relu", AT_ALL)


def less_than_leaky_at_equal_rates(cells: Cells) -> Verdict:
    """E1e: E1c after training, at one rate."""
    statement = (
        f"reduces the bias shift beside leaky relu after training, too, both at one rate, by {LESS} of z² or more"
    )
    return judged(cells, "E1e", statement, "leaky_relu")


def less_at_all_than_leaky(cells: Cells) -> Verdict:
    """E1h: E1e without a size."""
    statement = "reduces the bias shift beside leaky relu after training, too, both at one rate, by however little"
    return judged(cells, "E1h", statement, "leaky_relu", AT_ALL)


def judged_means(cells: Cells, id: str, by: str, effect: float) -> Verdict:
    """Judge that ELU's mean activations are nearer to zero than ReLU's, at each of the rates run here."""
    found = by_rate(cells, ["act_mean", "act_var"], of_means)
    gains = {at: wide["relu"] - wide["elu"] for at, wide in found.items()}
    statement = (
        "negative outputs bring mean activations nearer to zero than relu's after training, too, both at one rate, "
        f"by {by}"
    )
    evidence = (
        "|mean| / root mean square of activations at the end, relu minus elu at the same rate, at the rates run here, "
        "mean over layers 2 to 10, paired by seed"
    )
    return judge(id, "elu", statement, AT_LEAST, effect, gains, evidence)


def means_are_nearer_at_equal_rates(cells: Cells) -> Verdict:
    """E1f: E1a after training, at one rate."""
    return judged_means(cells, "E1f", f"{LESS} of their root mean square or more", LESS)


def means_are_nearer_at_all(cells: Cells) -> Verdict:
    """E1i: E1f without a size."""
    return judged_means(cells, "E1i", "however little", AT_ALL)


def relu_shifts_at_each_rate(cells: Cells) -> Verdict:
    """C1c, the fault that ELU is to repair, at the rates at which E1d asks for its repair: C1b after training."""
    statement = "outputs shift the next layer's pre-activations after training (bias shift), at each rate"
    evidence = (
        "share of z² that is units' own mean over rows at the end, at the rates run here, mean over layers 2 to 10, by "
        "seed"
    )
    shares = {at: wide["relu"] for at, wide in by_rate(cells, [OF]).items()}
    return judge("C1c", "relu", statement, AT_LEAST, LESS, shares, evidence, OF)


CLAIMS = [
    less_than_relu_at_equal_rates,
    less_at_all_than_relu,
    less_than_leaky_at_equal_rates,
    less_at_all_than_leaky,
    means_are_nearer_at_equal_rates,
    means_are_nearer_at_all,
    relu_shifts_at_each_rate,
]
