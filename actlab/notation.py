"""A name with options in one word: ``leaky_relu:negative_slope=0.2``, ``act.py:f:alpha=3``."""

import re
from collections.abc import Mapping
from typing import Any

from actlab.naming import show

OPTION = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def split_options(text: str) -> tuple[str, dict[str, float | bool | str]]:
    """Split a name from its options; what stands before the first ``option=value`` is the name, colons included.

    >>> split_options("leaky_relu:negative_slope=0.2"), split_options("act.py:f:alpha=3:per=unit")
    (('leaky_relu', {'negative_slope': 0.2}), ('act.py:f', {'alpha': 3.0, 'per': 'unit'}))
    >>> split_options("relu"), split_options("act.py:f")
    (('relu', {}), ('act.py:f', {}))
    """
    name, *pieces = text.split(":")
    while pieces and not OPTION.fullmatch(pieces[0]):
        name += f":{pieces.pop(0)}"
    options: dict[str, float | bool | str] = {}
    for piece in pieces:
        if not (option := OPTION.fullmatch(piece)):
            raise ValueError(f"'{text}': expected option=value after each ':', not '{piece}'")
        if option[1] in options:
            raise ValueError(f"'{text}': gives {option[1]} twice")
        options[option[1]] = option_value(option[2])
    return name, options


def option_value(text: str) -> float | bool | str:
    """Read the value of an option: true, false, a number, or else a word.

    >>> option_value("1e-3"), option_value("true"), option_value("unit")
    (0.001, True, 'unit')
    """
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def with_options(name: str, options: Mapping[str, Any]) -> str:
    """Write a name with options in one word.

    >>> with_options("leaky_relu", {"negative_slope": 0.2}), with_options("relu", {})
    ('leaky_relu:negative_slope=0.2', 'relu')
    """
    return ":".join([name, *(f"{key}={show(value)}" for key, value in options.items())])
