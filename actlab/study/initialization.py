"""How hidden layers are drawn: weights and biases are resolved together, for an initializer may decide both."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from actlab import activations, sources
from actlab.naming import brief, show
from actlab.nn.draws import JOINT
from actlab.nn.initializers import ACTIVATION_FACTS, BIASES, INITIALIZERS, Initializer
from actlab.study.choices import AUTO
from actlab.study.criticals import refuse_biases, without_point
from actlab.study.faults import error_at_key, errors_about
from actlab.study.fields import LARGEST, Choice, display_name
from actlab.study.reading import Source
from actlab.study.sections import ModelConfig
from actlab.theory.criticality import CriticalPoint
from actlab.theory.errors import TheoryError
from actlab.theory.moments import moments, preserving_slope
from actlab.theory.points import critical

ONE_PHI = (
    "is of one φ, and here each layer begins with parameters of its own; give the activation one number for all "
    "layers, or name an initializer such as he_normal"
)
"""Why an initializer is refused whose theory has the same φ in all layers."""


@dataclass(frozen=True)
class Initialization:
    """How the weights and biases of the hidden layers are drawn.

    Attributes:
        weights: the initializer, ``auto`` no more, with its options; what was computed of them to six digits.
        biases: likewise.
        weight_std, bias_mean, bias_std: of each hidden layer, from the first.
        point: the critical point of mean-field theory at which it starts the network, if it does.
        as_point: whether nothing else moves second moments away from what the point says.
        variance_slope: V'(1), where weights are to preserve E z² = 1 and nothing else acts on it; None otherwise.
    """

    weights: Choice
    biases: Choice
    weight_std: tuple[float, ...]
    bias_mean: tuple[float, ...]
    bias_std: tuple[float, ...]
    point: CriticalPoint | None = None
    variance_slope: float | None = None
    as_point: bool = True

    @property
    def decided(self) -> dict[str, float]:
        """What theory decided, to six digits: it defines a run beside the name of the rule."""
        return (
            {} if self.point is None else {"sigma_w": digits(self.point.sigma_w), "sigma_b": digits(self.point.sigma_b)}
        )

    @property
    def theory_facts(self) -> dict[str, Any]:
        """What theory says of it, as ``started.lines`` takes it; empty where it says nothing."""
        if self.point is None or not self.as_point:
            return {} if self.variance_slope is None else {"slope": self.variance_slope}
        most = self.point.attracts_to
        return self.decided | {
            "q": digits(self.point.q),
            "slope": digits(self.point.slope),
            "stability": self.point.stability,
            **({"attracts_to": digits(most)} if math.isfinite(most) else {}),
        }


def initialize(
    model: ModelConfig,
    record: activations.Activation,
    parameters: Mapping[str, float],
    x_NxF: np.ndarray,
    source: Source,
    layers: Sequence[Mapping[str, float]] = (),
) -> Initialization:
    """Resolve how weights and biases are drawn: what ``auto`` stands for, and each layer's standard deviations.

    ``he_*`` asked for by name is He's for ReLU; ``auto`` gives it the activation's own negative slope, each layer's
    where ``layers`` has the parameters of each: then gradients keep their size from layer to layer.

    Raises:
        StudyError: a standard deviation is not a positive number, or an initializer of the user's fails.
    """
    with errors_about(source, "model.weight_init"):
        weights = resolved_weights(model.weight_init, record, parameters, layers)
    initializer = INITIALIZERS.find(weights.name)
    if initializer.from_point:
        return at_critical_point(model, weights, record, parameters, x_NxF, source, layers)
    biases = biases_beside(initializer, model, source)
    fans = fans_of(model, x_NxF.shape[1])
    moments = partial(BIASES.find(biases.name).moments, **biases.options)
    options_of_layers = [at_layer(weights.options, l) for l in range(model.depth)]
    with errors_about(source, "model.weight_init"):
        for own in {tuple(options.items()) for options in options_of_layers}:
            try_at(weights.name, own, tuple(dict.fromkeys(fans)))
        follows = weights.name in INITIALIZERS and "second_moment" not in model.weight_init.options
        given = model.weight_init.options.get("second_moment")
        if isinstance(given, int | float) and not 0.0 < given < math.inf:
            raise ValueError(f"{weights.name}: second_moment: {given:g}: expected E φ(Z)², a positive number")
        if follows and weights.options.get("second_moment") == 0:
            name = display_name(model.activation.name)
            raise ValueError(f"{weights.name} needs E φ(Z)² > 0, and of {name} it is 0; name another initializer")
        if follows and "second_moment" in weights.options:
            require_second_moment(weights.name, record, parameters)
        given_stds = [initializer.std(*fan, **own) for fan, own in zip(fans, options_of_layers, strict=True)]
        weight_std = tuple(model.weight_gain * one_number(display_name(weights.name), std) for std in given_stds)
        if not all(0 < value < math.inf for value in weight_std):
            raise ValueError(f"{weights.name} gives standard deviations {weight_std[:3]}; expected positive numbers")
    with errors_about(source, "model.bias_init"):
        fans_in = tuple((fan_in,) for fan_in, _ in dict.fromkeys(fans))
        try_at(biases.name, tuple(biases.options.items()), fans_in)
        pairs = [mean_and_std(display_name(biases.name), moments(fan_in)) for fan_in, _ in fans]
        bias_mean, bias_std = zip(*pairs, strict=True)
        if not all(math.isfinite(value) for value in (*bias_mean, *bias_std)):
            raise ValueError(f"{biases.name} gives a mean or standard deviation that is not a finite number")
    if initializer.draws_biases:
        bias_std = tuple(map(float, given_stds))
    slope = reported_slope(model, weights, record, parameters)
    return Initialization(weights, biases, weight_std, bias_mean, bias_std, variance_slope=slope)


def biases_beside(initializer: Initializer, model: ModelConfig, source: Source) -> Choice:
    """Return how biases are drawn: as the study says, or with the weights where the initializer draws both.

    Raises:
        StudyError: the two do not go together.
    """
    if initializer.draws_biases:
        refuse_biases(model, source)
        return Choice(name=initializer.distribution)
    if model.bias_init.name in JOINT:
        with errors_about(source, "model.bias_init"):
            raise ValueError(f"{model.bias_init.name} draws biases with the weights; write it as model.weight_init")
    return model.bias_init


def fans_of(model: ModelConfig, features: int) -> list[tuple[int, int]]:
    """List fan-in and fan-out of each hidden layer.

    >>> fans_of(ModelConfig(depth=3, width=8), 4)
    [(4, 8), (8, 8), (8, 8)]
    """
    return [(features, model.width)] + [(model.width, model.width)] * (model.depth - 1)


def at_critical_point(
    model: ModelConfig,
    weights: Choice,
    record: activations.Activation,
    parameters: Mapping[str, float],
    x_NxF: np.ndarray,
    source: Source,
    layers: Sequence[Mapping[str, float]],
) -> Initialization:
    """Start a network at the activation's critical point: every layer's weights and biases, the first by the data.

    Raises:
        StudyError: there is no such point, q is not positive, the study asks for other biases, or all rows are zero.
    """
    refuse_biases(model, source)
    if layers:
        raise without_point(source, model, f"critical {ONE_PHI}")
    q = weights.number("q") if "q" in weights.options else None
    if q is not None and not 0.0 < q < math.inf:
        why = f"critical: q: {q:g}: expected E z² of a layer, a positive number; or leave q out"
        raise error_at_key(source, "model.weight_init", why)
    try:
        point = critical(record, tuple(parameters.items()), q)
    except TheoryError as error:
        raise without_point(source, model, str(error)) from None
    std = partial(INITIALIZERS.find(weights.name).std, q=point.q, sigma_w=point.sigma_w)
    with errors_about(source, "model.weight_init"):
        first = first_std(point.q, point.sigma_b, x_NxF)
    stds = [first, *(std(*fan) for fan in fans_of(model, x_NxF.shape[1])[1:])]
    drawn = Choice(name="normal", options={"mean": 0.0, "std": digits(point.sigma_b)})
    return Initialization(
        Choice(name=weights.name, options={"q": digits(point.q), "sigma_w": digits(point.sigma_w)}),
        drawn if point.sigma_b > 0 else Choice(name="zeros"),
        tuple(model.weight_gain * one for one in stds),
        (0.0,) * model.depth,
        (point.sigma_b,) * model.depth,
        point,
        as_point=unmoved(model),
    )


def first_std(q: float, sigma_b: float, x_NxF: np.ndarray) -> float:
    """Compute the std of the first layer's weights at which E z² = q on average over the rows: √((q − σ_b²) / ⟨‖x‖²⟩).

    Args:
        q: E z² of the critical point.
        sigma_b: of its biases, below √q.
        x_NxF: rows of the training split, as the network takes them.

    Raises:
        ValueError: all rows are zero.

    >>> first_std(1.0, 0.6, np.array([[3.0, 4.0], [0.0, 5.0]]))
    0.16
    """
    mean_square = float(np.mean(np.sum(np.square(x_NxF, dtype=np.float64), axis=1)))
    if mean_square == 0:
        raise ValueError("critical scales the first layer by the training rows, and they are all 0; name another")
    return math.sqrt((q - sigma_b**2) / mean_square)


def digits(value: float) -> float:
    """Round to six digits: the last ones may differ between processors.

    >>> digits(2**0.5)
    1.41421
    """
    return float(f"{value:.6g}")


def unmoved(model: ModelConfig) -> bool:
    """Whether no gain, normalisation or residual connection acts on what an initializer does to second moments."""
    return model.weight_gain == 1 and model.norm == "none" and not model.residual


def reported_slope(
    model: ModelConfig, weights: Choice, record: activations.Activation, parameters: Mapping[str, float]
) -> float | None:
    """Return V'(1) where weights are to preserve E z² = 1; None where they are not, or something else moves it."""
    alone = unmoved(model) and model.bias_init.name == "zeros"
    if not alone or "second_moment" not in INITIALIZERS.find(weights.name).needed:
        return None
    known = moments(record, tuple(parameters.items()))
    slope = known["variance_slope"]
    is_own = weights.options["second_moment"] == known["second_moment"]
    return slope if is_own and math.isfinite(slope) else None


def require_second_moment(name: str, record: activations.Activation, parameters: Mapping[str, float]) -> None:
    """Refuse an initializer that scales by E φ(Z)² where that is not finite, whatever a quadrature makes of it.

    Raises:
        ValueError: naming the reason.
    """
    if moments(record, tuple(parameters.items()))["variance_slope_error"] < math.inf:
        return
    try:
        preserving_slope(partial(record.function, **parameters))
    except TheoryError as error:
        activation = display_name(record.name)
        raise ValueError(
            f"{name} scales weights by E φ(Z)² of {activation}: {error}; name another initializer"
        ) from None


@lru_cache(maxsize=1024)
def try_at(name: str, options: tuple[tuple[str, Any], ...], fans: tuple[tuple[int, ...], ...]) -> None:
    """Try an initializer of the user's at its options and fans."""
    if named := sources.parse(name):
        sources.tried("actlab.nn.initializers:call", *named, dict(options), fans)


def at_layer(options: Mapping[str, Any], l: int) -> dict[str, Any]:
    """Return an initializer's options in hidden layer l, from 0.

    >>> at_layer({"negative_slope": (0.3, 0.25)}, 1)
    {'negative_slope': 0.25}
    """
    return {name: value[l] if isinstance(value, tuple) else value for name, value in options.items()}


def resolved_weights(
    choice: Choice,
    record: activations.Activation,
    parameters: Mapping[str, float],
    layers: Sequence[Mapping[str, float]] = (),
) -> Choice:
    """Return the initializer that ``auto`` stands for, and the options that follow from the activation filled in.

    Raises:
        ValueError: what follows is too large a number for an option, or is of one φ, and layers differ.
    """
    automatic = choice.name == AUTO
    initializer = INITIALIZERS.find(record.weight_init if automatic else choice.name)
    options = dict(choice.options)
    for name in ACTIVATION_FACTS:
        wanted = name in initializer.needed or (automatic and name in initializer.defaults)
        fact = activation_fact(name, record, parameters) if wanted and name not in options else None
        if fact is not None and layers and name != "negative_slope":
            raise ValueError(f"{initializer.name} {ONE_PHI}")
        if fact is not None and layers and len(set(slopes := [own[str(record.he_slope)] for own in layers])) > 1:
            options[name] = tuple(slopes)
            continue
        if fact is not None and LARGEST < abs(fact) < math.inf:
            of = f"{name} of {display_name(record.name)}"
            raise ValueError(
                f"{initializer.name} needs {of}: {fact:.2g} is above {LARGEST:g}; name another initializer"
            )
        if fact is not None:
            options[name] = fact
    return Choice(name=record.weight_init if automatic else choice.name, options=options)


def activation_fact(name: str, record: activations.Activation, parameters: Mapping[str, float]) -> float | None:
    """Return one of ``ACTIVATION_FACTS``; None where an activation says nothing of it."""
    if name == "negative_slope":
        return parameters[record.he_slope] if record.he_slope else None
    return moments(record, tuple(parameters.items()))[name]


def one_number(name: str, given: Any) -> float:
    """Take what a weight initializer gives as a number.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(given, bool) or not isinstance(given, int | float | np.number):
        raise ValueError(f"{name}: gives {brief(given)}; expected a standard deviation")
    return float(given)


def mean_and_std(name: str, given: Any) -> tuple[float, float]:
    """What a bias initializer gives, as two numbers.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"{name}: gives {brief(given)}; expected a mean and a standard deviation")
    return one_number(name, given[0]), one_number(name, given[1])


def initializer_label(weights: Choice) -> str:
    """Write a resolved initializer as tables have it: with what it took from the activation, if that is a slope.

    >>> initializer_label(Choice(name="he_normal", options={"negative_slope": 0.01}))
    'he_normal(negative_slope=0.01)'
    """
    options = {key: show(value) for key, value in weights.options.items() if key != "second_moment"}
    listed = ", ".join(f"{key}={value}" for key, value in options.items() if value != "0")
    name = display_name(weights.name)
    return f"{name}({listed})" if listed else name
