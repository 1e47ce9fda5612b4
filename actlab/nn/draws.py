"""One flat draw of unit variance for the weights of a whole network, cut and scaled; biases likewise.

Layer by layer initialisation of a deep network takes seconds to compile; one draw does not.
"""

from __future__ import annotations

import math
from itertools import accumulate

from actlab.later import Array, ArrayLike, jax, jnp

# The standard deviation of a standard normal truncated to [-2, 2]; dividing by it restores unit variance.
TRUNCATED_STD = 0.87962566103423978


def draw(distribution: str, key: Array, shapes: list[tuple[int, ...]], dtype: jnp.dtype) -> list[Array]:
    """Draw unit-variance kernels of the given shapes, all at once.

    Args:
        distribution: ``normal``, ``truncated_normal`` (cut at two standard deviations, variance corrected), ``uniform``
            or ``orthogonal``.
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
    return [orthogonalize(kernel) for kernel in kernels] if distribution == "orthogonal" else kernels


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
