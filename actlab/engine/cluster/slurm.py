"""Workers that Slurm starts: its cluster file, its job script, and jobs that are replaced when their time is over."""

import asyncio
import getpass
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from actlab.compiler_flags import CLIENT_DEFAULTS
from actlab.engine.cluster.common import (
    LIMITS,
    NO_DASHBOARD,
    NO_PAGES,
    ClusterError,
    ClusterLost,
    imported,
    shortened,
)
from actlab.engine.cluster.file import SlurmConfig, log_directory, place, read
from actlab.naming import nearest
from actlab.study.reading import short_path

LOOK = 2  # seconds between two looks at whether Slurm has ended a job
ASK = 10  # seconds between two questions to Slurm itself, asked only while there is no worker
PATIENCE = 300  # seconds until it is believed that Slurm takes no more jobs
LAST_WORDS = 6  # lines of an ended job's log that are worth showing


@contextmanager
def slurm_cluster(distributed: Any, path: Path, most: int) -> Iterator[tuple[Any, int]]:
    """Open a scheduler in this process, and Slurm jobs that hold the workers and are replaced when their time is over.

    Args:
        distributed: the module.
        path: the cluster file.
        most: how many workers there is work for.

    Raises:
        ClusterError: the file is wrong, or Slurm refuses the job.
        ClusterLost: no job is left that could bring a worker.
    """
    config = read(path)
    jobs = min(config.jobs, -(-most // config.cores))
    arguments = slurm_arguments(config, path)
    trust = credentials(distributed, config)
    if shutil.which("sbatch") is None:
        raise ClusterError("--cluster: there is no `sbatch` here; start this on a machine that can submit to Slurm")
    logs = log_directory(config, path)
    if logs is not None:
        try:
            logs.mkdir(parents=True, exist_ok=True)  # Slurm ends a job at once that cannot write there
        except OSError as error:
            raise ClusterError(f"{place(path, 'log_directory')}: log_directory: {logs}: {error.strerror}") from None
    with trust as security, described(imported("dask_jobqueue"), path, security, arguments) as cluster:
        try:
            cluster.sync(submit, cluster, jobs)
        except (RuntimeError, ValueError) as error:
            for job in cluster._created:
                job.status = type(job.status).failed  # else closing the cluster would wait for it
            said = str(error).partition("stderr:")[2].strip() or str(error)
            raise ClusterError(f"{path}: Slurm refused the job: {said}") from None
        with distributed.Client(cluster, set_as_default=False) as client:
            why: list[str] = []
            watched = watch(cluster, client, jobs, logs, why)
            watching = asyncio.run_coroutine_threadsafe(watched, cluster.loop.asyncio_loop)
            try:
                yield client, min(jobs * config.cores, most)
            except ClusterLost:
                if why:
                    raise ClusterLost(why[0]) from None
                raise
            finally:
                watching.cancel()


async def watch(cluster: Any, client: Any, jobs: int, logs: Path | None, why: list[str]) -> None:
    """Keep as many Slurm jobs as were asked for, until none is left that could bring a worker: then say ``why``."""
    await asyncio.gather(replace_ended(cluster, jobs), close_when_deserted(cluster, client, logs, why))


async def replace_ended(cluster: Any, jobs: int) -> None:
    """Ask Slurm for another job wherever one has had workers and has none any more, as when its walltime is over.

    Dask's own ``adapt`` does not see that a job with several workers has ended, nor that Slurm has refused one.
    """
    begun: set[str] = set()
    absent: set[str] = set()
    while True:
        await asyncio.sleep(LOOK)
        workers = [worker["name"] for worker in cluster.scheduler_info["workers"].values()]
        present = {job for job in cluster.worker_spec for name in workers if f"{name}-".startswith(f"{job}-")}
        begun |= present
        gone = (begun - present) & set(cluster.worker_spec)
        ended, absent = gone & absent, gone  # twice: a nanny may just be starting its worker again
        if ended:
            await cluster.scale_down(ended)
            begun -= ended  # its name is given again
        if ended or refused(cluster):
            with suppress(RuntimeError, ValueError):  # what Slurm refuses, it is asked for again
                await submit(cluster, jobs)


async def submit(cluster: Any, jobs: int) -> None:
    """Have so many Slurm jobs; unlike ``scale`` alone, not in the background.

    Raises:
        RuntimeError, ValueError: Slurm refused one; with what it said.
    """
    for name in refused(cluster):
        job = cluster.workers.pop(name)
        job.status = type(job.status).failed  # else closing the cluster would wait for it
    cluster.scale(jobs=jobs)
    await cluster._correct_state()


def refused(cluster: Any) -> list[str]:
    """List the jobs that Slurm was asked for in vain."""
    return [name for name, job in cluster.workers.items() if job.job_id is None]


async def close_when_deserted(cluster: Any, client: Any, logs: Path | None, why: list[str]) -> None:
    """Close the client, on which the study waits, where Slurm has none of the jobs and no worker is there.

    That is so where jobs end before their workers have come, as for want of a module or of memory; and where Slurm
    takes no more of them, for which it is given time.
    """
    missed, since = 0, time.monotonic()
    while True:
        await asyncio.sleep(ASK)
        placed = {str(job.job_id) for job in cluster.workers.values() if job.job_id is not None}
        wanting = len(placed) < len(cluster.worker_spec)  # refused, or just asked for once more
        here = bool(cluster.scheduler_info["workers"])
        known = await asyncio.to_thread(known_jobs) if placed and not here else set()
        if here or known is None or placed & known:  # however long it waits in Slurm's queue
            missed, since = 0, time.monotonic()
        elif not wanting:
            missed += 1
            if missed == 2:  # a job may just be replaced
                why.append(f"Slurm ended its job before any worker had come from it{last_words(logs, placed)}")
                break
        elif time.monotonic() - since > PATIENCE:
            why.append(f"Slurm has taken no job for {PATIENCE / 60:.0f} minutes; see what it says to `sbatch`")
            break
    await asyncio.to_thread(client.close)


def known_jobs() -> Set[str] | None:
    """Ask Slurm for the numbers of this user's jobs that wait or run; None where Slurm does not say."""
    command = ["squeue", "--noheader", "--format=%A", f"--user={getpass.getuser()}"]
    try:
        return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())
    except (OSError, subprocess.SubprocessError):
        return None


def last_words(logs: Path | None, jobs: Set[str]) -> str:
    """Quote the end of what one of some ended jobs printed, or where to have it printed."""
    if logs is None:
        return "; with log_directory in the cluster file you would see what it printed"
    for path in sorted(logs.glob("*.log")):
        if path.stem.rpartition("-")[2] in jobs:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_WORDS:]
            return "\n".join([f"; the end of {path}:", *(f"    {line}" for line in lines)])
    return f"; it wrote nothing into {logs}"


def job_script(path: Path) -> str:
    """Make the script that dask-jobqueue would give to ``sbatch``; starts and leaves nothing.

    Raises:
        ClusterError: dask-jobqueue is not installed, or the file is wrong.
    """
    config = read(path)
    arguments = slurm_arguments(config, path)
    trust = credentials(imported("distributed"), config)
    dask_jobqueue = imported("dask_jobqueue")

    async def script(security: Any) -> str:
        cluster = described(dask_jobqueue, path, security, arguments | {"asynchronous": True})  # starts when awaited
        text = str(cluster.job_script())
        cluster.status = type(cluster.status).closed
        return text

    with trust as security:
        return asyncio.run(script(security))


def described(dask_jobqueue: Any, path: Path, security: Any, arguments: dict[str, Any]) -> Any:
    """Describe the cluster to dask-jobqueue, which also reads its own configuration files.

    Raises:
        ClusterError: it refuses an argument.
    """
    try:
        return dask_jobqueue.SLURMCluster(security=security, **arguments)
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise ClusterError(
            f"{short_path(path)}: dask-jobqueue cannot use it, or its own configuration ({shortened(error)})"
        ) from None


@contextmanager
def credentials(distributed: Any, config: SlurmConfig) -> Iterator[Any]:
    """Make key and certificate for one cluster, in files that only this user can read; None where the file says so.

    Raises:
        ClusterError: a package for it is missing, or the folder for them cannot be written.
    """
    if not config.security:
        yield None
        return
    try:
        texts = distributed.Security.temporary().get_tls_config_for_role("worker")
    except ImportError as error:
        raise ClusterError(
            f"encrypting the connections needs the package cryptography ({shortened(error)}): "
            "pip install 'actlab[cluster]', or write `security: false` where the network is yours alone"
        ) from None
    shared = Path(config.shared_temp_directory)
    try:
        shared = shared.expanduser()
        made = tempfile.TemporaryDirectory(prefix=".actlab-", dir=shared)
    except (OSError, RuntimeError) as error:  # RuntimeError: of an unknown user
        why = getattr(error, "strerror", None) or shortened(error)
        raise ClusterError(f"shared_temp_directory: {shared}: cannot be written ({why})") from None
    with made as folder:
        arguments: dict[str, str] = {}
        for name, text in texts.items():
            if text is None:
                continue
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            roles = ("",) if name == "ca_file" else ("client_", "scheduler_", "worker_")
            arguments |= {f"tls_{role}{name}": str(path) for role in roles}
        yield distributed.Security(require_encryption=True, **arguments)


def slurm_arguments(config: SlurmConfig, path: Path) -> dict[str, Any]:
    """Make the arguments of ``SLURMCluster``: those of the file, one process of one thread per core, thread limits.

    Without ``interface`` the scheduler listens on loopback, and serves only workers on this machine.

    Raises:
        ClusterError: a value of the file cannot be meant.
    """
    own = {"jobs", "platform", "log_directory", "interface", "security", "shared_temp_directory", "job_script_prologue"}
    arguments = config.model_dump(exclude=own, exclude_none=True)
    logs = log_directory(config, path)
    limits = [f"export {name}={shlex.quote(value)}" for name, value in LIMITS.items()]
    limits += [f"export {name}=${{{name}:-{value}}}" for name, value in CLIENT_DEFAULTS.items()]
    output = [] if logs is None else [f"-o {shlex.quote(str(logs / '%x-%j.log'))}"]
    arguments |= {
        "processes": config.cores,
        "job_script_prologue": [*limits, *config.job_script_prologue],
        "job_extra_directives": [*output, *config.job_extra_directives],
        # Slurm holds a job to its memory; Dask would pause and kill workers for what XLA keeps.
        "worker_extra_args": [*NO_PAGES, "--memory-limit", "0"],
        "scheduler_options": dict(NO_DASHBOARD),
    }
    if config.interface is None:
        arguments["scheduler_options"]["host"] = "127.0.0.1"
        arguments["worker_extra_args"] += ["--host", "127.0.0.1"]
    else:
        interfaces = imported("psutil").net_if_addrs()
        if config.interface not in interfaces:
            raise ClusterError(
                f"{place(path, 'interface')}: interface: there is no network interface '{config.interface}' here"
                f"{nearest(config.interface, interfaces)}"
            )
        arguments["interface"] = config.interface
    return arguments
