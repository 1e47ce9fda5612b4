"""A study from plan to stored measurements: what ``actlab run`` does before it reports."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

from ruamel.yaml import YAML

from actlab.engine import executors, store
from actlab.engine.execute import Progress, execute, missing_runs, prepare
from actlab.study import plan as planning
from actlab.study.reading import Study, resolved_yaml


class RunError(RuntimeError):
    """Some jobs could not be completed; the others' results are stored."""

    def __init__(self, folder: Path, failures: Mapping[str, str]) -> None:
        """Name the jobs and what stopped them."""
        first = "\n".join(f"  {message}" for message in list(failures.values())[:5])
        super().__init__(f"{len(failures)} jobs failed (see {folder / 'run.log'}):\n{first}")


def train(
    study: Study,
    folder: Path,
    executor: str = "local",
    workers: int | None = None,
    fresh: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Mapping[str, str]:
    """Train what the folder lacks of a study.

    Returns:
        the jobs that failed, {job: message}.

    Raises:
        StudyError, StoreError: before anything is written or trained.
    """
    planned = planning.plan(study)
    missing = set(planned.runs) if fresh and folder.is_dir() else missing_runs(folder, planned)
    if fresh and folder.is_dir() and any(folder.iterdir()):
        store.read_manifest(folder)  # only a study's folder is ever emptied
        store.remove_results(folder)
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(resolved_yaml(study.config, folder), text)
    sources = [*planned.sources, *([Path(study.config.claims)] if study.config.claims else [])]
    prepare(folder, text.getvalue(), planned, sources)
    number = workers or executors.cores()
    jobs = planning.cut(planned.groups, missing, number)
    if not jobs:
        return {}
    failures: Mapping[str, str] = {}
    pool = executors.local(min(number, len(jobs)))
    try:
        for state in execute(jobs, folder, pool):
            failures = state.failures
            if progress is not None:
                progress(state)
    finally:
        pool.shutdown(kill_workers=True)
    if not failures:
        store.compact(folder)
    return failures
