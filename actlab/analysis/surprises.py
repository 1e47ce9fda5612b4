"""Which verdicts of a trial surprise most: what is taught, and contradicted by most.

Claims that are contradicted come before those that are true only under conditions, the farther the whole interval lies
beyond the smallest effect that matters the sooner, in units of it; one of each activation, and one of each of the
story's claims. What is computed is left out: whoever reads the formula knows it.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from actlab.analysis.claims import AT_LEAST, AT_MOST, CONTRADICTED, DOUBT, ONLY_IF, WITHIN, Verdict, claimed
from actlab.analysis.conditions import measured, qualified, told_apart
from actlab.analysis.findings.decided import LEAST
from actlab.analysis.intervals import COMPUTED
from actlab.analysis.typeset import in_print

MANY = 5
RATIO = " over those of "
"""What the number of a claim on a ratio is said to be: seconds of one over those of another."""
RULE = (
    "contradicted ones before those true only under conditions; one of each activation and of each claim of the story; "
    "counted from the nearer end of the interval in the smallest effect that matters, ratios as logarithms; what a "
    "formula alone decides, without a measurement, is left out"
)
STORY = re.compile(r"(?!A)[A-Z]\d+")
"""The story's claims; those under A are on the trial itself, which is not taught."""


def beyond(one: Verdict) -> float:
    """How far the interval's nearer end lies beyond the effect that matters, in units of it; negative on its side.

    Of a ratio, of which 1 is no effect, both are taken as logarithms: twice and half are as far from it.

    >>> numbers = (0.0, -0.1, 0.1, 20, "Student t")
    >>> beyond(Verdict("S", "", "", AT_LEAST, 0.2, *numbers, CONTRADICTED, "", ""))
    0.5
    """
    if RATIO in one.evidence and min(one.effect, one.low, one.high) > 0:
        one = replace(one, effect=math.log(one.effect), low=math.log(one.low), high=math.log(one.high))
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


def lead(number: int) -> str:
    """Say what the list is that follows.

    >>> lead(1).partition(" (")[0], lead(5).partition(" (")[0]
    ('The claim that measurements miss by most', 'The 5 claims that measurements miss by most')
    """
    return f"The {'claim' if number == 1 else f'{number} claims'} that measurements miss by most ({RULE}):"


def sentence(one: Verdict, page: str = "") -> str:
    """Write one as an item of a list in Markdown, with a link to all that is known of it.

    Args:
        one: the verdict.
        page: the page that it stands on; by default that on which the sentence does.
    """
    whose = f"`{one.activation}`: " if one.activation else ""
    said, _, doubt = one.evidence.partition(DOUBT)
    evidence, _, least = said.partition(LEAST)
    both = told_apart(one)
    about = [in_print(quantity(evidence)), "" if both else least, DOUBT.removeprefix("; ") + doubt if doubt else ""]
    remarks = "; ".join([*filter(None, about), f"[{one.id}]({page}#{one.id.lower()})"])
    word = "true only under some conditions" if both else one.verdict
    return (
        f"{whose}“{one.statement}” is **{word}**{qualified(one)}: "
        f"{both or measured(one)}, where {claimed(one)} is claimed ({remarks})."
    )


def quantity(evidence: str) -> str:
    """Take what a number is, from all that is said of it: what comes first, up to a comma or a semicolon.

    >>> quantity("share of (unit, row) that is saturated, mean over layers; none diverged")
    'share of (unit, row) that is saturated'
    """
    return re.match(r"(?:[^,;(]|\([^)]*\))*", evidence)[0].strip()  # type: ignore[index]  # it matches nothing, too
