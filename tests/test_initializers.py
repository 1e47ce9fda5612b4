"""Initializers: deviations against closed forms, distributions against scipy's, and one draw for all layers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from actlab.nn import initializers, model

FLOAT32 = jnp.dtype("float32")
ENTRIES = (300, 400)

# Unit-variance distributions, independently of the code's own constants.
CUT = stats.truncnorm(-2, 2)
DISTRIBUTIONS = {
    "normal": stats.norm(),
    "truncated_normal": stats.truncnorm(-2, 2, scale=1 / CUT.std()),
    "uniform": stats.uniform(-math.sqrt(3), 2 * math.sqrt(3)),
}

# Kernel entries' variance as the papers state it, for fan-in m and fan-out n.
SLOPE, SIGMA, MOMENT = 0.3, 1.7, 0.4
VARIANCES = {
    "he": (lambda m, n: 2 / ((1 + SLOPE**2) * m), {"negative_slope": SLOPE}),
    "lecun": (lambda m, n: 1 / m, {}),
    "glorot": (lambda m, n: 2 / (m + n), {}),
}
CASES = {
    f"{paper}_{kind}": (kind, *VARIANCES[paper])
    for paper in VARIANCES
    for kind in ("normal", "truncated_normal", "uniform")
} | {
    "orthogonal": ("orthogonal", lambda m, n: 1 / max(m, n), {}),
    "pytorch_default": ("uniform", lambda m, n: (2 / math.sqrt(m)) ** 2 / 12, {}),
    "gaussian": ("normal", lambda m, n: SIGMA**2 / m, {"sigma_w": SIGMA}),
    "variance_preserving": ("normal", lambda m, n: 1 / (m * MOMENT), {"second_moment": MOMENT}),
}


def network(key=0, **changes):
    options = {
        "features": 30,
        "outputs": 10,
        "depth": 4,
        "width": 40,
        "weight_distribution": "normal",
        "bias_distribution": "normal",
        "weight_std": jnp.array([0.1, 0.2, 0.3, 0.4]),
        "bias_mean": jnp.array([0.0, 1.0, 2.0, 3.0]),
        "bias_std": jnp.array([0.5, 0.0, 0.1, 0.2]),
        "learnable": {"alpha": 0.25},
        "learnable_per": "layer",
        "dtype": FLOAT32,
    }
    return model.init(jax.random.key(key), **options | changes)


def test_the_cases_here_are_the_catalogue():
    assert set(CASES) == set(initializers.INITIALIZERS)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 64), (300, 400), (784, 10)])
@pytest.mark.parametrize("gain", [1.0, 0.5, 2.0])
def test_variance_is_the_papers_times_gain_squared(name, fan_in, fan_out, gain):
    record = initializers.INITIALIZERS[name]
    distribution, variance, options = CASES[name]
    assert record.distribution == distribution
    assert set(options) == set(record.options)
    std = gain * record.std(fan_in, fan_out, **options)
    assert std**2 == pytest.approx(gain**2 * variance(fan_in, fan_out), rel=1e-12)
    assert record.reference


@pytest.mark.parametrize("name", CASES)
def test_a_drawn_kernel_has_that_variance(name):
    record = initializers.INITIALIZERS[name]
    distribution, variance, options = CASES[name]
    fan_in, fan_out = ENTRIES
    tree = network(
        features=fan_in,
        width=fan_out,
        depth=1,
        weight_distribution=distribution,
        weight_std=jnp.array([record.std(fan_in, fan_out, **options)]),
        bias_mean=jnp.zeros(1),
        bias_std=jnp.zeros(1),
    )
    kernel = np.asarray(tree["first"]["kernel"], np.float64)
    # the relative standard error of a variance estimate is at most √(2/n) here: normal has the heaviest tails
    assert kernel.var() == pytest.approx(variance(fan_in, fan_out), rel=4 * math.sqrt(2 / kernel.size))
    assert abs(kernel.mean()) < 4 * kernel.std() / math.sqrt(kernel.size)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        first, stack = initializers.draw(name, jax.random.key(1), [(100, 200), (3, 100, 100)], jnp.dtype(dtype))
    assert first.dtype == stack.dtype == dtype
    for kernel in (first, *stack):
        sample = np.asarray(kernel, np.float64).ravel()
        assert stats.kstest(sample, DISTRIBUTIONS[name].cdf).pvalue > 1e-3
        low, high = DISTRIBUTIONS[name].support()
        assert low - 1e-6 <= sample.min()
        assert sample.max() <= high + 1e-6


def test_truncated_is_cut_at_two_of_its_parents_deviations_and_corrected():
    (kernel,) = initializers.draw("truncated_normal", jax.random.key(0), [(400, 400)], FLOAT32)
    assert float(jnp.max(jnp.abs(kernel))) == pytest.approx(2 / CUT.std(), rel=1e-3)
    assert math.isclose(initializers.TRUNCATED_STD, CUT.std(), rel_tol=1e-14)


def test_pytorch_default_is_uniform_within_one_over_root_fan_in():
    std = initializers.pytorch_default(*ENTRIES)
    (kernel,) = initializers.draw("uniform", jax.random.key(0), [ENTRIES], FLOAT32)
    bound = 1 / math.sqrt(ENTRIES[0])
    assert float(jnp.max(jnp.abs(std * kernel))) == pytest.approx(bound, rel=1e-3)


# Orthogonal kernels


@pytest.mark.parametrize("shape", [(30, 30), (20, 50), (50, 20), (5, 30, 30)])
def test_orthogonal_kernels_are_orthonormal_along_their_shorter_side(shape):
    (kernel,) = initializers.draw("orthogonal", jax.random.key(0), [shape], FLOAT32)
    fan_in, fan_out = shape[-2:]
    q = np.asarray(kernel, np.float64) * initializers.orthogonal(fan_in, fan_out)
    across = np.swapaxes(q, -1, -2)
    gram = across @ q if fan_in >= fan_out else q @ across
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(min(fan_in, fan_out)), gram.shape), atol=1e-5)


def test_orthogonal_kernels_are_uniform_on_the_group():
    (kernels,) = initializers.draw("orthogonal", jax.random.key(0), [(2000, 4, 4)], FLOAT32)
    q = np.asarray(kernels, np.float64) / 2
    # an entry of a Haar matrix is a coordinate of a uniform point on the sphere: (1 + q)/2 ~ Beta((n−1)/2, (n−1)/2)
    for i in range(4):
        for j in range(4):
            assert stats.kstest((1 + q[:, i, j]) / 2, stats.beta(1.5, 1.5).cdf).pvalue > 1e-4, (i, j)
    assert np.mean(np.linalg.det(q) > 0) == pytest.approx(0.5, abs=0.05)


# The whole network


def test_a_layer_is_scaled_by_its_own_deviation_alone():
    tree = network()
    kernels = [tree["first"]["kernel"], *tree["hidden"]["kernel"]]
    for l, std in enumerate([0.1, 0.2, 0.3, 0.4]):
        assert float(jnp.std(kernels[l])) == pytest.approx(std, rel=0.1)
        stds = jnp.array([0.1, 0.2, 0.3, 0.4]).at[l].multiply(2.0)
        changed = network(weight_std=stds)
        for other, kernel in enumerate([changed["first"]["kernel"], *changed["hidden"]["kernel"]]):
            assert np.array_equal(kernel, kernels[other] * (2.0 if other == l else 1.0))
        assert np.array_equal(changed["readout"]["kernel"], tree["readout"]["kernel"])


@pytest.mark.parametrize("distribution", [*DISTRIBUTIONS, "orthogonal"])
def test_layers_are_independent_of_each_other_whatever_their_order(distribution):
    kernels = []
    for key in range(40):
        tree = network(key, features=12, width=12, outputs=12, weight_distribution=distribution)
        std = np.array([0.1, 0.2, 0.3, 0.4])[:, None, None]
        hidden = np.concatenate([tree["first"]["kernel"][None], tree["hidden"]["kernel"]]) / std
        kernels.append([*hidden, np.asarray(tree["readout"]["kernel"]) * math.sqrt(12)])
    # [layer, sample]: the same distribution in every place, and no correlation between places
    samples = np.array(kernels).transpose(1, 0, 2, 3).reshape(5, -1)
    for one in range(4):
        for other in range(one + 1, 4):
            assert stats.ks_2samp(samples[one], samples[other]).pvalue > 1e-3
    correlations = np.corrcoef(samples)[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < 4 / math.sqrt(samples.shape[1])


@pytest.mark.parametrize("distribution", [*DISTRIBUTIONS, "orthogonal"])
def test_the_readout_is_lecun_normal_with_zero_bias_whatever_the_hidden_layers_are(distribution):
    tree = network(weight_distribution=distribution, outputs=500)
    readout = np.asarray(tree["readout"]["kernel"], np.float64)
    assert stats.kstest(readout.ravel(), stats.norm(scale=1 / math.sqrt(40)).cdf).pvalue > 1e-3
    assert np.array_equal(tree["readout"]["kernel"], network(outputs=500)["readout"]["kernel"])
    assert not np.any(tree["readout"]["bias"])


def test_the_key_decides_everything():
    one, same, other = network(0), network(0), network(1)
    for a, b, c in zip(*map(jax.tree.leaves, (one, same, other)), strict=True):
        assert np.array_equal(a, b)
        assert a.ndim < 2 or not np.array_equal(a, c)


# Biases


def test_constant_biases_are_their_mean():
    tree = network(bias_distribution="constant")
    biases = np.concatenate([tree["first"]["bias"][None], tree["hidden"]["bias"]])
    assert np.array_equal(biases, np.broadcast_to(np.arange(4.0)[:, None], (4, 40)))


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_drawn_biases_have_each_layers_mean_and_deviation(name):
    mean, std = np.array([0.0, -1.0, 2.0]), np.array([1.0, 0.1, 0.0])
    biases = np.asarray(initializers.draw_biases(name, jax.random.key(0), mean, std, 4000, FLOAT32), np.float64)
    for l in (0, 1):
        unit = (biases[l] - mean[l]) / std[l]
        assert stats.kstest(unit, DISTRIBUTIONS[name].cdf).pvalue > 1e-3
    assert np.all(biases[2] == 2.0)
    assert abs(np.corrcoef(biases[:2])[0, 1]) < 4 / math.sqrt(4000)


def test_biases_do_not_share_the_weights_numbers():
    tree = network(features=40, weight_std=jnp.ones(4), bias_mean=jnp.zeros(4), bias_std=jnp.ones(4))
    weights = np.concatenate([np.ravel(tree[part]["kernel"]) for part in ("first", "hidden")])
    biases = np.concatenate([np.ravel(tree[part]["bias"]) for part in ("first", "hidden")])
    assert len(np.intersect1d(weights, biases)) < 3  # float32 has few enough values that some may meet


def test_bias_initializers_state_their_moments():
    expected = {
        "zeros": (0.0, 0.0),
        "constant": (0.7, 0.0),
        "normal": (-0.1, 0.4),
        "pytorch_default": (0.0, 2 / math.sqrt(50) / math.sqrt(12)),
    }
    options = {"constant": {"value": 0.7}, "normal": {"mean": -0.1, "std": 0.4}}
    assert set(expected) == set(initializers.BIASES)
    for name, record in initializers.BIASES.items():
        assert set(record.options) == set(options.get(name, {}))
        assert record.moments(50, **options.get(name, {})) == pytest.approx(expected[name])
        assert (record.distribution == "constant") == (expected[name][1] == 0)


# Activation parameters


@pytest.mark.parametrize(("per", "shape"), [("layer", (4,)), ("unit", (4, 40))])
def test_learnable_parameters_start_at_their_value(per, shape):
    alpha = network(learnable_per=per)["activation"]["alpha"]
    assert alpha.shape == shape
    assert np.all(alpha == 0.25)
