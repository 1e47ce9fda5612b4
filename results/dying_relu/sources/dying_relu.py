"""Dying ReLU: when do units die, do they come back, and do the successors prevent it?

Predictions. A high learning rate and a negative bias push pre-activations of whole units below zero for every row; with
no gradient there they stay (unless the layers below move them). Leaky ReLU, PReLU, ELU and GELU are nowhere flat, so no
unit of theirs can die; whether their units still pass a useful gradient is what the weak fraction asks.
"""

import pandas as pd

from actlab.analysis.claims import CONTRADICTED, ONLY_IF, SUPPORTED, Verdict, above, below
from actlab.analysis.stats import mean_interval

HARSH = 1e-1  # the learning rate at which ReLU's units are expected to die
RARE = 0.05  # of the units that were ever dead


def final(runs: pd.DataFrame, steps: pd.DataFrame, activation: str, measure: str, rate: float = HARSH) -> pd.Series:
    """A measure at the end, one number a seed: the mean over depths, initialisers and biases at one learning rate."""
    chosen = runs[(runs["activation"] == activation) & (runs["learning_rate"] == rate) & (runs["status"] == "ok")]
    last = steps.merge(chosen[["run", "seed", "steps"]], on="run")
    return last[last["step"] == last["steps"]].groupby("seed")[measure].mean()


def relu_units_die(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Verdict:
    """R3, first half: units that were alive at the start are dead at the end."""
    number = mean_interval(final(runs, steps, "relu", "died_fraction"))
    return Verdict("R3a", "relu: units die", f"died fraction at learning rate {HARSH:g}", number, above(number, 0.01))


def dead_stay_dead(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Verdict:
    """R3, second half: of all units that were ever dead, nearly none is alive at the end, at any learning rate."""
    revival = {}
    for rate in sorted(runs["learning_rate"].unique()):
        revived, ever = (final(runs, steps, "relu", f"{name}_fraction", rate) for name in ("revived", "ever_dead"))
        revival[rate] = mean_interval(revived / ever)
    revival = {rate: number for rate, number in revival.items() if number.n > 1}  # a rate without a death says nothing
    worst = max(revival, key=lambda rate: revival[rate].mean)
    kept = {rate: number.mean for rate, number in revival.items() if below(number, RARE) == SUPPORTED}
    verdict = below(revival[worst], RARE)
    if verdict == CONTRADICTED and kept:
        verdict = ONLY_IF
    conditions = [
        f"the learning rate is {rate:g} ({mean:.3f} come back; "
        f"{final(runs, steps, 'relu', 'network_dead', rate).mean():.0%} of networks have a wholly dead layer)"
        for rate, mean in kept.items()
    ]
    return Verdict(
        "R3b",
        "relu: dead units do not come back",
        f"revived / ever dead between evaluations, at learning rate {worst:g} (where most come back)",
        revival[worst],
        verdict,
        "; ".join(conditions),
    )


def leaky_passes_gradient(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Verdict:
    """L1, first half: where ReLU's units die, fewer of leaky ReLU's are weak.

    A slope of 0.01 is below the threshold of weakness (.05·√½ = .035): a leaky unit is weak when every row is negative,
    just as a ReLU unit is dead then. The comparison is fair; the slope is what is small.
    """
    leaky, relu = (final(runs, steps, name, "weak_fraction") for name in ("leaky_relu", "relu"))
    number = mean_interval(leaky - relu)
    return Verdict(
        "L1a",
        "leaky_relu: a small negative slope prevents dying",
        f"weak fraction at learning rate {HARSH:g}, leaky ({leaky.mean():.2f}) minus relu ({relu.mean():.2f}), by seed",
        number,
        below(number, 0.0),
    )


def leaky_performs(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Verdict:
    """L1, second half: where ReLU's units die, leaky ReLU classifies better."""
    leaky, relu = (final(runs, steps, name, "test_accuracy") for name in ("leaky_relu", "relu"))
    number = mean_interval(leaky - relu)
    return Verdict(
        "L1b",
        "leaky_relu: and that helps where ReLU dies",
        f"test accuracy at learning rate {HARSH:g}, leaky ({leaky.mean():.2f}) minus relu ({relu.mean():.2f}), by seed",
        number,
        above(number, 0.0),
    )


CLAIMS = [relu_units_die, dead_stay_dead, leaky_passes_gradient, leaky_performs]
