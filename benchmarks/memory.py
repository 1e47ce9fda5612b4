"""What a worker holds at most, vs what the plan predicts: `python -m benchmarks.memory`.

Each figure is the largest resident size that a worker of its own came to while it compiled a shape and trained a batch.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from actlab.engine import worker_pools
from benchmarks import race
from benchmarks.rates import STUDY, Shape

DIGITS_ROWS = 1797


def most_bytes(folder: Path, shape: Shape, runs: int, rows: int) -> tuple[float, float]:
    """Return bytes measured and predicted, of a fresh worker that trains ``runs`` at once on ``rows`` of data."""
    import resource
    import sys

    import numpy as np

    from actlab.engine.worker import train_batch
    from actlab.study import plan, reading
    from actlab.study.memory import CallSize

    text = STUDY.format(**shape._asdict())
    if rows:
        x = np.random.default_rng(0).normal(size=(rows, 64)).astype(np.float32)
        np.savez(folder / "rows.npz", x=x, y=(x[:, 0] > 0).astype(int))
        text = text.replace("digits", "rows.npz")
    path = folder / "study.yaml"
    path.write_text(text)
    planned = plan.plan(reading.read(path, [f"sweep.seeds={runs}"]), begun={shape.width: CallSize(runs, 1)})
    (job,) = planned.groups
    train_batch(job, job.runs, folder)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, planned.worker_bytes


def called(activation: str, depth: int, width: int, runs: int, rows: int) -> str:
    """Name a case by its shape, and by what else it differs in from most.

    >>> called("relu", 20, 64, 16, 1797)
    'relu, 20 layers of 64, 16 runs per call'
    """
    more = [f", {runs} runs per call"] * (runs > 1) + [f", {rows:,} rows"] * (rows != DIGITS_ROWS)
    return f"{activation}, {depth} layers of {width}{''.join(more)}"


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Measure; a row for each round."""
    cases = [
        (Shape(16, 2), 4, 0),
        (Shape(64, 10), 1, 0),
        (Shape(64, 20), 16, 0),
        (Shape(128, 20), 1, 0),
        (Shape(256, 50), 1, 0),
        (Shape(512, 50), 1, 0),
        (Shape(64, 10), 1, 200_000),
        (Shape(64, 20, activation="mish"), 1, 0),
    ]
    rows = []
    for number in range(arguments.rounds):
        for shape, runs, data_rows in cases:
            pool = worker_pools.local(1)
            short = shape._replace(steps=40, every=20)
            with tempfile.TemporaryDirectory() as folder:
                held, predicted = pool.submit(most_bytes, Path(folder), short, runs, data_rows).result()
            pool.shutdown(kill_workers=True)
            size = (shape.depth, shape.width, runs, data_rows or DIGITS_ROWS)
            rows.append((shape.activation, *size, number, held, predicted))
    columns = ["activation", "depth", "width", "runs_per_call", "rows", "round", "measured_mb", "predicted_mb"]
    frame = pd.DataFrame(rows, columns=columns)
    frame[["measured_mb", "predicted_mb"]] /= 1e6
    frame["predicted_over_measured"] = frame["predicted_mb"] / frame["measured_mb"]
    return frame


def main() -> None:
    """Measure, print, write."""
    arguments = race.parser(__doc__, rounds=2).parse_args()
    frame = race.rounds("memory", arguments, measured)
    values = ["measured_mb", "predicted_mb"]
    by = ["activation", "depth", "width", "runs_per_call", "rows"]
    table = race.medians(frame, by, values, digits=0).merge(race.medians(frame, by, ["predicted_over_measured"]), on=by)
    named = frame.assign(case=[called(*row) for row in frame[by].itertuples(index=False)])
    names = list(dict.fromkeys(named["case"]))
    figure = race.bars(names, named, "case", "predicted_over_measured", "memory predicted / measured")
    race.finish("memory", "What a worker holds at most", frame, table, figure, arguments.out)


if __name__ == "__main__":
    main()
