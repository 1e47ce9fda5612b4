"""How long commands take that train nothing, on one core, vs an older revision: `python -m benchmarks.startup`.

In each round both checkouts give each command once, in turns, each in a process of its own that may use one core. A
figure is what the process and its children used of it (CPU), and the time on the clock; a ratio is this checkout's CPU
over the base's in the same round. The last command is what happens between the last job of a study and the end of
`actlab run`: 162 runs of `results/depth` are reported with all default tables and figures, after the imports and after
reading. With more than one core, a second process draws too: that is not measured here.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks import race, revisions

COMMANDS: dict[str, tuple[list[str], dict[str, str]]] = {
    "--help": (["--help"], {}),
    "--version": (["--version"], {}),
    "run --help": (["run", "--help"], {}),
    "completion": ([], {"_ACTLAB_COMPLETE": "complete_bash", "COMP_WORDS": "actlab pl", "COMP_CWORD": "1"}),
    "misspelt key": (["plan", "configs/quickstart.yaml", "model.dpeth=3"], {}),
    "list": (["list"], {}),
    "schema": (["schema"], {}),
    "plan quickstart": (["plan", "configs/quickstart.yaml"], {}),
    "compare depth": (["compare", "results/depth"], {}),
}
REPORT = "report of 162 runs"
# In a process of its own: import and read first, then time what writes.
WRITE = """
import json, resource, sys, time
import matplotlib.figure, scipy.special, scipy.stats
import actlab
from actlab.analysis import run_summary, report
found = actlab.load(sys.argv[1])
begin, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
report.write(found.path, found.study, found.manifest, found.runs, found.steps, found.layers)
end = resource.getrusage(resource.RUSAGE_SELF)
cpu = end.ru_utime + end.ru_stime - used.ru_utime - used.ru_stime
print(json.dumps({"cpu_s": cpu, "wall_s": time.perf_counter() - begin}))
"""
KEPT = {"depth": [2, 10, 30], "learning_rate": [1e-3, 1e-2], "seed": [0, 1, 2]}


def one_core() -> None:
    """Let this process, and whatever it starts, use one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run(path: Path, words: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Time one command of a checkout; what it answers, and its exit code, are tests' to judge."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "actlab", *words],
        cwd=path,
        env=revisions.environment(path) | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": cpu, "wall_s": time.perf_counter() - begin}


def write_report(path: Path, study: Path) -> dict[str, float]:
    """Time how a checkout writes a study's tables, figures and report."""
    command = [sys.executable, "-c", WRITE, str(study)]
    done = subprocess.run(command, cwd=path, env=revisions.environment(path), stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def small_study(path: Path, folder: Path) -> Path:
    """Make 162 runs of a checkout's own ``results/depth`` as a study: nine activations, and what ``KEPT`` says."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    shutil.copytree(path / "results" / "depth", folder)
    rows = pa.concat_tables(
        [pq.read_table(part) for part in (folder / "parts").iterdir()], promote_options="permissive"
    )
    for key, values in KEPT.items():
        rows = rows.filter(pc.is_in(rows[key], pa.array(values)))
    rows = rows.filter(pc.not_equal(rows["activation"], "tanh"))
    shutil.rmtree(folder / "parts")
    (folder / "parts").mkdir()
    pq.write_table(rows, folder / "parts" / "all.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    listed = {"all.parquet": hashlib.sha256((folder / "parts" / "all.parquet").read_bytes()).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"parts": listed}))
    (folder / "study.yaml").write_text("study: small\ndata: {name: digits}\n")  # all default tables and figures
    return folder


def measured(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    one_core()
    rows = []
    with revisions.checkout(arguments.revision, arguments.base) as older, tempfile.TemporaryDirectory() as folder:
        revisions.compile_bytecode(revisions.HERE)
        checkouts = {"this": revisions.HERE, "base": older}
        studies = {name: small_study(path, Path(folder) / name) for name, path in checkouts.items()}
        for number in range(arguments.rounds):
            for command in (*COMMANDS, REPORT):
                for name, path in list(checkouts.items())[:: 1 if number % 2 else -1]:
                    seconds = write_report(path, studies[name]) if command == REPORT else run(path, *COMMANDS[command])
                    rows.append({"command": command, "round": number, "checkout": name} | seconds)
    taken = pd.DataFrame(rows)
    this, base = (taken[taken["checkout"] == name].drop(columns="checkout") for name in checkouts)
    frame = this.merge(base, on=["command", "round"], suffixes=("_this", "_base"))
    frame["ratio"] = frame["cpu_s_this"] / frame["cpu_s_base"]
    return frame


def main() -> None:
    """Measure, print, write."""
    parser = race.parser(__doc__, rounds=5)
    revisions.add_arguments(parser)
    arguments = parser.parse_args()
    frame = race.rounds("startup", arguments, measured)
    table = race.medians(frame, ["command"], ["cpu_s_this", "wall_s_this", "cpu_s_base", "ratio"])
    title = f"Commands that train nothing, one core, vs {arguments.revision}"
    race.finish("startup", title, frame, table, None, arguments.out)


if __name__ == "__main__":
    main()
