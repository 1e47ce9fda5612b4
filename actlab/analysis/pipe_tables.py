"""Tables as Markdown writes them, cells between upright strokes."""

from __future__ import annotations

from actlab.analysis.escaping import one_line
from actlab.later import pd

WIDEST = 240
"""Characters in a line of a Markdown table up to which its columns are aligned: padding is half of a wider one."""


def pipe_table(wide: pd.DataFrame) -> str:
    """Write a wide table as a Markdown pipe table: in aligned columns, unless no window shows such a line whole.

    >>> print(pipe_table(pd.DataFrame({"a": ["x", "x" * 300]})).replace("x" * 300, "..."))
    | a |
    |:--|
    | x |
    | ... |
    """
    from tabulate import tabulate

    def cell(content: object) -> str:
        return one_line(str(content)).replace("|", "\\|")

    safe = [[cell(content) for content in row] for row in wide.itertuples(index=False)]
    heads = [cell(name) for name in wide.columns]
    aligned = tabulate(safe, headers=heads, tablefmt="pipe", disable_numparse=True, stralign="left")
    if len(aligned.partition("\n")[0]) <= WIDEST:
        return aligned
    rows = [f"| {' | '.join(row)} |" for row in (heads, *safe)]
    return "\n".join([rows[0], f"|{':--|' * len(heads)}", *rows[1:]])
