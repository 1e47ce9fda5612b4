"""Training steps and records of this checkout vs an older revision's: `python -m benchmarks.against`.

Two one-thread workers of each revision take turns on the same cores; in each round they multiply matrices (batch ×
width by width × width, NumPy and XLA, the faster is the peak), train steps, and record. A share is a rate over the
peak of its own round; a ratio is this checkout's over the base's in the same round, of records a ratio of seconds.

With `--depths` no other revision takes part: a step and a record of a shallow run in a study whose deepest network has
200 layers are raced against the same run in a study of its own depth.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from benchmarks import race, revisions
from benchmarks.revisions import Server

BATCH = 128
DEEP = 100, (64, 128)  # also this depth, at these widths
SHALLOW, DEEPEST = (2, 10), 200


def peak(server: Server, width: int) -> float:
    """Return operations per second of two processes that multiply, by the faster library."""
    return max(sum(server.ask(library, batch=BATCH, width=width, seconds=0.4)) for library in ("numpy", "xla"))


def measured(server: Server, shape: dict[str, Any], peak_rate: float) -> dict[str, float]:
    """Measure the share of the peak that steps reach; a record's seconds, and those over its matrix products'."""
    rate = sum(server.ask("steps", shape=shape, seconds=0.8))
    records = server.ask("record", shape=shape)
    return {
        "gflops": rate / 1e9,
        "share": rate / peak_rate,
        "record_s": max(seconds for seconds, _ in records),
        "record_over_products": max(seconds * peak_rate / len(records) / flops for seconds, flops in records),
    }


def in_turns(contestants: dict[str, Any], number: int) -> Iterator[tuple[str, Any]]:
    """Order the contestants of a round: who went first goes last in the next."""
    items = list(contestants.items())
    return iter(items if number % 2 == 0 else items[::-1])


def against_base(servers: dict[str, Server], shapes: Sequence[tuple[int, int]], rounds: int) -> pd.DataFrame:
    """Race every round of both revisions, by depth and width, with the ratio of one to the other."""
    rows = []
    for (depth, width), number in itertools.product(shapes, range(-1, rounds)):
        shape = {"width": width, "depth": depth, "batch": BATCH}
        at_most = peak(servers["this"], width)
        measurements = {name: measured(server, shape, at_most) for name, server in in_turns(servers, number)}
        row: dict[str, Any] = {"depth": depth, "width": width, "round": number, "peak_gflops": at_most / 1e9}
        row |= {f"{name}_{what}": value for name in servers for what, value in measurements[name].items()}
        row["steps_over_base"] = row["this_share"] / row["base_share"]
        row["record_over_base"] = row["this_record_s"] / row["base_record_s"]
        rows.append(row)
    return pd.DataFrame(row for row in rows if row["round"] >= 0)  # the first compiles


def among_deeper(server: Server, widths: Sequence[int], rounds: int) -> pd.DataFrame:
    """Race a shallow run alone against itself in a study with a deep one, every round: the ratios of seconds."""
    rows = []
    for depth, width, number in itertools.product(SHALLOW, widths, range(-1, rounds)):
        shape = {"width": width, "depth": depth, "batch": BATCH}
        studies = {"alone": shape, "among_deeper": shape | {"deepest": DEEPEST}}
        measurements = {name: measured(server, study, 1.0) for name, study in in_turns(studies, number)}
        row: dict[str, Any] = {"depth": depth, "width": width, "round": number}
        row |= {f"{name}_{what}": measurements[name][what] for name in studies for what in ("gflops", "record_s")}
        row["step_over_alone"] = row["alone_gflops"] / row["among_deeper_gflops"]
        row["record_over_alone"] = row["among_deeper_record_s"] / row["alone_record_s"]
        rows.append(row)
    return pd.DataFrame(row for row in rows if row["round"] >= 0)


def measured_depths(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race shallow runs of a deeper study; a row for each round."""
    with revisions.servers(revisions.HERE) as (this,):
        return among_deeper(this, arguments.widths, arguments.rounds)


def measured_shapes(arguments: argparse.Namespace) -> pd.DataFrame:
    """Race; a row for each round."""
    shapes = [(arguments.depth, width) for width in arguments.widths]
    shapes += [(DEEP[0], width) for width in DEEP[1] if width in arguments.widths]
    with (
        revisions.checkout(arguments.revision, arguments.base) as base,
        revisions.servers(revisions.HERE, base) as started,
    ):
        return against_base(dict(zip(("this", "base"), started, strict=True)), shapes, arguments.rounds)


def main() -> None:
    """Race, print, write."""
    parser = race.parser(__doc__, rounds=7)
    revisions.add_arguments(parser)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--depths", action="store_true", help="shallow runs vs themselves in a deeper study")
    arguments = parser.parse_args()
    if arguments.depths:
        frame = race.rounds("against_depths", arguments, measured_depths)
        table = race.medians(frame, ["depth", "width"], ["step_over_alone", "record_over_alone"])
        title = f"Seconds in a study whose deepest network has {DEEPEST} layers, over those in a study of its own depth"
        race.finish("against_depths", title, frame, table, None, arguments.out)
        return
    frame = race.rounds("against", arguments, measured_shapes)
    both = [f"{name}_{what}" for what in ("share", "record_over_products") for name in ("this", "base")]
    table = race.medians(frame, ["depth", "width"], ["steps_over_base", "record_over_base", *both])
    title = f"This checkout vs revision {arguments.revision}: batch {BATCH}, relu, Adam"
    called = dict(zip(both[:2], ("this checkout", f"revision {arguments.revision}"), strict=True))
    figure = race.lines(frame[frame["depth"] == arguments.depth], "width", called, "share of the matmul peak")
    race.finish("against", title, frame, table, figure, arguments.out)


if __name__ == "__main__":
    main()
