"""What was found of a claim, in words: its number, and under several conditions what holds under which."""

from __future__ import annotations

from collections.abc import Sequence

from actlab.analysis.claims import (
    CONTRADICTED,
    DOUBT,
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
from actlab.analysis.escaping import plain
from actlab.analysis.intervals import COMPUTED, Interval
from actlab.analysis.layout import number, with_interval
from actlab.analysis.typeset import in_print
from actlab.analysis.under import Under
from actlab.later import pd
from actlab.naming import counted

DECIDES = "what would decide"
"""The column of a condition that is open."""


def interval_of(one: Verdict | Under) -> Interval:
    """Return the number of a verdict, or of one condition, with its interval."""
    return Interval(one.estimate, one.low, one.high, one.n, one.method)


def measured(one: Verdict, short: bool = False) -> str:
    """Write what was measured, with interval and n; of *true only if* both sides; of what was computed a number alone.

    Args:
        one: the verdict.
        short: whether both sides are told in few words, as a paper has room for.

    >>> from actlab.analysis.claims import AT_LEAST, judge
    >>> from actlab.analysis.judging import computed, judge_law
    >>> measured(judge("M1", "mish", "bounded below", AT_LEAST, -1.0, computed(-0.30884), "its least value"))
    '−0.309, computed'
    >>> measured(judge_law("R", "relu", "none comes back", 0.0, [0.0, 0.25], "revived"))
    '0 to 0.250, n = 2'
    """
    if both := told_apart(one, short):
        return both
    if one.form == EXACTLY and one.n:
        return f"{number(one.low)} to {number(one.high)}, n = {one.n}"
    found = with_interval(interval_of(one)) + f", n = {one.n}" * (one.method != COMPUTED)
    return f"{found}{where_none(one)}"


def where_none(one: Verdict) -> str:
    """Say of an inconclusive claim whose number is of no condition that leaves it open that these have none.

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> samples = {"he": [0.1, 0.11, 0.12, 0.1, 0.11], "lecun": [], "glorot": []}
    >>> where_none(judge("S", "", "s", AT_MOST, 0.3, samples, "e"))
    '; no number at lecun and 1 condition more, which leaves it open'
    """
    open_ones = [row for row in one.under if row.verdict == INCONCLUSIVE]
    if one.verdict != INCONCLUSIVE or not (one.n and open_ones) or any(row.n for row in open_ones):
        return ""
    more = f" and {counted(len(open_ones) - 1, 'condition')} more" if len(open_ones) > 1 else ""
    return f"; no number at {open_ones[0].condition}{more}, which leaves it open"


def least_favourable(form: str, rows: list[Under]) -> Under:
    """Choose the condition whose estimate fits a claim least."""
    return min(rows, key=lambda row: FAVOUR[form](row.estimate))


def told_apart(one: Verdict, short: bool = False) -> str:
    """Write of a claim that is *true only if* the number where it holds, and the other beside it.

    Of several conditions on a side it is the number that fits the claim least; empty of any other verdict. In short n
    stands behind both, of what was measured.

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> samples = {"he": Interval(0.1, 0, 0.2, 5, ""), "lecun": Interval(0.5, 0.4, 0.6, 5, "")}
    >>> samples["orthogonal"] = Interval(0.2, 0.1, 0.3, 5, "")
    >>> told_apart(judge("S", "", "s", AT_MOST, 0.3, samples, "e"))
    'it holds at orthogonal: 0.20 [0.10, 0.30] (and 1 condition more); it does not at lecun: 0.50 [0.40, 0.60]'
    >>> told_apart(judge("S", "", "s", AT_MOST, 0.3, samples, "e"), short=True)
    'at orthogonal: 0.20 [0.10, 0.30] (1 more); not at lecun: 0.50 [0.40, 0.60], n = 5'
    """
    sides = [[row for row in one.under if row.verdict == word] for word in (SUPPORTED, CONTRADICTED)]
    if one.verdict != ONLY_IF or not all(sides):
        return ""
    several = len({row.n for row in one.under}) > 1
    texts = []
    for rows in sides:
        least = least_favourable(one.form, rows)
        others = f"{len(rows) - 1} more" if short else f"and {counted(len(rows) - 1, 'condition')} more"
        more = f" ({others})" if len(rows) > 1 else ""
        texts.append(f"{least.condition}: {with_interval(interval_of(least))}{f', n = {least.n}' * several}{more}")
    if short:
        each = not several and one.method != COMPUTED
        return f"at {texts[0]}; not at {texts[1]}" + f", n = {one.n}" * each
    return f"it holds at {texts[0]}; it does not at {texts[1]}"


def spread(one: Verdict) -> str:
    """Say at how many of its conditions a verdict is so, and what was found at the others; empty without conditions.

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> samples = {"he": Interval(0.1, 0, 0.2, 5, ""), "lecun": Interval(0.5, 0.4, 0.6, 5, "")}
    >>> samples["orthogonal"] = Interval(0.3, 0.1, 0.5, 5, "")
    >>> spread(judge("S", "", "s", AT_MOST, 0.3, samples, "e"))
    'at 1 of 3 conditions; contradicted at 1; 1 open'
    >>> spread(judge("S", "", "s", AT_MOST, 0.0, samples, "e"))
    'at 2 of 3 conditions; 1 open'
    """
    own, every = SUPPORTED if one.verdict == ONLY_IF else one.verdict, len(one.under)
    counts = {word: sum(row.verdict == word for row in one.under) for word in (SUPPORTED, CONTRADICTED, INCONCLUSIVE)}
    if every and counts.get(own) == every:
        return f"at {'both' if every == 2 else f'all {every}'} conditions"
    texts = [
        f"{count} open" if word == INCONCLUSIVE else f"{word} at {count}".removeprefix(f"{own} ")
        for word, count in counts.items()
        if count
    ]
    return "; ".join([*(f"{text} of {every} conditions" for text in texts[:1]), *texts[1:]])


def qualified(one: Verdict) -> str:
    """Say beside *contradicted* at how many conditions a claim is, where it is open at others; else nothing.

    So too beside *inconclusive*, where it is supported at some.

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> samples = {"he": Interval(0.3, 0.1, 0.5, 5, ""), "lecun": Interval(0.5, 0.4, 0.6, 5, "")}
    >>> qualified(judge("S", "", "s", AT_MOST, 0.3, samples, "e"))
    ' (at 1 of 2 conditions; 1 open)'
    """
    other = {CONTRADICTED: INCONCLUSIVE, INCONCLUSIVE: SUPPORTED}.get(one.verdict)
    return f" ({spread(one)})" if any(row.verdict == other for row in one.under) else ""


def in_brief(one: Verdict) -> str:
    """Write a verdict for a table that has its conditions below it: how many of them, and what is said of all of it."""
    said = "; ".join(filter(None, [spread(one), plain(remark(one))]))
    return f"**{one.verdict}**{f' ({said})' * bool(said)}"


def on_page(verdicts: Sequence[Verdict], wide: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]] | None:
    """Part a table of claims for a report: what is long of several claims stands in tables below it; None of few words.

    Args:
        verdicts: in its order.
        wide: the table, whose ``evidence`` and ``verdict`` say all.
    """
    parted = [(one, *one.evidence.partition(DOUBT)[::2]) for one in verdicts]
    doubts = [(plain(one.id), plain(in_print(doubt))) for one, _, doubt in parted if doubt]
    below = {"the conditions": each_condition(verdicts)} if any(one.under for one in verdicts) else {}
    below |= {"what to doubt of selections": pd.DataFrame(doubts, columns=["claim", "to doubt"])} if doubts else {}
    evidence = [plain(in_print(said)) for _, said, _ in parted]
    return (wide.assign(evidence=evidence, verdict=[*map(in_brief, verdicts)]), below) if below else None


def of_conditions(one: Verdict) -> pd.DataFrame:
    """Tabulate what was found under each condition: n, and what would decide, where that says anything."""
    frame = each_condition([one]).drop(columns="claim")
    return frame.drop(columns="n") if frame["n"].nunique() == 1 else frame


def each_condition(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Tabulate what was found under each condition of several verdicts, as Markdown."""
    rows = [(one, row) for one in verdicts for row in one.under]
    frame = pd.DataFrame(
        {
            "claim": [plain(one.id) for one, _ in rows],
            "condition": [plain(row.condition) for _, row in rows],
            "found": [with_interval(interval_of(row)) for _, row in rows],
            "n": [str(row.n) for _, row in rows],
            "verdict": [row.verdict for _, row in rows],
            DECIDES: [plain(row.more) for _, row in rows],
        }
    )
    return frame if any(frame[DECIDES]) else frame.drop(columns=DECIDES)


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
