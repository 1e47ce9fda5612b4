"""Training, validation and test rows: stratified 60/20/20, and units taken from training rows alone."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from actlab.data.inputs import constant, inputs_of, standardized
from actlab.data.noise import noisy_labels
from actlab.data.table import DataError, Table

# The share of rows in the validation split, and in the test split.
HELD_OUT = 0.2
# Regression targets are stratified by this many quantiles, fewer where a quantile would have under five rows.
QUANTILES = 10
# A user's data set without a stated target: this share of the best constant predictor's loss.
DEFAULT_TARGET = 0.25


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of one split: x [N, F] float64; y [N] int32 class indices, or [N, 1] float64 standardised targets."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class Data:
    """A data set as runs see it.

    Attributes:
        name: bundled name or path, as asked for.
        task: ``classification`` or ``regression``.
        train, validation, test: the splits.
        features: names of the F inputs.
        classes: names of the classes by index; empty for regression.
        target_loss: the loss that counts as "learned" (nats, or normalised mean squared error).
        constant_loss: the best constant predictor's loss on the training rows: the entropy of the class frequencies in
            nats, or the variance of the standardised targets. Of the rows as they are trained on: noisy, and so many.
        target: what is predicted, by its column's name; empty where it has none.
        target_range: of regression the smallest and the largest value of the target, in its own units.
        kinds: names of the columns that the inputs are made of, by kind.
        notes: what was settled without being asked, and what is doubtful.
        categories: of each text column that inputs are made of, how many rows have which text.
        noisy: how many of the training rows have another class than their own, by ``label_noise``.
        content: the SHA-256 of a file's values, as they were read; empty for what is known by another checksum.
    """

    name: str
    task: str
    train: Split
    validation: Split
    test: Split
    features: tuple[str, ...]
    classes: tuple[str, ...]
    target_loss: float
    constant_loss: float
    target: str = ""
    target_range: tuple[float, float] | None = None
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    categories: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    noisy: int = 0
    content: str = ""

    @property
    def target_variances(self) -> dict[str, float]:
        """The variance of each split's targets about their own mean, by its name; NaN where all are the same.

        In units of the loss, averaged over outputs as it is: 1 − loss / variance is R². Empty for classification.
        """
        if self.classes:
            return {}
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: target_variance(split.y) for name, split in splits.items()}


def split_table(
    table: Table,
    *,
    name: str,
    standardize: bool,
    seed: int,
    train_rows: int | None,
    target_loss: float | None,
    label_noise: float = 0.0,
) -> Data:
    """Cut a table into stratified splits in common units.

    Args:
        table: all rows.
        name: for the record and for error messages.
        standardize: whether features are centred and scaled by their training mean and standard deviation. Regression
            targets always are, so that losses compare between data sets: 1 is what the training mean would score.
        seed: decides the splits, alone.
        train_rows: keep only the first so many training rows, in an order whose every beginning is stratified: fewer
            rows are a subset of more. Units still come from the whole training split, so that validation and test
            splits do not change and losses compare.
        target_loss: the stated target; None is a quarter of the whole training split's ``constant_loss``, without
            noise: it is one for all shares of noisy labels.
        label_noise: share of the whole training split's rows whose class is replaced (see ``noise``).

    Raises:
        DataError: too few rows or classes to split, or no such number of training rows.
    """
    strata = table.y if table.classes else quantiles(table.y)
    if table.classes:
        require_classes(table, name)
    elif len(table.y) < 10:
        raise DataError(f"{name}: expected at least 10 rows to split, found {len(table.y)}")
    train, validation, test = split_rows(strata, np.random.default_rng(seed), table.part)
    if np.ptp(table.y[train]) == 0 or (not table.classes and constant(table.y[train][:, None])[0]):
        raise DataError(f"{name}: the target is the same in every training row; there is nothing to learn")

    inputs = inputs_of(table, train, standardize, name)
    y = table.y if table.classes else standardized(table.y[:, None], train)
    whole_constant = constant_loss(y[train], table.task)
    labels, is_noisy = y[train], np.zeros(len(train), bool)
    if label_noise:
        labels, is_noisy = noisy_labels(labels, len(table.classes), label_noise, seed, name)
    if train_rows is not None:
        least = max(len(table.classes), 2)
        if not least <= train_rows <= len(train):
            raise DataError(
                f"{name}: train_rows must be between {least} and {len(train)}, found {train_rows}", "train_rows"
            )
        train, labels, is_noisy = train[:train_rows], labels[:train_rows], is_noisy[:train_rows]
    return Data(
        name=name,
        task=table.task,
        train=Split(inputs.x[train], labels),
        validation=Split(inputs.x[validation], y[validation]),
        test=Split(inputs.x[test], y[test]),
        features=inputs.names,
        classes=table.classes,
        target_loss=DEFAULT_TARGET * whole_constant if target_loss is None else target_loss,
        constant_loss=constant_loss(labels, table.task),
        target=table.target,
        target_range=None if table.classes else (float(table.y.min()), float(table.y.max())),
        kinds=inputs.kinds,
        notes=(*table.notes, *inputs.notes),
        categories={one: dict(sorted(Counter(texts[texts != None]).items())) for one, texts in table.texts.items()},  # noqa: E711
        noisy=int(is_noisy.sum()),
    )


class RareClassError(DataError):
    """A class has too few rows to stand in all three splits.

    Attributes:
        problem: what is wrong, without the way out.
        few: such classes are at most half of all: the column is one of labels.
    """

    def __init__(self, problem: str, way: str = "", few: bool = True) -> None:
        """Keep what is to be said, without and with the way out."""
        super().__init__(f"{problem}. {way}" if way else problem)
        self.problem, self.few = problem, few


def require_classes(table: Table, name: str) -> None:
    """Refuse a table with one class, or with a class too small to stand in all three splits.

    Raises:
        DataError: naming the class; a ``RareClassError`` where it is too small.
    """
    if len(table.classes) < 2:
        raise DataError(f"{name}: expected at least two classes, found only {table.classes[0]!r}")
    count = np.bincount(table.y, minlength=len(table.classes))
    if count.min() < 3:
        rare = table.classes[int(count.argmin())]
        others = f", the smallest of {np.sum(count < 3)} such classes" if np.sum(count < 3) > 1 else ""
        way = f"ake {'their' if others else 'its'} rows out of the file, or give them another class"
        number = all(re.match(r"[-+]?[.,]?\d", label) for label in table.classes)
        way = f"If the target is a quantity, set task: regression; if not, t{way}" if number else f"T{way}"
        raise RareClassError(
            f"{name}: expected at least 3 rows of each class, one per split; found {count.min()} of {rare!r}{others}",
            way,
            few=bool(2 * np.sum(count < 3) <= len(count)),
        )


def split_rows(
    strata: np.ndarray, rng: np.random.Generator, part: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw row indices of the training, validation and test splits; every stratum is in all three.

    A fifth of each stratum, rounded (of three rows one), is for validation, another for testing. Training rows come in
    an order whose every beginning is stratified: the r-th of a stratum's n rows stands at r/n.

    Args:
        strata: a small integer for each row [N]; at least three rows of each.
        rng: the only source of chance.
        part: of which split each row is [N], where that is settled; then only the order of training rows is drawn.

    >>> train, validation, test = split_rows(np.array([0] * 10 + [1] * 5), np.random.default_rng(0))
    >>> len(train), len(validation), len(test), sorted(np.concatenate([train, validation, test])) == list(range(15))
    (9, 3, 3, True)
    """
    positions: list[np.ndarray] = []
    parts: tuple[list[np.ndarray], ...] = ([], [], [])  # training, validation, test
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        size = round(HELD_OUT * len(rows))
        own = (rows[2 * size :], rows[:size], rows[size : 2 * size])
        if part is not None:
            own = (rows[part[rows] == 0], rows[part[rows] == 1], rows[part[rows] == 2])
        for rows_of, these in zip(parts, own, strict=True):
            rows_of.append(these)
        positions.append(np.arange(len(own[0])) / len(own[0]))
    position = np.concatenate(positions)
    order = np.lexsort((rng.random(len(position)), position))  # strata that tie take turns at random
    train, validation, test = map(np.concatenate, parts)
    return train[order], np.sort(validation), np.sort(test)


def quantiles(y: np.ndarray) -> np.ndarray:
    """Return the quantile [N] of each target, by which regression is stratified.

    >>> quantiles(np.arange(20.0)).tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3]
    """
    bins = max(min(QUANTILES, len(y) // 5), 1)
    rank = np.empty(len(y), np.int64)
    rank[np.argsort(y, kind="stable")] = np.arange(len(y))
    return rank * bins // max(len(y), 1)


def target_variance(y: np.ndarray) -> float:
    """Compute the variance of targets [N, C] about the mean of each column, averaged; NaN where no column varies.

    >>> target_variance(np.array([[0.0], [2.0]])), target_variance(np.array([[0.1], [0.1], [0.1]]))
    (1.0, nan)
    """
    if not np.ptp(y, axis=0).any():
        return float("nan")
    return float(np.mean(np.var(y, axis=0, dtype=np.float64)))


def constant_loss(y: np.ndarray, task: str) -> float:
    """Compute the best constant predictor's loss: −Σ p_c ln p_c over class frequencies, or the targets' variance.

    >>> round(constant_loss(np.array([0, 1, 1, 0]), "classification"), 4)
    0.6931
    """
    if task == "regression":
        return float(np.var(y))
    p = np.bincount(y) / len(y)
    p = p[p > 0]
    return float(-np.sum(p * np.log(p)))
