"""A whole small study from command to table, vs an older revision and PyTorch: `python -m benchmarks.first_study`.

In each round take turns: `actlab run configs/quickstart.yaml` of this checkout and of the base, each with nothing
cached (no compiled programs, no list of fonts) and again with what the first left; and `plain_torch.py`, eager and with
`--compile`: the same networks as a user would write them. Then the smallest study: one activation, depth 2, 50 steps.
Seconds are the command's, wall and CPU (its workers included); outside training and in training are the workers' own,
from the manifest. A ratio is of one round.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import race, revisions

QUICKSTART = "configs/quickstart.yaml"
STUDIES: dict[str, list[str]] = {
    "quickstart": [],
    "smallest": [
        "model.activation=relu",
        "model.depth=2",
        "train.learning_rate=1e-3",
        "train.steps=50",
        "sweep.seeds=1",
    ],
}
SCRIPTS = {"eager": [], "compiled": ["--compile"]}
Contestant = tuple[Callable[[Path, str], dict[str, float]], tuple[str, ...]]
SECONDS = ("wall_s", "cpu_s", "outside_training_s", "training_s")


def timed(command: list[str], cwd: Path, environment: dict[str, str]) -> dict[str, float]:
    """Run a command; its wall seconds, and the CPU seconds of it and its children.

    Raises:
        RuntimeError: it failed, with the end of what it printed.
    """
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} in {cwd}: exit code {done.returncode}\n{done.stdout[-2000:]}")
    return {"wall_s": wall, "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def cached_in(folder: Path) -> dict[str, str]:
    """Return environment variables that have everything cached in a folder, by actlab, Matplotlib and torch.compile."""
    return {"XDG_CACHE_HOME": str(folder / "cache"), "TORCHINDUCTOR_CACHE_DIR": str(folder / "cache" / "inductor")}


def study(checkout: Path, name: str, folder: Path, out: str) -> dict[str, float]:
    """Run a study of a checkout, from command to tables; into a new folder, caches next to it."""
    command = [sys.executable, "-m", "actlab", "run", QUICKSTART, *STUDIES[name], "--workers", "2"]
    environment = revisions.environment(checkout) | cached_in(folder)
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # else nothing would be compiled from scratch
    timing = timed([*command, "--out", str(folder / out)], checkout, environment)
    manifest = json.loads((folder / out / "manifest.json").read_text())
    training = manifest["training_seconds"]
    return timing | {"outside_training_s": manifest["seconds"] - training, "training_s": training}


def script(python: str, name: str, folder: Path, out: str) -> dict[str, float]:
    """Run the PyTorch script, from command to table."""
    (folder / out).mkdir()
    command = [python, "-P", str(revisions.HERE / "benchmarks" / "plain_torch.py"), *SCRIPTS[name]]
    return timed(command, folder / out, os.environ | cached_in(folder))


def contestants(name: str, checkouts: dict[str, Path], scripts: Sequence[str], python: str) -> dict[str, Contestant]:
    """List a study's contestants: functions of a folder and a name in it, and whether they run cached too."""
    both = ("no", "yes")
    racing: dict[str, Contestant] = {key: (partial(study, path, name), both) for key, path in checkouts.items()}
    if name == "quickstart":
        for kind in scripts:
            racing[f"PyTorch, {kind}"] = partial(script, python, kind), both if kind == "compiled" else both[:1]
    return racing


def race_once(number: int, name: str, contestants: dict[str, Contestant]) -> Iterator[dict[str, Any]]:
    """Race one round of a study; who went first goes last in the next."""
    for contestant, (run, caches) in list(contestants.items())[:: 1 if number % 2 == 0 else -1]:
        with tempfile.TemporaryDirectory() as folder:
            for cached in caches:
                timing = run(Path(folder), f"cached-{cached}")
                print(f"round {number}, {name}, {contestant}, cached: {cached}: {timing['wall_s']:.1f} s", flush=True)
                yield {"study": name, "contestant": contestant, "cached": cached, "round": number, **timing}


def ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute what the goals are about, by round: this checkout over the base, and each over a script."""
    wide = frame.pivot(index=["study", "round", "cached"], columns="contestant", values=list(SECONDS))
    by_round = pd.DataFrame({f"{what[:-2]}_over_base": wide[what]["this"] / wide[what]["base"] for what in SECONDS})
    # The eager script caches nothing, and ran once per round.
    walls = pd.DataFrame(wide["wall_s"]).groupby(level=["study", "round"]).ffill()
    scripts = walls.filter(like="PyTorch")
    if "PyTorch, eager" in scripts:
        by_round["eager_over_base"] = scripts["PyTorch, eager"] / walls["base"]
    if not scripts.empty:
        by_round["faster_over_this"] = scripts.min(axis=1) / walls["this"]
    return by_round.reset_index()


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    revisions.compile_bytecode(revisions.HERE)
    rows: list[dict[str, Any]] = []
    with revisions.checkout(arguments.revision, arguments.base) as base:
        for number in range(arguments.rounds):
            for name in arguments.studies:
                checkouts = {"this": revisions.HERE, "base": base}
                rows += race_once(number, name, contestants(name, checkouts, arguments.scripts, arguments.torch))
    return pd.DataFrame(rows)


def main() -> None:
    """Race, print, write."""
    parser = race.parser(__doc__, rounds=3)
    revisions.add_arguments(parser)
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--scripts", nargs="*", choices=list(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--torch", default=sys.executable, metavar="PYTHON", help="a Python that has PyTorch")
    arguments = parser.parse_args()
    frame = race.rounds("first_study", arguments, measured)
    keys = ["study", "contestant", "cached"]
    title = f"From command to table on two cores, this checkout and revision {arguments.revision}"
    race.finish("first_study", title, frame, race.medians(frame, keys, SECONDS, digits=1), None, arguments.out)
    by_round = ratios(frame)
    table = race.medians(by_round, ["study", "cached"], list(by_round.columns[3:])).replace("nan (nan–nan)", "")
    race.finish("first_study_ratios", "The same as ratios within a round", by_round, table, None, arguments.out)


if __name__ == "__main__":
    main()
