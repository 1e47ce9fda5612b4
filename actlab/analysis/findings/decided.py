"""Claims: what was decided of each of a study's, in words, with its number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from actlab.analysis.cells import Cells
from actlab.analysis.claims import (
    COLUMNS,
    CONTRADICTED,
    DOUBT,
    EXACTLY,
    FAILED,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    Verdict,
    as_table,
    claimed,
)
from actlab.analysis.conditions import found_at, interval_of, least_favourable, qualified, remark
from actlab.analysis.escaping import code, plain, unguarded
from actlab.analysis.findings.base import Finding, Row, Tables
from actlab.analysis.intervals import FEWEST, Interval
from actlab.analysis.layout import Table, number, records, with_interval
from actlab.analysis.notes import listed
from actlab.analysis.parts import CLAIMS
from actlab.analysis.seeds import ALIKE
from actlab.analysis.under import AT, CONDITIONS, Under
from actlab.later import pd
from actlab.naming import counted

T = TypeVar("T", Verdict, Under)
VERDICTS = {
    SUPPORTED: "supported",
    CONTRADICTED: "contradicted",
    ONLY_IF: "true only under some of the conditions",
    INCONCLUSIVE: "inconclusive",
    FAILED: "not decided, since they failed",
}
ORDER = (CONTRADICTED, ONLY_IF, FAILED, INCONCLUSIVE, SUPPORTED)
"""What surprises is said first."""
BEGIN = {
    SUPPORTED: "Supported is",
    CONTRADICTED: "Contradicted is",
    ONLY_IF: "True only under some of the conditions is",
    INCONCLUSIVE: "Inconclusive is",
    FAILED: "Not decided, since it failed, is",
}
PARENTHESES = re.compile(r" \([^()]*\)")
LEAST = "; least favourable: "
"""How evidence ends of a claim under several conditions."""
MOST_STATED, MOST_LONG = 4, 150


def claims(cells: Cells, tables: Tables) -> Finding | None:
    """How many of the study's claims have which verdict, and the claims themselves: those contradicted first."""
    if CLAIMS not in tables or tables[CLAIMS].frame.empty:
        return None
    frame = tables[CLAIMS].frame
    numbers = frame["verdict"].value_counts()
    if len(numbers) == 1:
        which = f"All {len(frame)} claims of this study are" if len(frame) > 1 else "The one claim of this study is"
        begin = f"{which} {VERDICTS[numbers.index[0]]}."
    else:
        each = [
            f"{numbers[one]} {'are' if numbers[one] > 1 else 'is'} {VERDICTS[one]}"
            for one in VERDICTS
            if one in numbers
        ]
        begin = f"Of {counted(len(frame), 'claim')} {listed(each)}."
    ordered = frame.sort_values("verdict", key=lambda one: one.map(ORDER.index), kind="stable")
    under = by_claim(records(tables[CLAIMS].beside.get(CONDITIONS, pd.DataFrame())))
    sentences = []
    for row in records(ordered.head(MOST_STATED)):
        head = "" if len(numbers) == 1 else f"{BEGIN[row['verdict']]} "
        sentences.append(f"{head}{in_words(row, under.get(claim_of(row), ()))}.")
    few = f" Here are {MOST_STATED}; all are in the table." if len(frame) > MOST_STATED else ""
    return Finding(f"{begin}{few}", CLAIMS, more=tuple(sentences))


def in_words(row: Row, under: Sequence[Under] = ()) -> str:
    """State a claim, with what it claims of a number and what was found; its verdict stands before it."""
    one = Verdict(**{name: row[name] for name in COLUMNS}, under=tuple(under))
    if one.verdict == FAILED:
        return f"{plain(one.id)}: {plain(one.condition)}"
    whose = f", {code(one.activation)}" if one.activation else ""
    return f"{plain(one.id)}{whose}{qualified(one)}: {plain(one.statement)}; {plain(with_its_number(one))}"


def with_its_number(one: Verdict) -> str:
    """Say what a claim asks of its number, and what that was found to be: with its unit, and where it fits least.

    >>> from dataclasses import replace
    >>> some = Verdict("R", "relu", "units die", "at least", 0.01, 0.3, 0.2, 0.4, 20, "t", SUPPORTED, "", "share")
    >>> with_its_number(replace(some, evidence="share; least favourable: sgd (2 runs)", unit="decades / layer"))
    'claimed is at least 0.01, found 0.30 [0.20, 0.40] decades per layer at sgd, where it fits least'
    >>> with_its_number(replace(some, low=math.nan, high=math.nan))
    'claimed is at least 0.01, found 0.300 in all 20 seeds: equal values have no interval, and decide nothing'
    """
    inner = one.condition[1:-1] if one.condition.startswith("(") else one.condition
    asked, unit = f"claimed is {claimed(one)}", f" {one.unit.replace(' / ', ' per ')}" if one.unit else ""
    if one.form == EXACTLY:
        if one.low == one.high == one.effect:
            return f"a law, which holds in all {one.n} cases"
        return f"{asked} of every case, found {number(one.low)} to {number(one.high)}; {inner}" if one.n else asked
    least = PARENTHESES.sub("", one.evidence.partition(LEAST)[2].partition(DOUBT)[0])
    if one.verdict == INCONCLUSIVE and any(row.verdict == INCONCLUSIVE for row in one.under):
        return f"{asked}{unit}; {left_open(one)}"
    if least and one.verdict == ONLY_IF and len(texts := under_conditions(one, least)) <= MOST_LONG:
        return f"{asked}{unit}; {texts}"
    told = f"{with_interval(Interval(one.estimate, one.low, one.high, one.n, one.method))}{unit}"
    if one.n and math.isnan(one.low):
        few = f"{number(one.estimate)}{unit} in {counted(one.n, 'seed')}: too few for an interval"
        alike = f"{number(one.estimate)}{unit} in all {one.n} seeds: equal values have no interval, and decide nothing"
        told, inner = (few, inner) if one.n < FEWEST else (alike, "")  # which says what more seeds would do
    where = f" at {least}, where it fits least" if least else ""
    more = remark(one) if one.under else inner * (not least)
    return f"{asked}, found {told}{where}{f'; {more}' * bool(more)}"


def under_conditions(one: Verdict, least: str) -> str:
    """Say under which conditions a claim was found true and under which not; of many the one where it fits least.

    Args:
        one: the verdict, with its conditions.
        least: the condition that it fits least.
    """
    holds, fails = (
        PARENTHESES.sub("", found_at(one.under, *words)) for words in ((SUPPORTED,), (CONTRADICTED, INCONCLUSIVE))
    )
    if len(fails.removeprefix(f"{CONTRADICTED} at ")) > MOST_LONG // 2:
        fails = f"{CONTRADICTED} at others, the furthest {least}: {with_interval(interval_of(one))}"
    return f"{SUPPORTED} at {holds}; {fails}"


def left_open(one: Verdict) -> str:
    """Say under which conditions a claim is supported and which leave it open, each with its number and what would do.

    Of many, where that is long: how many support it, and the open one that fits it least, of those with a number.

    >>> from actlab.analysis.claims import AT_LEAST, judge
    >>> found = Interval(0.9, 0.8, 1.0, 9, "t"), Interval(0.2, math.nan, math.nan, 3, "none")
    >>> left_open(judge("V", "relu", "large", AT_LEAST, 0.1, dict(zip(["adam", "sgd"], found)), "size"))
    'supported at adam: 0.90 [0.80, 1.00]; not decided at sgd: 0.200 in 3 seeds (it takes 5 seeds)'
    """
    by_word = {word: [row for row in one.under if row.verdict == word] for word in (SUPPORTED, INCONCLUSIVE)}
    holds, opens = by_word[SUPPORTED], by_word[INCONCLUSIVE]
    said = {id(row): f"{PARENTHESES.sub('', row.condition)}: {number_of(row)}" for row in one.under}
    parts = [f"{SUPPORTED} at {'; '.join(said[id(row)] for row in holds)}"] * bool(holds)
    text = "; ".join([*parts, f"not decided at {'; '.join(said[id(row)] for row in opens)}"])
    if len(text) <= MOST_LONG or len(one.under) == 2:
        return text
    least = least_favourable(one.form, [row for row in opens if row.n] or opens)
    parts = [f"{SUPPORTED} at {len(holds)} of {counted(len(one.under), 'condition')}"] * bool(holds)
    others = f", nor at {counted(len(opens) - 1, 'condition')} more" if len(opens) > 1 else ""
    return "; ".join([*parts, f"not decided at {said[id(least)]}{others}"])


def number_of(row: Under) -> str:
    """Write what was found under a condition; of one that is open why it has no interval, or what would decide."""
    if not row.n:
        return "no number"
    told = with_interval(interval_of(row))
    if math.isnan(row.low):
        told = f"{number(row.estimate)} in {counted(row.n, 'seed') if row.n < FEWEST else f'all {row.n} seeds'}"
    more = "equal values have no interval, and decide nothing" if row.more == ALIKE else row.more
    return f"{told} ({more})" if more else told


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
    return as_table(stored(path), [], 0, 0) if path.is_file() else None


def stored(path: Path) -> list[Verdict]:
    """Read verdicts from the CSV of a table of claims; what was found under their conditions from that beside it."""
    under = stored_under(path)
    return [replace(read_as(Verdict, row), under=tuple(under.get(claim_of(row), ()))) for row in of_text(path)]


def stored_under(path: Path) -> dict[tuple[str, str], list[Under]]:
    """Read what was found under the conditions of the claims in a CSV: {claim: its conditions}, from that beside it."""
    beside = path.with_name(f"{path.stem}-{CONDITIONS}.csv")
    return by_claim(of_text(beside)) if beside.is_file() else {}


def by_claim(rows: Sequence[Row]) -> dict[tuple[str, str], list[Under]]:
    """Make records of the rows of conditions, those of each claim together, in their order."""
    under: dict[tuple[str, str], list[Under]] = {}
    for row in rows:
        settings = tuple((name.removeprefix(AT), str(row[name])) for name in row if name.startswith(AT))
        there = tuple((name, unguarded(value)) for name, value in settings if value not in ("", "nan"))
        under.setdefault(claim_of(row), []).append(replace(read_as(Under, row), settings=there))
    return under


def claim_of(row: Row) -> tuple[str, str]:
    """Say which claim a row is of: by its id, and in a trial's table by the study, too."""
    return str(row.get("study", "")), unguarded(row["id"])


def of_text(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a CSV, every cell as it is written."""
    return records(pd.read_csv(path, keep_default_na=False, dtype=str, encoding="utf-8"))


def read_as(kind: type[T], row: Row) -> T:
    """Make a record of a row, of texts or numbers; what is no field is left out, one with a default may be missing."""
    kinds: dict[str, Callable[[Any], Any]] = {
        "str": unguarded,
        "float": lambda cell: math.nan if cell == "" else float(cell),
        "int": int,
    }
    there = [one for one in fields(kind) if str(one.type) in kinds and (one.name in row or one.default is MISSING)]
    return kind(**{one.name: kinds[str(one.type)](row[one.name]) for one in there})
