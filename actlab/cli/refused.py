"""What the parser of the command line refuses, said as the rest of actlab says it: one line, the word, the way out."""

import re
from collections.abc import Sequence
from typing import Any

from actlab import commands
from actlab.naming import brief, counted, listed, nearest

WANTED = (
    (r"valid integer", "expected a whole number"),
    (r"valid (number|float)", "expected a number"),
    (r"greater than or equal to (-?\d+)|x>=(-?\d+)", "expected a whole number, at least {}"),
)
"""How the parser says what it wanted, and how we do."""
HELP = ("--help",)


def refusal(error: Any, words: Sequence[str], way_out: str) -> str:
    """Say in a line what is wrong with a command line.

    Args:
        error: the parser's.
        words: of the command line, without the program's name.
        way_out: what was meant, where that is known (see ``advice``).
    """
    command = getattr(getattr(error, "ctx", None), "command", None)
    name = next((word for word in words if not word.startswith("-")), "")
    name = name if command is None or not hasattr(command, "commands") else ""
    text, param = error.format_message().rstrip("."), getattr(error, "param", None)
    if param is not None and text.startswith("Missing"):
        about = f" ({param.help})" if getattr(param, "help", None) else ""
        text = f"`{commands.typed(*name.split())}` needs {called(param)}{about}"
    elif param is not None:
        text = f"{called(param)}: {wrong_value(error.message.rstrip('.'), value_of(param.opts, words))}"
        return f"{text}; {way_out}" if way_out else text
    elif text.startswith("Invalid value: "):  # one of ours, which says the way out itself
        return text.removeprefix("Invalid value: ")
    elif found := re.match(r"No such option: (\S+)", text):
        text = f"unknown option {found[1]}"
    elif found := re.match(r"No such command '(.*?)'", text, re.DOTALL):
        text = f"unknown command {brief(found[1])}"
        way_out = way_out or f"choose from {', '.join(getattr(command, 'commands', ()))}"
    elif found := re.match(r"Option '(.*?)' requires an argument", text):
        text = f"{found[1]}: expected a value after it"
    elif found := re.match(r"Option '(.*?)' does not take a value", text):
        text = f"{found[1]}: takes no value"
    elif found := re.match(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", text, re.DOTALL):
        extra = found[1].split()
        text = f"{counted(len(extra), 'word')} too many: {listed(map(brief, extra))}"
    return f"{text}; {way_out or f'see `{commands.typed(*name.split(), *HELP)}`'}"


def called(param: Any) -> str:
    """Name an option or argument as ``--help`` does."""
    long = [one for one in param.opts if one.startswith("--")]
    return long[0] if long else str(getattr(param, "metavar", None) or param.name)


def value_of(options: Sequence[str], words: Sequence[str]) -> str:
    """Find the value that an option was given last.

    >>> value_of(["--input"], ["example", "--input", "abc"]), value_of(["--input"], ["--input=a=b"])
    ('abc', 'a=b')
    """
    value = ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, after = word.partition("=")
        if name in options:
            value = after if equals else following
    return value


def wrong_value(said: str, value: str) -> str:
    """Say of an option's value what was expected.

    >>> wrong_value("Input should be a valid number, unable to parse string as a number", "abc")
    "expected a number, not 'abc'"
    >>> wrong_value("Value error, 'jsn' is not one of 'csv', 'json'", "jsn")
    "unknown value 'jsn'; did you mean 'json'?"
    """
    if " is not one of " in said:
        choices = re.findall(r"'([^']*)'", said.partition(" is not one of ")[2])
        return f"unknown value {brief(value)}{nearest(value, choices)}"
    for pattern, wanted in WANTED:
        if found := re.search(pattern, said):
            return f"{wanted.format(*filter(None, found.groups()))}, not {brief(value)}"
    return said
