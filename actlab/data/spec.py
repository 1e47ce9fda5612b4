"""Which rows a run learns from, and how a file of them is read."""

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from actlab.data.table import DataError
from actlab.naming import show

OF_TEXT = ("separator", "decimal", "header")
"""What is asked of a text file only."""
OF_COLUMNS = ("drop", "keep", "categorical", "missing", "na_values")
"""What is asked of the columns of a file, or of the arrays that a user's function makes."""


CHOICES = {
    "decimal": (None, ".", ","),
    "categorical": ("refuse", "one_hot"),
    "missing": ("refuse", "drop_rows", "mean"),
}
"""What those keys may be that are one of a few words."""


@dataclass(frozen=True)
class DataSpec:
    """A data set and how it is read and split: what ``data.load`` takes.

    Attributes:
        name: a key of ``DATASETS``, the path to a .csv, .tsv, .parquet or .npz file, or ``path/to/file.py:function``;
            what a function makes may have options behind it: ``spirals:turns=3``.
        target: a file's target column (default: the last) or array (default: y).
        task: ``classification``, ``regression`` or ``auto``: text or integer labels classify, floats regress.
        standardize: whether features are centred and scaled by their training mean and standard deviation (a constant
            feature becomes zero). Regression targets always are.
        seed: decides the splits, the rows of what is generated, and which labels are noisy.
        train_rows: keep only so many training rows, stratified; fewer rows are a subset of more. Validation and test
            splits stay as they are.
        label_noise: share of the training rows whose class is replaced by another one (see ``noise``).
        target_loss: the loss that counts as learned; default: the one that the data set states, else a quarter of the
            best constant predictor's.
        drop: columns to leave out.
        keep: columns to learn from although they number the rows, are a frame's index, or are constant but for
            rounding.
        separator: of a text file's columns; default: a comma, in a .tsv file a tab.
        decimal: of a text file's numbers; default: a point.
        header: whether a text file's first line names the columns; default: it does, and a line that may be data is
            refused.
        categorical: ``refuse`` text columns, or ``one_hot``: an input for each value in the training split.
        missing: ``refuse`` missing values; ``drop_rows`` that have one; or ``mean``: of the training split.
        na_values: which texts are missing values; default: those of pandas in a text file, none elsewhere. An empty
            field always is.
    """

    name: str
    target: str | None = None
    task: str = "auto"
    standardize: bool = True
    seed: int = 0
    train_rows: int | None = None
    label_noise: float = 0.0
    target_loss: float | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    separator: str | None = None
    decimal: Literal[".", ","] | None = None
    header: bool | None = None
    categorical: str = "refuse"
    missing: str = "refuse"
    na_values: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Take lists, one name and numbers for what they are meant as.

        Raises:
            DataError: a list holds something else.
        """
        for name in ("drop", "keep", "na_values"):
            if (value := getattr(self, name)) is None:
                continue
            several = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
            bad = [
                one for one in several if not isinstance(one, str | int | float | np.number) or isinstance(one, bool)
            ]
            if bad:
                raise DataError(f"{self.name}: data.{name}: expected texts or numbers, not {bad[0]!r}", name)
            plain = (one.item() if isinstance(one, np.number) else one for one in several)
            object.__setattr__(self, name, tuple(one if isinstance(one, str) else show(one) for one in plain))

    def asked(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return those of some fields that are not at their default.

        >>> DataSpec("rows.csv", decimal=",").asked(OF_TEXT)
        {'decimal': ','}
        """
        defaults = {field.name: field.default for field in fields(self)}
        return {name: getattr(self, name) for name in names if getattr(self, name) != defaults[name]}
