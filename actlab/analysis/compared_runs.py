"""Which runs a comparison is of: those asked for, at what each study's own rule selects, no setting averaged unseen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from actlab import where as grammar
from actlab.analysis.cells import Cells, activation_ranks, build_cells, settings_in, sort_rows, varying
from actlab.analysis.stages import Tuning
from actlab.analysis.variation import SPLIT
from actlab.commands import typed
from actlab.errors import ActlabError
from actlab.later import pd
from actlab.naming import counted, listed, nearest
from actlab.study.selection import Select
from actlab.study.settings import UNSTATED, Setting, joined
from actlab.where import matching

# Not settings, and yet something to group by.
GROUPS = ("activation_name", "activation_family", "status")
OF_ANOTHER_NAME = ("activation_name", "weight_init_used", "data_content")
"""Columns that may show what a setting is in its place, where they tell all of its values apart."""
STUDY, NONE = "study", "none"
SELECTS = (STUDY, NONE)
"""Whether a study's own rule, its ``report.select``, chooses the value of a swept key."""


class CompareError(ActlabError, ValueError):
    """The comparison asked for cannot be made, or would hide what it averages; the message names what can."""


class Study(NamedTuple):
    """A study to be compared.

    Attributes:
        name: its name.
        runs, steps, layers: its frames.
        settings: what is known of the columns that are settings.
        rule: how it selects a value of a swept key; None where it does not.
        lacking: {measure: how many runs were stored before it was measured}.
        tuning: its first stage, where it selects on seeds of their own.
        final: ``runs`` with all that conditions may ask for, the same rows; None: ``runs`` has it.
        folder: where it lies, as it was typed.
    """

    name: str
    runs: pd.DataFrame
    steps: pd.DataFrame
    layers: pd.DataFrame
    settings: Sequence[Setting] = UNSTATED
    rule: Select | None = None
    lacking: Mapping[str, int] = MappingProxyType({})
    tuning: Tuning | None = None
    final: pd.DataFrame | None = None
    folder: str = ""


@dataclass(frozen=True)
class Request:
    """What is asked for, as the command line has it.

    Attributes:
        by: what makes the groups.
        where: conditions, all of which must hold.
        over: what is averaged on purpose.
        select: ``study`` or ``none``.
        rest: the other options, as they are typed.
    """

    by: tuple[str, ...]
    where: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    select: str = STUDY
    rest: tuple[str, ...] = ()

    def command(self, folders: Iterable[str]) -> str:
        """Write the command that asks for it.

        >>> Request(("depth",), ("activation=relu",), ("seed",)).command(["my r"])
        "actlab compare 'my r' --by depth --where activation=relu --over seed"
        """
        where = [word for text in self.where for word in ("--where", text)]
        over = ["--over", ",".join(self.over)] if self.over else []
        select = ["--select", self.select] if self.select != STUDY else []
        return typed("compare", *folders, *self.rest, "--by", ",".join(self.by), *where, *over, *select)


@dataclass(frozen=True)
class Compared:
    """The runs of a comparison.

    Attributes:
        studies: those that have any, with those runs alone in their frames.
        keys: what makes a group.
        over: {what is averaged on purpose: how many values it has}.
        selected: {study: its cells}, of those whose rule chose a value of a swept key.
        conditions: those that hold of all of them.
        fixed: {condition: the column that it is on}.
        of: how many runs there were before any condition.
        fit: of how many all conditions hold, whatever a rule selects.
        diverged: how many runs diverged of those left out by what came of them.
        outcomes: the conditions on what came of a run.
        turned_off: the studies whose rule would choose, were it not turned off.
        empty: the studies of which no run fits.
        first_stage: the studies in two stages whose rule does not choose: their tuning runs alone are compared.
    """

    studies: list[Study]
    keys: list[str]
    over: dict[str, int]
    selected: dict[str, Cells] = field(repr=False)
    conditions: tuple[grammar.Condition, ...]
    fixed: dict[grammar.Condition, str] = field(repr=False)
    of: int
    fit: int
    diverged: int
    outcomes: list[grammar.Condition]
    turned_off: list[str]
    empty: list[str]
    first_stage: list[str] = field(default_factory=list)

    @property
    def chosen(self) -> list[str]:
        """The columns of which a rule chose values."""
        return list(dict.fromkeys(cells.over for cells in self.selected.values()))


def choose(studies: Sequence[Study], request: Request) -> Compared:
    """Take the runs that are asked for, at the value of a swept key that each study's rule selects for each cell.

    A study's own rule applies unless its key is in ``by``, ``where`` or ``over``. It chooses as in the study's report,
    among all of its runs; conditions hold of what it chose.

    Raises:
        CompareError: a key is unknown, or no run is left.
        WhereError: a condition cannot be read, or names what no study has.
    """
    if request.select not in SELECTS:
        raise CompareError(f"unknown selection '{request.select}'{nearest(request.select, SELECTS)}")
    names = {one.key: one.column for study in studies for one in study.settings if one.key}
    by = [names.get(key, key) for key in request.by]
    keys = check_keys(studies, ["study", *by] if len(studies) > 1 and "study" not in by else by)
    over = check_over(studies, [names.get(key, key) for key in request.over], keys)
    conditions = grammar.parse(request.where)
    tables = [(study.runs if study.final is None else study.final).assign(study=study.name) for study in studies]
    every = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    fits = grammar.matches(every, conditions, names)
    if not fits.any():
        alone = ", ".join(f"{one} {grammar.matches(every, [one], names).sum()}" for one in conditions)
        raise CompareError(
            f"of {counted(len(every), 'run')} none fits all conditions; alone: {alone or 'there are none'}"
        )
    fixed = {one: matching.column_of(every, one, names) for one in conditions}
    taken = {*keys, *over, *fixed.values()}
    selected, off, first, left, empty, begin = {}, [], [], [], [], 0
    for study in studies:
        mask = fits[begin : begin + len(study.runs)]
        begin += len(study.runs)
        if (cells := selection(study)) is not None:
            # Where the rule does not choose, all values have the same seeds: of two stages those of the first.
            kept = study.runs if study.tuning is None else study.runs[study.runs["seed"].isin(study.tuning.seeds)]
            if cells.over not in taken and request.select != NONE:
                selected[study.name], kept = cells, cells.selected
            else:
                off += [study.name] * (cells.over not in taken)
                first += [study.name] * (study.tuning is not None)
            mask = mask & study.runs["run"].isin(kept["run"]).to_numpy()
        if mask.any():
            left.append(only(study, mask))
        else:
            empty.append(study.name)
    if not left:
        raise CompareError("none of the runs that the study's own rule selects fits all conditions; see --select none")
    settings = joined([study.settings for study in studies])
    known = {"seed", "study", *GROUPS, *(one.column for study in studies for one in settings_in(study.runs, settings))}
    outcomes = [one for one, column in fixed.items() if column not in known or column == "status"]
    lost = ~grammar.matches(every, outcomes, names) & (every["status"] != "ok").to_numpy()
    counts = {key: pd.concat([study.runs[key] for study in left if key in study.runs]).nunique(False) for key in over}
    fit = int(fits.sum())
    lost_runs = int(lost.sum())
    return Compared(
        left, keys, counts, selected, conditions, fixed, len(every), fit, lost_runs, outcomes, off, empty, first
    )


def only(study: Study, mask: np.ndarray) -> Study:
    """Return a study with some of its runs alone, in every frame."""
    if mask.all():
        return study
    runs = study.runs[mask].reset_index(drop=True)
    steps, layers = (frame[frame["run"].isin(runs["run"])] for frame in (study.steps, study.layers))
    return study._replace(runs=runs, steps=steps, layers=layers, final=None)


def selection(study: Study) -> Cells | None:
    """Select by a study's own rule, as its report does; None where nothing is to be selected."""
    if study.rule is None:
        return None
    frames = (study.runs, study.steps.head(0), study.layers.head(0))
    cells = build_cells(*frames, study.rule, settings=study.settings, tuning=study.tuning)
    return cells if cells.select is not None else None


def check_keys(studies: Sequence[Study], by: Sequence[str]) -> list[str]:
    """Check that every study has the keys.

    Raises:
        CompareError: one has not.
    """
    for study in studies:
        groups = (key for key in GROUPS if key in study.runs)
        valid = {"study", "layer", "seed", *(one.column for one in settings_in(study.runs, study.settings)), *groups}
        for key in by:
            if key not in valid:
                where = f" in study '{study.name}'" if len(studies) > 1 else ""
                if key in study.runs and key in known_of_runs(study):
                    raise CompareError(
                        f"--by {key}: that came of a run{where}, and is no setting to group by; name it in --metric, "
                        "or choose runs by it in --where"
                    )
                raise CompareError(f"unknown key '{key}'{where}{nearest(key, valid)}")
    return list(dict.fromkeys(by))


def known_of_runs(study: Study) -> list[str]:
    """List the columns of ``runs`` that say what came of them."""
    names = [str(name) for name in study.runs]
    return names[names.index("status") + 1 :] if "status" in names else []


def check_over(studies: Sequence[Study], over: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Check that what is to be averaged are settings, and not shown.

    Raises:
        CompareError: one is not.
    """
    valid = {one.column for study in studies for one in settings_in(study.runs, study.settings)}
    for key in over:
        if key == "seed":
            raise CompareError("--over seed: seeds are what every mean is over, unless seed is in --by; leave it out")
        if key == SPLIT:
            raise CompareError(
                f"--over {key}: splits are repeats, as seeds are: every mean is over them unless {key} is in --by; "
                "leave it out"
            )
        if key == "layer":
            raise CompareError("--over layer: layers are averaged unless layer is in --by; leave it out")
        if key not in valid:
            raise CompareError(f"--over: unknown key '{key}'{nearest(key, valid)}")
        if key in keys:
            raise CompareError(f"'{key}' is in --by, which shows it, and in --over, which averages over it; give one")
    return list(dict.fromkeys(over))


def unseen(study: Study, compared: Compared) -> list[str]:
    """List the settings of a study that vary and are neither shown, selected nor averaged on purpose."""
    cells = compared.selected.get(study.name)
    known = {*compared.keys, *compared.over, *([cells.over] if cells else [])}
    rest = [key for key in varying(study.runs, study.settings) if key not in known]
    names = [key for key in OF_ANOTHER_NAME if key in compared.keys]
    return [key for key in rest if not names or study.runs.groupby(names, dropna=False)[key].nunique(False).max() > 1]


def refuse_unseen(compared: Compared, request: Request) -> None:
    """Refuse to average over a setting that varies and is neither shown, fixed, selected nor averaged on purpose.

    Raises:
        CompareError: there is one; names it, its values, and commands that say something of it.
    """
    hidden = {study.name: keys for study in compared.studies if (keys := unseen(study, compared))}
    keys = list(dict.fromkeys(key for some in hidden.values() for key in some))
    if not keys:
        return
    runs = pd.concat([study.runs for study in compared.studies if study.name in hidden])
    values = [f"{key} ({matching.choices(map(matching.plain, runs[key].unique()))})" for key in keys]
    where = f" in {listed(hidden)}" if len(compared.studies) > 1 else ""
    ranks = activation_ranks(runs) if "activation" in keys else {}
    first = sort_rows(runs[keys].drop_duplicates(), keys, ranks).iloc[0]
    one = ",".join(f"{key}={matching.written(runs[key], first[key])}" for key in keys)
    folders = [study.folder or study.name for study in compared.studies]
    asked = [
        replace(request, by=(*request.by, *keys)),
        replace(request, where=(*request.where, one)),
        replace(request, over=(*request.over, *keys)),
    ]
    rule = {study.rule.over for study in compared.studies if study.rule}
    swept = {one.column for study in compared.studies for one in study.settings if one.key in rule}
    if request.select == NONE and swept & {*keys}:
        asked.append(replace(request, select=STUDY))
    aside = ", ".join(key for key in keys if key in swept & {*compared.fixed.values()})
    why = f" (the study's own rule does not choose {aside}, which is in --where)" if aside else ""
    them = "it" if len(keys) == 1 else "them"
    raise CompareError(
        f"{listed(values, len(values), 500)} var{'ies' if len(keys) == 1 else 'y'} among the runs compared{where}, and "
        f"a mean would hide {them}{why}; show {them}, choose a value, or average on purpose "
        f"({'--by, --where, --over' if len(asked) == 3 else '--by, --where, --over, or by the rule of the study'}):\n"
        + "\n".join(f"  {each.command(folders)}" for each in asked)
    )
