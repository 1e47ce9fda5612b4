"""Identities of training that hold exactly, not at infinite width: through the gradients that training itself takes.

That a first-layer ReLU unit which is dead on the whole training set stays so under plain SGD is held in
``test_freezing``, with its control one layer further up.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn import training, walk
from actlab.nn.blocks import Function
from tests.core import FEATURES, OUTPUTS, a_program, nowhere, some_data, some_numbers

DEPTH = 4
FUNCTIONS = (
    Function(lambda z: jnp.where(z > 0, z, 0.0), lambda z: z <= 0),
    Function(lambda z: z, nowhere),
    Function(jnp.tanh, nowhere),
)
RELU, LINEAR, TANH = range(3)


@pytest.fixture(scope="module")
def gradients():
    """Weights and their gradients, of one program for all activations: (activation, bias_std) -> two lists [L]."""
    with jax.enable_x64(True):
        program = a_program(*FUNCTIONS, dtype="float64", width=9, optimizer="sgd")
        x, y = (jnp.asarray(part) for part in some_data("float64")["train"])

        @jax.jit
        def of(numbers, activation):
            parameters = training.start(program, numbers, np.int32(DEPTH), FEATURES, OUTPUTS)["parameters"]
            scratch = training.scratch_for(program, parameters)["layers"]["up"]
            up = jax.tree.map(lambda leaf: jnp.zeros((leaf.shape[0], len(x), leaf.shape[-1]), leaf.dtype), scratch)
            walked = training.minibatch_gradients(
                program,
                parameters,
                numbers,
                (x, y),
                np.int32(0),
                np.int32(DEPTH),
                activation,
                up,
                walk.put,
                jax.tree.map(jnp.zeros_like, parameters["layers"]),
            )
            return parameters, walked.ends, walked.layers

        def both(activation, bias_std):
            numbers = filled(some_numbers(DEPTH, bias_std=bias_std, gain=1.5), program)
            parameters, ends, layers = of(numbers, np.int32(activation))
            return kernels(parameters, parameters["layers"]), kernels(ends, layers)

        yield both


def filled(numbers, program):
    """Give a run's numbers the shapes that the program takes."""
    more = program.spec.depth_bound - DEPTH
    lists = {name: np.array([*numbers[name], *[0.0] * more]) for name in ("weight_std", "bias_mean", "bias_std")}
    return {**numbers, **lists, "fixed": np.zeros(0), "learnable": np.zeros(0), "seed": np.uint32(numbers["seed"])}


def kernels(ends, layers):
    return [ends["input"]["kernel"], *layers["kernel"][1:DEPTH], ends["readout"]["kernel"]]


def products(pair):
    return np.array([np.vdot(weights, gradient) for weights, gradient in zip(*pair, strict=True)])


@pytest.mark.parametrize("activation", [RELU, LINEAR])
def test_weights_times_their_gradient_are_the_same_in_every_layer_without_biases(gradients, activation):
    """⟨W_l, ∂L/∂W_l⟩ = ⟨∂L/∂f, f⟩: f is homogeneous of degree 1 in each W_l, the readout too (Du, Hu & Lee 2018)."""
    inner = products(gradients(activation, 0.0))
    assert abs(inner[0]) > 1e-3
    np.testing.assert_allclose(inner, inner[0], rtol=1e-10)


@pytest.mark.parametrize(("activation", "bias_std"), [(RELU, 0.5), (TANH, 0.0)])
def test_neither_with_biases_nor_where_a_function_bends(gradients, activation, bias_std):
    inner = products(gradients(activation, bias_std))
    assert np.ptp(inner) > 1e-2 * np.abs(inner).max()
