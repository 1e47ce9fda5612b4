"""The share of units that are born dead in an infinitely wide network: by sampling them over the training rows.

A unit's pre-activations are N(m, K_l) over the rows, and it is dead where all of them lie on one and the same flat
piece. That is decided by few rows in most units: K is propagated between all rows and some pivots, units are drawn on
the pivots, and on the other rows only of those units that the pivots leave flat. Given the pivots the other rows are
taken to be independent of each other, with their own variance (Snelson & Ghahramani 2006).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.later import jax
from actlab.theory.chains import Chain, Parameters, chain, key_of
from actlab.theory.kernels import out_of_reach
from actlab.theory.panel_sums import Function
from actlab.theory.series import Coefficients, needed, pair_sum

UNITS = 4096
PIVOTS = 96
MOST_ROWS = 4096
BLOCK = 256  # of units on all rows
SAME = 1e-12
EVERYWHERE = np.concatenate([np.linspace(-32.0, 32.0, 4097) + 1e-3, [-1e6, 1e6]])


@dataclass(frozen=True)
class DeadUnits:
    """Shares of one layer's units, and how well they are known.

    Attributes:
        dead: constant on all rows: these lie on one and the same flat piece.
        no_gradient: flat on all rows, on any flat piece.
        error: the standard error of sampling units, and how much rows that were left out may matter.
    """

    dead: float
    no_gradient: float
    error: float


def dead_units(
    phi: Function, flat: Callable[[Any], Any], x_NxF: np.ndarray, parameters: Sequence[Parameters]
) -> list[DeadUnits | str]:
    """Sample units of every layer over all rows, and count those that lie on flat pieces.

    Args:
        phi, flat: the activation, and where it is constant by definition.
        x_NxF: the training rows; of more than ``MOST_ROWS`` the first.
        parameters: σ_w², mean and standard deviation of biases of each layer.

    Returns:
        The shares of each layer; from the first layer on of which nothing can be said, the reason instead.

    Raises:
        TheoryError: φ is no function of one number.

    >>> from actlab.later import jnp
    >>> one = dead_units(jnp.abs, lambda z: z < np.inf, np.eye(3), [(3.0, 0.0, 0.0)])[0]
    >>> one.dead, one.no_gradient
    (0.0, 1.0)

    Reference: Snelson & Ghahramani 2006 (rows independent given the pivots).
    """
    x_NxF = np.asarray(x_NxF, float)
    made = chain("dead", key_of(phi, flat, x_NxF, *parameters[:2]), lambda: Sampling(phi, flat, x_NxF).chain())
    return made.upto(parameters)


class Sampling:
    """Units of layer after layer on the training rows."""

    def __init__(self, phi: Function, flat: Callable[[Any], Any], x_NxF: np.ndarray) -> None:
        """Choose the pivots among the rows."""
        self.phi, self.flat = phi, flat
        self.left_out = len(x_NxF) > MOST_ROWS
        self.x_NxF = x_NxF[:MOST_ROWS]
        self.pivots = pivots_of(self.x_NxF)
        self.tables: dict[float, Coefficients] = {}

    def chain(self) -> Chain[DeadUnits | str]:
        """Begin with the inputs."""
        inner_NxP = self.x_NxF @ self.x_NxF[self.pivots].T / self.x_NxF.shape[1]
        return Chain((inner_NxP, np.mean(self.x_NxF**2, axis=1)), self.step)

    def step(self, below: Any, parameters: Parameters, layer: int) -> tuple[Any, DeadUnits | str]:
        """Sample one more layer.

        Args:
            below: E φφ' between rows and pivots [N, P] and E φ² of rows [N] below it, or why they are not known.
            parameters: σ_w², mean and standard deviation of the biases.
            layer: its place, from 0.

        Returns:
            The same of this layer, and its dead units; twice the reason where nothing is known.

        Raises:
            TheoryError: φ is no function of one number.
        """
        if isinstance(below, str):
            return below, below
        sigma_w2, mean, std = parameters
        K_NxP, q_N = (sigma_w2 * one + std**2 for one in below)
        reason = out_of_reach(q_N, layer)
        if reason:
            return reason, reason
        rng = np.random.default_rng([3, layer])
        drawn = sampled(self.phi, self.flat, mean, K_NxP, q_N, self.pivots, rng)
        if mean not in self.tables:
            self.tables[mean] = Coefficients(self.phi, mean)
        of = self.tables[mean].at(q_N)
        second_N = of.scalars["second_moment"]
        a_NxT = of.a_MxN[:, : needed(of.a_MxN, second_N)]
        c_NxP = np.clip(K_NxP / np.sqrt(np.multiply.outer(q_N, q_N[self.pivots])), -1.0, 1.0)
        c_NxP[self.pivots, np.arange(len(self.pivots))] = 1.0
        H_NxP = pair_sum((a_NxT, second_N), (a_NxT[self.pivots], second_N[self.pivots]), c_NxP, decay=2.5)
        return (H_NxP, second_N), shares_of(*drawn, self.left_out)


def pivots_of(x_NxF: np.ndarray) -> np.ndarray:
    """Choose the rows that tell most of the others, by pivoted Cholesky of a kernel of their directions, e^(cos − 1).

    Args:
        x_NxF: the rows.

    Returns:
        Their indices, as they were chosen; at most ``PIVOTS``, fewer where the others follow from them.

    >>> pivots_of(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).tolist()
    [0, 2]
    """
    unit_NxF = x_NxF / np.maximum(np.linalg.norm(x_NxF, axis=1, keepdims=True), 1e-300)
    left_N = np.ones(len(unit_NxF))
    factor_PxN = np.zeros((min(PIVOTS, len(unit_NxF)), len(unit_NxF)))
    pivots: list[int] = []
    for p in range(len(factor_PxN)):
        pivot = int(np.argmax(left_N))
        if left_N[pivot] < 1e-9:
            break
        column_N = np.exp(unit_NxF @ unit_NxF[pivot] - 1.0) - factor_PxN[:p].T @ factor_PxN[:p, pivot]
        factor_PxN[p] = column_N / math.sqrt(left_N[pivot])
        left_N = np.maximum(left_N - factor_PxN[p] ** 2, 0.0)
        left_N[pivot] = 0.0
        pivots.append(pivot)
    return np.array(pivots)


def sampled(
    phi: Function,
    flat: Callable[[Any], Any],
    mean: float,
    K_NxP: np.ndarray,
    q_N: np.ndarray,
    pivots: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw ``UNITS`` units on all rows, and look at where they are flat.

    Args:
        phi, flat: the activation, and where it is constant by definition.
        mean: m of the biases.
        K_NxP: covariance of the rows with the pivots.
        q_N: variance of each row.
        pivots: the pivots' indices [P].
        rng: where the numbers come from.

    Returns:
        Of each unit: whether it is flat on all rows, on every other row, and constant besides.
    """
    K_PxP = K_NxP[pivots]
    scale_P = np.sqrt(q_N[pivots])
    factor_PxP = scale_P[:, None] * np.linalg.cholesky(
        K_PxP / np.multiply.outer(scale_P, scale_P) + 1e-9 * np.eye(len(pivots))
    )
    others_NxP = np.linalg.solve(factor_PxP, K_NxP.T).T
    left_N = np.sqrt(np.maximum(q_N - np.sum(others_NxP**2, axis=1), 0.0))
    left_N[pivots] = 0.0
    draws_PxT = rng.standard_normal((len(pivots), UNITS))
    on_pivots_PxT = mean + factor_PxP @ draws_PxT
    candidates = np.flatnonzero(is_flat(flat, on_pivots_PxT).all(axis=0))
    whole, half, constant = np.zeros((3, UNITS), bool)
    for begin in range(0, len(candidates), BLOCK):
        # As long as any, so that a flat set is compiled once; what is repeated is written twice.
        block = np.resize(candidates[begin : begin + BLOCK], BLOCK)
        z_NxB = mean + others_NxP @ draws_PxT[:, block]
        z_NxB += left_N[:, None] * rng.standard_normal(z_NxB.shape)
        flat_NxB = is_flat(flat, z_NxB)
        whole[block], half[block] = flat_NxB.all(axis=0), flat_NxB[::2].all(axis=0)
        ends = np.stack([z_NxB.min(axis=0), z_NxB.max(axis=0)])
        low, high = evaluate(phi, ends.ravel())[0].reshape(ends.shape)
        constant[block] = np.abs(high - low) <= SAME * np.maximum(np.abs(low), np.abs(high))
    return whole, half, constant


def has_flat_piece(flat: Callable[[Any], Any]) -> bool:
    """Whether a flat set is not empty, as far as a Gaussian may reach.

    Args:
        flat: z -> whether φ is constant there, elementwise.

    Returns:
        Whether it holds a point of a fine grid on [−32, 32], or one far out.

    >>> has_flat_piece(lambda z: z <= 0), has_flat_piece(lambda z: z != z)
    (True, False)
    """
    return bool(is_flat(flat, EVERYWHERE).any())


def is_flat(flat: Callable[[Any], Any], z: np.ndarray) -> np.ndarray:
    """Evaluate a flat set in float64.

    >>> is_flat(lambda z: z <= 0, np.array([-1.0, 1.0])).tolist()
    [True, False]
    """
    with jax.enable_x64(True):
        return np.asarray(flat(z), bool)


def shares_of(whole: np.ndarray, half: np.ndarray, constant: np.ndarray, left_out: bool) -> DeadUnits:
    """Count; where rows were left out, what half of those taken would have said is how much they may matter.

        error = √((p(1 − p) + 1/T)/T), p the share of T units

    >>> shares_of(np.array([True, False]), np.array([True, True]), np.array([False, False]), True)
    DeadUnits(dead=0.0, no_gradient=0.5, error=1.112...)
    """
    no_gradient, units = float(np.mean(whole)), len(whole)
    error = math.sqrt((no_gradient * (1.0 - no_gradient) + 1.0 / units) / units)
    if left_out:
        error += float(np.mean(half)) - no_gradient
    return DeadUnits(float(np.mean(whole & constant)), no_gradient, error)
