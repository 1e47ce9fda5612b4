"""The walk over the layers against automatic differentiation of a plain forward pass, under every option of a block."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn import recording, training, walk
from actlab.nn.blocks import Function, Options
from tests.core import BATCH, FEATURES, OUTPUTS, ROWS, a_program, nowhere
from tests.thinned import thinned

DEPTH, BOUND, WIDTH = 3, 5, 6
SLOPE, SEED, STEP, RATE = 0.1, 3, 17, 0.4


def bent(z, *, slope, beta):
    return jnp.tanh(beta * z) + slope * z


FUNCTIONS = (Function(jnp.sin, nowhere), Function(bent, nowhere, ("slope",), ("beta",)))
CASES = {
    "plain": (Options(), "layer", 1),
    "residual, alpha dropout": (Options("none", True, "alpha"), "unit", 2),
    "layer": (Options("layer"), "unit", 1),
    "layer, residual, dropout": (Options("layer", True, "standard"), "layer", 2),
    "batch, alpha dropout": (Options("batch", False, "alpha"), "unit", 2),
    "batch, residual, dropout": (Options("batch", True, "standard"), "layer", 1),
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=thinned(CASES, 3))
def case(request):
    options, per, runs = CASES[request.param]
    program = a_program(
        *FUNCTIONS,
        learnable_per=per,
        depth_bound=BOUND,
        width=WIDTH,
        probes=(),
        dtype="float64",
        runs_per_call=runs,
        options=options,
    )
    return program, [some_parameters(program, seed) for seed in range(runs)]


def some_parameters(program, seed):
    rng = np.random.default_rng(seed)
    layers = {
        "kernel": rng.normal(size=(DEPTH, WIDTH, WIDTH)) / np.sqrt(WIDTH),
        "bias": rng.normal(size=(DEPTH, WIDTH)),
        "activation": rng.uniform(0.5, 1.5, (DEPTH, 1, WIDTH) if program.spec.learnable_per == "unit" else (DEPTH, 1)),
    }
    if program.spec.block.norm != "none":
        layers |= {"scale": rng.uniform(0.5, 1.5, (DEPTH, WIDTH)), "shift": rng.normal(size=(DEPTH, WIDTH))}
    ends = {"input": {"kernel": (FEATURES, WIDTH)}, "readout": {"kernel": (WIDTH, OUTPUTS), "bias": (OUTPUTS,)}}
    drawn = {part: {name: rng.normal(size=size) for name, size in sizes.items()} for part, sizes in ends.items()}
    return drawn | {"layers": layers}


def together(program, parameters, fill):
    """Stack runs' parameters as the walk takes them, what it has no use for filled with a number."""

    def stacked(*stacks):
        padded = [np.pad(stack, [(0, BOUND - DEPTH)] + [(0, 0)] * (stack.ndim - 1)) for stack in stacks]
        for stack in padded:
            stack[DEPTH:] = fill
        return padded[0] if program.spec.runs_per_call == 1 else np.stack(padded, axis=1)

    def stack_leaves(*leaves):
        return leaves[0] if program.spec.runs_per_call == 1 else np.stack(leaves)

    layers = jax.tree.map(stacked, *[one["layers"] for one in parameters])
    layers["kernel"][0] = fill  # the first layer's is the input's
    rest = [{name: part for name, part in one.items() if name != "layers"} for one in parameters]
    return jax.tree.map(stack_leaves, *rest) | {"layers": layers}


def numbers_of(runs):
    numbers = {"seed": np.uint32(SEED), "fixed": np.array([SLOPE]), "dropout_rate": RATE, "clip_norm": np.inf}
    numbers |= {"weak_threshold": 0.05, "saturation_low": -1.0, "saturation_high": 1.0}
    return numbers if runs == 1 else jax.tree.map(lambda leaf: np.stack([leaf] * runs), numbers)


def drop(kind, h, l):
    """Drop units; alpha dropout keeps the mean and the variance of SELU's (mean 0, variance 1)."""
    key = jax.random.key(SEED)
    for number in (2**32 - 1, STEP, l):
        key = jax.random.fold_in(key, number)
    kept = jax.random.uniform(key, h.shape) < 1 - RATE
    if kind == "standard":
        return jnp.where(kept, h / (1 - RATE), 0.0)
    floor = -1.0507009873554805 * 1.6732632423543772
    mean, variance = RATE * floor, (1 - RATE) * (1 + floor**2 * RATE)
    return (jnp.where(kept, h, floor) - mean) / jnp.sqrt(variance)


def forward(options, parameters, x, shifts=None, statistics=None, dropping=False):
    """Walk layer by layer: the outputs, and mean and variance of each z over the rows; ``shifts`` [L, B, W] move z."""
    layers, h, seen = parameters["layers"], x, []
    with jax.numpy_rank_promotion("allow"):
        for l in range(DEPTH):
            below = h
            z = below @ (layers["kernel"][l] if l else parameters["input"]["kernel"]) + layers["bias"][l]
            z = z if shifts is None else z + shifts[l]
            seen.append((z.mean(axis=0), z.var(axis=0)))
            u = z
            if options.norm != "none":
                by_row = (z.mean(axis=1, keepdims=True), z.var(axis=1, keepdims=True))
                own = by_row if options.norm == "layer" else seen[l]
                mean, variance = statistics[l] if statistics else own
                u = layers["scale"][l] * (z - mean) / jnp.sqrt(variance + 1e-5) + layers["shift"][l]
            h = bent(u, slope=SLOPE, beta=layers["activation"][l, 0])
            h = drop(options.dropout, h, l) if dropping and options.dropout != "none" else h
            h = h + below if options.residual and l else h
        return h @ parameters["readout"]["kernel"] + parameters["readout"]["bias"], seen


def losses(outputs, y):
    return -jax.nn.log_softmax(outputs)[jnp.arange(len(y)), y]


def some_rows(number, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(number, FEATURES)), rng.integers(0, OUTPUTS, number).astype(np.int32)


def test_gradients_of_every_parameter(case):
    """Nothing beyond the run's depth is read, and nothing is written there."""
    program, parameters = case
    runs = program.spec.runs_per_call
    batches = [some_rows(BATCH, seed) for seed in range(runs)]
    batch = batches[0] if runs == 1 else tuple(np.stack(arrays) for arrays in zip(*batches, strict=True))
    given = together(program, parameters, fill=np.nan)
    up, stacks = training.scratch_for(program, given)["layers"]["up"], jax.tree.map(jnp.zeros_like, given["layers"])
    minibatch = partial(training.minibatch_gradients, program, store=walk.put)
    walked = jax.jit(minibatch)(
        given, numbers_of(runs), batch, np.int32(STEP), np.int32(DEPTH), np.int32(1), up, stacks=stacks
    )
    loss, accuracy, actual = walked.loss, walked.accuracy, {**walked.ends, "layers": walked.layers}
    expected = []
    for run, own in enumerate(parameters):
        x, y = batches[run]

        def mean_loss(own, x=x, y=y):
            outputs, _ = forward(program.spec.block, own, x, dropping=True)
            return jnp.mean(losses(outputs, y)), outputs

        (value, outputs), gradients = jax.value_and_grad(mean_loss, has_aux=True)(own)
        assert jnp.ravel(loss)[run] == pytest.approx(float(value), rel=1e-12)
        assert jnp.ravel(accuracy)[run] == pytest.approx(float(np.mean(np.argmax(outputs, axis=1) == y)))
        expected.append(gradients)
    expected = together(program, jax.tree.map(np.array, expected), fill=0.0)
    for (path, one), other in zip(jax.tree.leaves_with_path(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13, err_msg=str(path))


def test_measured_norms(case):
    """Without dropout, and with statistics of the whole training split where a normalisation needs some."""
    program, parameters = case
    runs = program.spec.runs_per_call
    data = {"train": some_rows(ROWS, 7), "probe": some_rows(10, 8)}
    given = together(program, parameters, fill=np.nan)
    scratch = recording.scratch_for(program, given, len(data["probe"][1]))
    record, _ = jax.jit(partial(recording.measure, program))(
        given, given, scratch, numbers_of(runs), data, np.int32(DEPTH), np.int32(1)
    )
    (x, y), options = data["probe"], program.spec.block
    for run, own in enumerate(parameters):
        statistics = forward(options, own, data["train"][0])[1] if options.norm == "batch" else None

        def total(own, shifts, statistics=statistics):
            return jnp.sum(losses(forward(options, own, x, shifts, statistics)[0], y))

        weights, signals = jax.grad(total, argnums=(0, 1))(own, jnp.zeros((DEPTH, len(x), WIDTH)))
        kernels = [weights["input"]["kernel"], *weights["layers"]["kernel"][1:]]
        for name, norms in (
            ("signal_grad_norm", [np.sqrt(np.sum(signal**2) / len(x)) for signal in signals]),
            ("weight_grad_norm", [np.linalg.norm(kernel) / len(x) for kernel in kernels]),
        ):
            mantissa = record["gradients"][name].reshape(BOUND, runs)[:DEPTH, run]
            exponent = record["exponent"].reshape(BOUND, runs)[:DEPTH, run]
            np.testing.assert_allclose(np.ldexp(np.asarray(mantissa), exponent), norms, rtol=1e-10)
