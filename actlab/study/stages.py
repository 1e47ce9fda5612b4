"""A study in two stages: every value of a key on tuning seeds, then fresh seeds at the value that each cell got.

What is selected and what is shown are of different runs, so that a value that was lucky on the seeds that chose it is
not shown with that luck. A run is its settings and its seed as ever: the stages are the plan's alone, and the second
one reads what the first one stored.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actlab.study.defaults import FOLLOWING
from actlab.study.fields import Choice
from actlab.study.identity import canonical, run_id
from actlab.study.reading import Study
from actlab.study.sections import value_at
from actlab.study.selection import Select, tuning_seeds
from actlab.study.sweep import Cell

Entry = Mapping[str, str]
"""What is stored of a selection: ``over``, ``by``, the ``value``, and the names of its tuning runs: those at the value
that was ``selected``, and the ``others``, between spaces."""
SPLIT = "data.seed"
"""Its values are repeats of a cell, as seeds are: they choose together, and one value is for all of them."""


@dataclass(frozen=True)
class Tuned:
    """A cell of a study in two stages: all that has everything but the key, and the split, in common.

    Attributes:
        name: a hash of that.
        candidates: which of the study's cells it is at each value: one for each split.
        values: of the key, as they are stored.
        tuning: the tuning runs of each candidate: over all splits and tuning seeds.
        selected: which of the candidates was selected; None before.
        stored: what is stored of its selection; nothing before.
    """

    name: str
    candidates: tuple[tuple[int, ...], ...]
    values: tuple[str, ...]
    tuning: tuple[tuple[str, ...], ...]
    selected: int | None = None
    stored: Entry = field(default_factory=dict)


@dataclass(frozen=True)
class Stages:
    """The stages of a study.

    Attributes:
        select: the rule.
        tuning: the seeds of the first stage.
        fresh: those of the second.
        cells: those that are tuned.
    """

    select: Select
    tuning: tuple[int, ...]
    fresh: tuple[int, ...]
    cells: tuple[Tuned, ...]

    def seeds(self) -> dict[int, tuple[int, ...]]:
        """List the seeds that are known to be asked for, by the study's cells."""
        chosen = {i for one in self.cells if one.selected is not None for i in one.candidates[one.selected]}
        every = (i for one in self.cells for own in one.candidates for i in own)
        return {i: (*self.tuning, *(self.fresh if i in chosen else ())) for i in every}

    def expected(self) -> dict[int, tuple[int, ...]]:
        """List the seeds that will be asked for where nothing is selected yet: at a middle value, for the cost."""
        unknown = (one for one in self.cells if one.selected is None)
        return {i: self.fresh for one in unknown for i in one.candidates[len(one.candidates) // 2]}

    def entries(self) -> dict[str, Entry]:
        """Return what is stored of the selections in force."""
        return {one.name: one.stored for one in self.cells if one.selected is not None}

    def unlike(self) -> list[Tuned]:
        """List the cells that have a stored selection which this study cannot go on with.

        It was made by another metric, or the value is none that the study asks for any more.
        """
        return [
            one for one in self.cells if one.stored and (one.selected is None or one.stored["by"] != self.select.by)
        ]


def stages_of(study: Study, identities: Sequence[str], stored: Mapping[str, Entry]) -> Stages | None:
    """Divide a study into its stages; None where it has one.

    Args:
        study: as it is planned.
        identities: what defines each of its cells.
        stored: the selections that were made, by the names of what was tuned.
    """
    select = tuned_by(study)
    if select is None:
        return None
    tuning = seeds_of(study)
    found: dict[str, dict[str, dict[str, int]]] = {}  # two names of one content are one
    for i, (cell, identity) in enumerate(zip(study.cells, identities, strict=True)):
        at_value = found.setdefault(name_of(cell, identity, select.over), {}).setdefault(common(cell, identity), {})
        at_value.setdefault(identity, i)
    cells = [tuned(name, list(one.values()), study, select, stored.get(name, {})) for name, one in found.items()]
    return Stages(select, tuning, study.seeds, tuple(cells))


def tuned(name: str, candidates: Sequence[Mapping[str, int]], study: Study, select: Select, entry: Entry) -> Tuned:
    """Put together what is known of one of the cells that are tuned.

    Args:
        name: its own.
        candidates: at each value, which cell of the study each identity is: one for each split.
        study: as it is planned.
        select: the rule.
        entry: what is stored of it; of other splits than today's, the value tells.
    """
    seeds = seeds_of(study)
    runs = tuple(tuple(run_id(identity, seed) for identity in own for seed in seeds) for own in candidates)
    own_cells = tuple(tuple(own.values()) for own in candidates)
    values = tuple(value_text(study.cells[own[0]], select.over) for own in own_cells)
    chosen, value = set(entry.get("selected", "").split()), entry.get("value")
    selected = next((i for i, own in enumerate(runs) if chosen & set(own)), None)
    if selected is None and value in values:
        selected = values.index(value)
        entry = {**entry, "selected": " ".join([*entry["selected"].split(), *runs[selected]])}
    return Tuned(name, own_cells, values, runs, selected, entry)


def value_text(cell: Cell, over: str) -> str:
    """Write a cell's value of a key, in one spelling."""
    section, _, way = over.partition(".")
    value = value_at(getattr(cell, section), way)
    return canonical(value.plain() if isinstance(value, Choice) else value)


def tuned_by(study: Study) -> Select | None:
    """Return the rule by which a study tunes; None where it does not, or the key has one value in all cells."""
    rule = study.config.sweep.select
    if rule is None or rule.seeds is None:
        return None
    section, _, way = rule.over.partition(".")
    values = {repr(value_at(getattr(cell, section), way)) for cell in study.cells}
    return Select(rule.over, rule.by) if len(values) > 1 else None


def about_so_many(study: Study) -> int:
    """Count the runs of a study, as far as that can be told before it is planned."""
    cells, seeds, rule = len(study.cells), len(study.seeds), tuned_by(study)
    if rule is None:
        return cells * seeds
    section, _, way = rule.over.partition(".")
    values = {repr(value_at(getattr(cell, section), way)) for cell in study.cells}
    return cells * len(seeds_of(study)) + math.ceil(cells / len(values)) * seeds


def seeds_of(study: Study) -> tuple[int, ...]:
    """Return the tuning seeds that a study asks for."""
    rule = study.config.sweep.select
    return tuning_seeds(rule.seeds) if rule else ()


def name_of(cell: Cell, identity: str, over: str) -> str:
    """Name what a cell has in common with those at other values of a key, which values there are aside."""
    return hashlib.sha256(f"{over} {common(cell, identity, over)}".encode()).hexdigest()[:12]


def common(cell: Cell, identity: str, *out: str) -> str:
    """Write what a cell has in common with those of other splits, and at other values of some keys."""
    plain = json.loads(identity)
    unsaid = (key for key in FOLLOWING if key.split(".")[1] not in getattr(cell, key.split(".")[0]).model_fields_set)
    for key in (SPLIT, *out, *unsaid):
        take_out(plain, key.split("."))
    return canonical(plain)


def take_out(plain: dict[str, Any], way: Sequence[str]) -> None:
    """Take a key out of nested mappings, and those that are empty then.

    >>> one = {"train": {"learning_rate": 0.1}, "model": {"depth": 2}}
    >>> take_out(one, ["train", "learning_rate"])
    >>> one
    {'model': {'depth': 2}}
    """
    inner = plain.get(way[0])
    if len(way) > 1 and isinstance(inner, dict):
        take_out(inner, way[1:])
    if len(way) == 1 or inner == {}:
        plain.pop(way[0], None)


def entry_of(one: Tuned, selected: int, select: Select) -> Entry:
    """Write what is stored of a selection."""
    others = (run for i, runs in enumerate(one.tuning) if i != selected for run in runs)
    return {
        "over": select.over,
        "by": select.by,
        "value": one.values[selected],
        "selected": " ".join(one.tuning[selected]),
        "others": " ".join(others),
    }


def asked_seeds(study: Study, stages: Stages | None) -> list[list[tuple[bool, int]]]:
    """List the seeds of each of a study's cells: whether it is only expected, and the seed."""
    known, expected = ({}, {}) if stages is None else (stages.seeds(), stages.expected())
    if stages is None:
        known = dict.fromkeys(range(len(study.cells)), study.seeds)
    return [
        [*((False, seed) for seed in known.get(i, ())), *((True, seed) for seed in expected.get(i, ()))]
        for i in range(len(study.cells))
    ]
