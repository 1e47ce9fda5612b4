"""What the keys of a study may name: activations, initializers, optimizers, measures and so on; users' own too."""

from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from actlab import activations, near_functions, sources
from actlab.aliases import close, same
from actlab.measures import HISTOGRAMS, JACOBIANS, PROBE_SETS, PROBES, Measure, MeasureError
from actlab.naming import brief, listed, show
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.notation import NUMBER, Option
from actlab.study.fields import USER_FUNCTION, Choice, OptionDefaults, checked, display_name, known, split_name

MEASURES = (*PROBES, *HISTOGRAMS, *JACOBIANS)
"""What ``measure.probes`` may name."""

SCHEDULES: dict[str, dict[str, Option]] = {
    "constant": {"warmup_steps": 0.0},
    "cosine": {"warmup_steps": 0.0},
}
AUTO = "auto"
PER = ("layer", "unit")
"""Whose own learnable parameters of an activation are."""


def activation_options(record: activations.Activation) -> dict[str, Option]:
    """Return an activation's options and defaults; with ``per: unit`` learnable parameters are each unit's own."""
    return {**record.parameters, **({"per": "layer"} if record.learnable else {})}


def options_of(record: Any) -> Mapping[str, Any]:
    """Return the options of a shipped activation, optimizer or initializer; none of None."""
    if isinstance(record, activations.Activation):
        return activation_options(record)
    if isinstance(record, dict):  # a schedule's
        return record
    return getattr(record, "options", {})


def takers(registry: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """Return what tells which shipped choices take an option.

    >>> takers(activations.CATALOGUE)("negative_slope")
    ['leaky_relu']
    """
    return lambda option: [name for name, record in registry.items() if option in options_of(record)]


def refuse_option_of_others(
    kind: str, choice: Choice, options: Mapping[str, Any], takers: Callable[[str], list[str]]
) -> None:
    """Refuse an option that a choice does not take and others do; what none takes is left to ``checked``.

    What has options of its own was mostly chosen on purpose, and a user's own function always was: its own options come
    first. Another choice is advised in place of what takes none, and where the option has that other's name.

    Raises:
        ValueError: with its options, or with the choice that takes it, and how it is written.
    """
    for key, value in choice.options.items():
        is_near = same(key, options) or close(key, options)
        if key in options or is_near or sources.parse(choice.name) or not (others := takers(key)):
            continue
        others = sorted(others, key=lambda one: -SequenceMatcher(None, choice.name, one).ratio())
        said = f"{kind} {brief(choice.name)} has no option {brief(key)}"
        if options and key not in others:
            verb = "has" if len(others) == 1 else "have"
            raise ValueError(f"{said}; its options are {', '.join(options)} ({listed(others)} {verb} {brief(key)})")
        own = list(value) if isinstance(value, tuple) else show(value)
        written = f"{{name: {others[0]}, {key}: {own}}}"
        more = f" (as {listed(others[1:])} do)" if others[1:] else ""
        raise ValueError(f"{said}; did you mean '{written}'?{more}")


def checked_activation(choice: Choice) -> Choice:
    """Fill an activation's options with its defaults.

    Raises:
        ValueError: there is no such activation, it has no such option, or the value is of another kind.

    >>> checked_activation(Choice(name="leaky_relu")).options
    {'negative_slope': 0.01}
    """
    record = activations.CATALOGUE.find(choice.name)
    options = activation_options(record)
    refuse_option_of_others("activation", choice, options, takers(activations.CATALOGUE))
    by_layer = {key: value for key, value in choice.options.items() if isinstance(value, tuple) and key in options}
    for key, value in by_layer.items():
        refuse_by_layer(record, key, value)
    one_for_all = {key: value for key, value in choice.options.items() if key not in by_layer}
    filled = checked(Choice(name=choice.name, options=one_for_all), "activation", options)
    if "per" in filled.options:
        known(str(filled.options["per"]), "value of 'per'", PER)
    return Choice(name=choice.name, options={**filled.options, **by_layer})


def refuse_by_layer(record: activations.Activation, option: str, numbers: tuple[float, ...]) -> None:
    """Refuse an option of an activation that is given by layer and is none of its learnable parameters, or empty.

    Raises:
        ValueError: it is; says what is given by layer instead.
    """
    what = f"option {brief(option)} of activation {brief(display_name(record.name))}"
    if option not in record.learnable:
        swept = f"model.activation.{option}: {list(numbers)}"
        raise ValueError(
            f"{what}: only learnable parameters are given by layer; several values are swept by `{swept}` below "
            "'sweep.matrix:', and `prelu` with `train.learn_activation_parameters: false` is a leaky ReLU with slopes "
            "by layer"
        )
    if not numbers:
        raise ValueError(f"{what}: expected a number, or as many as hidden layers, not an empty list")


def checked_weight_init(choice: Choice) -> Choice:
    """Ask for an initializer's options without a default (``sigma_w``); others may be given.

    Raises:
        ValueError: there is no such initializer, or its options are not those.

    >>> checked_weight_init(Choice(name="he_normal")).options
    {}
    """
    if choice.name == AUTO:
        return checked(choice, "initializer", {})
    if not sources.parse(choice.name):
        known(choice.name, "initializer", [AUTO, *INITIALIZERS])
    record = INITIALIZERS.find(choice.name)
    for name in record.to_give:
        if name not in choice.options:
            example = f"{{name: {choice.name}, {name}: 1.5}}"
            raise ValueError(f"initializer '{choice.name}' needs its {name}: {example}")
    filled = checked(choice, "initializer", dict.fromkeys(record.options, 1.0))
    return Choice(name=choice.name, options={key: filled.options[key] for key in choice.options})


def weight_init_defaults(name: str) -> Mapping[str, float]:
    """Return the options of an initializer that may be left out."""
    return {} if name == AUTO else INITIALIZERS.find(name).defaults


def split_from(registry: Mapping[str, Any]) -> BeforeValidator:
    """Split a name from its options (see ``split_name``); what cannot be split ends with what was meant.

    >>> split_from(activations.CATALOGUE).func("leaky_relu:0.2")
    Traceback (most recent call last):
    ValueError: expected option=value after ':' in 'leaky_relu:0.2'; did you mean 'leaky_relu:negative_slope=0.2'?
    """

    def split(value: Any) -> Any:
        try:
            return split_name(value)
        except ValueError as error:
            text = value.get("name") if isinstance(value, dict) else value
            is_unsplit = isinstance(text, str) and "expected option=value" in str(error)
            hint = unsplit(str(text), registry) if is_unsplit else ""
            if not hint:
                raise
            raise ValueError(f"expected option=value after ':' in {brief(text)}{hint}") from error

    return BeforeValidator(split)


def unsplit(text: str, registry: Mapping[str, Any]) -> str:
    """End the message about a word that is no name with options."""
    name, _, rest = text.partition(":")
    if name in registry:
        options = [one for one in options_of(registry[name]) if one != "per"]
        if len(options) == 1 and NUMBER.fullmatch(rest):
            return f"; did you mean '{name}:{options[0]}={rest}'?"
        return f"; its options are {', '.join(options)}" if options else "; it takes none"
    function, *behind = rest.split(":")
    hint = near_functions.own(f"{name}:{function}")
    return hint.replace("'?", ":".join(["", *behind]) + "'?") if "did you mean" in hint else hint


def unnamed_is(name: str) -> BeforeValidator:
    """Name what has only options: they are those of the key's default."""

    def named(value: Any) -> Any:
        only_options = isinstance(value, dict) and bool(value) and not {"name", "options"} & set(value)
        return {"name": name, **value} if only_options else value

    return BeforeValidator(named)


def no_number(value: Any) -> Any:
    """Refuse a bare number for the biases: say how it is written."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        written = "zeros" if value == 0 else f"{{name: constant, value: {show(value)}}}"
        raise ValueError(f"expected a name, not {show(value)}; did you mean '{written}'?")
    return value


ActivationChoice = Annotated[
    Choice,
    split_from(activations.CATALOGUE),
    unnamed_is("relu"),
    OptionDefaults(lambda name: activation_options(activations.CATALOGUE.find(name))),
]
WeightInit = Annotated[Choice, split_from(INITIALIZERS), unnamed_is(AUTO), OptionDefaults(weight_init_defaults)]
BiasInit = Annotated[
    Choice,
    split_from(BIASES),
    unnamed_is("zeros"),
    BeforeValidator(no_number),
    OptionDefaults(lambda name: BIASES.find(name).options),
]
Optimizer = Annotated[
    Choice,
    split_from(OPTIMIZERS),
    unnamed_is("adam"),
    OptionDefaults(lambda name: OPTIMIZERS.find(name).options),
]
Schedule = Annotated[
    Choice,
    split_from(SCHEDULES),
    unnamed_is("constant"),
    OptionDefaults(lambda name: SCHEDULES[name]),
]


PROBES_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"enum": [*PROBE_SETS, *MEASURES]},
            {
                "type": "array",
                "items": {"anyOf": [{"enum": [*PROBE_SETS, *MEASURES]}, {"type": "string", "pattern": USER_FUNCTION}]},
            },
            {"type": "string", "pattern": USER_FUNCTION},
        ]
    }
)


def check_probe(name: Any) -> str:
    """Return the column of a measure: a name, ``default``, ``all``, or that of ``path/to/file.py:function``."""
    if isinstance(name, str) and (named := sources.parse(name)):
        return own_measure(*named).name
    return known(name, "probe", [*PROBE_SETS, *MEASURES])


def own_measure(path: Path, function: str) -> Measure:
    """Return the record of a user's measure."""
    return loaded_measure(path, function, sources.fingerprint(path))


@lru_cache(maxsize=64)
def loaded_measure(path: Path, function: str, fingerprint: str) -> Measure:
    """Load the record of a user's measure and try it out, once for each content of its file.

    Raises:
        MeasureError: it cannot be used, or its name is another column's.
    """
    from actlab.nn.own_measures import (
        check_measure,
        hold_to_second_run,
        load_measure,
    )  # JAX only where there is such a measure
    from actlab.study.columns import taken  # which knows all keys, and they know of choices

    was_tried = sources.tried(f"{__name__}:loaded_measure", path, function, fingerprint, first=("jax",))
    record, probe = load_measure(path, function)
    if record.name in taken():
        raise MeasureError(f"{path}: '{record.name}' is the name of another column; rename the function")
    if not was_tried:
        check_measure(probe, f"{path.name}:{function}")
        hold_to_second_run(path, function, probe)
    return record
