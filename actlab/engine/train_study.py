"""A study from plan to stored measurements: what ``actlab run`` does before it reports."""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ByteSize, TypeAdapter, ValidationError

from actlab import limits
from actlab import sources as user_files
from actlab.engine import (
    cache_folder,
    control,
    data_copies,
    earlier_sources,
    kept,
    predicting,
    setting_aside,
    stages,
    store,
    weight_files,
    whereabouts,
    worker_pools,
)
from actlab.engine.changing import Change, change
from actlab.engine.control import Progress
from actlab.engine.files import StoreError, check_room
from actlab.engine.manifest import read_manifest, recoverable
from actlab.engine.part_files import part_names
from actlab.engine.scheduling import missing_runs, prepare
from actlab.engine.second_stage import SecondStage, follow
from actlab.engine.store import Stored
from actlab.errors import ActlabError
from actlab.later import Later
from actlab.naming import brief, counted, nearest
from actlab.study import plan as planning
from actlab.study.defaults import followed
from actlab.study.memory import PLANNED, CallSize
from actlab.study.plan import Plan
from actlab.study.reading import Study, StudyError, resolved_yaml
from actlab.study.stages import about_so_many
from actlab.study.yaml_text import dumped

if TYPE_CHECKING:
    from actlab.engine import cluster
else:
    cluster = Later("actlab.engine.cluster")

EXECUTORS = ("local", "dask")
MOST_WORKERS = 4096
"""Processes that are asked for."""


class RunError(ActlabError, RuntimeError):
    """Some jobs could not be completed; the others' results are stored."""

    def __init__(self, folder: Path, failures: Mapping[str, str]) -> None:
        """Name the jobs and what stopped them."""
        first = "\n".join(f"  {message}" for message in list(failures.values())[:5])
        super().__init__(f"{counted(len(failures), 'job')} failed (see {folder / 'run.log'}):\n{first}")


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
        """Refuse an unknown executor, and options that do not go together.

        Raises:
            StudyError: saying which.
        """
        if self.executor not in EXECUTORS:
            close = nearest(self.executor, EXECUTORS)
            raise StudyError(f"executor: expected local or dask, not '{self.executor}'{close}")
        if self.workers is not None and self.workers < 1:
            raise StudyError(f"workers: expected a number ≥ 1, not {self.workers}")
        if self.workers is not None and self.workers > MOST_WORKERS:
            raise StudyError(f"workers: expected a number ≤ {MOST_WORKERS}, not {brief(self.workers)}")
        if self.memory is not None and (self.scheduler is not None or self.cluster is not None):
            raise StudyError("memory: is for workers on this machine; say in the cluster file what each Slurm job gets")
        if self.workers is not None and self.scheduler is not None:
            raise StudyError("workers: a running scheduler has its own; start more of them there")

    def hardware(self) -> tuple[str, int]:
        """Find what the workers will train on, and how many such devices each has; of Slurm's the cluster file says."""
        return worker_pools.hardware() if self.cluster is None else (cluster.promised(self.cluster)[0], 1)

    def plan(self, study: Study, stored: Stored, fresh: bool = False, reselect: bool = False) -> tuple[Plan, int]:
        """Plan a study for such workers; also how many of them there are to be: here, or as the cluster file says.

        A study that was begun resumes with the runs per call that it was begun with, so that its checkpoints stay
        usable. Where memory is short there are fewer workers, and only a single one advances fewer runs per call, or
        evaluates in chunks. Of one in two stages, what is selected is in force, unless ``reselect``.

        Raises:
            StudyError: see ``study.plan.plan``; or the study cannot go on with what is selected.
            StoreError: the folder is not a study's.
        """
        folder = stored.folder
        resumes = not fresh and not store.unbegun(folder)
        resumes = resumes and bool(part_names(folder) or store.checkpoints(folder))
        begun = {width: CallSize(*pair) for width, pair in stored.call_sizes().items()} if resumes else {}
        platform, number = self.hardware()[0], self.number
        data_copies.require(study)
        manifest = data_copies.manifest_of(stored, fresh)
        known = data_copies.known_names(manifest)
        if self.cluster is not None:
            _, most = cluster.promised(self.cluster)
            number = min(self.workers or most, most)

        def made(memory: float | None = None) -> Plan:
            def make(selections: Mapping[str, Any]) -> Plan:
                return planning.plan(study, platform, memory, begun, known, selections)

            return stages.planned(make, study, stored, manifest, reselect)

        planned = made()
        data_copies.check_given(study, planned, stored, manifest)
        if self.memory is None or not (fresh or missing_runs(stored, planned)):
            return planned, number
        if platform != "cpu":
            raise StudyError(f"memory: only workers on processors can be kept within it, not those on {platform}")
        number = max(1, min(number, int(PLANNED * self.memory // planned.worker_bytes)))
        return made(self.memory / number), number

    @property
    def dask(self) -> bool:
        """Whether jobs go to Dask, rather than to processes of our own."""
        return self.executor == "dask" or self.scheduler is not None or self.cluster is not None

    def get_ready(self, runs: int, processes: worker_pools.Processes) -> None:
        """Open the worker processes that so many runs will want, to import what they need while the study is planned.

        Not where memory, or Dask, will have a say in how many there are to be.
        """
        if runs > 0 and not self.dask and self.memory is None:
            processes.get_ready(min(self.number, runs))

    @property
    def number(self) -> int:
        """How many workers there are to be here: as many as asked for, or one per core, or one for all accelerators."""
        return self.room[0]

    @property
    def room(self) -> tuple[int, str]:
        """How many workers there are to be here, and why they are fewer than that, where a limit of the system says so.

        Raises:
            LimitError: there is no room for one.
        """
        number = self.workers or (worker_pools.cores() if self.hardware()[0] == "cpu" else 1)
        return (number, "") if self.dask else limits.fit(number)

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
    """Read an amount of memory, in bytes.

    Raises:
        StudyError: it is not one.

    >>> in_bytes("4GB"), in_bytes("512MiB"), in_bytes(1e9), in_bytes(None)
    (4000000000.0, 536870912.0, 1000000000.0, None)
    """
    if memory is None:
        return None
    try:
        number = float(TypeAdapter(ByteSize).validate_python(memory))
    except (ValidationError, OverflowError):  # the latter: 400 digits
        number = 0.0
    if not 0 < number < math.inf:
        raise StudyError(f"memory: expected an amount such as 4GB or 800MB, not {brief(memory)}")
    return number


@contextmanager
def trained(
    study: Study,
    folder: Path,
    where: ExecutionConfig,
    processes: worker_pools.Processes,
    fresh: bool = False,
    progress: Callable[[Progress], None] | None = None,
    tell: Callable[[Plan], None] | None = None,
    note: Callable[[str], None] = lambda line: None,
    prune: bool = False,
    confirm: Callable[[str], bool] | None = None,
    by_default: bool = False,
    reselect: bool = False,
    follows: Callable[..., None] = lambda **counts: None,
) -> Iterator[Stored]:
    """Train what the folder lacks of a study, and keep the folder for whoever reports on it in a ``with`` block.

    The lock is taken first, so that what is read then stays true, and refusals leave nothing behind.

    Args:
        study: what to train.
        folder: the study's.
        where: where jobs run.
        processes: where workers on this machine are opened; whoever opened it ends them.
        fresh: whether to set the folder aside first, and begin another.
        progress: called at least every half second.
        tell: called with the plan before it is carried out.
        note: called with lines on what is damaged in the folder, left out, removed, set aside, or found elsewhere.
        prune: whether to remove stored runs that the study does not ask for.
        confirm: called with a question before a folder is set aside; none is asked without.
        by_default: whether no other folder was asked for: then others beside it are looked at, where it has none.
        reselect: whether a study in two stages selects again.
        follows: called with how far theory's predictions are, which follow training: fields of ``Progress``.

    Yields:
        what the folder holds then.

    Raises:
        StudyError, StoreError: before anything is written or trained; also when another run holds the folder.
        WithdrawnError: likewise, the question was answered with no.
        LimitError: likewise, where a limit of the system leaves no room for a worker.
        RunError: some jobs failed, or the folder could no longer be written.
        KeyboardInterrupt: on SIGINT (Ctrl-C) or SIGTERM, once the workers have saved what they had.
    """
    limits.require_addresses()
    refuse_both(fresh, prune)
    stored = Stored(folder)
    stored.recovers = not fresh and recoverable(folder)
    if not (store.unbegun(folder) or recoverable(folder)):
        read_manifest(folder)  # only a study's folder is ever locked, or set aside
    aside = fresh and setting_aside.is_study(folder)
    with ExitStack() as keeping:
        keeping.enter_context(control.study_lock(folder))
        done = 0 if fresh else len(stored.asked())  # as far as can be told before there is a plan
        where.get_ready(about_so_many(study) - done, processes)
        planned, number = where.plan(study, stored, fresh, reselect)
        user_files.end_trials()
        before = data_copies.manifest_of(stored, fresh)
        copies = data_copies.copies_of(study, planned, folder, before)
        sources = {**sources_of(study, planned), **copies.files}
        check_room(folder, (f"sources/{place}" for place in sources))
        resolved = resolved_data(study, folder, copies.names, planned)
        missing = set(planned.runs) if fresh else missing_runs(stored, planned)
        again = set() if fresh else missing & stored.runs()
        kept.check_disk(folder, planned, missing)
        changed = Change() if fresh else change(stored, planned, resolved, study.source)
        if aside:
            needed = [*sources.values(), *map(Path, data_copies.data_files(study))]
            going = setting_aside.agreed(folder, needed, planned.runs, confirm)
        if tell is not None:
            tell(planned)
        beside = whereabouts.elsewhere(folder, missing, study.config.study) if by_default and not fresh else ""
        about_data = copies.line(folder, before)
        for line in (beside, kept.trained_again(folder, len(again)) if again else ""):
            if line:
                note(line)
        to_come = stages.later_runs(planned)
        before_it = kept.stored_before(planned, missing)
        if before_it[0] and missing:
            note(f"{before_it[0]} of {counted(len(planned.runs) + to_come, 'run')} were already stored")
        with where.pool(folder, len(missing) + to_come, number, processes) as (open_worker, number):
            if aside:
                note(setting_aside.set_aside(folder, *going))
                keeping.close()
                keeping.enter_context(control.study_lock(folder))
                stored = Stored(folder)
            _, devices = where.hardware()
            jobs = kept.again(planning.partition_into_jobs(planned.groups, missing, number, devices), again)
            later = planning.partition_into_jobs(planned.later, None, number, devices)
            processes.keep_ready(min(number, max(len(jobs), len(later))))
            for line in prepare(stored, dumped(resolved), planned, sources, bool(missing), changed.earlier):
                note(line)
            if copies.stale:
                earlier_sources.remove(folder, copies.stale)
            if about_data:
                note(about_data)
            try:
                if prune:
                    remove_earlier(stored, planned, before, sources)
                for line in [*changed.lines(prune), *stages.unused(study)]:
                    note(line)
                if jobs:
                    cache_folder.say_if_refused()
                second = SecondStage(study, stored, where, number, later)
                failures = follow(jobs, stored, open_worker, number, progress, second, before_it) if jobs else {}
                if not failures:
                    for line in stages.reconsidered(second.planned or planned, stored):
                        note(line)
                    store.compact(stored)
                    # What was begun of runs that were planned once may be wanted again.
                    control.tidy(folder, finished=prune or changed.earlier.keys() <= changed.left_out)
            except (OSError, StoreError) as error:
                raise RunError(folder, {"": f"{error}; what was stored is kept"}) from None
        if failures:
            raise RunError(folder, failures)
        try:
            memory = where.memory or limits.free_memory()
            whole = second.planned or planned
            for line in predicting.bring_up_to_date(whole, stored, processes, follows, prune, memory):
                note(line)
            yield stored
        finally:
            control.remove_progress(folder)  # of what was written


def remove_earlier(stored: Stored, planned: Plan, before: Mapping[str, Any], sources: Mapping[str, Path]) -> None:
    """Remove the runs that were planned earlier, and what they alone needed.

    Args:
        stored: what the folder holds.
        planned: what stays.
        before: the folder's manifest, as it was.
        sources: the files that stay in ``sources/``.

    Raises:
        StoreError: something cannot be removed.
    """
    store.compact(stored, prune=True)
    weight_files.remove_others(stored.folder, planned.runs)
    earlier_sources.prune(stored.folder, before, sources.keys())


def refuse_both(fresh: bool, prune: bool) -> None:
    """Refuse to set all aside and to remove some of it.

    Raises:
        StudyError: both are asked for.
    """
    if prune and fresh:
        raise StudyError("prune: --fresh sets all that is stored aside, and leaves nothing to remove; give one of them")


def sources_of(study: Study, planned: Plan) -> Mapping[str, Path]:
    """List the files that a study's folder gets copies of, by path in ``sources/``: of functions, tables and claims.

    Raises:
        StudyError: two of them have the same name.
    """
    report = study.config.report
    wanted: dict[str, tuple[Path, str | None]] = {}
    for name in (*(report.tables or ()), *(report.figures or ())):
        if function := user_files.parse(name):
            wanted[name] = function
    if study.config.claims is not None:
        wanted["claims"] = (Path(study.config.claims), None)
    try:
        return user_files.collect(wanted, planned.sources)[1]
    except user_files.SourceError as error:
        raise StudyError(str(error)) from None


def resolved_data(
    study: Study, folder: Path, copies: Mapping[str, str] | None = None, planned: Plan | None = None
) -> dict[str, Any]:
    """Return the resolved study as plain data, its paths relative to its folder, or those of ``copies`` of its data.

    What its plan let follow from other keys is left out.
    """
    follow_others = followed(study.config, (run.labels for run in planned.runs.values())) if planned else ()
    return resolved_yaml(study.config, folder, copies, follow_others)


def resolved_text(
    study: Study, folder: Path, copies: Mapping[str, str] | None = None, planned: Plan | None = None
) -> str:
    """Write that as YAML."""
    return dumped(resolved_data(study, folder, copies, planned))
