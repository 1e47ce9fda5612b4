"""The most surprising verdicts of the trial, as the README opens with them.

What is taught and contradicted surprises, above all where the whole interval lies far beyond the smallest effect that
matters. So the rule is: claims that are contradicted before those that are true only under conditions, the farther
beyond that effect the sooner, in units of it; one of each activation, and one of each of the story's claims. What is
computed from a formula surprises nobody who reads it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from actlab.analysis.claims import AT_LEAST, AT_MOST, CONTRADICTED, ONLY_IF, WITHIN, Verdict, claimed
from actlab.analysis.conditions import told_apart
from actlab.analysis.findings.decided import LEAST, stored
from actlab.analysis.judging import COMPUTED
from actlab.analysis.verdicts import count, measured
from actlab.naming import counted

MANY = 5
STORY = re.compile(r"(?!A)[A-Z]\d+")
"""The story's claims; those under A are on the trial itself, and nobody teaches them."""


def beyond(one: Verdict) -> float:
    """How far the interval's nearer end lies beyond the effect that matters, in units of it; negative on its side.

    >>> numbers = (0.0, -0.1, 0.1, 20, "Student t")
    >>> beyond(Verdict("S", "", "", AT_LEAST, 0.2, *numbers, CONTRADICTED, "", ""))
    0.5
    """
    nearest = {
        AT_LEAST: one.effect - one.high,
        AT_MOST: one.low - one.effect,
        WITHIN: max(one.low, -one.high) - one.effect,
    }[one.form]
    return nearest / abs(one.effect) if one.effect else nearest


def surprising(verdicts: Sequence[Verdict], many: int = MANY) -> list[Verdict]:
    """Choose them, most surprising first."""
    ranks = {CONTRADICTED: 0, ONLY_IF: 1}
    measured_ones = [one for one in verdicts if one.form in (AT_LEAST, AT_MOST, WITHIN) and one.method != COMPUTED]
    open_to = [one for one in measured_ones if one.verdict in ranks]
    chosen: dict[tuple[str, str], Verdict] = {}
    for one in sorted(open_to, key=lambda one: (ranks[one.verdict], -beyond(one))):
        story = STORY.match(one.id)
        if story and all(one.activation != name and story[0] != claim for name, claim in chosen):
            chosen[one.activation, story[0]] = one
    return list(chosen.values())[:many]


def line(one: Verdict, folder: str) -> str:
    """Write one as a line of a list, with a link to all that is known of it."""
    whose = f"`{one.activation}`: " if one.activation else ""
    evidence, _, least = one.evidence.partition(LEAST)
    both = told_apart(one)
    text = both or f"measured{f' at {least}' if least else ''}: {measured(one)}"
    return (
        f"- {whose}“{one.statement}” is **{'true only under some conditions' if both else one.verdict}**: {text}, "
        f"where the claim needs {claimed(one)} ({evidence}; [{one.id}]({folder}/report.md#{one.id.lower()}))."
    )


def surprises(trial: Path, folder: str) -> str:
    """Write the block.

    Args:
        trial: the trial's folder.
        folder: the same, as the README links it.
    """
    verdicts = stored(trial / "tables" / "claims.csv")
    chosen = surprising(verdicts)
    lines = [line(one, folder) for one in chosen]
    head = (
        f"**{counted(len(verdicts), 'verdict')} on what is taught of nine activations**, some on the same runs: "
        f"{count(verdicts)}. Of what was measured, those that "
        "surprise most (contradicted by most, in units of the smallest effect that matters; one of each activation):"
    )
    end = f"[All of them]({folder}/report.md), each with its rule, numbers, figure, and the command that reruns it."
    return "\n\n".join([head, "\n".join(lines), end])
