"""What findings share: a sentence with the table that has its numbers, and how cells are named in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.analysis.cells import Cells
from actlab.analysis.escaping import plain
from actlab.analysis.layout import Table, estimate, in_markdown, records, words
from actlab.analysis.notes import listed
from actlab.later import pd
from actlab.notation import ALWAYS

MOST_NAMED, MOST_LONG = 8, 2
"""Of more activations, or of more cells that several settings name, the first are named, and the others counted."""
MOST_EXAMPLES = 3
"""Of more cells with numbers of their own likewise."""
SHARED = 1e-6
"""How near numbers are, relative to their size, that share an extreme."""
BY_VALUE = ("data", "weight_init", "optimizer")
"""Settings that are named by their value alone: it says what it is."""

Row = Mapping[str, Any]
Tables = Mapping[str, Table]
"""The report's tables, by name."""


@dataclass(frozen=True)
class Finding:
    """What a table says, in a sentence or two of Markdown.

    Attributes:
        text: with numbers as the table prints them.
        table: its name.
        figures: names of figures that draw the same; the report points to those that it has.
        more: what follows from the same table, a sentence or two each.
        under: whether it is one of those that follow, and stands below the one before it.
    """

    text: str
    table: str
    figures: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    under: bool = False

    def each(self) -> list[Finding]:
        """Part it into findings of a sentence or two."""
        rest = [Finding(text, self.table, self.figures, under=True) for text in self.more]
        return [Finding(self.text, self.table, self.figures), *rest]


Rule = Callable[[Cells, Tables], Finding | None]


def keys_of(cells: Cells, frame: pd.DataFrame, all_values: bool = False) -> list[str]:
    """List the settings that make the cells of a table.

    Args:
        cells: the study's.
        frame: the table's.
        all_values: whether it shows every value of a key that is selected.
    """
    wanted = {*(cells.keys if all_values else cells.selected_keys), "activation", "depth"}
    return [one.column for one in cells.settings if one.column in wanted and one.column in frame]


def varied(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """List the keys by which rows are named: those that differ, and the activation in any case.

    >>> varied(pd.DataFrame({"activation": "relu", "depth": [2, 5], "width": 64}), ["activation", "depth", "width"])
    ['activation', 'depth']
    """
    return [key for key in keys if key == "activation" or frame[key].nunique(dropna=False) > 1]


def called(row: Row, keys: Sequence[str]) -> str:
    """Write which cell it is: the activation, and what else tells it apart.

    >>> called({"activation": "relu", "depth": 5, "optimizer": "sgd"}, ["activation", "depth", "optimizer"])
    '`relu` (depth 5, `sgd`)'
    >>> called({"depth": 5}, ["depth"])
    'depth 5'
    """
    words_of = {key: "" if key in BY_VALUE else f"{plain(words(key))} " for key in keys if key != "activation"}
    rest = ", ".join(f"{text}{in_markdown(row[key], key)}" for key, text in words_of.items())
    name = in_markdown(row["activation"], "activation") if "activation" in keys else ""
    return f"{name} ({rest})" if name and rest else name or rest


def named(rows: pd.DataFrame, keys: Sequence[str]) -> str:
    """Name the cells of some rows; of many the first, and how many more there are.

    >>> named(pd.DataFrame({"activation": ["relu", "elu"], "width": [64, 32]}), ["activation"])
    '`relu` and `elu`'
    >>> named(pd.DataFrame({"activation": "relu", "width": range(5), "depth": 2}), ["activation", "width", "depth"])
    '`relu` (width 0, depth 2), `relu` (width 1, depth 2) and 3 more'
    """
    names = [called(row, keys) for row in records(rows)]
    most = MOST_NAMED if len(keys) < 3 else MOST_LONG
    if len(names) > most + 1:  # one more is as short as its name
        names = [*names[:most], f"{len(names) - most} more"]
    return listed(names)


def tied(rows: pd.DataFrame, extreme: Any, column: str, cells: Cells) -> pd.DataFrame:
    """Take of some rows those that share an extreme: to six digits, or as one function under another name.

    Args:
        rows: of cells that differ in their activation, and maybe more.
        extreme: the index of one of them, which is the largest or least.
        column: what it is an extreme of.
        cells: the study's, which know whose functions are the same.

    Returns:
        those rows, the extreme one among them, in their order.
    """
    one = rows.loc[extreme]
    near = np.isclose(rows[column].astype(float), float(one[column]), rtol=SHARED, atol=0.0)
    same = [name for name, when in cells.same_as.get(str(one["activation"]), {}).items() if when == ALWAYS]
    same += [name for name, others in cells.same_as.items() if others.get(str(one["activation"])) == ALWAYS]
    others = [key.column for key in cells.settings if key.column != "activation" and key.column in rows]
    alike = rows["activation"].isin(same) & (rows[others] == one[others]).all(axis=1)
    return rows[near | alike]


def with_numbers(
    rows: pd.DataFrame,
    keys: Sequence[str],
    text: Callable[[Row], str] = estimate,
    most: int = MOST_EXAMPLES,
) -> str:
    """Write the numbers of some rows, each with its cell; of many the first, and how many more there are.

    >>> row = {"activation": "relu", "mean": 0.5, "low": 0.4, "high": 0.6, "n": 5, "runs": 5}
    >>> with_numbers(pd.DataFrame([row] * 5), ["activation"], most=1)
    '0.50 [0.40, 0.60] with `relu` and 4 more'
    """
    texts = [f"{text(row)} with {called(row, keys)}" for row in records(rows.head(most))]
    more = len(rows) - len(texts)
    return listed([*texts, f"{more} more"] if more else texts)


def middle(frame: pd.DataFrame) -> pd.Series:
    """Return the number of each row that its estimate begins with: the mean, or the median where that has no interval.

    >>> middle(pd.DataFrame({"mean": [0.5, 0.5], "low": [0.4, math.nan], "median": [math.nan, 0.9]})).tolist()
    [0.5, 0.9]
    """
    instead = frame["low"].isna() & frame["median"].notna()
    return frame["median"].where(instead, frame["mean"])


def kind(rows: pd.DataFrame) -> str:
    """Say what the estimates of some rows are: means where they have an interval, else medians or single values.

    >>> kind(pd.DataFrame({"low": [0.1, 0.2]})), kind(pd.DataFrame({"low": [math.nan, math.nan]}))
    ('mean', 'median')
    """
    known = rows["low"].notna()
    return "mean" if known.all() else "estimated" if known.any() else "median"


def whole(frame: pd.DataFrame) -> pd.Series:
    """Say of which rows every run has a value: what is left of the others is no sample of all."""
    return (frame["n"] > 0) & (frame["n"] == frame["runs"])


def of_runs(row: Row) -> str:
    """Write how many runs a share is, with its interval.

    >>> of_runs({"mean": 0.75, "low": 0.53, "high": 0.89, "n": 20})
    '15 of 20 runs [0.53, 0.89]'
    >>> of_runs({"mean": 1.0, "low": math.nan, "high": math.nan, "n": 1})
    '1 of 1 run'
    """
    text = f"{row['mean'] * row['n']:.0f} of {row['n']:.0f} run{'s' * (row['n'] != 1)}"
    return text if math.isnan(row["low"]) else f"{text} [{row['low']:.2f}, {row['high']:.2f}]"


def only_value(rows: pd.DataFrame, key: str) -> str:
    """Say which value of a key all rows have: ``depth 50``; empty where they differ, or have no such key.

    >>> only_value(pd.DataFrame({"depth": [50, 50]}), "depth"), only_value(pd.DataFrame({"depth": [50, 5]}), "depth")
    ('depth 50', '')
    """
    if key not in rows or rows[key].nunique(dropna=False) != 1:
        return ""
    return f"{plain(words(key))} {in_markdown(rows[key].iloc[0], key)}"


def deepest(frame: pd.DataFrame, others: Sequence[str]) -> pd.DataFrame:
    """Take of each line, that is, of what agrees in all other keys, the rows of its greatest depth."""
    if not others:
        return frame[frame["depth"] == frame["depth"].max()]
    return frame[frame["depth"] == frame.groupby(list(others), dropna=False)["depth"].transform("max")]


def at_depth(rows: pd.DataFrame) -> str:
    """Say at which depth rows are, where each is the deepest of its line."""
    return only_value(rows, "depth") or "the greatest depth of each"
