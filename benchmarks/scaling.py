"""How cost grows with depth, width and the number of runs: `python -m benchmarks.scaling`.

Training steps alone for depth (2 to 200, width 64) and width (16 to 512, depth 10), in two one-thread workers; whole
small runs, records and rows included, for their number (1 to 2,000). The dashed line has the cost per matmul operation
of the largest: where a measured cost lies below it, an operation is cheaper there.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from actlab.analysis import style
from actlab.engine import worker_pools
from benchmarks import race
from benchmarks.rates import Shape, loop_rate, planned

DEPTHS = (2, 5, 10, 20, 50, 100, 200)
WIDTHS = (16, 32, 64, 128, 256, 512)
RUNS = (1, 10, 100, 500, 2000)
SMALL = Shape(16, 4, 32, steps=100, every=50)


def step_seconds(folder: Path, shape: Shape) -> tuple[float, float]:
    """Time one run's training step, and its matmul operations."""
    rate = loop_rate(folder, shape, 0.5)
    job = planned(folder, shape)
    flops = job.runs[0].flops / job.steps
    return flops / rate, flops


def runs_seconds(folder: Path, runs: int) -> tuple[float, float]:
    """Time so many small runs, from their first step to the rows that are stored, and their operations."""
    from actlab.engine.worker import run_batches, train_batch

    job = planned(folder, SMALL, runs)
    begin = time.perf_counter()
    for batch in run_batches(job):
        train_batch(job, batch, folder)
    return time.perf_counter() - begin, sum(run.flops for run in job.runs)


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Measure; a row for each round."""
    rows = []
    pool = worker_pools.local(2)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for axis, values in (("depth", DEPTHS), ("width", WIDTHS)):
                for value in values:
                    shape = Shape(64, value) if axis == "depth" else Shape(value, 10)
                    timings = race.together(pool, 2, step_seconds, Path(folder), shape)
                    seconds, flops = max(timings)
                    rows.append((axis, value, number, seconds, flops))
            for value in RUNS:
                # Half of them per worker, as the engine would partition them.
                timings = race.together(pool, 2 if value > 1 else 1, runs_seconds, Path(folder), max(value // 2, 1))
                seconds, flops = max(timings)
                rows.append(("runs", value, number, seconds, flops))
    pool.shutdown()
    frame = pd.DataFrame(rows, columns=["axis", "value", "round", "seconds", "matmul_flops"])
    frame = frame[frame["round"] > 0].reset_index(drop=True)  # the first compiles
    frame["gflops_a_worker"] = frame["matmul_flops"] / frame["seconds"] / 1e9
    return frame


def main() -> None:
    """Measure, print, write."""
    arguments = race.parser(__doc__, rounds=3).parse_args()
    frame = race.rounds("scaling", arguments, measured)
    table = race.medians(frame, ["axis", "value"], ["seconds"], digits=5).merge(
        race.medians(frame, ["axis", "value"], ["gflops_a_worker"], digits=1), on=["axis", "value"]
    )
    title = "Seconds a training step by depth (width 64) and width (depth 10); seconds of small whole runs by number"
    race.finish("scaling", title, frame, table, draw(frame), arguments.out)


def draw(frame: pd.DataFrame) -> Figure:
    """Draw cost on log axes with whiskers over rounds, and what would cost as much per operation as the largest."""
    with style.apply():
        figure = style.new_figure(style.WIDEST, 3.0)
        for axes, (axis, rows) in zip(figure.subplots(1, 3), frame.groupby("axis", sort=False), strict=True):
            grouped = rows.groupby("value")
            middle, low, high = (getattr(grouped["seconds"], how)() for how in ("median", "min", "max"))
            operations = grouped["matmul_flops"].median()
            in_proportion = operations * (middle / operations).iloc[-1]
            whiskers = {"yerr": [middle - low, high - middle], "capsize": 2}
            axes.errorbar(
                middle.index,
                middle,
                **whiskers,
                color=race.COLOURS[0],
                marker="o",
                label="measured; whiskers: lowest to highest round",
            )
            dashed = {"color": "#888888", "linestyle": "--", "linewidth": 0.9}
            axes.plot(middle.index, in_proportion, **dashed, label="at the largest's cost per operation")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(list(middle.index), [f"{value:,}" for value in middle.index], rotation=30)
            axes.minorticks_off()
            axes.set(xlabel=str(axis), ylabel="seconds" if axis == "runs" else "seconds per step")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return figure


if __name__ == "__main__":
    main()
