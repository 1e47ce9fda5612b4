"""What an activation costs in a whole training step, relative to ReLU: `python -m benchmarks.activations`.

Two one-thread workers train the same shape with one activation after the other, again and again; a round's speed is
that of ReLU in the same round over the activation's own time.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from actlab.activations import CATALOGUE
from actlab.engine import worker_pools
from benchmarks import race
from benchmarks.rates import Shape, loop_rate


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    names = sorted(CATALOGUE, key=lambda name: CATALOGUE[name].order)
    names = names if arguments.all else [*names[:9], "tanh", "gelu_tanh", "linear"]
    pool = worker_pools.local(2)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-1, arguments.rounds):
            rates = {
                name: sum(race.together(pool, 2, loop_rate, Path(folder), Shape(arguments.width, activation=name), 0.4))
                for name in names
            }
            rows += [(name, number, rate / 1e9, rate / rates["relu"]) for name, rate in rates.items()]
    pool.shutdown()
    frame = pd.DataFrame(rows, columns=["activation", "round", "gflops", "speed_over_relu"])
    frame = frame[frame["round"] >= 0]
    return frame


def main() -> None:
    """Race, print, write."""
    parser = race.parser(__doc__, rounds=9)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--all", action="store_true", help="the whole catalogue, not only the story's")
    arguments = parser.parse_args()
    frame = race.rounds("activations", arguments, measured)
    table = race.medians(frame, ["activation"], ["speed_over_relu"])
    names = list(dict.fromkeys(frame["activation"]))
    figure = race.bars(names, frame, "activation", "speed_over_relu", "training steps per second, relative to relu")
    title = f"Whole training steps, width {arguments.width}, depth 20, batch 128, Adam"
    race.finish("activations", title, frame, table, figure, arguments.out)


if __name__ == "__main__":
    main()
