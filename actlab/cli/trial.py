"""``actlab trial``: every claim decided again, by all studies and computations of a folder."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import actlab
from actlab import awake
from actlab.cli import completion
from actlab.cli.arguments import Workers
from actlab.cli.output import note
from actlab.cli.progress import progress_display
from actlab.cli.terminal import one_line, out, say

if TYPE_CHECKING:
    from actlab.study.trial import Trial as Read

Trial = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="a folder with a trial.yaml, as configs/trial",
        show_default=False,
        autocompletion=completion.trials,
    ),
]


DRAWN, FEW = (".png", ".svg"), 25
"""Suffixes of pictures; up to how many verdicts each is printed."""


@actlab.with_trials
def trial(
    folder: Trial,
    quick: Annotated[
        bool, typer.Option("--quick", help="in minutes: small studies, in a folder of their own; see trial.yaml")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="this study or computation alone")
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="the trial's folder [default: results/<trial>]")] = None,
    workers: Workers = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what each study will cost; train nothing, as `actlab plan DIR`")
    ] = False,
) -> None:
    """Decide all claims again: train what every study of a folder lacks, then write one table of verdicts and a page.

    Interrupted, the same command goes on where it was.
    """
    from actlab import trials
    from actlab.naming import listed, nearest
    from actlab.study import trial as reading

    read = reading.read(folder)
    names = [path.stem for path in (*read.studies, *read.computed)]
    if wrong := [name for name in only or () if name not in names]:
        raise typer.BadParameter(f"--only {listed(wrong)}: is no part of this trial{nearest(wrong[0], names)}")
    where = out_dir or trials.default_folder(read, quick)
    if quick and (where / trials.MANIFEST).is_file() and not trials.is_quick(where):
        raise typer.BadParameter(f"--out {one_line(where)}: holds the full trial; a quick one goes elsewhere")
    if dry_run:
        return show_shares(read, where, quick, workers, only or ())

    @contextmanager
    def followed(name: str, done: int, of: int) -> Iterator[Any]:
        say(f"[{done + 1}/{of}] {name}")
        with progress_display(awake.seconds()) as progress:
            yield progress

    paths = trials.run(read, where, quick, only or (), followed, workers=workers, note=note)
    for line in decided(where):
        say(line)
    for path in paths:
        if path.suffix not in DRAWN:  # of pictures there are two for each verdict
            say(f"  {one_line(path)}")


def decided(where: Path) -> list[str]:
    """Say how many verdicts of a trial are of which word, and, where they are few, which."""
    from actlab.analysis import verdicts
    from actlab.analysis.conditions import qualified
    from actlab.naming import counted

    found = verdicts.read(where)
    each = [f"  {one.id} {one.activation}: {one.statement} — {one.verdict}{qualified(one)}" for one in found]
    return [f"{counted(len(found), 'verdict')}: {verdicts.count(found)}.", *each[: len(each) * (len(each) <= FEW)]]


def of_trial(config: Path) -> bool:
    """Whether what is to be planned is a trial, not a study."""
    from actlab.study.trial import FILE

    return config.name == FILE or (config / FILE).is_file()


@actlab.with_trials
def plan_trial(folder: Path, out_dir: Path | None, workers: int | None) -> None:
    """Print what each study of a trial will cost."""
    from actlab import trials
    from actlab.study import trial as reading

    read = reading.read(folder)
    show_shares(read, out_dir or trials.default_folder(read), False, workers)


def show_shares(read: "Read", where: Path, quick: bool, workers: int | None, only: Collection[str] = ()) -> None:
    """Print a table of a trial's studies, with the time that each takes and its share of the whole."""
    from rich.table import Table

    from actlab import trials
    from actlab.naming import counted, listed
    from actlab.study.cost import clock

    found = trials.shares(read, where, quick, workers, only)
    whole = sum(one.seconds for one in found)
    table = Table(*("study", "runs", "to train", "time", "share"), box=None, pad_edge=False)
    for one in found:
        share = f"{one.seconds / whole:.0%}" if whole else "–"
        numbers = (f"{one.runs:,}", f"{one.to_train:,}", clock(one.seconds), share)
        table.add_row(one.name, *(("–",) * 4 if one.lacks else numbers))
    out.print(table)
    for one in found:
        if one.lacks:
            say(f"Not counted is {one.name}: {one_line(one.lacks)}")
    if computed := [path.stem for path in read.parts(quick, only) if path in read.computed]:
        say(f"Computed, without training: {listed(computed)}.")
    number = counted(sum(not one.lacks for one in found), "study", "studies")
    say(
        f"{number} in {one_line(where)}: training takes about {clock(whole)} (a rough "
        "guess for a laptop's cores). Compiling, predictions, tables and figures come on top of it; `actlab plan` of a "
        "study's own file says more."
    )
