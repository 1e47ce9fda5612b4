"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from actlab.cli import completion

Config = Annotated[
    Path, typer.Argument(help="the study's YAML file", show_default=False, autocompletion=completion.configs)
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="key.sub=value",
        help="overrides; a comma list sweeps: model.depth=2,10,20",
        autocompletion=completion.overrides,
    ),
]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="a study's folder, as results/depth",
        show_default=False,
        autocompletion=completion.folders,
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="the study's folder [default: results/<study>]")]
Partial = Annotated[bool, typer.Option("--partial", help="go on without parts that are damaged")]
Workers = Annotated[int | None, typer.Option(min=1, help="worker processes; one for each core by default")]
Memory = Annotated[str | None, typer.Option(help="what all workers on this machine may hold, as 4GB")]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE,...",
        help="only these runs, as activation=relu,gelu,depth=2..10",
        autocompletion=completion.conditions,
    ),
]
