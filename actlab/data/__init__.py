"""Data sets: scikit-learn's small ones or a user's file, split 60/20/20 and standardised from training rows alone.

    data.load("digits")                                  a bundled data set, see ``DATASETS``
    data.load("mine.csv", target="price")                a file: .csv, .parquet or .npz

Every refusal is a ``DataError`` with one message: where, what was expected, what was found.
"""

import math
from pathlib import Path

from actlab.data import splits
from actlab.data.bundled import DATASETS, Dataset, bundled_checksum
from actlab.data.splits import Data, Split
from actlab.data.table import DataError
from actlab.naming import nearest

__all__ = ["DATASETS", "Data", "DataError", "Dataset", "Split", "checksum", "load"]

TASKS = ("auto", "classification", "regression")


def load(
    name: str,
    *,
    target: str | None = None,
    task: str = "auto",
    standardize: bool = True,
    seed: int = 0,
    train_rows: int | None = None,
    target_loss: float | None = None,
) -> Data:
    """Load a data set and split it, stratified, into 60 % training, 20 % validation and 20 % test rows.

    Args:
        name: a key of ``DATASETS``, or the path to a .csv, .parquet or .npz file.
        target: a file's target column (default: the last) or array (default: y).
        task: ``classification``, ``regression`` or ``auto``: text or integer labels classify, floats regress.
        standardize: whether features are centred and scaled by their training mean and standard deviation (a constant
            feature becomes zero). Regression targets always are.
        seed: decides the splits, alone.
        train_rows: keep only so many training rows, stratified; fewer rows are a subset of more. Validation and test
            splits stay as they are.
        target_loss: the loss that counts as learned; default: the one stated in ``DATASETS``, or for a file a quarter
            of the best constant predictor's.

    Raises:
        DataError: the data cannot be used, and why.

    >>> found = load("iris")
    >>> found.train.x.shape, found.validation.x.shape, found.test.x.shape, round(found.constant_loss, 4)
    ((90, 4), (30, 4), (30, 4), 1.0986)
    """
    if task not in TASKS:
        raise DataError(f"unknown task '{task}'{nearest(task, TASKS)}")
    if target_loss is not None and not 0 < target_loss < math.inf:
        raise DataError(f"{name}: target_loss must be a positive number, found {target_loss}")
    if is_file(name):
        from actlab.data import files  # pandas, for whom a bundled data set need not wait

        table = files.read(name, target, task)
    else:
        found = bundled(name)
        if target is not None:
            raise DataError(f"{name}: target names a column of a file; this data set has its own")
        if task not in ("auto", found.task):
            raise DataError(f"{name}: is a {found.task} data set; expected task: {found.task} or auto, found {task}")
        table = found.load()
        target_loss = found.target_loss if target_loss is None else target_loss
    return splits.split_table(
        table, name=name, standardize=standardize, seed=seed, train_rows=train_rows, target_loss=target_loss
    )


def checksum(name: str) -> str:
    """SHA-256 of a user's file, or of a bundled data set's arrays; what it is called does not enter.

    Raises:
        DataError: there is no such file or data set.

    >>> checksum("digits")[:8]
    'd8cdd979'
    """
    if is_file(name):
        from actlab.data import files

        return files.checksum(files.existing(name))
    return bundled_checksum(bundled(name))


def is_file(name: str) -> bool:
    """Whether a name is a path: it has a file's suffix or a folder in it.

    >>> is_file("digits"), is_file("rows.csv"), is_file("data/rows")
    (False, True, True)
    """
    return name not in DATASETS and (Path(name).suffix != "" or Path(name).name != name)


def bundled(name: str) -> Dataset:
    """The record of a bundled data set.

    Raises:
        DataError: there is none of that name.
    """
    if name not in DATASETS:
        from actlab.data import files

        hint = nearest(name, DATASETS)
        raise DataError(f"unknown data set '{name}'{hint}; or the path to a {', '.join(files.SUFFIXES)} file")
    return DATASETS[name]
