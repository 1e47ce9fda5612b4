"""The selections of a study in two stages: made of what its tuning runs stored, and kept in its folder's manifest.

What is stored stays in force whatever the tuning runs say later: it changes where that is asked for, and never else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from actlab.engine.manifest import LATER, SELECTION, read_manifest, write_manifest
from actlab.engine.planned import write_planned
from actlab.naming import brief, counted, listed, show
from actlab.study import columns, union
from actlab.study.reading import StudyError, short_path
from actlab.study.selection import preferred
from actlab.study.stages import SPLIT, Entry, Stages, Tuned, entry_of, tuned_by

if TYPE_CHECKING:
    from actlab.engine.store import Stored
    from actlab.study.plan import Plan
    from actlab.study.reading import Study

AGAIN = "--reselect"
MOST_NAMED = 3


def planned(
    make: Callable[[Mapping[str, Entry]], Plan],
    study: Study,
    stored: Stored,
    manifest: Mapping[str, Any],
    again: bool = False,
) -> Plan:
    """Plan a study with the selections that its folder holds, and with those that can be made of its tuning runs.

    Args:
        make: plans it with given selections.
        study: for messages.
        stored: what its folder holds.
        manifest: of that; empty where it is to be forgotten.
        again: whether all is selected again.

    Raises:
        StudyError: the study cannot go on with a stored selection, or is to select again and selects nothing; says
            the ways out.
    """
    entries = {} if again else manifest.get(SELECTION, {})
    plan = make(entries)
    if again and plan.stages is None:
        raise StudyError(
            f"{short_path(study.source.path)}: {AGAIN}: nothing is selected on tuning seeds here (sweep.select with "
            f"seeds, over a key that is swept); leave {AGAIN} out"
        )
    if plan.stages is None or not manifest:
        return plan
    refuse_unlike(plan, study, stored)
    return make({**entries, **new}) if (new := selected(plan, stored)) else plan


def selected(plan: Plan, stored: Stored) -> dict[str, Entry]:
    """Select where that is possible and was not done: of cells all of whose tuning runs are stored."""
    if plan.stages is None or all(one.selected is not None for one in plan.stages.cells):
        return {}
    finals = final_values(plan, stored)
    found = {}
    for one in plan.stages.cells:
        if one.selected is None and (best := best_of(one, plan, finals)) is not None:
            found[one.name] = entry_of(one, best, plan.stages.select)
    return found


def final_values(plan: Plan, stored: Stored) -> dict[str, float | None]:
    """Read the final values of the metric that chooses, by run; None where it diverged."""
    stages = stages_in(plan)
    tuning = {run for one in stages.cells for runs in one.tuning for run in runs}
    found: dict[str, float | None] = {}
    for table in stored.read().tables.values():
        some = table.select(["run", "status", stages.select.by])
        for run, status, value in zip(*(column.to_pylist() for column in some.columns), strict=True):
            if run in tuning:
                found[run] = None if status != "ok" else float("nan") if value is None else value
    return found


def best_of(one: Tuned, plan: Plan, finals: Mapping[str, float | None]) -> int | None:
    """Say which candidate of a cell the rule selects; None where tuning runs are missing."""
    if not all(run in finals for runs in one.tuning for run in runs):
        return None
    pairs = zip(one.tuning, values_of(one, plan), strict=True)
    return preferred([(value, [finals[run] for run in runs]) for runs, value in pairs], stages_in(plan).select)


def values_of(one: Tuned, plan: Plan) -> list[Any]:
    """List the values of a cell's candidates, as tables have them."""
    column = over_column(stages_in(plan))
    return [plan.runs[runs[0]].labels[column] for runs in one.tuning]


def over_column(stages: Stages) -> str:
    """Return the column of the key that is selected over."""
    return next(one.column for one in columns.settings() if one.key == stages.select.over)


def stages_in(plan: Plan) -> Stages:
    """Return the stages of a plan that has them."""
    assert plan.stages is not None
    return plan.stages


def called(plan: Plan, cells: Iterable[Tuned]) -> list[str]:
    """Name some cells by what tells them from the others: ``relu, depth 10``."""
    stages = stages_in(plan)
    over = over_column(stages)
    labels = {one.name: plan.runs[one.tuning[0][0]].labels for one in stages.cells}
    settings = [one for one in columns.settings() if one.key not in (None, "", SPLIT) and one.column != over]

    def told_apart(keys: Iterable[str]) -> int:
        return len({tuple(repr(own.get(key)) for key in keys) for own in labels.values()})

    varying = [one.column for one in settings if not one.follows and told_apart([one.column]) > 1]
    for one in settings:  # what follows from others is named where it does not
        if one.follows and told_apart([*varying, one.column]) > told_apart(varying):
            varying.append(one.column)

    def words(one: Tuned) -> str:
        own = labels[one.name]
        first = plan.label(plan.runs[one.tuning[0][0]], "activation")
        rest = [f"{key} {show(own[key])}" for key in varying if key != "activation"]
        return ", ".join([*([first] if "activation" in varying or not rest else []), *rest])

    return [words(one) for one in cells]


def refuse_unlike(plan: Plan, study: Study, stored: Stored) -> None:
    """Refuse to go on with selections that this study would not have made: by another metric, or of another value.

    Raises:
        StudyError: there are some; says the ways out.
    """
    stages = stages_in(plan)
    unlike = stages.unlike()
    if not unlike:
        return
    by = next((one.stored["by"] for one in unlike if one.stored["by"] != stages.select.by), "")
    key = stages.select.over.rpartition(".")[2]
    way = f"{AGAIN} selects again"
    if by:
        raise StudyError(
            f"{study.source.where('sweep', 'select')}: sweep.select: by is {stages.select.by}, and {stored.folder} "
            f"holds what was selected by {by}; {way}, or put {by} back"
        )
    names = some(called(plan, unlike))
    raise StudyError(
        f"{study.source.where('sweep', 'select')}: sweep.select: the {key} that was selected in {stored.folder} for "
        f"{counted(len(unlike), 'cell')} ({names}) is none that {short_path(study.source.path)} asks for any more; put "
        f"it back, or {way}"
    )


def some(names: list[str]) -> str:
    """Join names, the first few of many."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more


def unused(study: Study) -> list[str]:
    """Say that a study's tuning seeds are not used, where there is nothing to tune; nothing else."""
    rule = study.config.sweep.select
    if rule is None or rule.seeds is None or tuned_by(study) is not None:
        return []
    return [
        f"{study.source.where('sweep', 'select')}: sweep.select: {rule.over} has one value in all cells, so that "
        "nothing is tuned, and the tuning seeds are not used"
    ]


def reconsidered(plan: Plan, stored: Stored) -> list[str]:
    """Say where today's tuning runs would select another value than the stored one, which stays; nothing where none."""
    if plan.stages is None or not plan.stages.entries():
        return []
    finals = final_values(plan, stored)
    key, said = plan.stages.select.over.rpartition(".")[2], []
    for one, name in zip(plan.stages.cells, called(plan, plan.stages.cells), strict=True):
        best = best_of(one, plan, finals)
        if one.selected is not None and best is not None and best != one.selected:
            values = values_of(one, plan)
            said.append(f"{name}: {show(values[best])}, not {show(values[one.selected])}")
    if not said:
        return []
    return [
        f"{stored.folder}: the tuning runs would now select another {key} in {len(said)} of "
        f"{counted(len(plan.stages.cells), 'cell')} ({some(said)}); what was selected stays, until it is run with "
        f"{AGAIN}"
    ]


def note_in(manifest: dict[str, Any], plan: Plan) -> None:
    """Put into a manifest what is selected; what was of cells that the study does not have now stays."""
    kept = manifest.pop(SELECTION, {})
    manifest.pop(LATER, None)
    if plan.stages is not None:
        gone = {one.name for one in plan.stages.cells}
        kept = {name: one for name, one in kept.items() if name not in gone} | plan.stages.entries()
    if kept:
        manifest[SELECTION] = kept
    if later := later_runs(plan):
        manifest[LATER] = later


def note(stored: Stored, plan: Plan) -> None:
    """Store what is selected while a study is trained, and which runs it asks for now."""
    stored.plan_has(plan.runs)
    write_planned(stored.folder, plan.runs)
    manifest = read_manifest(stored.folder)
    note_in(manifest, plan)
    write_manifest(stored.folder, manifest)


def joined(several: Sequence[tuple[str, Mapping[str, Entry]]]) -> dict[str, Entry]:
    """Join what several folders have selected.

    Args:
        several: where each lies, and what it says.

    Raises:
        StudyError: two of them selected another value for one cell; says the way out.
    """
    found: dict[str, tuple[str, Entry]] = {}
    for place, entries in several:
        for name, entry in entries.items():
            first, other = found.setdefault(name, (place, entry))
            chose = [dict.fromkeys(one["selected"].split()) for one in (other, entry)]
            found[name] = first, {**other, "selected": " ".join(chose[0] | chose[1])}  # they may be of other splits
            same = other.get("value") == entry.get("value") is not None
            if not same and chose[0].keys().isdisjoint(chose[1]):
                key = entry["over"].rpartition(".")[2]
                raise StudyError(
                    f"sweep.select: {first} and {place} selected another {key} for one cell (tuning runs "
                    f"{brief(other['selected'])} and {brief(entry['selected'])}), so that fresh runs are of two; "
                    f"run one of them with {AGAIN} once both tune on the same values, splits and seeds, then merge"
                )
    return {name: entry for name, (_, entry) in found.items()}


def still_to_select(study: Mapping[str, Any], entries: Mapping[str, Entry]) -> int:
    """Count the runs that a study will ask for once all its cells are selected, from what its file says."""
    sweep = study.get("sweep") or {}
    rule = sweep.get("select") or {}
    if rule.get("seeds") is None:
        return 0
    over, keys = ".".join(rule["over"].split(".")[:2]), union.swept_keys([study])
    cells = union.cells_of(study, [key for key in keys if key not in (over, SPLIT)])
    splits = len(union.cells_of(study, [key for key in keys if key != over])) / max(len(cells), 1)
    seeds = sweep.get("seeds", 1)
    number = len(seeds) if isinstance(seeds, list) else seeds
    return round(max(len(cells) - len(entries), 0) * splits * int(number)) if over in keys else 0


def later_runs(plan: Plan) -> int:
    """Count the runs that a plan will have once more is selected."""
    return sum(len(job.runs) for job in plan.later)


def seeds_in_words(seeds: Iterable[int]) -> str:
    """Write seeds.

    >>> seeds_in_words([0, 1, 2]), seeds_in_words([1000000]), seeds_in_words([1, 5])
    ('seeds 0 to 2', 'seed 1000000', 'seeds 1, 5')
    """
    own = sorted(seeds)
    if len(own) > 2 and own == list(range(own[0], own[-1] + 1)):
        return f"seeds {own[0]} to {own[-1]}"
    return f"seed{'s' * (len(own) > 1)} {listed(map(str, own), 8)}"
