"""How far one network of a width is expected to be from the infinitely wide one: to first order in 1/width.

What N units of a layer average differs from its expectation by noise of variance 1/N, independent from layer to layer.
It moves the kernels of the layers above, and a layer's own noise multiplies the signal of every layer below: ‖δ_l‖² of
one row of a ReLU network has a relative variance of (3 E φ'⁴/(E φ'²)² − 1)/N = 5/N a layer. The units' joint law over
rows is sampled, with a fixed seed; what a pooled number feels of a kernel below is its derivative in that kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.theory.backward import Signals
from actlab.theory.kernels import Layer, correlations
from actlab.theory.panel_sums import Function
from actlab.theory.series import FEW

UNITS = 256
"""Sampled of each layer: a variance is known to about a tenth."""
LEFT_OVER = 1e-10  # of a correlation of 1: far below what sampling leaves
LARGEST = 16  # of the few rows: what is pooled may be nearly all of these


@dataclass(frozen=True, eq=False)
class Units:
    """Sampled units of one layer.

    Attributes:
        z_MxT: pre-activations, the biases' mean included, of T units on M rows.
        h_MxT: φ(z).
        slope_MxT: φ'(z).
    """

    z_MxT: np.ndarray
    h_MxT: np.ndarray
    slope_MxT: np.ndarray


@dataclass(frozen=True, eq=False)
class Pooled:
    """A number that is pooled from the kernels of one layer, by its derivatives in them.

    Attributes:
        layer: from 0.
        own_T: what each sampled unit of the layer adds to it.
        of_K_RxR: its derivative in the first rows' K.
        of_H_RxR: in their H = E φφ', where the number is one of h.
        of_mean: in their mean E φ.
    """

    layer: int
    own_T: np.ndarray
    of_K_RxR: np.ndarray | float = 0.0
    of_H_RxR: np.ndarray | float = 0.0
    of_mean: float = 0.0


drawn_before: "WeakKeyDictionary[Layer, Units]" = WeakKeyDictionary()


def sample_units(phi: Function, layer: Layer, seed: int) -> Units:
    """Draw units of a layer, with their φ and φ'; once, as networks of other depths and widths have them too.

        z ~ N(m, K), independent from unit to unit

    Args:
        phi: the activation with its parameters filled in.
        layer: what the rows are in it.
        seed: of the draws.

    Returns:
        ``UNITS`` units.
    """
    if layer in drawn_before:
        return drawn_before[layer]
    draws_MxT = np.random.default_rng([1, seed]).standard_normal((len(layer.K_MxM), UNITS))
    z_MxT = layer.mean + np.sqrt(layer.q_M)[:, None] * (root(correlations(layer.K_MxM)) @ draws_MxT)
    drawn_before[layer] = Units(z_MxT, *evaluate(phi, z_MxT.ravel()).reshape(2, *z_MxT.shape))
    return drawn_before[layer]


def representative(x_MxF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order rows so that the first ``FEW`` stand for all: the largest for themselves, others for those of their size.

    A few rows that are large may be nearly all of what is pooled: ‖x‖² of the digits reaches 38 times its mean.

    Args:
        x_MxF: the rows.

    Returns:
        The order [M], and of how many rows each of the first ones is [R].

    >>> order, counts = representative(np.arange(100.0)[:, None])
    >>> order[:3].tolist(), counts[:17].tolist(), float(counts.sum())
    ([99, 98, 97], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0], 100.0)
    """
    rows = len(x_MxF)
    if rows <= FEW:
        return np.arange(rows), np.ones(rows)
    by_size_M = np.argsort(-np.sum(x_MxF**2, axis=1), kind="stable")
    alike = np.array_split(by_size_M[LARGEST:], FEW - LARGEST)
    first_R = np.concatenate([by_size_M[:LARGEST], [one[len(one) // 2] for one in alike]])
    counts_R = np.concatenate([np.ones(LARGEST), [float(len(one)) for one in alike]])
    return np.concatenate([first_R, np.setdiff1d(np.arange(rows), first_R)]), counts_R


def root(C_MxM: np.ndarray) -> np.ndarray:
    """Return A with A Aᵀ = C, but for a part in 10¹⁰ on the diagonal: rows on one line have a C of rank 1 or 2.

    Of a kinked φ the correlation of φ' has a root's singularity at 1, where rounding leaves 1e-8: then by eigenvalues.

    >>> A = root(np.ones((3, 3)))
    >>> bool(np.allclose(A @ A.T, 1.0))
    True
    """
    try:
        return np.linalg.cholesky(C_MxM + LEFT_OVER * np.eye(len(C_MxM)))
    except np.linalg.LinAlgError:
        values_M, vectors_MxM = np.linalg.eigh(C_MxM)
        return vectors_MxM * np.sqrt(np.maximum(values_M, 0.0))


def quadratic(of_NxRxR: np.ndarray, f_RxT: np.ndarray, E_RxR: np.ndarray) -> np.ndarray:
    """Σ_xx' Λ_xx' (f_x f_x' − E_xx') of each sampled unit.

    Args:
        of_NxRxR: Λ of N numbers.
        f_RxT: what the units are on R rows.
        E_RxR: E f_x f_x'.

    Returns:
        The sums [N, T].

    >>> quadratic(np.ones((1, 2, 2)), np.array([[1.0], [2.0]]), np.eye(2)).tolist()
    [[7.0]]
    """
    n, rows, _ = of_NxRxR.shape
    pairs = (f_RxT[:, None] * f_RxT[None]).reshape(rows * rows, -1)
    flat = of_NxRxR.reshape(n, rows * rows)
    return flat @ pairs - (flat @ E_RxR.ravel())[:, None]


def noise_of(
    layers: Sequence[Layer], units: Sequence[Units], pooled: Sequence[Pooled], share_R: np.ndarray
) -> np.ndarray:
    """What each layer's sampled units add to some pooled numbers, as if N were 1.

    Backward from the layer of each number: a derivative Λ in K_{l+1} is σ_w² Λ in H_l, and in K_l

        S_xx' Λ_xx' off the diagonal, and for q_x: Λ_xx dE φ²/dq + 2 Σ_x' Λ_xx' ∂H_xx'/∂q_x.

    Args:
        layers, units: of the network.
        pooled: from the last layer to the first.
        share_R: how much of all rows each of the first ones stands for.

    Returns:
        The noise [number, source layer, T].
    """
    rows = len(share_R)
    few, each = slice(0, rows), np.diag(share_R)
    noise = np.zeros((len(pooled), len(layers), UNITS))
    of_K = np.zeros((0, rows, rows))
    for l in reversed(range(len(layers))):
        layer, drawn = layers[l], units[l]
        above = len(of_K)
        here = [one for one in pooled if one.layer == l]
        of_H = np.empty((above + len(here), rows, rows))
        if above:
            of_H[:above] = layers[l + 1].sigma_w2 * of_K
            noise[:above, l] = quadratic(of_H[:above], drawn.h_MxT[few], layer.H_MxM[few, few])
        for i, one in enumerate(here, above):
            of_H[i], noise[i, l] = one.of_H_RxR, one.own_T
        of_K = of_H * layer.S_MxM[few, few]
        diagonal_NxR = np.einsum("nxx->nx", of_H) * layer.second_moment_by_q_M[few]
        diagonal_NxR += 2.0 * np.einsum("nxy,xy->nx", of_H * (1.0 - np.eye(rows)), layer.H_by_q_RxR)
        np.einsum("nxx->nx", of_K)[:] = diagonal_NxR
        for i, one in enumerate(here, above):
            of_K[i] += one.of_K_RxR + one.of_mean * each * layer.mean_by_q_M[few]
    return noise


def reach_of(layers: Sequence[Layer]) -> np.ndarray:
    """dq_k/d(E φ²)_j of each row: how noise of layer j's output moves the second moment of layer k > j, [L, L, M]."""
    depth, rows = len(layers), len(layers[0].K_MxM)
    reach_LxLxM = np.zeros((depth, depth, rows))
    for j in range(depth - 1):
        moved_M = layers[j + 1].sigma_w2 * np.ones(rows)
        for k in range(j + 1, depth):
            reach_LxLxM[j, k] = moved_M
            if k + 1 < depth:
                moved_M = moved_M * layers[k].second_moment_by_q_M * layers[k + 1].sigma_w2
    return reach_LxLxM


def reach_outputs(layers: Sequence[Layer], reach_LxLxM: np.ndarray) -> np.ndarray:
    """d(E φ²)_last/d(E φ²)_j of each row: how noise of layer j's output moves the size of outputs [L, M]."""
    reach_LxM = reach_LxLxM[:, -1] * layers[-1].second_moment_by_q_M
    reach_LxM[-1] = 1.0
    return reach_LxM


def growth_of(layers: Sequence[Layer]) -> np.ndarray:
    """d ln E φ'²/dq of each layer and row [L, M]."""
    return np.stack([layer.slope_second_moment_by_q_M / layer.slope_second_moment_M for layer in layers])


def signal_covariance(
    layers: Sequence[Layer], units: Sequence[Units], signals: Signals, share_LxM: np.ndarray, by_H_LxM: np.ndarray
) -> np.ndarray:
    """Covariance over layers of ln of a pooled ‖δ_l‖², times N: of the hidden layers' weights alone.

    Args:
        layers, units: of the network.
        signals: its signals.
        share_LxM: of each row in the pool of each layer.
        by_H_LxM: derivative of the logarithm of that pool in the outputs' E φ², through the errors there.

    Returns:
        The covariance [L, L].
    """
    depth = len(layers)
    growth_LxM, reach_LxLxM = growth_of(layers), reach_of(layers)
    of_outputs_LxM = reach_outputs(layers, reach_LxLxM)
    covariance_LxL = np.zeros((depth, depth))
    for j, (layer, drawn) in enumerate(zip(layers, units, strict=True)):
        passed_MxT = drawn.slope_MxT**2 / layer.slope_second_moment_M[:, None]
        direct_LxM = np.where(np.arange(depth)[:, None] <= j, share_LxM, 0.0)
        above_LxM = np.cumsum((growth_LxM * reach_LxLxM[j])[::-1], axis=0)[::-1]  # of layers above j alone
        noise_LxT = direct_LxM @ (passed_MxT - 1.0)
        felt_LxM = share_LxM * above_LxM + by_H_LxM * of_outputs_LxM[j]
        noise_LxT += felt_LxM @ (drawn.h_MxT**2 - layer.second_moment_M[:, None])
        both_MxM = passed_MxT @ passed_MxT.T / UNITS
        covariance_LxL += noise_LxT @ noise_LxT.T / UNITS
        # (g_x g_x')² of weights drawn again has the mean 1 + 2 cos².
        covariance_LxL += 2.0 * direct_LxM @ (signals.cosine2_LxMxM[j] * both_MxM) @ direct_LxM.T
    return covariance_LxL


def weight_covariance(
    layers: Sequence[Layer], units: Sequence[Units], signals: Signals, x_MxF: np.ndarray, counts_R: np.ndarray
) -> np.ndarray:
    """Covariance over layers of ln ‖∂L/∂W_l‖², times N: of the hidden layers' weights alone.

    ‖∂L/∂W_l‖² = Σ_xx' (h_x·h_x')(δ_x·δ_x')/M²: noise of layers below enters by h, that of layer l and above by δ.

    Args:
        layers, units, signals: of the network.
        x_MxF: the rows.
        counts_R: how many rows each of the first ones stands for.

    Returns:
        The covariance [L, L].
    """
    depth, rows = len(layers), len(counts_R)
    few = slice(0, rows)
    cosine_LxRxR = signals.cosine_LxMxM[:, few, few]
    r_LxRxR = np.stack([layer.S_MxM[few, few] for layer in layers])
    root_LxR = np.sqrt(np.einsum("lxx->lx", r_LxRxR))
    r_LxRxR = r_LxRxR / (root_LxR[:, :, None] * root_LxR[:, None])
    size_R = np.sqrt(np.mean(np.sum(signals.errors_SxMxC[:, few] ** 2, axis=2), axis=0))
    delta_LxR = np.exp((signals.log_D_LxM[:, few] - signals.log_D_LxM[:, few].max(axis=1, keepdims=True)) / 2.0)
    delta_LxR = delta_LxR * size_R
    # A row stands for so many: with itself in as many pairs, with another in as many as both have together.
    pairs_RxR = np.multiply.outer(counts_R, counts_R)
    np.fill_diagonal(pairs_RxR, counts_R)
    size_LxRxR = pairs_RxR * delta_LxR[:, :, None] * delta_LxR[:, None]
    inner_LxRxR = np.stack([x_MxF[few] @ x_MxF[few].T, *(layer.H_MxM[few, few] for layer in layers[:-1])])
    total_LxRxR = inner_LxRxR * size_LxRxR * r_LxRxR * cosine_LxRxR
    total_L = np.sum(total_LxRxR, axis=(1, 2))
    share_LxR = np.sum(total_LxRxR, axis=2) / total_L[:, None]
    by_inputs = size_LxRxR * r_LxRxR * cosine_LxRxR / total_L[:, None, None]
    pooled = []
    for l in reversed(range(1, depth)):
        own_T = quadratic(by_inputs[l, None], units[l - 1].h_MxT[few], inner_LxRxR[l])[0]
        pooled.append(Pooled(l - 1, own_T, of_H_RxR=by_inputs[l]))
    noise = np.zeros((depth, depth, UNITS))
    if pooled:
        noise[1:, :-1] = noise_of(layers[:-1], units[:-1], pooled, counts_R / counts_R.sum())[::-1]

    growth_LxR = growth_of(layers)[:, few]
    reach_LxLxM = reach_of(layers)
    of_outputs_LxM = reach_outputs(layers, reach_LxLxM)
    by_signals = inner_LxRxR * size_LxRxR / total_L[:, None, None]
    for j, (layer, drawn) in enumerate(zip(layers, units, strict=True)):
        g_RxT = root(cosine_LxRxR[j]) @ np.random.default_rng([2, j]).standard_normal((rows, UNITS))
        psi_RxT = g_RxT * drawn.slope_MxT[few] / root_LxR[j, :, None]
        noise[: j + 1, j] += quadratic(by_signals[: j + 1], psi_RxT, cosine_LxRxR[j] * r_LxRxR[j])
        by_signals[: j + 1] *= r_LxRxR[j]
        above_LxR = np.cumsum((growth_LxR * reach_LxLxM[j, :, few])[::-1], axis=0)[::-1]
        felt_LxM = signals.weight_by_H_LxM * of_outputs_LxM[j]
        felt_LxM[:, few] += share_LxR * above_LxR
        noise[:, j] += felt_LxM @ (drawn.h_MxT**2 - layer.second_moment_M[:, None])
    return np.einsum("ajt,bjt->ab", noise, noise) / UNITS
