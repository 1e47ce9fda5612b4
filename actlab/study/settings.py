"""What reading must know of the settings in the frame ``runs``: plain records, written into a study's manifest."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """A column of ``runs`` that is a setting.

    Attributes:
        column: its name.
        follows: whether other settings mostly decide it: it makes cells only where they do not.
        problem: whether it changes the problem, not the answer to it: the best cell is sought within one value of each.
    """

    column: str
    follows: bool = False
    problem: bool = False


def to_plain(settings: Iterable[Setting]) -> list[dict[str, Any]]:
    """Settings as plain JSON, in the order of display.

    >>> to_plain([Setting("depth", problem=True)])
    [{'column': 'depth', 'follows': False, 'problem': True}]
    """
    return [asdict(one) for one in settings]


def from_plain(plain: Any) -> tuple[Setting, ...]:
    """Settings from what ``to_plain`` wrote; what a later version may have added to them is passed over.

    Raises:
        ValueError: it is something else.

    >>> from_plain([{"column": "depth", "of_tomorrow": 1}])
    (Setting(column='depth', follows=False, problem=False),)
    """
    if not isinstance(plain, list) or not all(isinstance(one, Mapping) and "column" in one for one in plain):
        raise ValueError(f"settings: expected a list of records, not {plain!r}")
    return tuple(
        Setting(str(one["column"]), bool(one.get("follows", False)), bool(one.get("problem", False))) for one in plain
    )
