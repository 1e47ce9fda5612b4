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
TINY = 1e-12
NEAR = 1e-3
"""How far a function that divides by 0 somewhere is to keep away."""
GRID = np.linspace(-6.0, 6.0, 25)


class Step:
    """One step of a function at a point: its name, what is wrong with it, and whether that is a division by 0."""

    def __init__(self, name: str, trouble: str, by_zero: bool = False) -> None:
        """Note them."""
        self.name, self.trouble, self.by_zero = name, trouble, by_zero


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
            f"{text}; both branches of a jnp.where are differentiated: in jnp.where(c, f(z), g(z)) write "
            "f(jnp.where(c, z, 0.5)) for f(z), and g(jnp.where(c, 0.5, z)) for g(z)"
        )
    return f"{text}{instead(found, z)}"


def instead(step: Step, z: float) -> str:
    """Say what to write for a step that fails at z; empty where that is not known.

    >>> instead(Step("log", "log(0) is -inf"), 0.0)
    '; keep what goes into log positive: jnp.log(jnp.maximum(x, 1e-3)) for jnp.log(x)'
    """
    name = step.name
    if name in GROWING:
        bounded = f"jnp.minimum(x, {BOUND:g})" if name.startswith("exp") else f"jnp.clip(x, -{BOUND:g}, {BOUND:g})"
        return f"; keep what goes into {name} within bounds: jnp.{name}({bounded}) for jnp.{name}(x)"
    if name in ("sqrt", "log"):
        return f"; keep what goes into {name} positive: jnp.{name}(jnp.maximum(x, 1e-3)) for jnp.{name}(x)"
    if name == "rsqrt":
        return "; keep what goes into a root positive: jnp.maximum(x, 1e-3) for x"
    if name == "log1p":
        return "; keep what goes into log1p above −1: jnp.log1p(jnp.maximum(x, -0.999)) for jnp.log1p(x)"
    if name in ("pow", "square") or (name == "integer_pow" and not step.by_zero):
        return (
            "; keep what is raised positive, and within bounds: jnp.clip(x, 1e-3, 1e3) for x" if name == "pow" else ""
        )
    if step.by_zero:
        beyond = f"{z + NEAR:g}"
        near = f"jnp.abs(z{f' - {z:g}' if z > 0 else f' + {-z:g}' if z < 0 else ''}) < {NEAR:g}"
        return (
            f"; keep z away from where it divides by 0: let the function begin with z = jnp.where({near}, {beyond}, z)"
        )
    return "; keep what is divided by from overflowing" if name == "div" else ""


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
            yield Step(name, trouble(step, given, results), divides_by_zero(step, given))
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
    if name in ("sqrt", "rsqrt", "log", "log1p", "pow", "asin", "acos", "acosh", "atanh"):
        rest = given[1:]
        slope = jax.grad(lambda one: step.primitive.bind(one, *rest, **step.params))(jnp.asarray(given[0]))
        if not np.isfinite(slope):
            power = f" to the power {float(rest[0]):g}" if rest else ""
            return f"the slope of {name} at {float(given[0]):g}{power} is {float(slope):g}".replace("of pow at", "at")
    return ""


def divides_by_zero(step: Any, given: Sequence[Any]) -> bool:
    """Whether a step divides by 0, or so nearly that it overflows."""
    name = step.primitive.name
    if name == "integer_pow":
        return bool(step.params["y"] < 0 and np.abs(np.asarray(given[0])) < TINY)
    return bool(name == "div" and np.abs(np.asarray(given[1])) < TINY)


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
