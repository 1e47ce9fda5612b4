"""A block: what follows the affine map of a hidden layer, written once, as forward code.

    h = [below +] dropout(φ(norm(z)))

φ alone by default; a normalisation before it, dropout after it, and the residual connection are options. The walk over
the layers (see ``walk``) differentiates a block with ``jax.vjp`` from its stored z: elementwise work and reductions
over rows or units, never a matrix product.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from actlab.activations.flatness import MOST_PIECES
from actlab.later import Array, ArrayLike, jax, jnp

EPSILON = 1e-5  # of both normalisations, as in their papers' code and PyTorch
# The value that SELU tends to for z → −∞, −λα: alpha dropout sets units to it (Klambauer et al. 2017).
SELU_FLOOR = -1.7580993408473766

NORMS = ("none", "layer", "batch")
DROPOUTS = ("none", "standard", "alpha")


@dataclass(frozen=True)
class Function:
    """An activation as a program sees it.

    Attributes:
        phi: φ(z, **parameters).
        flat: where it is constant by definition, ``flat(z, **parameters)``; None where the bounds of its flat pieces
            are numbers of the run, which stand behind the fixed parameters (see ``slots_of``).
        fixed, learnable: the names of its parameters, each in the order of their slots.
        closed_form: its derivatives are closed forms, which underflow only where the truth does.
        exact: φ with closed-form derivatives, and without cancellation, where training takes faster forms: measures
            take this. None: φ itself.
    """

    phi: Callable[..., Array]
    flat: Callable[..., Array] | None
    fixed: tuple[str, ...] = ()
    learnable: tuple[str, ...] = ()
    closed_form: bool = True
    exact: Callable[..., Array] | None = None

    @property
    def measured(self) -> "Function":
        """The same, as measures compute and differentiate it."""
        return self if self.exact is None else replace(self, phi=self.exact, exact=None)

    def parameters(self, learned: Array, fixed: Array) -> dict[str, Array]:
        """Name parameters, from the slots of a layer's learned ones [P] or [P, W] and of a run's fixed ones [Q]."""
        of_layer = learned[:, None, :] if learned.ndim == 2 else learned
        return {name: fixed[i] for i, name in enumerate(self.fixed)} | {
            name: of_layer[i] for i, name in enumerate(self.learnable)
        }

    @property
    def slots(self) -> int:
        """How many of a run's fixed numbers it takes: its fixed parameters, and the bounds of its flat pieces."""
        return len(self.fixed) + (2 * MOST_PIECES if self.flat is None else 0)

    def slots_of(self, parameters: Mapping[str, float], intervals: Sequence[tuple[float, float]]) -> tuple[float, ...]:
        """Return a run's fixed numbers: parameters in their slots, then bounds; what is no piece ends before it begins.

        >>> len(Function(jnp.tanh, None, ("beta",)).slots_of({"beta": 2.0}, [(0.0, 1.0)])) == 1 + 2 * MOST_PIECES
        True
        """
        bounds = [*intervals, *[(math.inf, -math.inf)] * (MOST_PIECES - len(intervals))] if self.flat is None else []
        return (*(parameters[name] for name in self.fixed), *(bound for piece in bounds for bound in piece))

    def is_flat(self, z: Array, learned: Array, fixed: Array) -> Array:
        """Whether φ is constant by definition around each z, at a layer's parameters in force."""
        if self.flat is not None:
            return self.flat(z, **self.parameters(learned, fixed))
        bounds = fixed[len(self.fixed) : self.slots].reshape(MOST_PIECES, 2)

        def within(i: Array, flat: Array) -> Array:
            return flat | ((z >= bounds[i, 0]) & (z <= bounds[i, 1]))

        pieces = jnp.sum(bounds[:, 0] <= bounds[:, 1])
        return jax.lax.fori_loop(0, pieces, within, jnp.zeros(z.shape, bool))


@dataclass(frozen=True)
class Options:
    """What a block has besides φ: a key of ``NORMS``, a residual connection, a key of ``DROPOUTS``."""

    norm: str = "none"
    residual: bool = False
    dropout: str = "none"


Layer = Mapping[str, Array]
"""One layer's parameters besides its kernel: bias [W]; activation [P] or [P, W]; with a norm scale and shift [W]."""


def block(
    function: Function,
    options: Options,
    z_BxW: Array,
    below_BxW: Array,
    layer: Layer,
    fixed: Array,
    *,
    statistics: tuple[Array, Array] | None = None,
    dropout: tuple[Array, ArrayLike] | None = None,
) -> Array:
    """Compute h of one layer [B, W].

    Args:
        function, options: what the block is made of.
        z_BxW: pre-activations.
        below_BxW: h of the layer below, for a residual connection; zero in the first layer.
        layer: the layer's parameters.
        fixed: the activation parameters that are not learned [Q].
        statistics: mean and variance [W] of z, fixed; without them batch normalisation takes the minibatch's own.
        dropout: a key and a rate, in training; off without them.

    >>> relu = Function(lambda z: jnp.maximum(z, 0), lambda z: z <= 0)
    >>> z = jnp.array([[-1.0, 2.0]])
    >>> block(relu, Options(residual=True), z, jnp.ones_like(z), {"activation": jnp.zeros(0)}, jnp.zeros(0))
    Array([[1., 3.]], dtype=float32)
    """
    u_BxW = argument(options, z_BxW, layer, statistics)
    h_BxW = function.phi(u_BxW, **function.parameters(layer["activation"], fixed))
    if dropout is not None:
        h_BxW = drop(options.dropout, h_BxW, *dropout)
    return below_BxW + h_BxW if options.residual else h_BxW


def argument(options: Options, z_BxW: Array, layer: Layer, statistics: tuple[Array, Array] | None = None) -> Array:
    """Compute φ's own argument u [B, W]: z, normalised where the options say so.

    Layer normalisation is over the units of a row, batch normalisation over the rows of a unit, both with the biased
    variance: u = γ·(z − mean)/√(var + ε) + β.

    Reference: Ba, Kiros & Hinton 2016, arXiv:1607.06450; Ioffe & Szegedy 2015, arXiv:1502.03167.
    """
    if options.norm == "none":
        return z_BxW
    if options.norm == "layer":
        mean, variance = moments(z_BxW, axis=1)
    else:
        mean, variance = (one[None] for one in (statistics or batch_statistics(z_BxW)))
    return layer["scale"][None] * ((z_BxW - mean) / jnp.sqrt(variance + EPSILON)) + layer["shift"][None]


def argument_slope(
    options: Options, z_BxW: Array, layer: Layer, statistics: tuple[Array, Array] | None = None
) -> Array | float:
    """Compute by how much u moves with z, mean and variance held: γ/√(var + ε), or 1 without a normalisation."""
    if options.norm == "none":
        return 1.0
    if options.norm == "layer":
        _, variance = moments(z_BxW, axis=1)
    else:
        variance = (statistics or batch_statistics(z_BxW))[1][None]
    return layer["scale"][None] / jnp.sqrt(variance + EPSILON)


def batch_statistics(z_BxW: Array) -> tuple[Array, Array]:
    """Compute mean and variance of each unit over the rows, [W] each."""
    mean, variance = moments(z_BxW, axis=0)
    return mean[0], variance[0]


def moments(z_BxW: Array, axis: int) -> tuple[Array, Array]:
    """Compute mean and biased variance along an axis, which stays with length 1."""
    mean = jnp.mean(z_BxW, axis=axis, keepdims=True)
    return mean, jnp.mean((z_BxW - mean) ** 2, axis=axis, keepdims=True)


def drop(kind: str, h_BxW: Array, key: Array, rate: ArrayLike) -> Array:
    """Set units to 0 and divide the others by 1 − rate; or alpha dropout, which keeps SELU's mean and variance.

    Alpha dropout sets units to α' = −λα and maps what comes out by a·x + b, where with q = 1 − rate
    a = (q + α'²·q·(1 − q))^−½ and b = −a·(1 − q)·α'.

    >>> float(drop("standard", jnp.ones((1, 10_000)), jax.random.key(0), 0.25).mean().round(1))
    1.0

    Reference: Srivastava et al. 2014, JMLR 15; Klambauer et al. 2017, arXiv:1706.02515.
    """
    keep_rate = 1.0 - jnp.asarray(rate, h_BxW.dtype)
    kept_BxW = jax.random.uniform(key, h_BxW.shape, h_BxW.dtype) < keep_rate
    if kind == "standard":
        return jnp.where(kept_BxW, h_BxW / keep_rate, 0.0)
    a = 1.0 / jnp.sqrt(keep_rate + SELU_FLOOR**2 * keep_rate * (1.0 - keep_rate))
    return a * jnp.where(kept_BxW, h_BxW, SELU_FLOOR) - a * (1.0 - keep_rate) * SELU_FLOOR


def slope_and_loss(
    function: Function, u_MxW: Array, layer: Layer, fixed: Array, dh_MxW: Array, dz_MxW: Array
) -> tuple[Array, Array, Array]:
    """Compute φ'(u) [M, W], in which rows [M] dh was lost as φ' underflowed, and where u is in the flat set [M, W].

    Outside of the flat set and off 0, a closed form below the normal numbers
    has underflowed, and an automatic derivative that is 0 may have done so long before. A row is lost where no other
    unit passes on 10⁴ times what such units might.
    """
    parameters = function.parameters(layer["activation"], fixed)
    slope_MxW = jax.jvp(lambda u: function.phi(u, **parameters), (u_MxW,), (jnp.ones_like(u_MxW),))[1]
    tiny = float(jnp.finfo(u_MxW.dtype).tiny) if function.closed_form else 0.0
    flat_MxW = function.is_flat(u_MxW, layer["activation"], fixed)
    below_MxW = (jnp.abs(slope_MxW) <= tiny) & ~flat_MxW & (u_MxW != 0)
    most_M = jnp.max(jnp.where(below_MxW, jnp.abs(dh_MxW), 0.0), axis=1)
    lost_M = (most_M > 0) & (jnp.max(jnp.abs(dz_MxW), axis=1) <= 1e4 * tiny * most_M)
    return slope_MxW, lost_M, flat_MxW
