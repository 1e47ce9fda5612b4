"""The lineage: of each fault in the chain who has it and how much, who is said to repair it, and how much is left.

A link of the chain joins two claims that studies have decided: the fault, and its repair. ``RULE`` says when it holds.
A claim that says nothing of a repair may stand beside a fault: then there is no link, and it counts as none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actlab.analysis.claims import AT_LEAST, CONTRADICTED, DOUBT, ONLY_IF, SUPPORTED, Verdict, at_least, claimed
from actlab.analysis.conditions import interval_of, least_favourable, told_apart
from actlab.analysis.escaping import code, plain
from actlab.analysis.findings.decided import LEAST
from actlab.analysis.intervals import COUNTED, Interval
from actlab.analysis.layout import Table, with_interval
from actlab.analysis.surprises import quantity
from actlab.analysis.typeset import in_print
from actlab.analysis.under import Under
from actlab.later import pd
from actlab.naming import counted

HOLDS, CONDITIONAL, BREAKS, OPEN = STATES = ("holds", "holds under conditions", "breaks", "open")
MINUS, UNIT = " minus ", "decades per layer"  # what a clause of its own may say
BESIDE, NO_FAULT = "no repair is claimed", "no such fault found"
SAID = {
    HOLDS: ("holds", "hold"),
    CONDITIONAL: ("holds under conditions", "hold under conditions"),
    BREAKS: ("breaks", "break"),
    OPEN: ("is open", "are open"),
}
"""Of one link, and of several."""
RULE = (
    "A link breaks where either claim is contradicted, and is open where either is inconclusive or has no verdict. It "
    "holds where both are supported. Where either is true only under some conditions, those that both were asked under "
    "decide: it holds under the ones that support both; if there is none, it breaks where each of them contradicts one "
    "of the two claims, and is open otherwise. Claims that share no condition leave it holding under conditions. The "
    "chain is supported where every link holds, contradicted where one breaks or holds only under conditions, and "
    "inconclusive otherwise."
)
"""What ``Link.state`` and ``judge_chain`` do, in words; ``docs/trial.md`` has the same."""
NOTE = (
    f"{RULE} The conditions of a fault and its repair are the same, too, where the repair's is the fault's and more. "
    "Both numbers are then of one of these: one at which the link holds, if there is any, and of these the one that "
    "fits the repair least. Otherwise each number is of the condition that its own claim fits least; of a claim that "
    "is true only under conditions, also of one where it holds. A number of another measure is not to be compared with "
    "that beside it. Data and conditions stand under the ids."
)


@dataclass(frozen=True)
class Link:
    """A step of the chain, as it was decided.

    Attributes:
        fault: the verdict on the fault; None where no study here has one.
        repair: the verdict on its repair; None likewise.
        ids: of both claims, as the trial names them.
        beside: whether the second only stands beside the first, and is said to repair nothing.
    """

    fault: Verdict | None
    repair: Verdict | None
    ids: tuple[str, str]
    beside: bool = False

    @property
    def state(self) -> str:
        """Whether it holds.

        >>> Link(None, None, ("R3a", "L1a")).state
        'open'
        """
        if self.beside:
            return BESIDE
        words = [one.verdict if one else "" for one in (self.fault, self.repair)]
        if CONTRADICTED in words:
            return BREAKS
        if not set(words) <= {SUPPORTED, ONLY_IF}:
            return OPEN
        if ONLY_IF not in words:
            return HOLDS
        shared = self.shared
        if not shared or self.common:
            return CONDITIONAL
        return BREAKS if all(CONTRADICTED in (a.verdict, b.verdict) for a, b in shared) else OPEN

    @property
    def shared(self) -> list[tuple[Under, Under]]:
        """What was found of both under each condition that both were asked under; the repair's may say more."""
        of_fault, of_repair = (one.under if one else () for one in (self.fault, self.repair))
        both = [(a, b) for a in of_fault for b in within(a, of_repair)]
        return [pair for pair in both if all(row.n for row in pair)]

    @property
    def common(self) -> list[str]:
        """Name the conditions under which the fault is there and its repair, too: of one without, the other's."""
        if self.shared:
            return [b.condition for a, b in self.shared if a.verdict == b.verdict == SUPPORTED]
        ends = [one for one in (self.fault, self.repair) if one and one.verdict == ONLY_IF]
        rows = ends[0].under if len(ends) == 1 else ()
        return [row.condition for row in rows if row.verdict == SUPPORTED]

    @property
    def pair(self) -> tuple[Under, Under] | None:
        """The pair of numbers of one condition that stands for the link; None where no condition is of both."""
        if self.repair is None or not self.shared:
            return None
        pairs = {b.condition: (a, b) for a, b in self.shared}
        holding = [pairs[name][1] for name in self.common]
        least = least_favourable(self.repair.form, holding or [b for _, b in pairs.values()])
        return pairs[least.condition]

    @property
    def alike(self) -> bool | None:
        """Whether both numbers are of one measure, by what they are said to be; None where one is missing.

        It may be of another activation, and a magnitude |x| beside x; what stands behind a semicolon is a remark.

        >>> Link(None, None, ("R3a", "L1a")).alike
        """
        ends = [one for one in (self.fault, self.repair) if one]
        said = {one: one.evidence.partition(DOUBT)[0].partition(LEAST)[0] for one in ends}
        bare = {one: text.partition(";")[0].replace("|", "") for one, text in said.items()}
        texts = {text.replace(one.activation or "–", "…") for one, text in bare.items()}
        return len(texts) == 1 if len(ends) == 2 else None

    @property
    def name(self) -> str:
        """Who hands over to whom, by which claims.

        >>> Link(None, None, ("R3a", "L1a")).name
        'R3a to L1a'
        """
        ends = zip(self.ids, (self.fault, self.repair), strict=True)
        return " to ".join(f"{claim} ({one.activation})" if one else claim for claim, one in ends)


def links(named: Sequence[Mapping[str, Any]], verdicts: Sequence[Verdict]) -> list[Link]:
    """Find the verdicts that a trial's ``lineage`` names, in its order."""
    found = {one.id: one for one in verdicts}
    return [
        Link(found.get(one["fault"]), found.get(one["repair"]), (one["fault"], one["repair"]), one.get("beside", False))
        for one in named
    ]


def judge_chain(id: str, statement: str, chain: Sequence[Link]) -> Verdict:
    """Judge the chain as it is said: every link holds, whatever the conditions.

    Returns:
        the verdict; its number is the share of links that hold, from those that do to those that may.

    >>> judge_chain("C1", "each beats the one before", [Link(None, None, ("R3a", "L1a"))]).verdict
    'inconclusive'
    """
    of_state = {state: [one.name for one in chain if one.state == state] for state in STATES}
    k, of = len(of_state[HOLDS]), sum(map(len, of_state.values()))
    most = k + len(of_state[OPEN])
    share = Interval(k / of, k / of, most / of, of, COUNTED)
    named = [f"{state}: {', '.join(of_state[state])}" for state in STATES[1:] if of_state[state]]
    condition = f"({k} of {of} links hold; {'; '.join(named)})" if named else ""
    evidence = "share of links whose fault and repair are both supported; bounds: those that are open break, or hold"
    numbers = (share.mean, share.low, share.high, share.n, share.method)
    return Verdict(id, "", statement, AT_LEAST, 1.0, *numbers, at_least(1.0, share), condition, evidence)


def table(chain: Sequence[Link]) -> Table:
    """Tabulate the chain: one row a link."""
    rows = [
        end("fault", link.ids[0], link.fault, link.pair and link.pair[0])
        | end("repair", link.ids[1], link.repair, link.pair and link.pair[1])
        | {
            "one_measure": link.alike,
            "link": link.state,
        }
        for link in chain
    ]
    wide = [
        {
            "fault": said(link.ids[0], link.fault),
            "how much": measured_of(link.fault, link.pair and link.pair[0]),
            "said to repair it": f"({BESIDE}) " * link.beside + said(link.ids[1], link.repair),
            "what is left, or gained": "(another measure) " * (link.alike is False)
            + measured_of(link.repair, link.pair and link.pair[1], beside=link),
            "link": f"**{link.state}**{at(link)}",
        }
        for link in chain
    ]
    count = {state: sum(one.state == state for one in chain) for state in (*STATES, BESIDE)}
    number = counted(sum(count[state] for state in STATES), "link")
    states = [f"{count[state]} {SAID[state][count[state] > 1]}" for state in STATES if count[state]]
    more = f"; for {counted(count[BESIDE], 'row')} more {BESIDE}" * bool(count[BESIDE])
    note = f"{number}: {', '.join(states)}{more}. {NOTE}"
    title = "The chain: who has which fault, and who repairs it"
    return Table(title, note, pd.DataFrame(rows), pd.DataFrame(wide), "lineage")


def within(condition: Under, rows: Sequence[Under]) -> list[Under]:
    """Find a fault's condition among the repair's: the same settings, or those that are these and more.

    >>> def row(**settings): return Under(str(settings), 0, 0, 0, 9, "", "", "", tuple(settings.items()))
    >>> rows = [row(by="dropout", optimizer="adam"), row(optimizer="sgd"), row(by="decay", optimizer="adam")]
    >>> [dict(one.settings)["by"] for one in within(row(optimizer="adam"), rows)]
    ['dropout', 'decay']
    """
    same = [row for row in rows if row.at == condition.at]
    return same or [row for row in rows if condition.at.items() <= row.at.items()]


def at(link: Link) -> str:
    """Name the conditions that a link holds under, or that there was no fault to repair; else nothing."""
    if link.state == BREAKS and link.fault and link.fault.verdict == CONTRADICTED:
        return f": {NO_FAULT}"
    if link.state != CONDITIONAL:
        return ""
    return f": {plain('; '.join(link.common))}" if link.common else ": no condition is of both claims"


def end(key: str, claim: str, one: Verdict | None, row: Under | None) -> dict[str, object]:
    """One end of a link, as columns: its claim, and what was decided of it, with the number that is shown."""
    said = {name: getattr(one, name) if one else None for name in ("activation", "statement")}
    numbers = {name: getattr(row or one, name) if one else None for name in ("estimate", "low", "high", "n")}
    columns = said | {"condition": condition_of(one, row)} | numbers | {"verdict": one.verdict if one else None}
    return {key: claim} | {f"{key}_{name}": value for name, value in columns.items()}


def condition_of(one: Verdict | None, row: Under | None) -> str:
    """Name the condition that the number shown is of; empty where there is none."""
    if row is not None or one is None:
        return row.condition if row else ""
    return one.evidence.partition(DOUBT)[0].partition(LEAST)[2]


def said(claim: str, one: Verdict | None) -> str:
    """Write what is said, and of whom."""
    if one is None:
        return f"{claim}: no study here decides it"
    return f"[{claim}](#{claim.lower()}) {code(one.activation)}: {plain(one.statement)}"


def what_of(one: Verdict) -> str:
    """Say in short what a verdict's number is: the first clause of its evidence, what is taken from what, a unit.

    >>> some = Verdict("P", "", "", AT_LEAST, 0, 0, 0, 0, 9, "", "", "", "gap (as error), at the end, a minus b; more")
    >>> what_of(some)
    'gap (as error), a minus b'
    """
    text = one.evidence.partition(DOUBT)[0].partition(LEAST)[0]
    first = quantity(text)
    clauses = [quantity(part) for part in map(str.strip, re.split("[,;]", text[len(first) :]))]
    less = [part for part in clauses if MINUS in part and MINUS not in first][:1]
    unit = [UNIT for part in clauses if part.startswith(UNIT)][:1]
    return ", ".join([first, *less, *unit])


def measured_of(one: Verdict | None, row: Under | None, beside: Link | None = None) -> str:
    """Write what was found, what that is, at which condition, and the verdict there and over all.

    Args:
        one: the verdict; None gives a dash.
        row: what was found at the condition that is shown.
        beside: the link whose repair it is: of it is written what does not stand at its fault already.
    """
    if one is None:
        return "–"
    condition = condition_of(one, row)
    here = row or next((each for each in one.under if each.condition == condition), None)
    both = told_apart(one) if row is None else ""
    what = f" ({in_print(what_of(one))})" * (not (beside and beside.alike))
    same = bool(beside and beside.fault and condition == condition_of(beside.fault, beside.pair and beside.pair[0]))
    at = " there" if same and condition else f" at {condition}" * bool(condition)
    found = f"{both}{what}" if both else f"{with_interval(interval_of(here or one))}{what}{at}"
    word = f"**{one.verdict}**"
    if here is not None and not both and here.verdict != one.verdict:
        over = "true only under some conditions" if one.verdict == ONLY_IF else f"{one.verdict} over all conditions"
        word = f"**{here.verdict}** here, {over}"
    return f"{plain(found)}; {claimed(one)} is claimed: {word}"
