"""Which of a study's pictures stand with a verdict: those of the conditions that it was decided under."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from pathlib import Path

from actlab.analysis.claims import CONTRADICTED, FAVOUR, ONLY_IF, Verdict

MOST = 4
SETTING = re.compile(r"-(?=[a-z]\w*=)")
SHOWN = re.compile(r"!\[([^\]]+)\]\(figures/(.+?)\.png\)")
"""A picture in a report's Markdown."""
ALSO = {"raw": "standardize=false"}
"""Words of conditions that name a setting by another word."""
NAMED = 2
"""What a setting that a condition names counts; one that it does not name counts by how usual its value is, below 1."""


def settings_of(name: str) -> dict[str, str]:
    """Read the settings of a picture from its name.

    >>> settings_of("moments-width=64-residual=false")
    {'width': '64', 'residual': 'false'}
    """
    return dict(one.split("=", 1) for one in SETTING.split(name)[1:])


def chosen(one: Verdict, pictures: Iterable[str]) -> list[str]:
    """Choose the pictures of a verdict's figure that show its conditions, that which it fits least first.

    Args:
        one: the verdict; its ``figure`` is what their names begin with.
        pictures: names of all pictures of its study.

    Returns:
        one picture for each condition, none twice, ``MOST`` at most; without conditions the most usual ones.

    >>> from actlab.analysis.claims import AT_MOST, judge
    >>> from actlab.analysis.intervals import Interval
    >>> found = {f"width {width}": Interval(width / 64, 0, 5, 9, "") for width in (32, 64)}
    >>> one = judge("S", "", "s", AT_MOST, 0.3, found, "e", figure="slopes")
    >>> chosen(one, ["slopes-width=128", "slopes-width=32", "slopes-width=64", "other"])
    ['slopes-width=64', 'slopes-width=32']
    """
    names = sorted(name for name in pictures if one.figure and name.partition("-")[0] == one.figure)
    if not one.under:
        return sorted(names, key=lambda name: -fit({}, name, names))[:MOST]
    fits = FAVOUR.get(one.form, float)
    # Of a claim that is true under some conditions those that contradict it come first, whatever they measure.
    rows = sorted(
        one.under, key=lambda row: (one.verdict == ONLY_IF and row.verdict != CONTRADICTED, fits(row.estimate))
    )
    best = (max(names, key=lambda name: fit(row.at, name, names), default="") for row in rows)
    return [name for name in dict.fromkeys(best) if name][:MOST]


def fit(at: Mapping[str, str], name: str, names: Collection[str]) -> Fraction:
    """Say how well a picture's settings fit those of a condition, and the words of what else it stands for.

    Args:
        at: what the condition stands for, {setting: value}, as ``Under.at`` gives it.
        name: the picture's.
        names: those of all pictures.

    >>> names = ["p-width=64-residual=false", "p-width=64-residual=true", "p-width=128-residual=false"]
    >>> [str(fit({"width": "64", "breach": "residual"}, name, names)) for name in names]
    ['2', '4', '0']
    """
    every = [settings_of(other) for other in names]
    known = set().union(*every)
    said = set(re.findall(r"[\w.=]+", " ".join(value for key, value in at.items() if key not in known).lower()))
    said |= {setting for word, setting in ALSO.items() if word in said}
    total = Fraction(0)
    for key, value in settings_of(name).items():
        if key in at:
            total += NAMED * (at[key] == value)
        elif any(named(key, settings.get(key, ""), said) for settings in every):
            total += NAMED * named(key, value, said)
        else:
            total += Fraction(sum(settings.get(key) == value for settings in every), len(every) + 1)
    return total


def named(key: str, value: str, said: Collection[str]) -> bool:
    """Whether words name a setting: by its value or the first word of that, or, of what is on or off, by its name.

    >>> named("weight_init", "he_normal", {"he", "weights"}), named("residual", "false", {"residual"})
    (True, False)
    """
    if value in ("true", "false"):
        return f"{key}={value}" in said or (value == "true" and key in said)
    return bool({value, value.partition("_")[0]} & set(said))


def titles(report: Path) -> dict[str, str]:
    """Read what a study's report calls its pictures: {name: title}; nothing where there is no report."""
    text = report.read_text(encoding="utf-8") if report.is_file() else ""
    return {name: title for title, name in SHOWN.findall(text)}


def caption(name: str, title: str, study: str) -> str:
    """Write what a picture shows, at which settings, and of which study.

    >>> caption("moments-width=64-residual=false", "Mean and variance", "normalising")
    'Mean and variance (width 64, residual false); from the study normalising'
    >>> caption("dying", "", "dying")
    'dying; from the study dying'
    """
    words = ", ".join(f"{key} {value}".replace("_", " ") for key, value in settings_of(name).items())
    shown = title or name.partition("-")[0].replace("_", " ")
    return f"{shown}{f' ({words})' if words else ''}; from the study {study}"
