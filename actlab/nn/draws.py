"""One flat draw of unit variance for the weights of a whole network, cut and scaled; biases likewise.

Layer by layer initialisation of a deep network takes seconds to compile; one draw does not.
"""

from __future__ import annotations

import math
from itertools import accumulate

from actlab.later import Array, ArrayLike, jax, jnp

# The standard deviation of a standard normal truncated to [-2, 2]; dividing by it restores unit variance.
TRUNCATED_STD = 0.87962566103423978
JOINT = ("randomized_asymmetric",)
"""Distributions that draw weights and biases together: see ``one_positive``."""


def draw(distribution: str, key: Array, shapes: list[tuple[int, ...]], dtype: jnp.dtype) -> list[Array]:
    """Draw unit-variance kernels of the given shapes, all at once.

    Args:
        distribution: ``normal``, ``truncated_normal`` (cut at two standard deviations, variance corrected),
            ``uniform``, ``orthogonal``, ``normalized_columns`` (normal, then scaled to norm √fan_in), or
            ``randomized_asymmetric``: normal, before ``one_positive``.
        key: JAX random key.
        shapes: [..., fan_in, fan_out] of each kernel or stack of kernels.
        dtype: float32 or float64.

    Returns:
        One array for each shape, entries of variance 1.

    >>> [w.shape for w in draw("uniform", jax.random.key(0), [(4, 3), (9, 3, 3)], jnp.dtype("float32"))]
    [(4, 3), (9, 3, 3)]
    """
    sizes = [math.prod(shape) for shape in shapes]
    total = (sum(sizes),)
    if distribution == "truncated_normal":
        flat = jax.random.truncated_normal(key, -2.0, 2.0, total, dtype) / TRUNCATED_STD
    elif distribution == "uniform":
        flat = jax.random.uniform(key, total, dtype, -math.sqrt(3.0), math.sqrt(3.0))
    else:
        flat = jax.random.normal(key, total, dtype)
    parts = jnp.split(flat, list(accumulate(sizes))[:-1])
    kernels = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    if distribution == "orthogonal":
        return [orthogonalize(kernel) for kernel in kernels]
    return [normalize_columns(kernel) for kernel in kernels] if distribution == "normalized_columns" else kernels


def normalize_columns(kernel: Array) -> Array:
    """Scale each column of a Gaussian kernel to norm √fan_in: a uniform point on the sphere, entries of variance 1.

    >>> w = normalize_columns(jax.random.normal(jax.random.key(0), (4, 3))) / 2.0
    >>> bool(jnp.allclose(jnp.sum(w**2, axis=0), 1.0, atol=1e-6))
    True
    """
    kernel = jnp.where(kernel == 0, 1e-7, kernel)  # the only weight of a unit may be drawn as 0, which has no direction
    return kernel * (math.sqrt(kernel.shape[-2]) / jnp.linalg.norm(kernel, axis=-2, keepdims=True))


def orthogonalize(kernel: Array) -> Array:
    """Return the nearest Haar-distributed frame to a Gaussian kernel, scaled to unit entry variance.

    QR of the taller orientation; the signs of R's diagonal are moved into Q, without which Q is not uniform
    (Mezzadri 2007, arXiv:math-ph/0609050).

    >>> q = orthogonalize(jax.random.normal(jax.random.key(0), (4, 4))) / 2.0
    >>> bool(jnp.allclose(q @ q.T, jnp.eye(4), atol=1e-5))
    True
    """
    *_, rows, columns = kernel.shape
    tall = kernel if rows >= columns else jnp.swapaxes(kernel, -1, -2)
    q, r = jnp.linalg.qr(tall)
    signs = jnp.sign(jnp.diagonal(r, axis1=-2, axis2=-1))
    q = q * jnp.expand_dims(signs, -2) * math.sqrt(max(rows, columns))
    return q if rows >= columns else jnp.swapaxes(q, -1, -2)


def draw_biases(distribution: str, key: Array, mean: ArrayLike, std: ArrayLike, width: int, dtype: jnp.dtype) -> Array:
    """Draw biases [L, width] with the given per-layer mean and standard deviation [L].

    ``distribution`` is ``constant`` (no draw; the mean alone), ``normal`` or ``uniform``.

    >>> draw_biases("constant", jax.random.key(0), jnp.array([0.5]), jnp.array([0.0]), 3, jnp.dtype("float32"))
    Array([[0.5, 0.5, 0.5]], dtype=float32)
    """
    mean_Lx1 = jnp.asarray(mean, dtype)[:, None]
    std_Lx1 = jnp.asarray(std, dtype)[:, None]
    shape = (mean_Lx1.shape[0], width)
    if distribution == "constant":
        return jnp.broadcast_to(mean_Lx1, shape)
    if distribution == "uniform":
        unit = jax.random.uniform(key, shape, dtype, -math.sqrt(3.0), math.sqrt(3.0))
    else:
        unit = jax.random.normal(key, shape, dtype)
    return mean_Lx1 + std_Lx1 * unit


def one_positive(
    key: Array, first_FxW: Array, kernel_LxWxW: Array, bias_LxW: Array, used_L: Array
) -> tuple[Array, Array, Array]:
    """Replace one number of each unit, of its weights and its bias, by a Beta(2, 1) draw: randomised asymmetric.

    Args:
        key: JAX random key.
        first_FxW: weights of the first hidden layer.
        kernel_LxWxW: those of the others, from row 1.
        bias_LxW: of all.
        used_L: 1 for the layers that the run has, else 0.

    Returns:
        the three, with ones of theirs replaced: which of a unit's fan_in + 1 numbers is uniform.

    >>> import numpy as np
    >>> nothing = jnp.zeros((2, 3)), jnp.zeros((2, 3, 3)), jnp.zeros((2, 3))
    >>> first, kernel, bias = map(np.asarray, jax.jit(one_positive)(jax.random.key(0), *nothing, jnp.ones(2)))
    >>> [int(np.sum(np.any(w > 0, axis=0) ^ (b > 0))) for w, b in zip((first, kernel[1]), bias)]
    [3, 3]

    Reference: Lu et al. 2019, arXiv:1903.06733.
    """
    place_key, value_key = jax.random.split(key)
    features, (bound, width) = len(first_FxW), bias_LxW.shape
    fan_in_Lx1 = jnp.where(jnp.arange(bound) == 0, features, width)[:, None]
    place_LxW = jax.random.randint(place_key, bias_LxW.shape, 0, fan_in_Lx1 + 1)
    uniform_LxW = 1.0 - jax.random.uniform(value_key, bias_LxW.shape, bias_LxW.dtype)  # never 0
    beta_LxW = jnp.sqrt(uniform_LxW) * used_L[:, None]  # of distribution function x²

    def put(kernel: Array, place: Array, beta: Array) -> Array:
        inputs = jax.lax.broadcasted_iota(jnp.int32, kernel.shape, kernel.ndim - 2)
        return jnp.where(inputs == jnp.expand_dims(place, -2), jnp.expand_dims(beta, -2), kernel)

    return (
        put(first_FxW, place_LxW[0], beta_LxW[0]),
        kernel_LxWxW.at[1:].set(put(kernel_LxWxW[1:], place_LxW[1:], beta_LxW[1:])),
        jnp.where(place_LxW == fan_in_Lx1, beta_LxW, bias_LxW),
    )
