"""``actlab trial``: every claim decided again, by all studies and computations of a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

import actlab
from actlab import awake
from actlab.cli.arguments import Workers
from actlab.cli.output import note
from actlab.cli.progress import progress_display
from actlab.cli.terminal import one_line, say

Trial = Annotated[
    Path, typer.Argument(metavar="DIR", help="a folder with a trial.yaml, as configs/trial", show_default=False)
]


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

    @contextmanager
    def followed(name: str, done: int, of: int) -> Iterator[Any]:
        say(f"[{done + 1}/{of}] {name}")
        with progress_display(awake.seconds()) as progress:
            yield progress

    paths = trials.run(read, where, quick, only or (), followed, workers=workers, note=note)
    for path in paths:
        say(f"  {one_line(path)}")
