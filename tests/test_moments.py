"""Gaussian moments at any variance: closed forms, other quadratures, and what has none."""

import math
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from actlab.activations import CATALOGUE
from actlab.study.initialization import require_second_moment
from actlab.theory import TheoryError, self_normalizing
from actlab.theory.criticality import solution
from actlab.theory.gaussian import expectation, moments_at, moments_over, variance_preserving_gain
from actlab.theory.jacobian import predict_jacobian
from actlab.theory.mean_field import settled, variance_slope
from actlab.theory.moments import computed, preserving_slope
from actlab.theory.self_normalizing import fixed_point
from tests.thinned import thinned

LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772
VARIANCES = (1e-6, 0.03, 1.0, 3.3, 40.0, 1e5)


def of_rectifier(a, q):
    """z for z > 0, a·z below: mean, second moment, mean slope, its second moment, E Zφφ'."""
    square = (1 + a**2) / 2
    return (1 - a) * math.sqrt(q / 2 / math.pi), square * q, (1 + a) / 2, square, square * math.sqrt(q)


def exponential(k, q):
    """Compute E e^(kz) over z < 0."""
    return math.exp(stats.norm.logcdf(-k * math.sqrt(q)) + k**2 * q / 2)


def of_elu(scale, a, q):
    """λz for z > 0, λa(e^z − 1) below; E Zφφ' by E Zf = √q·E f', and f = φφ' is 0 at the kink."""
    one, two = exponential(1, q), exponential(2, q)
    mean = scale * (math.sqrt(q / 2 / math.pi) + a * (one - 0.5))
    square = scale**2 * (q / 2 + a**2 * (two - 2 * one + 0.5))
    slope_square = scale**2 * (0.5 + a**2 * two)
    return mean, square, scale * (0.5 + a * one), slope_square, scale**2 * (0.5 + a**2 * (2 * two - one)) * math.sqrt(q)


def of_erf(q):
    """erf z: the arcsine kernel of Williams (1997)."""
    root = math.sqrt(1 + 4 * q)
    return (
        0.0,
        2 / math.pi * math.asin(2 * q / (1 + 2 * q)),
        2 / math.sqrt(math.pi * (1 + 2 * q)),
        4 / math.pi / root,
        4 * math.sqrt(q) / math.pi / (1 + 2 * q) / root,
    )


def of_gelu(q):
    """zΦ(z): E zΦ = q/√(2π(1+q)), the rest from E Φ² = ¼ + asin(q/(1+q))/2π by differentiating under the integral."""
    d = math.sqrt(1 + 2 * q)
    square_of_cdf = 0.25 + math.asin(q / (1 + q)) / (2 * math.pi)
    square = q * square_of_cdf + q**2 / (math.pi * (1 + q) * d)
    # Φ' = the density, whose square is e^(−z²)/2π; E zΦ·density = E over N(0, q/(1+q)) of zΦ, times 1/√(2π(1+q)).
    narrow = q / (1 + q)
    cross = narrow / math.sqrt(2 * math.pi * (1 + narrow)) / math.sqrt(2 * math.pi * (1 + q))
    slope_square = square_of_cdf + 2 * cross + q / (2 * math.pi * d**3)
    # d/dq E φ² = E zφφ'/q
    root = 1 + q
    by_q = (
        square_of_cdf
        + q / (2 * math.pi * root * d)
        + (2 * q * root * d - q**2 * (d + root / d)) / (math.pi * root**2 * d**2)
    )
    return q / math.sqrt(2 * math.pi * (1 + q)), square, 0.5, slope_square, by_q * math.sqrt(q)


def of_sine(q):
    return (
        0.0,
        (1 - math.exp(-2 * q)) / 2,
        math.exp(-q / 2),
        (1 + math.exp(-2 * q)) / 2,
        math.sqrt(q) * math.exp(-2 * q),
    )


def of_gaussian(q):
    """e^(−z²): E e^(−kz²) = (1 + 2kq)^(−½)."""
    root = math.sqrt(1 + 4 * q)
    return 1 / math.sqrt(1 + 2 * q), 1 / root, 0.0, 4 * q / root**3, -2 * math.sqrt(q) / root**3


CLOSED_FORMS = {
    "relu": partial(of_rectifier, 0.0),
    "leaky_relu": partial(of_rectifier, 0.01),
    "linear": partial(of_rectifier, 1.0),
    "absolute": partial(of_rectifier, -1.0),
    "elu": partial(of_elu, 1.0, 1.0),
    "selu": partial(of_elu, LAMBDA, ALPHA),
    "erf": of_erf,
    "gelu": of_gelu,
    "sine": of_sine,
    "gaussian": of_gaussian,
}


def as_tuple(moments):
    return (
        moments.mean,
        moments.second_moment,
        moments.slope_mean,
        moments.slope_second_moment,
        moments.z_value_slope,
    )


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_moments_have_their_closed_forms_at_every_variance(name):
    for q in VARIANCES:
        if name == "sine" and q > 1e4:
            continue  # 400 periods within a standard deviation: see the next test
        moments = moments_at(CATALOGUE[name].exact, q)
        expected = CLOSED_FORMS[name](q)
        scale = max(1.0, *np.abs(expected))
        assert as_tuple(moments) == pytest.approx(expected, rel=1e-9, abs=1e-11 * scale), q
        # The closed forms' own rounding, above all of their differences, is some 1e−14 of their size.
        assert np.abs(np.subtract(as_tuple(moments), expected)).max() <= moments.error + 1e-13 * scale, q


def test_the_error_estimate_covers_what_is_hard():
    for q in (1e4, 1e6):
        moments = moments_at(CATALOGUE["sine"].exact, q)
        assert abs(moments.second_moment - 0.5) <= moments.error
    rough = moments_at(lambda z: jnp.floor(50.3 * z) / 50.3, 1.0)
    assert abs(rough.second_moment - (1.0 + 1.0 / 3.0 / 50.3**2)) <= rough.error  # E (z − u/50.3)², u uniform
    # Some 100 jumps a unit of z are more than panels are bisected for (``panels.MOST``): each is left in a panel of its
    # own, about whose integral 20 nodes can only say so much. What is off is 1.7e-6; the estimate is 4.7e-5 of E φ²,
    # and 1.7e-4 of E Zφφ', which is taken from it by parts.
    assert abs(rough.z_value_slope - 1.0) <= rough.error < 2e-4


@pytest.mark.parametrize("name", thinned(CATALOGUE, 2))
def test_a_direct_quadrature_agrees(name):
    record = CATALOGUE[name]
    q = 2.7
    nodes, weights = np.polynomial.legendre.leggauss(300)
    edges = np.array([-20.0, *record.kinks, 20.0])
    width = np.diff(edges)[:, None]
    z = edges[:-1, None] + width * (nodes + 1) / 2
    share = stats.norm.pdf(z, scale=math.sqrt(q)) * weights * width / 2
    with jax.enable_x64(True):
        value, slope = np.asarray(record.function(z)), np.asarray(record.derivative(z))
    integrands = (value, value**2, slope, slope**2, z / math.sqrt(q) * value * slope)
    expected = [np.sum(share * integrand) for integrand in integrands]
    assert as_tuple(moments_at(record.exact, q)) == pytest.approx(expected, abs=1e-10)


def test_a_function_of_the_users_own_goes_through():
    def own(z):
        return z * jnp.tanh(jnp.exp(z))

    moments = moments_at(own, 2.0)
    expected, _ = integrate.quad(
        lambda z: (z * math.tanh(math.exp(z))) ** 2 * stats.norm.pdf(z, scale=math.sqrt(2)),
        -40,
        40,
        epsabs=1e-13,
        limit=200,
    )
    assert moments.second_moment == pytest.approx(expected, abs=1e-11)
    assert variance_preserving_gain(own, 2.0) == pytest.approx(math.sqrt(2.0 / expected), abs=1e-11)


def test_many_variances_at_once_are_each_by_itself():
    q = np.geomspace(1e-8, 1e5, 60)
    together = moments_over(CATALOGUE["selu"].exact, q)
    for at in (0, 17, 40, 59):
        alone = moments_at(CATALOGUE["selu"].exact, q[at])
        for name, values in together.items():
            assert values[at] == pytest.approx(getattr(alone, name), rel=1e-13, abs=1e-15)


def test_a_function_is_compiled_once_for_every_variance():
    traces = []

    def phi(z, steepness):
        traces.append(z)
        return jnp.tanh(steepness * z)

    for q in (1.0, 0.01, 1000.0):
        moments_at(partial(phi, steepness=2.0), q)  # a new partial each time
    assert len(traces) == 2  # φ and φ′


def test_expectations_of_functions_that_jax_knows_nothing_of():
    place = 0.3123
    for q in (0.01, 1.0, 77.0):
        scaled = place / math.sqrt(q)
        estimate = expectation(lambda z: np.maximum(z - place, 0.0), q)
        expected = math.sqrt(q) * (stats.norm.pdf(scaled) - scaled * stats.norm.sf(scaled))
        assert estimate.value == pytest.approx(expected, abs=1e-12 * max(1.0, q))
        assert abs(estimate.value - expected) <= estimate.error + 1e-14


def test_exponentials_of_large_moments():
    for a, q in ((1.0, 1.0), (1.0, 25.0), (3.0, 9.0), (0.2, 400.0)):
        moments = moments_at(lambda z, a=a: jnp.exp(a * z), q)
        assert moments.mean == pytest.approx(math.exp(a**2 * q / 2), rel=1e-12)
        assert moments.second_moment == pytest.approx(math.exp(2 * a**2 * q), rel=1e-11)


# What has no moments


@pytest.mark.parametrize(
    ("phi", "q", "reason"),
    [
        (lambda z: jnp.exp(z**2), 1.0, "grows faster than the normal density falls"),
        (lambda z: jnp.exp(z**2), 0.26, "grows faster than the normal density falls"),
        (lambda z: jnp.exp(z**2), 1e4, "not a finite number"),
        (lambda z: 1.0 / z, 1.0, "does not converge"),
        (lambda z: jnp.log(jnp.abs(z)), 1.0, "does not converge"),  # φ' = 1/z
        (lambda z: jnp.sqrt(jnp.abs(z)), 1.0, "does not converge"),  # φ'² = 1/4|z|
        (lambda z: jnp.sin(1e9 * z), 1.0, "does not converge"),
        (lambda z: jnp.where(z > 1.0, jnp.nan, z), 1.0, r"not a finite number at \|z\| ≈ 1$"),
        (jnp.tanh, 0.0, "expected a positive, finite variance, not 0"),
        (jnp.tanh, -1.0, "expected a positive, finite variance, not -1"),
        (jnp.tanh, math.inf, "expected a positive, finite variance"),
        (jnp.tanh, math.nan, "expected a positive, finite variance"),
        (jax.nn.softmax, 1.0, "depends on other units"),
        (jnp.sort, 1.0, "scalar function"),
        (jnp.sum, 1.0, "scalar function"),
        (lambda z: z[..., None] * jnp.ones(2), 1.0, "scalar function"),
        (lambda z: math.tanh(z), 1.0, "that JAX can differentiate"),
    ],
)
def test_what_has_no_moments_is_told_why(phi, q, reason):
    with pytest.raises(TheoryError, match=reason):
        moments_at(phi, q)


def test_what_is_far_out_does_not_matter():
    # NaN beyond 30 standard deviations, and a moment that is finite up to q = ¼.
    assert moments_at(lambda z: jnp.where(z > 30.0, jnp.nan, z), 1.0).second_moment == pytest.approx(1.0, abs=1e-13)
    for q in (0.01, 0.2):
        assert moments_at(lambda z: jnp.exp(z**2), q).mean == pytest.approx((1 - 2 * q) ** -0.5, rel=1e-9)


def test_expectations_without_a_value_are_told_why():
    with pytest.raises(TheoryError, match="grows faster"):
        expectation(lambda z: np.exp(z**2))
    with pytest.raises(TheoryError, match="not a finite number"):
        expectation(lambda z: np.where(z > 1, np.nan, z))
    with pytest.raises(TheoryError, match="positive, finite variance"):
        expectation(np.abs, -1.0)


def test_no_gain_preserves_the_variance_of_nothing():
    with pytest.raises(TheoryError, match="φ is 0"):
        variance_preserving_gain(jnp.zeros_like)


def test_a_jump_counts_in_the_slope_of_the_variance_map():
    # E 1{√q Z > t} = Φ(−t/√q), and its derivative in q is t·density(t/√q) / 2q^(3/2).
    for place in (0.3, 1.0, -2.0):
        for q in (0.2, 1.3, 50.0):
            slope = variance_slope(lambda z, t=place: jnp.where(z > t, 1.0, 0.0), q, 1.0)
            expected = place * stats.norm.pdf(place / math.sqrt(q)) / 2 / q**1.5
            assert slope == pytest.approx(expected, rel=1e-9)
    assert variance_slope(jnp.sign, 1.3, 1.0) == 0.0


def test_what_happens_about_0_is_seen_at_huge_variances():
    # E φ'² → ∫ φ'² dz / √(2πq): 4/3 of tanh.
    q = 1e24
    expected = 4 / 3 / math.sqrt(2 * math.pi * q)
    assert moments_at(jnp.tanh, q).slope_second_moment == pytest.approx(expected, rel=1e-9)


SINGULAR = {
    "pole": lambda z: 1 / (z - 0.3),
    "tan": jnp.tan,
    "growth": lambda z: jnp.exp(z * z / 3),
    "no number": jnp.sqrt,
}


@pytest.mark.parametrize("name", SINGULAR)
def test_no_weights_preserve_the_variance_of_a_function_without_a_second_moment(name):
    own = replace(CATALOGUE["tanh"], name="own", function=SINGULAR[name])
    with pytest.raises(TheoryError, match="Gaussian moment"):
        preserving_slope(own.function)
    with pytest.raises(ValueError, match=r"scales weights by E φ\(Z\)² of own: no .*name another initializer"):
        require_second_moment("variance_preserving", own, {})
    numbers = computed(own, ())
    assert math.isnan(numbers["variance_slope"])
    assert numbers["variance_slope_error"] == math.inf


def test_weights_preserve_a_variance_whatever_the_derivative_is():
    # E |Z|^2p = 2^p Γ(p + ½)/√π, and V'(1) = p; E φ'² of the first two is infinite. Of a jump at t: see above.
    for power in (-1 / 3, 0.5, 2.0):
        slope, error = preserving_slope(lambda z, p=power: jnp.abs(z) ** p)
        assert abs(slope - power) <= error + 1e-13 < 1e-7
        require_second_moment("own", replace(CATALOGUE["tanh"], function=lambda z, p=power: jnp.abs(z) ** p), {})
    slope, error = preserving_slope(lambda z: jnp.where(z > 1.0, 1.0, 0.0))
    assert slope == pytest.approx(stats.norm.pdf(1.0) / 2 / stats.norm.sf(1.0), rel=1e-12)


def test_direct_calls_out_of_range_are_refused_by_name():
    for q in (1e-300, 1e300):
        with pytest.raises(TheoryError, match=r"expected a variance from 7\.9e-31"):
            solution(jnp.tanh, q)
    for q in (math.inf, 0.0):
        with pytest.raises(TheoryError, match="positive, finite variance"):
            settled(jnp.tanh, 1.5, q=q)
    assert moments_over(jnp.tanh, [])["second_moment"].shape == (0,)
    with pytest.raises(TheoryError, match=r"in one row \[Q\], not an array of shape \(2, 2\)"):
        moments_over(jnp.tanh, np.ones((2, 2)))
    # Of 60 layers of one unit none of a thousand networks is alive: nothing is said of a mean of logarithms.
    assert predict_jacobian(jax.nn.relu, [0.1] * 60, [0.0] * 60, 5, 1, 1) == []


def test_what_never_settles_has_no_fixed_point(monkeypatch):
    monkeypatch.setattr(self_normalizing, "STEPS", 50)
    # Var floor(√ν Z) ≈ ν + 1/12: it grows by that in every layer.
    with pytest.raises(TheoryError, match=r"no fixed point within 50 layers.*\+0.083 a layer"):
        fixed_point(jnp.floor)
