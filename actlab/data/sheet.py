"""What every reader of a file hands on: a sheet of named columns, and words for a place in it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from actlab.data.limits import require_names
from actlab.data.spec import DataSpec
from actlab.data.table import DataError
from actlab.naming import nearest, shortened

Place = Callable[[int], str]
"""Names a row, counted from 0, as its reader counts: a line of a text file, a row of anything else."""

NOT_A_NUMBER = ("-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "NaN", "nan")
MISSING = (*NOT_A_NUMBER, "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "n/a", "NA", "NULL", "null", "None")
"""What pandas reads as missing. An empty field always is."""


@dataclass(frozen=True)
class Sheet:
    """A file's columns as they were read.

    Attributes:
        path: of the file.
        frame: all of its columns.
        target: the column to predict.
        place: names a row.
        notes: what was settled without being asked; readers and what follows add to it.
        missing: texts that stand for a missing value.
        decimal: the decimal mark of numbers that are text.
        textual: whether the file knows text only, so that what looks like a number is one.
        written: gives what a text file has in a column and row, before it is read as a number.
        index: columns that the file says are a frame's index: they are left out unless they are asked for.
    """

    path: Path
    frame: pd.DataFrame
    target: str
    place: Place
    notes: list[str] = field(default_factory=list)
    missing: frozenset[str] = frozenset()
    decimal: str = "."
    textual: bool = False
    index: tuple[str, ...] = ()
    written: Callable[[str, int], object] | None = None


def chosen(target: str | None, names: list[str], path: Path) -> str:
    """Return the target's name: the one asked for, or the last.

    Raises:
        DataError: there is none of that name.
    """
    if target is None:
        return names[-1]
    if tidy(target) not in names:
        raise DataError(f"{path}: no target '{target}'{nearest(target, names)}", "target")
    return tidy(target)


def default_target(spec: DataSpec, names: list[str], path: Path) -> str:
    """Return the target's name: the one that a study asks for, or the last column that it does not drop.

    Raises:
        DataError: there is none of that name.
    """
    left = [name for name in names if name not in map(tidy, spec.drop)]
    return chosen(spec.target, names if spec.target is not None else left or names, path)


def require_unique(names: list[str], path: Path) -> None:
    """Refuse two columns of one name, and names that are too long to read.

    Raises:
        DataError: naming it.
    """
    require_names(names, path)
    twice = next((name for name, number in Counter(names).items() if number > 1), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are named {twice!r}; expected different names")


def tidy(text: str) -> str:
    """Return a name or a label without what cannot be seen: white space and marks at its ends, other normal forms.

    >>> tidy(" p\\u00a0"), tidy("\\ufeffa"), tidy("e\\u0301") == "\\u00e9"
    ('p', 'a', True)
    """
    composed = unicodedata.normalize("NFC", text)
    begin, end = 0, len(composed)
    while begin < end and unseen(composed[begin]):
        begin += 1
    while end > begin and unseen(composed[end - 1]):
        end -= 1
    return composed[begin:end]


def unseen(letter: str) -> bool:
    """Whether a letter at the end of a text cannot be seen."""
    return letter.isspace() or unicodedata.category(letter) in ("Cf", "Cc")


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a text is a number's, as files write them: no thousands separators, underscores or units.

    >>> is_number("1e-3"), is_number("85,5", ","), is_number("85.5", ","), is_number("1_000"), is_number("age")
    (True, True, False, False, False)
    """
    return NUMBERS[decimal].fullmatch(text) is not None


def number_pattern(mark: str) -> re.Pattern[str]:
    """Make the pattern of a number with a decimal mark."""
    return re.compile(rf"[+-]?(([0-9]+({mark}[0-9]*)?|{mark}[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?)", re.IGNORECASE)


NUMBERS = {",": number_pattern(","), ".": number_pattern(r"\.")}


def raise_at_first(
    bad: np.ndarray, column: Any, sheet: Sheet, expected: str, instead: str | None = None, way: str = ""
) -> None:
    """Raise if any row is bad, naming the first.

    Args:
        bad: which rows are [N].
        column: the column.
        sheet: where it is from.
        expected: what was.
        instead: what was found; by default the value.
        way: the way forward, in a few words.

    Raises:
        DataError: file, column, line or row, what was expected, what was found and in how many rows.
    """
    if not bad.any():
        return
    row = int(np.argmax(bad))
    value = column.iloc[row]
    instead = instead or shortened(repr(value.item() if isinstance(value, np.generic) else value), 80)
    more = f" (in {int(bad.sum())} rows)" if bad.sum() > 1 else ""
    raise DataError(
        f"{sheet.path}: column {column.name!r}, {sheet.place(row)}: expected {expected}, found {instead}{more}"
        f"{'; ' if way else ''}{way}"
    )
