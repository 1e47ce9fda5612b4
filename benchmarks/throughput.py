"""How near training comes to the machine's matrix product: `python -m benchmarks.throughput`.

In each round two one-thread workers first multiply matrices of the loop's own shape (batch × width by width × width,
NumPy's BLAS and XLA's, the faster counts), then train: steps alone, records alone, and whole runs as `actlab run` does,
with a record every 250 steps. Only the matmul operations of training count. A figure is the median over rounds of a
rate over the peak rate of its own round, so that a machine that is slow for a while is slow for both.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from actlab.engine import worker_pools
from benchmarks import race
from benchmarks.rates import Shape, loop_rate, numpy_rate, record_cost, whole_rate, xla_rate


def rounds(shape: Shape, number: int, folder: Path) -> list[dict[str, float]]:
    """Race the rounds of one shape: rates of two workers in GFLOP/s, and their ratios."""
    pool = worker_pools.local(2)
    # About two seconds of training, whatever the width.
    steps = max(int(1.5e11 / (6 * shape.depth * shape.batch * shape.width**2)) // shape.every, 1) * shape.every
    whole = shape._replace(steps=steps)
    rows = []
    for counted in range(-1, number):  # one round to compile and to warm up
        peaks = [
            sum(race.together(pool, 2, rate, shape.batch, shape.width, 0.4)) / 1e9 for rate in (numpy_rate, xla_rate)
        ]
        peak = max(peaks)
        loop = sum(race.together(pool, 2, loop_rate, folder, shape, 0.8)) / 1e9
        record = [
            seconds * peak / 2 * 1e9 / flops for seconds, flops in race.together(pool, 2, record_cost, folder, shape)
        ]
        trained = sum(race.together(pool, 2, whole_rate, folder, whole)) / 1e9
        row = {"width": shape.width, "round": counted, "steps": steps, "numpy_gflops": peaks[0], "xla_gflops": peaks[1]}
        row |= {"loop_gflops": loop, "whole_gflops": trained}
        row |= {"loop_share": loop / peak, "whole_share": trained / peak, "record_over_its_products": max(record)}
        rows.append(row)
    pool.shutdown()
    return rows[1:]


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    rows = []
    for width in arguments.widths:
        shape = Shape(width, arguments.depth, arguments.batch, every=arguments.every)
        with tempfile.TemporaryDirectory() as folder:
            rows += rounds(shape, arguments.rounds, Path(folder))
    return pd.DataFrame(rows)


def main() -> None:
    """Race, print, write."""
    parser = race.parser(__doc__, rounds=7)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--every", type=int, default=250, help="steps between two records")
    arguments = parser.parse_args()
    frame = race.rounds("throughput", arguments, measured)
    table = race.medians(frame, ["width"], ["loop_share", "whole_share", "record_over_its_products"])
    title = (
        f"Training vs the peak: depth {arguments.depth}, batch {arguments.batch}, relu, Adam; "
        f"whole runs with a record every {arguments.every} steps"
    )
    called = {"loop_share": "training steps", "whole_share": "whole runs, with their records"}
    figure = race.lines(frame, "width", called, "share of the matmul peak", goals=[1.0])
    race.finish("throughput", title, frame, table, figure, arguments.out)


if __name__ == "__main__":
    main()
