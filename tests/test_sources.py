"""The user's own files: what a function is made of changes with what it does, and with nothing else; running them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlab import sources
from actlab.sources import statements
from tests.thinned import thinned

FILE = '''"""What it is for."""
import math
from functools import partial

import helper  # mine

ALPHA = 1.5
UNUSED = 2.5


def bent(z, *, beta=1.0):
    """Bent.

    At length.
    """
    if beta > 0:
        z = scaled(z)
        z = z + ALPHA
    return helper.shift(z) * beta  # a comment


def scaled(z):
    return math.sqrt(2.0) * z


def other(z):
    return z + UNUSED


if __name__ == "__main__":
    print(bent(1.0))
'''
HELPER = "OFFSET = 3.0\n\n\ndef shift(z):\n    return z + OFFSET\n\n\ndef unused(z):\n    return z\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def digest(folder, function="bent", name="mine.py"):
    return sources.trace(folder / name, function).digest


def edited(folder, name, old, new):
    path = folder / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


NOTHING = {
    "a comment": ("  # a comment", ""),
    "another comment": ("    return math", "    # twice the power\n    return math"),
    "the file's docstring": ('"""What it is for."""\n', ""),
    "a function's docstring": ('    """Bent.\n\n    At length.\n    """\n', ""),
    "another docstring": ("At length.", "In short."),
    "blank lines": ("ALPHA = 1.5\n", "\n\nALPHA = 1.5\n\n"),
    "the width of an indent": ("    return math", "\treturn math"),
    "a line that is broken": ("math.sqrt(2.0) * z", "math.sqrt(\n        2.0\n    ) * z"),
    "blanks inside a line": ("ALPHA = 1.5", "ALPHA=1.5"),
    "what it does not reach": ("UNUSED = 2.5", "UNUSED = 2.6"),
    "a function that it does not reach": ("return z + UNUSED", "return z - UNUSED"),
    "one more function": ("def other", "def more(z):\n    return z\n\n\ndef other"),
    "an import that it does not reach": ("from functools import partial", "import functools"),
    "what is run by hand": ("print(bent(1.0))", "import nonsense"),
}
SOMETHING = {
    "a number": ("math.sqrt(2.0)", "math.sqrt(3.0)"),
    "a constant that it reaches": ("ALPHA = 1.5", "ALPHA = 1.25"),
    "a default": ("beta=1.0", "beta=2.0"),
    "an operator": ("* beta", "/ beta"),
    "an indent": ("        z = z + ALPHA", "    z = z + ALPHA"),
    "what a name means": ("import math", "import numpy as math"),
    "something that is done": ("UNUSED = 2.5", "UNUSED = 2.5\nmath.sqrt = abs"),
    "a second meaning": ("UNUSED = 2.5", "UNUSED = ALPHA = 2.5"),
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_changes_nothing_that_runs(what, folder):
    before = digest(folder)
    edited(folder, "mine.py", *NOTHING[what])
    assert digest(folder) == before


@pytest.mark.parametrize("what", SOMETHING)
def test_what_changes_something(what, folder):
    before = digest(folder)
    edited(folder, "mine.py", *SOMETHING[what])
    assert digest(folder) != before


def test_encodings_and_ends_of_lines(folder):
    before = digest(folder)
    text = FILE.replace("a comment", "ein Kommentar über φ")
    for content in (
        text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.replace("\n", "\r\n").encode(),
        b"# -*- coding: latin-1 -*-\n" + text.replace("φ", "f").encode("latin-1"),
        text.rstrip("\n").encode(),
    ):
        (folder / "mine.py").write_bytes(content)
        assert digest(folder) == before


def test_letters_of_several_bytes_move_nothing(folder):
    """``ast`` counts bytes, ``tokenize`` characters."""
    path = folder / "mine.py"
    path.write_text('φ = "äöüäöü"; ψ = 2; χ = 3\ndef f(z): "über"; return z + ψ\n')
    before = digest(folder, "f")
    path.write_text('φ = "öäüöäü"; ψ = 2; χ = 4\ndef f(z): "ob"; return z + ψ\n')
    assert digest(folder, "f") == before
    path.write_text('φ = "öäüöäü"; ψ = 3; χ = 4\ndef f(z): "ob"; return z + ψ\n')
    assert digest(folder, "f") != before


def test_its_own_name_and_not_its_files(folder):
    (folder / "yours.py").write_text(FILE)
    assert digest(folder, name="yours.py") == digest(folder)
    (folder / "a").mkdir()
    for name, text in (("mine.py", FILE), ("helper.py", HELPER)):
        (folder / "a" / name).write_text(text)
    assert digest(folder / "a") == digest(folder)
    text = "def f(z):\n    return z\n\n\ng = f\nf.other = g\n"  # all of it bears on both
    (folder / "two.py").write_text(text)
    assert digest(folder, "f", "two.py") != digest(folder, "g", "two.py")


# What is imported from the file's own folder

FORMS = {
    "import": ("import one", "one.k", {"one.py"}),
    "import as": ("import one as o", "o.k", {"one.py"}),
    "from": ("from one import k", "k", {"one.py"}),
    "star": ("from one import *", "k", {"one.py"}),
    "relative": ("from .one import k", "k", {"one.py"}),
    "relative module": ("from . import one", "one.k", {"one.py"}),
    "in the function": ("", "__import_one__", {"one.py"}),
    "where it may fail": ("try:\n    import one\nexcept ImportError:\n    one = None", "one.k", {"one.py"}),
    "a package": ("import pkg", "pkg.k", {"pkg/__init__.py", "pkg/two.py", "pkg/sub/__init__.py", "pkg/sub/three.py"}),
    "in a package": ("import pkg.sub.three", "pkg.sub.three.k", None),
    "in a package as": ("import pkg.sub.three as three", "three.k", None),
    "from a package": ("from pkg.sub import three", "three.k", None),
    "a package's module": ("from pkg.sub.three import k", "k", None),
    "a folder": ("from plain import four", "four.k", {"plain/four.py"}),
    "two steps": ("import five", "five.k", {"five.py", "one.py"}),
    "in a circle": ("import six", "six.k()", {"six.py", "main.py"}),
}


@pytest.fixture
def modules(tmp_path):
    """Write a folder whose modules all get ``k`` from their deepest; and the file where that stands."""
    texts = {
        "one.py": "k = 1\n",
        "pkg/__init__.py": "from .two import k\n",
        "pkg/two.py": "from .sub.three import k\n",
        "pkg/sub/__init__.py": "",
        "pkg/sub/three.py": "k = 1\n",
        "plain/four.py": "k = 1\n",
        "five.py": "def later():\n    pass\n\n\nfrom one import k\n",
        "six.py": "def k():\n    import main\n    return main.BASE\n",
        "unused.py": "k = 1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_import_is_followed_and_run(form, modules, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    statement, value, files = FORMS[form]
    body = "    import one\n    return z + one.k\n" if value == "__import_one__" else f"    return z + {value}\n"
    (modules / "main.py").write_text(f"{statement}\n\nBASE = 1\n\n\ndef f(z):\n{body}")
    traced = sources.trace(modules / "main.py", "f")
    everything = {"pkg/__init__.py", "pkg/two.py", "pkg/sub/__init__.py", "pkg/sub/three.py"}
    assert set(traced.files) - {"main.py"} == (everything if files is None else files) - {"main.py"}
    assert traced.files["main.py"] == modules / "main.py"
    assert sources.import_file(modules / "main.py").f(1) == 2
    for path in modules.rglob("*.py"):
        if path.name not in ("main.py", "__init__.py", "two.py", "five.py"):
            path.write_text(path.read_text().replace("1", "5").replace("main.BASE", "5 * main.BASE"))
    assert sources.trace(modules / "main.py", "f").digest != traced.digest
    assert sources.import_file(modules / "main.py").f(1) == 6  # as it stands now, not as it was run before


def test_a_package_that_the_file_itself_lies_in(tmp_path):
    """Its ``__init__.py`` counts and is run where an import is relative to it, as in Python; else neither."""
    (tmp_path / "__init__.py").write_text("k = 4\n")
    (tmp_path / "one.py").write_text("j = 2\n")
    (tmp_path / "main.py").write_text("from . import k\nfrom .one import j\n\n\ndef f(z):\n    return z * k * j\n")
    assert set(sources.trace(tmp_path / "main.py", "f").files) == {"main.py", "one.py", "__init__.py"}
    assert sources.import_file(tmp_path / "main.py").f(1) == 8
    (tmp_path / "__init__.py").write_text("1 / 0\n")
    (tmp_path / "main.py").write_text("from one import j\n\n\ndef f(z):\n    return z * j\n")
    assert set(sources.trace(tmp_path / "main.py", "f").files) == {"main.py", "one.py"}
    assert sources.import_file(tmp_path / "main.py").f(1) == 2
    (tmp_path / "__init__.py").write_text("from .one import j\n\n\ndef g(z):\n    return z + j\n")
    assert set(sources.trace(tmp_path / "__init__.py", "g").files) == {"__init__.py", "one.py"}
    assert sources.import_file(tmp_path / "__init__.py").g(1) == 3


def test_folders_keep_to_themselves(tmp_path, monkeypatch):
    """Each has a helper, and one that is named as an installed package; actlab stays."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = list(sys.path)
    loaded = []
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"import tabulate\nk = {number} + tabulate.k\n")
        (tmp_path / name / "tabulate.py").write_text("k = 10\n")
        (tmp_path / name / "actlab").mkdir()
        (tmp_path / name / "actlab" / "__init__.py").write_text("1 / 0\n")
        (tmp_path / name / "numpy").mkdir()  # a folder that is no package, beside an installed one
        (tmp_path / name / "mine.py").write_text(
            "import helper\nimport numpy\nfrom actlab.activations import activation\n\n\n"
            "def f(z):\n    import helper as again\n    return z + again.k + int(numpy.ones(1)[0])\n"
        )
        loaded.append(sources.import_file(tmp_path / name / "mine.py"))
        assert set(sources.trace(tmp_path / name / "mine.py", "f").files) == {"mine.py", "helper.py", "tabulate.py"}
    assert [one.f(0) for one in loaded] == [11, 12]
    import tabulate

    assert not hasattr(tabulate, "k")
    assert sys.path == path
    ours = {name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))}
    assert ours
    assert all(name.startswith("actlab_user_file_") for name in ours)
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("helper.py", "\n1 / 0\n", "helper.py, line 2: cannot be imported: ZeroDivisionError"),
        ("helper.py", "\n\nx = = 1\n", "helper.py, line 3: cannot be imported: SyntaxError"),
        ("mine.py", "import helper\nimport nowhere\n", "mine.py, line 2: cannot be imported: ModuleNotFoundError"),
        ("mine.py", "from .. import above\n", "mine.py, line 1: cannot be imported: ImportError"),
        ("mine.py", "def f(z:\n", "mine.py, line 1: cannot be imported: SyntaxError"),
    ],
)
def test_errors_name_file_and_line(name, text, where, folder):
    (folder / name).write_text(text)
    with pytest.raises(sources.SourceError) as caught:
        sources.import_file(folder / "mine.py")
    assert str(caught.value).startswith(f"{folder}/{where}")
    left = {module for module in sys.modules if module.startswith("actlab_user_file_")}
    assert not any(str(folder) in str(getattr(sys.modules[module], "__file__", "")) for module in left)


def test_what_is_not_python_cannot_be_traced(folder):
    for text, why in (("def f(z:\n", "mine.py, line 1: is not Python"), ("a\0", "mine.py: is not Python")):
        (folder / "mine.py").write_text(text)
        with pytest.raises(sources.SourceError, match=why):
            sources.trace(folder / "mine.py", "f")
    with pytest.raises(sources.SourceError, match=r"none\.py: cannot be read"):
        sources.trace(folder / "none.py", "f")


def test_a_fingerprint_sees_every_byte(folder):
    seen = {sources.fingerprint(folder / "mine.py")}
    edited(folder, "mine.py", "  # a comment", "  # another")
    seen.add(sources.fingerprint(folder / "mine.py"))
    edited(folder, "helper.py", "OFFSET = 3.0", "OFFSET = 3.0  # three")
    seen.add(sources.fingerprint(folder / "mine.py"))
    assert len(seen) == 3


# Which of a file's statements bear on a function: more must never be left out than may be


@st.composite
def modules_of(draw):
    """Write a module: constants, functions of them, values computed by them, functions that a decorator registers.

    Returns:
        the statements as (name, text with {k} for a number, names used), and which of them only define.
    """
    items = [
        ("TABLE", "TABLE = [{k}]", ()),
        ("register", "def register(f):\n    TABLE.append(f(1) + {k})\n    return f", ("TABLE",)),
    ]
    plain = True
    for i in range(draw(st.integers(2, 7))):
        name = f"v{i}"
        used = draw(st.lists(st.sampled_from([n for n, *_ in items if n[0] == "v"] or ["v"]), max_size=2, unique=True))
        used = tuple(n for n in used if n != "v")
        total = "".join(f" + value({n}, z)" for n in used)
        kind = draw(st.sampled_from(["constant", "function", "function", "computed", "registered", "reader", "done"]))
        if kind == "constant":
            items.append((name, f"{name} = {{k}}", ()))
        elif kind == "function":
            items.append((name, f"def {name}(z):\n    return z * {{k}}{total}", used))
        elif kind == "computed" and used:
            plain = False
            items.append((name, f"{name} = value({used[0]}, {{k}})", used[:1]))
        elif kind == "registered":
            plain = False
            items.append((name, f"@register\ndef {name}(z):\n    return z + {{k}}{total}", (*used, "register")))
        elif kind == "reader":
            items.append((name, f"def {name}(z):\n    return sum(TABLE) * z + {{k}}{total}", (*used, "TABLE")))
        else:
            plain = False
            items.append((name, f"{name} = {{k}}\nTABLE.append({name})", ("TABLE",)))
    return items, plain


VALUE = "def value(x, z):\n    return x(z) if callable(x) else x\n\n\n"


def run(items, numbers):
    text = VALUE + "\n\n".join(body.format(k=k) for (_, body, _), k in zip(items, numbers, strict=True)) + "\n"
    namespace = {}
    exec(text, namespace)
    value = namespace[items[-1][0]]
    return text, value(7) if callable(value) else value


@settings(max_examples=150, deadline=None)
@given(modules_of(), st.data())
def test_whatever_changes_a_value_changes_the_digest(tmp_path_factory, module, data):
    """Run as an independent check: where an edit changes what the last definition gives, it was taken into account."""
    items, plain = module
    path = tmp_path_factory.getbasetemp() / "random_module.py"
    numbers = list(range(11, 11 + len(items)))
    changed = data.draw(st.integers(0, len(items) - 1))
    outcomes = []
    for extra in (0, 1000):
        numbers[changed] += extra
        text, value = run(items, numbers)
        path.write_text(text)
        outcomes.append((value, sources.trace(path, items[-1][0]).digest))
    (before, old), (after, new) = outcomes
    if before != after:
        assert old != new
    uses = {name: set(used) for name, _, used in items}
    reached, left = set(), {items[-1][0]}
    while left:
        reached.add(name := left.pop())
        left |= uses[name] - reached
    if plain and items[changed][0] not in reached | {"TABLE", "register"}:
        assert old == new


@pytest.mark.parametrize("look", ["globals()['k']", "eval('k')", "sys.modules[__name__].k", "vars()['k'] if 0 else k"])
def test_a_file_that_looks_names_up_counts_whole(look, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"import sys\nk = 1\nunused = 1\n\n\ndef f(z):\n    return {look}\n")
    before = digest(tmp_path, "f")
    path.write_text(path.read_text().replace("unused = 1", "unused = 2"))
    assert digest(tmp_path, "f") != before


def test_what_alters_something_reached_is_taken_and_what_alters_something_else_is_not(tmp_path):
    """Derivatives that are attached to a function belong to it alone."""
    text = "import jax\n"
    for name in "fg":
        text += f"\n\n@jax.custom_jvp\ndef {name}(z):\n    return z\n"
        text += f"\n\n@{name}.defjvp\ndef {name}_jvp(p, t):\n    return 1\n"
    path = tmp_path / "mine.py"
    path.write_text(text)
    before = {name: digest(tmp_path, name) for name in "fg"}
    path.write_text("2".join(text.rsplit("1", 1)))
    after = {name: digest(tmp_path, name) for name in "fg"}
    assert after["f"] == before["f"]
    assert after["g"] != before["g"]


TRICKY = '''
from __future__ import annotations
A, (B, *C) = 1, (2, 3)
class K(dict, metaclass=type):
    """doc"""
    x: int = 0b1
    def m(self): return f"{self.x!r:>{B}} {{A}} {'nested'}" rf"\\d{A}"
@(lambda f: f)
async def f(z, /, *, a=1_000.0, **kw):
    """doc""" ; b = z @ z if z else ...
    while (n := b):  # why
        if n: break
    else:
        return b"x" b'y' + f\'\'\'{
            A + 1}
    \'\'\'.encode()
    return K().m(), not  z
'''


def test_tokens_are_the_same_in_every_python(tmp_path):
    """Tokenizers differ: since Python 3.12 an f-string is many tokens. Recorded with 3.11."""
    (tmp_path / "mine.py").write_text(TRICKY)
    assert digest(tmp_path, "f") == "80a23add5326aa5bd86d7c061f218d9af1b217a7abeb96c2fde269bbf5718726"


def test_tracing_needs_python_alone():
    code = "import sys, actlab.sources; print({m.split('.')[0] for m in sys.modules} & {'jax', 'numpy', 'pandas'})"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_statements_are_parsed_once(folder):
    statements.statements.cache_clear()
    for _ in range(3):
        digest(folder)
    assert statements.statements.cache_info().misses == 2


@pytest.mark.parametrize(
    "before", ["def more(z):\n    if z:\n        pass\n    return z\n", "class More:\n    x = 1\n"]
)
def test_what_stands_before_a_function_is_no_part_of_it(before, tmp_path):
    """The end of an indented block is a token that stands where the next statement begins."""
    text = "def f(z):\n    return z\n"
    (tmp_path / "mine.py").write_text(f"{before}\n\n{text}")
    after = digest(tmp_path, "f")
    (tmp_path / "mine.py").write_text(f"k = 1\n{text}")
    assert digest(tmp_path, "f") == after


def pythons():
    """Find the other Pythons of this machine that actlab supports."""
    found = {f"3.{minor}": shutil.which(f"python3.{minor}") for minor in range(11, 20)}
    for folder in sorted(Path.home().glob(".pyenv/versions/3.*")):
        minor = folder.name.split(".")[1]
        if minor.isdigit() and int(minor) >= 11:
            found[f"3.{minor}"] = str(folder / "bin" / "python")
    return {
        version: path
        for version, path in found.items()
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0
    }


ALONE = """
import hashlib, importlib.util, json, pathlib, sys
spec = importlib.util.spec_from_file_location("statements", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["statements"] = module
spec.loader.exec_module(module)
files = sorted(pathlib.Path(sys.argv[2]).rglob("*.py"))
print(json.dumps({str(p): [one.tokens for one in module.statements(p.read_bytes())] for p in files}))
"""


PYTHONS = pythons()


@pytest.mark.parametrize("version", thinned(PYTHONS, 3))
def test_every_supported_python_reads_the_same_tokens(version, tmp_path, pytestconfig):
    """The tokenizer by itself, on every sixth of actlab's own files (--thorough: all) and on what is rarely written."""
    package = Path(sources.__file__).parents[1]
    for number, path in enumerate(sorted(package.rglob("*.py"))[:: 1 if pytestconfig.getoption("thorough") else 6]):
        shutil.copy(path, tmp_path / f"{number}-{path.name}")
    (tmp_path / "tricky.py").write_text(TRICKY)
    done = subprocess.run(
        [PYTHONS[version], "-c", ALONE, statements.__file__, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    here = {
        str(path): [one.tokens for one in statements.statements(path.read_bytes())]
        for path in sorted(tmp_path.rglob("*.py"))
    }
    assert len(here) > 50
    assert json.loads(done.stdout) == here
