"""The deep multilayer perceptron: L hidden layers of one width, each followed by the activation, and a linear readout.

    z_1 = x W_1 + b_1,   h_l = φ(z_l; α_l),   z_{l+1} = h_l W_{l+1} + b_{l+1},   output = h_L W_out + b_out

The module is flax.nnx's; everything outside this file sees its parameters as a plain tree of arrays. Hidden layers
2..L are stacked and scanned, so that the program's size does not grow with depth; the training loop unrolls shallow
stacks, which is faster.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from actlab.nn import initializers

Parameters = Any  # {first, hidden, readout: {kernel, bias}, activation: {name: [L] or [L, W]}}
Activation = Callable[..., Array]
Observer = Callable[[Array, Mapping[str, Array]], Any]

# Up to here the training loop's layers are straight-line code: faster than a loop, and compiled in about a second.
UNROLLED_DEPTH = 20


class Dense(nnx.Module):
    """x W + b, or a stack of such layers with a leading layer axis."""

    def __init__(self, kernel: Array, bias: Array) -> None:
        """Hold given arrays: kernel [..., fan_in, fan_out], bias [..., fan_out]."""
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)


class DeepMLP(nnx.Module):
    """A plain deep MLP; ``activation`` holds the learnable activation parameters, a row for each hidden layer."""

    def __init__(self, parameters: Parameters) -> None:
        """Hold the given tree of arrays."""
        self.first = Dense(**parameters["first"])
        self.hidden = Dense(**parameters["hidden"])
        self.readout = Dense(**parameters["readout"])
        self.activation = nnx.data({name: nnx.Param(value) for name, value in parameters["activation"].items()})

    def layers(self) -> tuple[Any, Any, Any]:
        """Plain arrays: (first layer, stacked hidden layers 2..L, readout), with their activation parameters."""
        learned = per_layer({name: parameter[...] for name, parameter in self.activation.items()})
        first = (self.first.kernel[...], self.first.bias[...], {name: value[0] for name, value in learned.items()})
        hidden = (self.hidden.kernel[...], self.hidden.bias[...], {name: value[1:] for name, value in learned.items()})
        return first, hidden, (self.readout.kernel[...], self.readout.bias[...])

    def __call__(
        self, x_BxF: Array, phi: Activation, fixed: Mapping[str, Array], observe: Observer, unroll: int
    ) -> tuple[Array, Any]:
        """Outputs [B, C], and what ``observe`` makes of each hidden layer, stacked over layers."""
        (kernel, bias, learned), hidden, (kernel_out, bias_out) = self.layers()
        z_BxW = affine(x_BxF, kernel, bias)
        h_BxW = phi(z_BxW, **fixed, **learned)

        def layer(h_BxW: Array, parameters: Any) -> tuple[Array, Array]:
            kernel_WxW, bias_W, learned = parameters
            z_BxW = affine(h_BxW, kernel_WxW, bias_W)
            return phi(z_BxW, **fixed, **learned), observe(z_BxW, learned)

        seen = observe(z_BxW, learned)
        h_BxW, seen_hidden = jax.lax.scan(layer, h_BxW, hidden, unroll=unroll)
        seen_by_layer = jax.tree.map(lambda one, others: jnp.concatenate([one[None], others]), seen, seen_hidden)
        return affine(h_BxW, kernel_out, bias_out), seen_by_layer


@jax.custom_vjp
def affine(h_BxI: Array, kernel_IxO: Array, bias_O: Array) -> Array:
    """h W + b, with the usual gradients, ∂L/∂W by ``weight_gradient``.

    >>> jax.grad(lambda kernel: affine(jnp.ones((2, 1)), kernel, jnp.zeros(1)).sum())(jnp.ones((1, 1)))
    Array([[2.]], dtype=float32)
    """
    return h_BxI @ kernel_IxO + bias_O[None, :]


def affine_forward(h_BxI: Array, kernel_IxO: Array, bias_O: Array) -> tuple[Array, tuple[Array, Array]]:
    """The value of ``affine``, and what its gradients need."""
    return affine(h_BxI, kernel_IxO, bias_O), (h_BxI, kernel_IxO)


def affine_backward(needed: tuple[Array, Array], delta_BxO: Array) -> tuple[Array, Array, Array]:
    """The gradients of ``affine`` from that of its value."""
    h_BxI, kernel_IxO = needed
    return delta_BxO @ kernel_IxO.T, weight_gradient(h_BxI, delta_BxO), jnp.sum(delta_BxO, axis=0)


affine.defvjp(affine_forward, affine_backward)


def weight_gradient(h_BxI: Array, delta_BxO: Array) -> Array:
    """hᵀ δ, the gradient of the weights [I, O], from h turned first.

    XLA would rather have the matrix product turn it, which on a processor is a tenth slower.
    """
    return jax.lax.optimization_barrier(h_BxI.T) @ delta_BxO


def nothing(z_BxW: Array, learned: Mapping[str, Array]) -> None:
    """Observe nothing: the training loop's choice."""


def preactivations(z_BxW: Array, learned: Mapping[str, Array]) -> Array:
    """Observe the pre-activations themselves."""
    return z_BxW


def per_layer(learned: Mapping[str, Array]) -> dict[str, Array]:
    """Activation parameters [L] or [L, W] so shaped that a row of them broadcasts against z [B, W].

    >>> per_layer({"alpha": jnp.ones((3, 5))})["alpha"].shape
    (3, 1, 5)
    """
    return {name: value[:, None, :] if value.ndim == 2 else value for name, value in learned.items()}


def training_unroll(depth: int) -> int:
    """How far the training loop unrolls its layers: wholly while that compiles in about a second, not at all beyond.

    >>> training_unroll(10), training_unroll(100)
    (9, 1)
    """
    return max(depth - 1, 1) if depth <= UNROLLED_DEPTH else 1


def apply(
    parameters: Parameters,
    x_BxF: Array,
    phi: Activation,
    fixed: Mapping[str, Array],
    observe: Observer = nothing,
    unroll: int = 1,
) -> tuple[Array, Any]:
    """Run the network given by a plain tree of arrays.

    Args:
        parameters: the tree that ``init`` returns.
        x_BxF: inputs [B, F].
        phi: the activation, ``phi(z, **parameters)``.
        fixed: activation parameters that are not learned, by name (scalars).
        observe: a function of a layer's pre-activations z [B, W] and learned activation parameters; it keeps memory
            small where only a reduction over rows is wanted.
        unroll: how many hidden layers become straight-line code in one turn of the scan (see ``training_unroll``).

    Returns:
        outputs [B, C], and the observations with a leading layer axis [L, ...].

    >>> tree = init(jax.random.key(0), features=3, outputs=2, depth=4, width=5, weight_distribution="normal",
    ...             bias_distribution="constant", weight_std=jnp.full(4, 0.5), bias_mean=jnp.zeros(4),
    ...             bias_std=jnp.zeros(4), learnable={}, learnable_per="layer", dtype=jnp.dtype("float32"))
    >>> outputs, z = apply(tree, jnp.ones((7, 3)), jnp.tanh, {}, preactivations)
    >>> outputs.shape, z.shape
    ((7, 2), (4, 7, 5))
    """
    graph, state = nnx.split(DeepMLP(parameters))
    return nnx.merge(graph, state)(x_BxF, phi, fixed, observe, unroll)


def init(
    key: Array,
    *,
    features: int,
    outputs: int,
    depth: int,
    width: int,
    weight_distribution: str,
    bias_distribution: str,
    weight_std: Array,
    bias_mean: Array,
    bias_std: Array,
    learnable: Mapping[str, Array],
    learnable_per: str,
    dtype: jnp.dtype,
) -> Parameters:
    """Draw all weights from one flat draw, then scale by layer.

    Args:
        key: JAX random key.
        features, outputs, depth, width: F inputs, C outputs, L hidden layers of W units.
        weight_distribution: ``normal``, ``truncated_normal``, ``uniform`` or ``orthogonal``, of the hidden layers.
        bias_distribution: ``constant``, ``normal`` or ``uniform``.
        weight_std, bias_mean, bias_std: [L], by hidden layer.
        learnable: starting values (scalars) of the activation's learnable parameters.
        learnable_per: ``layer`` (one value a layer) or ``unit`` (one value a unit).
        dtype: float32 or float64.

    Returns:
        {first, hidden, readout: {kernel, bias}, activation: {name: [L] or [L, W]}}; the readout is always LeCun normal
        with zero bias, so that comparisons of hidden initialisers do not change the scale of the output layer as well.
    """
    weights_key, readout_key, bias_key = jax.random.split(key, 3)
    shapes: list[tuple[int, ...]] = [(features, width), (depth - 1, width, width)]
    first, hidden = initializers.draw(weight_distribution, weights_key, shapes, dtype)
    std = jnp.asarray(weight_std, dtype)
    biases_LxW = initializers.draw_biases(bias_distribution, bias_key, bias_mean, bias_std, width, dtype)
    (readout,) = initializers.draw("normal", readout_key, [(width, outputs)], dtype)
    shape = (depth,) if learnable_per == "layer" else (depth, width)
    return {
        "first": {"kernel": std[0] * first, "bias": biases_LxW[0]},
        "hidden": {"kernel": std[1:, None, None] * hidden, "bias": biases_LxW[1:]},
        "readout": {"kernel": readout * initializers.lecun(width, outputs), "bias": jnp.zeros(outputs, dtype)},
        "activation": {name: jnp.full(shape, value, dtype) for name, value in learnable.items()},
    }


def example_losses(outputs_BxC: Array, y: Array, task: str) -> Array:
    """The loss of each example [B]: softmax cross-entropy (nats) or squared error averaged over outputs.

    >>> example_losses(jnp.zeros((1, 2)), jnp.array([0]), "classification")
    Array([0.6931472], dtype=float32)
    """
    if task == "classification":
        log_p = jax.nn.log_softmax(outputs_BxC)
        return -jnp.take_along_axis(log_p, y[:, None], axis=1)[:, 0]
    return jnp.mean((outputs_BxC - y) ** 2, axis=1)


def example_hits(outputs_BxC: Array, y: Array, task: str) -> Array:
    """Whether each example's largest output is its label's [B], as 1 or 0; NaN for regression, or if it is not finite.

    >>> example_hits(jnp.array([[2.0, 1.0], [2.0, 1.0], [2.0, jnp.nan]]), jnp.array([0, 1, 0]), "classification")
    Array([ 1.,  0., nan], dtype=float32)
    """
    if task == "classification":
        hits_B = (jnp.argmax(outputs_BxC, axis=1) == y).astype(outputs_BxC.dtype)
        return jnp.where(jnp.all(jnp.isfinite(outputs_BxC), axis=1), hits_B, jnp.nan)
    return jnp.full(outputs_BxC.shape[0], jnp.nan, outputs_BxC.dtype)
