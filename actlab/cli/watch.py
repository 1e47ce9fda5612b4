"""``actlab watch``: a second terminal follows a study, from what its folder says alone; nothing is locked."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actlab import commands
from actlab.cli.arguments import Folder
from actlab.cli.output import note
from actlab.cli.progress import PlainProgress
from actlab.cli.terminal import one_line, out, say
from actlab.engine.how_far import duration, line
from actlab.naming import counted, shortened

if TYPE_CHECKING:
    from rich.text import Text

    from actlab.analysis.so_far import ActivationSoFar, RunSoFar
    from actlab.engine.watching import Sight, Watch

EVERY = 1.0  # seconds between two looks
WAIT = 10.0  # seconds in which a run that was begun has made its folder
READING = 0.5  # seconds of a look in which parts are read, so that what else there is to say does not wait
MOST_NAME = 16  # letters of an activation's label
MOST_JOBS, MOST_FAILURES = 4, 3  # lines of them
MOST_PICTURE = 50  # letters of a picture


def watch_study(
    folder: Folder,
    once: Annotated[bool, typer.Option("--once", help="print how it stands now, and end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print how it stands now as JSON, and end")] = False,
) -> None:
    """Follow a study that another terminal trains: runs done, what compiles, gradients by layer, dead units so far.

    It ends by itself when that run has ended, and never touches it.
    """
    from actlab.engine.watching import Watch

    watching: Watch[RunSoFar] = Watch(folder, kept_of)
    if as_json or once:
        sight = watching.look()
        if as_json:
            say(json.dumps(as_plain(folder, sight), indent=2, ensure_ascii=False))
            return
        say_frame(folder, sight)
        say(ending(folder, sight))
        return
    wait_for(folder)
    follow = follow_on_terminal if out.is_terminal else follow_in_lines
    sight = follow(folder, watching)
    say(ending(folder, sight))


def wait_for(folder: Path) -> None:
    """Wait a little for a folder that a run is about to make; whoever looks next says where there is none."""
    if os.path.lexists(folder) or not folder.parent.parent.is_dir():
        return
    note(f"{one_line(folder)} is not there yet; a run that makes it is waited for, {WAIT:.0f} s at most")
    until = time.monotonic() + WAIT
    while not os.path.lexists(folder) and time.monotonic() < until:
        time.sleep(min(EVERY, 0.2))


def kept_of(rows: Any, manifest: Mapping[str, Any]) -> "Iterator[tuple[str, RunSoFar]]":
    """Keep of a part's rows what is shown."""
    from actlab.analysis.so_far import runs_of

    yield from ((one.run, one) for one in runs_of(rows, manifest.get("label_prefixes")))


def follow_on_terminal(folder: Path, watching: "Watch[RunSoFar]") -> "Sight[RunSoFar]":
    """Draw what is seen in place, until there is nothing to wait for."""
    from rich.console import Group
    from rich.live import Live

    def drawn(sight: "Sight[RunSoFar]") -> Group:
        return Group(*frame(folder, sight, out.width, out.height - 2))

    with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            sight = watching.look(READING)
            live.update(drawn(sight), refresh=True)
            if sight.is_over and not sight.unread:
                return sight
            time.sleep(0 if sight.unread else EVERY)


def follow_in_lines(folder: Path, watching: "Watch[RunSoFar]") -> "Sight[RunSoFar]":
    """Print a line now and then, and all that is seen at the end."""
    lines = PlainProgress(print_line=say)
    state = ""
    while True:
        sight = watching.look()
        if sight.is_over:
            say_frame(folder, sight)
            return sight
        if sight.state in ("beginning", "silent", "reporting") and sight.state != state:
            say(doing(sight))
        elif sight.progress is not None:
            lines(sight.progress)
        state = sight.state
        time.sleep(EVERY)


def say_frame(folder: Path, sight: "Sight[RunSoFar]") -> None:
    """Print all that is seen, for a pipe too."""
    for text in frame(folder, sight, max(out.width, 80), 10**6):
        say(text.plain)


def doing(sight: "Sight[RunSoFar]") -> str:
    """Put in words what whoever is at work does, where there is no progress to show."""
    if sight.state == "beginning":
        return "beginning: a run is at work here, and trains nothing yet"
    if sight.state == "silent":
        return (
            f"silent: the run ({one_line(sight.owner)}) is there, and has said nothing for "
            f"{duration(sight.silence)}: it was suspended, or its machine has no time for it"
        )
    return "reporting: all runs are stored, and their tables and figures are written"


def stored(sight: "Sight[RunSoFar]") -> str:
    """Put in words how many runs are stored.

    >>> from actlab.engine.watching import Sight
    >>> stored(Sight("stopped", planned=40, stored=12)), stored(Sight("stopped", stored=1))
    ('12 of 40 runs stored', '1 run stored')
    """
    diverged = sum(one.diverged for one in sight.runs)
    of = "" if sight.planned is None else f" of {counted(sight.planned, 'run')}"
    text = f"{sight.stored}{of} stored" if of else f"{counted(sight.stored, 'run')} stored"
    text += f", {diverged} diverged" if diverged else ""
    text += f", and {counted(sight.others, 'run')} that today's plan does not have" if sight.others else ""
    return text + (f" ({counted(sight.unread, 'file')} to read)" if sight.unread else "")


def ending(folder: Path, sight: "Sight[RunSoFar]") -> str:
    """Say how it stands with a study, and the way forward; what is at work is only named."""
    report, resumes = folder / "report.md", f"`{one_line(commands.resume(folder))}`"
    if not sight.is_over:
        return f"running; {stored(sight)}"
    if sight.state == "finished":
        written = (
            f"report: {one_line(report)}" if report.is_file() else f"{resumes} writes its report, and trains nothing"
        )
        return f"finished; {stored(sight)}; {written}"
    why = f" (the last run, {one_line(sight.owner)}, was ended before it could say so)" if sight.owner else ""
    if not (folder / "study.yaml").is_file():
        return f"not running{why}; nothing was planned yet: start `actlab run CONFIG` again, CONFIG being its YAML file"
    return f"not running{why}; {stored(sight)}; {resumes} resumes"


def frame(folder: Path, sight: "Sight[RunSoFar]", width: int, height: int) -> "list[Text]":
    """Lay out what is seen in as many lines as there are: what runs, what failed, and what stored runs say so far."""
    from rich.text import Text

    from actlab.analysis.so_far import by_activation

    head: list[Text] = []
    if sight.progress is not None and sight.state not in ("silent", "reporting", "beginning"):
        since = sight.silence if math.isfinite(sight.silence) else 0.0
        head.append(line(sight.progress, sight.progress.seconds + since, width, since, bar()))
    elif not sight.is_over:
        head.append(Text(doing(sight)))
    head.append(Text(f"{one_line(shortened(str(folder), 40))}: {stored(sight)}"))
    for one in sight.jobs[:MOST_JOBS]:
        far = (
            f"{one.runs / one.of:.0%} of {counted(one.of, 'run')}".replace("%", " %")
            if one.phase == "training" and one.of
            else ""
        )
        head.append(Text(f"  {one.phase:<9}  {one_line(one.what or one.job)}  {far}".rstrip()))
    if len(sight.jobs) > MOST_JOBS:
        head.append(Text(f"  and {counted(len(sight.jobs) - MOST_JOBS, 'job')} more in hand"))
    for title, said in (("failed", sight.failures.values()), ("damaged", damage_lines(sight))):
        texts = [str(one).partition("\n")[0] for one in said]
        head += [Text(f"  {title}: {one_line(one)}", style="red") for one in texts[:MOST_FAILURES]]
        if len(texts) > MOST_FAILURES:
            head.append(Text(f"  and {len(texts) - MOST_FAILURES} more {title}", style="red"))
    order = {name: one["order"] for name, one in sight.manifest.get("activations", {}).items()}
    rows = table(by_activation(sight.runs, order), width, max(height - len(head) - 1, 4)) if sight.runs else []
    lines = [*head, *([Text("")] if rows else []), *map(Text, rows)]
    for one_row in lines:
        one_row.no_wrap, one_row.overflow = True, "ellipsis"
    return lines[: max(height, 1)]


def damage_lines(sight: "Sight[RunSoFar]") -> list[str]:
    """Name what is damaged, a line each."""
    return [f"{shortened(name)} {why}" for name, why in sight.damage.items()]


def bar() -> tuple[str, str]:
    """Of what bars are made here."""
    return ("━", "─") if out.encoding.startswith("utf") else ("#", "-")


def table(activations: "Sequence[ActivationSoFar]", width: int, height: int) -> list[str]:
    """Lay out what stored runs say, a line for each activation: a picture of gradients by layer, shares of dead units.

    Args:
        activations: see ``so_far.by_activation``.
        width: columns there are.
        height: lines there are.
    """
    from actlab.analysis.so_far import LEVELS, PLAIN_LEVELS, picture, span

    depth = max(one.depth for one in activations)
    levels = LEVELS if out.encoding.startswith("utf") else PLAIN_LEVELS
    names = [shortened(one.activation, MOST_NAME + 12) for one in activations]
    longest = max(len("activation"), *map(len, names))
    room = min(max(width - longest - 37, 8), MOST_PICTURE)
    picture_of = f"layer 1 to {depth}"
    low, high = span(activations)
    columns = min(room, depth) if depth else 0
    columns = max(columns, len(picture_of))
    lines = [
        f"{'activation':<{longest}}  {'runs':>5}  {'dead':>6}  {picture_of:<{columns}}  {'layer 1':>8}  {'last':>7}"
    ]
    for name, one in zip(names, activations, strict=True):
        dead = "-" if one.dead is None else f"{one.dead:.1%}"
        row = f"{name:<{longest}}  {one.runs:>5}  {dead:>6}"
        if one.gradient and one.last is not None:
            drawn = picture(one.layers, one.gradient, low, high, room, levels)
            row += f"  {drawn:<{columns}}  {one.gradient[0]:>+8.1f}  {one.last:>+7.1f}"
        elif depth:
            row += f"  {f'no run of depth {depth} yet':<{columns}}"
        lines.append(row)
    below = [
        "dead: constant units, mean of runs that did not diverge. Gradients: log10 of the",
        f"norm of dL/dz, at depth {depth}: last layer, and layer 1 relative to it, in decades",
    ]
    if not depth:
        below = [below[0].partition(". ")[0] + "; gradients by layer are not measured"]
    shown = lines[: max(height - len(below), 2)]
    if len(shown) < len(lines):
        shown = [*shown[:-1], f"and {counted(len(lines) - len(shown) + 1, 'activation')} more (--json has all)"]
    return [*shown, *below]


def as_plain(folder: Path, sight: "Sight[RunSoFar]") -> dict[str, Any]:
    """Make an object of JSON of what is seen: the fields are those of docs/study.md."""
    from actlab.analysis.so_far import by_activation

    order = {name: one["order"] for name, one in sight.manifest.get("activations", {}).items()}
    progress = None if sight.progress is None else {**asdict(sight.progress), "phase": sight.progress.phase}
    resumable = sight.state in ("stopped", "killed") and (folder / "study.yaml").is_file()
    return {
        "folder": str(folder),
        "state": sight.state,
        "runs_planned": sight.planned,
        "runs_stored": sight.stored,
        "runs_diverged": sum(one.diverged for one in sight.runs),
        "runs_outside_plan": sight.others,
        "at_work": sight.owner or None,
        "silent_seconds": round(sight.silence, 1) if math.isfinite(sight.silence) else None,
        "progress": progress,
        "jobs": [asdict(one) for one in sight.jobs],
        "failures": dict(sight.failures),
        "damage": dict(sight.damage),
        "activations": [asdict(one) for one in by_activation(sight.runs, order)],
        "report": str(folder / "report.md") if (folder / "report.md").is_file() else None,
        "resume": commands.resume(folder) if resumable else None,
        "message": ending(folder, sight),
    }
