"""Second moments and correlations of rows on their way through an infinitely wide network.

A layer's pre-activations are Gaussian over units: of row x with second moment q, of a pair with covariance K. With
Hermite polynomials h_n, orthonormal under a standard normal Z, and a_n(q) = E φ(m + √q Z) h_n(Z),

    E φ(u_x) φ(u_x') = Σ_n a_n(q_x) a_n(q_x') c^n,        c = K_xx' / √(q_x q_x')      (Mehler 1866)

and likewise of φ'. The coefficients are smooth in ln q, whatever kinks φ has: they are computed at knots, by quadrature
from kink to kink, and interpolated. Of what comes after the last term the size at c = 1 is known, as Σ a_n² = E φ².
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erfc

from actlab.activations.inspect import evaluate, find_kinks

Function = Callable[[Any], Any]

REACH = 10.0  # of a standard normal: beyond lies 1.5e-23
Z_EDGES = np.arange(-REACH, REACH + 0.25, 0.5)
# φ's own scales, however many of them a Gaussian is wide.
U_EDGES = np.array([0.0, *(sign * u for u in (0.5, 1, 2, 3, 4, 6, 8, 12, 16, 32) for sign in (-1, 1))])
NODES, WEIGHTS = np.polynomial.legendre.leggauss(10)
STEP = 0.05  # of ln q, from knot to knot
AROUND = np.arange(-2, 4)  # the knots about a point, from the one below it: of degree five
TERMS = 48
SCALARS = ("mean", "second_moment", "slope_second_moment", "slope_fourth_moment")
NEGLIGIBLE = 1e-8  # of a row's Σ a_n²
FEW = 64  # rows, for errors and spreads of what is pooled over pairs: the first, as probe rows come in random order
GROWTH = 1e-6  # share of a moment that may lie in the outermost panels; more, and there is no moment


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


@dataclass(frozen=True, eq=False)
class RowCoefficients:
    """Hermite coefficients of some rows, and ``SCALARS`` of each; ``by_q``: their derivatives in q."""

    a_MxN: np.ndarray
    b_MxN: np.ndarray
    a_by_q_MxN: np.ndarray
    scalars: dict[str, np.ndarray]
    scalars_by_q: dict[str, np.ndarray]


class Coefficients:
    """Hermite coefficients and moments of φ(m + √q Z) and of its slope, tabulated over ln q as far as asked for."""

    def __init__(self, phi: Function, mean: float = 0.0, terms: int = TERMS) -> None:
        """Begin with an empty table of so many terms for biases of that mean."""
        self.phi, self.mean, self.terms = phi, mean, terms
        self.edges = np.unique(np.concatenate([U_EDGES, kinks_of(phi)])) - mean
        self.known: dict[int, np.ndarray] = {}

    def at(self, q_M: np.ndarray) -> "RowCoefficients":
        """Interpolate the coefficients of rows of second moments q."""
        place_M = np.log(q_M) / STEP
        below_M = np.floor(place_M).astype(int)
        knots_Mx6 = below_M[:, None] + AROUND
        used = np.unique(knots_Mx6)
        self.tabulate(used)
        table_KxT = np.stack([self.known[int(k)] for k in used])
        near_Mx6xT = table_KxT[np.searchsorted(used, knots_Mx6)]
        weights_Mx6, slopes_Mx6 = lagrange(place_M - below_M)
        value_MxT = np.einsum("mk,mkt->mt", weights_Mx6, near_Mx6xT)
        by_q_MxT = np.einsum("mk,mkt->mt", slopes_Mx6, near_Mx6xT) / STEP / q_M[:, None]
        n = self.terms
        return RowCoefficients(
            value_MxT[:, :n],
            value_MxT[:, n : 2 * n],
            by_q_MxT[:, :n],
            dict(zip(SCALARS, value_MxT[:, 2 * n :].T, strict=True)),
            dict(zip(SCALARS, by_q_MxT[:, 2 * n :].T, strict=True)),
        )

    def tabulate(self, knots: np.ndarray) -> None:
        """Add what is not known yet of some knots, each from kink to kink."""
        new = [int(k) for k in knots if int(k) not in self.known]
        if not new:
            return
        root_K = np.exp(0.5 * STEP * np.array(new, float))
        edges_KxE = np.concatenate(
            [np.tile(Z_EDGES, (len(new), 1)), np.clip(self.edges / root_K[:, None], -REACH, REACH)], axis=1
        )
        edges_KxE.sort(axis=1)
        half_KxPx1 = (np.diff(edges_KxE, axis=1) / 2.0)[:, :, None]
        z_KxG = (edges_KxE[:, :-1, None] + half_KxPx1 * (NODES + 1.0)).reshape(len(new), -1)
        density_KxG = np.exp(-(z_KxG**2) / 2.0) / math.sqrt(2.0 * math.pi)
        weight_KxG = (half_KxPx1 * WEIGHTS).reshape(len(new), -1) * density_KxG
        u_KxG = self.mean + root_K[:, None] * z_KxG
        value, slope = evaluate(self.phi, u_KxG.ravel()).reshape(2, *u_KxG.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            scalars = [np.sum(weight_KxG * f, axis=1) for f in (value, value**2, slope**2, slope**4)]
            edge = np.abs(z_KxG) > REACH - 0.5
            for i, f in ((1, value**2), (2, slope**2)):  # growth that outweighs the Gaussian's tail has no moment
                heavy = np.sum(weight_KxG * f * edge, axis=1) > GROWTH * scalars[i]
                scalars[i] = np.where(heavy, np.inf, scalars[i])
            both = np.stack([weight_KxG * value, weight_KxG * slope])
            series = np.stack([np.einsum("fkg,kg->fk", both, h) for h in hermite(z_KxG, self.terms)], axis=-1)
        rows = np.concatenate([series[0], series[1], np.stack(scalars, axis=1)], axis=1)
        self.known |= dict(zip(new, rows, strict=True))


def kinks_of(phi: Function) -> np.ndarray:
    """Find where φ or φ' jumps."""
    return np.array(find_kinks(phi, highest=1)[0], float)


def hermite(z: np.ndarray, terms: int) -> Any:
    """Yield h_0(z), h_1(z), ...: √(n+1) h_{n+1} = z h_n − √n h_{n−1}."""
    last, h = np.zeros_like(z), np.ones_like(z)
    for n in range(terms):
        yield h
        last, h = h, (z * h - math.sqrt(n) * last) / math.sqrt(n + 1.0)


def lagrange(t_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the knots ``AROUND`` a point t above one of them [M, 6], and their derivatives."""
    weights, slopes = np.empty((2, len(t_M), len(AROUND)))
    for i, at in enumerate(AROUND):
        others = AROUND[at != AROUND]
        product = np.poly1d(others, True) / float(np.prod(at - others))
        weights[:, i], slopes[:, i] = product(t_M), product.deriv()(t_M)
    return weights, slopes


def pair_expectation(
    a_MxN: np.ndarray, square_M: np.ndarray, c_MxM: np.ndarray, decay: float
) -> tuple[np.ndarray, float]:
    """Sum Σ a_n a_n' c^n over all pairs, with what is left out; and how far half of the terms are from it on average.

    Args:
        a_MxN: coefficients of each row.
        square_M: Σ a_n² over all n.
        c_MxM: correlations.
        decay: p of a_n² ~ n^−p where it decays slowest: 3/2 of a function that jumps, 5/2 of one with a kink.
    """
    terms = needed(a_MxN, square_M)
    whole_MxM = partial_sum(a_MxN, square_M, c_MxM, terms, decay)
    few = slice(0, FEW)
    half_MxM = partial_sum(a_MxN[few], square_M[few], c_MxM[few, few], terms // 2, decay)
    return whole_MxM, abs(off_diagonal_mean(np.abs(whole_MxM[few, few] - half_MxM)))


def partial_sum(a_MxN: np.ndarray, square_M: np.ndarray, c_MxM: np.ndarray, terms: int, decay: float) -> np.ndarray:
    """Sum that many terms, and add the ``tail``."""
    total_MxM = horner(a_MxN[:, :terms], a_MxN[:, :terms], c_MxM)
    rest_M = square_M - np.sum(a_MxN[:, :terms] ** 2, axis=1)
    if np.any(rest_M > NEGLIGIBLE * square_M):
        total_MxM += tail(np.sqrt(np.maximum(rest_M, 0.0)), c_MxM, terms, decay)
    return total_MxM


def horner(a_MxN: np.ndarray, b_MxN: np.ndarray, c_MxM: np.ndarray) -> np.ndarray:
    """Σ_n a_n b_n' c^n of all pairs.

    >>> horner(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]), np.array([[0.5]]))
    array([[4.]])
    """
    total_MxM = np.zeros_like(c_MxM)
    for n in reversed(range(a_MxN.shape[1])):
        total_MxM *= c_MxM
        total_MxM += np.multiply.outer(a_MxN[:, n], b_MxN[:, n])
    return total_MxM


def needed(a_MxN: np.ndarray, square_M: np.ndarray) -> int:
    """Return how many terms leave next to nothing of every row's square; all where none are enough."""
    left_MxN = square_M[:, None] - np.cumsum(a_MxN**2, axis=1)
    enough = np.flatnonzero((left_MxN <= NEGLIGIBLE * square_M[:, None]).all(axis=0))
    return int(enough[0]) + 1 if len(enough) else a_MxN.shape[1]


def tail(root_M: np.ndarray, c_MxM: np.ndarray, terms: int, decay: float) -> np.ndarray:
    """Estimate Σ_{n ≥ N} a_n a_n' c^n as √(R R') g(−N ln c), R what a row's square lacks, a_n² ~ n^−p.

    g(x) = (p − 1) ∫_1^∞ s^−p e^(−xs) ds is 1 at c = 1, where √(R R') is exact for equal rows: an exponential integral
    of half-integer order, e^−x − √(πx) erfc √x for p = 3/2.
    """
    x = -terms * np.log(np.clip(c_MxM, 1e-3, 1.0))
    decayed = np.exp(-x)
    shape = decayed - np.sqrt(np.pi * x) * erfc(np.sqrt(x))
    if decay > 2.0:
        shape = decayed - 2.0 * x * shape
    return np.multiply.outer(root_M, root_M) * np.where(c_MxM > 0, shape, 0.0)


def correlations(K_MxM: np.ndarray) -> np.ndarray:
    """Divide a covariance by its diagonal's roots; exactly 1 on the diagonal."""
    root_M = np.sqrt(np.diagonal(K_MxM))
    c_MxM = np.clip(K_MxM / np.maximum(root_M[:, None] * root_M, 1e-300), -1.0, 1.0)
    np.fill_diagonal(c_MxM, 1.0)
    return c_MxM


def off_diagonal_mean(a_MxM: np.ndarray) -> float:
    """Mean over pairs of different rows."""
    rows = len(a_MxM)
    return float((a_MxM.sum() - np.trace(a_MxM)) / max(rows * rows - rows, 1))


def through(K_MxM: np.ndarray, table: Coefficients, sigma_w2: float) -> Layer:
    """Pass rows of a given covariance through φ."""
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


def propagate(
    phi: Function,
    x_MxF: np.ndarray,
    sigma_w2: Sequence[float],
    bias_mean: Sequence[float],
    bias_std: Sequence[float],
) -> list[Layer]:
    """Propagate rows through the layers of an infinitely wide network, K_{l+1} = σ_w² E φφ' + σ_b².

    Args:
        phi: the activation.
        x_MxF: rows.
        sigma_w2: σ_w² = fan-in · variance of a weight, of each layer.
        bias_mean, bias_std: of each layer.
    """
    tables: dict[float, Coefficients] = {}
    layers: list[Layer] = []
    x_MxF = np.asarray(x_MxF, float)
    H_MxM = x_MxF @ x_MxF.T / x_MxF.shape[1]
    for w2, mean, std in zip(sigma_w2, bias_mean, bias_std, strict=True):
        if mean not in tables:
            tables[mean] = Coefficients(phi, mean)
        layer = through(w2 * H_MxM + std**2, tables[mean], w2)
        layers.append(layer)
        H_MxM = layer.H_MxM
        if not np.isfinite(H_MxM).all():
            break
    return layers
