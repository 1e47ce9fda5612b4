"""Jacobians' spectra as theory has them, against networks that NumPy draws, with slopes of their own forward pass."""

import math

import numpy as np
import pytest

from actlab.activations import CATALOGUE
from actlab.theory.errors import TheoryError
from actlab.theory.jacobian import finite_width, infinite_width, predict_jacobian, sampled, two_slopes

NETWORKS = 3000
SIZES = {"square": [6] * 5, "few inputs": [3, 7, 7, 7, 2], "many inputs": [11, 5, 5, 5, 4], "one output": [4, 5, 5, 1]}


def haar(rng, rows, columns, networks):
    """Draw frames whose shorter side is orthonormal, uniformly: with the signs of R's diagonal in Q."""
    q, r = np.linalg.qr(rng.normal(size=(networks, max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]
    return q if rows >= columns else q.swapaxes(1, 2)


def networks_of(sizes, stds, slopes, weights, bias_std=0.0):
    """Return squared singular values of each network's Jacobian at one fixed input [S, N]."""
    rng, low, high = np.random.default_rng(3), *slopes
    h_SxW = np.tile(rng.normal(size=sizes[0]), (NETWORKS, 1))
    jacobian = np.tile(np.eye(sizes[0]), (NETWORKS, 1, 1))  # ∂h/∂x, [S, F, W]
    for fan_in, width, std in zip(sizes[:-2], sizes[1:-1], stds, strict=True):
        if weights == "normal":
            kernel = std * rng.normal(size=(NETWORKS, fan_in, width))
        else:
            kernel = std * math.sqrt(max(fan_in, width)) * haar(rng, fan_in, width, NETWORKS)
        z_SxW = np.einsum("si,sio->so", h_SxW, kernel) + bias_std * rng.normal(size=(NETWORKS, width))
        slope_SxW = np.where(z_SxW > 0, high, low)
        h_SxW, jacobian = slope_SxW * z_SxW, jacobian @ kernel * slope_SxW[:, None]
    jacobian = jacobian @ rng.normal(size=(NETWORKS, sizes[-2], sizes[-1])) / math.sqrt(sizes[-2])
    return np.linalg.svd(jacobian, compute_uv=False)[:, : min(sizes)] ** 2


def agrees(values, expected):
    """Whether a mean is the expected one, within five standard errors."""
    assert abs(values.mean() - expected) < 5 * values.std() / math.sqrt(len(values)) + 1e-12


@pytest.mark.parametrize("weights", ["normal", "orthogonal"])
@pytest.mark.parametrize("slopes", [(1.0, 1.0), (0.0, 1.0), (0.3, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("name", SIZES)
def test_moments_at_finite_width_are_those_of_networks(name, slopes, weights):
    """A bias that is symmetric changes none of them."""
    sizes = SIZES[name]
    stds = [0.5 + 0.1 * l for l in range(len(sizes) - 2)]
    squares = networks_of(sizes, stds, slopes, weights, bias_std=0.3)
    expected = finite_width(sizes, stds, slopes, weights)
    mean = 10.0**expected.log10_mean_square
    agrees(squares.mean(axis=1), mean)
    agrees(squares.var(axis=1), expected.relative_variance * mean**2)
    agrees((squares.mean(axis=1) - mean) ** 2, (expected.relative_spread * mean) ** 2)


@pytest.mark.parametrize("weights", ["normal", "orthogonal"])
@pytest.mark.parametrize("name", SIZES)
def test_the_networks_that_are_drawn_without_weights_have_these_moments(name, weights):
    sizes = SIZES[name]
    means, variances = sampled(sizes, (0.0, 1.0), weights, networks=NETWORKS)
    stds = [math.sqrt(2.0 / fan_in) for fan_in in sizes[:-2]]
    expected = finite_width(sizes, stds, (0.0, 1.0), weights)
    scale = sizes[-1] / min(sizes)
    assert 10.0**expected.log10_mean_square == pytest.approx(scale)
    agrees(means, scale)
    agrees(variances, expected.relative_variance * scale**2)
    agrees((means - scale) ** 2, (expected.relative_spread * scale) ** 2)


@pytest.mark.parametrize(("slopes", "per_layer"), [((1.0, 1.0), (1.0, 0.0)), ((0.0, 1.0), (2.0, 1.0))])
def test_the_limit_of_width_is_that_of_free_probability(slopes, per_layer):
    """Linear: L and 0; ReLU: 2L and L (Pennington et al. 2018); the Gaussian readout adds 1."""
    depth, width = 7, 10**6
    for weights, share in zip(("normal", "orthogonal"), per_layer, strict=True):
        limit = infinite_width(depth, 1.1, slopes, weights)
        assert limit.relative_variance == pytest.approx(depth * share)
        wide = finite_width([width] * (depth + 2), [1.1 / math.sqrt(width)] * depth, slopes, weights)
        assert wide.log10_mean_square == pytest.approx(limit.log10_mean_square)
        assert wide.relative_variance == pytest.approx(depth * share + 1, rel=1e-3)


def test_depth_does_not_underflow():
    deep = finite_width([500] * 2002, [0.01 / math.sqrt(500)] * 2000)
    assert deep.log10_mean_square == pytest.approx(2000 * math.log10(0.01**2 / 2))
    assert math.isfinite(deep.log10_variance)


def test_what_is_predicted_is_the_columns_of_a_study():
    relu = predict_jacobian(lambda z: z * (z > 0), [0.2] * 4, [0.0] * 4, 64, 50, 10)
    expected = finite_width([64, 50, 50, 50, 50, 10], [0.2] * 4)
    assert [(one[0], one[1]) for one in relu] == [
        ("log10_jacobian_mean_square", 0),
        ("log10_jacobian_square_variance", 0),
    ]
    for (*_, value, error, spread, _), exact in zip(
        relu, (expected.log10_mean_square, expected.log10_variance), strict=True
    ):  # the mean log10 is less than the log10 of the mean, for a normal one by this
        assert value == pytest.approx(exact - math.log(10) / 2 * spread**2, abs=0.3 * spread)
        assert value < exact
        assert 0 < error < spread / 16
    assert relu[0][4] == pytest.approx(expected.relative_spread / math.log(10), rel=0.3)  # to first order
    assert len(predict_jacobian(lambda z: z, [0.2], [0.0], 64, 50, 1)) == 1  # a single singular value has no variance
    assert predict_jacobian(lambda z: z, [0.2], [0.1], 64, 50, 1) == []  # z is not symmetric
    assert predict_jacobian(lambda z: z**3, [0.2], [0.0], 64, 50, 1) == []
    assert two_slopes(lambda z: z + 1.0) is None


@pytest.mark.parametrize("weights", ["normal", "orthogonal"])
@pytest.mark.parametrize(("name", "slopes"), [("relu", (0.0, 1.0)), ("linear", (1.0, 1.0))])
def test_the_logarithms_of_networks_have_the_predicted_mean_and_spread(name, slopes, weights):
    sizes, stds = [11, 16, 16, 16, 3], [0.3, 0.2, 0.3]
    squares = networks_of(sizes, stds, slopes, weights)
    predicted = predict_jacobian(CATALOGUE[name].exact, stds, [0.0] * 3, 11, 16, 3, weights)
    for (_, _, value, error, spread, assumption), drawn in zip(
        predicted, (squares.mean(axis=1), squares.var(axis=1)), strict=True
    ):
        logs = np.log10(drawn[drawn > 0])
        assert logs.mean() == pytest.approx(value, abs=4 * math.hypot(error, logs.std() / math.sqrt(NETWORKS)))
        assert logs.std() == pytest.approx(spread, rel=0.25)  # of 256 networks, 4 to 6 % is chance
        assert {"normal": "Gaussian", "orthogonal": "orthogonal"}[weights] in assumption


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (lambda: finite_width([3, 3], []), "expected 1 hidden layer or more"),
        (lambda: finite_width([3, 3], [0.1]), "expected inputs, 1 hidden layers and outputs"),
        (lambda: infinite_width(3, -1.0), "expected positive numbers"),
        (lambda: infinite_width(3, math.nan), "expected positive numbers"),
        (lambda: infinite_width(3, 1.0, (0.0, 0.0)), "not both 0"),
        (lambda: infinite_width(3, 1.0, weights="uniform"), "expected normal or orthogonal"),
    ],
)
def test_what_is_no_network_is_refused(request_, reason):
    with pytest.raises(TheoryError, match=reason):
        request_()
