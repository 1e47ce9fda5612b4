"""Five activations from recent literature that the catalogue lacks, as their papers define them.

    actlab assess experiments/literature_act.py:golu,serf,smish,logish,sinlu --name literature

puts them beside known ones, in one study. Each gates its input: φ(z) = z·g(z), where g rises from 0 to 1 (to ln 2 for
Logish, to .6 for Smish, which therefore have slopes of .69 and .6 for large z).
"""

import jax
import jax.numpy as jnp
from jax import Array

import actlab

FAR = 80.0
"""Where an exponential is held: e^80 is 5.5e34, and float32 ends at e^88.7, where a slope would be 0 times infinity."""


@actlab.activation(formula="z·exp(−exp(−z))")
def golu(z: Array) -> Array:
    """GoLU, gated by the Gompertz function, which is not symmetric: z·e^(−e^(−z)).

    Reference: Das et al. 2025, Gompertz linear units: leveraging asymmetry for enhanced learning dynamics,
    arXiv:2502.03654.
    """
    return z * jnp.exp(-jnp.exp(-jnp.maximum(z, -FAR)))


@actlab.activation(formula="z·erf(softplus(z))")
def serf(z: Array) -> Array:
    """Serf, mish with the error function for tanh: z·erf(ln(1 + e^z)).

    Reference: Nag & Bhattacharyya 2021, Serf: towards better training of deep neural networks using log-softplus error
    activation function, arXiv:2108.09598; WACV 2023.
    """
    return z * jax.scipy.special.erf(jax.nn.softplus(z))


@actlab.activation(formula="z·tanh(ln(1 + sigmoid(z)))")
def smish(z: Array) -> Array:
    """Smish: z·tanh(ln(1 + σ(z))), at α = β = 1.

    Reference: Wang, Ren & Wang 2022, Smish: a novel activation function for deep learning methods, Electronics 11(4).
    """
    return z * jnp.tanh(jnp.log1p(jax.nn.sigmoid(z)))


@actlab.activation(formula="z·ln(1 + sigmoid(z))")
def logish(z: Array) -> Array:
    """Logish: z·ln(1 + σ(z)), at α = β = 1.

    Reference: Zhu, Zeng, Liu & Zhang 2021, Logish: a new nonlinear nonmonotonic activation function for convolutional
    neural network, Neurocomputing 458, doi:10.1016/j.neucom.2021.06.067.
    """
    return z * jnp.log1p(jax.nn.sigmoid(z))


@actlab.activation(learnable=("a", "b"), formula="(z + a·sin(b·z))·sigmoid(z)")
def sinlu(z: Array, *, a: float = 1.0, b: float = 1.0) -> Array:
    """SinLU: (z + a·sin(b·z))·σ(z), with a and b learned from 1 on.

    Reference: Paul, Bandyopadhyay, Yoon, Geem & Sarkar 2022, SinLU: sinu-sigmoidal linear unit, Mathematics 10(3), 337.
    """
    return (z + a * jnp.sin(b * z)) * jax.nn.sigmoid(z)
