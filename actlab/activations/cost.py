"""What an activation costs, counted from its program rather than timed: the same number on every machine.

Weights, for one element: additions, products, comparisons, selects and the like 1; a division or a root 4; a
transcendental function (exponential, logarithm, tanh, erf, sine, a general power) 10; moving and converting data 0.
They say what kind of work there is; how long it takes here is a benchmark's business.
"""

from collections.abc import Callable
from typing import Any

from actlab.later import jax, jnp

COMPOUND = {"div": 4, "sqrt": 4, "rsqrt": 8, "rem": 4, "logistic": 16}  # 1/(1 + e^−z): an exponential, and 6
TRANSCENDENTAL = (
    *("exp", "exp2", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "sin", "cos", "tan", "pow", "erf"),
    *("atan", "asin", "acos", "atan2", "asinh", "acosh", "atanh", "erfc", "erf_inv", "lgamma", "digamma", "cbrt"),
)
# What a newer JAX has as one, in the derivatives of tanh and erf: (1 + t)·(1 − t), and e^(−x²) by a longer way.
WHOLE = {"one_minus_square": 3, "exp_neg_sq": 12}
FREE = ("broadcast_in_dim", "convert_element_type", "reshape", "squeeze", "copy", "copy_p", "stop_gradient")


def operations(function: Callable[..., Any], arguments: int = 1) -> int:
    """Count weighted operations of an elementwise function for one element, but those that its result does not need.

    Args:
        function: of arrays.
        arguments: how many.

    >>> operations(lambda z: jnp.where(z > 0, z, 0.0)), operations(lambda z: z * jax.nn.sigmoid(z))
    (2, 17)
    """
    closed = jax.make_jaxpr(function)(*[jnp.zeros(1)] * arguments)
    return count(closed.jaxpr, [True] * len(closed.jaxpr.outvars))


def count(jaxpr: Any, wanted: list[bool]) -> int:
    """Count weighted operations of a program, for only some results: a walk from its end to its beginning."""
    needed = {id(variable) for variable, want in zip(jaxpr.outvars, wanted, strict=True) if want}
    total = 0
    for equation in reversed(jaxpr.eqns):
        outputs = [id(variable) in needed for variable in equation.outvars]
        if not any(outputs):
            continue
        needed |= {id(variable) for variable in equation.invars}
        name = name_of(equation)
        inner = [value for value in equation.params.values() if hasattr(value, "eqns") or hasattr(value, "jaxpr")]
        if name in WHOLE:
            total += WHOLE[name]
        elif inner:
            total += sum(count(getattr(program, "jaxpr", program), outputs) for program in inner)
        else:
            total += weight(equation)
    return total


def name_of(equation: Any) -> str:
    """Return a primitive's name; of a call of a function with a derivative of its own, that function's."""
    program = equation.params.get("call_jaxpr")
    return str(equation.primitive.name if program is None else getattr(program, "jaxpr", program).debug_info.func_name)


def weight(equation: Any) -> int:
    """Return the weight of one primitive."""
    name = equation.primitive.name
    if name in FREE:
        return 0
    if name == "integer_pow":  # x² is one product, x⁻¹ a division
        power = equation.params["y"]
        return max(abs(power) - 1, 0) + (4 if power < 0 else 0)
    return 10 if name in TRANSCENDENTAL else COMPOUND.get(name, 1)
