"""How near the training loop comes to the machine's matrix product: `python benchmarks/throughput.py`.

In each round two one-thread workers first multiply matrices of the loop's own shape (batch × width by width × width,
NumPy's BLAS and XLA's, the faster counts), then train a whole run as `actlab run` does, records included. Only the
matmul operations of training count. A figure is the median over rounds of training rate / peak rate, so that a machine
that is slow for a while is slow for both.
"""

import argparse
import time
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from actlab.engine import executors

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


def together(pool: Executor, function: Any, *args: Any) -> float:
    """Both workers at once; the sum of their rates."""
    return float(sum(future.result() for future in [pool.submit(function, *args) for _ in range(2)]))


def race(widths: list[int], depth: int, batch: int, every: int, rounds: int, folder: Path) -> pd.DataFrame:
    """One row a width and round: peak and training rates of two workers, in GFLOP/s, and their ratio."""
    pool = executors.local(2)
    rows = []
    for width in widths:
        # About a second and a half of training, whatever the width.
        steps = max(int(3e10 / (6 * depth * batch * width**2)) // every, 1) * every
        contestants = [(numpy_rate, batch, width, 0.5), (xla_rate, batch, width, 0.5)]
        train = (training_rate, folder, depth, width, batch, steps, every)
        together(pool, *train)  # compiles
        together(pool, *contestants[1])
        for number in range(rounds):
            by_numpy, by_xla = (together(pool, *one) / 1e9 for one in contestants)
            trained = together(pool, *train) / 1e9
            peak = max(by_numpy, by_xla)
            rows.append((width, number, steps, by_numpy, by_xla, trained, trained / peak))
    pool.shutdown()
    columns = ["width", "round", "steps", "numpy_gflops", "xla_gflops", "training_gflops", "share_of_peak"]
    return pd.DataFrame(rows, columns=columns)


def main() -> None:
    """Race, print the medians, and write every round as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--every", type=int, default=250, help="steps between two records")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        frame = race(given.widths, given.depth, given.batch, given.every, given.rounds, Path(folder))
    frame.to_csv(given.out / "throughput.csv", index=False, float_format="%.4g")
    share = frame.groupby("width")["share_of_peak"]
    table = pd.DataFrame({"median": share.median(), "low": share.min(), "high": share.max()})
    table["training GFLOP/s"] = frame.groupby("width")["training_gflops"].median()
    print(f"share of peak, depth {given.depth}, batch {given.batch}, a record every {given.every} steps")
    print(table.to_markdown(floatfmt=".2f"))


if __name__ == "__main__":
    main()
