"""Workers that Slurm starts: its cluster file, its job script, and jobs that are replaced when their time is over."""

import asyncio
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from actlab.engine.cluster.common import LIMITS, NO_DASHBOARD, NO_PAGES, ClusterError, imported
from actlab.study.reading import Source, StudyError, parse, reason
from actlab.study.schema import Section, nearest

LOOK = 2  # seconds between two looks at whether Slurm has ended a job


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
def slurm_cluster(distributed: Any, path: Path, most: int) -> Iterator[tuple[Any, int]]:
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
        replacing = asyncio.run_coroutine_threadsafe(replace_ended(cluster, jobs), cluster.loop.asyncio_loop)
        try:
            with distributed.Client(cluster, set_as_default=False) as client:
                yield client, min(jobs * config.cores, most)
        finally:
            replacing.cancel()


async def replace_ended(cluster: Any, jobs: int) -> None:
    """Ask Slurm for another job wherever one has had workers and has none any more, as when its walltime is over.

    Dask's own ``adapt`` does not see that a job with several workers has ended.
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
            cluster.scale(jobs=jobs)
            begun -= ended  # its name is given again


def job_script(path: Path) -> str:
    """The script that dask-jobqueue would give to ``sbatch``; starts and leaves nothing.

    Raises:
        ClusterError: dask-jobqueue is not installed, or the file is wrong.
    """
    config = read(path)
    arguments = slurm_arguments(config, path)
    trust = credentials(imported("distributed"), config)
    opened = imported("dask_jobqueue").SLURMCluster

    async def script(security: Any) -> str:
        cluster = opened(asynchronous=True, security=security, **arguments)  # would start when awaited
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
