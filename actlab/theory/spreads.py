"""How far one network of a width is expected to be from the infinitely wide one: to first order in 1/width.

What N units of a layer average differs from its expectation by independent noise of variance 1/N. It moves the second
moments of the layers above, and with them the slopes there; a layer's own noise multiplies the signal of every layer
below. Of ‖δ_l‖² of one row of a ReLU network that gives a relative variance of (3 E φ'⁴/(E φ'²)² − 1)/N = 5/N a layer.
The units' joint law over rows is sampled, with a fixed seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.theory.backward import Signals
from actlab.theory.kernels import Function, Layer, correlations

UNITS = 192
"""Sampled of each layer: a variance is known to a tenth."""


@dataclass(frozen=True, eq=False)
class Units:
    """Sampled units of one layer, as deviations from what is expected of each row, [M, T].

    Attributes:
        z_MxT: pre-activations, their mean m included.
        h_MxT: φ.
        slope2_MxT: φ'² / E φ'² − 1.
        square_MxT: φ² − E φ².
    """

    z_MxT: np.ndarray
    h_MxT: np.ndarray
    slope2_MxT: np.ndarray
    square_MxT: np.ndarray


def sample_units(phi: Function, layer: Layer, seed: int, count: int = UNITS) -> Units:
    """Draw units of a layer, with their φ and φ'."""
    rows = len(layer.K_MxM)
    root_M = np.sqrt(layer.q_M)
    factor_MxM = np.linalg.cholesky(correlations(layer.K_MxM) + 1e-9 * rows * np.eye(rows))
    half_MxT = factor_MxM @ np.random.default_rng([1, seed]).standard_normal((rows, count // 2))
    z_MxT = layer.mean + root_M[:, None] * np.concatenate([half_MxT, -half_MxT], axis=1)
    h_MxT, slope_MxT = evaluate(phi, z_MxT.ravel()).reshape(2, *z_MxT.shape)
    return Units(
        z_MxT,
        h_MxT,
        slope_MxT**2 / layer.slope_second_moment_M[:, None] - 1.0,
        h_MxT**2 - layer.second_moment_M[:, None],
    )


def reach_of(layers: Sequence[Layer]) -> np.ndarray:
    """dq_k/d(E φ²)_j of each row: how noise of layer j's output moves the second moment of layer k > j, [L, L, M]."""
    depth, rows = len(layers), len(layers[0].K_MxM)
    reach_LxLxM = np.zeros((depth, depth, rows))
    for j in range(depth - 1):
        moved_M = layers[j + 1].sigma_w2 * np.ones(rows)
        for k in range(j + 1, depth):
            reach_LxLxM[j, k] = moved_M
            if k + 1 < depth:
                moved_M = moved_M * layers[k].variance_derivative_M * layers[k + 1].sigma_w2
    return reach_LxLxM


def of_second_moment(
    layers: Sequence[Layer], units: Sequence[Units], reach_LxLxM: np.ndarray, width: int
) -> np.ndarray:
    """Standard deviation of the mean z² over rows and units of each layer [L]."""
    variance_L = np.zeros(len(layers))
    for l, (layer, drawn) in enumerate(zip(layers, units, strict=True)):
        own_T = np.mean(drawn.z_MxT**2, axis=0) - np.mean(layer.q_M + layer.mean**2)
        variance_L[l] = np.mean(own_T**2)
        for j in range(l):
            variance_L[l] += np.mean((reach_LxLxM[j, l] @ units[j].square_MxT / len(layer.q_M)) ** 2)
    return np.sqrt(variance_L / width)


def of_mean(layers: Sequence[Layer], units: Sequence[Units], width: int) -> np.ndarray:
    """Standard deviation of the mean h over rows and units [L], by the layer's own units."""
    means = [np.mean(drawn.h_MxT, axis=0) for drawn in units]
    return np.array([np.std(mean_T) for mean_T in means]) / np.sqrt(width)


def of_signal(
    layers: Sequence[Layer],
    units: Sequence[Units],
    reach_LxLxM: np.ndarray,
    signals: Signals,
    share_LxM: np.ndarray,
    width: int,
    *,
    weights: bool = False,
) -> np.ndarray:
    """Covariance over layers of ln of a pooled ‖δ_l‖² [L, L], of the hidden layers' weights alone.

    Args:
        layers, units: of the network.
        reach_LxLxM: see ``reach_of``.
        signals: its signals.
        share_LxM: of each row in the pool of each layer.
        width: N.
        weights: of ‖∂L/∂W_l‖² instead: the noise of what enters the layer comes in addition, and all rows share one
            direction on the way back, as their mean does.
    """
    depth = len(layers)
    growth_LxM = np.stack([layer.slope_growth_M for layer in layers])
    covariance_LxL = np.zeros((depth, depth))
    for j, drawn in enumerate(units):
        at_or_below = np.arange(depth)[:, None] <= j
        direct_LxM = np.where(at_or_below, share_LxM, 0.0)
        through_LxM = growth_LxM * reach_LxLxM[j]  # 0 for layers up to j
        above_LxM = np.cumsum(through_LxM[::-1], axis=0)[::-1]
        moved_LxM = share_LxM * above_LxM
        if weights:
            for l in range(j + 1, depth):
                below = layers[l - 1]
                inputs_M = reach_LxLxM[j, l - 1] * below.variance_derivative_M if l - 1 > j else 1.0
                moved_LxM[l] += share_LxM[l] * inputs_M / below.second_moment_M
        noise_LxT = direct_LxM @ drawn.slope2_MxT + moved_LxM @ drawn.square_MxT
        both_MxM = (drawn.slope2_MxT + 1.0) @ (drawn.slope2_MxT + 1.0).T / drawn.slope2_MxT.shape[1]
        cosine2 = 1.0 if weights else signals.cosine2_LxMxM[j]
        covariance_LxL += noise_LxT @ noise_LxT.T / noise_LxT.shape[1]
        covariance_LxL += 2.0 * direct_LxM @ (cosine2 * both_MxM) @ direct_LxM.T
    return covariance_LxL / width
