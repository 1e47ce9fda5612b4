"""Options against PyTorch; skipped where it is not installed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn import blocks, training, walk
from actlab.nn.blocks import Options
from tests.small_networks import DEPTH, a_program, rows, some_numbers, some_weights

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)
Z, SCALE, SHIFT = 3 * RNG.normal(size=(33, 17)) + 2, RNG.normal(size=17), RNG.normal(size=17)


def tensor(array):
    return torch.tensor(np.asarray(array, np.float64))


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_normalisation(norm):
    layer = {"layer": torch.nn.LayerNorm, "batch": torch.nn.BatchNorm1d}[norm](17, dtype=torch.float64)
    layer.weight.data, layer.bias.data = tensor(SCALE), tensor(SHIFT)
    with jax.enable_x64(True):
        given = {"scale": jnp.asarray(SCALE), "shift": jnp.asarray(SHIFT)}
        ours = blocks.argument(Options(norm), jnp.asarray(Z), given)
        np.testing.assert_allclose(ours, layer(tensor(Z)).detach(), rtol=1e-12, atol=1e-12)
        if norm == "batch":  # PyTorch's running variance is the unbiased one; ours is never running
            mean, variance = blocks.batch_statistics(jnp.asarray(Z))
            layer.running_mean, layer.running_var = tensor(mean), tensor(variance)
            layer.eval()
            fixed = blocks.argument(Options(norm), jnp.asarray(Z[:5]), given, (mean, variance))
            np.testing.assert_allclose(fixed, layer(tensor(Z[:5])).detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.5])
@pytest.mark.parametrize("kind", ["standard", "alpha"])
def test_dropout_gives_the_same_two_values_and_drops_the_same_share(kind, rate):
    """Masks differ, of one generator and another; what they make of a number does not."""
    layer = {"standard": torch.nn.Dropout, "alpha": torch.nn.AlphaDropout}[kind](rate)
    torch.manual_seed(0)
    x = np.full((400, 500), 0.7)
    with jax.enable_x64(True):
        ours = np.asarray(blocks.drop(kind, jnp.asarray(x), jax.random.key(0), rate))
    theirs = layer(tensor(x)).numpy()
    dropped = lambda array: np.isclose(array, array.min())
    for of in (dropped, lambda array: ~dropped(array)):
        values, expected = (np.unique(array[of(array)].round(6)) for array in (ours, theirs))
        np.testing.assert_allclose(values, expected, atol=2e-6)
        assert len(values) == 1
    for array in (ours, theirs):
        assert dropped(array).mean() == pytest.approx(rate, abs=0.01)
    normal = RNG.normal(size=(400, 500))
    ours = np.asarray(blocks.drop(kind, jnp.asarray(normal, jnp.float32), jax.random.key(1), rate))
    theirs = layer(tensor(normal)).numpy()
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.02)
    assert ours.var() == pytest.approx(theirs.var(), rel=0.03)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
def test_a_minibatchs_gradients(norm, residual):
    """By the chain rule through each option, statistics of the minibatch included."""
    x, y = rows(7)
    with jax.enable_x64(True):
        program, numbers = a_program(norm, residual), some_numbers()
        weights = jax.tree.map(np.asarray, some_weights(program, numbers))
        up, stacks = (
            training.scratch_for(program, weights)["layers"]["up"],
            jax.tree.map(jnp.zeros_like, weights["layers"]),
        )
        with jax.disable_jit():
            walked = training.minibatch_gradients(
                program, weights, numbers, (x, y), 0, DEPTH, jnp.int32(0), up, store=walk.put, stacks=stacks
            )
    loss, gradients = walked.loss, {**walked.ends, "layers": walked.layers}
    leaf = lambda array: tensor(array).requires_grad_()
    theirs = jax.tree.map(leaf, weights)
    h, layers = tensor(x), theirs["layers"]
    for l in range(DEPTH):
        z = h @ (theirs["input"]["kernel"] if l == 0 else layers["kernel"][l]) + layers["bias"][l]
        if norm == "layer":
            z = F.layer_norm(z, (z.shape[1],), layers["scale"][l], layers["shift"][l])
        if norm == "batch":
            z = F.batch_norm(z, None, None, layers["scale"][l], layers["shift"][l], training=True)
        h = torch.tanh(z) + (h if residual and l else 0)
    outputs = h @ theirs["readout"]["kernel"] + theirs["readout"]["bias"]
    expected = F.cross_entropy(outputs, torch.tensor(y))
    expected.backward()
    assert float(loss) == pytest.approx(expected.item(), rel=1e-12)
    for (path, ours), other in zip(jax.tree.leaves_with_path(gradients), jax.tree.leaves(theirs), strict=True):
        if path[-1].key != "activation":  # tanh has no parameters
            used = slice(0, DEPTH) if path[0].key == "layers" else slice(None)
            np.testing.assert_allclose(np.asarray(ours)[used], other.grad[used], rtol=1e-9, atol=1e-13, err_msg=path)
