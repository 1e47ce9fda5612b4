"""What several tables and figures of a report say below themselves, said once: each keeps what is its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

SEVERAL = 3
SHORT = 60
"""Letters of a sentence up to which it is said each time: a pointer is no shorter."""
DOUBTS, READING = "doubts", "reading"
"""Anchors of the sections that notes point to."""
BORDER = re.compile(r"(?<=[a-zA-Z)`*%]\.) (?=[A-Z*`\d])")


def sentences(note: str) -> list[str]:
    """Part a note into its sentences.

    >>> sentences("Means of .5 (n = 3). 20 runs per cell. At most 0.5 (of 2. Or 3). No run diverged.")
    ['Means of .5 (n = 3).', '20 runs per cell.', 'At most 0.5 (of 2. Or 3).', 'No run diverged.']
    """
    found: list[str] = []
    for part in BORDER.split(note):
        open_ = bool(found) and found[-1].count("(") > found[-1].count(")")
        found[-1:] = [f"{found[-1]} {part}"] if open_ else [*found[-1:], part]
    return found


def said_once(notes: Mapping[str, str], doubts: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Take out of notes what the report's doubts say, and what several of them say alike.

    The first sentence of a note stays: it says what is shown.

    Args:
        notes: of tables and figures, by name; Markdown.
        doubts: what the report says is to be doubted, before all of them.

    Returns:
        the notes, which point to what was taken out; and that, numbered.

    >>> long = "Dashed lines are what mean-field theory predicts of networks."
    >>> notes, said = said_once({name: f"Slopes. {long} Means." for name in "abc"}, [])
    >>> said
    ('(1) Dashed lines are what mean-field theory predicts of networks.',)
    >>> notes["b"]
    'Slopes. Means. See [How to read](#reading): 1.'
    >>> said_once({"a": f"Slopes. {long}"}, [f"On one split. {long}"])
    ({'a': 'Slopes. See [What to doubt](#doubts).'}, ())
    """
    parts = {name: sentences(note) for name, note in notes.items()}
    counts = Counter(one for each in parts.values() for one in dict.fromkeys(each[1:]) if len(one) > SHORT)
    doubted = {one for one in counts if any(one in doubt for doubt in doubts)}
    shared = [one for one, count in counts.items() if count >= SEVERAL and one not in doubted]
    numbers = {one: i + 1 for i, one in enumerate(shared)}
    return (
        {name: pointed(each, doubted, numbers) for name, each in parts.items()},
        tuple(f"({i}) {one}" for one, i in numbers.items()),
    )


def pointed(each: Sequence[str], doubted: set[str], numbers: Mapping[str, int]) -> str:
    """Write a note without what is said elsewhere, and where that is."""
    kept = [one for i, one in enumerate(each) if not i or (one not in doubted and one not in numbers)]
    where = ["[What to doubt](#doubts)"] * bool(doubted & set(each[1:]))
    if said := sorted(numbers[one] for one in dict.fromkeys(each[1:]) if one in numbers):
        where.append(f"[How to read](#reading): {', '.join(map(str, said))}")
    return " ".join([*kept, *([f"See {' and '.join(where)}."] if where else [])])
