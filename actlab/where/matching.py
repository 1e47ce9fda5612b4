"""Conditions held against the runs of a study."""

import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from actlab.later import pd
from actlab.naming import listed, nearest, shortened, show
from actlab.notation import option_value, split_options, with_options

if TYPE_CHECKING:
    import numpy as np

from actlab.where.grammar import (
    MOST_NAMED,
    NONE,
    ORDERS,
    POSSIBLE,
    RANGE,
    UNEQUAL,
    Condition,
    Value,
    WhereError,
    advice,
    parse,
)


def matches(
    frame: "pd.DataFrame", conditions: Iterable[Condition], keys: Mapping[str, str] | None = None
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Tell for each row of a frame whether all conditions hold.

    Args:
        frame: ``runs``, with whatever columns may be asked for.
        conditions: see ``parse``.
        keys: {other name of a column, as ``model.depth``: the column}.

    Raises:
        WhereError: a key is no column, or a value is one that no row has; names the nearest.

    >>> from actlab.where import parse
    >>> frame = pd.DataFrame({"activation": ["relu", "gelu", "relu"], "depth": [2, 10, 30]})
    >>> matches(frame, parse("activation=relu,model.depth=10.."), {"model.depth": "depth"}).tolist()
    [False, False, True]
    """
    import numpy as np

    fits = np.ones(len(frame), bool)
    for one in conditions:
        fits &= fitting(frame[column_of(frame, one, keys or {})], one, {*map(str, frame.columns), *(keys or {})})
    return fits


def column_of(frame: "pd.DataFrame", condition: Condition, keys: Mapping[str, str]) -> str:
    """Return the column that a condition is on.

    Raises:
        WhereError: there is none; names the nearest.
    """
    columns = [str(name) for name in frame.columns]
    key = condition.key
    if key in columns:
        return key
    if keys.get(key) in columns:
        return keys[key]
    outer, _, option = key.rpartition(".")
    column = outer if outer in columns else keys.get(outer, "")
    text = shortened(condition.text or str(condition))
    if column in columns:
        there = frame[column].dropna().unique()
        example = next((label for label in map(str, there) if f"{option}=" in label), None)
        how = f", as in {column}={in_one_word(example)}" if example else f"; {column} is {choices(there)}"
        raise WhereError(f"where {text}: an option is part of what it belongs to{how}")
    for name in (own for own in columns if not pd.api.types.is_numeric_dtype(frame[own])):  # an option alone
        labels = [label for label in map(str, frame[name].dropna().unique()) if key in choice(label)[1]]
        wanted = [one for one in labels if show(choice(one)[1][key]) == condition.values[0].text]
        if wanted:
            meant = f"{name}={in_one_word(wanted[0])}"
            raise WhereError(f"where {text}: an option is part of what it belongs to; did you mean '{meant}'?")
        if labels:
            raise WhereError(
                f"where {text}: an option is part of what it belongs to, as in {name}={in_one_word(labels[0])}"
            )
    settings = [own for own in keys.values() if own in columns]  # first, where all are named
    known = [*settings, *columns, *(name for name, own in keys.items() if own in columns)]
    raise WhereError(f"where {text}: unknown key '{shortened(key)}'{nearest(key, known)}")


def fitting(
    column: "pd.Series", condition: Condition, keys: Container[str] = ()
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Tell of each entry of a column whether one condition holds: what is not there is neither more nor less.

    Raises:
        WhereError: it is compared with no number, or no run has the value.
    """
    import numpy as np

    codes, uniques = pd.factorize(column.astype(object), use_na_sentinel=False)
    there = [plain(value) for value in uniques]
    text = shortened(condition.text or str(condition))
    if condition.operator in ORDERS:
        wanted, compare = condition.values[0], ORDERS[condition.operator]
        bound = None if wanted.quoted else number(wanted.text)
        if bound is None or bound != bound:
            raise WhereError(
                f"where {text}: expected a number after {condition.operator}, not '{shortened(wanted.text)}'"
            )
        if any(isinstance(one, str | bool) and not missing(one) for one in there):
            raise WhereError(
                f"where {text}: {condition.key} is no number, and {condition.operator} compares numbers; "
                f"it is {choices(there)}"
            )
        hits = [is_number(one) and one == one and compare(one, bound) for one in there]
    else:
        by_value = [[equals(value, one) for one in there] for value in condition.values]
        for value, found in zip(condition.values, by_value, strict=True):
            if not any(found):
                if value.text in keys and not value.quoted:
                    raise WhereError(f"where {text}: {value.text} is a key: {advice(value.text)}")
                require_possible(value, condition, there, text)
        hits = [any(found) for found in zip(*by_value, strict=True)]
        if condition.operator == UNEQUAL:
            hits = [not hit for hit in hits]
    return np.asarray(hits, bool)[codes] if len(codes) else np.zeros(0, bool)


def plain(value: Any) -> Any:
    """Return a cell as Python has it."""
    return value.item() if hasattr(value, "item") else value


def missing(value: Any) -> bool:
    """Whether a cell holds nothing."""
    return value is None or value is pd.NA or value is pd.NaT or value == "" or value != value


def is_number(value: Any) -> bool:
    """Whether a cell holds a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(text: str) -> int | float | None:
    """Read a number; None where there is none. Whole numbers are exact, however long.

    >>> number("1e-3"), number("10"), number("ten")
    (0.001, 10, None)
    """
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def equals(value: Value, cell: Any) -> bool:
    """Whether a cell holds a value: numbers as numbers, exactly; labels in either notation; ranges with their ends."""
    if not value.quoted and value.text == NONE and missing(cell):
        return True
    if missing(cell):
        return value.quoted and value.text == "" == cell
    if isinstance(cell, bool):
        return value.text == show(cell)
    if is_number(cell):
        if not value.quoted and (ends := bounds(value.text)):
            return bool(ends[0] <= cell <= ends[1])
        wanted = number(value.text)
        return wanted is not None and bool(cell == wanted)
    text = str(cell)
    if value.text == text:
        return True
    if value.quoted:
        return False
    if "*" in value.text or "?" in value.text:
        pattern = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in value.text)
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    return same_choice(value.text, text)


def bounds(text: str) -> tuple[float, float] | None:
    """Read a range, both ends within it; an end that is left out is infinite. None where it is none.

    >>> bounds("2..10"), bounds("1e-3.."), bounds("relu"), bounds("..")
    ((2, 10), (0.001, inf), None, None)
    """
    match = RANGE.fullmatch(text)
    if not match or not (match[1] or match[2]):
        return None
    low, high = (number(end) if end else None for end in match.groups())
    return -math.inf if low is None else low, math.inf if high is None else high


def same_choice(written: str, label: str) -> bool:
    """Whether a name with options means a label of the tables; of a path, its end is enough.

    >>> same_choice("leaky_relu:negative_slope=2e-1", "leaky_relu(negative_slope=0.2)")
    True
    >>> same_choice("acts/mine.py:f:alpha=3", "f(alpha=3)"), same_choice("relu", "relu6"), same_choice("f", "g.py:f")
    (True, False, False)
    """
    (name, options), (own, its_options) = choice(written), choice(label)
    same_name = name == own or name.endswith((f":{own}", f"/{own}"))
    return bool(own) and same_name and options == its_options


def choice(text: str) -> tuple[str, dict[str, Any]]:
    """Split a name from its options, in the notation of the tables or of the command line.

    >>> choice("f(a=1, b=unit)"), choice("f:b=unit:a=1")
    (('f', {'a': 1.0, 'b': 'unit'}), ('f', {'b': 'unit', 'a': 1.0}))
    """
    if match := re.fullmatch(r"([^()]*)\((\w+=[^()]*)\)", text, re.DOTALL):
        pairs = (piece.partition("=") for piece in match[2].split(","))
        return match[1].strip(), {key.strip(): option_value(value.strip()) for key, _, value in pairs}
    try:
        return split_options(text)
    except ValueError:
        return text, {}


def in_one_word(label: str) -> str:
    """Write a label as the command line takes it, without the brackets that a shell would not.

    >>> in_one_word("leaky_relu(negative_slope=0.2)"), in_one_word("relu"), in_one_word("a (b).csv")
    ('leaky_relu:negative_slope=0.2', 'relu', 'a (b).csv')
    """
    name, options = choice(label)
    return with_options(name, options) if options else label


def written(column: "pd.Series", value: Any) -> str:
    """Write a value of a column so that a condition on it means this value alone: in one word where that does.

    >>> column = pd.Series(["leaky_relu(negative_slope=0.2)", "relu", "a,b.csv", "*", ""])
    >>> [written(column, one) for one in column]
    ['leaky_relu:negative_slope=0.2', 'relu', '"a,b.csv"', '"*"', 'none']
    >>> written(pd.Series([1e-3, 0.1]), 1e-3), written(pd.Series([True, False]), False)
    ('0.001', 'false')
    """
    value = plain(value)
    if missing(value):
        return NONE
    text = show(value)
    there = [plain(one) for one in column.unique()]

    def means_it_alone(wanted: Value) -> bool:
        condition = Condition("key", "=", (wanted,))
        return parse_or_none(str(condition)) == (condition,) and all(
            equals(wanted, one) == (not missing(one) and one == value) for one in there
        )

    short = Value(in_one_word(text))
    return str(short if means_it_alone(short) else Value(text, quoted=True))


def parse_or_none(text: str) -> "tuple[Condition, ...] | None":
    """Read conditions; None where they are none."""
    try:
        return parse(text)
    except WhereError:
        return None


def require_possible(value: Value, condition: Condition, there: Sequence[Any], text: str) -> None:
    """Refuse a value that no run has, unless it is one that the column might well hold, or a range.

    Raises:
        WhereError: it is refused; names the nearest.
    """
    known = [one for one in there if not missing(one)]
    if not value.quoted and (begin := re.search(r"\s+(?=[^\W\d][\w.]*\s*[=<>!])", value.text)):
        before = re.sub(r"\s*(\band|&+|;)$", "", value.text[: begin.start()], flags=re.IGNORECASE)
        both = f"{condition.key}{condition.operator}{before},{value.text[begin.end() :]}"
        if re.search(r"\s(or|\|+)$", before, re.IGNORECASE):
            what = f"several values of one key stand between commas, as in {condition.key}=2,10; conditions all hold"
            raise WhereError(f"where {text}: {what}")
        raise WhereError(f"where {text}: a comma stands between conditions; did you mean '{shortened(both)}'?")
    if not value.quoted and (value.text == NONE or value.text in POSSIBLE.get(condition.key, ())):
        return
    numbers = all(map(is_number, known))
    if any(isinstance(one, bool) for one in known) and value.text in ("true", "false"):
        return
    if numbers and not value.quoted and (ends := bounds(value.text)):
        if ends[0] > ends[1]:
            turned = "..".join(reversed(value.text.split("..")))
            raise WhereError(f"where {text}: the range runs backwards; did you mean '{condition.key}={turned}'?")
        return
    word = f"where {text}: no run has {condition.key} '{shortened(value.text)}'"
    if not known:
        raise WhereError(f"{word}; it is {NONE} in all of them")
    wanted = number(value.text)
    if numbers and wanted is None:
        what = f"expected a number, a range such as 2..10, or {NONE}, not '{shortened(value.text)}'"
        raise WhereError(f"where {text}: {what}; {condition.key} is {choices(known)}")
    if numbers and wanted is not None:
        if not math.isfinite(wanted):
            raise WhereError(f"{word}; {condition.key} is {choices(known)}, and {NONE} where there is no number")
        close = min(known, key=lambda one: (abs(one - wanted), one))
        raise WhereError(f"{word}; the nearest is {show(close)}, of {choices(known)}")
    names = sorted({in_one_word(show(one)) for one in known})
    longer = [one for one in names if one.startswith(f"{value.text}:")]  # the same name, with options
    raise WhereError(f"{word}{nearest(value.text, longer or names)}")


def choices(there: Iterable[Any]) -> str:
    """List what a column holds: the values, or from where to where numbers go, if they are many."""
    known = [one for one in there if not missing(one)]
    if len(known) > MOST_NAMED and all(map(is_number, known)):
        return f"{show(min(known))} to {show(max(known))}"
    return listed(
        map(show, sorted(known, key=lambda one: (not is_number(one), one if is_number(one) else str(one)))), MOST_NAMED
    )
