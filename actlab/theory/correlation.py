"""Correlations in a wide random network, and how many layers what goes in can be told apart for.

Two inputs whose pre-activations have second moment q and correlation c get in the next layer

    C(c) = (σ_w²·E φ(u)φ(v) + σ_b²) / V(q),   (u, v) ~ N(0, q·[[1, c], [c, 1]])

By Mehler's formula E φ(u)φ(v) = Σ a_n²·cⁿ with the Hermite coefficients a_n = E φ(√q·Z)·h_n(Z): a power series with
no negative coefficient, hence convex for c ≥ 0, and with one fixed point below 1 exactly if its slope at 1, χ₁, is
above 1.
"""

from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np

from actlab.theory import panels
from actlab.theory.errors import TheoryError
from actlab.theory.gaussian import moments_at
from actlab.theory.mean_field import chi, require_scales, settled, variance_map
from actlab.theory.panel_sums import Function, homogeneous, panels_of, parts

COUNT = 400  # Hermite coefficients
START = COUNT - 0.5  # the rest of the series as an integral begins there
NEGLIGIBLE = 1e-13  # share of the series that its rest may be without being known
MOST_POWER = 50.0
OF_JUMPS = 1.5  # power of the series of a function with jumps, of which φ' knows nothing
PARITY = 40  # of the last coefficients, from which the parity of the rest is read
HALVINGS = 60
CRITICAL = 1e-9  # |χ₁ − 1| or |V' − 1| of what is taken for critical


@dataclass(frozen=True)
class Series:
    """E φ(u)φ(v) = Σ a_n²·cⁿ as a power series of the correlation.

    A kink makes a_n² fall off no faster than n^(−5/2), so that near c = 1 no number of terms will do. The rest of the
    series is therefore taken to fall off as a power, which its value and its slope at 1 determine.

    Attributes:
        square_N: a_n², n = 0, 1, …
        rest: Σ a_n² of all further terms.
        power: p where those fall off as n^(−p).
        rest_even: the share of ``rest`` of even degree.

    >>> of_sum = Series(np.array([1.0, 2.0]), 0.0, MOST_POWER, 0.5)  # 1 + 2c, as of φ(z) = 1 + √2·z at q = 1
    >>> of_sum.value(-0.5), of_sum.jumps
    (0.0, False)
    """

    square_N: np.ndarray
    rest: float
    power: float
    rest_even: float

    @property
    def jumps(self) -> bool:
        """Whether φ has jumps: then the slope at 1 is infinite."""
        return self.power <= OF_JUMPS

    def value(self, c: float) -> float:
        """Sum the series at a correlation from −1 to 1."""
        sign = 1.0 if c > 0.0 else 2.0 * self.rest_even - 1.0
        terms = np.polynomial.polynomial.polyval(c, self.square_N)
        return float(terms + sign * self.rest * (self.power - 1.0) * tail(abs(c), self.power))

    def slope(self, c: float) -> float:
        """Sum its derivative at a correlation from 0 to 1."""
        terms = np.polynomial.polynomial.polyval(c, np.arange(1, COUNT) * self.square_N[1:])
        rest = START * self.rest * (self.power - 1.0) * tail(c, self.power - 1.0)
        return float(terms + (rest / c if c else 0.0))


def tail(c: float, power: float) -> float:
    """Compute ∫ t^(−p)·c^(START·t) dt from 1 to ∞, by t = v^(−2): a rest that falls off as n^(−p), as an integral.

    Args:
        c: a correlation from 0 to 1.
        power: p, above 1.

    Returns:
        The integral: 1/(p − 1) at c = 1.

    >>> round(tail(1.0, 2.5), 12) == round(1 / 1.5, 12)
    True
    """
    if not c:
        return 0.0
    v_N = (panels.NODES + 1.0) / 2.0
    return float(panels.WEIGHTS @ (v_N ** (2.0 * power - 3.0) * np.exp(START * np.log(c) / v_N**2)))


def series(phi: Function, q: float) -> Series:
    """Expand E φ(u)φ(v) at a second moment, (u, v) ~ N(0, q·[[1, c], [c, 1]]).

        E φ(u)φ(v) = Σ a_n²·cⁿ,   a_n = E φ(√q·Z)·h_n(Z)

    Args:
        phi: the activation with its parameters filled in.
        q: second moment of both pre-activations, positive.

    Returns:
        The series: ``value(c)``, and ``slope(c)`` for c ≥ 0.

    Raises:
        TheoryError: see ``moments_at``.

    >>> import jax.numpy as jnp
    >>> of_square = series(lambda z: z**2, 1.0)
    >>> of_square.square_N[:4].round(9).tolist(), round(of_square.value(0.5), 9)
    ([1.0, 0.0, 2.0, 0.0], 1.5)

    Reference: Mehler 1866; Daniely, Frostig & Singer 2016, arXiv:1602.05897 (the dual activation).
    """
    return expanded(*parts(phi), q)


@lru_cache(maxsize=256)
def expanded(function: Function, parameters: tuple[tuple[str, Any], ...], q: float) -> Series:
    """Compute ``series``; Hermite functions h_n(x)·√density do not overflow, as the polynomials would.

    Raises:
        TheoryError: see ``moments_at``.
    """
    moments = moments_at(partial(function, **dict(parameters)), q)
    nodes = panels_of(function, parameters, panels.outermost(q))
    x_N = nodes.z_N / np.sqrt(q)
    root_N = np.sqrt(panels.density(nodes.z_N, np.array([q]))[0])
    phi_N = nodes.f_KxN[0] * root_N
    before_N, h_N = np.zeros_like(root_N), root_N
    coefficients = np.empty(COUNT)
    for n in range(COUNT):
        coefficients[n] = phi_N @ h_N
        before_N, h_N = h_N, (x_N * h_N - np.sqrt(n) * before_N) / np.sqrt(n + 1)
    square_N = coefficients**2
    last = square_N[-PARITY:]
    rest = moments.second_moment - square_N.sum()
    if rest <= NEGLIGIBLE * moments.second_moment:
        return Series(square_N, 0.0, MOST_POWER, 0.5)
    degree = (q * moments.slope_second_moment - np.arange(COUNT) @ square_N) / rest / START  # over that of the first
    if degree < 0.0:  # Σ n·a_n² is above q·E φ'²: φ has jumps
        power = OF_JUMPS
    else:
        power = min(MOST_POWER, (2.0 * degree - 1.0) / (degree - 1.0)) if degree > 1.0 else MOST_POWER
    return Series(square_N, float(rest), float(power), float(last[::2].sum() / last.sum()))


def correlation_map(phi: Function, q: float, c: float, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Compute the correlation of the next layer's pre-activations for two inputs of the same second moment.

        C(c) = (σ_w²·E φ(u)φ(v) + σ_b²) / V(q)

    Args:
        phi: the activation with its parameters filled in.
        q: second moment of this layer's pre-activations, positive.
        c: their correlation E uv/q, from −1 to 1.
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.

    Returns:
        C(c), with C(1) = 1.

    Raises:
        TheoryError: see ``moments_at``; c is not in [−1, 1]; σ_w or σ_b is negative; or V(q) = 0.

    >>> import jax.numpy as jnp
    >>> round(correlation_map(lambda z: jnp.where(z > 0.0, z, 0.0), 1.0, 0.0, 1.0) * np.pi, 9)  # arc-cosine kernel
    1.0

    Reference: Poole et al. 2016, arXiv:1606.05340, eq. 5; Cho & Saul 2009.
    """
    require_scales(sigma_w, sigma_b)
    if not -1.0 <= c <= 1.0:
        raise TheoryError(f"expected a correlation from −1 to 1, not {c:.4g}")
    variance = variance_map(phi, q, sigma_w, sigma_b)
    if not variance > 0.0:
        raise TheoryError("no correlation: the next layer's pre-activations are all 0")
    return (sigma_w**2 * series(phi, q).value(c) + sigma_b**2) / variance


def fixed_correlation(phi: Function, q: float, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Find the correlation c* that those of all pairs of inputs approach: 1 in the ordered phase, less in the chaotic.

        C(c*) = c*, with C'(c*) < 1

    Args:
        phi: the activation with its parameters filled in.
        q: a fixed point of the variance map, positive.
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.

    Returns:
        c*, from 0 to 1.

    Raises:
        TheoryError: see ``correlation_map``.

    >>> import jax.numpy as jnp
    >>> fixed_correlation(lambda z: jnp.where(z > 0.0, z, 0.0), 1.0, 2**0.5)
    1.0

    Reference: Poole et al. 2016, arXiv:1606.05340, §3.
    """
    variance = variance_map(phi, q, sigma_w, sigma_b)
    orderly = variance > 0.0 and q * chi(phi, q, sigma_w) <= variance * (1.0 + CRITICAL)
    if orderly and not (sigma_w and series(phi, q).jumps):  # a jump tells apart what is as close as can be
        return 1.0
    below, above = 0.0, 1.0  # C(c) ≥ c up to c*, C(c) < c from there to 1
    for _ in range(HALVINGS):
        middle = (below + above) / 2.0
        higher = correlation_map(phi, q, middle, sigma_w, sigma_b) > middle
        below, above = (middle, above) if higher else (below, middle)
    return below


@dataclass(frozen=True)
class DepthScales:
    """Over how many layers what goes in is forgotten, at the fixed point that second moments go to.

    Attributes:
        q: q*, the fixed point; None where there is none.
        c: c*, the fixed correlation; None where there is none.
        slope: V'(q*).
        chi: χ₁ at q*.
        correlation_slope: C'(c*).
        xi_q: 1/|ln V'(q*)|: layers over which a deviation of the second moment shrinks by a factor e.
        xi_c: 1/|ln C'(c*)|: likewise of the correlation.
        xi_gradient: 1/|ln χ₁|: layers over which the squared norm of the signal gradient changes by a factor e.
        reasons: {name: why it is None}.
    """

    q: float | None = None
    c: float | None = None
    slope: float | None = None
    chi: float | None = None
    correlation_slope: float | None = None
    xi_q: float | None = None
    xi_c: float | None = None
    xi_gradient: float | None = None
    reasons: dict[str, str] = field(default_factory=dict)


def depth_scales(phi: Function, sigma_w: float, sigma_b: float = 0.0, q: float = 1.0) -> DepthScales:
    """Compute the depth scales at the fixed point that second moments go to.

        ξ_q = 1/|ln V'(q*)|,   ξ_c = 1/|ln C'(c*)|,   1/|ln χ₁|

    In the ordered phase c* = 1 and C'(c*) = χ₁; in the chaotic phase, where χ₁ > 1, c* < 1 and ξ_c is not that of χ₁.

    Args:
        phi: the activation with its parameters filled in.
        sigma_w: σ_w = std·√fan_in of the weights.
        sigma_b: standard deviation of the biases.
        q: second moment of the first layer's pre-activations, positive.

    Returns:
        The scales; what does not exist is None, and its reason is told.

    Raises:
        TheoryError: a moment is not finite, or σ_w, σ_b or q is no standard deviation or variance.

    >>> import jax.numpy as jnp
    >>> depth_scales(lambda z: jnp.where(z > 0.0, z, 0.0), 1.5).reasons["xi_c"][:21]
    'no fixed point q*: wi'

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, §3 and §4.
    """
    require_scales(sigma_w, sigma_b)
    moments_at(phi, q)
    known: dict[str, float] = {}
    reasons: dict[str, str] = {}
    try:
        point = settled(phi, sigma_w, sigma_b, q)
    except TheoryError as error:
        reasons = dict.fromkeys(("q", "c", *RATES.values(), *RATES), str(error))
        if homogeneous(phi):  # χ₁ does not depend on q
            known["chi"] = chi(phi, q, sigma_w)
    else:
        known |= {"q": point.q, "slope": point.slope, "chi": point.chi}
        if point.q > 0.0:
            known["c"] = c = fixed_correlation(phi, point.q, sigma_w, sigma_b)
            known["correlation_slope"] = point.chi if c == 1.0 else sigma_w**2 * series(phi, point.q).slope(c) / point.q
        else:
            why = "second moments shrink to 0, and nothing is left to be correlated"
            reasons |= dict.fromkeys(("c", "correlation_slope", "xi_c"), why)
    for name, rate in RATES.items():
        if rate in known and abs(abs(known[rate]) - 1.0) <= CRITICAL:
            reasons[name] = "critical: nothing shrinks or grows exponentially with depth"
        elif rate in known:
            known[name] = scale(known[rate])
    return DepthScales(**known, reasons={name: why for name, why in reasons.items() if name not in known})


RATES = {"xi_q": "slope", "xi_c": "correlation_slope", "xi_gradient": "chi"}
"""Depth scale -> the factor per layer that it comes from."""


def scale(rate: float) -> float:
    """Compute 1/|ln rate|, in layers: over so many a rate per layer comes to a factor e.

    Args:
        rate: the factor per layer, ±1 excepted.

    Returns:
        The depth scale; 0 for a rate of 0.

    >>> round(scale(np.exp(-0.25)), 12), scale(0.0)
    (4.0, 0.0)
    """
    return float(1.0 / abs(np.log(abs(rate)))) if rate else 0.0
