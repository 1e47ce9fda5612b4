"""The tables of ``docs/`` that records make: ``python -m actlab.analysis.documents docs/measures.md`` rewrites them.

Such a table stands between two comments, ``<!-- begin measures ... -->`` and ``<!-- end measures -->``.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from actlab.measures import BIN, END, LAYER, MEASURES, RUN, Measure

HEADINGS = ("column", "frame", "definition", "taken on", "means")
FRAMES = {LAYER: "`layers`", BIN: "`histograms`", RUN: "`steps`"}


def measures_table(records: Iterable[Measure] = MEASURES.values()) -> str:
    """Tabulate every measure's column, definition, and where, when and how it is taken and pooled, in Markdown.

    >>> print(measures_table([MEASURES["act_var"]]))
    | column | frame | definition | taken on | means |
    | --- | --- | --- | --- | --- |
    | `act_var` | `layers` | variance of h over units and rows | probe rows, at records | geometric |
    """
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(row, records)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def row(one: Measure) -> tuple[str, ...]:
    """Write a measure's line of the table."""
    asks = "" if one.default or one.per == RUN else "on request, expensive" if one.expensive else "on request"
    more = "; ".join(part for part in (asks, one.reference, one.unit) if part)
    definition = one.definition.replace("|", "\\|") + (f" ({more})" if more else "")
    taken = f"{one.on}, at {one.at}" if one.on else f"at the {one.at}"
    frame = "tables" if one.group == "derived" else "`runs`" if one.at == END else FRAMES[one.per]
    return f"`{one.name}`", frame, definition, taken, one.over_seeds


def written(text: str) -> str:
    """Bring the table between a document's comments up to date."""
    block = re.compile(r"(<!-- begin measures\b[^\n]*-->\n).*?(\n<!-- end measures -->)", re.DOTALL)
    return block.sub(lambda match: f"{match[1]}\n{measures_table()}\n{match[2]}", text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(written(Path(name).read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
