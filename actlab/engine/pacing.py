"""What a study's jobs and heartbeats say of its pace: what compiles, how fast it trains, how long it will take."""

import zipfile
from collections.abc import Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from actlab import awake
from actlab.engine.control import Heartbeat
from actlab.engine.time_left import LONGEST_WAIT, InHand, TimeLeft, Waiting
from actlab.study.cost import training_seconds
from actlab.study.jobs import PROGRAMS, Job, job_id

LEAST_SECONDS = 3.0  # of training, before a rate is told
BESIDE_LAYERS = 3  # what a step takes beside its layers, in layers: measured at width 16, depths 2 to 20
DIGEST = 64  # bytes before a checkpoint's arrays: see ``checkpoint``, whose import takes JAX's time


@dataclass
class Pacing:
    """What is known from one look to the next.

    Attributes:
        begun: when the first job was handed out (see ``awake``).
        ready: {shape: names of the programs that some worker has}.
        resumed: {job: runs that it had trained before it was handed out}; one that was begun counts in part.
        saved: {run batch: the step at which its checkpoint stands} of those that were begun before.
        ended: {job: (work, seconds of training)} of those that are done since the last look.
    """

    begun: float = field(default_factory=awake.seconds)
    left: TimeLeft = field(default_factory=TimeLeft)
    ready: dict[Hashable, set[str]] = field(default_factory=dict)
    trained: set[Hashable] = field(default_factory=set)
    resumed: dict[str, float] = field(default_factory=dict)
    saved: Mapping[str, int] = field(default_factory=dict)
    ended: dict[str, tuple[float, float]] = field(default_factory=dict)
    known: dict[tuple[str, int], Waiting] = field(default_factory=dict)

    def of(self, job: Job) -> Waiting:
        """What a job will take; halves of one, and one that compiles for itself alone, are other jobs."""
        key = job.id, len(job.shape.activations)
        if key not in self.known:
            self.known[key] = Waiting(work(job) * (1 - self.share_saved(job)), job.shape.programs)
            self.ready.setdefault(job.shape.programs, set())
        return self.known[key]

    def share_saved(self, job: Job) -> float:
        """What share of a job was done before it was handed out, as far as checkpoints tell."""
        if not self.saved:
            return 0.0
        together = job.shape.spec.runs_per_call
        batches = [job.runs[begin : begin + together] for begin in range(0, len(job.runs), together)]
        steps = sum(len(runs) * self.saved.get(job_id(runs), 0) for runs in batches)
        return min(steps / (len(job.runs) * (job.steps + 1)), 1.0)

    def note_end(self, job: Job, seconds: float) -> None:
        """Take note of a job that is done, and of how long it trained."""
        one = self.of(job)
        self.trained.add(one.programs)
        self.ended[job.id] = one.work, seconds

    def look(
        self,
        in_hand: Mapping[str, tuple[Job, Heartbeat, Hashable]],
        waiting: Collection[Job],
        runs: float,
        stopping: bool,
    ) -> dict[str, Any]:
        """Return what ``control.Progress`` says of it.

        Args:
            in_hand: {job: itself, what it last said, its worker}.
            waiting: those that are not handed out, in their order.
            runs: trained so far, those in hand included in part.
            stopping: whether the jobs are to save what they have and end.
        """
        hands = {}
        for job, beat, worker in in_hand.values():
            one = self.of(job)
            self.ready[one.programs] |= set(beat.ready)
            if beat.training:
                self.trained.add(one.programs)
                self.resumed[job.id] = beat.resumed
            share = beat.runs / len(job.runs) if beat.training else self.share_saved(job)
            whole = work(job)
            before = share if not beat.training else beat.resumed / len(job.runs)
            done, before = (whole * min(one, 1.0) for one in (share, before))
            hands[job.id] = InHand(whole, done, one.programs, beat.compiling, worker, beat.pid > 0, before)
        now = awake.seconds()
        left = self.left.look(now, hands, [self.of(job) for job in waiting], self.ended)
        self.ended.clear()
        fresh = runs - sum(self.resumed.values())
        return {
            "seconds": round(now - self.begun, 1),
            "left": None if left is None or stopping else round(left, 1),
            "rate": rate(fresh, self.left.begun),
            "compiled": sum(
                PROGRAMS if shape in self.trained else min(len(names), PROGRAMS) for shape, names in self.ready.items()
            ),
            "programs": PROGRAMS * len(self.ready),
            "compiling": sum(beat.compiling for _, beat, _ in in_hand.values()),
            "training": sum(beat.training for _, beat, _ in in_hand.values()),
        }


def rate(runs: float, seconds: float) -> float | None:
    """Return runs a second, once there is something to tell it from: seconds enough, and a run, or a minute.

    >>> rate(0.1, 20.0), rate(8.0, 1.0), rate(8.0, 10.0), rate(0.5, 100.0)
    (None, None, 0.8, 0.005)
    """
    enough = seconds >= LEAST_SECONDS and (runs >= 1.0 or seconds >= LONGEST_WAIT)
    return round(runs / seconds, 4) if enough and runs > 0.0 else None


def work(job: Job) -> float:
    """What a job will take as a whole, in seconds of a laptop's core; only ratios matter."""
    return sum(training_seconds(run.flops, job.steps, job.depth + BESIDE_LAYERS) for run in job.runs)


def steps_saved(folder: Path) -> dict[str, int]:
    """Read at which steps checkpoints in a study's folder stand, by run batch; whether they are of use is not known."""
    found = {}
    for path in filter(Path.is_file, (folder / "parts").glob("*.checkpoint")):
        with suppress(OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile), path.open("rb") as file:
            file.seek(DIGEST)
            with np.load(file, allow_pickle=False) as arrays:
                found[path.stem] = max(int(arrays["arr_1"][1]), 0)
    return found
