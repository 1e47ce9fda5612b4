"""The backpropagated signal of an infinitely wide network: each row's own, each pair's own, and their pooled norms.

Every unit's weights are taken as drawn again on the way back (gradient independence: Schoenholz et al. 2017), so that

    ‖δ_l(x)‖² = ‖e_x‖² D_l(x),        D_l = D_{l+1} σ_w² E φ'(u_{x,l})²
    δ_l(x)·δ_l(x') = e_x·e_x' √(D_l(x) D_l(x')) ρ_l(x, x'),        ρ_l = ρ_{l+1} E φ'φ' / √(E φ'² E φ'²)

with e_x the gradient of one row's loss in the outputs. Outputs are few, so that what they are is not averaged out by
width: they are drawn, with a fixed seed. Their size is that of the last hidden layer, E φ² =: H: when a network's H is
another, o_x = √H ζ_x has the same ζ, and what is pooled of e moves with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actlab.theory.kernels import Layer

SAMPLES = 256
SAMPLES_OF_PAIRS = 48


@dataclass(frozen=True, eq=False)
class Signals:
    """What reaches each layer, in natural logarithms.

    Attributes:
        log_D_LxM: ln D_l(x).
        errors_SxMxC: drawn gradients e of the rows' losses in the outputs.
        signal_SxL: ln of the mean over rows of ‖δ_l(x)‖², of each draw.
        median_SxL: ln of the median row's ‖δ_l(x)‖².
        weight_SxL: ln ‖∂L/∂W_l‖_F², of fewer draws.
        signal_share_LxM: the share of each row in the first, on average over draws.
        median_share_LxM: 1/n for the n rows next to the median, else 0.
        cosine_LxMxM, cosine2_LxMxM: mean cosine, and its square, between the signals that enter layer l from above.
        signal_by_H_LxM, median_by_H_LxM, weight_by_H_LxM: derivatives of the three, averaged over draws, in H = E φ² of
            each row in the last layer, through the outputs alone.
    """

    log_D_LxM: np.ndarray
    errors_SxMxC: np.ndarray
    signal_SxL: np.ndarray
    median_SxL: np.ndarray
    weight_SxL: np.ndarray
    signal_share_LxM: np.ndarray
    median_share_LxM: np.ndarray
    cosine_LxMxM: np.ndarray
    cosine2_LxMxM: np.ndarray
    signal_by_H_LxM: np.ndarray
    median_by_H_LxM: np.ndarray
    weight_by_H_LxM: np.ndarray


def output_errors(
    H_MxM: np.ndarray, y_M: np.ndarray, task: str, outputs: int, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the gradients of each row's own loss in the outputs; outputs are N(0, E φφ') over draws.

    The readout is always LeCun normal, with zero bias. Of softmax cross-entropy they are p − y, of the squared error
    averaged over outputs 2(o − y)/C.

    Args:
        H_MxM: E φφ' of the last hidden layer.
        y_M: labels from 0, or targets [M, C].
        task: ``classification`` or ``regression``.
        outputs: C.
        samples: S, how many draws.

    Returns:
        The gradients e, and their derivatives ∂e/∂ln H = ½ (∂e/∂o) o at given ζ [S, M, C].

    >>> e, by_log_H = output_errors(np.eye(2), np.array([0, 1]), "classification", 2, samples=4)
    >>> e.shape, bool(np.allclose(e.sum(axis=2), 0)), bool(np.allclose(by_log_H.sum(axis=2), 0))
    ((4, 2, 2), True, True)
    """
    rows = len(H_MxM)
    values, vectors = np.linalg.eigh(H_MxM)
    draws = np.random.default_rng(0).standard_normal((samples, outputs, rows))
    o_SxCxM = (draws * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    o_SxMxC = np.swapaxes(o_SxCxM, 1, 2)
    if task != "classification":
        return 2.0 / outputs * (o_SxMxC - np.asarray(y_M, float).reshape(rows, outputs)), o_SxMxC / outputs
    p_SxMxC = np.exp(o_SxMxC - o_SxMxC.max(axis=2, keepdims=True))
    p_SxMxC /= p_SxMxC.sum(axis=2, keepdims=True)
    by_log_H_SxMxC = 0.5 * p_SxMxC * (o_SxMxC - np.sum(p_SxMxC * o_SxMxC, axis=2, keepdims=True))
    return p_SxMxC - np.eye(outputs)[np.asarray(y_M, int)], by_log_H_SxMxC


def log_of_mean(log_a: np.ndarray) -> np.ndarray:
    """ln of the mean over the last axis of e^a, however large or small that is.

    >>> log_of_mean(np.array([1e4, 1e4])).tolist()
    10000.0
    """
    largest = np.max(log_a, axis=-1, keepdims=True)
    return np.log(np.mean(np.exp(log_a - largest), axis=-1)) + largest[..., 0]


def backward(
    layers: Sequence[Layer], x_MxF: np.ndarray, y_M: np.ndarray, task: str, outputs: int, width: int
) -> Signals:
    """Send the rows' signals back from the outputs, and pool them as the measures do.

        ‖δ_l(x)‖² = ‖e_x‖² D_l(x),   D_l = D_{l+1} σ_w² E φ'(u_{x,l})²

    Args:
        layers: what the rows are in each hidden layer.
        x_MxF, y_M: the rows, and their labels or targets.
        task, outputs: what the outputs are.
        width: of a hidden layer; a weight gradient has as many inputs.

    Returns:
        The signals in each layer, of each draw of outputs.

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, §4 (weights on the way back as drawn again).
    """
    depth, rows = len(layers), len(x_MxF)
    H_M = layers[-1].second_moment_M
    errors_SxMxC, errors_by_log_H_SxMxC = output_errors(layers[-1].H_MxM, y_M, task, outputs, SAMPLES)
    square_SxM = np.sum(errors_SxMxC**2, axis=2)
    log_e_by_H_SxM = 2.0 * np.sum(errors_SxMxC * errors_by_log_H_SxMxC, axis=2) / np.maximum(square_SxM, 1e-300) / H_M
    with np.errstate(divide="ignore"):
        log_e_SxM = np.log(square_SxM)
        log_slope_LxM = np.log(np.stack([layer.slope_second_moment_M for layer in layers]))
    log_gain_L = np.log([layer.sigma_w2 for layer in layers[1:]] + [1.0])
    log_D_LxM = np.cumsum((log_slope_LxM + log_gain_L[:, None])[::-1], axis=0)[::-1]

    few = errors_SxMxC[:SAMPLES_OF_PAIRS]
    unit = few / np.maximum(np.max(np.abs(few), axis=2, keepdims=True), 1e-300)  # of a sure row squares underflow
    unit /= np.maximum(np.sqrt(np.sum(unit**2, axis=2, keepdims=True)), 1.0)
    cosine_SxMxM = unit @ np.swapaxes(unit, 1, 2)
    cosine_MxM, cosine2_MxM = np.mean(cosine_SxMxM, axis=0), np.mean(cosine_SxMxM**2, axis=0)
    rho_MxM = np.ones((rows, rows))
    signal_SxL, median_SxL = np.empty((2, SAMPLES, depth))
    weight_SxL = np.empty((SAMPLES_OF_PAIRS, depth))
    signal_share_LxM, median_share_LxM = np.zeros((2, depth, rows))
    signal_by_H_LxM, median_by_H_LxM, weight_by_H_LxM = np.zeros((3, depth, rows))
    cosine_LxMxM, cosine2_LxMxM = np.empty((2, depth, rows, rows))
    for l in reversed(range(depth)):
        layer = layers[l]
        cosine_LxMxM[l], cosine2_LxMxM[l] = cosine_MxM * rho_MxM, cosine2_MxM * rho_MxM**2
        root_M = np.sqrt(layer.slope_second_moment_M)
        rho_MxM = rho_MxM * layer.S_MxM / np.multiply.outer(root_M, root_M)
        log_delta_SxM = log_e_SxM + log_D_LxM[l]
        signal_SxL[:, l] = log_of_mean(log_delta_SxM)
        share_SxM = np.exp(log_delta_SxM - signal_SxL[:, l, None]) / rows
        signal_share_LxM[l], signal_by_H_LxM[l] = (
            np.mean(share_SxM, axis=0),
            np.mean(share_SxM * log_e_by_H_SxM, axis=0),
        )
        median_SxL[:, l] = np.median(log_delta_SxM, axis=1)
        rank_M = np.argsort(np.argsort(np.mean(log_delta_SxM, axis=0)))
        middle_M = np.abs(rank_M - (rows - 1) / 2.0) <= max(0.05 * rows, 1.0)
        median_share_LxM[l] = middle_M / middle_M.sum()
        median_by_H_LxM[l] = median_share_LxM[l] * np.mean(log_e_by_H_SxM, axis=0)

        inner_MxM = width * layers[l - 1].H_MxM if l else x_MxF @ x_MxF.T
        shift = np.max(log_D_LxM[l])
        root_D_Mx1 = np.exp((log_D_LxM[l] - shift) / 2.0)[:, None]
        v_SxMxC = few * root_D_Mx1
        v_MxSC = np.swapaxes(v_SxMxC, 0, 1).reshape(rows, -1)
        felt_SxMxC = np.swapaxes(((inner_MxM * rho_MxM) @ v_MxSC).reshape(rows, len(few), outputs), 0, 1)
        total_S = np.sum(felt_SxMxC * v_SxMxC, axis=(1, 2))
        by_log_H_SxM = 2.0 * np.sum(felt_SxMxC * errors_by_log_H_SxMxC[: len(few)] * root_D_Mx1, axis=2)
        weight_by_H_LxM[l] = np.mean(by_log_H_SxM / np.maximum(total_S, 1e-300)[:, None], axis=0) / H_M
        with np.errstate(divide="ignore"):
            weight_SxL[:, l] = np.log(np.maximum(total_S, 0.0)) + shift - 2.0 * np.log(rows)
    return Signals(
        log_D_LxM,
        errors_SxMxC,
        signal_SxL,
        median_SxL,
        weight_SxL,
        signal_share_LxM,
        median_share_LxM,
        cosine_LxMxM,
        cosine2_LxMxM,
        signal_by_H_LxM,
        median_by_H_LxM,
        weight_by_H_LxM,
    )
