"""Histograms of one hidden layer's values in the fixed bins of ``actlab.measures.EDGES``: counts, [bins] int32.

Their arguments are named as a probe's; ``hist_delta`` needs the backpropagated signal and its binary exponents. NaN
lies in no bin: then the counts no longer add up to the number of values.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from actlab.measures import EDGES


def counts(values: Array, edges: Sequence[float]) -> Array:
    """Count the values in each bin: bin i holds edges[i − 1] ≤ value < edges[i], the outer two have no end.

    Args:
        values: any shape; ±∞ lies in an outer bin, NaN in none.
        edges: the inner edges, increasing; as exact as the values' dtype.

    Returns:
        len(edges) + 1 counts, int32.

    >>> counts(jnp.array([-jnp.inf, -1.0, 0.5, 2.0, jnp.nan]), (-1.0, 1.0))
    Array([1, 2, 1], dtype=int32)
    """
    bins = jnp.searchsorted(jnp.asarray(edges, values.dtype), values.ravel(), side="right")
    bins = jnp.where(jnp.isnan(values.ravel()), len(edges) + 1, bins)
    return jnp.zeros(len(edges) + 1, jnp.int32).at[bins].add(1, mode="drop")


def hist_z(z_MxW: Array) -> Array:
    """Count z in symmetric-log bins."""
    return counts(z_MxW, EDGES["hist_z"])


def hist_h(h_MxW: Array) -> Array:
    """Count h = φ(z) in symmetric-log bins."""
    return counts(h_MxW, EDGES["hist_h"])


def hist_delta(delta_MxW: Array, exponents_M: Array) -> Array:
    """Count log10|δ·2^exponent|: at any depth, however small δ is; the first bin is δ = 0.

    Args:
        delta_MxW: ∂ℓ_x/∂z_l of each row and unit, but for each row's power of two.
        exponents_M: these powers, int32. A δ that is 1e-38 of the largest of its row is 0 in float32.

    >>> counted = hist_delta(jnp.array([[0.5, 0.0]]), jnp.array([-2000]))
    >>> from actlab.measures import bounds
    >>> [bounds("hist_delta")[i] for i in jnp.flatnonzero(counted)]
    [(-inf, -1000000000.0), (-608.874..., -558.339...)]
    """
    powers_Mx1 = exponents_M.astype(delta_MxW.dtype)[:, None] * jnp.log10(2.0).astype(delta_MxW.dtype)
    return counts(jnp.log10(jnp.abs(delta_MxW)) + powers_Mx1, EDGES["hist_delta"])
