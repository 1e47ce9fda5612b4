"""PyTorch as an independent implementation: values, derivatives and kink conventions of what it has too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.activations import CATALOGUE

torch = pytest.importorskip("torch")
F = torch.nn.functional

TORCH = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "arctan": torch.arctan,
    "softsign": F.softsign,
    "hard_tanh": F.hardtanh,
    "hard_sigmoid": F.hardsigmoid,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "prelu": lambda z: F.prelu(z, torch.tensor(0.25, dtype=z.dtype)),
    "relu6": F.relu6,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "softplus": lambda z: F.softplus(z, threshold=40.0),
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "swish": F.silu,
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "mish": F.mish,
    "sine": torch.sin,
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
}
Z = np.linspace(-12.0, 12.0, 481).round(12)  # every kink is one of these points


@pytest.mark.parametrize("name", TORCH)
def test_pytorch_agrees(name):
    z = torch.tensor(Z, requires_grad=True)
    value = TORCH[name](z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    phi = CATALOGUE[name].function
    with jax.enable_x64(True):
        actual, pull = jax.vjp(phi, jnp.asarray(Z))
        np.testing.assert_allclose(actual, value.detach().numpy(), rtol=1e-10, atol=1e-12)
        # PyTorch keeps the hard sigmoid's slope of 1/6 in float32.
        np.testing.assert_allclose(pull(jnp.ones_like(actual))[0], slope.numpy(), rtol=1e-7, atol=1e-12)
