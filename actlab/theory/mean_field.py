"""Mean-field maps of a wide random network: how variance, correlation and gradients go from layer to layer.

A layer is z_l = h_{l−1}·W_l + b_l with W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²), h = φ(z). In the limit of infinite width
pre-activations are normal, with variance q = E z² for one input and correlation c between those of two.
"""

import numpy as np

from actlab.theory.errors import TheoryError
from actlab.theory.gaussian import Function, moments_at


def variance_map(phi: Function, q: float, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Compute the second moment of the next layer's pre-activations.

        V(q) = σ_w²·E φ(√q·Z)² + σ_b²

    Args:
        phi: the activation with its parameters filled in.
        q: second moment of this layer's pre-activations, positive.
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.

    Returns:
        V(q).

    Raises:
        TheoryError: see ``moments_at``; or σ_w or σ_b is negative.

    >>> round(variance_map(abs, 3.0, 1.0, 2.0), 12)
    7.0

    Reference: Poole et al. 2016, arXiv:1606.05340, eq. 3.
    """
    require_scales(sigma_w, sigma_b)
    return sigma_w**2 * moments_at(phi, q).second_moment + sigma_b**2


def variance_slope(phi: Function, q: float, sigma_w: float) -> float:
    """Compute the slope of ``variance_map``, without a second derivative, which would miss what a kink contributes.

        V'(q) = σ_w²·E[Z·φ(√q·Z)·φ'(√q·Z)] / √q

    Args:
        phi: the activation with its parameters filled in.
        q: second moment of the pre-activations, positive.
        sigma_w: σ_w = std·√fan_in of the weights.

    Returns:
        V'(q): a fixed point is stable where it is below 1.

    Raises:
        TheoryError: see ``moments_at``; or σ_w is negative.

    >>> round(variance_slope(abs, 3.0, 0.5), 12)
    0.25

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, §3.
    """
    require_scales(sigma_w)
    return float(sigma_w**2 * moments_at(phi, q).z_value_slope / np.sqrt(q))


def chi(phi: Function, q: float, sigma_w: float) -> float:
    """Compute by how much one layer scales the squared norm of the backpropagated signal.

        χ₁ = σ_w²·E φ'(√q·Z)²

    Args:
        phi: the activation with its parameters filled in.
        q: second moment of the pre-activations, positive.
        sigma_w: σ_w = std·√fan_in of the weights.

    Returns:
        χ₁: below 1 gradients vanish, above they explode.

    Raises:
        TheoryError: see ``moments_at``; or σ_w is negative.

    >>> round(chi(abs, 3.0, 0.5), 12)
    0.25

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, eq. 6.
    """
    require_scales(sigma_w)
    return sigma_w**2 * moments_at(phi, q).slope_second_moment


def require_scales(*sigmas: float) -> None:
    """Refuse what is no standard deviation.

    Raises:
        TheoryError: one is negative or no finite number.
    """
    for sigma in sigmas:
        if not 0.0 <= sigma < np.inf:
            raise TheoryError(f"expected a standard deviation of at least 0, not {sigma:.4g}")
