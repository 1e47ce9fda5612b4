"""Which rows a run learns from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """A data set and how it is split: what ``data.load`` takes.

    Attributes:
        name: a key of ``DATASETS``, the path to a .csv, .parquet or .npz file, or ``path/to/file.py:function``.
        target: a file's target column (default: the last) or array (default: y).
        task: ``classification``, ``regression`` or ``auto``: text or integer labels classify, floats regress.
        standardize: whether features are centred and scaled by their training mean and standard deviation (a constant
            feature becomes zero). Regression targets always are.
        seed: decides the splits, alone.
        train_rows: keep only so many training rows, stratified; fewer rows are a subset of more. Validation and test
            splits stay as they are.
        target_loss: the loss that counts as learned; default: the one that the data set states, else a quarter of the
            best constant predictor's.
    """

    name: str
    target: str | None = None
    task: str = "auto"
    standardize: bool = True
    seed: int = 0
    train_rows: int | None = None
    target_loss: float | None = None
