"""The JSON Schema of a study's file: what an editor completes, explains on hover, and underlines.

It is made from the sections and registries, and refuses only what the program refuses. What a schema cannot say is left
to the program: whether files and users' functions exist, how two keys go together, 2.0 instead of a whole number.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from actlab.activations import CATALOGUE
from actlab.data import DATASETS
from actlab.naming import show
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study.choices import AUTO, PER, SCHEDULES
from actlab.study.fields import LARGEST, USER_FUNCTION, Choice, Section
from actlab.study.schema import MOST_SEEDS, StudyConfig
from actlab.study.sections import CHOICES, SECTIONS, SWEPT, run_keys

Schema = dict[str, Any]
Options = dict[str, dict[str, Any]]

NUMBER = r"[-+]?([.][0-9]+|[0-9]+([.][0-9]*)?)([eE][-+]?[0-9]+)?"
ONCE = "(?!.*:([A-Za-z_][A-Za-z0-9_]*)=.*:\\1=)"
"""That no option is given twice behind a name, as a pattern."""
WHOLE = ("warmup_steps",)
"""Options that count."""
UNNAMED = {
    "model.activation": "relu",
    "model.weight_init": AUTO,
    "model.bias_init": "zeros",
    "train.optimizer": "adam",
    "train.schedule": "constant",
}
"""{key: whose options they are that come without a name}, as ``choices.unnamed_is`` says."""
A_PATH = r"[./\\]"
NEEDED = {name: [*record.to_give] for name, record in INITIALIZERS.items()}
"""{initializer: the options that it is nothing without}."""


def options_by_name(key: str) -> Options:
    """Return what may be chosen for a key: {name: {option: its default, the words it may be, or None}}.

    >>> options_by_name("model.activation")["prelu"]
    {'alpha': 0.25, 'per': ['layer', 'unit']}
    """
    activations = {
        name: {**one.parameters, **({"per": list(PER)} if one.learnable else {})} for name, one in CATALOGUE.items()
    }
    initializers = {name: {**dict.fromkeys(one.options), **one.defaults} for name, one in INITIALIZERS.items()}
    by_key: dict[str, Options] = {
        "model.activation": activations,
        "model.weight_init": {AUTO: {}, **initializers},
        "model.bias_init": {name: dict(one.options) for name, one in BIASES.items()},
        "train.optimizer": {name: dict(one.options) for name, one in OPTIMIZERS.items()},
        "train.schedule": {name: dict(options) for name, options in SCHEDULES.items()},
        "data.name": {name: dict(one.options) for name, one in DATASETS.items()},
    }
    return by_key[key]


def by_layer(name: str, option: str) -> bool:
    """Whether an option may be several numbers, one for each hidden layer: a learnable parameter of an activation.

    >>> by_layer("prelu", "alpha"), by_layer("leaky_relu", "negative_slope")
    (True, False)
    """
    return name in CATALOGUE and option in CATALOGUE[name].learnable


def option_schema(
    option: str, default: Any, bounds: Sequence[float] = (-LARGEST, LARGEST), several: bool = False
) -> Schema:
    """Describe the value of an option: a number within bounds, or ``several``, true or false, or one of some words."""
    if isinstance(default, list):
        return {"enum": default, "default": default[0]}
    if isinstance(default, bool):
        return {"type": "boolean", "default": default}
    whole = type(default) is int  # 3.0 is whole to a schema, too
    kind: Schema = {"type": "integer" if whole else "number", "minimum": bounds[0], "maximum": bounds[1]}
    if option in WHOLE:
        kind = {"type": "integer", "minimum": 0}
    if several:
        kind = {"anyOf": [kind, {"type": "array", "minItems": 1, "items": kind}]}
    return kind | ({"default": default} if default is not None else {})


def written(option: str, default: Any, several: bool = False) -> str:
    """Describe an option behind a name in one word, as a pattern."""
    if several:
        return f"{option}={NUMBER}(/{NUMBER})*"
    if isinstance(default, list):
        return f"{option}=({'|'.join(default)})"
    if isinstance(default, bool):
        return f"{option}=([Tt]rue|TRUE|[Ff]alse|FALSE)"
    return f"{option}={'[0-9]+' if option in WHOLE else NUMBER}"


def own_option(key: str) -> Schema:
    """Describe the value of an option of a function that is not known: of an activation also several numbers."""
    several = {"type": "array", "minItems": 1, "items": {"type": "number"}}
    one = {"type": ["number", "boolean", "string"]}
    return {"anyOf": [one, several]} if key == "model.activation" else one


def choice_schema(key: str) -> Schema:
    """Describe a key that holds a name with options: a name, one in one word with options, or a mapping."""
    options = options_by_name(key)
    bounds = {name: one.bounds for name, one in DATASETS.items()} if key == "data.name" else {}
    users = key != "train.schedule"
    bare = [name for name in options if not NEEDED.get(name, []) or key != "model.weight_init"]
    ways: list[Schema] = [{"enum": bare}]
    for name, own in options.items():
        if own:
            behind = "|".join(written(option, default, by_layer(name, option)) for option, default in own.items())
            ways.append({"type": "string", "pattern": f"^{name}{ONCE}(:({behind}))+$"})
    for name, own in options.items():
        ways.append(
            {
                "type": "object",
                "required": ["name", *(NEEDED.get(name, []) if key == "model.weight_init" else [])],
                "properties": {
                    "name": {"const": name},
                    **{
                        option: option_schema(
                            option,
                            default,
                            bounds.get(name, {}).get(option, (-LARGEST, LARGEST)),
                            by_layer(name, option),
                        )
                        for option, default in own.items()
                    },
                },
                "additionalProperties": False,
            }
        )
    # Options alone are those of the default choice; of data there is none.
    unnamed = [way for way in ways if way.get("properties", {}).get("name", {}).get("const", "") == UNNAMED.get(key)]
    own = {option: one for way in unnamed for option, one in way["properties"].items() if option != "name"}
    if own:
        ways.append({"type": "object", "minProperties": 1, "properties": own, "additionalProperties": False})
    if key == "data.name":
        path = {"type": "string", "pattern": A_PATH}
        named = {"type": "object", "required": ["name"], "properties": {"name": path}, "additionalProperties": False}
        ways += [path, named]
    if users:
        value = own_option(key)
        ways.append({"type": "string", "pattern": f"^{ONCE}{USER_FUNCTION[1:-1]}(:[A-Za-z_][A-Za-z0-9_]*=[^:]*)*$"})
        own_name = {"name": {"type": "string", "pattern": USER_FUNCTION}}
        ways.append({"type": "object", "required": ["name"], "properties": own_name, "additionalProperties": value})
    return {"anyOf": ways}


def shown_default(field: FieldInfo) -> str | None:
    """Write a key's default as one types it; None where there is none, or it is a list or a mapping."""
    value = field.default
    if isinstance(value, Choice):
        return value.name
    return (
        "null"
        if value is None
        else show(value)
        if isinstance(value, str | bool | int | float) and value != ""
        else None
    )


def study_schema(tables: Iterable[str], figures: Iterable[str]) -> Schema:
    """Make the schema of a study's file.

    Args:
        tables, figures: the names that ``report`` may ask for.
    """
    schema = StudyConfig.model_json_schema()
    sections: dict[str, Schema] = schema["$defs"]
    for key in CHOICES:
        section, name = key.split(".")
        field = SECTIONS[section].model_fields[name]
        sections[key] = choice_schema(key)
        sections[SECTIONS[section].__name__]["properties"][name] = {
            "$ref": f"#/$defs/{key}",
            "description": field.description,
            **({} if field.is_required() else {"default": shown_default(field)}),
        }
    sections.pop("Choice", None)
    for name, field in StudyConfig.model_fields.items():
        explain(schema["properties"][name], field.annotation)
    for name, field in SECTIONS["model"].model_fields.items():
        explain(sections["ModelConfig"]["properties"][name], field.annotation)
    sections["SweepConfig"]["properties"] |= sweep_schema(sections["SweepConfig"]["properties"])
    sections["ReportConfig"]["properties"]["tables"] |= names_schema(tables)
    sections["ReportConfig"]["properties"]["figures"] |= names_schema(figures)
    sections["ReportConfig"]["properties"]["select"].pop("default", None)
    sections["SweepConfig"]["properties"]["select"].pop("default", None)
    for name in ("SelectConfig", "TuneConfig"):
        sections[name]["properties"]["over"]["enum"] = selectable()
    probes = sections["MeasureConfig"]["properties"]["probes"]["anyOf"][1]
    probes |= {"minItems": 1, "uniqueItems": True}
    schema["title"] = "A study of actlab"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **titled(schema)}


def explain(stated: Schema, section: Any) -> None:
    """Say of a key that holds a section what that is, for want of a sentence of its own; its keys have defaults."""
    if isinstance(section, type) and issubclass(section, Section) and section is not Choice:
        stated.setdefault("description", (section.__doc__ or "").partition("\n")[0])
        stated.pop("default", None)


def titled(node: Any, within_names: bool = False) -> Any:
    """Leave out pydantic's titles, which repeat the keys in other letters, but for the whole schema's own."""
    if isinstance(node, list):
        return [titled(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if within_names or key != "title" or value.startswith("A study")}
    return {key: titled(value, key in ("properties", "$defs")) for key, value in kept.items()}


def selectable() -> list[str]:
    """List the keys that a rule may select over."""
    return [f"{section}.{key}" for section, key, one in run_keys() if section != "measure" and one.column != ""]


def names_schema(names: Iterable[str]) -> Schema:
    """Describe a list of tables or figures, or null."""
    one: Schema = {"anyOf": [{"enum": [*names]}, {"type": "string", "pattern": USER_FUNCTION}]}
    return {"anyOf": [{"type": "array", "items": one, "uniqueItems": True}, *one["anyOf"], {"type": "null"}]}


def sweep_schema(stated: Mapping[str, Schema]) -> dict[str, Schema]:
    """Describe the keys of ``sweep``: every key of a run that may be swept, with what it may be."""
    values = {key: {"$ref": pointer(key.split("."))} for key in [*SWEPT, *deeper()]}
    options = {f"^{re.escape(key)}[.][A-Za-z_][A-Za-z0-9_]*$": own_option(key) for key in CHOICES}
    lists = {"type": "array", "minItems": 1, "uniqueItems": True}
    matrix = {
        "type": "object",
        "minProperties": 1,
        "properties": {key: {**lists, "items": one, **described(key)} for key, one in values.items()},
        "patternProperties": {key: {**lists, "items": one} for key, one in options.items()},
        "additionalProperties": False,
    }
    entry = {"type": "object", "properties": values, "patternProperties": options, "additionalProperties": False}
    seed = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    seeds = [{"type": "integer", "minimum": 1, "maximum": MOST_SEEDS}, {**lists, "items": seed}]
    kept = {name: {key: one.get(key) for key in ("description", "default")} for name, one in stated.items()}
    kept["matrix"].pop("default")
    return {
        "matrix": {**kept["matrix"], **matrix},
        "exclude": {**kept["exclude"], "type": "array", "items": entry},
        "include": {**kept["include"], "type": "array", "items": entry},
        "seeds": {**kept["seeds"], "anyOf": seeds},
    }


def deeper() -> list[str]:
    """List the keys below those of a section that are sections themselves: ``model.dropout.rate``."""
    return [
        f"{section}.{way}" for section, way, _ in run_keys() if "." in way and f"{section}.{way.split('.')[0]}" in SWEPT
    ]


def described(key: str) -> Schema:
    """Take the description that a key has in its section."""
    section, name, *_ = key.split(".")
    description = SECTIONS[section].model_fields[name].description
    return {"description": description} if description and key.count(".") == 1 else {}


def pointer(way: Sequence[str]) -> str:
    """Point to a key in the schema of its section."""
    section: type[Section] = SECTIONS[way[0]]
    for step in way[1:-1]:
        inner = section.model_fields[step].annotation
        assert isinstance(inner, type)
        section = inner
    key = ".".join(way)
    return f"#/$defs/{key}" if key in CHOICES else f"#/$defs/{section.__name__}/properties/{way[-1]}"
