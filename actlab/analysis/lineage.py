"""The lineage: of each fault in the chain who has it and how much, who is said to repair it, and how much is left.

A link of the chain joins two claims that studies have decided: the fault, and its repair. It holds where both are
supported as they are said, breaks where either is contradicted, holds under conditions where one is true only under
some, and is open else. Where both were asked under the same conditions it holds only where one of these supports both.
A claim that says nothing of a repair may stand beside a fault: then there is no link, and it counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actlab.analysis.claims import AT_LEAST, CONTRADICTED, DOUBT, ONLY_IF, SUPPORTED, Under, Verdict, at_least
from actlab.analysis.conditions import interval_of, least_favourable, told_apart
from actlab.analysis.escaping import code, plain
from actlab.analysis.findings.decided import LEAST
from actlab.analysis.intervals import Interval
from actlab.analysis.layout import Table, with_interval
from actlab.later import pd
from actlab.naming import counted

HOLDS, CONDITIONAL, BREAKS, OPEN = STATES = ("holds", "holds under conditions", "breaks", "open")
BESIDE = "no repair is claimed"
COUNTED = "counted"
"""The method of how many links hold: its bounds let those that are open go either way."""
NOTE = (
    "A link holds where the fault and its repair are both supported as they are said; it breaks where either is "
    "contradicted; it holds under conditions where both are true under those that are named; it is open else. Where "
    "both were asked under the same conditions, both numbers are of one of these, which is named: one at which the "
    "link holds, if there is any, and of these the one that fits the repair least. Else each is of the condition that "
    "its own claim fits least; of one that is true only under conditions, too, where it holds. A number "
    "of another measure is not to be compared with that beside it. Data and conditions stand under the ids."
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
        """What was found of both under each condition that both were asked under."""
        of_repair = {row.condition: row for row in (self.repair.under if self.repair else ())}
        of_fault = self.fault.under if self.fault else ()
        both = [(row, of_repair[row.condition]) for row in of_fault if row.condition in of_repair]
        return [pair for pair in both if all(row.n for row in pair)]

    @property
    def common(self) -> list[str]:
        """Name the conditions under which the fault is there and its repair, too: of one without, the other's."""
        if self.shared:
            return [a.condition for a, b in self.shared if a.verdict == b.verdict == SUPPORTED]
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

        >>> Link(None, None, ("R3a", "L1a")).alike
        """
        ends = [one for one in (self.fault, self.repair) if one]
        said = {one: one.evidence.partition(DOUBT)[0].partition(LEAST)[0] for one in ends}
        texts = {text.replace(one.activation or "–", "…") for one, text in said.items()}
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
            "condition": link.pair[0].condition if link.pair else "",
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
            + measured_of(link.repair, link.pair and link.pair[1]),
            "link": f"**{link.state}**{at(link)}",
        }
        for link in chain
    ]
    count = {state: sum(one.state == state for one in chain) for state in (*STATES, BESIDE)}
    number = counted(sum(count[state] for state in STATES), "link")
    states = [f"{count[state]} {state}" for state in STATES if count[state]]
    more = f" Of {counted(count[BESIDE], 'row')} more {BESIDE}." * bool(count[BESIDE])
    note = f"{number}: {', '.join(states)}.{more} {NOTE}"
    title = "The chain: who has which fault, and who repairs it"
    return Table(title, note, pd.DataFrame(rows), pd.DataFrame(wide), "lineage")


def at(link: Link) -> str:
    """Name the conditions that a link holds under; nothing of one that does not hang on any."""
    if link.state != CONDITIONAL:
        return ""
    return f": {plain('; '.join(link.common))}" if link.common else ": no condition is of both claims"


def end(key: str, claim: str, one: Verdict | None, row: Under | None) -> dict[str, object]:
    """One end of a link, as columns: its claim, and what was decided of it, with the number that is shown."""
    said = {name: getattr(one, name) if one else None for name in ("activation", "statement")}
    numbers = {name: getattr(row or one, name) if one else None for name in ("estimate", "low", "high", "n")}
    columns = said | numbers | {"verdict": one.verdict if one else None}
    return {key: claim} | {f"{key}_{name}": value for name, value in columns.items()}


def said(claim: str, one: Verdict | None) -> str:
    """Write what is said, and of whom."""
    if one is None:
        return f"{claim}: no study here decides it"
    return f"[{claim}](#{claim.lower()}) {code(one.activation)}: {plain(one.statement)}"


def measured_of(one: Verdict | None, row: Under | None) -> str:
    """Write what was found, at which condition, the claim's verdict, and what the number is."""
    if one is None:
        return "–"
    evidence, _, least = one.evidence.partition(DOUBT)[0].partition(LEAST)
    condition = row.condition if row else least
    number = with_interval(interval_of(row or one)) + f" at {condition}" * bool(condition)
    if row is None and told_apart(one):
        number = told_apart(one)
    return f"{plain(number)}; **{one.verdict}** ({plain(evidence)})"
