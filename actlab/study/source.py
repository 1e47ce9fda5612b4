"""Where a study's values come from, and the error of a study: for messages that name the file, line or override."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actlab.errors import ActlabError

Place = tuple[str | int, ...]
"""Keys, and numbers of list items, from the top of a study's file."""


class StudyError(ActlabError, ValueError):
    """A request that cannot be planned: one line or several, each with its place and what was expected."""


@dataclass(frozen=True)
class Source:
    """Where a study's values come from: lines of a file, and overrides on the command line; and what is swept.

    ``raw`` is the plain data, overrides included.
    """

    path: Path
    lines: Mapping[Place, int]
    overridden: Mapping[Place, str]
    sweep: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def where(self, *place: str | int) -> str:
        """Return ``file:line`` of the innermost part of ``place`` that has one, or the override that set it."""
        for key, text in self.overridden.items():
            if place[: len(key)] == key:
                return f"override {text}"
        for end in range(len(place), 0, -1):
            below = next((text for key, text in self.overridden.items() if key[: max(end, 1)] == place[:end]), None)
            line = self.lines.get(place[:end])
            if below is not None and (end > 1 or line is None):  # of a whole section, an override of another key is not
                return f"override {below}"
            if line is not None:
                return f"{short_path(self.path)}:{line}"
        return short_path(self.path)

    def override_of(self, *place: str | int) -> str:
        """Return the override that set a place, or what it is part of; empty where the file has it, or nothing."""
        return next((text for key, text in self.overridden.items() if place[: len(key)] == key), "")

    def at_fault(self, *keys: str) -> Place:
        """Return the place of the one of some dotted keys that was written last: an override, else the first's line."""
        places = [of_key(self, key) for key in keys]
        overridden = [place for place in places if self.override_of(*place)]
        written = [place for place in places if place in self.lines]
        return (overridden or written or places)[0]


def as_key(place: Place) -> str:
    """Write a place as a key: which item of a list it is only where more follows, for messages quote a wrong item.

    >>> as_key(("report", "figure_format", 1)), as_key(("sweep", "include", 0, "model.depth"))
    ('report.figure_format', 'sweep.include[0].model.depth')
    """
    last = max((i for i, part in enumerate(place) if isinstance(part, str)), default=-1)
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place[: last + 1]).removeprefix(".")


def of_key(source: Source, key: str) -> Place:
    """Return the place of a dotted key: in the sweep if it is swept, else in its section."""
    swept: Place = ("sweep", "matrix", key)
    return swept if swept in source.lines or swept in source.overridden else tuple(key.split("."))


def short_path(path: Path) -> str:
    """Shorten a path: relative to the current directory where it lies below it."""
    try:
        return str(Path(os.path.realpath(path)).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
