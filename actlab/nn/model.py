"""The network of one run as a flax.nnx module: to read, to inspect, to take away.

    z_l = h_{l−1} W_l + b_l,   h_l = [h_{l−1} +] dropout(φ(norm(z_l))),   output = h_L W_out + b_out

with h_0 = x; the residual connection begins at the second hidden layer, the first has another fan-in. Its parts are
flax's own layers where flax has them. Nothing here trains or measures runs: that is the walk's (see ``walk``), on the
same arrays in a stack, and equal by test under every option.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from actlab.nn.blocks import EPSILON, Function, Options, batch_statistics, drop


class Fixed(nnx.Variable):
    """An activation's parameter that training leaves alone."""


class Activation(nnx.Module):
    """φ with its parameters; a learnable one is a scalar, or one for each unit [W]."""

    def __init__(self, function: Function, fixed: Mapping[str, Array], learnable: Mapping[str, Array]) -> None:
        """Hold the parameters' values by name."""
        self.phi = function.phi
        learned = {name: nnx.Param(value) for name, value in learnable.items()}
        self.parameters = nnx.Dict({name: Fixed(value) for name, value in fixed.items()} | learned)

    def __call__(self, u_BxW: Array) -> Array:
        """Compute φ(u)."""
        values = {name: parameter[...] for name, parameter in self.parameters.items()}
        return self.phi(u_BxW, **{name: value[None] if value.ndim else value for name, value in values.items()})


class AlphaDropout(nnx.Module):
    """Dropout that keeps SELU's mean and variance, which flax does not have (see ``blocks.drop``)."""

    def __init__(self, rate: float) -> None:
        """Begin in training mode, as flax's own layers do."""
        self.rate = rate
        self.deterministic = False

    def __call__(self, h_BxW: Array, deterministic: bool | None = None, *, rngs: Any = None) -> Array:
        """Return h in evaluation mode, else with units dropped by the key ``rngs``."""
        off = self.deterministic if deterministic is None else deterministic
        return h_BxW if off else drop("alpha", h_BxW, rngs, self.rate)


class Hidden(nnx.Module):
    """One hidden layer: affine, normalisation, activation, dropout, residual connection."""

    def __init__(
        self,
        kernel: Array,
        layer: Mapping[str, Array],
        function: Function,
        fixed: Mapping[str, Array],
        options: Options,
        rate: float,
        residual: bool,
    ) -> None:
        """Hold a layer's arrays: kernel [I, W], and what ``blocks.Layer`` names."""
        learnable = dict(zip(function.learnable, layer["activation"], strict=False))
        self.affine = linear(kernel, layer["bias"])
        self.norm = normalisation(options.norm, layer)
        self.activation = Activation(function, fixed, learnable)
        dropouts = {"none": None, "standard": nnx.Dropout(rate), "alpha": AlphaDropout(rate)}
        self.dropout = dropouts[options.dropout]
        self.residual = residual
        self.has_statistics = options.norm != "batch"

    def __call__(self, h_BxI: Array, key: Array | None = None, training: bool | None = None) -> Array:
        """Compute h of this layer [B, W] from that of the layer below; in the mode set, unless ``training`` is."""
        u_BxW = self.normalised(self.affine(h_BxI), training)
        passed_BxW = self.activation(u_BxW)
        if self.dropout is not None:
            off = None if training is None else not training
            passed_BxW = self.dropout(passed_BxW, deterministic=off, rngs=key)
        return h_BxI + passed_BxW if self.residual else passed_BxW

    def normalised(self, z_BxW: Array, training: bool | None) -> Array:
        """Compute φ's argument."""
        if not isinstance(self.norm, nnx.BatchNorm):
            return z_BxW if self.norm is None else self.norm(z_BxW)
        fixed = self.norm.use_running_average if training is None else not training
        if fixed and not self.has_statistics:
            raise ValueError(
                "batch normalisation has no statistics yet: take_statistics(x) takes those of the training rows x, "
                "train() those of each minibatch"
            )
        return self.norm(z_BxW, use_running_average=fixed)


class DeepMLP(nnx.Module):
    """A deep multilayer perceptron: hidden layers of one width, and a linear readout.

    ``train()`` and ``eval()`` set the mode, as of any flax module: in training, dropout is on, and batch normalisation
    takes the minibatch's statistics; in evaluation dropout is off, and statistics are fixed.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        depth: int,
        function: Function,
        fixed: Mapping[str, float],
        options: Options | None = None,
        rate: float = 0.0,
    ) -> None:
        """Hold a run's arrays.

        Args:
            parameters: of one run, as training has them: {input: {kernel}, layers: {kernel, bias, activation, and with
                a norm scale and shift}, readout: {kernel, bias}}; stacks may be deeper than the run.
            depth: L, how many hidden layers it has.
            function: its activation.
            fixed: values of the activation's parameters that are not learned.
            options: normalisation, residual connections, dropout.
            rate: the share of units that dropout leaves out.
        """
        options = options or Options()
        stack = parameters["layers"]
        kernels = [parameters["input"]["kernel"], *stack["kernel"][1:depth]]
        dtype = kernels[0].dtype
        constants = {name: jnp.asarray(value, dtype) for name, value in fixed.items()}

        def hidden(l: int) -> Hidden:
            layer = {name: array[l] for name, array in stack.items() if name != "kernel"}
            return Hidden(kernels[l], layer, function, constants, options, rate, options.residual and l > 0)

        self.hidden = nnx.List([hidden(l) for l in range(depth)])
        self.readout = linear(**parameters["readout"])

    def __call__(self, x_BxF: Array, rngs: nnx.Rngs | Array | None = None) -> Array:
        """Compute outputs [B, C].

        Args:
            x_BxF: inputs.
            rngs: for dropout in training mode: a source of keys, or the key itself. Layer l (from 0) folds its number
                into the key, so that with ``training.dropout_key(seed, step)`` the masks are those of a run's step.
        """
        key = rngs.dropout() if isinstance(rngs, nnx.Rngs) else rngs
        h_BxW = x_BxF
        for l, layer in enumerate(self.hidden):
            if key is None and layer.dropout is not None and not layer.dropout.deterministic:
                raise ValueError("dropout in training mode needs rngs: nnx.Rngs(0), or a key")
            h_BxW = layer(h_BxW, None if key is None else jax.random.fold_in(key, l))
        return self.readout(h_BxW)

    def take_statistics(self, x_NxF: Array) -> None:
        """Fix batch normalisation's statistics at those of a forward pass over the rows x, dropout off.

        So they are taken at each record of a run, over the training split. Without batch normalisation nothing changes.
        """
        h_NxW = x_NxF
        for layer in self.hidden:
            if isinstance(layer.norm, nnx.BatchNorm):
                layer.norm.mean[...], layer.norm.var[...] = batch_statistics(layer.affine(h_NxW))
                layer.has_statistics = True
            h_NxW = layer(h_NxW, training=False)


def linear(kernel: Array, bias: Array) -> nnx.Linear:
    """Build x W + b with the given arrays [I, O] and [O].

    >>> linear(jnp.ones((2, 1)), jnp.array([0.5]))(jnp.ones((1, 2)))
    Array([[2.5]], dtype=float32)
    """
    inputs, outputs = kernel.shape
    return nnx.Linear(
        inputs,
        outputs,
        param_dtype=kernel.dtype,
        kernel_init=lambda *_: kernel,
        bias_init=lambda *_: bias,
        rngs=nnx.Rngs(0),
    )


def normalisation(name: str, layer: Mapping[str, Array]) -> nnx.Module | None:
    """Build the layer of a key of ``blocks.NORMS`` with given scale and shift [W]; variances are Σ (z − mean)²/n."""
    if name == "none":
        return None
    width, dtype = layer["shift"].shape[0], layer["shift"].dtype
    kind = nnx.LayerNorm if name == "layer" else nnx.BatchNorm
    norm = kind(
        width,
        epsilon=EPSILON,
        use_fast_variance=False,
        param_dtype=dtype,
        scale_init=lambda *_: layer["scale"],
        bias_init=lambda *_: layer["shift"],
        rngs=nnx.Rngs(0),
    )
    if name == "batch":  # flax has them in float32 always
        norm.mean, norm.var = nnx.BatchStat(jnp.zeros(width, dtype)), nnx.BatchStat(jnp.ones(width, dtype))
    return norm
