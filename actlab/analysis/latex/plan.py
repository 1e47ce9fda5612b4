"""How a wide table is cut so that it fits a page: which columns stand beside each other, how wide, and what leads them.

Of all cuts that fit the one with the fewest lines is taken: columns are narrowed and their cells
wrapped; columns are parted into blocks that repeat the keys; the first keys are lifted out of the rows into lines of
their own, each over its rows. A table of long texts becomes a list of records, each field a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actlab.analysis.latex import widths

TEXT_WIDTH = 343.0
"""An article's text is 345 pt wide; two are left for rounding."""
GAP = 8.0
"""Between two columns, in points."""
WORD = 128.0
"""A word wider than this may be broken anywhere."""
STEPS = 9
BLOCK = 5.0
"""What another block costs, in lines: its head, its rules, and that it stands apart."""

APART = 1.2
"""By how much a cut is worse that parts what belongs together."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column: its head, its cells, and how many lines these take at some widths.

    Attributes:
        head: LaTeX.
        cells: LaTeX, a row each.
        widths: candidates, in points, from the widest word to the widest cell.
        lines: (candidates × rows) lines of each cell.
        head_lines: lines of the head at each candidate.
    """

    head: str
    cells: Sequence[str]
    widths: tuple[float, ...]
    lines: np.ndarray
    head_lines: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """Columns that stand beside each other.

    Attributes:
        columns: their numbers.
        widths: in points.
        wraps: whether a column has a cell of more lines than one.
        lines: of each row.
        head_lines: of the heads.
    """

    columns: tuple[int, ...]
    widths: tuple[float, ...]
    wraps: tuple[bool, ...]
    lines: tuple[int, ...]
    head_lines: int


@dataclass(frozen=True)
class Plan:
    """A table's cut.

    Attributes:
        lifted: how many keys stand over their rows, and in none of them.
        blocks: what stands below each other; none: a list of records.
        cost: lines, by and large.
    """

    lifted: int
    blocks: tuple[Block, ...]
    cost: float


def column(head: str, cells: Sequence[str]) -> Column:
    """Measure a column."""
    known = {cell: widths.pieces(cell) for cell in dict.fromkeys(cells)}
    least = max(map(max, [widths.pieces(head), *known.values()]))
    most = max([least, *map(widths.natural, known)])
    candidates = tuple(sorted({least, *np.linspace(least, min(most, TEXT_WIDTH), STEPS).tolist()}))
    candidates = tuple(width + 0.3 for width in candidates)
    lines = np.ones((len(candidates), len(cells)), int)
    for i, width in enumerate(candidates):
        by_cell = {cell: widths.lines(cell, width) for cell in known}
        lines[i] = [by_cell[cell] for cell in cells]
    return Column(head, cells, candidates, lines, tuple(widths.lines(head, width) for width in candidates))


def block(columns: Sequence[Column], numbers: Sequence[int]) -> tuple[float, Block] | None:
    """Choose the widths of columns beside each other, so that rows have few lines; None where they do not fit.

    From their least widths on, the column is widened that saves most lines a point.
    """
    chosen = [columns[i] for i in numbers]
    at = [0] * len(chosen)
    spare = TEXT_WIDTH - GAP * (len(chosen) - 1) - sum(one.widths[0] for one in chosen)
    if spare < 0:
        return None

    while True:
        rows = np.stack([one.lines[k] for one, k in zip(chosen, at, strict=True)])
        heads = [one.head_lines[k] for one, k in zip(chosen, at, strict=True)]
        now = tall(rows.max(axis=0)).sum() + 0.02 * rows.sum() + max(heads) + 0.02 * sum(heads)
        best: tuple[float, int, int] | None = None
        for j, (one, k) in enumerate(zip(chosen, at, strict=True)):
            wider = np.array(one.widths[k + 1 :]) - one.widths[k]
            fits = int((wider <= spare).sum())
            if not fits:
                continue
            others = np.delete(rows, j, axis=0).max(axis=0, initial=1)
            then = np.maximum(others, one.lines[k + 1 : k + 1 + fits])
            head = np.maximum(max([*heads[:j], *heads[j + 1 :], 1]), one.head_lines[k + 1 : k + 1 + fits])
            small = (rows.sum() - rows[j].sum() + one.lines[k + 1 : k + 1 + fits].sum(axis=1)) * 0.02
            small = small + 0.02 * (sum(heads) - heads[j] + np.array(one.head_lines[k + 1 : k + 1 + fits]))
            gain = (now - (tall(then).sum(axis=1) + head + small)) / wider[:fits]
            most = int(gain.argmax())
            if gain[most] > 1e-12 and (best is None or gain[most] > best[0]):
                best = (float(gain[most]), j, k + 1 + most)
        if best is None:
            break
        spare -= chosen[best[1]].widths[best[2]] - chosen[best[1]].widths[at[best[1]]]
        at[best[1]] = best[2]
    made = Block(
        tuple(numbers),
        tuple(one.widths[k] for one, k in zip(chosen, at, strict=True)),
        tuple(bool((row > 1).any()) for row in rows),
        tuple(int(n) for n in rows.max(axis=0)),
        max(heads),
    )
    return float(now), made


def tall(lines: np.ndarray) -> np.ndarray:
    """Weigh lines: a row of many is harder to read than as many rows."""
    return np.asarray(lines + 0.1 * np.maximum(lines - 4, 0) ** 2)


def families(heads: Sequence[str]) -> list[list[int]]:
    """Keep columns together of which one's head begins with another's: what is measured, what is predicted of it.

    >>> families(["first", "first, predicted", "last"])
    [[0, 1], [2]]
    """
    found: list[list[int]] = []
    for i, head in enumerate(heads):
        if found and head.startswith(f"{heads[found[-1][0]]}, "):
            found[-1].append(i)
        else:
            found.append([i])
    return found


def parted(together: Sequence[Sequence[int]], blocks: int) -> list[list[int]]:
    """Part families of columns into so many runs of about as many columns each."""
    total, before = sum(map(len, together)), 0
    runs: list[list[int]] = [[] for _ in range(blocks)]
    for family in together:
        middle = before + len(family) / 2
        runs[min(int(middle * blocks / total), blocks - 1)].extend(family)
        before += len(family)
    return [run for run in runs if run]


def groups(columns: Sequence[Column], lifted: int) -> int:
    """Count the groups of rows that follow each other with the same lifted keys."""
    if not lifted:
        return 0
    keys = list(zip(*(one.cells for one in columns[:lifted]), strict=True))
    return sum(i == 0 or key != keys[i - 1] for i, key in enumerate(keys))


def plan(columns: Sequence[Column], keys: int) -> Plan:
    """Choose a cut.

    Args:
        columns: all of them.
        keys: how many of the first ones say what a row is of.

    Returns:
        The one with the fewest lines; a list of records where that is shorter, or nothing else fits.
    """
    found = [Plan(0, (), records_cost(columns, keys))] if len(columns[0].cells) else []
    for lifted in range(keys):
        kept, values = range(lifted, keys), range(keys, len(columns))
        heads = groups(columns, lifted)
        if lifted and 2 * heads > len(columns[0].cells):
            break  # a line over every row tells no rows apart
        over = 1.6 * heads
        together = [[keys + i for i in family] for family in families([columns[i].head for i in values])]
        single = [[i] for i in values]
        for parts in (together, single) if len(single) > len(together) else (together,):
            tried = 0
            for count in range(1, max(len(parts), 1) + 1):
                made = [block(columns, [*kept, *run]) for run in parted(parts, count) or [[]]]
                fit = [one for one in made if one is not None]
                if len(fit) < len(made):
                    continue
                cost = (
                    sum(one[0] + over + BLOCK for one in fit)
                    * (1 + 0.03 * lifted)
                    * (1 if parts is together else APART)
                )
                found.append(Plan(lifted, tuple(one[1] for one in fit), cost))
                tried += 1
                if tried == 2:
                    break
            if tried:
                break
    return min(found, key=lambda one: one.cost, default=Plan(0, (), 0.0))


def records_widths(columns: Sequence[Column], keys: int) -> tuple[float, float]:
    """Choose how wide names and contents of a record's fields are."""
    names = max([20.0, *(min(widths.natural(one.head), 90.0) for one in columns[keys:])]) + 0.5
    names = max([names, *(one + 0.5 for column in columns[keys:] for one in widths.pieces(column.head))])
    return names, TEXT_WIDTH - names - GAP


def records_cost(columns: Sequence[Column], keys: int) -> float:
    """Count the lines of a list of records."""
    names, contents = records_widths(columns, keys)
    total = BLOCK
    for row in range(len(columns[0].cells)):
        total += 1.5 + sum(
            max(widths.lines(one.cells[row], contents), widths.lines(one.head, names)) for one in columns[keys:]
        )
    return 1.1 * total
