"""One job in one worker: compile its programs once, advance its runs batch by batch, hand their rows to the store.

A job is arrays of numbers in and arrays of measurements out. It runs in a process of its own, whose thread limits were
set before JAX was imported (see ``worker_pools``).

Little is lost when a job is killed or asked to stop: every ``SAVE_SECONDS`` it stores the runs that are done, and a
checkpoint of the run batch in hand (see ``checkpoint``).
"""

import gc
import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from actlab import awake, jax_settings
from actlab.engine import checkpoint, compiled, control, environment, loading, run_data, store, weight_files
from actlab.engine.checkpoint import Snapshot
from actlab.engine.handover import Outcome, describe
from actlab.engine.kept import NONE, wanted
from actlab.engine.records import run_row
from actlab.engine.run_batch import Pace, RunBatch, devices, identity, portable, record_schedule, segments
from actlab.engine.weight_files import RECORDED
from actlab.study.jobs import Job, Run, job_id

SAVE_SECONDS = 20.0  # how much work may be lost; a job that is shorter writes nothing but its part
DEAD = "network_dead"
LOOK_SECONDS = 0.25  # between two looks at the clock and at whether to stop

log = logging.getLogger("actlab.job")


def run_job(job: Job, folder: Path, lock_owner: str | None, turn: int | None = None) -> Outcome:
    """Train a job's runs and store them: as one part, or as several where it takes longer than ``SAVE_SECONDS``.

    Args:
        job: the runs, and what they have in common.
        folder: the study's folder.
        lock_owner: who gave the job, as the folder's lock says (see ``control.lock_owner``). Where it says something
            else, the job ends: a worker that a killed run has left on a cluster must not write among what the next one
            writes.
        turn: of the first jobs every other one compiles its programs from the last to the first: two workers that begin
            together then find what the other has compiled on the disk. One at a time, so that it is there when they
            come to it. None of a worker that is alone, which compiles several at a time.

    Raises:
        MemoryError: it does not fit, on the device or beside it.
        StoreError: the folder cannot be written.
    """
    compiled.enable_compilation_cache()
    freeze_gc()
    jax.local_devices()  # JAX starts with the flags that this process was given, not with those that a user's file sets
    float64 = job.shape.spec.dtype == "float64"
    with jax_settings.pinned(), jax_settings.exact_products(), jax.enable_x64(float64):
        try:
            return train_batches(job, folder, lock_owner, turn)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" in str(error):
                raise MemoryError(str(error)) from None
            raise


@lru_cache(maxsize=1)
def freeze_gc() -> None:
    """Tell Python's garbage collector, once per process, that what is loaded by now will stay.

    Tracing a program makes so many objects that it would look through all of JAX's as well, which takes a quarter of
    the time.
    """
    gc.collect()
    gc.freeze()


def train_batches(job: Job, folder: Path, lock_owner: str | None, turn: int | None = None) -> Outcome:
    """Train run batch by run batch, looking up between segments: to report progress, to save, to stop if asked to."""
    begun, saved = awake.seconds(), time.monotonic()
    looked = -math.inf
    parts: dict[str, str] = {}
    rows: list[dict[str, Any]] = []  # of runs that are done and not stored
    done = saves = 0
    resumed = 0.0
    pace = Pace()
    about = describe(job), len(job.runs)

    def tell(ready: Sequence[str]) -> None:
        control.write_compiling(folder, job.id, ready, *about)

    def abandoned() -> bool:
        return control.lock_owner(folder) not in (lock_owner, None)

    def flush() -> None:
        nonlocal saved
        if rows and not abandoned():
            name = job_id(job.runs[done - len(rows) : done])
            again = [row for row in rows if row["run"] in job.again]
            new = [row for row in rows if row["run"] not in job.again]
            for some, ending in ((new, "parquet"), (again, store.AGAIN)):
                if some:
                    parts[f"{name}.{ending}"] = store.write_part(folder, name, some, ending)
            rows.clear()
        saved = time.monotonic()

    def outcome(finished: bool) -> Outcome:
        control.remove_heartbeat(folder, job.id)
        return Outcome(finished, parts, devices(), awake.seconds() - begun, pace.seconds)

    if abandoned():
        return Outcome(False, {}, devices(), 0.0, 0.0)
    control.write_heartbeat(folder, job.id, False, 0.0, 0, 0.0, *about)
    if control.stop_asked(folder):
        return outcome(finished=False)
    log.info("job %s begins: %s", job.id, describe(job))

    def keep(batch: RunBatch, step: int, state: Any, records: Sequence[Any]) -> None:
        if not abandoned():
            keep_weights(job, folder, batch, step, state, records)

    for runs in run_batches(job):
        path = checkpoint.path_of(folder, job_id(runs))
        keeping = keep if job.keep_weights != NONE else None
        for number, at in enumerate(segments(job, runs, folder, pace, turn, tell, keeping)):
            if number == 0:
                resumed += len(runs) * at.step / (job.steps + 1)
            if time.monotonic() - looked < LOOK_SECONDS:
                continue
            looked = time.monotonic()
            if abandoned():
                return Outcome(False, {}, devices(), awake.seconds() - begun, pace.seconds)
            share = at.step / (job.steps + 1)
            control.write_heartbeat(folder, job.id, True, done + len(runs) * share, saves, resumed, *about, done)
            stop = control.stop_asked(folder)
            if stop or time.monotonic() - saved >= SAVE_SECONDS:
                if number and at.recorded:  # at first it stands where its checkpoint does
                    own = portable(job, folder, at.state)
                    checkpoint.save(path, identity(job, runs), replace(at, state=own))
                    saves += 1
                    log.info("job %s: saved runs %s.. at step %s", job.id, runs[0].id, at.step)
                flush()
            if stop:
                return outcome(finished=False)
        rows += batch_rows(job, runs, folder, at)
        done += len(runs)
        if path.exists() or time.monotonic() - saved >= SAVE_SECONDS:
            flush()
            path.unlink(missing_ok=True)
    flush()
    return outcome(finished=True)


def keep_weights(job: Job, folder: Path, batch: RunBatch, step: int, state: Any, records: Sequence[Any]) -> None:
    """Write the weights of a record, of those runs of a batch that are to have them kept there."""
    joined = {name: np.concatenate([np.asarray(one[name]) for one in records], axis=1) for name in (*RECORDED, DEAD)}
    steps = record_schedule(job.steps, job.every, job.evaluate_every)[: joined[DEAD].shape[1], 0].tolist()
    hidden = np.isfinite(joined["validation_loss"]) & np.isnan(joined[DEAD])
    diverged = np.asarray(state["training"]["diverged_step"])
    kept = [
        (i, run)
        for i, run in enumerate(batch.runs)
        if wanted(job.keep_weights, steps, hidden[i].tolist(), int(diverged[i]), job.steps)
    ]
    if kept:
        numbers = {run.id: [float(joined[name][i, -1]) for name in RECORDED] for i, run in kept}
        named = batch.weights(kept)
        runs = {run: (own, numbers[run]) for run, own in named.items()}
        weight_files.write(folder, job_id(batch.runs), step, runs)


def run_batches(job: Job) -> Iterator[tuple[Run, ...]]:
    """Yield the job's runs, as many at a time as one call advances: a run batch for each device of this process."""
    width = job.shape.spec.runs_per_call * jax.local_device_count()
    for begin in range(0, len(job.runs), width):
        yield job.runs[begin : begin + width]


def train_batch(job: Job, runs: tuple[Run, ...], folder: Path) -> list[dict[str, Any]]:
    """Train one run batch from its first step to its last, whatever happens; returns one row per run."""
    return batch_rows(job, runs, folder, deque(segments(job, runs, folder, Pace()), maxlen=1).pop())


def batch_rows(job: Job, runs: tuple[Run, ...], folder: Path, last: Snapshot) -> list[dict[str, Any]]:
    """Make one row per run, of a run batch that is done."""
    shape = job.shape
    dataset = run_data.rows(shape, folder / "sources")
    schedule = record_schedule(job.steps, job.every, job.evaluate_every)
    records, diverged = last.joined(), np.asarray(last.state["training"]["diverged_step"])
    calls = (shape.spec.runs_per_call, shape.spec.eval_chunks)
    geometric = loading.geometric_means(shape, folder / "sources")
    return [
        run_row(
            {**run.labels, **environment.environment_columns(*calls, run.modules)},
            jax.tree.map(lambda leaf, i=i: leaf[i], records),
            steps=schedule[:, 0],
            last_step=job.steps,
            diverged_step=int(diverged[i]),
            fan_in=dataset.train.x.shape[1],
            width=shape.spec.width,
            keep_layers=job.keep_layers,
            columns=shape.spec.probes,
            target_loss=dataset.target_loss,
            constant_loss=dataset.constant_loss,
            target_variances=dataset.target_variances,
            geometric=geometric,
            residual=shape.spec.block.residual,
            probe_rows=len(loading.arrays(shape, folder / "sources")["probe"][1]),
            death_known=run.numbers["flat_pieces"] is not None,
        )
        for i, run in enumerate(runs)
    ]
