"""Functions that are one: a difference between the two is none of theirs."""

from __future__ import annotations

from actlab.analysis.cells import Cells
from actlab.analysis.findings.base import Finding, Tables
from actlab.analysis.layout import in_markdown
from actlab.analysis.notes import listed
from actlab.notation import ALWAYS, COMPARED_ON


def one_function(cells: Cells, tables: Tables) -> Finding | None:
    """Whose functions compute the same values as another, here or in the catalogue."""
    there = set(cells.runs["activation"])
    texts = []
    for label, others in cells.same_as.items():
        beside = [name for name in others if name in there] or list(others)
        if label in there and not any(label in cells.same_as.get(name, {}) for name in beside if name < label):
            texts.append(same(label, beside, there, all(others[name] == ALWAYS for name in beside)))
    if not texts or not tables:
        return None
    return Finding(texts[0], next(iter(tables)), (), tuple(texts[1:]))


def same(label: str, others: list[str], there: set[str], always: bool) -> str:
    """Say that a function is another under a new name, and what that means for differences between them.

    >>> same("mine", ["gelu"], {"mine", "gelu"}, True).partition(". ")[2]
    'What differs between them here is chance or rounding, and no merit of either.'
    >>> same("mine", ["gelu"], {"mine"}, True).partition(". ")[2]
    'It is not new, and `gelu` is not among those that it is compared with here.'
    """
    names = listed([in_markdown(name, "activation") for name in others])
    begin = "" if always else " as long as learned parameters are where they begin"
    text = (
        f"{in_markdown(label, 'activation')} computes the same values as {names} on {COMPARED_ON}, derivative included"
    )
    if set(others) & there:
        more = "What differs between them here is chance or rounding, and no merit of either."
        more = more if always else "What differs between them here is what they learned, chance or rounding."
    else:
        more = f"It is not new, and {names} is not among those that it is compared with here."
    return f"{text}{begin}. {more}"
