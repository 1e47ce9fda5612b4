"""Rows and columns of a table that say next to nothing: a line of its note says it, and they take no room."""

from __future__ import annotations

import re
from collections.abc import Sequence

from actlab.naming import counted

DIVERGED = re.compile(r"(\d+) of \1 diverged")
EMPTY = ("", "–")
OUTSIDE = "outside theory"
FEWEST = 4
"""Of a table of fewer rows a column with one value stays."""

Rows = list[list[object]]


def unsaid(heads: Sequence[str], rows: Rows, keys: int) -> tuple[list[str], Rows, list[str]]:
    """Leave out rows of which every run diverged, and columns without a value, or with one in a single row.

    Args:
        heads: Markdown, a column each.
        rows: a cell each.
        keys: how many of the first columns say what a row is of.

    Returns:
        heads and rows of what is left, and sentences that say the rest.

    >>> rows = [["`relu`", "0.1", ""], ["`elu`", "2 of 2 diverged", "2 of 2 diverged"], ["`selu`", "0.2", ""]]
    >>> unsaid(["activation", "loss", "time"], rows, 1)[1]
    [['`relu`', '0.1'], ['`selu`', '0.2']]
    >>> print(*unsaid(["activation", "loss", "time"], rows, 1)[2])
    Every run of 1 row diverged, which is left out: activation `elu`. No row has a value of time.
    """
    heads, said = list(heads), list[str]()
    lost = [row for row in rows if diverged(row[keys:])]
    if lost and len(lost) < len(rows):
        rows = [row for row in rows if row not in lost]
        names = list(dict.fromkeys(str(row[0]) for row in lost))
        which = f"which {'are' if len(lost) > 1 else 'is'} left out"
        said.append(f"Every run of {counted(len(lost), 'row')} diverged, {which}: {heads[0]} {', '.join(names)}.")
    there = {i: [row for row in rows if str(row[i]) not in EMPTY] for i in range(keys, len(heads))}
    outside = [i for i, some in there.items() if len(some) > 1 and {str(row[i]) for row in some} == {OUTSIDE}]
    none = [i for i, some in there.items() if not some]
    alone = [i for i, some in there.items() if len(some) == 1 and len(rows) >= FEWEST and i not in outside]
    if len(none) + len(outside) + len(alone) == len(there):
        return heads, rows, said
    if none:
        said.append(f"No row has a value of {', '.join(heads[i] for i in none)}.")
    if outside:
        said.append(f"No row has a value of {', '.join(heads[i] for i in outside)}: {OUTSIDE}.")
    for i in alone:
        (row,) = there[i]
        whose = ", ".join(f"{heads[k]} {row[k]}" for k in range(keys))
        said.append(f"Of {heads[i]} one row alone has a value, {row[i]}: {whose}.")
    kept = [i for i in range(len(heads)) if i not in (*none, *outside, *alone)]
    return [heads[i] for i in kept], [[row[i] for i in kept] for row in rows], said


def diverged(cells: Sequence[object]) -> bool:
    """Whether a row's cells say nothing else than that all of its runs diverged.

    >>> diverged(["20 of 20 diverged", ""]), diverged(["19 of 20 diverged"]), diverged([""])
    (True, False, False)
    """
    texts = [str(cell) for cell in cells if str(cell) not in EMPTY]
    return bool(texts) and all(DIVERGED.fullmatch(text) for text in texts)
