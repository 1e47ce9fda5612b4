"""What of a study a page holds: by a stated rule, as much as its size allows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.later import pd
from actlab.naming import counted


@dataclass(frozen=True)
class Rule:
    """How much is kept at most.

    Attributes:
        seeds: of each cell; the medians are of all.
        steps, layers: of each run, evenly spread, with the first and the last.
        runs: in the list of runs, those with the lowest seeds.
        points: of a run's curves, evenly spread, with the first and the last.
        pictures: bytes of all pictures.
    """

    seeds: int = 10
    steps: int = 12
    layers: int = 50
    runs: int = 4000
    points: int = 24
    pictures: int = 2_200_000

    def halved(self) -> Rule:
        """Return the rule that keeps half as much, of what repeats."""
        return Rule(
            max(self.seeds // 2, 1),
            max(self.steps // 2, 2),
            max(self.layers // 2, 3),
            max(self.runs // 2, 50),
            max(self.points // 2, 4),
            self.pictures // 2,
        )

    def in_words(self) -> str:
        """Say the rule of what is drawn by layer."""
        parts = (counted(self.seeds, "seed"), counted(self.steps, "recorded step"), counted(self.layers, "layer"))
        return f"At most {parts[0]} of a cell, {parts[1]} and {parts[2]} of a network are kept, evenly spread."


def spread(values: Iterable[Any], most: int) -> list[Any]:
    """Keep at most so many values, evenly spread, with the least and the greatest.

    >>> spread([5, 1, 2, 3, 4], 3), spread([2, 1], 3)
    ([1, 3, 5], [1, 2])
    """
    ordered = sorted(set(values))
    if len(ordered) <= most:
        return ordered
    return [ordered[i] for i in np.unique(np.linspace(0, len(ordered) - 1, most).round().astype(int))]


def kept_layers(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """Keep at most so many layers of each network, by its ``depth``."""
    kept = {depth: set(spread(part["layer"], most)) for depth, part in frame.groupby("depth")}
    pairs = zip(frame["depth"], frame["layer"], strict=True)
    return frame[[layer in kept[depth] for depth, layer in pairs]]


def in_arrays(
    frame: pd.DataFrame, by: Sequence[str], names: Mapping[str, str], digits: int = 4
) -> list[dict[str, Any]]:
    """Write a sorted long frame as records: ``by`` once, and of each column in ``names`` an array.

    What is not finite becomes None, which is not drawn.

    >>> frame = pd.DataFrame({"run": ["a", "a"], "x": [1.23456, float("nan")]})
    >>> in_arrays(frame, ["run"], {"x": "y"})
    [{'run': 'a', 'y': [1.235, None]}]
    """
    columns = {new: rounded(frame[old], digits) for old, new in names.items()}
    sizes = frame.groupby(list(by), sort=False, dropna=False).size()
    records, begin = [], 0
    for key, size in sizes.items():
        values = key if isinstance(key, tuple) else (key,)
        record = dict(zip(by, map(as_plain, values), strict=True))
        records.append(record | {new: column[begin : begin + size] for new, column in columns.items()})
        begin += size
    return records


def rounded(column: pd.Series, digits: int = 4) -> list[float | int | None]:
    """Write numbers with so many significant digits, None for what is not finite; whole numbers as they are.

    >>> rounded(pd.Series([0.123456, float("inf"), 12345.6, 1.23456e-30])), rounded(pd.Series([1, 2]))
    ([0.1235, None, 12350.0, 1.235e-30], [1, 2])
    """
    if pd.api.types.is_integer_dtype(column.dtype):
        return list(column.to_list())
    x = column.to_numpy(dtype=float)
    with np.errstate(all="ignore"):
        places = digits - 1 - np.floor(np.log10(np.abs(x)))
        exact = np.abs(places) <= 22  # as far as 10^places is a float64
        size = 10.0 ** np.where(exact, np.abs(places), 0)
        short = np.where(places >= 0, np.rint(x * size) / size, np.rint(x / size) * size)
    values = zip(x.tolist(), short.tolist(), exact.tolist(), strict=True)
    return [
        (new if easy else float(f"{old:.{digits - 1}e}")) if math.isfinite(old) else None for old, new, easy in values
    ]


def as_plain(value: Any) -> Any:
    """Return what NumPy or pandas has for a value as plain Python, None for one that is missing."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
