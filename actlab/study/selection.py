"""The rule by which each cell gets its learning rate, with its defaults, and the seeds on which it may choose."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from actlab.measures import about

Metric = Literal["validation_loss", "validation_accuracy"]


@dataclass(frozen=True)
class Select:
    """Choose a value of the swept key ``over`` in each cell by the mean final value of ``by`` over its repeats."""

    over: str = "train.learning_rate"
    by: Metric = "validation_loss"

    def __post_init__(self) -> None:
        """Refuse what would let the test split choose."""
        if not self.by.startswith("validation_"):
            raise ValueError(
                f"selection by '{self.by}': only a validation metric may choose (validation_loss or _accuracy)"
            )

    @property
    def higher_is_better(self) -> bool:
        """Accuracies are to be high, losses low."""
        return about(self.by).better == "higher"


FIRST_TUNING_SEED = 1_000_000
"""Far from the fresh seeds 0, 1, 2, ..., so that adding some never meets those that chose."""
STAGE, TUNING, FRESH = "stage", "tuning", "fresh"
"""The column of ``runs`` that says which stage a run is of, where a study selects on seeds of their own; its values."""


def tuning_seeds(number: int | None) -> tuple[int, ...]:
    """Return the seeds on which a value is selected; none where it is selected on those that are shown.

    >>> tuning_seeds(3), tuning_seeds(None)
    ((1000000, 1000001, 1000002), ())
    """
    return tuple(range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + (number or 0)))


def of_sweep(study: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the tuning seeds of a study as it is read back from its folder."""
    rule = (study.get("sweep") or {}).get("select") or {}
    return tuning_seeds(rule.get("seeds"))


def preferred(candidates: Sequence[tuple[Any, Sequence[float | None]]], select: Select) -> int:
    """Choose one of several values by the final values of the metric over seeds.

    A value with fewer diverged runs goes before one with more; then the better mean over the seeds that did not
    diverge; then the smaller value.

    Args:
        candidates: value, and of each of its runs the final metric: None where it diverged.
        select: the rule.

    >>> preferred([(0.1, [0.2, None]), (0.01, [0.5, 0.7]), (0.001, [0.7, 0.5])], Select())
    2
    """

    def place(one: tuple[Any, Sequence[float | None]]) -> tuple[int, float, Any]:
        value, finals = one
        there = [final for final in finals if final is not None and final == final]
        mean = math.fsum(there) / len(there) * (-1 if select.higher_is_better else 1) if there else math.inf
        return sum(final is None for final in finals), mean, value

    return min(range(len(candidates)), key=lambda i: place(candidates[i]))


def select_rule(wanted: Mapping[str, Any]) -> Select | None:
    """Read the selection rule of a study: its own, none where it says ``null``, the default where it says nothing.

    >>> select_rule({"select": None}), select_rule({})
    (None, Select(over='train.learning_rate', by='validation_loss'))
    """
    if "select" not in wanted:
        return Select()
    rule = wanted["select"]
    return None if rule is None else Select(**rule)
