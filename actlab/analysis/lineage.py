"""The lineage: of each fault in the chain who has it and how much, who is said to repair it, and how much is left.

A link of the chain joins two claims that studies have decided: the fault, and its repair. It holds where both are
supported as they are said, breaks where either is contradicted, holds under conditions where one is true only under
some, and is open else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actlab.analysis.claims import AT_LEAST, CONTRADICTED, ONLY_IF, SUPPORTED, Verdict, at_least
from actlab.analysis.conditions import told_apart
from actlab.analysis.escaping import code, plain
from actlab.analysis.findings.decided import LEAST
from actlab.analysis.intervals import Interval
from actlab.analysis.layout import Table, with_interval
from actlab.later import pd
from actlab.naming import counted

HOLDS, CONDITIONAL, BREAKS, OPEN = STATES = ("holds", "holds under conditions", "breaks", "open")
COUNTED = "counted"
"""The method of how many links hold: its bounds let those that are open go either way."""
NOTE = (
    "A link holds where the fault and its repair are both supported as they are said; it breaks where either is "
    "contradicted; it holds under conditions where one is true only under some; it is open else. Each number is the "
    "estimate that its claim was judged by, where that fits least; of one that is true only under conditions, too, "
    "where it holds. Data and conditions stand below under the ids."
)


@dataclass(frozen=True)
class Link:
    """A step of the chain, as it was decided.

    Attributes:
        fault: the verdict on the fault; None where no study here has one.
        repair: the verdict on its repair; None likewise.
        ids: of both claims, as the trial names them.
    """

    fault: Verdict | None
    repair: Verdict | None
    ids: tuple[str, str]

    @property
    def state(self) -> str:
        """Whether it holds.

        >>> Link(None, None, ("R3a", "L1a")).state
        'open'
        """
        words = [one.verdict if one else "" for one in (self.fault, self.repair)]
        if CONTRADICTED in words:
            return BREAKS
        if set(words) <= {SUPPORTED, ONLY_IF}:
            return CONDITIONAL if ONLY_IF in words else HOLDS
        return OPEN

    @property
    def name(self) -> str:
        """Who hands over to whom, by which claims.

        >>> Link(None, None, ("R3a", "L1a")).name
        'R3a to L1a'
        """
        ends = zip(self.ids, (self.fault, self.repair), strict=True)
        return " to ".join(f"{claim} ({one.activation})" if one else claim for claim, one in ends)


def links(named: Sequence[Mapping[str, str]], verdicts: Sequence[Verdict]) -> list[Link]:
    """Find the verdicts that a trial's ``lineage`` names, in its order."""
    found = {one.id: one for one in verdicts}
    return [Link(found.get(one["fault"]), found.get(one["repair"]), (one["fault"], one["repair"])) for one in named]


def judge_chain(id: str, statement: str, chain: Sequence[Link]) -> Verdict:
    """Judge the chain as it is said: every link holds, whatever the conditions.

    Returns:
        the verdict; its number is the share of links that hold, from those that do to those that may.

    >>> judge_chain("C1", "each beats the one before", [Link(None, None, ("R3a", "L1a"))]).verdict
    'inconclusive'
    """
    of_state = {state: [one.name for one in chain if one.state == state] for state in STATES}
    k = len(of_state[HOLDS])
    most = k + len(of_state[OPEN])
    share = Interval(k / len(chain), k / len(chain), most / len(chain), len(chain), COUNTED)
    named = [f"{state}: {', '.join(of_state[state])}" for state in STATES[1:] if of_state[state]]
    condition = f"({k} of {len(chain)} links hold; {'; '.join(named)})" if named else ""
    evidence = "share of links whose fault and repair are both supported; bounds: those that are open break, or hold"
    numbers = (share.mean, share.low, share.high, share.n, share.method)
    return Verdict(id, "", statement, AT_LEAST, 1.0, *numbers, at_least(1.0, share), condition, evidence)


def table(chain: Sequence[Link]) -> Table:
    """Tabulate the chain: one row a link."""
    rows = [
        end("fault", link.ids[0], link.fault) | end("repair", link.ids[1], link.repair) | {"link": link.state}
        for link in chain
    ]
    wide = [
        {
            "fault": said(link.ids[0], link.fault),
            "how much": measured_of(link.fault),
            "said to repair it": said(link.ids[1], link.repair),
            "what is left, or gained": measured_of(link.repair),
            "link": f"**{link.state}**",
        }
        for link in chain
    ]
    count = {state: sum(one.state == state for one in chain) for state in STATES}
    note = f"{counted(len(chain), 'link')}: {', '.join(f'{n} {state}' for state, n in count.items() if n)}. {NOTE}"
    title = "The chain: who has which fault, and who repairs it"
    return Table(title, note, pd.DataFrame(rows), pd.DataFrame(wide), "lineage")


def end(key: str, claim: str, one: Verdict | None) -> dict[str, object]:
    """One end of a link, as columns: its claim, and what was decided of it."""
    columns = ("activation", "statement", "estimate", "low", "high", "n", "verdict")
    return {key: claim} | {f"{key}_{name}": getattr(one, name) if one else None for name in columns}


def said(claim: str, one: Verdict | None) -> str:
    """Write what is said, and of whom."""
    if one is None:
        return f"{claim}: no study here decides it"
    return f"[{claim}](#{claim.lower()}) {code(one.activation)}: {plain(one.statement)}"


def measured_of(one: Verdict | None) -> str:
    """Write what was found, its verdict, and what the number is."""
    if one is None:
        return "–"
    number = told_apart(one) or with_interval(Interval(one.estimate, one.low, one.high, one.n, one.method))
    return f"{number}, **{one.verdict}** ({plain(one.evidence.partition(LEAST)[0])})"
