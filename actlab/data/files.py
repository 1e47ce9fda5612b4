"""A user's own file (.csv, .parquet or .npz) read into a table, or refused with the place of the first thing wrong."""

import csv
import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from actlab import sources
from actlab.checksums import file_sha256
from actlab.data.table import DataError, Table
from actlab.naming import nearest

SUFFIXES = (".npz", ".csv", ".parquet")
# Under task: auto, integer targets with more distinct values than this, and than half of the rows, are no labels.
MANY_CLASSES = 50

Place = Callable[[int], str]
"""Names a row, counted from 0, as its reader counts: a line of a CSV file, a row of anything else."""


def read(name: str, target: str | None, task: str) -> Table:
    """Read a file of numbers and a target.

    Args:
        name: path to a .csv or .parquet file with named columns, or to an .npz file with arrays x (or X) and y.
        target: the target's column (default: the last) or array (default: y); every other column is a feature.
        task: ``classification``, ``regression`` or ``auto``: text, booleans and integers are labels, other numbers
            are quantities.

    Raises:
        DataError: with file, column and line or row.
    """
    path = existing(name)
    readers = {".npz": read_npz, ".csv": read_csv, ".parquet": read_parquet}
    return table_of(*readers[path.suffix.lower()](path, target), task, path)


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


def of_function(function: Callable[[], Any], name: str, task: str) -> Table:
    """Read what a user's function makes: a ``Table``, or arrays x [N, F] and y [N], under the rules for files.

    Raises:
        DataError: it fails, or gives something else, or arrays that cannot be used.
    """
    path = Path(name)
    made = call(function, name)
    if isinstance(made, Table):
        y = np.asarray(made.classes)[made.y] if made.classes else made.y
        return table_of(*from_arrays({"x": made.x, "y": y}, None, path, made.features), task, path)
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise DataError(f"{path}: gives {type(made).__name__}; expected arrays x [N, F] and y [N], or a Table")
    x, y = (np.asarray(array) for array in made)
    return table_of(*from_arrays({"x": x, "y": y}, None, path), task, path)


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


def table_of(frame: pd.DataFrame, target: str, place: Place, task: str, path: Path) -> Table:
    """Return a frame's columns as a table.

    Raises:
        DataError: with file, column and line or row.
    """
    if len(frame) == 0:
        raise DataError(f"{path}: expected rows of data, found none")
    features = [column for column in frame.columns if column != target]
    if not features:
        raise DataError(f"{path}: expected feature columns besides the target {target!r}, found none")
    x = [numbers(frame[column], path, place) for column in features]
    y, classes = encoded(frame[target], task, path, place)
    return Table(np.stack(x, axis=1), y, tuple(features), classes)


def existing(name: str) -> Path:
    """Return the path to a file of a known type.

    Raises:
        DataError: missing, not a file, or of an unknown type.
    """
    path = Path(name).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: unknown file type {path.suffix!r}; expected one of {', '.join(SUFFIXES)}")
    if not path.exists():
        neighbours = [other.name for other in path.parent.glob("*") if other.suffix.lower() in SUFFIXES]
        there = nearest(path.name, sorted(neighbours)) if neighbours else ""
        raise DataError(f"{path}: no such file{there}")
    if not path.is_file():
        raise DataError(f"{path}: expected a file, found a folder")
    return path


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
    """Refuse a file that its format's reader cannot read, with the first line of the reader's reason."""
    reason = sources.first_line(error) or type(error).__name__
    raise DataError(f"{path}: cannot be read as {path.suffix.lower()}: {reason}") from error


def read_csv(path: Path, target: str | None) -> tuple[pd.DataFrame, str, Place]:
    """Read a comma-separated file whose first line names the columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next((row for row in csv.reader(file, skipinitialspace=True) if not blank(row)), [])
        names = [name.strip() for name in header]
        require_header(names, path)
        with warnings.catch_warnings():
            # Lines longer than the header: pandas would drop the surplus, or take the first column for an index.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                names=names,
                header=0,
                index_col=False,
                skipinitialspace=True,
                low_memory=False,
                encoding="utf-8-sig",
            )
    except pd.errors.ParserWarning:
        raise DataError(f"{path}: {ragged_line(path, len(names))}") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{path}: {ragged_line(path, len(names)) or str(error).strip()}") from None
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        unreadable(path, error)
    return frame, chosen(target, names, path), lambda row: f"line {csv_line(path, row)}"


def require_header(names: list[str], path: Path) -> None:
    """Refuse a first line that does not name each column once.

    Raises:
        DataError: what is wrong with it.
    """
    if not names:
        raise DataError(f"{path}: expected a line of column names, found an empty file")
    if len(names) == 1:
        raise DataError(f"{path}: expected columns separated by commas, found only {names[0]!r}")
    if "" in names:
        raise DataError(
            f"{path}: column {names.index('') + 1} has no name (a frame's index? write it with index=False)"
        )
    # Names 0, 1, 2, ... are what pandas gives a plain array; other numbers are a row of data in the names' place.
    if all(is_number(name) for name in names) and names != [str(i) for i in range(len(names))]:
        raise DataError(f"{path}: expected column names in the first line, found only numbers")
    require_unique(names, path)


def require_unique(names: list[str], path: Path) -> None:
    """Refuse two columns of one name.

    Raises:
        DataError: naming it.
    """
    twice = [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"{path}: two columns are named {twice[0]!r}; expected different names")


def is_number(text: str) -> bool:
    """Whether a text is a number's.

    >>> is_number("1e-3"), is_number("age")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def blank(row: list[str]) -> bool:
    """Whether a line is one that pandas skips too.

    >>> blank([]), blank(["  "]), blank(["", ""])
    (True, True, False)
    """
    return len(row) == 0 or (len(row) == 1 and not row[0].strip())


def csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return data rows with the file line, counted from 1, where each begins (quoted fields may span lines)."""
    rows, begin = [], 1
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True)
        for row in reader:
            if not blank(row):
                rows.append((begin, row))
            begin = reader.line_num + 1
    return rows[1:]


def csv_line(path: Path, row: int) -> int:
    """Return the file line of a data row counted from 0; read again, because only errors ask."""
    return csv_rows(path)[row][0]


def ragged_line(path: Path, columns: int) -> str:
    """Say what is wrong with the first line that has more fields than there are columns."""
    for line, row in csv_rows(path):
        if len(row) > columns:
            return f"line {line}: expected {columns} values, found {len(row)}"
    return ""


def read_parquet(path: Path, target: str | None) -> tuple[pd.DataFrame, str, Place]:
    """Read a Parquet file of plain columns; a pandas index in it is left out."""
    import pyarrow.parquet

    try:
        stored = list(pyarrow.parquet.read_schema(path).names)
        require_unique(stored, path)
        frame = pd.read_parquet(path).reset_index(drop=True)
    except DataError:
        raise
    except Exception as error:  # pyarrow's errors have no base of their own
        unreadable(path, error)
    frame.columns = pd.Index([str(name) for name in frame.columns])
    names = list(frame.columns)
    if not names:
        raise DataError(f"{path}: expected columns, found none")
    return frame, chosen(target, names, path), lambda row: f"row {row + 1}"


def read_npz(path: Path, target: str | None) -> tuple[pd.DataFrame, str, Place]:
    """Read arrays x (or X) [N, F] and y [N] as a frame with columns x0, x1, ... and y."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = list(file.files)
            arrays = {name: np.asarray(file[name]) for name in names}
    except Exception as error:  # zipfile's, zlib's and NumPy's
        if "allow_pickle" in str(error):
            raise DataError(f"{path}: holds an array of Python objects; expected numbers or text") from None
        unreadable(path, error)
    if not names:
        raise DataError(f"{path}: expected arrays x and y, found none")
    return from_arrays(arrays, target, path)


def from_arrays(
    arrays: Mapping[str, np.ndarray], target: str | None, path: Path, features: Sequence[str] = ()
) -> tuple[pd.DataFrame, str, Place]:
    """Return arrays x (or X) [N, F] and y [N] as a frame with columns x0, x1, ... (or of the given names) and y.

    Raises:
        DataError: one is missing, or has another shape or type.
    """
    names = list(arrays)
    key = chosen(target or "y", names, path)
    inputs = next((name for name in ("x", "X") if name in names and name != key), None)
    if inputs is None:
        raise DataError(f"{path}: expected an array x (or X) of features; the arrays: {', '.join(names)}")
    x, y = arrays[inputs], arrays[key]
    if x.ndim != 2 or x.shape[1] == 0:
        raise DataError(f"{path}: array {inputs!r} has shape {x.shape}; expected [rows, features]")
    if x.dtype.kind not in "fiub":
        raise DataError(f"{path}: array {inputs!r} holds {x.dtype}; expected numbers")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(f"{path}: array {key!r} has shape {y.shape}; expected one value per row")
    if len(x) != len(y):
        raise DataError(f"{path}: {inputs!r} has {len(x)} rows and {key!r} has {len(y)}; expected the same number")
    frame = pd.DataFrame(x, columns=list(features) or [f"x{i}" for i in range(x.shape[1])])
    frame[key] = y.astype(str) if y.dtype.kind == "S" else y
    return frame, key, lambda row: f"row {row + 1}"


def chosen(target: str | None, names: list[str], path: Path) -> str:
    """Return the target's name: the one asked for, or the last.

    Raises:
        DataError: there is none of that name.
    """
    if target is None:
        return names[-1]
    if target not in names:
        raise DataError(f"{path}: no target '{target}'{nearest(target, names)}")
    return target


def raise_at_first(
    bad: np.ndarray, column: Any, path: Path, place: Place, expected: str, instead: str | None = None
) -> None:
    """Raise if any row is bad, naming the first.

    Raises:
        DataError: file, column, line or row, what was expected, what was found and in how many rows.
    """
    if not bad.any():
        return
    row = int(np.argmax(bad))
    value = column.iloc[row]
    instead = instead or repr(value.item() if isinstance(value, np.generic) else value)
    more = f" (in {int(bad.sum())} rows)" if bad.sum() > 1 else ""
    raise DataError(f"{path}: column {column.name!r}, {place(row)}: expected {expected}, found {instead}{more}")


def numbers(column: Any, path: Path, place: Place) -> np.ndarray:
    """Return a column as finite float64 [N]; booleans are 0 and 1.

    Raises:
        DataError: naming the first missing, textual or infinite value.
    """
    raise_at_first(column.isna().to_numpy(), column, path, place, "a number", "a missing value")
    plain = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column)
    if plain:
        values = column.to_numpy(np.float64)
    else:  # dates, too, would pass for numbers if they were asked
        texts = column.astype(str)
        raise_at_first(~texts.map(is_number).to_numpy(bool), column, path, place, "a number")
        values = texts.astype(np.float64).to_numpy()
    finite = np.abs(values) <= np.finfo(np.float32).max
    raise_at_first(~finite, column, path, place, "a finite number in single precision")
    return values


def encoded(column: Any, task: str, path: Path, place: Place) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the target as class indices [N] int32 and class names, or as quantities [N] float64 and no names.

    Raises:
        DataError: missing values, text under regression, fractions under classification, or integers that look like
            quantities under auto.
    """
    raise_at_first(column.isna().to_numpy(), column, path, place, "a label or a number", "a missing value")
    types = pd.api.types
    whole = types.is_bool_dtype(column) or types.is_integer_dtype(column)
    quantity = types.is_numeric_dtype(column) and not whole
    if task == "regression" or (task == "auto" and quantity):
        return numbers(column, path, place), ()
    if quantity:
        values = numbers(column, path, place)
        fractions = (values != np.round(values)) | (np.abs(values) > 2**53)
        raise_at_first(fractions, column, path, place, "a label (text or an integer)")
        column = column.astype(np.int64)
        whole = True
    values = column.to_numpy() if whole else column.astype(str).to_numpy()
    labels, index = np.unique(values, return_inverse=True)
    if task == "auto" and whole and len(labels) > max(MANY_CLASSES, len(values) / 2):
        raise DataError(
            f"{path}: column {column.name!r} has {len(labels)} different integers in {len(values)} rows, too many for "
            "class labels; set task: regression (or task: classification if they are)"
        )
    return index.astype(np.int32), tuple(str(label) for label in labels)
