"""Mean-field maps of a wide random network: how variance, correlation and gradients go from layer to layer.

A layer is z_l = h_{l−1}·W_l + b_l with W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²), h = φ(z). In the limit of infinite width
pre-activations are normal, with variance q = E z² for one input and correlation c between those of two.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.theory.errors import TheoryError
from actlab.theory.gaussian import moments_at
from actlab.theory.panel_sums import LEAST_Q, Function, homogeneous, raw_moments, require_variance

LOG2_Q = np.arange(-30.0, 20.01, 0.25)
"""Where fixed points are looked for: from q = 1e−9 to 1e6."""
NOISE = 8.0  # errors of V(q)/q; what is less than that is 0
NEAR, FINER = 1e-4, 16  # |V(q)/q − 1| of where the grid is made so many times finer
TANGENT = 1e-11  # |V(q)/q − 1| where V touches the diagonal, for moments that are known to some 1e-13
SAME = 1e-8  # a start that is so near a fixed point, as a share, is at it
AT_ZERO = 1e-30  # |z| of where φ' is taken to be what it is next to 0
JUMP = 1e-9  # |φ| next to 0 of what jumps there
HALVINGS = 60


@dataclass(frozen=True)
class FixedPoint:
    """A second moment that a wide layer hands on unchanged, V(q) = q.

    Attributes:
        q: E z², the fixed point.
        slope: V'(q); at q = 0 the limit from above.
        chi: χ₁ there, likewise.
        stability: ``stable`` (others are drawn to it), ``half-stable`` (from one side only), ``unstable``, or
            ``neutral`` (V(q) = q for every q; the one given stands for all).

    >>> FixedPoint(0.79, 0.5, 1.14, "half-stable").stable
    False

    Reference: Poole et al. 2016, arXiv:1606.05340, §3.
    """

    q: float
    slope: float
    chi: float
    stability: str

    @property
    def stable(self) -> bool:
        """Whether second moments on both sides are drawn to it."""
        return self.stability == "stable"


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

        V'(q) = σ_w²·E[Z·φ(√q·Z)·φ'(√q·Z)] / √q = σ_w²·E[(Z² − 1)·φ(√q·Z)²] / 2q

    The second form, by parts, needs no derivative at all; it is taken where φ jumps, which φ' does not show.

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

    Args:
        sigmas: σ_w, σ_b and the like.

    Raises:
        TheoryError: one is negative or no finite number.

    >>> require_scales(1.5, -0.5)
    Traceback (most recent call last):
    actlab.theory.errors.TheoryError: expected a standard deviation of at least 0, not -0.5
    """
    for sigma in sigmas:
        if not 0.0 <= sigma < np.inf:
            raise TheoryError(f"expected a standard deviation of at least 0, not {sigma:.4g}")


def fixed_points(phi: Function, sigma_w: float, sigma_b: float = 0.0) -> tuple[FixedPoint, ...]:
    """Find every second moment that layers hand on unchanged, and whether others are drawn to it.

        V(q) = q for q from 1e−9 to 1e6, and q = 0

    Stability is read off the sign of V(q) − q on both sides, which also decides where V'(q) = 1. For a positively
    homogeneous φ, as ReLU, V is a straight line: V(q) = χ₁·q + σ_b² has one fixed point at most, whatever its size,
    or where χ₁ = 1 to rounding and σ_b = 0 every q.

    Args:
        phi: the activation with its parameters filled in.
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.

    Returns:
        The fixed points in ascending order; none where second moments grow without bound, or to where φ has no moments.

    Raises:
        TheoryError: see ``moments_at``; or σ_w or σ_b is negative.

    >>> import jax.numpy as jnp
    >>> [(round(point.q, 3), point.stability) for point in fixed_points(jnp.tanh, 1.5, 0.0)]
    [(0.0, 'unstable'), (0.793, 'stable')]

    Reference: Poole et al. 2016, arXiv:1606.05340, §3.
    """
    require_scales(sigma_w, sigma_b)
    if homogeneous(phi):
        return on_a_straight_line(phi, sigma_w, sigma_b)
    q_Q, growth_Q, above_Q, turn_Q = looked_at(phi, LOG2_Q, sigma_w, sigma_b)
    near = (np.abs(growth_Q - 1.0) < NEAR) & (above_Q != 0.0)
    if near.any():  # two fixed points may lie close together
        finer = np.arange(1, FINER) / FINER * (LOG2_Q[1] - LOG2_Q[0])
        log2_q = np.union1d(LOG2_Q[: len(q_Q)], np.ravel(LOG2_Q[: len(q_Q)][near, None] + [*finer, *-finer]))
        q_Q, growth_Q, above_Q, turn_Q = looked_at(phi, log2_q, sigma_w, sigma_b)
    signed = np.flatnonzero(above_Q)
    if not len(signed):  # all but homogeneous
        return (fixed_point(phi, 1.0, sigma_w, "neutral"),)

    def excess(q: float) -> float:
        return variance_map(phi, q, sigma_w, sigma_b) / q - 1.0

    def turning(q: float) -> float:
        return variance_slope(phi, q, sigma_w) - variance_map(phi, q, sigma_w, sigma_b) / q

    points = []
    first = above_Q[signed[0]]
    if sigma_b == 0.0 and evaluate(phi, np.zeros(1))[0, 0] == 0.0:
        from_zero = at_zero(phi, sigma_w, first)
        points.append(from_zero)
        if from_zero.stable == (first > 0):  # there is another one, nearer to 0 than was looked
            points.append(fixed_point(phi, bisect(excess, LEAST_Q, q_Q[signed[0]]), sigma_w, STABILITY[-first]))
    elif first < 0:
        lowest = variance_map(phi, q_Q[0] ** 2, sigma_w, sigma_b) / 2.0
        points.append(fixed_point(phi, bisect(excess, lowest, q_Q[signed[0]]), sigma_w, "stable"))
    for here, there in itertools.pairwise(signed):
        left, right, side = q_Q[here], q_Q[there], above_Q[here]
        if side != above_Q[there]:
            points.append(fixed_point(phi, bisect(excess, left, right), sigma_w, STABILITY[side]))
        elif turn_Q[here] == -side and turn_Q[there] == side:  # towards the diagonal, then away from it
            nearest = bisect(turning, left, right)
            if abs(excess(nearest)) <= TANGENT:
                points.append(fixed_point(phi, nearest, sigma_w, "half-stable"))
            elif np.sign(excess(nearest)) != side:
                points.append(fixed_point(phi, bisect(excess, left, nearest), sigma_w, STABILITY[side]))
                points.append(fixed_point(phi, bisect(excess, nearest, right), sigma_w, STABILITY[-side]))
    return tuple(points)


def on_a_straight_line(phi: Function, sigma_w: float, sigma_b: float) -> tuple[FixedPoint, ...]:
    """Find the fixed points of V(q) = χ₁·q + σ_b², a homogeneous φ's: σ_b²/(1 − χ₁) where χ₁ < 1.

    Args:
        phi: the activation, positively homogeneous.
        sigma_w, sigma_b: see ``fixed_points``.

    Returns:
        The one there is, or none.

    Raises:
        TheoryError: see ``moments_at``.

    >>> [point] = on_a_straight_line(abs, 0.5, 1.0)
    >>> round(point.q, 12), point.stability
    (1.333333333333, 'stable')
    """
    moments = moments_at(phi)
    growth = sigma_w**2 * moments.second_moment
    noise = NOISE * (sigma_w**2 * moments.error + np.finfo(float).eps)
    if abs(growth - 1.0) <= noise:
        return () if sigma_b else (FixedPoint(1.0, growth, growth, "neutral"),)
    if growth > 1.0:
        return () if sigma_b else (FixedPoint(0.0, growth, growth, "unstable"),)
    return (FixedPoint(sigma_b**2 / (1.0 - growth), growth, growth, "stable"),)


def at_zero(phi: Function, sigma_w: float, next_side: float) -> FixedPoint:
    """Describe q = 0, next to which φ is two straight lines: V'(0) = χ₁ = σ_w²·(φ'(0⁻)² + φ'(0⁺)²)/2.

    Where that is 1, as for tanh at σ_w = 1, no small q tells it: V'(q) − 1 is of the size of q. Where φ jumps at 0, as
    sign does, V does too. Where V'(0) is 1 to rounding the sign of V(q) − q next to 0 decides.

    Args:
        phi: the activation, φ(0) = 0.
        sigma_w: σ_w = std·√fan_in of the weights.
        next_side: the sign of V(q) − q at the least q that is not on the diagonal.

    Returns:
        The fixed point q = 0.

    >>> import jax.numpy as jnp
    >>> at_zero(jnp.tanh, 0.5, -1.0)
    FixedPoint(q=0.0, slope=0.25, chi=0.25, stability='stable')
    """
    value, slope = evaluate(phi, np.array([-AT_ZERO, AT_ZERO]))
    chi_1 = sigma_w**2 * float(np.mean(slope**2))
    slope_0 = np.inf if sigma_w * np.abs(value).max() > JUMP else chi_1
    side = next_side if abs(slope_0 - 1.0) <= NOISE * np.finfo(float).eps else np.sign(slope_0 - 1.0)
    return FixedPoint(0.0, slope_0, chi_1, "stable" if side < 0 else "unstable")


def looked_at(phi: Function, log2_q: np.ndarray, sigma_w: float, sigma_b: float) -> tuple[np.ndarray, ...]:
    """Compute V(q)/q on a grid, as far as moments are finite.

    Args:
        phi, sigma_w, sigma_b: see ``fixed_points``.
        log2_q: the grid, ascending.

    Returns:
        q, V/q, the signs of V/q − 1 and of V' − V/q; a sign within rounding is 0.

    Raises:
        TheoryError: see ``raw_moments``; or not even the first is finite.

    >>> q, growth, above, _ = looked_at(abs, np.array([0.0, 1.0]), 1.0, 1.0)
    >>> q.tolist(), growth.round(9).tolist(), above.tolist()
    ([1.0, 2.0], [2.0, 1.5], [1.0, 1.0])
    """
    q_Q = 2.0**log2_q
    (_, square_Q, _, _, z_value_slope_Q), error_Q, reasons = raw_moments(phi, q_Q)
    known = min(reasons, default=len(q_Q))
    if not known:
        raise TheoryError(reasons[0])
    growth_Q = (sigma_w**2 * square_Q + sigma_b**2) / q_Q
    noise_Q = NOISE * (sigma_w**2 * np.minimum(error_Q, square_Q) / q_Q + np.finfo(float).eps)
    above_Q = np.where(np.abs(growth_Q - 1.0) > noise_Q, np.sign(growth_Q - 1.0), 0.0)
    turn_Q = sigma_w**2 * z_value_slope_Q / np.sqrt(q_Q) - growth_Q
    turn_Q = np.where(np.abs(turn_Q) > noise_Q, np.sign(turn_Q), 0.0)  # where V is straight its turns are rounding
    return q_Q[:known], growth_Q[:known], above_Q[:known], turn_Q[:known]


STABILITY = {1.0: "stable", -1.0: "unstable"}
"""Sign of V(q) − q below a crossing of the diagonal -> what the crossing is."""


def fixed_point(phi: Function, q: float, sigma_w: float, stability: str) -> FixedPoint:
    """Describe a fixed point; one around which second moments swing ever wider (V' ≤ −1) is not stable either.

    Raises:
        TheoryError: see ``moments_at``.
    """
    slope, chi_1 = slope_and_chi(phi, q, sigma_w)
    return FixedPoint(float(q), slope, chi_1, "unstable" if slope <= -1.0 else stability)


def slope_and_chi(phi: Function, q: float, sigma_w: float) -> tuple[float, float]:
    """Compute V'(q) and χ₁: ``variance_slope`` and ``chi``.

    Raises:
        TheoryError: see ``moments_at``.
    """
    return variance_slope(phi, q, sigma_w), chi(phi, q, sigma_w)


def bisect(f: Callable[[float], float], left: float, right: float) -> float:
    """Find where f changes its sign between two positive numbers, halving their ratio on a logarithmic scale.

    Args:
        f: a function of one number, of different signs at both.
        left, right: the numbers, 0 < left < right.

    Returns:
        The place, to a last bit or two.

    >>> round(bisect(lambda q: q - 2.0, 1.0, 16.0), 12)
    2.0
    """
    at_left = np.sign(f(left))
    for _ in range(HALVINGS):
        middle = float(np.sqrt(left * right))
        left, right = (middle, right) if np.sign(f(middle)) == at_left else (left, middle)
    return float(right)


def settled(phi: Function, sigma_w: float, sigma_b: float = 0.0, q: float = 1.0) -> FixedPoint:
    """Find where second moments go from a start: up to the next fixed point if V(q) > q, else down to it.

    Args:
        phi: the activation with its parameters filled in.
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.
        q: second moment of the first layer's pre-activations, positive.

    Returns:
        The fixed point, q* = 0 included. Where V falls steeply second moments may swing past it.

    Raises:
        TheoryError: see ``fixed_points``; q is no positive number; or second moments grow without bound.

    >>> import jax.numpy as jnp
    >>> round(settled(jnp.tanh, 1.5).q, 3)
    0.793

    Reference: Poole et al. 2016, arXiv:1606.05340, §3.
    """
    require_variance(q)
    points = fixed_points(phi, sigma_w, sigma_b)
    if points and points[0].stability == "neutral":
        return fixed_point(phi, q, sigma_w, "neutral")
    at = [point for point in points if abs(point.q - q) <= SAME * q]
    if at:
        return at[0]
    if variance_map(phi, q, sigma_w, sigma_b) > q:
        above = [point for point in points if point.q > q]
        if not above:
            *_, beyond = raw_moments(phi, 2.0**LOG2_Q)
            start = f"from q = {q:.4g}"
            how = (
                f"{start}, to where there are none: {next(iter(beyond.values()))}"
                if beyond
                else f"without bound {start}"
            )
            raise TheoryError(
                f"no fixed point q*: with σ_w = {sigma_w:.4g} and σ_b = {sigma_b:.4g} second moments grow {how}"
            )
        return above[0]
    below = [point for point in points if point.q < q]
    if not below:
        *_, unknown = raw_moments(phi, 2.0**LOG2_Q)
        raise TheoryError(
            f"no fixed point q* below q = {q:.4g} is known: {next(iter(unknown.values()), 'none is there')}"
        )
    return below[-1]
