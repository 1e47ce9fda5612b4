"""Whether a function is elementwise: each element of its result a function of that element of z alone.

Two ways, as either has its limits. By structure (``dependence``): whatever the values, of the function, of its
derivatives and of where it is flat. By values: the same numbers in other places, beside other numbers, in arrays of
other shapes; that also finds what depends on place, on shape, or on something outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np

from actlab import sources
from actlab.activations.base import Activation, ActivationError
from actlab.activations.closed_form import Phi
from actlab.activations.dependence import mixed
from actlab.activations.flatness import FoundFlat
from actlab.later import Array, jax, jnp

UNITS = "units"
SHAPES = ((3, 4), (4, 1), (1, 3), (5,), (2, 3, 2))

UNEVEN = np.sinh(np.linspace(-9.9, 9.9, 37)) + 0.0137  # to ±1e4; off kinks, which are at round numbers
VALUES = np.concatenate([np.arange(-5.0, 6.0), UNEVEN])
DRAWS = np.random.default_rng(0)
PLACES = (  # of VALUES in arrays; the first is what the others are held against
    np.arange(48),
    *(DRAWS.permutation(48).reshape(shape) for shape in ((6, 8), (1, 48), (4, 3, 4))),
    *(DRAWS.integers(0, 48, shape) for shape in ((7,), (2, 1), (65, 130), (3, 1030), (2100, 2))),
)
OF_UNITS = DRAWS.permutation(48).reshape(6, 8)  # beside learned parameters [1, 8], each unit's own
SLACK = 2.0**-26  # √ε of float64: vectorised otherwise, a function may round otherwise and lose what cancels


def check_elementwise(record: Activation, parameters: Mapping[str, float]) -> None:
    """Refuse an activation of which one element depends on another, or on its place, or on the shape of z.

    Args:
        record: one that can be evaluated and differentiated.
        parameters: all of them.

    Raises:
        ActivationError: it is not elementwise; the message says which element depends on what.
    """
    if why := by_structure(record) or by_values(record, parameters):
        raise ActivationError(f"{record.name}: {why}; each element must depend on that element of z alone")


@lru_cache(maxsize=256)
def by_structure(record: Activation) -> str:
    """Say which element depends on which other one, whatever the values; empty where none is seen to."""
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"):
            for shape in SHAPES:
                for what, function, others in parts_of(record):
                    own = np.arange(np.prod(shape)).reshape(shape)
                    arguments = [jax.ShapeDtypeStruct(shape, dtype)] * (1 + others)
                    of = " or of ".join(["z", *record.learnable])
                    if why := mixture(what, function, arguments, [own] * len(arguments), own, of):
                        return why
            if record.learnable and (why := of_units(record, dtype)):
                return why
    return ""


def of_units(record: Activation, dtype: str) -> str:
    """``by_structure`` of parameters that each unit has its own of: [1, W] beside z [B, W]."""
    z, own = jax.ShapeDtypeStruct((3, 4), dtype), jax.ShapeDtypeStruct((1, 4), dtype)
    units, wanted = np.arange(4)[None], np.broadcast_to(np.arange(4), (3, 4))
    labels = [None, *[units] * len(record.learnable)]
    return mixture("value", partial(with_learned, record), [z, *[own] * len(record.learnable)], labels, wanted)


def mixture(
    what: str,
    function: Callable[..., Any],
    arguments: list[Any],
    labels: list[Any],
    wanted: np.ndarray,
    of: str = UNITS,
) -> str:
    """Put in words what ``mixed`` finds."""
    try:
        found = mixed(function, arguments, labels, wanted)
    except Exception as error:
        if what != "value":  # what cannot be differentiated in this way is said elsewhere, or is of no consequence
            return ""
        return f"it fails on z of shape {arguments[0].shape} ({type(error).__name__}: {sources.first_line(error)})"
    if found is None:
        return ""
    at, shape = found.result, arguments[0].shape
    if of == UNITS:
        return f"its {what} for unit {at[1]} depends on a parameter of unit {found.label}"
    other = tuple(int(i) for i in np.unravel_index(found.label, shape))
    return f"element {at} of its {what} depends on element {other} of {of} (here of shape {shape})"


def with_learned(record: Activation, z: Array, *learned: Array) -> Array:
    """φ at the defaults of its fixed parameters, and given learned ones."""
    return record.function(z, **{**record.parameters, **dict(zip(record.learnable, learned, strict=True))})


def parts_of(record: Activation) -> list[tuple[str, Callable[..., Any], int]]:
    """List what has to be elementwise: what it is, a function of z and of other arrays of its shape, how many these."""
    phi, number = partial(with_learned, record), len(record.learnable)
    names = record.learnable

    def forward(z: Array, dz: Array, *learned: Array) -> Array:
        return jax.jvp(lambda z: phi(z, *learned), (z,), (dz,))[1]

    def backward(z: Array, g: Array, *learned: Array) -> tuple[Array, ...]:
        return tuple(jax.vjp(phi, z, *learned)[1](g))

    def named(function: Phi) -> Callable[..., Array]:
        return lambda z, *learned: function(z, **{**record.parameters, **dict(zip(names, learned, strict=True))})

    listed: list[tuple[str, Callable[..., Any], int]] = [
        ("value", phi, number),
        ("derivative", backward, 1 + number),
        ("derivative", forward, 1 + number),
        ("derivative", named(record.derivative), number),
        *((f"derivative in {name}", named(own), number) for name, own in record.parameter_derivatives.items()),
    ]
    if not isinstance(record.flat, FoundFlat):
        listed.append(("flat set", named(record.flat), number))
    return listed


def by_values(record: Activation, parameters: Mapping[str, float]) -> str:
    """Say where the same z gives other values in another array; empty where none is seen."""
    with jax.enable_x64(True):
        given = {name: jnp.float64(value) for name, value in parameters.items()}
        try:
            found = evaluated(record, given)
        except Exception as error:
            return f"it fails on z of some shape among {[p.shape for p in PLACES]} ({sources.first_line(error)})"
    for what in ("value", *found):  # the first is what says most
        arrays = found[what]
        reference = np.asarray(arrays[0]).astype(float)
        usual = np.abs(reference[:11][np.isfinite(reference[:11])]).max(initial=0.0)
        for places, array in zip((*PLACES, OF_UNITS), arrays, strict=True):
            expected, actual = reference[places], np.asarray(array).astype(float)
            size = np.maximum(np.abs(expected), np.abs(actual))
            with np.errstate(invalid="ignore"):
                apart = ~(np.abs(actual - expected) <= SLACK * (size + 1e-4 * usual))
            apart &= ~((expected == actual) | (np.isnan(expected) & np.isnan(actual)))
            if apart.any():
                at = tuple(int(i) for i in np.argwhere(apart)[0])
                return (
                    f"its {what} at z = {VALUES[places[at]]:.6g} is {expected[at]:.6g} in an array of shape "
                    f"{PLACES[0].shape} and {actual[at]:.6g} as element {at} of one of shape {places.shape}"
                )
    return ""


def evaluated(record: Activation, given: Mapping[str, Array]) -> dict[str, list[Array]]:
    """Evaluate a record at ``VALUES`` in all places.

    What calls back into Python is called from other threads when several calls stand in one program, and there float64
    is off: then each call is made by itself.
    """
    try:
        return compiled_placements(record)(given)
    except jax.errors.JaxRuntimeError:
        return placements(record)(given)


@lru_cache(maxsize=16)
def compiled_placements(record: Activation) -> Callable[..., dict[str, list[Array]]]:
    """Compile ``placements``."""
    return jax.jit(placements(record))


def placements(record: Activation) -> Callable[..., dict[str, list[Array]]]:
    """Make a function of parameters: value, derivative, flat set at ``VALUES`` in all places, and of units' own."""

    def placed(parameters: Mapping[str, Array]) -> dict[str, list[Array]]:
        functions = {"value": record.function, "derivative": record.derivative}
        if not isinstance(record.flat, FoundFlat):
            functions["flat set"] = record.flat
        # Behind a barrier: a program of constants would be computed while it is compiled.
        *arrays, beside_units = jax.lax.optimization_barrier([jnp.asarray(VALUES[at]) for at in (*PLACES, OF_UNITS)])
        row = jnp.ones((1, OF_UNITS.shape[1]))
        of_units = {name: value * row if name in record.learnable else value for name, value in parameters.items()}
        return {
            what: [*(function(z, **parameters) for z in arrays), function(beside_units, **of_units)]
            for what, function in functions.items()
        }

    return placed
