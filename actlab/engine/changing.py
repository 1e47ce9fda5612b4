"""A study that has changed: which runs in its folder today's plan does not ask for, and why, in the words of the YAML.

Such runs are kept, and left out of all that is read (see ``earlier``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from actlab.engine.contents import Contents
from actlab.engine.earlier import Why, left_out_line, reasons
from actlab.engine.files import StoreError
from actlab.engine.manifest import EARLIER_DATA
from actlab.engine.store import Stored, stored_study, unbegun
from actlab.naming import brief, counted, show
from actlab.study import columns
from actlab.study.fields import display_name
from actlab.study.reading import Source, short_path
from actlab.study.settings import CONTENT

if TYPE_CHECKING:
    import pyarrow as pa

    from actlab.study.plan import Plan

HIDDEN = ("measure.probes", "measure.keep_layers")
"""Keys that define a run and are no column of ``runs``."""
FOLLOWING = (
    *("measure.every", "measure.evaluate_every", "measure.probe_rows", "train.steps"),
    *("data.target_loss", "data.train_rows", "data.task", "train.batch_size"),
)
"""Keys whose columns may be another because another key is."""


@dataclass(frozen=True)
class Change:
    """What a plan does not ask for of what a folder holds.

    Attributes:
        earlier: the runs that the folder was for, stored or not, and why it is not any more.
        left_out: those of them that are stored.
        by: the file that does not ask for them.
    """

    earlier: Mapping[str, Why] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    by: str = ""

    def lines(self, prune: bool = False, dry: bool = False) -> list[str]:
        """Say which runs those are, if any, and what becomes of them.

        Args:
            prune: whether they are removed.
            dry: whether that is only what would be done.
        """
        whys = [self.earlier[run] for run in sorted(self.left_out)]
        if not whys:
            return []
        if not prune:
            return [left_out_line(whys, self.by, "--prune")]
        number, are = ("1 stored run", "is") if len(whys) == 1 else (f"{len(whys)} stored runs", "are")
        would = "would be removed" if dry else f"{are} removed"
        return [f"{number} not asked for by {self.by} {would} ({reasons(whys)})"]


def change(stored: Stored, plan: Plan, study: Mapping[str, Any], source: Source) -> Change:
    """Find what a plan does not ask for of what a folder holds.

    Args:
        stored: the folder.
        plan: of the study.
        study: resolved, as it is to be written into the folder.
        source: the file that it is from.

    Raises:
        StoreError: the folder holds another study: by its name, and none of its runs is asked for.
    """
    if unbegun(stored.folder) and not stored.recovers:
        return Change()
    contents, runs = stored.read(), plan.runs
    by = short_path(source.path) + (" and its overrides" if source.overridden else "")
    before = study_before(stored)
    refuse_another(stored, contents, before, study, runs, by)
    asked = contents.asked or frozenset()
    then: dict[str, Why] = {run: {} for run in (*asked, *contents.runs)} | dict(contents.earlier)
    earlier = {run: why for run, why in then.items() if run not in runs}
    left_out = frozenset(contents.runs - set(runs))
    if left_out:
        hidden = former_values(before, study, HIDDEN)
        kept = {run: why for run, why in contents.earlier.items() if any(key in HIDDEN for key in why)}
        changed = {*former_values(before, study, FOLLOWING), *swept(before), *swept(study)}
        called = names_of_data(contents.manifest)
        for run, why in whys(contents.tables.values(), left_out, plan, changed, then, called):
            earlier[run] = why or kept.get(run) or (hidden if run not in contents.earlier else {})
    return Change(earlier, left_out, by)


def study_before(stored: Stored) -> Mapping[str, Any]:
    """Read the study that a folder was made for; nothing where that cannot be read, which ``run`` writes again."""
    try:
        return stored_study(stored.folder)
    except StoreError:
        return {}


def refuse_another(
    stored: Stored,
    contents: Contents,
    before: Mapping[str, Any],
    study: Mapping[str, Any],
    runs: Mapping[str, Any],
    by: str,
) -> None:
    """Refuse a folder of another study, whose tables would go: two YAMLs of one name, or a wrong ``--out``.

    Raises:
        StoreError: it is one.
    """
    name, stored_runs = before.get("study", study["study"]), contents.runs
    if name != study["study"] and stored_runs and not stored_runs & set(runs):
        raise StoreError(
            f"{stored.folder}: holds the study {brief(name)} ({counted(len(stored_runs), 'run')}, none of which "
            f"{by} asks for, with its `study: {study['study']}`); give this study another --out, or --fresh to set "
            "that folder aside"
        )


def whys(
    tables: Iterable[pa.Table],
    left_out: frozenset[str],
    plan: Plan,
    changed: Collection[str] = (),
    before: Mapping[str, Why] = MappingProxyType({}),
    called: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[str, Why]]:
    """Yield stored runs with what of their settings no planned run has; nothing where only the combination is new.

    A setting that mostly follows from others explains nothing beside them, unless its key was changed itself.

    Args:
        tables: of the stored runs, among others.
        left_out: which they are.
        plan: today's.
        changed: keys that were, since the folder was written.
        before: what was said of runs then.
        called: what data are called that differ from others of their name, by what they hold.
    """
    labels = [run.labels for run in plan.runs.values()]
    keys = {one.column: one for one in columns.settings() if one.key}
    now = {name: {text_of(one.get(name)) for one in labels} for name in (*keys, "seed")}
    today = {one["names"][0] for one in plan.data}
    contents = [column + CONTENT for column in keys if any(column + CONTENT in one for one in labels)]
    now |= {name: {text_of(one.get(name)) for one in labels} for name in contents}
    for table in tables:
        names = [name for name in now if name in table.column_names]
        for row in table.select(["run", *names]).to_pylist():
            if row["run"] in left_out:
                other = {name: text_of(row[name]) for name in names if text_of(row[name]) not in now[name]}
                if "data" in other:
                    then = called.get(row.get("data" + CONTENT) or "", other["data"])
                    other["data"] = other["data"] if other["data"].startswith(f"{display_name(then)}(") else then
                said = {keys[name].key: (value,) for name, value in other.items() if name in keys}
                own = {one.key for one in keys.values() if not one.follows and one.key not in FOLLOWING} | {
                    *changed,
                    *before.get(row["run"], ()),
                }
                why: dict[str, tuple[str, ...]] = {key: value for key, value in said.items() if key in own}
                if "seed" in other:
                    why["sweep.seeds"] = (other["seed"],)
                altered: dict[str, tuple[str, ...]] = {}
                for column in (name.removesuffix(CONTENT) for name in other if name.endswith(CONTENT)):
                    name = called.get(row[column + CONTENT] or "") if column == "data" else None
                    taken_out = name is not None and name not in today
                    then = f"{name or text_of(row[column])}{'' if taken_out else ' as it was'}"
                    altered[keys[column].key] = (then,)
                yield row["run"], why or altered or said


def swept(study: Mapping[str, Any]) -> Collection[str]:
    """List the keys that a study sweeps."""
    return ((study.get("sweep") or {}).get("matrix") or {}).keys()


def names_of_data(manifest: Mapping[str, Any]) -> dict[str, str]:
    """List what tables call data, or called them when they were planned, with what tells them from others of a name."""
    both = (*manifest.get(EARLIER_DATA, ()), *manifest.get("data", ()))
    return {one["content"]: one["names"][0] for one in both if "content" in one}


def text_of(value: object) -> str:
    """Put a setting in the words of the YAML: null, also where a frame reads it back as a missing number."""
    return "null" if value is None or value != value else show(value)


def former_values(before: Mapping[str, Any], study: Mapping[str, Any], keys: Iterable[str]) -> Why:
    """Return the former values of some keys, where they changed."""

    def value(of: Mapping[str, Any], key: str) -> Any:
        section, name = key.split(".")
        return (of.get(section) or {}).get(name)

    return {
        key: (brief(value(before, key)).replace("'", ""),)
        for key in keys
        if value(before, key) not in (None, value(study, key))
    }
