"""actlab's training loop vs PyTorch's and a plain JAX loop: `python -m benchmarks.peers` (needs the extra `torch`).

All train the same network (depth 20, batch 128, ReLU, Adam, cross-entropy on digits), without any measurement, on both
cores, one after the other in each round. Only the matmul operations of training count, so a ratio of rates is a ratio
of training steps per second. What each arrangement is stands in `CONTESTANTS`.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from loky import ProcessPoolExecutor
from matplotlib.figure import Figure

from actlab.engine import worker_pools
from benchmarks import race
from benchmarks.rates import Shape, loop_rate
from benchmarks.rivals import jax_rate, torch_rate, vmap_rate

BOTH = {"NPROC": "2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}

# Name: (how many processes, of how many threads each, rate, further arguments).
CONTESTANTS: dict[str, tuple[int, int, Callable[..., float], tuple[Any, ...]]] = {
    "actlab: two processes": (2, 1, loop_rate, ()),
    "PyTorch: two processes, fused Adam": (2, 1, torch_rate, (True, False, 1)),
    "PyTorch: two processes, torch.compile": (2, 1, torch_rate, (True, True, 1)),
    "PyTorch: torch.func.vmap, two threads": (1, 2, vmap_rate, (2,)),
    "PyTorch: plain loop, default Adam": (1, 2, torch_rate, (False, False, 2)),
    "JAX: plain loop of steps": (1, 2, jax_rate, ()),
}


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    results = []
    for width in arguments.widths:
        pools = {
            threads: ProcessPoolExecutor(
                3 - threads, env=worker_pools.WORKER_ENVIRONMENT | (BOTH if threads == 2 else {})
            )
            for threads in (1, 2)
        }
        failed: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            for number in range(-1, arguments.rounds):
                for name, (processes, threads, rate, more) in CONTESTANTS.items():
                    if name in failed:
                        continue
                    try:
                        rates = race.together(pools[threads], processes, rate, Path(folder), Shape(width), 0.8, *more)
                    except Exception as error:  # torch.compile needs a C++ compiler, say
                        failed[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                        print(f"width {width}: {name} left out: {failed[name]}")
                        continue
                    results.append((width, name, number, sum(rates) / 1e9))
        for pool in pools.values():
            pool.shutdown(kill_workers=True)
    frame = pd.DataFrame(results, columns=["width", "arrangement", "round", "gflops"])
    frame = frame[frame["round"] >= 0]
    own = frame[frame["arrangement"] == next(iter(CONTESTANTS))].set_index(["width", "round"])["gflops"]
    frame = frame.join(own.rename("own"), on=["width", "round"])
    frame["actlab_is_faster_by"] = frame.pop("own") / frame["gflops"]
    return frame


def main() -> None:
    """Race, print, write."""
    parser = race.parser(__doc__, rounds=7)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256])
    arguments = parser.parse_args()
    frame = race.rounds("peers", arguments, measured)
    table = race.medians(frame, ["width", "arrangement"], ["gflops", "actlab_is_faster_by"])
    race.finish("peers", "The same training loop, depth 20, batch 128, Adam", frame, table, draw(frame), arguments.out)


def draw(frame: pd.DataFrame) -> Figure:
    """Draw the training rate against width, a line for each arrangement."""
    wide = frame.pivot(index=["width", "round"], columns="arrangement", values="gflops").reset_index()
    return race.lines(wide, "width", [name for name in CONTESTANTS if name in wide], "training GFLOP/s on two cores")


if __name__ == "__main__":
    main()
