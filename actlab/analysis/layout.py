"""How tables look: numbers with their intervals as people read them, and one table as CSV, Markdown and LaTeX.

A wide table is a frame of Markdown strings (``**best**``, ``as good †``, `` `relu` ``); LaTeX is translated from it.
The long table holds the numbers themselves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from actlab.analysis.escaping import code, plain, safe_cell
from actlab.analysis.intervals import COMPUTED, Interval
from actlab.analysis.latex import writing as latex
from actlab.analysis.pipe_tables import pipe_table
from actlab.later import pd
from actlab.measures import about
from actlab.naming import in_brief, show

# Measurements are float32 and carry seven digits; three more keep what was averaged.
FLOATS = "%.10g"
DAGGER = "†"
UNDECIDED = "?"


@dataclass(frozen=True)
class Table:
    """One table: the numbers, and the layout for people.

    Attributes:
        title: what it shows.
        note: method, interval, n, selection rule, what the marks mean.
        frame: long and numeric, one row per estimate: keys, ``measure``, ``mean``, ``low``, ``high``, ``n``, ...
        wide: the same for people, as Markdown strings.
        name: its name in YAML and on disk; the decorator says it.
        beside: further numbers by name, for who reads files: each is written as ``<table>-<name>.csv``.
        paper: what LaTeX has in the place of ``wide``, where a page of a paper has no room for all of that.
        on_page: what a report has in its place, and {what it is called: what stands below that}.
    """

    title: str
    note: str
    frame: pd.DataFrame = field(repr=False)
    wide: pd.DataFrame = field(repr=False)
    name: str = ""
    beside: Mapping[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    paper: pd.DataFrame | None = field(default=None, repr=False)
    on_page: tuple[pd.DataFrame, Mapping[str, pd.DataFrame]] | None = field(default=None, repr=False)


def words(name: str) -> str:
    """Write a column's name as a person would: a measure's by its record.

    >>> words("learning_rate"), words("act_mean")
    ('learning rate', 'mean of h')
    """
    return about(name).words


def number(x: float, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits, in powers of ten where it is very small or large.

    >>> number(0.91234), number(12.0), number(3.2e-9), number(float("nan")), number(1500.0)
    ('0.912', '12.0', '3.2e−9', '–', '1500')
    """
    if math.isnan(x):
        return "–"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    size = math.floor(math.log10(abs(x))) if x else 0
    if size < -3 or size > 5:
        mantissa, exponent = f"{x:.{max(digits - 2, 0)}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{x:z.{max(digits - 1 - size, 0) if x else 0}f}".replace("-", "−")


def setting(value: Any) -> str:
    """Write a setting as it is: all digits of a number.

    >>> setting(1e-3), setting(0.1 + 1e-9), setting(float("nan")), setting("relu")
    ('0.001', '0.100000001', 'none', 'relu')
    """
    if value is None:
        return "none"
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float):
        return "none" if math.isnan(value) else show(float(value))
    text = str(value) or "–"
    return text


def in_markdown(value: Any, key: str = "") -> str:
    """Write a setting for a table or a sentence in Markdown: names of activations and the like as code.

    >>> in_markdown("relu", "activation"), in_markdown("<b>.csv", "data")
    ('`relu`', '&lt;b&gt;.csv')
    """
    text = setting(value)
    return code(text) if key in CODE else plain(text)


CODE = ("activation", "weight_init", "weight_init_used", "optimizer", "bias_init")
"""The settings whose values are names in a program."""


def estimate(row: Mapping[str, Any], decimals: int | None = None) -> str:
    """Write ``mean [low, high]``; without an interval what stands in its place.

    Where some runs have no value, how many have one stands first, then median and range of those.

    >>> row = {"mean": 0.912, "low": 0.9, "high": 0.921, "n": 5, "runs": 5, "diverged": 0}
    >>> estimate(row, 3)
    '0.912 [0.900, 0.921]'
    >>> nan = float("nan")
    >>> estimate(row | {"low": nan, "median": 0.91, "least": 0.87, "greatest": 0.93, "n": 3, "missing": 2})
    '3 of 5 defined: 0.910 (0.870 to 0.930)'

    What lies beyond float64 is written from its log10, where the row has it:

    >>> estimate({"mean": 0.0, "log10_mean": -400.5, "low": float("nan"), "high": float("nan"), "n": 1, "method": ""})
    '3.2e−401'
    """
    mean, low, high = float(row["mean"]), float(row["low"]), float(row["high"])

    def short(x: float, name: str = "") -> str:
        log10 = float(row.get(f"log10_{name}", math.nan))
        if (x == 0 or math.isinf(x)) and math.isfinite(log10):
            return power_of_ten(log10)
        return number(x) if decimals is None or not math.isfinite(x) else f"{x:z.{decimals}f}".replace("-", "−")

    counts = {name: int(row.get(name, 0)) for name in ("diverged", "missing")}
    if row["n"] == 0:
        word = {"missing": "undefined"}
        lost = [f"{count} of {row['runs']} {word.get(name, name)}" for name, count in counts.items() if count]
        return ", ".join(lost) or "–"
    if any(counts.values()) and row["n"] < row["runs"] and math.isnan(low):  # else they have a value, before they do
        return f"{how_many(row['runs'], **counts)}: {of_the_rest(row, short)}"
    if math.isnan(low):
        return without_interval(row, short)
    beyond = any(x == 0 or math.isinf(x) for x in (mean, low, high)) and "log10_mean" in row
    if decimals is not None or beyond:
        return f"{short(mean, 'mean')} [{short(low, 'low')}, {short(high, 'high')}]"
    return with_bounds(mean, low, high)


def how_many(runs: int, diverged: int, missing: int) -> str:
    """Write how many runs have a value, of those of a cell.

    >>> how_many(5, 1, 0), how_many(5, 0, 2), how_many(5, 1, 2)
    ('4 of 5 not diverged', '3 of 5 defined', '2 of 5 defined (1 diverged)')
    """
    there = runs - diverged - missing
    if not missing:
        return f"{there} of {runs} not diverged"
    return f"{there} of {runs} defined" + (f" ({diverged} diverged)" if diverged else "")


def of_the_rest(row: Mapping[str, Any], short: Callable[[float, str], str]) -> str:
    """Write median and range of the runs that have a value; of a share, or of one value, itself."""
    if math.isnan(row.get("median", math.nan)):
        return short(float(row["mean"]), "mean")
    middle, least, greatest = (short(float(row[name]), name) for name in ("median", "least", "greatest"))
    return middle if row["least"] == row["greatest"] else f"{middle} ({least} to {greatest})"


def power_of_ten(log10: float) -> str:
    """Write a number from its log10, which may lie beyond float64, with two digits.

    >>> power_of_ten(-400.5), power_of_ten(-400.0001)
    ('3.2e−401', '1.0e−400')
    """
    exponent = math.floor(log10)
    mantissa = f"{10 ** (log10 - exponent):.1f}"
    if mantissa == "10.0":
        mantissa, exponent = "1.0", exponent + 1
    return f"{mantissa}e{exponent}".replace("-", "−")


def with_bounds(mean: float, low: float, high: float) -> str:
    """Write ``mean [low, high]`` with the decimals that the interval supports: two digits of its half width.

    >>> with_bounds(1.23456, 1.22, 1.2512), with_bounds(123.4, 101.0, 145.0), with_bounds(2e-6, 1e-6, 3e-6)
    ('1.235 [1.220, 1.251]', '123 [101, 145]', '2.0e−6 [1.0e−6, 3.0e−6]')
    >>> with_bounds(0.02, 0.001, 0.4)
    '0.0200 [0.00100, 0.400]'
    """
    largest, half = max(abs(low), abs(high)), (high - low) / 2
    plain = 1e-3 <= largest < 1e5 and half > 0 and not (0 < low < high / 10 or low / 10 < high < 0)
    if not plain:
        return f"{number(mean)} [{number(low)}, {number(high)}]"
    decimals = max(min(1 - math.floor(math.log10(half)), 3 - math.floor(math.log10(largest))), 0)
    return "{} [{}, {}]".format(*(f"{x:z.{decimals}f}".replace("-", "−") for x in (mean, low, high)))


def with_interval(interval: Interval) -> str:
    """Write an estimate with its interval, for a sentence; of what was computed the number alone, which has none.

    >>> with_interval(Interval(0.3, 0.3, 0.3, 1, COMPUTED)), with_interval(Interval(0.3, 0.2, 0.4, 5, "logit t"))
    ('0.300, computed', '0.30 [0.20, 0.40]')
    """
    if interval.method == COMPUTED:
        return f"{number(interval.mean)}, {COMPUTED}"
    if not interval.known:
        return f"{number(interval.mean)}, no interval" if interval.n else "–"
    return with_bounds(interval.mean, interval.low, interval.high)


def without_interval(row: Mapping[str, Any], short: Callable[[float, str], str]) -> str:
    """Write what stands where a mean has no interval: median and range; the share of runs that are alike, if some are.

    >>> row = {"mean": 0.67, "n": 3, "median": 0.94, "least": 0.1, "greatest": 0.96}
    >>> without_interval(row | {"share": 2 / 3, "share_low": 0.21, "share_high": 0.94}, lambda x, name: number(x))
    '0.940 (0.100 to 0.960; 2 of 3 alike, share in [0.21, 0.94])'
    >>> same = {"mean": 0.1, "n": 5, "median": 0.1, "least": 0.1, "greatest": 0.1}
    >>> without_interval(same | {"share": 1.0, "share_low": 0.57, "share_high": 1.0}, lambda x, name: number(x))
    '0.100 (5 of 5 alike, share in [0.57, 1.00])'
    """
    if math.isnan(row.get("median", math.nan)):
        return short(float(row["mean"]), "mean")
    share = row.get("share", math.nan)
    alike = ""
    if not math.isnan(share):
        bounds = f"[{row['share_low']:.2f}, {row['share_high']:.2f}]"
        alike = f"{share * row['n']:.0f} of {row['n']} alike, share in {bounds}"
    if alike and share == 1:
        return f"{short(float(row['mean']), 'mean')} ({alike})"
    whole = f"{short(float(row['least']), 'least')} to {short(float(row['greatest']), 'greatest')}"
    return f"{short(float(row['median']), 'median')} ({whole}{f'; {alike}' if alike else ''})"


def marked(text: str, row: Mapping[str, Any]) -> str:
    """Mark the best cell bold, with a dagger one that is as good, with a question mark one that is undecided."""
    if row.get("best"):
        return f"**{text}**"
    return f"{text} {DAGGER}" if row.get("as_good") else f"{text} {UNDECIDED}" if row.get("undecided") else text


# Words that have an order of their own; other values come in the order of numbers, or as they first occur.
WORD_ORDER = ("init", "final", "first", "middle", "middle kept", "last")


def pivot(
    frame: pd.DataFrame,
    rows: Sequence[str],
    columns: Sequence[str],
    decimals: Mapping[str, int] | int | None = None,
    text: Callable[[Mapping[str, Any], int | None], str] = estimate,
) -> pd.DataFrame:
    """Lay a long table out for people: ``rows`` down, the values of ``columns`` across, an estimate in each cell.

    Keys that are constant over the frame are left out of the rows, but for the activation. ``decimals`` may be given by
    ``measure``, and another ``text`` for a cell.
    """
    texts = []
    for row in records(frame):
        places = decimals.get(str(row.get("measure"))) if isinstance(decimals, Mapping) else decimals
        texts.append(marked(text(row, places), row))
    return lay_out(frame.assign(text=texts), rows, columns)


def lay_out(frame: pd.DataFrame, rows: Sequence[str], columns: Sequence[str], empty: str = "") -> pd.DataFrame:
    """Lay the column ``text`` out by ``rows`` and ``columns``; rows come in the order in which they first occur."""
    keys = [name for name in rows if name == "activation" or frame[name].nunique(dropna=False) > 1]
    keys = keys or list(rows[:1])
    brief = {name: in_brief(map(setting, frame[name])) for name in keys if frame[name].dtype.kind == "f"}
    seen: dict[tuple[Any, ...], None] = {}
    lines: dict[tuple[str, ...], dict[tuple[Any, ...], str]] = {}
    for row in records(frame):
        across = tuple(row[name] for name in columns)
        key = tuple(
            plain(words(row[name]))
            if name in ("measure", "at")
            else brief[name][setting(row[name])]
            if name in brief
            else in_markdown(row[name], name)
            for name in keys
        )
        seen.setdefault(across)
        if across in lines.setdefault(key, {}):
            raise ValueError(f"two rows would be one: {dict(zip([*keys, *columns], [*key, *across], strict=True))}")
        lines[key][across] = str(row["text"])
    first = [list(dict.fromkeys(across[i] for across in seen)) for i in range(len(columns))]

    def place(across: tuple[Any, ...]) -> tuple[float, ...]:
        return tuple(
            (WORD_ORDER if value in WORD_ORDER else first[i]).index(value) if isinstance(value, str) else value
            for i, value in enumerate(across)
        )

    order = sorted(seen, key=place)
    heads = [", ".join(heading(name, value) for name, value in zip(columns, across, strict=True)) for across in order]
    if not columns:
        heads = [plain(words(str(frame["measure"].iloc[0]))) if "measure" in frame else "value"]
    body = [[*key, *(texts.get(across, empty) for across in order)] for key, texts in lines.items()]
    return pd.DataFrame(body, columns=[*(plain(words(name)) for name in keys), *heads])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn rows into dictionaries by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def heading(name: str, value: Any) -> str:
    """Write a column's heading: ``depth 10``, but words alone for words."""
    if isinstance(value, str):
        return plain(words(value))
    return f"{plain(words(name))} {in_markdown(value, name)}"


def write_table(table: Table, folder: Path, study: str = "") -> list[Path]:
    """Write ``<name>.csv`` (long, numeric), ``.md`` and ``.tex`` (for people): the same bytes for the same table.

    Args:
        table: the table.
        folder: where.
        study: whose it is, for its label in LaTeX.

    Returns:
        the files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    texts = {f"{table.name}.{suffix}": text for suffix, text in texts_of(table, study).items()}
    texts |= {f"{table.name}-{name}.csv": to_csv(frame) for name, frame in table.beside.items()}
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def texts_of(table: Table, study: str = "") -> dict[str, str]:
    """Write a table as text: as ``csv``, ``md`` and ``tex``."""
    return {"csv": to_csv(table.frame), "md": to_markdown(table), "tex": to_latex(table, study)}


def to_csv(frame: pd.DataFrame, floats: str = FLOATS) -> str:
    """Write a long table as CSV: ten significant digits, no index, missing numbers empty.

    The settings, which stand before the means, have as many digits as tell their values apart.
    """
    positive = frame.copy()
    for name in positive.select_dtypes(exclude=["number", "bool", "datetime"]):
        positive[name] = positive[name].map(safe_cell)
    keys = list(frame)[: list(frame).index("mean")] if "mean" in frame else []
    for name in positive.select_dtypes("float"):
        positive[name] = positive[name] + 0.0  # no negative zeros
        values = positive[name].dropna().unique()
        if name in keys and len({floats % value for value in values}) < len(values):
            positive[name] = [None if math.isnan(value) else show(value) for value in positive[name]]
    heads = [safe_cell(name) for name in positive]
    return str(positive.set_axis(heads, axis=1).to_csv(index=False, float_format=floats, lineterminator="\n"))


def to_markdown(table: Table) -> str:
    """Write title, wide table and note as Markdown."""
    return f"### {table.title}\n\n{pipe_table(table.wide)}\n\n{table.note}\n"


def to_latex(table: Table, study: str = "") -> str:
    """Write the wide table in LaTeX, so that it fits the text width of an article, with caption, label and note."""
    wide = table.wide if table.paper is None else table.paper
    rows = [list(row) for row in wide.itertuples(index=False)]
    heads = [str(head) for head in wide.columns]
    return latex.document(table.title, table.note, heads, rows, table.name, keys_of(table), study)


def keys_of(table: Table) -> int:
    """Count the first columns of a wide table that say what a row is of.

    >>> frame = pd.DataFrame({"activation": ["relu"], "depth": [2], "mean": [0.5], "low": [0.4]})
    >>> wide = pd.DataFrame({"activation": ["`relu`"], "depth": ["2"], "loss": ["0.5"]})
    >>> keys_of(Table("Loss", "", frame, wide))
    2
    """
    names = list(table.frame)
    keys = names[: names.index("mean")] if {"mean", "low"} <= {*names} else []
    heads = {plain(words(str(key)) + more) for key in keys for more in ("", " (selected)")}
    return len(list(itertools.takewhile(lambda head: head in heads, map(str, table.wide.columns))))
