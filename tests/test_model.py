"""One run's network as a module: equal to the walk under every option, and made of a run's settings or of its seed."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from actlab.nn import recording, training
from actlab.nn.blocks import Function, Options
from actlab.nn.losses import example_losses
from actlab.nn.model import DeepMLP

FEATURES, OUTPUTS, WIDTH, DEPTH, BOUND = 3, 2, 5, 3, 4
SEED, STEP, RATE, SLOPE = 7, 11, 0.3, 0.1
BENT = Function(
    lambda z, *, slope, beta, lift: jnp.tanh(beta * z) + slope * z + lift * jnp.sin(z),
    lambda z, **_: z != z,
    fixed=("slope",),
    learnable=("beta", "lift"),
)
TANH = Function(jnp.tanh, lambda z: z != z)
CASES = list(
    itertools.product(("none", "layer", "batch"), (False, True), ("none", "standard", "alpha"), ("layer", "unit"))
)


def a_program(norm="none", residual=False, dropout="none", per="layer", **changes):
    settings = {
        "functions": (TANH, BENT),
        "learnable_per": per,
        "depth_bound": BOUND,
        "width": WIDTH,
        "weight_distribution": "normal",
        "bias_distribution": "normal",
        "optimizer": "sgd",
        "optimizer_options": (),
        "decay_activation_parameters": False,
        "batch_size": 7,
        "task": "classification",
        "probes": (),
        "dtype": "float64",
        "runs_per_call": 1,
        "eval_chunks": 1,
        "options": Options(norm, residual, dropout),
    }
    return training.Program(**settings | changes)


def some_numbers():
    deviations = jnp.array([0.6] * DEPTH + [0.0] * (BOUND - DEPTH))
    optimizer = {"learning_rate": 0.1, "weight_decay": 0.0, "warmup_steps": 0.0, "cosine": 0.0, "schedule_steps": 9.0}
    return {
        "seed": jnp.uint32(SEED),
        "weight_std": deviations,
        "bias_mean": jnp.zeros(BOUND),
        "bias_std": deviations,
        "fixed": jnp.array([SLOPE]),
        "learnable": jnp.array([0.7, 0.2]),
        "optimizer": jax.tree.map(jnp.asarray, optimizer),
        "dropout_rate": jnp.asarray(RATE),
        "clip_norm": jnp.asarray(jnp.inf),
    }


def some_weights(program, numbers):
    """A run's parameters in the middle of training: none is what it begins with."""
    weights = training.start(program, numbers, jnp.int32(DEPTH), FEATURES, OUTPUTS)["parameters"]
    leaves, tree = jax.tree.flatten(weights)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [leaf + 0.2 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return tree.unflatten(moved)


def a_module(program, weights):
    return DeepMLP(weights, DEPTH, BENT, {"slope": SLOPE}, program.options, RATE)


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(n, FEATURES)) + 1), jnp.asarray(rng.integers(0, OUTPUTS, n))


def stacked(gradients):
    """A module's gradients as the engine has them, layers 1..L."""
    hidden = [gradients["hidden"][l] for l in range(DEPTH)]
    layers = {
        "kernel": [jnp.zeros((WIDTH, WIDTH)), *(one["affine"]["kernel"][...] for one in hidden[1:])],
        "bias": [one["affine"]["bias"][...] for one in hidden],
        "activation": [[one["activation"]["parameters"][name][...] for name in BENT.learnable] for one in hidden],
    }
    if "norm" in hidden[0]:
        layers["scale"] = [one["norm"]["scale"][...] for one in hidden]
        layers["shift"] = [one["norm"]["bias"][...] for one in hidden]
    return {
        "input": {"kernel": hidden[0]["affine"]["kernel"][...]},
        "layers": {name: np.array(values) for name, values in layers.items()},
        "readout": {name: gradients["readout"][name][...] for name in ("kernel", "bias")},
    }


@pytest.mark.parametrize(("norm", "residual", "dropout", "per"), CASES)
def test_training_mode_is_the_walks_minibatch(norm, residual, dropout, per):
    with jax.enable_x64(True):
        program, numbers, (x, y) = a_program(norm, residual, dropout, per), some_numbers(), rows(7)
        weights = some_weights(program, numbers)
        scratch = training.scratch_for(program, weights)
        with jax.disable_jit():  # every operation by itself: nothing to compile
            loss, _, gradients, _ = training.minibatch_gradients(
                program, weights, scratch, numbers, (x, y), jnp.int32(STEP), DEPTH, jnp.int32(1)
            )
        module = a_module(program, weights)
        module.train()
        key = training.dropout_key(numbers["seed"], jnp.int32(STEP))

        def mean_loss(module):
            return jnp.mean(example_losses(module(x, key), y, "classification"))

        module_loss, found = nnx.value_and_grad(mean_loss)(module)
    assert float(module_loss) == pytest.approx(float(loss), rel=1e-13)
    gradients = jax.tree.map(np.asarray, gradients)
    own = {name: stack[:DEPTH] for name, stack in gradients["layers"].items()}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13),
        stacked(nnx.to_pure_dict(found)),
        {**gradients, "layers": own},
    )
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(own))


@pytest.mark.parametrize(("norm", "residual", "dropout", "per"), CASES)
def test_evaluation_mode_is_the_walks_forward_pass(norm, residual, dropout, per):
    with jax.enable_x64(True):
        program, numbers = a_program(norm, residual, dropout, per), some_numbers()
        weights = some_weights(program, numbers)
        splits = {"train": rows(20)[0], "validation": rows(6, 1)[0], "test": rows(5, 2)[0]}
        with jax.disable_jit():
            outputs, _, _ = recording.forward_splits(program, weights, numbers, splits, DEPTH, jnp.int32(1))
        module = a_module(program, weights)
        module.take_statistics(splits["train"])
        module.eval()
        found = [module(x) for x in splits.values()]
    np.testing.assert_allclose(np.concatenate(found), outputs, rtol=1e-10, atol=1e-13)
