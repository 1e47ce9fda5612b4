"""Looking at a function to find its shape: kinks, turning points, bounds, slopes far out (``flatness``: flat pieces).

Everything is computed in float64 on [−32, 32], with a few points far out for what happens at ±∞. The functions here
take any ``phi(z)`` with its parameters filled in.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from math import inf
from types import MappingProxyType

import numpy as np

from actlab.activations.base import slope
from actlab.activations.closed_form import Phi
from actlab.later import Array, jax

REACH = 32.0
CELLS = 2048
BLOCK = CELLS + 1
# A third of a cell off zero: then no kink at a round number falls on a cell's edge, where φ' is only a convention.
EDGES = np.linspace(-REACH, REACH, CELLS + 1) + REACH / CELLS / 3.0
FAR = 10.0 ** np.linspace(5.9, 6.1, 9)  # nine points, lest a periodic function be caught at a zero
NOISE, JUMP = 1e-12, 1e-6  # shares of a function's size: what rounding leaves, and the least that counts as a jump
PER_UNIT = round(CELLS / (2.0 * REACH))  # cells
USUAL = 4.0  # |z| of nearly all preactivations


def derivatives(phi: Phi, order: int, z: Array, parameters: Mapping[str, Array | float]) -> list[Array]:
    """Return φ, φ', ..., up to an order, by forward-mode automatic differentiation.

    >>> [float(d[0]) for d in derivatives(lambda z: z**3, 2, jax.numpy.array([2.0]), {})]
    [8.0, 12.0, 12.0]
    """
    functions: list[Phi] = [partial(phi, **parameters)]
    for _ in range(order):
        functions.append(slope(functions[-1]))
    return [f(z) for f in functions]


def evaluate(
    phi: Phi, z: np.ndarray, order: int = 1, parameters: Mapping[str, float] = MappingProxyType({})
) -> np.ndarray:
    """Evaluate ``derivatives`` in float64, [order + 1, N], in blocks of one size: a function is compiled once.

    Args:
        phi: the function.
        z: points [N].
        order: of the last derivative.
        parameters: those that are not filled in: other values of them compile nothing.

    >>> evaluate(jax.numpy.square, np.array([3.0])).tolist()
    [[9.0], [6.0]]
    """
    blocks = []
    with jax.enable_x64(True):
        for begin in range(0, len(z), BLOCK):
            block = z[begin : begin + BLOCK]
            padded = block if len(block) == BLOCK else np.pad(block, (0, BLOCK - len(block)), mode="edge")
            values = compiled_derivatives()(phi, order, padded, dict(parameters))
            blocks.append(np.stack([np.asarray(d) for d in values])[:, : len(block)])
    return np.concatenate(blocks, axis=1)


@lru_cache(maxsize=1)
def compiled_derivatives() -> Callable[..., list[Array]]:
    """Compile ``derivatives`` for each function and order."""
    return jax.jit(derivatives, static_argnums=(0, 1))


def negligible(values: np.ndarray, share: float = NOISE) -> np.ndarray:
    """Return below what a number of a function [CELLS + 1], at ``EDGES``, is nothing: a share of how large they are.

    How large they are within one unit of z, and where z is ordinary: far out a saturating function has only noise.

    >>> float(negligible(EDGES)[0].round(14)), float(negligible(1e6 * EDGES)[0].round(8))
    (3.199e-11, 3.199e-05)
    """
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(size, PER_UNIT, mode="edge"), 2 * PER_UNIT + 1).max(axis=1)
    return np.asarray(share * np.maximum(around, size[np.abs(EDGES) <= USUAL].max()))


def find_kinks(phi: Phi, highest: int = 3) -> tuple[tuple[float, ...], str]:
    """Find where φ to φ''' jump, and the class that follows: discontinuous, C0, C1, C2 or C∞ (no jump up to φ''').

    With another ``highest`` derivative than the third, C∞ is what shows no jump up to that one.

    Each cell is halved 40 times, always keeping the half with the larger difference between its ends: a smooth
    function's difference shrinks away against its size, that of |z|^1.5 slowly, a jump's does not. Where φ'' grows
    without bound on both sides of a jump of φ''', as of |z|^1.5, that is one of φ'' too; likewise φ'.

    >>> find_kinks(lambda z: jax.numpy.abs(z - 1.0)), find_kinks(jax.numpy.exp)
    (((1.0,), 'C0'), ((), 'C∞'))
    """
    kinks: list[float] = []
    smoothness = "C∞"
    at_edges = evaluate(phi, EDGES, order=highest)
    for order in range(highest, -1, -1):
        left, right = EDGES[:-1], EDGES[1:]
        least = negligible(at_edges[order], JUMP)
        at_left, at_right = at_edges[order][:-1], at_edges[order][1:]
        halfway = np.zeros(CELLS)
        for halving in range(40):
            if halving == 20:
                halfway = np.abs(at_right - at_left)
            middle = (left + right) / 2.0
            at_middle = evaluate(phi, middle, order=highest)[order]
            lower = np.abs(at_middle - at_left) >= np.abs(at_right - at_middle)
            left, at_left = np.where(lower, left, middle), np.where(lower, at_left, at_middle)
            right, at_right = np.where(lower, middle, right), np.where(lower, at_middle, at_right)
        jump = np.abs(at_right - at_left)
        jumps = right[(jump > np.maximum(least[:-1], least[1:])) & (jump > 0.9 * halfway)]
        if len(jumps) or any(unbounded(phi, order, z, highest) for z in kinks):
            kinks.extend(jumps.round(9) + 0.0)
            smoothness = f"C{order - 1}" if order else "discontinuous"
    return tuple(float(z) for z in sorted(set(kinks))), smoothness


def unbounded(phi: Phi, order: int, z: float, highest: int = 3) -> bool:
    """Whether a derivative, one up to the highest that is compiled, grows without bound towards z.

    >>> unbounded(lambda z: abs(z) ** 1.5, 2, 0.0), unbounded(jax.numpy.square, 2, 0.0)
    (True, False)
    """
    near, nearer = np.abs(evaluate(phi, z + np.array([-1e-5, 1e-5, -1e-8, 1e-8]), order=highest)[order]).reshape(2, 2)
    return bool((nearer > 1.2 * near + NOISE).all())


def turning_points(phi: Phi) -> list[float]:
    """Find where φ' changes its sign.

    >>> [round(z, 6) for z in turning_points(lambda z: (z - 0.1) ** 2)]
    [0.1]
    """
    at_edges = evaluate(phi, EDGES)[1]
    least = negligible(at_edges)[:-1]

    def sign(slopes: np.ndarray) -> np.ndarray:
        return np.where(np.abs(slopes) > least, np.sign(slopes), 0.0)

    left, right = EDGES[:-1], EDGES[1:]
    before, after = sign(at_edges[:-1]), sign(at_edges[1:])
    turns = before * after < 0
    for _ in range(50):
        middle = (left + right) / 2.0
        passed = np.sign(evaluate(phi, middle)[1]) != before
        left, right = np.where(passed, left, middle), np.where(passed, middle, right)
    return [float(z) for z in (right[turns].round(12) + 0.0)]


def bounds(phi: Phi, turning: list[float], flat: list[tuple[float, float]]) -> tuple[float, float, bool, bool]:
    """Find inf φ, sup φ, and whether each is attained: where φ turns or is flat it is, elsewhere it is only approached.

    >>> bounds(jax.numpy.tanh, [], [])[2:]
    (False, False)
    """
    near = evaluate(phi, EDGES)[0]
    far = evaluate(phi, np.concatenate([-FAR, FAR]))[0]
    reached = np.array([*turning, *(a if np.isfinite(a) else b for a, b in flat)])
    at = evaluate(phi, reached)[0] if len(reached) else reached
    values = np.concatenate([near, far, at])
    span = 0.3 * (near.max() - near.min())
    low = -inf if far.min() < near.min() - span else float(values.min())
    high = inf if far.max() > near.max() + span else float(values.max())

    def attained(end: float) -> bool:
        return bool(np.isfinite(end) and (np.abs(at - end) <= NOISE * max(1.0, abs(end))).any())

    return low, high, attained(low), attained(high)


def steepest(phi: Phi) -> float:
    """Find sup |φ'|; ∞ where it grows without bound.

    >>> round(steepest(jax.numpy.sin), 9), steepest(jax.numpy.square)
    (1.0, inf)
    """
    far = float(np.abs(evaluate(phi, np.concatenate([-FAR, FAR]))[1]).max())
    z, best = EDGES, 0.0
    for _ in range(4):
        slopes = np.abs(evaluate(phi, z)[1])
        best = max(best, float(slopes.max()))
        z = z[slopes.argmax()] + 2.0 * (z[1] - z[0]) * EDGES / REACH
    return inf if far > 1.5 * best else max(best, far)


def vanishing_sides(phi: Phi) -> tuple[bool, bool]:
    """Whether φ' → 0 as z → −∞ and as z → ∞: at ±10⁶ at most a tenth of what it is at ±10⁴, where it is a number.

    >>> vanishing_sides(jax.numpy.arctan), vanishing_sides(lambda z: jax.numpy.where(z > 0, z, 0.01 * z))
    ((True, True), (False, False))
    """
    z = np.stack([-FAR, -FAR / 100.0, FAR, FAR / 100.0])
    slopes = np.abs(evaluate(phi, z.ravel())[1]).reshape(z.shape).max(axis=1)
    vanishing = np.isfinite(slopes[::2]) & (slopes[::2] <= 0.1 * slopes[1::2])
    return bool(vanishing[0]), bool(vanishing[1])
