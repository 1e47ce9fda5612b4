"""A verdict's condition, which is one text, taken apart: what holds under each condition, with its number."""

from __future__ import annotations

import re

from actlab.analysis.claims import (
    CONTRADICTED,
    FAILED,
    FAVOUR,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    Verdict,
)
from actlab.naming import counted

WORDS = (SUPPORTED, CONTRADICTED, ONLY_IF, INCONCLUSIVE, FAILED)
CAPPED = re.compile(r"\((would be '.*?)\) ?((?:[^()]|\([^()]*\))*|\(.*\))$")
"""A condition that begins with why the verdict is capped, and the rest of it."""


def by_condition(one: Verdict) -> tuple[str, list[tuple[str, str, str]]]:
    """Take a verdict's condition apart: what is said of all of it, and rows (condition, number, verdict) if it has any.

    >>> from actlab.analysis.claims import AT_MOST
    >>> condition = "(would be 'true only if', but …) he: 0.1 [0, 0.2]; contradicted at lecun: 0.5 [0.4, 0.6]"
    >>> head, rows = by_condition(Verdict("S", "", "s", AT_MOST, 0.3, 0.5, 0.4, 0.6, 5, "t", ONLY_IF, condition, "e"))
    >>> head
    "would be 'true only if', but …"
    >>> rows
    [('he', '0.1 [0, 0.2]', 'supported'), ('lecun', '0.5 [0.4, 0.6]', 'contradicted')]
    """
    head, rest = "", one.condition
    if found := CAPPED.match(rest):
        head, rest = found[1], found[2]
    if not rest:
        return head, []
    word = SUPPORTED if rest and not rest.startswith("(") else ""
    rows = []
    for piece in rest.removeprefix("(").removesuffix(")" if rest.startswith("(") else "").split("; "):
        begins = next((each for each in WORDS if piece.startswith(f"{each} at ")), "")
        word = begins or word
        name, _, number = piece.removeprefix(f"{begins} at ").rpartition(": ")
        rows.append((name, number, word))
    return (head, rows) if all(all(row) for row in rows) else (one.condition, [])


def told_apart(one: Verdict) -> str:
    """Write of a claim that is *true only if* the number where it holds, and the other beside it.

    Of several conditions on a side it is the number that fits the claim least; empty of any other verdict.

    >>> from actlab.analysis.claims import AT_MOST
    >>> condition = "he: 0.1 [0, 0.2]; orthogonal: 0.2 [0.1, 0.3]; contradicted at lecun: 0.5 [0.4, 0.6]"
    >>> told_apart(Verdict("S", "", "s", AT_MOST, 0.3, 0.5, 0.4, 0.6, 5, "t", ONLY_IF, condition, "e"))
    'it holds at orthogonal: 0.2 [0.1, 0.3] (and 1 condition more); it does not at lecun: 0.5 [0.4, 0.6]'
    """
    rows = by_condition(one)[1] if one.verdict == ONLY_IF else []
    sides = [[row[:2] for row in rows if row[2] == word] for word in (SUPPORTED, CONTRADICTED)]
    if not all(sides):
        return ""

    def fits(row: tuple[str, str]) -> float:
        return FAVOUR[one.form](float(row[1].split(" ")[0].strip(",").replace("−", "-")))

    texts = []
    for those in sides:
        name, number = min(those, key=fits)
        more = f" (and {counted(len(those) - 1, 'condition')} more)" if len(those) > 1 else ""
        texts.append(f"{name}: {number}{more}")
    return f"it holds at {texts[0]}; it does not at {texts[1]}"
