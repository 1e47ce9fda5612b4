"""Claims: how many of a study's are supported, and which are contradicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from actlab.analysis.cells import Cells
from actlab.analysis.claims import CONTRADICTED, FAILED, INCONCLUSIVE, ONLY_IF, SUPPORTED, Verdict, as_table
from actlab.analysis.escaping import plain
from actlab.analysis.findings.base import Finding, Tables
from actlab.analysis.layout import Table, records
from actlab.analysis.notes import listed
from actlab.analysis.parts import CLAIMS
from actlab.later import pd
from actlab.naming import counted

VERDICTS = {
    SUPPORTED: "supported",
    CONTRADICTED: "contradicted",
    ONLY_IF: "true only under some of the conditions",
    INCONCLUSIVE: "inconclusive",
    FAILED: "not decided, since they failed",
}
MOST_STATED, MOST_IDS = 3, 12


def claims(cells: Cells, tables: Tables) -> Finding | None:
    """How many of the study's claims have which verdict, and which are contradicted, with their estimates."""
    if CLAIMS not in tables or tables[CLAIMS].frame.empty:
        return None
    frame, wide = tables[CLAIMS].frame, tables[CLAIMS].wide
    numbers = frame["verdict"].value_counts()
    there = {text: numbers[one] for one, text in VERDICTS.items() if one in numbers}
    each = [f"{number} {'are' if number > 1 else 'is'} {text}" for text, number in there.items()]
    verdicts = f"Of {counted(len(frame), 'claim')} {listed(each)}."
    no = wide[frame["verdict"].eq(CONTRADICTED).to_numpy()]
    if no.empty:
        return Finding(verdicts, CLAIMS)
    stated = [
        f"{row['claim']} ({row['statement']}; claimed {row['claimed']}, found {row['estimate']})"
        for row in records(no.head(MOST_STATED))
    ]
    more = [str(one) for one in no["claim"].iloc[MOST_STATED:MOST_IDS]]
    more += [f"{len(no) - MOST_IDS} more"] if len(no) > MOST_IDS else []
    return Finding(f"{verdicts} Contradicted: {listed([*stated, *more])}.", CLAIMS)


def open_claims(tables: Tables) -> str:
    """Name the claims that stay open; empty where there is none."""
    if CLAIMS not in tables:
        return ""
    frame = tables[CLAIMS].frame
    ids = [plain(str(one)) for one in frame.loc[frame["verdict"] == INCONCLUSIVE, "id"]]
    return f"Inconclusive: {listed(ids)}." if ids else ""


def stored_verdicts(folder: Path) -> Table | None:
    """Read the table of claims of a report that is written, for who is not to decide them again; None without one.

    Args:
        folder: that of the report's tables.
    """
    path = folder / f"{CLAIMS}.csv"
    if not path.is_file():
        return None
    rows = pd.read_csv(path, keep_default_na=False, dtype=str, encoding="utf-8").to_dict("records")
    kinds: dict[str, Callable[[str], Any]] = {"str": str, "float": lambda text: float(text or "nan"), "int": int}
    made = [Verdict(**{one.name: kinds[str(one.type)](row[one.name]) for one in fields(Verdict)}) for row in rows]
    return as_table(made, [], 0, 0)
