"""Expectations over a normal pre-activation: the numbers that mean-field theory is made of.

Adaptive Gauss–Legendre quadrature: a fixed Gauss–Hermite rule is off in the third digit for every activation with a
kink, and does not know where the kinks are. Panels are bisected until they agree with their halves; as dyadic points
come first, the usual kinks (0, ±1, ±3, 6) cost nothing.

``gaussian_expectation`` is for unit variance, and its last bits stand in studies: they scale initial weights. All else
sums over panels that serve every variance (``panels``): another one costs no new value of the function.
"""

import math
from dataclasses import dataclass

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.later import jax
from actlab.theory import panels
from actlab.theory.errors import TheoryError
from actlab.theory.panel_sums import Function, integrals, raw_moments, require_variance

LIMIT = 12.0  # beyond: a mass of 4e-33
PANELS = 48
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
SIZE = 2 * PANELS * len(NODES)
BLOCK = 2 * PANELS  # panels in one call: always as many, so that a JAX function is compiled once
TOLERANCE = 1e-14
MOST = 4096  # more open panels than that are noise or a very rough function, not kinks: what is known then will do
ROUNDS = 50  # a jump of φ' is then pinned down to 12/48·2⁻⁵⁰

NAMES = ("mean", "second_moment", "slope_mean", "slope_second_moment", "z_value_slope")


@dataclass(frozen=True)
class Estimate:
    """A number and by how much it may be off.

    Attributes:
        value: the number.
        error: an estimate of the most that it is off by, in its unit.
    """

    value: float
    error: float


@dataclass(frozen=True)
class GaussianMoments:
    """What theory needs of φ where its argument is normal with variance q; Z is standard normal.

    Attributes:
        q: the variance.
        mean: E φ(√q·Z).
        second_moment: E φ(√q·Z)².
        slope_mean: E φ'(√q·Z).
        slope_second_moment: E φ'(√q·Z)².
        z_value_slope: E Z·φ(√q·Z)·φ'(√q·Z), with what jumps of φ contribute: √q·d/dq E φ(√q·Z)².
        error: by how much any of them may be off.
    """

    q: float
    mean: float
    second_moment: float
    slope_mean: float
    slope_second_moment: float
    z_value_slope: float
    error: float


def moments_at(phi: Function, q: float = 1.0) -> GaussianMoments:
    """Compute the Gaussian moments of an activation and its derivative at any variance, to about 1e-12.

        E φ, E φ², E φ', E φ'², E Z·φ·φ' at √q·Z, Z ~ N(0, 1)

    A first call for a function takes a tenth of a second, mostly to compile it, a further variance a fraction of a
    millisecond.

    Args:
        phi: the activation with its parameters filled in, ``phi(z)``, elementwise and differentiable by JAX.
        q: variance of the pre-activation, positive.

    Returns:
        The moments, and by how much they may be off.

    Raises:
        TheoryError: q is not a positive number; φ is no function of one number; a moment is not finite.

    >>> moments = moments_at(jax.numpy.abs, 4.0)
    >>> round(moments.second_moment, 12), round(moments.slope_second_moment, 12), round(moments.z_value_slope, 12)
    (4.0, 1.0, 2.0)

    Reference: Poole et al. 2016, arXiv:1606.05340, eq. 3; Schoenholz et al. 2017, arXiv:1611.01232, eq. 5.
    """
    values_5x1, error_1, reasons = raw_moments(phi, np.array([q], np.float64))
    if reasons:
        raise TheoryError(next(iter(reasons.values())))
    return GaussianMoments(*map(float, (q, *values_5x1[:, 0], error_1[0])))


def moments_over(phi: Function, q_Q: np.ndarray) -> dict[str, np.ndarray]:
    """Compute ``moments_at`` for many variances at once.

    Args:
        phi: as there.
        q_Q: variances [Q], positive.

    Returns:
        {name of a field of ``GaussianMoments``: its values [Q]}, ``error`` included.

    Raises:
        TheoryError: as there, for the first variance that it is raised for.

    >>> moments_over(jax.numpy.abs, np.array([1.0, 4.0]))["second_moment"].round(12).tolist()
    [1.0, 4.0]
    """
    values_5xQ, error_Q, reasons = raw_moments(phi, np.asarray(q_Q, np.float64))
    if reasons:
        raise TheoryError(next(iter(reasons.values())))
    return dict(zip(NAMES, values_5xQ, strict=True)) | {"q": np.asarray(q_Q, np.float64), "error": error_Q}


def expectation(f: Function, variance: float = 1.0) -> Estimate:
    """Compute E f(√q·Z) for Z standard normal and any variance q, with an error estimate.

        E f(√q·Z) = ∫ f(z) e^(−z²/2q) / √(2πq) dz

    Args:
        f: elementwise, float64 [N] -> [N]; called with 64-bit JAX enabled, always at the same number of points.
        variance: q, positive.

    Returns:
        The expectation, and by how much it may be off.

    Raises:
        TheoryError: the variance is not positive; the expectation is not finite.

    >>> round(expectation(np.square, 3.0).value, 12)
    3.0

    Reference: Davis & Rabinowitz 1984, Methods of Numerical Integration, §6 (adaptive quadrature).
    """

    def components(z_N: np.ndarray) -> np.ndarray:
        blocks = [np.pad(z_N[at : at + SIZE], (0, max(0, at + SIZE - len(z_N)))) for at in range(0, len(z_N), SIZE)]
        return np.concatenate([np.asarray(f(block), np.float64) for block in blocks])[: len(z_N)]

    return expectations(components, variance)[0]


def expectations(components: panels.Components, variance: float = 1.0) -> tuple[Estimate, ...]:
    """Compute E f_k(√q·Z) of several functions together, as ``expectation`` does of one.

    Args:
        components: z [N] -> values [K, N], float64.
        variance: q, positive.

    Returns:
        The expectation of each, and by how much it may be off.

    Raises:
        TheoryError: as there.

    >>> [round(one.value, 12) for one in expectations(lambda z: np.stack([z**2, z**4]), 3.0)]
    [3.0, 27.0]

    Reference: as there.
    """
    require_variance(variance)

    def panels_to(k: int) -> panels.Panels:
        core = panels.innermost(k)
        rings = [panels.ring(components, ring) for ring in range(k, core, -1)]
        return panels.joined([*rings, panels.core(components, core)])

    with jax.enable_x64(True):
        values_Kx1, errors_Kx1, reasons = integrals(panels_to, np.array([variance]))
    if reasons:
        raise TheoryError(reasons[0])
    return tuple(
        Estimate(float(value), float(error)) for (value,), (error,) in zip(values_Kx1, errors_Kx1, strict=True)
    )


def variance_preserving_gain(phi: Function, q: float = 1.0) -> float:
    """Compute the σ_w, without biases, at which pre-activations of variance q give pre-activations of variance q.

        σ_w = √(q / E φ(√q·Z)²)

    Args:
        phi: the activation with its parameters filled in.
        q: variance of the pre-activation, positive.

    Returns:
        σ_w = std·√fan_in of the weights.

    Raises:
        TheoryError: see ``moments_at``; or φ is 0 almost everywhere.

    >>> round(variance_preserving_gain(jax.nn.relu, 3.0), 12) == round(math.sqrt(2), 12)
    True

    Reference: He et al. 2015, arXiv:1502.01852 (for ReLU); Poole et al. 2016, arXiv:1606.05340 (V(q) = q).
    """
    moment = moments_at(phi, q).second_moment
    if not moment > 0.0:
        raise TheoryError("no gain preserves the variance: φ is 0 wherever a pre-activation falls")
    return math.sqrt(q / moment)


def gaussian_expectation(f: Function) -> float:
    """Compute E f(Z) for Z standard normal, to about 1e-12 despite kinks and jumps.

        E f(Z) = ∫ f(z) e^(−z²/2) / √(2π) dz

    Args:
        f: elementwise, float64 [N] -> [N], with growth that the Gaussian tail outweighs; called with 64-bit JAX
            enabled, always at the same number of points.

    Returns:
        The expectation over |z| ≤ 12. An integral that does not exist is not noticed: ``expectation`` refuses it.

    >>> round(gaussian_expectation(np.abs), 12) == round(math.sqrt(2 / math.pi), 12)
    True

    Reference: Davis & Rabinowitz 1984, Methods of Numerical Integration, §6 (adaptive quadrature).
    """

    def integrals(left_P: np.ndarray, width_P: np.ndarray) -> np.ndarray:
        values = np.empty(len(left_P))
        for begin in range(0, len(left_P), BLOCK):
            block = slice(begin, begin + BLOCK)
            missing = (0, BLOCK - len(left_P[block]))
            left, width = np.pad(left_P[block], missing), np.pad(width_P[block], missing)
            z = left[:, None] + width[:, None] * (NODES + 1.0) / 2.0
            density = np.exp(-(z**2) / 2.0) / math.sqrt(2.0 * math.pi)
            f_z = np.asarray(f(z.ravel()), np.float64).reshape(z.shape)
            with np.errstate(over="ignore", invalid="ignore"):  # of what is no number, or padding at a pole
                values[block] = ((f_z * density) @ WEIGHTS * width / 2.0)[: len(left_P[block])]
        return values

    with jax.enable_x64(True):
        width = np.full(PANELS, 2.0 * LIMIT / PANELS)
        left = -LIMIT + width * np.arange(PANELS)
        whole = integrals(left, width)
        total = 0.0
        for _ in range(ROUNDS):
            half = width / 2.0
            halves = integrals(np.concatenate([left, left + half]), np.concatenate([half, half])).reshape(2, -1)
            both = halves.sum(axis=0)
            unconverged = np.abs(both - whole) > TOLERANCE * np.maximum(1.0, np.abs(both))
            total += both[~unconverged].sum()
            left, width, whole = (
                np.concatenate([left[unconverged], (left + half)[unconverged]]),
                np.tile(half[unconverged], 2),
                halves[:, unconverged].ravel(),
            )
            if not 0 < len(left) <= MOST:
                break
        return float(total + whole.sum())


def second_moment(phi: Function) -> float:
    """Compute E φ(Z)², Z standard normal: what one layer makes of unit-variance pre-activations.

    Args:
        phi: the activation with its parameters filled in, traceable by JAX.

    Returns:
        E φ(Z)², the last bits of which scale initial weights; ``moments_at`` says of any variance whether there is one.

    >>> round(second_moment(lambda z: jax.numpy.where(z > 0, z, 0)), 12)
    0.5

    Reference: Poole et al. 2016, arXiv:1606.05340 (the length map at q = 1, σ_w = 1, σ_b = 0).
    """
    return gaussian_expectation(lambda z: evaluate(phi, z)[0] ** 2)


def slope_second_moment(phi: Function) -> float:
    """Compute E φ'(Z)², Z standard normal: by how much one layer scales the squared norm of the backpropagated signal.

    Args:
        phi: the activation with its parameters filled in, differentiable by JAX.

    Returns:
        E φ'(Z)²; χ₁ = σ_w²·E φ'(Z)².

    >>> round(slope_second_moment(lambda z: jax.numpy.where(z > 0, z, 0)), 12)
    0.5

    Reference: Schoenholz et al. 2017, arXiv:1611.01232 (χ at q = 1, σ_w = 1).
    """
    return gaussian_expectation(lambda z: evaluate(phi, z)[1] ** 2)


def weak_threshold(phi: Function) -> float:
    """Compute .05·√E φ'(Z)²: a unit whose |φ'| never exceeds this on the training rows counts as weak.

    Args:
        phi: the activation with its parameters filled in, differentiable by JAX.

    Returns:
        The threshold, of a slope.

    >>> round(weak_threshold(lambda z: 2.0 * z), 12)
    0.1
    """
    return 0.05 * math.sqrt(slope_second_moment(phi))
