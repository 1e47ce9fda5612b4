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
NOISE = 1e-12


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
            padded = np.pad(block, (0, BLOCK - len(block)), mode="edge")
            values = compiled_derivatives()(phi, order, padded, dict(parameters))
            blocks.append(np.stack([np.asarray(d) for d in values])[:, : len(block)])
    return np.concatenate(blocks, axis=1)


@lru_cache(maxsize=1)
def compiled_derivatives() -> Callable[..., list[Array]]:
    """Compile ``derivatives`` for each function and order."""
    return jax.jit(derivatives, static_argnums=(0, 1))


def find_kinks(phi: Phi) -> tuple[tuple[float, ...], str]:
    """Find where φ', φ'' or φ''' jumps, and the smoothness class that follows: C0, C1, C2 or C∞ (no jump up to φ''').

    Each cell is halved 40 times, always keeping the half with the larger difference between its ends: a smooth
    function's difference shrinks away, a jump's does not.

    >>> find_kinks(lambda z: jax.numpy.abs(z - 1.0))
    ((1.0,), 'C0')
    """
    kinks: list[float] = []
    smoothness = "C∞"
    for order in (3, 2, 1):
        left, right = EDGES[:-1], EDGES[1:]
        at_left, at_right = (evaluate(phi, z, order=3)[order] for z in (left, right))
        for _ in range(40):
            middle = (left + right) / 2.0
            at_middle = evaluate(phi, middle, order=3)[order]
            lower = np.abs(at_middle - at_left) >= np.abs(at_right - at_middle)
            left, at_left = np.where(lower, left, middle), np.where(lower, at_left, at_middle)
            right, at_right = np.where(lower, middle, right), np.where(lower, at_middle, at_right)
        jumps = right[np.abs(at_right - at_left) > 1e-6]
        if len(jumps):
            kinks.extend(jumps.round(9) + 0.0)
            smoothness = f"C{order - 1}"
    return tuple(float(z) for z in sorted(set(kinks))), smoothness


def turning_points(phi: Phi) -> list[float]:
    """Find where φ' changes its sign.

    >>> [round(z, 6) for z in turning_points(lambda z: (z - 0.1) ** 2)]
    [0.1]
    """

    def sign(z: np.ndarray) -> np.ndarray:
        slopes = evaluate(phi, z)[1]
        return np.where(np.abs(slopes) > NOISE, np.sign(slopes), 0.0)

    left, right = EDGES[:-1], EDGES[1:]
    before, after = sign(left), sign(right)
    turns = before * after < 0
    for _ in range(50):
        middle = (left + right) / 2.0
        passed = sign(middle) != before
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
    low = -inf if far.min() < near.min() - 1.0 else float(values.min())
    high = inf if far.max() > near.max() + 1.0 else float(values.max())
    return low, high, bool((np.abs(at - low) < NOISE).any()), bool((np.abs(at - high) < NOISE).any())


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
    return inf if far > best + 1.0 else max(best, far)


def vanishing_sides(phi: Phi) -> tuple[bool, bool]:
    """Whether φ' → 0 as z → −∞ and as z → ∞: at ±10⁶ at most a tenth of what it is at ±10⁴.

    >>> vanishing_sides(jax.numpy.arctan), vanishing_sides(lambda z: jax.numpy.where(z > 0, z, 0.01 * z))
    ((True, True), (False, False))
    """
    z = np.stack([-FAR, -FAR / 100.0, FAR, FAR / 100.0])
    slopes = np.abs(evaluate(phi, z.ravel())[1]).reshape(z.shape).max(axis=1)
    return bool(slopes[0] <= 0.1 * slopes[1]), bool(slopes[2] <= 0.1 * slopes[3])
