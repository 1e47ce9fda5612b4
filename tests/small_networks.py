"""A small network, its numbers and rows, as the engine takes them: for tests that hold it against something else."""

import jax
import jax.numpy as jnp
import numpy as np

from actlab.nn import training
from actlab.nn.blocks import Function, Options
from actlab.nn.optimizers import OPTIMIZERS
from actlab.nn.spec import ProgramSpec

FEATURES, OUTPUTS, WIDTH, DEPTH, BOUND = 3, 2, 5, 3, 4
SEED, RATE, SLOPE = 7, 0.3, 0.1
TANH = Function(jnp.tanh, lambda z: z != z)
RELU = Function(lambda z: jnp.maximum(z, 0.0), lambda z: z <= 0)
BENT = Function(
    lambda z, *, slope, beta, lift: jnp.tanh(beta * z) + slope * z + lift * jnp.sin(z),
    lambda z, **_: z != z,
    fixed=("slope",),
    learnable=("beta", "lift"),
)


def a_program(norm="none", residual=False, dropout="none", per="layer", optimizer="sgd", **changes):
    spec = {
        "task": "classification",
        "learnable_per": per,
        "depth_bound": BOUND,
        "static_depth": False,
        "width": WIDTH,
        "weight_distribution": "normal",
        "bias_distribution": "normal",
        "dtype": "float64",
        "block": Options(norm, residual, dropout),
        "optimizer_switches": (),
        "batch_size": 7,
        "clip": False,
        "freeze": False,
        "decay_activation_parameters": False,
        "learn_activation_parameters": True,
        "probes": (),
        "runs_per_call": 1,
        "eval_chunks": 1,
    }
    return training.Program(ProgramSpec(**spec | changes), (TANH, BENT, RELU), OPTIMIZERS[optimizer])


def some_numbers(seed=SEED, dtype="float64", bound=BOUND, frozen=0, **changes):
    """Make one run's numbers, of a network of depth 3; ``changes`` are the optimizer's."""
    deviations = np.array([0.6] * DEPTH + [0.0] * (bound - DEPTH), dtype)
    optimizer = {"learning_rate": 0.1, "weight_decay": 0.0, "warmup_steps": 0.0, "cosine": 0.0, "schedule_steps": 9.0}
    rest = {
        "weight_std": deviations,
        "bias_mean": 0 * deviations,
        "bias_std": deviations,
        "fixed": np.array([SLOPE]),
        "learnable": np.array([0.7, 0.2]),
        "optimizer": optimizer | changes,
        "dropout_rate": RATE,
        "clip_norm": np.inf,
        "weak_threshold": 0.05,
        "saturation_low": -1.0,
        "saturation_high": 1.0,
    }
    whole = {"seed": np.uint32(seed), "freeze_layers": np.uint32(frozen)}
    return {**whole, **jax.tree.map(lambda value: np.asarray(value, dtype), rest)}


def some_weights(program, numbers):
    """Draw a run's parameters in the middle of training: none is what it begins with."""
    weights = training.start(program, numbers, jnp.int32(DEPTH), FEATURES, OUTPUTS)["parameters"]
    leaves, tree = jax.tree.flatten(weights)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [
        leaf + 0.2 * jax.random.normal(key, leaf.shape, leaf.dtype) for key, leaf in zip(keys, leaves, strict=True)
    ]
    return tree.unflatten(moved)


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, FEATURES)) + 1, rng.integers(0, OUTPUTS, n)
