"""φ with its derivatives in closed form: a ``jax.custom_jvp`` that keeps the parameters keyword-only."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial, update_wrapper
from typing import Any, cast

from actlab.later import Array, jax, jnp

Phi = Callable[..., Array]
ValueAndDerivative = Callable[..., tuple[Array, Array]]


class ClosedForm:
    """φ(z; p, ...) whose differential is φ'·dz + Σ ∂φ/∂p·dp, from closed forms; called as the plain φ is.

    Forward and reverse mode work, to any order: a further derivative is that of the closed form. Only arguments that
    do carry a tangent cost a derivative.

    >>> phi = ClosedForm(lambda z, *, p=2.0: p * z**2, {"p": 2.0}, lambda z, *, p: 2 * p * z)
    >>> float(phi(3.0)), float(jax.grad(phi)(3.0, p=1.0)), float(jax.grad(lambda p: phi(3.0, p=p))(1.0))
    (18.0, 6.0, 9.0)
    """

    __name__: str
    __wrapped__: Phi

    def __init__(
        self,
        phi: Phi,
        parameters: Mapping[str, float],
        derivative: Phi,
        value_and_derivative: ValueAndDerivative | None = None,
        parameter_derivatives: Mapping[str, Phi] | None = None,
    ) -> None:
        """Wrap a plain φ.

        Args:
            phi: ``phi(z, *, p=default)``.
            parameters: {p: default}.
            derivative: φ' in closed form, same arguments.
            value_and_derivative: both at once, where they share what is expensive.
            parameter_derivatives: {p: ∂φ/∂p in closed form, same arguments}; what is missing is automatic.
        """
        update_wrapper(self, phi)
        self.parameters = dict(parameters)
        self.derivative = derivative
        self.value_and_derivative = value_and_derivative
        self.parameter_derivatives = dict(parameter_derivatives or {})

    @cached_property
    def positional(self) -> Callable[..., Array]:
        """Return φ of positional arguments with its differential; made when first called, as JAX is imported for it."""
        from jax.custom_derivatives import SymbolicZero

        phi, derivative, value_and_derivative = self.__wrapped__, self.derivative, self.value_and_derivative
        names, partials = tuple(self.parameters), self.parameter_derivatives

        @jax.custom_jvp  # takes positional arguments only
        def positional(z: Array, *values: Array | float) -> Array:
            return phi(z, **dict(zip(names, values, strict=True)))

        @partial(positional.defjvp, symbolic_zeros=True)
        def differential(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
            z, *values = primals
            dz, *others = tangents
            given = dict(zip(names, values, strict=True))
            terms = []
            if isinstance(dz, SymbolicZero):
                value = positional(*primals)
            elif value_and_derivative:
                value, slope = value_and_derivative(z, **given)
                terms.append(slope * dz)
            else:
                value = positional(*primals)
                terms.append(derivative(z, **given) * dz)
            for name, dp in zip(names, others, strict=True):
                if isinstance(dp, SymbolicZero):
                    continue
                if name in partials:
                    terms.append(partials[name](z, **given) * dp)
                else:
                    along = partial(varied, phi, name, z, given)
                    terms.append(jax.jvp(along, (given[name],), (dp,))[1])
            total = sum(terms[1:], terms[0]) if terms else jnp.zeros_like(value)
            return value, jnp.broadcast_to(total, jnp.shape(value)).astype(jnp.result_type(value))

        return cast(Callable[..., Array], positional)

    def __call__(self, z: Array, /, **parameters: Array | float) -> Array:
        """Compute φ(z), parameters at their default where not given."""
        if unknown := parameters.keys() - self.parameters.keys():
            raise TypeError(f"{self.__name__}() got an unexpected keyword argument {min(unknown)!r}")
        return self.positional(z, *{**self.parameters, **parameters}.values())


def varied(phi: Phi, name: str, z: Array, given: Mapping[str, Array | float], value: Array) -> Array:
    """Return φ(z) as a function of one parameter."""
    return phi(z, **{**given, name: value})


def automatic(phi: Phi) -> Phi:
    """Return φ without its closed forms, which automatic differentiation then knows nothing of.

    >>> automatic(jnp.tanh) is jnp.tanh
    True
    """
    if isinstance(phi, partial):
        return partial(automatic(phi.func), *phi.args, **phi.keywords)
    return phi.__wrapped__ if isinstance(phi, ClosedForm) else phi
