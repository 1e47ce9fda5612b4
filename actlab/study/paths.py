"""Paths in a study's file: relative to the file that names them, absolute from then on.

``~`` and ``~name`` are home folders, as in a shell. Variables such as ``$HOME`` are the shell's alone: a study's file
means the same wherever it is read, so what has one and is not there is refused, with the path that was meant.

A name with options in one word (``act.py:f:alpha=3``) becomes the mapping that it is short for on the way: what reads
the plain data after this finds a user's function by one spelling.
"""

import os
import re
from pathlib import Path
from typing import Any

from actlab import data, sources
from actlab.naming import brief
from actlab.study.fields import spelled_out
from actlab.study.sections import CHOICES, SECTIONS

VARIABLE = re.compile(r"\$(\w+|\{\w+\})")
"""Of the shell's."""


class PathError(ValueError):
    """A path that cannot be meant as it stands, and its key."""

    def __init__(self, why: str, key: str) -> None:
        """Note the dotted key."""
        super().__init__(why)
        self.key = key


def resolve_paths(raw: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return the plain data with the paths of data and claims files, and of users' functions, made absolute."""
    absolute_paths = {key: absolute(key, raw[key], base) for key in (*SECTIONS, "report", "claims") if key in raw}
    sweep = raw.get("sweep")
    if isinstance(sweep, dict):
        absolute_paths["sweep"] = {
            key: [absolute("", cell, base) for cell in value]
            if key in ("exclude", "include") and isinstance(value, list)
            else absolute("", value, base)
            for key, value in sweep.items()
        }
    return raw | absolute_paths


def absolute(key: str, value: Any, base: Path) -> Any:
    """Return a value of a dotted key with what is a path in it made absolute; keys below it follow after a dot."""
    if key in CHOICES and not isinstance(value, list) and not (key == "data.name" and is_data_file(value)):
        value = spelled_out(value)
    if key == "data.name" and isinstance(value, dict) and set(value) == {"name"}:  # so that a file is one text
        value = value["name"]
    if isinstance(value, dict):
        return {name: absolute(f"{key}.{name}".lstrip("."), inner, base) for name, inner in value.items()}
    if isinstance(value, list):
        return [absolute(key, inner, base) for inner in value]
    if not isinstance(value, str):
        return value
    is_file = key == "claims" or (key == "data.name" and is_data_file(value))
    if is_file or sources.parse(value):
        value = at_home(value, key, base)
    if named := sources.parse(value):
        file = real(base / named[0])
        return f"{file if file.endswith('.py') else os.path.abspath(base / named[0])}:{named[1]}"
    return real(base / value) if is_file else value


def is_data_file(value: Any) -> bool:
    """Whether a value names a data file."""
    return isinstance(value, str) and data.is_file(value)


def at_home(text: str, key: str, base: Path) -> str:
    """Return a path with its ``~`` spelled out.

    Raises:
        PathError: it has a variable of the shell's in it.

    >>> at_home("a/b.csv", "data.name", Path(".")), at_home("~/a", "", Path(".")) == os.path.expanduser("~/a")
    ('a/b.csv', True)
    """
    if text.startswith("~"):
        return os.path.expanduser(text)
    if VARIABLE.search(text) and not (base / text.partition(".py:")[0]).exists():
        home = re.sub(r"^(\$HOME|\$\{HOME\})(?=/|$)", "~", text)
        meant = home if home != text else os.path.expandvars(text)
        hint = f"; did you mean '{meant}'?" if not VARIABLE.search(meant) else ""
        raise PathError(f"variables are not read in a path, as in {brief(text)}{hint}", key)
    return text


def real(path: Path) -> str:
    """Return a path made absolute, its links followed; of one that cannot be, whoever opens it says why."""
    try:
        return str(path.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long, a zero byte in it
        return os.path.abspath(path)
