"""What a docstring says, also where Python was told to leave docstrings out (``-OO``, ``PYTHONOPTIMIZE=2``).

Summaries of functions are labels in tables, and help on the command line: they do not depend on how Python was started.
"""

import ast
import inspect
import textwrap
from typing import Any


def docstring(what: Any) -> str:
    """Return the docstring of a function or class, without indentation; from its source where Python has left it out.

    >>> docstring(docstring).partition(",")[0], docstring(lambda: 0)
    ('Return the docstring of a function or class', '')
    """
    if getattr(what, "__doc__", None):
        return inspect.cleandoc(what.__doc__)
    if __debug__:  # nothing was left out
        return ""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(what)))
    except (OSError, TypeError, SyntaxError):  # a lambda, or without a file
        return ""
    first = tree.body[0] if tree.body else None
    named = isinstance(first, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    return (ast.get_docstring(first) or "") if named else ""  # type: ignore[arg-type]


def summary(what: Any) -> str:
    """Return the first line of a docstring; empty without one."""
    return docstring(what).partition("\n")[0]
