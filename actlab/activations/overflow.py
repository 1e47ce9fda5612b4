"""Why a function of the user's gives NaN or an infinity: the step in it that does, and what to write instead."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from actlab.activations.base import CATALOGUE, Activation
from actlab.activations.closed_form import Phi
from actlab.later import jax, jnp

CALLS = {"jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "custom_jvp_call", "custom_vjp_call"}
"""Steps that are functions themselves."""
GROWING = {"exp", "exp2", "expm1", "cosh", "sinh"}
SAID = {"div": "a division", "mul": "a product", "add": "a sum", "sub": "a difference", "integer_pow": "a power"}
SAID |= {"pow": "a power", "square": "a square"}
BOUND = 80.0
"""exp of it is within single precision, and far from its end."""
GRID = np.linspace(-6.0, 6.0, 25)


def why(record: Activation, z: float, parameters: Mapping[str, Any], dtype: Any) -> str:
    """Say which step of a function makes NaN or an infinity at z, or of its derivative, and how to mend it.

    Args:
        record: of the function.
        z: where it does.
        parameters: of the function.
        dtype: in which it is computed.

    Returns:
        the end of a message, empty where it cannot be told.

    >>> from actlab.activations.loading import own_activation
    >>> def bent(z): return jnp.log(1.0 + jnp.exp(z))
    >>> why(own_activation(bent, "bent", None), 100.0, {}, jnp.float32)
    ": exp(100) is inf; it is the catalogue's 'softplus', written so that this does not happen"
    """
    values = {name: jnp.asarray(value, dtype) for name, value in parameters.items()}
    phi = partial(record.function, **values)
    try:
        at = jnp.asarray(z, dtype)
        steps = list(walk(jax.make_jaxpr(phi)(at), [at]))
    except Exception:  # a step that cannot be taken alone
        return ""
    found = next((step for step in steps if step.trouble), None)
    if found is None:
        return ""
    text = f": {found.trouble}"
    if same := catalogue_name(phi, dtype):
        return f"{text}; it is the catalogue's '{same}', written so that this does not happen"
    if any(step.name == "select_n" for step in steps) and np.isfinite(float(phi(at))):
        return (
            f"{text}; both branches of a jnp.where are differentiated: give the one not taken a harmless input, as in "
            "jnp.where(z > 0, z, f(jnp.where(z > 0, -1.0, z)))"
        )
    if found.name in GROWING:
        bounded = (
            f"jnp.minimum(..., {BOUND:g})" if found.name.startswith("exp") else f"jnp.clip(..., -{BOUND:g}, {BOUND:g})"
        )
        return f"{text}; keep what goes into {found.name} within bounds, as by {bounded}"
    if found.name in ("sqrt", "log", "rsqrt", "log1p"):
        return f"{text}; keep what goes into {found.name} positive, as by jnp.maximum(..., 1e-6)"
    if found.name == "div":
        return f"{text}; keep what is divided by away from 0, and from overflowing"
    return text


class Step:
    """One step of a function at a point: its name, and what is wrong with it."""

    def __init__(self, name: str, trouble: str) -> None:
        """Note them."""
        self.name, self.trouble = name, trouble


def walk(closed: Any, arguments: Sequence[Any]) -> Generator[Step, None, list[Any]]:
    """Take the steps of a traced function one by one, those of functions in it as well; it gives what they return."""
    jaxpr, consts = closed.jaxpr, closed.consts
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if hasattr(variable, "val") else known[variable]

    for step in jaxpr.eqns:
        given = [read(one) for one in step.invars]
        name = step.primitive.name
        inner = step.params.get("jaxpr", step.params.get("call_jaxpr")) if name in CALLS else None
        if inner is not None:
            results = yield from walk(inner, given)
        else:
            results = step.primitive.bind(*given, **step.params)
            results = list(results) if step.primitive.multiple_results else [results]
            yield Step(name, trouble(step, given, results))
        known.update(zip(step.outvars, results, strict=True))
    return [read(one) for one in jaxpr.outvars]


def trouble(step: Any, given: Sequence[Any], results: Sequence[Any]) -> str:
    """Say what is wrong with a step whose inputs are finite: its result is not, or its slope."""
    floats = [one for one in given if jnp.issubdtype(jnp.result_type(one), jnp.floating)]
    if not floats or not all(np.isfinite(np.asarray(one)).all() for one in floats):
        return ""
    name = step.primitive.name
    shown = f"{name}({', '.join(f'{float(one):g}' for one in floats)})"
    said = f"{SAID[name]} of {' and '.join(f'{float(one):g}' for one in floats)}" if name in SAID else shown
    result = np.asarray(results[0])
    if result.dtype.kind == "f" and not np.isfinite(result).all():
        return f"{said} is {float(result):g}"
    if len(given) == 1 and name in ("sqrt", "rsqrt", "log", "log1p", "pow", "asin", "acos", "acosh", "atanh"):
        slope = jax.grad(lambda one: step.primitive.bind(one, **step.params))(jnp.asarray(given[0]))
        if not np.isfinite(slope):
            return f"the slope of {name} at {float(given[0]):g} is {float(slope):g}"
    return ""


def catalogue_name(phi: Phi, dtype: Any) -> str:
    """Name the shipped activation that a function is, where it is finite; empty where it is none of them."""
    z = jnp.asarray(GRID, dtype)
    own = np.asarray(phi(z))
    if not np.isfinite(own).all():
        return ""
    for name, record in CATALOGUE.items():
        other = np.asarray(
            record.function(z, **{key: jnp.asarray(one, dtype) for key, one in record.parameters.items()})
        )
        if np.allclose(own, other, rtol=1e-4, atol=1e-5):
            return name
    return ""
