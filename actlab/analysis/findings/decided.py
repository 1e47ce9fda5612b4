"""Claims: what was decided of each of a study's, in words, with its number."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from actlab.analysis.cells import Cells
from actlab.analysis.claims import (
    CONTRADICTED,
    EXACTLY,
    FAILED,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    Verdict,
    as_table,
    claimed,
    with_interval,
)
from actlab.analysis.escaping import code, plain, unguarded
from actlab.analysis.findings.base import Finding, Row, Tables
from actlab.analysis.intervals import Interval
from actlab.analysis.layout import Table, number, records
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
ORDER = (CONTRADICTED, ONLY_IF, FAILED, INCONCLUSIVE, SUPPORTED)
"""What surprises is said first."""
ENDS_IN_PARENTHESES = re.compile(r" \([^()]*\)$")
MOST_STATED, MOST_IDS, MOST_LONG = 4, 12, 240


def claims(cells: Cells, tables: Tables) -> Finding | None:
    """How many of the study's claims have which verdict, and the claims themselves: those contradicted first."""
    if CLAIMS not in tables or tables[CLAIMS].frame.empty:
        return None
    frame = tables[CLAIMS].frame
    numbers = frame["verdict"].value_counts()
    if len(numbers) == 1:
        which = f"All {len(frame)} claims of this study are" if len(frame) > 1 else "The one claim of this study is"
        begin = f"{which} {VERDICTS[numbers.index[0]]}:"
    else:
        each = [
            f"{numbers[one]} {'are' if numbers[one] > 1 else 'is'} {VERDICTS[one]}"
            for one in VERDICTS
            if one in numbers
        ]
        begin = f"Of {counted(len(frame), 'claim')} {listed(each)}."
    ordered = frame.sort_values("verdict", key=lambda one: one.map(ORDER.index), kind="stable")
    sentences = []
    for verdict in ORDER:
        those = records(ordered.head(MOST_STATED)[ordered["verdict"].head(MOST_STATED) == verdict])
        if those:
            head = "" if len(numbers) == 1 else f"{VERDICTS[verdict].capitalize()}: "
            sentences.append(f"{head}{'; '.join(map(in_words, those))}.")
    more = [plain(str(one)) for one in ordered["id"].iloc[MOST_STATED:MOST_IDS]]
    more += [f"{len(frame) - MOST_IDS} more"] if len(frame) > MOST_IDS else []
    rest = [f"Not said here: {listed(more)}."] if more else []
    return Finding(" ".join([begin, *sentences, *rest]), CLAIMS)


def in_words(row: Row) -> str:
    """State a claim, with what it claims of a number and what was found."""
    id, statement, condition = (plain(str(row[name])) if row[name] else "" for name in ("id", "statement", "condition"))
    if row["verdict"] == FAILED:
        return f"{id} ({condition})"
    one = Verdict(**{field.name: row[field.name] for field in fields(Verdict)})
    found = with_interval(Interval(one.estimate, one.low, one.high, one.n, one.method))
    if one.form == EXACTLY and one.low == one.high == one.effect:
        number_of = f"a law: holds in all {one.n} cases"
    elif one.form == EXACTLY:
        number_of = f"a law: {claimed(one)}, found {number(one.low)} to {number(one.high)} in {one.n} cases"
    elif one.verdict in (ONLY_IF, INCONCLUSIVE) and 0 < len(condition) <= MOST_LONG:
        number_of = f"claimed {claimed(one)}, found: {condition[1:-1] if condition.startswith('(') else condition}"
    else:
        number_of = f"claimed {claimed(one)}, found {found}{' where it fits least' * bool(condition)}"
    whose = f"{code(one.activation)}: " if one.activation else ""
    joint = f"{statement[:-1]}; " if ENDS_IN_PARENTHESES.search(statement) else f"{statement} ("
    return f"{id}, {whose}{joint}{number_of})"


def open_claims(tables: Tables) -> str:
    """Name the claims that stay open; empty where there is none."""
    if CLAIMS not in tables:
        return ""
    frame = tables[CLAIMS].frame
    rows = records(frame[frame["verdict"] == INCONCLUSIVE])
    said = [f"{plain(str(row['id']))} ({plain(str(row['statement']))})" for row in rows[:MOST_STATED]]
    said += [f"{len(rows) - MOST_STATED} more"] if len(rows) > MOST_STATED else []
    return f"Claims that these runs do not decide: {listed(said)}." if said else ""


def stored_verdicts(folder: Path) -> Table | None:
    """Read the table of claims of a report that is written, for who is not to decide them again; None without one.

    Args:
        folder: that of the report's tables.
    """
    path = folder / f"{CLAIMS}.csv"
    if not path.is_file():
        return None
    rows = pd.read_csv(path, keep_default_na=False, dtype=str, encoding="utf-8").to_dict("records")
    kinds: dict[str, Callable[[str], Any]] = {"str": unguarded, "float": lambda text: float(text or "nan"), "int": int}
    made = [Verdict(**{one.name: kinds[str(one.type)](row[one.name]) for one in fields(Verdict)}) for row in rows]
    return as_table(made, [], 0, 0)
