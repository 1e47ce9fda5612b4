"""Options that stand beside the name of what takes them, where they belong below it: ``{name: spirals, turns: 3}``."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from actlab import sources
from actlab.aliases import close, same
from actlab.naming import brief, listed, shortened
from actlab.notation import split_options
from actlab.study.advice import CHOSEN, NEAR, below, full_keys, meant, unknown_key
from actlab.study.choices import options_of, takers
from actlab.study.sections import SECTIONS


def unknown(place: Sequence[str | int], value: Any, raw: Mapping[str, Any]) -> str:
    """Say of a key in a study's file that it is unknown: an option of what its section chooses is written below that.

    Args:
        place: of the key.
        value: of it.
        raw: the plain data of the study.

    >>> unknown(("data", "turns"), 3, {"data": {"name": "spirals", "turns": 3}})
    "unknown key, an option of spirals; write `name: {name: spirals, turns: 3}` in place of spirals below 'data:'"
    """
    section, last = str(place[0]), str(place[-1])
    if len(place) != 2 or section not in SECTIONS:
        return unknown_key(place, value)
    own = raw.get(section)
    given = own if isinstance(own, dict) else {}
    fields = SECTIONS[section].model_fields
    for key, choice, options in chosen(section, given):
        if last not in options and (same(last, fields) or close(last, fields, NEAR)):
            continue
        right = {name: found for name in given if name not in fields and (found := option_named(str(name), options))}
        if last in right:
            if isinstance(value, list):
                return f"unknown key; {below(f'sweep.matrix.{key}.{right[last]}', value)}"
            word = choice if isinstance(choice, str) else choice["name"]
            bare, own_options = split_options(word)
            start = {"name": bare, **own_options} if isinstance(choice, str) else choice
            whole = {
                **start,
                **{name: given[flat] for flat, name in right.items() if not isinstance(given[flat], list)},
            }
            old = choice if key.split(".")[1] in given else None
            return f"unknown key, an option of {shortened(bare)}; {below(key, whole, old=old)}"
    for key, choice, _ in chosen(section, given):
        others, elsewhere = takers(CHOSEN[key])(last), [one.rpartition(".")[2] for one in full_keys()]
        if others and same(last, elsewhere) is None and "=" not in str(meant(last, value)):
            word = brief(choice if isinstance(choice, str) else choice["name"])
            return f"unknown key, an option of {listed(others)}, and none of {word}; leave it out"
    return unknown_key(place, value)


def chosen(section: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Yield what a section chooses: the key, what is written of it or its default's name, and its options."""
    for key, registry in CHOSEN.items():
        top, _, name = key.partition(".")
        if top != section:
            continue
        field = SECTIONS[section].model_fields[name]
        choice = given.get(name, None if field.is_required() else field.default.name)
        word = choice.get("name") if isinstance(choice, dict) else choice
        if not isinstance(word, str):
            continue
        with contextlib.suppress(ValueError):
            bare = split_options(word)[0]
            record: Any = registry.get(bare)
            if record is None and sources.parse(bare):
                record = registry.find(bare)  # type: ignore[attr-defined]  # a function of the user's, looked at already
            yield key, choice, options_of(record)


def option_named(word: str, options: Mapping[str, Any]) -> str | None:
    """Return the option that a word stands for; None where none is near.

    >>> option_named("turn", {"turns": 1.5}), option_named("rows", {"turns": 1.5})
    ('turns', None)
    """
    return word if word in options else same(word, options) or close(word, options, NEAR)


def comma_list(key: str, text: str, raw: Mapping[str, Any]) -> str:
    """Write the override that sweeps an option, where one has a comma list after it; empty where it has none.

    >>> comma_list("data.name", "spirals:turns=1,3", {"data": {"name": "spirals"}})
    'data.name.turns=1,3'
    >>> comma_list("data.name", "spirals:turns=1,3", {"data": {"name": "iris"}})
    'data.name=spirals:turns=1,spirals:turns=3'
    """
    number = r"[-+]?[\d.][\w.+-]*"
    match = re.fullmatch(rf"([^,=]+):(\w+)=({number}(?:\s*,\s*{number})+)", text.strip())
    if key not in CHOSEN or match is None:
        return ""
    name, option, values = match.groups()
    section, _, field = key.partition(".")
    own = raw.get(section)
    there = own.get(field) if isinstance(own, dict) else None
    if there == name or (isinstance(there, dict) and there.get("name") == name):
        return f"{key}.{option}={values}"
    return f"{key}=" + ",".join(f"{name}:{option}={value.strip()}" for value in values.split(","))
