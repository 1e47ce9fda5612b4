"""What theory predicts of a network at initialisation, layer by layer, from its data, initialiser and depth.

Each probe row's own second moment and each pair's own correlation are propagated (``kernels``), and then pooled exactly
as the measures pool. Everything holds at step 0, without normalisation, residual connections or dropout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.theory.kernels import Layer, propagate

MOST_DEPTH_PER_WIDTH = 0.5
"""Fluctuations of one network grow with depth/width; beyond this an expansion in it says nothing."""

LARGEST, LEAST = 1e30, 1e-30
"""Second moments that float32 still holds with their squares' digits."""

WIDE = "infinite width"


@dataclass(frozen=True, eq=False)
class Setting:
    """What a prediction depends on, as plain values.

    Attributes:
        phi: the activation, its parameters filled in.
        flat: where it is constant by definition, likewise; None where nowhere.
        weight_std: standard deviation of the entries of each hidden layer's weights.
        bias_mean, bias_std: of each hidden layer's biases.
        width: units of a hidden layer.
        task: ``classification`` or ``regression``.
        outputs: C, classes or targets.
        x_MxF, y_M: the probe rows, standardised, and their labels (or targets [M, C]).
        x_train_NxF: the training split, on which death is judged.
    """

    phi: Callable[[Any], Any]
    flat: Callable[[Any], Any] | None
    weight_std: tuple[float, ...]
    bias_mean: tuple[float, ...]
    bias_std: tuple[float, ...]
    width: int
    task: str
    outputs: int
    x_MxF: np.ndarray
    y_M: np.ndarray
    x_train_NxF: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """One number that theory predicts.

    Attributes:
        measure: the column that it is a prediction of.
        layer: the hidden layer, from 1; 0 of the whole network.
        value: what an infinitely wide network has.
        numerical_error: of that value's computation.
        spread: the standard deviation of one network of this width about it, to first order in 1/width.
        assumption: under which it holds.
    """

    measure: str
    layer: int
    value: float
    numerical_error: float
    spread: float
    assumption: str


def outside(setting: Setting) -> str:
    """Say why theory predicts nothing of a setting; the empty string where it does.

    >>> rows = np.eye(4)
    >>> outside(Setting(np.tanh, None, (0.1,) * 9, (0.0,) * 9, (0.0,) * 9, 10, "classification", 2, rows, rows, rows))
    'depth/width is 0.9; theory is drawn up to 0.5'
    """
    depth = len(setting.weight_std)
    if depth > MOST_DEPTH_PER_WIDTH * setting.width:
        return f"depth/width is {depth / setting.width:.2g}; theory is drawn up to {MOST_DEPTH_PER_WIDTH:g}"
    if not (np.isfinite(setting.x_MxF).all() and np.isfinite(setting.x_train_NxF).all()):
        return "the data are not finite"
    for l, layer in enumerate(layers_of(setting), 1):
        if not (np.isfinite(layer.second_moment_M).all() and np.isfinite(layer.slope_second_moment_M).all()):
            return f"φ has no finite Gaussian moments at the second moments of layer {l}"
        if layer.q_M.max() > LARGEST:
            return f"the second moment overflows in layer {l}"
        if layer.q_M.min() < LEAST:
            return f"the second moment of some row vanishes in layer {l}"
    return ""


def layers_of(setting: Setting) -> list[Layer]:
    """Propagate the probe rows of a setting."""
    fan_in = (setting.x_MxF.shape[1], *[setting.width] * (len(setting.weight_std) - 1))
    sigma_w2 = [std**2 * n for std, n in zip(setting.weight_std, fan_in, strict=True)]
    return propagate(setting.phi, setting.x_MxF, sigma_w2, setting.bias_mean, setting.bias_std)


def predict(setting: Setting) -> list[Prediction]:
    """Predict every measure that theory reaches; nothing where ``outside`` names a reason."""
    if outside(setting):
        return []
    return [
        Prediction("preact_second_moment", l, float(np.mean(layer.q_M)), 0.0, 0.0, WIDE)
        for l, layer in enumerate(layers_of(setting), 1)
    ]
