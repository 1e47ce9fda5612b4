"""Where jobs run: a pool of worker processes with one thread each, behind ``concurrent.futures.Executor``."""

import os
import signal

from loky import ProcessPoolExecutor

# XLA sizes its thread pool by NPROC when it is imported; the Eigen flag alone does not hold it to one thread. Two
# one-thread workers train about twice as many runs as one process with two threads.
WORKER_ENVIRONMENT = {"NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
# loky takes compiled programs for a leak and restarts the worker, which would compile them again.
WORKER_ENVIRONMENT["LOKY_MAX_MEMORY_LEAK_SIZE"] = "1e12"


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(workers: int) -> ProcessPoolExecutor:
    """A pool of ``workers`` fresh processes, never forked: JAX does not survive a fork.

    loky's pool does not import the main module again, so that ``actlab.run`` works in a script without a main guard.
    """
    return ProcessPoolExecutor(max_workers=workers, env=WORKER_ENVIRONMENT, initializer=ignore_interrupt)


def ignore_interrupt() -> None:
    """Leave Ctrl-C to the parent, which ends its workers: a worker's traceback helps nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
