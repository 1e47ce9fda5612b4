"""Self-normalisation: how mean and variance of activations go through a layer, and whether they are drawn to a point.

A unit whose inputs have mean μ and variance ν, and whose weights have the sum ω and the sum of squares τ, has by the
central limit theorem

    z ~ N(μω, ντ),   μ' = E φ(z),   ν' = E φ(z)² − μ'²

Normal weights of variance g²/fan_in have τ = g² and a sum ω that is 0 on average but g² in mean square: over all
units E z² = g²·(ν + μ²), and what other gains do is the variance map's business (``of_gain``). g = 1 is LeCun's.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.theory import panels
from actlab.theory.errors import TheoryError
from actlab.theory.gaussian import moments_at
from actlab.theory.mean_field import require_scales, settled
from actlab.theory.panel_sums import Function, panels_of, parts, require_variance

MOST_OFF = 4.0  # standard deviations that the mean of z may be from 0: panels are graded around 0
STEPS = 1_000
SETTLED = 1e-13


@dataclass(frozen=True)
class Region:
    """The μ, ν, ω and τ that are looked at, each from least to most; those of the paper's theorem if left out.

    Attributes:
        mean: of μ.
        variance: of ν.
        weight_sum: of ω.
        weight_square_sum: of τ.

    Reference: Klambauer et al. 2017, arXiv:1706.02515, Theorem 1.
    """

    mean: tuple[float, float] = (-0.1, 0.1)
    variance: tuple[float, float] = (0.8, 1.5)
    weight_sum: tuple[float, float] = (-0.1, 0.1)
    weight_square_sum: tuple[float, float] = (0.95, 1.1)


@dataclass(frozen=True)
class Contraction:
    """What the map does to a region.

    Attributes:
        norm: the largest singular value of the Jacobian found in it; the map contracts if it is below 1.
        mean: least and most μ' of what comes out.
        variance: least and most ν' of what comes out.
        into_itself: whether both lie in the region.
    """

    norm: float
    mean: tuple[float, float]
    variance: tuple[float, float]
    into_itself: bool

    @property
    def contracts(self) -> bool:
        """Whether by Banach's theorem every (μ, ν) in the region is drawn to one fixed point."""
        return self.into_itself and self.norm < 1.0


def layer_map(phi: Function, mean: float, variance: float, omega: float = 0.0, tau: float = 1.0) -> tuple[float, float]:
    """Compute mean and variance of a layer's activations from those of its inputs.

        μ' = E φ(z),   ν' = E φ(z)² − μ'²,   z ~ N(μω, ντ)

    Args:
        phi: the activation with its parameters filled in.
        mean: μ of the inputs.
        variance: ν of the inputs, positive.
        omega: ω, the sum of a unit's weights.
        tau: τ, the sum of their squares, positive.

    Returns:
        (μ', ν').

    Raises:
        TheoryError: ν or τ is not positive; |μω| is more than 4√(ντ); a moment is not finite.

    >>> [round(value, 12) for value in layer_map(lambda z: 2.0 * z + 1.0, 1.0, 1.0, 0.5)]
    [2.0, 4.0]

    Reference: Klambauer et al. 2017, arXiv:1706.02515, eq. 4 and 5.
    """
    out, square, *_ = around(phi, mean * omega, variance * tau)
    return out, square - out**2


def jacobian(phi: Function, mean: float, variance: float, omega: float = 0.0, tau: float = 1.0) -> np.ndarray:
    """Compute the Jacobian of ``layer_map``, without a second derivative, by Stein's lemma.

        ∂E g/∂μ = ω·E g'(z),   ∂E g/∂ν = τ·E[Z·g'(z)] / 2√(ντ),   z = μω + √(ντ)·Z

    Args:
        phi, mean, variance, omega, tau: as there.

    Returns:
        [[∂μ'/∂μ, ∂μ'/∂ν], [∂ν'/∂μ, ∂ν'/∂ν]].

    Raises:
        TheoryError: as there.

    >>> (jacobian(lambda z: 2.0 * z + 1.0, 1.0, 1.0, 0.5).round(12) + 0.0).tolist()
    [[1.0, 0.0], [0.0, 4.0]]

    Reference: Klambauer et al. 2017, arXiv:1706.02515, eq. 6.
    """
    out, _, slope, value_slope, z_slope, z_value_slope = around(phi, mean * omega, variance * tau)
    by_spread = tau / (2.0 * np.sqrt(variance * tau))
    of_mean = np.array([omega * slope, by_spread * z_slope])
    of_square = 2.0 * np.array([omega * value_slope, by_spread * z_value_slope])
    return np.stack([of_mean, of_square - 2.0 * out * of_mean])


def around(phi: Function, mean: float, variance: float) -> tuple[float, ...]:
    """Compute E φ, φ², φ', φφ', Zφ' and Zφφ' at mean + √variance·Z.

    Args:
        phi: the activation with its parameters filled in.
        mean: of z, within four standard deviations of 0.
        variance: of z, positive.

    Returns:
        The six expectations.

    Raises:
        TheoryError: see ``layer_map``.

    >>> [round(one, 9) + 0.0 for one in around(lambda z: 2.0 * z, 1.0, 1.0)]
    [2.0, 8.0, 2.0, 4.0, 0.0, 4.0]
    """
    require_variance(variance)
    if not abs(mean) <= MOST_OFF * np.sqrt(variance):
        raise TheoryError(
            f"expected a mean of z within {MOST_OFF:g} standard deviations of 0, not {mean:.4g} ± {variance**0.5:.4g}"
        )
    wider = variance + mean**2
    moments_at(phi, wider)  # that moments are finite
    here = panels_of(*parts(phi), panels.outermost(wider))
    z_N = (here.z_N - mean) / np.sqrt(variance)
    density_N = panels.density(here.z_N - mean, np.array([variance]))[0]
    value, square, slope, _, z_value_slope = here.f_KxN * density_N
    value_slope = z_value_slope / here.z_N
    sums = (value, square, slope, value_slope, z_N * slope, z_N * value_slope)
    return tuple(float(one.sum()) for one in sums)


def fixed_point(phi: Function, omega: float = 0.0, tau: float = 1.0) -> tuple[float, float]:
    """Find the mean and variance that layers settle at, starting from (0, 1).

    Args:
        phi: the activation with its parameters filled in.
        omega: ω, the sum of a unit's weights.
        tau: τ, the sum of their squares, positive.

    Returns:
        (μ, ν) with ``layer_map`` (μ, ν) = (μ, ν).

    Raises:
        TheoryError: see ``layer_map``; or they grow without bound, shrink to 0 or do not settle.

    >>> import jax
    >>> [round(value, 6) + 0.0 for value in fixed_point(jax.nn.selu)]
    [0.0, 1.0]

    Reference: Klambauer et al. 2017, arXiv:1706.02515, §2.
    """
    mean, variance = 0.0, 1.0
    for _ in range(STEPS):
        next_mean, next_variance = layer_map(phi, mean, variance, omega, tau)
        if not 1e-12 < next_variance < 1e12:
            raise TheoryError(
                f"no fixed point: with ω = {omega:.4g} and τ = {tau:.4g} the variance of activations "
                f"{'shrinks to 0' if next_variance < 1.0 else 'grows without bound'}"
            )
        if abs(next_mean - mean) + abs(next_variance - variance) <= SETTLED * variance:
            return next_mean, next_variance
        mean, variance = next_mean, next_variance
    before, after = variance, layer_map(phi, mean, variance, omega, tau)[1]
    raise TheoryError(
        f"no fixed point within {STEPS:,} layers: with ω = {omega:.4g} and τ = {tau:.4g} the variance of activations "
        f"is {after:.4g} then, and {after - before:+.2g} a layer"
    )


def of_gain(phi: Function, gain: float) -> tuple[float, float]:
    """Find the mean and standard deviation that activations settle at under normal weights of a gain, without biases.

        q* = g²·E φ(√q*·Z)²,   μ = E φ(√q*·Z),   √(q*/g² − μ²)

    Args:
        phi: the activation with its parameters filled in.
        gain: g = std·√fan_in of the weights, positive.

    Returns:
        Mean and standard deviation over units, starting from E z² = g².

    Raises:
        TheoryError: see ``mean_field.settled``; or g is not positive.

    >>> import jax
    >>> round(of_gain(jax.nn.selu, 0.75)[1], 2)  # the gain that PyTorch gives for SELU
    0.2

    Reference: Klambauer et al. 2017, arXiv:1706.02515, §2; Poole et al. 2016, arXiv:1606.05340, eq. 3.
    """
    require_scales(gain)
    q = settled(phi, gain, 0.0, gain**2).q
    if not q > 0.0:
        return float(evaluate(phi, np.zeros(1))[0, 0]), 0.0
    moments = moments_at(phi, q)
    return moments.mean, float(np.sqrt(max(0.0, moments.second_moment - moments.mean**2)))


def contraction(phi: Function, region: Region = Region(), steps: int = 5) -> Contraction:
    """Find what ``layer_map`` does to a region, at the points of a grid: a check, not a proof.

    Args:
        phi: the activation with its parameters filled in.
        region: of μ, ν, ω and τ.
        steps: points of the grid along each.

    Returns:
        The largest singular value of the Jacobian, and where the region is mapped to.

    Raises:
        TheoryError: see ``layer_map``.

    >>> import jax
    >>> contraction(jax.nn.selu, steps=3).contracts
    True

    Reference: Klambauer et al. 2017, arXiv:1706.02515, Theorem 1.
    """
    axes = (region.mean, region.variance, region.weight_sum, region.weight_square_sum)
    norms, images = [], []
    for point in itertools.product(*(np.linspace(*axis, steps).tolist() for axis in axes)):
        norms.append(np.linalg.norm(jacobian(phi, *point), 2))
        images.append(layer_map(phi, *point))
    means, variances = zip(*images, strict=True)
    within = (
        region.mean[0] <= min(means) <= max(means) <= region.mean[1]
        and region.variance[0] <= min(variances) <= max(variances) <= region.variance[1]
    )
    return Contraction(float(max(norms)), (min(means), max(means)), (min(variances), max(variances)), within)
