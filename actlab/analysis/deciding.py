"""Which function of a claims file decides a claim, and in which line: so that a reader of a verdict finds its rule."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from actlab.analysis.claims import Verdict


def in_file(path: Path, verdicts: Iterable[Verdict]) -> dict[str, tuple[str, int]]:
    """``deciding`` of stored verdicts and their claims file; nothing where it is not there, or no Python of today's."""
    try:
        return deciding(path.read_text(encoding="utf-8"), [one.id for one in verdicts])
    except (OSError, SyntaxError, UnicodeDecodeError):
        return {}


def deciding(source: str, ids: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Find the functions that decide some claims, by the ids that they name.

    Args:
        source: of the claims file.
        ids: of its claims.

    Returns:
        {id: the function's name and its first line}: the function that names it, or that makes the claim of it where
        it is called; without those that are found nowhere.

    >>> lines = ["def wins(cells):", "    return judge('M1')", "def made(id): ...", "CLAIMS = [wins, made('M2')]"]
    >>> deciding("\\n".join(lines), ["M1", "M2", "M3"])
    {'M1': ('wins', 1), 'M2': ('made', 3)}
    """
    tree, wanted = ast.parse(source), set(ids)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found: dict[str, tuple[str, int]] = {}
    for node in tree.body:
        inside = isinstance(node, ast.FunctionDef)
        for text, maker in named(node):
            one = node if isinstance(node, ast.FunctionDef) else functions.get(maker)
            if text in wanted and one is not None and (inside or text not in found):
                found[text] = one.name, one.lineno
    return found


def named(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the texts that calls are given below a node, each with the name of what is called."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            for one in call.args:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value, call.func.id
