"""Jacobians as they are measured, against those that JAX takes of the flax.nnx module in float64, and their SVD."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.measures import JACOBIAN_ROWS, JACOBIANS
from actlab.nn import recording
from actlab.nn.blocks import Function, Options
from actlab.nn.model import DeepMLP
from actlab.nn.programs import drop, runs_first, turned
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


def some_parameters(program, depth, features, outputs, seed, gain=1.2):
    """Draw a run's parameters, none as it is at the start; the layers beyond its depth are no numbers."""
    rng, width = np.random.default_rng(seed), program.spec.width
    layers = {
        "kernel": gain * rng.normal(size=(BOUND, width, width)) / np.sqrt(width),
        "bias": 0.3 * rng.normal(size=(BOUND, width)),
        "activation": rng.uniform(0.2, 0.5, (BOUND, program.slots)),
    }
    if program.spec.block.norm != "none":
        layers |= {"scale": rng.uniform(0.5, 1.5, (BOUND, width)), "shift": rng.normal(size=(BOUND, width))}
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
    measure = jax.jit(partial(recording.measure, program))
    record, _ = measure(given, given, scratch, numbers, data, np.int32(depth), np.int32(0))
    return jax.tree.map(partial(runs_first, runs), record)


def direct(network, x_KxF):
    """Take ∂outputs/∂x [K, C, F] by automatic differentiation of the module."""
    with jax.numpy_rank_promotion("allow"):
        return np.asarray(jax.vmap(jax.jacrev(lambda x: network(x[None])[0]))(jnp.asarray(x_KxF)))


def direct_partials(network, x_MxF):
    """Take (1/O)·‖∂z_{l+1}/∂z_l‖_F² of each layer, averaged over rows; h of the layer below is held."""
    h_MxW, norms = jnp.asarray(x_MxF), []
    layers = list(network.hidden)
    for layer, above in zip(layers, [*(one.affine for one in layers[1:]), network.readout], strict=True):
        z_MxW = layer.affine(h_MxW)

        def next_z(z, below, layer=layer, above=above):
            u = z[None] if layer.norm is None else layer.norm(z[None], **fixed(layer))
            h = layer.activation(u)
            return above(below[None] + h if layer.residual else h)[0]

        jacobian = jax.vmap(jax.jacrev(next_z))(z_MxW, h_MxW if layer.residual else jnp.zeros_like(z_MxW))
        norms.append(float(jnp.mean(jnp.sum(jacobian**2, axis=(1, 2)))) / jacobian.shape[1])
        h_MxW = layer(h_MxW, training=False)
    return norms


def fixed(layer):
    return {"use_running_average": True} if hasattr(layer.norm, "use_running_average") else {}


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
    "layer normalisation, residual": (RELU, {"norm": "layer", "residual": True}, {}),
    "batch normalisation, residual": (SIGMOID, {"norm": "batch", "residual": True}, {}),
    "width 1": (TANH, {}, {"width": 1}),
    "width 3, one output": (TANH, {}, {"width": 3, "task": "regression"}),
    "width 17": (SIGMOID, {}, {"width": 17}),
    "two features": (TANH, {}, {"features": 2}),
    "one row": (TANH, {}, {"probe": 1}),
    "more rows than are taken": (TANH, {}, {"probe": 20}),
    "depth 1": (TANH, {}, {"depth": 1}),
    "runs together": (TANH, {"norm": "layer", "residual": True}, {"runs": 3}),
    "runs together, batch normalisation": (TANH, {"norm": "batch"}, {"runs": 2, "depth": 5}),
}


@pytest.mark.parametrize("name", CASES)
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
        network = DeepMLP(jax.tree.map(jnp.asarray, own), depth, function, {}, options)
        network.take_statistics(jnp.asarray(data["train"][0]))
        network.eval()
        truth = expected(direct(network, x[:JACOBIAN_ROWS]), min(features, width, outputs))
        for measure, value in values_of(record, run).items():
            assert value == pytest.approx(truth[measure], rel=1e-8, nan_ok=True), measure
        partials = 10.0 ** record["log10"]["partial_jacobian_norm"][run, :depth]
        np.testing.assert_allclose(partials, direct_partials(network, x), rtol=1e-8)
