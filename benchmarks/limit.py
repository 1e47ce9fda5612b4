"""Whether `actlab run --memory` keeps its workers within what it is given: `python -m benchmarks.limit`.

Studies are trained as a user would start them, on two workers if they may, with less and less memory: one with large
weights, one with many rows, one with many programs to compile. What the workers together hold is looked at fifty times
per second. No compiled program is on the disk: a worker holds most while it compiles.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

import actlab
from benchmarks import race
from benchmarks.rates import STUDY, Shape

WIDE = Shape(512, 30, steps=40, every=20)  # its weights are large
LONG = Shape(32, 10, steps=40, every=20)  # its evaluations are, with many rows
MANY = Shape(64, 20, steps=40, every=20)
CASES = [
    (WIDE, 1797, ["relu"], ("2.6GB", "2GB", "1.3GB")),
    (LONG, 400_000, ["relu"], ("3.6GB", "2GB", "1.2GB")),
    (MANY, 1797, ["relu", "tanh", "sigmoid", "elu", "gelu", "swish", "mish", "prelu"], ("1.9GB", "1.2GB")),
]


def peak_memory(command: list[str], environment: dict[str, str]) -> float:
    """Return the most bytes that the processes which a command starts hold at once."""
    most = 0.0
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        parent = psutil.Process(process.pid)
        while process.poll() is None:
            now = 0
            for worker in parent.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    now += worker.memory_info().rss
            most = max(most, now)
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit("the study failed")
    return most


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    rows = []
    for number in range(arguments.rounds):
        for shape, data_rows, activations, limits in CASES:
            for limit in limits:
                with tempfile.TemporaryDirectory() as name:
                    folder = Path(name)
                    x = np.random.default_rng(0).normal(size=(data_rows, 64)).astype(np.float32)
                    np.savez(folder / "rows.npz", x=x, y=(x[:, 0] > 0).astype(int))
                    text = STUDY.format(**shape._asdict()).replace("digits", "rows.npz")
                    (folder / "study.yaml").write_text(text)
                    words = [str(folder / "study.yaml"), f"model.activation={','.join(activations)}", "sweep.seeds=8"]
                    options = ["--out", str(folder / "r"), "--workers", "2", "--memory", limit]
                    most = peak_memory(
                        [sys.executable, "-m", "actlab", "run", *words, *options],
                        os.environ | {"XDG_CACHE_HOME": name},
                    )
                    runs = actlab.load(folder / "r").runs
                    (runs_per_call,), (eval_chunks,) = runs["runs_per_call"].unique(), runs["eval_chunks"].unique()
                size = (shape.depth, shape.width, data_rows, len(activations))
                rows.append((*size, limit, number, runs_per_call, eval_chunks, most / 1e6))
    columns = ["depth", "width", "rows", "programs", "memory", "round", "runs_per_call", "eval_chunks", "held_mb"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["held_over_given"] = frame["held_mb"] / frame["memory"].str.removesuffix("GB").astype(float) / 1e3
    return frame


def main() -> None:
    """Measure, print, write."""
    arguments = race.parser(__doc__, rounds=2).parse_args()
    frame = race.rounds("limit", arguments, measured)
    by = ["depth", "width", "rows", "programs", "memory", "runs_per_call", "eval_chunks"]
    table = race.medians(frame, by, ["held_mb"], digits=0).merge(race.medians(frame, by, ["held_over_given"]), on=by)
    race.finish("limit", "What all workers together hold, vs --memory", frame, table, None, arguments.out)


if __name__ == "__main__":
    main()
