"""What ``plan`` and ``run --dry-run`` print: what a study is made of, and what it will cost."""

from pathlib import Path
from typing import Any

import actlab
from actlab import commands, limits
from actlab.cli.output import note, outside_theory, plan_as_json, show_data, show_plan
from actlab.cli.terminal import err, one_line, prose, say
from actlab.naming import counted, in_units


@actlab.with_trials
def preview(
    config: Path,
    overrides: list[str] | None,
    out_dir: Path | None,
    workers: int | None,
    memory: str | None,
    fresh: bool = False,
    as_json: bool = False,
    prune: bool = False,
    reselect: bool = False,
    **where: Any,
) -> None:
    """Print what ``run`` would do with the same words."""
    limits.require_addresses()
    study = actlab.study_of(config, overrides or ())
    from actlab.cli import stages
    from actlab.engine import kept, predicting, prediction_cells, setting_aside, whereabouts
    from actlab.engine import stages as stages_stored
    from actlab.engine.changing import Change, change
    from actlab.engine.files import StoreError
    from actlab.engine.scheduling import missing_runs
    from actlab.engine.store import Stored
    from actlab.engine.train_study import ExecutionConfig, in_bytes, refuse_both
    from actlab.study import commas, cost, started, warned
    from actlab.study import plan as planning
    from actlab.study.defaults import say_followed
    from actlab.study.jobs import PROGRAMS
    from actlab.study.reading import resolved_yaml

    refuse_both(fresh, prune)
    name = study.config.study
    stored = Stored(out_dir or whereabouts.default_folder(config, name, overrides or ()))
    asked = ExecutionConfig(workers=workers, memory=in_bytes(memory), **where)
    planned, number = asked.plan(study, stored, fresh, reselect)
    missing = set(planned.runs) if fresh else missing_runs(stored, planned)
    changed = Change() if fresh else change(stored, planned, resolved_yaml(study.config, stored.folder), study.source)
    given = [config, *(overrides or ()), *(["--out", out_dir] if out_dir else [])]
    notes = [
        f"{stored.folder}: {line}; `{commands.typed('run', *given)}` sets it aside and trains again what is lost"
        for line in ([] if fresh else stored.damage())
    ]
    if problem := "" if fresh else stored.predictions_problem():
        notes.append(f"{stored.folder}: {problem}; `{commands.typed('run', *given)}` computes them, without training")
    notes += changed.lines(prune, dry=True)
    if fresh and setting_aside.is_study(stored.folder):
        notes.append(setting_aside.would(stored.folder))
    if missing and out_dir is None and not fresh and (line := whereabouts.elsewhere(stored.folder, missing, name)):
        notes.append(line)
    to_come = {run.id for job in planned.later for run in job.runs}
    total = cost.expected((*planned.groups, *planned.later), number, missing | to_come)
    jobs = planning.partition_into_jobs(planned.groups, missing, number, asked.hardware()[1])
    weight_bytes = kept.disk_bytes(planned, missing)
    told = stages.of_plan(planned, missing, number, asked.hardware()[1])
    notes += stages_stored.unused(study)
    if not fresh and not stages_stored.later_runs(planned):
        notes += stages_stored.reconsidered(planned, stored)
    notes += [*warned.warnings(planned), *commas.lines(overrides or ())]
    outside, of_theory = prediction_cells.outside_by_settings(planned), prediction_cells.bytes_of(planned)
    for line in notes:
        note(line)
    if as_json:
        counts = {
            "stored": len(planned.runs) - len(missing),
            "to_train": len(missing),
            "left_out": len(changed.left_out),
            "jobs": len(jobs),
            "programs": PROGRAMS * len({job.shape.programs for job in jobs}),
            "workers": number,
        }
        expected = {"flops": total.flops, "seconds": total.seconds, "compile_seconds": total.compile_seconds}
        expected |= {"worker_bytes": planned.worker_bytes, "weight_bytes": weight_bytes}
        expected |= {"prediction_bytes": of_theory}
        about = {"study": study.config.study, "question": study.config.question, "folder": str(stored.folder)}
        limits_told = [asked.room[1]] if asked.room[1] else []
        said = {"outside_theory": outside, "stages": told, "notes": [*notes, *limits_told]}
        say(plan_as_json(planned, {**about, **counts, **expected, **said}))
        return
    if why := asked.room[1]:
        err.print(f"actlab: {why}")
    show_data(planned.data)
    show_plan(study.config.study, planned)
    for line in stages.lines(planned, told):
        prose(line)
    for line in say_followed(study.config, [run.labels for run in planned.runs.values()]):
        prose(f"{line}.")
    for line in started.lines(planned.started):
        prose(one_line(line))
    if outside:
        prose(outside_theory(outside))
    for label, why in planned.unknown_death.items():
        prose(f"Unit death of {one_line(label)} will not be known: {why}.")
    if len(missing) < len(planned.runs):
        done = len(planned.runs) - len(missing)
        prose(f"{counted(done, 'run')} {'is' if done == 1 else 'are'} stored in {one_line(stored.folder)} already.")
    if again := 0 if fresh else len(missing & stored.runs()):
        prose(one_line(kept.trained_again(stored.folder, again)))
    then = f", and then {counted(len(to_come), 'run')} more" if to_come else ""
    prose(
        f"{counted(len(missing), 'run')} to train in {counted(len(jobs), 'job')} on {counted(number, 'worker')}"
        f"{' (or as many as the scheduler has)' if asked.scheduler else ''}{then}; "
        f"{counted(PROGRAMS * len({job.shape.programs for job in jobs}), 'program')} to compile.\n"
        f"Training: {total.flops / 1e9:,.1f} GFLOP of matrix products; about {cost.clock(total.seconds)} "
        f"(a rough guess for a laptop's cores); about {planned.worker_bytes / 2**20:,.0f} MiB of memory per worker."
    )
    if total.compile_seconds:
        prose(
            f"Compiling before that: about {cost.clock(total.compile_seconds)} where nothing else keeps cores busy; "
            "a program that was compiled here before takes none."
        )
    if missing or to_come:
        prose("Not counted in these times: theory's predictions, tables, figures and report, which come after it.")
    if of_theory > planned.worker_bytes:
        number = predicting.most_processes(of_theory, asked.memory or limits.free_memory())
        prose(
            f"Predictions after that: about {of_theory / 2**20:,.0f} MiB of memory per process, {number} at a time at "
            "most."
        )
    if weight_bytes:
        prose(f"Weights: about {in_units(weight_bytes)} on the disk (measure.keep_weights).")
    try:
        kept.check_disk(stored.folder, planned, missing)
    except StoreError as error:
        note(f"`{commands.typed('run', *given)}` will refuse: {error}")
