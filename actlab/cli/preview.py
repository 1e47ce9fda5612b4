"""What ``plan`` and ``run --dry-run`` print: what a study is made of, and what it will cost."""

from pathlib import Path
from typing import Any

import actlab
from actlab import limits
from actlab.cli.output import note, plan_as_json, show_data, show_plan
from actlab.cli.terminal import err, one_line, say


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
    **where: Any,
) -> None:
    """Print what ``run`` would do with the same words."""
    limits.require_addresses()
    study = actlab.study_of(config, overrides or ())
    from actlab.engine import setting_aside, whereabouts
    from actlab.engine.changing import Change, change
    from actlab.engine.scheduling import missing_runs
    from actlab.engine.store import Stored
    from actlab.engine.train_study import ExecutionConfig, in_bytes, refuse_both
    from actlab.study import cost
    from actlab.study import plan as planning
    from actlab.study.reading import resolved_yaml

    refuse_both(fresh, prune)
    name = study.config.study
    stored = Stored(out_dir or whereabouts.default_folder(config, name, overrides or ()))
    asked = ExecutionConfig(workers=workers, memory=in_bytes(memory), **where)
    planned, number = asked.plan(study, stored, fresh)
    missing = set(planned.runs) if fresh else missing_runs(stored, planned)
    for line in () if fresh else stored.damage():
        note(f"{stored.folder}: {line}; `actlab run` sets it aside and trains again what is lost")
    changed = Change() if fresh else change(stored, planned, resolved_yaml(study.config, stored.folder), study.source)
    for line in changed.lines(prune, dry=True):
        note(line)
    if fresh and setting_aside.is_study(stored.folder):
        note(setting_aside.would(stored.folder))
    if missing and out_dir is None and not fresh and (line := whereabouts.elsewhere(stored.folder, missing, name)):
        note(line)
    total = cost.expected(planned.groups, number, missing)
    jobs = planning.partition_into_jobs(planned.groups, missing, number, asked.hardware()[1])
    if as_json:
        counts = {"to_train": len(missing), "left_out": len(changed.left_out), "jobs": len(jobs), "workers": number}
        expected = {"flops": total.flops, "seconds": total.seconds, "worker_bytes": planned.worker_bytes}
        say(plan_as_json(study.config.study, planned, counts | expected))
        return
    if why := asked.room[1]:
        err.print(f"actlab: {why}")
    show_data(planned.data)
    show_plan(study.config.study, planned)
    for label, why in planned.unknown_death.items():
        say(f"Unit death of {one_line(label)} will not be known: {why}.")
    if len(missing) < len(planned.runs):
        say(f"{len(planned.runs) - len(missing)} runs are stored in {one_line(stored.folder)} already.")
    say(
        f"{len(missing)} runs to train in {len(jobs)} jobs on {number} workers"
        f"{' (or as many as the scheduler has)' if asked.scheduler else ''}; "
        f"{len({job.shape.programs for job in jobs})} programs to compile.\n"
        f"Training: {total.flops / 1e9:,.1f} GFLOP of matrix products; about {cost.clock(total.seconds)} "
        f"(a rough guess for a laptop's cores); about {planned.worker_bytes / 2**20:,.0f} MiB of memory per worker."
    )
