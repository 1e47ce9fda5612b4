"""How long a plan of 10,000 runs takes: `python -m benchmarks.planning`.

Each figure comes from a process of its own, after the imports: reading the YAML, then planning it and cutting it into
jobs.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd

from actlab.engine import worker_pools
from benchmarks import race

STUDY = """
study: large
data: {name: digits}
sweep:
  matrix:
    model.activation: [sigmoid, relu, leaky_relu, prelu, elu, selu, gelu, swish, mish, tanh]
    model.depth: [2, 5, 10, 20, 50]
    train.learning_rate: [1e-4, 1e-3, 1e-2, 1e-1]
    model.weight_gain: [0.5, 0.7, 1.0, 1.5, 2.0]
  seeds: 10
"""


def plan_seconds(folder: Path) -> tuple[float, float, int, int]:
    """Time reading and planning, and count runs and jobs."""
    from actlab.study import plan, reading

    path = folder / "study.yaml"
    path.write_text(STUDY)
    begin = time.perf_counter()
    study = reading.read(path)
    read = time.perf_counter()
    planned = plan.plan(study)
    jobs = plan.partition_into_jobs(planned.groups, set(planned.runs), 2)
    return read - begin, time.perf_counter() - read, len(planned.runs), len(jobs)


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    rows = []
    for number in range(arguments.rounds):
        pool = worker_pools.local(1)
        with tempfile.TemporaryDirectory() as folder:
            rows.append((number, *pool.submit(plan_seconds, Path(folder)).result()))
        pool.shutdown(kill_workers=True)
    frame = pd.DataFrame(rows, columns=["round", "reading_s", "planning_s", "runs", "jobs"])
    frame["total_s"] = frame["reading_s"] + frame["planning_s"]
    return frame


def main() -> None:
    """Measure, print, write."""
    arguments = race.parser(__doc__, rounds=5).parse_args()
    frame = race.rounds("planning", arguments, measured)
    table = race.medians(frame, ["runs", "jobs"], ["reading_s", "planning_s", "total_s"])
    race.finish("planning", "Seconds to plan", frame, table, None, arguments.out)


if __name__ == "__main__":
    main()
