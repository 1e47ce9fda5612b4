"""An activation of one's own: a function of an array. `actlab describe own_activation.py:leaky_silu` shows it."""

import jax.numpy as jnp  # NumPy's functions, which JAX differentiates and compiles

import actlab


# learnable: the parameters that training changes, one for each layer. Without any, the decorator may be left out.
@actlab.activation(learnable=("leak",))
def leaky_silu(z, *, leak=0.1):
    """SiLU with a leak: leak·z + (1 − leak)·z·σ(z). A leak of 0 is SiLU, one of 1 is the identity."""
    # z: the sums of a layer, one for each row and unit. What comes back has the same shape, and each element of it
    # depends on that element of z alone. Parameters stand after the *, with the value that they begin with.
    sigmoid = (1 + jnp.tanh(z / 2)) / 2  # 1 / (1 + exp(−z)), which would overflow far on the left
    return leak * z + (1 - leak) * z * sigmoid
