"""The network against a loop over layers: outputs, pre-activations, activation parameters, unrolling, losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn import model

FEATURES, OUTPUTS, WIDTH = 3, 2, 5


def leaky(z, *, floor, alpha):
    return jnp.where(z > 0, z, alpha * z) + floor


def a_network(depth, per="layer", dtype="float32"):
    tree = model.init(
        jax.random.key(0),
        features=FEATURES,
        outputs=OUTPUTS,
        depth=depth,
        width=WIDTH,
        weight_distribution="normal",
        bias_distribution="normal",
        weight_std=jnp.full(depth, 0.5),
        bias_mean=jnp.zeros(depth),
        bias_std=jnp.ones(depth),
        learnable={"alpha": 0.1},
        learnable_per=per,
        dtype=jnp.dtype(dtype),
    )
    shape = tree["activation"]["alpha"].shape
    tree["activation"]["alpha"] = jnp.linspace(-1.0, 1.0, int(np.prod(shape)), dtype=dtype).reshape(shape)
    return tree


def loop(tree, x, floor):
    """The same network one layer after the other, in NumPy."""
    tree = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)
    kernels, biases = ([tree["first"][name], *tree["hidden"][name]] for name in ("kernel", "bias"))
    h, zs = x, []
    for kernel, bias, alpha in zip(kernels, biases, tree["activation"]["alpha"], strict=True):
        zs.append(h @ kernel + bias)
        h = np.where(zs[-1] > 0, zs[-1], alpha * zs[-1]) + floor
    return h @ tree["readout"]["kernel"] + tree["readout"]["bias"], np.array(zs)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("per", ["layer", "unit"])
def test_forward_is_a_loop_over_layers(depth, per):
    x = np.random.default_rng(0).normal(size=(7, FEATURES))
    with jax.enable_x64(True):
        tree = a_network(depth, per, "float64")
        outputs, z = model.apply(tree, jnp.asarray(x), leaky, {"floor": 0.3}, model.preactivations)
    expected, expected_z = loop(tree, x, 0.3)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12)
    np.testing.assert_allclose(z, expected_z, rtol=1e-12)


@pytest.mark.parametrize("unroll", [2, 3, 5])
def test_unrolled_equals_scanned(unroll):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(7, FEATURES)))
    tree = a_network(6)

    def total(tree, unroll):
        return jnp.sum(model.apply(tree, x, leaky, {"floor": 0.3}, unroll=unroll)[0] ** 2)

    scanned, unrolled = (jax.jit(jax.value_and_grad(total), static_argnums=1)(tree, n) for n in (1, unroll))
    for a, b in zip(jax.tree.leaves(scanned), jax.tree.leaves(unrolled), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_deep_networks_stay_a_loop_and_shallow_ones_do_not():
    def equations(depth):
        tree, x = a_network(depth), jnp.ones((7, FEATURES))
        run = lambda tree: model.apply(tree, x, leaky, {"floor": 0.3}, unroll=model.training_unroll(depth))[0]
        return jax.jit(run).lower(tree).as_text().count("\n")

    assert equations(200) == equations(100)
    assert model.training_unroll(1) == 1
    assert model.training_unroll(model.UNROLLED_DEPTH) == model.UNROLLED_DEPTH - 1
    assert model.training_unroll(model.UNROLLED_DEPTH + 1) == 1


def test_observers_see_each_layers_own_parameters():
    tree = a_network(4)
    x = jnp.ones((7, FEATURES))
    _, seen = model.apply(tree, x, leaky, {"floor": 0.0}, lambda z, learned: (jnp.max(z), learned["alpha"]))
    _, z = model.apply(tree, x, leaky, {"floor": 0.0}, model.preactivations)
    np.testing.assert_array_equal(seen[0], jnp.max(z, axis=(1, 2)))
    np.testing.assert_array_equal(seen[1], tree["activation"]["alpha"])


def test_losses_of_examples():
    outputs = np.array([[1.0, -2.0, 0.5], [500.0, 0.0, -500.0]], np.float32)
    p = np.exp(outputs[0].astype(np.float64)) / np.exp(outputs[0].astype(np.float64)).sum()
    for label, second in ((0, 0.0), (1, 500.0), (2, 1000.0)):
        losses = model.example_losses(jnp.asarray(outputs), jnp.array([label, label]), "classification")
        np.testing.assert_allclose(losses, [-np.log(p[label]), second], rtol=1e-6)
    y = np.array([[0.0, 0.0, 0.5], [500.0, 0.0, -497.0]], np.float32)
    np.testing.assert_allclose(model.example_losses(jnp.asarray(outputs), y, "regression"), [5 / 3, 3.0], rtol=1e-6)


def test_hits_are_of_each_example_and_undefined_where_an_output_is_not_finite_or_for_regression():
    outputs = jnp.array([[1.0, 2.0], [3.0, 2.0], [0.0, np.nan], [-np.inf, 1.0]])
    hits = model.example_hits(outputs, jnp.array([1, 1, 0, 1]), "classification")
    np.testing.assert_array_equal(hits, [1.0, 0.0, np.nan, np.nan])
    np.testing.assert_array_equal(model.example_hits(outputs, outputs, "regression"), [np.nan] * 4)
