"""One job in one worker: compile its shape once, advance its runs lane by lane, hand their rows to the store.

A job is arrays of numbers in and arrays of measurements out. It runs in a process of its own, whose thread limits were
set before JAX was imported (see ``executors``).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from actlab import activations, data
from actlab.engine import store
from actlab.engine.records import run_row
from actlab.nn import training
from actlab.study.plan import DataKey, Job, Run, Shape, record_steps

# Rows of one call of `advance`: many enough that calls cost nothing, few enough that a diverged lane stops early.
SEGMENT = 8


def run_job(job: Job, folder: Path) -> tuple[str, str, str, float]:
    """Train a job's runs and write its part.

    Returns:
        the part's name, its checksum, the device, and the seconds spent.
    """
    begin = time.perf_counter()
    rows: list[dict[str, Any]] = []
    with jax.enable_x64(True) if job.shape.dtype == "float64" else nullcontext():
        for lane in lanes(job):
            rows += run_lane(job, lane, folder)
            store.note_progress(folder, job.id, len(rows))
    digest = store.write_part(folder, job.id, rows)
    return f"{job.id}.parquet", digest, jax.devices()[0].device_kind, time.perf_counter() - begin


def lanes(job: Job) -> Iterator[tuple[Run, ...]]:
    """The job's runs, as many at a time as its shape's lane is wide."""
    for begin in range(0, len(job.runs), job.shape.lane):
        yield job.runs[begin : begin + job.shape.lane]


def run_lane(job: Job, runs: tuple[Run, ...], folder: Path) -> list[dict[str, Any]]:
    """Advance one lane from its first step to its last, or until all its runs have diverged; one row a run."""
    shape = job.shape
    start, advance = programs(shape, folder / "sources" / shape.source if shape.source else None)
    found = loaded(shape.data)
    on_device = arrays(shape.data, shape.probe_rows, shape.dtype)
    # A short lane is filled up with copies of its first run: never narrowed, because the width changes rounding.
    filled = runs + (runs[0],) * (shape.lane - len(runs))
    numbers = stack([run.numbers for run in filled], np.dtype(shape.dtype))
    schedule = record_schedule(job.steps, job.every, job.evaluate_every)
    state = start(numbers)
    segments = []
    for begin in range(0, len(schedule), SEGMENT):
        rows = schedule[begin : begin + SEGMENT]
        count = len(rows)
        padding = np.zeros((SEGMENT - count, 4), np.int32)
        state, records = advance(state, numbers, on_device, np.concatenate([rows, padding]))
        segments.append(jax.tree.map(lambda leaf, count=count: np.asarray(leaf)[:, :count], records))
        if np.all(np.asarray(state["diverged_step"]) >= 0):
            break
    records = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *segments)
    diverged = np.asarray(state["diverged_step"])
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
    return training.compile_programs(program, found.train.x.shape[1], len(found.classes) or 1)


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
    """A data set, read once a worker."""
    return data.load(**key.arguments())


@lru_cache(maxsize=4)
def arrays(key: DataKey, probe_rows: int, dtype: str) -> dict[str, tuple[jax.Array, jax.Array]]:
    """The splits and the probe rows on the device: {train, validation, test, probe: (x, y)}.

    The probe rows are the first ``probe_rows`` of a permutation of the training rows, by ``data.seed`` alone.
    """
    found = loaded(key)
    splits = {"train": found.train, "validation": found.validation, "test": found.test}
    picked = np.random.default_rng([key.seed, 1]).permutation(len(found.train.y))[:probe_rows]
    host = {name: (split.x, split.y) for name, split in splits.items()}
    host["probe"] = (found.train.x[picked], found.train.y[picked])
    target = np.int32 if found.task == "classification" else dtype
    return {name: (jax.device_put(x.astype(dtype)), jax.device_put(y.astype(target))) for name, (x, y) in host.items()}
