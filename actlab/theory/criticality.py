"""Critical initialisation: weight and bias variances at which neither second moments nor gradients change with depth.

At a critical point V(q) = q and χ₁ = 1. For a given q both follow from two moments, without a search:

    σ_w² = 1 / E φ'(√q·Z)²,   σ_b² = q − σ_w²·E φ(√q·Z)²

It is of use only where second moments are drawn to q, that is where V'(q) < 1.
"""

import math
from dataclasses import dataclass

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.theory.errors import TheoryError
from actlab.theory.gaussian import Function, moments_at, require_elementwise

TOLERANCE = 1e-9
"""Relative: what is less from the edge of stability, or from σ_b = 0, is on it."""


@dataclass(frozen=True)
class CriticalPoint:
    """Weight and bias variances at which χ₁ = 1 and V(q) = q.

    Attributes:
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.
        q: second moment of the pre-activations.
        slope: V'(q).
        stability: ``stable`` (V' < 1), ``half-stable`` (V' = 1), ``unstable`` (V' > 1), or ``homogeneous``
            (φ(λz) = λφ(z) for λ > 0: every q is kept).
    """

    sigma_w: float
    sigma_b: float
    q: float
    slope: float
    stability: str


def solution(phi: Function, q: float) -> CriticalPoint:
    """Solve χ₁ = 1 and V(q) = q at a second moment, whether the solution is stable or not.

    Args:
        phi: the activation with its parameters filled in.
        q: second moment of the pre-activations, positive.

    Returns:
        The solution and its stability.

    Raises:
        TheoryError: see ``moments_at``; or there is no solution, because φ' = 0 or because σ_b² would be negative.

    >>> import jax.numpy as jnp
    >>> point = solution(jnp.tanh, 1.0)
    >>> round(point.sigma_w, 4), round(point.sigma_b**2, 4), point.stability
    (1.4674, 0.151, 'stable')

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, §3.
    """
    moments = moments_at(phi, q)
    if not moments.slope_second_moment > 0.0:
        raise TheoryError("no critical point: φ' is 0 wherever a pre-activation falls, so no σ_w gives χ₁ = 1")
    sigma_w = 1.0 / math.sqrt(moments.slope_second_moment)
    slope = moments.z_value_slope / moments.slope_second_moment / math.sqrt(q)
    if homogeneous(phi):
        return CriticalPoint(sigma_w, 0.0, q, 1.0, "homogeneous")
    bias_variance = q - moments.second_moment / moments.slope_second_moment
    if bias_variance < -TOLERANCE * q:
        raise TheoryError(
            f"no critical point at q = {q:.4g}: χ₁ = 1 asks for σ_w = {sigma_w:.4g}, which alone gives a second "
            f"moment of {q - bias_variance:.4g}, above q; σ_b² would have to be {bias_variance:.4g}"
        )
    stability = "half-stable" if abs(slope - 1.0) < TOLERANCE else "stable" if slope < 1.0 else "unstable"
    return CriticalPoint(sigma_w, math.sqrt(max(0.0, bias_variance)), q, slope, stability)


def homogeneous(phi: Function) -> bool:
    """Whether φ(λz) = λφ(z) for every λ > 0: one slope to the left of 0, one to its right.

    >>> import jax.numpy as jnp
    >>> homogeneous(jnp.abs), homogeneous(jnp.tanh)
    (True, False)
    """
    require_elementwise(phi)
    z = np.outer([-1.0, 1.0], 2.0 ** np.arange(-8.0, 9.0, 0.37))
    slopes = evaluate(phi, z.ravel())[0].reshape(z.shape) / z
    return bool((np.ptp(slopes, axis=1) <= 1e-12 * np.abs(slopes).max()).all())


def critical_point(phi: Function, q: float | None = None) -> CriticalPoint:
    """Find σ_w and σ_b at which layers keep second moments and gradients, and second moments are drawn back to q.

    Without a q, one is chosen: 1 for positively homogeneous functions, where σ_b = 0 and every q is kept, and wherever
    the point at 1 is stable; else that at which second moments are drawn back most strongly, or, if points end where
    σ_b = 0, that one.

    Args:
        phi: the activation with its parameters filled in.
        q: second moment of the pre-activations, positive.

    Returns:
        A stable or homogeneous critical point.

    Raises:
        TheoryError: see ``moments_at``; or there is no such point, with the reason.

    >>> point = critical_point(lambda z: abs(z) + z)
    >>> round(point.sigma_w**2, 12), point.sigma_b, point.stability
    (0.5, 0.0, 'homogeneous')

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, §3; Hayou et al. 2019, arXiv:1902.06853.
    """
    point = solution(phi, 1.0 if q is None else q)
    if point.stability in ("unstable", "half-stable"):
        raise TheoryError(
            f"the critical point at q = {point.q:.4g} (σ_w = {point.sigma_w:.4g}, σ_b = {point.sigma_b:.4g}) is "
            f"{point.stability}: V'(q) = {point.slope:.4g}, so second moments leave it with depth"
        )
    return point
