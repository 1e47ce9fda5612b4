"""What closed-form derivatives cost in training: `python -m benchmarks.derivatives`.

Training steps with each catalogue activation as it is, and with what JAX makes of its function alone, take turns in one
one-thread process. A ratio is of seconds in the same round, below 1 where the closed form is faster.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import race
from benchmarks.rates import Shape, planned

DEPTH, BATCH = 20, 128
SECONDS = 0.12  # of one contestant's turn


def seconds(width: int, name: str, rounds: int) -> list[tuple[float, float]]:
    """Time so many steps, with the closed form and without it, by round."""
    import jax

    from actlab.activations.closed_form import automatic
    from actlab.engine import run_batch as engine
    from actlab.nn.programs import compile_programs

    folder = Path(tempfile.mkdtemp())
    job = planned(folder, Shape(width, depth=DEPTH, batch=BATCH, activation=name))
    batches: list[list[Any]] = []
    for function in (lambda phi: phi, automatic):
        batch = engine.RunBatch(job, job.runs, folder)
        changed = replace(batch.function, phi=function(batch.function.phi))
        program = replace(batch.program, functions=(changed,))
        batch.programs = compile_programs(program, batch.data["train"][0].shape[1], 10, jax.local_devices())
        batches.append([batch, jax.block_until_ready(batch.train(batch.begin().state, 0, 2)), 2])
    timings, steps = [], 8
    for number in range(-1, rounds):
        took = [0.0, 0.0]
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            batch, state, step = batches[place]
            begin = time.perf_counter()
            state = jax.block_until_ready(batch.train(state, step, step + steps))
            took[place] = time.perf_counter() - begin
            batches[place][1:] = state, step + steps
        if number >= 0:
            timings.append((took[0], took[1]))
        steps = max(int(SECONDS * steps / max(took)), 4) if number < 0 else steps
    return timings


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    from actlab.engine import worker_pools

    rows = []
    for name in arguments.activations:
        with worker_pools.Processes() as processes:
            raced = processes.open().submit(seconds, arguments.width, name, arguments.rounds).result()
        rows += [(name, number, *took, took[0] / took[1]) for number, took in enumerate(raced)]
    columns = ["activation", "round", "closed_form_s", "automatic_s", "closed_over_automatic"]
    return pd.DataFrame(rows, columns=columns)


def main() -> None:
    """Race, print, write."""
    from actlab.activations import CATALOGUE

    parser = race.parser(__doc__, rounds=9)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--activations", nargs="+", default=list(CATALOGUE), choices=list(CATALOGUE))
    arguments = parser.parse_args()
    frame = race.rounds("derivatives", arguments, measured)
    table = race.medians(frame, ["activation"], ["closed_over_automatic"])
    title = f"A training step with closed-form derivatives vs automatic ones, width {arguments.width}"
    race.finish("derivatives", title, frame, table, None, arguments.out)


if __name__ == "__main__":
    main()
