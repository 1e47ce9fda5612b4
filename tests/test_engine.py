"""The road end to end: nothing is trained twice, nothing is lost, and resumed equals uninterrupted."""

import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import ClassVar

import jax
import numpy as np
import pandas as pd
import pytest

import actlab
from actlab import cli
from actlab.engine import (
    compiling,
    control,
    handover,
    loading,
    manifest,
    run_batch,
    second_stage,
    store,
    train_study,
    worker,
    worker_pools,
)
from actlab.engine.files import DamageError
from actlab.study import plan
from actlab.study.memory import PLANNED, CallSize, Size, worker_bytes
from actlab.study.plan import choose_call_sizes
from actlab.study.reading import StudyError
from tests.serial import SerialExecutor
from tests.thinned import thinned

OVERRIDES = ["model.depth=200", "train.batch_size=64", "measure.probe_rows=90"]
BIG = Size(depth=200, width=8, batch_size=64, probe_rows=90, rows=150, features=4, outputs=3, itemsize=4, activations=2)

STUDY = """
study: s
data: {name: iris}
model: {depth: 3, width: 8}
train: {steps: 12, batch_size: 16}
measure: {every: 4, evaluate_every: 8, probes: [signal_grad_norm, dead_fraction]}
sweep:
  matrix: {model.activation: [relu, prelu], train.learning_rate: [1e-2, 1e-3, 1e30]}
  seeds: 2
report: {tables: [performance, dead_units], figures: [], html: false}
"""


class Forbidden(Executor):
    def submit(self, function, /, *args, **kwargs):
        raise AssertionError("nothing is left to train")


@pytest.fixture
def serial(monkeypatch):
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study, trained in one go."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "s.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        actlab.run(folder / "s.yaml", out=folder / "r")
    return folder / "r"


def tables(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}


def same_frames(one, other):
    one, other = actlab.load(one), actlab.load(other)
    for name in ("runs", "steps", "layers"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


def test_frames(whole):
    results = actlab.load(whole)
    assert len(results.runs) == 12
    assert sorted(results.steps.loc[results.steps["run"] == results.runs["run"][0], "step"]) == [0, 4, 8, 12]
    assert len(results.layers) == 3 * len(results.steps)
    for frame in (results.runs, results.steps, results.layers):
        assert isinstance(frame.index, pd.RangeIndex)
    by_run = results.steps.groupby("run")["validation_loss"]
    assert by_run.count().max() == 3  # evaluations at 0, 8 and the last step only
    alpha = results.layers.merge(results.runs[["run", "activation", "status"]], on="run")
    learned = alpha[(alpha["activation"] == "prelu") & (alpha["status"] == "ok") & (alpha["step"] == 12)]["alpha"]
    assert (learned != 0.25).all()
    assert alpha[alpha["activation"] == "relu"]["alpha"].isna().all()


def test_a_diverged_run_is_a_row(whole):
    runs = actlab.load(whole).runs
    lost = runs[runs["learning_rate"] == 1e30]
    assert (lost["status"] == "diverged").all()
    assert lost["diverged_step"].notna().all()
    assert lost["test_accuracy"].isna().all()
    assert (runs[runs["learning_rate"] < 1]["status"] == "ok").all()


def test_neighbours_change_no_bit(whole, serial, tmp_path, config):
    """Four runs per call: a run next to others, next to diverging ones, or alone among copies has the same bits."""
    actlab.run(config, ["sweep.seeds=[1]", "train.learning_rate=1e-3"], out=tmp_path / "alone")
    alone, among = actlab.load(tmp_path / "alone"), actlab.load(whole)
    for name in ("steps", "layers"):
        one, other = getattr(alone, name), getattr(among, name)
        other = other[other["run"].isin(alone.runs["run"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, other[list(one)], check_exact=True)


def test_a_finished_study_trains_nothing(whole, monkeypatch, config, tmp_path):
    shutil.copytree(whole, tmp_path / "r")
    monkeypatch.setattr(worker_pools, "local", lambda *_: Forbidden())
    monkeypatch.setattr(second_stage, "execute", Forbidden().submit)
    before = tables(whole)
    shutil.rmtree(tmp_path / "r" / "tables")
    manifest.write_manifest(tmp_path / "r", manifest.read_manifest(tmp_path / "r") | {"git_revision": "then"})
    actlab.run(config, out=tmp_path / "r")
    assert tables(tmp_path / "r") == before
    assert actlab.load(tmp_path / "r").manifest["git_revision"] == "then"  # of those who measured, not of this report


def test_report_from_measurements_alone(whole, monkeypatch, tmp_path):
    shutil.copytree(whole, tmp_path / "r")
    shutil.rmtree(tmp_path / "r" / "tables")
    (tmp_path / "r" / "report.md").unlink()
    actlab.report(tmp_path / "r")
    assert tables(tmp_path / "r") == tables(whole)
    assert (tmp_path / "r" / "report.md").read_bytes() == (whole / "report.md").read_bytes()


def test_interrupted_and_resumed_equals_uninterrupted(whole, serial, config, tmp_path):
    def interrupt(state):
        raise KeyboardInterrupt

    class One(SerialExecutor):
        jobs = 0

        def submit(self, function, /, *job):
            self.jobs += bool(job)
            return super().submit(function, *job) if self.jobs <= 1 else Future()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: One())
        with pytest.raises(KeyboardInterrupt):
            actlab.run(config, out=tmp_path / "r", progress=interrupt)
    kept = len(actlab.load(tmp_path / "r").runs)
    assert 0 < kept < 12
    trained = []
    original = worker.run_job
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actlab.engine.scheduling.run_job", lambda j, *own: trained.extend(j.runs) or original(j, *own))
        actlab.run(config, out=tmp_path / "r")
    assert len(trained) == 12 - kept
    same_frames(tmp_path / "r", whole)
    assert tables(tmp_path / "r") == tables(whole)


class Observed(SerialExecutor):
    """A worker that notes what becomes of it in the list ``events`` that its class has, and each job's turn."""

    turns: ClassVar[list[int | None]] = []

    def __init__(self, workers):
        self.name = sum(event == "opened" for event, _ in self.events)
        self.events.append(("opened", self.name))

    def submit(self, function, /, *args):
        self.events.append((function.__name__, self.name))
        if function is handover.run_job:
            self.turns.append(args[-1])
        return super().submit(function, *args)

    def shutdown(self, wait=True, *, cancel_futures=False, kill_workers=False):
        self.events.append(("killed", self.name))


@pytest.fixture
def observed(monkeypatch):
    """What happens to workers, and when the study is planned."""
    events, original = [], plan.plan
    monkeypatch.setattr(worker_pools, "local", type("Now", (Observed,), {"events": events}))
    monkeypatch.setattr(plan, "plan", lambda *own, **named: events.append(("plan", None)) or original(*own, **named))
    return events


def test_workers_get_ready_while_the_study_is_planned(observed, config, tmp_path):
    actlab.run(config, ["sweep.seeds=1", "train.learning_rate=1e-2"], out=tmp_path / "r", workers=5)  # two runs
    names = [name for name, _ in observed]
    assert names[:5] == ["opened", "warm_up", "opened", "warm_up", "plan"]
    assert names.count("run_job") == 2
    assert {worker for name, worker in observed if name == "run_job"} == {0, 1}
    assert Observed.turns[-2:] == [0, 1]  # so that each compiles from another end
    assert sorted(worker for name, worker in observed if name == "killed") == [0, 1]


def test_a_worker_without_a_job_is_not_kept(observed, config, tmp_path):
    one = ["sweep.seeds=2", "train.learning_rate=1e-2", "model.activation=prelu"]  # two runs, which are one job
    actlab.run(config, one, out=tmp_path / "r", workers=2)
    assert observed.index(("killed", 1)) < observed.index(("run_job", 0))
    assert Observed.turns[-1] is None  # it is alone


def test_no_worker_gets_ready_where_all_is_stored(whole, observed, config, tmp_path):
    shutil.copytree(whole, tmp_path / "r")
    actlab.run(config, out=tmp_path / "r")
    assert [name for name, _ in observed] == ["plan"]


def test_a_plan_that_is_refused_leaves_no_worker_behind(observed, config, tmp_path):
    with pytest.raises(StudyError, match=r"train\.batch_size"):
        actlab.run(config, ["train.batch_size=1000"], out=tmp_path / "r", workers=2)
    assert sorted(worker for name, worker in observed if name == "killed") == [0, 1]
    assert not (tmp_path / "r").exists()


@pytest.fixture
def reads(monkeypatch):
    """The parts that are read from the disk, in order."""
    names, original = [], store.read_part
    monkeypatch.setattr(store, "read_part", lambda *own: names.append(own[1]) or original(*own))
    return names


def command(*words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["actlab", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert end.value.code == 0


@pytest.mark.parametrize(
    "words", thinned([["run"], ["plan"], ["run", "--memory", "1GB"], ["run", "--dry-run"], ["report"]], 4)
)
def test_a_command_reads_each_part_of_a_finished_study_once(words, whole, serial, config, tmp_path, reads, monkeypatch):
    shutil.copytree(whole, tmp_path / "r")
    monkeypatch.setattr(store, "RUNS_IN_PART", 5)
    actlab.run(config, out=tmp_path / "r")  # it only merges again
    reads.clear()
    command(*words, *([tmp_path / "r"] if words == ["report"] else [config, "--out", tmp_path / "r"]))
    assert len(reads) == 3
    assert sorted(reads) == store.part_names(tmp_path / "r")


def test_a_run_reads_each_part_once_stored_before_or_by_itself(whole, serial, config, tmp_path, reads):
    actlab.run(config, ["sweep.seeds=1"], out=tmp_path / "r")
    before = store.part_names(tmp_path / "r")
    reads.clear()
    command("run", config, "--out", tmp_path / "r")
    assert len(reads) == len(set(reads)) > 1
    assert set(before) < set(reads)
    assert not set(store.part_names(tmp_path / "r")) & set(reads)  # what was merged is known
    one, other = actlab.load(tmp_path / "r").layers, actlab.load(whole).layers
    pd.testing.assert_frame_equal(one[list(other)], other, check_exact=True)
    assert tables(tmp_path / "r") == tables(whole)


def test_a_part_that_was_replaced_is_read_again(whole, tmp_path):
    """Under the same name, as a damaged part is that was trained again."""
    shutil.copytree(whole, tmp_path / "r")
    (part,) = (tmp_path / "r" / "parts").glob("*.parquet")
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    stored = store.Stored(tmp_path / "r")
    assert stored.runs() == set()
    (tmp_path / "new").write_bytes(content)
    (tmp_path / "new").replace(part)
    assert len(stored.runs()) == 12


def test_the_lock_is_taken_once_and_before_anything_is_read(whole, serial, config, tmp_path, reads, monkeypatch):
    shutil.copytree(whole, tmp_path / "r")
    before, taken, original = set(store.part_names(tmp_path / "r")), [], control.study_lock
    monkeypatch.setattr(control, "study_lock", lambda *given: taken.append(list(reads)) or original(*given))
    actlab.run(config, ["sweep.seeds=3"], out=tmp_path / "r")
    assert taken == [[]]
    assert before <= set(reads)
    command("plan", config, "sweep.seeds=4", "--out", tmp_path / "r")
    command("run", config, "--dry-run", "--out", tmp_path / "new")
    assert len(taken) == 1
    assert not (tmp_path / "new").exists()


def test_what_another_run_finished_meanwhile_is_not_trained_again(whole, config, tmp_path, monkeypatch):
    """Between the first look at the folder and the lock."""
    original = control.study_lock
    monkeypatch.setattr(worker_pools, "local", lambda *_: Forbidden())
    monkeypatch.setattr(control, "study_lock", lambda folder: shutil.copytree(whole, folder) and original(folder))
    assert len(actlab.run(config, out=tmp_path / "r").runs) == 12


def test_a_refused_request_leaves_nothing(whole, serial, config, tmp_path):
    """The lock is taken by then, its folder made; it goes, and so do the folders above it that were not there."""
    with pytest.raises(StudyError, match=r"train\.batch_size"):
        actlab.run(config, ["train.batch_size=1000"], out=tmp_path / "new" / "deep" / "r")
    assert sorted(tmp_path.iterdir()) == [config]
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"train\.batch_size"):
        actlab.run(config, ["train.batch_size=1000"], out=tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())


def test_a_folder_that_is_no_studys_is_not_even_locked(serial, config, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    monkeypatch.setattr(control, "study_lock", None)
    for fresh in (False, True):
        with pytest.raises(store.StoreError, match="is not a study's folder"):
            actlab.run(config, out=tmp_path / "mine", fresh=fresh)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_study_that_goes_on_is_never_less_far_than_it_was(serial, config, tmp_path):
    """What is stored counts from the first look on, and is said."""
    states, told = [], []
    actlab.run(config, ["sweep.seeds=1"], out=tmp_path / "r")
    actlab.run(config, out=tmp_path / "r", progress=states.append, note=told.append)
    assert "6 of 12 runs were already stored" in told
    assert {(state.stored, state.runs) for state in states} == {(6, 6)}
    assert [state.stored_work for state in states] == pytest.approx([1 / 2] * len(states))
    looks = [state.of_all for state in states]
    assert looks == sorted(looks)
    assert looks[-1] == (12, 12, pytest.approx(1.0))


def test_progress_is_in_the_folder_while_a_study_is_trained(serial, config, tmp_path):
    """For a second terminal: the same numbers that the first one is shown, and nothing once the run has ended."""
    pairs = []

    def look(state):
        pairs.append((control.read_progress(tmp_path / "r"), state))

    assert control.read_progress(tmp_path / "r") is None
    actlab.run(config, out=tmp_path / "r", progress=look)
    training = [(read, reported) for read, reported in pairs if read is not None]
    assert all(read == reported for read, reported in training)
    assert [read.runs for read, _ in training] == [12] * len(training)
    assert training[0][0].runs_done < training[-1][0].runs_done == 12
    assert control.read_progress(tmp_path / "r") is None
    assert not (tmp_path / "r" / control.PROGRESS).exists()

    def interrupt(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actlab.run(config, ["sweep.seeds=3"], out=tmp_path / "r", progress=interrupt)
    assert control.read_progress(tmp_path / "r") is None


def test_progress_of_a_killed_run_goes_with_the_next_and_damage_is_none(whole, serial, config, tmp_path):
    shutil.copytree(whole, tmp_path / "r")
    control.write_progress(tmp_path / "r", control.Progress(0.5, 6, 12, 1, 2, {"a": "why"}, stopping=True))
    assert control.read_progress(tmp_path / "r") == control.Progress(0.5, 6, 12, 1, 2, {"a": "why"}, stopping=True)
    (tmp_path / "r" / control.PROGRESS).write_text('{"share": 0.5')
    assert control.read_progress(tmp_path / "r") is None
    actlab.run(config, out=tmp_path / "r")
    assert not (tmp_path / "r" / control.PROGRESS).exists()
    control.write_progress(tmp_path / "nowhere", control.Progress(0.5, 6, 12, 1, 2, {}))  # ends no training


def test_more_seeds_train_only_the_new(whole, serial, config, tmp_path, monkeypatch):
    shutil.copytree(whole, tmp_path / "r")
    trained = []
    original = worker.run_job
    monkeypatch.setattr("actlab.engine.scheduling.run_job", lambda j, *own: trained.extend(j.runs) or original(j, *own))
    actlab.run(config, ["sweep.seeds=3"], out=tmp_path / "r")
    assert {run.labels["seed"] for run in trained} == {2}
    assert len(actlab.load(tmp_path / "r").runs) == 18


@pytest.mark.parametrize("damage", thinned(["truncated", "altered"], 2))
def test_a_damaged_part_is_trained_again(damage, whole, serial, config, tmp_path):
    shutil.copytree(whole, tmp_path / "r")
    (part,) = (tmp_path / "r" / "parts").glob("*.parquet")
    content = bytearray(part.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(DamageError, match=rf"parts/{part.name} was altered or cut short"):
        actlab.load(tmp_path / "r")
    actlab.run(config, out=tmp_path / "r")
    same_frames(tmp_path / "r", whole)


def test_a_damaged_part_costs_its_own_runs_only(whole, serial, config, tmp_path, monkeypatch):
    """Of a large study: no more than a certain number of runs lies in one part."""
    monkeypatch.setattr(store, "RUNS_IN_PART", 5)
    shutil.copytree(whole, tmp_path / "r")
    actlab.run(config, out=tmp_path / "r")  # nothing to train: it only merges again
    parts = {path: path.read_bytes() for path in (tmp_path / "r" / "parts").glob("*.parquet")}
    assert sorted(map(len, store.Stored(tmp_path / "r").read().tables.values())) == [2, 5, 5]
    damaged = max(parts, key=lambda path: len(parts[path]))
    damaged.write_bytes(parts[damaged][:-1])
    trained = []
    original = worker.run_job
    monkeypatch.setattr("actlab.engine.scheduling.run_job", lambda j, *own: trained.extend(j.runs) or original(j, *own))
    actlab.run(config, out=tmp_path / "r")
    assert len(trained) == 5
    assert {path: path.read_bytes() for path in (tmp_path / "r" / "parts").glob("*.parquet")} == parts
    same_frames(tmp_path / "r", whole)


def test_files_of_one_name(config, tmp_path, serial):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.py").write_text("def f(z):\n    return z / (1 + z * z)\n")
    (tmp_path / "mine.py").write_text("def claim(cells):\n    pass\n\nCLAIMS = [claim]\n")
    words = [f"model.activation={tmp_path}/a/mine.py:f", f"claims={tmp_path}/mine.py"]
    with pytest.raises(StudyError, match=r"claims: another file of this study is named mine\.py too; rename one"):
        actlab.run(config, words, out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_own_data_and_activation(serial, undrawn, tmp_path):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    rows["price"] = rows["a"] - rows["b"] ** 2
    rows.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "act.py").write_text(
        textwrap.dedent("""
        import jax.numpy as jnp
        from actlab.activations import activation

        @activation(learnable=("beta",))
        def bent(z, *, beta=0.5):
            return z + beta * jnp.sin(z)
        """)
    )
    (tmp_path / "s.yaml").write_text(
        "study: own\ndata: {name: rows.csv}\nmodel: {activation: {name: act.py:bent, per: unit}, depth: 3, width: 8}\n"
        "train: {steps: 8, batch_size: 8}\nmeasure: {every: 4, evaluate_every: 4, probes: [act_mean]}\n"
    )
    results = actlab.run(tmp_path / "s.yaml", out=tmp_path / "r")
    assert results.runs["task"].tolist() == ["regression"]
    assert results.runs["activation"].tolist() == ["bent(per=unit)"]
    assert results.runs["test_accuracy"].isna().all()
    assert {"beta", "beta_min", "beta_max"} <= set(results.layers)
    assert (tmp_path / "r" / "sources" / "act.py").exists()
    (tmp_path / "r" / "sources" / "act.py").write_text("raise SystemExit")
    shutil.rmtree(tmp_path / "r" / "parts")
    again = actlab.run(tmp_path / "s.yaml", out=tmp_path / "r")  # the copy is made again from the user's file
    assert len(again.runs) == 1


def test_float64_is_honoured(serial, config, tmp_path):
    results = actlab.run(
        config,
        ["model.dtype=float64", "model.activation=relu", "train.learning_rate=1e-2", "measure.probes=[act_mean]"],
        out=tmp_path / "r",
    )
    losses = results.steps["train_loss"].to_numpy()
    assert losses.dtype == np.float64
    assert (losses != losses.astype(np.float32)).any()


def test_a_failing_job_does_not_stop_the_others(config, tmp_path):
    """Real workers, from a script without a main guard; the activation's file fails in workers only."""
    (tmp_path / "act.py").write_text(
        "import os\nif os.environ.get('NPROC') == '1':\n    raise RuntimeError('boom')\n\n\ndef f(z):\n    return z\n"
    )
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import actlab
        from actlab.engine.train_study import RunError
        try:
            actlab.run("s.yaml", ["model.activation=relu,act.py:f", "train.learning_rate=1e-3",
                "measure.probes=[act_mean]"], out="r", workers=2)
        except RunError as error:
            print("failed:", error)
        print(actlab.load("r").runs["activation"].tolist())
        """)
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "failed: 1 job failed" in done.stdout
    assert "boom" in done.stdout
    assert done.stdout.strip().endswith("['relu', 'relu']")
    assert "boom" in Path(tmp_path / "r" / "run.log").read_text()


# In one process, because XLA cuts work for as many threads as there are devices, which changes rounding too.
DEVICES = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import jax
import actlab
from actlab.engine import compiling, loading, run_batch, worker_pools
from tests.serial import SerialExecutor

worker_pools.local = lambda *_: SerialExecutor()
both = jax.local_devices()
for number in (1, 2):
    jax.local_devices = lambda: both[:number]
    jax.local_device_count = lambda: number
    compiling.programs.cache_clear()
    loading.arrays.cache_clear()
    run_batch.COMPILED.clear()
    actlab.run("s.yaml", sys.argv[1:], out=str(number), workers=1)
"""


@pytest.mark.parametrize("width", [8, pytest.param(64, marks=pytest.mark.thorough)])
def test_two_devices_share_the_runs_and_change_no_bit(config, tmp_path, width):
    """Four runs per call and one; nine runs, so that the second device ends with copies."""
    words = [f"model.width={width}", "sweep.seeds=3", "model.activation=prelu", "measure.probes=[signal_grad_norm]"]
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", DEVICES, str(Path(__file__).parents[1]), *words]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300)
    assert manifest.read_manifest(tmp_path / "1")["device"] == "cpu"
    assert manifest.read_manifest(tmp_path / "2")["device"] == "2 × cpu"
    same_frames(tmp_path / "1", tmp_path / "2")
    assert tables(tmp_path / "1") == tables(tmp_path / "2")


def planned(study, folder, fresh=False, **workers):
    return train_study.ExecutionConfig(**workers).plan(study, store.Stored(folder), fresh)


def test_little_memory_means_fewer_workers_then_fewer_runs_per_call(config, tmp_path):
    study, folder = actlab.study_of(config), tmp_path / "r"
    usual, _ = planned(study, folder, workers=2)
    assert usual.call_sizes == {8: (4, 1)}
    need = usual.worker_bytes
    for memory, workers, sizes in ((2 * need / PLANNED, 2, (4, 1)), (2 * need, 1, (4, 1))):
        plan, number = planned(study, folder, workers=2, memory=memory)
        assert (number, plan.call_sizes[8]) == (workers, sizes)
        assert number * plan.worker_bytes <= PLANNED * memory
    large = actlab.study_of(config, OVERRIDES)
    plan, number = planned(large, folder, memory=worker_bytes(BIG, CallSize(1, 1)) / PLANNED)
    assert (number, plan.call_sizes[8]) == (1, (1, 1))
    assert set(plan.runs) == set(planned(large, folder)[0].runs)
    with pytest.raises(StudyError, match=r"memory: depth 200 and width 8 need about 0\.5 GB per worker, even one run"):
        planned(large, folder, memory=1e8)


def test_a_study_resumes_with_the_call_sizes_that_it_was_begun_with(config, tmp_path, serial):
    study, folder = actlab.study_of(config), tmp_path / "r"
    actlab.run(config, ["sweep.seeds=1"], out=folder, workers=1)
    about = manifest.read_manifest(folder)
    for name in ("runs_per_call_by_width", "lane_by_width"):  # the latter in older manifests
        others = {key: value for key, value in about.items() if not key.endswith("_by_width")}
        manifest.write_manifest(folder, others | {name: {"8": 2}})
        assert planned(study, folder)[0].call_sizes == {8: (2, 1)}
    assert planned(study, folder, fresh=True)[0].call_sizes == {8: (4, 1)}
    manifest.write_manifest(folder, about)
    # Of a finished study there is nothing to train.
    assert planned(actlab.study_of(config, ["sweep.seeds=1"]), folder, memory=1e6)[0].call_sizes == {8: (4, 1)}
    # Of one that resumes with less than it was begun with, checkpoints are lost, and nothing else.
    usual, _ = planned(study, tmp_path / "new")
    plan, number = planned(study, folder, memory=0.999999 * usual.worker_bytes / PLANNED)
    assert (number, plan.call_sizes[8]) == (1, (4, 2))
    assert set(plan.runs) == set(usual.runs)


def test_every_size_of_a_width_fits():
    many_rows = Size(2, 64, 32, 32, 400_000, 16, 2, 4)
    deep = Size(200, 64, 128, 256, 1797, 64, 10, 4)
    for memory in (9.2e8, 9.5e8, 1.2e9, 4e9):
        chunks = choose_call_sizes([many_rows, deep], "gpu", memory, {})
        assert all(worker_bytes(size, chunks[64]) <= PLANNED * memory for size in (many_rows, deep))


def test_workers_that_cannot_be(config, tmp_path):
    for wrong, why in (
        ({"workers": 0}, "workers: expected a number ≥ 1, not 0"),
        ({"memory": "4GB", "cluster": "slurm.yaml"}, "memory: is for workers on this machine"),
        ({"workers": 2, "scheduler": "tcp://node17:8786"}, "a running scheduler has its own"),
    ):
        with pytest.raises(StudyError, match=why):
            actlab.run(config, out=tmp_path / "r", **wrong)
    assert not (tmp_path / "r").exists()


def test_an_amount_of_memory_that_is_none(config, tmp_path):
    for wrong in ("lots", "-1GB", 0, float("nan")):
        with pytest.raises(StudyError, match="expected an amount such as 4GB"):
            actlab.run(config, out=tmp_path / "r", memory=wrong)
    assert not (tmp_path / "r").exists()


def test_a_study_compiles_its_four_programs_once(config, tmp_path, serial, caplog):
    compiling.programs.cache_clear()
    loading.arrays.cache_clear()
    run_batch.COMPILED.clear()
    words = ["model.width=9", "model.depth=1,2,5", "train.learning_rate=1e-2,1e-3", "sweep.seeds=5"]
    words += ["measure.probes=[act_mean]"]  # the fewer, the sooner compiled
    jax.config.update("jax_log_compiles", True)  # of every thread, which the context manager is not
    try:
        results = actlab.run(config, words, out=tmp_path / "r", workers=1)
    finally:
        jax.config.update("jax_log_compiles", False)
    assert len(results.runs) == 2 * 3 * 2 * 5  # in twelve jobs and more
    messages = [record.getMessage() for record in caplog.records if "Finished XLA compilation" in record.getMessage()]
    names = [message.split("(")[1].split(")")[0] for message in messages]
    assert [names.count(name) for name in ("start", "train", "measure", "evaluate")] == [1] * 4, names
