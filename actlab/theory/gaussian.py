"""Expectations over a standard normal pre-activation: the numbers that mean-field theory is made of.

Adaptive Gauss–Legendre quadrature: a fixed Gauss–Hermite rule is off in the third digit for every activation with a
kink, and does not know where the kinks are. Panels are bisected until they agree with their halves; as dyadic points
come first, the usual kinks (0, ±1, ±3, 6) cost nothing.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.later import jax

Function = Callable[[Any], Any]

LIMIT = 12.0  # beyond: a mass of 4e-33
PANELS = 48
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
BLOCK = 2 * PANELS  # panels in one call: always as many, so that a JAX function is compiled once
TOLERANCE = 1e-14
MOST = 4096  # more open panels than that are noise or a very rough function, not kinks: what is known then will do
ROUNDS = 50  # a jump of φ' is then pinned down to 12/48·2⁻⁵⁰


def gaussian_expectation(f: Function) -> float:
    """Compute E f(Z) for Z standard normal, to about 1e-12 despite kinks and jumps.

        E f(Z) = ∫ f(z) e^(−z²/2) / √(2π) dz

    Args:
        f: elementwise, float64 [N] -> [N], with growth that the Gaussian tail outweighs; called with 64-bit JAX
            enabled, always at the same number of points.

    >>> round(gaussian_expectation(np.abs), 12) == round(math.sqrt(2 / math.pi), 12)
    True

    Reference: Davis & Rabinowitz 1984, Methods of Numerical Integration, §6 (adaptive quadrature).
    """

    def integrals(left_P: np.ndarray, width_P: np.ndarray) -> np.ndarray:
        values = np.empty(len(left_P))
        for begin in range(0, len(left_P), BLOCK):
            block = slice(begin, begin + BLOCK)
            missing = (0, BLOCK - len(left_P[block]))
            left, width = np.pad(left_P[block], missing), np.pad(width_P[block], missing)
            z = left[:, None] + width[:, None] * (NODES + 1.0) / 2.0
            density = np.exp(-(z**2) / 2.0) / math.sqrt(2.0 * math.pi)
            f_z = np.asarray(f(z.ravel()), np.float64).reshape(z.shape)
            values[block] = ((f_z * density) @ WEIGHTS * width / 2.0)[: len(left_P[block])]
        return values

    with jax.enable_x64(True):
        width = np.full(PANELS, 2.0 * LIMIT / PANELS)
        left = -LIMIT + width * np.arange(PANELS)
        whole = integrals(left, width)
        total = 0.0
        for _ in range(ROUNDS):
            half = width / 2.0
            halves = integrals(np.concatenate([left, left + half]), np.concatenate([half, half])).reshape(2, -1)
            both = halves.sum(axis=0)
            unconverged = np.abs(both - whole) > TOLERANCE * np.maximum(1.0, np.abs(both))
            total += both[~unconverged].sum()
            left, width, whole = (
                np.concatenate([left[unconverged], (left + half)[unconverged]]),
                np.tile(half[unconverged], 2),
                halves[:, unconverged].ravel(),
            )
            if not 0 < len(left) <= MOST:
                break
        return float(total + whole.sum())


def second_moment(phi: Function) -> float:
    """Compute E φ(Z)², Z standard normal: what one layer makes of unit-variance pre-activations.

    Args:
        phi: the activation with its parameters filled in, traceable by JAX.

    >>> round(second_moment(lambda z: jax.numpy.where(z > 0, z, 0)), 12)
    0.5

    Reference: Poole et al. 2016, arXiv:1606.05340 (the length map at q = 1, σ_w = 1, σ_b = 0).
    """
    return gaussian_expectation(lambda z: evaluate(phi, z)[0] ** 2)


def slope_second_moment(phi: Function) -> float:
    """Compute E φ'(Z)², Z standard normal: by how much one layer scales the squared norm of the backpropagated signal.

    Args:
        phi: the activation with its parameters filled in, differentiable by JAX.

    >>> round(slope_second_moment(lambda z: jax.numpy.where(z > 0, z, 0)), 12)
    0.5

    Reference: Schoenholz et al. 2017, arXiv:1611.01232 (χ at q = 1, σ_w = 1).
    """
    return gaussian_expectation(lambda z: evaluate(phi, z)[1] ** 2)


def weak_threshold(phi: Function) -> float:
    """Compute .05·√E φ'(Z)²: a unit whose slope never exceeds this on the training rows counts as weak.

    >>> round(weak_threshold(lambda z: 2.0 * z), 12)
    0.1
    """
    return 0.05 * math.sqrt(slope_second_moment(phi))
