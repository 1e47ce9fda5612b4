"""The grammar of ``--where``: which runs are meant, by their settings and by what came of them.

    activation=relu,gelu,depth>=10          activations relu and gelu, from depth 10 on
    depth=2..10,20,status!=diverged         depths from 2 to 10 and 20, without the runs that diverged
    activation=leaky_relu:negative_slope=0.2,learning_rate=1e-3,test_accuracy>=0.9

Conditions stand between commas, and all of them must hold. An item without an operator is one more value of the
condition before it. ``parse`` makes data of a text, ``matches`` applies them to a frame; neither reads a file.
"""

import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actlab.errors import ActlabError
from actlab.later import pd
from actlab.naming import listed, nearest, shortened, show
from actlab.notation import option_value, split_options, with_options

if TYPE_CHECKING:
    import numpy as np

EQUAL, UNEQUAL = "=", "!="
ORDERS = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
CONDITION = re.compile(r"([^\W\d]\w*(?:\.\w+)*)\s*(!=|>=|<=|==|=|>|<)\s*(.*)", re.DOTALL)
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+|\d+\.(?=\.\.))(?:[eE][+-]?\d+)?|[+-]?inf"
RANGE = re.compile(rf"({NUMBER})?\.\.({NUMBER})?")
OPENING, CLOSING, QUOTES = "([{", ")]}", "'\""
NONE = "none"
# Words that a column may hold: no run needs to have them for a condition to be right.
POSSIBLE = {"status": ("ok", "diverged")}
MOST_NAMED = 12


class WhereError(ActlabError, ValueError):
    """A condition that cannot be read, or that means nothing in this study; the message names what would."""


@dataclass(frozen=True)
class Value:
    """What a column is compared with.

    Attributes:
        text: as it was written, without quotes.
        quoted: it stood in quotes: a text to the letter, no range, no ``*``, no ``none``.
    """

    text: str
    quoted: bool = False

    def __str__(self) -> str:
        """Write the value as the grammar reads it."""
        if not self.quoted:
            return self.text
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@dataclass(frozen=True)
class Condition:
    """One condition: a key, an operator, and one value or several.

    Attributes:
        key: a column, or a dotted key of the YAML.
        operator: ``=``, ``!=``, ``>=``, ``<=``, ``>`` or ``<``.
        values: any of them (``=``), none of them (``!=``), or the one number of the others.
        text: as it was written.
    """

    key: str
    operator: str
    values: tuple[Value, ...]
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Write the condition as the grammar reads it."""
        return f"{self.key}{self.operator}{','.join(map(str, self.values))}"


def parse(text: str | Sequence[str]) -> tuple[Condition, ...]:
    """Read conditions: of one text, or of several, all of which must hold.

    Raises:
        WhereError: it is none; says what was expected.

    >>> [str(one) for one in parse("activation=relu,gelu,depth >= 10")]
    ['activation=relu,gelu', 'depth>=10']
    >>> parse("activation=leaky_relu(negative_slope=0.2),elu")[0].values[0].text
    'leaky_relu(negative_slope=0.2)'
    """
    read: list[Condition] = []
    for one in [text] if isinstance(text, str) else text:
        found: list[Condition] = []
        for item in items(one):
            if match := CONDITION.fullmatch(item):
                operator = EQUAL if match[2] == "==" else match[2]
                found.append(Condition(match[1], operator, (value_of(item, match[3]),), item))
            elif not found:
                raise WhereError(f"where {shortened(item) or '(nothing)'}: {advice(item)}")
            else:
                last = found[-1]
                if last.operator in ORDERS:
                    raise WhereError(
                        f"where {shortened(last.text)}: {last.operator} takes one value, and '{shortened(item)}' is "
                        f"no condition; several values, and ranges, stand after =, as in {last.key}=2..10,20"
                    )
                values = (*last.values, value_of(item, item))
                found[-1] = Condition(last.key, last.operator, values, f"{last.text},{item}")
        read += found
    return tuple(read)


def advice(item: str) -> str:
    """Say what was expected where a condition was."""
    if re.fullmatch(r"[^\W\d][\w.]*", item):
        return (
            f"expected a condition, as in {item}=10; a condition with > or < is to stand in quotes, as in "
            f"'{item}>=10', or the shell takes it for a file"
        )
    return "expected key=value, as in activation=relu,gelu or depth=2..10"


def items(text: str) -> list[str]:
    """Split a text at its commas: not at those within brackets or quotes.

    >>> items("activation=f(a=1,b=2),relu, data='a,b.csv'")
    ['activation=f(a=1,b=2)', 'relu', "data='a,b.csv'"]
    """
    found, begin, depth, quote, escaped, before = [], 0, 0, "", False, ","
    for i, one in enumerate(text):
        if quote:
            quote = "" if one == quote and not escaped else quote
            escaped = one == "\\" and not escaped
        elif one in QUOTES and before in ",=<>":
            quote = one
        elif one in OPENING:
            depth += 1
        elif one in CLOSING:
            depth = max(depth - 1, 0)
        elif one == "," and not depth:
            found.append(text[begin:i].strip())
            begin = i + 1
        before = one if not one.isspace() else before
    if quote or depth:
        what = f"the quote {quote}" if quote else "a bracket"
        raise WhereError(
            f"where {shortened(text)}: {what} is not closed; a value that has one stands in (other) quotes"
        )
    return [*found, text[begin:].strip()]


def value_of(item: str, text: str) -> Value:
    """Read one value; its quotes, if it has them, are taken off."""
    text = text.strip()
    if not text:
        raise WhereError(
            f"where {shortened(item) or '(nothing)'}: expected a value; {NONE} stands for a setting without one"
        )
    if text[0] in QUOTES:
        if len(text) < 2 or text[-1] != text[0]:
            raise WhereError(f"where {shortened(item)}: expected a comma, or nothing, after the closing quote")
        return Value(re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL), quoted=True)
    if text[0] in "<>=!":
        raise WhereError(
            f"where {shortened(item)}: expected {text[0]}= or a value; an operator is one of =, !=, >=, <=, >, <"
        )
    return Value(text)


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
    """Return the column that a condition is on."""
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
    settings = [own for own in keys.values() if own in columns]  # first, where all are named
    known = [*settings, *columns, *(name for name, own in keys.items() if own in columns)]
    raise WhereError(f"where {text}: unknown key '{shortened(key)}'{nearest(key, known)}")


def fitting(
    column: "pd.Series", condition: Condition, keys: Container[str] = ()
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Tell of each entry of a column whether one condition holds: what is not there is neither more nor less."""
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


def require_possible(value: Value, condition: Condition, there: Sequence[Any], text: str) -> None:
    """Refuse a value that no run has, unless it is one that the column might well hold, or a range."""
    known = [one for one in there if not missing(one)]
    if not value.quoted and (begin := re.search(r"\s+(?=[^\W\d][\w.]*\s*[=<>!])", value.text)):
        both = f"{value.text[: begin.start()]},{value.text[begin.end() :]}"
        raise WhereError(f"where {text}: a comma stands between conditions: {shortened(both)}")
    if not value.quoted and (value.text == NONE or value.text in POSSIBLE.get(condition.key, ())):
        return
    numbers = all(map(is_number, known))
    if any(isinstance(one, bool) for one in known) and value.text in ("true", "false"):
        return
    if numbers and not value.quoted and bounds(value.text):
        return
    word = f"where {text}: no run has {condition.key} '{shortened(value.text)}'"
    if not known:
        raise WhereError(f"{word}; it is {NONE} in all of them")
    wanted = number(value.text)
    if numbers and wanted is None:
        what = f"expected a number, a range such as 2..10, or {NONE}, not '{shortened(value.text)}'"
        raise WhereError(f"where {text}: {what}; {condition.key} is {choices(known)}")
    if numbers and wanted is not None:
        close = min(known, key=lambda one: (abs(one - wanted), one)) if wanted == wanted else known[0]
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
