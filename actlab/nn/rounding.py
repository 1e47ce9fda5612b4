"""What rounding does to how one layer's h is spread over rows: how far h is off, by the size of the sums that made z.

    z_xj = Σ_i h_xi W_ij + b_j adds n terms one after the other, and rounds each partial sum s_k by up to u·|s_k|
    (u = 2^−24 in float32), evenly: by u·|s_k|/√3 in the mean square. The partial sums of terms of either sign wander as
    s_k² ≈ k/n·T² with T² = Σ_i h²W², and towards z: Σ_k s_k² is about n/2·T² + n/3·z² at most, so

        δz² = u²·n/6·(T² + z²),        δh² = φ'(u)²·(∂u/∂z)²·δz² + u²·h².

Each row is rounded by itself, so that δh counts as spread. Weights are what they are, and the same for all rows: their
own rounding does not. A graphics processor that rounds h itself to 11 bits before it multiplies (TF32) adds u'²/3·T²,
u' = 2^−11. Where a unit lies on one flat piece for all rows, h is a constant by definition, and exact.

Rounding of lower layers is passed on as their spread is, so that its share adds up from layer to layer: on the host,
see ``actlab.engine.floors``.

Reference: Higham & Mary 2019, SIAM J. Sci. Comput. 41(5): rounding errors of sums grow as √n, not as n.
"""

import jax
import jax.numpy as jnp
from jax import Array

from actlab.nn.probes import centred, scaled


def sizes_of_sums(below_MxI: Array, kernel_IxO: Array) -> Array:
    """Compute T = √(Σ_i h_xi² W_ij²), as a root mean square over rows [O].

    >>> h = jnp.array([[1.0, 2.0], [3.0, 0.0]])
    >>> round(float(sizes_of_sums(h, jnp.array([[1.0], [2.0]]))[0]), 4)
    3.6056
    """
    largest = jnp.max(jnp.abs(below_MxI))
    return largest * jnp.sqrt(jnp.mean(scaled(below_MxI) ** 2, axis=0) @ kernel_IxO**2)


def spread_and_noise(
    fan_in: Array | int, sizes_W: Array, z_MxW: Array, h_MxW: Array, steep_MxW: Array, flat_W: Array
) -> dict[str, Array]:
    """Compute how much of h's variance over rows this layer's rounding may be, in units of the largest h squared.

    Args:
        fan_in: n, how many terms a sum has.
        sizes_W: T, see ``sizes_of_sums``.
        z_MxW, h_MxW: of M probe rows.
        steep_MxW: ∂h/∂z, through a normalisation where there is one.
        flat_W: whether all rows lie where the activation is flat by definition.

    Returns:
        ``noise``: δh², averaged over rows and units; ``within``: the variance of h over rows, averaged over units;
        ``whole``: that over rows and units; ``typical``: the square of the mean over units of their standard deviation;
        ``exact``: 1 where every unit is constant by definition.
    """
    dtype = h_MxW.dtype
    u = float(jnp.finfo(dtype).eps) / 2
    largest = jnp.max(jnp.abs(h_MxW))
    unit = jnp.where(largest > 0, largest, 1.0)
    constant_W = (sizes_W == 0) | (flat_W & (jnp.max(h_MxW, axis=0) == jnp.min(h_MxW, axis=0)))

    def squared(values_W: Array) -> Array:  # of what z is made of, as it moves h
        return jnp.mean((steep_MxW * (values_W / unit)) ** 2, axis=0)

    sums_W, z2_W = squared(sizes_W[None]), squared(z_MxW)
    of_sums_W = u**2 * jnp.asarray(fan_in, dtype) / 6 * (sums_W + z2_W) + short_products(dtype) ** 2 / 3 * sums_W
    h_MxW = h_MxW / unit
    variance_W = jnp.mean(centred(h_MxW) ** 2, axis=0)
    noise_W = jnp.where(constant_W, 0.0, of_sums_W + u**2 * jnp.mean(h_MxW**2, axis=0))
    return {
        "noise": jnp.mean(noise_W),
        "within": jnp.mean(variance_W),
        "whole": jnp.var(h_MxW),
        "typical": jnp.mean(jnp.sqrt(variance_W)) ** 2,
        "exact": jnp.all(constant_W).astype(dtype),
    }


def short_products(dtype: jnp.dtype) -> float:
    """By how much of itself a factor of a matrix product is rounded beforehand: 2^−11 by TF32, else not at all."""
    precise = getattr(jax.config, "jax_default_matmul_precision", None) in ("highest", "float32")
    return 2.0**-11 if dtype == jnp.float32 and jax.default_backend() == "gpu" and not precise else 0.0
