"""Where jobs run: worker processes with one thread each, behind ``concurrent.futures.Executor``."""

import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from loky import ProcessPoolExecutor

# XLA sizes its thread pool by NPROC when it is imported; the Eigen flag alone does not hold it to one thread. Two
# one-thread workers train about twice as many runs as one process with two threads. XLA_FLAGS is not among these: the
# rooms that compute with JAX set what it needs in whatever process imports them (see ``compiler_flags``).
WORKER_ENVIRONMENT = {"NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
# loky takes compiled programs for a leak and restarts the worker, which would compile them again.
WORKER_ENVIRONMENT["LOKY_MAX_MEMORY_LEAK_SIZE"] = "1e12"


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=1)
def hardware() -> tuple[str, int]:
    """What workers will find: ``cpu`` or an accelerator's name, and how many of its devices.

    Asked of a process of its own, and only where some accelerator's library is installed: this process would take hold
    of the accelerator's memory by asking.
    """
    known = find_spec("jax_plugins") is not None or find_spec("libtpu") is not None or entry_points(group="jax_plugins")
    if not known or os.environ.get("JAX_PLATFORMS") == "cpu":
        return "cpu", 1
    pool = local(1)
    try:
        return pool.submit(backend).result()
    finally:
        pool.shutdown(kill_workers=True)


def backend() -> tuple[str, int]:
    """The platform that JAX chooses here, and the number of its devices."""
    import jax

    return jax.default_backend(), jax.local_device_count()


def local(workers: int, logs: Path | None = None) -> ProcessPoolExecutor:
    """A pool of ``workers`` fresh processes, never forked: JAX does not survive a fork.

    loky's pool does not import the main module again, so that ``actlab.run`` works in a script without a main guard.

    Args:
        workers: how many.
        logs: a folder where each worker writes what it and the libraries below it have to say (see ``log_of``); by
            default that goes where this process's own output goes.
    """
    return ProcessPoolExecutor(
        max_workers=workers, env=WORKER_ENVIRONMENT, initializer=begin_worker, initargs=(os.getpid(), logs)
    )


@contextmanager
def processes(logs: Path) -> Iterator[Callable[[], Executor]]:
    """A way to open worker processes, each a pool of its own: one that dies takes no other with it.

    In the end all are killed, whatever they do.
    """
    pools: list[ProcessPoolExecutor] = []

    def open_worker() -> Executor:
        pools.append(local(1, logs))
        return pools[-1]

    try:
        yield open_worker
    finally:
        for pool in pools:
            pool.shutdown(kill_workers=True)


def log_of(logs: Path, pid: int) -> Path:
    """Where the worker with a process id writes its log."""
    return logs / f"worker-{pid}.log"


def begin_worker(parent: int, logs: Path | None) -> None:
    """Leave interruptions to the parent, which asks its workers to save; write a log; end when the parent does."""
    # A terminal's Ctrl-C and a batch system's SIGTERM go to every process of the group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    if logs is not None:
        with suppress(OSError):  # a job will soon say better what is wrong with the folder
            log = os.open(log_of(logs, os.getpid()), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o666)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
        faulthandler.enable(all_threads=False)
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("actlab").setLevel(logging.INFO)


def end_with(parent: int) -> None:
    """End this process at once when its parent is gone: nobody would note what it still trains."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
