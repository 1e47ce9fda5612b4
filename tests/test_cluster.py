"""Jobs on Dask: the same bytes wherever they run, a worker killed in the middle of a job, refusals in plain words."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import BrokenExecutor, CancelledError
from pathlib import Path

import pandas as pd
import psutil
import pytest

import actlab
from actlab import cli
from actlab.engine import cluster, control, train_study
from actlab.engine.cluster import ClusterError, ClusterLost
from actlab.engine.cluster import local as of_local
from actlab.engine.cluster import scheduler as of_scheduler
from actlab.engine.cluster import slurm as of_slurm
from actlab.engine.files import StoreError
from actlab.engine.store import Stored
from actlab.engine.train_study import ExecutionConfig
from actlab.study import reading
from actlab.study.reading import StudyError

distributed = pytest.importorskip("distributed")
pytest.importorskip("cryptography")

SLURM_FILE = Path(__file__).parents[1] / "configs" / "clusters" / "slurm.yaml"
STUDY = """
study: s
data: {name: iris}
model: {depth: 2, width: 8, activation: act.py:bent}
train: {steps: 40, batch_size: 16}
measure: {every: 10, evaluate_every: 20}
sweep: {seeds: 24}
report: {tables: [performance], figures: []}
"""
# In a worker, and where a test asks for it: the first to come here dies when the first file of any job is in the store,
# that is in the middle of its own first job.
ACTIVATION = """
import os, pathlib, signal, threading, time

def bent(z):
    return z / (1 + abs(z))

def die():
    while not list((pathlib.Path(__file__).parents[1] / "parts").iterdir()):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

if os.environ.get("NPROC") == "1" and "MARKER" in os.environ:
    try:
        os.mkdir(os.environ["MARKER"])  # an activation's file may read none
    except FileExistsError:
        pass
    else:
        threading.Thread(target=die, daemon=True).start()
"""
# Slurm, as far as dask-jobqueue sees it: a job starts at once, on this machine; its number is its process group.
SBATCH = r"""#!/bin/sh
if rm "$HOME.refuse" 2>/dev/null; then echo "sbatch: error: Socket timed out" >&2; exit 1; fi
setsid sh -c '
    log=$(echo "$0" | sed -n "s/^#SBATCH -o //p" | sed "s/%x/job/; s/%j/$$/")
    exec >"${log:-/dev/null}" 2>&1
    eval "$0"
' "$(cat "$1")" </dev/null &
echo $! >> "$HOME.jobs"
echo "Submitted batch job $!"
"""
SCANCEL = '#!/bin/sh\nkill -9 "-$1"\n'
SQUEUE = '#!/bin/sh\nfor job in $(cat "$HOME.jobs"); do kill -0 "-$job" 2>/dev/null && echo "$job"; done; true\n'


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "act.py").write_text(ACTIVATION)
    (folder / "s.yaml").write_text(STUDY)
    return folder / "s.yaml"


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The study, trained without Dask by one worker."""
    folder = tmp_path_factory.mktemp("whole") / "r"
    actlab.run(config, out=folder, workers=1)
    return folder


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A machine with Slurm's three commands, and a cluster file for it."""
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL, "squeue": SQUEUE}.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # the keys of the encrypted connections go there
    return cluster_file(tmp_path, "cores: 1\nmemory: 2GB\nlog_directory: logs\n")


@pytest.fixture
def scheduler():
    """A running scheduler, with one worker that is a thread of this process."""
    options = {"dashboard_address": None, "silence_logs": False}
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tcp", **options
    ) as scheduler:
        yield scheduler


def cluster_file(folder, text):
    path = folder / "cluster.yaml"
    path.write_text(textwrap.dedent(text))
    return path


def same(one, other):
    one, other = Path(one), Path(other)
    for name in ("runs", "steps", "layers"):
        frames = [getattr(actlab.load(folder), name) for folder in (one, other)]
        pd.testing.assert_frame_equal(*frames, check_exact=True)
    assert contents(one / "tables") == contents(other / "tables")
    assert contents(one / "parts") == contents(other / "parts")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def command(capsys, *words):
    """Return what a command line ends with: its exit code, what it printed, and what it complained of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["actlab", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    output = capsys.readouterr()
    return end.value.code, output.out, output.err


def refused(capsys, *words):
    """Return the message of a command that is refused: exit code 2, no traceback."""
    code, _, stderr = command(capsys, *words)
    assert code == 2, stderr
    assert "Traceback" not in stderr
    return stderr


def test_a_worker_killed_in_the_middle_of_a_job(whole, config, tmp_path, monkeypatch):
    monkeypatch.setenv("MARKER", str(tmp_path / "killed"))
    actlab.run(config, out=tmp_path / "r", executor="dask", workers=2)
    assert (tmp_path / "killed").exists()
    same(tmp_path / "r", whole)


def test_begun_here_and_finished_on_slurm(whole, config, slurm, tmp_path):
    def interrupt(state):
        if state.jobs_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actlab.run(config, out=tmp_path / "r", workers=1, progress=interrupt)
    assert 0 < len(actlab.load(tmp_path / "r").runs) < 24
    actlab.run(config, out=tmp_path / "r", cluster=slurm)
    (log,) = (tmp_path / "logs").iterdir()
    assert "tls://127.0.0.1" in log.read_text()
    (job,) = (tmp_path / "home.jobs").read_text().split()
    assert gone(int(job))
    assert not list((tmp_path / "home").iterdir())
    same(tmp_path / "r", whole)


def result_of(open_worker, function, *arguments):
    """Return what a worker makes of a call; a worker whose death the scheduler has yet to notice costs one more try."""
    for last in (False, False, True):
        try:
            return open_worker().submit(function, *arguments).result(timeout=60)
        except BrokenExecutor:
            if last:
                raise


def test_slurm_takes_no_more_jobs(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(of_slurm, "LOOK", 0.2)
    monkeypatch.setattr(of_slurm, "ASK", 0.2)
    monkeypatch.setattr(of_slurm, "PATIENCE", 50)  # ten seconds, for a machine that is busy
    slurm.write_text("cores: 1\nmemory: 2GB\nsecurity: false\n")
    pool = cluster.pool(tmp_path / "r", 5, cluster=slurm)
    open_worker, _ = pool.__enter__()
    assert open_worker().submit(pow, 2, 3).result(timeout=60) == 8
    time.sleep(1)  # until it is noticed that the job has begun
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho 'over quota' >&2\nexit 1\n")
    lost = open_worker().submit(time.sleep, 60)
    os.killpg(int((tmp_path / "home.jobs").read_text()), signal.SIGKILL)
    assert isinstance(lost.exception(timeout=60), BrokenExecutor)
    with pytest.raises(CancelledError) as error:
        result_of(open_worker, pow, 2, 3)
    with pytest.raises(ClusterLost, match="Slurm has taken no job for"):
        pool.__exit__(error.type, error.value, error.tb)


def test_a_slurm_job_that_ends_is_replaced(slurm, tmp_path, monkeypatch):
    """As when its walltime is over; with several workers in it, and one of them in the middle of a job."""
    monkeypatch.setattr(of_slurm, "LOOK", 0.5)
    slurm.write_text("cores: 2\nmemory: 2GB\nsecurity: false\n")
    with cluster.pool(tmp_path / "r", 5, cluster=slurm) as (open_worker, number):
        assert number == 2
        first = open_worker().submit(os.getppid).result(timeout=60)
        time.sleep(1.5)  # until it is noticed that the job has begun
        waiting = open_worker().submit(time.sleep, 3)
        (job,) = (tmp_path / "home.jobs").read_text().split()
        (tmp_path / "home.refuse").touch()  # at first
        os.killpg(int(job), signal.SIGKILL)
        assert isinstance(waiting.exception(timeout=60), BrokenExecutor)
        assert result_of(open_worker, os.getppid) != first
    jobs = (tmp_path / "home.jobs").read_text().split()
    assert len(jobs) == 2
    assert all(gone(int(job)) for job in jobs)


@pytest.mark.parametrize("logs", [True, False])
def test_slurm_jobs_that_end_before_any_worker_has_come(config, slurm, tmp_path, monkeypatch, capsys, logs):
    monkeypatch.setattr(of_slurm, "ASK", 0.5)
    text = "cores: 1\nmemory: 2GB\njob_script_prologue: ['echo no such module: cuda', exit 1]\n"
    slurm.write_text(text + ("log_directory: logs\n" if logs else ""))
    code, _, stderr = command(capsys, "run", config, "--out", tmp_path / "r", "--cluster", slurm)
    assert code == 1
    assert "Slurm ended its job before any worker had come" in stderr
    assert ("no such module: cuda" in stderr) == logs
    assert ("log_directory" in stderr) != logs
    assert "Traceback" not in stderr


def test_workers_and_one_that_dies_too_often(tmp_path):
    """One thread each, limits set, on loopback; a job that kills its worker is reported, and the next one runs."""
    before = listening()
    with cluster.pool(tmp_path, 100, workers=1) as (open_worker, number):
        pool = open_worker()
        assert number == 1
        assert pool.submit(os.getenv, "NPROC").result(timeout=60) == "1"
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result(timeout=60) == "1"
        assert pool.submit(os.getenv, "XLA_PYTHON_CLIENT_PREALLOCATE").result(timeout=60) == "false"
        (worker,) = pool.dask._client.scheduler_info()["workers"].values()
        assert worker["nthreads"] == 1
        assert {address.ip for address in listening() - before} == {"127.0.0.1"}
        deadly = pool.submit(os._exit, 1)
        died = deadly.exception(timeout=60)
        assert isinstance(died, BrokenExecutor)
        assert "workers died while running it" in str(died)
        assert pool.submit(pow, 2, 3).result(timeout=60) == 8
        pid = pool.submit(os.getpid).result(timeout=60)
    assert gone(pid)


def test_local_workers_that_end_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(of_local, "NO_PAGES", ("--no-such-option",))
    with pytest.raises(ClusterError, match=r"(?s)did not start.*no-such-option"):
        cluster.pool(tmp_path, 5, workers=1).__enter__()


def test_workers_end_with_a_killed_run(tmp_path):
    script = """
import os, pathlib, signal, time
from actlab.engine import cluster
with cluster.pool(pathlib.Path("r"), 5, workers=1) as (open_worker, _):
    worker = open_worker()
    print(worker.submit(os.getpid).result(), flush=True)
    worker.submit(sum, range(10**12))  # like a compiler, it lets nothing else in the worker run
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert gone(int(killed.stdout))


def listening():
    """List where this process and those below it take connections."""
    this = psutil.Process()
    sockets = [
        connection for one in (this, *this.children(recursive=True)) for connection in one.net_connections("inet")
    ]
    return {connection.laddr for connection in sockets if connection.status == psutil.CONN_LISTEN}


def gone(pid, seconds=10):
    """Whether a process ends within some seconds."""
    for _ in range(seconds * 10):
        if not psutil.pid_exists(pid):
            return True
        time.sleep(0.1)
    return False


def test_a_finished_study_asks_for_no_cluster(whole, config):
    actlab.run(config, out=whole, scheduler="tcp://127.0.0.1:9")


def test_no_cluster_is_started_where_another_run_holds_the_folder(config, tmp_path, monkeypatch):
    monkeypatch.setattr(train_study.cluster, "pool", None)
    with control.study_lock(tmp_path / "r"), pytest.raises(StoreError, match="another `actlab run` is at work here"):
        actlab.run(config, out=tmp_path / "r", executor="dask")


def test_no_scheduler_answers(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(of_scheduler, "REACH", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], 9):
            stderr = refused(capsys, "run", config, "--out", tmp_path / "r", "--scheduler", f"tcp://127.0.0.1:{port}")
            assert f"tcp://127.0.0.1:{port}: no Dask scheduler answers there" in stderr
    stderr = refused(capsys, "run", config, "--out", tmp_path / "r", "--scheduler", "node17")
    assert "as in tcp://node17:8786" in stderr
    assert not list(tmp_path.iterdir())


def test_a_running_scheduler(scheduler, tmp_path, monkeypatch):
    address = scheduler.scheduler_address
    monkeypatch.delenv("NPROC", raising=False)
    with pytest.raises(ClusterError, match=r"(?s)not limited to one thread.*NPROC=1 .*dask worker tcp://"):
        cluster.pool(tmp_path / "r", 5, scheduler=address).__enter__()
    monkeypatch.setenv("NPROC", "1")
    with cluster.pool(tmp_path / "r", 5, scheduler=address) as (open_worker, number):
        assert number == 1
        assert open_worker().submit(pow, 2, 3).result(timeout=60) == 8
    assert not list(tmp_path.iterdir())
    facts = of_scheduler.facts(str(tmp_path))
    for wrong, message in {
        "sees": ({"sees": False}, "must be shared, under the same path"),
        "versions": ({"versions": facts["versions"] | {"jax": "0.1"}}, r"jax 0\.1,.* make them the same"),
        "flags": ({"flags": False}, "started JAX without --xla_cpu.*=-reduce"),
    }.values():
        monkeypatch.setattr(of_scheduler, "facts", lambda probe, wrong=wrong: facts | wrong)
        with pytest.raises(ClusterError, match=message):
            cluster.pool(tmp_path / "r", 5, scheduler=address).__enter__()
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers there \(Worker\)"):
        cluster.pool(tmp_path / "r", 5, scheduler=next(iter(scheduler.scheduler_info["workers"]))).__enter__()


def test_a_scheduler_without_workers(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(of_scheduler, "REACH", 1)
    scheduler.scale(0)
    with distributed.Client(scheduler, set_as_default=False) as client:
        while client.scheduler_info()["workers"]:
            time.sleep(0.1)
    with pytest.raises(ClusterError, match=r"(?s)has no workers.*dask worker tcp://"):
        cluster.pool(tmp_path / "r", 5, scheduler=scheduler.scheduler_address).__enter__()


def test_a_scheduler_that_goes_away(tmp_path):
    def dask(module, *words):
        environment = os.environ | {"NPROC": "1"}
        command = [sys.executable, "-m", f"distributed.cli.dask_{module}", "--host", "127.0.0.1", *words]
        return subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)

    file = tmp_path / "scheduler.json"
    with (
        dask("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", file) as scheduler,
        dask("worker", "--no-nanny", "--nthreads", "1", "--no-dashboard", "--scheduler-file", file) as worker,
    ):
        try:
            while not file.exists() or not file.read_text().endswith("}"):
                assert scheduler.poll() is None
                time.sleep(0.1)
            pool = cluster.pool(tmp_path / "r", 5, scheduler=json.loads(file.read_text())["address"])
            open_worker, _ = pool.__enter__()
            waiting = open_worker().submit(time.sleep, 60)
            scheduler.kill()
            with pytest.raises(CancelledError) as error:
                waiting.result(timeout=60)
            with pytest.raises(ClusterLost, match="what is finished is kept"):
                pool.__exit__(error.type, error.value, error.tb)
        finally:
            scheduler.kill()
            worker.kill()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cores: 2\nmemory: 2GB\njob-cpu: 3\n", r"cluster\.yaml:3: job-cpu: unknown key; did you mean 'job_cpu'\?"),
        ("cores: 2\nmemoy: 2GB\n", r"(?s)memory: is missing.*yaml:2: memoy: unknown key; did you mean 'memory'\?"),
        ("cores: two\nmemory: 2GB\n", r"cluster\.yaml:1: cores: expected a whole number, not 'two'"),
        ("cores: 0\nmemory: 2GB\n", r"cluster\.yaml:1: cores: expected a number ≥ 1, not 0"),
        (
            "cores: 2\nmemory: 2GB\ninterface: lol\n",
            r"cluster\.yaml:3: .*no network interface 'lol'.*did you mean 'lo'",
        ),
        ("cores: [2\n", r"cluster\.yaml:\d: not valid YAML"),
        ("- cores\n", r"expected a mapping with the keys cores, memory"),
    ],
)
def test_a_cluster_file_with_a_mistake(text, message, tmp_path):
    with pytest.raises(ClusterError, match=message):
        cluster.job_script(cluster_file(tmp_path, text))


def test_slurm_refuses(config, slurm, tmp_path, capsys, monkeypatch):
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    words = ("run", config, "--out", tmp_path / "r", "--cluster", slurm)
    assert "Slurm refused the job: sbatch: error: invalid partition" in refused(capsys, *words)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no `sbatch` here" in refused(capsys, *words)
    assert "give one of them" in refused(capsys, *words, "--scheduler", "tcp://node17:8786")
    assert not (tmp_path / "r").exists()


def test_dry_run_prints_the_job_script(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    code, stdout, _ = command(capsys, "run", config, "--out", tmp_path / "r", "--dry-run", "--cluster", SLURM_FILE)
    assert code == 0
    assert "24 runs to train in 6 jobs on 64 workers" in stdout
    script = stdout[stdout.index("#!") :]
    assert f"#SBATCH -o {SLURM_FILE.parent}/logs/%x-%j.log" in script
    assert "#SBATCH --cpus-per-task=16" in script
    assert script.index("export NPROC=1") < script.index("dask_worker")
    assert "export XLA_PYTHON_CLIENT_PREALLOCATE=${XLA_PYTHON_CLIENT_PREALLOCATE:-false}" in script
    assert "--nthreads 1 " in script
    assert "--nworkers 16 " in script
    assert "--tls-key" in script
    assert not (SLURM_FILE.parent / "logs").exists()
    assert not (tmp_path / "r").exists()
    assert not list(tmp_path.glob(".actlab-*"))  # the keys are gone


def test_the_cluster_file_says_what_the_jobs_train_on(config, tmp_path):
    """A login node has no GPU: what it finds there must not decide the batches."""
    file = cluster_file(tmp_path, "cores: 1\nmemory: 2GB\nplatform: gpu\n")
    study = reading.read(config)
    chunks = [
        ExecutionConfig(cluster=of).plan(study, Stored(tmp_path / "r"))[0].call_sizes[8] for of in (file, SLURM_FILE)
    ]
    assert chunks == [(64, 1), (4, 1)]
    assert cluster.job_script(file)


def test_dask_is_not_installed(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    stderr = refused(capsys, "run", config, "--out", tmp_path / "r", "--executor", "dask")
    assert "pip install 'actlab[cluster]'" in stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_executor(config, tmp_path):
    with pytest.raises(StudyError, match=r"expected local or dask, not 'dusk'; did you mean 'dask'\?"):
        actlab.run(config, out=tmp_path / "r", executor="dusk")
    assert not list(tmp_path.iterdir())
