"""Hermite coefficients of φ and φ' under Gaussians of any variance, and the sums over pairs that they are for.

With Hermite polynomials h_n, orthonormal under a standard normal Z, and a_n(q) = E φ(m + √q Z) h_n(Z),

    E φ(u) φ(u') = Σ_n a_n(q) a_n(q') c^n,        c the correlation of u and u'        (Mehler 1866)

and likewise of φ'. The coefficients are smooth in ln q, whatever kinks φ has: they are computed at knots, by quadrature
from kink to kink, and interpolated. Of what comes after the last term the size at c = 1 is known, as Σ a_n² = E φ².
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import erfc

from actlab.activations.inspect import evaluate, find_kinks
from actlab.theory.panel_sums import Function, parts, raw_moments

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
HARDLY_ANY = 1e-20  # of what the identity has: softshrink's moments of a small variance lie in the Gaussian's far tail
MOST_OFF = 1e-4  # share of a moment that a sum from kink to kink may be off; more, and φ has other singularities


@dataclass(frozen=True, eq=False)
class RowCoefficients:
    """Hermite coefficients of some rows.

    Attributes:
        a_MxN: a_n(q) = E φ(m + √q Z) h_n(Z) of each row.
        b_MxN: likewise of φ'.
        a_by_q_MxN: ∂a_n/∂q.
        scalars: ``SCALARS`` of each row [M].
        scalars_by_q: their derivatives in q [M].
    """

    a_MxN: np.ndarray
    b_MxN: np.ndarray
    a_by_q_MxN: np.ndarray
    scalars: dict[str, np.ndarray]
    scalars_by_q: dict[str, np.ndarray]


class Coefficients:
    """Hermite coefficients and moments of φ(m + √q Z) and of its slope, tabulated over ln q as far as asked for.

    >>> of = Coefficients(lambda z: z**2, terms=3).at(np.array([1.0]))
    >>> (of.a_MxN.round(6) + 0.0).tolist(), of.scalars["second_moment"].round(6).tolist()
    ([[1.0, 0.0, 1.414214]], [3.0])
    """

    def __init__(self, phi: Function, mean: float = 0.0, terms: int = TERMS) -> None:
        """Begin with an empty table of so many terms for biases of that mean."""
        self.phi, self.mean, self.terms = phi, mean, terms
        self.edges = np.unique(np.concatenate([U_EDGES, kinks_of(phi)])) - mean
        self.known: dict[int, np.ndarray] = {}
        function, parameters = parts(phi)
        self.centred = partial(shifted, function=function, parameters=parameters, mean=mean) if mean else phi
        self.why = ""

    def at(self, q_M: np.ndarray) -> RowCoefficients:
        """Interpolate the coefficients of rows of second moments q [M], positive.

        Raises:
            TheoryError: φ is no function of one number.
        """
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
        """Add what is not known yet of some knots, each from kink to kink.

        Raises:
            TheoryError: φ is no function of one number.
        """
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
        with np.errstate(over="ignore", invalid="ignore"):  # what has no moments is told by them
            scalars = [np.sum(weight_KxG * f, axis=1) for f in (value, value**2, slope**2, slope**4)]
            self.refuse_unknown(root_K**2, scalars)
            both = np.stack([weight_KxG * value, weight_KxG * slope])
            series = np.stack([np.einsum("fkg,kg->fk", both, h) for h in hermite(z_KxG, self.terms)], axis=-1)
        rows = np.concatenate([series[0], series[1], np.stack(scalars, axis=1)], axis=1)
        self.known |= dict(zip(new, rows, strict=True))

    def refuse_unknown(self, q_K: np.ndarray, scalars: list[np.ndarray]) -> None:
        """Make E φ² and E φ'² infinite where adaptive quadrature finds none, or finds others; ``why`` says it.

        Raises:
            TheoryError: φ is no function of one number.
        """
        (_, square_K, _, slope_square_K, _), _, reasons = raw_moments(self.centred, q_K)
        for i, expected_K, size_K in ((1, square_K, q_K), (2, slope_square_K, np.ones_like(q_K))):
            off_K = ~(np.abs(scalars[i] - expected_K) <= np.maximum(MOST_OFF * expected_K, HARDLY_ANY * size_K))
            scalars[i] = np.where(off_K, np.inf, scalars[i])
            if off_K.any():
                at = int(np.flatnonzero(off_K)[0])
                self.why = reasons.get(
                    at, f"at variance {q_K[at]:.4g} φ has a singularity, grows too fast, or has too many kinks"
                )


def shifted(z: Any, function: Function, parameters: tuple[tuple[str, Any], ...], mean: float) -> Any:
    """φ(m + z)."""
    return function(mean + z, **dict(parameters))


def kinks_of(phi: Function) -> np.ndarray:
    """Find where φ or φ' jumps.

    >>> kinks_of(abs).round(9).tolist()
    [0.0]
    """
    with np.errstate(invalid="ignore", over="ignore"):  # φ may overflow far out
        return np.array(find_kinks(phi, highest=1)[0], float)


def hermite(z: np.ndarray, terms: int) -> Iterator[np.ndarray]:
    """Yield h_0(z), h_1(z), ...: √(n+1) h_{n+1} = z h_n − √n h_{n−1}.

    >>> [round(float(h), 6) for h in hermite(np.array(2.0), 3)]
    [1.0, 2.0, 2.12132]
    """
    last, h = np.zeros_like(z), np.ones_like(z)
    for n in range(terms):
        yield h
        last, h = h, (z * h - math.sqrt(n) * last) / math.sqrt(n + 1.0)


def lagrange_basis() -> list[tuple[np.poly1d, np.poly1d]]:
    """Return the polynomials that are 1 at one of ``AROUND`` and 0 at the others, with their derivatives."""
    others = [np.delete(AROUND, i) for i in range(len(AROUND))]
    basis = [np.poly1d(rest, True) / float(np.prod(at - rest)) for at, rest in zip(AROUND, others, strict=True)]
    return [(one, one.deriv()) for one in basis]


BASIS = lagrange_basis()


def lagrange(t_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the knots ``AROUND`` a point t above one of them [M, 6], and their derivatives.

    >>> lagrange(np.array([0.0]))[0].round(12).tolist() == [[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    True
    """
    weights_Mx6 = np.stack([one(t_M) for one, _ in BASIS], axis=1)
    return weights_Mx6, np.stack([derivative(t_M) for _, derivative in BASIS], axis=1)


def pair_expectation(
    a_MxN: np.ndarray, square_M: np.ndarray, c_MxM: np.ndarray, decay: float
) -> tuple[np.ndarray, float]:
    """Sum Σ a_n a_n' c^n over all pairs of rows.

    Args:
        a_MxN: coefficients of each row.
        square_M: Σ a_n² over all n.
        c_MxM: correlations.
        decay: p of a_n² ~ n^−p where it decays slowest: 3/2 of a function that jumps, 5/2 of one with a kink.

    Returns:
        The sums [M, M], and how far they may be off, on average over pairs: where terms are left out that matter, how
        far half of those at hand are from their sum.

    >>> sums, _ = pair_expectation(np.array([[1.0, 2.0, 0.0]] * 2), np.array([5.0, 5.0]), np.full((2, 2), 0.5), 2.5)
    >>> sums.tolist()
    [[3.0, 3.0], [3.0, 3.0]]

    Reference: Mehler 1866.
    """
    terms = needed(a_MxN, square_M)
    rows = a_MxN[:, :terms], square_M
    whole_MxM = pair_sum(rows, rows, c_MxM, decay)
    if terms < a_MxN.shape[1]:  # of |Σ a_n a_n' c^n| over the terms left out, by Cauchy and Schwarz
        return whole_MxM, NEGLIGIBLE * float(np.mean(square_M))
    half = a_MxN[:FEW, : terms // 2], square_M[:FEW]
    half_RxR = pair_sum(half, half, c_MxM[:FEW, :FEW], decay)
    return whole_MxM, off_diagonal_mean(np.abs(whole_MxM[:FEW, :FEW] - half_RxR))


def pair_sum(
    rows: tuple[np.ndarray, np.ndarray], others: tuple[np.ndarray, np.ndarray], c_MxP: np.ndarray, decay: float
) -> np.ndarray:
    """Sum the terms at hand, and add the ``tail``.

    Args:
        rows, others: coefficients [M, N], and Σ a_n² over all n [M].
        c_MxP: correlations of rows with others.
        decay: see ``pair_expectation``.

    Returns:
        Σ a_n a_n' c^n over all n [M, P].
    """
    total_MxP = horner(rows[0], others[0], c_MxP)
    rest_M, rest_P = (square - np.sum(a**2, axis=1) for a, square in (rows, others))
    if rows[0].shape[1] and np.any(rest_M > NEGLIGIBLE * rows[1]):
        root_M, root_P = (np.sqrt(np.maximum(rest, 0.0)) for rest in (rest_M, rest_P))
        total_MxP += np.multiply.outer(root_M, root_P) * tail(rows[0], others[0], c_MxP, decay)
    return total_MxP


def horner(a_MxN: np.ndarray, b_MxN: np.ndarray, c_MxM: np.ndarray) -> np.ndarray:
    """Σ_n a_n b_n' c^n of all pairs.

    >>> horner(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]), np.array([[0.5]]))
    array([[4.]])
    """
    total_MxM, term_MxM = np.zeros((2, *c_MxM.shape))
    for n in reversed(range(a_MxN.shape[1])):
        total_MxM *= c_MxM
        total_MxM += np.multiply(a_MxN[:, n, None], b_MxN[:, n], out=term_MxM)
    return total_MxM


def needed(a_MxN: np.ndarray, square_M: np.ndarray) -> int:
    """Return how many terms leave next to nothing of every row's square; all where none are enough.

    >>> needed(np.array([[1.0, 2.0, 0.0]]), np.array([5.0])), needed(np.array([[1.0, 2.0]]), np.array([6.0]))
    (2, 2)
    """
    left_MxN = square_M[:, None] - np.cumsum(a_MxN**2, axis=1)
    enough = np.flatnonzero((left_MxN <= NEGLIGIBLE * square_M[:, None]).all(axis=0))
    return int(enough[0]) + 1 if len(enough) else a_MxN.shape[1]


def tail(a_MxN: np.ndarray, a_PxN: np.ndarray, c_MxP: np.ndarray, decay: float) -> np.ndarray:
    """Estimate what Σ_{n ≥ N} a_n a_n' c^n is of √(R R'), R what a row's Σ a_n² lacks, where a_n² ~ n^−p.

    How well the rows go together, the cosine of the last terms at hand, times

        g(x) = (p − 1) ∫_1^∞ s^−p e^(−xs) ds, x = −N ln |c|,

    an exponential integral of half-integer order: e^−x − √(πx) erfc √x for p = 3/2. Exact at c = 1 for equal rows.
    """
    terms = a_MxN.shape[1]
    last = slice(terms // 2, terms)
    unit_MxN, unit_PxN = (
        a / np.maximum(np.linalg.norm(a, axis=1), 1e-300)[:, None] for a in (a_MxN[:, last], a_PxN[:, last])
    )
    signs_N = (-1.0) ** np.arange(terms)[last]
    together_MxP = np.where(c_MxP > 0, unit_MxN @ unit_PxN.T, (unit_MxN * signs_N) @ unit_PxN.T)
    share_MxP = np.zeros_like(c_MxP)
    near = np.abs(c_MxP) > math.exp(-30.0 / terms)  # the rest is nothing
    x = -terms * np.log(np.minimum(np.abs(c_MxP[near]), 1.0))
    decayed = np.exp(-x)
    g = decayed - np.sqrt(np.pi * x) * erfc(np.sqrt(x))
    share_MxP[near] = g if decay < 2.0 else decayed - 2.0 * x * g
    return together_MxP * share_MxP


def off_diagonal_mean(a_MxM: np.ndarray) -> float:
    """Mean over pairs of different rows.

    >>> off_diagonal_mean(np.array([[9.0, 1.0], [3.0, 9.0]]))
    2.0
    """
    rows = len(a_MxM)
    return float((a_MxM.sum() - np.trace(a_MxM)) / max(rows * rows - rows, 1))
