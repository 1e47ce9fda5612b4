"""Initializers: deviations against closed forms, distributions against scipy's, and one draw for all layers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from actlab.nn import draws, initializers, training
from actlab.nn.blocks import Function, Options
from tests.core import a_program, nowhere
from tests.thinned import thinned

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
    "normalized_columns": ("normalized_columns", lambda m, n: 1 / m, {}),
    "randomized_asymmetric": ("randomized_asymmetric", lambda m, n: SIGMA**2 / m, {"sigma_w": SIGMA}),
    "variance_preserving": ("normal", lambda m, n: 1 / (m * MOMENT), {"second_moment": MOMENT}),
    "critical": ("normal", lambda m, n: SIGMA**2 / m, {"q": 1.0, "sigma_w": SIGMA}),
}


STDS, MEANS, BIAS_STDS = (0.1, 0.2, 0.3, 0.4), (0.0, 1.0, 2.0, 3.0), (0.5, 0.0, 0.1, 0.2)
PRELU = Function(lambda z, alpha: jnp.where(z > 0, z, alpha * z), nowhere, (), ("alpha",))


def start(seed=0, depth=4, *, stds=STDS, means=MEANS, bias_stds=BIAS_STDS, features=30, outputs=10, **changes):
    """Draw the parameters of a network of four hidden layers of forty units, or of another."""
    settings = {"depth_bound": depth, "width": 40, "optimizer": "sgd"} | changes
    numbers = {"seed": seed, "learnable": np.array([0.25])}
    for name, values in (("weight_std", stds), ("bias_mean", means), ("bias_std", bias_stds)):
        numbers[name] = np.array([*values[:depth], *[0.0] * (settings["depth_bound"] - depth)])
    return training.start(a_program(PRELU, **settings), numbers, depth, features, outputs)["parameters"]


def kernels_of(tree):
    """Return the kernels of the hidden layers."""
    return [tree["input"]["kernel"], *tree["layers"]["kernel"][1:]]


def test_the_papers_initializers_are_all_there():
    assert set(CASES) <= set(initializers.INITIALIZERS)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 64), (300, 400), (784, 10)])
@pytest.mark.parametrize("gain", [1.0, 0.5, 2.0])
def test_variance_is_the_papers_times_gain_squared(name, fan_in, fan_out, gain):
    record = initializers.INITIALIZERS[name]
    distribution, variance, options = CASES[name]
    assert record.distribution == distribution
    assert set(options) == {*record.options, *record.from_point}
    std = gain * record.std(fan_in, fan_out, **options)
    assert std**2 == pytest.approx(gain**2 * variance(fan_in, fan_out), rel=1e-12)
    assert record.reference


def drawn_apart():
    """Name the initializers of the catalogue that draw weights alone: all of a kernel's entries are alike."""
    return [name for name, record in initializers.INITIALIZERS.items() if record.distribution not in draws.JOINT]


@pytest.mark.parametrize("name", drawn_apart())
def test_a_drawn_kernel_has_that_variance(name):
    record = initializers.INITIALIZERS[name]
    fan_in, fan_out = ENTRIES
    std = record.std(fan_in, fan_out, **dict.fromkeys((*record.options, *record.from_point), 0.7))
    tree = start(depth=1, stds=(std,), features=fan_in, width=fan_out, weight_distribution=record.distribution)
    kernel = np.asarray(tree["input"]["kernel"], np.float64)
    # the relative standard error of a variance estimate is at most √(2/n) here: normal has the heaviest tails
    assert kernel.var() == pytest.approx(std**2, rel=4 * math.sqrt(2 / kernel.size))
    assert abs(kernel.mean()) < 4 * kernel.std() / math.sqrt(kernel.size)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        first, stack = draws.draw(name, jax.random.key(1), [(100, 200), (3, 100, 100)], jnp.dtype(dtype))
    assert first.dtype == stack.dtype == dtype
    for kernel in (first, *stack):
        sample = np.asarray(kernel, np.float64).ravel()
        assert stats.kstest(sample, DISTRIBUTIONS[name].cdf).pvalue > 1e-3
        low, high = DISTRIBUTIONS[name].support()
        assert low - 1e-6 <= sample.min()
        assert sample.max() <= high + 1e-6


def test_truncated_is_cut_at_two_of_its_parents_deviations_and_corrected():
    (kernel,) = draws.draw("truncated_normal", jax.random.key(0), [(400, 400)], FLOAT32)
    assert float(jnp.max(jnp.abs(kernel))) == pytest.approx(2 / CUT.std(), rel=1e-3)
    assert math.isclose(draws.TRUNCATED_STD, CUT.std(), rel_tol=1e-14)


def test_pytorch_default_is_uniform_within_one_over_root_fan_in():
    std = initializers.pytorch_default(*ENTRIES)
    (kernel,) = draws.draw("uniform", jax.random.key(0), [ENTRIES], FLOAT32)
    bound = 1 / math.sqrt(ENTRIES[0])
    assert float(jnp.max(jnp.abs(std * kernel))) == pytest.approx(bound, rel=1e-3)


# Orthogonal kernels


@pytest.mark.parametrize("shape", [(30, 30), (20, 50), (50, 20), (5, 30, 30)])
def test_orthogonal_kernels_are_orthonormal_along_their_shorter_side(shape):
    (kernel,) = draws.draw("orthogonal", jax.random.key(0), [shape], FLOAT32)
    fan_in, fan_out = shape[-2:]
    q = np.asarray(kernel, np.float64) * initializers.orthogonal(fan_in, fan_out)
    across = np.swapaxes(q, -1, -2)
    gram = across @ q if fan_in >= fan_out else q @ across
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(min(fan_in, fan_out)), gram.shape), atol=1e-5)


def test_orthogonal_kernels_are_uniform_on_the_group():
    (kernels,) = draws.draw("orthogonal", jax.random.key(0), [(2000, 4, 4)], FLOAT32)
    q = np.asarray(kernels, np.float64) / 2
    # an entry of a Haar matrix is a coordinate of a uniform point on the sphere: (1 + q)/2 ~ Beta((n−1)/2, (n−1)/2)
    for i in range(4):
        for j in range(4):
            assert stats.kstest((1 + q[:, i, j]) / 2, stats.beta(1.5, 1.5).cdf).pvalue > 1e-4, (i, j)
    assert np.mean(np.linalg.det(q) > 0) == pytest.approx(0.5, abs=0.05)


# Columns of norm 1


@pytest.mark.parametrize("fan_in", [1, 2, 30])
def test_normalized_columns_are_uniform_on_the_sphere(fan_in):
    (kernel,) = draws.draw("normalized_columns", jax.random.key(0), [(fan_in, 3000)], FLOAT32)
    columns = np.asarray(kernel, np.float64) * initializers.normalized_columns(fan_in, 3000)
    np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1, atol=1e-6)
    # the square of a coordinate of a uniform point on the sphere is Beta(½, (m − 1)/2), its sign even
    for i in {0, fan_in - 1}:
        assert np.mean(columns[i] > 0) == pytest.approx(0.5, abs=0.04)
        if fan_in > 1:
            assert stats.kstest(columns[i] ** 2, stats.beta(0.5, (fan_in - 1) / 2).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(columns[:, :-1].ravel(), columns[:, 1:].ravel())[0, 1]) < 0.05


def test_a_single_weight_that_is_drawn_as_0_has_a_direction_all_the_same():
    kernel = draws.normalize_columns(jnp.array([[0.0, -3.0]]))
    rounded = 0.0 if jax.default_backend() == "cpu" else 2e-7  # an accelerator's square root is not the nearest number
    np.testing.assert_allclose(np.abs(kernel), [[1.0, 1.0]], rtol=0, atol=rounded)


# Weights and bias of a unit together: one number of them is Beta(2, 1), the others are normal


def asymmetric(seed=0, **changes):
    """Draw units by the randomised asymmetric initializer: numbers [unit, fan_in + 1] of layers 1 and 2, by layer."""
    stds = (0.01, 0.02, 0.03, 0.04)
    changes = {"weight_distribution": "randomized_asymmetric", "bias_distribution": "normal"} | changes
    tree = start(seed, stds=stds, means=(0.0,) * 4, bias_stds=stds, **changes)
    kernels = [*kernels_of(tree)[:2]]
    return [np.vstack([w, b]).T.astype(float) for w, b in zip(kernels, tree["layers"]["bias"], strict=False)]


def test_randomized_asymmetric_replaces_one_number_of_each_unit_wherever_it_stands():
    layers = [asymmetric(seed, depth=2, features=5, width=100) for seed in range(8)]
    for fan_in, std, units in zip((5, 100), (0.01, 0.02), map(np.concatenate, zip(*layers, strict=True)), strict=True):
        assert units.shape == (800, fan_in + 1)
        place = np.argmax(units, axis=1)  # with deviations this small the Beta draw is the greatest, but rarely
        greatest = np.take_along_axis(units, place[:, None], axis=1)[:, 0]
        assert np.mean(greatest < 5 * std) < 0.02
        assert np.all(greatest <= 1)
        assert stats.kstest(greatest, stats.beta(2, 1).cdf).pvalue > 1e-3
        # weights or bias, all places are as likely
        observed = np.histogram(place, np.linspace(0, fan_in + 1, min(fan_in + 1, 7) + 1))[0]
        assert stats.chisquare(observed).pvalue > 1e-3
        others = units[np.arange(fan_in + 1) != place[:, None]]
        assert len(others) == 800 * fan_in
        assert stats.kstest(others / std, stats.norm().cdf).pvalue > 1e-3
    first, second = (np.argmax(one, axis=1) for one in asymmetric(depth=2, features=100, width=100))
    assert np.mean(first == second) < 0.06


@pytest.mark.parametrize("fan_in", [1, 40])
def test_randomized_asymmetric_has_the_moments_of_the_papers_own_draw(fan_in):
    from actlab.theory import born_dead

    std = born_dead.RAI_SIGMA / math.sqrt(fan_in)
    assert initializers.randomized_asymmetric(fan_in, 9) == std
    kernel = draws.one_positive(
        jax.random.key(0),
        *(std * jax.random.normal(jax.random.key(1), (fan_in, 20_000)), jnp.zeros((1, 1, 20_000))),
        *(std * jax.random.normal(jax.random.key(2), (1, 20_000)), jnp.ones(1)),
    )
    ours = np.vstack([kernel[0], kernel[2]]).astype(float)
    weights, biases = born_dead.randomized_asymmetric(np.random.default_rng(0), 1, fan_in, 20_000)
    papers = np.vstack([weights[0], biases])
    for row in {0, fan_in}:
        assert stats.ks_2samp(ours[row], papers[row]).pvalue > 1e-3
    # of the fan_in + 1 numbers one is Beta(2, 1), with E = 2/3 and E v² = 1/2
    share = 1 / (fan_in + 1)
    for one in (ours, papers):
        assert one.mean() == pytest.approx(share * 2 / 3, abs=0.01)
        assert np.mean(one**2) == pytest.approx(share / 2 + (1 - share) * std**2, rel=0.03)


def test_no_gain_scales_the_positive_number():
    first, kernel, bias = jnp.zeros((5, 11)), jnp.zeros((3, 11, 11)), jnp.zeros((3, 11))
    nothing, ones = (
        draws.one_positive(jax.random.key(0), first + add, kernel + add, bias + add, jnp.array([1.0, 1.0, 0.0]))
        for add in (0, 1)
    )
    for l, fan_in in enumerate((5, 11)):
        zero, one = (np.vstack([k[l] if l else w, b[l]]) for w, k, b in (nothing, ones))
        assert zero.shape == (fan_in + 1, 11)
        assert np.array_equal(np.sum(zero != 0, axis=0), [1] * 11)
        assert np.array_equal(one, np.where(zero != 0, zero, 1))
    assert not np.any(nothing[1][2])
    assert not np.any(nothing[2][2])


# The whole network


def test_a_layer_is_scaled_by_its_own_deviation_alone():
    tree = start()
    kernels = kernels_of(tree)
    for l, std in enumerate(STDS):
        assert float(jnp.std(kernels[l])) == pytest.approx(std, rel=0.1)
        changed = start(stds=[2.0 * std if other == l else std for other, std in enumerate(STDS)])
        for other, kernel in enumerate(kernels_of(changed)):
            assert np.array_equal(kernel, kernels[other] * (2.0 if other == l else 1.0))
        assert np.array_equal(changed["readout"]["kernel"], tree["readout"]["kernel"])


@pytest.mark.parametrize("distribution", thinned(initializers.DISTRIBUTIONS, 3, 1))
def test_layers_are_independent_of_each_other_whatever_their_order(distribution):
    kernels, stds = [], (0.3,) * 4 if distribution in draws.JOINT else STDS
    for seed in range(40):
        tree = start(seed, stds=stds, features=12, width=12, outputs=12, weight_distribution=distribution)
        hidden = np.array(kernels_of(tree)) / np.array(stds)[:, None, None]
        kernels.append([*hidden, np.asarray(tree["readout"]["kernel"]) * math.sqrt(12)])
    # [layer, sample]: the same distribution in every place, and no correlation between places
    samples = np.array(kernels).transpose(1, 0, 2, 3).reshape(5, -1)
    for one in range(4):
        for other in range(one + 1, 4):
            assert stats.ks_2samp(samples[one], samples[other]).pvalue > 1e-3
    correlations = np.corrcoef(samples)[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < 4 / math.sqrt(samples.shape[1])


@pytest.mark.parametrize("distribution", thinned(initializers.DISTRIBUTIONS, 2))
def test_the_readout_is_lecun_normal_with_zero_bias_whatever_the_hidden_layers_are(distribution):
    tree = start(weight_distribution=distribution, outputs=500)
    readout = np.asarray(tree["readout"]["kernel"], np.float64)
    assert stats.kstest(readout.ravel(), stats.norm(scale=1 / math.sqrt(40)).cdf).pvalue > 1e-3
    assert np.array_equal(tree["readout"]["kernel"], start(outputs=500)["readout"]["kernel"])
    assert not np.any(tree["readout"]["bias"])


def test_the_seed_decides_everything():
    one, same, other = start(0), start(0), start(1)
    drawn = ("kernel", "bias")
    for (path, a), b, c in zip(jax.tree.leaves_with_path(one), *map(jax.tree.leaves, (same, other)), strict=True):
        assert np.array_equal(a, b)
        assert path[-1].key not in drawn or not np.any(a) or not np.array_equal(a, c)


@pytest.mark.parametrize("distribution", thinned(initializers.DISTRIBUTIONS, 3))
@pytest.mark.parametrize("per", thinned(["unit", "layer"], 2))
def test_a_higher_bound_adds_layers_of_zeros_and_changes_none(distribution, per):
    """Whatever a study's deepest network is, a run has the same draws, to the bit; so have its first layers in any."""
    changes = {"weight_distribution": distribution, "learnable_per": per, "options": Options(norm="layer")}
    changes |= {"bias_distribution": "uniform" if distribution == "uniform" else "normal", "width": 11}
    own, deeper = start(**changes), start(**changes, depth_bound=9)
    shallow = start(depth=2, **changes, depth_bound=9)
    for part in ("input", "readout"):
        for tree in (deeper, shallow):
            assert all(np.array_equal(own[part][name], tree[part][name]) for name in own[part]), part
    for name, stack in own["layers"].items():
        assert np.any(stack[1:]) == (name != "shift")
        for tree, depth in ((deeper, 4), (shallow, 2)):
            assert np.array_equal(tree["layers"][name][:depth], stack[:depth]), name
            assert not np.any(tree["layers"][name][depth:]), name


# Biases


def test_constant_biases_are_their_mean():
    biases = start(bias_distribution="constant")["layers"]["bias"]
    assert np.array_equal(biases, np.broadcast_to(np.arange(4.0)[:, None], (4, 40)))


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_drawn_biases_have_each_layers_mean_and_deviation(name):
    mean, std = np.array([0.0, -1.0, 2.0]), np.array([1.0, 0.1, 0.0])
    biases = np.asarray(draws.draw_biases(name, jax.random.key(0), mean, std, 4000, FLOAT32), np.float64)
    for l in (0, 1):
        unit = (biases[l] - mean[l]) / std[l]
        assert stats.kstest(unit, DISTRIBUTIONS[name].cdf).pvalue > 1e-3
    assert np.all(biases[2] == 2.0)
    assert abs(np.corrcoef(biases[:2])[0, 1]) < 4 / math.sqrt(4000)


def test_biases_do_not_share_the_weights_numbers():
    tree = start(features=40, stds=(1.0,) * 4, means=(0.0,) * 4, bias_stds=(1.0,) * 4)
    weights, biases = np.ravel(kernels_of(tree)), np.ravel(tree["layers"]["bias"])
    assert len(np.intersect1d(weights, biases)) < 3  # float32 has few enough values that some may meet


def test_bias_initializers_state_their_moments():
    expected = {
        "zeros": (0.0, 0.0),
        "constant": (0.7, 0.0),
        "normal": (-0.1, 0.4),
        "pytorch_default": (0.0, 2 / math.sqrt(50) / math.sqrt(12)),
        "randomized_asymmetric": (0.0, 0.6007 / math.sqrt(50)),
    }
    options = {"constant": {"value": 0.7}, "normal": {"mean": -0.1, "std": 0.4}}
    assert set(expected) == set(initializers.BIASES)
    for name, record in initializers.BIASES.items():
        assert set(record.options) == set(options.get(name, {}))
        assert record.moments(50, **options.get(name, {})) == pytest.approx(expected[name])
        assert (record.distribution == "constant") == (expected[name][1] == 0)


# Activation parameters


@pytest.mark.parametrize(("per", "shape"), [("layer", (4, 1)), ("unit", (4, 1, 40))])
def test_learnable_parameters_start_at_their_value(per, shape):
    alpha = start(learnable_per=per)["layers"]["activation"]
    assert alpha.shape == shape
    assert np.all(alpha == 0.25)


def test_a_normalisation_starts_as_none():
    layers = start(options=Options(norm="batch"))["layers"]
    assert layers["scale"].shape == layers["shift"].shape == (4, 40)
    assert np.all(layers["scale"] == 1)
    assert np.all(layers["shift"] == 0)
