"""``actlab run``: train what a study lacks, then report."""

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import actlab
from actlab import awake
from actlab.cli.answering import answering
from actlab.cli.arguments import Config, Memory, Out, Overrides, Workers
from actlab.cli.confirming import Shown, someone_is_there
from actlab.cli.output import note, tell
from actlab.cli.preview import preview
from actlab.cli.terminal import say

if TYPE_CHECKING:
    from actlab.study.plan import Plan


class ExecutorName(StrEnum):
    """Where jobs run."""

    local = "local"
    dask = "dask"


def run(
    config: Config,
    overrides: Overrides = None,
    out_dir: Out = None,
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
    reselect: Annotated[
        bool, typer.Option("--reselect", help="of a study in two stages: select again from its tuning runs")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask on a terminal before --fresh sets aside")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object at the end; see docs/json.md")] = False,
) -> None:
    """Train what a study lacks, then write its tables, figures and report."""
    if dry_run:
        where = {"executor": executor.value, "scheduler": scheduler, "cluster": cluster}
        preview(config, overrides, out_dir, workers, memory, fresh, as_json, prune, reselect, **where)
        if cluster is not None and not as_json:
            from actlab.engine.cluster import job_script

            say(f"\n{job_script(cluster)}")
        return
    from actlab.study import commas

    begin = awake.seconds()
    with answering(as_json, config, overrides or (), out_dir, fresh) as answer:
        noted = answer.noting(note)

        def planned(plan: "Plan") -> None:
            answer.plan(plan, tell, where_room(executor.value, workers, scheduler, cluster))
            for line in commas.lines(overrides or ()):
                noted(line)

        with ExitStack() as until:
            progress = Shown(until, begin, asks=fresh and not yes and someone_is_there())
            results = actlab.run(
                config,
                overrides or (),
                out=out_dir,
                executor=executor.value,
                workers=workers,
                memory=memory,
                fresh=fresh,
                prune=prune,
                reselect=reselect,
                confirm=progress.confirm,
                progress=answer.watching(progress),
                planned=planned,
                scheduler=scheduler,
                cluster=cluster,
                note=noted,
            )
        answer.done(results)
    from actlab.engine import control

    control.log_dropped_output(results.path)


def where_room(executor: str, workers: int | None, scheduler: str | None, cluster: Path | None) -> str:
    """Say why there are fewer workers than were asked for, if there are."""
    from actlab.engine.train_study import ExecutionConfig

    return ExecutionConfig(executor, workers, scheduler=scheduler, cluster=cluster).room[1]
