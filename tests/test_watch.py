"""A second terminal: what ``actlab watch`` says of folders made by hand, with nothing trained."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from actlab.analysis import so_far
from actlab.cli import watch
from actlab.engine import control, store
from actlab.engine.control import Progress
from actlab.engine.watching import Watch
from tests import synthetic
from tests.typed import typed

PLANNED = ("0123456789ab", "0123456789ac")
MORE = Progress(
    0.5, 9, 18, 1, 4, {}, seconds=30.0, left=40.0, rate=0.5, compiled=2, programs=4, compiling=1, training=1
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A study with sixteen runs stored in two parts, and two to come."""
    folder = tmp_path_factory.mktemp("watch") / "r"
    synthetic.study(folder, planned=PLANNED)
    return folder


@pytest.fixture
def folder(begun, tmp_path):
    return shutil.copytree(begun, tmp_path / "r")


def lock(folder, pid, host=None):
    (folder / control.LOCK).write_text(f"process {pid} on {host or socket.gethostname()}, since 2026-01-01 00:00:00\n")


def state(folder):
    return Watch(folder, watch.kept_of).look().state


def dead_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_what_is_at_work_is_told_from_the_folder_alone(folder, tmp_path):
    assert state(folder) == "stopped"
    lock(folder, os.getpid())
    assert state(folder) == "beginning"
    for said, progress in {
        "training": MORE,
        "compiling": Progress(0.0, 0, 18, 0, 4, {}, programs=4, compiling=2),
        "saving": Progress(0.5, 9, 18, 1, 4, {}, stopping=True),
        "reporting": Progress(1.0, 18, 18, 4, 4, {}),
        "writing": Progress(1.0, 18, 18, 4, 4, {}, written=1, to_write=9),
    }.items():
        control.write_progress(folder, progress)
        assert state(folder) == said
    for damaged in ('{"share": 0.5', '{"share": "x"}', "[]", '{"share": NaN, "runs_done": 1}'):
        (folder / control.PROGRESS).write_text(damaged)
        assert state(folder) == "beginning"
    control.write_progress(folder, MORE)
    long_ago = time.time() - 60
    os.utime(folder / control.PROGRESS, (long_ago, long_ago))
    assert state(folder) == "silent"
    lock(folder, dead_process())
    assert state(folder) == "killed"
    lock(folder, 1, "elsewhere")
    assert state(folder) == "silent"  # a run on another machine is known by what it says
    control.write_progress(folder, MORE)
    assert state(folder) == "training"
    for name in (control.PROGRESS, control.LOCK):
        os.utime(folder / name, (0, 0))
    assert state(folder) == "killed"
    beginning = tmp_path / "beginning"
    beginning.mkdir()
    lock(beginning, os.getpid())
    assert state(beginning) == "beginning"
    lock(beginning, dead_process())
    assert state(beginning) == "killed"


def test_it_says_how_it_stands_and_what_resumes(folder, monkeypatch, capsys):
    code, said, _ = typed(capsys, "watch", folder)
    assert code == 0
    command = f"actlab run {folder}/study.yaml --out {folder}"
    assert said.splitlines()[-1] == f"not running; 16 of 18 runs stored; `{command}` resumes"
    lock(folder, dead_process())
    code, said, _ = typed(capsys, "watch", folder, "--once")
    assert code == 0
    assert "was ended before it could say so); 16 of 18 runs stored" in said.splitlines()[-1]
    (folder / control.LOCK).unlink()
    store.write_planned(folder, [one for one in store.read_planned(folder) if one not in PLANNED])
    code, said, _ = typed(capsys, "watch", folder)
    assert (code, said.splitlines()[-1]) == (
        0,
        f"finished; 16 of 16 runs stored; `{command}` writes its report, and trains nothing",
    )
    (folder / "report.md").touch()
    code, said, _ = typed(capsys, "watch", folder)
    assert (code, said.splitlines()[-1]) == (0, f"finished; 16 of 16 runs stored; report: {folder}/report.md")


def test_what_is_no_study_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    for name, why in {"nowhere": "there is no such folder", "other": "is not a study's folder"}.items():
        code, said, problem = typed(capsys, "watch", tmp_path / name)
        assert (code, said) == (2, "")
        assert why in problem


def test_json_says_the_same_in_fields(folder, monkeypatch, capsys):
    lock(folder, os.getpid())
    control.write_progress(folder, MORE)
    control.write_compiling(folder, "f00d", ["start"], "relu, depth 3", 4)
    control.write_heartbeat(folder, "beef", True, 1.5, 0, 0.0, "tanh, depth 3", 4)
    code, said, _ = typed(capsys, "watch", folder, "--json")
    seen = json.loads(said)
    assert code == 0
    assert (seen["state"], seen["runs_planned"], seen["runs_stored"]) == ("training", 18, 16)
    assert seen["progress"]["left"] == 40.0
    assert seen["jobs"] == [
        {"job": "beef", "what": "tanh, depth 3", "phase": "training", "runs": 1.5, "of": 4},
        {"job": "f00d", "what": "relu, depth 3", "phase": "compiling", "runs": 0.0, "of": 4},
    ]
    _, _, layers = synthetic.frames(activations=("sigmoid", "relu"), depths=(2, 3), seeds=2)
    runs, steps, _ = synthetic.frames(activations=("sigmoid", "relu"), depths=(2, 3), seeds=2)
    last = layers[layers["step"] == layers["step"].max()].merge(runs[["run", "activation", "depth"]], on="run")
    for one in seen["activations"]:
        own = last[(last["activation"] == one["activation"]) & (last["depth"] == 3)]
        norms = np.log10(own["signal_grad_norm"]).groupby(own["layer"]).mean()
        assert one["layers"] == [1, 2, 3]
        np.testing.assert_allclose(one["gradient"], norms - norms.iloc[-1], atol=2e-3)
        dead = steps.merge(runs[["run", "activation"]], on="run").query("activation == @one['activation']")
        np.testing.assert_allclose(one["dead"], dead[dead["step"] == 200]["dead_fraction"].mean(), rtol=1e-5)


def test_everything_fits_a_small_terminal(folder):
    lock(folder, os.getpid())
    failing = dict.fromkeys("abcdefgh", "relu, depth 3: its worker died " + "x" * 200)
    control.write_progress(folder, Progress(**{**vars(MORE), "failures": failing}))
    for i in range(9):
        control.write_heartbeat(
            folder, f"{i:04}", True, 1.5, 0, 0.0, "a_long_activation(negative_slope=0.1234), depth 30", 4
        )
    watching = Watch(folder, watch.kept_of)
    sight = watching.look()
    for width, height in ((40, 12), (80, 22), (200, 60)):
        lines = watch.frame(folder, sight, width, height)
        assert len(lines) <= height
        assert all(line.no_wrap for line in lines)
        assert lines[0].plain.startswith("training")
        assert len(lines[0].plain) <= width
    many = [so_far.ActivationSoFar(f"act{i}", 4, 1, 0.25, 30, (1, 30), (-3.0, 0.0), -1.0, 4) for i in range(40)]
    for height in (10, 20, 60):
        rows = watch.table(many, 80, height)
        assert len(rows) <= height
        assert max(map(len, rows)) <= 80
    assert rows[1].split()[3].startswith("▁")


def test_parts_that_are_merged_or_vanish_meanwhile_are_no_damage_and_each_is_read_once(folder, monkeypatch):
    read = []
    watching = Watch(folder, lambda rows, manifest: read.append(len(rows)) or watch.kept_of(rows, manifest))
    assert watching.look().stored == 16
    assert watching.look().stored == 16
    assert sorted(read) == [8, 8]
    store.compact(store.Stored(folder))
    assert (watching.look().stored, watching.look().damage, sorted(read)) == (16, {}, [8, 8, 16])
    over, problems = threading.Event(), []

    def look():
        while not over.is_set():
            sight = Watch(folder, watch.kept_of).look()
            if sight.damage or sight.stored not in (0, 8, 16):
                problems.append((sight.damage, sight.stored))

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(5):  # cut into two parts, and merged again
        rows = synthetic.rows(*synthetic.frames(activations=("sigmoid", "relu"), depths=(2, 3), seeds=2))
        sums = {f"{i:016x}.parquet": store.write_part(folder, f"{i:016x}", rows[i::2]) for i in range(2)}
        store.write_manifest(folder, {**store.read_manifest(folder), "parts": sums})
        store.compact(store.Stored(folder))
    over.set()
    looking.join()
    assert problems == []


def test_damage_is_named_and_nothing_is_locked_or_written(folder, monkeypatch, capsys):
    part = next((folder / "parts").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    os.mkfifo(folder / control.PROGRESS)
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(control, "study_lock", None)
    code, said, _ = typed(capsys, "watch", folder)
    assert code == 0
    assert f"damaged: parts/{part.name} was altered or cut short" in said
    assert "8 of 18 runs stored" in said
    assert before == {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_it_follows_a_run_until_that_ends(folder, monkeypatch, capsys):
    """As lines, for a pipe: what a run says is repeated, and its end ends it."""
    lock(folder, os.getpid())
    control.write_progress(folder, MORE)
    monkeypatch.setattr(watch, "EVERY", 0.01)
    looks = 0
    original = Watch.look

    def look(self, *seconds):
        nonlocal looks
        looks += 1
        if looks == 5:
            control.write_progress(folder, Progress(1.0, 18, 18, 4, 4, {}, written=1, to_write=9))
        if looks == 10:
            (folder / control.LOCK).unlink()
            (folder / control.PROGRESS).unlink()
        return original(self, *seconds)

    monkeypatch.setattr(Watch, "look", look)
    code, said, _ = typed(capsys, "watch", folder)
    assert code == 0
    assert looks == 10
    assert "writing tables and 9 figures (1/9)" in said.splitlines()
    assert said.splitlines()[-1].startswith("not running; 16 of 18 runs stored")


def test_a_folder_that_a_run_is_about_to_make_is_waited_for(folder, tmp_path, monkeypatch, capsys):
    late, naps = tmp_path / "late", []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            folder.rename(late)

    monkeypatch.setattr(watch, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    code, said, told = typed(capsys, "watch", late)
    assert code == 0
    assert len(naps) == 3
    assert "late is not there yet; a run that makes it is waited for, 10 s at most" in told
    assert said.splitlines()[-1].startswith("not running; 16 of 18 runs stored")
    monkeypatch.setattr(watch, "WAIT", 0.0)
    assert typed(capsys, "watch", tmp_path / "no")[0] == 2
    assert typed(capsys, "watch", tmp_path / "no", "--once")[2].count("not there yet") == 0
