"""One job in one worker: compile its shape once, advance its runs lane by lane, hand their rows to the store.

A job is arrays of numbers in and arrays of measurements out. It runs in a process of its own, whose thread limits were
set before JAX was imported (see ``executors``).

Training goes in segments of about a second, and how a run is cut into them changes no bit of it. So little is lost when
a job is killed or asked to stop: every ``SAVE_SECONDS`` it stores the runs that are done, and a checkpoint of the lane
in hand (see ``checkpoint``).
"""

import gc
import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab import activations, data
from actlab.engine import checkpoint, compiled, store
from actlab.engine.checkpoint import Snapshot
from actlab.engine.handover import Outcome, describe
from actlab.engine.records import run_row
from actlab.nn import training
from actlab.study.plan import DataKey, Job, Run, Shape, job_id, record_steps

SEGMENT = 8  # rows of one call of `advance`: so many that calls cost nothing
SEGMENT_SECONDS = 1.0  # how long one call may take: whoever asks a job to stop waits for it
SAVE_SECONDS = 20.0  # how much work may be lost; a job that is shorter writes nothing but its part
LOOK_SECONDS = 0.25  # between two looks at the clock and at whether to stop

log = logging.getLogger("actlab.job")


def run_job(job: Job, folder: Path, holder: str | None) -> Outcome:
    """Train a job's runs and store them: as one part, or as several where it takes longer than ``SAVE_SECONDS``.

    Args:
        job: the runs, and what they have in common.
        folder: the study's folder.
        holder: who gave the job, as the folder's lock says (see ``store.holder``). Where it says something else, the
            job ends: a worker that a killed run has left on a cluster must not write among what the next one writes.

    Raises:
        MemoryError: it does not fit, on the device or beside it.
        StoreError: the folder cannot be written.
    """
    compiled.keep()
    settle()
    with jax.enable_x64(True) if job.shape.dtype == "float64" else nullcontext():
        try:
            return train_lanes(job, folder, holder)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" in str(error):
                raise MemoryError(str(error)) from None
            raise


@lru_cache(maxsize=1)
def settle() -> None:
    """Tell Python's garbage collector, once a process, that what is loaded by now will stay.

    Tracing a program makes so many objects that it would look through all of JAX's as well, which takes a quarter of
    the time.
    """
    gc.collect()
    gc.freeze()


def train_lanes(job: Job, folder: Path, holder: str | None) -> Outcome:
    """Train lane after lane, looking up between segments: to tell how far it is, to save, to stop when asked to."""
    begun = saved = time.monotonic()
    looked = -math.inf
    parts: dict[str, str] = {}
    rows: list[dict[str, Any]] = []  # of runs that are done and not stored
    done = saves = 0
    pace = Pace()

    def abandoned() -> bool:
        return store.holder(folder) not in (holder, None)

    def keep() -> None:
        nonlocal saved
        if rows and not abandoned():
            name = job_id(job.runs[done - len(rows) : done])
            parts[f"{name}.parquet"] = store.write_part(folder, name, rows)
            rows.clear()
        saved = time.monotonic()

    def outcome(finished: bool) -> Outcome:
        store.forget_pulse(folder, job.id)
        return Outcome(finished, parts, devices(), time.monotonic() - begun, pace.seconds)

    if abandoned():
        return Outcome(False, {}, devices(), 0.0, 0.0)
    store.note_pulse(folder, job.id, training=False, runs=0, saved=0)
    if store.stop_asked(folder):
        return outcome(finished=False)
    log.info("job %s begins: %s", job.id, describe(job))
    for runs in lanes(job):
        path = checkpoint.path_of(folder, job_id(runs))
        for number, at in enumerate(segments(job, runs, folder, pace)):
            if time.monotonic() - looked < LOOK_SECONDS:
                continue
            looked = time.monotonic()
            if abandoned():
                return Outcome(False, {}, devices(), time.monotonic() - begun, pace.seconds)
            share = at.step / (job.steps + 1)
            store.note_pulse(folder, job.id, training=True, runs=done + len(runs) * share, saved=saves)
            stop = store.stop_asked(folder)
            if stop or time.monotonic() - saved >= SAVE_SECONDS:
                if number and at.recorded:  # at first it stands where its checkpoint does
                    checkpoint.save(path, identity(job, runs), at)
                    saves += 1
                    log.info("job %s: saved runs %s.. at step %s", job.id, runs[0].id, at.step)
                keep()
            if stop:
                return outcome(finished=False)
        rows += lane_rows(job, runs, at)
        done += len(runs)
        if path.exists() or time.monotonic() - saved >= SAVE_SECONDS:
            keep()
            path.unlink(missing_ok=True)
    keep()
    return outcome(finished=True)


def devices() -> str:
    """The kind of this process's devices, and how many there are if more than one."""
    number, kind = jax.local_device_count(), jax.local_devices()[0].device_kind
    return kind if number == 1 else f"{number} × {kind}"


def lanes(job: Job) -> Iterator[tuple[Run, ...]]:
    """The job's runs, as many at a time as its shape's lane is wide: a lane for each device of this process."""
    width = job.shape.lane * jax.local_device_count()
    for begin in range(0, len(job.runs), width):
        yield job.runs[begin : begin + width]


def identity(job: Job, runs: Sequence[Run]) -> str:
    """What a checkpoint of a lane must agree with."""
    ids = [run.id for run in runs]
    return checkpoint.identity(ids, job.shape, job.steps, job.every, job.evaluate_every, devices())


def run_lane(job: Job, runs: tuple[Run, ...], folder: Path) -> list[dict[str, Any]]:
    """Train one lane from its first step to its last, whatever happens; one row a run."""
    return lane_rows(job, runs, deque(segments(job, runs, folder, Pace()), maxlen=1).pop())


@dataclass
class Pace:
    """How many steps take about ``SEGMENT_SECONDS``, learned from the segments so far, and how long those took.

    >>> pace = Pace()
    >>> pace.learn(steps=1, seconds=0.001), pace.learn(steps=8, seconds=4.0)
    (8, 2)
    """

    steps: int = 0
    seconds: float = 0.0

    def learn(self, steps: int, seconds: float) -> int:
        """What a segment took, and so what the next may: at most eight times as many steps."""
        self.seconds += seconds
        possible = steps * SEGMENT_SECONDS / max(seconds, 1e-9)
        self.steps = max(int(min(possible, 8 * max(self.steps, 1))), 1)
        return self.steps


def segments(job: Job, runs: tuple[Run, ...], folder: Path, pace: Pace) -> Iterator[Snapshot]:
    """Advance one lane from where its checkpoint stands, or from its first step, until it is done.

    Yields:
        where it stands, to begin with and after each segment; a state is gone once the next is asked for.
    """
    shape = job.shape
    start, advance = programs(shape, folder / "sources" / shape.source if shape.source else None)
    on_device = arrays(shape.data, shape.probe_rows, shape.dtype)
    # A short lane is filled up with copies of its first run: never narrowed, because the width changes rounding.
    filled = runs + (runs[0],) * (shape.lane * jax.local_device_count() - len(runs))
    numbers = stack([run.numbers for run in filled], np.dtype(shape.dtype))
    schedule = record_schedule(job.steps, job.every, job.evaluate_every)
    at = Snapshot(0, 0, start(numbers), ())
    path = checkpoint.path_of(folder, job_id(runs))
    if not pace.steps or path.exists():
        # A call without active rows changes nothing: it compiles, and shows what a record looks like.
        state, blank = advance(at.state, numbers, on_device, np.zeros((SEGMENT, 4), np.int32))
        at = Snapshot(0, 0, state, ())
        found = checkpoint.load(path, identity(job, runs), state, blank)
        if found is not None:
            log.info("job %s: runs %s.. go on at step %s", job.id, runs[0].id, found.step)
            at = found
        pace.steps = pace.steps or 1
    yield at
    while not complete(at, schedule):
        begun = time.perf_counter()
        rows = next_rows(schedule, at.recorded, at.step, pace.steps)
        padding = np.zeros((SEGMENT - len(rows), 4), np.int32)
        state, records = advance(at.state, numbers, on_device, np.concatenate([rows, padding]))
        active = np.flatnonzero(rows[:, 3])
        records = jax.tree.map(lambda leaf, active=active: np.asarray(leaf)[:, active], records)
        steps = int(rows[-1, 1]) - at.step
        at = Snapshot(at.recorded + len(active), at.step + steps, state, (*at.records, records))
        pace.learn(steps, time.perf_counter() - begun)
        yield at


def complete(at: Snapshot, schedule: np.ndarray) -> bool:
    """Whether a lane is done: at its end, or with a record after the step at which the last of its runs diverged."""
    if at.step >= schedule[-1, 1]:
        return True
    diverged = np.asarray(at.state["diverged_step"])
    return bool(np.all(diverged >= 0)) and at.recorded > 0 and bool(schedule[at.recorded - 1, 0] > diverged.max())


def next_rows(schedule: np.ndarray, recorded: int, step: int, most: int) -> np.ndarray:
    """The next rows for ``advance``, of at most ``most`` steps together; a longer row is cut.

    What is left of a row that was cut is not active: it takes its steps and records nothing.

    >>> schedule = record_schedule(50, 20, 40)
    >>> next_rows(schedule, 0, 0, 30).tolist()
    [[0, 20, 1, 1], [20, 30, 0, 1]]
    >>> next_rows(schedule, 2, 30, 12).tolist()
    [[30, 40, 0, 0], [40, 42, 1, 1]]
    """
    left = schedule[recorded:].tolist()
    if recorded and step < schedule[recorded - 1, 1]:
        left.insert(0, [step, int(schedule[recorded - 1, 1]), 0, 0])
    rows = []
    for begin, end, evaluate, active in left[:SEGMENT]:
        if most <= 0:
            break
        rows.append((begin, min(end, begin + most), evaluate, active))
        most -= end - begin
    return np.array(rows, np.int32)


def lane_rows(job: Job, runs: tuple[Run, ...], last: Snapshot) -> list[dict[str, Any]]:
    """One row a run, of a lane that is done."""
    shape = job.shape
    found = loaded(shape.data)
    schedule = record_schedule(job.steps, job.every, job.evaluate_every)
    records, diverged = last.joined(), np.asarray(last.state["diverged_step"])
    return [
        run_row(
            run.labels,
            jax.tree.map(lambda leaf, i=i: leaf[i], records),
            steps=schedule[:, 0],
            last_step=job.steps,
            diverged_step=int(diverged[i]),
            fan_in=found.train.x.shape[1],
            width=shape.width,
            keep_layers=job.keep_layers,
            columns=shape.probes,
            target_loss=found.target_loss,
            constant_loss=found.constant_loss,
        )
        for i, run in enumerate(runs)
    ]


def record_schedule(steps: int, every: int, evaluate_every: int) -> np.ndarray:
    """Rows (begin, end, evaluate, active) of ``training.advance`` for a whole run, [R, 4] int32.

    >>> record_schedule(50, 20, 40).tolist()
    [[0, 20, 1, 1], [20, 40, 0, 1], [40, 50, 1, 1], [50, 51, 1, 1]]
    """
    at = record_steps(steps, every)
    ends = [*at[1:], steps + 1]
    return np.array(
        [(t, end, t % evaluate_every == 0 or t == steps, 1) for t, end in zip(at, ends, strict=True)], np.int32
    )


def stack(numbers: Sequence[Mapping[str, Any]], dtype: np.dtype) -> Any:
    """Runs' numbers as one tree of arrays with a leading run axis."""

    def leaf(*values: Any) -> np.ndarray:
        array = np.asarray(values)
        return array.astype(np.uint32 if array.dtype.kind in "iu" else dtype)

    return jax.tree.map(leaf, *numbers, is_leaf=lambda node: isinstance(node, tuple))


@lru_cache(maxsize=2)
def programs(shape: Shape, source: Path | None) -> tuple[Any, Any]:
    """The two programs of a shape; compiled ones stay with the worker, for its next job of that shape."""
    found = loaded(shape.data)
    record = activation(shape, source)
    program = training.Program(
        phi=record.function,
        flat=record.flat,
        learnable=record.learnable,
        task=found.task,
        **{
            name: getattr(shape, name)
            for name in (field.name for field in fields(training.Program))
            if name not in ("phi", "flat", "learnable", "task")
        },
    )
    return training.compile_programs(program, found.train.x.shape[1], len(found.classes) or 1, jax.local_devices())


def activation(shape: Shape, source: Path | None) -> activations.Activation:
    """The activation of a shape: from the catalogue, or from the study's own copy of the user's file.

    Raises:
        RuntimeError: the copy is not the file that the study was planned with.
    """
    if source is None:
        return activations.get(shape.activation)
    if store.checksum(source) != shape.source_checksum:
        raise RuntimeError(f"{source}: is not the file that this study was planned with")
    return activations.load(source, shape.activation)


@lru_cache(maxsize=4)
def loaded(key: DataKey) -> data.Data:
    """A data set, read once a worker.

    Raises:
        RuntimeError: its file is not what the study was planned with.
    """
    found = data.load(**key.arguments())
    if data.checksum(key.name) != key.checksum:
        raise RuntimeError(f"{key.name}: is not the file that this study was planned with")
    return found


@lru_cache(maxsize=4)
def arrays(key: DataKey, probe_rows: int, dtype: str) -> dict[str, tuple[jax.Array, jax.Array]]:
    """The splits and the probe rows, on every device: {train, validation, test, probe: (x, y)}.

    The probe rows are the first ``probe_rows`` of a permutation of the training rows, by ``data.seed`` alone.
    """
    found = loaded(key)
    splits = {"train": found.train, "validation": found.validation, "test": found.test}
    picked = np.random.default_rng([key.seed, 1]).permutation(len(found.train.y))[:probe_rows]
    host = {name: (split.x, split.y) for name, split in splits.items()}
    host["probe"] = (found.train.x[picked], found.train.y[picked])
    target = np.int32 if found.task == "classification" else dtype
    # On one device without a sharding: a state that begins without one and ends with one would be compiled for twice.
    mesh = Mesh(jax.local_devices(), ("runs",))
    everywhere = NamedSharding(mesh, PartitionSpec()) if jax.local_device_count() > 1 else None
    return {
        name: (jax.device_put(x.astype(dtype), everywhere), jax.device_put(y.astype(target), everywhere))
        for name, (x, y) in host.items()
    }
