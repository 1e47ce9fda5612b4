"""The study that puts activations beside known ones: how large it is for a budget, as the mapping of a YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Grid:
    """How much of a battery fits a budget.

    Attributes:
        against: the known activations beside which one is put, where none are named.
        depths: numbers of hidden layers.
        rates: learning rates, of which each cell is shown at its best.
        tuning: on how many seeds of their own rates are selected; None: on those that are shown.
        seeds: of each cell.
        steps: of training.
    """

    against: tuple[str, ...]
    depths: tuple[int, ...]
    rates: tuple[float, ...]
    tuning: int | None
    seeds: int
    steps: int


LEAST_SEEDS = 5
"""Of which a mean has an interval, as the analysis draws it."""
STORY = ("sigmoid", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish")
GRIDS: Mapping[str, Grid] = {
    "1m": Grid(("relu", "gelu"), (2, 10, 20), (1e-3, 1e-2), None, 3, 150),
    "5m": Grid(("relu", "elu", "gelu", "mish"), (2, 10, 20, 30), (1e-3, 3e-3, 1e-2), 2, 10, 300),
    "30m": Grid(STORY, (2, 5, 10, 20, 30, 50), (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), 3, 20, 500),
}
"""Sized for two cores of a laptop, compiling and the report included."""
TABLES = ("standing", "performance", "trained", "vanishing_slopes", "moments", "convergence", "dead_units", "selection")
FIGURES = (
    *("gradient_by_layer", "accuracy_by_depth", "trained_by_depth", "moments", "vanishing_slopes", "training_curves"),
    *("dead_by_depth", "learned_parameters"),
)


def study_of(activation: Any, name: str, against: Sequence[Any], budget: str) -> dict[str, Any]:
    """Compose the study of one activation, or several, beside others.

    Args:
        activation: as a YAML file names it: ``path/to/file.py:function``, or a mapping with options; or a list of such.
        name: of the study.
        against: the others, likewise; those of the budget's grid if there are none.
        budget: one of ``GRIDS``.

    >>> study_of("act.py:f", "assess_f", [], "1m")["sweep"]["matrix"]["model.activation"]
    ['act.py:f', 'relu', 'gelu']
    """
    newcomers = activation if isinstance(activation, list) else [activation]
    grid = GRIDS[budget]
    others = list(against) or list(grid.against)
    every = grid.steps // 5
    return {
        "study": name,
        "question": question(newcomers, name),
        "data": {"name": "digits"},
        "model": {"width": 64, "weight_init": "variance_preserving"},  # one rule for all, which any function has
        "train": {"optimizer": "adam", "batch_size": 64, "steps": grid.steps},
        "measure": {"every": every, "evaluate_every": every, "keep_layers": "log"},
        "sweep": {
            "matrix": {
                "model.activation": [*newcomers, *others],
                "model.depth": list(grid.depths),
                "train.learning_rate": list(grid.rates),
            },
            "select": {
                "over": "train.learning_rate",
                "by": "validation_loss",
                **({"seeds": grid.tuning} if grid.tuning else {}),
            },
            "seeds": grid.seeds,
        },
        "report": {"tables": list(TABLES), "figures": list(FIGURES)},
    }


def bounds_no_difference(budget: str) -> str:
    """Say of a budget that its seeds bound no difference between networks; empty where they do.

    >>> bounds_no_difference("1m")
    '1m: 3 seeds bound no difference between networks, which takes 5 or more: no place is decided within it'
    >>> bounds_no_difference("5m")
    ''
    """
    seeds = GRIDS[budget].seeds
    if seeds >= LEAST_SEEDS:
        return ""
    few = f"{seeds} seeds bound no difference between networks, which takes {LEAST_SEEDS} or more"
    return f"{budget}: {few}: no place is decided within it"


def question(newcomers: Sequence[Any], name: str) -> str:
    """Ask where one stands, by the study's name, or several, by theirs.

    >>> question(["relu"], "assess_relu"), question(["act.py:f", {"name": "relu6"}], "assess_both")
    ('Where does relu stand among the known activations?', 'Where do f and relu6 stand among the known activations?')
    """
    if len(newcomers) == 1:
        return f"Where does {name.removeprefix('assess_')} stand among the known activations?"
    *names, last = (str(one["name"] if isinstance(one, dict) else one).rpartition(":")[2] for one in newcomers)
    return f"Where do {', '.join(names)} and {last} stand among the known activations?"
