"""A study as Python has it: a mapping with the keys of the YAML file, made the plain data that such a file would be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from actlab.naming import brief
from actlab.study.source import StudyError
from actlab.study.yaml_text import MOST_DEPTH, YamlTextError, bounded_load, dumped

CONFIG = Path("config")
"""What stands in messages where a file's name would, and its paths begin where this one is: in the current folder."""


def plain_data(config: Mapping[str, Any]) -> dict[str, Any]:
    """Make a mapping what a YAML file of it would be read as: under the same limits, and with the same types.

    Raises:
        StudyError: it holds what no such file can hold; names the key.

    >>> plain_data({"study": "s", "sweep": {"matrix": {"model.depth": range(2, 4)}}})
    {'study': 's', 'sweep': {'matrix': {'model.depth': [2, 3]}}}
    >>> plain_data({"model": {"activation": {1, 2}}})
    Traceback (most recent call last):
    actlab.study.source.StudyError: config: model.activation: expected a text, a number, a list or a mapping, not set
    """
    try:
        return dict(bounded_load(dumped(plain(config, "", 0)), str(CONFIG))[0])
    except YamlTextError as error:
        raise StudyError(re.sub(r"^(\w+):\d+:", r"\1:", str(error))) from None
    except YAMLError as error:  # a text that no YAML can hold
        raise StudyError(f"{CONFIG}: cannot be written as YAML: {brief(str(error).splitlines()[0])}") from None


def plain(value: Any, key: str, depth: int) -> Any:
    """Make one value plain: mappings, lists, texts, numbers, truth values and None, whatever they are called in Python.

    Args:
        value: what stands below a key.
        key: dotted, from the top.
        depth: of the lists and mappings that it stands in.

    Raises:
        StudyError: it has no place in a study.
    """
    place = f"{CONFIG}: {key}" if key else str(CONFIG)
    if depth > MOST_DEPTH:
        raise StudyError(f"{CONFIG}: lists and mappings stand in each other more than {MOST_DEPTH} deep")
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise StudyError(f"{place}: expected a text as a key, not {brief(name)}")
        return {str(name): plain(inner, f"{key}.{name}".lstrip("."), depth + 1) for name, inner in value.items()}
    if hasattr(value, "tolist"):  # an array of NumPy's or a series of pandas', or a number of theirs
        value = value.tolist()
    if isinstance(value, list | tuple | range):
        return [plain(inner, key, depth + 1) for inner in value]
    if isinstance(value, PathLike):
        value = fspath(value)
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)  # of a subclass the value alone
    if callable(value):
        name = str(getattr(value, "__name__", ""))
        write = "write it to a file" if name.isidentifier() else "write it as `def f(z): ...` to a file"
        named = f"'act.py:{name if name.isidentifier() else 'f'}'"
        way = f"{write}, which workers read (in a notebook by %%writefile act.py), and name it {named}"
        what = "a function" if name.isidentifier() else "a function without a name"
        raise StudyError(f"{place}: is {what}; {way}")
    raise StudyError(f"{place}: expected a text, a number, a list or a mapping, not {type(value).__name__}")
