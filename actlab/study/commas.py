"""Decimal commas: a comma separates values, in an override and in a list, and what was meant by one can be told."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from actlab.naming import brief, listed, show
from actlab.study.advice import CHOSEN
from actlab.study.sections import SECTIONS

TWO_NUMBERS = re.compile(r"([-+]?\d),(\d+)", re.ASCII)
"""A whole number below 10, a comma, and digits: 1.5 as much of the world writes it, or 1 and 5."""


def takes_fractions(key: str) -> bool:
    """Whether a dotted key of a run takes numbers that need not be whole; an option of a choice may.

    >>> [takes_fractions(key) for key in ("model.weight_gain", "model.dropout.rate", "model.depth", "train.optimizer")]
    [True, True, False, False]
    """
    section, *way = key.split(".")
    kind: Any = SECTIONS.get(section)
    if ".".join([section, *way[:1]]) in CHOSEN:
        return len(way) == 2
    for name in way:
        kinds = (kind, *get_args(kind))
        model = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if model is None or name not in model.model_fields:
            return False
        kind = model.model_fields[name].annotation
    return float in (kind, *get_args(kind))


def with_point(key: str, text: str) -> str:
    """Write the list that numbers with decimal commas stand for; empty where they are none, or may be whole numbers.

    >>> with_point("train.learning_rate", "0,01"), with_point("train.learning_rate", "0,01, 0,1")
    ('[0.01]', '[0.01, 0.1]')
    >>> with_point("model.weight_gain", "1,5"), with_point("model.depth", "2,10")
    ('[1.5]', '')
    """
    items = re.split(r"\s*[;]\s*|\s*,\s+", text.strip())
    fits = takes_fractions(key) and all(map(TWO_NUMBERS.fullmatch, items))
    return f"[{', '.join(one.replace(',', '.') for one in items)}]" if fits else ""


def separated(key: str, value: str) -> str:
    """Say of an override's value how a comma in it was read, where it may have been a decimal one; else nothing.

    >>> separated("model.weight_gain", "1,5"), separated("model.weight_gain", "1,5,10"), separated("model.depth", "2,5")
    ('a comma separates values: 1 and 5; for 1.5 write 1.5', '', '')
    """
    found = TWO_NUMBERS.fullmatch(value.strip())
    if found is None or not takes_fractions(key):
        return ""
    point = f"{found[1]}.{found[2]}"
    return f"a comma separates values: {found[1]} and {found[2]}; for {point} write {point}"


def refusal(key: str, value: str, values: Sequence[Any]) -> str:
    """Say of an override's two values which cannot be, and that a comma made two of one; empty where each can.

    >>> refusal("data.label_noise", "0,2", [0, 2])
    'cannot be 2; a comma separates values: 0 and 2; for 0.2 write 0.2'
    >>> refusal("model.weight_gain", "1,5", [1, 5])
    ''
    """
    said = separated(key, value)
    bad = [show(one) for one in values if not possible(key, one)] if said else []
    return f"cannot be {listed(bad)}; {said}" if bad else ""


def possible(key: str, value: Any) -> bool:
    """Whether a key may have a value, whatever the others have; of an option that is not asked here."""
    section, *way = key.split(".")
    whole: Any = value
    for name in reversed(way):
        whole = {name: whole}
    try:
        SECTIONS[section].model_validate(whole)
    except ValidationError as error:
        return not any(one["loc"][: len(way)] == tuple(way) for one in error.errors())
    return True


def lines(overrides: Iterable[str]) -> list[str]:
    """List how commas of overrides were read that may have been decimal ones, a line each.

    >>> lines(["model.weight_gain=1,5", "model.depth=2,10"])
    ["'model.weight_gain=1,5': a comma separates values: 1 and 5; for 1.5 write 1.5"]
    """
    pairs = ((text, *text.partition("=")[::2]) for text in overrides)
    return [f"{brief(text)}: {said}" for text, key, value in pairs if (said := separated(key.strip(), value))]
