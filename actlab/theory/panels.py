"""A function on panels so fine that its expectation under a normal of any variance is a weighted sum: no new values.

The real line is cut into rings 2^(k−1) ≤ |z| < 2^k, a ring into panels, and a panel is bisected until the
Gauss–Legendre sum over it agrees with those over its halves. That is done for the function alone, without a density:
on panels that are at most a quarter as wide as they are far out, a normal's density is smooth where it matters.
So a kink is found once, and what a second variance costs is one exponential at each node. Edges are dyadic, and the
usual kinks (0, ±1, ±3, 6) fall on them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Components = Callable[[np.ndarray], np.ndarray]
"""z [N] -> values [K, N] of the K functions that are integrated together, in float64."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
REACH = 38.0  # standard deviations; beyond, the density underflows
LEAST_REACH = 9.0  # a mass of 2e-19 lies beyond: what is not a number there does not matter
RINGS = 20  # the core within them is 4e-5 standard deviations wide, and bisected like every panel
TOLERANCE = 1e-14  # of a ring's integral of |f|
ROUNDING = 2e-15  # noise that a function computed with intermediate values of size 1 may have
MOST = 128  # open panels of a ring; more are noise or a very rough function: the error says how far it is known
ROUNDS = 50


@dataclass(frozen=True)
class Panels:
    """Some panels, their nodes and what was found there.

    Attributes:
        z_N: nodes.
        f_KxN: values at the nodes times the nodes' weights; 0 where they are not finite.
        error_KxN: by how much the integral over a node's panel may be off, shared out as |f| is.
        finite_to: |z| of the innermost panel with a value that is not finite; ∞ if there is none.
    """

    z_N: np.ndarray
    f_KxN: np.ndarray
    error_KxN: np.ndarray
    finite_to: float

    @cached_property
    def size_KxN(self) -> np.ndarray:
        """|f| times the nodes' weights."""
        return np.abs(self.f_KxN)


def resolve(components: Components, left: np.ndarray, width: np.ndarray) -> Panels:
    """Bisect panels until sums over them agree with those over their halves; keep the halves.

    Args:
        components: the functions.
        left, width: of each panel [P].

    Returns:
        The halves, their nodes and what was found there.

    >>> panels = resolve(lambda z: np.abs(z - 0.3)[None], np.array([0.0]), np.array([1.0]))
    >>> round(float(panels.f_KxN.sum()), 12)
    0.29
    """
    kept: list[tuple[np.ndarray, ...]] = []
    finite_to = np.inf
    whole_KxP = values(components, left, width)[1].sum(axis=2)
    scale_K = None
    for round_ in range(ROUNDS):
        half = width / 2.0
        z_HxN, f_KxHxN = values(components, np.concatenate([left, left + half]), np.concatenate([half, half]))
        bad = ~np.isfinite(f_KxHxN).all(axis=(0, 2))
        if bad.any():
            finite_to = min(finite_to, float(np.abs(z_HxN[bad]).min()))
            f_KxHxN[:, bad] = 0.0
        size_KxP = np.abs(f_KxHxN).sum(axis=2).reshape(len(f_KxHxN), 2, -1).sum(axis=1)
        if scale_K is None:
            scale_K = size_KxP.sum(axis=1)
        both_KxP = f_KxHxN.sum(axis=2).reshape(len(f_KxHxN), 2, -1).sum(axis=1)
        error_KxP = np.abs(both_KxP - whole_KxP)
        noise_P = ROUNDING * half * np.maximum(1.0, np.abs(left + half))
        clean_P = ~bad.reshape(2, -1).any(axis=0)
        error_KxP[:, ~clean_P] = 0.0
        open_P = clean_P & (error_KxP > TOLERANCE * scale_K[:, None] + noise_P).any(axis=0)
        if round_ == ROUNDS - 1 or open_P.sum() > MOST:
            open_P[:] = False
        done_H = np.tile(~open_P, 2)
        share_KxP = error_KxP / np.where(size_KxP > 0.0, size_KxP, 1.0)
        error_KxHxN = np.abs(f_KxHxN) * np.tile(share_KxP, 2)[:, :, None]
        kept.append((z_HxN[done_H], f_KxHxN[:, done_H], error_KxHxN[:, done_H]))
        if not open_P.any():
            break
        open_H = ~done_H
        left, width = np.concatenate([left[open_P], (left + half)[open_P]]), np.tile(half[open_P], 2)
        whole_KxP = f_KxHxN[:, open_H].sum(axis=2)
    z, f, error = zip(*kept, strict=True)
    return Panels(np.concatenate([one.ravel() for one in z]), flat(f), flat(error), finite_to)


def flat(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Put values on panels together: several [K, P, N] -> [K, N].

    >>> flat([np.zeros((2, 3, 4)), np.zeros((2, 1, 4))]).shape
    (2, 16)
    """
    return np.hstack([part.reshape(len(part), -1) for part in parts])


def values(components: Components, left_P: np.ndarray, width_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate on panels: nodes [P, N], and values times weights [K, P, N].

    >>> _, weighted = values(lambda z: z[None] ** 3, np.array([0.0]), np.array([2.0]))
    >>> round(float(weighted.sum()), 12)
    4.0
    """
    z_PxN = left_P[:, None] + width_P[:, None] * (NODES + 1.0) / 2.0
    with np.errstate(over="ignore", invalid="ignore"):
        f_KxPxN = np.array(components(z_PxN.ravel()), np.float64).reshape(-1, *z_PxN.shape)
        return z_PxN, f_KxPxN * (width_P[:, None] / 2.0 * WEIGHTS)


def outermost(variance: float) -> int:
    """Return k such that |z| < 2^k holds all of a normal of a variance that floating-point numbers can tell from 0.

    >>> outermost(1.0)
    6
    """
    return int(np.ceil(np.log2(REACH * np.sqrt(variance))))


def ring(components: Components, k: int) -> Panels:
    """Resolve 2^(k−1) ≤ |z| < 2^k.

    >>> round(float(ring(lambda z: z[None] ** 2, 1).f_KxN.sum()), 12) == round(14 / 3, 12)
    True
    """
    width = 2.0**k / 4.0
    return resolve(components, width * np.array([2.0, 3.0, -3.0, -4.0]), np.full(4, width))


def core(components: Components, k: int) -> Panels:
    """Resolve |z| < 2^k.

    >>> round(float(core(lambda z: z[None] ** 2, 1).f_KxN.sum()), 12) == round(16 / 3, 12)
    True
    """
    return resolve(components, np.array([0.0, -(2.0**k)]), np.full(2, 2.0**k))


def innermost(k: int) -> int:
    """Return j such that the core |z| < 2^j is narrow among |z| < 2^k, and beside 1: what happens about 0 is seen.

    >>> innermost(6), innermost(40)
    (-14, 0)
    """
    return min(k - RINGS, 0)


def joined(parts: list[Panels]) -> Panels:
    """Put panels together."""
    return Panels(
        np.concatenate([part.z_N for part in parts]),
        np.hstack([part.f_KxN for part in parts]),
        np.hstack([part.error_KxN for part in parts]),
        min(part.finite_to for part in parts),
    )


def density(z_N: np.ndarray, variance_Q: np.ndarray) -> np.ndarray:
    """Compute e^(−z²/2q)/√(2πq), [Q, N].

    >>> density(np.zeros(1), np.array([1 / (2 * np.pi)])).round(12).tolist()
    [[1.0]]
    """
    q_Qx1 = variance_Q[:, None]
    return np.asarray(np.exp(-(z_N**2) / (2.0 * q_Qx1)) / np.sqrt(2.0 * np.pi * q_Qx1))
