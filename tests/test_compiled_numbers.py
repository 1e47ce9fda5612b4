"""What XLA compiles computes what was written: every measure, loss and optimizer, at odd shapes.

A compiler may be wrong where it fuses, at one shape and not at another, and say nothing. So each formula is compiled,
and held against NumPy, or against itself one operation at a time, in float64. The numbers are such that products are
exact and no comparison depends on rounding.
"""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn import losses, optimizers, probes, walk
from tests.thinned import thinned

# Rows, units, runs per call and precision: each pair of rows or units with runs, and with precision, occurs.
SHAPES = [
    (1, 3, 4, "float32"),
    (1, 65, 1, "float64"),
    (2, 17, 1, "float32"),
    (2, 1, 4, "float64"),
    (33, 65, 4, "float32"),
    (33, 3, 1, "float64"),
    (1000, 1, 1, "float32"),
    (1000, 17, 4, "float64"),
    (40_000, 3, 4, "float32"),
    (40_000, 65, 1, "float64"),
]
# One of five; with --thorough all.
at_odd_shapes = pytest.mark.parametrize(
    ("rows", "width", "runs", "dtype"),
    [pytest.param(*shape, marks=pytest.mark.thorough if i % 5 else []) for i, shape in enumerate(SHAPES)],
)
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}  # of the largest number of a result
INPUTS, DEPTH = 3, 2


def exact(seed, *shape):
    """Draw normal numbers, rounded to odd multiples of 1/32: never zero, and their products are exact in float32."""
    return (2 * np.floor(16 * np.random.default_rng(seed).normal(0.25, 1.0, shape)) + 1) / 32


def stack(runs, function, arguments):
    """Call a function on each run by itself."""
    results = [function(*jax.tree.map(lambda a, run=run: a[run], arguments)) for run in range(runs)]
    return jax.tree.map(lambda *of_runs: np.stack(of_runs), *results)


def agree(function, arguments, runs, dtype, reference=None):
    """Assert that a function, compiled for all runs as in the engine, computes what its reference implementation does.

    Args:
        function: of one run.
        arguments: trees of arrays with a leading run axis, float64 or integers.
        runs: how many; a single run is compiled without a run axis.
        dtype: of the floats of the compiled function.
        reference: in NumPy, of one run; by default the function itself, one operation at a time.
    """
    cast = jax.tree.map(lambda a: a.astype(dtype) if a.dtype == np.float64 else a, arguments)
    with jax.enable_x64(True):
        if reference is not None:
            expected = stack(runs, reference, arguments)
        else:
            with jax.disable_jit():
                expected = stack(runs, function, jax.tree.map(jnp.asarray, arguments))
        if runs > 1:
            actual = jax.jit(jax.vmap(function))(*cast)
        else:
            actual = jax.tree.map(lambda a: a[None], jax.jit(function)(*jax.tree.map(lambda a: a[0], cast)))
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for (path, a), b in zip(jax.tree.leaves_with_path(expected), jax.tree.leaves(actual), strict=True):
        assert b.dtype in (dtype, bool), path
        largest = np.max(np.abs(a), initial=0.0, where=np.isfinite(a))
        np.testing.assert_allclose(b, a, rtol=0.0, atol=TOLERANCE[dtype] * largest, err_msg=jax.tree_util.keystr(path))


@at_odd_shapes
def test_measures(rows, width, runs, dtype):
    """All of a layer in one program; some units are so small that they count as dormant, constant and weak."""
    size = np.where(np.arange(width) % 3 == 2, 2.0**-8, 1.0)
    values = {
        f"{name}_MxW": size * exact(seed, runs, rows, width) for seed, name in enumerate(("z", "h", "u", "slope"))
    }
    thresholds = {"weak_threshold": 0.3, "saturation_low": -1.2, "saturation_high": 0.9}
    values |= {name: np.full(runs, value) for name, value in thresholds.items()}
    defined = {name: probe for name, probe in probes.PROBES.items() if rows > 1 or name != "correlation"}  # of pairs

    def measures(values):
        return {
            name: probe(**{key: values[key] for key in inspect.signature(probe).parameters})
            for name, probe in defined.items()
        }

    agree(measures, [values], runs, dtype)


@at_odd_shapes
def test_norms(rows, width, runs, dtype):
    """Of the signal, and of the weight gradients."""

    def norms(delta, h):
        return probes.signal_norm(rows, delta), probes.weight_norm(rows, h, delta)

    def reference(delta, h):
        return np.sqrt(np.sum(delta**2) / rows), np.linalg.norm(h.T @ delta) / rows

    agree(norms, [exact(0, runs, rows, width), exact(1, runs, rows, width)], runs, dtype, reference)


@at_odd_shapes
def test_death(rows, width, runs, dtype):
    """Units of two layers, dead on all rows, then and now."""
    z = exact(0, runs, DEPTH, rows, width) * 2.0 ** -np.arange(width) - 2.0
    dead_at_init, ever_dead = (exact(seed, runs, DEPTH, width) > 0.25 for seed in (1, 2))

    def death(z, dead_at_init, ever_dead):
        dead, finite = jnp.all(z <= 0, axis=1), jax.vmap(probes.all_finite)(z)
        flat = dead | jnp.all(z != 0, axis=1)
        masks = {"dead_at_init": dead_at_init, "ever_dead": ever_dead}
        return probes.death_record(dead, finite, masks, jnp.int32(0), z.dtype, flat_LxW=flat)

    def reference(z, dead_at_init, ever_dead):
        dead = np.all(z <= 0, axis=1)
        flat = dead | np.all(z != 0, axis=1)
        masks = (dead, flat, dead_at_init, dead & ~dead_at_init, ever_dead & ~dead, ever_dead | dead)
        fractions = {name: np.mean(mask, axis=1) for name, mask in zip(probes.DEATH, masks, strict=True)}
        return fractions, float(dead.all(axis=1).any()), {"dead_at_init": dead_at_init, "ever_dead": ever_dead | dead}

    agree(death, [z, dead_at_init, ever_dead], runs, dtype, reference)


@at_odd_shapes
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_losses(task, rows, width, runs, dtype):
    """Of the examples, with their mean, its gradients and the accuracy; as many outputs as elsewhere units."""
    labels = np.random.default_rng(0).integers(0, width, (runs, rows))
    y = labels if task == "classification" else exact(3, runs, rows, width)
    layer = [exact(0, runs, rows, INPUTS), exact(1, runs, INPUTS, width), exact(2, runs, width)]

    def mean_loss(h, kernel, bias, y):
        outputs = walk.affine(h, kernel, bias)
        each = losses.example_losses(outputs, y, task)
        return jnp.mean(each), (each, losses.example_accuracy(outputs, y, task))

    def reference(h, kernel, bias, y):
        outputs = h @ kernel + bias
        if task == "classification":
            right = np.eye(width)[y]
            p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            each, error = -np.log(np.sum(p * right, axis=1)), p - right
            accuracy = (outputs.argmax(axis=1) == y).astype(float)
        else:
            each, error = np.mean((outputs - y) ** 2, axis=1), 2 * (outputs - y) / width
            accuracy = np.full(rows, np.nan)
        gradients = (error @ kernel.T / rows, h.T @ error / rows, error.sum(axis=0) / rows)
        return (each.mean(), (each, accuracy)), gradients

    agree(jax.value_and_grad(mean_loss, argnums=(0, 1, 2), has_aux=True), [*layer, y], runs, dtype, reference)


@pytest.mark.parametrize(
    ("name", "runs", "dtype"),
    thinned([(name, *one) for name in optimizers.OPTIMIZERS for one in ((1, "float32"), (4, "float64"))], 9),
)
def test_optimizers(name, runs, dtype):
    """Three steps of stacks of every width, with each switch on and off."""
    rule = optimizers.OPTIMIZERS[name]
    numbers = {"learning_rate": 0.25, "weight_decay": 0.125, "warmup_steps": 1.0, "cosine": 1.0, "schedule_steps": 5.0}
    numbers = {key: np.full(runs, value) for key, value in (numbers | dict(rule.settings)).items()}
    shapes = {"bias": (DEPTH, 65)} | {f"{width}": (DEPTH, width, width) for width in (1, 3, 17, 65)}
    parameters, gradients = (
        {key: {"kernel" if key != "bias" else key: exact(seed, runs, *first, *shape)} for key, shape in shapes.items()}
        for seed, first in enumerate(((), (3,)))
    )

    def steps(switches, parameters, gradients, numbers):
        def step(t, carry):
            parameters, memory = carry
            memory = optimizers.remember(rule, jax.tree.map(lambda g: g[t], gradients), memory, numbers)
            return optimizers.move(rule, switches, parameters, memory, t, numbers), memory

        memory = {kept: jax.tree.map(jnp.zeros_like, parameters) for kept in rule.memory}
        return jax.lax.fori_loop(0, 3, step, (parameters, memory))

    for switched in ({}, *({switch: not default} for switch, default in rule.switches.items())):
        agree(partial(steps, {**rule.switches, **switched}), [parameters, gradients, numbers], runs, dtype)
