"""Users' Python files that loop, exit, crash, take all memory, or are no Python: a sentence, exit code 2, no trace."""

import importlib.util
import os
import py_compile
import shutil
import sys

import pytest

from actlab import cli, sources
from actlab.analysis.cells import build_cells
from actlab.engine import worker_pools
from actlab.sources import trial
from tests import synthetic

STUDY = "study: s\ndata: {name: iris}\nmodel: {depth: 2, width: 8}\ntrain: {steps: 4, batch_size: 8}\n"
F = "def f(z): return z * 1.0\n"

# the file, what the message must say
FILES = {
    "raises GeneratorExit": ("raise GeneratorExit\n", "a.py, line 1: cannot be imported: GeneratorExit"),
    "raises KeyboardInterrupt": ("raise KeyboardInterrupt\n", "a.py, line 1: KeyboardInterrupt"),
    "raises an error of its own": ("class E(BaseException): pass\nraise E('x' * 9000)\n", "a.py, line 2: cannot be"),
    "exits": ("exit()\n", "a.py, line 1: cannot be imported: SystemExit"),
    "exits at last": (
        "import sys\ndef f(z): sys.exit(0)\n",
        "a.py, line 2: SystemExit: 0; it must not end",
    ),
    "exits by its error": (
        "class E(Exception):\n    def __str__(self): raise SystemExit(0)\ndef f(z): raise E\n",
        "a.py, line 2: SystemExit",
    ),
    "exits at once": ("import os\nos._exit(0)\n", "a.py: ends the process that runs it, with exit code 0"),
    "ends itself": ("import os\nos.kill(os.getpid(), 9)\n", "a.py: crashes the process that runs it (SIGKILL)"),
    "leaves a copy": (
        "import os, time\nif os.fork() == 0: time.sleep(1e6)\nos.kill(os.getpid(), 9)\n",
        "crashes the process that runs it (SIGKILL)",
    ),
    "crashes": (
        "import ctypes\ndef f(z): ctypes.string_at(0); return z\n",
        "a.py, line 2: crashes the process that runs it (SIGSEGV)",
    ),
    "closes what it did not open": (
        "import os\nos.closerange(3, 99)\n" + F,
        "ends the process that runs it, with exit code 1",
    ),
    "asks": ("input()\n" + F, "a.py, line 1: cannot be imported: EOFError"),
    "is bytes": (bytes(range(256)), "Error: source code"),
    "holds a zero byte": (b"x = 1\0\n", "Error: source code"),
    "is Latin-1": (b"x = '\xe9'\n", "a.py, line 1: cannot be imported: SyntaxError"),
    "is of no encoding": (b"# coding: nonsense\n", "unknown encoding: nonsense"),
    "is nested": (f"x = {'(' * 10_000}{')' * 10_000}\n", "SyntaxError: too many nested parentheses"),
    "is nested without brackets": (f"x = {'-' * 100_000}1\n", "cannot be imported: MemoryError"),
    "is a chain": (f"x = a{'.b' * 50_000}\n", "cannot be imported: RecursionError"),
    "is large": ("x = [\n" + "1,\n" * 400_000 + "]\n", "holds 1,200,008 bytes; a .py file may hold 1,048,576"),
    "calls itself": ("def g(): g()\ng()\n", "a.py, line 1: cannot be imported: RecursionError"),
    "calls itself later": ("def f(z): return f(z)\n", "RecursionError: maximum recursion depth exceeded"),
    "decorates a number": (
        "import actlab\nf = actlab.activation()(3)\n",
        "a.py, line 2: cannot be imported: TypeError",
    ),
    "is long-winded": ("raise ValueError('y' * 20_000)\n", " characters]yyy"),
    "is bytecode": (None, "Error: source code"),
}
# These do not end; each takes the limit.
ENDLESS = {
    "while it is traced": ("def f(z):\n    while True: pass\n", "a.py, line 2: does not end within"),
    "inside XLA": (
        "import jax\ndef f(z):\n"
        "    return jax.lax.while_loop(lambda c: c[0] > -1, lambda c: (c[0] * 0 + 1, c[1] + 1), (1.0, z))[1]\n",
        "a.py: does not end within",
    ),
    "in a library that keeps Python waiting": (
        "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')\n" + F,
        "a.py, line 2: does not end within",
    ),
}


@pytest.fixture
def call(tmp_path, monkeypatch, capfd):
    """Call the command line as a shell does, in this process; returns its exit code and what it prints, in one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_pools.Processes, "get_ready", lambda *_: None)
    (tmp_path / "s.yaml").write_text(STUDY)

    def of(*words):
        monkeypatch.setattr("sys.argv", ["actlab", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capfd.readouterr()
        text = printed.out + printed.err
        assert "Traceback" not in text, text
        return stop.value.code, " ".join(text.split())

    return of


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_odd_files_are_refused_in_one_screen(call, tmp_path):
    (tmp_path / "b.py").write_text("x = 1\n")
    bytecode = (tmp_path / py_compile.compile("b.py", cfile="b.pyc")).read_bytes()
    (tmp_path / "b.pyc").unlink()
    for number, (what, (content, said)) in enumerate(FILES.items()):
        content = bytecode if content is None else content
        (tmp_path / "a.py").write_bytes(content if isinstance(content, bytes) else content.encode())
        before = left(tmp_path)
        code, text = call(["run", "plan"][number % 2], "s.yaml", "model.activation=a.py:f")
        assert code == 2, (what, text)
        assert said in text, (what, text)
        assert len(text) < 1500, (what, len(text))
        assert left(tmp_path) == before, what


def test_what_does_not_end_is_ended(call, tmp_path, monkeypatch):
    monkeypatch.setenv(trial.VARIABLE, "3")
    for what, (content, said) in ENDLESS.items():
        (tmp_path / "a.py").write_text(content)
        code, text = call("plan", "s.yaml", "model.activation=a.py:f")
        assert (code, said in text, "ACTLAB_TRIAL_SECONDS=30" in text) == (2, True, True), (what, text)
        process = trial.TRIALS.child
        assert process is None, what
    monkeypatch.setenv(trial.VARIABLE, "60")
    monkeypatch.setattr(trial, "MEMORY", 2**28)
    (tmp_path / "a.py").write_text("k = []\nwhile True: k.append(bytes(2**24))\n")
    assert "takes more than 0.25 GB of memory" in call("describe", "a.py:f")[1]
    monkeypatch.setenv(trial.VARIABLE, "soon")
    code, text = call("describe", "a.py:f")
    assert (code, "expected a number of seconds, not 'soon'" in text) == (2, True)


def test_every_command_and_every_kind_of_function_is_tried(call, tmp_path, pytestconfig):
    """Where the process that asks did what is tried, it would end with code 3, and so would the tests.

    Of every third of them; with ``--thorough`` of all.
    """
    (tmp_path / "a.py").write_text("import os\nos._exit(3)\n")
    every = (
        ("plan", "s.yaml", "model.weight_init=a.py:f"),
        ("plan", "s.yaml", "model.bias_init=a.py:f"),
        ("plan", "s.yaml", "train.optimizer=a.py:f"),
        ("plan", "s.yaml", "measure.probes=[a.py:f]"),
        ("plan", "s.yaml", "data.name=a.py:f"),
        ("plan", "s.yaml", "report.tables=[a.py:f]"),
        ("plan", "s.yaml", "report.figures=[a.py:f]"),
        ("plan", "s.yaml", "claims=a.py"),
        ("describe", "a.py:f"),
        ("list", "a.py"),
    )
    for words in every[:: 1 if pytestconfig.getoption("thorough") else 3]:
        code, text = call(*words)
        said = "SystemExit: 3; it must not end" if "claims" in words[-1] else "a.py: ends the process that runs it"
        assert (code, said in text) == (2, True), (words, text)
    for key, content in {
        "model.weight_init": "import actlab, os\n@actlab.initializer('normal')\n"
        "def f(fan_in, fan_out): return 0.1 if fan_in > 15 else os._exit(3)\n",
        "model.bias_init": "import actlab, os\n@actlab.bias_initializer('normal')\n"
        "def f(fan_in): return (0.0, 0.1) if fan_in > 15 else os._exit(3)\n",
        "data.name": "import os\ndef f(): os._exit(3)\n",
    }.items():
        (tmp_path / "a.py").write_text(content)
        code, text = call("plan", "s.yaml", f"{key}=a.py:f")
        assert (code, "a.py: ends the process that runs it, with exit code 3" in text) == (2, True), (key, text)


def test_what_is_no_plain_file_is_not_opened(call, tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "zero.py").symlink_to("/dev/zero")
    (tmp_path / "loop.py").symlink_to("loop.py")
    for name, said in {
        "pipe": "no plain file",
        "folder": "no plain file",
        "zero": "no plain",
        "loop": "no such",
    }.items():
        for words in (("plan", "s.yaml", f"model.activation={name}.py:f"), ("describe", f"{name}.py:f")):
            code, text = call(*words)
            assert (code, said in text) == (2, True), (name, text)


def test_compiled_code_beside_a_file_is_never_run(call, tmp_path):
    """Neither as bytecode nor as machine code, in a package or not, and however it is imported."""
    (tmp_path / "evil.py").write_text("raise SystemExit('it was run')\n")
    pack = tmp_path / "pack"
    pack.mkdir()
    (tmp_path / "__pycache__").mkdir()
    tag = sys.implementation.cache_tag
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for place in ("helper.pyc", "pack/inner.pyc", "act.pyc", f"__pycache__/plain.{tag}.pyc"):
        py_compile.compile("evil.py", cfile=place, invalidation_mode=mode)
    library = importlib.util.find_spec("_ctypes_test") or importlib.util.find_spec("_json")
    if library is not None and library.origin and library.origin.endswith(".so"):
        shutil.copy(library.origin, tmp_path / f"fast.{os.path.basename(library.origin).partition('.')[2]}")
    (tmp_path / "plain.py").write_text("K = 1.0\n")
    (tmp_path / "evil.py").unlink()
    before = left(tmp_path)
    refused = ["import helper", "from . import helper", "from .helper import K", "import pack.inner"]
    refused += [
        "import importlib\nimportlib.import_module('.helper', __package__)",
        "import fast",
        "from . import fast",
    ]
    for line in refused:
        (tmp_path / "a.py").write_text(f"{line}\n{F}")
        code, text = call("describe", "a.py:f")
        assert (code, "is a compiled module" in text or "fast" in line) == (2, True), (line, text)
        assert "it was run" not in text
    code, text = call("describe", "act.pyc:f")
    assert (code, "unknown activation" in text) == (2, True)
    (tmp_path / "a.py").write_text(f"import plain\nfrom . import plain as same\n{F}")
    assert call("describe", "a.py:f")[0] == 0
    assert left(tmp_path) == [*sorted({*before, "a.py"})]


def test_a_trial_leaves_nothing_behind(call, tmp_path, monkeypatch):
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "helper.py").write_text("K = 1.0\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("from .deep import J\n")
    (tmp_path / "pack" / "deep.py").write_text("J = 1.0\n")
    (tmp_path / "a.py").write_text("from helper import K\nimport pack\ndef f(z): return z * K * pack.J\n")
    before = left(tmp_path)
    assert call("plan", "s.yaml", "model.activation=a.py:f")[0] == 0
    assert left(tmp_path) == before


def test_a_trial_ends_with_its_block_and_costs_nothing_without_one(tmp_path):
    (tmp_path / "a.py").write_text(F)
    assert not sources.tried("actlab.sources:import_file", tmp_path / "a.py")
    with sources.trying():
        assert sources.tried("actlab.sources:import_file", tmp_path / "a.py")
        process = trial.TRIALS.child.process
        assert process.poll() is None
    if trial.TRIALS.blocks == 0:  # no fixture keeps it for the next test
        assert process.poll() is not None
    trial.TRIALS.end()
    assert process.poll() is not None


def test_tables_and_claims_are_held_to_the_same_time(tmp_path, monkeypatch):
    from actlab.analysis.claims import ClaimsError, decide
    from actlab.analysis.claims_file import load

    monkeypatch.setenv(trial.VARIABLE, "0.3")
    cells = build_cells(*synthetic.frames(("relu",), (2,), seeds=1, rates=(1e-3,)))
    bodies = {
        "while True: pass": "does not end within 0.3 seconds",
        "while True:\n        try:\n            while True: pass\n        except Exception: pass": "does not end",
        "raise SystemExit(0)": "line 3: SystemExit: 0; it must not end the process",
        "import os\n    os._exit(0)": "SystemExit: 0; it must not end",
        "raise GeneratorExit": "GeneratorExit: it must not end",
    }
    for body, said in bodies.items():
        (tmp_path / "claims.py").write_text(f"\ndef claim(cells):\n    {body}\nCLAIMS = [claim]\n")
        (row,) = decide(load(tmp_path / "claims.py"), cells).frame.itertuples()
        assert (row.id, row.verdict, said in row.condition) == ("claim", "failed", True), (body, row.condition)
    for text, said in {
        "while True: pass": "does not end within 0.3 seconds",
        "exit()": "SystemExit",
        "CLAIMS = {}": "needs CLAIMS, a list",
        "CLAIMS = None": "needs CLAIMS, a list",
        "CLAIMS = (i for i in range(3))": "needs CLAIMS, a list",
        "CLAIMS = [None]": "None is no function",
        "CLAIMS = [int]": "int takes ()",
        "CLAIMS = [lambda cells: 0] * 10**6": "holds 1,000,000 claims",
        "class L(list):\n    def __iter__(self): raise SystemExit\nCLAIMS = L([1])": "needs CLAIMS, a list",
    }.items():
        (tmp_path / "claims.py").write_text(text)
        with pytest.raises(ClaimsError) as caught:
            load(tmp_path / "claims.py")
        assert said in str(caught.value), (text, str(caught.value))
