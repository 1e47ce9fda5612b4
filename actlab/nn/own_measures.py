"""A user's own measure: read from a file, and tried out before anything is trained with it."""

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from actlab import sources
from actlab.activations import CATALOGUE
from actlab.activations.loading import why_untraceable
from actlab.measures import ARGUMENTS, LOG10, MEASURES, Measure, MeasureError, declared
from actlab.naming import nearest

ARRAYS = tuple(name for name in ARGUMENTS if name.endswith("_MxW"))
LEARNED = {f"{name}{part}" for one in CATALOGUE.values() for name in one.learnable for part in ("", "_min", "_max")}
TAKEN = {"run", "step", "layer", *MEASURES, *LEARNED}
"""Columns of frames that have another meaning."""


def load_measure(path: str | Path, name: str) -> tuple[Measure, Callable[..., Any]]:
    """Load the record and the function of a measure in a user's file.

    ``gaussianity(z_MxW)`` is enough: a function of any of ``measures.ARGUMENTS``. Decorated with ``actlab.measure`` it
    can say its label, its unit, and that it is to be pooled by geometric means.

    Args:
        path: a Python file.
        name: the function's name in it, and the measure's.

    Raises:
        MeasureError: there is no such file, it cannot be imported (with the cause and line), it has no such function
            (with the nearest name), the name is taken, or an argument is none that a measure can have.
    """
    path = Path(path)
    try:
        function = sources.load_function(path, name)
    except sources.SourceError as error:
        raise MeasureError(str(error)) from error.__cause__
    if name in TAKEN or name.startswith(LOG10):
        raise MeasureError(f"{path}: '{name}' is the name of another column; rename the function")
    check_arguments(function, f"{path.name}:{name}")
    return declared(function, name), function


def check_arguments(function: Callable[..., Any], label: str) -> None:
    """Refuse a function whose arguments are not those of a measure.

    Raises:
        MeasureError: see above; ``label`` names the function.

    >>> check_arguments(lambda z: 0.0, "mine")
    Traceback (most recent call last):
    actlab.measures.base.MeasureError: mine: no argument 'z' is known; did you mean 'z_MxW'?
    """
    try:
        arguments = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise MeasureError(f"{label}: its arguments cannot be read; write `def name(z_MxW)`") from None
    for argument in arguments.values():
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            raise MeasureError(f"{label}: '{argument}' cannot be given by name{nearest('', ARGUMENTS)}")
        if argument.name not in ARGUMENTS:
            raise MeasureError(f"{label}: no argument '{argument.name}' is known{nearest(argument.name, ARGUMENTS)}")
    if not set(arguments) & set(ARRAYS):
        raise MeasureError(f"{label}: measures nothing; it needs one of {', '.join(ARRAYS)}")


def hold_to_second_run(path: Path, name: str, function: Callable[..., Any]) -> None:
    """Hold a measure against itself, its file run once more.

    Args:
        path: its file.
        name: its name in it.
        function: from ``load_measure``.

    Raises:
        MeasureError: it gives another number then, or its file fails.
    """

    def values(measure: Callable[..., Any]) -> float:
        arguments = inspect.signature(measure).parameters
        sizes = {argument: (7, 5) if argument in ARRAYS else () for argument in arguments}
        numbers = {
            argument: jnp.cos(1.0 + jnp.arange(math.prod(size)).reshape(size)) for argument, size in sizes.items()
        }
        return float(jax.jit(measure)(**numbers))

    try:
        sources.hold_to_second_run(path, name, function, values)
    except sources.SourceError as error:
        raise MeasureError(str(error)) from None


def check_measure(function: Callable[..., Any], label: str) -> None:
    """Trace a measure on small layers of two shapes and dtypes, as training will; nothing is computed.

    Args:
        function: from ``load_measure``.
        label: names it in an error.

    Raises:
        MeasureError: it cannot be traced, or does not return one real number.

    >>> check_measure(lambda z_MxW: z_MxW.mean(axis=0), "mine")
    Traceback (most recent call last):
    actlab.measures.base.MeasureError: mine: returns shape (5,) for z of shape (7, 5); expected one number
    """
    arguments = inspect.signature(function).parameters
    for dtype, shape in ((jnp.float32, (7, 5)), (jnp.float64, (4, 8))):
        with jax.enable_x64(dtype is jnp.float64):
            sizes = {name: shape if name in ARRAYS else () for name in arguments}
            values = {name: jax.ShapeDtypeStruct(size, dtype) for name, size in sizes.items()}
            try:
                result = jax.eval_shape(lambda values: function(**values), values)
            except Exception as error:
                raise MeasureError(f"{label}: {why_untraceable(error)}") from error
        if not isinstance(result, jax.ShapeDtypeStruct):
            raise MeasureError(f"{label}: returns {type(result).__name__}; expected one number")
        if result.shape != ():
            raise MeasureError(f"{label}: returns shape {result.shape} for z of shape {shape}; expected one number")
        if jnp.issubdtype(result.dtype, jnp.complexfloating):
            raise MeasureError(f"{label}: returns {result.dtype}; expected a real number")
