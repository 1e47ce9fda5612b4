"""What most likely becomes of a file's columns as inputs: numbers, texts, what is left out, what is missing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from actlab.data.columns import holds_text, is_missing, text_hint
from actlab.data.labels import MANY_CLASSES
from actlab.data.numbers import as_numbers, as_texts, decimal_hint, is_plain, numbers
from actlab.data.row_numbers import is_written, numbers_rows
from actlab.data.sheet import MISSING, Sheet, is_number, tidy
from actlab.data.spec import DataSpec
from actlab.data.table import DataError
from actlab.data.text_files import is_date
from actlab.naming import as_yaml, listed

MARKS = (
    "?",
    "??",
    "-",
    "--",
    "---",
    ".",
    "..",
    "*",
    "na",
    "n.a.",
    "n.a",
    "n/d",
    "nd",
    "missing",
    "unknown",
    "nil",
    "none",
)
"""What people write for a value that is missing, besides what pandas knows, in lower case."""
SENTINELS = (-99.0, -999.0, -9999.0, -999.9, -99999.0, 9999.0, 99999.0)
"""Numbers that may stand for one."""
FEW_MISSING = 0.1
"""Where no larger share of the rows lacks a value, these rows are left out."""


def without_nested(path: Path, why: dict[str, str]) -> DataSpec:
    """Leave the columns of a Parquet file out that hold lists, records or bytes."""
    import pyarrow.parquet as parquet
    import pyarrow.types as types

    from actlab.data import parquet_file

    spec = DataSpec(str(path))
    parquet_file.require_footer(path)
    try:
        schema = parquet.read_schema(path)
    except Exception:  # pyarrow's errors have no base of their own; whoever reads it says why
        return spec
    drop = tuple(
        tidy(field.name)
        for field in schema
        if types.is_nested(field.type) or types.is_binary(field.type) or types.is_large_binary(field.type)
    )
    if drop:
        why["drop"] = f"unsure: lists, records or bytes ({listed(drop)})"
    return replace(spec, drop=drop)


def with_missing_marks(sheet: Sheet, spec: DataSpec, why: dict[str, str]) -> DataSpec:
    """Name the words that stand for a missing value in a text file, where they are not the usual ones."""
    if not sheet.textual:
        return spec
    marks: dict[str, str] = {}
    for name in sheet.frame.columns:
        column = sheet.frame[name]
        if is_plain(column):
            continue
        texts = as_texts(column)
        texts = texts[~texts.isin(sheet.missing)]
        counts = texts.value_counts()
        words = [word for word in counts.index if not is_number(word, sheet.decimal)]
        share = float(sum(counts[word] for word in words) / max(len(texts), 1))
        known = [word for word in words if word.lower() in MARKS]
        if words and share < 0.5 and (len(known) == len(words) or len(words) == 1) and len(words) < len(counts):
            marks |= dict.fromkeys(words, name)  # among numbers
        elif "?" in known:
            marks["?"] = name
    if not marks:
        return spec
    also = words_for_missing(sheet)
    used = [word for word in MISSING if word in also]
    why["na_values"] = f"unsure: {listed(map(repr, marks))} (in {listed(dict.fromkeys(marks.values()))}) means missing"
    return replace(spec, na_values=(*marks, *used))


def words_for_missing(sheet: Sheet) -> set[str]:
    """List which of the usual words for a missing value a text file holds: those that are named replace them."""
    found: set[str] = set()
    if not sheet.textual:
        return found
    for name in map(str, sheet.frame.columns):
        column = sheet.frame[name]
        if not is_plain(column):
            found |= set(as_texts(column).unique())
        elif sheet.written is not None:
            rows = np.flatnonzero(column.isna().to_numpy(bool))
            found |= {tidy(str(sheet.written(name, int(row)))) for row in rows}
    return found & set(MISSING)


def kinds(sheet: Sheet, spec: DataSpec) -> dict[str, str]:
    """Say of each column that is not left out what it holds: numbers, text, dates, nothing, or something else."""
    return {str(name): kind_of(sheet.frame[name], sheet, spec) for name in sheet.frame.columns if name not in spec.drop}


def kind_of(column: Any, sheet: Sheet, spec: DataSpec) -> str:
    """Say what a column holds."""
    column = as_numbers(column)
    there = column[~is_missing(column, sheet, spec)]
    if len(there) == 0:
        return "nothing"
    if is_plain(column):
        return "numbers"
    if not holds_text(there):
        return "dates" if hasattr(there.iloc[0], "day") or hasattr(there.iloc[0], "total_seconds") else "something else"
    texts = as_texts(there)
    different = texts.unique()
    number = np.array([is_number(text, sheet.decimal) for text in different])
    if number.all():
        return "numbers"
    if np.mean([is_date(text) for text in different]) >= 0.9:
        return "dates"
    if decimal_hint(texts[texts.isin(different[~number])], sheet):
        return "numbers in another notation"
    return "text" if float(texts.isin(different[number]).mean()) < 0.5 else "numbers and texts"


def chosen_features(
    spec: DataSpec, target: str, gone: np.ndarray, columns: dict[str, str], sheet: Sheet, why: dict[str, str]
) -> DataSpec:
    """Say which columns are learned from, how texts become inputs, and what becomes of missing values.

    Args:
        spec: with target and task.
        target: its column's name.
        gone: the rows [N] without it.
        columns: what each holds.
        sheet: the file's columns.
        why: gets a reason for each key.
    """
    drop, reasons = list(spec.drop), [why["drop"].removeprefix("unsure: ")] if spec.drop else []
    texts, missing = [], {target: gone}
    for name, kind in columns.items():
        if name == target or name in sheet.index:
            continue
        column = sheet.frame[name]
        lacks = is_missing(column, sheet, spec)
        if reason := why_not(name, kind, column.mask(lacks) if lacks.any() else column, lacks | gone, sheet):
            drop.append(name)
            reasons.append(f"{as_yaml(name)} {reason}")
            continue
        missing[name] = lacks
        texts += [name] if kind == "text" else []
    while len(missing) > 2 and gone.any() and np.any(np.stack(list(missing.values())), axis=0).mean() > 0.5:
        name = max((one for one in missing if one != target), key=lambda one: missing[one].sum())
        drop.append(name)
        reasons.append(f"{as_yaml(name)} lacks a value in {int(missing.pop(name).sum())} rows")
        texts = [one for one in texts if one != name]
    if len(drop) > len(spec.drop):
        why["drop"] = f"unsure: {'; '.join(reasons[:6])}{f'; and {len(reasons) - 6} more' if len(reasons) > 6 else ''}"
    if texts:
        why["categorical"] = f"texts ({listed(texts)}) become an input for each value; refuse refuses them"
    how = how_missing(missing, target, why)
    return replace(spec, drop=tuple(drop), categorical="one_hot" if texts else "refuse", missing=how)


def why_not(name: str, kind: str, column: Any, lacks: np.ndarray, sheet: Sheet) -> str:
    """Say why a column is not to be learned from; empty where it is."""
    there = len(column) - int(lacks.sum())
    if kind not in ("numbers", "text"):
        return {"nothing": "is empty", "dates": "holds dates or times"}.get(kind, f"holds {kind}")
    if there < max(3, 0.05 * len(column)):
        return f"has a value in {there} rows only"
    if kind == "text":
        different = column[~lacks].nunique()
        if different == there or different > MANY_CLASSES or (different > 20 and different > there / 2):
            return f"has {different} different texts in {there} rows"
        return ""
    if is_written(name):
        return "is an index that a table's writer added"
    try:
        values = numbers(
            as_numbers(column),
            Sheet(sheet.path, sheet.frame, sheet.target, sheet.place, decimal=sheet.decimal),
            text_hint,
        )
    except DataError as error:
        return f"({str(error).removeprefix(f'{sheet.path}: column {name!r}, ')})"
    return "numbers the rows" if numbers_rows(name, values) else ""


def how_missing(missing: dict[str, np.ndarray], target: str, why: dict[str, str]) -> str:
    """Say what becomes of missing values: few rows are left out, in more the column's mean stands for them."""
    holes = {name: int(where.sum()) for name, where in missing.items() if where.any()}
    if not holes:
        return "refuse"
    rows = np.any(np.stack(list(missing.values())), axis=0)
    counted = listed(f"{name}: {number}" for name, number in holes.items())
    if missing[target].any() or rows.mean() <= FEW_MISSING:
        other = "" if missing[target].any() else "; mean puts the column's mean there"
        why["missing"] = (
            f"unsure: {int(rows.sum())} of {len(rows)} rows lack a value ({counted}) and are left out{other}"
        )
        return "drop_rows"
    why["missing"] = f"unsure: the column's mean stands for missing values ({counted}); drop_rows leaves such rows out"
    return "mean"


def doubtful_numbers(sheet: Sheet, columns: dict[str, str], target: str, spec: DataSpec) -> list[str]:
    """Tell of numbers that may stand for a missing value: far below or above all others, as -999."""
    found = []
    for name, kind in columns.items():
        column = sheet.frame[name]
        if kind != "numbers" or name in (target, *spec.drop) or not is_plain(column):
            continue
        values = column.to_numpy(np.float64, na_value=np.nan)
        for mark in SENTINELS:
            rest = values[np.isfinite(values) & (values != mark)]
            number = int(np.sum(values == mark))
            if number > 1 and len(rest) and (np.all(rest > mark / 2) if mark < 0 else np.all(rest < mark / 2)):
                words = spec.na_values if spec.na_values is not None else sorted(words_for_missing(sheet))
                marks = ", ".join([*map(as_yaml, words), f"{mark:g}"])
                how = spec.missing if spec.missing != "refuse" else "mean"
                means = f"na_values: [{marks}] with missing: {how} if that means missing"
                found.append(f"column {name!r} holds {mark:g} in {number} rows; {means}")
    return found
