"""What the machine's cores can do: `python -m benchmarks.peak`.

One and two one-thread processes multiply matrices (batch × width by width × width) with NumPy's BLAS and with XLA. The
peak that the other benchmarks divide by is the faster of the two, two processes at once, measured in their own race.
"""

import argparse

import pandas as pd

from actlab.engine import worker_pools
from benchmarks import race
from benchmarks.rates import numpy_rate, xla_rate


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    pool = worker_pools.local(2)
    rows = []
    for width in (16, 32, 64, 128, 256, 512):
        for number in range(arguments.rounds):
            for name, rate in (("numpy", numpy_rate), ("xla", xla_rate)):
                race.together(pool, 2, rate, 128, width, 0.05)
                one, two = (sum(race.together(pool, workers, rate, 128, width, 0.3)) / 1e9 for workers in (1, 2))
                rows.append((name, width, number, one, two, two / one))
    pool.shutdown()
    frame = pd.DataFrame(
        rows, columns=["library", "width", "round", "one_process_gflops", "two_processes_gflops", "two_over_one"]
    )
    return frame


def main() -> None:
    """Race, print, write."""
    arguments = race.parser(__doc__, rounds=7).parse_args()
    frame = race.rounds("peak", arguments, measured)
    table = race.medians(frame, ["library", "width"], list(frame.columns[3:]))
    wide = frame.pivot(index=["width", "round"], columns="library", values="two_processes_gflops").reset_index()
    figure = race.lines(wide, "width", {"numpy": "NumPy", "xla": "XLA"}, "GFLOP/s of two processes")
    race.finish("peak", "float32 matrix products, 128 rows", frame, table, figure, arguments.out)


if __name__ == "__main__":
    main()
