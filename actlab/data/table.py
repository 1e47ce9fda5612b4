"""What every source of data hands on: a table of finite numbers and a target, and the error that says why it cannot."""

import difflib
from collections.abc import Iterable
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


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """The end of an error message about an unknown name: the nearest valid one, and all of them.

    >>> suggestion("digit", ["digits", "wine"], "data sets")
    "did you mean 'digits'? The data sets: digits, wine"
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    shown = ", ".join(known[:12]) + (f", ... ({len(known)} in all)" if len(known) > 12 else "")
    return (f"did you mean {near[0]!r}? " if near else "") + f"The {what}: {shown}"
