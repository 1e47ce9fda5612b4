"""A sheet of named columns made into a table: which of them are features, and what their values are.

What would change a number and is not certain is refused, with the key that decides; what is certain, or is only
doubtful, is settled and told.
"""

import datetime
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from actlab.data.labels import MANY_CLASSES, encoded, note_alike, tidied
from actlab.data.numbers import as_numbers, as_texts, decimal_hint, is_plain, numbers
from actlab.data.row_numbers import has_each_once, is_counter, is_written, numbers_rows, step_of
from actlab.data.sheet import Sheet, is_number, raise_at_first, tidy
from actlab.data.spec import DataSpec
from actlab.data.table import DataError, Table
from actlab.naming import as_yaml, counted, listed, nearest

LABEL_NAMES = {"label", "labels", "target", "class", "classes", "y", "species", "category", "outcome", "diagnosis"}
"""What people call the column that is to be predicted."""
MISSING_HINT = "data.missing: drop_rows leaves such rows out, mean fills them in"


def table_of(sheet: Sheet, spec: DataSpec) -> Table:
    """Return a sheet's columns as a table.

    Raises:
        DataError: with file, column and line or row.
    """
    if len(sheet.frame) == 0:
        raise DataError(f"{sheet.path}: expected rows of data, found none")
    keep = asked_for("keep", spec.keep, sheet)
    features, target = features_and_target(sheet, spec, asked_for("drop", spec.drop, sheet), keep)
    if spec.target is None and target.casefold() not in LABEL_NAMES:
        for name in (one for one in features if one.casefold() in LABEL_NAMES):
            way = f"data.target: {as_yaml(name)} predicts {name!r}"
            sheet.notes.append(f"the last column, {target!r}, is predicted, and {name!r} is learned from; {way}")
    labels = sheet.frame[target] = as_numbers(sheet.frame[target])
    look_for_row_numbers_in_target(labels, spec.target is not None, sheet)
    missing = {name: is_missing(sheet.frame[name], sheet, spec) for name in (*features, target)}
    refuse_missing(missing, target, sheet, spec)
    rows = rows_that_stay(missing, sheet, spec)
    columns: dict[str, np.ndarray] = {}
    texts: dict[str, np.ndarray] = {}
    single = set()
    for name in features:
        column = sheet.frame[name]
        if missing[name].any():
            whole = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu"
            column = (column.convert_dtypes() if whole else column).mask(missing[name])  # integers stay integers
        if is_text(column, sheet, spec):
            texts[name] = text_values(column, rows, sheet, name in keep)
            continue
        values = numbers(column, sheet, partial(text_hint, others=[*features, target], asked=spec.target is not None))
        look_for_row_numbers(name, values, name in keep, sheet)
        columns[name] = values[rows]
        single |= {name} if column.dtype in (np.float32, np.float16) else set()
    refuse_dates(labels, spec.task, sheet)
    y, classes = encoded(labels[rows].reset_index(drop=True), spec.task, located(sheet, rows), spec.decimal is not None)
    return Table(
        np.stack(list(columns.values()), axis=1) if columns else np.empty((int(rows.sum()), 0)),
        y,
        tuple(columns),
        classes,
        texts,
        frozenset(single),
        frozenset(keep),
        target,
        tuple(dict.fromkeys(sheet.notes)),
    )


def features_and_target(
    sheet: Sheet, spec: DataSpec, drop: Sequence[str], keep: Sequence[str]
) -> tuple[list[str], str]:
    """Say which columns are features, and which is the target.

    Raises:
        DataError: a column is to be dropped and kept, or no feature is left.
    """
    for name in drop:
        if name in keep or (name == sheet.target and spec.target is not None):
            other = "data.keep" if name in keep else "data.target"
            raise DataError(
                f"{sheet.path}: column {name!r} is in data.drop and is {other}; leave it out of one of them",
                "drop",
            )
    names = [str(name) for name in sheet.frame.columns if name not in drop]
    target = sheet.target if sheet.target in names else (names or [""])[-1]
    hidden = [name for name in sheet.index if name in names and name not in (*keep, target)]
    if hidden:
        way = f"data.keep: [{as_yaml(hidden[0])}] learns from it"
        sheet.notes.append(f"the frame's index {listed(hidden)} is left out; {way}")
    features = [name for name in names if name != target and name not in hidden]
    if not features:
        raise DataError(f"{sheet.path}: expected feature columns besides the target {target!r}, found none")
    return features, target


def rows_that_stay(missing: Mapping[str, np.ndarray], sheet: Sheet, spec: DataSpec) -> np.ndarray:
    """Find the rows [N] that are learned from, and note what becomes of missing values.

    Raises:
        DataError: it is none.
    """
    rows = np.ones(len(sheet.frame), bool)
    holes = {name: int(where.sum()) for name, where in missing.items() if where.any()}
    if not holes:
        return rows
    instead = "the mean over the training split stands for them"
    if spec.missing == "drop_rows":
        rows = ~np.any(np.stack(list(missing.values())), axis=0)
        lost = int((~rows).sum())
        instead = f"{lost} of {counted(len(rows), 'row')} {'is' if lost == 1 else 'are'} left out"
    if not rows.any():
        raise DataError(
            f"{sheet.path}: every row has a missing value, in {listed(holes)}; data.drop leaves columns out"
        )
    gaps = listed(f"{name} ({number})" for name, number in holes.items())
    sheet.notes.append(f"missing values in {gaps}: {instead}")
    return rows


def located(sheet: Sheet, rows: np.ndarray) -> Sheet:
    """Return a sheet whose places are those of some of its rows."""
    kept = np.flatnonzero(rows)
    return Sheet(
        sheet.path,
        sheet.frame,
        sheet.target,
        lambda row: sheet.place(int(kept[row])),
        sheet.notes,
        sheet.missing,
        sheet.decimal,
        sheet.textual,
    )


def asked_for(key: str, names: Sequence[str], sheet: Sheet) -> list[str]:
    """Return the columns that a key names.

    Raises:
        DataError: there is none of such a name.
    """
    there = [str(name) for name in sheet.frame.columns]
    for name in names:
        if tidy(name) not in there:
            raise DataError(f"{sheet.path}: data.{key}: no column '{name}'{nearest(name, there)}", key)
    return [tidy(name) for name in names]


def is_missing(column: Any, sheet: Sheet, spec: DataSpec) -> np.ndarray:
    """Find where a column has no value [N]: nothing at all, or one of the words and numbers that stand for it."""
    missing = column.isna().to_numpy(bool)
    words = sheet.missing | set(spec.na_values or ())
    written = [word.replace(sheet.decimal, ".") for word in words if is_number(word, sheet.decimal)]
    if is_plain(column):
        if not written:
            return missing
        marks = marks_of(column.dtype, written)
        half = column.dtype == np.float16  # pandas looks nothing up in it
        return missing | (np.isin(column.to_numpy(), marks) if half else column.isin(marks).to_numpy(bool))
    marks = [float(word) for word in written]
    texts = as_texts(column)
    missing = missing | texts.isin(words).to_numpy(bool)
    if marks:  # -999.0 is -999
        there = np.flatnonzero(~missing)
        values = [float(t.replace(sheet.decimal, ".")) if is_number(t, sheet.decimal) else np.nan for t in texts[there]]
        missing[there[np.isin(values, marks)]] = True
    return missing


def marks_of(dtype: Any, written: Sequence[str]) -> list[Any]:
    """Return marks for a missing value as a column of such a type holds them: integers exactly, floats as rounded.

    >>> marks_of(np.dtype(np.float32), ["-999.9"]) == [np.float32(-999.9)], marks_of(np.dtype(int), ["-999.0", "0.5"])
    (True, [-999])
    """
    exact = [Fraction(word) for word in written if "n" not in word.lower()]  # no infinity
    if pd.api.types.is_integer_dtype(dtype):
        bounds = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        return [int(mark) for mark in exact if mark.denominator == 1 and bounds.min <= mark <= bounds.max]
    if not pd.api.types.is_float_dtype(dtype):
        return [float(mark) for mark in exact]
    kind = getattr(dtype, "numpy_dtype", dtype).type
    with np.errstate(over="ignore"):
        marks = [kind(word) for word in written]
        if kind is np.float64:  # single precision, stored in double
            marks += [kind(np.float32(word)) for word, one in zip(written, marks, strict=True) if one != np.round(one)]
    return [one for one in marks if np.isfinite(one)]  # -9999e9 is no infinity of half precision


def refuse_missing(missing: dict[str, np.ndarray], target: str, sheet: Sheet, spec: DataSpec) -> None:
    """Refuse missing values where the study does not say what becomes of them; of the target they can only be left out.

    Raises:
        DataError: naming the first.
    """
    if spec.missing == "drop_rows":
        return
    for name, where in missing.items():
        if not where.any() or (name != target and spec.missing != "refuse"):
            continue
        row = int(np.argmax(where))
        word = sheet.written(name, row) if sheet.written else sheet.frame[name].iloc[row]
        is_word = isinstance(word, str) and word.strip() != ""
        found = f"{tidy(str(word))!r}, a missing value" if is_word else "a missing value"
        way = "data.missing: drop_rows leaves such rows out" if name == target else MISSING_HINT
        if is_word and spec.na_values is None and (name == target or is_text(sheet.frame[name], sheet, spec)):
            way += f"; data.na_values: [] makes it a {'label' if name == target else 'text like others'}"
        raise_at_first(
            where, sheet.frame[name], sheet, "a label or a number" if name == target else "a number", found, way
        )


def is_text(column: Any, sheet: Sheet, spec: DataSpec) -> bool:
    """Whether a column is to be taken for text: most of its values are no numbers, and the study allows it."""
    if spec.categorical != "one_hot" or is_plain(column):
        return False
    there = as_texts(column)[~column.isna()]
    if not holds_text(column) or (len(there) and decimal_hint(there, sheet)):
        return False
    return float(np.mean(there.map(lambda text: is_number(text, sheet.decimal)))) < 0.5 if len(there) else False


def holds_text(column: Any) -> bool:
    """Whether a column's values are texts, and no dates, lists or bytes."""
    return bool(column[~column.isna()].map(lambda value: isinstance(value, str)).all())


def text_hint(column: Any, sheet: Sheet, others: Sequence[str] = (), asked: bool = True) -> str:
    """Say what can become of a column that holds text; nothing for a single slip among numbers.

    Args:
        column: it.
        sheet: where it is from.
        others: all columns that are used, the target last.
        asked: whether the study says which column is to be predicted.
    """
    texts = as_texts(column)[~column.isna()]
    words = texts[~texts.map(lambda text: is_number(text, sheet.decimal)).astype(bool)]
    if not holds_text(column):
        return "data.drop leaves the column out"
    if decimal_hint(words, sheet):
        return ""
    if 2 * len(words) < len(texts):
        return f"its other values are numbers; data.na_values: [{as_yaml(words.iloc[0])}] if that is a missing value"
    way = "data.categorical: one_hot makes inputs of it, data.drop leaves it out"
    if not asked and may_be_target(str(column.name), others):
        return (
            f"if it is what to predict, write `target: {as_yaml(str(column.name))}` below 'data:' (the last column, "
            f"{others[-1]!r}, is predicted where a study does not say); else {way}"
        )
    return f"a text column: {way}"


def may_be_target(name: str, columns: Sequence[str]) -> bool:
    """Whether a column is what people call their labels, or stands where they put them: first.

    >>> may_be_target("Species", ["a", "Species", "b"]), may_be_target("x", ["x", "y"]), may_be_target("x", ["y", "x"])
    (True, True, False)
    """
    return name.casefold().strip() in LABEL_NAMES or list(columns).index(name) == 0


def text_values(column: Any, rows: np.ndarray, sheet: Sheet, keep: bool) -> np.ndarray:
    """Return a text column's values [N], None where missing.

    Raises:
        DataError: it has so many that it names the rows rather than says something of them.
    """
    texts = tidied(column[rows].astype(object), "texts", sheet)
    texts = texts.astype(object).where(~texts.isna(), None)
    different, there = texts.nunique(), int(texts.notna().sum())
    if not keep and (different == there or different > max(MANY_CLASSES, there / 2)):
        name = column.name
        raise DataError(
            f"{sheet.path}: column {name!r} has {different} different texts in {there} rows, each of which would be an "
            f"input: leave it out with data.drop: [{as_yaml(name)}], or learn from it with data.keep: [{as_yaml(name)}]"
        )
    note_alike(sorted(texts.dropna().unique()), str(column.name), "texts", sheet)
    return texts.to_numpy(object)


def refuse_dates(labels: Any, task: str, sheet: Sheet) -> None:
    """Refuse points and spans of time as what is to be predicted, unless the study says that they are labels.

    Raises:
        DataError: they are.
    """
    types = pd.api.types
    there = labels[~labels.isna()]
    named = types.is_datetime64_any_dtype(labels) or types.is_timedelta64_dtype(labels)
    dates = (datetime.date, datetime.time, datetime.timedelta)
    if task != "classification" and len(there) and (named or isinstance(there.iloc[0], dates)):
        raise DataError(
            f"{sheet.path}: the target {labels.name!r} holds dates or times, as {str(there.iloc[0])!r}: store it as a "
            "number if it is a quantity, set data.task: classification if they are labels, or data.target to another "
            "column"
        )


def look_for_row_numbers(name: str, values: np.ndarray, keep: bool, sheet: Sheet) -> None:
    """Refuse a feature that numbers the rows, and tell of one that may.

    Raises:
        DataError: its name and its values are those of row numbers.
    """
    if keep:
        return
    there = values[np.isfinite(values)]
    if numbers_rows(name, values):
        what = "is an index that a table's writer added" if is_written(name) else "numbers the rows"

        raise DataError(
            f"{sheet.path}: column {name!r} {what} ({there.min():g} to {there.max():g}): leave it out with data.drop: "
            f"[{as_yaml(name)}], or learn from it with data.keep: [{as_yaml(name)}]"
        )
    if step := step_of(values):
        steps = "" if step == 1 else f" in steps of {step:g}"
        span = f"{there[0]:g} to {there[-1]:g}"
        sheet.notes.append(
            f"column {name!r} counts the rows{steps} ({span}); data.drop: [{as_yaml(name)}] leaves it out"
        )
    elif has_each_once(values):
        sheet.notes.append(
            f"column {name!r} has each of {there.min():g} to {there.max():g} once, as row numbers do; data.drop: "
            f"[{as_yaml(name)}] leaves it out"
        )
    elif is_counter(name) and len(np.unique(there)) > 2:
        sheet.notes.append(
            f"column {name!r} is learned from, whatever its name says; data.drop: [{as_yaml(name)}] leaves it out"
        )


def look_for_row_numbers_in_target(labels: Any, asked: bool, sheet: Sheet) -> None:
    """Refuse a last column that numbers the rows as what is to be predicted, where no study asked for it; else tell.

    Raises:
        DataError: its name and its values are those of row numbers.
    """
    name, texts = str(labels.name), as_texts(labels)[~labels.isna()]
    numeric = texts.map(lambda text: is_number(text, sheet.decimal) or text in sheet.missing).all()
    values = (
        texts[~texts.isin(sheet.missing)].str.replace(sheet.decimal, ".", regex=False).astype(float) if numeric else []
    )
    if not is_written(name) and not numbers_rows(name, np.asarray(values, np.float64)):
        return
    if asked:
        sheet.notes.append(f"the target {name!r} numbers the rows")
        return
    raise DataError(
        f"{sheet.path}: the last column, {name!r}, numbers the rows; say what is to be predicted with data.target, and "
        f"leave this column out with data.drop: [{as_yaml(name)}]"
    )
