"""The rule by which each cell gets its learning rate, with the defaults that hold where a study says nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from actlab.measures import about

Metric = Literal["validation_loss", "validation_accuracy"]


@dataclass(frozen=True)
class Select:
    """Choose a value of the swept key ``over`` in each cell by the mean final value of ``by`` over seeds."""

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


def select_rule(wanted: Mapping[str, Any]) -> Select | None:
    """Read the selection rule of a study: its own, none where it says ``null``, the default where it says nothing.

    >>> select_rule({"select": None}), select_rule({})
    (None, Select(over='train.learning_rate', by='validation_loss'))
    """
    if "select" not in wanted:
        return Select()
    rule = wanted["select"]
    return None if rule is None else Select(**rule)
