"""The record of an activation, and the decorator that writes it next to the function."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeVar, cast

from actlab.activations.closed_form import ClosedForm, Phi, ValueAndDerivative
from actlab.errors import ActlabError
from actlab.later import Array, jax, jnp
from actlab.registry import Registry, options_of

F = TypeVar("F", bound=Callable[..., Array])


MARKERS = "osD^vP<>Xph*d8H|x+"
OF_CHOICES = ("name", "options", "per")  # what a study's file says of an activation beside its parameters
LINES = ("solid", "dashed", "dotted", "dashdot")


class ActivationError(ActlabError, ValueError):
    """A request for an activation that cannot be met; the message says what to change."""


def nowhere(z: Array, /, **parameters: Array | float) -> Array:
    """Return the flat set of a function that is nowhere constant: empty.

    >>> nowhere(jnp.zeros(2))
    Array([False, False], dtype=bool)
    """
    return jnp.zeros(jnp.shape(z), bool)


@dataclass(frozen=True, eq=False)
class Activation:
    """An activation function φ(z; parameters) and what is known about it.

    What is declared holds at the default parameters, and ``properties.disagreements`` holds it against the function.

    Attributes:
        name: its name in YAML and tables.
        function: φ, ``phi(z, *, parameter=default)``: elementwise, any shape and float dtype; differentiated by its
            closed forms.
        exact: the same for measures. Another than ``function`` only where closed forms without cancellation would slow
            a training step by more than 2 %: then ``function`` is differentiated automatically, and may lose digits in
            a tail that this one keeps.
        derivative: φ', same arguments; at a kink it states the convention that ``function`` follows.
        parameter_derivatives: {parameter: ∂φ/∂parameter, same arguments}, where declared.
        closed_form: whether φ' was declared; an automatic one that underflows may do so long before the truth does.
        flat: ``flat(z, **parameters)``: where φ is constant by definition, not by underflow.
        parameters: {name: default}, read from the signature.
        learnable: the parameters that training may change.
        ranges: {parameter: (least, greatest) value that is of interest}: what a slider goes over.
        family: what it is kin to; activations come family by family, in the order of their files.
        formula, derivative_formula: φ and φ' in Unicode.
        latex, derivative_latex: the same in LaTeX; a case is ``A \\text{ if } B \\text{ else } C``.
        cases: φ by cases, in LaTeX, where ``latex`` hides them in a max or min.
        range: the interval of its values; a square bracket where the bound is attained.
        extremum: (z, φ(z)) of the one point where φ turns; None where it never does, or often.
        monotonic, convex, odd: φ never decreases; never bends down; φ(−z) = −φ(z).
        smoothness: ``discontinuous``, ``C0`` (φ' jumps), ``C1`` (φ'' jumps), ``C2`` or ``C∞``.
        kinks: where a derivative jumps.
        flat_set: where ``flat`` holds.
        saturates: the sides on which φ' → 0: ``low``, ``high``, ``both`` or ``none``.
        weight_init: the initializer recommended with it.
        he_slope: which parameter is the negative slope of He's initialisation, if one is.
        reference: where it comes from.
        look: colour (``#RRGGBB``), marker (one of ``MARKERS``) and line (one of ``LINES``) in every figure; None for
            one that is chosen by its place in the story.
        order: its place in the story.
    """

    name: str
    function: Phi
    exact: Phi
    derivative: Phi
    parameter_derivatives: Mapping[str, Phi] = field(default_factory=dict)
    closed_form: bool = False
    flat: Phi = nowhere
    parameters: Mapping[str, float] = field(default_factory=dict)
    learnable: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    family: str = "other"
    formula: str = ""
    derivative_formula: str = ""
    latex: str = ""
    cases: str = ""
    derivative_latex: str = ""
    range: str = ""
    extremum: tuple[float, float] | None = None
    monotonic: bool | None = None
    convex: bool | None = None
    odd: bool | None = None
    smoothness: str = ""
    kinks: tuple[float, ...] = ()
    flat_set: str = "∅"
    saturates: str = ""
    weight_init: str = "variance_preserving"
    he_slope: str | None = None
    reference: str = ""
    look: tuple[str, str, str] | None = None
    order: int = 0


CATALOGUE: Registry[Activation] = Registry("activation", ActivationError)
"""Name -> record, in the order of the story once the package is imported."""


def activation(
    *,
    derivative: Phi | None = None,
    value_and_derivative: ValueAndDerivative | None = None,
    parameter_derivatives: Mapping[str, Phi] | None = None,
    train_automatically: bool = False,
    measured_value: Phi | None = None,
    learnable: tuple[str, ...] = (),
    **declared: Any,
) -> Callable[[F], F]:
    """Record an activation, and have it differentiated by the closed forms that are declared.

    Args:
        derivative: φ' in closed form, same arguments; without one, automatic differentiation takes its place.
        value_and_derivative: both φ and φ', instead of ``derivative`` where they share what is expensive.
        parameter_derivatives: {parameter: ∂φ/∂parameter, same arguments}.
        train_automatically: use the closed forms in measures alone (see ``Activation.exact``).
        measured_value: φ itself without cancellation, used in measures alone; with ``train_automatically``.
        learnable: the parameters that training may change.
        declared: any other field of ``Activation``. A user's own function needs none of them.

    Raises:
        ActivationError: a parameter is not a keyword-only float; ``learnable`` or ``parameter_derivatives`` names none
            of them; both or, with ``parameter_derivatives`` or ``train_automatically``, none of the first two is given;
            ``measured_value`` is given without ``train_automatically``; ``look`` is none; ``ranges`` names no
            parameter, or is no range around its default.

    >>> __name__ = "mine"  # a file of one's own
    >>> @activation(learnable=("beta",), derivative=lambda z, *, beta=1.0: beta / (1.0 + (beta * z) ** 2))
    ... def bent(z, *, beta=1.0):
    ...     return jnp.arctan(beta * z)
    >>> CATALOGUE.declared[bent].parameters, float(jax.grad(bent)(1.0))
    ({'beta': 1.0}, 0.5)
    """
    partials = dict(parameter_derivatives or {})

    def register(function: F) -> F:
        name = getattr(function, "__name__", repr(function))
        parameters = keyword_parameters(name, function)
        check_look(name, declared.get("look"))
        check_ranges(name, declared.get("ranges") or {}, parameters)
        for what, named in (("learnable", learnable), ("parameter_derivatives", partials)):
            for parameter in named:
                if parameter not in parameters:
                    known = ", ".join(parameters) or "none"
                    raise ActivationError(f"{name}: {what} names {parameter!r}, not a parameter of it ({known})")
        if derivative and value_and_derivative:
            raise ActivationError(f"{name}: declares both derivative and value_and_derivative; one of them is enough")
        if not (derivative or value_and_derivative) and (partials or train_automatically):
            raise ActivationError(f"{name}: declares other closed forms, but no derivative in z")
        if measured_value and not train_automatically:
            raise ActivationError(f"{name}: measured_value needs train_automatically=True, as training takes another")
        in_z = second(value_and_derivative) if value_and_derivative else derivative
        exact: Phi = function
        if in_z:
            exact = ClosedForm(measured_value or function, parameters, in_z, value_and_derivative, partials)
        recorded = function if train_automatically else exact
        record = Activation(
            name=name,
            function=recorded,
            exact=exact,
            derivative=in_z or slope(function),
            parameter_derivatives=partials,
            closed_form=exact is not function,
            parameters=parameters,
            learnable=tuple(learnable),
            **declared,
        )
        CATALOGUE.declare(recorded, record, name)
        return cast(F, recorded)

    return register


def check_look(name: str, look: Any) -> None:
    """Refuse a look that no figure could draw.

    Raises:
        ActivationError: it is none.

    >>> check_look("f", ("#0072B2", "s", "solid"))
    """
    if look is None:
        return
    parts = tuple(look) if isinstance(look, tuple | list) else ()
    if len(parts) != 3 or not re.fullmatch("#[0-9A-Fa-f]{6}", str(parts[0])):
        raise ActivationError(f"{name}: look needs a colour, a marker and a line, as ('#0072B2', 's', 'solid')")
    for part, valid in ((parts[1], MARKERS), (parts[2], LINES)):
        if part not in [*valid]:
            raise ActivationError(f"{name}: look: {part!r} is none of {', '.join(valid)}")


def check_ranges(name: str, ranges: Any, parameters: Mapping[str, float]) -> None:
    """Refuse ranges of parameters that no slider could go over.

    Raises:
        ActivationError: one is of no parameter, or does not go from a lower number to a higher one around the default.

    >>> check_ranges("f", {"alpha": (0.0, 3.0)}, {"alpha": 1.0})
    """
    for parameter, ends in ranges.items():
        if parameter not in parameters:
            known = ", ".join(parameters) or "none"
            raise ActivationError(f"{name}: ranges names {parameter!r}, not a parameter of it ({known})")
        default = parameters[parameter]
        pair = ends if isinstance(ends, tuple | list) and len(ends) == 2 else (0.0, 0.0)
        numbers = all(isinstance(end, int | float) and isfinite(end) for end in pair)
        if not (numbers and pair[0] < pair[1] and pair[0] <= default <= pair[1]):
            raise ActivationError(
                f"{name}: ranges: {parameter} needs the least and the greatest value to show, with {default:g} between "
                f"them, as ({default - 1.0:g}, {default + 1.0:g})"
            )


def second(value_and_derivative: ValueAndDerivative) -> Phi:
    """Return φ' alone."""
    return lambda z, /, **parameters: value_and_derivative(z, **parameters)[1]


def keyword_parameters(name: str, function: Phi) -> dict[str, float]:
    """Return the parameters of ``phi(z, *, parameter=default)``.

    Raises:
        ActivationError: the signature is another.

    >>> keyword_parameters("f", lambda z, *, alpha=0.25: z)
    {'alpha': 0.25}
    """
    options = options_of(name, function, ("z",), ActivationError)
    for parameter, default in options.items():
        if parameter in OF_CHOICES:
            raise ActivationError(f"{name}: a study's file has another use for '{parameter}'; rename that parameter")
        if default is None or isinstance(default, bool):
            raise ActivationError(f"{name}: {parameter} needs a float as its default: {parameter}=1.0")
    return {parameter: float(default) for parameter, default in options.items() if default is not None}


def slope(phi: Phi) -> Phi:
    """Return φ' by forward-mode automatic differentiation, elementwise, same arguments as φ.

    >>> slope(jnp.square)(jnp.array([3.0]))
    Array([6.], dtype=float32)
    """

    def derivative(z: Array, /, **parameters: Array | float) -> Array:
        return jax.jvp(lambda z: phi(z, **parameters), (z,), (jnp.ones_like(z),))[1]

    return derivative
