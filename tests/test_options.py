"""Each option against an independent implementation, and what it promises: statistics, masks, rates, clipped steps."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from actlab import activations
from actlab.nn import blocks, optimizers, training
from actlab.nn.blocks import Function, Options
from actlab.nn.model import DeepMLP
from actlab.nn.programs import blank_masks, blank_scratches, compile_programs
from tests.small_networks import (
    BOUND,
    DEPTH,
    FEATURES,
    OUTPUTS,
    RATE,
    RELU,
    WIDTH,
    a_program,
    rows,
    some_numbers,
    some_weights,
)
from tests.thinned import thinned

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017


# Schedules


@pytest.mark.parametrize("warmup", [0, 1, 4, 19])
@pytest.mark.parametrize("cosine", [False, True])
def test_rates_are_those_of_optax(warmup, cosine):
    peak, steps = 0.3, 20
    numbers = {"learning_rate": peak, "warmup_steps": warmup, "cosine": float(cosine), "schedule_steps": steps}
    first = peak / (warmup + 1)
    theirs = (
        optax.warmup_cosine_decay_schedule(first, peak, warmup, steps)
        if cosine
        else optax.warmup_constant_schedule(first, peak, warmup)
        if warmup
        else optax.constant_schedule(peak)
    )
    with jax.enable_x64(True):
        numbers = {name: jnp.asarray(value, jnp.float64) for name, value in numbers.items()}
        ours = [float(optimizers.learning_rate(t, numbers)) for t in range(steps + 1)]
        expected = [float(theirs(t)) for t in range(steps + 1)]
    np.testing.assert_allclose(ours, expected, rtol=1e-13, atol=1e-16)
    assert max(ours) == peak
    assert ours[-1] == (0.0 if cosine else peak)


@pytest.mark.parametrize("rate", [1e-3, 0.1, 1 / 3])
def test_a_constant_rate_is_itself_to_the_last_bit(rate):
    numbers = {"learning_rate": rate, "warmup_steps": 0, "cosine": 0, "schedule_steps": 7}
    numbers = {name: jnp.asarray(value, jnp.float32) for name, value in numbers.items()}
    assert all(optimizers.learning_rate(t, numbers) == np.float32(rate) for t in (0, 1, 6, 2**30))


# Optimizers


RULES = {
    "sgd": ("sgd", {}, {}, lambda o: optax.identity()),
    "momentum": ("momentum", {"nesterov": False}, {"momentum": 0.8}, lambda o: optax.trace(o["momentum"])),
    "nesterov": (
        "momentum",
        {"nesterov": True},
        {"momentum": 0.8},
        lambda o: optax.trace(o["momentum"], nesterov=True),
    ),
    "adam": (
        "adam",
        {},
        {"b1": 0.8, "b2": 0.95, "eps": 1e-6},
        lambda o: optax.scale_by_adam(o["b1"], o["b2"], o["eps"]),
    ),
    "adamw": ("adamw", {}, {"b1": 0.9, "b2": 0.999, "eps": 1e-8}, lambda o: optax.scale_by_adam()),
    "rmsprop": (
        "rmsprop",
        {},
        {"decay": 0.7, "eps": 1e-6},
        lambda o: optax.scale_by_rms(o["decay"], o["eps"], eps_in_sqrt=False),
    ),
}
RUNS = (
    {"learning_rate": 0.1, "weight_decay": 0.0, "clip_norm": math.inf},
    {"learning_rate": 0.03, "weight_decay": 0.2, "clip_norm": 2.0, "warmup_steps": 6.0},
    {"learning_rate": 0.02, "weight_decay": 0.1, "clip_norm": 9.0, "warmup_steps": 3.0, "cosine": 1.0},
)
STEPS = 20


def decayed(of_activation):
    """Mark which of a run's parameters weight decay pulls on."""
    return {
        "input": {"kernel": True},
        "layers": {"kernel": True, "bias": False, "activation": of_activation, "scale": False, "shift": False},
        "readout": {"kernel": True, "bias": False},
    }


def rate_of(own):
    """Make Optax's schedule of one run; of a count in int32 it would make a float32."""
    peak, warmup = own["learning_rate"], int(own.get("warmup_steps", 0))
    if own.get("cosine"):
        return optax.warmup_cosine_decay_schedule(peak / (warmup + 1), peak, warmup, STEPS)
    return optax.warmup_constant_schedule(peak / (warmup + 1), peak, warmup) if warmup else lambda t: peak


def direction_of(rule, own, of_activation):
    """Make Optax's chain of one run: clipping, the rule, decoupled decay."""
    return optax.chain(
        optax.clip_by_global_norm(own["clip_norm"]),
        rule(own),
        optax.add_decayed_weights(own["weight_decay"], decayed(of_activation)),
    )


def a_gradient(weights, t, run):
    """Draw another one at each step; norms from below the clipping norm to above. Rows beyond the depth are zero."""
    leaves, tree = jax.tree.flatten(weights)
    rng = np.random.default_rng([t, run])
    drawn = tree.unflatten([rng.normal(scale=0.1 + 0.1 * t, size=leaf.shape) for leaf in leaves])
    return in_use(drawn)


def in_use(tree):
    """Return a tree with zeros for what no network of this depth has."""
    layers = {name: np.array(stack) for name, stack in tree["layers"].items()}
    for stack in layers.values():
        stack[DEPTH:] = 0
    layers["kernel"][0] = 0
    return tree | {"layers": layers}


def by_optax(begun, run, own, rule, of_activation):
    """Compute one run's parameters after all steps."""
    chain, rate = direction_of(rule, own, of_activation), rate_of(own)
    weights, state, step = begun, chain.init(begun), jax.jit(chain.update)
    for t in range(STEPS):
        direction, state = step(a_gradient(begun, t, run), state, weights)
        moved = float(rate(t))
        weights = jax.tree.map(lambda theta, d, moved=moved: theta - moved * d, weights, direction)
    return weights


def by_ours(program, begun, numbers):
    """Compute all runs' parameters after all steps, runs before layers: clipped, remembered, moved, as a step does."""
    rule, switches = program.optimizer, dict(program.spec.optimizer_switches)

    def step(weights, memory, gradients, numbers, t):
        ends, layers = training.ends_and_layers(gradients)
        factor = training.clip_factor(
            replace(program, spec=replace(program.spec, runs_per_call=1)), ends, layers, numbers, jnp.int32(DEPTH)
        )
        clipped = jax.tree.map(lambda g: g * factor, gradients)
        memory = optimizers.remember(rule, clipped, memory, numbers["optimizer"])
        own = (t, numbers["optimizer"], program.spec.decay_activation_parameters)
        return optimizers.move(rule, switches, weights, memory, *own), memory

    def of_all(trees):
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)

    weights, numbers, step = of_all(begun), of_all(numbers), jax.jit(jax.vmap(step, in_axes=(0, 0, 0, 0, None)))
    memory = {kept: jax.tree.map(jnp.zeros_like, weights) for kept in rule.memory}
    for t in range(STEPS):
        gradients = of_all([a_gradient(one, t, run) for run, one in enumerate(begun)])
        weights, memory = step(weights, memory, gradients, numbers, jnp.int32(t))
    return weights


@pytest.mark.parametrize("runs", thinned([3, 1], 2))
@pytest.mark.parametrize("name", thinned(RULES, 3))
def test_twenty_steps_are_those_of_optax(name, runs):
    rule, switches, settings, theirs = RULES[name]
    changes = {"optimizer": rule, "optimizer_switches": tuple(switches.items()), "clip": True, "runs_per_call": runs}
    program = a_program("layer", decay_activation_parameters=runs == 3, **changes)
    owns = [RUNS[-1], *RUNS[:-1]][:runs]
    rates = [{key: value for key, value in own.items() if key != "clip_norm"} | settings for own in owns]
    numbers = [
        some_numbers(schedule_steps=float(STEPS), **rate) | {"clip_norm": np.float64(own["clip_norm"])}
        for rate, own in zip(rates, owns, strict=True)
    ]
    with jax.enable_x64(True):
        begun = [in_use(jax.tree.map(np.asarray, some_weights(a_program("layer"), one))) for one in numbers]
        trained = by_ours(program, begun, numbers)
        for run, own in enumerate(owns):
            expected = by_optax(begun[run], run, own | settings, theirs, runs == 3)
            ours = jax.tree.map(lambda leaf, run=run: leaf[run], trained)
            for (path, one), other in zip(jax.tree.leaves_with_path(ours), jax.tree.leaves(expected), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13, err_msg=f"{own} {path}")
                assert not np.allclose(one, begun[run][path[0].key][path[1].key], rtol=1e-3), path


def test_the_papers_optimizers_are_all_there():
    assert {rule for rule, *_ in RULES.values()} <= set(optimizers.OPTIMIZERS)


def test_clipping_leaves_short_gradients_alone_to_the_last_bit():
    for norm, most in ((0.0, 1.0), (1.0, 1.0), (3.0, math.inf)):
        assert optimizers.clip_factor(jnp.float32(norm**2), jnp.float32(most)) == 1
    assert optimizers.clip_factor(jnp.float32(16.0), jnp.float32(1.0)) == 0.25
    assert np.isnan(optimizers.clip_factor(jnp.float32(jnp.nan), jnp.float32(1.0)))


# Normalisation


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", thinned([((33, 17),), ((1, 5),), ((7, 1),)], 3))
@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_normalised_is_as_the_papers_have_it_and_as_flax_does(norm, shape, dtype):
    rng = np.random.default_rng(0)
    z, scale, shift = 3 * rng.normal(size=shape) + 2, rng.normal(size=shape[1]), rng.normal(size=shape[1])
    axis = 1 if norm == "layer" else 0
    mean, variance = z.mean(axis, keepdims=True), z.var(axis, keepdims=True)
    expected = scale * (z - mean) / np.sqrt(variance + 1e-5) + shift
    with jax.enable_x64(dtype == "float64"):
        given = {"scale": jnp.asarray(scale, dtype), "shift": jnp.asarray(shift, dtype)}
        ours = blocks.argument(Options(norm), jnp.asarray(z, dtype), given)
        layer = {"layer": nnx.LayerNorm, "batch": nnx.BatchNorm}[norm](
            shape[1], epsilon=1e-5, use_fast_variance=False, rngs=nnx.Rngs(0)
        )
        layer.scale[...], layer.bias[...] = (jnp.asarray(one, "float32") for one in (scale, shift))
        theirs = layer(jnp.asarray(z, "float32"))
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, expected, rtol=1e-4 if dtype == "float32" else 1e-12, atol=1e-5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_fixed_statistics_take_the_place_of_the_minibatchs():
    z = jnp.asarray(np.random.default_rng(0).normal(size=(9, 4)))
    given = {"scale": jnp.ones(4), "shift": jnp.zeros(4)}
    mean, variance = jnp.arange(4.0), jnp.arange(1.0, 5.0)
    normalised = blocks.argument(Options("batch"), z, given, (mean, variance))
    np.testing.assert_allclose(normalised, (z - mean[None]) / np.sqrt(variance + 1e-5)[None], rtol=1e-6)


# Dropout


KEY = jax.random.key(5)


def test_standard_dropout_is_that_of_flax():
    h = jnp.asarray(np.random.default_rng(0).normal(size=(50, 40)), jnp.float32)
    for rate in (0.1, 0.5):
        theirs = nnx.Dropout(rate, deterministic=False)(h, rngs=KEY)
        np.testing.assert_allclose(blocks.drop("standard", h, KEY, rate), theirs, rtol=1e-6)
        assert np.mean(theirs == 0) == pytest.approx(rate, abs=0.05)


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_alpha_dropout_is_the_papers_formula_and_keeps_mean_and_variance(rate):
    x = np.random.default_rng(1).normal(size=(400, 500)).astype(np.float32)
    kept = np.asarray(jax.random.uniform(KEY, x.shape)) < 1 - np.float32(rate)
    # Klambauer et al. 2017: a·(x·d + α'·(1 − d)) + b with E and Var those of x, where they are 0 and 1
    alpha, q = -SELU_SCALE * SELU_ALPHA, 1 - rate
    a = (q + alpha**2 * q * (1 - q)) ** -0.5
    expected = a * (x * kept + alpha * (1 - kept)) - a * (1 - q) * alpha
    dropped = blocks.drop("alpha", jnp.asarray(x), KEY, rate)
    np.testing.assert_allclose(dropped, expected, rtol=1e-4, atol=1e-5)
    assert float(jnp.mean(dropped)) == pytest.approx(0, abs=0.02)
    assert float(jnp.var(dropped)) == pytest.approx(1, abs=0.02)
    assert np.mean(kept) == pytest.approx(q, abs=0.01)


def moments_after(kind, depth=12, width=300, n=400):
    """Compute mean and variance of the last h of a SELU network with LeCun's weights, in training mode."""
    record = activations.CATALOGUE.find("selu")
    keys = jax.random.split(jax.random.key(2), depth + 1)
    kernels = [jax.random.normal(key, (width, width)) / math.sqrt(width) for key in keys]
    weights = {
        "input": {"kernel": kernels[0]},
        "layers": {
            "kernel": jnp.stack(kernels[:depth]),
            "bias": jnp.zeros((depth, width)),
            "activation": jnp.zeros((depth, 0)),
        },
        "readout": {"kernel": jnp.eye(width), "bias": jnp.zeros(width)},
    }
    function = Function(record.function, record.flat, tuple(record.parameters))
    network = DeepMLP(weights, depth, function, record.parameters, Options(dropout=kind), 0.2)
    network.train()
    h = network(jax.random.normal(keys[-1], (n, width)), jax.random.key(3))
    return float(jnp.mean(h)), float(jnp.var(h))


def test_selu_stays_at_mean_0_and_variance_1_with_alpha_dropout_and_with_no_other():
    mean, variance = moments_after("alpha")
    assert abs(mean) < 0.1
    assert variance == pytest.approx(1, abs=0.15)
    mean, variance = moments_after("standard")
    assert abs(mean) > 0.1 or abs(variance - 1) > 0.3


# Through the engine's programs


DATA = {
    name: (x, y.astype(np.int32))
    for name, (x, y) in {"train": rows(30), "validation": rows(8, 1), "test": rows(9, 2), "probe": rows(10, 3)}.items()
}
PROBES = ("act_mean", "act_var", "preact_second_moment", "saturated_low", "update_ratio")


def alone(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], tree)


class Trained:
    """A program, the states of a run before some of its steps, and what calls them."""

    def __init__(self, **changes):
        with jax.enable_x64(True):
            self.program = a_program("batch", True, "alpha", probes=PROBES, **changes)
            self.programs = compile_programs(self.program, FEATURES, OUTPUTS)
            self.numbers = alone(some_numbers(bound=self.program.spec.depth_bound))
            self.depth = np.int32(DEPTH)

    def start(self, numbers=None):
        with jax.enable_x64(True):
            return self.programs.start(self.numbers if numbers is None else numbers, self.depth)

    def train(self, state, begin, end, numbers=None, recorded=0):
        numbers = self.numbers if numbers is None else numbers
        counts = (np.int32(n) for n in (begin, end, recorded))
        with jax.enable_x64(True):
            given = jax.tree.map(np.array, state)
            scratch = blank_scratches(self.program, given["parameters"], 1)["train"]
            after, _ = self.programs.train(given, scratch, numbers, DATA, *counts, self.depth, np.int32(2))
            return after

    def record(self, state):
        before = state["parameters"]
        masks = blank_masks(self.program, 1)
        call = (self.depth, np.int32(2))
        with jax.enable_x64(True):
            scratch = blank_scratches(self.program, before, len(DATA["probe"][1]))["measure"]
            record, _ = self.programs.measure(before, before, scratch, self.numbers, DATA, *call)
            _, whole = self.programs.evaluate(before, masks, self.numbers, DATA, np.int32(1), *call)
            return jax.tree.map(lambda leaf: np.asarray(leaf)[0], (record, whole))


@pytest.fixture(scope="module")
def trained():
    return Trained()


def forward(weights, x, statistics_of):
    """Compute z, φ's argument and h of each layer: batch normalisation, relu, residual from the second layer on."""
    h, below, layers = x, statistics_of, weights["layers"]
    by_layer = []
    for l in range(DEPTH):
        kernel = weights["input"]["kernel"] if l == 0 else layers["kernel"][l]
        z, reference = (one @ kernel + layers["bias"][l] for one in (h, below))
        u, of_reference = (
            layers["scale"][l] * (one - reference.mean(0)) / np.sqrt(reference.var(0) + 1e-5) + layers["shift"][l]
            for one in (z, reference)
        )
        h = np.maximum(u, 0) + (h if l else 0)
        below = np.maximum(of_reference, 0) + (below if l else 0)
        by_layer.append((z, u, h))
    return by_layer, h @ weights["readout"]["kernel"] + weights["readout"]["bias"]


@pytest.mark.parametrize("steps", thinned([5, 0], 2))
def test_records_have_the_training_splits_statistics_and_no_dropout(trained, steps):
    state = trained.train(trained.start(), 0, steps)
    record, whole = trained.record(state)
    weights = jax.tree.map(lambda leaf: np.asarray(leaf)[0], state["parameters"])
    layers, _ = forward(weights, DATA["probe"][0], DATA["train"][0])
    for l, (z, u, h) in enumerate(layers):
        for name, value in {
            "act_mean": h.mean(),
            "act_var": h.var(),
            "preact_second_moment": (z**2).mean(),
            "saturated_low": (u <= -1).mean(),
        }.items():
            assert record["layers"][name][l] == pytest.approx(value, rel=1e-10), (name, l)
    for split in ("train", "validation", "test"):
        x, y = DATA[split]
        layers, outputs = forward(weights, x, DATA["train"][0])
        losses = np.log(np.exp(outputs).sum(1)) - outputs[np.arange(len(y)), y]
        assert whole[f"{split}_loss"] == pytest.approx(losses.mean(), rel=1e-10)
        assert whole[f"{split}_accuracy"] == np.mean(outputs.argmax(1) == y)
        if split == "train":
            dead = [np.mean(np.all(u <= 0, axis=0)) for _, u, _ in layers]
            np.testing.assert_array_equal(whole["layers"]["dead_fraction"][:DEPTH], dead)


def test_gradients_at_a_record_are_those_of_the_network_in_evaluation_mode(trained):
    state = trained.train(trained.start(), 0, 5)
    record, _ = trained.record(state)
    x, y = DATA["probe"]
    with jax.enable_x64(True):
        weights = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], state["parameters"])
        network = DeepMLP(weights, DEPTH, RELU, {}, trained.program.spec.block, RATE)
        network.take_statistics(DATA["train"][0])
        network.eval()
        loss = lambda network: optax.softmax_cross_entropy_with_integer_labels(network(jnp.asarray(x)), y).mean()
        slopes = nnx.to_pure_dict(nnx.grad(loss)(network))
    for l in range(DEPTH):
        norm = np.linalg.norm(slopes["hidden"][l]["affine"]["kernel"])
        recorded = np.ldexp(record["gradients"]["weight_grad_norm"][l], record["exponent"][l])
        assert recorded == pytest.approx(norm, rel=1e-9), l


def test_only_the_first_layers_death_makes_a_residual_networks_output_constant(trained):
    for l, expected in ((0, 1.0), (1, 0.0), (2, 0.0)):
        state = jax.tree.map(np.array, trained.start())
        state["parameters"]["layers"]["scale"][0, l] = 0
        state["parameters"]["layers"]["shift"][0, l] = -1
        _, whole = trained.record(state)
        assert whole["layers"]["dead_fraction"][l] == 1
        assert whole["network_dead"] == expected
        weights = jax.tree.map(lambda leaf: leaf[0], state["parameters"])
        _, outputs = forward(weights, DATA["train"][0], DATA["train"][0])
        assert np.allclose(outputs, outputs[:1]) == bool(expected)


def test_masks_are_the_same_whatever_the_bound_on_depth_and_after_a_cut(trained):
    whole = jax.tree.map(np.asarray, trained.train(trained.start(), 0, 9))
    deeper = Trained(depth_bound=BOUND + 3)
    other = jax.tree.map(np.asarray, deeper.train(deeper.start(), 0, 9))
    for name, stack in whole["parameters"]["layers"].items():
        np.testing.assert_array_equal(stack[:, :DEPTH], other["parameters"]["layers"][name][:, :DEPTH])
    first = jax.tree.map(np.array, trained.train(trained.start(), 0, 4))
    for one, two in zip(jax.tree.leaves(trained.train(first, 4, 9)), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(one, two)


def test_masks_are_anothers_at_another_step_and_seed(trained):
    numbers = jax.tree.map(np.array, trained.numbers)
    numbers["optimizer"]["learning_rate"][:] = 0
    state = trained.start(numbers)

    def loss(step, seed=numbers["seed"]):
        one = trained.train(state, step, step + 1, numbers | {"seed": seed}, recorded=1)
        return float(one["loss_sum"][0])

    # The weights stay; an epoch has four minibatches, whose rows differ too: so the same one is asked for twice.
    assert loss(1) == loss(1)
    losses = {loss(1), loss(2), loss(1, numbers["seed"] + np.uint32(1))}
    assert len(losses) == 3


def masks(step=3, seed=11, layers=3, width=50):
    """Find which units each layer keeps in a step, of a network that passes ones through."""
    weights = {
        "input": {"kernel": jnp.eye(width)},
        "layers": {
            "kernel": jnp.stack([jnp.eye(width)] * layers),
            "bias": jnp.zeros((layers, width)),
            "activation": jnp.zeros((layers, 0)),
        },
        "readout": {"kernel": jnp.eye(width), "bias": jnp.zeros(width)},
    }
    identity = Function(lambda z: z, lambda z: z != z)
    network = DeepMLP(weights, layers, identity, {}, Options(dropout="standard"), 0.25)
    network.train()
    key = training.dropout_key(jnp.uint32(seed), jnp.int32(step))
    h, kept = jnp.ones((40, width)), []
    for l, layer in enumerate(network.hidden):
        h = layer(h, jax.random.fold_in(key, l))
        kept.append(np.asarray(h != 0))
        h = jnp.ones_like(h)
    return np.array(kept)


def test_masks_of_layers_steps_and_seeds_are_independent():
    drawn = [*masks(), *masks(step=4), *masks(seed=12)]
    share = np.mean(drawn)
    assert share == pytest.approx(0.75, abs=0.02)
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert np.mean(one & other) == pytest.approx(share**2, abs=0.04)


@pytest.mark.parametrize("options", [("layer", True, "alpha"), ("batch", False, "standard")])
def test_options_change_no_draw(options):
    numbers = some_numbers(dtype="float32")
    bare, other = (
        training.start(program, numbers, jnp.int32(DEPTH), FEATURES, OUTPUTS)["parameters"]
        for program in (a_program(dtype="float32"), a_program(*options, dtype="float32"))
    )
    for part in ("input", "readout"):
        np.testing.assert_array_equal(bare[part]["kernel"], other[part]["kernel"])
    for name, stack in bare["layers"].items():
        np.testing.assert_array_equal(stack, other["layers"][name])
    np.testing.assert_array_equal(other["layers"]["scale"][:, 0], [1] * DEPTH + [0] * (BOUND - DEPTH))
    assert other["layers"]["shift"].shape == (BOUND, WIDTH)
    assert not np.any(other["layers"]["shift"])
