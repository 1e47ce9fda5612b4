"""Gaussian moments: closed forms where there are some, adaptive quadrature as a second one everywhere."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from actlab.activations import CATALOGUE
from actlab.theory import moments as known
from actlab.theory.gaussian import gaussian_expectation, second_moment, slope_second_moment, weak_threshold
from tests.thinned import thinned

NODES, WEIGHTS = np.polynomial.legendre.leggauss(400)
LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772


def exponential_moment(a, k):
    """Compute E e^(kZ) over Z < 0, times a."""
    return a * math.exp(k**2 / 2) * stats.norm.cdf(-k)


# E φ² and E φ'² by hand; Φ and its density at one point are all that is needed.
MOMENTS = {
    "linear": (1.0, 1.0),
    "relu": (0.5, 0.5),
    "leaky_relu": ((1 + 0.01**2) / 2, (1 + 0.01**2) / 2),
    "prelu": ((1 + 0.25**2) / 2, (1 + 0.25**2) / 2),
    "absolute": (1.0, 1.0),
    "relu_squared": (1.5, 2.0),
    "star_relu": (0.8944**2 * 1.5 - 0.8944 * 0.4472 + 0.4472**2, 2 * 0.8944**2),
    "elu": (
        0.5 + exponential_moment(1, 2) - exponential_moment(2, 1) + 0.5,
        0.5 + exponential_moment(1, 2),
    ),
    "selu": (1.0, LAMBDA**2 * (0.5 + ALPHA**2 * exponential_moment(1, 2))),
    # The arcsine kernel of Williams (1997): E erf(Z)² = 2/π·asin(2/3); E erf'(Z)² = 4/π/√5.
    "erf": (2 / math.pi * math.asin(2 / 3), 4 / math.pi / math.sqrt(5)),
    "sine": ((1 - math.exp(-2)) / 2, (1 + math.exp(-2)) / 2),
    "gaussian": (5**-0.5, 4 * 5**-1.5),
    "hard_tanh": (
        2 * (stats.norm.cdf(1) - 0.5 - stats.norm.pdf(1)) + 2 * stats.norm.sf(1),
        stats.norm.cdf(1) - stats.norm.cdf(-1),
    ),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_have_their_closed_forms(name):
    phi = CATALOGUE[name].function
    expected, expected_slope = MOMENTS[name]
    # SELU's constants are printed to 16 digits; its fixed point holds to as many.
    assert second_moment(phi) == pytest.approx(expected, abs=1e-12)
    assert slope_second_moment(phi) == pytest.approx(expected_slope, abs=1e-12)
    assert weak_threshold(phi) == pytest.approx(0.05 * math.sqrt(expected_slope), abs=1e-12)


@pytest.mark.parametrize("name", thinned(CATALOGUE, 3))
def test_quadrature_from_kink_to_kink_agrees(name):
    record = CATALOGUE[name]
    edges = np.array([-12.0, *record.kinks, 12.0])
    width = np.diff(edges)[:, None]
    z = edges[:-1, None] + width * (NODES + 1) / 2
    with jax.enable_x64(True):
        for moment, function in ((second_moment, record.function), (slope_second_moment, record.derivative)):
            values = np.asarray(function(jnp.asarray(z)))
            expected = np.sum(width / 2 * WEIGHTS * values**2 * stats.norm.pdf(z))
            assert moment(record.function) == pytest.approx(expected, abs=1e-11)


def test_kinks_and_jumps_anywhere_cost_no_accuracy():
    for place in (0.3123, -1.7, math.pi / 2):
        expected = stats.norm.pdf(place) - place * stats.norm.sf(place)
        assert gaussian_expectation(lambda z, at=place: np.maximum(z - at, 0)) == pytest.approx(expected, abs=1e-12)
        assert gaussian_expectation(lambda z, at=place: z > at) == pytest.approx(stats.norm.sf(place), abs=1e-12)
    assert gaussian_expectation(lambda z: np.abs(np.sin(7 * z))) == pytest.approx(2 / math.pi, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [("gelu", lambda z: z * special.ndtr(z)), ("mish", lambda z: z * math.tanh(np.logaddexp(z, 0.0)))],
)
def test_scipy_agrees(name, value):
    expected, _ = integrate.quad(lambda z: value(z) ** 2 * stats.norm.pdf(z), -12, 12, epsabs=1e-13, epsrel=1e-13)
    assert second_moment(CATALOGUE[name].function) == pytest.approx(expected, abs=1e-12)


def test_a_rough_function_ends_too():
    # Its panels never converge; bisecting them all would double them in every round.
    calls = []

    def rough(z):
        calls.append(len(z))
        return np.sin(1e9 * z)

    assert gaussian_expectation(rough) == pytest.approx(0.0, abs=1e-2)
    assert len(calls) < 1000


def test_nan_is_not_hidden():
    assert math.isnan(gaussian_expectation(lambda z: np.where(z > 1, np.nan, z)))


def test_the_function_is_always_called_at_as_many_points_in_float64():
    seen = set()

    def f(z):
        seen.add((z.shape, z.dtype))
        return np.abs(z - 0.3)

    gaussian_expectation(f)
    assert len(seen) == 1
    assert seen.pop()[1] == np.float64


def test_a_function_is_compiled_once_for_all_its_moments():
    traces = []

    def phi(z):
        traces.append(z)
        return jnp.tanh(z - 0.1)

    second_moment(phi)
    slope_second_moment(phi)
    weak_threshold(phi)
    assert len(traces) == 2  # φ and φ′, in one program


# What is known of the catalogue beforehand


def test_the_stored_moments_are_of_todays_code():
    assert {code for _, code in known.known()} == {known.checksum()}, "run `make moments`"
    assert [name for name, _ in known.known()] == list(CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_stored_moments_are_what_is_computed(name):
    parameters = tuple(CATALOGUE[name].parameters.items())
    stored = known.known()[name, known.checksum()]
    assert stored == pytest.approx(known.computed(CATALOGUE[name], parameters), rel=1e-12, abs=1e-12)


@pytest.fixture
def computing(monkeypatch):
    """What is computed rather than looked up, by name; the numbers are nonsense."""
    asked = []
    monkeypatch.setattr(known, "computed", lambda record, _: asked.append(record.name) or {"second_moment": -1.0})
    known.moments.cache_clear()
    yield asked
    known.moments.cache_clear()


def test_nothing_is_computed_for_the_catalogue_at_its_defaults(computing):
    for record in CATALOGUE.values():
        assert known.moments(record, tuple(record.parameters.items()))["second_moment"] > 0
    assert computing == []


def test_other_parameters_and_other_functions_are_computed(computing):
    assert known.moments(CATALOGUE["leaky_relu"], (("negative_slope", 0.2),))["second_moment"] == -1.0
    known.moments(replace(CATALOGUE["relu"], function=jnp.abs), ())  # a user's own of the same name
    assert computing == ["leaky_relu", "relu"]


def test_changed_code_is_computed_again(computing, monkeypatch):
    monkeypatch.setattr(known, "checksum", lambda: "changed")
    known.moments(CATALOGUE["relu"], ())
    assert computing == ["relu"]
