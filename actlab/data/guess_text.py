"""How a text file is most likely laid out: its separator, its decimal mark, whether its first line is data."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from actlab.data.limits import require_values
from actlab.data.sheet import MISSING, is_number, tidy
from actlab.data.spec import DataSpec
from actlab.data.table import DataError
from actlab.data.text_files import (
    HEAD,
    SEPARATORS,
    TextLines,
    decoded,
    fields_of,
    is_date,
    lines_of,
    require_names,
    require_one_reading,
    without_separator_line,
)
from actlab.naming import as_yaml, listed

LOOKED_AT = 2000
"""Lines that the guess is made from; whether it holds for all of them is seen when the file is read."""
RARE = ("\t", ";", "|", ",")
"""Separators, those first that stand the most seldom in texts and numbers."""


def spec_of(path: Path, why: dict[str, str]) -> DataSpec:
    """Say how a text file is laid out, and why where it is not the usual way.

    Raises:
        DataError: it is no text, or empty.
    """
    text, named, begin = without_separator_line(decoded(path))
    head = text if len(text) <= HEAD else text[: max(text.rfind("\n", 0, HEAD), text.rfind("\r", 0, HEAD)) + 1]
    usual = named or ("\t" if path.suffix.lower() == ".tsv" else ",")
    separator, other = separator_of(head, usual, begin, path)
    spec = DataSpec(str(path))
    if separator != usual or other:
        spec = DataSpec(str(path), separator=separator)
        why["separator"] = f"{SEPARATORS.get(separator, 'it')} separate the columns" + (
            f"; {as_yaml(other)} would cut them as evenly" if other else ""
        )
    lines = lines_of(head, separator, begin, path)
    require_values(lines.number, len(lines.header), path)
    if not lines.header:
        raise DataError(f"{path}: expected a line of column names, found an empty file")
    require_one_reading(lines, head, separator, True, path)
    first, *rows = [row for _, row in islice(fields_of(head, separator, begin), LOOKED_AT)]
    columns = [[tidy(row[i]) for row in rows if i < len(row)] for i in range(len(first))]
    decimal = decimal_of(columns)
    if decimal == ",":
        why["decimal"] = "numbers are written with a decimal comma"
        spec = DataSpec(spec.name, separator=spec.separator, decimal=",")
    header, reason = header_of(first, columns, lines, decimal, path)
    if header is not None:
        why["header"] = reason
    drop: tuple[str, ...] = ()
    if header is not False:
        nameless = [i for i, name in enumerate(first) if not tidy(name) and any(columns[i])]
        drop = tuple(f"Unnamed: {i}" for i in nameless)
        if drop:
            why["drop"] = f"unsure: column {listed(i + 1 for i in nameless)} has no name, as a frame's index; left out"
    return DataSpec(spec.name, separator=spec.separator, decimal=spec.decimal, header=header, drop=drop)


def separator_of(head: str, usual: str, begin: int, path: Path) -> tuple[str, str]:
    """Return what separates the columns, and what else would cut every line into as many (empty: nothing).

    What cuts evenly wins; of several the one that is seldom in texts and numbers.
    """
    even = []
    for mark in dict.fromkeys((*RARE, usual)):
        try:
            lines = lines_of(head, mark, begin, path)
        except DataError:
            continue
        one_more = set(lines.widths) == {len(lines.header) + 1} and lines.last_empty
        if len(lines.header) > 1 and (lines.even or one_more):
            even.append(mark)
    if not even:
        return usual, ""
    return even[0], next(iter(even[1:]), "")


def decimal_of(columns: Sequence[Sequence[str]]) -> str:
    """Return the decimal mark of the numbers in some columns of text: a comma only where a point cannot be.

    >>> decimal_of([["1,5", "2,25"], ["a", "b"]]), decimal_of([["1.5", "2"], ["1,5", "a"]])
    (',', '.')
    """
    found = {".": 0, ",": 0}
    for column in columns:
        texts = {text for text in column if text and text not in MISSING}
        for mark, other in ((".", ","), (",", ".")):
            if texts and all(is_number(text, mark) for text in texts) and not all(is_number(t, other) for t in texts):
                found[mark] += 1
    return "," if found[","] and not found["."] else "."


def header_of(
    first: Sequence[str], columns: Sequence[Sequence[str]], lines: TextLines, decimal: str, path: Path
) -> tuple[bool | None, str]:
    """Say whether the first line names the columns; None where nothing speaks against it.

    A word above a column of numbers is a name. A number above such a column, or a text that its own column holds
    again, is data.
    """
    names = [tidy(name) for name in first]
    try:
        require_names(names, lines, path)
    except DataError:
        pass
    else:
        return None, ""

    def numeric(texts: Sequence[str]) -> bool:
        there = [text for text in texts if text and text not in MISSING]
        return bool(there) and all(is_number(text, decimal) for text in there)

    words = []
    for name, column in zip(names, columns, strict=True):
        there = {text for text in column if text and text not in MISSING}
        labels = 0 < len(there) <= len(column) / 4 and not numeric(column)  # each of them stands there again and again
        if numeric(column) or (labels and name not in there):
            words += [] if is_number(name, decimal) or name in ("", *MISSING) or is_date(name) else [name]
    if words:
        why = "is no value of its column"
        return True, f"unsure: the first line names the columns, as {as_yaml(words[0])} {why}; false takes it for data"
    counted = [name for name in names if name]
    if (
        counted in ([str(i) for i in range(len(counted))], [str(i + 1) for i in range(len(counted))])
        and len(counted) > 1
    ):
        return True, "unsure: the first line counts the columns; false takes it for data"
    return False, "unsure: the first line looks like data; the columns are x0, x1, ...; true takes it for their names"
