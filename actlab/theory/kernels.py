"""Variances and correlations of rows on their way through an infinitely wide network.

A layer's pre-activations are Gaussian over units, independent from unit to unit: K_xx' of two rows is

    K_{l+1} = σ_w² E φ(u_x) φ(u_x') + σ_b²,        u ~ N(m, K_l)        (Neal 1996; Poole et al. 2016)

with m the mean of the biases. The first layer's is σ_w² x·x'/F + σ_b².
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actlab.theory.chains import Chain, Parameters, chain, key_of
from actlab.theory.panel_sums import Function
from actlab.theory.series import FEW, SCALARS, Coefficients, horner, pair_expectation

LARGEST, LEAST = 1e30, 1e-30  # variances whose squares float32 still holds


@dataclass(frozen=True, eq=False)
class Layer:
    """What the rows are in one hidden layer of an infinitely wide network.

    Attributes:
        mean: of all pre-activations, the biases' m.
        K_MxM: covariance of z over units; its diagonal is q_M.
        H_MxM: E φ(u_x) φ(u_x').
        S_MxM: E φ'(u_x) φ'(u_x').
        mean_M, second_moment_M, slope_second_moment_M, slope_fourth_moment_M: E φ, E φ², E φ'², E φ'⁴ of each row.
        mean_by_q_M, second_moment_by_q_M, slope_second_moment_by_q_M: the derivatives of these in q.
        H_by_q_RxR: ∂H_xx'/∂q_x at given K_xx', of the first rows x and x' alone.
        H_error, S_error: of the mean of H and of S over pairs of different rows.
        sigma_w2: σ_w² of the layer's own weights.
    """

    mean: float
    sigma_w2: float
    K_MxM: np.ndarray
    H_MxM: np.ndarray
    S_MxM: np.ndarray
    mean_M: np.ndarray
    second_moment_M: np.ndarray
    slope_second_moment_M: np.ndarray
    slope_fourth_moment_M: np.ndarray
    mean_by_q_M: np.ndarray
    second_moment_by_q_M: np.ndarray
    slope_second_moment_by_q_M: np.ndarray
    H_by_q_RxR: np.ndarray
    H_error: float
    S_error: float

    @property
    def q_M(self) -> np.ndarray:
        """Variance of each row's pre-activations."""
        return np.diagonal(self.K_MxM)


def correlations(K_MxM: np.ndarray) -> np.ndarray:
    """Divide a covariance by its diagonal's roots; exactly 1 on the diagonal.

    Args:
        K_MxM: covariance of M rows, with a positive diagonal.

    Returns:
        K_xx'/√(K_xx K_x'x') [M, M], within [−1, 1].

    >>> correlations(np.array([[4.0, 1.0], [1.0, 1.0]])).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    root_M = np.sqrt(np.diagonal(K_MxM))
    c_MxM = np.clip(K_MxM / np.maximum(root_M[:, None] * root_M, 1e-300), -1.0, 1.0)
    np.fill_diagonal(c_MxM, 1.0)
    return c_MxM


def through(K_MxM: np.ndarray, table: Coefficients, sigma_w2: float) -> Layer:
    """Pass rows of a given covariance through φ.

    Args:
        K_MxM: covariance of their pre-activations.
        table: φ's Hermite coefficients, about the biases' mean.
        sigma_w2: σ_w² of the layer's own weights.

    Returns:
        What the rows are in that layer.

    Raises:
        TheoryError: see ``propagate``.
    """
    q_M = np.diagonal(K_MxM)
    of = table.at(q_M)
    c_MxM = correlations(K_MxM)
    second_M, slope_M = of.scalars["second_moment"], of.scalars["slope_second_moment"]
    H_MxM, H_error = pair_expectation(of.a_MxN, second_M, c_MxM, decay=2.5)
    S_MxM, S_error = pair_expectation(of.b_MxN, slope_M, c_MxM, decay=1.5)
    np.fill_diagonal(H_MxM, second_M)
    np.fill_diagonal(S_MxM, slope_M)
    few = slice(0, FEW)
    # Σ a_n(q) a_n(q') c^n, c = K/√(qq'): q enters twice, and Σ n a_n a_n' c^(n−1) = √(qq') E φ'φ'.
    H_by_q_RxR = horner(of.a_by_q_MxN[few], of.a_MxN[few], c_MxM[few, few])
    H_by_q_RxR -= K_MxM[few, few] / (2.0 * q_M[few, None]) * S_MxM[few, few]
    return Layer(
        table.mean,
        sigma_w2,
        K_MxM,
        H_MxM,
        S_MxM,
        **{f"{name}_M": of.scalars[name] for name in SCALARS},
        **{f"{name}_by_q_M": of.scalars_by_q[name] for name in SCALARS if name != "slope_fourth_moment"},
        H_by_q_RxR=H_by_q_RxR,
        H_error=H_error,
        S_error=S_error,
    )


class Propagation:
    """Rows on their way through the layers of an infinitely wide network, K_{l+1} = σ_w² E φφ' + σ_b²."""

    def __init__(self, phi: Function) -> None:
        """Begin with an empty table of an activation, for each mean of biases."""
        self.phi = phi
        self.tables: dict[float, Coefficients] = {}

    def step(self, below: np.ndarray | str, parameters: Parameters, layer: int) -> tuple[np.ndarray | str, Layer | str]:
        """Pass one more layer, K = σ_w² E φφ' + σ_b².

        Args:
            below: E φφ' [M, M] of the layer below it (x·x'/F of the inputs), or why that is not known.
            parameters: σ_w², mean and standard deviation of the biases.
            layer: its place, from 0.

        Returns:
            E φφ' of this layer, and all that is known of it; twice the reason where nothing is.

        Raises:
            TheoryError: see ``propagate``.
        """
        if isinstance(below, str):
            return below, below
        sigma_w2, mean, std = parameters
        K_MxM = sigma_w2 * below + std**2
        reason = out_of_reach(np.diagonal(K_MxM), layer)
        if not reason:
            if mean not in self.tables:
                self.tables[mean] = Coefficients(self.phi, mean)
            with np.errstate(over="ignore", invalid="ignore"):  # where there are no moments, which is looked at next
                passed = through(K_MxM, self.tables[mean], sigma_w2)
            if not passed.second_moment_M.any():
                reason = f"all activations are 0 in layer {layer + 1}"
                return reason, reason
            if np.isfinite(passed.H_MxM).all() and np.isfinite(passed.S_MxM).all():
                return passed.H_MxM, passed
            why = self.tables[mean].why
            reason = f"φ or φ' has no finite Gaussian second moment at the variances of layer {layer + 1}"
            reason += f": {why}" if why else ""
        return reason, reason


def out_of_reach(q_M: np.ndarray, layer: int) -> str:
    """Say why nothing is computed of rows of such variances.

    Args:
        q_M: variance of each row's pre-activations.
        layer: from 0.

    Returns:
        The reason; the empty string where it is computed.

    >>> out_of_reach(np.array([1.0, 0.0]), 0)
    'the pre-activations of a row have no variance in layer 1'
    """
    if not np.isfinite(q_M).all() or q_M.max() > LARGEST:
        return f"the variance of pre-activations overflows in layer {layer + 1}"
    if q_M.min() <= 0.0:
        return f"the pre-activations of a row have no variance in layer {layer + 1}"
    return f"the variance of pre-activations underflows in layer {layer + 1}" if q_M.min() < LEAST else ""


def propagate(phi: Function, x_MxF: np.ndarray, parameters: Sequence[Parameters]) -> list[Layer | str]:
    """Propagate rows through the layers of an infinitely wide network.

        K_1 = σ_w² x·x'/F + σ_b²,   K_{l+1} = σ_w² E φ(u_x) φ(u_x') + σ_b²,   u ~ N(m, K_l)

    Args:
        phi: the activation with its parameters filled in.
        x_MxF: the rows.
        parameters: σ_w², mean m and standard deviation σ_b of the biases, of each layer.

    Returns:
        What the rows are in each layer; from the first layer on where that is not known, the reason instead.

    Raises:
        TheoryError: φ is no function of one number.

    >>> from actlab.later import jnp
    >>> one = propagate(jnp.abs, np.ones((2, 3)), [(2.0, 0.0, 0.0)])[0]
    >>> one.q_M.tolist(), one.second_moment_M.round(9).tolist()
    ([2.0, 2.0], [2.0, 2.0])

    Reference: Neal 1996, Bayesian Learning for Neural Networks; Poole et al. 2016, arXiv:1606.05340.
    """
    x_MxF = np.asarray(x_MxF, float)
    made = chain(
        "rows",
        key_of(phi, x_MxF, *parameters[:2]),
        lambda: Chain(x_MxF @ x_MxF.T / x_MxF.shape[1], Propagation(phi).step),
    )
    return made.upto(parameters)
