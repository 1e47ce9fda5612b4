"""Every example of README.md and docs/ runs: each `actlab ...` of a console block, each block of Python.

In this process, page by page, in a folder as the page's reader has one: the committed studies under results/, the
shipped configs, and a small study by the names that the pages use. No example trains: `run` is planned, to the last
key.
"""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

import actlab
from tests import synthetic
from tests.typed import typed

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]

# Whatever is not run, by how it begins, and why; a line that no page has any more fails a test.
NOT_RUN = {
    "make quickstart": "installs an environment and trains; CI begins with it",
    "make test": "runs this test",
    "source .venv/bin/activate": "is the shell's",
    "pip install": "needs a network",
    "dask scheduler": "needs a cluster; tests/test_cluster.py starts one on this machine",
    "NPROC=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 dask worker": "needs a cluster, likewise",
    "actlab trial": "trains; tests/test_trial.py",
    "actlab plan configs/trial": "plans six studies; tests/test_trial.py has one with a small one",
    "actlab report results/claims": "of a trial; tests/test_trial.py",
    "actlab assess": "trains; tests/test_assess.py",
    'results.model("3f2a")': "needs a study that keeps weights; tests/test_weights.py has one",
    'results = actlab.run("my_depth.yaml", ["measure.keep_weights=final"])': "tests/test_weights.py trains this block",
}

SMALL = {"activations": ("relu", "leaky_relu", "leaky_relu(negative_slope=0.2)"), "depths": (2, 10), "seeds": 1}
STUDY = """study: {name}
data: {{name: iris}}
model: {{width: 4}}
train: {{steps: 4}}
sweep: {{matrix: {{model.activation: [relu, gelu], model.depth: [2, 10]}}}}
"""


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(block):
    """The commands of a console block: as a shell has them, without comments and what they print."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def is_not_run(text):
    return next((begin for begin in NOT_RUN if text.startswith(begin)), None)


def functions():
    """The functions that docs/study.md and docs/measures.md show, by the files that they name."""
    shown = [block for page in PAGES for block in blocks(page, "python") if "\n@" in block]
    named = {"my_act.py": "def tanhexp", "mine.py": "def sign_descent", "own_measure.py": "def gaussianity"}
    files = {name: next(block for block in shown if what in block) for name, what in named.items()}
    return files | {f"more_{i}.py": block for i, block in enumerate(shown) if block not in files.values()}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """What the pages take to be there."""
    place = tmp_path_factory.mktemp("reader") / "here"
    (place / "results").mkdir(parents=True)
    # Read, not written.
    for name in (
        "configs",
        "results/depth",
        "results/dying_relu",
        "results/revival",
        "results/gradient_decay",
        "../experiments",
    ):
        (place / name).symlink_to(ROOT / name.removeprefix("../"))
    shutil.copy(ROOT / "configs" / "depth.yaml", place)
    (place / "FILE").write_text(STUDY.format(name="file"))
    (place / "rows.csv").write_text("a,y\n" + "".join(f"{i * i % 7}.5,{'pq'[i % 2]}\n" for i in range(40)))
    (place / "act.py").write_text(
        "import jax.numpy as jnp\n\n\ndef f(z, *, alpha=1.0):\n    return jnp.tanh(alpha * z)\n"
    )
    for name, text in functions().items():
        (place / name).write_text(text)
    synthetic.study(place / "results" / "mine", **SMALL)
    for name in ("here", "there"):
        shutil.copytree(place / "results" / "mine", place / name)
    return place


def ready(words):
    """A command as it can be run here: planned instead of trained, with a run that there is."""
    if words[0] in ("run", "plan"):  # results/mine is the study that other commands read
        elsewhere = ["--out", "results/new"] if "--out" not in words else []
        return [*words, *elsewhere, *(["--dry-run"] if words[0] == "run" and "--dry-run" not in words else [])]
    if words[0] == "gallery":  # of the small one: it reads all that there is
        return [words[0], "results/mine"]
    if words[0] == "show":
        return [*words[:2], actlab.load(words[1]).runs["run"][0][:6]]
    return words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_works(page, workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    wrong = []
    for block in blocks(page, "console"):
        for text in commands(block):
            words = shlex.split(text, comments=True)
            if is_not_run(text):
                continue
            if words[0] == "cp":
                shutil.copy(words[1], words[2])
                continue
            assert words[0] == "actlab", f"{page.name}: {text}: run it here, or say in NOT_RUN why not"
            if words[1] == "new":
                for left in (*Path().glob(f"{words[2]}*.yaml"), *Path().glob(f"{words[2]}*_act.py")):
                    left.unlink()
            code, _, said = typed(capsys, *ready(words[1:]))
            wrong += [f"{text}: {code}: {said}"] if code else []
    assert not wrong, "\n".join(wrong)


def test_every_block_of_python_works(workplace, monkeypatch):
    """Those that declare functions are files, which the next test reads."""
    monkeypatch.chdir(workplace)
    planned = []

    def run(config, overrides=(), **options):
        planned.append(actlab.study_of(config, overrides))
        return actlab.load("results/mine")

    monkeypatch.setattr(actlab, "run", run)
    for page in PAGES:
        told = {"actlab": actlab}
        for block in blocks(page, "python"):
            if "\n@" in block or is_not_run(block.removeprefix("import actlab\n\n")):
                continue
            lines = [line for line in block.splitlines() if not is_not_run(line)]
            exec(compile("\n".join(lines), str(page), "exec"), told)
    assert planned


def test_the_functions_that_the_pages_show_are_declared(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    code, listed, said = typed(capsys, "list", *functions())
    assert code == 0, said
    wanted = [name for text in functions().values() for name in re.findall(r"^@.*\ndef (\w+)", text, re.MULTILINE)]
    decorated = re.findall(r"^def (\w+)", "\n".join(functions().values()), re.MULTILINE)
    assert len(wanted) > 5
    assert not [name for name in wanted if f":{name}" not in listed]
    assert {*wanted} <= {*decorated}


def test_what_is_not_run_is_still_shown():
    texts = [line for page in PAGES for block in blocks(page, "(?:console|python)") for line in block.splitlines()]
    for begin in NOT_RUN:
        assert any(line.removeprefix("$ ").startswith(begin) for line in texts), begin


def test_nothing_here_depends_on_where_it_runs():
    assert all(not os.path.isabs(word) for page in PAGES for block in blocks(page, "console") for word in block.split())
