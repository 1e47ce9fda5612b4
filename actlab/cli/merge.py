"""``actlab merge``: folders of one study, as from two machines, made into one."""

from pathlib import Path
from typing import Annotated

import typer

import actlab
from actlab import commands
from actlab.cli import completion
from actlab.cli.output import note
from actlab.cli.terminal import one_line, say
from actlab.naming import counted

Folders = Annotated[
    list[Path],
    typer.Argument(metavar="DIR", help="folders of one study", show_default=False, autocompletion=completion.folders),
]
Out = Annotated[Path, typer.Option("--out", help="the merged folder: new, or empty", show_default=False)]


def merge(folders: Folders, out_dir: Out) -> None:
    """Make one folder of several of one study, as from two machines: other seeds, other parts of the matrix.

    Runs that several folders hold must agree in all that was measured, or they are named, and nothing is written. The
    folders stay as they are, and no code of theirs is run.
    """
    merged = actlab.merge(*folders, out=out_dir)
    for line in merged.notes:
        note(line)
    shared = f", {merged.shared} of them in several folders and the same" if merged.shared else ""
    say(f"{one_line(out_dir)} holds {counted(merged.runs, 'run')}{shared}. Now:")
    say(f"  {one_line(commands.typed('report', out_dir))}")
    if merged.missing:
        left = f"{counted(merged.missing, 'run')} {'is' if merged.missing == 1 else 'are'}"
        say(f"  {one_line(commands.resume(out_dir))}    # {left} not trained yet")
