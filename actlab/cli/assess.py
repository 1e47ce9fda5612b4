"""``actlab assess``: activations of one's own, from a file or as a formula, put beside known ones."""

import re
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import actlab
from actlab import awake, commands
from actlab.cli import completion
from actlab.cli.arguments import Workers
from actlab.cli.output import at_work, note
from actlab.cli.progress import progress_display
from actlab.cli.terminal import letters, one_line, say
from actlab.naming import MOST_NAME

if TYPE_CHECKING:
    from actlab.activations import Activation
    from actlab.engine.results import Results


class Budget(StrEnum):
    """How long it may take, about, on two cores of a laptop."""

    one = "1m"
    five = "5m"
    thirty = "30m"


@actlab.with_trials
def assess(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="FUNCTION_OR_FORMULA",
            help="my_act.py:function (or :one,other), or formulas as 'x * tanh(exp(x))', 'x * sigmoid(b * x), b=1'",
            show_default=False,
            autocompletion=completion.activations,
        ),
    ],
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="the known ones, as relu,gelu,mish [default: 2, 4 or 9 of them, by the budget]",
            autocompletion=completion.activations,
        ),
    ] = None,
    budget: Annotated[Budget, typer.Option(help="about how long it may take on two cores")] = Budget.five,
    name: Annotated[
        str | None, typer.Option(help="what a formula, or the study of several, is called [default: their own words]")
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="its folder [default: results/assess_<name>]")] = None,
    workers: Workers = None,
) -> None:
    """Put activations of your own beside known ones: theory first, then training, and a page with a table of all.

    A formula is of x, numbers, arithmetic and functions such as exp, tanh, erf and sigmoid; any other name is a
    parameter that is learned, and needs the value that it begins with.
    """
    from actlab.cli.activations import asked
    from actlab.cli.formula_files import function_of
    from actlab.study.assessment import bounds_no_difference, study_of

    begin = awake.seconds()
    words = list(dict.fromkeys(word for one in given for word in several(one)))
    with ExitStack() as files:
        functions = [files.enter_context(function_of(word, name if len(words) == 1 else None)) for word in words]
        records = asked(functions)
        others = [one.strip() for one in (against or "").split(",") if one.strip()]
        if others:
            asked(others)
        for record in records:
            first_findings(record)
        called = name if name and len(words) > 1 else "_".join(record.name for record in records)
        called = "assess_" + re.sub(r"[^a-z0-9_-]+", "_", called.lower()).strip("_")[:MOST_NAME]
        newcomers = [choice(function) for function in functions]
        if unbounded := bounds_no_difference(budget.value):
            note(unbounded)
        study = study_of(newcomers, called, [choice(one) for one in others], budget.value)
        with ExitStack() as until:
            shown = until.enter_context(progress_display(begin))
            results = actlab.run(study, out=out_dir, workers=workers, progress=shown, note=note)
    tell(results)
    if unbounded:
        options = {"--against": against, "--name": name, "--out": out_dir}
        words = [str(word) for option, value in options.items() if value is not None for word in (option, value)]
        command = commands.typed("assess", *given, *words, "--budget", Budget.five.value)
        say(f"\nfor places with intervals: {one_line(command)}")


def several(word: str) -> list[str]:
    """Take functions of one file apart; a formula has commas of its own.

    >>> several("act.py:f,g:alpha=2"), several("x * sigmoid(b * x), b=1")
    (['act.py:f', 'act.py:g:alpha=2'], ['x * sigmoid(b * x), b=1'])
    """
    file, found, names = word.partition(".py:")
    return [f"{file}{found}{one.strip()}" for one in names.split(",")] if found else [word]


def choice(word: str) -> Any:
    """Write an activation of the command line as a study's file has it."""
    from actlab.notation import split_options

    called, options = split_options(word)
    return {"name": called, **options} if options else called


def first_findings(record: "Activation") -> None:
    """Print what is known of an activation before anything is trained, each part as soon as it is computed."""
    from actlab.activations import properties
    from actlab.cli.activations import gaussian_moments
    from actlab.cli.theory_block import DEFINITIONS, theory_block

    labels = ("E φ(Z)", "E φ(Z)²", "E φ'(Z)²")
    say(properties.describe(record, dict(zip(labels, gaussian_moments(record).values(), strict=True))))
    at_work(f"computing what theory says of {record.name}")
    say(f"{theory_block(record)}\n\n{DEFINITIONS}\n")


def tell(results: "Results") -> None:
    """Print what was found, the table in which the newcomer stands among the known ones, and where the page is."""
    from actlab.analysis.report import WIDE, headline_tables, headline_text
    from actlab.analysis.tables.standing import standing

    frames = results.runs, results.steps, results.layers, results.predictions
    cells, performance, tables = headline_tables(results.study, results.manifest, *frames, results.path)
    say(f"\n{headline_text(results.study, cells, standing(cells) or performance, tables, letters(WIDE))}\n")
    for name in ("report.md", "report.html"):
        if (results.path / name).is_file():
            say(f"  {one_line(results.path / name)}")
