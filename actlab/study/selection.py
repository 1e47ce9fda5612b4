"""The rule by which each cell gets its learning rate, with the defaults that hold where a study says nothing."""

from dataclasses import dataclass
from typing import Literal

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
