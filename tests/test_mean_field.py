"""Mean-field maps: fixed points, criticality, correlations and depth scales, against closed forms and known numbers."""

import math
from functools import lru_cache, partial

import jax.numpy as jnp
import numpy as np
import pytest

from actlab.activations import CATALOGUE
from actlab.theory import TheoryError
from actlab.theory.correlation import correlation_map, depth_scales, fixed_correlation, series
from actlab.theory.criticality import critical_line, critical_point, default_q, solution
from actlab.theory.gaussian import moments_at
from actlab.theory.mean_field import chi, fixed_points, settled, variance_map, variance_slope
from actlab.theory.panel_sums import homogeneous
from actlab.theory.self_normalizing import Region, contraction, fixed_point, jacobian, layer_map, of_gain

HOMOGENEOUS = ("relu", "leaky_relu", "prelu", "absolute", "linear")


def own(z):
    return z * jnp.tanh(jnp.exp(z))


@lru_cache
def phi(name):
    record = CATALOGUE[name]
    return partial(record.exact, **record.parameters) if record.parameters else record.exact


# The variance map


def test_he_keeps_relus_gradients_and_every_second_moment():
    assert chi(phi("relu"), 7.0, math.sqrt(2)) == pytest.approx(1.0, abs=1e-12)
    (point,) = fixed_points(phi("relu"), math.sqrt(2))
    assert point.stability == "neutral"
    assert not point.stable
    assert settled(phi("relu"), math.sqrt(2), q=3.0).q == 3.0


@pytest.mark.parametrize("name", ["tanh", "gelu", "relu", "hard_swish", "selu", "softplus"])
def test_the_slope_of_the_variance_map_is_its_difference_quotient(name):
    for q in (0.2, 5.0):
        step = 1e-4 * q
        quotient = (variance_map(phi(name), q + step, 1.3) - variance_map(phi(name), q - step, 1.3)) / (2 * step)
        assert variance_slope(phi(name), q, 1.3) == pytest.approx(quotient, rel=1e-7)


def test_selu_is_drawn_to_unit_variance_and_its_gradients_grow():
    zero, one = fixed_points(phi("selu"), 1.0)
    assert (zero.q, zero.stability) == (0.0, "unstable")
    assert one.q == pytest.approx(1.0, abs=1e-12)
    assert one.stable
    assert one.chi == pytest.approx(1.0716, abs=5e-5)


def test_above_critical_weights_second_moments_of_relu_have_nowhere_to_go():
    assert [point.q for point in fixed_points(phi("relu"), 1.5)] == [0.0]  # unstable
    assert fixed_points(phi("relu"), 1.5, 0.3) == ()
    with pytest.raises(TheoryError, match=r"no fixed point q\*: .* grow without bound from q = 1"):
        settled(phi("relu"), 1.5)
    (point,) = fixed_points(phi("relu"), 1.2, 0.3)
    assert point.q == pytest.approx(0.09 / (1 - 0.72), rel=1e-10)


def test_a_straight_variance_map_has_no_other_fixed_points():
    """Near He's σ_w rounding alone decides the sign of V(q) − q·χ₁; V is the straight line χ₁·q + σ_b²."""
    root = math.sqrt(2)
    for sigma_w in (1.414, 1.41421356, root * (1 - 1e-9)):
        (zero,) = fixed_points(phi("relu"), sigma_w)
        assert (zero.q, zero.stability) == (0.0, "stable")
        (point,) = fixed_points(phi("relu"), sigma_w, 0.1)
        assert point.q == pytest.approx(0.01 / (1 - sigma_w**2 / 2), rel=1e-6)
    (zero,) = fixed_points(phi("relu"), root * (1 + 1e-9))
    assert (zero.q, zero.stability) == (0.0, "unstable")
    assert fixed_points(phi("relu"), root, 0.1) == fixed_points(phi("relu"), root * (1 + 1e-9), 0.1) == ()
    # Straight to rounding up to q ≈ .02, and homogeneous it is not.
    points = fixed_points(phi("hard_tanh"), 1 + 1e-9)
    assert [point.stability for point in points] == ["unstable", "stable"]


@pytest.mark.parametrize("name", ["tanh", "elu", "sine", "hard_tanh"])
def test_where_the_slope_at_zero_is_1_nothing_shrinks_exponentially(name):
    (zero,) = fixed_points(phi(name), 1.0)  # φ'(0) = 1: LeCun's weights
    assert (zero.q, zero.slope, zero.chi, zero.stability) == (0.0, 1.0, 1.0, "stable")
    scales = depth_scales(phi(name), 1.0)
    assert (scales.xi_q, scales.xi_gradient) == (None, None)
    assert scales.reasons["xi_q"].startswith("critical")
    assert scales.reasons["xi_gradient"].startswith("critical")


def test_fixed_points_next_to_zero():
    """By expansion: V(q)/σ_w² = q − 2q² for tanh, q − √(2/π)·q^1.5 for elu, each to lowest order."""
    for name, q in (("tanh", 1e-9), ("elu", (2e-9 / math.sqrt(2 / math.pi)) ** 2)):
        zero, point = fixed_points(phi(name), 1 + 1e-9)
        assert (zero.q, zero.stability, point.stability) == (0.0, "unstable", "stable")
        assert point.q == pytest.approx(q, rel=2e-3), name


def test_jumps_part_any_two_inputs():
    """For sign(z) C(c) = 2/π·asin c, with an infinite slope at 1 of which φ' = 0 knows nothing."""
    for c in (-0.9, 0.3, 0.9, 0.99, 0.9999):
        assert correlation_map(jnp.sign, 1.0, c, 1.0) == pytest.approx(2 / math.pi * math.asin(c), abs=1e-5)
    assert fixed_correlation(jnp.sign, 1.0, 1.0) == pytest.approx(0.0, abs=1e-12)
    assert depth_scales(jnp.sign, 1.0).xi_c == pytest.approx(1 / math.log(math.pi / 2))
    (zero, _) = fixed_points(jnp.sign, 1.0)
    assert (zero.slope, zero.stability) == (math.inf, "unstable")


@pytest.mark.parametrize("constant", [1.0, 0.0])
def test_constants_are_told_that_their_slope_is_zero(constant):
    def flat(z):
        return 0.0 * z + constant

    for ask in (default_q, critical_point):
        with pytest.raises(TheoryError, match="φ' is 0 wherever a pre-activation falls"):
            ask(flat)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda z: z + 1j, r"floating-point numbers: this one returns complex128"),
        (lambda z: jnp.floor(z).astype(int), r"floating-point numbers: this one returns int64"),
        (lambda z: z > 0.0, r"floating-point numbers: this one returns bool"),
        (lambda z: jnp.full_like(z, jnp.inf), r"not a finite number"),
        (np.tanh, r"that JAX can differentiate: [^\n]*$"),
        (lambda z: 1.0, r"scalar function φ\(z\)"),
    ],
)
def test_what_is_no_activation_is_told_why_everywhere(function, reason):
    asked = (fixed_points, depth_scales, settled, of_gain)
    calls = [*(partial(one, function, 1.0) for one in asked), partial(critical_point, function)]
    calls += [partial(moments_at, function), partial(fixed_point, function), partial(solution, function, 1.0)]
    for call in calls:
        with pytest.raises(TheoryError, match=reason):
            call()


def test_where_moments_end_second_moments_are_not_said_to_grow_without_bound():
    with pytest.raises(
        TheoryError, match=r"second moments grow from q = 0\.1, to where there are none: .* at \|z\| ≈ 5$"
    ):
        settled(lambda z: jnp.where(jnp.abs(z) > 5.0, jnp.nan, z), 1.0, 0.1, q=0.1)


def test_fixed_points_are_fixed_and_second_moments_go_there():
    for name, sigma_w, sigma_b in (("tanh", 1.5, 0.0), ("sine", 2.0, 0.1), ("softplus", 0.9, 0.2), ("gelu", 1.3, 0.7)):
        q = 0.7
        for _ in range(2000):
            q = variance_map(phi(name), q, sigma_w, sigma_b)
        assert settled(phi(name), sigma_w, sigma_b, 0.7).q == pytest.approx(q, rel=1e-7)


def test_an_unstable_fixed_point_parts_what_shrinks_from_what_grows():
    shrinks, parts = fixed_points(phi("gelu"), 1.534)
    assert (shrinks.stability, parts.stability) == ("stable", "unstable")
    assert settled(phi("gelu"), 1.534, q=parts.q * 0.99).q == 0.0
    with pytest.raises(TheoryError, match="grow without bound"):
        settled(phi("gelu"), 1.534, q=parts.q * 1.01)


def test_a_small_bias_keeps_second_moments_from_zero():
    (point,) = fixed_points(phi("tanh"), 0.5, 1e-7)
    assert point.q == pytest.approx(1e-14 / 0.75, rel=1e-9)
    assert point.stable


# Critical points


@pytest.mark.parametrize(
    ("name", "q", "sigma_w", "bias_variance", "slope"),
    [
        ("tanh", 1.0, 1.4674, 0.1510, None),
        ("selu", 1.0, 0.9660, 0.0668, None),
        ("gelu", 10.0, 1.3985, 0.3235, 0.982),
        ("swish", 20.0, 1.4055, 0.6789, 0.993),
        ("mish", 5.0, 1.3939, 0.2390, 0.975),
    ],
)
def test_stable_critical_points(name, q, sigma_w, bias_variance, slope):
    point = critical_point(phi(name), q)
    assert point.stability == "stable"
    assert point.sigma_w == pytest.approx(sigma_w, abs=5e-5)
    assert point.sigma_b**2 == pytest.approx(bias_variance, abs=5e-5)
    assert slope is None or point.slope == pytest.approx(slope, abs=5e-4)
    assert variance_map(phi(name), q, point.sigma_w, point.sigma_b) == pytest.approx(q, rel=1e-12)
    assert chi(phi(name), q, point.sigma_w) == pytest.approx(1.0, abs=1e-12)
    assert any(
        one.stable and one.q == pytest.approx(q) for one in fixed_points(phi(name), point.sigma_w, point.sigma_b)
    )


@pytest.mark.parametrize("name", ["tanh", "selu"])
def test_tanh_and_selu_are_critical_along_a_whole_line(name):
    line = critical_line(phi(name), 2.0 ** np.arange(-6.0, 7.0))
    assert {point.stability for point in line.values()} == {"stable"}


@pytest.mark.parametrize(("name", "least", "most"), [("gelu", 3.5, 3.6), ("swish", 14.2, 14.4), ("mish", 1.0, 2.0)])
def test_unstable_critical_points_lie_below_a_half_stable_one(name, least, most):
    line = critical_line(phi(name), (0.01, 0.1, 0.5, least, most, 30.0, 100.0))
    assert [point.stability for point in line.values()] == ["unstable"] * 4 + ["stable"] * 3
    below, above = least, most
    for _ in range(60):
        middle = (below + above) / 2
        below, above = (below, middle) if solution(phi(name), middle).slope < 1 else (middle, above)
    half = solution(phi(name), above)
    assert half.stability == "half-stable"
    assert "half-stable" in [point.stability for point in fixed_points(phi(name), half.sigma_w, half.sigma_b)]
    for q in (least, above):
        with pytest.raises(TheoryError, match=r"unstable|half-stable"):
            critical_point(phi(name), q)


def test_sigmoid_is_critical_from_where_it_needs_no_bias():
    end = critical_point(phi("sigmoid"))
    assert end.sigma_w == pytest.approx(10.15, abs=5e-3)
    assert end.sigma_b == 0.0
    assert end.stability == "stable"
    assert critical_point(phi("sigmoid"), 2 * end.q).sigma_w > end.sigma_w
    with pytest.raises(TheoryError, match=r"no critical point at q = 1: .* σ_b² would have to be -5\.5"):
        critical_point(phi("sigmoid"), 1.0)


def test_softplus_is_critical_nowhere():
    for q in (1e-3, 1.0, 1e3):
        with pytest.raises(TheoryError, match="no critical point at q"):
            critical_point(phi("softplus"), q)
    with pytest.raises(TheoryError, match=r"no critical point: .* at every q"):
        critical_point(phi("softplus"))


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_homogeneous_functions_have_one_point_for_every_q(name):
    points = [critical_point(phi(name), q) for q in (None, 0.02, 50.0)]
    assert [point.q for point in points] == [1.0, 0.02, 50.0]
    for point in points:
        assert (point.sigma_b, point.stability) == (0.0, "homogeneous")
        assert point.sigma_w == pytest.approx(moments_at(phi(name)).second_moment ** -0.5, rel=1e-12)


def test_those_alone_are_homogeneous():
    assert {name for name in CATALOGUE if homogeneous(phi(name))} == set(HOMOGENEOUS)


def test_where_no_q_is_asked_for():
    names = ("tanh", "selu", "elu", "gelu", "swish", "mish")
    assert [default_q(phi(name)) for name in names] == [1.0, 1.0, 1.0, 10.0, 50.0, 5.0]
    assert default_q(own) == 1.0


def test_functions_that_have_no_critical_point_are_told_why():
    with pytest.raises(TheoryError, match="no stable critical point"):
        critical_point(lambda z: jnp.where(z > 0.0, z, 0.0) ** 2)  # V'(q) = 3/2 at every q
    with pytest.raises(TheoryError, match="φ' is 0"):
        critical_point(jnp.ones_like, 1.0)
    with pytest.raises(TheoryError, match="no critical point"):
        critical_point(jnp.ones_like)
    with pytest.raises(TheoryError, match="grows faster"):
        critical_point(lambda z: jnp.exp(z**2), 1.0)
    with pytest.raises(TheoryError, match="positive, finite variance"):
        critical_point(jnp.tanh, -1.0)


# Correlations


def arc_cosine(c):
    """E of ReLUs (Cho & Saul 2009), over its value at c = 1."""
    return (math.sqrt(1 - c**2) + (math.pi - math.acos(c)) * c) / math.pi


def test_correlations_of_relu_are_the_arc_cosine_kernel():
    for c in (-1.0, -0.95, -0.3, 0.0, 0.6, 0.9, 0.99, 0.999, 0.99999, 1.0):
        assert correlation_map(phi("relu"), 2.0, c, math.sqrt(2)) == pytest.approx(arc_cosine(c), abs=1e-8), c
    for c in (0.0, 0.6, 0.9, 0.999):
        assert series(phi("relu"), 2.0).slope(c) == pytest.approx(1 - math.acos(c) / math.pi, abs=1e-5)


def test_correlations_of_erf_are_the_arcsine_kernel():
    for q in (0.1, 1.0, 9.0):
        for c in (-1.0, -0.4, 0.0, 0.8, 0.995, 1.0):
            expected = 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q))
            assert series(phi("erf"), q).value(c) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("name", ["gelu", "hard_tanh", "softplus", "gaussian"])
def test_correlations_are_those_of_sampled_pairs(name):
    rng = np.random.default_rng(3)
    first, other = rng.standard_normal((2, 400_000))
    q, c = 1.7, 0.6
    record = CATALOGUE[name]
    u, v = math.sqrt(q) * first, math.sqrt(q) * (c * first + math.sqrt(1 - c**2) * other)
    products = np.asarray(record.function(u), float) * np.asarray(record.function(v), float)
    error = products.std() / math.sqrt(len(products))
    assert series(phi(name), q).value(c) == pytest.approx(products.mean(), abs=5 * error + 1e-6)


def test_in_the_chaotic_phase_inputs_part():
    sigma_w, sigma_b = 2.5, math.sqrt(0.05)
    q = settled(phi("tanh"), sigma_w, sigma_b).q
    fixed = fixed_correlation(phi("tanh"), q, sigma_w, sigma_b)
    c = 0.999
    for _ in range(300):
        c = correlation_map(phi("tanh"), q, c, sigma_w, sigma_b)
    assert fixed == pytest.approx(c, abs=1e-9)
    scales = depth_scales(phi("tanh"), sigma_w, sigma_b)
    assert scales.chi > 1 > scales.correlation_slope
    shrinks = [abs(correlation_map(phi("tanh"), q, fixed + d, sigma_w, sigma_b) - fixed) / 1e-4 for d in (-1e-4, 1e-4)]
    assert scales.xi_c == pytest.approx(-1 / math.log(np.mean(shrinks)), rel=1e-5)
    assert abs(scales.xi_c - scales.xi_gradient) > 1  # not that of χ₁


def test_in_the_ordered_phase_inputs_become_one():
    scales = depth_scales(phi("tanh"), 1.0, math.sqrt(0.05))
    assert scales.c == 1.0
    assert scales.xi_c == scales.xi_gradient == pytest.approx(-1 / math.log(scales.chi))
    assert scales.reasons == {}


def test_at_criticality_there_are_no_scales():
    point = critical_point(phi("tanh"), 1.0)
    scales = depth_scales(phi("tanh"), point.sigma_w, point.sigma_b)
    assert scales.xi_q == pytest.approx(-1 / math.log(point.slope))
    assert scales.xi_c is None
    assert "critical" in scales.reasons["xi_c"]


def test_without_a_fixed_point_there_is_no_correlation_depth():
    scales = depth_scales(phi("relu"), 1.5)
    assert (scales.q, scales.c, scales.xi_q, scales.xi_c) == (None,) * 4
    assert "grow without bound" in scales.reasons["xi_c"]
    assert scales.xi_gradient == pytest.approx(1 / math.log(1.125))  # χ₁ is the same at every q
    assert "shrink to 0" in depth_scales(phi("tanh"), 0.9).reasons["xi_c"]


def test_bad_scales_and_correlations_are_refused():
    for call in (lambda: fixed_points(jnp.tanh, -1.0), lambda: chi(jnp.tanh, 1.0, math.nan)):
        with pytest.raises(TheoryError, match="expected a standard deviation"):
            call()
    with pytest.raises(TheoryError, match="expected a correlation from −1 to 1"):
        correlation_map(jnp.tanh, 1.0, 1.5, 1.0)
    with pytest.raises(TheoryError, match="all 0"):
        correlation_map(jnp.tanh, 1.0, 0.5, 0.0)


def test_a_function_of_the_users_own_goes_through():
    point = critical_point(own)
    assert point.stability == "stable"
    assert settled(own, point.sigma_w, point.sigma_b).q == pytest.approx(1.0, abs=1e-9)
    scales = depth_scales(own, 1.2, 0.1)
    assert scales.xi_c is not None
    assert scales.xi_gradient is not None
    assert of_gain(own, 1.3)[1] >= 0.0
    assert jacobian(own, 0.1, 1.0, 0.1).shape == (2, 2)


# Self-normalisation


def test_selu_has_its_fixed_point_and_jacobian():
    assert fixed_point(phi("selu")) == pytest.approx((0.0, 1.0), abs=1e-12)
    # Klambauer et al. 2017, §2.
    assert jacobian(phi("selu"), 0.0, 1.0) == pytest.approx(np.array([[0.0, 0.088834], [0.0, 0.782648]]), abs=1e-6)


def test_the_jacobian_is_the_difference_quotient_of_the_map():
    at, step = np.array([0.2, 0.8]), 1e-5
    for name in ("selu", "gelu", "relu"):
        columns = [
            np.subtract(
                layer_map(phi(name), *(at + step * unit), 0.3, 1.1), layer_map(phi(name), *(at - step * unit), 0.3, 1.1)
            )
            / (2 * step)
            for unit in np.eye(2)
        ]
        assert jacobian(phi(name), *at, 0.3, 1.1) == pytest.approx(np.stack(columns, axis=1), abs=1e-7)


def test_selu_contracts_where_its_paper_says():
    found = contraction(phi("selu"), steps=3)
    assert found.contracts
    assert found.norm < 0.9
    assert not contraction(phi("relu"), Region(weight_square_sum=(2.0, 2.0)), steps=2).contracts


def test_pytorchs_gain_sends_selus_deviation_to_a_fifth():
    mean, std = of_gain(phi("selu"), 0.75)
    assert std == pytest.approx(0.2, abs=0.005)
    # One wide network of that gain, as a check of its own.
    rng = np.random.default_rng(0)
    h = rng.standard_normal((40, 1000))
    for _ in range(60):
        z = h @ (0.75 / math.sqrt(1000) * rng.standard_normal((1000, 1000)))
        h = 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
    assert h.std() == pytest.approx(std, rel=0.1)
    assert h.mean() == pytest.approx(mean, abs=0.02)


def test_mean_and_variance_that_do_not_settle_are_told():
    with pytest.raises(TheoryError, match="grows without bound"):
        fixed_point(phi("relu"), tau=4.0)
    with pytest.raises(TheoryError, match="shrinks to 0"):
        fixed_point(phi("relu"), tau=0.5)
    with pytest.raises(TheoryError, match="within 4 standard deviations of 0"):
        layer_map(phi("selu"), 10.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("phi", "q"),
    [
        (lambda z: jnp.maximum(z - 0.123, 0.0), 0.0624568),
        (lambda z: jnp.where(z > 0.123, z, 0.0), 0.2527935),
        (lambda z: jnp.where(z > 0.123, 1.0, 0.0) + 0.0 * z, 0.7921192),
    ],
    ids=["shifted relu", "thresholded", "step"],
)
def test_a_function_that_is_0_about_0_has_its_fixed_point(phi, q):
    # Of a small variance all of its integral lies far out, and underflows: that is no growth beyond a Gaussian's.
    ((point),) = fixed_points(phi, 1.3, 0.2)
    assert point.q == pytest.approx(q, rel=1e-6)
    assert settled(phi, 1.3, 0.2).q == pytest.approx(q, rel=1e-6)
    z = np.random.default_rng(0).standard_normal(400_000) * math.sqrt(q)
    assert 1.69 * float(np.mean(np.asarray(phi(jnp.asarray(z))) ** 2)) + 0.04 == pytest.approx(q, rel=0.02)


def test_a_start_from_which_nothing_is_known_is_told():
    with pytest.raises(TheoryError, match="no fixed point"):
        settled(lambda z: jnp.sin(1000.0 * z), 1.3, 0.2)
