"""Jobs on Dask: a local cluster, a scheduler that is already running, or Slurm, behind ``concurrent.futures.Executor``.

Whatever the cluster is, a worker is a process with one thread whose thread limits were set before JAX was imported,
never a fork of this one, watched by a nanny that starts it again when it dies; Dask then runs its job again. Jobs go by
name and plain values, results come back through the study's folder, which every worker must see under the same absolute
path. Dask is imported only when it is asked for.
"""

import asyncio
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from actlab.engine.executors import WORKER_ENVIRONMENT, cores
from actlab.study.reading import Source, StudyError, parse, reason
from actlab.study.schema import Section, nearest

LIMITS = {name: value for name, value in WORKER_ENVIRONMENT.items() if not name.startswith("LOKY_")}
SAME_VERSIONS = ("actlab", "jax", "jaxlib")  # those that decide a run's numbers
REACH = 5  # seconds in which a running scheduler must answer
START = 60  # seconds in which local workers must stand
DASK = {
    "distributed.scheduler.allowed-failures": 2,  # a job that kills its third worker fails
    "distributed.scheduler.worker-saturation": 1.0,  # else a worker's death is blamed on a job that waits there too
    "distributed.comm.timeouts.connect": f"{REACH} s",
}


class ClusterError(StudyError):
    """The cluster that was asked for cannot be used as it is; nothing was trained."""


class ClusterLost(RuntimeError):
    """The scheduler went away while jobs ran; what is finished is stored."""


class SlurmConfig(Section):
    """A cluster file: what to ask Slurm for. The names are dask-jobqueue's; ``docs/cluster.md`` explains them."""

    jobs: int = Field(1, ge=1)
    cores: int = Field(ge=1)
    memory: str
    walltime: str = "01:00:00"
    queue: str | None = None
    account: str | None = None
    interface: str | None = None
    security: bool = True
    job_script_prologue: list[str] = Field([])
    job_extra_directives: list[str] = Field([])
    job_directives_skip: list[str] = Field([])
    job_cpu: int | None = None
    job_mem: str | None = None
    python: str | None = None
    local_directory: str | None = None
    log_directory: str | None = None
    shared_temp_directory: str = "~"
    death_timeout: int = 60


@contextmanager
def pool(
    folder: Path, runs: int, workers: int | None = None, scheduler: str | None = None, cluster: Path | None = None
) -> Iterator[tuple[Callable[[], Executor], int]]:
    """A way to open Dask workers, all behind one executor, and how many there are, or will be when Slurm starts them.

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
            opened = running(distributed, scheduler, folder)
        elif cluster is not None:
            opened = slurm(distributed, cluster, min(workers or runs, runs))
        else:
            opened = local(distributed, min(workers or cores(), runs))
        with opened as (client, number):
            executor = client.get_executor(pure=False)  # pure: a job that failed would not run a second time
            try:
                yield lambda: executor, number
            except CancelledError:
                raise ClusterLost(
                    "the Dask scheduler went away; what is finished is kept, and the same command goes on from there"
                ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Dask's own log held back: it would tell of every worker that ends; what matters is raised."""
    levels = {log: log.level for log in map(logging.getLogger, ("distributed", "distributed.client"))}
    for log in levels:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in levels.items():
            log.setLevel(level)


@contextmanager
def local(distributed: Any, workers: int) -> Iterator[tuple[Any, int]]:
    """A scheduler in this process and worker processes beside it, on loopback only.

    The workers are started by Dask's own command rather than by ``LocalCluster``, which would have each of them import
    the user's main script again, and JAX with it, before the thread limits are set.
    """
    with (
        tempfile.TemporaryDirectory(prefix="actlab-dask-") as scratch,
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=False
        ) as scheduler,
        (Path(scratch) / "workers.txt").open("w+", encoding="utf-8") as log,
    ):
        # A session of its own: Ctrl-C is the parent's to handle.
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", scheduler.scheduler_address),
                *("--nworkers", str(workers), "--nthreads", "1", "--nanny", "--host", "127.0.0.1", "--no-dashboard"),
                *("--memory-limit", "0", "--death-timeout", "10", "--local-directory", scratch),
                *("--preload-nanny", "actlab.engine.preload"),
            ],
            env=os.environ | LIMITS,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            with distributed.Client(scheduler, set_as_default=False) as client:
                try:
                    client.wait_for_workers(workers, timeout=START)
                except TimeoutError:
                    log.seek(0)
                    last = "".join(log.readlines()[-5:])
                    raise ClusterError(f"the Dask workers did not start within {START} s:\n{last}") from None
                yield client, workers
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def running(distributed: Any, address: str, folder: Path) -> Iterator[tuple[Any, int]]:
    """A scheduler that someone else started; refused where its workers would give other numbers, or none."""
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook's own thread has its loop already
            kind = thread.submit(asyncio.run, identity(distributed, address)).result()
    except (OSError, ValueError, TypeError) as error:
        kind = str(error).partition("\n")[0] or type(error).__name__
    except Exception:  # whatever listens there may answer anything
        kind = "what listens there is not Dask"
    if kind != "Scheduler":
        raise ClusterError(
            f"--scheduler {address}: no Dask scheduler answers there ({kind}).\n"
            "Expected the address that `dask scheduler` prints, as in tcp://node17:8786."
        )
    with distributed.Client(address, timeout=REACH, set_as_default=False) as client:
        try:
            client.wait_for_workers(1, timeout=REACH)
        except TimeoutError:
            raise ClusterError(f"--scheduler {address}: has no workers. Start some:\n  {command(address)}") from None
        check_workers(client, address, folder)
        yield client, len(client.scheduler_info(n_workers=-1)["workers"])


async def identity(distributed: Any, address: str) -> str:
    """What answers at an address: ``Scheduler``, ``Worker`` or ``Nanny``."""
    trust = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, connection_args=trust) as remote:
        return str((await asyncio.wait_for(remote.identity(), REACH))["type"])


def check_workers(client: Any, address: str, folder: Path) -> None:
    """Refuse workers that lack actlab or the folder, or would give other numbers than those of a local pool."""
    beside = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=beside, prefix=".actlab-") as probe:
            found = client.run(facts, probe.name, on_error="return")
    except OSError as error:
        raise ClusterError(f"{folder}: cannot be written ({error.strerror})") from None
    threads = {name: worker["nthreads"] for name, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
    own = {name: version(name) for name in SAME_VERSIONS}
    for worker, fact in sorted(found.items()):
        where = f"--scheduler {address}: the worker at {worker}"
        if isinstance(fact, BaseException):
            raise ClusterError(f"{where} cannot import actlab ({type(fact).__name__}: {fact}); install it there")
        if fact["versions"] != own:
            raise ClusterError(f"{where} has {told(fact['versions'])}, this process {told(own)}; make them the same")
        if not fact["sees"]:
            raise ClusterError(f"{where} does not see {beside}: the study's folder must be shared, under the same path")
        if fact["nproc"] != LIMITS["NPROC"] or threads.get(worker, 1) != 1:
            raise ClusterError(
                f"{where} is not limited to one thread and could give other numbers. Start it so:\n  {command(address)}"
            )


def facts(probe: str) -> dict[str, Any]:
    """What a worker is: its versions, its thread limit, and whether it sees a file."""
    versions = {name: version(name) for name in SAME_VERSIONS}
    return {"versions": versions, "nproc": os.environ.get("NPROC"), "sees": os.path.exists(probe)}


def told(versions: Mapping[str, str]) -> str:
    """Versions in words."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def command(address: str) -> str:
    """The command that starts workers for a running scheduler."""
    limits = " ".join(f"{name}={value}" for name, value in LIMITS.items())
    return f"{limits} dask worker {address} --nthreads 1 --nworkers 4"


@contextmanager
def slurm(distributed: Any, path: Path, most: int) -> Iterator[tuple[Any, int]]:
    """A scheduler in this process, and Slurm jobs that hold the workers and are replaced when their time is over.

    Args:
        distributed: the module.
        path: the cluster file.
        most: how many workers there is work for.
    """
    config = read(path)
    jobs = min(config.jobs, -(-most // config.cores))
    arguments = slurm_arguments(config, path)
    trust = credentials(distributed, config)
    if shutil.which("sbatch") is None:
        raise ClusterError("--cluster: there is no `sbatch` here; start this on a machine that can submit to Slurm")
    logs = log_directory(config, path)
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)  # Slurm ends a job at once that cannot write there
    with trust as security, imported("dask_jobqueue").SLURMCluster(security=security, **arguments) as cluster:

        async def submit() -> None:
            cluster.scale(jobs=jobs)
            await cluster._correct_state()  # `scale` alone submits in the background, and logs what Slurm says

        try:
            cluster.sync(submit)
        except (RuntimeError, ValueError) as error:
            for job in cluster._created:  # else closing the cluster would wait for them
                job.status = type(job.status).failed
            said = str(error).partition("stderr:")[2].strip() or str(error)
            raise ClusterError(f"{path}: Slurm refused the job: {said}") from None
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)  # replaces a job that Slurm ended
        with distributed.Client(cluster, set_as_default=False) as client:
            yield client, min(jobs * config.cores, most)


def job_script(path: Path) -> str:
    """The script that dask-jobqueue would give to ``sbatch``; starts and leaves nothing.

    Raises:
        ClusterError: dask-jobqueue is not installed, or the file is wrong.
    """
    config = read(path)
    arguments = slurm_arguments(config, path)
    trust = credentials(imported("distributed"), config)
    slurm_cluster = imported("dask_jobqueue").SLURMCluster

    async def script(security: Any) -> str:
        cluster = slurm_cluster(asynchronous=True, security=security, **arguments)  # would start when awaited
        text = str(cluster.job_script())
        cluster.status = type(cluster.status).closed
        return text

    with trust as security:
        return asyncio.run(script(security))


@contextmanager
def credentials(distributed: Any, config: SlurmConfig) -> Iterator[Any]:
    """A key and a certificate for one cluster, in files that only this user can read; None where the file says so."""
    if not config.security:
        yield None
        return
    shared = Path(config.shared_temp_directory).expanduser()
    try:
        made = tempfile.TemporaryDirectory(prefix=".actlab-", dir=shared)
    except OSError as error:
        raise ClusterError(f"shared_temp_directory: {shared}: cannot be written ({error.strerror})") from None
    with made as folder:
        arguments: dict[str, str] = {}
        for name, text in distributed.Security.temporary().get_tls_config_for_role("worker").items():
            if text is None:
                continue
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            roles = ("",) if name == "ca_file" else ("client_", "scheduler_", "worker_")
            arguments |= {f"tls_{role}{name}": str(path) for role in roles}
        yield distributed.Security(require_encryption=True, **arguments)


def slurm_arguments(config: SlurmConfig, path: Path) -> dict[str, Any]:
    """The arguments of ``SLURMCluster``: those of the file, one process of one thread a core, and the thread limits.

    Without ``interface`` the scheduler listens on loopback, and serves only workers on this machine.
    """
    own = {"jobs", "log_directory", "interface", "security", "shared_temp_directory", "job_script_prologue"}
    arguments = config.model_dump(exclude=own, exclude_none=True)
    logs = log_directory(config, path)
    limits = [f"export {name}={shlex.quote(value)}" for name, value in LIMITS.items()]
    output = [] if logs is None else [f"-o {shlex.quote(str(logs / '%x-%j.log'))}"]
    arguments |= {
        "processes": config.cores,
        "job_script_prologue": [*limits, *config.job_script_prologue],
        "job_extra_directives": [*output, *config.job_extra_directives],
        # Slurm holds a job to its memory; Dask would pause and kill workers for what XLA keeps.
        "worker_extra_args": ["--no-dashboard", "--memory-limit", "0"],
        "scheduler_options": {"dashboard": False, "dashboard_address": None},
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


def log_directory(config: SlurmConfig, path: Path) -> Path | None:
    """Where Slurm writes what its jobs print, as the file says, relative to itself; None: where Slurm likes."""
    return None if config.log_directory is None else path.absolute().parent / config.log_directory


def read(path: Path) -> SlurmConfig:
    """A cluster file, validated.

    Raises:
        ClusterError: with file, line, key, what was expected and the nearest valid key.
    """
    try:
        raw, lines = parse(path)
    except StudyError as error:
        raise ClusterError(
            str(error).replace("the keys study, data, model, ...", "the keys cores, memory, ...")
        ) from None
    source = Source(path, lines, {})
    try:
        return SlurmConfig.model_validate(raw)
    except ValidationError as error:
        raise ClusterError("\n".join(mistake(source, one) for one in error.errors())) from None


def mistake(source: Source, one: Any) -> str:
    """One mistake of a cluster file in words."""
    key = ".".join(str(part) for part in one["loc"])
    unknown = one["type"] == "extra_forbidden"
    why = f"unknown key{nearest(key, SlurmConfig.model_fields)}" if unknown else reason(one, one["loc"])
    return f"{source.where(*one['loc'])}: {key}: {why}"


def place(path: Path, key: str) -> str:
    """``file:line`` of a key of a cluster file."""
    return Source(path, parse(path)[1], {}).where(key)


def imported(name: str) -> Any:
    """A module of Dask's, which the extra ``cluster`` installs."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ClusterError(
            f"running on Dask needs more than actlab itself ({error}): pip install 'actlab[cluster]'"
        ) from None
