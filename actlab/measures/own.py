"""A user's own measures: what they may say of themselves, and how that is stored with what was measured."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from actlab import docstrings
from actlab.measures.base import ARITHMETIC, GEOMETRIC, SHARE, Measure, MeasureError
from actlab.naming import brief, nearest

F = TypeVar("F", bound=Callable[..., Any])
POOLINGS = (ARITHMETIC, GEOMETRIC)

DECLARED: dict[Callable[..., Any], Measure] = {}
"""Function -> record, of what ``measure`` has decorated."""


def measure(
    *,
    label: str = "",
    unit: str = "",
    pooling: str = ARITHMETIC,
    definition: str = "",
    range: tuple[float | None, float | None] = (None, None),
) -> Callable[[F], F]:
    """Say more about a measure of one's own; the function itself comes back unchanged.

    Args:
        label: as tables and axes name it; its name in words by default.
        unit: empty for a pure number.
        pooling: of layers and of runs, ``arithmetic``, or ``geometric`` for what is positive and spans decades.
        definition: one clause; the first line of its docstring by default.
        range: the least and the greatest value that there can be, None where it is unbounded.

    Raises:
        MeasureError: there is no such pooling, or the range is none.

    >>> @measure(label="fourth moment", pooling="geometric")
    ... def fourth(z_MxW):
    ...     return (z_MxW**4).mean()
    >>> declared(fourth, "fourth").over_seeds
    'geometric'
    """
    if pooling not in POOLINGS:
        raise MeasureError(f"pooling '{pooling}'{nearest(pooling, POOLINGS)}")
    ends = tuple(range) if isinstance(range, list) else range
    if not is_range(ends):
        raise MeasureError(f"range {range!r}: expected the least and the greatest value, None where it is unbounded")

    def declare(function: F) -> F:
        DECLARED[function] = Measure(
            "", definition, label, unit=unit, range=ends, over_layers=pooling, over_seeds=pooling
        )
        return function

    return declare


def is_range(ends: Any) -> bool:
    """Whether something is the least and the greatest value that there can be, None where there is none.

    >>> is_range((0.0, None)), is_range((1.0, 0.0)), is_range((0.0, "1"))
    (True, False, False)
    """
    if not isinstance(ends, tuple) or len(ends) != 2:
        return False
    if not all(end is None or (isinstance(end, int | float) and end == end) for end in ends):
        return False
    return None in ends or ends[0] < ends[1]


def declared(function: Callable[..., Any], name: str) -> Measure:
    """Return the record of a user's function: as ``measure`` declared it, or of its name and docstring alone.

    >>> declared(len, "size").definition
    'Return the number of items in a container'
    """
    known = DECLARED.get(function, Measure(name))
    return replace(known, name=name, definition=known.definition or docstrings.summary(function).rstrip("."))


DEFAULTS = {field.name: field.default for field in fields(Measure) if field.name != "name"}


def to_plain(records: Iterable[Measure]) -> dict[str, dict[str, Any]]:
    """Write records as plain JSON, without what is at its default: for a study's manifest, since reading runs no code.

    >>> to_plain([Measure("fourth", label="fourth moment", range=(0.0, None))])
    {'fourth': {'label': 'fourth moment', 'range': [0.0, None]}}
    """
    plain: dict[str, dict[str, Any]] = {}
    for one in records:
        facts = {key: getattr(one, key) for key, default in DEFAULTS.items() if getattr(one, key) != default}
        plain[one.name] = {key: list(fact) if isinstance(fact, tuple) else fact for key, fact in facts.items()}
    return plain


def from_plain(plain: Any) -> dict[str, Measure]:
    """Read records from what ``to_plain`` wrote; what a later version may have added to them is passed over.

    Raises:
        MeasureError: it is something else.

    >>> from_plain({"fourth": {"over_seeds": "geometric", "of_tomorrow": 1}})["fourth"].over_seeds
    'geometric'
    """
    if not isinstance(plain, Mapping):
        raise MeasureError(f"measures: expected records by name, not {brief(plain)}")
    return {str(name): one_from_plain(str(name), facts) for name, facts in plain.items()}


def one_from_plain(name: str, facts: Any) -> Measure:
    """Read one record of ``from_plain``.

    Raises:
        MeasureError: it is no such record.
    """
    if not isinstance(facts, Mapping):
        raise MeasureError(f"measures: {name}: expected its facts by name, not {brief(facts)}")
    known: dict[str, Any] = {key: fact for key, fact in facts.items() if key in DEFAULTS}
    if isinstance(known.get("range"), list):
        known["range"] = tuple(known["range"])
    for key, fact in known.items():
        right = fact is None or isinstance(fact, str) if key == "function" else type(fact) is type(DEFAULTS[key])
        if not right or (key == "range" and not is_range(fact)):
            raise MeasureError(f"measures: {name}: {key}: cannot be {brief(fact)}")
    record = Measure(name, **known)
    for key, valid in (("over_layers", (*POOLINGS, "")), ("over_seeds", (*POOLINGS, SHARE))):
        if known.get(key, ARITHMETIC) not in valid:
            raise MeasureError(f"measures: {name}: {key} '{known[key]}'{nearest(known[key], valid)}")
    return record
