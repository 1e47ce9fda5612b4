"""Nothing lost: whatever ends a run in the middle, the finished study is the same, bit for bit.

``python -m pytest tests/test_crash.py --thorough --kills 100`` kills a hundred runs at random moments.

Most of these tests train in this process, where a job that is asked to stop, a full disk or a dead worker can be had at
an exact place; each was also seen to happen to real processes, and the last three tests are about those.
"""

import errno
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import actlab
from actlab import interrupts
from actlab.cli import report_error
from actlab.engine import checkpoint, compiled, control, run_batch, scheduling, store, train_study, worker, worker_pools
from actlab.engine.train_study import RunError
from actlab.study import plan, reading
from tests.serial import SerialExecutor
from tests.thinned import thinned

STUDY = """
study: s
data: {name: iris}
model: {depth: 3, width: 8}
train: {steps: 40, batch_size: 16}
measure: {every: 4, evaluate_every: 8, probes: [signal_grad_norm, dead_fraction]}
sweep:
  matrix: {model.activation: [relu, prelu], train.learning_rate: [1e-2, 1e30]}
  seeds: 3
report: {tables: [performance], figures: [], html: false}
"""


@pytest.fixture(autouse=True)
def serial(monkeypatch):
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())


@pytest.fixture
def hasty(monkeypatch):
    """Segments of one step, and a checkpoint after each."""
    monkeypatch.setattr(run_batch, "SEGMENT_SECONDS", 0.0)
    monkeypatch.setattr(worker, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.0)


@pytest.fixture
def undivided(monkeypatch):
    """One job for each activation."""
    original = plan.partition_into_jobs
    monkeypatch.setattr(plan, "partition_into_jobs", lambda groups, wanted, *_: original(groups, wanted, 1 / 3))


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study, trained in one go, compiled here: what equals it says that programs kept on disk keep bits too."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "s.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        patch.setattr(compiled, "enable_compilation_cache", lambda: None)
        actlab.run(folder / "s.yaml", out=folder / "r")
    return folder / "r"


def same(folder, whole):
    """Frames and tables are the same, and so are the parts; nothing else is left."""
    one, other = actlab.load(folder), actlab.load(whole)
    for name in ("runs", "steps", "layers"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    for inside in ("tables", "parts"):
        assert contents(folder / inside) == contents(whole / inside)
    assert sorted(os.listdir(folder)) == sorted(os.listdir(whole))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stop_after(monkeypatch, looks, how):
    """Have ``how`` called when a job looks up for the given time."""
    original, count = control.write_heartbeat, iter(range(1, 10**9))

    def note(folder, *args, **kwargs):
        original(folder, *args, **kwargs)
        if next(count) == looks:
            how(folder)

    monkeypatch.setattr(control, "write_heartbeat", note)


def stopped(config, folder, looks, how=control.ask_to_stop):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, looks, how)
        with pytest.raises(KeyboardInterrupt):
            actlab.run(config, out=folder)


def named(one):
    """The name of a job's activation."""
    return one.shape.activations[one.activation].name


def checkpoints(folder):
    return sorted((folder / "parts").glob("*.checkpoint"))


def test_cutting_changes_no_bit(config, tmp_path):
    """Training cut anywhere, also next to diverging runs, equals training in one go between records."""
    for group in plan.plan(reading.read(config)).groups:
        for runs in worker.run_batches(group):
            expected = worker.train_batch(group, runs, tmp_path)
            for steps in (1, 7):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(run_batch.Pace, "learn", lambda self, *_, steps=steps: setattr(self, "steps", steps))
                    rows = worker.train_batch(group, runs, tmp_path)
                for one, other in zip(rows, expected, strict=True):
                    assert one.keys() == other.keys()
                    for name in one:
                        np.testing.assert_array_equal(one[name], other[name], err_msg=f"{name}, {steps} steps")


@pytest.mark.parametrize("number", thinned([signal.SIGINT, signal.SIGTERM], 2))
def test_a_signal_saves_and_the_next_run_resumes(number, whole, config, tmp_path, hasty):
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    stopped(config, tmp_path / "r", 30, lambda folder: os.kill(os.getpid(), number))
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not (tmp_path / "r" / control.LOCK).exists()
    assert len(checkpoints(tmp_path / "r")) == 1
    begun_at = []
    with pytest.MonkeyPatch.context() as patch:
        original = checkpoint.load
        patch.setattr(checkpoint, "load", lambda *args: begun_at.append(original(*args)) or begun_at[-1])
        actlab.run(config, out=tmp_path / "r")
    # Two looks come before the first step; a segment with a record is two steps.
    assert [at.step for at in begun_at if at is not None] == [38]
    same(tmp_path / "r", whole)


@pytest.mark.thorough
@pytest.mark.parametrize("grows", [True, False])
def test_a_checkpoint_is_of_use_whatever_else_the_study_has(grows, config, tmp_path, hasty):
    """Other activations, with more that is learned, and deeper networks come or go; a run's bits stay."""
    words = ["train.learning_rate=1e-2", "train.clip_norm=0.5", "model.norm=layer", "model.dropout.rate=0.2"]
    one, more = "{name: prelu, per: unit}", "{name: star_relu, per: unit},{name: prelu, per: unit}"
    few, many = [f"model.activation={one}", *words], [f"model.activation={more}", "model.depth=5,3", *words]
    begun, now = (few, many) if grows else (many, few)

    def job_of(overrides):
        groups = plan.plan(reading.read(config, overrides)).groups
        return next(group for group in groups if named(group) == "prelu" and group.depth == 3)

    (tmp_path / "parts").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 20, control.ask_to_stop)
        assert not worker.run_job(job_of(begun), tmp_path, None).finished
    (path,) = checkpoints(tmp_path)
    job_now = job_of(now)
    loaded = []
    with pytest.MonkeyPatch.context() as patch:
        original = checkpoint.load
        patch.setattr(checkpoint, "load", lambda *args: loaded.append(original(*args)) or loaded[-1])
        rows = worker.train_batch(job_now, job_now.runs, tmp_path)
    assert [at.step for at in loaded] == [24]
    path.unlink()
    for overrides in (few, many):
        for row, other in zip(rows, worker.train_batch(job_of(overrides), job_now.runs, tmp_path), strict=True):
            assert row.keys() == other.keys()
            for name in row:
                np.testing.assert_array_equal(row[name], other[name], err_msg=name)


def test_a_study_that_was_interrupted_and_grew_resumes(whole, config, tmp_path, hasty):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 20, control.ask_to_stop)
        with pytest.raises(KeyboardInterrupt):
            actlab.run(config, ["model.activation=prelu"], out=tmp_path / "r")
    assert len(checkpoints(tmp_path / "r")) == 1
    loaded = []
    with pytest.MonkeyPatch.context() as patch:
        original = checkpoint.load
        patch.setattr(checkpoint, "load", lambda *args: loaded.append(original(*args)) or loaded[-1])
        actlab.run(config, out=tmp_path / "r")
    assert [at.step for at in loaded if at is not None] == [24]
    same(tmp_path / "r", whole)


def test_runs_of_an_unfinished_job_are_kept(undivided, config, tmp_path, hasty, monkeypatch):
    """Three batches of one shape in one job; it is stopped in the second."""
    monkeypatch.setattr(worker, "SAVE_SECONDS", 1e9)
    narrow = ["model.activation=prelu", "train.learning_rate=1e-2", "sweep.seeds=10"]
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 60, control.ask_to_stop)
        with pytest.raises(KeyboardInterrupt):
            actlab.run(config, narrow, out=tmp_path / "r")
    assert len(checkpoints(tmp_path / "r")) == 1
    assert set(actlab.load(tmp_path / "r").runs["seed"]) == {0, 1, 2, 3}
    assert interrupts.state.stored == "4 of 10 runs are"  # the number that the next command says, too
    trained, told = [], []
    original = worker.run_job
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduling, "run_job", lambda j, *own: trained.extend(j.runs) or original(j, *own))
        actlab.run(config, narrow, out=tmp_path / "r", note=told.append)
    assert "4 of 10 runs were already stored" in told
    assert {run.labels["seed"] for run in trained} == {4, 5, 6, 7, 8, 9}
    actlab.run(config, narrow, out=tmp_path / "once")
    same(tmp_path / "r", tmp_path / "once")


def test_a_second_signal_leaves_at_once(config, tmp_path, hasty, monkeypatch):
    def twice(folder):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    saves = []
    monkeypatch.setattr(worker, "SAVE_SECONDS", 1e9)
    monkeypatch.setattr(checkpoint, "save", lambda *args: saves.append(args))
    stopped(config, tmp_path / "r", 30, twice)
    assert not saves


def test_short_studies_write_no_checkpoint(whole, undivided, config, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "save", None)
    parts = []
    original = store.write_part
    monkeypatch.setattr(store, "write_part", lambda *args: parts.append(args) or original(*args))
    actlab.run(config, out=tmp_path / "r")
    same(tmp_path / "r", whole)
    assert len(parts) == 2  # one for each job


class Trap:
    """What a pickle would do when it is read."""

    def __reduce__(self):
        return (os.mkdir, ("sprung",))


@pytest.mark.parametrize(
    "damage", thinned(["truncated", "altered", "pickle", "empty", "foreign", "older", "other layout"], 4)
)
def test_a_checkpoint_that_cannot_be_trusted_is_ignored(damage, whole, config, tmp_path, hasty, monkeypatch):
    stopped(config, tmp_path / "r", 30)
    (path,) = checkpoints(tmp_path / "r")
    content = path.read_bytes()
    if damage == "older":
        monkeypatch.setattr(store, "versions", lambda: {"actlab": "0"})
    elif damage == "other layout":
        monkeypatch.setattr(checkpoint, "LAYOUT", "runs before layers")
    elif damage == "foreign":
        stopped(config, tmp_path / "r", 20)  # the first batch is done, and another begun
        (other,) = checkpoints(tmp_path / "r")
        assert other != path
        other.write_bytes(content)
    else:
        half = len(content) // 2
        altered = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        damaged = {"truncated": content[:half], "altered": altered, "empty": b"", "pickle": pickle.dumps(Trap())}
        path.write_bytes(damaged[damage])
    monkeypatch.chdir(tmp_path)
    loaded = []
    original = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda *args: loaded.append(original(*args)) or loaded[-1])
    actlab.run(config, out=tmp_path / "r")
    assert loaded
    assert not any(loaded)
    assert not (tmp_path / "sprung").exists()
    same(tmp_path / "r", whole)


def test_a_pipe_in_the_place_of_a_checkpoint_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.checkpoint")
    assert checkpoint.load(tmp_path / "x.checkpoint", "one", {}, {}) is None


def test_a_checkpoint_of_other_arrays_is_ignored(tmp_path):
    """Even where identity and checksum agree: every shape, type and name is that of the program."""
    state = {"w": np.ones((2, 3), np.float32), "n": np.zeros(2, np.int32)}
    records = {"loss": np.ones((2, 8), np.float32)}
    path = tmp_path / "c.checkpoint"
    checkpoint.save(path, "name", checkpoint.Snapshot(8, 30, state, (records, records)))
    assert checkpoint.load(path, "name", state, records) is None  # sixteen rows, and eight said to be recorded
    checkpoint.save(path, "name", checkpoint.Snapshot(16, 30, state, (records, records)))
    loaded = checkpoint.load(path, "name", state, records)
    assert (loaded.recorded, loaded.step) == (16, 30)
    np.testing.assert_array_equal(loaded.joined()["loss"], np.ones((2, 16), np.float32))
    for other in (
        state | {"w": np.ones((3, 2), np.float32)},
        state | {"w": np.ones((2, 3))},
        {"v": state["w"], "n": state["n"]},
        state | {"x": state["n"]},
    ):
        assert checkpoint.load(path, "name", other, records) is None
    assert checkpoint.load(path, "other", state, records) is None
    content = path.read_bytes()
    for at in range(0, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :])
        assert checkpoint.load(path, "name", state, records) is None


def test_what_does_not_fit_is_split(whole, undivided, config, tmp_path, monkeypatch):
    original, sizes = worker.train_batches, []

    def cramped(one, *own):
        sizes.append(len(one.runs))
        if len(one.runs) > one.shape.spec.runs_per_call:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return original(one, *own)

    monkeypatch.setattr(worker, "train_batches", cramped)
    actlab.run(config, out=tmp_path / "r")
    assert sorted(sizes) == [2, 2, 4, 4, 6, 6]
    same(tmp_path / "r", whole)


def test_what_never_fits_is_reported_and_the_rest_is_done(undivided, config, tmp_path, monkeypatch):
    original = scheduling.run_job

    def cramped(one, *own):
        if named(one) == "prelu":
            raise MemoryError("no room")
        return original(one, *own)

    monkeypatch.setattr(scheduling, "run_job", cramped)
    with pytest.raises(RunError, match=r"2 jobs failed(?s:.)*prelu, depth 3(?s:.)*MemoryError: no room"):
        actlab.run(config, out=tmp_path / "r")
    assert set(actlab.load(tmp_path / "r").runs["activation"]) == {"relu"}


class Mortal(SerialExecutor):
    """A worker that dies of some jobs, and is of no use after that."""

    kills = staticmethod(lambda job: False)
    saved = 0

    def __init__(self):
        self.dead = False

    def submit(self, function, *job):
        if self.dead:
            raise BrokenExecutor("dead")
        if not job:  # it is to get ready
            return super().submit(function)
        one, folder, *_ = job
        if type(self).kills(one):
            self.dead = True
            control.write_heartbeat(folder, one.id, training=True, runs=0, saved=self.saved)
            worker_pools.log_of(folder / "parts", os.getpid()).write_text("first\nmalloc(): corrupted\n")
            future = Future()
            future.set_exception(BrokenExecutor("The exit codes of the workers are {SIGKILL(-9)}"))
            return future
        return super().submit(function, *job)


def test_a_dead_worker_is_replaced(whole, config, tmp_path, monkeypatch):
    died = []

    class Once(Mortal):
        kills = staticmethod(lambda one: named(one) == "prelu" and not died and not died.append(one))

    monkeypatch.setattr(worker_pools, "local", lambda *_: Once())
    actlab.run(config, out=tmp_path / "r")
    assert len(died) == 1
    same(tmp_path / "r", whole)


def test_a_job_that_had_not_begun_is_not_blamed_for_its_workers_death(whole, config, tmp_path, monkeypatch):
    """As when a cluster's scheduler has yet to notice that a machine is gone, and gives it jobs; but not for ever."""
    deaths = []

    class Gone(Mortal):
        most = 3

        def submit(self, function, *job):
            if job and named(job[0]) == "prelu" and len(deaths) < self.most:
                deaths.append(job[0])
                future = Future()
                future.set_exception(BrokenExecutor("its machine was gone"))
                return future
            return super().submit(function, *job)

    monkeypatch.setattr(worker_pools, "local", lambda *_: Gone())
    actlab.run(config, out=tmp_path / "r", workers=1)
    assert len({one.id for one in deaths}) == 1
    assert len(deaths) == 3
    same(tmp_path / "r", whole)
    log = (tmp_path / "r" / "run.log").read_text()
    assert log.count("It had not begun, and is given out again.") == 3
    assert "It is run again" not in log
    deaths.clear()
    monkeypatch.setattr(Gone, "most", 100)
    with pytest.raises(RunError, match="its worker died"):
        actlab.run(config, out=tmp_path / "r", workers=1, fresh=True)
    assert len(deaths) <= 12
    assert set(actlab.load(tmp_path / "r").runs["activation"]) == {"relu"}


def test_a_job_that_kills_again_is_reported(undivided, config, tmp_path, monkeypatch):
    deaths = []

    class Always(Mortal):
        kills = staticmethod(lambda one: named(one) == "prelu" and not deaths.append(one))

    monkeypatch.setattr(worker_pools, "local", lambda *_: Always())
    with pytest.raises(
        RunError, match=r"its worker died \(SIGKILL\(-9\)\);.*\n +first\n +malloc\(\): corrupted"
    ) as error:
        actlab.run(config, out=tmp_path / "r", workers=2)
    assert report_error(error.value) == 1
    assert set(actlab.load(tmp_path / "r").runs["activation"]) == {"relu"}
    assert [len(one.runs) for one in deaths] == [6, 4, 2]
    assert "malloc(): corrupted" in (tmp_path / "r" / "run.log").read_text()


def test_a_job_that_gets_on_may_lose_any_number_of_workers(undivided, whole, config, tmp_path, monkeypatch):
    """As on a cluster, where a worker's time is over again and again."""
    deaths = []

    class Patient(Mortal):
        kills = staticmethod(lambda one: named(one) == "prelu" and len(deaths) < 5 and not deaths.append(one))
        saved = 1

    monkeypatch.setattr(worker_pools, "local", lambda *_: Patient())
    actlab.run(config, out=tmp_path / "r", workers=2)
    assert len(deaths) == 5
    same(tmp_path / "r", whole)


def test_a_job_ends_where_another_run_holds_the_folder(whole, config, tmp_path, hasty):
    """A worker on a running cluster outlives the process that gave it its job."""
    shutil.copytree(whole, tmp_path / "r")
    (one, *_) = plan.plan(reading.read(config)).groups
    for looks, after in ((0, {}), (3, {"checkpoint"})):
        shutil.rmtree(tmp_path / "r" / "parts")
        (tmp_path / "r" / "parts").mkdir()
        (tmp_path / "r" / control.LOCK).write_text("me" if looks else "another")
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, looks, lambda folder: (folder / control.LOCK).write_text("another"))
            outcome = worker.run_job(one, tmp_path / "r", "me")
        assert not outcome.finished
        assert not outcome.parts
        assert {path.suffix[1:] for path in (tmp_path / "r" / "parts").iterdir()} - {"progress"} <= set(after)


def test_a_full_disk_at_the_very_beginning(whole, config, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "write_manifest", full)
        with pytest.raises(store.StoreError, match="No space left on device"):
            actlab.run(config, out=tmp_path / "r")
    actlab.run(config, out=tmp_path / "r")
    same(tmp_path / "r", whole)


def test_a_study_with_nothing_but_a_checkpoint_resumes_with_its_call_sizes(config, tmp_path, hasty):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "default_runs_per_call", lambda *_: 3)
        stopped(config, tmp_path / "r", 10)
    assert checkpoints(tmp_path / "r")
    assert not store.part_names(tmp_path / "r")
    study = reading.read(config)
    (sizes,) = train_study.ExecutionConfig().plan(study, store.Stored(tmp_path / "r"))[0].call_sizes.values()
    assert sizes.runs_per_call == 3


def test_a_full_disk_ends_the_run_and_nothing_half_written_counts(whole, config, tmp_path, monkeypatch):
    jobs = []
    original = worker.run_job
    monkeypatch.setattr(scheduling, "run_job", lambda j, *own: jobs.append(j) or original(j, *own))

    def full(path, *rest, **options):
        path.write_bytes(b"PAR1 and then no room")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.pq, "ParquetWriter", full)
        with pytest.raises(RunError, match=r"\.parquet: cannot be written \(No space left on device\)") as error:
            actlab.run(config, out=tmp_path / "r", workers=2)
    assert report_error(error.value) == 1
    assert len(jobs) == 2  # of four: what was begun
    assert not [path.name for path in (tmp_path / "r" / "parts").iterdir() if path.suffix != ".progress"]
    with pytest.raises(store.StoreError, match="no finished run"):
        actlab.load(tmp_path / "r")
    actlab.run(config, out=tmp_path / "r")
    same(tmp_path / "r", whole)


def test_a_full_disk_spares_the_checkpoint_before(config, tmp_path, monkeypatch):
    state = {"w": np.ones(3)}
    path = tmp_path / "c.checkpoint"
    checkpoint.save(path, "name", checkpoint.Snapshot(1, 2, state, ({"loss": np.ones((1, 1))},)))
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(store.StoreError, match=r"c\.checkpoint: cannot be written \(No space"):
        checkpoint.save(path, "name", checkpoint.Snapshot(1, 3, state, ({"loss": np.ones((1, 1))},)))
    assert contents(tmp_path) == {"c.checkpoint": before, "s.yaml": config.read_bytes()}


def test_folders_that_cannot_be_written(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(store.StoreError, match="cannot be written") as error:
        actlab.run(config, out=tmp_path / "file" / "r")
    assert report_error(error.value) == 2
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.log").mkdir()
    (tmp_path / "r" / control.LOCK).touch()  # left by a run that was killed at its very beginning
    with pytest.raises(RunError, match=r"run\.log(?s:.)*what was stored is kept") as error:
        actlab.run(config, out=tmp_path / "r")
    assert report_error(error.value) == 1


@pytest.mark.parametrize("how", ["vanishes", "changes"])
def test_a_data_file_that_is_not_what_it_was(how, undivided, config, tmp_path, monkeypatch):
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "price"])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    original = scheduling.run_job

    def changed(one, *own):
        if how == "vanishes":
            (tmp_path / "rows.csv").unlink(missing_ok=True)
        else:
            (2 * rows).to_csv(tmp_path / "rows.csv", index=False)
        return original(one, *own)

    monkeypatch.setattr(scheduling, "run_job", changed)
    why = {"vanishes": "no such file", "changes": "is not the data that this study was planned with"}[how]
    with pytest.raises(RunError, match=rf"1 job failed(?s:.)*rows\.csv: {why}") as error:
        actlab.run(
            config,
            [f"data.name={tmp_path / 'rows.csv'}", "model.activation=relu", "sweep.seeds=8"],
            out=tmp_path / "r",
            workers=1,
        )
    assert report_error(error.value) == 1
    assert "Traceback" not in str(error.value)


def test_one_run_at_a_time(whole, config, tmp_path, monkeypatch):
    shutil.copytree(whole, tmp_path / "r")
    with control.study_lock(tmp_path / "r"):
        before = contents(tmp_path / "r" / "parts")
        with pytest.raises(store.StoreError, match=rf"process {os.getpid()} on \S+, since 20\d\d-") as error:
            actlab.run(config, ["sweep.seeds=4"], out=tmp_path / "r")
        assert report_error(error.value) == 2
        with pytest.raises(store.StoreError, match="another `actlab run` or `report`"):
            actlab.run(config, out=tmp_path / "r", fresh=True)
        assert contents(tmp_path / "r" / "parts") == before
        monkeypatch.setattr(actlab, "REPORT_WAITS", 0.2)
        with pytest.raises(store.StoreError, match=rf"did not end within 0 s \(process {os.getpid()} on"):
            actlab.report(tmp_path / "r")
        assert len(actlab.load(tmp_path / "r").runs) == 12
    actlab.run(config, out=tmp_path / "r")
    same(tmp_path / "r", whole)


def test_reading_while_parts_are_merged(whole, config, tmp_path, monkeypatch):
    """A reader that has listed the parts finds them merged when it opens them, and looks again."""
    monkeypatch.setattr(store, "compact", lambda stored: None)
    actlab.run(config, out=tmp_path / "r")
    assert len(store.part_names(tmp_path / "r")) > 1
    monkeypatch.undo()
    original = store.read_part

    def merged(folder, name, manifest):
        monkeypatch.undo()
        store.compact(store.Stored(folder))
        return original(folder, name, manifest)

    monkeypatch.setattr(store, "read_part", merged)
    assert len(actlab.load(tmp_path / "r").runs) == 12
    same(tmp_path / "r", whole)


VICTIM = """
import sys
sys.path.insert(0, sys.argv[1])
import actlab
from actlab.engine import run_batch, worker, worker_pools
from tests.serial import SerialExecutor

worker_pools.local = lambda *_: SerialExecutor()
run_batch.SEGMENT_SECONDS = worker.SAVE_SECONDS = worker.LOOK_SECONDS = 0.0
actlab.run("s.yaml", out=sys.argv[2])
"""


@pytest.fixture
def started():
    """Start processes whose output is kept; none outlives the test."""
    processes = []

    def start(command, **options):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        processes.append(process)
        return process

    yield start
    for process in processes:
        with process:
            process.kill()


@pytest.mark.thorough
def test_killed_at_random_moments(whole, started, tmp_path, request):
    """SIGKILL, again and again, until a study is done; then the next study, until so many kills are spent.

    To make a kill cheap the victim trains in its own process, with the programs that the first, uninterrupted run
    compiled. Every step is a segment and is saved, so that a moment in the middle of a write is a likely one.
    """
    kills, chance = request.config.getoption("kills"), random.Random(0)
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "victim.py").write_text(VICTIM)

    def begin(folder):
        root = str(Path(__file__).parents[1])
        return started([sys.executable, "victim.py", root, folder.name], cwd=tmp_path)

    def nothing(victim, folder):
        return True

    def locked(victim, folder):
        lock = folder / control.LOCK
        return lock.exists() and f"process {victim.pid} " in lock.read_text()

    def training(victim, folder):
        heartbeats = [control.read_heartbeat(folder, path.stem) for path in (folder / "parts").glob("*.progress")]
        return any(beat.pid == victim.pid and beat.training for beat in heartbeats)

    def until(moment, victim, folder):
        while victim.poll() is None and not moment(victim, folder):
            time.sleep(0.005)
        return time.monotonic()

    def finished(victim, folder):
        output, _ = victim.communicate()
        assert victim.returncode == 0, output
        same(folder, whole)

    finished(begin(tmp_path / "first"), tmp_path / "first")
    victim = begin(tmp_path / "second")
    came = {moment: until(moment, victim, tmp_path / "second") for moment in (nothing, locked, training)}
    finished(victim, tmp_path / "second")
    spans = {moment: time.monotonic() - at for moment, at in came.items()}
    studies = killed = 0
    while killed < kills or victim.returncode != 0:
        folder = tmp_path / f"study{studies}"
        victim = begin(folder)
        if killed < kills:
            moment = chance.choices([nothing, locked, training], [1, 3, 6])[0]
            until(moment, victim, folder)
            try:
                victim.communicate(timeout=chance.uniform(0, 0.6 * spans[moment]))
            except subprocess.TimeoutExpired:
                victim.kill()
                victim.communicate()
                killed += 1
                reads_as_whole(folder, whole)
                continue
        finished(victim, folder)
        studies += 1
    print(f"{killed} kills, {studies} studies finished, each in {spans[nothing]:.1f} s if left alone")


def reads_as_whole(folder, whole):
    """What a killed run left is nothing, or whole runs."""
    try:
        results = actlab.load(folder)
    except store.StoreError:
        return
    expected = actlab.load(whole)
    for name in ("runs", "steps", "layers"):
        one, other = getattr(results, name), getattr(expected, name)
        other = other[other["run"].isin(results.runs["run"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, other[list(one)], check_exact=True)


LONG = STUDY.replace("steps: 40", "steps: 40000").replace("1e-2, 1e30", "1e-2")
LONG = LONG.replace("every: 4, evaluate_every: 8", "every: 4000, evaluate_every: 8000")


def wait_for(condition, seconds=90):
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)
    return value


def alive(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at processes in /proc")
def test_real_processes(started, tmp_path):
    """A worker killed, then Ctrl-C; the parent killed; and the study is what it would have been."""
    (tmp_path / "s.yaml").write_text(LONG)
    folder = tmp_path / "r"

    def begin():
        return started(
            [sys.executable, "-m", "actlab", "run", "s.yaml", "--out", "r", "--workers", "2"],
            cwd=tmp_path,
            start_new_session=True,
        )

    def training():
        heartbeats = [control.read_heartbeat(folder, path.stem) for path in (folder / "parts").glob("*.progress")]
        return [beat for beat in heartbeats if beat.training and alive(beat.pid)]

    first = begin()
    victim = wait_for(training)[0].pid
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: "its worker died (SIGKILL(-9))" in (folder / "run.log").read_text())
    assert victim not in {beat.pid for beat in wait_for(training)}
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    begun = time.monotonic()
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 130, output
    assert "the same command resumes from there" in output
    assert time.monotonic() - begun < 15
    assert checkpoints(folder)
    log = (folder / "run.log").read_text()
    assert log.count("It is run again") == log.count("its worker died") == 1
    assert "failed" not in log

    second = begin()
    workers = [beat.pid for beat in wait_for(training)]
    for pid in (*workers, second.pid):
        os.kill(pid, signal.SIGSTOP)  # they may take their time now
    third = begin()
    output, _ = third.communicate(timeout=60)
    assert third.returncode == 2, output
    assert f"process {second.pid} on" in output
    second.kill()
    second.wait()
    before = store.part_names(folder)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: not any(alive(pid) for pid in workers), 10)
    assert store.part_names(folder) == before  # they did not train on after that

    actlab.run(tmp_path / "s.yaml", out=folder)
    actlab.run(tmp_path / "s.yaml", out=tmp_path / "once")
    same(folder, tmp_path / "once")


def test_a_worker_that_always_dies(tmp_path, monkeypatch):
    """Real workers; the activation's file takes the process with it, and only there."""
    monkeypatch.undo()
    (tmp_path / "act.py").write_text(
        textwrap.dedent("""
        import os, sys
        if os.environ.get("NPROC") == "1":
            print("last words", file=sys.stderr, flush=True)
            os.abort()

        def f(z):
            return z
        """)
    )
    (tmp_path / "s.yaml").write_text(STUDY)
    with pytest.raises(RunError, match=r"1 job failed(?s:.)*SIGABRT(?s:.)*act\.py"):
        actlab.run(
            tmp_path / "s.yaml",
            [f"model.activation=prelu,{tmp_path / 'act.py'}:f", "train.learning_rate=1e-2", "sweep.seeds=2"],
            out=tmp_path / "r",
            workers=2,
        )
    assert set(actlab.load(tmp_path / "r").runs["activation"]) == {"prelu"}
    assert "last words" in (tmp_path / "r" / "run.log").read_text()
