"""A command waits for no library that it does not use: what each command imports, in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"numpy", "jax", "flax", "optax", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "loky", "distributed"}
CALL = """
import os, sys
from actlab import cli
sys.argv[0] = "actlab"
try:
    cli.main()
except SystemExit as stop:
    sys.stdout.flush()
    os.write(2, ("\\n" + " ".join(sorted(sys.modules))).encode())
    os._exit(stop.code or 0)
"""


def modules(cwd, *words, code=0, **environment):
    """List every module that is imported when a command has ended, with the exit code that is expected of it."""
    done = subprocess.run(
        [sys.executable, "-c", CALL, *map(str, words)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def heavy(imported):
    return {name.partition(".")[0] for name in imported} & HEAVY


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["gallery", "--help"],
        ["trial", "--help"],
        ["assess", "--help"],
        ["--show-completion"],
        ["rnu"],
    ],
)
def test_what_the_parser_answers_needs_nothing(words, tmp_path):
    code = 2 if words == ["rnu"] else 0
    assert heavy(modules(tmp_path, *words, code=code)) == set()


def test_completion_needs_nothing(tmp_path):
    words = "actlab run s.yaml model.activation = relu,ge"
    asked = {"_ACTLAB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "5"}
    imported = modules(tmp_path, **asked)
    assert heavy(imported) == set()
    assert "actlab.cli.index" in imported


def test_a_study_to_begin_with_needs_no_jax(tmp_path):
    assert heavy(modules(tmp_path, "new", "mine", "--template", "own-activation")) == set()
    rows = "a,y\n" + "".join(f"{i * i % 7}.5,{'pq'[i % 2]}\n" for i in range(30))
    (tmp_path / "rows.csv").write_text(rows)
    assert heavy(modules(tmp_path, "new", "own", "--data", "rows.csv")) <= {"numpy", "pandas", "pyarrow"}


PLANS = {
    "schema": (["schema"], 0),
    "list": (["list"], 0),
    "plan": (["plan", "configs/quickstart.yaml", "--out", "nowhere"], 0),
    "misspelt key": (["plan", "configs/quickstart.yaml", "model.dpeth=3"], 2),
    "misspelt name": (["run", "configs/quickstart.yaml", "model.activation=rellu", "--out", "nowhere"], 2),
    "no such file": (["plan", "configs/quikstart.yaml"], 2),
}


@pytest.mark.parametrize("name", PLANS)
def test_planning_and_refusing_need_numpy_alone(name):
    words, code = PLANS[name]
    assert heavy(modules(ROOT, *words, code=code)) <= {"numpy"}


def test_a_plan_beside_stored_runs_reads_them():
    imported = heavy(modules(ROOT, "plan", "configs/depth.yaml"))  # its claims ask for pandas
    assert imported <= {"numpy", "pyarrow", "pandas"}


def test_watching_needs_neither_jax_nor_pictures():
    assert heavy(modules(ROOT, "watch", "results/depth", "--once")) <= {"numpy", "pyarrow", "pandas"}


def test_a_wrong_folder_is_refused_at_once(tmp_path):
    assert heavy(modules(tmp_path, "report", "nowhere", code=2)) <= {"numpy"}


def test_merging_needs_no_jax(tmp_path):
    for name in "ab":
        shutil.copytree(ROOT / "results" / "born_dead", tmp_path / name)
    assert heavy(modules(tmp_path, "merge", "a", "b", "--out", "c")) <= {"numpy", "pandas", "pyarrow"}


def test_a_gallery_needs_no_jax(tmp_path):
    imported = modules(ROOT, "gallery", "results/born_dead", "--out", tmp_path / "page.html")
    assert heavy(imported) <= {"numpy", "pandas", "pyarrow", "scipy", "matplotlib"}


def test_comparing_needs_neither_pictures_nor_all_of_scipy():
    imported = modules(ROOT, "compare", "results/depth")
    assert heavy(imported) <= {"numpy", "pandas", "pyarrow", "scipy"}
    assert not {"scipy.stats", "scipy.optimize"} & imported


def test_a_report_needs_no_jax(tmp_path):
    shutil.copytree(ROOT / "results" / "born_dead", tmp_path / "r")
    drawing = {
        "numpy",
        "pandas",
        "pyarrow",
        "scipy",
        "matplotlib",
        "loky",
    }  # a second process draws too, if there is a core
    assert heavy(modules(tmp_path, "report", "r")) <= drawing
