"""The field's words: private names and phrases that are gone stay gone, and no file of the package grows long."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path for room in ("actlab", "tests", "benchmarks", "experiments") for path in sorted((ROOT / room).rglob("*.py"))
]
FILES.remove(Path(__file__).resolve())

# kind: the names of that kind that no file has, but those that MAY says.
GONE = {
    "function": """
        second_chance run_again_or_fail example_hits settle card one_map following labels_of suggestion near
        told found shown refuse grow shrink nobody stored_runs count_runs stored_ids read_parts
    """,
    "class": "Chunks Ledger Pulse Where Look Here Lines DataKey",
    "module": """
        actlab.engine.running actlab.engine.execute actlab.engine.executors actlab.engine.job
        actlab.activations.shape tests.here
    """,
    "parameter": "told found shown refuse lane pieces witness holder held summed born ever nobody settled",
    "constant": "DEAR DEFAULT_TABLES LOOKS",
    "column": "lane pieces lane_by_width pieces_by_width summed born ever",
}
# (module, name) of functions whose name is a good word for something else.
IN_MODULE = {
    ("actlab.engine.compiled", "keep"),
    ("actlab.study.plan", "cut"),
    ("actlab.data", "found"),
    ("actlab.data", "made"),
    ("actlab.data.files", "refuse"),
    ("actlab.engine.store", "checksum"),
    ("actlab.cli", "refuse"),
    ("actlab.nn.worked_example", "frames"),
    ("actlab.analysis.cells", "measured"),
    ("actlab.analysis.cells", "held"),
}
MAY = {
    ("column", "lane"): {"actlab/engine/part_files.py", "tests/test_environment.py"},  # older parts, read
    ("column", "pieces"): {"actlab/engine/part_files.py", "tests/test_environment.py"},
    ("column", "lane_by_width"): {"actlab/engine/store.py", "actlab/engine/manifest.py", "tests/test_engine.py"},
    ("column", "pieces_by_width"): {"actlab/engine/store.py", "actlab/engine/manifest.py"},
    ("module", "actlab.engine.executors"): {"benchmarks/serve.py"},  # runs in an older revision's checkout too
}
MOST_LINES = 400

PHRASES = {
    "runs a cell": r"\bruns a cell\b"
    r"|\b(\d+|two|three|four|five) \w+ an? (cell|call|worker|core|run|second|seed|epoch|job|split)\b"
    r"|\b(bytes|GB|seconds|operations|steps|once|one|row) an? (worker|core|second|seed|job|split|step|epoch|cell)\b",
    "dear ones": r"\bdear ones\b",
    "there is not": r"\bthere (is|are) not\b",
    "compile anew": r"\banew\b",
    "independent witnesses": r"\bwitness",
    "0.36 beside 0.26": r"\d beside \d",
    "nobody": r"\bnobody\b",
}
PROSE = [*(ROOT / "actlab").rglob("*.py"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def names(tree, module):
    """Yield what a file defines, imports, reads as an attribute or writes as a text: (kind, name, line)."""
    yield "module", module, 1
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (("function", node.name, line), ("function", f"{module}.{node.name}", line))
        elif isinstance(node, ast.ClassDef):
            yield "class", node.name, line
        elif isinstance(node, ast.arg | ast.keyword):
            yield "parameter", node.arg, line  # None of ``**more``
        elif isinstance(node, ast.Import):
            yield from (("module", alias.name, line) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "module", node.module, line
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from ((kind, alias.name, line) for kind in ("function", "class", "constant"))
                yield from ((kind, whole, line) for kind in ("function", "module"))
        elif isinstance(node, ast.Attribute):
            yield from ((kind, node.attr, line) for kind in ("function", "class", "constant"))
            if isinstance(node.value, ast.Name):
                yield "function of", f"{node.value.id}.{node.attr}", line
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield "column", node.value, line
    for node in tree.body:  # constants are what a file's top level assigns
        for target in ast.walk(node) if isinstance(node, ast.Assign | ast.AnnAssign) else ():
            if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                yield "constant", target.id, node.lineno


@pytest.fixture(scope="module")
def used():
    """Return of each (kind, name) where it stands, as {file of the repository: line}."""
    where = {}
    for path in FILES:
        place = path.relative_to(ROOT).as_posix()
        for kind, name, line in names(ast.parse(path.read_text(encoding="utf-8")), module_of(path)):
            where.setdefault((kind, name), {}).setdefault(place, line)
    return where


def test_private_names_are_gone(used):
    left = {
        f"{kind} {name}": {
            place: line for place, line in used[kind, name].items() if place not in MAY.get((kind, name), ())
        }
        for kind, listed in GONE.items()
        for name in listed.split()
        if (kind, name) in used
    }
    assert not {name: places for name, places in left.items() if places}


def test_names_of_one_module_are_gone(used):
    """Also as attributes of the module where it is imported by its own name (``store.checksum``)."""
    for module, name in sorted(IN_MODULE):
        assert ("function", f"{module}.{name}") not in used, used["function", f"{module}.{name}"]
        short = ("function of", f"{module.rpartition('.')[2]}.{name}")
        assert short not in used, (short, used[short])


def test_old_names_stand_where_old_parts_are_read(used):
    """What reads them is still there: committed studies have them."""
    for (kind, name), places in MAY.items():
        assert places <= set(used[kind, name]), name


def test_nearest_names_are_looked_up_in_one_place(used):
    """Defined there, and imported from there."""
    assert {name for kind, name in used if kind == "function" and name.endswith(".nearest")} == {
        "actlab.naming.nearest"
    }


def test_no_file_is_long():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "actlab").rglob("*.py")}
    assert not {path.name: count for path, count in lines.items() if count > MOST_LINES}


@pytest.mark.parametrize("phrase", PHRASES)
def test_private_phrases_are_gone(phrase):
    for path in PROSE:
        text = re.sub(r"\s+(# )?", " ", path.read_text(encoding="utf-8"))
        assert not (at := re.search(PHRASES[phrase], text)), (
            f"{path.name}: {text[max(at.start() - 60, 0) : at.end() + 60]}"
        )
