"""What keeps a network from being started at a critical point, and how a study leaves it out."""

import copy
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from actlab import activations
from actlab.nn.initializers import INITIALIZERS
from actlab.study.advice import flow
from actlab.study.by_layer import parameters_of
from actlab.study.choices import AUTO, activation_options
from actlab.study.fields import Choice, display_name
from actlab.study.reading import Source, StudyError, of_key
from actlab.study.sections import ModelConfig
from actlab.study.sweep import agrees, put
from actlab.theory.criticality import CriticalPoint
from actlab.theory.errors import TheoryError
from actlab.theory.points import critical

ACTIVATION, WEIGHTS, BIASES = "model.activation", "model.weight_init", "model.bias_init"
MOST_EXCLUDED = 16  # entries that a message writes out


def refuse_biases(model: ModelConfig, source: Source) -> None:
    """Refuse biases of the study's own beside an initializer that draws them.

    Raises:
        StudyError: naming what to leave out.
    """
    initializer = INITIALIZERS.find(initializer_of(model))
    if not has_own_biases(model):
        return
    how = "itself, N(0, σ_b²)" if initializer.from_point else "with the weights"
    name = display_name(model.weight_init.name)
    why = f"{flow(model.bias_init.plain())} does not go with {name}, which draws the biases {how}"
    fault = source.at_fault(BIASES, WEIGHTS)
    place = f"{source.where(*fault)}: {BIASES}: {why}"
    out = excluded(source, (WEIGHTS, BIASES), has_own_biases)
    if out:
        raise StudyError(f"{place}; {out}")
    raise StudyError(f"{place}; leave {BIASES} out, or choose weights alone: `{{name: gaussian, sigma_w: 1.5}}`")


def without_point(source: Source, model: ModelConfig, reason: str) -> StudyError:
    """Make the error about an activation that has no critical point to start at, with what would leave it out.

    Args:
        source: where the study's values come from.
        model: the cell at fault.
        reason: why it has none.
    """
    place = source.where(*of_key(source, WEIGHTS))
    activation = Choice(name=display_name(model.activation.name), options=model.activation.options)
    defaults = activation_options(activations.CATALOGUE.find(model.activation.name))
    why = f"{place}: {WEIGHTS}: {activation.label(defaults)}: {reason}"
    if out := excluded(source, (ACTIVATION, WEIGHTS), lacks_point):
        return StudyError(f"{why}; {out}")
    if "q" in model.weight_init.options and (point := point_of(model, None)):
        return StudyError(f"{why}; leave q out: E z² = {point.q:.4g} is kept then")
    others = "leave it out, or " if ACTIVATION in (source.sweep.get("matrix") or {}) else ""
    return StudyError(f"{why}; {others}name another initializer, such as variance_preserving")


def initializer_of(model: ModelConfig) -> str:
    """Return the name of a model's initializer, ``auto`` no more."""
    named = model.weight_init.name
    return activations.CATALOGUE.find(model.activation.name).weight_init if named == AUTO else named


def has_own_biases(model: ModelConfig) -> bool:
    """Whether a model asks for biases beside an initializer that draws them."""
    initializer = INITIALIZERS.find(initializer_of(model))
    resolved = () if initializer.from_point else (initializer.distribution,)  # as a stored study names those
    return initializer.draws_biases and model.bias_init.name not in ("zeros", *resolved)


def point_of(model: ModelConfig, q: Any) -> CriticalPoint | None:
    """Return the critical point of a model's activation at a q, or the one that suits it; None where there is none."""
    record = activations.CATALOGUE.find(model.activation.name)
    parameters, by_layer = parameters_of(model.activation, record)
    if by_layer:
        return None
    try:
        return critical(record, tuple(parameters.items()), q)
    except TheoryError:
        return None


def lacks_point(model: ModelConfig) -> bool:
    """Whether a model is to start at a critical point that does not exist."""
    return (
        bool(INITIALIZERS.find(initializer_of(model)).from_point)
        and point_of(model, model.weight_init.options.get("q")) is None
    )


def excluded(source: Source, keys: tuple[str, ...], is_at_fault: Callable[[ModelConfig], bool]) -> str:
    """Say what to exclude from a file's matrix so that no model of it is at fault; nothing where that cannot be.

    Args:
        source: where the study's values come from.
        keys: of the model that the fault is about; their options are swept by keys of their own.
        is_at_fault: tells it of a model.
    """
    matrix: Mapping[str, Any] = source.sweep.get("matrix") or {}
    swept = [key for key in matrix if key.startswith(keys)]
    if not swept or any(place[0] == "sweep" for place in source.overridden):
        return ""
    out = list(source.sweep.get("exclude") or ())
    before = len(out)
    entries = [dict(zip(swept, one, strict=True)) for one in itertools.product(*(matrix[key] for key in swept))]
    entries = [entry for entry in entries if not any(agrees(entry, one) for one in out)]
    out += [entry for entry in entries if is_at_fault(with_values(source.raw.get("model") or {}, entry))]
    if not before < len(out) <= MOST_EXCLUDED or len(out) - before == len(entries):
        return ""
    return f"write `exclude: [{', '.join(map(flow, out))}]` below 'sweep:'"


def with_values(base: Mapping[str, Any], values: Mapping[str, Any]) -> ModelConfig:
    """Return a study's model with some values of its matrix."""
    plain = copy.deepcopy(dict(base))
    for key, value in sorted(values.items(), key=lambda item: item[0].count(".")):
        put(plain, key.split(".")[1:], value)
    return ModelConfig.model_validate(plain)
