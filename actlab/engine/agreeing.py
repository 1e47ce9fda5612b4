"""Runs that several folders hold: one of each is kept where they agree, and they are named where they do not.

Two records of a run agree where everything that both measured is equal, to the bit. Where they were executed (versions,
platform, flags, runs per call) may differ: each run keeps its own. Nor do names of data count, which are no content.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.engine import part_checks
from actlab.engine.files import StoreError
from actlab.errors import ActlabError
from actlab.later import Later
from actlab.naming import counted, shortened, show
from actlab.study.settings import ENVIRONMENT

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Later("pyarrow")

NOT_MEASURED = frozenset((*ENVIRONMENT, "run", "data"))
MOST_RUNS = 5  # that are named


class DisagreementError(ActlabError, RuntimeError):
    """Runs that several folders hold are not the same; names them, and what differs."""


def together(
    names: Sequence[str], tables: Sequence[pa.Table | None], settings: Sequence[str]
) -> tuple[pa.Table | None, frozenset[str]]:
    """Join the runs of several folders, each once: where several agree, the record with the most columns.

    Args:
        names: of the folders.
        tables: their runs; None of one that holds none.
        settings: the columns that are settings, in the order of display.

    Returns:
        all runs, None where there are none; which of them several folders hold.

    Raises:
        DisagreementError: some are not the same.
        StoreError: a column is of two types.
    """
    there = [(name, table) for name, table in zip(names, tables, strict=True) if table is not None]
    if not there:
        return None, frozenset()
    for i, (name, table) in enumerate(there):
        for before, other in there[:i]:
            if column := part_checks.unlike(table, other):
                raise StoreError(f"{name}: has a column {column!r} of another type than {before} has")
    held: dict[str, list[tuple[int, int]]] = {}  # by run: folder and row
    for i, (_, table) in enumerate(there):
        for row, run in enumerate(table["run"].to_pylist()):
            held.setdefault(run, []).append((i, row))
    shared = {run: places for run, places in held.items() if len(places) > 1}
    check(there, shared, settings)
    keep: list[list[int]] = [[] for _ in there]
    values = [filled(table) for _, table in there]
    for places in held.values():
        best = max(places, key=lambda place: values[place[0]][place[1]]) if len(places) > 1 else places[0]
        keep[best[0]].append(best[1])
    rows = [table.take(own) for (_, table), own in zip(there, keep, strict=True) if own]
    return pa.concat_tables(rows, promote_options="permissive"), frozenset(shared)


def filled(table: pa.Table) -> np.ndarray:
    """Count the columns that each run has a value in."""
    return np.sum([column.is_valid().to_numpy() for column in table.columns], axis=0)


def check(
    there: Sequence[tuple[str, pa.Table]], shared: dict[str, list[tuple[int, int]]], settings: Sequence[str]
) -> None:
    """Refuse runs that are not the same in all folders that hold them.

    Raises:
        DisagreementError: there are some.
    """
    lines = []
    columns = unequal(there, shared)
    for run, ((first, row), *others) in shared.items():
        for other, place in others:
            names = columns[first, other]
            found = differences(there[first][1].slice(row, 1), there[other][1].slice(place, 1), names) if names else []
            if found:
                called = label(there[first][1], row, [table for _, table in there], settings)
                text = " and ".join(said(one, there[first][0], there[other][0]) for one in found[:1])
                more = f"; {len(found) - 1} more columns differ" if len(found) > 1 else ""
                why = elsewhere(there[first][1].slice(row, 1), there[other][1].slice(place, 1))
                lines.append(f"  {called} ({run}): {text}{more}{why}")
    if lines:
        hidden = [f"  and {len(lines) - MOST_RUNS} more"] if len(lines) > MOST_RUNS else []
        runs = f"{counted(len(lines), 'run')} {'are' if len(lines) > 1 else 'is'}"
        raise DisagreementError(
            "\n".join(
                [
                    f"{runs} not the same in the folders that hold them; nothing was written:",
                    *lines[:MOST_RUNS],
                    *hidden,
                    "A study holds one record of a run: train it again in one of the folders, or leave it out there.",
                ]
            )
        )


def unequal(
    there: Sequence[tuple[str, pa.Table]], shared: dict[str, list[tuple[int, int]]]
) -> dict[tuple[int, int], list[str]]:
    """List the columns that are not the same in all runs that two folders hold, by these folders: most often none."""
    places: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (first, row), *others in shared.values():
        for other, place in others:
            places.setdefault((first, other), []).append((row, place))
    found = {}
    for (first, other), rows in places.items():
        one, two = (there[i][1].take([pair[k] for pair in rows]) for k, i in enumerate((first, other)))
        both = [name for name in one.column_names if name in two.column_names and name not in NOT_MEASURED]
        sums = ((name, *(part_checks.checksum(table.select([name])) for table in (one, two))) for name in both)
        found[first, other] = [name for name, mine, theirs in sums if mine != theirs]
    return found


def differences(one: pa.Table, other: pa.Table, columns: Sequence[str]) -> list[tuple[str, Any, Any, float | None]]:
    """List where two records of a run differ in what both measured: column, both values, the step if it is a record.

    Final numbers come first, then records over steps, then those of layers.
    """
    found: list[tuple[str, Any, Any, float | None]] = []
    for name in sorted(columns, key=lambda name: (name.count("."), name.startswith("layers."))):
        mine, theirs = one[name][0].as_py(), other[name][0].as_py()
        if mine is None or theirs is None or mine == theirs:
            continue
        if not isinstance(mine, list) or not isinstance(theirs, list):
            if not (mine != mine and theirs != theirs):  # both are NaN
                found.append((name, mine, theirs, None))
            continue
        if len(mine) != len(theirs):
            found.append((f"the number of {name}", len(mine), len(theirs), None))
            continue
        a, b = np.asarray(mine, np.float64), np.asarray(theirs, np.float64)
        at = np.flatnonzero(~((a == b) | (np.isnan(a) & np.isnan(b))))
        if at.size:
            steps, first = one[part_checks.STEPS][0].as_py(), int(at[0])
            each = max(len(mine) // len(steps), 1)
            found.append((name, mine[first], theirs[first], steps[min(first // each, len(steps) - 1)]))
    return found


def said(difference: tuple[str, Any, Any, float | None], one: str, other: str) -> str:
    """Put a difference in words."""
    name, mine, theirs, step = difference
    at = "" if step is None else f" at step {step}"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (mine, theirs))
    apart = f", {abs(mine - theirs):.3g} apart" if numbers and np.isfinite([mine, theirs]).all() else ""
    return f"{name.rpartition('.')[2]}{at} is {text(mine)} in {one} and {text(theirs)} in {other}{apart}"


def text(value: Any) -> str:
    """Write a value, all of its digits."""
    return shortened(show(value))


def label(table: pa.Table, row: int, tables: Sequence[pa.Table], settings: Sequence[str]) -> str:
    """Say which run it is, by the settings that vary, and its seed."""
    own = []
    for name in settings:
        values = {str(value) for one in tables if name in one.column_names for value in one[name].to_pylist()}
        if name in table.column_names and len(values) > 1 and not name.endswith("_content"):
            own.append(f"{name}={text(table[name][row].as_py())}")
    return ", ".join([*own, f"seed={table['seed'][row].as_py()}"])


def elsewhere(one: pa.Table, other: pa.Table) -> str:
    """Say in what the places differ where two records of a run were made; empty where in nothing."""
    said = []
    for name in ENVIRONMENT:
        if name in one.column_names and name in other.column_names:
            mine, theirs = one[name][0].as_py(), other[name][0].as_py()
            if mine != theirs:
                said.append(f"{name} {text(mine)} and {text(theirs)}")
    return f" (they were executed with {', '.join(said)})" if said else ""
