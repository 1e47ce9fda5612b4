"""Every activation of the catalogue and its derivative, written once more from the papers in NumPy and SciPy.

What float64 would cancel is written so that it does not; the comparisons state the convention at each kink.
"""

from functools import partial

import numpy as np
from scipy import special

LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772


def sigma(z):
    return special.expit(z)


def gate(z, b):
    return sigma(b * z) + b * z * sigma(b * z) * sigma(-b * z)


def mish_gate(z):
    return np.tanh(np.logaddexp(z, 0.0))


def gelu_tanh_argument(z):
    return np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)


def gelu_tanh_derivative(z):
    u, slope = gelu_tanh_argument(z), np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
    return sigma(2 * u) + 2 * z * slope * sigma(2 * u) * sigma(-2 * u)


def squareplus_left(z):
    return 2 / (np.sqrt(z**2 + 4) - z)


def tanhshrink(z):
    return np.where(np.abs(z) < 0.02, z**3 / 3 - 2 * z**5 / 15 + 17 * z**7 / 315, z - np.tanh(z))


def bell(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


CLOSED_FORMS = {
    "sigmoid": (sigma, lambda z: np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2),
    "centred_sigmoid": (lambda z: np.tanh(z / 2) / 2, lambda z: 1 / (4 * np.cosh(z / 2) ** 2)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "scaled_tanh": (lambda z: 1.7159 * np.tanh(2 * z / 3), lambda z: 1.7159 * 2 / 3 / np.cosh(2 * z / 3) ** 2),
    "erf": (special.erf, lambda z: 2 / np.sqrt(np.pi) * np.exp(-(z**2))),
    "arctan": (np.arctan, lambda z: 1 / (1 + z**2)),
    "softsign": (lambda z: z / (1 + np.abs(z)), lambda z: (1 + np.abs(z)) ** -2.0),
    "hard_tanh": (lambda z: np.clip(z, -1, 1), lambda z: 1.0 * ((z > -1) & (z < 1))),
    "hard_sigmoid": (lambda z: np.clip(z + 3, 0, 6) / 6, lambda z: ((z > -3) & (z < 3)) / 6),
    "relu": (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
    "leaky_relu": (lambda z: np.maximum(z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "prelu": (lambda z: np.maximum(z, 0.25 * z), lambda z: np.where(z > 0, 1, 0.25)),
    "relu6": (lambda z: np.clip(z, 0, 6), lambda z: 1.0 * ((z > 0) & (z < 6))),
    "relu_squared": (lambda z: np.maximum(z, 0) ** 2, lambda z: 2 * np.maximum(z, 0)),
    "star_relu": (lambda z: 0.8944 * np.maximum(z, 0) ** 2 - 0.4472, lambda z: 1.7888 * np.maximum(z, 0)),
    "elu": (lambda z: np.maximum(z, 0) + np.minimum(np.expm1(z), 0), lambda z: np.exp(np.minimum(z, 0))),
    "selu": (
        lambda z: LAMBDA * (np.maximum(z, 0) + np.minimum(ALPHA * np.expm1(z), 0)),
        lambda z: LAMBDA * np.where(z > 0, 1, ALPHA * np.exp(z)),
    ),
    "celu": (lambda z: np.maximum(z, 0) + np.minimum(np.expm1(z), 0), lambda z: np.exp(np.minimum(z, 0))),
    "softplus": (lambda z: np.logaddexp(z, 0), sigma),
    "squareplus": (
        lambda z: np.where(z < 0, squareplus_left(z), (z + np.sqrt(z**2 + 4)) / 2),
        lambda z: np.where(z < 0, squareplus_left(z) / np.sqrt(z**2 + 4), 0.5 + z / np.sqrt(z**2 + 4) / 2),
    ),
    "gelu": (lambda z: z * special.ndtr(z), lambda z: special.ndtr(z) + z * bell(z)),
    "gelu_tanh": (lambda z: z * sigma(2 * gelu_tanh_argument(z)), gelu_tanh_derivative),
    "quick_gelu": (lambda z: z * sigma(1.702 * z), partial(gate, b=1.702)),
    "swish": (lambda z: z * sigma(z), partial(gate, b=1.0)),
    "silu": (lambda z: z * sigma(z), partial(gate, b=1.0)),
    "hard_swish": (
        lambda z: z * np.clip(z + 3, 0, 6) / 6,
        lambda z: np.select([z <= -3, z < 3], [0, (2 * z + 3) / 6], 1),
    ),
    "mish": (
        lambda z: z * mish_gate(z),
        lambda z: mish_gate(z) + z * sigma(z) / np.cosh(np.logaddexp(z, 0)) ** 2,
    ),
    "sine": (np.sin, np.cos),
    "snake": (lambda z: z + (1 - np.cos(2 * z)) / 2, lambda z: 1 + np.sin(2 * z)),
    "tanhshrink": (tanhshrink, lambda z: np.tanh(z) ** 2),
    "softshrink": (lambda z: np.sign(z) * np.maximum(np.abs(z) - 0.5, 0), lambda z: 1.0 * (np.abs(z) > 0.5)),
    "gaussian": (lambda z: np.exp(-(z**2)), lambda z: -2 * z * np.exp(-(z**2))),
    "absolute": (np.abs, lambda z: np.where(z > 0, 1, -1)),
    "linear": (lambda z: z, np.ones_like),
}
