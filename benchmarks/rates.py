"""What the workers of a benchmark do: multiply matrices, or train; each returns floating-point operations a second."""

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

STUDY = """
study: throughput
data: {{name: digits}}
model: {{activation: relu, depth: {depth}, width: {width}}}
train: {{optimizer: adam, batch_size: {batch}, steps: {steps}}}
measure: {{every: {every}, evaluate_every: {every}, keep_layers: ends}}
"""


def numpy_rate(batch: int, width: int, seconds: float) -> float:
    """Floating-point operations a second of NumPy's sgemm."""
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


@lru_cache(maxsize=8)
def chain(batch: int, width: int) -> Any:
    """Two hundred dependent matrix products as one compiled program."""
    import jax

    def run(x: Any, w: Any) -> Any:
        return jax.lax.fori_loop(0, 200, lambda _, x: x @ w, x)

    x = jax.numpy.zeros((batch, width))
    w = jax.numpy.eye(width)
    return jax.jit(run).lower(x, w).compile(), x, w


def xla_rate(batch: int, width: int, seconds: float) -> float:
    """Floating-point operations a second of XLA's dot."""
    compiled, x, w = chain(batch, width)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        compiled(x, w).block_until_ready()
        done += 200
    return done * 2 * batch * width**2 / (time.perf_counter() - begin)


@lru_cache(maxsize=8)
def planned(folder: Path, depth: int, width: int, batch: int, steps: int, every: int) -> Any:
    """One lane of the study above, planned as `actlab run` would."""
    from actlab.study import plan, reading

    path = folder / f"{width}-{steps}-{every}.yaml"
    path.write_text(STUDY.format(depth=depth, width=width, batch=batch, steps=steps, every=every))
    lane = plan.lane_width(width, "cpu")
    (job,) = plan.plan(reading.read(path, [f"sweep.seeds={lane}"])).groups
    return job


def training_rate(folder: Path, depth: int, width: int, batch: int, steps: int, every: int) -> float:
    """Matmul operations a second of training a lane from its first step to its last record."""
    from actlab.engine.job import run_lane

    job = planned(folder, depth, width, batch, steps, every)
    begin = time.perf_counter()
    run_lane(job, job.runs, folder)
    return sum(run.flops for run in job.runs) / (time.perf_counter() - begin)
