"""The target column: class labels or quantities, and which labels are one class."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from actlab.data.numbers import NUMBER_LIKE, numbers
from actlab.data.sheet import MISSING, Sheet, is_number, raise_at_first, tidy, unseen
from actlab.data.table import DataError
from actlab.naming import as_yaml, listed

# Under task: auto, integer targets with more distinct values than this, and than half of the rows, are no labels.
MANY_CLASSES = 50
# More distinct integers than this may well be a quantity: they are labels, and a note says so.
FEW_CLASSES = 4


DRAWN_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧο‐‑‒–—−’‘ʼ",
    "ABESIJKMHOPCTYXaesijopcyxhdqwABEZHIKMNOPTYXo------'''",
)
"""Letters and marks that are drawn as those of ASCII."""
VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Marks that choose among the forms of a letter."""


def encoded(column: Any, task: str, sheet: Sheet, decimal_given: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the target as class indices [N] int32 and class names, or as quantities [N] float64 and no names.

    Args:
        column: without missing values.
        task: ``classification``, ``regression`` or ``auto``.
        sheet: where it is from; its notes get what is doubtful.
        decimal_given: whether the study says what the decimal mark is.

    Raises:
        DataError: text under regression, fractions under classification, or what looks like quantities under auto.
    """
    types = pd.api.types
    column = typed(column, sheet, task == "regression")
    whole = types.is_bool_dtype(column) or types.is_integer_dtype(column)
    quantity = types.is_numeric_dtype(column) and not whole
    if task == "regression" or (task == "auto" and quantity):
        values = numbers(column, sheet)
        different = len(np.unique(values))
        if task == "auto" and different <= MANY_CLASSES and np.all(values == np.round(values)):
            sheet.notes.append(
                f"the target {column.name!r} has {different} different whole numbers, written as fractions: taken for "
                "quantities; data.task: classification if they are labels"
            )
        return values, ()
    if quantity:
        values = numbers(column, sheet)
        fractions = (values != np.round(values)) | (np.abs(values) > 2**53)
        way = "data.task: regression takes quantities"
        raise_at_first(fractions, column, sheet, "a label (text or an integer)", way=way)
        column = column.astype(np.int64)
        whole = True
    values = plain_integers(column) if whole else one_spelling(column, sheet, decimal_given)
    labels, index = np.unique(values, return_inverse=True)
    integers = whole and not types.is_bool_dtype(column)
    if task == "auto" and integers and len(labels) > max(MANY_CLASSES, len(values) / 2):
        raise DataError(
            f"{sheet.path}: column {column.name!r} has {len(labels)} different integers in {len(values)} rows, too "
            "many for class labels; set task: regression (or task: classification if they are)"
        )
    if task == "auto" and integers and len(labels) > FEW_CLASSES:
        sheet.notes.append(
            f"the target {column.name!r} has {len(labels)} different integers: taken for class labels; "
            "data.task: regression if they are quantities"
        )
    return index.astype(np.int32), tuple(str(label) for label in labels)


def tidied(written: Any, what: str, sheet: Sheet) -> Any:
    """Return a column's texts without what cannot be seen at their ends, and note which had it."""
    short = {one: tidy(one) for one in written.dropna().unique()}
    if changed := sorted(one for one, text in short.items() if one != text):
        sheet.notes.append(
            f"{what} of {written.name!r} are read without what cannot be seen (white space at their ends, other forms "
            f"of a letter): {listed(map(repr, changed), 3)}"
        )
    return written.map(short, na_action="ignore")


def note_alike(different: Sequence[str], name: str, what: str, sheet: Sheet) -> None:
    """Note which of some texts a person would hardly tell apart: they stay what they are."""
    alike, drawn = defaultdict(list), dict[str, str]()
    for text in different:
        alike[drawn.setdefault("".join(text.casefold().split()), skeleton(text))].append(text)
    for same in alike.values():
        if len(same) < 2:
            continue
        by_case = len({"".join(text.casefold().split()) for text in same}) == 1
        how = "differ in case or white space only" if by_case else "look alike"
        shown = listed(map(repr if by_case else ascii, same))
        sheet.notes.append(f"{what} {shown} of {name!r} {how}: they are {len(same)} {what}")


def skeleton(text: str) -> str:
    """Return what is left of a text where case, white space, unseen marks, widths and look-alike letters do not count.

    >>> skeleton("a\\u200bb"), skeleton("\\uff11\\uff12"), skeleton("New  york") == skeleton("NewYork")
    ('ab', '12', True)
    """
    plain = unicodedata.normalize("NFKC", text).translate(DRAWN_ALIKE)
    return "".join(one for one in plain if not unseen(one) and one not in VARIATIONS).casefold()


def plain_integers(column: Any) -> np.ndarray:
    """Return integers or truth values as an array of their own type, also be they of pandas' own or not."""
    plain = isinstance(column.dtype, np.dtype)
    return column.to_numpy() if plain else column.to_numpy(column.dtype.numpy_dtype)


def typed(column: Any, sheet: Sheet, as_quantity: bool) -> Any:
    """Give a column that a text file holds the type that its values have: truth values, integers, numbers, or text.

    Integers are one label however they are written (``01`` and ``1``); numbers with a point are not integers.
    """
    if not sheet.textual or as_quantity:
        return column
    texts = column.map({value: tidy(str(value)) for value in column.unique()}).astype(object)
    if {text.lower() for text in texts.unique()} <= {"true", "false"}:
        return texts.str.lower() == "true"
    if not all(is_number(text, sheet.decimal) for text in texts.unique()):
        return column
    if texts.str.fullmatch(r"[+-]?[0-9]{1,18}").all():
        values = texts.astype(np.int64)
        if texts.nunique() > values.nunique():
            several = texts.groupby(values).unique()
            one = next(list(spellings) for spellings in several if len(spellings) > 1)
            sheet.notes.append(f"labels {listed(map(repr, one))} of {column.name!r} are one number: one class")
        return values
    if texts.str.fullmatch(r"[+-]?[0-9]+").all():
        return column  # too long for a number: text
    return texts.str.replace(sheet.decimal, ".", regex=False).astype(np.float64)


def one_spelling(column: Any, sheet: Sheet, decimal_given: bool) -> np.ndarray:
    """Return text labels [N] without what cannot be seen in them, and note those that are hardly told apart.

    Raises:
        DataError: all of them look like numbers in another notation, and the study does not say that they are none.
    """
    written = column.map(lambda value: value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
    texts = tidied(written, "labels", sheet)
    different = sorted(set(texts))
    other = next((text for text in different if not text.isdigit()), "")
    like_numbers = all(NUMBER_LIKE.fullmatch(text) or text.isdigit() for text in different)
    if sheet.textual and not decimal_given and other and like_numbers:
        raise DataError(
            f"{sheet.path}: column {column.name!r} holds {other!r}: set data.decimal: ',' if that is a number with a "
            "decimal comma, data.decimal: '.' if these are labels (thousands separators are not read)"
        )
    if not sheet.textual and (words := [text for text in different if text in MISSING]):
        sheet.notes.append(f"classes {listed(map(repr, words))} of {column.name!r} are words, not missing values")
    note_alike(different, str(column.name), "classes", sheet)
    numeric = [text for text in different if is_number(text, sheet.decimal)]
    words = [text for text in different if text not in numeric]
    if sheet.textual and words and len(numeric) > len(words):
        sheet.notes.append(
            f"classes of {column.name!r} are numbers, and {listed(map(repr, words))}; "
            f"data.na_values: [{as_yaml(words[0])}] if that means a missing value"
        )
    return texts.to_numpy(str)
