"""How long a study takes to compile, and one shape: `python -m benchmarks.compiling`.

Everything that a worker compiles for a study of ten activations and depths from 2 to 200 at one width, raced against
single shapes of this checkout and of an older revision. Each figure comes from a worker of its own: XLA, and the rest
(tracing and lowering, or reading files), for all its programs, one after the other; once with an empty folder of
compiled programs, once with the folder that the first left. Ratios are to the base's relu of depth 20 in the same
round, compiled from scratch.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import race, revisions
from benchmarks.rates import Shape, groups, planned

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish")
DEPTHS = (2, 10, 20, 50, 100, 200)
ONE = ("base", "relu", "20")  # the program that the gates are ratios to
ALSO = (("relu", 2), ("relu", 200), ("prelu", 20), ("mish", 20))  # other programs of the base
KEYS = ["revision", "activation", "depth", "from_disk"]


def compile_seconds(folder: Path, shape: Shape) -> tuple[float, float]:
    """Time tracing, lowering and reading files, and of XLA's compiler, for the programs of a shape."""
    return seconds_of([planned(folder, shape)])


def study_seconds(folder: Path, width: int, activations: Sequence[str], depths: Sequence[int]) -> tuple[float, float]:
    """Time the same for all programs of a study of so many activations and depths, one after the other."""
    swept = f"model.activation={','.join(activations)}", f"model.depth={','.join(map(str, depths))}"
    return seconds_of(groups(folder, Shape(width), *swept))


def seconds_of(jobs: Sequence[Any]) -> tuple[float, float]:
    """Time the same for the programs of all jobs: one after the other, once per shape."""
    import jax
    import numpy as np

    from actlab.engine import compiling, loading
    from actlab.engine import run_batch as engine

    jax.block_until_ready(jax.jit(lambda x: x + 1)(1.0))  # what the first compilation of a process costs besides
    xla: list[float] = []

    def listen(event: str, duration_secs: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            xla.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    whole = 0.0
    for job in {job.shape: job for job in jobs}.values():
        with tempfile.TemporaryDirectory() as folder:
            program = loading.program_of(job.shape, Path(folder))
            functions = loading.functions_of(job.shape, Path(folder))
            data = loading.arrays(job.shape, Path(folder))
        filled = [job.runs[0]] * job.shape.spec.runs_per_call
        numbers = engine.stack(
            [engine.numbers_for(program, functions[job.activation], run) for run in filled],
            np.dtype(job.shape.spec.dtype),
        )
        call = (np.int32(job.depth), np.int32(job.activation))
        xla.clear()
        begin = time.perf_counter()
        compiling.compiled_programs(job.shape, program, numbers, data, call, (data["train"][0].shape[1], 10), 0)
        whole += time.perf_counter() - begin
    return whole - sum(xla), sum(xla)


def contestants(
    this: revisions.Server, base: revisions.Server, width: int, activations: Sequence[str], depths: Sequence[int]
) -> Iterator[tuple[tuple[str, str, str], revisions.Server, str, dict[str, Any]]]:
    """Yield (revision, activation, depth) as the table shows them, and what to ask of whom."""
    study = {"width": width, "activations": activations, "depths": depths}
    named = ("this", f"{len(activations)} activations", f"{min(depths)} to {max(depths)}")
    yield named, this, "compile_study", study
    for activation, depth in (("relu", 20), *ALSO):
        yield ("base", activation, f"{depth}"), base, "compile", {"shape": shape_of(width, depth, activation)}
    yield ("this", "relu", "20"), this, "compile", {"shape": shape_of(width, 20, "relu")}


def shape_of(width: int, depth: int, activation: str) -> dict[str, Any]:
    """Describe a shape as a server is asked for it."""
    return {"width": width, "depth": depth, "activation": activation}


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    rows = []
    with (
        revisions.checkout(arguments.revision, arguments.base) as path,
        revisions.servers(revisions.HERE, path) as (this, base),
    ):
        for number in range(arguments.rounds):
            race_of = contestants(this, base, arguments.width, arguments.activations, arguments.depths)
            for named, server, op, request in race_of:
                with tempfile.TemporaryDirectory() as cache:
                    for cached in (False, True):
                        rest, xla = server.ask(op, cache=cache, **request)
                        rows.append((*named, cached, number, rest, xla, rest + xla))
    frame = pd.DataFrame(rows, columns=[*KEYS, "round", "rest_s", "xla_s", "total_s"])
    is_one = frame[KEYS[:3]].eq(list(ONE)).all(axis=1) & ~frame["from_disk"]
    one = frame[is_one].set_index("round")["total_s"]
    frame["over_one_program"] = frame["total_s"] / frame["round"].map(one)
    return frame


def main() -> None:
    """Race, print, write."""
    parser = race.parser(__doc__, rounds=3)
    revisions.add_arguments(parser)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--activations", nargs="+", default=list(ACTIVATIONS))
    parser.add_argument("--depths", type=int, nargs="+", default=list(DEPTHS))
    arguments = parser.parse_args()
    frame = race.rounds("compiling", arguments, measured)
    table = race.medians(frame, KEYS, ["rest_s", "xla_s", "total_s", "over_one_program"])
    title = f"Seconds to compile, width {arguments.width}: a study of this checkout vs programs of the base"
    race.finish("compiling", title, frame, table, None, arguments.out)


if __name__ == "__main__":
    main()
