"""A column's values as numbers."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from actlab.data.sheet import Sheet, is_number, raise_at_first, tidy

STRANGE = re.compile(r"[^0-9eE+\-.\n]")
"""What is in no finite number."""
NUMBER_LIKE = re.compile(r"[+-]?[0-9][0-9.,'\u2019\u00a0\u202f _]*[0-9]")
"""Digits with marks in between: a number in another notation, or a label that looks like one."""
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
    finite = (np.abs(values) <= np.finfo(np.float32).max) | np.isnan(values)
    raise_at_first(~finite, pd.Series(values, name=column.name), sheet, "a finite number in single precision")
    return values


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
    if not len(texts) or not sheet.textual:
        return ""
    other = "," if sheet.decimal == "." else "."
    if all(is_number(text, other) for text in texts):
        mark = "comma" if other == "," else "point"
        return f"set data.decimal: '{other}' if that is a decimal {mark} (thousands separators are not read)"
    if all(NUMBER_LIKE.fullmatch(text) for text in texts):
        return "thousands separators are not read; write the numbers without, and set data.decimal to their mark"
    return ""
