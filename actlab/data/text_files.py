"""A text file of columns (.csv, .tsv) read into a sheet: by what the study says of it, or refused where it might be
read in two ways.

Nothing is guessed that would change a number: the separator is the file type's, the decimal mark is a point, and the
first line names the columns. Where the file looks as if that were wrong, the message names the key that decides.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import eq
from pathlib import Path

import pandas as pd

from actlab import sources
from actlab.data.limits import LETTERS, LINE_LETTERS, packed, require_values
from actlab.data.numbers import all_numbers
from actlab.data.sheet import MISSING, Sheet, default_target, is_number, require_unique, tidy
from actlab.data.spec import DataSpec
from actlab.data.table import DataError
from actlab.naming import as_yaml, counted, listed, shortened

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encodings that they stand for."""


HEAD = 2**20
"""So many letters of a text have its first line in them."""


@dataclass(frozen=True)
class TextLines:
    """What the lines of a text have in common, found in one pass that keeps none of them.

    Attributes:
        header: the fields of the first line.
        number: how many lines follow it.
        widths: how many fields they have: each number of fields, with the first line that has it.
        last_empty: whether the last field of each of them is empty.
        repeated: the places of those fields of the first line that stand again in the same column below.
    """

    header: list[str]
    number: int
    widths: dict[int, int]
    last_empty: bool
    repeated: set[int]

    @property
    def even(self) -> bool:
        """Whether every line has as many fields as the first."""
        return set(self.widths) <= {len(self.header)}


def read_text(path: Path, spec: DataSpec) -> Sheet:
    """Read a text file of columns.

    Raises:
        DataError: with file and line, and the key that decides where the file may be read in two ways.
    """
    notes: list[str] = []
    text, named, begin = without_separator_line(decoded(path))
    if named and spec.separator is None:
        notes.append(f"columns are separated by {as_yaml(named)}, as the first line says")
    separator = spec.separator or named or ("\t" if path.suffix.lower() == ".tsv" else ",")
    require_values(text.count("\n") + text.count("\r") + text.count(separator), 1, path)
    lines = lines_of(text, separator, begin, path)
    require_values(lines.number, len(lines.header), path)
    if not lines.header:
        raise DataError(f"{path}: expected a line of column names, found an empty file")
    require_one_reading(lines, text, separator, bool(spec.separator or named), path)
    columns, surplus = width(lines, path)
    if surplus:
        notes.append("lines end with a separator; the empty column behind it is left out")
    names = column_names(lines, columns, spec, path)
    for found, line in lines.widths.items():
        if found != len(lines.header) and not (surplus and found == columns + 1):
            raise DataError(f"{path}: line {line}: expected {counted(columns, 'value')}, found {found}")
    target = default_target(spec, names, path)
    frame = frame_of(text, separator, [*names, *["\0"] * surplus], spec, path)[names]
    if spec.header is None and not any(
        is_number(value.strip(), spec.decimal or ".") for value in frame.head(100).to_numpy().ravel()
    ):
        notes.append(f"no column holds numbers; the first line was taken for their names: {listed(names)}")

    def place(row: int) -> str:
        found = [line for line, _ in fields_of(text, separator, begin)][row + (spec.header is not False)]
        return f"line {found}"

    words, decimal = frozenset(("", *(MISSING if spec.na_values is None else spec.na_values))), spec.decimal or "."
    read = {name: frame[name] if name == target else all_numbers(frame[name], words, decimal) for name in names}

    def written(name: str, row: int) -> object:
        return frame[name].iloc[row]

    return Sheet(path, pd.DataFrame(read), target, place, notes, words, decimal, textual=True, written=written)


def decoded(path: Path) -> str:
    """Return a file's text: UTF-8, or what its byte order mark says.

    Raises:
        DataError: it cannot be read, or is in another encoding.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read as {path.suffix.lower()}: {sources.first_line(error)}") from error
    if kind := packed(raw):
        raise DataError(f"{path}: cannot be read as {path.suffix.lower()}: it is {kind}, not text; unpack or export it")
    encoding = next((name for mark, name in MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line, wanted = raw[: error.start].count(b"\n") + 1, encoding.removesuffix("-sig").upper()
        raise DataError(
            f"{path}: cannot be read as {path.suffix.lower()}: line {line} is not {wanted} text; save the file as UTF-8"
        ) from None
    if "\0" in text:
        raise DataError(f"{path}: cannot be read as {path.suffix.lower()}: it holds zero bytes; save the file as UTF-8")
    require_short_lines(text, path)
    return text


def require_short_lines(text: str, path: Path) -> None:
    """Refuse a line that no table has.

    Raises:
        DataError: with its number.
    """
    begin = 0
    while len(text) - begin > LINE_LETTERS:
        end = max(text.rfind(mark, begin, begin + LINE_LETTERS) for mark in "\r\n")
        if end < 0:
            line = len(re.findall(r"\r\n|\r|\n", text[:begin])) + 1
            raise DataError(f"{path}: line {line}: has more than {LINE_LETTERS:,} letters; is the file text?")
        begin = end + 1


def without_separator_line(text: str) -> tuple[str, str, int]:
    """Take a spreadsheet's line ``sep=;`` off a text; returns the rest, the separator, and the rest's first line.

    >>> without_separator_line("sep=;\\na;b\\n"), without_separator_line("a,b")
    (('a;b\\n', ';', 2), ('a,b', '', 1))
    """
    match = re.match(r"""["']?sep=(.)["']?(\r\n|\r|\n)""", text, re.IGNORECASE)
    return (text[match.end() :], match[1], 2) if match else (text, "", 1)


def fields_of(text: str, separator: str, begin: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a text that are not blank, with the number of each; quoted fields may span lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    line = begin
    for row in reader:
        if not blank(row):
            yield line, row
        line = reader.line_num + begin


def lines_of(text: str, separator: str, begin: int, path: Path) -> TextLines:
    """Look through the lines of a text.

    Raises:
        DataError: it cannot be read as such lines.
    """
    rows = fields_of(text, separator, begin)
    widths: dict[int, int] = {}
    repeated: set[int] = set()
    number, last_empty, line = 0, True, begin
    try:
        line, header = next(rows, (begin, []))
        names = [name.strip() for name in header]
        for line, row in rows:
            number += 1
            widths.setdefault(len(row), line)
            last_empty = last_empty and not row[-1].strip()
            if any(map(eq, row, names)):
                repeated |= {i for i, (value, name) in enumerate(zip(row, names, strict=False)) if value == name != ""}
    except csv.Error as error:
        problem = str(error)
        if "field limit" in problem:
            problem = f"a value has more than {LETTERS:,} letters; is a quotation mark left open?"
        raise DataError(f"{path}: cannot be read as {path.suffix.lower()}: after line {line}: {problem}") from None
    return TextLines(names, number, widths, last_empty, repeated)


def blank(row: list[str]) -> bool:
    """Whether a line is one that pandas skips too.

    >>> blank([]), blank(["  "]), blank(["", ""])
    (True, True, False)
    """
    return len(row) == 0 or (len(row) == 1 and not row[0].strip())


def require_one_reading(lines: TextLines, text: str, separator: str, given: bool, path: Path) -> None:
    """Refuse a file of one column only, and one that another separator cuts into columns as well.

    Raises:
        DataError: naming the separators.
    """
    own = len(lines.header)
    others = [other for other in SEPARATORS if other != separator and first_fields(text, other) > 1]
    if own == 1:
        named, shown = SEPARATORS.get(separator, repr(separator)), shortened(repr(lines.header[0]), 80)
        hint = f"; set data.separator: {as_yaml(others[0])} if that is what separates them" if others else ""
        raise DataError(f"{path}: expected columns separated by {named}, found only {shown}{hint}")
    for other in () if given else others:
        again = lines_of(text, other, 1, path)
        if again.even and lines.even:
            raise DataError(
                f"{path}: its columns may be separated by {as_yaml(separator)} or by {as_yaml(other)}: set "
                "data.separator to the one that does"
            )
        if again.even:
            found, line = next((found, line) for found, line in lines.widths.items() if found != own)
            raise DataError(
                f"{path}: line {line}: expected {counted(own, 'value')}, found {found}; every line has "
                f"{len(again.header)} that are separated by {as_yaml(other)}: set data.separator: {as_yaml(other)} if "
                "that is meant"
            )


def first_fields(text: str, separator: str) -> int:
    """Count the fields of a text's first line."""
    try:
        return len(next((row for _, row in fields_of(text[:HEAD], separator, 1)), []))
    except csv.Error:
        return 0


def width(lines: TextLines, path: Path) -> tuple[int, int]:
    """Count the columns, and the empty ones (0 or 1) that separators at the ends of lines leave behind them.

    Raises:
        DataError: every row has a value more than there are names.
    """
    columns = len(lines.header)
    if set(lines.widths) == {columns + 1}:
        if lines.last_empty:
            return columns, 1
        raise DataError(
            f"{path}: line {lines.widths[columns + 1]}: expected {counted(columns, 'value')}, found {columns + 1}, "
            "as in every row; the first line must name every column, that of row names too"
        )
    nameless = lines.header[-1] == "" and lines.last_empty and lines.number > 0 and columns > 2
    return (columns - 1, 1) if nameless else (columns, 0)


def column_names(lines: TextLines, columns: int, spec: DataSpec, path: Path) -> list[str]:
    """Return the columns' names: the first line's, or x0, x1, ... where it is data.

    Raises:
        DataError: it names a column twice or not at all, or looks like data.
    """
    if spec.header is False:
        return [f"x{i}" for i in range(columns)]
    header = [tidy(name) for name in lines.header[:columns]]
    if spec.header is None:
        require_names(header, lines, path)
    names = [name or f"Unnamed: {i}" for i, name in enumerate(header)]
    require_unique(names, path)
    for i, name in enumerate(names):
        if not header[i] and name not in (*spec.drop, *spec.keep):
            raise DataError(
                f"{path}: column {i + 1} has no name (a frame's index?); leave it out with data.drop: "
                f"[{as_yaml(name)}], or learn from it with data.keep: [{as_yaml(name)}]"
            )
    return names


def require_names(names: Sequence[str], lines: TextLines, path: Path) -> None:
    """Refuse a first line that may be a row of data: numbers or dates, or what its own column holds further down.

    Names 0, 1, 2, ... are what pandas gives a plain array; a row of data may hold them too.

    Raises:
        DataError: naming what looks like data.
    """
    way = "set data.header: false if the first line is data, true if it names the columns"
    numeric = [name for name in names if is_number(name) or is_number(name, ",") or is_date(name)]
    if numeric:
        found = "only numbers" if len(numeric) == len(names) else f"{numeric[0]!r}"
        raise DataError(f"{path}: expected column names in the first line, found {found}; {way}")
    if lines.repeated:
        found = repr(names[min(lines.repeated)])
        raise DataError(
            f"{path}: expected column names in the first line, found {found}, which its column holds below; {way}"
        )


def is_date(text: str) -> bool:
    """Whether a text looks like a date or a time.

    >>> is_date("2020-01-31"), is_date("31.1.2020 12:00"), is_date("a-1")
    (True, True, False)
    """
    return re.fullmatch(r"\d{1,4}([-/.:]\d{1,4}){1,2}([ T]\d.*)?", text) is not None and not is_number(text)


def frame_of(text: str, separator: str, names: list[str], spec: DataSpec, path: Path) -> pd.DataFrame:
    """Read a text whose lines are known to be whole, every value as it is written.

    Raises:
        DataError: pandas cannot; says why.
    """
    try:
        return pd.read_csv(
            io.StringIO(text, newline=""),
            sep=separator,
            names=names,
            header=None if spec.header is False else 0,
            dtype=str,
            na_filter=False,
            index_col=False,
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, ValueError) as error:
        problem = sources.first_line(error)
        if "EOF inside string" in problem:
            problem = "a quotation mark is left open"
        raise DataError(f"{path}: cannot be read as {path.suffix.lower()}: {problem}") from error
