"""What a file of rows most likely means, for a study that is begun with it: target, task, columns, marks.

``load`` refuses what may be read in two ways; here the likelier way is taken, and said. Nothing of it is kept but the
study's section ``data``, in which each guess stands beside what else it could be.
"""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from actlab import data
from actlab.data import files, guess_columns, guess_target, guess_text
from actlab.data.columns import is_missing
from actlab.data.sheet import Sheet
from actlab.data.spec import DataSpec
from actlab.data.splits import Data, RareClassError
from actlab.data.table import DataError
from actlab.data.text_files import read_text
from actlab.naming import as_yaml, listed

MOST_TARGETS = 4
"""So many columns are tried as the target where none is named like one."""
MANY_ROWS = 20_000
"""Of more training rows a first look needs not all."""


FEWEST_ROWS = 6
"""Three of each of two classes, one per split."""


@dataclass(frozen=True)
class Guess:
    """What was understood of a file.

    Attributes:
        spec: how it is to be read.
        why: of each key that is not at its default why, and what else it could be.
        unsure: what else is doubtful.
        rows: the file, read so.
    """

    spec: DataSpec
    why: dict[str, str]
    unsure: tuple[str, ...]
    rows: Data


def guess(path: Path, target: str | None = None) -> Guess:
    """Say how a file of rows is to be read.

    Args:
        path: of a .csv, .tsv, .parquet or .npz file.
        target: the column to predict; by default the one that is named like a target, or looks like one.

    Raises:
        DataError: it cannot be read in any way that was thought of, and why.
    """
    why: dict[str, str] = {}
    path = Path(os.path.realpath(files.existing(str(path))))  # as a study names it: it is read once for both
    sheet, spec = sheet_of(path, target, why)
    if len(sheet.frame) < FEWEST_ROWS:
        raise DataError(f"{path}: expected rows of data, {FEWEST_ROWS} at least, found {len(sheet.frame) or 'none'}")
    spec = guess_columns.with_missing_marks(sheet, spec, why)
    sheet = replace(sheet, missing=sheet.missing | set(spec.na_values or ()))
    columns = guess_columns.kinds(sheet, spec)
    if len(columns) < 2:
        left_out = f"; left out: {why['drop'].removeprefix('unsure: ')}" if "drop" in why else ""
        raise DataError(
            f"{path}: expected a column to predict and one to learn from, found {listed(columns)}{left_out}"
        )
    candidates, named = guess_target.candidates(columns, sheet, target)
    first: DataError | None = None
    for one in candidates[: 1 if named else MOST_TARGETS]:
        doubt = "" if named else guess_target.why_not_last(one, columns, sheet)
        doubt = doubt or ("" if target else guess_target.by_name(one, columns))
        others = [name for name in candidates if name != one]
        try:
            return with_target(one, others, columns, sheet, spec, {**why, "target": doubt})
        except DataError as error:
            way = f"; --target {as_yaml(candidates[1])}, say, predicts another column" if candidates[1:] else ""
            first = first or DataError(f"{error}{way}", error.key)
            if isinstance(error, RareClassError) and error.few:
                break
    raise first or DataError(
        f"{path}: no column can be the target: each is empty, the same in every row, numbers the rows, is a date, or "
        "has a text of its own in nearly every row"
    )


def sheet_of(path: Path, target: str | None, why: dict[str, str]) -> tuple[Sheet, DataSpec]:
    """Read a file's columns, all of them that can be, without choosing among them."""
    if path.suffix.lower() in (".csv", ".tsv"):
        spec = guess_text.spec_of(path, why)
        return read_text(path, spec), spec
    if path.suffix.lower() == ".npz":
        spec = DataSpec(str(path), target=target or guess_target.array_in(path))
        return files.read_npz(path, spec), spec
    spec = guess_columns.without_nested(path, why)
    return files.read_parquet(path, spec), spec


def with_target(
    target: str, others: list[str], columns: dict[str, str], sheet: Sheet, spec: DataSpec, why: dict[str, str]
) -> Guess:
    """Say how a file is read to predict one of its columns.

    Raises:
        DataError: it cannot be.
    """
    unsure: list[str] = []
    labels = sheet.frame[target]
    gone = is_missing(labels, sheet, spec)
    if gone.any() and spec.na_values is None and guess_target.is_word_for_class(labels, gone, sheet):
        spec, gone = replace(spec, na_values=()), labels.isna().to_numpy(bool)
        why["na_values"] = f"none, so that a class of {target!r} may be called so"
    task = guess_target.task(labels[~gone], target, sheet, why)
    if sheet.path.suffix.lower() == ".npz":
        spec = replace(spec, target=None if target == "y" else spec.target)
        del why["target"]
    else:
        spec = replace(spec, target=target)
        why["target"] = (why["target"] or "the column to predict") + (
            f"; `actlab new` with --target takes another: {listed(map(as_yaml, others), 4, 40)}" if others else ""
        )
    spec = guess_columns.chosen_features(replace(spec, task=task), target, gone, columns, sheet, why)
    rows = data.load(spec)
    if len(rows.train.y) > MANY_ROWS:
        why["train_rows"] = f"of {len(rows.train.y)} training rows, for a first look; without this line all of them"
        spec = replace(spec, train_rows=MANY_ROWS)
        rows = data.load(spec)
    for text in rows.notes:
        if not any(text.startswith(begun) for begun in ("missing values in", "columns are separated")):
            unsure.append(re.sub(r"data\.drop: \[(.+?)\] leaves", r"\1 in drop leaves", text).replace("data.", ""))
    unsure += guess_columns.doubtful_numbers(sheet, columns, target, spec)
    return Guess(spec, why, tuple(dict.fromkeys(unsure)), rows)
