"""Signals and sinks: 130 at whatever moment, and output that nobody takes ends no work.

``python -m pytest tests/test_interrupts.py --interrupts 60`` interrupts each command at sixty moments instead of a few.
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import actlab
from actlab import interrupts, limits, sinks
from actlab.cli.errors import report_error
from actlab.engine import control, scheduling, store, train_study, worker_pools
from actlab.engine.cluster import local
from tests.serial import SerialExecutor

ROOT = Path(__file__).parents[1]
ACTLAB = [sys.executable, "-m", "actlab"]
STUDY = """
study: s
data: {name: iris}
model: {depth: 3, width: 8, activation: prelu}
train: {steps: 4, batch_size: 16}
measure: {every: 4, evaluate_every: 4, probes: [signal_grad_norm, dead_fraction]}
sweep: {seeds: 1}
report: {tables: [performance], figures: [], html: false}
"""
# What cannot happen at one moment of a real command more often than now and then, made certain.
SWALLOWS = """
import actlab.cli, gc, os, signal, sys, time
from actlab import interrupts
from actlab.start import main

def dropped(phase, info):
    if phase == "start" and not done:
        done.append(1)
        os.kill(os.getpid(), signal.SIGINT)

def turned():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    except BaseException:
        from actlab.engine.files import StoreError

        raise StoreError("whoever caught it made this of it") from None

def deaf():  # as a library that computes, and would not look
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        time.sleep(20)

def in_jax():
    code = compile("def f(): os.kill(os.getpid(), signal.SIGINT); os.write(1, b'passed;')", "/x/jax/y.py", "exec")
    exec(code, globals())
    f()
    time.sleep(5)

def at_exit():
    import atexit
    atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))

done = []
how = sys.argv[1]
def command():
    with interrupts.will(lambda: os.write(1, b"will;")):
        interrupted()

def interrupted():
    if how == "gc":
        gc.callbacks.append(dropped)
        gc.collect()
        gc.callbacks.clear()
        time.sleep(5)
    else:
        {"import": turned, "deaf": deaf, "jax": in_jax, "exit": at_exit, "hup": lambda: os.kill(os.getpid(), 1)}[how]()
        if how == "hup":
            time.sleep(5)

actlab.cli.app = lambda **_: command()
main()
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study, trained in this process."""
    folder = tmp_path_factory.mktemp("s")
    (folder / "s.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        actlab.run(folder / "s.yaml", out=folder / "r")
    return folder


def shell(command, cwd, **more):
    """Run a line of shell with ``actlab`` in it."""
    line = command.replace("actlab ", f"{sys.executable} -m actlab ")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, **more
    )


@pytest.mark.parametrize("how", ["gc", "import", "deaf", "jax", "exit", "hup"])
def test_a_signal_is_never_lost(how, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS, how],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip() == ("Interrupted by SIGHUP." if how == "hup" else "Interrupted."), done.stderr
    assert ("passed;" in done.stdout) == (how == "jax")  # nothing is raised there
    assert ("will;" in done.stdout) == (how == "deaf")  # where nothing was unwound


def test_interrupted_at_many_moments(study, tmp_path, request):
    """Real commands, real signals, to the whole group as a terminal sends them."""
    moments, chance = request.config.getoption("interrupts"), random.Random(0)
    commands = {
        "plan": ["plan", "s.yaml"],
        "report": ["report", "r"],
        "run": ["run", "s.yaml", "--out", "new", "--workers", "1"],
        "compare": ["compare", "r", "--metric", "train_loss"],
        "describe": ["describe", "relu"],
    }
    spans = {"plan": 1.0, "report": 2.0, "run": 4.0, "compare": 1.0, "describe": 2.0}
    counts = {}
    for number in range(moments):
        for name in commands if moments > 5 else [list(commands)[number % len(commands)]]:
            folder = tmp_path / f"{name}{number}"
            shutil.copytree(study, folder)
            process = subprocess.Popen(
                [*ACTLAB, *commands[name]],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            begun = Path(f"/proc/{process.pid}/status")
            while process.poll() is None and not catches(begun):  # before that it is Python that begins
                time.sleep(0.005)
            time.sleep(chance.uniform(0, spans[name]))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
            assert process.returncode in (0, 130), (name, number, process.returncode, output)
            if process.returncode == 130:
                assert output.count("Interrupted") == 1, (name, number, output)
                assert not (folder / "new" / control.LOCK).exists()
                assert not list(folder.rglob("*.tmp"))
                assert not (folder / "new").exists() or (folder / "new" / "manifest.json").exists()
            assert "Traceback" not in output, (name, number, output)
            assert "Exception ignored" not in output, (name, number, output)
            counts[name, process.returncode] = counts.get((name, process.returncode), 0) + 1
    print(counts)


def catches(status):
    """Whether a process has a handler for hang-ups, which Python itself has not."""
    try:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    except OSError:
        return True
    return int(lines["SigCgt"], 16) & 1


def test_a_late_signal_counts_and_handlers_come_back(tmp_path):
    """One that comes when all jobs have ended, and nobody asks any more; a hang-up that is ignored stays so."""
    (tmp_path / "parts").mkdir()
    before = [signal.getsignal(number) for number in interrupts.NUMBERS]
    for number in interrupts.NUMBERS:
        with pytest.raises(KeyboardInterrupt), control.interruptible(tmp_path):
            os.kill(os.getpid(), number)
        assert (tmp_path / "parts" / "stop").exists()
        (tmp_path / "parts" / "stop").unlink()
        assert [signal.getsignal(one) for one in interrupts.NUMBERS] == before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with control.interruptible(tmp_path):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert not (tmp_path / "parts" / "stop").exists()
    assert interrupts.state.asked is None  # a program of the user's own is not a command


FIRST_WORKER = """
import signal
from actlab import interrupts
from actlab.engine import worker_pools

pool = worker_pools.local(1)
mask = pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
assert set(interrupts.NUMBERS) <= mask, mask
assert not set(interrupts.NUMBERS) & signal.pthread_sigmask(signal.SIG_BLOCK, [])
import os, time
from multiprocessing import resource_tracker
from loky.backend import resource_tracker as of_loky
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of the process that has the group hear of it
pids = [one._resource_tracker._pid for one in (resource_tracker, of_loky)]
os.killpg(0, signal.SIGHUP)
time.sleep(0.3)
assert [os.waitpid(pid, os.WNOHANG) for pid in pids] == [(0, 0)] * 2  # what they know is not lost
pool.shutdown(kill_workers=True)
"""


def test_the_first_worker_of_a_process_begins_deaf_to_signals(tmp_path):
    """Before it Python starts its resource tracker, and unblocks signals once that is done."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_WORKER], cwd=tmp_path, capture_output=True, text=True, start_new_session=True
    )
    assert done.returncode == 0, done.stderr


DROPPED = [
    ("actlab list | head -1; exit ${PIPESTATUS[0]}", "", ""),
    ("actlab plan s.yaml --json > /dev/full; test $? = 1", "standard output cannot be written (No space left", ""),
    ("actlab report r > /dev/full", "standard output cannot be written (No space left", "(No space left on device)"),
    ("actlab compare r --metric train_loss >&- 2>&- 0<&-", "", ""),
    ("actlab run s.yaml --out r > /dev/full", "No space left on device", "cannot be written (No space left on device)"),
]
MORE_DROPPED = [
    ("actlab runs r --json > /dev/full; test $? = 1", "standard output cannot be written (No space left", ""),
    ("actlab watch r --once > /dev/full; test $? = 1", "standard output cannot be written (No space left", ""),
    ("actlab --help 2>&- >/dev/full; test $? = 1", "", ""),
    ("actlab report r | true; exit ${PIPESTATUS[0]}", "", "standard output cannot be written (Broken pipe)"),
]


PROGRESS = r"\d+/\d+ runs, |writing tables|r/report.md: the report is up to date"


def test_output_that_nobody_takes_is_dropped(study, tmp_path, pytestconfig):
    for line, said, logged in DROPPED + MORE_DROPPED * pytestconfig.getoption("thorough"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(study, folder)
        done = shell(line, folder)
        assert done.returncode == 0, (line, done.stderr)
        wrong = [one for one in done.stderr.splitlines() if not re.match(PROGRESS, one)]
        assert len(wrong) == bool(said), (line, done.stderr)  # progress is on standard error as well
        assert said in done.stderr
        log = (folder / "r" / "run.log").read_text()
        assert logged in log, (line, log)
        assert log.count("cannot be written") == bool(logged)
        assert (folder / "r" / "report.md").exists()


def test_descriptors_that_are_closed_lead_nowhere(tmp_path):
    code = "from actlab import sinks; sinks.stand(); import sys; print('x', flush=True); print('y', file=sys.stderr)\n"
    code += "file = open('f', 'w'); sys.stdin.read(); sys.exit(0 if file.fileno() > 2 and not sinks.unsaid else 1)"
    (tmp_path / "open.py").write_text(code)
    for closed in (">&-", "2>&-", "0<&-", ">&- 2>&- 0<&-"):
        done = shell(f"exec {sys.executable} open.py {closed}", tmp_path)
        assert done.returncode == 0, (closed, done.stderr)


def test_a_terminal_that_went_away(monkeypatch):
    monkeypatch.setattr(sinks, "unsaid", [])
    master, slave = os.openpty()
    sink = sinks.Sink(slave, "w", closefd=False)
    assert sink.write(b"seen\n") == 5
    os.close(master)
    assert [sink.write(b"unseen\n"), sink.write(b"unseen\n")] == [7, 7]
    assert sinks.unsaid == ["output cannot be written (Input/output error): the rest of it is dropped"]
    os.close(slave)


def test_what_a_killed_run_left_is_cleared(tmp_path):
    for place in ("", "parts", "tables", "figures", "sources/own"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / ".x.csv.0123456789ab.tmp").touch()
    (tmp_path / "sources" / "notes.tmp").touch()  # the user's own
    control.tidy(tmp_path, finished=False)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["notes.tmp"]


def test_a_copied_source_appears_whole(tmp_path, monkeypatch):
    source = tmp_path / "act.py"
    source.write_text("x = 1\n")

    def cut(path, content):
        path.write_text("x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(store.StoreError, match="No space left"):
        store.create(tmp_path / "r", "study: s\n", {"act.py": source}, {}, [])
    assert not list((tmp_path / "r" / "sources").iterdir())


def test_git_is_asked_without_writing(monkeypatch):
    asked = []

    def run(words, **_):
        asked.append(words)
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    scheduling.git_revision()
    assert all(words[1] == "--no-optional-locks" for words in asked)


LIMITED = [
    ("ulimit -n 64; actlab plan s.yaml --workers 8", 0, "ulimit -n 64 (of open files) leaves room for 4 of 8 workers"),
    ("ulimit -n 34; actlab run s.yaml --workers 8 --out new", 1, "one needs ulimit -n 37"),
    ("ulimit -v 1000000; actlab run s.yaml --out new", 1, "ulimit -v 1000000 (of address space) is too little"),
]


def test_a_limit_of_the_system_is_one_sentence(study, tmp_path):
    for line, code, said in LIMITED:
        shutil.copyfile(study / "s.yaml", tmp_path / "s.yaml")
        done = shell(line, tmp_path)
        assert done.returncode == code, (line, done.stderr)
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1, (line, done.stderr)
        assert not (tmp_path / "new").exists()


def test_room_for_workers(monkeypatch):
    monkeypatch.setattr(limits, "raise_to", lambda *_: None)
    monkeypatch.setattr(limits, "NEEDS", tuple(one._replace(used=lambda: 0) for one in limits.NEEDS))
    for allowed, workers in (({"n": 86}, 8), ({"n": 85}, 7), ({"u": 64}, 3), ({"n": 64, "u": 64}, 3), ({}, 8)):
        monkeypatch.setattr(limits, "limit", allowed.get)
        assert limits.fit(8)[0] == workers
        assert train_study.ExecutionConfig(workers=8).number == workers
        assert train_study.ExecutionConfig("dask", workers=8).number == 8
    monkeypatch.setattr(limits, "limit", {"u": 20}.get)
    with pytest.raises(limits.LimitError, match=r"ulimit -u 20 .* one needs ulimit -u 28: raise it"):
        limits.fit(2)


def test_errors_that_a_limit_explains(monkeypatch, capsys):
    monkeypatch.setattr(limits, "limit", {"v": 2**30, "n": 64, "u": 50, "f": 2048}.get)
    errors = {
        "ulimit -v 1048576": MemoryError(),
        "ulimit -n 64": OSError(24, "Too many open files"),
        "ulimit -u 50": RuntimeError("can't start new thread"),
        "ulimit -f 2": OSError(27, "File too large", "x.csv"),
    }
    for said, error in errors.items():
        assert report_error(error) == 1
        assert said in capsys.readouterr().err.replace("\n", " ")
    with pytest.raises(RuntimeError, match="else"):
        report_error(RuntimeError("something else"))


SHARES = """
import multiprocessing, time
semaphore = multiprocessing.get_context("spawn").Semaphore()
print(semaphore._semlock.name, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="looks at what is shared in memory")
def test_semaphores_of_killed_workers_are_removed():
    """Dask's nannies and their queues: a tracker that is killed with them could remove nothing."""
    process = subprocess.Popen(
        [sys.executable, "-c", SHARES], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        name = process.stdout.readline().strip().strip("/")
        assert Path(f"/dev/shm/sem.{name}").exists()
        parent, give_up = psutil.Process(process.pid), time.monotonic() + 60
        while not any("resource_tracker" in word for one in parent.children() for word in one.cmdline()):
            assert time.monotonic() < give_up  # it was forked, and is not itself before it has begun
            time.sleep(0.01)
        local.kill_all_but_trackers(process.pid)
    assert process.returncode == -signal.SIGKILL
    assert not Path(f"/dev/shm/sem.{name}").exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="looks at shared memory")
def test_a_run_that_was_killed_with_all_of_its_processes_leaves_no_semaphores(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {pid: Path(f"/dev/shm/sem.loky-{pid}-actlab-test") for pid in (gone.pid, os.getpid())}
    try:
        for pid, semaphore in names.items():
            semaphore.touch()
            (tmp_path / control.LOCK).write_text(f"process {pid} on {socket.gethostname()}, since then\n")
            with control.study_lock(tmp_path):
                pass
        assert [semaphore.exists() for semaphore in names.values()] == [False, True]  # the other one may be at work
    finally:
        for semaphore in names.values():
            semaphore.unlink(missing_ok=True)
