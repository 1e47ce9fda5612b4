"""A run's settings as columns of the frame ``runs``, and what reading must know of those columns."""

from typing import Any

from pydantic.fields import FieldInfo

from actlab.study.fields import Choice, OptionDefaults, display_name
from actlab.study.resolve import Resolved, initializer_label
from actlab.study.sections import run_keys, value_at
from actlab.study.settings import Setting

FACTS = ("activation_name", "activation_family", "activation_order", "learned")
"""Columns that follow from the activation and are no settings."""


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
    more = ("data_content", "learnable_per", "weight_init_used")
    return (*keys, *(Setting(name, follows=True, reported=False) for name in more))


def columns_of(resolved: Resolved) -> dict[str, Any]:
    """Return a cell's settings as plain columns; ``data_content`` tells two files of one name apart."""
    columns: dict[str, Any] = {}
    for section, way, key in run_keys():
        if key.column != "":
            cell = resolved.written if key.written else resolved.cell
            *outer, name = way.split(".")
            holder = value_at(getattr(cell, section), ".".join(outer)) if outer else getattr(cell, section)
            value, field = getattr(holder, name), type(holder).model_fields[name]
            columns[key.column or name] = (
                label(value, field, key.whole) if isinstance(value, Choice) else key.display(value)
            )
    record = resolved.activation
    facts = (record.name, record.family, record.order, ",".join(record.learnable))
    return columns | {
        "data_content": resolved.data_checksum[:12],
        "learnable_per": str(resolved.cell.model.activation.options.get("per", "")),
        "weight_init_used": initializer_label(resolved.initialization.weights),
        **dict(zip(FACTS, facts, strict=True)),
    }


def label(choice: Choice, field: FieldInfo, whole: bool) -> str:
    """Write a choice as tables have it: a user's function by its own name, options at their default if ``whole``."""
    defaults = next(extra.of for extra in field.metadata if isinstance(extra, OptionDefaults))
    plain = Choice(name=display_name(choice.name), options=choice.options)
    return plain.label({} if whole else defaults(choice.name))
