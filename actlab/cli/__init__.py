"""The command line, in reading order. Nothing imports this room; it imports the numerical ones only when needed."""

import gc
import logging
import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Annotated, Any

import typer

import actlab
from actlab import interrupts, jax_settings, limits
from actlab.cli.choosing import one_run
from actlab.cli.confirming import Shown, someone_is_there
from actlab.cli.errors import report_error
from actlab.cli.output import note, tell
from actlab.cli.preview import preview
from actlab.cli.terminal import leave, one_line, out, prepare, say, undecoded
from actlab.compiler_flags import CLIENT_DEFAULTS
from actlab.docstrings import docstring
from actlab.outputs import making

if TYPE_CHECKING:
    from actlab.activations import Activation

app = typer.Typer(
    help="Put activation functions on trial: deep MLPs from a YAML file, per-layer gradients, dead units, error bars.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
)

Config = Annotated[Path, typer.Argument(help="the study's YAML file", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[key.sub=value]...", help="overrides; a comma list sweeps: model.depth=2,10,20"),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder, as results/depth", show_default=False)]
Partial = Annotated[bool, typer.Option("--partial", help="go on without parts that are damaged")]
Workers = Annotated[int | None, typer.Option(min=1, help="worker processes; one for each core by default")]
Memory = Annotated[str | None, typer.Option(help="what all workers on this machine may hold, as 4GB")]


class TextFormat(StrEnum):
    """How a comparison table is printed."""

    markdown = "markdown"
    csv = "csv"
    latex = "latex"
    json = "json"


class ExecutorName(StrEnum):
    """Where jobs run."""

    local = "local"
    dask = "dask"


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


@app.command()
def run(
    config: Config,
    overrides: Overrides = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="the study's folder [default: results/<study>]")] = None,
    executor: Annotated[ExecutorName, typer.Option(help="where jobs run")] = ExecutorName.local,
    scheduler: Annotated[str | None, typer.Option(help="of a running Dask cluster, as tcp://host:8786")] = None,
    cluster: Annotated[Path | None, typer.Option(help="file that asks Slurm for workers; see docs/cluster.md")] = None,
    workers: Workers = None,
    memory: Memory = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the plan, train and write nothing")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="set the folder aside, under a name with the date, and train everything")
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="remove stored runs that the study does not ask for")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask on a terminal before --fresh sets aside")] = False,
) -> None:
    """Train what a study lacks, then write its tables, figures and report."""
    if dry_run:
        where = {"executor": executor.value, "scheduler": scheduler, "cluster": cluster}
        preview(config, overrides, out_dir, workers, memory, fresh, False, prune, **where)
        if cluster is not None:
            from actlab.engine.cluster import job_script

            say(f"\n{job_script(cluster)}")
        return
    begin = time.monotonic()
    with ExitStack() as until:
        progress = Shown(until, asks=fresh and not yes and someone_is_there())
        results = actlab.run(
            config,
            overrides or (),
            out=out_dir,
            executor=executor.value,
            workers=workers,
            memory=memory,
            fresh=fresh,
            prune=prune,
            confirm=progress.confirm,
            progress=progress,
            planned=lambda plan: tell(plan, where_room(executor.value, workers, scheduler, cluster)),
            scheduler=scheduler,
            cluster=cluster,
            note=note,
        )
    from actlab.analysis.report import headline, unknown_death
    from actlab.engine import control

    say(headline(results.study, results.manifest, results.runs, results.steps, results.layers))
    for one in unknown_death(results.manifest):
        say(one.text)
    diverged = int((results.runs["status"] == "diverged").sum())
    say(f"\n{len(results.runs)} runs ({diverged} diverged), {time.monotonic() - begin:.0f} s. Wrote:")
    for path in ("report.md", "tables/", "figures/", "parts/", "study.yaml", "manifest.json"):
        say(f"  {one_line(results.path / path)}{'/' if path.endswith('/') else ''}")
    control.log_dropped_output(results.path)


def where_room(executor: str, workers: int | None, scheduler: str | None, cluster: Path | None) -> str:
    """Say why there are fewer workers than were asked for, if there are."""
    from actlab.engine.train_study import ExecutionConfig

    return ExecutionConfig(executor, workers, scheduler=scheduler, cluster=cluster).room[1]


@app.command()
def plan(
    config: Config,
    overrides: Overrides = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="the study's folder [default: results/<study>]")] = None,
    workers: Workers = None,
    memory: Memory = None,
    as_json: Annotated[bool, typer.Option("--json", help="print it all as JSON")] = False,
) -> None:
    """Show what was understood of the data, the runs, the jobs, and the cost and memory expected; train nothing."""
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
    most.
    """

    from actlab.engine import control

    for path in actlab.report(folder, partial=partial, own=not no_claims, trust=trust, tell=note):
        say(one_line(path))
    control.log_dropped_output(folder)


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="studies' folders", show_default=False)],
    metric: Annotated[str, typer.Option(help="a column of runs, steps or layers")] = "dead_fraction",
    by: Annotated[str, typer.Option(help="the columns that make the groups")] = "activation,depth",
    at: Annotated[str, typer.Option(help="final, init, max, or a recorded step")] = "final",
    preset: Annotated[str | None, typer.Option(help="dying: born, died, revived, ever dead and weak")] = None,
    text: Annotated[TextFormat, typer.Option("--format", help="of the table")] = TextFormat.markdown,
    partial: Partial = False,
) -> None:
    """Print one comparison table over one or several studies, with intervals and n."""
    from actlab.analysis.compare import format as formatted

    frame = actlab.compare(*folders, metric=metric, by=by, at=at, preset=preset, partial=partial)
    for line in frame.attrs["notes"]:
        note(line)
    say(formatted(frame, text.value))


@app.command()
def show(
    folder: Folder, run_name: Annotated[str, typer.Argument(metavar="RUN", help="its hash, or how that begins")]
) -> None:
    """Show one run: its numbers, and one figure."""
    from actlab.analysis.report import run_summary
    from actlab.study.settings import of_manifest

    results = actlab.load(folder)
    for line in results.notes:
        note(line)
    name = one_run(results, run_name)
    frames = (results.runs, results.steps, results.layers)
    with making(results.path, ("figures",)) as made:
        text, figure = run_summary(name, *frames, made.at / "figures", of_manifest(results.manifest))
    say(text)
    say(f"\n{one_line(made.final(figure))}")


@app.command()
@actlab.with_trials
def describe(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[ACTIVATION]...", help="or path/to/file.py:name")
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="write table and graphs here")] = None,
) -> None:
    """Describe activations: formula, derivative, checked properties, reference, graph; without a name all of them."""
    limits.require_addresses()
    from actlab.activations import CATALOGUE, check, properties
    from actlab.engine import devices

    devices.check()
    records = [CATALOGUE.find(name) for name in names] if names else list(CATALOGUE.values())
    for record in records:
        if record is not CATALOGUE.get(record.name):
            check(record)
    moments = {record.name: gaussian_moments(record) for record in records}
    if names or out_dir is None:
        labels = ("E φ(Z)", "E φ(Z)²", "E φ'(Z)²")
        say(
            "\n\n".join(
                properties.describe(record, dict(zip(labels, moments[record.name].values(), strict=True)))
                for record in records
            )
        )
    if out_dir is not None:
        from actlab.analysis.catalogue import write_catalogue

        table = properties.table(records)
        for column in ("mean", "second_moment", "slope_second_moment"):
            table[column] = [moments[record.name][column] for record in records]
        with making(out_dir, ("tables", "figures")) as made:
            paths = write_catalogue(table, properties.curves(records), looks(records), made.at)
        for path in paths:
            say(one_line(made.final(path)))


def looks(records: "Iterable[Activation]") -> dict[str, Any]:
    """The looks that activations' records have, by name."""
    return {record.name: record.look for record in records}


def gaussian_moments(record: "Activation") -> dict[str, float]:
    """Compute what theory needs of an activation: its moments for a standard normal Z, without rounding noise."""
    from functools import partial

    from actlab.theory.gaussian import gaussian_expectation, second_moment, slope_second_moment

    phi = partial(record.function, **record.parameters)
    moments = {
        "mean": gaussian_expectation(phi),
        "second_moment": second_moment(phi),
        "slope_second_moment": slope_second_moment(phi),
    }
    # A mean that is 0 comes out as 1e−17 or so, and as another with the next version of a library.
    return {name: round(value, 12) for name, value in moments.items()}


@app.command()
def example(
    out_dir: Annotated[Path | None, typer.Option("--out", help="write its tables and figure here")] = None,
) -> None:
    """Show the worked two-neuron example: forward, backward, and 50 steps of descent, for every activation."""
    limits.require_addresses()
    from actlab.activations import CATALOGUE
    from actlab.engine import devices
    from actlab.later import pd
    from actlab.nn import worked_example

    devices.check()
    numbers, descent = map(pd.DataFrame, worked_example.rows(CATALOGUE.values()))
    from actlab.analysis.catalogue import worked_example_text, write_worked_example

    say(worked_example_text(numbers))
    if out_dir is not None:
        with making(out_dir, ("tables", "figures")) as made:
            paths = write_worked_example(numbers, descent, looks(CATALOGUE.values()), made.at)
        for path in paths:
            say(one_line(made.final(path)))


@app.command("list")
@actlab.with_trials
def list_names(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE.py]...", help="list what these files declare instead")
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
        rows["studies"] = sorted(str(path) for path in Path("configs").glob("*.yaml"))

    table = Table.grid(padding=(0, 2))
    for title, names in rows.items():
        table.add_row(title, one_line(", ".join(names)) or "(none in ./configs)")
    out.print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a study's YAML, for completion in an editor."""
    import json

    from actlab.study.schema import StudyConfig

    say(json.dumps(StudyConfig.model_json_schema(), indent=2))


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
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        code = interrupts.INTERRUPTED
    except Exception as error:
        code = report_error(error)
    if code == interrupts.INTERRUPTED or interrupts.state.asked is not None:
        code = interrupts.INTERRUPTED
        interrupts.say()
    gc.freeze()  # else Python looks through all that is left once more on its way out, for a quarter of a second
    leave(code if isinstance(code, int) else 0)
