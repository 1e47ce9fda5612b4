"""Signals and sinks: 130 at whatever moment, and output that nobody takes ends no work.

``python -m pytest tests/test_interrupts.py --interrupts 60`` interrupts each command at sixty moments instead of a few.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import actlab
from actlab import interrupts, limits, sinks
from actlab.cli.errors import report_error
from actlab.engine import compiled, control, scheduling, store, train_study, worker_pools
from tests.serial import SerialExecutor

ROOT = Path(__file__).parents[1]
ACTLAB = [sys.executable, "-m", "actlab"]
STUDY = """
study: s
data: {name: iris}
model: {depth: 2, width: 4}
train: {steps: 4, batch_size: 16}
measure: {every: 4, evaluate_every: 4}
sweep: {seeds: 1}
report: {tables: [performance], figures: []}
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
        raise ImportError("a module in C made this of it") from None

def deaf():  # as a library that computes, and would not look
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        time.sleep(20)

def in_jax():
    code = compile("def f(): os.kill(os.getpid(), signal.SIGINT); passed.append(1)", "/x/jax/y.py", "exec")
    exec(code, globals())
    f()
    time.sleep(5)

def at_exit():
    import atexit
    atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))

done, passed = [], []
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
    assert how != "jax"

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
        patch.setattr(compiled, "enable_compilation_cache", lambda: None)
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
