"""How data are named: a set or a function, with options behind it in one word, or the path to a file."""

from pathlib import Path

from actlab import notation, sources
from actlab.data.datasets import DATASETS
from actlab.data.table import DataError

SUFFIXES = (".npz", ".csv", ".tsv", ".parquet")
"""Of data files."""


def split_options(name: str) -> tuple[str, dict[str, notation.Option]]:
    """Split a name from its options; a file has none, whatever its path.

    Raises:
        DataError: something else than ``option=value`` follows a colon, or an option is given twice.

    >>> split_options("spirals:turns=3"), split_options("mine.py:rows:turns=3"), split_options("a/b:c=1.csv")
    (('spirals', {'turns': 3.0}), ('mine.py:rows', {'turns': 3.0}), ('a/b:c=1.csv', {}))
    """
    if is_file(name):
        return name, {}
    try:
        return notation.split_options(name)
    except ValueError as error:
        raise DataError(str(error)) from None


def is_file(name: str) -> bool:
    """Whether a name is that of a data file: it has a file's suffix or a folder in it, and is no function's.

    >>> is_file("digits"), is_file("rows.csv"), is_file("data/rows"), is_file("mine.py:moons")
    (False, True, True, False)
    >>> is_file("spirals:noise=0.1"), is_file("mine.py:moons:noise=0.1"), is_file("rows:a=1.csv")
    (False, False, True)
    """
    if name.lower().endswith(SUFFIXES):
        return True
    called = name.partition(":")[0] if "=" in name else name
    if called in DATASETS or sources.parse(name) or is_function(name):
        return False
    return Path(called).suffix != "" or Path(called).name != called


def is_function(name: str) -> bool:
    """Whether a name is that of a function with options.

    >>> is_function("a/mine.py:moons:noise=0.1"), is_function("mine.py")
    (True, False)
    """
    try:
        return sources.parse(notation.split_options(name)[0]) is not None
    except ValueError:
        return False
