"""A Dask cluster on this machine: a scheduler in this process and worker processes beside it, on loopback only."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from actlab import interrupts
from actlab.compiler_flags import CLIENT_DEFAULTS
from actlab.engine.cluster.common import LIMITS, NO_DASHBOARD, NO_PAGES, ClusterError, ended_when_deserted

START = 60  # seconds in which local workers must stand


@contextmanager
def local_cluster(distributed: Any, workers: int) -> Iterator[tuple[Any, int]]:
    """Open such a cluster for the duration of a ``with`` block.

    The workers are started by Dask's own command rather than by ``LocalCluster``, which would have each of them import
    the user's main script again, and JAX with it, before the thread limits are set.

    Raises:
        ClusterError: its workers do not come up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="actlab-dask-") as scratch,
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, host="127.0.0.1", silence_logs=False, scheduler_kwargs=NO_DASHBOARD
        ) as scheduler,
        (Path(scratch) / "workers.txt").open("w+", encoding="utf-8") as log,
    ):
        # A session of its own: Ctrl-C is the parent's to handle.
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", scheduler.scheduler_address),
                *("--nworkers", str(workers), "--nthreads", "1", "--nanny", "--host", "127.0.0.1", *NO_PAGES),
                *("--memory-limit", "0", "--death-timeout", "10", "--local-directory", scratch),
                *("--preload-nanny", "actlab.engine.cluster.preload"),
            ],
            env=CLIENT_DEFAULTS | os.environ | LIMITS,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

        def end() -> None:
            kill_all_but_trackers(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)

        def end_now() -> None:
            end()
            shutil.rmtree(scratch, ignore_errors=True)

        try:
            with interrupts.will(end_now), distributed.Client(scheduler, set_as_default=False) as client:
                if not have_come(client, workers, process):
                    log.seek(0)
                    last = "".join(log.readlines()[-5:])
                    raise ClusterError(f"the Dask workers did not start:\n{last}")
                whose, way_out = "the Dask cluster on this machine", "see whether its memory was short"
                with ended_when_deserted(client, whose, way_out, lambda: process.poll() is not None):
                    yield client, workers
        finally:
            end()


def kill_all_but_trackers(group: int) -> None:
    """Kill a group of processes; those that clean up after others do so then, and end by themselves.

    What is shared in memory, such as semaphores, has a name that stays where nothing removes it: for that Python starts
    a process, its resource tracker, beside those that share.
    """
    import psutil  # Dask has brought it

    trackers, itself = [], None
    for one in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if os.getpgid(one.pid) != group:
                continue
            if any("resource_tracker" in word for word in one.cmdline()):
                trackers.append(one)
            elif one.pid == os.getpid():
                itself = one
            else:
                one.kill()
    if itself is None:
        psutil.wait_procs(trackers, timeout=10)  # on a busy machine they have only just begun
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    else:
        itself.kill()


def have_come(client: Any, workers: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until so many workers have come; in vain after ``START`` seconds, or if the process of them all ends."""
    give_up = time.monotonic() + START
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(TimeoutError):
            client.wait_for_workers(workers, timeout=1)
            return True
    return False
