"""A user's own file (.csv, .tsv, .parquet or .npz) read into a table, or refused with the place of what is wrong."""

import hashlib
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from actlab import sources
from actlab.aliases import close
from actlab.checksums import file_sha256
from actlab.data.columns import table_of
from actlab.data.limits import require_file, require_values
from actlab.data.names import SUFFIXES
from actlab.data.sheet import Sheet, chosen, default_target, require_unique, tidy
from actlab.data.spec import OF_TEXT, DataSpec
from actlab.data.table import DataError, Table
from actlab.data.text_files import read_text
from actlab.naming import MOST_LINE, MOST_LISTED, counted, listed, shortened

MOST_NEIGHBOURS = 1000  # that a name may be the misspelling of


def read(spec: DataSpec) -> Table:
    """Read a file of columns: a .csv, .tsv or .parquet file with named ones, an .npz file with arrays x (or X) and y.

    Raises:
        DataError: with file, column and line or row.
    """
    how = replace(spec, standardize=True, seed=0, train_rows=None, label_noise=0.0, target_loss=None)
    return table_in(existing(spec.name), how, checksum(existing(spec.name)))


@lru_cache(maxsize=2)
def table_in(path: Path, spec: DataSpec, content: str) -> Table:
    """Read a file once for all the splits that a study makes of it.

    Args:
        path: to the file.
        spec: how to read it; what is done with its rows is left out.
        content: the file's checksum.
    """
    if path.suffix.lower() in (".csv", ".tsv"):
        return table_of(read_text(path, spec), spec)
    refuse_of_text(spec, f"a {path.suffix.lower()} file")
    reader = read_npz if path.suffix.lower() == ".npz" else read_parquet
    return table_of(reader(path, spec), spec)


def refuse_of_text(spec: DataSpec, what: str) -> None:
    """Refuse keys that say how text is read, where there is none.

    Raises:
        DataError: naming the first.
    """
    for key in spec.asked(OF_TEXT):
        raise DataError(f"{spec.name}: data.{key} says how a text file is read; leave it out for {what}", key)


def call(function: Callable[[], Any], name: str) -> Any:
    """Call a user's function that makes a data set.

    Raises:
        DataError: it fails.
    """
    try:
        with sources.reading():  # its rows are checked by themselves
            return function()
    except Exception as error:
        raise DataError(f"{name}: fails: {sources.failure(error)}") from error


def make(path: Path, name: str) -> None:
    """Call a user's function that makes a data set: what a trial does."""
    from actlab.data.datasets import DATASETS

    call(DATASETS.load(path, name).make, name)


def of_function(function: Callable[[], Any], spec: DataSpec) -> Table:
    """Read what a user's function makes: a ``Table``, or arrays x [N, F] and y [N], under the rules for files.

    Raises:
        DataError: it fails, or gives something else, or arrays that cannot be used.
    """
    path = Path(spec.name)
    refuse_of_text(spec, "a function")
    made = call(function, spec.name)
    if isinstance(made, Table):
        y = np.asarray(made.classes)[made.y] if made.classes else made.y
        return table_of(from_arrays({"x": made.x, "y": y}, None, path, made.features), spec)
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise DataError(f"{path}: gives {type(made).__name__}; expected arrays x [N, F] and y [N], or a Table")
    x, y = (np.asarray(array) for array in made)
    return table_of(from_arrays({"x": x, "y": y}, None, path), spec)


def rows_checksum(function: Callable[[], Any], name: str) -> str:
    """Hash the rows that a user's function makes, to six digits: another processor may give other last bits.

    Raises:
        DataError: it fails, or gives other rows when it is called again.
    """

    def digest() -> str:
        made = call(function, name)
        arrays = (made.x, made.y) if isinstance(made, Table) else made if isinstance(made, tuple | list) else (made,)
        content = hashlib.sha256()
        for array in map(np.asarray, arrays):
            content.update(repr(array.shape).encode())
            texts = np.char.mod("%.6g", array) if array.dtype.kind == "f" else array.astype(str)
            content.update("\n".join(texts.ravel()).encode())
        return content.hexdigest()

    first = digest()
    if digest() != first:
        raise DataError(f"{name}: gives other rows when it is called again; let it draw from a seed of its own")
    return first


def existing(name: str) -> Path:
    """Return the path to a file of a known type.

    Raises:
        DataError: missing, not a file, or of an unknown type.
    """
    path, shown = expanded(name), shortened(name, MOST_LINE)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{shown}: unknown file type {shortened(path.suffix, 40)!r}; expected one of {', '.join(SUFFIXES)}"
        )
    if not os.path.lexists(path):  # false of what cannot be a name, too
        neighbours = [other.name for other in files_in(path.parent) if other.suffix.lower() in SUFFIXES]
        by_stem = {Path(one).stem: one for one in sorted(neighbours, reverse=True)}  # endings alone are alike
        near = close(path.stem, by_stem, 0.7)
        others = f"; beside it there are {listed(sorted(neighbours))}" if neighbours else ""
        there = f"; did you mean '{shortened(by_stem[near])}'?" if near else others
        raise DataError(f"{shown}: no such file{there}")
    require_file(path)
    return path


def expanded(name: str) -> Path:
    """Return a path with ``~`` and ``~user`` written out where there is such a user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def files_in(folder: Path) -> list[Path]:
    """List what lies in a folder; nothing where it cannot be read."""
    try:
        return list(itertools.islice(folder.iterdir(), MOST_NEIGHBOURS))
    except (OSError, ValueError):
        return []


def checksum(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal.

    Raises:
        DataError: unreadable.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        unreadable(path, error)


def unreadable(path: Path, error: Exception) -> NoReturn:
    """Refuse a file that its format's reader cannot read, with the first line of the reader's reason.

    Raises:
        DataError: always.
    """
    reason = sources.first_line(error) or type(error).__name__
    raise DataError(f"{path}: cannot be read as {path.suffix.lower()}: {reason}") from error


def read_parquet(path: Path, spec: DataSpec) -> Sheet:
    """Read a Parquet file of plain columns; those that are a pandas index in it are left out unless they are named.

    Raises:
        DataError: it cannot be read, or its columns are not plain.
    """
    from actlab.data import parquet_file

    try:
        stored, everything = parquet_file.table(path, [tidy(name) for name in spec.drop])
        index = [
            name
            for name in (stored.schema.pandas_metadata or {}).get("index_columns", [])
            if name in stored.column_names
        ]
        frame = stored.to_pandas(ignore_metadata=True, types_mapper=parquet_file.with_missing)
    except DataError:
        raise
    except Exception as error:  # pyarrow's errors have no base of their own
        unreadable(path, error)
    frame.columns = pd.Index([tidy(str(name)) for name in frame.columns])
    frame = frame if len(everything) == frame.shape[1] else frame.reindex(columns=[tidy(name) for name in everything])
    index = [tidy(name) for name in index]
    names = [name for name in frame.columns if name not in index]
    if not names:
        raise DataError(f"{path}: expected columns, found none")
    target = default_target(spec, [*index, *names], path)
    return Sheet(path, frame, target, row_place, index=tuple(index))


def row_place(row: int) -> str:
    """Name a row as people count.

    >>> row_place(0)
    'row 1'
    """
    return f"row {row + 1}"


def read_npz(path: Path, spec: DataSpec) -> Sheet:
    """Read arrays x (or X) [N, F] and y [N] as a frame with columns x0, x1, ... and y.

    Raises:
        DataError: it cannot be read, or holds no such arrays.
    """
    from actlab.data import arrays_file

    try:
        names = arrays_file.names_in(path)
        if not names:
            raise DataError(f"{path}: expected arrays x and y, found none")
        key, inputs = x_and_y(names, spec.target, path)
        arrays = {name: arrays_file.array(path, name, name == inputs) for name in (inputs, key)}
    except DataError:
        raise
    except Exception as error:  # zipfile's, zlib's and NumPy's
        unreadable(path, error)
    return from_arrays(arrays, key, path)


def x_and_y(names: list[str], target: str | None, path: Path) -> tuple[str, str]:
    """Return which arrays are the target and the features, in this order.

    Raises:
        DataError: one of them is missing.
    """
    key = chosen(target or "y", names, path)
    inputs = next((name for name in ("x", "X") if name in names and name != key), None)
    if inputs is None:
        raise DataError(f"{path}: expected an array x (or X) of features; the arrays: {listed(names, MOST_LISTED)}")
    return key, inputs


def from_arrays(
    arrays: Mapping[str, np.ndarray], target: str | None, path: Path, features: Sequence[str] = ()
) -> Sheet:
    """Return arrays x (or X) [N, F] and y [N] as a frame with columns x0, x1, ... (or of the given names) and y.

    Raises:
        DataError: one is missing, or has another shape or type.
    """
    key, inputs = x_and_y(list(arrays), target, path)
    x, y = arrays[inputs], arrays[key]
    if x.ndim != 2 or x.shape[1] == 0:
        raise DataError(f"{path}: array {inputs!r} has shape {x.shape}; expected [rows, features]")
    if x.dtype.kind not in "fiub":
        raise DataError(f"{path}: array {inputs!r} holds {x.dtype}; expected numbers")
    if y.dtype.kind in "Vc":
        raise DataError(f"{path}: array {key!r} holds {y.dtype}; expected numbers or text")
    require_values(x.shape[0], x.shape[1], path)
    if y.dtype.kind == "U":
        try:
            "".join(set(y.tolist())).encode()
        except ValueError:
            raise DataError(f"{path}: array {key!r} holds text with letters that Unicode does not have") from None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(f"{path}: array {key!r} has shape {y.shape}; expected one value per row")
    if len(x) != len(y):
        raise DataError(
            f"{path}: {inputs!r} has {counted(len(x), 'row')} and {key!r} has {len(y)}; expected the same number"
        )
    columns = [tidy(name) for name in features] or [f"x{i}" for i in range(x.shape[1])]
    require_unique(columns, path)
    while key in columns:  # a feature may well be called y
        key += "_"
    frame = pd.DataFrame(x, columns=columns)
    frame[key] = np.char.decode(y, "utf-8", "replace") if y.dtype.kind == "S" else y
    return Sheet(path, frame, key, row_place)
