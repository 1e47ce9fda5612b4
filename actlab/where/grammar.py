"""Conditions as they are written, made into data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actlab.errors import ActlabError
from actlab.naming import shortened

if TYPE_CHECKING:
    pass

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

    Raises:
        WhereError: a bracket or quote is not closed.

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
    """Read one value; its quotes, if it has them, are taken off.

    Raises:
        WhereError: it is none.
    """
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
