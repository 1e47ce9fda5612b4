"""How much of a whole `actlab run` is training: `python -m benchmarks.command`.

The command runs as a user would give it, from its start to its tables, figures and report, on two workers, with an
empty folder of compiled programs and, if `--again`, once more with the folder that the first left. Training is the time
that the workers spent in the compiled loop, records included; the rest is starting, compiling, writing and reporting.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks import race

CONFIG = Path(__file__).parents[1] / "configs" / "depth.yaml"


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    rows = []
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for compiled in ("from scratch", "from disk") if arguments.again else ("from scratch",):
                out = Path(folder) / compiled
                command = [sys.executable, "-m", "actlab", "run", str(arguments.config)]
                environment = os.environ | {"XDG_CACHE_HOME": folder}
                begin = time.perf_counter()
                subprocess.run(
                    [*command, *arguments.overrides, "--workers", "2", "--out", str(out)],
                    env=environment,
                    check=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                wall = time.perf_counter() - begin
                manifest = json.loads((out / "manifest.json").read_text())
                busy, training = manifest["seconds"], manifest["training_seconds"]
                rows.append((compiled, number, wall, busy / 2 / wall, training / 2 / wall))
    return pd.DataFrame(rows, columns=["compiled", "round", "wall_s", "share_in_jobs", "share_in_training"])


def main() -> None:
    """Measure, print, write."""
    parser = race.parser(__doc__, rounds=1)
    parser.add_argument("--again", action="store_true", help="also with the programs that the first left on disk")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument(
        "overrides", nargs="*", default=["model.depth=30,50", "sweep.seeds=11"], help="as for `actlab run`"
    )
    arguments = parser.parse_args()
    frame = race.rounds("command", arguments, measured)
    table = race.medians(frame, ["compiled"], list(frame.columns[2:]))
    title = f"The whole command: {arguments.config.name} {' '.join(arguments.overrides)}, two workers"
    race.finish("command", title, frame, table, None, arguments.out)


if __name__ == "__main__":
    main()
