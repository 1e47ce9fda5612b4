"""What the workers of a benchmark do: multiply matrices, or train; each returns floating-point operations per second.

A worker keeps what it has compiled, and the state of the runs that it trains, for the next round of its race.
"""

import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from actlab import compiler_flags

compiler_flags.ensure()  # as in any worker; some measure JAX before they import what computes with it

STUDY = """
study: benchmark
data: {{name: digits}}
model: {{activation: {activation}, depth: {depth}, width: {width}}}
train: {{optimizer: adam, batch_size: {batch}, steps: {steps}}}
measure: {{every: {every}, evaluate_every: {every}, keep_layers: ends}}
"""


class Shape(NamedTuple):
    """A run as the benchmarks train it.

    ``steps`` and ``every`` matter only where whole runs are timed. With ``deepest`` the run belongs to a study that
    also has networks so deep.
    """

    width: int
    depth: int = 20
    batch: int = 128
    activation: str = "relu"
    steps: int = 10**6
    every: int = 250
    deepest: int | None = None


def numpy_rate(batch: int, width: int, seconds: float) -> float:
    """Measure floating-point operations per second of NumPy's sgemm."""
    x, w = (
        np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in ((batch, width), (width, width))
    )
    out = np.empty_like(x)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for _ in range(100):
            np.matmul(x, w, out=out)
        done += 100
    return done * 2 * batch * width**2 / (time.perf_counter() - begin)


@lru_cache(maxsize=16)
def chain(batch: int, width: int) -> Any:
    """Compile two hundred dependent matrix products as one program."""
    import jax

    def run(x: Any, w: Any) -> Any:
        return jax.lax.fori_loop(0, 200, lambda _, x: x @ w, x)

    x = jax.numpy.zeros((batch, width))
    w = jax.numpy.eye(width)
    return jax.jit(run).lower(x, w).compile(), x, w


def xla_rate(batch: int, width: int, seconds: float) -> float:
    """Measure floating-point operations per second of XLA's dot."""
    compiled, x, w = chain(batch, width)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        compiled(x, w).block_until_ready()
        done += 200
    return done * 2 * batch * width**2 / (time.perf_counter() - begin)


def groups(folder: Path, shape: Shape, *overrides: str) -> Any:
    """Plan the groups of a study of a shape, as ``actlab run`` would: runs that share one compiled program each."""
    from actlab.study import plan, reading

    path = folder / ("-".join(str(value) for value in (*shape, os.getpid())) + ".yaml")
    path.write_text(STUDY.format(**shape._asdict()))
    return plan.plan(reading.read(path, overrides)).groups


def planned(folder: Path, shape: Shape, runs: int | None = None) -> Any:
    """Plan so many runs of a shape (one batch by default)."""
    from actlab.study.plan import default_runs_per_call

    depths = f"{shape.depth},{shape.deepest}" if shape.deepest else f"{shape.depth}"
    seeds = runs or default_runs_per_call(shape.width, "cpu")
    all_groups = groups(folder, shape, f"sweep.seeds={seeds}", f"model.depth={depths}")
    return next(group for group in all_groups if group.depth == shape.depth)


class RunBatch:
    """One batch in the middle of its training, with the engine's own compiled programs."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        """Compile, draw the weights, and take one step."""
        from actlab.engine import run_batch as engine

        self.job = planned(folder, shape)
        self.batch = engine.RunBatch(self.job, self.job.runs, folder)
        self.state, self.step = self.batch.begin().state, 0
        self.flops = sum(run.flops for run in self.job.runs) / self.job.steps
        self.seconds_per_step = 1e-3
        for _ in range(3):  # measures how long a step takes
            self.train(0.05)

    def train(self, seconds: float) -> float:
        """Take training steps alone for about so long; matmul operations per second."""
        import jax

        steps = max(int(seconds / self.seconds_per_step), 1)
        begin = time.perf_counter()
        self.state = self.batch.train(self.state, self.step, self.step + steps)
        jax.block_until_ready(self.state)
        took = time.perf_counter() - begin
        self.step += steps
        self.seconds_per_step = took / steps
        return steps * self.flops / took

    def record(self) -> float:
        """Time one record with an evaluation, of several in a row."""
        import jax

        parameters, masks = self.state["training"]["parameters"], self.state["masks"]
        batch, several = self.batch, 8
        scratch = batch.scratch["measure"]
        begin = time.perf_counter()
        for _ in range(several):
            measured, scratch = batch.programs.measure(
                parameters, parameters, scratch, batch.numbers, batch.data, *batch.call
            )
            whole = batch.programs.evaluate(parameters, masks, batch.numbers, batch.data, np.int32(0), *batch.call)
            jax.block_until_ready((measured, whole))
        batch.scratch["measure"] = scratch
        return (time.perf_counter() - begin) / several

    def record_flops(self) -> float:
        """Count matmul operations of one record: forward and backward on the probe rows, forward on all splits."""
        shape, data = self.job.shape, self.batch.data
        features, outputs = data["train"][0].shape[1], 10
        weights = (self.job.depth - 1) * shape.width**2 + (features + outputs) * shape.width
        probe = shape.probe_rows * (6 * weights - 2 * features * shape.width)
        rows = sum(data[name][0].shape[0] for name in ("train", "validation", "test"))
        return float(shape.runs_per_call * (probe + 2 * rows * weights))


@lru_cache(maxsize=16)
def batch(folder: Path, shape: Shape) -> RunBatch:
    """Return the worker's own batch of a shape."""
    return RunBatch(folder, shape)


def loop_rate(folder: Path, shape: Shape, seconds: float) -> float:
    """Measure matmul operations per second of training steps alone."""
    return batch(folder, shape).train(seconds)


def record_cost(folder: Path, shape: Shape) -> tuple[float, float]:
    """Time a record, and count its matmul operations."""
    return batch(folder, shape).record(), batch(folder, shape).record_flops()


@lru_cache(maxsize=16)
def whole_runs(folder: Path, shape: Shape) -> Any:
    """Plan a batch with its own number of steps, once."""
    return planned(folder, shape)


def whole_rate(folder: Path, shape: Shape) -> float:
    """Measure matmul operations per second of training a batch from its first step to its last record."""
    from actlab.engine.worker import train_batch

    job = whole_runs(folder, shape)
    begin = time.perf_counter()
    train_batch(job, job.runs, folder)
    return float(sum(run.flops for run in job.runs) / (time.perf_counter() - begin))
