"""Where activations of one's own stand among the known ones: their places, with what the seeds leave open."""

from __future__ import annotations

from actlab.analysis.cells import Cells
from actlab.analysis.findings.base import Finding, Tables
from actlab.analysis.intervals import FEWEST
from actlab.analysis.layout import in_markdown, records
from actlab.analysis.notes import listed
from actlab.analysis.tables.standing import PLACE, SPEED
from actlab.later import pd
from actlab.naming import counted

STANDING = "standing"
BY = {
    PLACE: "by the depth to which they train, then by accuracy there",
    SPEED: "by speed (the mean over depths of the rank of their steps to the target)",
}


def standing(cells: Cells, tables: Tables) -> Finding | None:
    """At which place each newcomer stands, by depth and accuracy and by speed; then those beside which it was put."""
    if STANDING not in tables:
        return None
    frame = tables[STANDING].frame
    own = set(cells.runs.loc[cells.runs["activation_order"] == 0, "activation"])  # in the catalogue it begins with 1
    few = cells.selected["seed"].nunique()
    texts = [said(rows, own, how) for name, how in BY.items() if len(rows := frame[frame["measure"] == name])]
    if not texts:
        return None
    if few < FEWEST:
        texts[0] += f" {counted(few, 'seed')} bound no difference of accuracies: {FEWEST} would."
    return Finding(texts[0], STANDING, ("accuracy_by_depth",), tuple(texts[1:]))


def said(rows: pd.DataFrame, own: set[str], how: str) -> str:
    """Say the places of newcomers, then those of the others; where there are none, or no others, of all.

    >>> places = [("mine", 1, 1, 2), ("gelu", 2, 1, 2), ("relu", 3, 3, 3)]
    >>> rows = pd.DataFrame(places, columns=["activation", "mean", "low", "high"])
    >>> said(rows, {"mine"}, "by speed")
    'Of 3 activations by speed, `mine` has place 1–2; of the known `gelu` 1–2 and `relu` 3. A range is what is left \
open: a tie.'
    """
    mine = rows["activation"].isin(own)
    mine = mine if mine.any() else ~mine
    text = f"Of {counted(len(rows), 'activation')} {how}, {at_places(rows[mine], True)}"
    rest = f"; of the known {at_places(rows[~mine])}" if not mine.all() else ""
    return f"{text}{rest}.{' A range is what is left open: a tie.' if (rows['low'] < rows['high']).any() else ''}"


def at_places(rows: pd.DataFrame, verb: bool = False) -> str:
    """Name activations with their places, first places first and those of one range together."""
    parts: list[str] = []
    for _, some in rows.sort_values("mean").groupby(["low", "high"], sort=False):
        names = listed([in_markdown(row["activation"], "activation") for row in records(some)])
        has = ("has place " if len(some) == 1 else "have place ") if verb and not parts else ""
        low, high = some[["low", "high"]].iloc[0]
        parts.append(f"{names} {has}{low:g}{f'–{high:g}' if low < high else ''}")
    return listed(parts)
