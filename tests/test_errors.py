"""Errors: all of one base, had from the package, and named by the docstring of every function that raises them."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import actlab
from actlab.cli.errors import imported, report_error
from actlab.errors import ERRORS, INCOMPLETE, WRONG, ActlabError

PACKAGE = Path(actlab.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
CLASSES: dict[str, set[str]] = {}
for tree in TREES.values():
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):  # of two of one name the bases of both
            bases = (base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases)
            CLASSES.setdefault(node.name, set()).update(bases)
MAKERS = {
    node.name: node.returns.id
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name) and node.returns.id in CLASSES
}
"""Functions that return an instance of a class: ``raise error_at_key(...)`` raises what that one returns."""


def with_bases(name):
    return {name} | {one for base in CLASSES.get(name, set()) - {name} for one in with_bases(base)}


def is_error(name):
    return bool(with_bases(name) & {"Exception", "ValueError", "RuntimeError", "MarkedYAMLError"})


def raised(node):
    """Yield the package's own errors that a function raises itself, or by functions inside it."""
    for one in ast.walk(node):
        if isinstance(one, ast.Raise) and one.exc is not None:
            what = one.exc.func if isinstance(one.exc, ast.Call) else one.exc
            name = what.attr if isinstance(what, ast.Attribute) else getattr(what, "id", "")
            name = MAKERS.get(name, name)
            if name in CLASSES and is_error(name):
                yield name


def functions(tree):
    """Yield the functions of a module and the methods of its classes, none of those in another."""
    for node in tree.body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        yield from (one for one in inner if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def said_to_be_raised(docstring):
    """Return the words in the section ``Raises`` of a docstring."""
    section = re.search(r"^ *Raises:\n((?:.+\n?)+)", docstring or "", re.MULTILINE)
    return set(re.findall(r"\w+", section[1])) if section else set()


def test_every_function_says_what_it_raises():
    missing, seen = [], 0
    for path, tree in TREES.items():
        for function in functions(tree):
            said = said_to_be_raised(ast.get_docstring(function))
            for name in set(raised(function)):
                seen += 1
                if not said & (with_bases(name) - {"Exception", "ActlabError"}):
                    missing.append(f"{path.relative_to(PACKAGE)}:{function.lineno} {function.name}: {name}")
    assert not missing, "\n".join(missing)
    assert seen > 150


def test_what_the_package_gives_says_what_it_raises():
    assert set(actlab.__all__) <= set(dir(actlab))
    for name in set(actlab.__all__) - {"ActlabError", *ERRORS}:
        said = said_to_be_raised(getattr(actlab, name).__doc__)
        assert said & set(ERRORS), name


@pytest.mark.parametrize("code", [WRONG, INCOMPLETE])
def test_errors_are_had_from_the_package(code, capsys):
    for name, known in ERRORS.items():
        kind = getattr(actlab, name)
        assert issubclass(kind, ActlabError)
        assert kind is getattr(importlib.import_module(known.module), name)
        assert kind.__module__ == known.module  # not only passed on from there
        assert kind.__doc__
        if known.code == code:
            assert issubclass(kind, ValueError if code == WRONG or name == "DamageError" else RuntimeError)
            assert kind in imported(code)
            arguments = (PACKAGE, {"job 1": "what is wrong"}) if name == "RunError" else ("what is wrong",)
            assert report_error(kind(*arguments)) == code
            assert "what is wrong" in capsys.readouterr().err


def test_no_error_of_users_is_left_out():
    ours = {name for name in CLASSES if "ActlabError" in with_bases(name)} - {"ActlabError"}
    assert ours == set(ERRORS)


def test_errors_are_imported_one_by_one():
    heavy = "bool({'jax', 'pandas'} & set(sys.modules))"
    code = f"import sys, actlab; actlab.DamageError, actlab.ActlabError; sys.exit({heavy})"
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent).returncode == 0
