"""Jobs of a study, carried out and followed: how far they are, and what follows from them in a study of two stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from actlab.engine import control, kept, stages
from actlab.engine.control import Progress
from actlab.engine.scheduling import execute, missing_runs
from actlab.engine.store import Stored
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
        finally:
            control.remove_progress(stored.folder)
    return failures
