"""Overrides on the command line, ``key.sub=value``: what they change in the plain data of a study's file."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actlab.naming import brief, shortened
from actlab.near_functions import labelled, wrongly_named
from actlab.study import commas
from actlab.study.advice import CHOSEN, LISTS, is_known, unknown_override
from actlab.study.flat_options import comma_list
from actlab.study.paths import absolute
from actlab.study.sections import SWEPT
from actlab.study.source import Place, StudyError
from actlab.study.sweep import put
from actlab.study.yaml_text import YamlTextError, bounded_load

MARKS = ("data.drop", "data.keep", "data.na_values", "data.separator", "data.decimal")
"""Keys that may be a bare mark on the command line, also where YAML takes it for one of its own: ``data.decimal=,``."""

MOST_OVERRIDES = 1000
"""On one command line."""
MOST_STEPS = 8
"""Names in a dotted key."""

KEY = r"[A-Za-z_][\w.]*"


def check_words(overrides: Sequence[str]) -> None:
    """Refuse words that are overrides only together, or several of them in one.

    Raises:
        StudyError: with the override, or the overrides, that were meant.
    """
    if len(overrides) > MOST_OVERRIDES:
        raise StudyError(f"{len(overrides):,} overrides are given; at most {MOST_OVERRIDES:,} are read")
    for i, text in enumerate(overrides):
        if parts := several_in_one(text):
            quoted = " ".join(f"'{part}'" for part in parts)
            raise StudyError(f"override {shortened(text)}: is several overrides in one word; did you mean {quoted}?")
        if found := value_alone(text):
            raise StudyError(f"override {shortened(text)}: expected key.sub=value; did you mean '{shortened(found)}'?")
        following = [*overrides[i + 1 : i + 3], "", ""]
        if found := one_in_several(text, *following[:2]):
            raise StudyError(
                f"override {shortened(text)}: expected key.sub=value in one word; did you mean '{shortened(found)}'?"
            )
        if "=" not in text and text.endswith((".yaml", ".yml")):
            raise StudyError(f"override {shortened(text)}: is another study's file; give each a command of its own")


def value_alone(text: str) -> str:
    """Write the override whose value alone was written: a function of one's own, or names of one kind; empty if none.

    >>> value_alone("act.py:f"), value_alone("relu,tanh"), value_alone("adam"), value_alone("seed"), value_alone("a=b")
    ('model.activation=act.py:f', 'model.activation=relu,tanh', 'train.optimizer=adam', '', '')
    """
    if match := re.fullmatch(r"([^=\s]+\.py:[^\W\d]\w*)((?::.+)?)(?:=.*)?", text):
        return f"model.activation={match[1]}{match[2]}"
    names = text.split(",")
    return next((f"{key}={text}" for key, known in CHOSEN.items() if all(name in known for name in names)), "")


def several_in_one(text: str) -> list[str]:
    """Split a word that is several overrides; empty where it is one.

    >>> several_in_one("model.depth=2 model.width=4"), several_in_one("question=Is a=b?")
    (['model.depth=2', 'model.width=4'], [])
    """
    starts = [match.start(1) for match in re.finditer(rf"(?:^|[\s,;]+)({KEY}\.{KEY})=", text)]
    if len(starts) < 2 or starts[0] != 0:
        return []
    return [text[begin:end].rstrip(" ,;") for begin, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def one_in_several(word: str, second: str, third: str) -> str:
    """Join the words of one override that was written with spaces, or a colon; empty where the first is whole.

    >>> one_in_several("model.depth", "2,10", ""), one_in_several("model.depth:", "2", "")
    ('model.depth=2,10', 'model.depth=2')
    >>> one_in_several("model.depth", "=", "2"), one_in_several("model.depth=2,", "10", "")
    ('model.depth=2', 'model.depth=2,10')
    >>> one_in_several("model.depth:2", "", ""), one_in_several("model.depth=2", "model.width=4", "")
    ('model.depth=2', '')
    """
    bare = second and "=" not in second
    if match := re.fullmatch(rf"({KEY}):?", word):
        if second == "=":
            return f"{match[1]}={third}" if third else ""
        if second.startswith("="):
            return f"{match[1]}{second}"
        return f"{match[1]}={second}" if bare and not second.endswith((".yaml", ".yml")) else ""
    if re.fullmatch(rf"{KEY}=", word) or re.fullmatch(rf"{KEY}=.*,", word, re.DOTALL):
        is_mark = word.partition("=")[0] in MARKS and word.endswith(",")
        return f"{word}{second}" if bare and not is_mark else ""
    if match := re.fullmatch(rf"({KEY}):([^=\\/]+)", word):
        return f"{match[1]}={match[2]}"
    return ""


def override(raw: dict[str, Any], text: str, overridden: dict[Place, str]) -> None:
    """Apply one ``key.sub=value`` to the plain data of a study.

    Raises:
        StudyError: it is none, or its key is unknown, or its value is no YAML.
    """
    key, equals, value = text.partition("=")
    keys, text = key.strip().split("."), shortened(text)
    if not equals or not all(keys) or len(keys) > MOST_STEPS:
        raise StudyError(f"override {text}: expected key.sub=value, as in model.depth=2,10,20")
    dotted = ".".join(keys)
    try:
        marks = dotted in MARKS and re.fullmatch(r"[^\w\s\[\]{}\"']+", value.strip())
        values = [value.strip()] if marks else bounded_load(f"[{value}]", "")[0]
    except YamlTextError as error:
        why = str(error).removeprefix(":1: ")
        if "did you mean" in why:
            raise StudyError(f"override {text}: {dotted}: {why}") from None
        raise StudyError(f"override {text}: '{shortened(value)}' is not a YAML value ({why})") from None
    if not values:
        raise StudyError(f"override {text}: expected a value after '='")
    if not is_known(keys) or (keys[:2] == ["sweep", "matrix"] and len(keys) > 2):
        parsed = values if len(values) > 1 else values[0]
        raise StudyError(f"override {text}: unknown key {brief(dotted)}{unknown_override(dotted, value, parsed, raw)}")
    if dotted in CHOSEN and len(values) > 1 and (hint := labelled(value, CHOSEN[dotted])):
        raise StudyError(f"override {text}: {dotted}: is the label of tables, {brief(value.strip())}{hint}")
    for one in values if dotted in CHOSEN else ():
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str) and name not in CHOSEN[dotted] and (hint := wrongly_named(name, CHOSEN[dotted])):
            raise StudyError(f"override {text}: {dotted}: is no name, {brief(name)}{hint}")
    if len(values) > 1 and (apart := comma_list(dotted, value, raw)):
        raise StudyError(f"override {text}: {dotted}: is an option with several values; did you mean '{apart}'?")
    if len(values) == 2 and (why := commas.refusal(dotted, value, values)):
        raise StudyError(f"override {text}: {dotted}: {why}")
    if dotted in LISTS and len(values) > 1 and not all(one is None or isinstance(one, list) for one in values):
        if not dotted.startswith("data."):
            values = [values]
        else:
            raise StudyError(
                f"override {text}: {dotted}=[{shortened(value)}] is one list; a comma list sweeps, and is one of "
                "lists: [a],[b]"
            )
    try:
        values = [absolute(dotted, one, Path.cwd()) for one in values]
    except ValueError as error:
        raise StudyError(f"override {text}: {dotted}: {error}") from None
    if raw.get("sweep") is None:
        raw.pop("sweep", None)
    sweep = raw.get("sweep", {})
    matrix = sweep.get("matrix") if isinstance(sweep, dict) else None
    swept = ".".join(keys[:2]) in SWEPT
    if swept and len(values) > 1 and isinstance(sweep, dict) and isinstance(matrix, dict | None):  # else refused below
        raw["sweep"] = sweep | {"matrix": (matrix or {}) | {dotted: values}}
        overridden[("sweep", "matrix", dotted)] = text
        return
    # What is swept stays a key of the cells, so that exclude still finds it; and so does an option of what is swept.
    if isinstance(matrix, dict) and (dotted in matrix or (swept and ".".join(keys[:2]) in matrix)):
        matrix[dotted] = values
        overridden[("sweep", "matrix", dotted)] = text
        return
    top, *rest = keys
    if not rest:
        raw[top] = values if len(values) > 1 else values[0]
    else:
        if not isinstance(raw.get(top), dict):
            raw[top] = {}
        put(raw[top], rest, values if len(values) > 1 else values[0])
    overridden[tuple(keys)] = text
