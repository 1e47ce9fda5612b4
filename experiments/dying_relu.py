"""Dying ReLU: when do units die, do they come back, and do the successors prevent it?

Predictions. A high learning rate and a negative bias push pre-activations of whole units below zero for every row; with
no gradient there they stay (unless the layers below move them). Leaky ReLU, PReLU, ELU and GELU are nowhere flat, so no
unit of theirs can die; whether their units still pass a useful gradient is what the weak fraction asks.

What was changed when. R3a's and R3b's effects are from before the first results; R3b was widened from one learning
rate to all before these were committed. L1 first asked, as L1a does, whether at most 0.05 of leaky ReLU's units are
weak; the first results contradicted it (0.584 [0.571, 0.596]). L1b and L1c, comparisons with ReLU, came after that,
and their effect of 0.01 when effects had to be stated (they had asked for any difference above 0). R3b was *true only
if* the rate is 0.1 while intervals were Student's t; the logit's reaches 0.0509 there, beyond the 0.05 of the claim.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, Verdict, judge
from actlab.analysis.estimates import records_at

HARSH = 1e-1  # the learning rate at which ReLU's units are expected to die
RARE = 0.05  # of the units that were ever dead, or of all units
SOME = 0.01  # of the units, or of the test rows


def final(cells: Cells, activation: str, measure: str, rate: float = HARSH) -> pd.Series:
    """A measure at the end, one number per seed: the mean over depths, initialisers and biases at one learning rate.

    A diverged run has no such number.
    """
    runs = cells.runs[(cells.runs["activation"] == activation) & (cells.runs["learning_rate"] == rate)]
    last = records_at(cells.steps, runs, "final", [measure]).merge(runs[["run", "seed"]], on="run")
    return last.groupby("seed")[measure].mean()


def relu_units_die(cells: Cells) -> Verdict:
    """R3, first half: units that were alive at the start are dead at the end."""
    died = final(cells, "relu", "died_fraction")
    evidence = f"died fraction at learning rate {HARSH:g}"
    return judge("R3a", "relu", "units die", AT_LEAST, SOME, died, evidence, "died_fraction")


def dead_stay_dead(cells: Cells) -> Verdict:
    """R3, second half: of all units that were ever dead, nearly none is alive at the end, at any learning rate."""
    revival = {}
    for rate in sorted(cells.runs["learning_rate"].unique()):
        revived, ever = (final(cells, "relu", f"{name}_fraction", rate) for name in ("revived", "ever_dead"))
        share = (revived / ever.where(ever > 0)).dropna()
        if len(share) > 1:  # a rate without a death says nothing
            wholly = final(cells, "relu", "network_dead", rate).mean()
            revival[f"learning rate {rate:g} ({wholly:.0%} of networks have a wholly dead layer)"] = share
    evidence = "revived / ever dead between evaluations"
    return judge("R3b", "relu", "dead units do not come back", AT_MOST, RARE, revival, evidence, "revival_rate")


def leaky_prevents(cells: Cells) -> Verdict:
    """L1, as it is said: where ReLU's units die, hardly any of leaky ReLU's is weak.

    A slope of 0.01 is below the threshold of weakness (.05·√½ = .035): a leaky unit is weak when every row is negative,
    just as a ReLU unit is dead then. The comparison is fair; the slope is what is small.
    """
    weak = final(cells, "leaky_relu", "weak_fraction")
    evidence = f"weak fraction at learning rate {HARSH:g}"
    statement = "a small negative slope prevents dying"
    return judge("L1a", "leaky_relu", statement, AT_MOST, RARE, weak, evidence, "weak_fraction")


def leaky_reduces(cells: Cells) -> Verdict:
    """L1, weaker: where ReLU's units die, fewer of leaky ReLU's are weak."""
    leaky, relu = (final(cells, name, "weak_fraction") for name in ("leaky_relu", "relu"))
    return judge(
        "L1b",
        "leaky_relu",
        "a small negative slope reduces dying",
        AT_MOST,
        -SOME,
        leaky - relu,
        f"weak fraction at learning rate {HARSH:g}, leaky ({leaky.mean():.2f}) minus relu ({relu.mean():.2f}), by seed",
        "weak_fraction",
        difference=True,
    )


def leaky_performs(cells: Cells) -> Verdict:
    """L1, its use: where ReLU's units die, leaky ReLU classifies better."""
    leaky, relu = (final(cells, name, "test_accuracy") for name in ("leaky_relu", "relu"))
    return judge(
        "L1c",
        "leaky_relu",
        "and that helps where ReLU dies",
        AT_LEAST,
        SOME,
        leaky - relu,
        f"test accuracy at learning rate {HARSH:g}, leaky ({leaky.mean():.2f}) minus relu ({relu.mean():.2f}), by seed",
        "test_accuracy",
        difference=True,
    )


CLAIMS = [relu_units_die, dead_stay_dead, leaky_prevents, leaky_reduces, leaky_performs]
