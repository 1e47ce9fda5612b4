"""The rule by which each cell gets its learning rate, with the defaults that hold where a study says nothing."""

from dataclasses import dataclass
from typing import Literal

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
    def column(self) -> str:
        """The column of ``runs`` that holds the swept key: its last word, but for the data set's own."""
        return {"data.name": "data", "data.seed": "data_seed"}.get(self.over, self.over.rpartition(".")[2])

    @property
    def higher_is_better(self) -> bool:
        """Accuracies are to be high, losses low."""
        return about(self.by).better == "higher"
