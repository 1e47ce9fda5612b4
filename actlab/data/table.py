"""What every source of data hands on: a table of finite numbers and a target, and the error that says why it cannot."""

from dataclasses import dataclass

import numpy as np


class DataError(ValueError):
    """Data that cannot be used; the message says where, what was expected and, for a name, the nearest valid one."""


@dataclass(frozen=True, eq=False)
class Table:
    """All rows of a data set, before splitting.

    Attributes:
        x: features [N, F], float64 and finite, in their own units.
        y: class indices [N] int32, or target values [N] float64 in their own units.
        features: F names.
        classes: names of the classes by index; empty for regression.
    """

    x: np.ndarray
    y: np.ndarray
    features: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return "classification" if self.classes else "regression"
