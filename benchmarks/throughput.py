"""How near the training loop comes to the machine's matrix product: `python -m benchmarks.throughput`.

In each round two one-thread workers first multiply matrices of the loop's own shape (batch × width by width × width,
NumPy's BLAS and XLA's, the faster counts), then train a whole run as `actlab run` does, records included. Only the
matmul operations of training count. A figure is the median over rounds of training rate / peak rate, so that a machine
that is slow for a while is slow for both.
"""

import argparse
import tempfile
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pandas as pd

from actlab.engine import executors
from benchmarks.rates import numpy_rate, training_rate, xla_rate


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
