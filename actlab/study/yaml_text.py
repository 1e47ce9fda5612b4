"""A YAML text as plain data, within bounds: no alias bomb, no loop, no number or nesting without end.

What stands in a file is counted before it is made: every problem is one sentence, with its line.
"""

import math
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST_CHARACTERS = 300_000  # some seconds of reading; a study of ten thousand listed seeds has a third of it
MOST_NODES = 100_000  # what aliases stand for included
DEEPEST = 50
MOST_DIGITS = 40  # of a whole number


class TextError(ValueError):
    """The text is not plain data; says the line, where there is one."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        """Take what is wrong, and in which line, from 1."""
        super().__init__(problem)
        self.line = line


def bounded_load(text: str, finite: bool = True) -> Any:
    """Read YAML 1.2 as mappings with words as keys, lists, words, numbers, true, false and null; nothing else.

    Args:
        text: the file's.
        finite: whether to refuse NaN and infinities.

    Raises:
        TextError: it is something else, or beyond a bound.

    >>> bounded_load("depth: [2, 1e1]")
    {'depth': [2, 10.0]}
    >>> bounded_load("a: &a [*a]")
    Traceback (most recent call last):
        ...
    actlab.study.yaml_text.TextError: refers to itself
    """
    if len(text) > MOST_CHARACTERS:
        raise TextError(f"has {len(text):,} characters; expected at most {MOST_CHARACTERS:,}")
    try:
        yaml = YAML(typ="safe", pure=True)
        node = yaml.compose(text)
        if node is None:
            return None
        count(node, {}, set(), 0)
        plain = yaml.constructor.construct_document(node)
    except RecursionError:
        raise TextError(f"is nested more than {DEEPEST} deep") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem).split(" with value")[0]
        raise TextError(f"not valid YAML: {problem}", mark.line + 1 if mark else None) from None
    except YAMLError as error:
        raise TextError(f"not valid YAML: {str(error).splitlines()[0]}") from None
    except TextError:
        raise
    except (ValueError, TypeError, OverflowError) as error:  # what its own reader of numbers and dates makes of some
        raise TextError(f"not valid YAML: {error}") from None
    check_plain(plain, "", finite)
    return plain


def count(node: Node, sizes: dict[int, int], above: set[int], depth: int) -> int:
    """Count the values below a node, with what aliases stand for.

    Args:
        node: what to count.
        sizes: what is counted already, by the node's ``id``.
        above: the nodes that it is in.
        depth: how many those are.

    Raises:
        TextError: there are too many, it is in itself, nested too deep, or a whole number has too many digits.
    """
    if id(node) in sizes:
        return sizes[id(node)]
    line = node.start_mark.line + 1
    if id(node) in above:
        raise TextError("refers to itself", line)
    if depth > DEEPEST:
        raise TextError(f"is nested more than {DEEPEST} deep", line)
    if isinstance(node, ScalarNode):
        if str(node.tag).endswith(":int") and len(node.value) > MOST_DIGITS:
            raise TextError(f"a whole number of {len(node.value):,} digits; expected at most {MOST_DIGITS}", line)
        return 1
    inner: list[Node] = []
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise TextError("a key that is no word", key.start_mark.line + 1)
            inner.append(value)
    elif isinstance(node, SequenceNode):
        inner = list(node.value)
    above.add(id(node))
    size = 1
    for one in inner:
        size += count(one, sizes, above, depth + 1)
        if size > MOST_NODES:
            raise TextError(f"stands for more than {MOST_NODES:,} values", line)
    above.discard(id(node))
    sizes[id(node)] = size
    return size


def check_plain(value: Any, key: str, finite: bool) -> None:
    """Refuse what is no plain data: dates, bytes, sets, keys that are no words.

    Raises:
        TextError: it is; names the key.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TextError(f"{key}{': ' if key else ''}a key that is no word: {name!r}")
            check_plain(inner, f"{key}.{name}".lstrip("."), finite)
    elif isinstance(value, list):
        for inner in value:
            check_plain(inner, key, finite)
    elif isinstance(value, float):
        if finite and not math.isfinite(value):
            raise TextError(f"{key}: expected a finite number, not {value}")
    elif value is not None and not isinstance(value, str | int | bool):
        raise TextError(f"{key}: expected a word, a number, true, false or null, not a {type(value).__name__}")
