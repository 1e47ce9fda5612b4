"""What was found of a claim, in words: its number, and under several conditions what holds under which."""

from __future__ import annotations

from collections.abc import Sequence

from actlab.analysis.claims import (
    CONTRADICTED,
    EXACTLY,
    FAVOUR,
    FORMS,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    Verdict,
    conditions_text,
    overall,
)
from actlab.analysis.intervals import COMPUTED, Interval
from actlab.analysis.layout import number, with_interval
from actlab.analysis.under import Under
from actlab.naming import counted


def interval_of(one: Verdict | Under) -> Interval:
    """Return the number of a verdict, or of one condition, with its interval."""
    return Interval(one.estimate, one.low, one.high, one.n, one.method)


def measured(one: Verdict) -> str:
    """Write what was measured, with interval and n; of *true only if* both sides; of what was computed a number alone.

    >>> from actlab.analysis.claims import AT_LEAST, judge
    >>> from actlab.analysis.judging import computed, judge_law
    >>> measured(judge("M1", "mish", "bounded below", AT_LEAST, -1.0, computed(-0.30884), "its least value"))
    '−0.309, computed'
    >>> measured(judge_law("R", "relu", "none comes back", 0.0, [0.0, 0.25], "revived"))
    '0 to 0.250, n = 2'
    """
    if both := told_apart(one):
        return both
    if one.form == EXACTLY and one.n:
        return f"{number(one.low)} to {number(one.high)}, n = {one.n}"
    return with_interval(interval_of(one)) + f", n = {one.n}" * (one.method != COMPUTED)


def least_favourable(form: str, rows: list[Under]) -> Under:
    """Choose the condition whose estimate fits a claim least."""
    return min(rows, key=lambda row: FAVOUR[form](row.estimate))


def told_apart(one: Verdict) -> str:
    """Write of a claim that is *true only if* the number where it holds, and the other beside it.

    Of several conditions on a side it is the number that fits the claim least; empty of any other verdict.

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> samples = {"he": Interval(0.1, 0, 0.2, 5, ""), "lecun": Interval(0.5, 0.4, 0.6, 5, "")}
    >>> samples["orthogonal"] = Interval(0.2, 0.1, 0.3, 5, "")
    >>> told_apart(judge("S", "", "s", AT_MOST, 0.3, samples, "e"))
    'it holds at orthogonal: 0.20 [0.10, 0.30] (and 1 condition more); it does not at lecun: 0.50 [0.40, 0.60]'
    """
    sides = [[row for row in one.under if row.verdict == word] for word in (SUPPORTED, CONTRADICTED)]
    if one.verdict != ONLY_IF or not all(sides):
        return ""
    several = len({row.n for row in one.under}) > 1
    texts = []
    for rows in sides:
        least = least_favourable(one.form, rows)
        more = f" (and {counted(len(rows) - 1, 'condition')} more)" if len(rows) > 1 else ""
        texts.append(f"{least.condition}: {with_interval(interval_of(least))}{f', n = {least.n}' * several}{more}")
    return f"it holds at {texts[0]}; it does not at {texts[1]}"


def found_at(rows: Sequence[Under], *words: str) -> str:
    """Write the conditions that have one of some verdicts, each with what was found; of those that hold the bare names.

    >>> rows = [Under("he", 0.1, 0, 0.2, 5, "", SUPPORTED), Under("lecun", 0.5, 0.4, 0.6, 5, "", CONTRADICTED)]
    >>> found_at(rows, SUPPORTED), found_at(rows, CONTRADICTED, INCONCLUSIVE)
    ('he: 0.10 [0.00, 0.20]', 'contradicted at lecun: 0.50 [0.40, 0.60]')
    """
    intervals = {row.condition: interval_of(row) for row in rows}
    those = {row.condition: row.verdict for row in rows if row.verdict in words}
    return conditions_text(those, intervals, ONLY_IF, {row.condition: row.more for row in rows})


def would_be(one: Verdict) -> str:
    """Return the verdict that the numbers alone give: another one stands where it is capped (``judging.capped``).

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> would_be(judge("S", "", "s", AT_MOST, 0.3, [0.1, 0.11, 0.12, 0.1, 0.11], "e"))
    'supported'
    """
    if one.under:
        return overall(row.verdict for row in one.under)
    return FORMS[one.form](one.effect, interval_of(one)) if one.form in FORMS else one.verdict


def remark(one: Verdict) -> str:
    """Return what a verdict's condition says of all of it, as why it is capped: not what was found under each."""
    if one.under and would_be(one) == one.verdict:
        return ""
    words = {row.condition: row.verdict for row in one.under}
    intervals = {row.condition: interval_of(row) for row in one.under}
    more = {row.condition: row.more for row in one.under}
    text = one.condition.removesuffix(conditions_text(words, intervals, would_be(one), more)) if words else ""
    said = (text or one.condition).strip()
    return said[1:-1] if said.startswith("(") and said.endswith(")") else said


def where(one: Verdict) -> str:
    """Name the conditions under which a claim is true, then those under which it is not, and those that are open.

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> samples = {"he": Interval(0.1, 0, 0.2, 5, ""), "lecun": Interval(0.5, 0.4, 0.6, 5, "")}
    >>> where(judge("S", "", "s", AT_MOST, 0.3, samples, "e"))
    'true at he; contradicted at lecun'
    """
    parts = []
    for word, said in ((SUPPORTED, "true"), (CONTRADICTED, CONTRADICTED), (INCONCLUSIVE, "open")):
        if names := [row.condition for row in one.under if row.verdict == word]:
            parts.append(f"{said} at {'; '.join(names)}")
    return "; ".join(parts)
