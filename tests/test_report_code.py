"""What code a report runs, what it says first, and what happens where that code fails: in studies without training."""

import hashlib
import json
import os
import shutil
import signal
import threading

import pandas as pd
import pytest

import actlab
from actlab import cli, sources
from actlab.engine import control, store, trusting
from actlab.engine.manifest import read_manifest, write_manifest
from actlab.study.reading import StudyError
from actlab.study.yaml_text import bounded_load
from tests.synthetic import frames
from tests.thinned import thinned

MARK = "from pathlib import Path\nPath(__file__).resolve().parent.parent.joinpath('ran').touch()\n"
GOOD = """
from helper import number
from actlab.analysis.claims import AT_LEAST, judge

def one(cells):
    return judge("T", "relu", "many", AT_LEAST, 1, [number, 7, 8, 9, 10], "runs")

def two(cells):
    return judge("U", "relu", "few", AT_LEAST, 1, [6, 7, 8, 9, 10], "runs")

CLAIMS = [one, two]
"""
OWN = """
import actlab
from actlab.analysis.layout import Table

@actlab.table
def mine(cells):
    return Table("Mine", "Note.", cells.runs[["run"]].head(2), cells.runs[["run"]].head(2))
"""
STUDY = """
study: s
question: Why?
report: {tables: [performance, sources/own.py:mine], figures: []}
claims: sources/c.py
"""


def folder(tmp_path, claims=GOOD, **files):
    """Write a study's folder as ``run`` leaves it: parts, study.yaml, sources with their checksums; nothing trained."""
    at = tmp_path / "s"
    (at / "sources").mkdir(parents=True)
    runs, steps, layers = frames(("relu", "tanh"), depths=(2,), rates=(1e-2,), seeds=2)
    rows = runs.drop(columns="diverged_step").to_dict("records")
    for row in rows:
        for name, frame in (("steps", steps), ("layers", layers)):
            mine = frame[frame["run"] == row["run"]].drop(columns="run")
            row |= {f"{name}.{column}": mine[column].tolist() for column in mine}
    (at / "study.yaml").write_text(STUDY)
    texts = {"c.py": MARK + claims, "helper.py": "number = 6\n", "own.py": MARK + OWN, **files}
    for name, text in texts.items():
        (at / "sources" / name).write_text(text)
    copied = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    (at / "parts").mkdir()
    parts = {"a.parquet": store.write_part(at, "a", rows)}
    write_manifest(at, {"parts": parts, "sources": copied})
    return at


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The frames of a synthetic study stand for what the store makes of parts."""
    runs, steps, layers = frames(("relu", "tanh"), depths=(2,), rates=(1e-2,), seeds=2)
    original = store.Stored.results

    def results(self, partial=False, predictions=True):
        study, _ = bounded_load((self.folder / "study.yaml").read_text(), "study.yaml")
        return store.Results(self.folder, study, read_manifest(self.folder), runs, steps, layers)

    monkeypatch.setattr(store.Stored, "results", results)
    return original


def command(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["actlab", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def contents(at):
    return {str(path.relative_to(at)): path.read_bytes() for path in sorted(at.rglob("*")) if path.is_file()}


def rename(at, old, new):
    """Name another file in study.yaml."""
    (at / "study.yaml").write_text((at / "study.yaml").read_text().replace(old, new))


def altered(file):
    file.write_text(file.read_text() + "# by someone\n")


def moved_out(at):
    (at / "sources").rename(at.parent / "elsewhere")
    (at / "sources").symlink_to(at.parent / "elsewhere")


def linked(at):
    (at / "sources" / "c.py").rename(at.parent / "c.py")
    (at / "sources" / "c.py").symlink_to(at.parent / "c.py")


def without_checksums(at):
    manifest = json.loads((at / "manifest.json").read_text())
    del manifest["sources"]
    (at / "manifest.json").write_text(json.dumps(manifest))


TRICKS = {
    "edited claims": (lambda at: altered(at / "sources/c.py"), "c.py: was altered"),
    "edited helper": (lambda at: (at / "sources/helper.py").write_text("number = 7\n"), "helper.py: was altered"),
    "edited table": (lambda at: altered(at / "sources/own.py"), "own.py: was altered"),
    "linked claims": (linked, "c.py: is a link"),
    "linked sources": (moved_out, "is a link, or lies behind one"),
    "absolute": (lambda at: rename(at, "sources/c.py", str(at / "sources" / "c.py")), "lies outside"),
    "dots": (lambda at: rename(at, "sources/c.py", "sources/../../s/sources/c.py"), "lies outside"),
    "absolute table": (lambda at: rename(at, "sources/own", str(at / "sources/own")), "lies outside"),
    "another name": (
        lambda at: (rename(at, "sources/c.py", "sources/d.py"), shutil.copy(at / "sources/c.py", at / "sources/d.py")),
        "d.py: is not among the files",
    ),
    "a package that goes first": (
        lambda at: ((at / "sources/helper").mkdir(), (at / "sources/helper/__init__.py").write_text("number = 1")),
        "__init__.py: is not among the files",
    ),
    "no checksums": (without_checksums, "has no checksums"),
}


@pytest.mark.parametrize("trick", thinned(TRICKS, 2))
def test_a_report_runs_only_what_run_copied_and_nothing_altered(trick, tmp_path, monkeypatch, capsys):
    at = folder(tmp_path)
    alter, why = TRICKS[trick]
    alter(at)
    before = contents(tmp_path)
    assert command(monkeypatch, "report", at) == 2
    said = capsys.readouterr().err
    assert why in said
    assert "nothing was run" in said
    assert "--trust" in said
    assert "--no-claims" in said
    assert contents(tmp_path) == before
    assert command(monkeypatch, "report", at, "--no-claims") == 0
    assert not list(tmp_path.rglob("ran"))
    assert "`claims` was left out" in (at / "report.md").read_text()
    if trick != "linked sources":
        assert command(monkeypatch, "report", at, "--trust") == 0
        assert "as they are" in capsys.readouterr().err
        assert list(tmp_path.rglob("ran"))


def test_it_says_first_what_it_runs_and_what_a_match_means(tmp_path, monkeypatch, capsys):
    at = folder(tmp_path)
    said = []
    actlab.report(at, tell=lambda text: said.append((text, (at / "ran").exists())))
    ((text, ran),) = said
    assert not ran
    assert (at / "ran").exists()
    for words in (str(at / "sources/c.py"), "own.py", "nothing was altered", "not say who wrote", "--no-claims"):
        assert words in text
    assert list(pd.read_csv(at / "tables" / "claims.csv")["verdict"]) == ["supported", "supported"]


def test_reading_and_other_studies_run_no_code(tmp_path, monkeypatch, capsys):
    at = folder(tmp_path)
    name = actlab.load(at).runs["run"].iloc[0]
    actlab.compare(at, metric="test_loss", by="activation")
    for words in (["compare", at, "--metric", "test_loss", "--by", "activation"], ["show", at, name]):
        assert command(monkeypatch, *words) == 0
    assert not (at / "ran").exists()
    both = GOOD.replace(
        "CLAIMS = [one, two]", "from actlab.analysis.claims import across\nCLAIMS = [across('s','t')(one)]"
    )
    other = folder(tmp_path / "b", both.replace("(cells)", "(by_study)"))
    other.rename(tmp_path / "t")
    rename(tmp_path / "t", "study: s", "study: t")
    actlab.report(tmp_path / "t")
    assert (tmp_path / "t" / "ran").exists()
    assert not (at / "ran").exists()


def test_a_file_that_is_altered_between_check_and_run_is_not_run(tmp_path):
    at = folder(tmp_path)

    def tell(text):
        (at / "sources" / "helper.py").write_text("raise SystemExit('altered')\n")

    with pytest.raises(actlab_error("ReportError"), match="altered since it was checked"):
        actlab.report(at, tell=tell)


def actlab_error(name):
    from actlab.analysis import parts

    return getattr(parts, name)


WRONG = {
    "model: {depth: 2}": "model: {depth: -2}",
    "train: {steps: 4}": "trian: {steps: 4}",
    "claims: c.py": "claims: nowhere.py",
    "measure: {every: 2}": "measure: {every: two}",
    "seeds: 2": "seeds: many",
    "train.learning_rate: [0.1]": "train.learning_rate: [0.1, fast]",
}
CONFIG = """
study: s
data: {name: iris}
model: {depth: 2}
train: {steps: 4}
measure: {every: 2}
claims: c.py
sweep:
  seeds: 2
  matrix:
    model.activation: [a.py:f, relu]
    train.learning_rate: [0.1]
"""


@pytest.mark.parametrize("right", WRONG)
def test_a_plan_refuses_what_is_wrong_before_it_runs_anything(right, tmp_path):
    assert right in CONFIG
    (tmp_path / "c").mkdir()
    for name in ("a.py", "c.py"):
        (tmp_path / "c" / name).write_text(MARK)
    (tmp_path / "c" / "s.yaml").write_text(CONFIG.replace(right, WRONG[right]))
    with pytest.raises(StudyError):
        actlab.study_of(tmp_path / "c" / "s.yaml")
    assert not (tmp_path / "ran").exists()


def test_a_folders_own_study_is_planned_only_as_it_was_copied(tmp_path):
    at = folder(tmp_path)
    (at / "study.yaml").write_text(CONFIG.replace("c.py", "sources/c.py").replace("a.py:f", "sources/c.py:one"))
    (at / "sources" / "c.py").write_text(MARK)
    with pytest.raises(sources.UntrustedError, match="was altered"):
        actlab.study_of(at / "study.yaml")
    with pytest.raises(sources.UntrustedError, match="was altered"):
        actlab.model("a", study=at)
    assert not (at / "ran").exists()
    assert trusting.to_run(tmp_path / "nowhere.yaml") is None


ENDS = [
    "sys.exit(0)",
    "sys.exit('x')",
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "1 / 0",
    "raise BaseException",
]
FAILING = {
    **{
        f"claim {end}": (GOOD.replace('return judge("T"', f'import sys; {end}; return judge("T"'), "one")
        for end in ENDS
    },
    **{f"file {end}": (f"import sys\n{end}\n", "c.py") for end in ENDS},
    "syntax error": ("CLAIMS = [\n", "c.py"),
    "no list": ("CLAIMS = 5\n", "c.py"),
    "no function": ("CLAIMS = [5]\n", "c.py"),
    "a built-in": ("CLAIMS = [dict]\n", "c.py"),
    "nothing": (GOOD.replace('return judge("T"', 'return None and judge("T"'), "one"),
    "half a verdict": (
        "from actlab.analysis.claims import Verdict\n"
        "def one(cells):\n    return Verdict(1, 2, 3, 4, 'x', None, 0, 0, 0, 0, 0, 0, 0)\nCLAIMS = [one]\n",
        "one",
    ),
    "an error that cannot be written": (
        "class E(Exception):\n    def __str__(self):\n        raise ValueError\n"
        "def one(cells):\n    raise E\nCLAIMS = [one]\n",
        "one",
    ),
    "studies that are no names": ("from actlab.analysis.claims import across\nCLAIMS = [across(5)(5)]\n", "c.py"),
    "all else altered": (
        GOOD.replace(
            'return judge("T"',
            "import os; os.chdir('/'); cells.runs['seed'] = 0; cells.keys.clear(); 1 / 0; return judge(\"T\"",
        ),
        "one",
    ),
}


def test_a_claim_that_fails_is_a_row_and_all_else_is_written(tmp_path, monkeypatch, capsys):
    here = os.getcwd()
    for i, (case, (text, name)) in enumerate(FAILING.items()):
        at = folder(tmp_path / str(i), text)
        (at / "tables").mkdir()
        (at / "tables" / "claims.csv").write_text("of an earlier report")
        (at / "tables" / "performance.csv").write_text("of an earlier report")
        assert command(monkeypatch, "report", at) == 1, case
        said = capsys.readouterr().err
        assert "Traceback" not in said, case
        frame = pd.read_csv(at / "tables" / "claims.csv").set_index("id")
        assert frame.loc[name, "verdict"] == "failed", case
        assert str(at) not in str(frame.loc[name, "condition"]), case
        if "U" in text and name == "one" and "two" in text:
            assert frame.loc["U", "verdict"] == "supported", case
        assert "mean" in (at / "tables" / "performance.csv").read_text(), case
        assert "**failed**" in (at / "report.md").read_text(), case
        assert "4 runs: 2 cells and 2 seeds" in (at / "report.md").read_text(), case
        assert "What this report lacks" in (at / "report.md").read_text(), case
        assert not list(at.glob(".outputs-*")), case
        assert os.getcwd() == here, case


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.exit(0)\n",
        "def (\n",
        OWN.replace("return Table", "import sys; sys.exit(0); return Table"),
        OWN.replace('"Mine"', "None"),
        OWN.replace("head(2))", "head(2).T.T.iloc[0])"),
        OWN.replace("@actlab.table", ""),
        OWN.replace('cells.runs[["run"]].head(2), cells', "cells.runs.iloc[:0, [0, 0]].assign(mean=1.0), cells")
        .replace("return", "import pandas as pd; x = pd.DataFrame([[1.0, 2.0]], columns=['a', 'a']); return")
        .replace("cells.runs.iloc[:0, [0, 0]].assign(mean=1.0)", "x"),
    ],
)
def test_a_table_of_own_that_fails_takes_nothing_with_it(text, tmp_path, monkeypatch, capsys):
    at = folder(tmp_path, **{"own.py": text})
    (at / "tables").mkdir()
    (at / "tables" / "mine.csv").write_text("of an earlier report")
    assert command(monkeypatch, "report", at) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "own.py" in said or "mine" in said
    assert (at / "tables" / "mine.csv").read_text() == "of an earlier report"
    assert "failed" in (at / "report.md").read_text()
    assert list(pd.read_csv(at / "tables" / "claims.csv")["verdict"]) == ["supported", "supported"]
    assert "mean" in (at / "tables" / "performance.csv").read_text()


def test_ctrl_c_during_a_claim_is_an_interrupt(tmp_path, monkeypatch, capsys):
    at = folder(tmp_path, GOOD.replace('return judge("T"', 'import time; time.sleep(20); return judge("T"'))
    (at / "report.md").write_text("of an earlier report")
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    assert command(monkeypatch, "report", at) == 130
    timer.join()
    assert (at / "report.md").read_text() == "of an earlier report"
    assert not list(at.glob(".outputs-*"))


def test_a_report_waits_for_who_writes_and_then_says_who(tmp_path, monkeypatch, capsys):
    at = folder(tmp_path)
    monkeypatch.setattr(actlab, "REPORT_WAITS", 0.3)
    with control.study_lock(at):
        assert command(monkeypatch, "report", at) == 2
        assert f"process {os.getpid()}" in capsys.readouterr().err
        assert not (at / "report.md").exists()
        actlab.load(at)
    monkeypatch.setattr(actlab, "REPORT_WAITS", 30.0)
    failed = []

    def report():
        try:
            actlab.report(at, own=False)
        except BaseException as error:
            failed.append(error)

    several = [threading.Thread(target=report) for _ in range(4)]
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert failed == []
    assert (at / "report.md").exists()
    assert not list(at.glob(".*"))
    assert not (at / "run.lock").exists()
