"""The way out of a wrong command line: the command, option or override that was meant (see also ``study.advice``)."""

import re
import shlex
from collections.abc import Sequence
from os.path import expanduser
from pathlib import Path
from typing import Any

from actlab.aliases import close, same
from actlab.naming import shortened

ALIKE = 0.75
"""Of two options: an override may have been meant instead."""

OTHER_COMMANDS = {
    "train": "run",
    "fit": "run",
    "start": "run",
    "resume": "run",
    "check": "plan",
    "validate": "plan",
    "plot": "report",
    "ls": "list",
    "info": "describe",
    "init": "new",
}
"""What others call a command."""
OTHER_OPTIONS = {"-o": "--out", "--output": "--out", "--outdir": "--out", "--results": "--out", "-j": "--workers"}
"""What others call an option."""

FORMATS = ("csv", "json", "table", "latex", "markdown")
"""Of what is printed, where a command has ``--format``."""
TAKE_OVERRIDES = ("run", "plan")
"""Commands that take ``key.sub=value``."""


def at_home(words: Sequence[str]) -> list[str]:
    """Write out the ``~`` that a shell leaves in place: in quotes, and after ``--out=``; overrides are read later.

    >>> at_home(["run", "a~b.yaml", "x=~/y"]), at_home(["--out=~/r"]) == [f"--out={expanduser('~/r')}"]
    (['run', 'a~b.yaml', 'x=~/y'], True)
    """

    def written_out(word: str) -> str:
        if match := re.fullmatch(r"(--[a-z-]+=)(~.*)", word, re.DOTALL):
            return match[1] + expanduser(match[2])
        return expanduser(word) if word.startswith("~") else word

    return [written_out(word) for word in words]


def advice(error: Any, words: Sequence[str]) -> str:
    """End the parser's message about a wrong command line; empty where nothing is near.

    Args:
        error: the parser's.
        words: of the command line, without the program's name.
    """
    command = getattr(getattr(error, "ctx", None), "command", None)
    if command is not None and (option := getattr(error, "option_name", "")):  # without: a known one, used wrongly
        return of_option(option, [one for each in getattr(command, "params", ()) for one in each.opts], words)
    param = getattr(getattr(error, "param", None), "name", "")
    if getattr(command, "name", "") == "show" and param == "run_name" and words[1:]:
        return f"its runs are listed by `{shlex.join(['actlab', 'runs', *words[1:2]])}`"
    commands = getattr(command, "commands", None)
    if not commands or not words:
        return ""
    word = next((one for one in words if not one.startswith("-")), "")
    if word in commands or not word:
        return ""
    rest = list(words[words.index(word) :])
    if word.endswith((".yaml", ".yml")):
        return whole(["run", *rest])
    if Path(word, "manifest.json").is_file():
        return whole(["report", *rest])
    known = OTHER_COMMANDS.get(word.lower()) or same(word, commands) or close(word, commands, 0.6)
    return whole([known, *rest[1:]]) if known and known in commands else ""


def whole(words: Sequence[str]) -> str:
    """Quote a command."""
    return f"did you mean `{shortened(shlex.join(['actlab', *words]), 200)}`?"


def of_option(option: str, options: Sequence[str], words: Sequence[str]) -> str:
    """Say which option or which override an unknown option stands for.

    >>> of_option("--outt", ["--out", "--fresh"], ["run", "s.yaml", "--outt", "r"])
    "did you mean '--out'?"
    >>> of_option("--seeds", ["--out"], ["run", "s.yaml", "--seeds", "3"])
    "did you mean 'sweep.seeds=3'?"
    """
    known = OTHER_OPTIONS.get(option)
    if known not in options:
        known = same(option, options) or close(option, options, ALIKE)
    if known:
        return f"did you mean '{known}'?"
    if "--format" in options and option.strip("-") in FORMATS:
        return f"did you mean '--format={option.strip('-')}'?"
    command = next((word for word in words if not word.startswith("-")), "")
    if command not in TAKE_OVERRIDES:
        return ""
    from actlab.study.advice import unknown_override
    from actlab.study.yaml_text import YamlTextError, bounded_load

    at = next((i for i, word in enumerate(words) if word.partition("=")[0] == option), None)
    if at is None or not option.startswith("--"):
        return ""
    _, equals, value = words[at].partition("=")
    following = next((word for word in words[at + 1 : at + 2] if not word.startswith("-")), "true")
    value = value if equals else following
    key = option.strip("-").replace("-", "_")
    try:
        parsed = bounded_load(value, "")[0]
    except YamlTextError:
        parsed = value
    hint = unknown_override(key, value, parsed, {}, known=True)
    if not equals and value == "true" and "true" not in words[at + 1 :] and "residual=" not in hint:
        return ""  # it came without a value, and what it is near is no switch
    return hint.removeprefix("; ") if "did you mean" in hint and "did you mean '--" not in hint else ""
