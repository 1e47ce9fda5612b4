"""Jobs on Dask: the same bytes wherever they run, a worker killed in the middle of a job, refusals in plain words."""

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

import actlab
from actlab.engine import cluster, control, train_study
from actlab.engine.cluster import ClusterError, ClusterLost, common
from actlab.engine.cluster import local as of_local
from actlab.engine.cluster import scheduler as of_scheduler
from actlab.engine.cluster import slurm as of_slurm
from actlab.engine.cluster.common import NO_DASHBOARD, NO_PAGES, REACH
from actlab.engine.cluster.file import SlurmConfig
from actlab.engine.files import StoreError
from actlab.engine.store import Stored
from actlab.engine.train_study import ExecutionConfig
from actlab.study import reading
from actlab.study.reading import StudyError
from tests.thinned import thinned
from tests.typed import typed

distributed = pytest.importorskip("distributed")
pytest.importorskip("cryptography")

SLURM_FILE = Path(__file__).parents[1] / "configs" / "clusters" / "slurm.yaml"
STUDY = """
study: s
data: {name: iris}
model: {depth: 2, width: 8, activation: act.py:bent}
train: {steps: 40, batch_size: 16}
measure: {every: 10, evaluate_every: 20, probes: [signal_grad_norm]}
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
tries=0  # until the group is there that is the job: who looks before that finds none
until kill -0 "-$!" 2>/dev/null || [ $tries -ge 300 ]; do tries=$((tries + 1)); sleep 0.01; done
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
    options = {"scheduler_kwargs": NO_DASHBOARD, "dashboard_address": "127.0.0.1:0", "silence_logs": False}
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


def refused(capsys, *words):
    """Return the message of a command that is refused: exit code 2, no traceback."""
    code, _, stderr = typed(capsys, *words)
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


def known(open_worker):
    """List the workers that the scheduler knows; one that was killed may still be among them."""
    return set(open_worker().client.scheduler_info(n_workers=-1)["workers"])


def wait_until(true, seconds=60):
    """Wait until something is so, on a machine that is busy."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def last_job(tmp_path):
    """Return the Slurm job that runs: on a busy machine an earlier one may have been replaced already."""
    return int((tmp_path / "home.jobs").read_text().split()[-1])


def begin_waiting(open_worker, tmp_path):
    """Give a worker something that takes long, and wait until it is at it: else another worker would do it."""
    begun = tmp_path / "begun"
    waiting = open_worker().submit(subprocess.run, ["sh", "-c", f"touch '{begun}'; sleep 60"])
    wait_until(begun.exists)
    return waiting


def test_slurm_takes_no_more_jobs(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(of_slurm, "LOOK", 0.2)
    monkeypatch.setattr(of_slurm, "ASK", 0.2)
    monkeypatch.setattr(of_slurm, "PATIENCE", 12)  # within which a busy machine notices that the worker has died
    slurm.write_text("cores: 1\nmemory: 2GB\nsecurity: false\n")
    pool = cluster.pool(tmp_path / "r", 5, cluster=slurm)
    open_worker, _ = pool.__enter__()
    assert open_worker().submit(pow, 2, 3).result(timeout=60) == 8
    before = known(open_worker)
    time.sleep(1)  # until it is noticed that the job has begun
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho 'over quota' >&2\nexit 1\n")
    lost = begin_waiting(open_worker, tmp_path)
    os.killpg(last_job(tmp_path), signal.SIGKILL)
    assert isinstance(lost.exception(timeout=60), BrokenExecutor)
    wait_until(lambda: not before & known(open_worker))  # a job that is given to it until then dies with it
    with pytest.raises(CancelledError) as error:
        open_worker().submit(pow, 2, 3).result(timeout=60)
    with pytest.raises(ClusterLost, match="Slurm has taken no job for"):
        pool.__exit__(error.type, error.value, error.tb)


def test_a_slurm_job_that_ends_is_replaced(slurm, tmp_path, monkeypatch):
    """As when its walltime is over; with several workers in it, and one of them in the middle of a job."""
    monkeypatch.setattr(of_slurm, "LOOK", 0.5)
    slurm.write_text("cores: 2\nmemory: 2GB\nsecurity: false\n")
    with cluster.pool(tmp_path / "r", 5, cluster=slurm) as (open_worker, number):
        assert number == 2
        wait_until(lambda: len(known(open_worker)) == 2)  # the second may be slower; it is killed with the first
        first = open_worker().submit(os.getppid).result(timeout=60)
        before = known(open_worker)
        time.sleep(1.5)  # until it is noticed that the job has begun
        waiting = begin_waiting(open_worker, tmp_path)
        ended = last_job(tmp_path)
        (tmp_path / "home.refuse").touch()  # at first
        os.killpg(ended, signal.SIGKILL)
        assert isinstance(waiting.exception(timeout=60), BrokenExecutor)
        wait_until(lambda: not before & known(open_worker))
        assert open_worker().submit(os.getppid).result(timeout=60) != first
        assert last_job(tmp_path) != ended
    assert all(gone(int(job)) for job in (tmp_path / "home.jobs").read_text().split())


def test_a_queue_is_waited_for_however_long(monkeypatch):
    """What Slurm knows of is waited for, and what it does not say; not what it has ended, or refuses."""
    monkeypatch.setattr(of_slurm, "ASK", 0.01)
    monkeypatch.setattr(of_slurm, "PATIENCE", 0.3)

    def why(workers, spec, says, seconds, here=()):
        """Return why it gives up within some seconds; ``workers`` and ``says`` may change from look to look."""
        looks, closed, reasons = iter(range(10**6)), [], []

        class Fake:
            def __init__(self):
                self.worker_spec, self.scheduler_info = spec, {"workers": here}

            @property
            def workers(self):
                ids = workers(next(looks)) if callable(workers) else workers
                return {name: SimpleNamespace(job_id=number) for name, number in ids.items()}

        monkeypatch.setattr(of_slurm, "known_jobs", lambda: says)
        client = SimpleNamespace(close=lambda: closed.append(1))

        async def watch():
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(of_slurm.close_when_deserted(Fake(), client, None, reasons), seconds)

        asyncio.run(watch())
        assert len(closed) == len(reasons)
        return reasons[0] if reasons else None

    assert why({"a": "7"}, ["a"], {"7"}, 0.4) is None  # it waits in the queue
    assert why({"a": "7"}, ["a"], None, 0.4) is None  # squeue does not answer
    assert why({"a": None}, ["a"], set(), 0.4, here=["worker"]) is None
    assert why({"a": "7", "b": None}, ["a", "b"], {"7"}, 0.4) is None  # one is refused, the other waits
    assert "Slurm ended its job before any worker had come" in why({"a": "7"}, ["a"], {"8"}, 30)
    assert "Slurm has taken no job for" in why({"a": None}, ["a"], set(), 30)
    # While it is asked once more, a job that was refused is not there at all: that is no end.
    assert "Slurm has taken no job for" in why(lambda look: {"a": None} if look % 3 else {}, ["a"], set(), 30)


@pytest.mark.parametrize("logs", thinned([True, False], 2))
def test_slurm_jobs_that_end_before_any_worker_has_come(config, slurm, tmp_path, monkeypatch, capsys, logs):
    monkeypatch.setattr(of_slurm, "ASK", 0.5)
    text = "cores: 1\nmemory: 2GB\njob_script_prologue: ['echo no such module: cuda', exit 1]\n"
    slurm.write_text(text + ("log_directory: logs\n" if logs else ""))
    code, _, stderr = typed(capsys, "run", config, "--out", tmp_path / "r", "--cluster", slurm)
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
        (worker,) = pool.client.scheduler_info()["workers"].values()
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
    held = pytest.raises(StoreError, match="another `actlab run` or `report` is at work here")
    with control.study_lock(tmp_path / "r"), held:
        actlab.run(config, out=tmp_path / "r", executor="dask")


def answering(monkeypatch_stack, answer):
    """Listen on a port of this machine, and do something with whoever connects."""
    server = monkeypatch_stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def serve():
        with suppress(OSError):  # until it is closed
            while True:
                connection, _ = server.accept()
                with suppress(OSError):
                    answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_no_scheduler_answers(config, tmp_path, monkeypatch, capsys):
    """Nothing there, something else there, no address: three sentences, each within seconds."""
    held, elsewhere = [], "something listens there, but it is no Dask scheduler, or one that wants tls://"
    with ExitStack() as servers:
        for address, why in {
            answering(servers, held.append): "something listens there, and has said nothing for 1 second",
            answering(servers, lambda one: one.close()): elsewhere,
            answering(servers, lambda one: (one.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 9), one.close())): elsewhere,
            answering(servers, lambda one: (one.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"), one.close())): elsewhere,
            answering(servers, lambda one: (one.sendall(b"\xff" * 10_000), one.close())): elsewhere,
            answering(servers, lambda one: (one.sendall(bytes(10_000)), one.close())): elsewhere,
            "tcp://127.0.0.1:9": r"nothing can be reached there \(Connection refused\)",
            "tcp://no-such-host.invalid:8786": r"nothing can be reached there \(.*known.*\)|\(.*resolution.*\)",
            "node17": r"no address of a scheduler \(missing port number in address 'node17'\)",
            "tcp://127.0.0.1": "no address of a scheduler",
            "tcp://127.0.0.1:99999": "there is no port 99999",
            "tcp://127.0.0.1:-1": "there is no port -1",
            "http://127.0.0.1:8787/status": "unknown address scheme 'http'",
            "tcp://a\nb:1": "some that cannot be printed",
            "tcp://" + "a" * 5000 + ":1": "more than 300 letters",
            "inproc://1/2/3": "inproc is for one process alone",
            "tls://127.0.0.1:9": "tls needs distributed.comm.tls",
            "": "no address of a scheduler",
        }.items():
            # Only silence is waited for; on a busy machine what answers may take more than a second to do so.
            monkeypatch.setattr(of_scheduler, "REACH", 1 if "said nothing" in why else REACH)
            stderr = refused(capsys, "run", config, "--out", tmp_path / "r", "--scheduler", address)
            assert re.search(why, stderr), (address, stderr)
            assert "as in tcp://node17:8786" in stderr
            assert len(stderr) < 600
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
    with pytest.raises(ClusterError, match=r"is Dask's, but no scheduler \(Worker\)"):
        cluster.pool(tmp_path / "r", 5, scheduler=next(iter(scheduler.scheduler_info["workers"]))).__enter__()


def test_a_scheduler_without_workers(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(of_scheduler, "REACH", 1)
    scheduler.scale(0)
    with distributed.Client(scheduler, set_as_default=False) as client:
        while client.scheduler_info()["workers"]:
            time.sleep(0.1)
    with pytest.raises(ClusterError, match=r"(?s)has no workers.*dask worker tcp://"):
        cluster.pool(tmp_path / "r", 5, scheduler=scheduler.scheduler_address).__enter__()


def test_all_workers_of_a_scheduler_gone_for_good(scheduler, config, tmp_path, monkeypatch, capsys):
    """Said, and stopped, after a stated time: with exit code 1, and without a word of it while a worker is there."""
    monkeypatch.setenv("NPROC", "1")
    monkeypatch.setattr(common, "LOOK", 0.1)
    monkeypatch.setattr(common, "PATIENCE", 1.5)
    pool = cluster.pool(tmp_path / "r", 5, scheduler=scheduler.scheduler_address)
    open_worker, _ = pool.__enter__()
    assert open_worker().submit(time.sleep, 4).result(timeout=60) is None  # longer than it waits for workers
    scheduler.scale(0)
    wait_until(lambda: not known(open_worker))
    scheduler.scale(1)  # in time
    assert open_worker().submit(pow, 2, 3).result(timeout=60) == 8
    scheduler.scale(0)
    with pytest.raises(CancelledError) as error:
        open_worker().submit(pow, 2, 3).result(timeout=60)
    gone = (
        r"^all workers of the scheduler at tcp://.* have been gone for 0\.025 minutes; what is finished is kept: start"
    )
    with pytest.raises(ClusterLost, match=gone):
        pool.__exit__(error.type, error.value, error.tb)


def test_all_workers_on_this_machine_gone_for_good(config, tmp_path, monkeypatch, capsys):
    """Their nannies killed with them, as where memory ends; from the command line."""
    begun = subprocess.Popen
    monkeypatch.setattr(common, "LOOK", 0.1)

    def doomed(*arguments, **named):
        process = begun(*arguments, **named)
        if "--preload-nanny" in arguments[0]:
            threading.Thread(target=kill_when_at_work, args=[process], daemon=True).start()
        return process

    def kill_when_at_work(process):
        wait_until((tmp_path / "r" / "parts").is_dir)
        os.killpg(process.pid, signal.SIGKILL)

    monkeypatch.setattr(of_local.subprocess, "Popen", doomed)
    code, _, stderr = typed(capsys, "run", config, "--out", tmp_path / "r", "--executor", "dask", "--workers", 1)
    assert code == 1
    assert "all workers of the Dask cluster on this machine have ended; what is finished is kept" in stderr
    assert "Traceback" not in stderr


def test_a_scheduler_that_goes_away(tmp_path):
    def dask(module, *words):
        environment = os.environ | {"NPROC": "1"}
        command = [sys.executable, "-m", f"distributed.cli.dask_{module}", "--host", "127.0.0.1", *words]
        return subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)

    file = tmp_path / "scheduler.json"
    with (
        dask("scheduler", "--port", "0", *NO_PAGES, "--scheduler-file", file) as scheduler,
        dask("worker", "--no-nanny", "--nthreads", "1", *NO_PAGES, "--scheduler-file", file) as worker,
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


WRONG = {  # what follows a good cluster file, and what is said
    "cores: 1000000000000": "expected a number ≤ 4096",
    "cores: -1": "expected a number ≥ 1, not -1",
    "cores: true": "expected a whole number, not True",
    "cores: 2.5": "expected a whole number, not 2.5",
    "cores: .nan": "expected a whole number, not nan",
    "cores: .inf": "expected a whole number, not inf",
    "cores: 1" + "0" * 4000: "at most 40 are read",
    "jobs: 1e9": "expected a whole number",
    "jobs: 100000": "expected a number ≤ 10000",
    "memory: lots": "expected an amount from 2MB to 1PB, such as 2GB, not 'lots'",
    "memory: -1GB": "expected an amount",
    "memory: 0GB": "expected an amount",
    "memory: 2": "expected an amount",
    "memory: 1e400GB": "expected an amount",
    "memory: .nan": "expected an amount",
    "memory: 999999EB": "expected an amount",
    "memory: 900000PB": "expected an amount",
    "memory: [2GB]": "expected an amount",
    "memory: " + "9" * 4000 + "GB": "expected an amount",
    "walltime: forever": "expected a time as Slurm reads it",
    "walltime: -01:00:00": "expected a time",
    "walltime: 0": "expected a time",
    "walltime: 00:00:00": "expected a time",
    "walltime: 1:2:3:4": "expected a time",
    "walltime: true": "expected a time",
    "walltime: .inf": "expected a time",
    "job_cpu: 0": "expected a number ≥ 1",
    "job_mem: a lot": "expected an amount as Slurm reads it",
    "death_timeout: -3": "expected a number ≥ 1",
    "death_timeout: 1000000000": "expected a number ≤ 86400",
    'queue: "a\\nb"': "expected one line",
    'account: ""': "expected one line",
    'log_directory: "a\\0b"': "a character that no text has",
    "queue: " + "x" * 5_000: "expected one line of at most 1000 letters, not 'xxx",
    "job_script_prologue: [1]": "expected a line of the shell",
    "job_script_prologue: module load cuda": "expected a list",
    "job_extra_directives: [" + "a, " * 1001 + "]": "expected at most 1000 lines, not 1001",
    'job_directives_skip: [""]': "expected one line",
    "security: 1": "expected true or false",
    "platform: tpu": "expected cpu or gpu",
    "shared_temp_directory: /no/such/folder": "cannot be written",
    "shared_temp_directory: ~nobody-of-that-name": "cannot be written",
    "x" * 900 + ": 1": "a key has 900 characters",
    "job_cpu: 0x" + "f" * 5000: "at most 40 are read",
    "queue: " + "[" * 500 + "]" * 500: "more than 32 deep",
    "queue: &a [*a]": "stands inside what it stands for",
    "? [1, 2]\n: 3": "expected a name as a key",
    "1: 2": "expected",
    "# " + "x" * 2**20: "has more than 400,000 bytes",
}


def test_what_a_cluster_file_may_not_say(config, tmp_path, capsys):
    """One sentence each, in a dry run too; nothing is asked of Slurm or left behind."""
    good = {"cores": "2", "memory": "2GB"}
    for text, message in WRONG.items():
        key = text.partition(":")[0]
        file = cluster_file(tmp_path, "".join(f"{one}: {value}\n" for one, value in good.items() if one != key) + text)
        with pytest.raises(ClusterError) as error:
            cluster.job_script(file)
        assert message in str(error.value), text[:80]
        assert "\n" not in str(error.value), text[:80]
        assert len(str(error.value)) < 600, text[:80]
    for text in ("cores: 1000000000000\nmemory: 2GB\n", "cores: 1\nmemory: lots\nwalltime: forever\n"):
        file = cluster_file(tmp_path, text)
        stderr = refused(capsys, "run", config, "--out", tmp_path / "r", "--cluster", file, "--dry-run")
        assert stderr.count("expected") == text.count("\n") - 1
    assert refused(capsys, "run", config, "--out", tmp_path / "r", "--cluster", tmp_path, "--dry-run")
    file.unlink()
    os.mkfifo(file)
    assert "expected a YAML file" in refused(
        capsys, "run", config, "--out", tmp_path / "r", "--cluster", file, "--dry-run"
    )
    file.unlink()
    assert not list(tmp_path.iterdir())


VALUES = (
    *(
        "0",
        "-1",
        "1",
        "2GB",
        "1e3",
        ".nan",
        "-.inf",
        "true",
        "null",
        "~",
        '""',
        "'\u2603'",
        "[]",
        "{}",
        "[1, 2]",
        "{a: 1}",
    ),
    *(
        "01:00:00",
        "1-0",
        "forever",
        "/",
        "..",
        "~root",
        "lo",
        "'\x07'",
        "[[[[]]]]",
        "!!binary aGk=",
        "2001-01-01",
        "gpu",
    ),
    *(
        "9" * 30,
        "9" * 5000,
        "x" * 5000,
        "0x7fffffffffffffff",
        "*missing",
        "&a [*a]",
        "'",
        "- 1",
        "1_000",
        "\t",
        "%",
        "@",
    ),
)
FUZZED = 150  # cluster files; 5,000 were tried once


def test_fuzzed_cluster_files(tmp_path):
    """Keys and values at random: a script, or a refusal that is short."""
    keys = [*SlurmConfig.model_fields, "corse", "memory"]
    scripts = 0
    for seed in range(FUZZED):
        dice = random.Random(seed)
        chosen = {"cores": "2", "memory": "2GB", "security": "false"}
        chosen |= {dice.choice(keys): dice.choice(VALUES) for _ in range(dice.randrange(1, 3))}
        text = "".join(f"{key}: {value}\n" for key, value in chosen.items())
        try:
            said = cluster.job_script(cluster_file(tmp_path, text))
        except StudyError as error:
            said = str(error)
        scripts += "#SBATCH" in said
        assert "#SBATCH" in said or len(said) < 1000, text[:200]
    assert scripts > FUZZED / 30


def test_what_a_cluster_file_may_say(tmp_path):
    """The longest that it takes, and each way to write an amount or a time."""
    for text in (
        "cores: 4096\nmemory: 1PB\njobs: 10000\nwalltime: unlimited\n",
        "cores: 1\nmemory: 1.5 TiB\nwalltime: 1-12:30:00\njob_mem: '0'\n",
        "cores: 1\nmemory: 512m\nwalltime: 90\njob_mem: 4000MB\njob_script_prologue: ['if true; then\n  x; fi']\n",
    ):
        assert "#SBATCH" in cluster.job_script(cluster_file(tmp_path, f"{text}security: false\n"))


def test_dask_is_there_and_cryptography_is_not(config, slurm, tmp_path, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for words in ((), ("--dry-run",)):
        stderr = refused(capsys, "run", config, "--out", tmp_path / "r", "--cluster", slurm, *words)
        assert "needs the package cryptography" in stderr
        assert "pip install 'actlab[cluster]', or write `security: false`" in stderr
    assert not (tmp_path / "r").exists()
    assert not (tmp_path / "home.jobs").exists()
    assert not list((tmp_path / "home").iterdir())


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
    code, stdout, _ = typed(capsys, "run", config, "--out", tmp_path / "r", "--dry-run", "--cluster", SLURM_FILE)
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
