"""How long a shape takes to compile, anew and from the disk: `python -m benchmarks.compiling`.

Each figure comes from a worker of its own: tracing and lowering, then XLA, for `start` and `advance` together; once
with an empty folder of compiled programs, once with the folder that the first left.
"""

import tempfile
import time
from pathlib import Path

import pandas as pd
from loky import ProcessPoolExecutor

from actlab.engine import executors
from benchmarks import race
from benchmarks.rates import Shape, planned


def compile_seconds(folder: Path, shape: Shape) -> tuple[float, float]:
    """Seconds of tracing and lowering, and of XLA, for both programs of a shape."""
    import jax
    import numpy as np

    from actlab.engine import job as engine

    job = planned(folder, shape)
    start, advance = engine.programs(job.shape, None)
    data = engine.arrays(job.shape.data, job.shape.probe_rows, job.shape.dtype)
    numbers = engine.stack([run.numbers for run in job.runs], np.dtype(job.shape.dtype))
    jax.block_until_ready(jax.jit(lambda x: x + 1)(1.0))  # what the first compilation of a process costs beside
    marks = [time.perf_counter()]
    lowered = start.lower(numbers)
    marks.append(time.perf_counter())
    state = lowered.compile()(numbers)
    marks.append(time.perf_counter())
    lowered = advance.lower(state, numbers, data, np.zeros((engine.SEGMENT, 4), np.int32))
    marks.append(time.perf_counter())
    lowered.compile()
    marks.append(time.perf_counter())
    start_trace, start_xla, advance_trace, advance_xla = np.diff(marks)
    return float(start_trace + advance_trace), float(start_xla + advance_xla)


def main() -> None:
    """Measure, print, write."""
    parser = race.parser(__doc__, rounds=3)
    arguments = parser.parse_args()
    shapes = [Shape(64, depth) for depth in (2, 10, 20, 50, 100)]
    shapes += [Shape(16), Shape(256), Shape(64, activation="mish"), Shape(64, activation="prelu")]
    rows = []
    for number in range(arguments.rounds):
        for shape in shapes:
            with tempfile.TemporaryDirectory() as folder:
                for cached in (False, True):
                    kept = {"JAX_COMPILATION_CACHE_DIR": folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
                    pool = ProcessPoolExecutor(1, env=executors.WORKER_ENVIRONMENT | kept)
                    traced, compiled = pool.submit(compile_seconds, Path(folder), shape).result()
                    pool.shutdown(kill_workers=True)
                    rows.append((shape.activation, shape.depth, shape.width, cached, number, traced, compiled))
    frame = pd.DataFrame(rows, columns=["activation", "depth", "width", "from_disk", "round", "tracing_s", "xla_s"])
    frame["total_s"] = frame["tracing_s"] + frame["xla_s"]
    table = race.medians(frame, ["activation", "depth", "width", "from_disk"], ["tracing_s", "xla_s", "total_s"])
    chosen = frame[(frame["activation"] == "relu") & (frame["width"] == 64)]
    wide = chosen.assign(kept=chosen["from_disk"].map({True: "from_disk", False: "anew"}))
    wide = wide.pivot(index=["depth", "round"], columns="kept", values="total_s").reset_index()
    figure = race.lines(wide, "depth", ["anew", "from_disk"], "seconds to compile", goals=[1.5, 0.3])
    race.finish(
        "compiling", "Seconds to compile a shape, start and advance together", frame, table, figure, arguments.out
    )


if __name__ == "__main__":
    main()
