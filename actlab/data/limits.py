"""How much a data file may hold, counted before any of it is unpacked, and again while it is read: headers may lie."""

import stat
from collections.abc import Iterable
from pathlib import Path

from actlab.data.table import DataError
from actlab.naming import MOST_LINE, shortened

TEXT_BYTES = 2**30
"""Of a text file."""
BYTES = 2**32
"""Of any other file, packed and unpacked."""
VALUES = 250_000_000
"""Rows times columns; rows times inputs."""
COLUMNS = 30_000
LETTERS = 131_072
"""Of one value."""
NAME_LETTERS = 1000
"""Of a column's name."""
LINE_LETTERS = 2**24
"""Of a line of text."""

SMALLER = "keep fewer rows or columns"
PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip (as .npz and spreadsheets are)",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1": "Parquet",
    b"\x89HDF": "HDF5",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}
"""How files begin that are sometimes given a text file's name."""


def require_file(path: Path) -> None:
    """Refuse what is no plain file, or a larger one than is read.

    Raises:
        DataError: it is a folder, a pipe or a device, it cannot be reached, or is too large.
    """
    shown = shortened(str(path), MOST_LINE)
    try:
        about = path.stat()
    except (OSError, ValueError) as error:  # a zero byte in its name, a loop of links, a name that is too long
        raise DataError(f"{shown}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(about.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise DataError(f"{shown}: expected a file, found {kinds.get(stat.S_IFMT(about.st_mode), 'a device')}")
    most = TEXT_BYTES if path.suffix.lower() in (".csv", ".tsv") else BYTES
    if about.st_size > most:
        way = "save it as .parquet or .npz, or " if most == TEXT_BYTES else ""
        raise DataError(
            f"{shown}: holds {about.st_size:,} bytes; actlab reads at most {most:,} of a {path.suffix.lower()} file: "
            f"{way}{SMALLER}"
        )


def require_values(rows: int, columns: int, path: Path | str, what: str = "columns") -> None:
    """Refuse more values than are read.

    Raises:
        DataError: with how many there are, and how many there may be.
    """
    if columns > COLUMNS:
        raise DataError(f"{path}: has {columns:,} {what}; actlab reads at most {COLUMNS:,}: {SMALLER}")
    if rows * columns > VALUES:
        raise DataError(
            f"{path}: has {rows:,} rows of {columns:,} {what}; actlab reads at most {VALUES:,} values: {SMALLER}"
        )


def require_bytes(number: int, path: Path, what: str) -> None:
    """Refuse more bytes than are unpacked.

    Raises:
        DataError: with how many there are, and how many there may be.
    """
    if number > BYTES:
        raise DataError(
            f"{path}: {what} takes {number:,} bytes once it is unpacked; actlab reads at most {BYTES:,}: {SMALLER}"
        )


def require_names(names: Iterable[str], path: Path) -> None:
    """Refuse names that are too long to read.

    Raises:
        DataError: with the column's number, and how long its name is.
    """
    for i, name in enumerate(names):
        if len(name) > NAME_LETTERS:
            raise DataError(f"{path}: column {i + 1} has a name of {len(name):,} letters; it may have {NAME_LETTERS:,}")


def packed(raw: bytes) -> str:
    """Say as what a file is packed that has a text file's name; empty where it is not.

    >>> packed(b"a,b,y")
    ''
    """
    return next((name for mark, name in PACKED.items() if raw.startswith(mark)), "")
