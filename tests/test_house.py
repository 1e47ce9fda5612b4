"""The house holds: imports go down only, never between rooms of one floor; no file names a registry."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    "errors": -7,
    "processes": -4,
    "limits": -4,
    "aliases": -6,  # below `naming`, whose messages end with them
    "naming": -5,
    "awake": -4,
    "near_functions": -4,
    "checksums": -3,
    "commands": -3,
    "docstrings": -3,
    "interrupts": -3,
    "sinks": -3,
    "compiler_flags": -3,  # what must stand before a room imports JAX
    "jax_settings": -3,
    "notation": -3,
    "where": 0,
    "outputs": -3,
    "sources": -2,  # below the catalogue: the user's files, whatever they hold
    "registry": -1,
    "later": -1,
    "activations": 0,
    "measures": 0,
    "nn": 1,
    "theory": 1,
    "data": 1,
    "study": 2,
    "engine": 3,
    "analysis": 3,
    "trial_parts": 3.5,
    "trials": 3.6,  # where the engine, the analysis and theory's story meet
    "notebook": 4,
    "reporting": 4,
    "results": 5,
    "cli": 4,
    "start": 5,
    "__main__": 6,
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "actlab" and len(parts) > 1 and parts[1] in FLOORS:
            yield parts[1]


def test_imports_go_down_only():
    for path in (ROOT / "actlab").rglob("*.py"):
        own = path.relative_to(ROOT / "actlab").parts[0].removesuffix(".py")
        if own == "__init__":  # actlab/__init__.py opens the house from outside
            continue
        for other in rooms(path):
            assert other == own or FLOORS[other] < FLOORS[own], f"{path}: {own} must not import {other}"


def test_every_room_has_a_floor():
    modules = {p.stem for p in (ROOT / "actlab").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert modules - {"__init__"} == set(FLOORS)


def test_nothing_imports_experiments():
    for path in (ROOT / "actlab").rglob("*.py"):
        assert not any(name.split(".")[0] in ("experiments", "tests", "benchmarks") for name in imports(path)), path


@pytest.mark.parametrize(
    "module",
    [
        "actlab",
        "actlab.cli",
        "actlab.measures",
        "actlab.sources",
        "actlab.analysis.report",
        "actlab.engine.store",
        "actlab.compiler_flags",
    ],
)
def test_reading_needs_no_jax(module):
    code = f"import sys, {module}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_no_file_names_a_registry():
    address = re.compile(r"https?://[\w.-]*(pypi|pythonhosted|npmjs|debian)\.(org|com)|--(extra-)?index-url")
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in names or pytest.skip("not a git checkout"):
        path = ROOT / name
        if path.suffix in (".py", ".txt", ".toml", ".md", ".yaml", ".cff", "") and path != Path(__file__):
            assert not address.search(path.read_text(encoding="utf-8")), name


def test_the_lowest_versions_are_those_that_pyproject_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["cluster"], *extras["data"]]
    bounds = {tuple(one.split(">=")) for one in wanted if not one.startswith("actlab")}
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    assert bounds <= {tuple(line.split("==")) for line in lines}
