"""Kernels of wide networks: closed forms, direct quadrature, and what every function must obey."""

import math
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from actlab.activations import CATALOGUE
from actlab.activations.inspect import evaluate
from actlab.theory import chains
from actlab.theory.dead_units import dead_units
from actlab.theory.gaussian import gaussian_expectation, moments_over
from actlab.theory.kernels import correlations, propagate
from actlab.theory.of_jacobians import RELATIVE_ERROR
from actlab.theory.series import Coefficients, pair_expectation
from tests.thinned import thinned

NNGP, NTK = 1e-5, 3e-5  # relative: series that are cut off after some terms, of functions with a kink above all
PLAIN = (2.0, 0.0, 0.0)


@pytest.fixture(autouse=True)
def nothing_kept():
    chains.kept.clear()


def rows(count=24, features=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, features)) * rng.uniform(0.3, 4.0, (count, 1))


def test_relu_has_the_arc_cosine_kernels():
    # Cho & Saul 2009.
    for layer in propagate(CATALOGUE["relu"].exact, rows(), [PLAIN] * 12):
        root = np.sqrt(np.multiply.outer(layer.q_M, layer.q_M))
        angle = np.arccos(correlations(layer.K_MxM))
        expected = root * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
        np.testing.assert_allclose(layer.H_MxM, expected, atol=5e-6 * root.max())
        np.testing.assert_allclose(layer.S_MxM, (np.pi - angle) / (2 * np.pi), atol=1e-5)


def test_erf_has_the_arcsine_kernel():
    # Williams 1997; biases of a spread and of a weight that is not 1.
    layers = propagate(CATALOGUE["erf"].exact, rows(), [(1.5, 0.0, 0.4)] * 4)
    for layer in layers:
        scale = np.sqrt(1 + 2 * layer.q_M)
        cosine = 2 * layer.K_MxM / np.multiply.outer(scale, scale)
        np.testing.assert_allclose(layer.H_MxM, 2 / np.pi * np.arcsin(cosine), atol=2e-4)
        slopes = 4 / np.pi / np.sqrt(np.multiply.outer(scale**2, scale**2) - 4 * layer.K_MxM**2)
        np.testing.assert_allclose(layer.S_MxM, slopes, atol=5e-4)


NEURAL_TANGENTS = {
    "relu": (
        2.0,
        0,
        [0.656352612, 0.709109195, 0.799340803, 0.958322915, 0.968681097, 1.313314234],
        [6.563526119, 2.474972158, 2.229760420, 9.583229154, 2.746733173, 13.133142340],
    ),
    "erf": (
        1.5,
        0.4,
        [0.419369661, 0.345646612, 0.300749960, 0.419374793, 0.303865909, 0.419378441],
        [3.807287739, 1.786349648, 1.099612086, 3.872239960, 1.142069142, 3.932060369],
    ),
    "gelu": (
        1.6,
        0.5,
        [0.307363403, 0.307597522, 0.310911443, 0.331700695, 0.322452816, 0.363513015],
        [1.201871158, 1.034732015, 0.939905348, 1.448386221, 0.999546575, 1.781935665],
    ),
    "absolute": (
        1.0,
        0,
        [0.656352612, 0.762046136, 0.891789163, 0.958322915, 1.076486431, 1.313314234],
        [6.563526119, 2.232235269, 2.596231303, 9.583229154, 3.077176647, 13.133142340],
    ),
    "leaky_relu": (
        2 / (1 + 1e-4),
        0,
        [0.656352612, 0.707035640, 0.795337645, 0.958322915, 0.964026441, 1.313314234],
        [6.563526119, 2.484177545, 2.219801092, 9.583229154, 2.736976313, 13.133142340],
    ),
    "sine": (
        1.5,
        0.4,
        [0.385932548, 0.317392158, 0.286371967, 0.385933928, 0.288832919, 0.385934488],
        [3.319578471, 1.602455361, 1.108885758, 3.415610280, 1.144440784, 3.527563782],
    ),
}
"""σ_w², σ_b, and E φφ' (``nngp``) and the tangent kernel (``ntk``) of three rows after ten layers, above the diagonal.

By neural-tangents 0.6.5 (Novak et al. 2020) under JAX 0.4.30 in float64, neither of which is needed here:
``stax.serial(*10 * [stax.Dense(1, W_std=σ_w, b_std=σ_b), φ])[2](x, None, ("nngp", "ntk"))``,
x = ``np.random.default_rng(5).standard_normal((3, 6))``, φ = ``stax.Relu()``, ``Erf()``, ``Gelu()``, ``Abs()``,
``LeakyRelu(0.01)``, ``Sin()``. By Abs and LeakyRelu the diagonal of ``nngp`` is that of x·x'/6 in every layer.
"""


@pytest.mark.parametrize("name", NEURAL_TANGENTS)
def test_neural_tangents_agrees(name):
    sigma_w2, sigma_b, nngp, ntk = NEURAL_TANGENTS[name]
    record, x = CATALOGUE[name], np.random.default_rng(5).standard_normal((3, 6))
    layers = propagate(partial(record.exact, **record.parameters), x, [(sigma_w2, 0.0, sigma_b)] * 10)
    tangent = np.zeros((3, 3))
    for layer in layers:
        tangent = layer.S_MxM * (layer.K_MxM + sigma_w2 * tangent)
    above = np.triu_indices(3)
    np.testing.assert_allclose(layers[-1].H_MxM[above], nngp, rtol=NNGP)
    np.testing.assert_allclose(tangent[above], ntk, rtol=NTK)


@pytest.mark.parametrize("name", ["gelu", "relu6", "sine"])
def test_moments_at_any_variance_are_those_of_adaptive_quadrature(name):
    phi, mean = CATALOGUE[name].exact, 0.3
    q = np.array([0.011, 0.34, 1.0, 7.7, 150.0])
    scalars = Coefficients(phi, mean).at(q).scalars
    for i, root in enumerate(np.sqrt(q)):
        for moment, order in (("second_moment", 0), ("slope_second_moment", 1)):
            expected = gaussian_expectation(lambda z, r=root, o=order: evaluate(phi, mean + r * np.asarray(z))[o] ** 2)
            assert scalars[moment][i] == pytest.approx(expected, rel=2e-6), (name, q[i], moment)


def test_derivatives_in_q_are_those_of_the_moments():
    of = Coefficients(CATALOGUE["gelu"].exact)
    q, step = np.array([0.2, 1.0, 30.0]), 1e-5
    for name in ("mean", "second_moment", "slope_second_moment"):
        above, below = (of.at(q * (1 + sign * step)).scalars[name] for sign in (1, -1))
        np.testing.assert_allclose(of.at(q).scalars_by_q[name], (above - below) / (2 * step * q), rtol=1e-4)


@pytest.mark.parametrize("name", ["hard_tanh", "gelu"])
def test_pairs_of_different_variances_by_direct_quadrature(name):
    phi, q = CATALOGUE[name].exact, np.array([0.5, 3.0])
    of = Coefficients(phi).at(q)
    reach = np.linspace(-8.0, 8.0, 1201)
    for c in (-0.8, 0.3, 0.9, 0.995):
        # Given z the other row is Gaussian; the inner integral on a grid that is as fine for both.
        z, v = reach[:, None], reach[None, ::3]
        density = stats.norm.pdf(z) * stats.norm.pdf(v)
        first = evaluate(phi, math.sqrt(q[0]) * reach)
        other = evaluate(phi, (math.sqrt(q[1]) * (c * z + math.sqrt(1 - c * c) * v)).ravel()).reshape(2, *density.shape)
        for a, square, order, decay in (
            (of.a_MxN, of.scalars["second_moment"], 0, 2.5),
            (of.b_MxN, of.scalars["slope_second_moment"], 1, 1.5),
        ):
            inner = integrate.trapezoid(other[order] * density, v[0], axis=1)
            expected = integrate.trapezoid(first[order] * inner, reach)
            found, error = pair_expectation(a, square, np.array([[1.0, c], [c, 1.0]]), decay)
            assert found[0, 1] == pytest.approx(expected, abs=2e-3 + error), (name, c, order)
            # hard_tanh's φ' jumps at |z| = 1, which is at 1.41 and .58 standard deviations of the two rows: their last
            # coefficients are out of step, which the end of the series takes for random. At c = .995 that is off by
            # .0039 of .4363 (SciPy's bivariate normal); half of the terms are off by three times as much.
            assert error < 0.0117


def test_a_constant_bias_moves_the_mean_and_makes_no_noise():
    one = propagate(jnp.tanh, rows(), [(1.0, 0.7, 0.0)])[0]
    assert one.mean == 0.7
    np.testing.assert_allclose(one.K_MxM, rows() @ rows().T / 6)
    expected = gaussian_expectation(lambda z: np.tanh(0.7 + math.sqrt(one.q_M[0]) * np.asarray(z)))
    assert one.mean_M[0] == pytest.approx(expected, abs=1e-7)


def test_a_shallower_network_is_the_beginning_of_a_deeper_one():
    deep = propagate(jnp.tanh, rows(), [PLAIN] * 6)
    assert all(a is b for a, b in zip(propagate(jnp.tanh, rows(), [PLAIN] * 3), deep, strict=False))
    chains.kept.clear()
    again = propagate(jnp.tanh, rows(), [PLAIN] * 3)[2]
    np.testing.assert_array_equal(again.H_MxM, deep[2].H_MxM)
    other = propagate(jnp.tanh, rows(), [PLAIN, PLAIN, (1.0, 0.0, 0.0)])[2]
    np.testing.assert_allclose(other.K_MxM, deep[2].K_MxM / 2)


def test_where_nothing_can_be_computed_there_is_a_reason():
    def reason(phi, parameters, x=None):
        return propagate(phi, rows() if x is None else x, parameters)[-1]

    assert reason(lambda z: jnp.exp(z * z), [PLAIN] * 2) == (
        "φ or φ' has no finite Gaussian second moment at the variances of layer 1: at variance 0.2019 "
        "φ has a singularity, grows too fast, or has too many kinks"
    )
    assert reason(lambda z: z**3, [PLAIN] * 9).startswith("the variance of pre-activations overflows in layer")
    assert "underflows" in reason(lambda z: 1e-3 * z, [PLAIN] * 9)
    assert reason(jnp.tanh, [PLAIN], np.zeros((3, 6))) == "the pre-activations of a row have no variance in layer 1"


def test_dead_units_of_rows_that_decide_alone():
    relu = CATALOGUE["relu"]
    along = np.outer([1.0, 2.0, 3.0], np.ones(4))
    for one in dead_units(relu.exact, relu.flat, along, [PLAIN] * 4):
        assert one.dead == pytest.approx(0.5, abs=5 * one.error)
    opposed = dead_units(relu.exact, relu.flat, np.vstack([along, -along]), [PLAIN])[0]
    assert opposed.dead == opposed.no_gradient == 0
    # Three orthogonal rows: an octant; flat on both sides is no gradient, yet constant on one of them alone.
    octant = dead_units(relu.exact, relu.flat, np.eye(3), [PLAIN])[0]
    assert octant.dead == pytest.approx(1 / 8, abs=5 * octant.error)
    hard = CATALOGUE["hard_tanh"]
    both = dead_units(hard.exact, hard.flat, np.eye(3), [(3e4, 0.0, 0.0)])[0]
    assert both.dead == pytest.approx(1 / 4, abs=6 * both.error)
    assert both.no_gradient > 0.95


def test_dead_units_are_those_of_a_wide_network():
    relu, x, rng = CATALOGUE["relu"], rows(200, 8), np.random.default_rng(2)
    predicted = dead_units(relu.exact, relu.flat, x, [PLAIN] * 5)
    h, width = x, 2000
    for one in predicted:
        z = h @ (math.sqrt(2 / h.shape[1]) * rng.standard_normal((h.shape[1], width)))
        share = np.mean((z <= 0).all(axis=0))
        assert share == pytest.approx(one.dead, abs=0.005 + 4 * math.sqrt(share / width)), one
        h = np.maximum(z, 0)


@pytest.mark.parametrize("name", thinned(CATALOGUE, 6))
def test_what_is_interpolated_is_as_exact_as_is_claimed(name):
    q = np.array([1e-6, 0.013, 0.9, 31.0, 1e5])
    if name in ("sine", "snake", "softshrink"):  # many periods; next to nothing is left of a small variance
        q = q[2:4]
    phi = CATALOGUE[name].exact
    scalars = Coefficients(phi).at(q).scalars
    expected = moments_over(phi, q)
    for moment in ("second_moment", "slope_second_moment"):
        np.testing.assert_allclose(scalars[moment], expected[moment], rtol=RELATIVE_ERROR)


@pytest.mark.parametrize("mean", [0.0, 0.4])
def test_a_singularity_is_refused_with_its_reason(mean):
    for singular in (lambda z: 1 / (z - 0.3), lambda z: jnp.log(jnp.abs(z)), lambda z: jnp.abs(z) ** (-1 / 3)):
        layer = propagate(singular, np.eye(3), [(2.0, mean, 0.1)])[0]
        assert isinstance(layer, str)
        assert "no finite Gaussian second moment at the variances of layer 1: no" in layer
    for jump in (jnp.sign, lambda z: jnp.where(z > 0.3, 1.0, 0.0), CATALOGUE["hard_sigmoid"].exact):
        layer = propagate(jump, np.eye(3), [(2.0, mean, 0.1)])[0]
        assert np.isfinite(layer.H_MxM).all()
