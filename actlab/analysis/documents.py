"""The tables of ``docs/`` that records make: ``python -m actlab.analysis.documents docs/*.md`` rewrites them.

Such a table stands between two comments, ``<!-- begin measures ... -->`` and ``<!-- end measures -->``.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from actlab.analysis.answers import PlanAnswer, RunAnswer
from actlab.data import DATASETS
from actlab.errors import ERRORS
from actlab.measures import BIN, END, LAYER, MEASURES, RUN, Measure
from actlab.naming import show
from actlab.nn.initializers import ACTIVATION_FACTS, BIASES, INITIALIZERS, BiasInitializer, Initializer
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study.fields import Choice, Key
from actlab.study.schema import StudyConfig

FRAMES = {LAYER: "`layers`", BIN: "`histograms`", RUN: "`steps`"}


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table.

    >>> print(markdown_table(["a"], [["1 | 2"]]))
    | a |
    | --- |
    | 1 \\| 2 |
    """
    cells = [list(headings), ["---"] * len(headings), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def measures_table(records: Iterable[Measure] = MEASURES.values()) -> str:
    """Every measure's column, definition, and where, when and how it is taken and pooled.

    >>> print(measures_table([MEASURES["act_mean"]]))
    | column | frame | definition | taken on | means |
    | --- | --- | --- | --- | --- |
    | `act_mean` | `layers` | mean of h over units and rows | probe rows, at records | arithmetic |
    """
    return markdown_table(["column", "frame", "definition", "taken on", "means"], map(measure_row, records))


def measure_row(one: Measure) -> tuple[str, ...]:
    """A measure's line of the table."""
    asks = "" if one.default or one.per == RUN else "on request, expensive" if one.expensive else "on request"
    more = "; ".join(part for part in (asks, one.reference, one.unit) if part)
    taken = f"{one.on}, at {one.at}" if one.on else f"at the {one.at}"
    frame = "tables" if one.group == "derived" else "`runs`" if one.at == END else FRAMES[one.per]
    what = f"{one.definition}; undefined where {one.floor}" if one.floor else one.definition
    return f"`{one.name}`", frame, what + (f" ({more})" if more else ""), taken, one.over_seeds


def keys_table() -> str:
    """Every key of the YAML: its default, what it is to a run, and what it means."""
    return markdown_table(["key", "default", "to a run", "meaning"], keys_within(StudyConfig))


def keys_within(model: type[BaseModel], way: str = "") -> Iterator[tuple[str, ...]]:
    """The lines of a section's keys, and of those in its own sections."""
    for name, field in model.model_fields.items():
        inner = next((one for one in section_types(field)), None)
        key = next((one for one in field.metadata if isinstance(one, Key)), None)
        if field.description:
            role = key.role if key else ""
            yield f"`{way}{name}`", default_of(field), role, str(field.description)
        if (inner is not None and not field.description) or (inner is not None and key is not None):
            yield from keys_within(inner, f"{way}{name}.")


def section_types(field: FieldInfo) -> Iterator[type[BaseModel]]:
    """The section that a key holds, if it does."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Choice:
        yield kind


def default_of(field: FieldInfo) -> str:
    """A key's default as it stands in a YAML file; a dash where it has none, nothing where it is a section."""
    if field.is_required():
        return "–"
    value = field.default
    if isinstance(value, Choice):
        return f"`{value.name}`"
    if isinstance(value, BaseModel):
        return "`{" + ", ".join(f"{name}: {show(inner)}" for name, inner in value.model_dump().items()) + "}`"
    if value is None:
        return "`null`"
    if value in ("", [], {}):
        return "empty"
    return f"`{show(value)}`"


def options_text(options: Mapping[str, Any]) -> str:
    """Options and their defaults."""
    return ", ".join(f"`{name}` = {show(value)}" for name, value in options.items()) or "–"


def optimizers_table() -> str:
    """Every optimizer's formula, options, weight decay and source."""
    return markdown_table(
        ["optimizer", "direction of descent", "options", "weight decay", "reference"],
        (
            (f"`{name}`", one.summary, options_text(one.options), show(one.weight_decay), one.reference)
            for name, one in OPTIMIZERS.items()
        ),
    )


def initializers_table() -> str:
    """Every initializer's standard deviation, distribution, options and source; of biases likewise."""
    records: list[tuple[str, Initializer | BiasInitializer]] = [
        *(("weights", one) for one in INITIALIZERS.values()),
        *(("biases", one) for one in BIASES.values()),
    ]
    return markdown_table(
        ["initializer", "of", "distribution", "what it does", "options", "reference"],
        (
            (
                f"`{one.name}`",
                of,
                one.distribution.replace("_", " "),
                one.summary,
                initializer_options(one),
                one.reference,
            )
            for of, one in records
        ),
    )


def distribution(one: Initializer | BiasInitializer) -> str:
    """An initializer's distribution in words."""
    return one.distribution.replace("_", " ")


def initializer_options(one: Initializer | BiasInitializer) -> str:
    """An initializer's options: those with a default, those to be given, those that follow from the activation."""
    if isinstance(one, BiasInitializer):
        return options_text(one.options)
    follows = dict.fromkeys(one.needed, "that of a stable point") if one.found else ACTIVATION_FACTS
    needed = [
        f"`{name}` (by default {follows[name]})" if name in follows else f"`{name}`, to be given" for name in one.needed
    ]
    return "; ".join([*([options_text(one.defaults)] if one.defaults else []), *needed]) or "–"


def datasets_table() -> str:
    """Every shipped data set's content, options, shape, chance level, target loss, source and licence."""
    return markdown_table(
        ["data set", "what it is", "options", "shape", "chance", "target loss", "source", "licence"],
        (
            (
                f"`{name}`",
                one.summary,
                options_text(one.options),
                one.shape,
                one.chance_level,
                "a quarter of the best constant's" if one.target_loss is None else show(one.target_loss),
                one.reference,
                one.licence,
            )
            for name, one in DATASETS.items()
        ),
    )


def fields_table(model: type[BaseModel]) -> str:
    """Every field of a JSON document: its type and meaning."""
    return markdown_table(["field", "type", "meaning"], fields_within(model))


def fields_within(model: type[BaseModel], way: str = "") -> Iterator[tuple[str, ...]]:
    """The lines of an object's fields, and of those within them."""
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        yield f"`{way}{name}`", json_type(field.annotation), str(field.description)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from fields_within(kind, f"{way}{name}.")


def json_type(kind: Any) -> str:
    """Name a type as JSON has it.

    >>> json_type(int | None), json_type(list[str]), json_type(dict[str, Any]), json_type(Literal["done", "other"])
    ('number or null', 'array of strings', 'object', '"done" or "other"')
    """
    names = {int: "number", float: "number", str: "string", bool: "true or false", type(None): "null"}
    if get_origin(kind) is Literal:
        return " or ".join(f'"{one}"' for one in get_args(kind))
    if get_origin(kind) is list:
        return f"array of {json_type(get_args(kind)[0])}s"
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(json_type, get_args(kind)))
    return names.get(kind, "object")


def errors_table() -> str:
    """Every error that users may catch, when it is raised, and the exit code of a command that it ends."""
    rows = [[f"`actlab.{name}`", one.when, str(one.code)] for name, one in ERRORS.items()]
    return markdown_table(["error", "when", "exit code"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "errors": errors_table,
    "measures": measures_table,
    "keys": keys_table,
    "optimizers": optimizers_table,
    "initializers": initializers_table,
    "datasets": datasets_table,
    "run_json": partial(fields_table, RunAnswer),
    "plan_json": partial(fields_table, PlanAnswer),
}


def rewrite(text: str, tables: Mapping[str, Callable[[], str]] = TABLES) -> str:
    """Put today's tables between a document's comments; those of another program stay as they are."""
    block = re.compile(r"(<!-- begin (\w+)\b[^\n]*-->\n).*?(<!-- end \2 -->)", re.DOTALL)

    def today(match: re.Match[str]) -> str:
        return f"{match[1]}\n{tables[match[2]]()}\n\n{match[3]}" if match[2] in tables else match[0]

    return block.sub(today, text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(rewrite(Path(name).read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
