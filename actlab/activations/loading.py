"""A user's own activation: read from a file, and tried out before anything is trained with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from actlab import sources
from actlab.activations.base import CATALOGUE, Activation, ActivationError, activation, nowhere
from actlab.activations.closed_form import Phi, automatic
from actlab.activations.elementwise import check_elementwise
from actlab.activations.flatness import FoundFlat, flat_intervals
from actlab.activations.inspect import evaluate
from actlab.activations.overflow import why
from actlab.activations.properties import interval_text
from actlab.later import jax, jnp
from actlab.naming import nearest

# Ordinary inputs, on which value and derivative are finite; and large ones, on which no NaN may arise.
ORDINARY = np.array([-30.0, -10.0, -3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0, 10.0, 30.0])
LARGE = np.array([-1e4, -1e3, -100.0, 100.0, 1e3, 1e4])
OFF_KINKS = ORDINARY + 0.0137  # kinks are at round numbers
GRID = np.linspace(-40.0, 40.0, 4001) + 0.0037
STEP = 1e-6  # of the central differences that declared derivatives are held against


def own_activation(function: Phi, name: str, declared: Activation | None) -> Activation:
    """Return the record of a function in a user's file.

    A plain ``phi(z, *, parameter=1.0)`` is enough: its derivative is taken by automatic differentiation, and its flat
    set is found by looking, at the parameters in force. Decorated with ``activation`` it can say more, such as which
    parameters are learnable.

    Raises:
        ActivationError: the signature is not an activation's.
    """
    if declared is None:
        activation()(function)
    record = replace(CATALOGUE.declared[function], name=name)
    if record.flat is not nowhere:
        return record
    flat = FoundFlat(record.function, record.parameters, record.learnable)
    try:
        found = interval_text(flat.pieces({}) or ())
    except Exception:  # a function that does not even run is `check`'s to explain
        return replace(record, flat=flat)
    return replace(record, flat=flat, flat_set=found if record.flat_set == Activation.flat_set else record.flat_set)


CATALOGUE.own = own_activation


def why_untraceable(error: Exception) -> str:
    """Say why a user's function fails on arrays, and what to write instead where that is known."""
    if isinstance(error, jax.errors.TracerBoolConversionError) or "truth value" in sources.first_line(error):
        return "JAX cannot trace it: use jnp.where instead of `if`"
    if isinstance(error, jax.errors.TracerArrayConversionError):
        return "JAX cannot trace it: use jax.numpy instead of numpy"
    return f"fails on an array: {type(error).__name__}: {sources.first_line(error)}"


def check(record: Activation, parameters: Mapping[str, float] | None = None) -> None:
    """Try an activation on a few inputs, as training will use it.

    Args:
        record: from ``CATALOGUE.find``.
        parameters: values that differ from its defaults.

    Raises:
        ActivationError: a parameter is unknown; the function cannot be traced, changes shape or dtype, or gives NaN, or
            (for ordinary z) an infinity, as value, derivative or derivative in a learnable parameter; it is not
            elementwise; a derivative or a flat set that it declares is not that of its values; it gives other values
            when its file is run again.

    >>> check(CATALOGUE.find("elu"), {"alpha": 0.5})
    """
    parameters = dict(parameters or {})
    for name in parameters:
        if name not in record.parameters:
            raise ActivationError(f"{record.name}: no parameter '{name}'{nearest(name, record.parameters)}")
    place = CATALOGUE.place_of(record)
    if place is not None and sources.tried(f"{__name__}:check_function", *place, parameters):
        return
    values = {**record.parameters, **parameters}
    for dtype in (jnp.float32, jnp.float64):
        with jax.enable_x64(dtype is jnp.float64):
            try_out(record, {name: jnp.asarray(value, dtype) for name, value in values.items()}, dtype)
    if record.exact.__module__.startswith(f"{__package__}."):  # the catalogue has its tests
        return
    hold_to_second_run(record)
    check_elementwise(record, values)
    if not isinstance(record.flat, FoundFlat):
        hold_flat_to_values(record, values)
    if record.closed_form:
        with jax.enable_x64(True):
            hold_to_values(record, values)


def check_function(path: Path, name: str, parameters: Mapping[str, float]) -> None:
    """Check a function of a user's file: what a trial does."""
    check(CATALOGUE.load(path, name), parameters)


def try_out(record: Activation, parameters: Mapping[str, jax.Array], dtype: jnp.dtype) -> None:
    """Run one dtype's worth of ``check``.

    Raises:
        ActivationError: it cannot be traced, changes shape or dtype, or gives what is not finite where it must be.
    """
    name, phi = record.name, record.function
    z = jnp.asarray(np.concatenate([ORDINARY, LARGE])[None, :], dtype)

    def value_and_slopes(z: jax.Array, parameters: Mapping[str, jax.Array]) -> tuple[jax.Array, dict[str, jax.Array]]:
        # Reverse mode, as in training: forward mode would not show what the unselected branch of a select does.
        learned = {key: parameters[key] for key in record.learnable}
        value, pull = jax.vjp(lambda z, learned: phi(z, **{**parameters, **learned}), z, learned)
        if not isinstance(value, jax.Array):
            raise ActivationError(f"{name}: returns a {type(value).__name__}; it must return one array")
        if value.shape != z.shape:
            raise ActivationError(f"{name}: z of shape {z.shape} gives shape {value.shape}; it must be elementwise")
        if value.dtype != z.dtype:
            raise ActivationError(f"{name}: z of {z.dtype} gives {value.dtype}; it must keep the dtype")
        in_z, in_learned = pull(jnp.ones_like(value))
        return value, {"z": in_z, **in_learned}

    try:
        # A parameter for each z: then its derivative shows where it breaks.
        value, slopes = jax.jit(value_and_slopes)(z, {key: jnp.full(z.shape, p) for key, p in parameters.items()})
    except ActivationError:
        raise
    except Exception as error:
        raise ActivationError(f"{name}: {why_untraceable(error)}") from error

    if not isinstance(record.flat, FoundFlat):
        try:
            flat = jax.eval_shape(record.flat, z, **parameters)
        except Exception as error:
            raise ActivationError(f"{name}: its `flat` {why_untraceable(error)}") from error
        if not isinstance(flat, jax.ShapeDtypeStruct) or flat.shape != z.shape or flat.dtype != jnp.bool_:
            raise ActivationError(f"{name}: its `flat` must give a truth value for each z")
    arrays = {"value": value, **{f"derivative in {argument}": slope for argument, slope in slopes.items()}}
    for what, array in arrays.items():
        wrong = np.isnan(array) | (np.isinf(array) & (np.abs(z) <= ORDINARY.max()))
        if wrong.any():
            at = np.abs(np.where(wrong, z, np.inf)).argmin()
            hint = why(record, float(z[0, at]), parameters, z.dtype)
            raise ActivationError(
                f"{name}: its {what} at z = {float(z[0, at]):g} is {float(array[0, at])} ({z.dtype}){hint}"
            )


@lru_cache(maxsize=256)
def hold_to_second_run(record: Activation) -> None:
    """Hold a function from a file against itself, its file run again where no run's identity says that it was."""
    z = np.concatenate([OFF_KINKS, LARGE])

    def values(one: Activation) -> Any:
        return dict(one.parameters), evaluate(one.function, z, parameters=record.parameters).tolist()

    CATALOGUE.hold_to_second_run(record, values, activation())


def hold_flat_to_values(record: Activation, parameters: Mapping[str, float]) -> None:
    """Hold a declared flat set against the function's slopes and pieces, at these and at other learned parameters.

    Raises:
        ActivationError: the function is not flat where it says so, or is where it does not.
    """
    moved = [{**parameters, name: parameters[name] + step} for name in record.learnable for step in (0.61, -0.17)]
    for given in (parameters, *moved):
        value, slope = evaluate(record.function, GRID, parameters=given)
        if not (np.isfinite(value).all() and np.isfinite(slope).all()):
            continue
        with jax.enable_x64(True):
            flat = np.asarray(record.flat(jnp.asarray(GRID), **given))
        found = np.zeros_like(flat)
        for low, high in flat_intervals(record.function, given):
            found |= (low < GRID) & (high > GRID)
        at_parameters = "".join(f", {name} = {value:g}" for name, value in given.items())
        for wrong, says in (
            (interior(flat) & (np.abs(slope) > 1e-9 * np.abs(slope).max()), "constant, and its derivative is"),
            (interior(found) & ~flat, "not constant, and it is on a whole interval: its derivative is"),
        ):
            if wrong.any():
                at = np.abs(np.where(wrong, GRID, np.inf)).argmin()
                place = f"at z = {GRID[at]:.4g}{at_parameters}"
                raise ActivationError(f"{record.name}: its `flat` says that it is {says} {slope[at]:g} ({place})")


def interior(marked: np.ndarray) -> np.ndarray:
    """Which points of a grid are marked, and so are both of their neighbours.

    >>> interior(np.array([True, True, True, False])).tolist()
    [False, True, False, False]
    """
    inside = marked.copy()
    inside[1:] &= marked[:-1]
    inside[:-1] &= marked[1:]
    inside[[0, -1]] = False
    return inside


def hold_to_values(record: Activation, parameters: Mapping[str, float]) -> None:
    """Hold declared derivatives, in z and in parameters, against the function's values, off its kinks.

    They pass where they agree with automatic differentiation of the plain function or with central differences: the
    one is exact, the other sees through all that is done to gradients.

    Raises:
        ActivationError: a declared derivative is not that of the values.
    """
    start = np.stack([OFF_KINKS, *(np.full_like(OFF_KINKS, value) for value in parameters.values())])

    def along(phi: Phi, arguments: jax.Array) -> jax.Array:
        z, *values = arguments
        return phi(z, **dict(zip(parameters, values, strict=True)))

    def slopes(phi: Phi, row: int) -> np.ndarray:
        return np.asarray(jax.grad(lambda one: jnp.sum(along(phi, jnp.asarray(start).at[row].set(one))))(start[row]))

    value = jax.jit(partial(along, record.exact))
    for row, argument in enumerate(["z", *parameters]):
        if row and argument not in record.parameter_derivatives:
            continue
        declared = slopes(record.exact, row)
        try:
            automatic_slope = slopes(automatic(record.exact), row)
        except Exception:  # what cannot be differentiated automatically has all the more use for a closed form
            automatic_slope = np.full_like(declared, np.nan)
        step = np.zeros_like(start)
        # A parameter may be tiny, and its domain may end at 0.
        step[row] = STEP * np.where((row == 0) | (start[row] == 0), 1.0, np.abs(start[row]))
        above, below = np.asarray(value(start + step)), np.asarray(value(start - step))
        rise = (above - below) / (2.0 * step[row])
        slack = 1e-6 + 1e-14 * (1.0 + np.abs(above)) / step[row]
        differ = [~(np.abs(declared - other) <= 1e-4 * np.abs(other) + slack) for other in (automatic_slope, rise)]
        wrong = differ[0] & differ[1] & np.isfinite(rise)
        if wrong.any():
            at = np.abs(np.where(wrong, OFF_KINKS, np.inf)).argmin()
            raise ActivationError(
                f"{record.name}: its derivative in {argument} at z = {OFF_KINKS[at]:g} is declared as "
                f"{declared[at]:.6g}, but its values rise there by {rise[at]:.6g} for each unit of {argument}"
            )
