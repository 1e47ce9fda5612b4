"""A study that changes, is renamed or begun anew: nothing stored is lost, nothing that is not asked for is shown.

Trained once, in this process: two activations, then a third. What is taken back must be as if it had never been.
"""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import actlab
from actlab.cli import confirming
from actlab.cli.answering import answering
from actlab.engine import (
    changing,
    earlier,
    handover,
    scheduling,
    second_stage,
    setting_aside,
    store,
    train_study,
    whereabouts,
    worker_pools,
)
from actlab.engine.files import DamageError, StoreError
from actlab.engine.planned import PLANNED
from actlab.engine.store import Stored
from actlab.study import columns
from actlab.study.reading import StudyError, resolved_yaml
from tests import synthetic
from tests.serial import SerialExecutor
from tests.thinned import thinned
from tests.typed import typed

STUDY = """
study: s
data: {name: iris}
model: {depth: 3, width: 8}
train: {steps: 12, batch_size: 16}
measure: {every: 4, evaluate_every: 8, probes: [signal_grad_norm, dead_fraction]}
sweep:
  matrix: {model.activation: [relu, prelu]}
  seeds: 2
report: {tables: [performance, dead_units], figures: []}
"""
WITH_GELU = "model.activation=relu,prelu,gelu"
GELU = re.compile(
    r"2 stored runs are not asked for by \S*mine\.yaml \(model\.activation: gelu\); kept, and left out of tables; "
    r"`--prune` removes them"
)
ASIDE = re.compile(r"-20\d\d-\d\d-\d\d-\d{6}(-\d+)?$")


class Killed(BaseException):
    """The process ends here."""


class Idle(SerialExecutor):
    def submit(self, function, /, *args):
        assert function is not handover.run_job, "nothing is left to train"
        return Future()


class Failing(SerialExecutor):
    """Workers that fail at some activations."""

    def __init__(self, *names):
        self.names = names

    def submit(self, function, job=None, /, *args):
        if job is not None and job.shape.activations[job.activation].name in self.names:
            return super().submit(self.fail)
        return super().submit(function, *((job,) if job is not None else ()), *args)

    @staticmethod
    def fail():
        raise ValueError("not today")


def trains_nothing(monkeypatch):
    monkeypatch.setattr(worker_pools, "local", lambda *_: Idle())


def trains_here(patch):
    patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    patch.setattr(scheduling, "git_revision", lambda: None)  # git is a process of its own


def writes_no_report(patch):
    """Most of what a run takes that trains nothing."""
    patch.setattr(actlab, "write_report", lambda *_: [])


@pytest.fixture(autouse=True)
def serial(monkeypatch, tmp_path):
    trains_here(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a study, and what became of it when an activation was added."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "mine.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        trains_here(patch)
        actlab.run(folder / "mine.yaml", out=folder / "small")
        shutil.copytree(folder / "small", folder / "whole")
        actlab.run(folder / "mine.yaml", [WITH_GELU], out=folder / "whole")
    return folder


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def whole(trained, tmp_path):
    return shutil.copytree(trained / "whole", tmp_path / "results" / "s")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def report_of(folder):
    """What a report shows of a study."""
    return {name: content for name, content in files(folder).items() if name.startswith(("tables", "report.md"))}


def same_frames(one, other):
    for name in ("runs", "steps", "layers", "histograms"):
        pd.testing.assert_frame_equal(getattr(actlab.load(one), name), getattr(actlab.load(other), name))


def test_what_is_taken_back_is_kept_and_shown_nowhere(trained, whole, mine, monkeypatch, capsys):
    """An activation: afterwards everything is as if it had never been there, and it is there at once again."""
    trains_nothing(monkeypatch)
    before = Stored(whole).runs()
    code, said, plan = typed(capsys, "plan", mine)
    assert (code, len(GELU.findall(plan))) == (0, 1)
    assert "0 runs to train" in said
    assert files(whole) == files(trained / "whole")  # planning changes nothing
    for _ in range(2):  # it is said each time
        code, said, notes = typed(capsys, "run", mine)
        assert (code, len(GELU.findall(notes)), "gelu" in said) == (0, 1, False)
        same_frames(whole, trained / "small")
        assert report_of(whole) == report_of(trained / "small")
        assert Stored(whole).runs() == before
    left_out = actlab.load(whole).left_out
    assert {*left_out} == before - {*actlab.load(whole).runs["run"]}
    kept = next(iter(left_out))
    for words, ends in (
        (["compare", whole, "--metric", "test_loss"], 0),
        (["report", whole], 0),
        (["show", whole, actlab.load(whole).runs["run"][0]], 0),
        (["show", whole, kept], 2),
    ):
        code, said, notes = typed(capsys, *words)
        assert (code, "gelu" in said) == (ends, False)
        assert notes.count("2 stored runs are not asked for by its study.yaml (model.activation: gelu)") == 1, words
    assert f"{kept} is stored, and left out, since its study.yaml does not ask for it any more" in notes
    code, _, notes = typed(capsys, "run", mine, WITH_GELU)
    assert (code, "not asked for" in notes) == (0, False)
    assert not (whole / earlier.EARLIER).exists()
    same_frames(whole, trained / "whole")
    assert report_of(whole) == report_of(trained / "whole")


OTHERS = {
    "train.steps=16": "train.steps: 12",
    "measure.every=8": "measure.every: 4",
    "measure.evaluate_every=4": "measure.evaluate_every: 8",
    "measure.probe_rows=64": "measure.probe_rows: 90",
    "measure.probes=[act_mean]": "measure.probes: [signal_grad_norm, dead_fraction]",
    "measure.keep_layers=ends": "measure.keep_layers: all",
    "measure={every: 6, evaluate_every: 12}": "measure.every: 4; measure.evaluate_every: 8",
    "model.width=5": "model.width: 8",
    "model.depth=2,4": "model.depth: 3",
    "model.dropout.rate=0.1": "model.dropout.rate: 0",
    "train.clip_norm=1": "train.clip_norm: null",
    "train.freeze_layers=1": "train.freeze_layers: 0",
    "train.learning_rate=1e-2": "train.learning_rate: 0.001",
    "data.standardize=false": "data.standardize: true",
    "data.seed=3": "data.seed: 0",
    "data.name=wine": "data.name: iris",
    "sweep.seeds=1": "sweep.seeds: 1",
    "model.activation={name: prelu, alpha: 0.3},relu,gelu": "model.activation: prelu",
}


def change_for(folder, config, *overrides):
    study = actlab.study_of(config, overrides)
    stored = Stored(folder)
    plan, _ = train_study.ExecutionConfig(workers=1).plan(study, stored)
    stored.plan_has(plan.runs)
    return changing.change(stored, plan, resolved_yaml(study.config, folder), study.source), plan


def test_every_change_is_said_in_the_words_of_the_yaml(whole, mine):
    for override, why in OTHERS.items():
        change, plan = change_for(whole, mine, WITH_GELU, override)
        assert change.left_out == Stored(whole).runs() - set(plan.runs)
        (line,) = change.lines()
        assert line.startswith(f"{len(change.left_out)} stored run"), override
        assert f" not asked for by mine.yaml and its overrides ({why}); kept" in line, (override, line)
    change, _ = change_for(whole, mine, WITH_GELU, "train.steps=16", "measure.every=8")
    assert "(train.steps: 12; measure.every: 4)" in change.lines()[0]
    excluded = "exclude: [{model.activation: relu, model.depth: 3}, {model.activation: gelu, model.depth: 3}]"
    mine.write_text(
        STUDY.replace(
            "  matrix: {model.activation: [relu, prelu]}",
            f"""  matrix:
    model.activation: [relu, prelu, gelu]
    model.depth: [3, 4]
  {excluded}""",
        )
    )
    change, _ = change_for(whole, mine)
    assert f"4 stored runs are not asked for by mine.yaml ({earlier.COMBINED}); kept" in change.lines()[0]


def test_what_no_column_tells_is_a_combination_or_a_content(whole, mine, tmp_path):
    _, plan = change_for(whole, mine, "sweep.seeds=[0, 1]")
    labels = dict(next(iter(plan.runs.values())).labels)

    def why(called=None, changed=(), **altered):
        table = pa.Table.from_pylist([labels | {"run": "0" * 12, **altered}])
        return dict(changing.whys([table], frozenset({"0" * 12}), plan, changed, {}, called or {}))["0" * 12]

    assert why() == {}
    assert why(data_content="0" * 12) == {"data.name": ("iris as it was",)}
    derived = {"target_loss": 0.17086, "batch_size": 9, "every": 3, "steps": 99}  # from other data, say: not written
    other = {"data_content": "0" * 12, **derived}
    assert why(**other) == {"data.name": ("iris as it was",)}
    assert why({"0" * 12: "iris"}, **other) == {"data.name": ("iris as it was",)}
    assert why({"0" * 12: "d2/iris"}, **other) == {"data.name": ("d2/iris",)}
    assert why({"0" * 12: "a/rows.csv"}, data="rows.csv", **other) == {"data.name": ("a/rows.csv",)}
    assert why(data="wine", **other) == {"data.name": ("wine",)}
    assert why(optimizer="sgd", **derived) == {"train.optimizer": ("sgd",)}
    assert why(changed=["data.target_loss"], **other) == {"data.target_loss": ("0.17086",)}
    assert why(weight_decay=0.5) == {"train.weight_decay": ("0.5",)}
    assert why(weight_decay=0.5, optimizer="sgd") == {"train.optimizer": ("sgd",)}
    assert earlier.reasons([why()]) == earlier.COMBINED
    assert {one.column for one in columns.settings()} >= {"every", "evaluate_every", "probe_rows"}


def test_it_is_left_out_where_the_rest_is_not_trained_yet(trained, whole, mine, monkeypatch):
    """A change whose runs fail at once, then half way; then it is finished, with the old runs still there."""
    before = Stored(whole).runs()
    monkeypatch.setattr(worker_pools, "local", lambda *_: Failing("relu", "prelu"))
    with pytest.raises(train_study.RunError, match="not today"):
        actlab.run(mine, ["train.steps=16"], out=whole)
    with pytest.raises(
        StoreError, match=r"no finished run yet.*\n.*6 stored runs are not asked for .*train\.steps: 12"
    ):
        actlab.load(whole)
    monkeypatch.setattr(worker_pools, "local", lambda *_: Failing("prelu"))
    with pytest.raises(train_study.RunError, match="not today"):
        actlab.run(mine, ["train.steps=16"], out=whole)
    half = actlab.load(whole)
    assert set(zip(half.runs["activation"], half.runs["steps"], strict=True)) == {("relu", 16)}
    assert [line[:40] for line in half.notes if "not asked" in line] == ["6 stored runs are not asked for by its s"]
    command = f"actlab run {whole}/study.yaml --out {whole}"
    assert half.untrained == (f"2 of 4 planned runs are not trained yet; `{command}` trains them",)
    assert Stored(whole).runs() > before
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    actlab.run(mine, ["train.steps=16"], out=whole)
    assert set(actlab.load(whole).runs["steps"]) == {16}
    trains_nothing(monkeypatch)
    actlab.run(mine, [WITH_GELU], out=whole)
    same_frames(whole, trained / "whole")
    assert report_of(whole) == report_of(trained / "whole")
    assert len(actlab.load(whole).left_out) == 4


def test_prune_removes_them_and_nothing_else(trained, whole, mine, monkeypatch, capsys):
    writes_no_report(monkeypatch)
    trains_nothing(monkeypatch)
    (whole / "notes.txt").write_text("mine")
    (whole / "parts" / "0.parquet.aside").write_text("set aside before")
    line = "2 stored runs not asked for by mine.yaml {} removed (model.activation: gelu)"
    before = files(whole)
    code, _, notes = typed(capsys, "run", mine, "--prune", "--dry-run")
    assert (code, line.format("would be") in notes, files(whole)) == (0, True, before)
    code, _, notes = typed(capsys, "run", mine)
    assert Stored(whole).asked() == set(actlab.load(whole).runs["run"]) < Stored(whole).runs()
    advice = actlab.load(whole).notes[0].split("`")[1]
    assert shlex.split(advice) == ["actlab", "run", str(whole / "study.yaml"), "--prune"]
    code, _, notes = typed(capsys, *shlex.split(advice)[1:])  # as it is said; the folder is found by its file
    assert code == 0
    assert line.format("are").replace("mine.yaml", "results/s/study.yaml") in notes
    assert Stored(whole).runs() == Stored(trained / "small").runs()
    same_frames(whole, trained / "small")
    after = files(whole)
    assert {name for name in before if name not in after and not name.startswith("parts/")} == set()
    assert (after["notes.txt"], after["parts/0.parquet.aside"]) == (b"mine", b"set aside before")
    code, _, notes = typed(capsys, "run", mine, "--prune")  # a second time there is nothing
    assert (code, "removed" in notes) == (0, False)
    with pytest.raises(StudyError, match="prune: --fresh"):
        actlab.run(mine, prune=True, fresh=True)


@pytest.mark.parametrize("prune", thinned([True, False], 2))
def test_killed_at_any_moment_of_a_change_nothing_is_lost(prune, trained, mine, tmp_path, monkeypatch, request):
    """Before a rename or a removal in the folder: what is there reads as before the change, or as after it.

    Before every fifth of them, and the last; with ``--thorough`` before each.
    """
    names = {len(actlab.load(trained / name).runs): name for name in ("small", "whole")}
    least = Stored(trained / ("small" if prune else "whole")).runs()

    study, (_, plan) = actlab.study_of(mine), change_for(trained / "whole", mine)

    def carry_out(folder):
        """What ``trained`` does where nothing is missing."""
        stored = Stored(folder)
        stored.plan_has(plan.runs)
        change = changing.change(stored, plan, resolved_yaml(study.config, folder), study.source)
        assert not scheduling.prepare(
            stored, train_study.resolved_text(study, folder), plan, {}, False, change.earlier
        )  # nothing is damaged
        if prune:
            store.compact(stored, prune=True)
        store.compact(stored)

    for last in range(0, 100, 1 if request.config.getoption("thorough") else 5):
        folder = shutil.copytree(trained / "whole", tmp_path / f"r{last}")
        steps = 0

        def counted(name, folder=folder, last=last):
            original = getattr(Path, name)

            def step(path, *args, **options):
                nonlocal steps
                if folder in path.parents and path.exists():
                    steps += name == "replace" or ".tmp" not in path.name
                    if steps > last:
                        raise Killed
                return original(path, *args, **options)

            return step

        with monkeypatch.context() as patch:
            for name in ("replace", "unlink"):
                patch.setattr(Path, name, counted(name))
            try:
                carry_out(folder)
                ended = True
            except Killed:
                ended = False
        assert Stored(folder).runs() >= least, last
        results = actlab.load(folder)  # without damage
        same_frames(folder, trained / names[len(results.runs)])
        carry_out(folder)
        same_frames(folder, trained / "small")
        assert Stored(folder).runs() == least
        if ended:
            break
    assert last >= 7


def test_parts_of_another_study_are_still_named(trained, whole, mine, tmp_path, monkeypatch, pytestconfig):
    writes_no_report(monkeypatch)
    trains_nothing(monkeypatch)
    actlab.run(mine, out=whole)
    synthetic.study(tmp_path / "another", parts=1)
    name = store.part_names(tmp_path / "another")[0]
    shutil.copy(tmp_path / "another" / "parts" / name, whole / "parts" / "0.parquet")
    with pytest.raises(DamageError, match=r"parts/0\.parquet holds runs of another study \(16 of 16"):
        actlab.load(whole)
    (whole / "parts" / "0.parquet").unlink()
    kept = whole / earlier.EARLIER
    text = kept.read_text()
    wrongs = text.replace("gelu", "relu"), "\xff", text[:-2], "# {", text + "# {}\n", text.replace('"gelu"', "1")
    for wrong in wrongs if pytestconfig.getoption("thorough") else wrongs[:2]:
        kept.write_text(wrong, encoding="latin-1")
        with pytest.raises(DamageError, match=r"earlier\.txt (is not what was written|cannot be read)") as error:
            actlab.load(whole)
        assert "another study" not in str(error.value)
        actlab.run(mine, out=whole)  # the list is written again; what it was of is neither lost nor shown
        assert len(actlab.load(whole).left_out) == 2
        assert kept.read_text() == text
        same_frames(whole, trained / "small")
    (whole / "manifest.json").unlink()
    actlab.run(mine, out=whole)
    assert Stored(whole).runs() == Stored(trained / "whole").runs()
    (whole / PLANNED).unlink()
    same_frames(whole, trained / "small")


def test_a_folder_of_another_study_is_refused_and_the_advice_works(trained, whole, mine, tmp_path, monkeypatch, capsys):
    writes_no_report(monkeypatch)
    other = tmp_path / "other.yaml"
    other.write_text(STUDY.replace("study: s", "study: other").replace("steps: 12", "steps: 16"))
    before = files(whole)
    for words in (["run"], ["plan"], ["run", "--prune"]):
        code, _, notes = typed(capsys, words[0], other, "--out", whole, *words[1:])
        assert (code, files(whole)) == (2, before)
        assert "holds the study 's' (6 runs, none of which other.yaml asks for, with its `study: other`)" in notes
        assert "give this study another --out, or --fresh to set that folder aside" in notes
    code, _, _ = typed(capsys, "run", other, "--out", "results/other")
    assert (code, files(whole)) == (0, before)
    code, _, notes = typed(capsys, "run", other, "--out", whole, "--fresh")
    assert code == 0
    (aside,) = (path for path in whole.parent.iterdir() if ASIDE.search(path.name))
    assert files(aside) == before


def test_fresh_sets_aside_and_deletes_nothing(trained, whole, mine, tmp_path, monkeypatch, capsys):
    writes_no_report(monkeypatch)
    before = files(whole)
    code, _, notes = typed(capsys, "run", mine, "--fresh", "--dry-run")
    assert (code, files(whole)) == (0, before)
    assert "results/s: --fresh would set it aside with its 6 stored runs, as results/s-20" in notes
    monkeypatch.setattr("time.strftime", lambda form, *_: "-2026-01-02-030405" if form.startswith("-") else "now")
    code, _, notes = typed(capsys, "run", mine, "--fresh")
    assert code == 0
    line = (
        "results/s: what it held is set aside as results/s-2026-01-02-030405, whole; delete that once it is not wanted"
    )
    assert notes.count(line) == 1
    assert files(whole.with_name("s-2026-01-02-030405")) == before
    assert len(actlab.load(whole).runs) == 4
    again = files(whole)
    actlab.run(mine, out=whole, fresh=True)  # never over another
    assert files(whole.with_name("s-2026-01-02-030405")) == before
    assert files(whole.with_name("s-2026-01-02-030405-2")) == again
    link = tmp_path / "link"
    link.symlink_to(whole)
    latest = files(whole)
    actlab.run(mine, out=link, fresh=True)
    assert link.is_symlink()
    assert link.resolve() == whole.resolve()
    assert files(whole.with_name("s-2026-01-02-030405-3")) == latest


def test_fresh_is_refused_before_anything_is_done(whole, trained, mine, tmp_path, monkeypatch, capsys):
    before = files(whole)

    def refused(kind, match, *overrides, **options):
        with pytest.raises(kind, match=match):
            actlab.run(mine, overrides, fresh=True, **{"out": whole, **options})
        assert files(whole) == before
        assert [path.name for path in whole.parent.iterdir()] == ["s"]

    (whole / "rows.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(90)))
    before = files(whole)
    refused(StoreError, "lies in the folder that --fresh sets aside", f"data.name={whole}/rows.csv")
    refused(StudyError, "batch_size", "train.batch_size=100000")
    refused(setting_aside.WithdrawnError, "is as it was; nothing was set aside", confirm=lambda question: False)
    with pytest.raises(setting_aside.WithdrawnError), answering(True, mine, (), whole, True):
        actlab.run(mine, out=whole, fresh=True, confirm=lambda question: False)
    answer = json.loads(capsys.readouterr().out)
    asked = len(actlab.load(trained / "small").runs)  # of the six that are stored
    found = [answer[key] for key in ("study", "folder", "planned", "stored", "trained", "missing")]
    assert found == ["s", str(whole), asked, asked, 0, 0]
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    refused(StoreError, r"cannot be set aside \(Permission denied\); give this study another --out")
    monkeypatch.chdir(whole / "parts")
    refused(StoreError, f"the current folder lies in it; change to {whole.resolve().parent} first")
    monkeypatch.undo()
    trains_here(monkeypatch)
    writes_no_report(monkeypatch)
    monkeypatch.chdir(whole.parent)  # as it says
    (whole / "rows.csv").unlink()
    actlab.run(mine, out=whole, fresh=True)


def test_fresh_asks_on_a_terminal_and_nowhere_else(whole, mine, monkeypatch, capsys):
    """A terminal of our own: what is asked, and what each answer does."""
    trains_nothing(monkeypatch)
    monkeypatch.setattr(second_stage, "execute", lambda *_: iter(()))
    monkeypatch.setattr(actlab, "write_report", lambda *_: (_ for _ in ()).throw(StudyError("far enough")))
    before = files(whole)

    def answer(keys, *words):
        """Run with these keys typed; returns the exit code and what stood on the terminal."""
        control, terminal = os.openpty()
        os.write(control, keys)
        with (
            open(terminal, closefd=False) as stdin,
            open(terminal, "w", closefd=False) as stderr,
            monkeypatch.context() as patch,
        ):
            patch.setattr("sys.stdin", stdin)
            patch.setattr("sys.stderr", stderr)
            assert confirming.someone_is_there()
            code, _, _ = typed(capsys, "run", mine, "--fresh", *words)
        os.set_blocking(control, False)
        said = ""
        with suppress(BlockingIOError):  # it is had piece by piece
            while piece := os.read(control, 100_000):
                said += piece.decode()
        os.close(control)
        os.close(terminal)
        return code, said

    asked = "results/s holds 6 stored runs. --fresh sets it aside as results/s-20"
    for keys in (b"\n", b"n\n", b"what?\n", b"\x04"):  # the last is the end of input
        code, said = answer(keys)
        assert (code, files(whole)) == (1, before)
        assert said.count(asked) == 1
        assert "and trains 4 runs from scratch. Go on? [y/N]" in said
        assert "results/s: is as it was; nothing was set aside or trained" in said
    code, said = answer(b"", "train.batch_size=100000")  # a wrong request is refused, and not asked about
    assert (code, "Go on?" in said, files(whole)) == (2, False, before)
    for keys, words in ((b"y\n", []), (b"", ["--yes"])):
        code, said = answer(keys, *words)
        assert ("Go on?" in said, "what it held is set aside as" in said) == (not words, True)
        newest = max(setting_aside_folders(whole), key=lambda path: path.stat().st_ctime)
        assert files(newest) == before
        shutil.rmtree(whole)
        newest.rename(whole)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))  # not a terminal: it is not asked
    assert not confirming.someone_is_there()
    typed(capsys, "run", mine, "--fresh")
    assert len(setting_aside_folders(whole)) == 1


def setting_aside_folders(folder):
    return [path for path in folder.parent.iterdir() if ASIDE.search(path.name)]


@pytest.mark.thorough
def test_fresh_of_a_folders_own_study_with_a_file_of_ones_own(tmp_path, monkeypatch):
    """What it names lies in the folder that is set aside."""
    writes_no_report(monkeypatch)
    (tmp_path / "act.py").write_text("import jax.numpy as jnp\n\n\ndef bent(z):\n    return jnp.tanh(z) + 0.1 * z\n")
    (tmp_path / "own.yaml").write_text(STUDY.replace("[relu, prelu]", "[act.py:bent]").replace("seeds: 2", "seeds: 1"))
    first = actlab.run("own.yaml").runs
    again = actlab.run("results/s/study.yaml", fresh=True)
    assert list(again.runs["run"]) == list(first["run"])
    assert again.path == Path("results/s")
    (aside,) = setting_aside_folders(tmp_path / "results" / "s")
    assert list(actlab.load(aside).runs["run"]) == list(first["run"])
    assert (tmp_path / "results/s/sources/act.py").read_bytes() == (tmp_path / "act.py").read_bytes()


@pytest.mark.parametrize("at", ["before", "after"])
def test_killed_while_it_is_set_aside_one_of_two_states_is_left(at, trained, whole, mine, monkeypatch, capsys):
    before = files(whole)
    original = Path.rename

    def killed(path, target):
        if path.name == "s":
            if at == "after":
                original(path, target)
            raise Killed
        return original(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(Killed):
            actlab.run(mine, out=whole, fresh=True)
    if at == "before":
        assert files(whole) == before
        return
    assert not whole.exists()
    (aside,) = setting_aside_folders(whole)
    assert set(files(aside)) >= set(before)
    _, _, notes = typed(capsys, "plan", mine)
    assert (
        f"results/s holds no run yet, but results/{aside.name} holds 4 of the 4 planned runs: `--out results/" in notes
    )


def test_a_study_folders_own_file_is_run_where_it_lies(trained, mine, tmp_path, monkeypatch, capsys):
    """Whatever the folder is called now, and wherever it lies."""
    writes_no_report(monkeypatch)
    trains_nothing(monkeypatch)
    for place in ("results/renamed", "elsewhere/a b"):
        folder = shutil.copytree(trained / "whole", tmp_path / place)
        for command in (["plan"], ["run", "--dry-run"], ["run"]):
            code, said, notes = typed(capsys, command[0], Path(place) / "study.yaml", *command[1:])
            assert (code, "holds no run" in notes) == (0, False), notes
        assert f"{place}/report.md" in said
        assert not (tmp_path / "results" / "s").exists()
        monkeypatch.chdir(folder)
        assert actlab.run("study.yaml").path == Path(".")
        monkeypatch.chdir(tmp_path)
    found = whereabouts.default_folder(Path("results/renamed/study.yaml"), "new", ["study=new"])
    assert found == Path("results/new")
    (tmp_path / "study.yaml").write_text(STUDY)  # of that name, and in no study's folder
    assert whereabouts.default_folder(tmp_path / "study.yaml", "s") == Path("results/s")


def test_a_renamed_folder_is_found_and_the_advice_works(trained, mine, tmp_path, monkeypatch, capsys):
    writes_no_report(monkeypatch)
    trains_nothing(monkeypatch)
    renamed = shutil.copytree(trained / "whole", tmp_path / "results" / "my best")
    synthetic.study(tmp_path / "results" / "made")
    (tmp_path / "results" / "file").touch()
    (tmp_path / "results" / "link").symlink_to(renamed)
    os.mkfifo(shutil.copytree(trained / "small", tmp_path / "results" / "pipe") / "parts" / "x.parquet")
    (tmp_path / "results" / "pipe" / PLANNED).unlink()
    line = "results/s holds no run yet, but results/my best holds 4 of the 4 planned runs: "
    line += "`--out 'results/my best'` uses them"
    code, _, notes = typed(capsys, "plan", mine)
    assert (code, notes.count(line)) == (0, 1)
    (tmp_path / "results" / "s").mkdir()  # an empty one is none
    for words in ([WITH_GELU], [WITH_GELU, "sweep.seeds=3"]):
        code, _, notes = typed(capsys, "plan", mine, *words)
        assert f"holds 6 of the {6 if len(words) == 1 else 9} planned runs" in notes
    advice = shlex.split(line.split("`")[1])
    code, _, notes = typed(capsys, "run", mine, WITH_GELU, *advice)
    assert (code, "holds no run" in notes) == (0, False)
    assert not any((tmp_path / "results" / "s").iterdir())
    # The study was renamed in the YAML: the other may be a study that is still in use, and stays as it is.
    shutil.rmtree(tmp_path / "results")
    old = shutil.copytree(trained / "whole", tmp_path / "results" / "s")
    mine.write_text(STUDY.replace("study: s", "study: new"))
    code, _, notes = typed(capsys, "plan", mine)
    assert "results/new holds no run yet, but results/s holds 4 of the 4 planned runs: `cp -r " in notes
    assert "first, and they are used; results/s stays as it is" in notes
    subprocess.run(shlex.split(notes.split("`")[1]), check=True)
    code, _, notes = typed(capsys, "run", mine)
    assert (code, len(actlab.load("results/new").runs)) == (0, 4)
    assert files(old) == files(trained / "whole")
    assert actlab.load("results/new").study["study"] == "new"
    # A folder of an earlier version has no list of its runs.
    shutil.rmtree(tmp_path / "results" / "new")
    (old / PLANNED).unlink()
    assert "holds 4 of the 4" in whereabouts.elsewhere(
        Path("results/new"), set(actlab.load(old).runs["run"][:4]), "new"
    )


def test_a_run_says_so_before_it_trains_again(trained, mine, tmp_path):
    shutil.copytree(trained / "small", tmp_path / "results" / "renamed")
    lines = []

    def stop(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actlab.run(mine, progress=stop, note=lines.append)
    assert lines == [
        "results/s holds no run yet, but results/renamed holds 4 of the 4 planned runs: "
        "`--out results/renamed` uses them"
    ]
    lines.clear()
    with pytest.raises(KeyboardInterrupt):
        actlab.run(mine, out="results/chosen", progress=stop, note=lines.append)
    assert lines == []  # another folder was asked for


def test_looking_beside_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(whereabouts, "MOST_FOLDERS", 3)
    for i in range(6):
        synthetic.study(tmp_path / "results" / f"s{i}")
    assert len(list(whereabouts.folders_beside(Path("results/none")))) == 3
    assert list(whereabouts.folders_beside(Path("nowhere/none"))) == []
