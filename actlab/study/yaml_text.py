"""YAML text to plain data within stated limits: whatever a file or an override holds, it is read or refused at once.

The limits hold while the text is read, before anything is made of it: aliases are counted as what they stand for, so a
few lines cannot become gigabytes, and what refers to itself is refused. Only plain data is read: texts, numbers, true,
false, null, lists, and mappings whose keys are texts; no tag makes anything else.
"""

import io
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, DocumentStartEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from actlab.naming import brief, shortened

MOST_BYTES = 400_000
"""Of a file."""
MOST_LINE = 20_000
"""Characters of one line: some are read in a time that grows with the square of their length."""
MOST_DEPTH = 32
"""Of lists and mappings in each other."""
MOST_VALUES = 10_000
"""Keys, values, lists and mappings, aliases counted as what they stand for."""
MOST_CHARACTERS = 50_000
"""Of all keys and values together, counted likewise."""
MOST_TEXT = 10_000
"""Characters of one value."""
MOST_KEY = 200
"""Characters of a key, an anchor or a tag."""
MOST_DIGITS = 40
"""Of a whole number."""
SPARE = 1.2
"""A study as it is saved has its defaults filled in, and must be readable too."""

YAML_TAGS = "tag:yaml.org,2002:"
KINDS = {"int": "whole number", "float": "number", "bool": "truth value"}
PLAIN_TAGS = tuple(YAML_TAGS + name for name in ("str", "int", "float", "bool", "null", "seq", "map"))
COMMA_NUMBER = r"[-+]?\d+,\d+([eE][-+]?\d+)?"
COMMA_IN_LIST = r"[-+]?\d+,0\d+([eE][-+]?\d+)?"
WHOLE_NUMBER = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|(0[ob])?[0-9_]+)")


class YamlTextError(ValueError):
    """A text that is not YAML, or is beyond a limit; says where."""


class Refused(MarkedYAMLError):
    """What the limits refuse, with its place."""


class PlainConstructor(SafeConstructor):  # type: ignore[misc]
    """Makes plain data alone: a date is a text, as in YAML 1.2's core schema, and so are marks of YAML 1.1."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Make the data of a node; what its tag or its look promises and it is not, is refused at its place.

        Raises:
            Refused: at its place.
        """
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, LookupError, ValueError):
            kind = str(node.tag).removeprefix(YAML_TAGS)
            why = f"{brief(node.value)} is no {KINDS.get(kind, kind)}; quote it if it is a text"
            raise Refused(None, None, why, node.start_mark) from None


for name in ("timestamp", "value", "merge"):
    PlainConstructor.add_constructor(f"{YAML_TAGS}{name}", SafeConstructor.construct_yaml_str)


class BoundedComposer(Composer):  # type: ignore[misc]
    """Builds the nodes of one document, and refuses at the place where a limit is passed."""

    def __init__(self, loader: Any = None) -> None:
        """Begin to count."""
        super().__init__(loader)
        self.level = self.deepest = self.values = self.characters = 0
        self.sizes: dict[str, tuple[int, int, int]] = {}  # by anchor: values, characters, levels
        self.unfinished: set[str] = set()
        self.way: list[str] = []  # the keys that lead to what is composed

    def compose_document(self) -> Node:
        """Compose the document, which must be of YAML 1.2: others have other words for true and false.

        Raises:
            Refused: at its place.
        """
        event = self.parser.peek_event()
        if isinstance(event, DocumentStartEvent) and event.version not in (None, (1, 2), "1.2"):
            raise refused(event, "is of another version of YAML; actlab reads YAML 1.2")
        return super().compose_document()

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        """Compose a node; a key of a mapping must be a text.

        Raises:
            Refused: at its place.
        """
        event = self.parser.peek_event()
        is_key = isinstance(parent, MappingNode) and index is None
        check_event(event, is_key)
        if isinstance(event, AliasEvent):
            if event.anchor in self.unfinished:
                raise refused(event, f"*{event.anchor} stands inside what it stands for")
            self.count(event, *self.sizes.get(event.anchor, (0, 0, 0)))
            return super().compose_node(parent, index)
        begun, deepest = (self.values, self.characters), self.deepest
        self.level += 1
        self.deepest = self.level
        self.count(event, 1, len(event.value) if isinstance(event, ScalarEvent) else 0, 0)
        if event.anchor:
            if event.anchor in self.sizes:
                raise refused(event, f"the anchor &{event.anchor} is there twice")
            self.unfinished.add(event.anchor)
        self.way += [index.value] if (named := isinstance(index, ScalarNode)) else []
        node = super().compose_node(parent, index)
        if parent is not None and (number := decimal_comma(parent, node)):
            raise refused(event, not_a_number(".".join(key_of(parent, self.way)), number))
        del self.way[len(self.way) - named :]
        if event.anchor:
            self.unfinished.discard(event.anchor)
            own = (self.values - begun[0], self.characters - begun[1], self.deepest - self.level + 1)
            self.sizes[event.anchor] = own
        self.level -= 1
        self.deepest = max(self.deepest, deepest)
        if is_key and not (isinstance(node, ScalarNode) and str(node.tag) in (PLAIN_TAGS[0], f"{YAML_TAGS}merge")):
            raise refused(event, f"expected a name as a key, not {shown_key(node)}; quote it if it is one")
        return node

    def count(self, event: Any, values: int, characters: int, levels: int) -> None:
        """Count what comes; refuse it where that is too much.

        Raises:
            Refused: there are too many.
        """
        self.values += values
        self.characters += characters
        self.deepest = max(self.deepest, self.level + levels)
        if self.deepest > MOST_DEPTH:
            raise refused(event, f"lists and mappings stand in each other more than {MOST_DEPTH} deep")
        if self.values > MOST_VALUES * SPARE:
            raise refused(event, f"more than {MOST_VALUES:,} keys and values, aliases counted as what they stand for")
        if self.characters > MOST_CHARACTERS * SPARE:
            raise refused(event, f"more than {MOST_CHARACTERS:,} characters of keys and values, aliases likewise")


def decimal_comma(parent: Node, node: Node) -> str:
    """Return the number that was written with a comma where YAML reads two: ``0,01``; empty where it is none.

    In a list only what begins with a zero is one for sure: ``[1,5]`` may be 1 and 5. A number is no key, and so a comma
    within ``{...}`` tells it each time.

    Args:
        parent: the mapping or list so far.
        node: what comes next in it, and what may end the number.
    """
    if not parent.value or not isinstance(node, ScalarNode) or node.style is not None:
        return ""
    before, in_list = parent.value[-1], isinstance(parent, SequenceNode)
    before = before if in_list else before[1]
    if not isinstance(before, ScalarNode) or before.style or node.start_mark.index != before.end_mark.index + 1:
        return ""
    number = f"{before.value},{node.value}"
    return number if re.fullmatch(COMMA_IN_LIST if in_list else COMMA_NUMBER, number) else ""


def key_of(parent: Node, way: Sequence[str]) -> list[str]:
    """Return the keys that lead to the last value of a mapping or list, for which ``way`` stops at that itself."""
    return list(way) if isinstance(parent, SequenceNode) else [*way, parent.value[-1][0].value]


def not_a_number(key: str, number: str) -> str:
    """Refuse a number with a decimal comma.

    >>> not_a_number("train.learning_rate", "0,01")
    "train.learning_rate: expected a number, not '0,01'; did you mean '0.01'?"
    """
    return f"{key}{': ' if key else ''}expected a number, not '{number}'; did you mean '{number.replace(',', '.')}'?"


def refused(event: Any, why: str) -> Refused:
    """Make the error about an event."""
    return Refused(None, None, why, event.start_mark)


def shown_key(node: Node) -> str:
    """Say what stands in place of a key."""
    return (
        shown_text(node.value)
        if isinstance(node, ScalarNode)
        else "a mapping"
        if isinstance(node, MappingNode)
        else "a list"
    )


def shown_text(text: str) -> str:
    """Write a scalar as it stands, shortened; an empty one in quotes."""
    return shortened(text, 60) if text else "''"


def check_event(event: Any, is_key: bool) -> None:
    """Refuse tags that make something else than plain data, and names, texts and whole numbers that are too long.

    Raises:
        Refused: at its place.
    """
    for name in (event.anchor, getattr(event, "tag", None)):
        if name is not None and len(str(name)) > MOST_KEY:
            raise refused(event, f"an anchor or a tag has more than {MOST_KEY} characters")
    tag = getattr(event, "tag", None)
    if tag is not None and str(tag) not in ("!", *PLAIN_TAGS):
        raise refused(event, f"the tag {brief(str(tag).replace(YAML_TAGS, '!!'))} is not for plain data; leave it out")
    if not isinstance(event, ScalarEvent):
        return
    if "\0" in event.value or any("\ud800" <= one <= "\udfff" for one in event.value):
        raise refused(event, "a value has a character that no text has: NUL, or half of a pair of UTF-16")
    most, what = (MOST_KEY, "key") if is_key else (MOST_TEXT, "value")
    if len(event.value) > most:
        raise refused(event, f"a {what} has {len(event.value):,} characters; at most {most:,} are read")
    is_number = event.implicit[0] or str(tag) == f"{YAML_TAGS}int"
    if is_number and len(event.value) > MOST_DIGITS and WHOLE_NUMBER.fullmatch(event.value):
        raise refused(event, f"a whole number has {len(event.value):,} digits; at most {MOST_DIGITS} are read")


def bounded_load(text: str, where: str) -> tuple[Any, Node | None]:
    """Read one YAML document as plain data, within the limits above.

    Args:
        text: what to read.
        where: what to call it in a message; the line follows.

    Returns:
        The data, and its nodes, for the lines; None and None where there is no document.

    Raises:
        YamlTextError: ``where:line: what is wrong``.

    >>> bounded_load("depth: [2, 10]", "s.yaml")[0]
    {'depth': [2, 10]}
    >>> bounded_load("- &a [1, *a]", "s.yaml")
    Traceback (most recent call last):
    actlab.study.yaml_text.YamlTextError: s.yaml:1: *a stands inside what it stands for
    """
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MOST_LINE:
            raise YamlTextError(
                f"{where}:{number}: has {len(line):,} characters in one line; break lines of {MOST_LINE:,}"
            )
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor = BoundedComposer, PlainConstructor
    try:
        node = yaml.compose(text)
        return (None, None) if node is None else (yaml.constructor.construct_document(node), node)
    except Refused as error:
        raise YamlTextError(f"{at_line(where, error)}: {error.problem}") from None
    except MarkedYAMLError as error:
        problem = str(error.problem).split(" with value")[0]
        if "'\\t'" in problem:
            why = "a tab stands where spaces are expected; indent with spaces"
            raise YamlTextError(f"{at_line(where, error)}: {why}") from None
        if problem.startswith("but ") and error.context:
            problem = f"{error.context} {problem}"
        raise YamlTextError(f"{at_line(where, error)}: not valid YAML: {shortened(problem)}") from None
    except YAMLError as error:
        position = getattr(error, "position", None)
        line = f":{text.count(chr(10), 0, position) + 1}" if isinstance(position, int) else ""
        raise YamlTextError(f"{where}{line}: not valid YAML: {shortened(str(error).splitlines()[0])}") from None


def at_line(where: str, error: MarkedYAMLError) -> str:
    """Name the line of an error, where it has one."""
    mark = error.problem_mark or error.context_mark
    return f"{where}:{mark.line + 1}" if mark else where


def count_values(value: Any) -> int:
    """Count the keys and values of plain data.

    >>> count_values({"depth": [2, 10]})
    5
    """
    if isinstance(value, dict):
        return 1 + sum(1 + count_values(inner) for inner in value.values())
    return 1 + (sum(map(count_values, value)) if isinstance(value, list) else 0)


def without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe without a writer at once, too."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_text(path: Path, where: str) -> str:
    """Read a text file of at most ``MOST_BYTES``.

    Raises:
        FileNotFoundError: there is none.
        YamlTextError: it is no regular file, too large, not UTF-8, or cannot be read.
    """
    try:
        with open(path, "rb", opener=without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise YamlTextError(f"{where}: is a pipe or a device; expected a YAML file")
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise YamlTextError(f"{where}: is a folder; expected a YAML file") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL byte
        if isinstance(error, YamlTextError):
            raise
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise YamlTextError(f"{where}: cannot be read ({why})") from None
    if len(content) > MOST_BYTES:
        raise YamlTextError(f"{where}: has more than {MOST_BYTES:,} bytes; a YAML file of more is not read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlTextError(f"{where}:{line}: is not UTF-8 text; save it as UTF-8") from None


def dumped(plain: Mapping[str, Any]) -> str:
    """Write plain data as YAML, a key in each line."""
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(plain, text)
    return text.getvalue()
