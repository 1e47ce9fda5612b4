"""What made-up measurements have in common: a case, the runs of its study, cells of them, and ways to draw."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import Verdict

SEEDS = 20
TWO = ("adam", "momentum")

Draw = Callable[[np.random.Generator, pd.DataFrame, float], Mapping[str, pd.DataFrame]]


@dataclass(frozen=True)
class Case:
    """A verdict function, and measurements made up for it.

    Attributes:
        claim: the function.
        factors: the settings of its study, each with its values; a value that is itself of several settings, {name:
            value}, sets all of them. Seeds are added.
        draw: gives the frames of ``Cells`` that it changes, for a truth in the unit of the verdict's estimate.
        planted: the truth that is to be found.
        nothing: that of one function under two names; None of a claim that compares none, or that says so itself.
        seeds: how many its study has.
    """

    claim: Callable[[Cells], Verdict]
    factors: Mapping[str, tuple[Any, ...]]
    draw: Draw
    planted: float
    nothing: float | None = 0.0
    seeds: int = SEEDS


def named(*activations: str) -> dict[str, tuple[str, ...]]:
    """A study of some activations."""
    return {"activation": activations}


def runs_of(factors: Mapping[str, tuple[Any, ...]], seeds: int) -> pd.DataFrame:
    """Make the runs of a full grid, of which each has ended well."""
    swept = {**factors, "seed": tuple(range(seeds))}
    rows = [dict(zip(swept, values, strict=True)) for values in itertools.product(*swept.values())]
    runs = pd.DataFrame([settings_in(row) for row in rows])
    runs = runs.assign(run=np.arange(len(runs)), status="ok", diverged_step=np.nan, trained=True)
    runs.columns = runs.columns.astype(object)  # objects are compared much faster than pandas' own texts
    return runs.astype({name: object for name in runs if isinstance(runs[name].iloc[0], str)})


def settings_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """Spread values that are of several settings.

    >>> settings_in({"depth": 2, "dropout": {"dropout": 0.1, "dropout_kind": "alpha"}})
    {'depth': 2, 'dropout': 0.1, 'dropout_kind': 'alpha'}
    """
    return {
        name: value
        for key, one in row.items()
        for name, value in (one if isinstance(one, Mapping) else {key: one}).items()
    }


def cells_of(own: pd.DataFrame, **made: pd.DataFrame) -> Cells:
    """Make cells of such runs, each at its selected rate."""
    nothing = pd.DataFrame(columns=["run", "step"])
    runs, steps, layers = made.get("runs", own), made.get("steps", nothing), made.get("layers", nothing)
    keys = [name for name in runs if name in ("activation", "depth", "optimizer", "weight_init", "width")]
    return Cells(runs, steps, layers, keys, (), None, "", pd.DataFrame(), runs, keys, {}, {})


def bounded(rng: np.random.Generator, mean: np.ndarray | float, spread: float, size: int) -> np.ndarray:
    """Draw shares with a mean and a spread: beta distributed, as accuracies and shares of units are."""
    mean = np.clip(np.broadcast_to(mean, size), 0.0, 1.0)
    inside = (mean > 0) & (mean < 1)
    p = np.where(inside, mean, 0.5)
    strength = np.maximum(p * (1 - p) / spread**2 - 1, 0.5)
    return np.where(inside, rng.beta(p * strength, (1 - p) * strength), mean)


def of(runs: pd.DataFrame, activation: str, value: float, other: float) -> np.ndarray:
    """Give the runs of one activation a mean, and all others another."""
    return np.where(runs["activation"] == activation, value, other)


def first_records(runs: pd.DataFrame, **measures: Any) -> pd.DataFrame:
    """Make the records of step 0."""
    return runs[["run"]].assign(step=0, **measures)


def accuracy(better: str) -> Draw:
    """Draw accuracies: one's is higher by the truth."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        mean = of(runs, better, 0.9 + truth, 0.9)
        return {"runs": runs.assign(test_accuracy=bounded(rng, mean, 0.012, len(runs)))}

    return draw
