"""What ``actlab runs`` prints: what is in a study."""

from enum import StrEnum
from typing import Annotated

import typer

from actlab.cli import completion
from actlab.cli.arguments import Conditions, Folder
from actlab.cli.output import note
from actlab.cli.terminal import one_line, out, say
from actlab.naming import counted


class RunsFormat(StrEnum):
    """How a list of runs is printed."""

    table = "table"
    csv = "csv"
    json = "json"


def runs(
    folder: Folder,
    where: Conditions = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="which columns", autocompletion=completion.columns)
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY,...", help="by which columns; -KEY: the largest first", autocompletion=completion.columns
        ),
    ] = None,
    text: Annotated[
        RunsFormat | None,
        typer.Option(
            "--format",
            help="of the list [default: table]",
            show_default=False,
            autocompletion=completion.among(RunsFormat),
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="short for --format json")] = False,
    everything: Annotated[bool, typer.Option("--all", help="all lines, however long the terminal is")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="go on without parts that are damaged")] = False,
) -> None:
    """List a study's runs: what varies, seed, status, and what came of each.

    Conditions of --where stand between commas, and all must hold: key=value, !=, >=, <=, >, <; several values
    (depth=2,10), ranges with both ends (depth=2..10, depth=10..), and * for any letters. Keys are columns, or keys of
    the YAML. Quote what has > or <, or the shell takes it for a file: --where 'test_accuracy>=0.9'.
    """
    if as_json and text not in (None, RunsFormat.json):
        raise typer.BadParameter(f"--json and --format {text.value} are two formats; give one of them")
    from actlab import where as grammar
    from actlab.analysis import layout
    from actlab.analysis import listing as lists
    from actlab.engine import store
    from actlab.study.settings import of_manifest

    results = store.load(folder, partial, predictions=False)
    conditions = grammar.parse(where or ())
    settings, every = of_manifest(results.manifest), results.final()
    keys = {one.key: one.column for one in settings if one.key}
    fits = grammar.matches(every, conditions, keys)
    made = lists.listing(every, fits, split(columns), split(sort), settings)
    for line in (*results.damage, *results.notes, *results.untrained):
        note(line)
    if not fits.any():
        alone = ", ".join(f"{one} {grammar.matches(every, [one], keys).sum()}" for one in conditions)
        note(f"of {counted(len(every), 'run')} none fits all conditions; alone: {alone}")
    shown = made.runs[made.columns] if columns else made.runs
    if as_json or text is RunsFormat.json:
        say(lists.as_json(shown))
    elif text is RunsFormat.csv:
        say(layout.to_csv(shown).rstrip("\n"))
    else:
        size = out.size if out.is_terminal else None
        height = size.height if size and not everything else None
        say(lists.text(one_line(results.study["study"]), made, size.width if size else None, height))


def split(names: str | None) -> list[str]:
    """Split names at their commas."""
    return [name.strip() for name in (names or "").split(",") if name.strip()]
