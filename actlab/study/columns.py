"""A run's settings as columns of the frame ``runs``, and what reading must know of those columns."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic.fields import FieldInfo

from actlab import sources
from actlab.measures import LOG10, MEASURES
from actlab.study.fields import Choice, Key, OptionDefaults, display_name
from actlab.study.initialization import initializer_label
from actlab.study.resolve import Resolved
from actlab.study.sections import SECTIONS, DataConfig, run_keys, value_at
from actlab.study.settings import CONTENT, ENVIRONMENT, Setting

OF_FRAMES = ("run", "step", "layer", "of", "bin", "count", "seed", "status", "study")
OF_TABLES = ("at", "position", "measure", "value")
OF_ESTIMATES = ("mean", "low", "high", "n", "splits", "seeds", "runs", "diverged", "missing", "method")
LEARNED = "learned_"
"""How the column of a learned parameter begins whose own name is another column's."""

FACTS = ("activation_name", "activation_family", "activation_order", "learned")
"""Columns that follow from the activation and are no settings."""


def choice_columns() -> Iterator[str]:
    """Yield the columns of the keys that a function of the user's may be named by."""
    for section, way, key in run_keys():
        field = SECTIONS[section].model_fields.get(way)
        if field is not None and field.annotation is Choice and key.column != "":
            yield key.column or way


@cache
def taken() -> frozenset[str]:
    """Return the names of all columns that frames and tables have, whatever is learned or measured besides."""
    own = (one.column for one in settings())
    return frozenset((*OF_FRAMES, *OF_TABLES, *OF_ESTIMATES, *FACTS, *ENVIRONMENT, *MEASURES, *own))


def learned_column(parameter: str) -> str:
    """Name the column of a learned activation parameter: as itself, or ``learned_...`` where that might be another's.

    No two parameters share a column: names that begin as such columns do, or end as those of units' least and largest
    values, have the prefix too.

    >>> learned_column("alpha"), learned_column("step"), learned_column("alpha_min")
    ('alpha', 'learned_step', 'learned_alpha_min')
    """
    unlike = parameter in taken() or parameter.startswith((LEARNED, LOG10)) or parameter.endswith(("_min", "_max"))
    return LEARNED + parameter if unlike else parameter


def learned_columns(parameter: str) -> tuple[str, str, str]:
    """Name the columns that a learned parameter may have; the last two where each unit has its own."""
    column = learned_column(parameter)
    return column, f"{column}_min", f"{column}_max"


def settings() -> tuple[Setting, ...]:
    """Return the columns that are settings, in the order of display: the keys', then what else tells cells apart."""
    keys = [
        Setting(
            name.rpartition(".")[2] if key.column is None else key.column,
            f"{section}.{name}",
            key.follows,
            key.problem,
            key.reported,
            tuple(key.unused),
        )
        for section, name, key in run_keys()
        if key.column != ""
    ]
    contents = tuple(name + CONTENT for name in dict.fromkeys(("data", *choice_columns())))
    more = (*contents, "learnable_per", "weight_init_used")
    return (*keys, *(Setting(name, follows=True, reported=False) for name in more))


def columns_of(resolved: Resolved, contents: Mapping[str, str]) -> dict[str, Any]:
    """Return a cell's settings as plain columns.

    Args:
        resolved: the cell.
        contents: a hash of each of the user's functions, by its name in the study. Beside their labels stand columns
            with those, which tell two functions of one name apart; so does ``data_content`` two files.
    """
    columns: dict[str, Any] = {}
    functions: dict[str, str] = {}
    for column, value, field, key in settings_of(resolved):
        columns[column] = label(value, field, key.whole) if isinstance(value, Choice) else key.display(value)
        if isinstance(value, Choice) and column != "data" and sources.parse(value.name):
            functions[column + CONTENT] = short(contents[value.name])
    record = resolved.activation
    facts = (record.name, record.family, record.order, ",".join(map(learned_column, record.learnable)))
    return columns | {
        "data_content": short(resolved.data_checksum),
        **functions,
        "learnable_per": str(resolved.cell.model.activation.options.get("per", "")),
        "weight_init_used": initializer_label(resolved.initialization.weights),
        **dict(zip(FACTS, facts, strict=True)),
    }


def settings_of(resolved: Resolved) -> Iterator[tuple[str, Any, FieldInfo, Key]]:
    """Yield column, value, field and key of each of a cell's settings that has a column."""
    for section, way, key in run_keys():
        if key.column != "":
            cell = resolved.written if key.written else resolved.cell
            *outer, name = way.split(".")
            holder = value_at(getattr(cell, section), ".".join(outer)) if outer else getattr(cell, section)
            yield key.column or name, getattr(holder, name), type(holder).model_fields[name], key


def named_in(resolved: Resolved, contents: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield what a cell names, as ``labels.prefixes`` takes it: data, activation, initializers, optimizer."""
    yield "data", resolved.written.data.name.name, short(resolved.data_checksum)
    for column, value, _, _ in settings_of(resolved):
        if isinstance(value, Choice) and column != "data":
            yield column, value.name, short(contents.get(value.name, ""))


def data_label(config: DataConfig, called: str) -> str:
    """Write data as tables have them: ``spirals(turns=3)``, a file by its own name.

    Args:
        config: the section.
        called: the name that they go by, without options.
    """
    choice = Choice(name=called, options=config.name.options)
    return label(choice, DataConfig.model_fields["name"], whole=False, of=config.name.name)


def short(checksum: str) -> str:
    """Cut a checksum to what tells the contents of a study apart."""
    return checksum[:12]


def label(choice: Choice, field: FieldInfo, whole: bool, of: str = "") -> str:
    """Write a choice as tables have it: a user's function by its own name, options at their default if ``whole``.

    ``of`` is by which name its defaults are found, where it is called by another.
    """
    defaults = next(extra.of for extra in field.metadata if isinstance(extra, OptionDefaults))
    plain = Choice(name=display_name(choice.name), options=choice.options)
    return plain.label({} if whole else defaults(of or choice.name))
