"""Runs that the study in a folder plans, found by name."""

from pathlib import Path

from actlab.engine import data_copies
from actlab.engine.manifest import MANIFEST, SELECTION, read_manifest
from actlab.naming import counted, nearest
from actlab.study.jobs import Job, Run
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read


def find_run(folder: Path, name: str, stored: bool = False) -> tuple[Job, Run]:
    """Find a run of the study in a folder, by how its name begins, and the runs that it goes with.

    Args:
        folder: the study's.
        name: the run's, or how that begins.
        stored: whether it is known to be stored; then it is missing from the plan because something changed since.

    Raises:
        StudyError: there is none, or there are several.
    """
    study = read(folder / "study.yaml")
    data_copies.require(study, typed=False)
    selections = read_manifest(folder).get(SELECTION) if (folder / MANIFEST).exists() else None
    runs = {run.id: (group, run) for group in plan(study, selections=selections).groups for run in group.runs}
    several = [run for run in runs if run.startswith(name)]
    if not several and stored:
        raise StudyError(
            f"{folder}: run {name} is stored, and today's plan of {folder / 'study.yaml'} has no such run: the study "
            "was changed since, or a file of data or of a function that it names is not what it was"
        )
    if len(several) != 1:
        many = f"{counted(len(several), 'run')} begin with '{name}'"
        problem = many if several else f"the study plans no run '{name}'"
        raise StudyError(f"{folder}: {problem}{nearest(name, (several or list(runs))[:8])}")
    return runs[several[0]]
