"""A column's values as numbers."""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from actlab.data.sheet import Sheet, is_number, raise_at_first, tidy

STRANGE = re.compile(r"[^0-9eE+\-.\n]")
"""What is in no finite number."""
NUMBER_LIKE = re.compile(r"[+-]?[0-9][0-9.,'\u2019\u00a0\u202f _]*[0-9]")
"""Digits with marks in between: a number in another notation, or a label that looks like one."""
EXACT = 2.0**53
"""From here on float64 leaves integers out."""
WITH_UNIT = re.compile(
    r"([$\u20ac\u00a3\u00a5]\s*[+-]?[0-9][0-9.,]*|[+-]?[0-9][0-9.,]*\s*[%\u2030\u00b0$\u20ac\u00a3\u00a5])"
)
"""A number with a sign for percent, degrees or money."""
TRUTH = {"true": "1", "false": "0"}


def numbers(column: Any, sheet: Sheet, way: Callable[[Any, Sheet], str] = lambda column, sheet: "") -> np.ndarray:
    """Return a column as float64 [N], finite, NaN where a value is missing; booleans are 0 and 1.

    Args:
        column: of numbers, or of text that is.
        sheet: where it is from.
        way: says, of column and sheet, what can be done where it is not.

    Raises:
        DataError: naming the first textual or infinite value.
    """
    if is_plain(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        there = ~np.isnan(values)
        exact = column[there].astype(object).tolist() if pd.api.types.is_integer_dtype(column) else []
    else:  # dates, too, would pass for numbers if they were asked
        there = ~column.isna().to_numpy(bool)
        texts = as_texts(column)[there]
        values = np.full(len(column), np.nan)
        if (read := read_numbers(texts.to_list(), sheet.decimal)) is None:
            bad = np.zeros(len(column), bool)
            bad[there] = ~texts.map(lambda text: is_number(text, sheet.decimal)).to_numpy(bool)
            hint = decimal_hint(as_texts(column)[bad], sheet) or way(column, sheet)
            if (
                hint.startswith("set data.decimal")
                and texts[~bad[there]].str.contains(sheet.decimal, regex=False).any()
            ):
                hint = "the column has decimal points and commas; write all of its numbers in one way"
            raise_at_first(bad, column, sheet, "a number", way=hint)
        values[there] = read
        exact = texts.str.replace(sheet.decimal, ".", regex=False).tolist()
    finite = (np.abs(values) <= np.finfo(np.float32).max) | np.isnan(values)
    raise_at_first(~finite, pd.Series(values, name=column.name), sheet, "a finite number in single precision")
    if exact and np.abs(values[there]).max() >= EXACT:
        values[there] = apart(values[there], exact, str(column.name), sheet)
    return values


def apart(values: np.ndarray, exact: Sequence[Any], name: str, sheet: Sheet) -> np.ndarray:
    """Return numbers [N] relative to their smallest where float64 makes one of several, or nearly; else as they are.

    Args:
        values: rounded to float64.
        exact: integers, or texts of numbers.
        name: the column's.
        sheet: its notes are told.
    """
    fractions = {one: Fraction(one) for one in set(exact)}
    whole = all(re.fullmatch(r"[+-]?[0-9]+", str(one)) for one in fractions)  # then nothing of it is rounding
    close = whole and np.ptp(values) < np.abs(values).max() * 2.0**-20
    low = min(fractions.values())
    if low == max(fractions.values()) or (len(set(fractions.values())) == len(np.unique(values)) and not close):
        return values
    sheet.notes.append(
        f"numbers of {name!r} have more digits than a double holds: each is read as what it is above {float(low):.17g}"
    )
    return np.array([float(fractions[one] - low) for one in exact])


def as_numbers(column: Any) -> Any:
    """Return a column of Python's numbers as a column of numbers: Parquet's decimals are whole numbers or floats.

    >>> str(as_numbers(pd.Series([Decimal("1.5"), Decimal("2.0")])).dtype), as_numbers(pd.Series(["1"])).dtype.kind
    ('float64', 'O')
    """
    there = column[~column.isna()]
    if column.dtype != object or not len(there) or not all(isinstance(one, Decimal | int | float) for one in there):
        return column
    if any(isinstance(one, bool) for one in there):
        return column
    whole = all(isinstance(one, int) or (isinstance(one, Decimal) and one.as_tuple().exponent == 0) for one in there)
    if whole and max(abs(int(one)) for one in there) < 2**63:
        return column.map(int, na_action="ignore").astype("Int64")
    return column.map(float, na_action="ignore").astype(np.float64)


def all_numbers(column: Any, missing: Iterable[str], decimal: str) -> Any:
    """Return a text column of finite numbers and words for a missing value as float64, else the column itself.

    Each is read to its nearest float64. This is the quick way, for the many columns that are nothing else.

    >>> [all_numbers(pd.Series(texts), {""}, ".").tolist() for texts in (["1", "", "2.5"], ["1", "x"])]
    [[1.0, nan, 2.5], ['1', 'x']]
    """
    import pyarrow
    from pyarrow import compute

    texts = pyarrow.array(column, pyarrow.string(), from_pandas=True)
    texts = texts.combine_chunks() if isinstance(texts, pyarrow.ChunkedArray) else texts
    gone = compute.is_in(texts, value_set=pyarrow.array(list(missing), pyarrow.string()))
    there = compute.if_else(gone, None, texts)
    if decimal == ",":
        if compute.any(compute.match_substring(there, ".")).as_py():
            return column
        there = compute.replace_substring(there, ",", ".")
    try:
        values = there.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid:
        return column
    if np.any(np.abs(values) >= EXACT):  # its digits may be more than float64 has
        return column
    if np.isfinite(values).sum() + (compute.sum(gone).as_py() or 0) != len(values):  # inf and nan, spelt out
        return column
    return pd.Series(values, column.index, name=column.name)


def read_numbers(texts: Sequence[str], decimal: str = ".") -> np.ndarray | None:
    """Read numbers to their nearest float64 [N]; None where one of the texts is no number.

    >>> read_numbers(["1", "-2.5e3"]), read_numbers(["1", "1_0"]), read_numbers(["8,5"], ",")
    (array([ 1.0e+00, -2.5e+03]), None, array([8.5]))
    """
    together = "\n".join(texts)
    if decimal == ",":
        if "." in together:
            return None
        together = together.replace(",", ".")
    if STRANGE.search(together) and not all(is_number(text, decimal) for text in texts):
        return None
    try:
        return np.array(together.split("\n") if texts else [], object).astype(np.float64)
    except ValueError:
        return None


def is_plain(column: Any) -> bool:
    """Whether a column's type is a number's, or a truth value's."""
    types = pd.api.types
    return types.is_numeric_dtype(column) and not types.is_complex_dtype(column)


def as_texts(column: Any) -> Any:
    """Return a column's values as they are written, without what cannot be seen; truth values as 1 and 0."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    textual = pd.api.types.is_string_dtype(column)
    texts = column.astype(object).str.strip() if textual else column.map(lambda value: tidy(str(value))).astype(object)
    there = {text.lower() for text in texts[~column.isna()].unique()}
    if not there or not there <= set(TRUTH):
        return texts
    return texts.map(lambda text: TRUTH.get(text.lower(), text), na_action="ignore")


def decimal_hint(texts: Any, sheet: Sheet) -> str:
    """Say which key decides where what is no number would be one with the other decimal mark."""
    if not len(texts):
        return ""
    if all(WITH_UNIT.fullmatch(text) for text in texts):
        return f"a number with a sign; write the numbers without {'%' if '%' in texts.iloc[0] else 'it'}"
    if not sheet.textual:
        return ""
    other = "," if sheet.decimal == "." else "."
    if all(is_number(text, other) for text in texts):
        mark = "comma" if other == "," else "point"
        return f"set data.decimal: '{other}' if that is a decimal {mark} (thousands separators are not read)"
    if all(NUMBER_LIKE.fullmatch(text) for text in texts):
        return "thousands separators are not read; write the numbers without, and set data.decimal to their mark"
    return ""
