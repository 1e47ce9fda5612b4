"""Runs that the study in a folder plans, found by name."""

from pathlib import Path

from actlab.naming import nearest
from actlab.study.jobs import Job, Run
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read


def find_run(folder: Path, name: str) -> tuple[Job, Run]:
    """Find a run of the study in a folder, by how its name begins, and the runs that it goes with.

    Raises:
        StudyError: there is none, or there are several.
    """
    runs = {run.id: (group, run) for group in plan(read(folder / "study.yaml")).groups for run in group.runs}
    several = [run for run in runs if run.startswith(name)]
    if len(several) != 1:
        problem = f"{len(several)} runs begin with '{name}'" if several else f"the study plans no run '{name}'"
        raise StudyError(f"{folder}: {problem}{nearest(name, (several or list(runs))[:8])}")
    return runs[several[0]]
