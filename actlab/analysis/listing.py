"""What is in a study, a line for each run: what varies, its seed, its status, and what came of it."""

from __future__ import annotations

import itertools
import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actlab.analysis import layout
from actlab.analysis.cells import activation_ranks, settings_in, varying
from actlab.analysis.escaping import one_line
from actlab.analysis.variation import repeats_of
from actlab.errors import ActlabError
from actlab.later import pd
from actlab.measures import about
from actlab.naming import nearest
from actlab.study.selection import STAGE
from actlab.study.settings import UNSTATED, Setting

FORMATS = ("table", "csv", "json")
SHORTEST = 4  # characters of a run's hash
OUTCOMES = ("test_accuracy", "test_r2", "test_loss", "dead_fraction")


class ListingError(ActlabError, ValueError):
    """A column or order that a list of runs cannot have; the message names those that it can."""


@dataclass(frozen=True)
class Listing:
    """A study's runs as a table.

    Attributes:
        runs: those that are meant, every column, in the order of the list.
        columns: those of the table.
        of: how many runs the study holds.
        alike: {setting: value} of what all runs of the study share, and a report would tell.
        short: to how many characters hashes can be cut, so that each still names one run.
    """

    runs: pd.DataFrame = field(repr=False)
    columns: list[str]
    of: int
    alike: dict[str, Any]
    short: int


def listing(
    runs: pd.DataFrame,
    fits: np.ndarray,
    columns: Sequence[str] | None = None,
    sort: Sequence[str] = (),
    settings: Sequence[Setting] = UNSTATED,
) -> Listing:
    """Choose the columns of a list of runs, and bring it into order.

    Args:
        runs: all of a study, with its measures at the end (``Results.final()``).
        fits: which of them are meant [N].
        columns: of the table; by default what varies in the study, seed, status, and what came of the runs.
        sort: by which columns, the largest first where a minus stands before one; by default the order of the frame.
        settings: what is known of the columns that are settings.

    Raises:
        ListingError: a column does not exist; names the nearest.
    """
    names = {one.key: one.column for one in settings if one.key}
    known = settings_in(runs, settings)
    keys = [*varying(runs, settings), *repeats_of(runs)[:-1]]
    measured = [name for name in OUTCOMES if name in runs and runs[name].notna().any()]
    chosen = (
        [column(runs, name, names) for name in columns]
        if columns
        else ["run", *keys, "seed", STAGE, "status", *measured]
    )
    chosen = [name for name in dict.fromkeys(chosen) if name in runs]
    alike = {
        one.column: first
        for one in known
        if one.reported
        and runs[one.column].nunique(dropna=False) == 1  # what follows from a key makes no cell, and may vary
        and not unused(first := runs[one.column].iloc[0], one)
    }
    shown = runs[fits]
    ranks = activation_ranks(runs)
    for name in reversed(sort):
        by = column(runs, name.removeprefix("-"), names)
        order = shown[by].map(ranks) if by == "activation" else shown[by]
        if not pd.api.types.is_numeric_dtype(order):
            order = order.map(lambda value: "" if value is None or value != value else str(value))
        shown = shown.loc[order.sort_values(ascending=not name.startswith("-"), kind="stable").index]
    return Listing(shown.reset_index(drop=True), chosen, len(runs), alike, shortest(runs["run"]))


def column(runs: pd.DataFrame, name: str, names: Mapping[str, str]) -> str:
    """Return the column that is meant by its name, or by a key of the YAML.

    Raises:
        ListingError: there is none; names the nearest.
    """
    found = name if name in runs else names.get(name, "")
    if found not in runs:
        raise ListingError(f"unknown column '{name}'{nearest(name, [*OUTCOMES, *map(str, runs), *names])}")
    return found


def unused(value: Any, setting: Setting) -> bool:
    """Whether a report would leave out a setting that does not vary."""
    return value in setting.unused or value is None or value != value or value == ""


def shortest(hashes: Sequence[str] | pd.Series) -> int:
    """Return how many characters tell all hashes apart.

    >>> shortest(["3f2a19", "3f2a20", "9c0000"]), shortest(["3f2a19"])
    (5, 4)
    """
    pairs = itertools.pairwise(sorted(hashes))
    alike = [itertools.takewhile(lambda two: two[0] == two[1], zip(*pair, strict=False)) for pair in pairs]
    return max([SHORTEST, *(1 + len(list(common)) for common in alike)])


def counts(runs: pd.DataFrame, of: int) -> str:
    """Say how many runs there are, and what became of them.

    >>> counts(pd.DataFrame({"status": ["ok", "diverged", "ok"]}), 5)
    '3 of 5 runs: 2 ok, 1 diverged'
    """
    by_status = runs["status"].value_counts()
    parts = [f"{by_status.get(name, 0)} {name}" for name in ("ok", "diverged")]
    number = f"{len(runs)} of {of}" if len(runs) != of else f"{of}"
    return f"{number} {'run' if of == 1 else 'runs'}: {', '.join(parts)}"


def text(name: str, made: Listing, width: int | None = None, height: int | None = None) -> str:
    """Write a list of runs for people, as wide and as long as there is room.

    Args:
        name: the study's.
        made: its list.
        width: of the terminal; None: any. Measures, then settings, that do not fit are left out, and named.
        height: of the terminal; None: any. What runs do not fit is said.
    """
    head = [f"{name}: {counts(made.runs, made.of)}"]
    if made.alike:
        pairs = ", ".join(f"{one} {layout.setting(value)}" for one, value in made.alike.items())
        head += textwrap.wrap(f"alike in all: {pairs}", width or 120, break_on_hyphens=False)
    if made.runs.empty:
        return "\n".join(head)
    cells = {one: column_cells(made.runs, one, made.short) for one in made.columns}
    if "status" in cells and fitting(cells, width)[1]:  # at which step a run diverged is the first to go
        cells["status"] = made.runs["status"].tolist()
    chosen, stacked = fitting(cells, width)
    left_out = [one for one in made.columns if one not in chosen]
    tail = [f"without {', '.join(left_out)}, for want of room: --columns, or --format csv"] if left_out else []
    tail = [line for one in tail for line in textwrap.wrap(one, width or 120)]
    heads = {one: headings(one, cells[one]) if stacked else [one] for one in chosen}
    deep = max(map(len, heads.values()))
    number = len(made.runs)
    if height is not None:
        room = height - len(head) - len(tail) - deep - 3  # a blank line, the rule, the prompt
        if number > room:
            number = max(room - 1, 1)
            tail = [f"and {len(made.runs) - number} more; --all shows them", *tail]
    widths = {one: max(map(len, [*heads[one], *cells[one]])) for one in chosen}
    right = {one: pd.api.types.is_numeric_dtype(made.runs[one]) for one in chosen}

    def line(parts: Mapping[str, str]) -> str:
        return "  ".join(
            parts[one].rjust(widths[one]) if right[one] else parts[one].ljust(widths[one]) for one in chosen
        ).rstrip()

    above = [line({one: ([""] * (deep - len(heads[one])) + heads[one])[i] for one in chosen}) for i in range(deep)]
    rule = "  ".join("-" * widths[one] for one in chosen)
    rows = [line({one: cells[one][i] for one in chosen}) for i in range(number)]
    table = [one if width is None or len(one) <= width else f"{one[: width - 1]}…" for one in (*above, rule, *rows)]
    return "\n".join([*head, "", *table, *tail])


def column_cells(runs: pd.DataFrame, name: str, short: int) -> list[str]:
    """Write the cells of one column."""
    steps = runs["diverged_step"] if "diverged_step" in runs else [math.nan] * len(runs)
    return [cell(name, value, step, short) for value, step in zip(runs[name].tolist(), steps, strict=True)]


def cell(name: str, value: Any, diverged_step: float, short: int) -> str:
    """Write one cell: a setting with all its digits, a measurement with three."""
    if name == "run":
        return str(value)[:short]
    if name == "status" and value != "ok" and diverged_step == diverged_step:
        return f"{value} at {diverged_step:g}"
    if isinstance(value, float) and (name in OUTCOMES or about(name).group):
        return layout.number(value)
    return one_line(layout.setting(value))


def fitting(cells: Mapping[str, Sequence[str]], width: int | None) -> tuple[list[str], bool]:
    """Choose the columns that fit into a width, and whether their headings must be broken at underscores."""
    names = list(cells)

    def needs(some: Sequence[str], stacked: bool) -> int:
        heads = {one: headings(one, cells[one]) if stacked else [one] for one in some}
        return sum(max(map(len, [*heads[one], *cells[one]])) for one in some) + 2 * (len(some) - 1)

    if width is None or needs(names, False) <= width:
        return names, False
    outcomes = [one for one in names if one in OUTCOMES]
    all_ok = ["status"] if all(one == "ok" for one in cells.get("status", [])) else []
    rest = [one for one in names if one not in (*OUTCOMES, "run", "seed", "status")]
    order = (*outcomes[:0:-1], *all_ok, "seed", *rest[:0:-1], *outcomes[:1], "status")
    least_first = [one for one in dict.fromkeys(order) if one in cells]
    for one in least_first:
        if needs(names, True) > width:
            names.remove(one)
    for one in reversed(least_first):  # where a wide column went, a narrow one that was given up before it may fit
        if one not in names and needs([*names, one], True) <= width:
            names.append(one)
    return sorted(names, key=list(cells).index), True


def headings(name: str, below: Sequence[str]) -> list[str]:
    """Break a heading at its underscores, to lines no longer than they need be.

    >>> headings("learning_rate", ["0.01"]), headings("depth", ["10"])
    (['learning_', 'rate'], ['depth'])
    """
    pieces = name.split("_")
    pieces = [*(f"{piece}_" for piece in pieces[:-1]), pieces[-1]]
    room = max(map(len, [*pieces, *below]))
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece) > room:
            lines.append("")
        lines[-1] += piece
    return lines


def as_json(runs: pd.DataFrame) -> str:
    """Write runs as a JSON array of objects; null where a number is not finite, or there is none.

    >>> print(as_json(pd.DataFrame({"run": ["3f2a"], "seed": [0], "test_loss": [math.nan]})))
    [
      {"run": "3f2a", "seed": 0, "test_loss": null}
    ]
    """

    lines = [json.dumps(row, ensure_ascii=False) for row in plain_records(runs)]
    return "[\n  " + ",\n  ".join(lines) + "\n]" if lines else "[]"


def plain_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn rows into objects of plain values; None where a number is not finite, or there is none."""

    def plain(value: Any) -> Any:
        value = value.item() if hasattr(value, "item") else value
        return None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value

    return [{name: plain(value) for name, value in row.items()} for row in layout.records(frame)]
