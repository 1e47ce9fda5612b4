"""What is wrong with a sweep's keys and lists of values, and the way out of it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from actlab.naming import brief, nearest
from actlab.study import commas
from actlab.study.advice import CHOSEN, MAPPINGS, below, flow, full_keys, meant, option_keys
from actlab.study.sections import SECTIONS, SWEPT
from actlab.study.source import Place, Source, StudyError

RANGE = re.compile(r"\s*([-+]?\d{1,9})\s*(?:\.\.\.?|…)\s*([-+]?\d{1,9})\s*", re.ASCII)
"""Whole numbers from one to another, as ``actlab runs --where`` takes them."""
MOST_IN_RANGE = 20


def check_matrix(raw: Mapping[str, Any], source: Source) -> None:
    """Refuse a sweep whose matrix is not {known key: list of different values}.

    Raises:
        StudyError: it is not.
    """
    sweep = raw.get("sweep")
    if not isinstance(sweep, dict) or "matrix" not in sweep:
        return
    matrix = sweep["matrix"]
    if not isinstance(matrix, dict) or not matrix:
        raise StudyError(
            f"{source.where('sweep', 'matrix')}: sweep.matrix: expected keys with lists of values, as in "
            "model.depth: [2, 10]; leave it out for a single cell"
        )
    for key, values in matrix.items():
        place = f"{source.where('sweep', 'matrix', key)}: sweep.matrix: "
        if ".".join(str(key).split(".")[:2]) not in SWEPT:
            raise StudyError(f"{place}{unswept(str(key), values, raw)}")
        if not isinstance(values, list):
            raise StudyError(f"{place}{key}: expected a list of values, not {brief(values)}{listed_hint(values, key)}")
        if not values:
            raise StudyError(f"{place}{key}: is an empty list; give it values, or leave the key out")
        if len({repr(value) for value in values}) < len(values):
            raise StudyError(f"{place}{key}: names a value twice")
    for name in ("exclude", "include"):
        for i, values in enumerate(sweep.get(name) or [] if isinstance(sweep.get(name), list | None) else []):
            for key in values if isinstance(values, dict) else ():
                if ".".join(str(key).split(".")[:2]) not in SWEPT:
                    place = source.where("sweep", name, i, key)
                    raise StudyError(f"{place}: sweep.{name}: unknown key {brief(key)}{swept_hint(key, raw)}")


def swept_hint(key: Any, raw: Mapping[str, Any]) -> str:
    """End the message about a key that cannot be swept: with the nearest one that can."""
    found = meant(str(key), None, option_keys(raw)) or ""
    return f"; did you mean '{found}'?" if ".".join(found.split(".")[:2]) in SWEPT else nearest(key, SWEPT)


def unswept(key: str, values: Any, raw: Mapping[str, Any]) -> str:
    """Say of a key of the matrix that it cannot be swept: there is none of the name, or it is one for all runs."""
    if key not in full_keys() or key in SECTIONS or key in MAPPINGS:
        return f"unknown key {brief(key)}{swept_hint(key, raw)}"
    one = values[0] if isinstance(values, list) and values and key != "sweep.seeds" else values
    return f"{brief(key)} cannot be swept, it is one for all cells; {below(key, one, key)}"


def listed_hint(value: Any, key: str = "") -> str:
    """End the message about a value in place of a list: with that list.

    >>> listed_hint("2, 3"), listed_hint("2..5"), listed_hint(3)
    ("; did you mean '[2, 3]'?", "; did you mean '[2, 3, 4, 5]'?", "; did you mean '[3]'?")
    >>> listed_hint("0,01", "train.learning_rate"), listed_hint("2,10", "model.depth")
    ("; did you mean '[0.01]'?", "; did you mean '[2, 10]'?")
    """
    if isinstance(value, str) and (numbers := commas.with_point(key, value)):
        return f"; did you mean '{numbers}'?"
    if isinstance(value, str) and (ends := RANGE.fullmatch(value)):
        first, last = int(ends[1]), int(ends[2])
        whole = [*range(first, last + 1)] if last - first < MOST_IN_RANGE else []
        return f"; did you mean '{flow(whole)}'?" if whole else ", as in [2, 10]"
    items = re.split(r"\s*,\s*", value.strip()) if isinstance(value, str) else [value]
    return f"; did you mean '[{', '.join(flow(one) if not isinstance(one, str) else one for one in items)}]'?"


def no_entry(place: Place, value: Any, matrix: Any) -> str:
    """Say of something in place of a list of cells' values, or of an entry of it, how that is written.

    Args:
        place: of the value, in ``sweep.exclude`` or ``sweep.include``.
        value: what is there.
        matrix: the sweep's: what is not in it cannot be left out.

    >>> no_entry(("sweep", "exclude"), "relu", {"model.activation": ["relu", "tanh"]})[-42:]
    "did you mean '[{model.activation: relu}]'?"
    """
    whole = len(place) == 2
    swept = matrix if isinstance(matrix, dict) else {}
    key = next((key for key, values in swept.items() if isinstance(values, list) and value in values), None)
    if key is None and isinstance(value, str) and place[1] == "include":
        key = next((key for key, registry in CHOSEN.items() if value in registry), None)
    entry = value if isinstance(value, dict) else {key: value} if key else None
    hint = f"; did you mean '{flow([entry] if whole else entry)}'?" if entry else ""
    expected = "a list of mappings, as in [{model.depth: 2}]" if whole else "a mapping, as in {model.depth: 2}"
    return f"expected {expected}, not {brief(value)}{hint}"


def options_apart(key: str, matrix: Mapping[str, Sequence[Any]], base: Any) -> str:
    """Write the list that gives a swept option to those alone that take it; empty where none or all of them do.

    Args:
        key: of the option, as ``model.activation.negative_slope``.
        matrix: the sweep's.
        base: what is chosen where the matrix does not say.
    """
    section, name, option = key.split(".", 2)
    listed = matrix.get(f"{section}.{name}", [base])
    apart: list[Any] = []
    for one in listed:
        whole = dict(one) if isinstance(one, dict) else {"name": one}
        given = [whole | {option: value} for value in matrix[key]]
        fits = all(takes(section, name, each) for each in given)
        apart += given if fits else [one]
    return flow(apart) if apart != list(listed) and len(apart) > 1 else ""


def takes(section: str, name: str, choice: Mapping[str, Any]) -> bool:
    """Whether a choice with its options is valid."""
    try:
        SECTIONS[section].model_validate({name: choice})
    except ValueError:
        return False
    return True
