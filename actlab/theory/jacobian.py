"""Singular values of the input–output Jacobian at initialisation: their mean square, and how far squares spread.

For functions with one slope on each side of 0 (linear, ReLU, leaky ReLU, |z|) the first two moments of the spectrum are
exact at any width, because a Jacobian is distributed as a product of weights and independent slopes: the sign of a
unit's weights decides on which side of 0 it lies, and that sign is lost in the weights of the layer above, which are
symmetric (Hanin & Nica 2020). At infinite width they are those of free probability (Pennington et al. 2017, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.theory.errors import TheoryError

NORMAL, ORTHOGONAL = "normal", "orthogonal"
WEIGHTS = (NORMAL, ORTHOGONAL)
FEWEST = 100  # sampled networks with a unit left; fewer say nothing of a mean of logarithms
OF_ONE_ROW = "exact moments at this width, of one row's logarithm"


@dataclass(frozen=True)
class Spectrum:
    """What is expected of the squared singular values s² of ∂outputs/∂x, over networks.

    Attributes:
        log10_mean_square: log10 of E of their mean.
        relative_variance: E of their variance within a Jacobian, divided by the square of E of their mean.
        relative_spread: the standard deviation of their mean over networks, divided by E of it.

    >>> round(Spectrum(1.0, 10.0, 0.0).log10_variance, 12)
    3.0
    """

    log10_mean_square: float
    relative_variance: float
    relative_spread: float

    @property
    def log10_variance(self) -> float:
        """log10 of E of their variance within a Jacobian: −∞ where all are equal."""
        return math.log10(self.relative_variance) + 2 * self.log10_mean_square if self.relative_variance else -math.inf


def infinite_width(
    depth: int, sigma_w: float, slopes: tuple[float, float] = (0.0, 1.0), weights: str = NORMAL
) -> Spectrum:
    """Compute mean and variance of s² for square layers of infinite width.

        E s² = χ^L,   Var s² = χ^(2L)·L·(μ₂/μ₁² − 1 − s₁),   χ = σ_w²·μ₁,  μ_k = E φ'(z)^(2k)

    where s₁ = −1 for Gaussian weights and 0 for orthogonal ones. Of the L hidden layers alone, without a readout.

    Args:
        depth: L, hidden layers.
        sigma_w: the weights' entries have variance σ_w²/width (orthogonal: are σ_w times an orthogonal matrix).
        slopes: φ' below and above 0: (0, 1) is ReLU, (1, 1) linear; z is symmetric about 0.
        weights: ``normal`` or ``orthogonal``.

    Returns:
        The spectrum; networks do not differ in its mean, ``relative_spread`` is 0.

    Raises:
        TheoryError: a number is out of its range, or there are no such weights.

    >>> relu = infinite_width(10, 2**0.5)
    >>> round(relu.log10_mean_square, 12), round(relu.relative_variance, 12)
    (0.0, 20.0)
    >>> infinite_width(10, 1.0, (1.0, 1.0), "orthogonal").relative_variance
    0.0

    Reference: Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735; 2018, arXiv:1802.09979.
    """
    check(depth, [sigma_w], slopes, weights)
    mu_1, mu_2 = slope_moments(slopes)
    s_1 = -1.0 if weights == NORMAL else 0.0
    return Spectrum(depth * log10(sigma_w**2 * mu_1), depth * (mu_2 / mu_1**2 - 1 - s_1), 0.0)


def finite_width(
    sizes: Sequence[int],
    stds: Sequence[float],
    slopes: tuple[float, float] = (0.0, 1.0),
    weights: str = NORMAL,
) -> Spectrum:
    """Compute mean and variance of s² for layers of any sizes, exactly; s are the largest min(sizes) singular values.

    J = R D_L W_L ⋯ D_1 W_1 from the outputs down, R the readout. With A = JᵀJ so far, each matrix maps what is expected
    of a = (tr A)², b = tr A² and, before slopes, of d = Σ_i A_ii² linearly:

    - slopes D, independent with E D² = μ₁ and E D⁴ = μ₂:  a ← μ₁²a + (μ₂ − μ₁²)d,  b ← μ₁²b + (μ₂ − μ₁²)d;
    - Gaussian weights W of I × O with variance σ²:  a ← σ⁴(I²a + 2Ib),  b ← σ⁴(I·a + I(I + 1)b),  d ← σ⁴I(a + 2b);
    - orthogonal ones, by the moments of Haar's measure, in ``through_orthogonal``.

    Args:
        sizes: inputs, units of each hidden layer, outputs.
        stds: of the entries of each hidden layer's weights; the readout's are normal with variance 1/fan-in.
        slopes: φ' below and above 0.
        weights: ``normal`` or ``orthogonal`` (of a rectangle the shorter side is), of the hidden layers.

    Returns:
        The spectrum of the whole network, readout included.

    Raises:
        TheoryError: a number is out of its range, or there are no such weights.

    >>> linear = finite_width([50] * 12, [50**-0.5] * 10, (1.0, 1.0))
    >>> round(linear.log10_mean_square, 12), round(linear.relative_variance, 1)
    (0.0, 12.5)

    Reference: Hanin & Nica 2020, arXiv:1812.05994 (the products); Collins & Śniady 2006 (Haar's moments).
    """
    check(len(stds), stds, slopes, weights)
    if len(sizes) != len(stds) + 2 or min(sizes) < 1:
        raise TheoryError(
            f"sizes {list(sizes)}: expected inputs, {len(stds)} hidden layers and outputs, 1 or more each"
        )
    mu_1, mu_2 = slope_moments(slopes)
    outputs, count = sizes[-1], min(sizes)
    log_mean, a, b = math.log10(outputs), 1.0, 1.0 / outputs  # of the identity [C, C], divided by (E tr A)² = C²
    a, b, d = through_normal(a, b, sizes[-2])  # the readout's variance 1/W leaves the mean as it is
    for fan_in, width, std in zip(sizes[-3::-1], sizes[-2:0:-1], stds[::-1], strict=True):
        more = (mu_2 / mu_1**2 - 1) * d
        a, b = a + more, b + more
        a, b, d = through_normal(a, b, fan_in) if weights == NORMAL else through_orthogonal(a, b, fan_in, width)
        log_mean += log10(mu_1 * fan_in * std**2)
    # Of n singular values: the mean of s⁴ less the squared mean of s², E b/n − E a/n², over (E tr A / n)².
    return Spectrum(log_mean - math.log10(count), max(count * b - a, 0.0), math.sqrt(max(a - 1, 0.0)))


def through_normal(a: float, b: float, fan_in: int) -> tuple[float, float, float]:
    """Map a, b by Gaussian weights of variance 1/fan-in, which leave E tr A as it is; return d of the result, too.

    >>> through_normal(1.0, 0.5, 2)
    (1.5, 1.25, 1.0)
    """
    return a + 2 * b / fan_in, (a + (fan_in + 1) * b) / fan_in, (a + 2 * b) / fan_in


def through_orthogonal(a: float, b: float, fan_in: int, width: int) -> tuple[float, float, float]:
    """Map a, b of A [W, W] by U [I, W] whose shorter side is orthonormal, scaled to leave E tr A; and d of the result.

    A square U changes neither a nor b, and d = (a + 2b)/(n + 2) by rotation, n = max(I, W). Of fewer inputs than units
    those I rows of the rotated matrix are left, with W d' = d on the diagonal, and e of a pair of different ones.

    >>> through_orthogonal(1.0, 0.5, 2, 2)
    (1.0, 0.5, 0.5)
    """
    most = max(fan_in, width)
    d = (a + 2 * b) / (most + 2)
    if fan_in >= width:
        return a, b, d
    pairs = fan_in * (fan_in - 1) / (width * (width - 1))
    share, scale = fan_in / width, (width / fan_in) ** 2
    return scale * (share * d + pairs * (a - d)), scale * (share * d + pairs * (b - d)), scale * share * d


def sampled(
    sizes: Sequence[int],
    slopes: tuple[float, float] = (0.0, 1.0),
    weights: str = NORMAL,
    *,
    networks: int = 256,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw networks' mean of s² and their variance of s² within a Jacobian, where σ_w²·μ₁ is 1 in every layer.

    With A = J Jᵀ so far, Gaussian weights G and slopes D make of it A^½ G D² Gᵀ A^½, and G D² Gᵀ of C outputs has the
    law of two Wishart matrices, of the units on either side of 0: no weight is drawn. Orthogonal ones are S^−½ G,
    S = G Gᵀ.

    Args:
        sizes, slopes, weights: as of ``finite_width``.
        networks: how many to draw.
        seed: of NumPy's generator.

    Returns:
        means [networks] and variances [networks].

    Raises:
        TheoryError: no hidden layer, both slopes 0 or not finite, or there are no such weights.

    >>> means, variances = sampled([20] * 4, (1.0, 1.0), networks=1000)
    >>> bool(abs(means.mean() - 1) < 0.05 and abs(variances.mean() - 3) < 0.5)
    True
    """
    check(len(sizes) - 2, (), slopes, weights)
    rng, count, outputs = np.random.default_rng(seed), min(sizes), sizes[-1]
    mu_1, _ = slope_moments(slopes)
    eigenvalues_SxC = np.ones((networks, outputs))
    for l, (fan_in, width) in enumerate(zip(sizes[-2::-1], sizes[:0:-1], strict=True)):
        haar, most = weights == ORTHOGONAL and l > 0, max(fan_in, width)
        eigenvalues_SxC = eigenvalues_SxC[:, -most:] if haar else eigenvalues_SxC  # the others are 0
        is_input = l == len(sizes) - 2
        below_S = np.zeros(networks, int) if is_input else rng.binomial(fan_in, 0.5, networks)
        low_SxCxC, high_SxCxC = (wishart(rng, n_S, eigenvalues_SxC.shape[1]) for n_S in (below_S, fan_in - below_S))
        low, high = (1.0, 1.0) if is_input else (slope**2 / mu_1 for slope in slopes)
        product_SxCxC = low * low_SxCxC + high * high_SxCxC
        scale = 1.0 / fan_in
        if haar:
            rest_SxCxC = wishart(rng, np.full(networks, most - fan_in), eigenvalues_SxC.shape[1])
            root_SxCxC = np.linalg.cholesky(low_SxCxC + high_SxCxC + rest_SxCxC)
            half_SxCxC = np.linalg.solve(root_SxCxC, product_SxCxC)
            product_SxCxC = np.linalg.solve(root_SxCxC, half_SxCxC.swapaxes(1, 2))
            scale = max(width / fan_in, 1.0)
        root_SxC = np.sqrt(eigenvalues_SxC)
        product_SxCxC *= scale * root_SxC[:, :, None] * root_SxC[:, None]
        eigenvalues_SxC = np.maximum(np.linalg.eigvalsh(product_SxCxC), 0.0)
    squares = eigenvalues_SxC[:, -count:]
    return squares.mean(axis=1), squares.var(axis=1)


def wishart(rng: np.random.Generator, counts_S: np.ndarray, size: int) -> np.ndarray:
    """Draw X Xᵀ of Gaussian X [size, count] of each network, by its triangular factor (Bartlett 1933) [S, size, size].

    >>> drawn = wishart(np.random.default_rng(0), np.full(2000, 3), 2)
    >>> bool(np.allclose(drawn.mean(axis=0), 3 * np.eye(2), atol=0.3))
    True
    """
    i = np.arange(size)
    t_SxCxC = np.tril(rng.standard_normal((len(counts_S), size, size)), -1) * (i < counts_S[:, None])[:, None]
    t_SxCxC[:, i, i] = np.sqrt(2.0 * rng.standard_gamma(np.maximum(counts_S[:, None] - i, 0) / 2.0))
    return t_SxCxC @ t_SxCxC.swapaxes(1, 2)


def predict_jacobian(
    phi: Callable[[Any], Any],
    weight_std: Sequence[float],
    bias_mean: Sequence[float],
    features: int,
    width: int,
    outputs: int,
    weights: str = NORMAL,
) -> list[tuple[str, int, float, float, float, str]]:
    """Predict log10 of mean and variance of the Jacobian's squared singular values, at initialisation.

    Args:
        phi: the activation, its parameters filled in.
        weight_std: standard deviation of the entries of each hidden layer's weights.
        bias_mean: of each hidden layer's biases, whose distribution is symmetric about it.
        features, width, outputs: the network's sizes.
        weights: ``normal`` or ``orthogonal``.

    Returns:
        (column, layer 0, value, numerical error, spread over networks of this width, assumption), as a ``Prediction``
        has them: mean and standard deviation of log10 over networks, at one input. The mean is the exact log10 of the
        expectation and, from ``sampled`` networks, by how much less log10 is on average. Nothing where the activation
        has more than a slope on each side of 0, a bias has a mean, or hardly a sampled network has units left alive; of
        one output or input no variance within a Jacobian. A mean over rows of a ReLU network varies less, at depth 10
        two thirds as much.

    Raises:
        TheoryError: a number is out of its range, or there are no such weights.

    >>> import jax.numpy as jnp
    >>> linear = predict_jacobian(lambda z: z, [0.1] * 5, [0.0] * 5, 100, 100, 10)
    >>> [(one[0], abs(one[2] - expected) < 0.05) for one, expected in zip(linear, (0.0, -0.177), strict=True)]
    [('log10_jacobian_mean_square', True), ('log10_jacobian_square_variance', True)]
    >>> predict_jacobian(jnp.tanh, [0.1], [0.0], 100, 100, 10)
    []
    """
    slopes = two_slopes(phi)
    if slopes is None or any(bias_mean):
        return []
    sizes = [features, *[width] * len(weight_std), outputs]
    exact = finite_width(sizes, weight_std, slopes, weights)
    means, variances = sampled(sizes, slopes, weights)
    by_column = {"log10_jacobian_mean_square": (exact.log10_mean_square, means)}
    if min(sizes) > 1 and exact.relative_variance:
        by_column["log10_jacobian_square_variance"] = (exact.log10_variance, variances)
    kind = "one slope on each side of 0, " + ("Gaussian weights" if weights == NORMAL else "orthogonal weights")
    rows = []
    for column, (value, drawn) in by_column.items():
        alive = drawn[drawn > 0]  # of a narrow network no unit may be left
        if len(alive) < FEWEST:
            continue
        relative = alive / drawn.mean()
        logs = np.log10(relative)
        error = float(np.std(logs - relative / math.log(10.0))) / math.sqrt(len(logs))
        rows.append((column, 0, value + float(logs.mean()), error, float(np.std(logs)), f"{OF_ONE_ROW}; {kind}"))
    return rows


def two_slopes(phi: Callable[[Any], Any]) -> tuple[float, float] | None:
    """Find the slopes of a function that is a straight line on each side of 0.

    Args:
        phi: the activation, its parameters filled in.

    Returns:
        φ' below and above 0; None where it has more slopes, or is not 0 at 0.

    >>> import jax.numpy as jnp
    >>> two_slopes(abs), two_slopes(jnp.tanh)
    ((-1.0, 1.0), None)
    """
    z = np.array([0.0, 1e-3, 0.3, 1.0, 2.7, 40.0])
    (high, _), (low, _) = evaluate(phi, z), evaluate(phi, -z)
    slopes = float(-low[3]), float(high[3])
    straight = all(
        np.allclose(value, slope * side, rtol=1e-9, atol=0.0)
        for value, slope, side in ((low, slopes[0], -z), (high, slopes[1], z))
    )
    return slopes if straight and any(slopes) else None


def slope_moments(slopes: tuple[float, float]) -> tuple[float, float]:
    """Compute μ_k = E φ'^(2k) of a function with two slopes, z on either side of 0 as often as on the other.

    Args:
        slopes: φ' below and above 0.

    Returns:
        μ₁ = E φ'² and μ₂ = E φ'⁴.

    >>> slope_moments((0.0, 1.0))
    (0.5, 0.5)
    """
    low, high = slopes
    return (low**2 + high**2) / 2, (low**4 + high**4) / 2


def log10(x: float) -> float:
    """log10, −∞ of 0.

    >>> log10(0.01), log10(0.0)
    (-2.0, -inf)
    """
    return math.log10(x) if x > 0 else -math.inf


def check(depth: int, stds: Sequence[float], slopes: tuple[float, float], weights: str) -> None:
    """Refuse what is no network.

    Raises:
        TheoryError: no hidden layer, a weight's standard deviation that is not positive, slopes that are both 0 or not
            finite, or weights that are neither normal nor orthogonal.

    >>> check(0, [], (0.0, 1.0), NORMAL)
    Traceback (most recent call last):
    actlab.theory.errors.TheoryError: depth 0: expected 1 hidden layer or more
    """
    if depth < 1:
        raise TheoryError(f"depth {depth}: expected 1 hidden layer or more")
    if not all(std > 0 and math.isfinite(std) for std in stds):
        raise TheoryError(f"standard deviations of weights {list(stds)}: expected positive numbers")
    if not any(slopes) or not all(map(math.isfinite, slopes)):
        raise TheoryError(f"slopes {slopes}: expected two numbers, not both 0")
    if weights not in WEIGHTS:
        raise TheoryError(f"weights '{weights}': expected {' or '.join(WEIGHTS)}; of others theory says nothing here")
