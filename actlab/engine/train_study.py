"""A study from plan to stored measurements: what ``actlab run`` does before it reports."""

import io
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ByteSize, TypeAdapter, ValidationError

from actlab import sources as user_files
from actlab.engine import store, worker_pools
from actlab.engine.scheduling import Progress, execute, missing_runs, prepare, stored_ids
from actlab.later import Later
from actlab.naming import nearest
from actlab.study import plan as planning
from actlab.study.jobs import Job
from actlab.study.memory import PLANNED, CallSize
from actlab.study.plan import Plan
from actlab.study.reading import Study, StudyError, resolved_yaml

if TYPE_CHECKING:
    from actlab.engine import cluster
else:
    cluster = Later("actlab.engine.cluster")

EXECUTORS = ("local", "dask")


class RunError(RuntimeError):
    """Some jobs could not be completed; the others' results are stored."""

    def __init__(self, folder: Path, failures: Mapping[str, str]) -> None:
        """Name the jobs and what stopped them."""
        first = "\n".join(f"  {message}" for message in list(failures.values())[:5])
        super().__init__(f"{len(failures)} jobs failed (see {folder / 'run.log'}):\n{first}")


@dataclass(frozen=True)
class ExecutionConfig:
    """Where jobs run.

    Attributes:
        executor: ``local`` (worker processes on this machine) or ``dask``.
        workers: how many; by default one for each core, or one for all of a machine's accelerators.
        memory: bytes that all workers on this machine together may hold.
        scheduler: the address of a running Dask scheduler; implies ``dask``.
        cluster: a cluster file, for Slurm; implies ``dask``.
    """

    executor: str = "local"
    workers: int | None = None
    memory: float | None = None
    scheduler: str | None = None
    cluster: Path | None = None

    def __post_init__(self) -> None:
        """Refuse an executor that there is not, and options that do not go together."""
        if self.executor not in EXECUTORS:
            close = nearest(self.executor, EXECUTORS)
            raise StudyError(f"executor: expected local or dask, not '{self.executor}'{close}")
        if self.workers is not None and self.workers < 1:
            raise StudyError(f"workers: expected a number ≥ 1, not {self.workers}")
        if self.memory is not None and (self.scheduler is not None or self.cluster is not None):
            raise StudyError("memory: is for workers on this machine; say in the cluster file what each Slurm job gets")
        if self.workers is not None and self.scheduler is not None:
            raise StudyError("workers: a running scheduler has its own; start more of them there")

    def hardware(self) -> tuple[str, int]:
        """What the workers will train on, and how many such devices each has; of Slurm's, the cluster file says so."""
        return worker_pools.hardware() if self.cluster is None else (cluster.promised(self.cluster)[0], 1)

    def plan(self, study: Study, folder: Path, fresh: bool = False) -> tuple[Plan, int]:
        """A study's plan for such workers, and how many of them there are to be: here, or as the cluster file says.

        A study that was begun resumes with the runs per call that it was begun with, so that its checkpoints stay
        usable. Where memory is short there are fewer workers, and only a single one advances fewer runs per call, or
        evaluates in chunks.

        Raises:
            StudyError: see ``study.plan.plan``.
            StoreError: the folder is not a study's.
        """
        resumes = not fresh and not store.unbegun(folder) and (stored_ids(folder) or store.checkpoints(folder))
        begun = {width: CallSize(*pair) for width, pair in store.call_sizes(folder).items()} if resumes else {}
        platform, number = self.hardware()[0], self.number
        if self.cluster is not None:
            _, most = cluster.promised(self.cluster)
            number = min(self.workers or most, most)
        planned = planning.plan(study, platform, begun=begun)
        if self.memory is None or not (fresh or missing_runs(folder, planned)):
            return planned, number
        if platform != "cpu":
            raise StudyError(f"memory: only workers on processors can be kept within it, not those on {platform}")
        number = max(1, min(number, int(PLANNED * self.memory // planned.worker_bytes)))
        return planning.plan(study, platform, self.memory / number, begun), number

    @property
    def dask(self) -> bool:
        """Whether jobs go to Dask, rather than to processes of our own."""
        return self.executor == "dask" or self.scheduler is not None or self.cluster is not None

    def get_ready(self, study: Study, folder: Path, fresh: bool, processes: worker_pools.Processes) -> None:
        """Open the worker processes that a study will want, so that they import what they need while it is planned.

        Not where it is likely that there is nothing to do, or that the request will yet be refused; and not where
        memory, or Dask, will have a say in how many there are to be.
        """
        if self.dask or self.memory is not None or (folder / store.LOCK).exists():
            return
        runs = len(study.cells) * len(study.seeds)
        stored = 0 if store.unbegun(folder) else store.count_runs(folder)
        if stored is not None and (fresh or stored < runs):
            processes.get_ready(min(self.number, runs))

    @property
    def number(self) -> int:
        """How many workers there are to be here: as many as asked for, or one a core, or one for all accelerators."""
        return self.workers or (worker_pools.cores() if self.hardware()[0] == "cpu" else 1)

    @contextmanager
    def pool(
        self, folder: Path, runs: int, number: int, processes: worker_pools.Processes
    ) -> Iterator[tuple[Callable[[], Executor], int]]:
        """A way to open workers for so many runs, and how many to open; Dask only where there is anything to do."""
        if self.dask and runs:
            with cluster.pool(folder, runs, number, self.scheduler, self.cluster) as opened:
                yield opened
        else:
            yield processes.open, number


def in_bytes(memory: str | float | None) -> float | None:
    """An amount of memory in bytes.

    Raises:
        StudyError: it is not one.

    >>> in_bytes("4GB"), in_bytes("512MiB"), in_bytes(1e9), in_bytes(None)
    (4000000000.0, 536870912.0, 1000000000.0, None)
    """
    if memory is None:
        return None
    try:
        number = float(TypeAdapter(ByteSize).validate_python(memory))
    except ValidationError:
        number = 0.0
    if number <= 0:
        raise StudyError(f"memory: expected an amount such as 4GB or 800MB, not '{memory}'")
    return number


def train(
    study: Study,
    folder: Path,
    where: ExecutionConfig,
    processes: worker_pools.Processes,
    fresh: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Mapping[str, str]:
    """Train what the folder lacks of a study.

    Args:
        study: what to train.
        folder: the study's.
        where: where jobs run.
        processes: where workers on this machine are opened; whoever opened it ends them.
        fresh: whether to delete what the folder holds first.
        progress: called at least every half second.

    Returns:
        the jobs that failed, {job: message}.

    Raises:
        StudyError, StoreError: before anything is written or trained; also when another run holds the folder.
        RunError: the folder could no longer be written.
        KeyboardInterrupt: on SIGINT (Ctrl-C) or SIGTERM, once the workers have saved what they had.
    """
    where.get_ready(study, folder, fresh, processes)
    planned, number = where.plan(study, folder, fresh)
    sources = sources_of(study, planned)
    fresh = fresh and not store.unbegun(folder)
    if fresh:
        store.read_manifest(folder)  # only a study's folder is ever emptied
    lacking = planned.runs if fresh else missing_runs(folder, planned)  # refuses before anything is written
    if (folder / store.LOCK).exists():
        with study_lock(folder):  # refuses before a cluster is started
            pass
    with where.pool(folder, len(lacking), number, processes) as (open_worker, number), study_lock(folder):
        if fresh:
            store.remove_results(folder)
        missing = missing_runs(folder, planned)
        _, devices = where.hardware()
        jobs = planning.partition_into_jobs(planned.groups, missing, number, devices)
        processes.keep_ready(min(number, len(jobs)))
        prepare(folder, resolved_text(study, folder), planned, sources, trains=bool(missing))
        try:
            failures = follow(jobs, folder, open_worker, number, progress) if jobs else {}
            if not failures:
                store.compact(folder)
                store.tidy(folder, finished=True)
        except (OSError, store.StoreError) as error:
            raise RunError(folder, {"": f"{error}; what was stored is kept"}) from None
        return failures


def sources_of(study: Study, planned: Plan) -> Mapping[str, Path]:
    """The files that a study's folder gets copies of, by their path in ``sources/``: of activations, and of claims.

    Raises:
        StudyError: two of them have the same name.
    """
    if study.config.claims is None:
        return planned.sources
    try:
        claims = user_files.trace(Path(study.config.claims)).files
    except user_files.SourceError as error:
        raise StudyError(f"claims: {error}") from None
    for place, file in claims.items():
        if not user_files.same(planned.sources.get(place, file), file):
            raise StudyError(f"claims: an activation's file is named {place} too; rename one of them")
    return {**claims, **planned.sources}


def resolved_text(study: Study, folder: Path) -> str:
    """The resolved study as YAML, its paths relative to its folder."""
    from ruamel.yaml import YAML

    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(resolved_yaml(study.config, folder), text)
    return text.getvalue()


def follow(
    jobs: list[Job],
    folder: Path,
    open_worker: Callable[[], Executor],
    workers: int,
    progress: Callable[[Progress], None] | None,
) -> Mapping[str, str]:
    """Run jobs on workers, tell how far they are, and return those that failed."""
    failures: Mapping[str, str] = {}
    with interruptible(folder):
        for state in execute(jobs, folder, open_worker, workers):
            failures = state.failures
            if progress is not None:
                progress(state)
    return failures


@contextmanager
def study_lock(folder: Path) -> Iterator[None]:
    """Keep a study's folder for this run alone. The lock ends with this process, however that ends.

    Raises:
        StoreError: another run holds it (says which), or it cannot be written.
    """
    from filelock import FileLock, Timeout

    path = folder / store.LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        with suppress(OSError):
            raise store.StoreError(
                f"{folder}: another `actlab run` is at work here ({path.read_text(encoding='utf-8').strip()}). "
                "Wait for it to end, or give this study another --out."
            ) from None
        raise store.StoreError(f"{folder}: another `actlab run` has just been at work here; try again") from None
    except OSError as error:
        raise store.StoreError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        with suppress(OSError):  # a full disk is for whoever writes next to tell
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {now}\n", encoding="utf-8")
        yield
    finally:
        # It stays where a study was begun and has no manifest yet: a sign that what lies there is no one else's.
        if (folder / "manifest.json").exists() or not any(other != path for other in folder.iterdir()):
            path.unlink(missing_ok=True)
        lock.release()


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask the workers to save and stop; a second signal leaves at once.

    Only Python's own handlers are replaced: a program that handles its signals itself goes on doing so.
    """

    def ask(number: int, frame: Any) -> None:
        if store.stop_asked(folder):
            raise KeyboardInterrupt
        try:
            store.ask_to_stop(folder)
        except OSError:
            raise KeyboardInterrupt from None

    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                replaced[number] = signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
