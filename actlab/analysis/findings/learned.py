"""What activations learned: the parameters of their functions at the end, from layer to layer."""

from __future__ import annotations

from actlab.analysis.cells import Cells
from actlab.analysis.escaping import code
from actlab.analysis.findings.base import (
    MOST_EXAMPLES,
    Finding,
    Tables,
    at_depth,
    called,
    deepest,
    keys_of,
    middle,
    varied,
    whole,
)
from actlab.analysis.layout import estimate, records
from actlab.analysis.tables.base import without
from actlab.later import pd


def learned(cells: Cells, tables: Tables) -> Finding | None:
    """Where among the layers of the deepest networks a learned parameter ends lowest, and where highest."""
    if "learned_parameters" not in tables:
        return None
    frame = tables["learned_parameters"].frame
    names = {name for row in cells.runs["learned"].unique() for name in str(row).split(",")}
    last = deepest(frame[frame["measure"].isin(names)], without(keys_of(cells, frame), "depth"))
    last = last[whole(last)]
    if last.empty:
        return None
    keys = without(keys_of(cells, frame), "depth")
    named = varied(last, keys)
    texts = [
        f"{called(records(rows)[0], named)} ends with {span(rows)}"
        for _, rows in last.groupby([*keys, "measure"], sort=False, dropna=False)
    ]
    more = len(texts) - MOST_EXAMPLES
    told = "; ".join([*texts[:MOST_EXAMPLES], *([f"{more} more in the table"] if more > 0 else [])])
    return Finding(f"Learned at {at_depth(last)}: {told}.", "learned_parameters", ("learned_parameters",))


def span(rows: pd.DataFrame) -> str:
    """Write the least and the greatest value of a parameter over layers, with the layers.

    >>> known = {"measure": "leak", "n": 5, "runs": 5, "median": float("nan")}
    >>> low = {"layer": 1, "mean": 0.1, "low": 0.08, "high": 0.12} | known
    >>> span(pd.DataFrame([low, low | {"layer": 2, "mean": 0.2, "low": 0.18, "high": 0.22}]))
    '`leak` from 0.100 [0.080, 0.120] (layer 1) to 0.200 [0.180, 0.220] (layer 2)'
    >>> span(pd.DataFrame([low]))
    '`leak` 0.100 [0.080, 0.120] (layer 1)'
    """
    middles = middle(rows)
    ends = records(rows.loc[[middles.idxmin(), middles.idxmax()]])
    least, greatest = (f"{estimate(row)} (layer {row['layer']})" for row in ends)
    name = code(str(rows["measure"].iloc[0]))
    return f"{name} {least}" if least == greatest else f"{name} from {least} to {greatest}"
