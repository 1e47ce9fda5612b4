"""What a name that is unknown may stand for among functions: a user's own that is written wrongly, or a table's label.

Files are parsed, never run: a message is no reason to run anything.
"""

import ast
import os
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path

from actlab.aliases import same
from actlab.naming import listed, nearest, shortened

MOST_FILES, MOST_BYTES = 200, 1_000_000
"""Of a folder that are looked at; of each file."""
ALIKE = 0.7  # of a misspelt file's name

NO_SUCH_KIND = {"softmax": "softmax is no elementwise function: it needs all units of a layer"}
"""{what is asked for and cannot be, folded: why}."""

LABEL = re.compile(r"(?P<name>[\w./~-]+(?:\.py:\w+)?)\((?P<options>\w+=[^()]*)\)")
"""What tables print: ``leaky_relu(negative_slope=0.2)``."""

looked_in: ContextVar[tuple[Path, ...]] = ContextVar("looked_in", default=(Path(),))
"""Folders in which a user's files may lie; paths are written relative to the first."""


def functions_in(path: Path) -> list[str]:
    """List the public functions of a Python file; none where it cannot be read.

    >>> functions_in(Path(__file__))[:2], functions_in(Path("no.py"))
    (['functions_in', 'python_files'], [])
    """
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return []
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [one.name for one in body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]


def python_files(folder: Path) -> dict[str, Path]:
    """Return the Python files of a folder by their name."""
    try:
        return {one.name: one for one in sorted(folder.glob("*.py"))[:MOST_FILES]}
    except OSError:
        return {}


def written(path: Path, function: str) -> str:
    """Name a function of a file as a path that is relative to the folder that is looked in first."""
    base = looked_in.get()[0]
    return f"{path if base == Path() else os.path.relpath(path, base)}:{function}"


def own(name: str) -> str:
    """Find the function of the user's own that a name stands for, as text to end a message; empty where there is none.

    ``act.py``, ``act.f``, ``act:f`` and ``f`` alone stand for ``act.py:f``.
    """
    match = re.fullmatch(r"(?P<file>.*?[^./:])(?:\.py)?(?:[.:/]+(?P<function>\w+))?", name)
    if match is None:
        return ""
    for ending, function in ((match["file"], match["function"]), (name.removesuffix(".py"), None)):
        for folder in looked_in.get():
            path = folder / f"{os.path.expanduser(ending)}.py"
            if function == "py" or not (functions := functions_in(path)):
                continue
            found = function if function in functions else same(function, functions) if function else None
            if function and found is None:
                found = next(iter(get_close_matches(function, functions, n=1)), None)
            if found or len(functions) == 1:
                return f"; did you mean '{shortened(written(path, found or functions[0]), 200)}'?"
            return f"; expected one of its functions: {listed(written(path, one) for one in functions)}"
    for folder in looked_in.get():
        for path in python_files(folder).values():
            if name.isidentifier() and name in functions_in(path):
                return f"; did you mean '{shortened(written(path, name), 200)}'?"
    return ""


def labelled(name: str, known: Iterable[str]) -> str:
    """Write a label of a table as a request has it; empty where it is none.

    >>> labelled("leaky_relu(negative_slope=0.2)", ["leaky_relu"]), labelled("leaky_relu", ["leaky_relu"])
    ("; did you mean 'leaky_relu:negative_slope=0.2'?", '')
    """
    match = LABEL.fullmatch(name.strip())
    if match is None:
        return ""
    behind = ":".join(re.split(r",\s*", match["options"]))
    chosen = same(match["name"], known) or match["name"]
    if chosen not in known and ".py:" not in chosen:
        hint = own(chosen)
        return hint.replace("'?", f":{behind}'?") if "did you mean" in hint else ""
    return f"; did you mean '{shortened(f'{chosen}:{behind}', 200)}'?"


def wrongly_named(name: str, known: Iterable[str]) -> str:
    """End the message about a function of the user's own, or a label, that is written wrongly; empty for all else."""
    return "" if re.search(r"\.py:\w", name) else labelled(name, known) or own(name)


def hint(name: str, kind: str, known: Mapping[str, object]) -> str:
    """End the message about an unknown name of some kind of function: with the way out that is nearest.

    Args:
        name: as it was written, options left out.
        kind: what is looked for, for the message.
        known: what is shipped.

    >>> hint("reul", "activation", {"relu": 0}), hint("softmax", "activation", {"softsign": 0})[:35]
    ("; did you mean 'relu'?", '; softmax is no elementwise functio')
    """
    names = list(known)
    if found := labelled(name, names) or own(name):
        return found
    if kind == "activation" and (why := NO_SUCH_KIND.get(name.lower())):
        return f"; {why}"
    said = nearest(name, names)
    return said if "did you mean" in said or kind != "activation" else f"{said}, or your own: path/to/file.py:function"


def near_file(path: Path, function: str = "") -> str:
    """End the message about a Python file that is not there: with the nearest one beside it.

    >>> near_file(Path(__file__).with_name("naer_functions.py"))[-19:]
    "near_functions.py'?"
    """
    files = python_files(path.parent)
    defining = [name for name, one in files.items() if not function or function in functions_in(one)]
    found = get_close_matches(path.name, defining, n=1, cutoff=ALIKE)
    return f"; did you mean '{shortened(str(path.with_name(found[0])), 200)}'?" if found else ""
