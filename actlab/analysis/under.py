"""Conditions: what a claim is asked under, by name and by settings, and what was found under each."""

from __future__ import annotations

from dataclasses import dataclass, fields

from actlab.naming import show

CONDITIONS, AT = "conditions", "at_"
"""The table of what was found under each condition, beside that of claims; what its columns of settings begin with."""


class Condition(str):
    """A condition's name, with the settings that it stands for: {setting: value}, as the columns of ``runs`` name them.

    ``judge`` takes it where it takes a name. What is compared of conditions is their settings, never words of a name.

    >>> at = Condition("adam at 0.1", optimizer="adam", learning_rate=0.1)
    >>> at, at.settings
    ('adam at 0.1', (('optimizer', 'adam'), ('learning_rate', '0.1')))
    """

    settings: tuple[tuple[str, str], ...]

    def __new__(cls, name: str, **settings: object) -> Condition:
        """Make one of a name and its settings."""
        made = super().__new__(cls, name)
        made.settings = tuple((key, show(value)) for key, value in settings.items())
        return made


@dataclass(frozen=True)
class Under:
    """What was found under one of a claim's conditions.

    Attributes:
        condition: its name.
        estimate, low, high, n, method, verdict: see ``Verdict``; its own.
        more: what would decide, of one that is open.
        settings: what it stands for, as (setting, value); empty where only its name is known.
    """

    condition: str
    estimate: float
    low: float
    high: float
    n: int
    method: str
    verdict: str
    more: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def at(self) -> dict[str, str]:
        """Its settings, {setting: value}; of one without, its name as the only one.

        >>> Under("adam at 0.1", 0, 0, 0, 9, "", "", "", (("optimizer", "adam"),)).at, Under("A", 0, 0, 0, 9, "", "").at
        ({'optimizer': 'adam'}, {'condition': 'A'})
        """
        return dict(self.settings) or {"condition": self.condition}


def columns_of(row: Under) -> dict[str, object]:
    """Lay one condition out: its fields, and each of its settings as a column, ``AT`` before its name.

    >>> list(columns_of(Under("adam", 0, 0, 0, 9, "", "", "", (("optimizer", "adam"),))))[-2:]
    ['more', 'at_optimizer']
    """
    own = {field.name: getattr(row, field.name) for field in fields(Under) if field.name != "settings"}
    return own | {AT + name: value for name, value in row.settings}
