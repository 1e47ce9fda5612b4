"""A plan's missing runs, trained: prepare the folder, submit jobs, follow them, note what they wrote."""

import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from actlab.engine import store
from actlab.engine.job import run_job
from actlab.study.plan import Job, Plan

VERSIONS = ("actlab", "jax", "jaxlib", "flax", "optax", "numpy", "pandas", "pyarrow", "scikit-learn")
POLL = 0.5  # seconds between two looks at what the workers have done


@dataclass(frozen=True)
class Progress:
    """How far a study has come: the share of its floating-point work, runs, jobs, and failures as {job: message}."""

    share: float
    runs_done: int
    runs: int
    jobs_done: int
    jobs: int
    failures: Mapping[str, str]


def missing_runs(folder: Path, plan: Plan) -> set[str]:
    """The planned runs that the folder does not hold yet.

    Raises:
        StoreError: the folder is not a study's, or holds runs that the plan does not have.
    """
    planned = plan.runs
    if not folder.exists():
        return set(planned)
    if folder.is_dir() and not any(folder.iterdir()):
        return set(planned)
    stored = {run for runs in store.stored_runs(folder).values() for run in runs}
    orphans = stored - set(planned)
    if orphans:
        raise store.StoreError(
            f"{folder}: holds {len(orphans)} runs that this study would not have:\n{difference(folder, plan)}\n"
            "Give the study another --out, or start over with --fresh (which deletes them)."
        )
    return set(planned) - stored


def difference(folder: Path, plan: Plan) -> str:
    """The settings in which stored and planned runs differ, a line each."""
    runs = store.load(folder).runs
    planned = pd.DataFrame([dict(run.labels) for run in plan.runs.values()])
    lines = []
    for name in planned.columns.drop("run"):
        then = set(runs[name].astype(str)) if name in runs else set()
        now = set(planned[name].astype(str))
        if then - now:
            lines.append(f"  {name}: stored {', '.join(sorted(then - now))}; now {', '.join(sorted(now))}")
    return "\n".join(lines) or "  (a combination of settings, or the content of a data or activation file)"


def prepare(folder: Path, study_yaml: str, plan: Plan, sources: Sequence[Path]) -> None:
    """Make the study's folder, or bring it up to date, copies of its source files included; what is measured stays.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        old = store.read_manifest(folder)
    except store.StoreError:
        old = {}
    lanes = {str(group.shape.width): group.shape.lane for group in plan.groups}
    manifest = old | {
        "versions": {name: version(name) for name in VERSIONS},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "git_revision": git_revision(),
        "lane_by_width": lanes,
        "parts": old.get("parts", {}),
        "seconds": old.get("seconds", 0.0),
    }
    try:
        store.create(folder, study_yaml, sources, manifest)
    except OSError as error:
        raise store.StoreError(f"{folder}: cannot be written ({error.strerror})") from None


def git_revision() -> str | None:
    """The commit that actlab's own code stands at, with ``+`` where it was changed; None outside a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    if shutil.which("git") is None:
        return None
    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "..")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (subprocess.CalledProcessError, OSError):
        return None


def execute(jobs: list[Job], folder: Path, pool: Executor) -> Iterator[Progress]:
    """Run jobs on a pool and keep the manifest; yields how far it has come, at least every half second.

    A job that fails is reported in ``failures`` and does not stop the others.
    """
    log = Log(folder / "run.log")
    futures: dict[Future[Any], Job] = {pool.submit(run_job, job, folder): job for job in jobs}
    total = sum(len(job.runs) for job in jobs)
    work = {job.id: sum(run.flops for run in job.runs) for job in jobs}
    log.write(f"{total} runs in {len(jobs)} jobs")
    done, worked, failures, pending = 0, 0.0, {}, set(futures)
    while pending:
        finished, pending = wait(pending, timeout=POLL, return_when=FIRST_COMPLETED)
        for future in finished:
            job = futures[future]
            error = future.exception()
            if error is None:
                name, digest, device, seconds = future.result()
                note(folder, name, digest, device, seconds)
                done += len(job.runs)
                worked += work[job.id]
                log.write(f"job {job.id}: {len(job.runs)} runs in {seconds:.1f} s ({describe(job)})")
            else:
                failures[job.id] = f"{describe(job)}: {type(error).__name__}: {str(error).strip() or 'no message'}"
                log.write(f"job {job.id}: failed: {failures[job.id]}\n{error.__cause__ or ''}")
        begun = [(futures[future], store.progress(folder, futures[future].id)) for future in pending]
        share = (worked + sum(work[job.id] * runs / len(job.runs) for job, runs in begun)) / sum(work.values())
        trained = done + sum(runs for _, runs in begun)
        yield Progress(share, trained, total, len(jobs) - len(pending), len(jobs), dict(failures))


def note(folder: Path, part: str, digest: str, device: str, seconds: float) -> None:
    """Write a finished part's checksum, device and time into the manifest."""
    manifest = store.read_manifest(folder)
    manifest["parts"][part] = digest
    manifest["seconds"] = round(manifest.get("seconds", 0.0) + seconds, 3)
    manifest["device"] = device
    store.write_manifest(folder, manifest)


def describe(job: Job) -> str:
    """A job in a few words: its activation, size and number of runs."""
    shape = job.shape
    return f"{shape.activation}, depth {shape.depth}, width {shape.width}, {len(job.runs)} runs of {job.steps} steps"


class Log:
    """Lines with a time, appended to a file in the study's folder."""

    def __init__(self, path: Path) -> None:
        """Append to ``path``."""
        self.path = path

    def write(self, text: str) -> None:
        """Append a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
