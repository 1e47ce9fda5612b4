"""Jobs on Dask: a local cluster, a scheduler that is already running, or Slurm, behind ``concurrent.futures.Executor``.

Whatever the cluster is, a worker is a process with one thread whose thread limits were set before JAX was imported,
never a fork of this one, watched by a nanny that starts it again when it dies. Jobs go by name and plain values,
results come back through the study's folder, which every worker must see under the same absolute path. Dask is imported
only when it is asked for.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actlab.engine.cluster.common import REACH, ClusterError, ClusterLost, imported
from actlab.engine.cluster.file import promised
from actlab.engine.cluster.local import local_cluster
from actlab.engine.cluster.scheduler import running_cluster
from actlab.engine.cluster.slurm import job_script, slurm_cluster
from actlab.engine.worker_pools import cores

__all__ = ["ClusterError", "ClusterLost", "job_script", "pool", "promised"]

DASK = {
    "distributed.scheduler.allowed-failures": 0,  # what becomes of a job whose worker died is not Dask's to decide
    "distributed.scheduler.worker-saturation": 1.0,  # else a worker's death is blamed on a job that waits there too
    "distributed.comm.timeouts.connect": f"{REACH} s",
}


@contextmanager
def pool(
    folder: Path, runs: int, workers: int | None = None, scheduler: str | None = None, cluster: Path | None = None
) -> Iterator[tuple[Callable[[], Executor], int]]:
    """Connect to Dask: a way to open workers, all behind one executor, and how many there are or will be.

    Args:
        folder: the study's folder; it need not exist yet.
        runs: how many there are to train: more workers than that are never asked for.
        workers: how many: one for each core by default, or what the cluster file asks for; a running scheduler has its
            own.
        scheduler: the address of a running scheduler, as ``tcp://host:8786``.
        cluster: a cluster file, for Slurm.

    Raises:
        ClusterError: Dask is not installed, the scheduler does not answer, its workers cannot be used, or the file is
            wrong.
        ClusterLost: the scheduler went away while jobs ran.
    """
    if scheduler is not None and cluster is not None:
        raise ClusterError("--scheduler and --cluster: give one of them; a cluster file starts its own scheduler")
    distributed = imported("distributed")
    with imported("dask").config.set(DASK), quiet():
        if scheduler is not None:
            opened = running_cluster(distributed, scheduler, folder)
        elif cluster is not None:
            opened = slurm_cluster(distributed, cluster, min(workers or runs, runs))
        else:
            opened = local_cluster(distributed, min(workers or cores(), runs))
        with opened as (client, number):
            executor = Workers(client, distributed.KilledWorker)
            try:
                yield lambda: executor, number
            except CancelledError:
                raise ClusterLost(
                    "the Dask scheduler went away; what is finished is kept, and the same command resumes from there"
                ) from None


class Workers(Executor):
    """Dask's workers; one that dies is reported as by any pool: by ``BrokenExecutor``."""

    def __init__(self, client: Any, killed: type[Exception]) -> None:
        """Of a client; ``killed`` is what Dask says when a worker died of a job."""
        self.client = client
        self.dask = client.get_executor(pure=False)  # pure: a job that failed would not run a second time
        self.killed = killed

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Run a function in a worker."""
        future: Future[Any] = Future()

        def pass_on(done: Future[Any]) -> None:
            if done.cancelled():
                future.cancel()
                future.set_running_or_notify_cancel()
            elif isinstance(error := done.exception(), self.killed):
                future.set_exception(BrokenExecutor(str(error)))
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result())

        try:
            asked = self.dask.submit(function, *arguments, **named)
        except Exception:
            if self.client.status == "running":
                raise
            future.cancel()  # the scheduler, or all workers, went away since the last job
            future.set_running_or_notify_cancel()
        else:
            asked.add_done_callback(pass_on)
        return future


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back Dask's own log: it would report every worker that ends; what matters is raised."""
    levels = {log: log.level for log in map(logging.getLogger, ("distributed", "distributed.client"))}
    for log in levels:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in levels.items():
            log.setLevel(level)
