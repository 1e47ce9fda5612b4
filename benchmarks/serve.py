"""Measures one revision on request: JSON lines from standard input, answers on standard output, until its input ends.

    {"op": "steps", "shape": {"width": 64, "depth": 20}, "seconds": 0.8}  ->  {"value": [4.1e10, 4.2e10]}

`revisions.Server` starts it with ``PYTHONPATH`` at a checkout, this one or an older: `actlab`, `benchmarks.rates` and
`benchmarks.compiling` are that checkout's. What is measured is measured in two one-thread workers at once, started as
that revision starts its own, and answered for each; compiling in one that ends with its request.
"""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loky import ProcessPoolExecutor

import actlab

try:
    from actlab.engine import worker_pools
except ImportError:  # an older revision's name for it
    from actlab.engine import executors as worker_pools  # type: ignore[attr-defined, no-redef]
from benchmarks import compiling, race, rates

WORKERS = 2


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print is not an answer
    pool = worker_pools.local(WORKERS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def both(function: Callable[..., Any], *arguments: Any) -> list[Any]:
            return race.together(pool, WORKERS, function, *arguments)

        operations: dict[str, Callable[..., Any]] = {
            "modules": lambda: {module.__name__: module.__file__ for module in (actlab, rates, compiling)},
            # Matmul operations per second, of NumPy's and XLA's products and of training steps.
            "numpy": lambda **shape: both(rates.numpy_rate, *shape.values()),
            "xla": lambda **shape: both(rates.xla_rate, *shape.values()),
            "steps": lambda shape, seconds: both(rates.loop_rate, folder, rates.Shape(**shape), seconds),
            # Seconds of one record with an evaluation, and its matmul operations.
            "record": lambda shape: both(rates.record_cost, folder, rates.Shape(**shape)),
            # Seconds of XLA, after those of the rest: of one shape, of all that a study needs.
            "compile": lambda shape, cache: fresh(cache, compiling.compile_seconds, folder, rates.Shape(**shape)),
            "compile_study": lambda cache, **study: fresh(cache, compiling.study_seconds, folder, *study.values()),
        }
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"value": operations[request.pop("op")](**request)}
            except Exception as error:  # the race that asked reports it, and may continue
                traceback.print_exc()
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers)
    pool.shutdown(kill_workers=True)


def fresh(cache: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a worker of its own, which keeps compiled programs in a folder, however small."""
    kept = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    pool = ProcessPoolExecutor(1, env=worker_pools.WORKER_ENVIRONMENT | kept | {"XDG_CACHE_HOME": cache})
    try:
        return pool.submit(function, *arguments).result()
    finally:
        pool.shutdown(kill_workers=True)


if __name__ == "__main__":
    main()
