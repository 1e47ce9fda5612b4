"""A table's columns made into inputs: gaps filled in, text made numbers, all scaled, by training rows alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from actlab.data.limits import require_values
from actlab.data.table import DataError, Table
from actlab.naming import as_yaml, listed

SINGLE = np.finfo(np.float32)
# Below this share of its values' size, what a column varies by is taken from them before it is squared: see `scaled`.
CLOSE = 2.0**-20


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network is given.

    Attributes:
        x: [N, F] float64, finite.
        names: of the F inputs.
        kinds: names of the columns that they are made of, by kind.
        notes: what was settled, a sentence each.
    """

    x: np.ndarray
    names: tuple[str, ...]
    kinds: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def inputs_of(table: Table, train: np.ndarray, standardize: bool, name: str) -> Inputs:
    """Make a table's inputs. Validation and test rows decide nothing of them: not a mean, not a category.

    A text column becomes an input for each value that it has in the training rows: 1 where it has that value, else 0. A
    row with a value that no training row has is 0 in all of them. A missing value is the input's training mean, of a
    text's inputs the share of each value.

    Args:
        table: all rows.
        train: indices of the training rows.
        standardize: whether inputs are centred and scaled.
        name: of the data set, for error messages.

    Raises:
        DataError: a column has no value in any training row.
    """
    columns, names, notes = [table.x], list(table.features), []
    for text, values in table.texts.items():
        known = sorted(set(values[train]) - {None})
        if not known:
            raise no_value(name, text)
        require_values(len(values), sum(one.shape[1] for one in columns) + len(known), name, "inputs")
        absent = np.array([value is None for value in values])
        indicators = np.stack([values == one for one in known], axis=1).astype(np.float64)
        columns.append(np.where(absent[:, None], np.nan, indicators))
        names += [f"{text}={one}" for one in known]
        if unknown := sorted(set(values) - {None, *known}):
            notes.append(
                f"column {text!r}: no training row has {listed(map(repr, unknown))}; all its inputs are 0 there"
            )
    x = np.concatenate(columns, axis=1)
    if (empty := np.isnan(x[train]).all(axis=0)).any():
        raise no_value(name, names[int(np.argmax(empty))])
    x = np.where(np.isnan(x), training_mean(x, train), x)
    number = len(table.features)
    single = [one in table.single for one in table.features]
    flat = constant(x[train], [*single, *[False] * (len(names) - number)])
    flat &= [one not in table.keep for one in names]
    exact = np.ptp(x[train], axis=0) == 0
    rounding = [one for one, a, b in zip(names, flat, exact, strict=True) if a and not b]
    if rounding and standardize:
        way = f"data.keep: [{as_yaml(rounding[0])}] scales it up"
        notes.append(f"constant but for rounding: {listed(rounding)}; 0 in every row ({way})")
    notes += [
        f"column {one!r} varies in the last digit of single precision only; data.drop: [{as_yaml(one)}] leaves it out"
        for one in doubtful(x[train][:, :number], table.features, flat[:number])
        if one not in table.keep
    ]
    notes += [
        f"column {names[i]!r} goes from {x[train, i].min():.4g} to {x[train, i].max():.4g}, beside which half of its "
        "values, or more, are one number in single precision"
        for i in np.flatnonzero(dwarfed(x[train]))
    ]
    kinds = kinds_of(table, x, exact)
    return Inputs(scaled(x, train, flat) if standardize else x, tuple(names), kinds, tuple(notes))


def no_value(name: str, column: str) -> DataError:
    """Make the error about a column of which nothing is known."""
    return DataError(
        f"{name}: column {column!r} has no value in any training row; leave it out with data.drop: [{as_yaml(column)}]"
    )


def training_mean(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the mean [F] of what the training rows hold of each column, at any size of its values."""
    rows = x[train]
    there = ~np.isnan(rows)
    power = exponents(np.where(there, rows, 0.0))
    total = np.where(there, np.ldexp(np.where(there, rows, 0.0), -power), 0.0).sum(axis=0)
    return np.ldexp(total / np.maximum(there.sum(axis=0), 1), power)


def kinds_of(table: Table, x: np.ndarray, exact: np.ndarray) -> dict[str, tuple[str, ...]]:
    """Sort a table's columns by kind: numbers, whole numbers, true or false, text, constant in the training rows."""
    kinds: dict[str, list[str]] = {}
    for i, one in enumerate(table.features):
        values = table.x[:, i][~np.isnan(table.x[:, i])]
        whole = bool(np.all(values == np.round(values)))
        kind = "numbers"
        if exact[i]:
            kind = "constant"
        elif whole:
            kind = "true or false" if set(np.unique(values)) <= {0.0, 1.0} else "whole numbers"
        kinds.setdefault(kind, []).append(one)
    if table.texts:
        kinds["text"] = list(table.texts)
    return {kind: tuple(names) for kind, names in kinds.items()}


def standardized(values: np.ndarray, train: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return columns [N, F] centred and scaled by mean and standard deviation over the training rows.

    A column that is constant in training, or constant but for rounding, becomes zero in every row: nothing could be
    learned from it, and its standard deviation may be rounding noise instead of zero.

    >>> standardized(np.array([[1.0, 7.0], [3.0, 7.0], [9.0, 8.0]]), [0, 1]).tolist()
    [[-1.0, 0.0], [1.0, 0.0], [7.0, 0.0]]
    >>> standardized(np.array([[0.0, 0.3], [1e-300, 0.1 + 0.2]]), [0, 1]).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    train = np.asarray(train)
    return scaled(values, train, constant(values[train]))


def scaled(values: np.ndarray, train: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Return columns [N, F] centred and scaled by mean and standard deviation over the training rows, 0 where flat.

    A column is brought to a size of about 1 first, by a power of two, which changes no digit: else the squares of
    values around 1e-300 would be 0. Values that lie close together are taken relative to the smallest, which is exact
    (Sterbenz): else the rounding of their mean would be as large as what they differ by.
    """
    near = np.ldexp(values, -exponents(values[train]))
    training = near[train]
    low, high = training.min(axis=0), training.max(axis=0)
    close = high - low < CLOSE * np.maximum(np.abs(low), np.abs(high))
    near = near - np.where(close, low, 0.0)
    again = np.where(close, exponents(near[train]), 0)
    near = np.ldexp(near, -again)
    training = near[train]
    mean, std = training.mean(axis=0), training.std(axis=0)
    flat = flat | (std == 0)
    return np.where(flat, 0.0, (near - mean) / np.where(flat, 1.0, std))


def exponents(values: np.ndarray) -> np.ndarray:
    """Return the binary exponent [F] of each column's largest size; 0 of a column of zeros.

    >>> exponents(np.array([[1.0, 0.0, -6.0]])).tolist()
    [1, 0, 3]
    """
    return np.frexp(np.abs(values).max(axis=0))[1]


def constant(values: np.ndarray, single: Sequence[bool] | None = None) -> np.ndarray:
    """Find the columns [F] that are constant but for rounding.

    A sum of n numbers, added one after the other, is off by at most n·eps/2 of their size; so two values that should
    be one differ by at most n·eps. In single precision numbers are added in pairs, as NumPy and XLA do, or n·eps would
    soon be as large as what is measured: then they differ by at most log2(n)·eps. n is the number of rows.

    Args:
        values: rows [n, F].
        single: which columns hold numbers of single precision; by default those that are such, and are neighbours.

    >>> constant(np.array([[0.3, 1.0, 5.0], [0.1 + 0.2, 1.0 + 1e-9, 5.0]])).tolist()
    [True, False, True]
    """
    low, high = values.min(axis=0), values.max(axis=0)
    size = np.maximum(np.abs(low), np.abs(high))
    rounding = np.full(values.shape[1], len(values) * np.finfo(np.float64).eps)
    in_pairs = pairs(len(values)) * SINGLE.eps
    for i in np.flatnonzero((low != high) & (high - low <= in_pairs * size)):
        if (single is not None and single[int(i)]) or is_single(values[:, i]):
            rounding[i] = max(rounding[i], in_pairs)
    with np.errstate(under="ignore"):
        return (high - low <= rounding * size) & ~whole(values)


def pairs(number: int) -> int:
    """Return how many additions a number goes through where so many are added in pairs: log2, rounded up."""
    return max(math.ceil(math.log2(number)), 1)


def whole(values: np.ndarray) -> np.ndarray:
    """Find the columns [F] of whole numbers that vary: these are counts, and counts have no rounding."""
    return (
        np.all(values == np.round(values), axis=0) & (np.ptp(values, axis=0) > 0) & (np.abs(values).max(axis=0) < 2**53)
    )


def is_single(column: np.ndarray) -> bool:
    """Whether a column's values, close to each other, are numbers of single precision and differ in its last digits.

    Each is one to the last bit, and two of them are neighbours: measurements that are that close have digits of their
    own in between, or steps that are wider.

    >>> is_single(np.float64(np.float32([0.3, 0.30000004]))), is_single(np.array([0.3, 0.30000004]))
    (True, False)
    """
    if np.abs(column).max() > SINGLE.max:
        return False
    near = column.astype(np.float32)
    return bool(np.all(near == column)) and are_neighbours(near)


def are_neighbours(column: np.ndarray) -> bool:
    """Whether two different values of a float32 column have none in between.

    >>> are_neighbours(np.float32([0.3, 0.30000004])), are_neighbours(np.float32([1, 1.5]))
    (True, False)
    """
    different = np.unique(column)
    return bool(np.any(np.nextafter(different[:-1], np.float32(np.inf)) == different[1:]))


def doubtful(values: np.ndarray, names: Sequence[str], flat: np.ndarray) -> list[str]:
    """Name columns that single precision would round to neighbours, or to one: noise of it written down, or real."""
    found = []
    for i, name in enumerate(names):
        column = values[:, i]
        size = float(np.abs(column).max())
        if flat[i] or np.ptp(column) == 0 or np.ptp(column) > pairs(len(column)) * SINGLE.eps * size:
            continue
        near = column.astype(np.float32)
        short = near.astype(str).astype(np.float64) == column  # written with as many digits as single precision has
        if np.all(short) and are_neighbours(near) and not np.all(column == np.round(column)):
            found.append(name)
    return found


def dwarfed(x: np.ndarray) -> np.ndarray:
    """Find the columns [F] whose middle half differs, and not in single precision: one huge value dwarfs the others.

    >>> dwarfed(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 1e38]]) / 1e38).tolist()
    [False, True]
    """
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0, method="nearest")
    most = np.abs(x - middle).max(axis=0)
    return (low < high) & (high - low < SINGLE.eps * most)


def lost(x: np.ndarray, dtype: str) -> np.ndarray:
    """Find the columns [F] that vary, and by less than a network can tell.

    A unit adds its inputs, times weights of about 1, to the others and to its bias: what an input varies by is lost
    where it is below eps of 1, or of its own size.

    Args:
        x: inputs of the training rows [N, F] float64.
        dtype: that the network computes in.

    >>> lost(np.array([[1e-30, 1e9, 1.0], [2e-30, 1e9 + 1, 2.0]]), "float32").tolist()
    [True, True, False]
    """
    low, high = x.min(axis=0), x.max(axis=0)
    size = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0)
    return (low < high) & (high - low < np.finfo(dtype).eps * size)
