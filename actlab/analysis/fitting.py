"""Tables as wide as a terminal: headings are broken, what is alike in all rows is said once, and what else has no room.

A list of runs has rules of its own for what goes first; see ``listing``.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from actlab.analysis.escaping import bare

GAP = 2  # columns of a terminal between two of a table
Row = Sequence[str]


def needs(columns: Sequence[Row]) -> int:
    """How wide a table is of columns, each its heading and its cells; headings are broken between words.

    >>> needs([("activation", "relu"), ("diverged of relu", "0")])
    20
    """
    return sum(map(column_width, columns)) + GAP * (len(columns) - 1)


def column_width(column: Row) -> int:
    """How wide a column is: as its longest cell, or the longest word of its heading."""
    head, *cells = column
    return max(map(len, [*head.split(" "), *cells]))


def laid_out(columns: Sequence[Row]) -> str:
    """Write columns side by side, each its heading and its cells, below a rule.

    >>> print(laid_out([("activation", "relu", "tanh"), ("diverged of relu", "0", "10")]))
                diverged
    activation  of relu
    ----------  --------
    relu        0
    tanh        10
    """
    widths = [column_width(one) for one in columns]
    heads = [
        textwrap.wrap(one[0], width, break_long_words=False, break_on_hyphens=False) or [""]
        for one, width in zip(columns, widths, strict=True)
    ]
    deep = max(map(len, heads))
    above = zip(*([""] * (deep - len(one)) + one for one in heads), strict=True)
    rows = [*above, ["-" * width for width in widths], *zip(*(one[1:] for one in columns), strict=True)]
    gap = " " * GAP
    return "\n".join(gap.join(map(str.ljust, row, widths)).rstrip() for row in rows)


def in_blocks(columns: Sequence[Row], width: int) -> str:
    """Write a table in as many blocks as it needs, of which each begins with the first column: nothing is left out.

    >>> print(in_blocks([("x", "1"), ("first", "2"), ("second", "3")], 9))
    x  first
    -  -----
    1  2
    <BLANKLINE>
    x  second
    -  ------
    1  3
    """
    key, *rest = columns
    blocks: list[list[Row]] = [[key]]
    for one in rest:
        if len(blocks[-1]) > 1 and needs([*blocks[-1], one]) > width:
            blocks.append([key])
        blocks[-1].append(one)
    return "\n\n".join(map(laid_out, blocks))


def fitted(columns: Sequence[Row], width: int, keep: int, way_out: str) -> str:
    """Write a table in a width: what is alike in all rows stands above it, and the last columns without room are named.

    Args:
        columns: each its heading and its cells.
        width: of the terminal.
        keep: how many of the first columns stay in any case; the first of all, and the last of these, as columns.
        way_out: how all of it is had.

    >>> columns = [("of", "a", "b"), ("depth", "2", "2"), ("value", "0.1", "0.2"), ("trained", "1", "0")]
    >>> print(fitted(columns, 12, 3, "x"))
    alike in
    all: depth 2
    <BLANKLINE>
    of  value
    --  -----
    a   0.1
    b   0.2
    <BLANKLINE>
    without
    trained, for
    want of
    room: x
    """
    if needs(columns) <= width:
        return laid_out(columns)
    fixed = {0, keep - 1}
    alike = {i for i, (_, *cells) in enumerate(columns) if i not in fixed and len(cells) > 1 and len(set(cells)) == 1}
    shown = [i for i in range(len(columns)) if i not in alike]
    left_out: list[int] = []
    while needs([columns[i] for i in shown]) > width and shown[-1] >= keep:
        left_out.append(shown.pop())
    for i in sorted(left_out):  # where a wide one went, a narrow one may fit
        if needs([columns[j] for j in sorted([*shown, i])]) <= width:
            shown = sorted([*shown, i])
    table = laid_out([columns[i] for i in shown]).split("\n")
    parts = ["\n".join(one if len(one) <= width else f"{one[: width - 1]}…" for one in table)]
    if alike:
        said = ", ".join(f"{columns[i][0]} {columns[i][1]}" for i in sorted(alike))
        parts.insert(0, textwrap.fill(f"alike in all: {said}", width, break_on_hyphens=False))
    if names := ", ".join(columns[i][0] for i in range(len(columns)) if i not in alike and i not in shown):
        parts.append(textwrap.fill(f"without {names}, for want of room: {way_out}", width, break_on_hyphens=False))
    return "\n\n".join(parts)


def columns_of(table: str) -> list[Row]:
    r"""Take a pipe table of Markdown apart: of each column its heading and its cells, without marks.

    >>> columns_of("| a | b |\n|:--|:--|\n| `x` | 1\\|2 |")
    [('a', 'x'), ('b', '1|2')]
    """
    lines = table.split("\n")
    rows = [
        [bare(one.strip().replace("\\|", "|")) for one in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        for line in (lines[0], *lines[2:])
    ]
    return list(zip(*rows, strict=True))


def markdown_fitted(text: str, lay_out: Callable[[list[Row]], str]) -> str:
    """Have the pipe tables of a Markdown text laid out by a function of their columns; the rest stays as it is."""
    return re.sub(r"(?:^\|.*$\n?)+", lambda match: f"{lay_out(columns_of(match[0].rstrip()))}\n", text, flags=re.M)
