"""Critical initialisation: weight and bias variances at which neither second moments nor gradients change with depth.

At a critical point V(q) = q and χ₁ = 1. For a given q both follow from two moments, without a search:

    σ_w² = 1 / E φ'(√q·Z)²,   σ_b² = q − σ_w²·E φ(√q·Z)²

It is of use only where second moments are drawn to q, that is where |V'(q)| < 1.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from actlab.theory.errors import TheoryError
from actlab.theory.gaussian import moments_at
from actlab.theory.mean_field import SAME, fixed_points
from actlab.theory.panel_sums import Function, homogeneous, raw_moments, require_elementwise

TOLERANCE = 1e-9
"""Relative: what is less from the edge of stability, or from σ_b = 0, is on it."""

ROUND_Q = np.array([digit * 10.0**power for power in range(-3, 5) for digit in (1.0, 2.0, 5.0)])
GRID_Q = 2.0 ** np.arange(-12.0, 18.01, 0.25)
HALVINGS = 60
MOST_SLOPE = math.exp(-1.0 / 100.0)
FLAT = "no critical point: φ' is 0 wherever a pre-activation falls, so no σ_w gives χ₁ = 1"


@dataclass(frozen=True)
class CriticalPoint:
    """Weight and bias variances at which χ₁ = 1 and V(q) = q.

    Attributes:
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.
        q: second moment of the pre-activations.
        slope: V'(q).
        stability: ``stable`` (|V'| < 1), ``half-stable`` (V' = 1), ``unstable``, or ``homogeneous``
            (φ(λz) = λφ(z) for λ > 0: every q is kept).
        attracts_to: second moments from this one on are not drawn to q, V's next fixed point; infinity without one.

    >>> CriticalPoint(2**0.5, 0.0, 1.0, 1.0, "homogeneous").attracts_to  # ReLU's, He's initialisation
    inf

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, §3.
    """

    sigma_w: float
    sigma_b: float
    q: float
    slope: float
    stability: str
    attracts_to: float = math.inf


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
        raise TheoryError(FLAT)
    sigma_w = 1.0 / math.sqrt(moments.slope_second_moment)
    slope = moments.z_value_slope / moments.slope_second_moment / math.sqrt(q)
    if homogeneous(phi):
        return CriticalPoint(sigma_w, 0.0, float(q), 1.0, "homogeneous")
    bias_variance = q - moments.second_moment / moments.slope_second_moment
    if abs(bias_variance) <= TOLERANCE * q:
        bias_variance = 0.0
    if bias_variance < 0.0:
        raise TheoryError(
            f"no critical point at q = {q:.4g}: χ₁ = 1 asks for σ_w = {sigma_w:.4g}, which alone gives a second "
            f"moment of {q - bias_variance:.4g}, above q; σ_b² would have to be {bias_variance:.4g}"
        )
    stability = "half-stable" if abs(slope - 1.0) <= TOLERANCE else "stable" if abs(slope) < 1.0 else "unstable"
    return CriticalPoint(sigma_w, math.sqrt(bias_variance), float(q), slope, stability)


def critical_point(phi: Function, q: float | None = None) -> CriticalPoint:
    """Find σ_w and σ_b at which layers keep second moments and gradients, and second moments are drawn back to q.

    Without a q, one is chosen (see ``default_q``): 1 where that will do, as for tanh or SELU, and for positively
    homogeneous functions, which keep every q with σ_b = 0; for sigmoid where σ_b = 0; for GELU, swish and mish 10, 50
    and 5, where second moments are drawn back within 100 layers.

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
    point = solution(phi, default_q(phi) if q is None else q)
    if point.stability in ("unstable", "half-stable"):
        raise TheoryError(
            f"the critical point at q = {point.q:.4g} (σ_w = {point.sigma_w:.4g}, σ_b = {point.sigma_b:.4g}) is "
            f"{point.stability}: V'(q) = {point.slope:.4g}, so second moments leave it with depth"
        )
    if point.stability == "homogeneous":
        return point
    others = fixed_points(phi, point.sigma_w, point.sigma_b)
    above = (one.q for one in others if one.q > point.q * (1.0 + SAME))
    return replace(point, attracts_to=min(above, default=math.inf))


@lru_cache(maxsize=256)
def default_q(phi: Function) -> float:
    """Choose the second moment of a critical point where none is asked for.

    1 for a homogeneous φ. Else, going up in q, stable points may begin where σ_b² becomes positive: that end. Or V'
    falls below 1: then the least of 1, 2, 5, 10, … that draws second moments back by a factor e within 100 layers
    (V' ≤ .99); if all such lie below 1 the largest of ½, ⅕, ⅒, …; and if there are none the q of the least V'.

    Args:
        phi: the activation with its parameters filled in.

    Returns:
        q = E z², positive.

    Raises:
        TheoryError: see ``moments_at``; or no q has a stable critical point, with the reason.

    >>> import jax
    >>> default_q(jax.numpy.tanh), default_q(jax.nn.swish)
    (1.0, 50.0)
    """
    if homogeneous(phi):
        return solution(phi, 1.0).q
    squares, slopes = on_line(phi, ROUND_Q)
    drawn = (squares > 0.0) & (np.abs(slopes) <= MOST_SLOPE)
    if drawn[ROUND_Q == 1.0]:
        return 1.0
    squares, slopes = on_line(phi, GRID_Q)
    exists, attracts = squares > 0.0, np.abs(slopes) < 1.0 - TOLERANCE
    begins = np.flatnonzero(exists & attracts)
    if np.isnan(squares).all():
        *_, reasons = raw_moments(phi, GRID_Q)
        raise TheoryError(next(iter(reasons.values()), FLAT))
    if not exists.any():
        raise TheoryError(
            "no critical point: wherever χ₁ = 1, the weights alone raise the second moment of pre-activations, so that "
            "σ_b² would have to be negative, at every q"
        )
    if not len(begins):
        raise TheoryError(
            "no stable critical point: |V'(q)| ≥ 1 wherever χ₁ = 1 and V(q) = q, so second moments leave it with depth"
        )
    first = begins[0]
    if first and attracts[first - 1]:
        return end_of_line(phi, GRID_Q[first - 1], GRID_Q[first])
    if drawn.any():
        from_one = drawn & (ROUND_Q >= 1.0)
        return float(ROUND_Q[from_one].min() if from_one.any() else ROUND_Q[drawn].max())
    return float(GRID_Q[begins[np.abs(slopes[begins]).argmin()]])


def on_line(phi: Function, q_Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute σ_b² and V' of the solutions of χ₁ = 1 and V(q) = q at some q.

        σ_b² = q − E φ²/E φ'²,   V' = E Zφφ'/(√q·E φ'²)

    Args:
        phi: the activation with its parameters filled in.
        q_Q: second moments [Q], positive.

    Returns:
        σ_b² [Q], negative where there is no solution, and V' [Q]; NaN where a moment is not finite or φ' is 0.

    Raises:
        TheoryError: see ``raw_moments``.

    >>> import jax.numpy as jnp
    >>> [one.round(3).tolist() for one in on_line(jnp.tanh, np.array([1.0, 4.0]))]
    [[0.151, 1.518], [0.391, 0.15]]
    """
    (_, square_Q, _, slope_square_Q, z_value_slope_Q), _, reasons = raw_moments(phi, q_Q)
    known_Q = slope_square_Q > 0.0
    known_Q[list(reasons)] = False
    chi_Q = np.where(known_Q, slope_square_Q, np.nan)
    return q_Q - square_Q / chi_Q, z_value_slope_Q / chi_Q / np.sqrt(q_Q)


def end_of_line(phi: Function, below: float, above: float) -> float:
    """Bisect for the q at which σ_b² of the solution is 0.

    Args:
        phi: the activation with its parameters filled in.
        below, above: second moments at which σ_b² is not positive and positive.

    Returns:
        q, to rounding on the side where σ_b² > 0.

    Raises:
        TheoryError: see ``raw_moments``.

    >>> import jax
    >>> round(end_of_line(jax.nn.sigmoid, 1.0, 50.0), 3)
    45.624
    """
    for _ in range(HALVINGS):
        middle = math.sqrt(below * above)
        below, above = (below, middle) if on_line(phi, np.array([middle]))[0][0] > 0.0 else (middle, above)
    return float(above)


def critical_line(phi: Function, qs: Iterable[float]) -> dict[float, CriticalPoint | str]:
    """Solve χ₁ = 1 and V(q) = q along a line of second moments.

    Args:
        phi: the activation with its parameters filled in.
        qs: second moments, positive.

    Returns:
        {q: the solution there, stable or not, or the reason why there is none}.

    Raises:
        TheoryError: φ is no function of one number.

    >>> import jax
    >>> line = critical_line(jax.nn.sigmoid, (1.0, 50.0))
    >>> line[1.0][:28], round(line[50.0].sigma_w, 2)
    ('no critical point at q = 1: ', 10.38)

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, Figure 1.
    """
    require_elementwise(phi)
    line: dict[float, CriticalPoint | str] = {}
    for q in qs:
        try:
            line[q] = solution(phi, q)
        except TheoryError as error:
            line[q] = str(error)
    return line
