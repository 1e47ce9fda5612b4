"""A name with options in one word: ``leaky_relu:negative_slope=0.2``, ``act.py:f:alpha=3``.

It stands wherever a name with options may: on the command line, and as a value in a study's file, where it is short for
``{name: leaky_relu, negative_slope: 0.2}``.
"""

import re
from collections.abc import Mapping
from typing import Any

from actlab.naming import brief, show

OPTION = re.compile(r"([^\W\d]\w*)=(.*)", re.DOTALL)
NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", re.ASCII)
NUMBERS = re.compile(rf"{NUMBER.pattern}(/{NUMBER.pattern})+", re.ASCII)
"""Several numbers, one for each layer: ``0.3/0.25``."""
WORDS = {"true": True, "false": False, ".inf": float("inf"), "-.inf": -float("inf"), ".nan": float("nan")}
"""What YAML takes for no text, beside numbers."""
ALWAYS, AT_FIRST = "always", "at first"
"""What a manifest notes of two functions with the same values: whether learned parameters may part them."""
COMPARED_ON = "[−32, 32]"
"""Where it was seen that they have (see ``activations.twins``)."""


Option = float | bool | str | tuple[float, ...]
"""What an option may be; several numbers are one for each hidden layer."""


def split_options(text: str) -> tuple[str, dict[str, Option]]:
    """Split a name from its options; of a user's function, ``path/to/file.py:function`` is the name.

    Raises:
        ValueError: something else than ``option=value`` follows a colon, or an option is given twice.

    >>> split_options("leaky_relu:negative_slope=0.2"), split_options("act.py:f:alpha=3:per=unit")
    (('leaky_relu', {'negative_slope': 0.2}), ('act.py:f', {'alpha': 3.0, 'per': 'unit'}))
    >>> split_options("act.py:излом:наклон=0.3")
    ('act.py:излом', {'наклон': 0.3})
    >>> split_options("relu"), split_options("act.py:f")
    (('relu', {}), ('act.py:f', {}))
    """
    name, *pieces = text.split(":")
    while pieces and not OPTION.fullmatch(pieces[0]) and ".py" in f"{name}:{':'.join(pieces)}":
        name += f":{pieces.pop(0)}"
    options: dict[str, Option] = {}
    for piece in pieces:
        if not (option := OPTION.fullmatch(piece)):
            raise ValueError(f"{brief(text)}: expected option=value after ':', not {brief(piece)}")
        if option[1] in options:
            raise ValueError(f"{brief(text)}: gives {brief(option[1])} twice")
        options[option[1]] = option_value(option[2])
    return name, options


def option_value(text: str) -> Option:
    """Read the value of an option as YAML does: true, false, a number, or else a word; or numbers, one a layer.

    >>> option_value("1e-3"), option_value("true"), option_value("unit"), option_value("infinity")
    (0.001, True, 'unit', 'infinity')
    >>> option_value("0.3/0.25/1e-3")
    (0.3, 0.25, 0.001)
    """
    if NUMBERS.fullmatch(text):
        return tuple(map(float, text.split("/")))
    return float(text) if NUMBER.fullmatch(text) else WORDS.get(text.lower(), text)


def with_options(name: str, options: Mapping[str, Any]) -> str:
    """Write a name with options in one word.

    >>> with_options("leaky_relu", {"negative_slope": 0.2}), with_options("relu", {})
    ('leaky_relu:negative_slope=0.2', 'relu')
    """
    return ":".join([name, *(f"{key}={show(value)}" for key, value in options.items())])


def in_one_word(value: str | Mapping[str, Any]) -> str:
    """Write a name, or a mapping with a name and its options, in one word.

    >>> in_one_word({"name": "spirals", "turns": 3}), in_one_word("iris")
    ('spirals:turns=3', 'iris')
    """
    if isinstance(value, str):
        return value
    return with_options(value["name"], {key: option for key, option in value.items() if key != "name"})
