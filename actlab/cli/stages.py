"""What ``plan`` says of a study in two stages: what each stage trains and costs, and what is selected yet."""

from collections.abc import Collection
from typing import Any

from actlab.engine.stages import seeds_in_words
from actlab.naming import counted
from actlab.study import cost
from actlab.study import plan as planning
from actlab.study.plan import Plan
from actlab.study.selection import FRESH, TUNING


def of_plan(planned: Plan, missing: Collection[str], workers: int, devices: int) -> list[dict[str, Any]]:
    """List the stages of a plan as ``plan --json`` has them (see ``analysis.answers.PlanStage``).

    Args:
        planned: the study's.
        missing: the runs to train.
        workers: how many there are to be.
        devices: how many each has.
    """
    if planned.stages is None:
        return []
    tuning = set(planned.stages.tuning)
    known: dict[str, set[str]] = {TUNING: set(), FRESH: set()}
    for run in planned.runs.values():
        known[TUNING if run.labels["seed"] in tuning else FRESH].add(run.id)
    found = []
    for name, seeds in ((TUNING, planned.stages.tuning), (FRESH, planned.stages.fresh)):
        later = planned.later if name == FRESH else ()
        to_come = sum(len(job.runs) for job in later)
        to_train = known[name] & set(missing)
        parts = [(planned.groups, to_train), (later, {run.id for job in later for run in job.runs})]
        costs = [cost.expected(groups, workers, runs) for groups, runs in parts]
        jobs = [planning.partition_into_jobs(groups, runs, workers, devices) for groups, runs in parts]
        found.append(
            {
                "stage": name,
                "seeds": list(seeds),
                "runs": len(known[name]) + to_come,
                "to_train": len(to_train) + to_come,
                "not_selected": to_come,
                "jobs": sum(map(len, jobs)),
                "flops": sum(one.flops for one in costs),
                "seconds": sum(one.seconds for one in costs),
            }
        )
    return found


def lines(planned: Plan, stages: Collection[dict[str, Any]]) -> list[str]:
    """Put the stages of a plan in words, a line each."""
    if planned.stages is None:
        return []
    cells = planned.stages.cells
    selected = sum(one.selected is not None for one in cells)
    key = planned.stages.select.over.rpartition(".")[2]
    where = {
        TUNING: f"every {key}, {seeds_in_words(planned.stages.tuning)}",
        FRESH: f"{seeds_in_words(planned.stages.fresh)} at each cell's own {key}, "
        + (f"selected for {selected} of {counted(len(cells), 'cell')}" if cells else ""),
    }
    said = []
    for number, one in enumerate(stages, 1):
        stored = one["runs"] - one["to_train"]
        held = f" ({stored} stored)" if stored else ""
        left = ""
        if one["to_train"]:
            work = f"{one['flops'] / 1e9:,.1f} GFLOP, about {cost.clock(one['seconds'])}"
            left = f"; to train {one['to_train']} in {counted(one['jobs'], 'job')}, {work}"
        said.append(
            f"Stage {number}, {one['stage']}: {counted(one['runs'], 'run')}{held}: {where[one['stage']]}{left}."
        )
    return said
