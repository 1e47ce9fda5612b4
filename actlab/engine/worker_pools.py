"""Where jobs run: worker processes with one thread each, behind ``concurrent.futures.Executor``."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
from collections import deque
from concurrent.futures import BrokenExecutor, Executor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from actlab import interrupts
from actlab.compiler_flags import CLIENT_DEFAULTS
from actlab.engine import devices
from actlab.processes import collect_rarely, end_with

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

# XLA sizes its thread pool by NPROC when it is imported; the Eigen flag alone does not hold it to one thread. Two
# one-thread workers train about twice as many runs as one process with two threads. XLA_FLAGS is not among these: the
# rooms that compute with JAX set what it needs in whatever process imports them (see ``compiler_flags``).
WORKER_ENVIRONMENT = {"NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
# loky takes compiled programs for a leak and restarts the worker, which would compile them again.
WORKER_ENVIRONMENT["LOKY_MAX_MEMORY_LEAK_SIZE"] = "1e12"
is_worker = False  # whether this process was opened here, for jobs alone


def worker_environment() -> dict[str, str]:
    """Make the variables that a worker process is started with, in addition to those of this process."""
    return {name: os.environ.get(name, value) for name, value in CLIENT_DEFAULTS.items()} | WORKER_ENVIRONMENT


def cores() -> int:
    """Count the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware() -> tuple[str, int]:
    """Find what workers will train on: ``cpu`` or an accelerator's name, and how many of its devices.

    Asked of a process of its own, and only where some accelerator's library is installed, or somebody has set what
    decides it.

    Raises:
        StudyError: JAX does not start with what is set.
    """
    devices.check()
    if os.environ.get("JAX_PLATFORMS") == "cpu" or not devices.has_accelerator():
        return "cpu", 1
    return devices.ask()


def local(workers: int) -> ProcessPoolExecutor:
    """Open a pool of ``workers`` fresh processes, never forked: JAX does not survive a fork.

    loky's pool does not import the main module again, so that ``actlab.run`` works in a script without a main guard.
    """
    from multiprocessing import resource_tracker

    from loky import ProcessPoolExecutor
    from loky.backend import resource_tracker as loky_tracker

    # Trackers of what is shared in memory: Python's unblocks signals here once it has started, so not between the next
    # two. They ignore Ctrl-C and SIGTERM, and not a hang-up, which goes to the whole group: blocked as they start, it
    # stays so, and what they know is not lost.
    with interrupts.blocked():
        resource_tracker.ensure_running()
        loky_tracker.ensure_running()
    pool = ProcessPoolExecutor(
        max_workers=workers, env=worker_environment(), initializer=begin_worker, initargs=(os.getpid(),)
    )
    with interrupts.blocked():  # a Ctrl-C that meets them before they can ignore it would have each print a traceback
        pool.submit(os.getpid)
    return pool


class Processes:
    """Worker processes for the duration of a ``with`` block, each a pool of its own: one that dies takes no other."""

    def __init__(self) -> None:
        """None yet."""
        self.pools: list[ProcessPoolExecutor] = []
        self.ready: deque[ProcessPoolExecutor] = deque()
        self.will = interrupts.will(self.kill)

    def __enter__(self) -> Processes:
        """Itself."""
        self.will.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """End all, whatever they do."""
        for pool in self.pools:
            pool.shutdown(kill_workers=True)
        self.will.__exit__(None, None, None)

    def kill(self) -> None:
        """End all from outside, where this process itself is about to be ended."""
        for pid in [pid for pool in self.pools for pid in list(getattr(pool, "_processes", None) or ())]:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def get_ready(self, number: int) -> None:
        """Have so many import what a job needs, before anyone knows which job; ``open`` gives these first."""
        from actlab.engine.handover import warm_up

        for _ in range(number):
            pool = local(1)
            self.pools.append(pool)
            self.ready.append(pool)
            pool.submit(warm_up)

    def keep(self, number: int) -> None:
        """Once all work is done: have so many processes at most ready for work of another kind, and end the others."""
        self.ready.clear()
        for pool in self.pools:
            with suppress(BrokenExecutor):  # it died of its last job
                if len(self.ready) < number:
                    pool.submit(os.getpid)
                    self.ready.append(pool)
            if pool not in self.ready:
                pool.shutdown(kill_workers=True)
        self.pools = list(self.ready)

    def keep_ready(self, number: int) -> None:
        """End those that are ready beyond so many: there is less to do than was thought."""
        while len(self.ready) > number:
            pool = self.ready.pop()
            self.pools.remove(pool)
            pool.shutdown(kill_workers=True)

    def open(self) -> Executor:
        """Return a worker that takes one job at a time: one that is ready, or else a new one."""
        if self.ready:
            return self.ready.popleft()
        self.pools.append(local(1))
        return self.pools[-1]


def log_of(logs: Path, pid: int) -> Path:
    """Where the worker with a process id writes its log."""
    return logs / f"worker-{pid}.log"


def begin_worker(parent: int) -> None:
    """Leave interruptions to the parent, which asks its workers to save; end when the parent does."""
    global is_worker
    is_worker = True
    collect_rarely()
    # A terminal's Ctrl-C, its end, and a batch system's SIGTERM go to every process of the group.
    for number in interrupts.NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()


@lru_cache(maxsize=1)
def write_log(logs: Path) -> None:
    """Have a worker write what it and the libraries below it have to say from now on into a file (see ``log_of``)."""
    if not is_worker:  # a job that runs in the user's own process, or in Dask's, leaves its output alone
        return
    with suppress(OSError):  # a job will soon say better what is wrong with the folder
        log = os.open(log_of(logs, os.getpid()), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o666)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
    faulthandler.enable(all_threads=False)
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("actlab").setLevel(logging.INFO)
