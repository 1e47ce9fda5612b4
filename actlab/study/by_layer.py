"""Parameters of an activation that hidden layers begin with, each its own: ``{name: prelu, alpha: [0.3, 0.25]}``.

Only learnable parameters may be given so: they are each layer's own in any case, and what is given is their start. What
a run has only one of is taken at their mean over the layers: the thresholds of weak and saturated units.
"""

import math
from collections.abc import Mapping
from typing import Any

from actlab import activations
from actlab.naming import counted
from actlab.study.fields import Choice
from actlab.study.sections import ModelConfig
from actlab.study.source import Source, StudyError


def parameters_of(
    choice: Choice, record: activations.Activation
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Return an activation's parameters, those by layer at their mean; and those by layer, where layers differ.

    >>> parameters_of(Choice(name="prelu", options={"alpha": (0.5, 0.25)}), activations.CATALOGUE["prelu"])
    ({'alpha': 0.375}, {'alpha': (0.5, 0.25)})
    >>> parameters_of(Choice(name="prelu", options={"alpha": (0.1, 0.1)}), activations.CATALOGUE["prelu"])
    ({'alpha': 0.1}, {})
    """
    by_layer = {name: value for name in record.parameters if isinstance(value := choice.options[name], tuple)}
    differing = {name: values for name, values in by_layer.items() if len(set(values)) > 1}
    first = {name: by_layer[name][0] if name in by_layer else choice.number(name) for name in record.parameters}
    return first | {name: math.fsum(values) / len(values) for name, values in differing.items()}, differing


def layers_of(
    parameters: Mapping[str, float], by_layer: Mapping[str, tuple[float, ...]]
) -> tuple[dict[str, float], ...]:
    """Return the parameters of each hidden layer; once, where all have the same.

    >>> layers_of({"alpha": 0.375}, {"alpha": (0.5, 0.25)}), layers_of({"alpha": 0.1}, {})
    (({'alpha': 0.5}, {'alpha': 0.25}), ({'alpha': 0.1},))
    """
    depth = max(map(len, by_layer.values()), default=1)
    return tuple({**parameters, **{name: values[l] for name, values in by_layer.items()}} for l in range(depth))


def check_lengths(model: ModelConfig, source: Source) -> None:
    """Refuse parameters by layer that are not as many as a network has hidden layers.

    Raises:
        StudyError: they are more or fewer.
    """
    for name, value in model.activation.options.items():
        if isinstance(value, tuple) and len(value) != model.depth:
            place = source.where(*source.at_fault("model.activation", "model.depth"))
            raise StudyError(f"{place}: model.activation: {wrong_length(name, value, model.depth)}")


def wrong_length(name: str, values: tuple[Any, ...], depth: int) -> str:
    """Say what is wrong with a list of another length than the depth.

    >>> wrong_length("alpha", (0.3, 0.25), 5)[:76]
    'alpha by layer: expected 5 numbers, one for each hidden layer of model.depth'
    """
    return (
        f"{name} by layer: expected {counted(depth, 'number')}, one for each hidden layer of model.depth, not "
        f"{len(values)}; depths that have lists of their own are entries of sweep.include, and values for all layers "
        f"are swept by `model.activation.{name}: {list(values)}` below 'sweep.matrix:'"
    )
