"""A user's own activation: read from a file, and tried out before anything is trained with it."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

import numpy as np

from actlab.activations.base import RECORDS, Activation, ActivationError, activation, nowhere
from actlab.activations.properties import interval_predicate, interval_text
from actlab.activations.shape import flat_intervals
from actlab.later import jax, jnp

# Ordinary inputs, on which value and derivative are finite; and large ones, on which no NaN may arise.
ORDINARY = np.array([-30.0, -10.0, -3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0, 10.0, 30.0])
LARGE = np.array([-1e4, -1e3, -100.0, 100.0, 1e3, 1e4])


def load(path: str | Path, function_name: str) -> Activation:
    """The record of a function in a user's file.

    A plain ``phi(z, *, parameter=1.0)`` is enough: its derivative is taken by automatic differentiation, and its flat
    set is found by looking, at the default parameters. Decorated with ``activation`` it can say more, such as which
    parameters are learnable.

    Args:
        path: a Python file.
        function_name: the function's name in it.

    Raises:
        ActivationError: there is no such file, it cannot be imported (with the cause and line), it has no such function
            (with the nearest name), or the signature is not an activation's.
    """
    path = Path(path)
    module = import_file(path)
    own = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
    if function_name not in own:
        near = get_close_matches(function_name, own, n=1, cutoff=0.4)
        defined = [name for name, value in own.items() if getattr(value, "__module__", "") == module.__name__]
        hint = f"did you mean {near[0]!r}?" if near else f"it defines {', '.join(defined) or 'no function'}"
        raise ActivationError(f"{path}: no function {function_name!r}; {hint}")
    function = own[function_name]
    if function not in RECORDS:
        activation()(function)
    record = replace(RECORDS[function], name=function_name)
    if record.flat is not nowhere or record.flat_set != Activation.flat_set:
        return record
    try:
        intervals = flat_intervals(record.function)
    except Exception:  # a function that does not even run is `check`'s to explain
        return record
    if not intervals:
        return record
    return replace(record, flat=interval_predicate(intervals), flat_set=interval_text(intervals))


def import_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own.

    Raises:
        ActivationError: it is not there, or running it fails.
    """
    if not path.is_file():
        raise ActivationError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(f"user_activation_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ActivationError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        if isinstance(error, SyntaxError) and error.filename == str(path):
            line = error.lineno
        else:
            line = next(
                (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(path)), None
            )
        where = f"{path}, line {line}" if line else f"{path}"
        raise ActivationError(f"{where}: cannot be imported: {type(error).__name__}: {first(error)}") from error
    return module


def first(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).splitlines() or [""])[0]


def check(record: Activation, parameters: Mapping[str, float] | None = None) -> None:
    """Try an activation on a few inputs, as training will use it.

    Args:
        record: from ``get`` or ``load``.
        parameters: values that differ from its defaults.

    Raises:
        ActivationError: a parameter is unknown; the function cannot be traced, changes shape or dtype, or gives NaN, or
            (for ordinary z) an infinity, as value, derivative or derivative in a learnable parameter.

    >>> from actlab.activations import get
    >>> check(get("elu"), {"alpha": 0.5})
    """
    parameters = dict(parameters or {})
    for name in parameters:
        if name not in record.parameters:
            near = get_close_matches(name, record.parameters, n=1, cutoff=0.4)
            known = ", ".join(record.parameters) or "none"
            hint = f"did you mean {near[0]!r}?" if near else f"its parameters: {known}"
            raise ActivationError(f"{record.name}: no parameter {name!r}; {hint}")
    values = {**record.parameters, **parameters}
    for dtype in (jnp.float32, jnp.float64):
        with jax.enable_x64(dtype is jnp.float64):
            try_out(record, {name: jnp.asarray(value, dtype) for name, value in values.items()}, dtype)


def try_out(record: Activation, parameters: Mapping[str, jax.Array], dtype: jnp.dtype) -> None:
    """One dtype's worth of ``check``."""
    name, phi = record.name, record.function
    z = jnp.asarray(np.concatenate([ORDINARY, LARGE])[None, :], dtype)

    def value_and_slopes(z: jax.Array, parameters: Mapping[str, jax.Array]) -> tuple[jax.Array, dict[str, jax.Array]]:
        # Reverse mode, as in training: forward mode would not show what the unselected branch of a select does.
        value, pull = jax.vjp(lambda z, parameters: phi(z, **parameters), z, parameters)
        if not isinstance(value, jax.Array):
            raise ActivationError(f"{name}: returns a {type(value).__name__}; it must return one array")
        if value.shape != z.shape:
            raise ActivationError(f"{name}: z of shape {z.shape} gives shape {value.shape}; it must be elementwise")
        if value.dtype != z.dtype:
            raise ActivationError(f"{name}: z of {z.dtype} gives {value.dtype}; it must keep the dtype")
        in_z, in_parameters = pull(jnp.ones_like(value))
        return value, {"z": in_z, **{learned: in_parameters[learned] for learned in record.learnable}}

    try:
        # A parameter for each z: then its derivative shows where it breaks.
        value, slopes = jax.jit(value_and_slopes)(z, {key: jnp.full(z.shape, p) for key, p in parameters.items()})
    except ActivationError:
        raise
    except Exception as error:
        first_line = first(error)
        if isinstance(error, jax.errors.TracerBoolConversionError) or "truth value" in first_line:
            told = "JAX cannot trace it: use jnp.where instead of `if`"
        elif isinstance(error, jax.errors.TracerArrayConversionError):
            told = "JAX cannot trace it: use jax.numpy instead of numpy"
        else:
            told = f"fails on an array: {type(error).__name__}: {first_line}"
        raise ActivationError(f"{name}: {told}") from error

    flat = record.flat(z, **parameters)
    if jnp.shape(flat) != z.shape or jnp.result_type(flat) != jnp.bool_:
        raise ActivationError(f"{name}: its `flat` must give a truth value for each z")
    found = {"value": value, **{f"derivative in {argument}": slope for argument, slope in slopes.items()}}
    for what, array in found.items():
        wrong = np.isnan(array) | (np.isinf(array) & (np.abs(z) <= ORDINARY.max()))
        if wrong.any():
            at = np.abs(np.where(wrong, z, np.inf)).argmin()
            hint = ""
            if what != "value" and np.isfinite(value[0, at]) and abs(z[0, at]) > ORDINARY.max():
                hint = "; both branches of a jnp.where are differentiated: keep the one not taken from overflowing"
            raise ActivationError(
                f"{name}: its {what} at z = {float(z[0, at]):g} is {float(array[0, at])} ({z.dtype}){hint}"
            )
