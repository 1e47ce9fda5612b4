"""The command line, in reading order. Nothing imports this room; it imports the numerical ones only when needed."""

import gc
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from platform import python_version
from typing import Annotated, Any

import typer

import actlab
from actlab import interrupts, jax_settings
from actlab.cli import completion
from actlab.cli.advice import at_home
from actlab.cli.arguments import Conditions, Config, Folder, Memory, Out, Overrides, Partial, Workers
from actlab.cli.assess import assess
from actlab.cli.choosing import one_run
from actlab.cli.errors import report_error
from actlab.cli.gallery import gallery
from actlab.cli.merge import merge
from actlab.cli.new_study import new
from actlab.cli.output import note, say_comparison
from actlab.cli.preview import preview
from actlab.cli.run import run
from actlab.cli.runs import runs
from actlab.cli.terminal import leave, one_line, out, prepare, say, undecoded
from actlab.cli.trial import of_trial, plan_trial, trial
from actlab.cli.watch import watch_study
from actlab.compiler_flags import CLIENT_DEFAULTS
from actlab.docstrings import docstring
from actlab.outputs import making

app = typer.Typer(
    help="Put activation functions on trial: deep MLPs from a YAML file, per-layer gradients, dead units, error bars.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    rich_markup_mode=None,
)


class TextFormat(StrEnum):
    """How a comparison table is printed."""

    markdown = "markdown"
    csv = "csv"
    latex = "latex"
    json = "json"


class Selects(StrEnum):
    """Whether a study's own rule chooses the value of a swept key."""

    study = "study"
    none = "none"


def show_version(wanted: bool) -> None:
    """Print the version of actlab, and of what it stands on."""
    if wanted:
        from importlib.metadata import version

        say(f"actlab {version('actlab')} (JAX {version('jax')}, Python {python_version()})")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="show the version and exit", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command; refuse what no command can work with."""
    if word := undecoded(sys.argv):
        encoding = f"is no text in {sys.getfilesystemencoding()}, the encoding of names here"
        raise typer.BadParameter(f"'{word}' {encoding}; rename the file, or set PYTHONUTF8=1")
    try:
        os.getcwd()
    except OSError as error:
        raise typer.BadParameter(f"the current folder cannot be used ({error.strerror}); change to another") from None


app.command()(new)


app.command()(run)


@app.command()
def plan(
    config: Config,
    overrides: Overrides = None,
    out_dir: Out = None,
    workers: Workers = None,
    memory: Memory = None,
    as_json: Annotated[bool, typer.Option("--json", help="print it all as JSON")] = False,
) -> None:
    """Show what was understood of the data, the runs, the jobs, and the cost and memory expected; train nothing.

    Of a folder with a trial.yaml: what each of its studies will cost.
    """
    if of_trial(config):
        if overrides or memory or as_json:
            raise typer.BadParameter(f"{one_line(config)}: is a trial: its plan takes --out and --workers alone")
        return plan_trial(config, out_dir, workers)
    preview(config, overrides, out_dir, workers, memory, as_json=as_json)


@app.command()
def report(
    folder: Folder,
    partial: Partial = False,
    no_claims: Annotated[
        bool,
        typer.Option("--no-claims", help="run no code of the folder's: leave out claims, and own tables and figures"),
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="run that code although it was altered, or lies outside the folder")
    ] = False,
) -> None:
    """Rewrite every table and figure from stored measurements, without training.

    Claims, and tables and figures of a user's own, are code: it is run only from the folder's sources/, and only as
    `actlab run` copied it there; which files is said first. Whoever writes into the folder is waited for, a minute at
    most. Of a trial's folder: the reports of all its studies, and its own.
    """
    from actlab import trials
    from actlab.engine import control

    write = trials.report if trials.is_trial(folder) else actlab.report
    for path in write(folder, partial=partial, own=not no_claims, trust=trust, tell=note):
        say(one_line(path))
    control.log_dropped_output(folder)


@app.command()
def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR", help="studies' folders", show_default=False, autocompletion=completion.folders),
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            help="a column of runs, steps or layers; none with --preset",
            show_default="dead_fraction",
            autocompletion=completion.metrics,
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(help="the columns that make the groups", autocompletion=completion.groups)
    ] = "activation,depth",
    where: Conditions = None,
    over: Annotated[
        str,
        typer.Option(metavar="A,B,...", help="settings to average on purpose", autocompletion=completion.settings),
    ] = "",
    select: Annotated[
        Selects,
        typer.Option(
            help="a swept key by the study's own report.select, or not", autocompletion=completion.among(Selects)
        ),
    ] = Selects.study,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ACTIVATION",
            help="differences from this one, by pairs of one seed",
            autocompletion=completion.activations,
        ),
    ] = None,
    at: Annotated[str, typer.Option(help="final, init, max, or a recorded step")] = "final",
    preset: Annotated[
        str | None,
        typer.Option(help="dying: born, died, revived, ever dead and weak", autocompletion=completion.presets),
    ] = None,
    text: Annotated[
        TextFormat | None,
        typer.Option(
            "--format",
            help="of the table",
            show_default="markdown",
            autocompletion=completion.among(TextFormat),
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="short for --format json")] = False,
    partial: Partial = False,
) -> None:
    """Print one comparison table over one or several studies, with intervals and n.

    No mean hides a setting: what varies stands in --by, is fixed by --where (as in `actlab runs`), is averaged on
    purpose by --over, or is selected for each cell by the study's own rule; all else is an error that says how to go
    on.
    """
    if as_json and text not in (None, TextFormat.json):
        raise typer.BadParameter(f"--json and --format {text.value} are two formats; give one of them")
    frame = actlab.compare(
        *folders,
        metric=metric,
        by=by,
        where=where or (),
        over=over,
        select=select.value,
        against=against,
        at=at,
        preset=preset,
        partial=partial,
    )
    for line in frame.attrs["notes"]:
        note(line)
    style = TextFormat.json if as_json else text
    say_comparison(frame, style.value if style else "")


app.command()(merge)
app.command()(runs)
app.command()(gallery)
app.command()(assess)
app.command()(trial)


@app.command()
def show(
    folder: Folder, run_name: Annotated[str, typer.Argument(metavar="RUN", help="its hash, or how that begins")]
) -> None:
    """Show one run: its numbers, and one figure."""
    from actlab.analysis.formats import of_report
    from actlab.analysis.report import run_summary
    from actlab.engine import kept, store
    from actlab.study.settings import of_manifest

    results = store.load(folder, predictions=False)
    for line in results.notes:
        note(line)
    name = one_run(results, run_name)
    frames = (results.runs, results.steps, results.layers)
    with making(results.path, ("figures",)) as made:
        asked = of_report(results.study.get("report"))
        settings, counts = of_manifest(results.manifest), results.histograms
        text, figure = run_summary(name, *frames, made.at / "figures", settings, counts, asked)
    say(text)
    say(f"\n{one_line(made.final(figure))}")
    if where := kept.whereabouts(results, name):
        say(one_line(where))


Activations = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ACTIVATION",
        help="with options as leaky_relu:negative_slope=0.2; one of yours: path/to/file.py:name, or a formula",
        autocompletion=completion.activations,
    ),
]


app.command("watch")(watch_study)


@app.command()
@actlab.with_trials
def describe(
    names: Activations = None,
    story: Annotated[
        bool, typer.Option("--story", help="what each is said to repair, why, and what studies in ./results found")
    ] = False,
    html: Annotated[
        bool, typer.Option("--html", help="as a page for a browser, with a slider for every parameter")
    ] = False,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", help="write table and graphs, or the page, here [of --html: results/catalogue]"),
    ] = None,
) -> None:
    """Describe activations: formula, derivative, checked properties, theory, reference, graph; without a name all."""
    from actlab.cli import activations, catalogue_page

    if html:
        return catalogue_page.write(names or [], story, out_dir)
    (activations.tell_story if story else activations.describe)(names or [], out_dir)


@app.command()
@actlab.with_trials
def example(
    names: Activations = None,
    x: Annotated[
        float | None,
        typer.Option("--input", help="of the network, from -100 to 100 [default: 0.5]", show_default=False),
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="write its tables and figure here")] = None,
) -> None:
    """Show the worked two-neuron example: forward, backward, 50 steps of descent; without a name of all."""
    from actlab.cli import activations

    activations.example(names or [], x, out_dir)


@app.command("list")
@actlab.with_trials
def list_names(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE.py", help="list what these files declare instead")
    ] = None,
) -> None:
    """List activations, initializers, optimizers, data sets, probes, tables, figures, and the studies in ./configs."""
    from rich.table import Table

    from actlab import activations, data, sources
    from actlab.analysis.figures import FIGURES
    from actlab.analysis.tables import TABLES
    from actlab.measures.own import DECLARED
    from actlab.nn.initializers import BIASES, INITIALIZERS
    from actlab.nn.optimizers import OPTIMIZERS
    from actlab.study.choices import AUTO, MEASURES

    named: dict[str, tuple[Iterable[str], Mapping[Any, Any]]] = {
        "activations": (activations.CATALOGUE, activations.CATALOGUE.declared),
        "initializers": ([AUTO, *INITIALIZERS], INITIALIZERS.declared),
        "biases": (BIASES, BIASES.declared),
        "optimizers": (OPTIMIZERS, OPTIMIZERS.declared),
        "data sets": (data.DATASETS, data.DATASETS.declared),
        "probes": (MEASURES, DECLARED),
        "tables": (TABLES, TABLES.declared),
        "figures": (FIGURES, FIGURES.declared),
    }
    if files:
        with sources.reading():
            for file in files:
                sources.tried("actlab.sources:import_file", file)
            modules = {sources.import_file(file).__name__: file for file in files}
        own = {
            title: [f"{modules[one.__module__]}:{one.__name__}" for one in declared if one.__module__ in modules]
            for title, (_, declared) in named.items()
        }
        rows = {title: names for title, names in own.items() if names} or {"declared": ["nothing"]}
    else:
        rows = {title: list(shipped) for title, (shipped, _) in named.items()}
        rows["data sets"] = [set_line(one) for one in data.DATASETS.values()]
        rows["studies"] = sorted(str(path) for path in Path("configs").glob("*.yaml"))

    table = Table.grid(padding=(0, 2))
    for title, names in rows.items():
        lines = names if title == "data sets" and not files else [", ".join(names)]
        table.add_row(title, "\n".join(map(one_line, lines)) or "(none in ./configs)")
    out.print(table)


def set_line(record: Any) -> str:
    """Say what a data set is in one line: shape, chance level, options, source and licence."""
    from actlab.naming import show

    options = ", ".join(f"{name}={show(value)}" for name, value in record.options.items())
    facts = (record.shape, f"chance {record.chance_level}", options and f"options {options}", record.reference)
    return "; ".join([f"{record.name}: {facts[0]}", *(one for one in facts[1:] if one), f"licence {record.licence}"])


@app.command()
def schema(
    out_file: Annotated[Path | None, typer.Option("--out", help="write it to this file instead")] = None,
) -> None:
    """Print the JSON Schema of a study's YAML, by which an editor completes, explains and checks it."""
    from actlab.cli import schema_file

    schema_file.print_or_write(out_file)


for command in app.registered_commands:
    command.help = docstring(command.callback)


def main() -> None:
    """Run the command line; exit 0 done, 1 not completed, 2 a wrong request, 130 interrupted."""
    for name, value in CLIENT_DEFAULTS.items():  # before JAX starts: planning needs next to nothing of an accelerator
        os.environ.setdefault(name, value)
    jax_settings.take_cache()
    jax_settings.clear_environment()  # and what a study says itself is not for JAX to read there
    os.environ["MPLBACKEND"] = "agg"  # a notebook's, or one that is not installed, is not for files
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its settings and folders change no figure
    prepare()
    gc.set_threshold(50_000)  # a command makes many objects and little garbage: looking for it is a tenth of a report
    try:
        code = completion.answer(partial(app, args=at_home(sys.argv[1:])))
    except KeyboardInterrupt:
        code = interrupts.INTERRUPTED
    except Exception as error:
        code = report_error(error)
    if code == interrupts.INTERRUPTED or interrupts.state.asked is not None:
        code = interrupts.INTERRUPTED
        interrupts.say()
    gc.freeze()  # else Python looks through all that is left once more on its way out, for a quarter of a second
    leave(code if isinstance(code, int) else 0)
