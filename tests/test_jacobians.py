"""Jacobians as they are measured, against products of matrices in NumPy, and JAX's own of the flax.nnx module."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.engine import records
from actlab.measures import JACOBIAN_ROWS, JACOBIANS
from actlab.nn import recording
from actlab.nn.blocks import Function, Options
from actlab.nn.model import DeepMLP
from actlab.nn.programs import SELDOM, drop, runs_first, turned, usable_options
from tests.core import OUTPUTS, a_program, nowhere, some_data

RELU = Function(lambda z: jnp.where(z > 0, z, 0.0), lambda z: z <= 0)
TANH = Function(jnp.tanh, nowhere)
SIGMOID = Function(jax.nn.sigmoid, nowhere)
LINEAR = Function(lambda z: z, nowhere)
BENT = Function(lambda z, *, alpha: jnp.where(z > 0, z, alpha * z), nowhere, (), ("alpha",))


BOUND = 5


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def some_parameters(program, depth, features, outputs, seed, gain=1.2, bound=BOUND):
    """Draw a run's parameters, none as it is at the start; the layers beyond its depth are no numbers."""
    rng, width = np.random.default_rng(seed), program.spec.width
    layers = {
        "kernel": gain * rng.normal(size=(bound, width, width)) / np.sqrt(width),
        "bias": 0.3 * rng.normal(size=(bound, width)),
        "activation": rng.uniform(0.2, 0.5, (bound, program.slots)),
    }
    if program.spec.block.norm != "none":
        layers |= {"scale": rng.uniform(0.5, 1.5, (bound, width)), "shift": rng.normal(size=(bound, width))}
    for stack in layers.values():
        stack[depth:] = np.nan
    layers["kernel"][0] = np.nan
    sizes = {"kernel": (width, outputs), "bias": (outputs,)}
    first = gain * rng.normal(size=(features, width)) / np.sqrt(features)
    own = {"input": {"kernel": first}, "readout": {name: rng.normal(size=size) for name, size in sizes.items()}}
    return jax.tree.map(lambda leaf: leaf.astype(program.spec.dtype), own | {"layers": layers})


def recorded(program, parameters, data, depth):
    """Measure some runs together: the record, leaves [R, ...]."""
    runs, dtype = len(parameters), program.spec.dtype
    given = turned(jax.tree.map(lambda *leaves: np.stack(leaves), *parameters), runs)
    numbers = {"fixed": np.zeros((runs, 0), dtype)}
    numbers |= {name: np.zeros(runs, dtype) for name in ("weak_threshold", "saturation_low", "saturation_high")}
    given, numbers = drop(given, runs), drop(numbers, runs)
    scratch = recording.scratch_for(program, given, len(data["probe"][1]))
    measure = jax.jit(partial(recording.measure, program), compiler_options=usable_options(SELDOM))
    record, _ = measure(given, given, scratch, numbers, data, np.int32(depth), np.int32(0))
    return jax.tree.map(partial(runs_first, runs), record)


def slopes(function, u, learned):
    """Return φ(u) and φ'(u) in NumPy."""
    if function is TANH:
        return np.tanh(u), 1 - np.tanh(u) ** 2
    if function is SIGMOID:
        h = 1 / (1 + np.exp(-u))
        return h, h * (1 - h)
    slope = np.where(u > 0, 1.0, learned[0] if function is BENT else 0.0)
    return slope * u, slope


def direct(own, function, options, depth, x_MxF, train_NxF):
    """Multiply matrices, row by row, in NumPy: ∂outputs/∂x [M, C, F], and (1/O)·‖∂z_{l+1}/∂z_l‖_F² [M, L]."""
    layers, statistics = own["layers"], []
    kernels = [own["input"]["kernel"], *layers["kernel"][1:depth], own["readout"]["kernel"]]

    def row(h, seen=None):
        jacobian, partials, zs = np.eye(len(h)), [], []
        for l in range(depth):
            below, of_below = (h, jacobian) if options.residual and l else (0.0, 0.0)
            z = h @ kernels[l] + layers["bias"][l]
            zs.append(z)
            u, inner = z, np.eye(len(z))
            if options.norm != "none":
                scale, width = layers["scale"][l], len(z)
                mean, variance = (z.mean(), z.var()) if options.norm == "layer" else seen(l)
                deviation = np.sqrt(variance + 1e-5)
                unit = (z - mean) / deviation
                u, inner = scale * unit + layers["shift"][l], np.diag(np.ones(width) * scale / deviation)
                if options.norm == "layer":
                    inner = (np.eye(width) - 1 / width - np.outer(unit, unit) / width) @ inner
            phi, slope = slopes(function, u, layers["activation"][l])
            step = inner * slope  # ∂z_j/∂... of row j, column i: ∂h_i/∂z_j
            partials.append(np.sum((step @ kernels[l + 1]) ** 2) / kernels[l + 1].shape[1])
            h, jacobian = below + phi, of_below + jacobian @ kernels[l] @ step
        return (jacobian @ kernels[-1]).T, partials, zs

    def of_training_rows(l):
        if len(statistics) == l:
            z_NxW = np.array([up_to(x, l) for x in train_NxF])
            statistics.append((z_NxW.mean(axis=0), z_NxW.var(axis=0)))
        return statistics[l]

    def up_to(h, last):
        for l in range(last + 1):
            z = h @ kernels[l] + layers["bias"][l]
            if l == last:
                return z
            mean, variance = statistics[l]
            u = layers["scale"][l] * (z - mean) / np.sqrt(variance + 1e-5) + layers["shift"][l]
            h = slopes(function, u, layers["activation"][l])[0] + (h if options.residual and l else 0.0)

    found = [row(x, of_training_rows) for x in x_MxF]
    return np.array([one[0] for one in found]), np.array([one[1] for one in found])


def values_of(record, run):
    return {
        name: float(one["mantissa"][run, 0]) * 2.0 ** int(one["exponent"][run, 0])
        for name, one in record["jacobian"].items()
    }


def expected(jacobian_KxCxF, count):
    values_KxN = np.linalg.svd(jacobian_KxCxF, compute_uv=False)[:, :count]
    return {
        "jacobian_mean_square": (values_KxN**2).mean(),
        "jacobian_square_variance": (values_KxN**2).var(axis=1).mean() if count > 1 else np.nan,
        "jacobian_largest": values_KxN.max(),
        "jacobian_smallest": values_KxN.min(),
    }


CASES = {
    "tanh": (TANH, {}, {}),
    "relu": (RELU, {}, {}),
    "learned slope": (BENT, {}, {}),
    "layer normalisation": (TANH, {"norm": "layer"}, {}),
    "batch normalisation": (TANH, {"norm": "batch"}, {}),
    "residual": (TANH, {"residual": True}, {}),
    "layer normalisation, residual": (TANH, {"norm": "layer", "residual": True}, {"runs": 2}),
    "batch normalisation, residual": (SIGMOID, {"norm": "batch", "residual": True}, {}),
    "width 1": (TANH, {}, {"width": 1}),
    "width 3, one output": (BENT, {}, {"width": 3, "task": "regression"}),
    "width 17": (SIGMOID, {}, {"width": 17}),
    "two features": (TANH, {}, {"features": 2}),
    "one row": (TANH, {}, {"probe": 1}),
    "more rows than are taken": (TANH, {}, {"probe": 20}),
    "depth 1": (TANH, {}, {"depth": 1}),
    "runs together, batch normalisation": (TANH, {"norm": "batch"}, {"runs": 2, "depth": 5}),
}


ALWAYS = "layer normalisation, residual"
THOROUGH = [name if name == ALWAYS else pytest.param(name, marks=pytest.mark.thorough) for name in CASES]


@pytest.mark.parametrize("name", THOROUGH)
def test_the_module_has_these_jacobians(name):
    """Runs together and alone, deeper programs than the run."""
    function, options, more = CASES[name]
    depth, runs, features = more.get("depth", 3), more.get("runs", 1), more.get("features", 4)
    options, task = Options(**options), more.get("task", "classification")
    width, probe = more.get("width", 6), more.get("probe", 10)
    given = {"probes": JACOBIANS, "dtype": "float64", "runs_per_call": runs, "depth_bound": BOUND, "width": width}
    program = a_program(function, options=options, task=task, **given)
    data = some_data("float64", task, features, probe)
    outputs = OUTPUTS if task == "classification" else 1
    parameters = [some_parameters(program, depth, features, outputs, seed) for seed in range(runs)]
    record = recorded(program, parameters, data, depth)
    x = data["probe"][0]
    for run, own in enumerate(parameters):
        jacobian, partials = direct(own, function, options, depth, x, data["train"][0])
        check(values_of(record, run), expected(jacobian[:JACOBIAN_ROWS], min(features, width, outputs)))
        measured = 10.0 ** record["log10"]["partial_jacobian_norm"][run, :depth]
        np.testing.assert_allclose(measured, partials.mean(axis=0), rtol=1e-8)
        if name == ALWAYS and run == 0:
            network = DeepMLP(jax.tree.map(jnp.asarray, own), depth, function, {}, options)
            one = jax.jit(jax.jacrev(lambda x, network=network: network(x[None])[0]))
            by_jax = np.array([one(row) for row in x])
            np.testing.assert_allclose(by_jax, jacobian, rtol=1e-9, atol=1e-12)


def check(measured, truth):
    """Compare all, the smallest where it is more than what rounding may be."""
    for measure, value in measured.items():
        if measure == "jacobian_smallest" and truth[measure] < 1e-13 * truth["jacobian_largest"]:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(truth[measure], rel=1e-8, nan_ok=True), measure


def test_a_deep_sigmoid_network_does_not_underflow_in_float32():
    """At depth 100 a derivative is below 1e-45: ∂outputs/∂x in NumPy, rescaled at every layer."""
    depth, width = 100, 6
    given = {"probes": JACOBIANS, "dtype": "float32", "depth_bound": depth + 1, "width": width}
    program, data = a_program(SIGMOID, **given), some_data("float32")
    own = some_parameters(program, depth, 4, OUTPUTS, 0, bound=depth + 1)
    record = recorded(program, [own], data, depth)
    kernels = [own["input"]["kernel"], *own["layers"]["kernel"][1:depth]]
    squares, largest = [], []
    for x in data["probe"][0][:JACOBIAN_ROWS].astype(float):
        h, jacobian, log = x, np.eye(4), 0.0
        for l, kernel in enumerate(kernels):
            h, slope = slopes(SIGMOID, h @ kernel.astype(float) + own["layers"]["bias"][l], ())
            jacobian = jacobian @ kernel * slope
            size = np.abs(jacobian).max()
            jacobian, log = jacobian / size, log + np.log10(size)
        values = np.linalg.svd(jacobian @ own["readout"]["kernel"], compute_uv=False)
        squares.append(np.log10((values**2).mean()) + 2 * log)
        largest.append(np.log10(values[0]) + log)
    log10 = {
        name: float(records.log10_carried(one["mantissa"], one["exponent"])[0, 0])
        for name, one in record["jacobian"].items()
    }
    most = max(squares)
    assert most < -90
    pooled = most + np.log10(np.mean(10.0 ** (np.array(squares) - most)))
    assert log10["jacobian_mean_square"] == pytest.approx(pooled, abs=1e-3)
    assert log10["jacobian_largest"] == pytest.approx(max(largest), abs=1e-3)
    assert np.isnan(log10["jacobian_smallest"])  # which float32 does not tell from 0 beside the largest
    assert np.isfinite(record["log10"]["partial_jacobian_norm"][0, :depth]).all()
