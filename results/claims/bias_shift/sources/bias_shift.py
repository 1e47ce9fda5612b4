"""Bias shift: do ELU's negative outputs bring mean activations, and what the next layer gets of them, nearer to zero?

A layer whose outputs have a mean shifts the next layer's pre-activations by the same amount for every row: a unit's
mean over rows is that shift, and ``preact_mean_share`` the share of z² that it makes. Both are compared with ReLU's, as
drawn and at the end of training, at weights that keep each function's variance, so that as drawn only the shape
differs; each network has a learning rate of its own, selected on three other seeds: after training its rate differs,
too, and ``equal_shift.py`` asks again at equal ones.

Predictions. |E φ(Z)|/√E φ(Z)² is 0.56 for ReLU and 0.20 for ELU, and the shift's share grows with it: at initialisation
it is less by half and more; after training the difference may be gone.

What was decided when: all effects and conditions are from before the first results. With these known, all four name
the claims that ask again at equal rates.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import capped
from actlab.analysis.under import Condition

LESS = 0.1  # of the mean, in units of the root mean square; and of the share
FIGURE = "moments"


def of_layers(rows: pd.DataFrame) -> pd.Series:
    """|mean| over root mean square of a layer's activations."""
    return rows["act_mean"].abs() / np.sqrt(rows["act_mean"] ** 2 + rows["act_var"])


def of_share(rows: pd.DataFrame) -> pd.Series:
    """The share of the next layer's z² that is a shift."""
    return rows["preact_mean_share"]


def by_activation(cells: Cells, value: Callable[[pd.DataFrame], pd.Series]) -> dict[str, pd.DataFrame]:
    """A number by seed and activation, mean over layers from the second on: as drawn, and trained by each optimizer."""
    out: dict[str, pd.DataFrame] = {}
    for optimizer, runs in cells.selected.groupby("optimizer"):
        for at, words in (("init", "as drawn"), ("final", "after training")):
            if at == "init" and out:  # the same networks under each optimizer
                continue
            found = records_at(cells.layers, runs, at, ["act_mean", "act_var", "preact_mean_share"])
            found = found[found["layer"] > 1].merge(runs[["run", "seed", "activation"]], on="run")
            wide = found.assign(value=value(found)).pivot_table("value", "seed", "activation")
            drawn = Condition(words, evaluation=at)  # whichever optimizer comes then
            trained = Condition(f"{words}, {optimizer}", evaluation=at, optimizer=optimizer)
            out[drawn if at == "init" else trained] = wide
    return out


def reductions(cells: Cells, value: Callable[[pd.DataFrame], pd.Series], other: str = "relu") -> dict[str, pd.Series]:
    """How much less ELU has than another, pairs of one seed."""
    return {name: wide[other] - wide["elu"] for name, wide in by_activation(cells, value).items()}


def means_are_nearer(cells: Cells) -> Verdict:
    """E1a: mean activations are nearer to zero than ReLU's."""
    statement = "negative outputs bring mean activations nearer to zero than relu's"
    evidence = (
        "|mean| / root mean square of activations, relu minus elu, mean over layers 2 to 10, paired by seed; "
        "after training each at its selected rate, at one rate see E1f"
    )
    verdict = judge("E1a", "elu", statement, AT_LEAST, LESS, reductions(cells, of_layers), evidence, figure=FIGURE)
    return capped(verdict, cells, cells.selected)


def shift_is_less(cells: Cells) -> Verdict:
    """E1b: and the next layer's bias shift is smaller."""
    statement = "negative outputs reduce the bias shift"
    evidence = (
        "share of z² that is units' own mean over rows, relu minus elu, mean over layers 2 to 10, paired by seed; "
        "after training each at its selected rate, at one rate see E1d"
    )
    gains = reductions(cells, of_share)
    verdict = judge("E1b", "elu", statement, AT_LEAST, LESS, gains, evidence, "preact_mean_share", difference=True)
    return capped(verdict, cells, cells.selected)


def shift_is_less_than_leaky(cells: Cells) -> Verdict:
    """E1c: less than leaky ReLU has, whose outputs are negative, too."""
    statement = "reduces the bias shift beside leaky relu, too"
    evidence = (
        "share of z² that is units' own mean over rows, leaky_relu minus elu, mean over layers 2 to 10, by seed; after "
        "training each at its selected rate, at one rate see E1e"
    )
    gains = reductions(cells, of_share, "leaky_relu")
    verdict = judge("E1c", "elu", statement, AT_LEAST, LESS, gains, evidence, "preact_mean_share", difference=True)
    return capped(verdict, cells, cells.selected)


def relu_shifts(cells: Cells) -> Verdict:
    """C1b, the fault that ELU is to repair: ReLU's outputs shift the next layer's pre-activations."""
    statement = "outputs shift the next layer's pre-activations (bias shift)"
    evidence = (
        "share of z² that is units' own mean over rows, mean over layers 2 to 10, by seed; after training each at its "
        "selected rate, at given rates see C1c"
    )
    shares = {name: wide["relu"] for name, wide in by_activation(cells, of_share).items()}
    verdict = judge("C1b", "relu", statement, AT_LEAST, LESS, shares, evidence, "preact_mean_share", figure=FIGURE)
    return capped(verdict, cells, cells.selected)


CLAIMS = [means_are_nearer, shift_is_less, shift_is_less_than_leaky, relu_shifts]
