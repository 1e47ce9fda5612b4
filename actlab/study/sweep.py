"""A sweep spelled out: the matrix crossed, exclude first, then include, as in a CI matrix; each cell validated."""

import copy
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from actlab.naming import counted
from actlab.study.defaults import follow_steps
from actlab.study.fields import Section
from actlab.study.schema import SweepConfig
from actlab.study.sections import SECTIONS, DataConfig, MeasureConfig, ModelConfig, TrainConfig

Values = dict[str, Any]
Place = tuple[str | int, ...]

MOST_CELLS = 20_000  # each takes a millisecond to plan
MOST_RUNS = 100_000
MOST_COMPARISONS = 20_000_000  # of a cell with an entry of exclude or include


@dataclass(frozen=True)
class Cell:
    """One setting to train with every seed."""

    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    measure: MeasureConfig


def too_large(sweep: SweepConfig) -> tuple[Place, str] | None:
    """Say where and why a sweep is more than one study may be: counted, before a cell of it is made; None if it is not.

    >>> too_large(SweepConfig(matrix={"model.depth": list(range(1, 201)), "model.width": list(range(1, 102))}))
    (('sweep', 'matrix'), 'crosses 20,200 cells (200 × 101), and a study has at most 20,000; cut it into several')
    >>> too_large(SweepConfig(matrix={"model.depth": list(range(1, 12))}, seeds=10_000))
    (('sweep', 'seeds'), '11 cells with 10,000 seeds are 110,000 runs, and a study has at most 100,000')
    """
    sizes = [len(values) for values in sweep.matrix.values()]
    crossed = math.prod(sizes)
    cells = crossed + len(sweep.include)
    if cells > MOST_CELLS:
        factors = " × ".join([f"{size:,}" for size in sizes[:8]] + (["..."] if sizes[8:] else [])) or "no matrix"
        included = f" and includes {len(sweep.include):,} more" if sweep.include else ""
        number = f"{crossed:,}" if crossed < 10**12 else f"about 10^{math.floor(math.log10(crossed))}"
        limit = f"a study has at most {MOST_CELLS:,}"
        place: Place = ("sweep", "matrix") if sweep.matrix else ("sweep", "include")
        return place, f"crosses {number} cells ({factors}){included}, and {limit}; cut it into several"
    seeds = len(sweep.seeds) if isinstance(sweep.seeds, list) else sweep.seeds
    if sweep.select is not None and sweep.select.seeds is not None:
        values = len(sweep.matrix.get(sweep.select.over, [None]))
        both = cells * sweep.select.seeds + math.ceil(cells / values) * seeds
        if both > MOST_RUNS:
            told = f"{cells:,} cells with {counted(sweep.select.seeds, 'tuning seed')}, and {seeds:,} seeds at one of "
            told += f"{values} values, are {both:,} runs"
            return ("sweep", "select"), f"{told}, and a study has at most {MOST_RUNS:,}"
    elif cells * seeds > MOST_RUNS:
        runs = f"{cells:,} cells with {seeds:,} seeds are {cells * seeds:,} runs"
        return ("sweep", "seeds"), f"{runs}, and a study has at most {MOST_RUNS:,}"
    for name, entries in (("exclude", sweep.exclude), ("include", sweep.include)):
        if len(entries) * crossed > MOST_COMPARISONS:
            return ("sweep", name), f"{len(entries):,} entries for {crossed:,} cells are too many to compare"
    return None


def combinations(
    matrix: Mapping[str, Sequence[Any]], exclude: Sequence[Values], include: Sequence[Values]
) -> list[Values]:
    """Combine a sweep's values into cells, {dotted key: value}.

    An entry of ``exclude`` removes every cell that has all its values. An entry of ``include`` extends each cell of the
    matrix whose values it does not contradict; where there is none, it is a cell of its own.

    >>> combinations({"a": [1, 2], "b": [3, 4]}, [{"a": 1, "b": 3}], [{"a": 1, "c": 5}, {"a": 9}])
    [{'a': 1, 'b': 4, 'c': 5}, {'a': 2, 'b': 3}, {'a': 2, 'b': 4}, {'a': 9}]
    """
    crossed = [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
    cells = [cell for cell in crossed if not any(agrees(cell, out) for out in exclude)]
    original = [dict(cell) for cell in cells]
    added = []
    for entry in include:
        fits = [
            cell
            for cell, own in zip(cells, original, strict=True)
            if all(own.get(key, value) == value for key, value in entry.items())
        ]
        for cell in fits:
            cell.update(entry)
        if not fits:
            added.append(dict(entry))
    return cells + added


def agrees(cell: Values, values: Values) -> bool:
    """Whether a cell has all the given values."""
    return bool(values) and all(key in cell and cell[key] == value for key, value in values.items())


def put(section: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Set a nested value; a bare name on the way becomes a mapping with that name.

    >>> section = {"activation": "prelu"}
    >>> put(section, ["activation", "alpha"], 0.1)
    >>> section
    {'activation': {'name': 'prelu', 'alpha': 0.1}}
    """
    *way, last = keys
    for key in way:
        inner = section.get(key)
        section[key] = dict(inner) if isinstance(inner, dict) else {"name": inner} if isinstance(inner, str) else {}
        section = section[key]
    section[last] = value


def expand(
    base: Mapping[str, Mapping[str, Any]],
    sweep: SweepConfig,
    error_at: Callable[[Place, str, ValidationError], Exception],
) -> tuple[Cell, ...]:
    """Expand a sweep into its validated cells, each once.

    Args:
        base: the plain sections of the file.
        sweep: what to cross.
        error_at: makes the error to raise, from the place of the value at fault, its section, and pydantic's error.
    """
    seen: dict[str, Section] = {}

    def section(name: str, values: Values, blame: Place | None = None) -> Any:
        plain = copy.deepcopy(dict(base[name]))
        for key, value in sorted(values.items(), key=lambda item: item[0].count(".")):  # a name before its options
            if key.startswith(f"{name}."):
                put(plain, key.split(".")[1:], value)
        text = name + json.dumps(plain, sort_keys=True, default=str)
        if text not in seen:
            try:
                seen[text] = SECTIONS[name].model_validate(plain)
            except ValidationError as error:
                raise error_at(blame or culprit(name, values, sweep, error), name, error) from None
        return seen[text]

    # Each value alone first, so that an error can name the one that is wrong.
    alone: list[tuple[Place, str, Any]] = []
    for key, listed in sweep.matrix.items():
        alone += [(("sweep", "matrix", key, i), key, value) for i, value in enumerate(listed)]
    for i, entry in enumerate(sweep.include):
        alone += [(("sweep", "include", i, key), key, value) for key, value in entry.items()]
    for place, key, value in alone:
        if key.count(".") == 1:
            section(key.split(".")[0], {key: value}, place)
    cells = []
    for values in combinations(sweep.matrix, sweep.exclude, sweep.include):
        own = {name: section(name, values) for name in SECTIONS}
        cells.append(follow_steps(Cell(**own)))
    return tuple(unique(cells))


def culprit(section: str, values: Values, sweep: SweepConfig, error: ValidationError) -> Place:
    """Find the place of the cell's value that an error is about; of the sweep, where it is about none or several."""
    about = (section, *(str(part) for part in error.errors()[0]["loc"]))
    for key in sorted(values, key=lambda key: -key.count(".")):
        if all(one == other for one, other in zip(key.split("."), about, strict=False)):
            listed = sweep.matrix.get(key, [])
            if values[key] in listed:
                return ("sweep", "matrix", key, listed.index(values[key]))
            entries = [i for i, entry in enumerate(sweep.include) if entry.get(key) == values[key]]
            return ("sweep", "include", entries[0], key) if entries else ("sweep",)
    return ("sweep",)


def unique(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells without repetition, in order."""
    distinct: dict[str, Cell] = {}
    for cell in cells:
        distinct.setdefault("".join(getattr(cell, name).model_dump_json() for name in SECTIONS), cell)
    return list(distinct.values())
