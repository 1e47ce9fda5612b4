"""A plan's missing runs, trained: prepare the folder, hand out jobs, follow them, note what they wrote."""

import platform
import re
import shutil
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from traceback import format_exception
from types import MappingProxyType
from typing import Any

from actlab import limits
from actlab import sources as user_files
from actlab.engine import control, earlier_sources, kept, stages, store
from actlab.engine.activation_notes import activation_notes
from actlab.engine.control import Progress
from actlab.engine.earlier import Why
from actlab.engine.files import StoreError
from actlab.engine.handover import Outcome, describe, run_job
from actlab.engine.manifest import EARLIER_DATA, read_manifest, write_manifest
from actlab.engine.pacing import Pacing, steps_saved
from actlab.engine.part_files import set_aside
from actlab.engine.store import Stored
from actlab.engine.trained_again import replace_rows
from actlab.engine.worker_pools import log_of
from actlab.measures import to_plain
from actlab.naming import counted
from actlab.study import columns, settings
from actlab.study.jobs import Job, Run, job_id
from actlab.study.plan import Plan

POLL = 0.5  # seconds between two looks at what the workers have done
GRACE = 30.0  # seconds that workers get to finish a segment and save it
UNBEGUN = 3  # how often a job may meet a worker that dies before it has begun
PROMPT = 1.0  # seconds that they get while they load and compile: there is nothing to save
LAST_WORDS = 6  # lines of a dead worker's log that are worth showing


def missing_runs(stored: Stored, plan: Plan) -> set[str]:
    """List the planned runs that a study's folder does not hold yet.

    Raises:
        StoreError: the folder is not a study's.
    """
    stored.plan_has(plan.runs)
    return set(plan.runs) - stored.runs() | lacking_weights(stored, plan.groups)


def lacking_weights(stored: Stored, jobs: Iterable[Job]) -> set[str]:
    """List the stored runs of some jobs whose weights are asked for and not there: they are trained again for them."""
    keep = {run.id: job.keep_weights for job in jobs for run in job.runs if job.keep_weights != kept.NONE}
    if not keep or not stored.runs():
        return set()
    return kept.without_weights(stored.folder, stored.read().tables.values(), keep)


def prepare(
    stored: Stored,
    study_yaml: str,
    plan: Plan,
    sources: Mapping[str, Path],
    trains: bool,
    earlier: Mapping[str, Why] = MappingProxyType({}),
) -> list[str]:
    """Make the study's folder, or bring it up to date, copies of its source files included; what is measured stays.

    Versions and revision are those of whoever trained last: a run that only reports (``trains`` false) leaves them.
    Parts that count and were not listed are; those that are damaged are set aside. ``earlier`` are the runs that were
    planned before and are not any more: see ``actlab.engine.changing``.

    Returns:
        of each that is damaged a line that says so.

    Raises:
        StoreError: the folder cannot be written.
    """
    folder = stored.folder
    contents = stored.read() if stored.recovers or not store.unbegun(folder) else None
    old = contents.manifest if contents else {}
    here = {
        "versions": store.versions() | packages_of(plan),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "git_revision": git_revision(),
        "runs_per_call_by_width": {str(width): call.runs_per_call for width, call in plan.call_sizes.items()},
        "eval_chunks_by_width": {str(width): call.eval_chunks for width, call in plan.call_sizes.items()},
    }
    manifest = old | (here if trains or not old else {})
    manifest |= {
        "parts": contents.checksums if contents else {},
        "seconds": old.get("seconds", 0.0),
        "training_seconds": old.get("training_seconds", 0.0),
    }
    if plan.measures:  # what reading must know of them, for it runs no code
        manifest["measures"] = to_plain(plan.measures)
    manifest["data"] = with_names(plan.data, (*old.get("data", ()), *old.get(EARLIER_DATA, ())))
    manifest.pop(EARLIER_DATA, None)
    if earlier and (data := earlier_sources.data_of(old, plan.data)):
        manifest[EARLIER_DATA] = data
    stages.note_in(manifest, plan)
    manifest["settings"] = settings.to_plain(columns.settings())
    manifest["label_prefixes"] = plan.prefixes
    manifest["activations"] = activation_notes(plan, {} if trains or not old else old.get("activations", {}))
    try:
        called = set_aside(folder, contents.damage) if contents else []
        store.create(folder, study_yaml, sources, manifest, plan.runs, earlier)
        control.tidy(folder, finished=False)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from None
    told = contents.damage_lines() if contents else []
    kept = f"; kept as {', '.join(filter(None, called[:3]))}{', ...' * (len(called) > 3)}" if any(called) else ""
    return [f"{folder}: {'; '.join(told)}. Runs that it cost are trained again{kept}"] if told else []


def packages_of(plan: Plan) -> dict[str, str]:
    """Return the versions of the packages that the user's files import, by package."""
    modules = frozenset[str]().union(*(run.modules for run in plan.runs.values()))
    listed = user_files.packages(modules) if modules else ""  # to look takes a third of a second
    return {name: version for name, _, version in (one.partition(" ") for one in listed.split(", ") if one)}


def with_names(data: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add to what is known of the data the names that it went by when the folder was written before.

    >>> with_names([{"names": ["b.csv"], "content": "1"}], [{"names": ["a.csv"], "content": "1"}])
    [{'names': ['b.csv', 'a.csv'], 'content': '1'}]
    """

    def then(about: Mapping[str, Any]) -> list[str]:
        same = (one for one in before if {**one, "names": 0} == {**about, "names": 0})
        return [name for one in same for name in one["names"]]

    return [{**about, "names": list(dict.fromkeys([*about["names"], *then(about)]))} for about in data]


def git_revision() -> str | None:
    """Name the commit that actlab's own code stands at, with ``+`` where it was changed; None outside a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        # Without that, it would write into the checkout; killed then, it leaves a lock that stops the user's own git.
        words = ("--no-optional-locks", *words)
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    if shutil.which("git") is None:
        return None
    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "..")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (subprocess.CalledProcessError, OSError):
        return None


def execute(
    jobs: Sequence[Job],
    stored: Stored,
    open_worker: Callable[[], Executor],
    workers: int,
    expected: Sequence[Job] = (),
    more: Callable[[], Sequence[Job]] = tuple,
) -> Iterator[Progress]:
    """Run jobs and keep the manifest; yields how far it has come, at least every half second.

    Each job has a worker to itself, so that it is plain which job a worker died of, and no other suffers. It is run
    once more, and so is one that does not fit in memory, in two halves. A job that then fails is reported in
    ``failures`` and does not stop the others; only a folder that cannot be written does, for they could store nothing.

    Args:
        jobs: what is to be done, most expensive first.
        stored: what the study's folder holds.
        open_worker: gives an executor that takes one job; called for each of the workers, and again for one that died.
            It may be the same executor every time.
        workers: how many jobs to hand out at once.
        expected: jobs that stand for what ``more`` will give, for the time that is left.
        more: called when all jobs are done: gives those that follow from what they stored.

    Raises:
        KeyboardInterrupt: the jobs were asked to stop; they saved what they had, or had nothing yet.
    """
    folder = stored.folder
    tracker, lock_owner = JobTracker(jobs, stored, expected), control.lock_owner(folder)
    idle = [open_worker() for _ in range(min(workers, len(jobs)))]
    running: dict[Future[Outcome], tuple[Job, Executor]] = {}
    turn = 0  # how many jobs were handed out
    alone = len(idle) == 1
    asked: float | None = None  # when it was seen that the jobs are to stop
    pause = 0.0  # the first look is at once: whoever follows learns that the jobs are handed out
    while running or tracker.waiting:
        if asked is None and (tracker.unwritable or control.stop_asked(folder)):
            asked = time.monotonic()
        while tracker.waiting and idle and asked is None:
            worker = idle.pop()
            try:
                own = None if alone else turn
                future = worker.submit(run_job, tracker.waiting[0], folder.absolute(), lock_owner, own)
                turn += 1
                running[future] = (tracker.waiting[0], worker)
                tracker.waiting.popleft()
            except BrokenExecutor:  # it died while it had nothing to do
                idle.append(open_worker())
        for future in wait(running, timeout=pause, return_when=FIRST_COMPLETED).done:
            job, worker = running.pop(future)
            error = future.exception()
            idle.append(open_worker() if isinstance(error, BrokenExecutor) else worker)
            if error is None:
                tracker.keep(job, future.result())
            elif isinstance(error, BrokenExecutor) and control.stop_asked(folder):
                tracker.waiting.append(job)  # Ctrl-C goes to every process, and met this one before it could ignore it
            else:
                tracker.retry_or_fail(job, error)
        in_hand = [job for job, _ in running.values()]
        yield tracker.progress(list(running.values()), stopping=asked is not None)
        pause = POLL
        if not (running or tracker.waiting or tracker.unwritable or control.stop_asked(folder)):
            tracker.take(more())
            idle += [open_worker() for _ in range(min(workers, len(tracker.waiting)) - len(idle))]
        if asked is not None and (not running or given_up(time.monotonic() - asked, in_hand, folder)):
            break
    if control.stop_asked(folder) and not tracker.unwritable:
        tracker.write("interrupted")
        raise KeyboardInterrupt


class JobTracker:
    """What is still to do of a study, what became of the rest, and the lines of its ``run.log``."""

    def __init__(self, jobs: Sequence[Job], stored: Stored, expected: Sequence[Job] = ()) -> None:
        """Everything is still to do, and what is ``expected`` to follow."""
        self.stored = stored
        self.folder = stored.folder
        self.waiting = deque(jobs)
        self.flops = {run.id: run.flops for job in jobs for run in job.runs}
        self.expected = list(expected)
        self.done: set[str] = set()
        self.ended = 0
        self.retried: set[str] = set()  # jobs that are, or were, run a second time
        self.unbegun: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.unwritable = False
        self.reached = 0.0, 0.0, 0  # share of the work, runs, and whole runs, at the last look
        self.pacing = Pacing(saved=steps_saved(self.folder))
        for job in jobs:
            self.pacing.of(job)
        self.write(f"{counted(len(self.flops), 'run')} in {counted(len(jobs), 'job')}")

    def take(self, jobs: Sequence[Job]) -> None:
        """Take jobs that follow from those that are done, in place of what was expected."""
        self.expected = []
        if jobs:
            self.waiting.extend(jobs)
            self.flops |= {run.id: run.flops for job in jobs for run in job.runs}
            self.write(f"{counted(sum(len(job.runs) for job in jobs), 'run')} more in {counted(len(jobs), 'job')}")

    def keep(self, job: Job, outcome: Outcome) -> None:
        """Note what a job stored, in the manifest too."""
        again = [name for name in outcome.parts if name.endswith(f".{store.AGAIN}")]
        manifest = read_manifest(self.folder)
        manifest["parts"].update({name: sha256 for name, sha256 in outcome.parts.items() if name not in again})
        for name in ("seconds", "training_seconds"):
            manifest[name] = round(manifest.get(name, 0.0) + getattr(outcome, name), 3)
        manifest["device"] = outcome.device
        write_manifest(self.folder, manifest)
        if again and (replaced := replace_rows(self.stored, again)):
            self.write(
                f"job {job.id}: trained again for their weights, {replaced} stored runs have other numbers, versions "
                "or device now: the new rows, whose weights are kept, take the place of the old ones"
            )
        if not outcome.finished:
            self.waiting.append(job)
            return
        self.ended += 1
        self.done |= {run.id for run in job.runs}
        self.pacing.note_end(job, outcome.training_seconds)
        self.write(f"job {job.id}: {counted(len(job.runs), 'run')} in {outcome.seconds:.1f} s ({describe(job)})")

    def retry_or_fail(self, job: Job, error: BaseException) -> None:
        """Put what a job did not store back into the queue, or report the job, by what ended it.

        A worker that was dead already, which its scheduler had yet to notice, says nothing of the job it was given.
        """
        what = reason(error, self.folder, job)
        if isinstance(error, BrokenExecutor) and not control.has_begun(self.folder, job.id):
            self.unbegun[job.id] += 1
            if self.unbegun[job.id] <= UNBEGUN:
                self.write(f"job {job.id}: {what}\nIt had not begun, and is given out again.")
                self.waiting.appendleft(job)
                return
        # One that got on before its worker died, as when its time on a cluster is over, has lost nothing by it.
        retried = job.id in self.retried and not control.read_heartbeat(self.folder, job.id).saved
        control.remove_heartbeat(self.folder, job.id)
        stored = self.stored.runs() - lacking_weights(self.stored, [job])
        self.done |= stored & {run.id for run in job.runs}
        left = [run for run in job.runs if run.id not in stored]
        again = jobs_to_retry(job, left, error, retried)
        if again:
            self.write(f"job {job.id}: {what}\nIt is run again, as {' and '.join(one.id for one in again)}.")
            self.retried |= {one.id for one in again}
            self.unbegun.update({one.id: self.unbegun[job.id] for one in again if one.id != job.id})
            self.waiting.extendleft(reversed(again))
            return
        self.ended += 1
        if left:
            self.failures[job.id] = f"{describe(job)}: {what}"
            self.unwritable |= isinstance(error, StoreError)
            self.write(f"job {job.id}: failed: {self.failures[job.id]}\n{''.join(format_exception(error))}")

    def progress(self, running: Sequence[tuple[Job, Executor]], stopping: bool) -> Progress:
        """How far the study has come, runs in hand included."""
        work, runs, whole = sum(self.flops[run] for run in self.done), float(len(self.done)), len(self.done)
        in_hand = {}
        for job, worker in running:
            beat = control.read_heartbeat(self.folder, job.id)
            work += sum(run.flops for run in job.runs) * beat.runs / len(job.runs)
            runs += beat.runs
            whole += beat.trained
            in_hand[job.id] = job, beat, id(worker)
        jobs = self.ended + len(self.waiting) + len(in_hand) + len(self.expected)
        to_come = [run for job in self.expected for run in job.runs]
        share = work / (sum(self.flops.values()) + sum(run.flops for run in to_come))
        whole = max(whole, self.reached[2])  # what is given out again was counted, and a count never goes down
        if stopping or control.stop_asked(self.folder):  # what a job has saved is not lost: its worker has put it down
            share, runs = max(share, self.reached[0]), max(runs, self.reached[1])
        self.reached = share, runs, whole
        pace = self.pacing.look(in_hand, [*self.waiting, *self.expected], runs, stopping)
        planned = len(self.flops) + len(to_come)
        return Progress(share, whole, planned, self.ended, jobs, dict(self.failures), stopping, **pace)

    def write(self, text: str) -> None:
        """Append a line with the time to the study's log."""
        control.log(self.folder, text)


def given_up(seconds: float, jobs: Sequence[Job], folder: Path) -> bool:
    """Whether workers that were asked to stop have had their time."""
    training = any(control.read_heartbeat(folder, job.id).training for job in jobs)
    return seconds > (GRACE if training else PROMPT)


def jobs_to_retry(job: Job, left: Sequence[Run], error: BaseException, retried: bool) -> list[Job]:
    """Choose what to run once more of a job that ended badly: nothing, where it would only end badly again.

    A worker that dies may have met the limit of memory too, where the system kills for it; so it gets halves as well.
    And it may have died of another run's activation, whose branch its programs had: so they have that no more.
    """
    halves = split(job, left)
    if isinstance(error, MemoryError):
        return halves if len(halves) > 1 else []
    return [alone(half) for half in halves] if isinstance(error, BrokenExecutor) and not retried else []


def alone(job: Job) -> Job:
    """Have a job's programs serve its own activation only, which changes no bit of its runs."""
    own = (job.shape.activations[job.activation],)
    return replace(job, shape=replace(job.shape, activations=own), activation=0)


def split(job: Job, left: Sequence[Run]) -> list[Job]:
    """Split some runs of a job into two jobs of whole run batches; as one, where they make only one batch."""
    batches = -(-len(left) // job.shape.spec.runs_per_call)
    middle = -(-batches // 2) * job.shape.spec.runs_per_call
    halves = (tuple(left[:middle]), tuple(left[middle:]))
    return [replace(job, id=job_id(half), runs=half) for half in halves if half]


def reason(error: BaseException, folder: Path, job: Job) -> str:
    """Say what ended a job; of a worker that died, the last that it wrote."""
    if not isinstance(error, BrokenExecutor):
        return f"{type(error).__name__}: {str(error).strip() or 'no message'}"
    how = re.search(r"\{(.*)\}", str(error))
    path = log_of(folder / "parts", control.read_heartbeat(folder, job.id).pid)
    lines = [f"its worker died ({how[1] if how else error}{limits.hint()})"]
    with suppress(OSError):
        said = path.read_text(encoding="utf-8", errors="replace")
        lines += [f"    {line}" for line in last_words(said)]
        lines[0] += f"; the end of {path}:"
    return "\n".join(lines)


def last_words(log: str) -> list[str]:
    """Pick the last lines of a log; where Python wrote down how it died, the beginning of that and what came before.

    >>> last_words("a\\nb\\n")
    ['a', 'b']
    """
    lines = log.splitlines()
    died = next((i for i, line in enumerate(lines) if line.startswith("Fatal Python error")), len(lines))
    return lines[max(died - LAST_WORDS, 0) : died + LAST_WORDS]
