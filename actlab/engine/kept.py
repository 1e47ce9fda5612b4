"""Which runs have their weights kept, which are to be trained again for them, and where those of a run are found."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab import commands
from actlab.engine import weight_files
from actlab.engine.earlier import why_left_out
from actlab.engine.files import DamageError, StoreError
from actlab.engine.weight_files import RECORDED, WEIGHTS, About, Numbers, WeightFile
from actlab.naming import MOST_LINE, brief, counted, in_units, listed, nearest, shortened
from actlab.study.jobs import record_steps

if TYPE_CHECKING:
    import pyarrow as pa

    from actlab.engine.results import Results
    from actlab.study.jobs import Job
    from actlab.study.plan import Plan

NONE, FINAL, RECORDS = "none", "final", "records"
"""Values of ``measure.keep_weights``."""


def wanted(keep: str, steps: Sequence[int], hidden: Sequence[bool], diverged: int, last: int) -> bool:
    """Whether a run's weights are kept at a record: not beyond its last one, and as often as the study asks.

    A run ends with its last step, or with the first record after it diverged (as ``records.run_row`` has it), whatever
    its neighbours go on to do.

    Args:
        keep: final or records.
        steps: of the run batch's records so far, this one's included.
        hidden: of each of these, whether a z was NaN while the loss was not.
        diverged: the step that had the first loss that was not finite; −1: none so far.
        last: the run's last step.

    >>> [wanted("final", [0, 5, 10][:n], [False] * n, 3, 10) for n in (1, 2, 3)]
    [False, True, False]
    """

    def over(i: int) -> bool:
        return i >= 0 and (0 <= diverged < steps[i] or any(hidden[:i]))

    now = len(steps) - 1
    return not over(now - 1) and (keep == RECORDS or over(now) or steps[now] == last)


def recorded(tables: Iterable[pa.Table], runs: Iterable[str]) -> Iterator[tuple[str, list[int], list[Numbers]]]:
    """Yield of stored runs their names, the steps of their records, and what was ``RECORDED`` at each.

    Args:
        tables: rows of parts.
        runs: the names of those that are asked for.
    """
    asked = set(runs)
    for table in tables:
        mine = [i for i, run in enumerate(table["run"].to_pylist()) if run in asked]
        if not mine:  # Arrow would not know what an empty list is of
            continue
        some = table.select(["run", "steps.step", *(f"steps.{name}" for name in RECORDED)]).take(mine)
        for run, steps, *numbers in zip(*(column.to_pylist() for column in some.columns), strict=True):
            yield run, steps, list(zip(*numbers, strict=True))


def without_weights(folder: Path, tables: Iterable[pa.Table], keep: Mapping[str, str]) -> set[str]:
    """List the stored runs whose weights are asked for and are not there: none were kept, or they are gone.

    Args:
        folder: the study's.
        tables: rows of its parts.
        keep: ``measure.keep_weights`` of each run.
    """
    asked = {run: which for run, which in keep.items() if which != NONE}
    if not asked:
        return set()
    found = weight_files.kept(weight_files.listed(folder))

    def has(run: str, step: int, numbers: Numbers) -> bool:
        return any(weight_files.same(about.numbers, numbers) for _, about in found.get((run, step), ()))

    return {
        run
        for run, steps, numbers in recorded(tables, asked)
        for at in [slice(None) if asked[run] == RECORDS else slice(-1, None)]
        if not all(has(run, step, one) for step, one in zip(steps[at], numbers[at], strict=True))
    }


def disk_bytes(plan: Plan, runs: Collection[str]) -> float:
    """Predict what the weights of some runs of a plan, and of its second stage, take on the disk: 0 without any."""
    known = sum(run.weight_bytes for run in plan.runs.values() if run.id in runs)
    return known + sum(run.weight_bytes for job in plan.later for run in job.runs)


def stored_before(planned: Plan, missing: Collection[str]) -> tuple[int, float]:
    """Count the runs of a plan that are stored already; and which share of all its work they are.

    Args:
        planned: the study's.
        missing: those of its runs that are not.
    """
    later = sum(run.flops for job in planned.later for run in job.runs)
    there = [run.flops for name, run in planned.runs.items() if name not in missing]
    whole = sum(run.flops for run in planned.runs.values()) + later
    return len(there), sum(there) / whole if whole else 0.0


def check_disk(folder: Path, plan: Plan, runs: Collection[str]) -> None:
    """Refuse to keep more weights than there is room for on the disk: before training, rather than in the middle of it.

    Args:
        folder: the study's, which need not exist.
        plan: its plan.
        runs: those that are to be trained.

    Raises:
        StoreError: there is no room.
    """
    needed = disk_bytes(plan, runs)
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    if needed and needed > (free := shutil.disk_usage(there).free):
        job = plan.groups[0]
        less = ""
        if job.keep_weights == RECORDS:
            final = needed / max(len(record_steps(one.steps, one.every)) for one in plan.groups)
            less = f" measure.keep_weights: final would take about {in_units(final)};"
        raise StoreError(
            f"{folder / WEIGHTS}: weights would take about {in_units(needed)} (measure.keep_weights: "
            f"{job.keep_weights}), and the disk has {in_units(free)} left;{less} make room, or give an --out on "
            "another disk"
        )


def trained_again(folder: Path, number: int) -> str:
    """Say that stored runs are trained again."""
    return (
        f"{folder}: {counted(number, 'run')} {'is' if number == 1 else 'are'} stored without the weights that "
        "measure.keep_weights asks for, and trained again for them; "
        "with the versions of then, on the machine of then, the numbers stay the same to the bit"
    )


def name_of(results: Results, run: Any) -> str:
    """Find a run's whole name by how it begins, or in its row.

    Raises:
        StoreError: there is none, or there are several.
    """
    name = run if isinstance(run, str) else (run.get("run") if hasattr(run, "get") else None)
    if not isinstance(name, str):
        raise StoreError(f"expected a run's name, how that begins, or its row of results.runs, not {brief(run)}")
    runs = list(results.runs["run"])
    several = [one for one in runs if one.startswith(name)]
    if not several and (why := why_left_out(results.left_out, name)):
        raise StoreError(f"{results.path}: {why}")
    if len(several) != 1:
        many = f"{counted(len(several), 'run')} begin with {brief(name)}"
        problem = many if several else f"there is no run {brief(name)}"
        raise StoreError(f"{results.path}: {problem}{nearest(name, (several or runs)[:8])}")
    return several[0]


def places(results: Results, run: str) -> dict[int, list[tuple[Path, About]]]:
    """List where a run's weights lie, by step: those of the training that is stored."""
    rows = results.steps[results.steps["run"] == run]
    numbers = dict(zip(rows["step"].tolist(), rows[list(RECORDED)].to_numpy(np.float64).tolist(), strict=True))
    found: dict[int, list[tuple[Path, About]]] = {}
    for (name, step), files in weight_files.kept(weight_files.listed(results.path)).items():
        own = [file for file in files if name == run and weight_files.same(file[1].numbers, numbers.get(step, ()))]
        if own:
            found[step] = own
    return dict(sorted(found.items()))


def weights(results: Results, run: Any, step: int | None = None) -> dict[str, np.ndarray]:
    """Read the weights of one run: see ``Results.weights``.

    Raises:
        StoreError: they are not there; says how they are had.
        DamageError: they are not what was written.
    """
    name = name_of(results, run)
    last = int(results.steps["step"][results.steps["run"] == name].iloc[-1])
    found, step = places(results, name), last if step is None else whole(step)
    if step not in found:
        raise missing(results, name, step, last, list(found))
    problem: DamageError | None = None
    for path, about in found[step]:
        try:
            return weight_files.read(path, name, step, about)
        except DamageError as error:
            problem = error
    assert problem is not None
    raise problem


def whole(step: Any) -> int:
    """Read a step, as frames have them too: of NumPy's types, or a float that is whole.

    Raises:
        StoreError: it is none.

    >>> whole(np.int64(4)), whole(4.0)
    (4, 4)
    """
    try:
        if not isinstance(step, bool | np.bool_):
            return int(step) if isinstance(step, float | np.floating) and float(step).is_integer() else index(step)
    except TypeError:
        pass
    raise StoreError(f"step: expected a whole number, as in results.steps['step'], not {brief(step)}")


def missing(results: Results, run: str, step: int, last: int, there: Sequence[int]) -> StoreError:
    """Say that a run has no weights at a step, why, and how they are had."""
    asked = (results.study.get("measure") or {}).get("keep_weights", NONE)
    records = sorted(results.steps["step"][results.steps["run"] == run].tolist())
    if step not in records:
        return StoreError(
            f"{results.path}: run {run} has no record at step {shortened(str(step))}{nearest(step, records)}"
        )
    key = RECORDS if there or step != last else FINAL
    kept = f"; those that are kept are of step {listed(there, 12)}" if there else ""
    more = [] if asked in (key, RECORDS) else [f"measure.keep_weights={key}"]
    way = f"`{commands.resume(results.path, *more)}` trains it again for them"
    unread = [file for file in weight_files.listed(results.path) if not isinstance(file, WeightFile)]
    if unread := [file for file in unread if weight_files.step_of(file) == step]:  # it may be in one of these
        names = listed((f"{WEIGHTS}/{path.name}" for path in unread), 6, MOST_LINE)
        return DamageError(
            f"{results.path}: run {run} has no weights at step {step} that can be read; cut short or altered: {names}; "
            f"{way}"
        )
    return StoreError(f"{results.path}: run {run} is stored without its weights at step {step}{kept}; {way}")


def whereabouts(results: Results, run: str) -> str:
    """Say in a line where a run's weights lie."""
    found = places(results, run)
    if not found:
        asked = (results.study.get("measure") or {}).get("keep_weights", NONE)
        last = int(results.steps["step"][results.steps["run"] == run].iloc[-1])
        return "" if asked == NONE else str(missing(results, run, last, last, []))
    paths = list(dict.fromkeys(files[0][0] for files in found.values()))
    steps = "step" if len(found) == 1 else "steps"
    return f"weights at {steps} {listed(found, 12)}: {listed(paths, 2, MOST_LINE)}"


def again(jobs: Iterable[Job], stored: set[str]) -> list[Job]:
    """Note in each job which of its runs are stored already, and are trained for their weights alone."""
    return [replace(job, again=frozenset(run.id for run in job.runs if run.id in stored)) for job in jobs]
