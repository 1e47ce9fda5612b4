"""Jobs of a study, carried out and followed: how far they are, and what follows from them in a study of two stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from actlab import interrupts
from actlab.engine import control, kept, stages
from actlab.engine.control import Progress
from actlab.engine.files import StoreError
from actlab.engine.scheduling import execute, lacking_weights, missing_runs
from actlab.engine.store import Stored
from actlab.naming import counted
from actlab.study import plan as planning
from actlab.study.jobs import Job
from actlab.study.plan import Plan
from actlab.study.reading import Study

if TYPE_CHECKING:
    from actlab.engine.train_study import ExecutionConfig


@dataclass
class SecondStage:
    """What a study in two stages has trained once its tuning runs are stored.

    Attributes:
        study, stored, where, workers: of the first.
        expected: jobs that stand for it until then, for the time that is left.
        planned: the plan, once it is known.
    """

    study: Study
    stored: Stored
    where: ExecutionConfig
    workers: int
    expected: list[Job]
    planned: Plan | None = None

    def jobs(self) -> list[Job]:
        """Select, store what is selected, and plan what follows from it: once, and nothing where nothing does."""
        if not self.expected or self.planned is not None:
            return []
        self.planned, _ = self.where.plan(self.study, self.stored)
        missing = missing_runs(self.stored, self.planned)
        again = missing & self.stored.runs()
        _, devices = self.where.hardware()
        stages.note(self.stored, self.planned)
        jobs = planning.partition_into_jobs(self.planned.groups, missing, self.workers, devices)
        return kept.again(jobs, again)


def stored_by_now(jobs: list[Job], stored: Stored, second: SecondStage, before: int) -> str:
    """Say of an interrupted study how many of its runs are stored, as the next command will; empty where none can tell.

    Args:
        jobs: what was to be done.
        stored: what the folder holds.
        second: what was to follow; its runs count, as those that were planned, once they are known.
        before: how many runs were stored before.
    """
    first = {run.id for job in jobs for run in job.runs}
    to_come = sum(len(job.runs) for job in second.expected)
    with suppress(OSError, StoreError):
        there = stored.runs() - lacking_weights(stored, jobs)
        done, whole = before + len(there & first), before + len(first) + to_come
        if second.planned:  # all of it, the first stage included
            whole = len(second.planned.runs)
            done = whole - len(missing_runs(stored, second.planned))
        return f"{done} of {counted(whole, 'run')} {'is' if 1 in (done, whole) else 'are'}"
    return ""


def follow(
    jobs: list[Job],
    stored: Stored,
    open_worker: Callable[[], Executor],
    workers: int,
    progress: Callable[[Progress], None] | None,
    second: SecondStage,
    before: tuple[int, float] = (0, 0.0),
) -> Mapping[str, str]:
    """Run jobs on workers, report how far they are, here and in the study's folder, and return those that failed.

    ``before``: of the study, how many runs were stored already, and which share of its work these are.
    """
    failures: Mapping[str, str] = {}
    with control.interruptible(stored.folder):
        try:
            for state in execute(jobs, stored, open_worker, workers, second.expected, second.jobs):
                failures, state = state.failures, replace(state, stored=before[0], stored_work=before[1])
                control.write_progress(stored.folder, state)
                if progress is not None:
                    progress(state)
                control.log_dropped_output(stored.folder)
        except KeyboardInterrupt:
            interrupts.state.stored = stored_by_now(jobs, stored, second, before[0])
            raise
        finally:
            control.remove_progress(stored.folder)
    return failures
