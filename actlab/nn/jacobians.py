"""Jacobians: the singular values of the network's, from inputs to outputs, and the norms of those between layers.

Both are taken on the walk that measures gradients: the rows of the network's Jacobian are what it gives for the outputs
themselves in place of a loss, each with a power of two of its own, so that none underflows at any depth.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from actlab.measures import JACOBIAN_ROWS
from actlab.nn import walk
from actlab.nn.blocks import EPSILON, Options, moments
from actlab.nn.probes import all_finite, scaled

Carried = dict[str, Array]
"""{mantissa, exponent}: a number m·2^e, which itself may lie beyond the dtype."""


def log10_partial_norm(
    options: Options, z_MxW: Array, u_MxW: Array, slope_MxW: Array, steep_MxW: Array, flat_MxW: Array, kernel_WxO: Array
) -> Array:
    """log10 of ‖∂z'/∂z‖_F² / O, averaged over rows, where z' = h W' are the O pre-activations that come next.

    With s = ∂h/∂z of each unit, ‖diag(s) W'‖_F² = Σ_j s_j² ‖W'_j‖². Layer normalisation makes it P diag(s) W' with
    P = 1 − 11ᵀ/W − ûûᵀ/W, û = (z − mean)/√(var + ε); since û is orthogonal to 1 and ‖û‖²/W = r = var/(var + ε),

        ‖P B‖_F² = ‖B‖_F² − ‖1ᵀB‖²/W − (2 − r)·‖ûᵀB‖²/W,   B = diag(s) W'.

    Args:
        options: of the block; statistics of batch normalisation are fixed, a residual connection does not count.
        z_MxW, u_MxW: z and φ's argument of the M probe rows.
        slope_MxW, steep_MxW: φ'(u), and ∂h/∂z with mean and variance of a normalisation held.
        flat_MxW: whether u lies in the flat set.
        kernel_WxO: of the next layer, or of the readout.

    Returns:
        a scalar: −∞ of 0; NaN where a z is not finite, where φ' underflowed, or where rounding is more than a
        thousandth of what a normalisation leaves.

    >>> z = jnp.ones((1, 2))
    >>> bool(jnp.allclose(10 ** log10_partial_norm(Options(), z, z, z, z, z < 0, jnp.full((2, 5), 10.0)), 200.0))
    True

    Reference: Doshi, He & Gromov 2023, arXiv:2111.12143.
    """
    size, size_of_kernel = (jnp.max(jnp.abs(one)) for one in (steep_MxW, kernel_WxO))
    steep_MxW, kernel_WxO = scaled(steep_MxW), scaled(kernel_WxO)
    outputs = kernel_WxO.shape[1]
    square_W = jnp.sum(kernel_WxO**2, axis=1)
    whole = mean = jnp.mean(jnp.sum(steep_MxW**2 * square_W[None], axis=1)) / outputs
    if options.norm == "layer":
        width = z_MxW.shape[1]
        middle, variance = moments(z_MxW, axis=1)
        unit_MxW = (z_MxW - middle) / jnp.sqrt(variance + EPSILON)
        ratio_M = (variance / (variance + EPSILON))[:, 0]
        of_mean, of_scale = (jnp.sum((one @ kernel_WxO) ** 2, axis=1) for one in (steep_MxW, unit_MxW * steep_MxW))
        mean = whole - jnp.mean(of_mean + (2 - ratio_M) * of_scale) / width / outputs
        unsure = (mean < 1e3 * float(jnp.finfo(z_MxW.dtype).eps) * whole) & (whole > 0)
        mean = jnp.where(unsure, jnp.nan, mean)
    underflowed = jnp.any((slope_MxW == 0) & ~flat_MxW & (u_MxW != 0))
    known = all_finite(z_MxW) & ~((mean == 0) & underflowed)
    log10 = jnp.log10(mean) + 2 * (jnp.log10(size) + jnp.log10(size_of_kernel))
    return jnp.where(known, jnp.where(mean == 0, -jnp.inf, log10), jnp.nan)


def of_network(
    network: walk.Network,
    parameters: Any,
    x_MxF: Array,
    up: Any,
    depth: Array | int,
    activation: Array,
    fixed: Array,
) -> dict[str, Carried]:
    """Measure the singular values of ∂outputs/∂x at the first ``JACOBIAN_ROWS`` probe rows.

    Args:
        network, parameters, x_MxF, depth, activation, fixed: as of ``walk.forward``.
        up: what it stored of all probe rows: z and h of each layer, and statistics of batch normalisation.

    Returns:
        {measure: see ``of_singular_values``}, leaves [1, (R)].
    """
    readout, first = parameters["readout"]["kernel"], parameters["input"]["kernel"]
    rows, outputs = min(JACOBIAN_ROWS, x_MxF.shape[0]), readout.shape[-1]
    # Row r·C + c is the gradient of output c at input r.
    stored = {**up, "z": jnp.repeat(up["z"][..., :rows, :], outputs, axis=-2)}
    dh = jnp.tile(jnp.swapaxes(readout, -1, -2), (rows, 1))

    def local(l: Array, pulled: dict[str, Any]) -> dict[str, Array]:
        finite = jnp.all(jnp.isfinite(walk.at(stored["z"], l)), axis=-1)
        return {"delta": pulled["rows"], "finite": finite, **{name: pulled[name] for name in ("exponents", "lost")}}

    def last(carried: walk.Stacks, row: Any, _: Array) -> walk.Stacks:
        return {**row, "finite": carried["finite"] & row["finite"]}

    of_rows = dh.shape[:-1]
    blank = {"delta": jnp.zeros_like(dh), "exponents": jnp.zeros(of_rows, jnp.int32)}
    blank |= {"lost": jnp.zeros(of_rows, bool), "finite": jnp.ones(of_rows, bool)}
    _, at_first = walk.backward(
        network,
        parameters,
        x_MxF,
        stored,
        dh,
        depth,
        activation,
        fixed,
        local,
        lambda below, delta: {},
        lambda delta: {},
        last,
        blank,
        measured=True,
    )
    measured = network.over_runs(partial(of_rows_gradients, rows))(
        *(at_first[name] for name in ("delta", "exponents", "lost", "finite")), first
    )
    return jax.tree.map(lambda leaf: leaf[None], measured)


def of_rows_gradients(
    rows: int,
    delta_BxW: Array,
    exponents_B: Array,
    lost_B: Array,
    finite_B: Array,
    kernel_FxW: Array,
) -> dict[str, Carried]:
    """Finish the Jacobians of one run with the first layer's kernel, and measure their singular values.

    Args:
        rows: K, of how many inputs.
        delta_BxW, exponents_B: gradients of each input's outputs in the first z, B = K·C, but for powers of two; these.
        lost_B: where a gradient may be 0 for φ' having underflowed.
        finite_B: where all z are finite.
        kernel_FxW: the first layer's.
    """
    signals, exponents_B = walk.rescale({"x": delta_BxW @ kernel_FxW.T}, exponents_B)
    gradient_BxF, (features, width) = signals["x"], kernel_FxW.shape
    nothing_B = jnp.all(gradient_BxF == 0, axis=1)
    known_B = finite_B & ~(lost_B & nothing_B) & jnp.all(jnp.isfinite(gradient_BxF), axis=1)
    gradient_BxF = jnp.where(known_B[:, None], gradient_BxF, 0.0)
    jacobian_KxCxF = gradient_BxF.reshape(rows, -1, features)
    outputs = jacobian_KxCxF.shape[1]
    jacobian_KxCxF, exponents_K = jax.vmap(walk.in_one_scale)(jacobian_KxCxF, exponents_B.reshape(rows, outputs))
    known_K = jnp.all(known_B.reshape(rows, outputs), axis=1)
    values_KxN = jnp.linalg.svd(jacobian_KxCxF, compute_uv=False)[:, : min(features, width, outputs)]
    # Against float64, the singular values of products in float32 were off by at most .08·√W ulps of the largest, at
    # depths from 4 to 64 and widths from 8 to 128.
    rounding = float(jnp.finfo(values_KxN.dtype).eps) * width**0.5
    return of_singular_values(jnp.where(known_K[:, None], values_KxN, jnp.nan), exponents_K, rounding)


def of_singular_values(values_KxN: Array, exponents_K: Array, rounding: float) -> dict[str, Carried]:
    """Compute mean and variance of squared singular values, the largest and the smallest, over K rows.

    Args:
        values_KxN: N of each row, from the largest to the smallest, but for a power of two.
        exponents_K: these powers.
        rounding: the relative size of what rounding may have done to a row's largest. A smallest one of less than ten
            times as much is NaN, unless all are 0.

    Returns:
        {measure: {mantissa, exponent}}, scalars.

    >>> found = of_singular_values(jnp.array([[2.0, 1.0]]), jnp.array([-2000]), 0.0)
    >>> [(name, float(one["mantissa"]), int(one["exponent"])) for name, one in found.items()]
    [('jacobian_mean_square', 2.5, -4000), ('jacobian_square_variance', 2.25, -8000), ('jacobian_largest', 2.0, ...

    Reference: Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735.
    """
    largest_K, smallest_K = values_KxN[:, 0], values_KxN[:, -1]
    square_KxN = values_KxN**2
    variance_K = jnp.var(square_KxN, axis=1) if values_KxN.shape[1] > 1 else jnp.full_like(largest_K, jnp.nan)
    by_name: dict[str, tuple[Callable[[Array], Array], Array, int]] = {
        "jacobian_mean_square": (jnp.mean, jnp.mean(square_KxN, axis=1), 2),
        "jacobian_square_variance": (jnp.mean, variance_K, 4),
        "jacobian_largest": (jnp.max, largest_K, 1),
    }
    found = {}
    for name, (pooled, values_K, power) in by_name.items():
        together_Kx1, exponent = walk.in_one_scale(values_K[:, None], power * exponents_K)
        found[name] = {"mantissa": pooled(together_Kx1), "exponent": exponent}
    unsure_K = (smallest_K < 10 * rounding * largest_K) & (largest_K > 0)
    smallest_K = jnp.where(unsure_K, jnp.nan, smallest_K)
    place = jnp.argmin(jnp.log2(smallest_K) + exponents_K.astype(smallest_K.dtype))  # of a NaN, if there is one
    return found | {"jacobian_smallest": {"mantissa": smallest_K[place], "exponent": exponents_K[place]}}
