"""What of a very long table is set in a paper: what differs, at a few values of each setting; the CSV has all of it.

A key that is the same in all rows goes into the caption. Of a table of more than ``MOST_LINES``, six or seven pages,
those parts are left out one after the other that a reader misses the least, until the rest fits; the note says which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actlab.analysis.latex.plan import families
from actlab.analysis.latex.unsaid import EMPTY, OUTSIDE

MOST_LINES = 345.0
THINNED = 3
"""Values that are kept of a setting that is a number: the least, one in the middle, the greatest."""
SIZES = ("width", "depth")
"""Settings of which one value alone is kept where that is not enough, in this order: see ``fullest``."""

Rows = list[list[object]]


def constant_keys(title: str, heads: Sequence[str], rows: Rows, keys: int) -> tuple[str, list[str], Rows, int]:
    """Take keys that are the same in all rows out of the rows, into the title; one key stays.

    >>> constant_keys("Loss", ["activation", "depth", "mean"], [["`relu`", "2", "1"], ["`relu`", "5", "3"]], 2)
    ('Loss (activation `relu`)', ['depth', 'mean'], [['2', '1'], ['5', '3']], 1)
    """
    same = [i for i in range(keys) if len({str(row[i]) for row in rows}) == 1] if len(rows) > 1 else []
    same = same[1:] if len(same) == keys else same
    if not same:
        return title, list(heads), rows, keys
    said = ", ".join(f"{heads[i]} {rows[0][i]}" for i in same)
    kept = [i for i in range(len(heads)) if i not in same]
    return f"{title} ({said})", [heads[i] for i in kept], [[row[i] for i in kept] for row in rows], keys - len(same)


def shortened(
    heads: Sequence[str], rows: Rows, keys: int, lines: Callable[[Sequence[str], Rows], float]
) -> tuple[list[str], Rows, list[str]]:
    """Leave out what makes a table longer than ``MOST_LINES``.

    Args:
        heads: Markdown, a column each.
        rows: a cell each.
        keys: how many of the first columns say what a row is of.
        lines: how long a table of such heads and rows is.

    Returns:
        heads and rows of what is left, and what was left out, as phrases.
    """
    heads, said, whole, every = list(heads), list[str](), len(rows), rows
    shown: dict[int, list[str]] = {}
    if lines(heads, rows) <= MOST_LINES:
        return heads, rows, said
    for i in range(keys):
        values = numbers_of(rows, i)
        if len(values) > THINNED:
            shown[i] = kept = [values[0], values[len(values) // 2], values[-1]]
            rows = [row for row in rows if str(row[i]) in kept]
            said.append(f"of {len(values)} values of {heads[i]} {kept[0]}, {kept[1]} and {kept[2]}")
    for size in SIZES:
        i = heads.index(size) if size in heads[:keys] else -1
        values = numbers_of(rows, i) if i >= 0 else []
        if len(values) > 1 and lines(heads, rows) > MOST_LINES:
            others = [row for row in every if all(str(row[j]) in kept for j, kept in shown.items() if j != i)]
            best = fullest(others, i, keys)
            shown[i] = [best]
            rows = [row for row in others if str(row[i]) == best]
            said = [one for one in said if f" values of {size} " not in one]
            said.append(f"of {size} {best} alone")
    groups = families(heads[keys:])
    columns = len(heads)
    while len(groups) > 1 and lines(heads, rows) > MOST_LINES:
        gone = len(groups.pop())
        heads, rows = heads[:-gone], [row[:-gone] for row in rows]
    while len(heads) > keys + 1 and lines(heads, rows) > MOST_LINES:
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    if len(heads) < columns:
        said.append(f"the first {len(heads) - keys} of {columns - keys} columns")
    length = lines(heads, rows)
    if length > MOST_LINES:
        before, rows = len(rows), rows[: int(len(rows) * MOST_LINES / length)]
        said.append(f"the first {len(rows)} of {f'these {before}' if before < whole else before} rows")
    return heads, rows, said


def fullest(rows: Rows, column: int, keys: int) -> str:
    """Choose the greatest value of a column of which most other columns say something: theory does not speak of all.

    >>> fullest([["10", "1", "0.9"], ["30", "2", "1.9"], ["50", "3", "outside theory"]], 0, 1)
    '30'
    """

    def spoken(value: str) -> int:
        there = [row[keys:] for row in rows if str(row[column]) == value]
        return sum(any(str(cell) not in (*EMPTY, OUTSIDE) for cell in cells) for cells in zip(*there, strict=True))

    return max(reversed(numbers_of(rows, column)), key=spoken)


def numbers_of(rows: Rows, column: int) -> list[str]:
    """List the different values of a column, in their order, where all are numbers; else none."""
    try:
        return sorted(dict.fromkeys(str(row[column]) for row in rows), key=float)
    except ValueError:
        return []
