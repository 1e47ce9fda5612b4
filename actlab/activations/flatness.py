"""Where an activation is constant by definition: found by looking, at the parameters in force.

What a record declares as ``flat`` needs no looking: it is a function of the parameters. What a user's function does not
declare is looked for, in float64, at the very parameters of each run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np

from actlab.activations.closed_form import Phi
from actlab.activations.inspect import NOISE, REACH, evaluate
from actlab.later import Array, jnp

Pieces = tuple[tuple[float, float], ...]
"""Closed intervals, from the left to the right."""

MOST_PIECES = 64
"""How many pieces a run's numbers have room for."""

FARTHEST = 1e7
# Cells of 1/256 on [-32, 32], and geometric ones towards 0 and far out: of a flat piece two points must be seen. All a
# third of a cell off round numbers, where kinks are, and φ' is only a convention.
NEAR = np.linspace(-REACH, REACH, 2**14 + 1) + REACH / 2**14 / 3.0
TAIL = np.concatenate([np.geomspace(1e-7, 1.0, 1023), np.geomspace(REACH, FARTHEST, 1023)]) * (1.0 + 1e-5 / 3.0)
POINTS = np.unique(np.concatenate([NEAR, TAIL, -TAIL]))
ORDINARY_SLOPE = 1e-4
NEAR_0 = 0.01
OUTSIDE = 1e-3  # how far from its end a slope must not be tiny; of an end near 0 that is not 0, nearer


def flat_intervals(phi: Phi, parameters: Mapping[str, float] | None = None) -> list[tuple[float, float]]:
    """Find the closed intervals on which φ' is 0 by definition: φ is constant on each, or a staircase.

    >>> flat_intervals(lambda z: jnp.where(z > 0, z, 0.0)), flat_intervals(jnp.tanh)
    ([(-inf, 0.0)], [])
    """
    return zero_slopes(phi, parameters)[0]


def zero_slopes(
    phi: Phi, parameters: Mapping[str, float] | None = None
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Find the intervals on which φ' is 0: those where it is by definition, and those of which that cannot be told.

    φ' is exactly 0 there. It also is where it underflows, but then it was already tiny just before.

    Args:
        phi: the activation.
        parameters: those that are not filled in.
    """
    given = parameters or {}

    def slopes_at(z: np.ndarray) -> np.ndarray:
        return evaluate(phi, z, parameters=given)[1]

    slopes = slopes_at(POINTS)
    zero = np.concatenate([[0], (slopes == 0).astype(int), [0]])
    first, last = np.flatnonzero(np.diff(zero) == 1), np.flatnonzero(np.diff(zero) == -1) - 1
    first, last = first[last > first], last[last > first]
    if not len(first):
        return [], []
    end = len(POINTS) - 1
    inside = np.concatenate([POINTS[first], POINTS[last]])
    outside = np.concatenate([POINTS[np.maximum(first - 1, 0)], POINTS[np.minimum(last + 1, end)]])
    for _ in range(60):  # all ends at once
        middle = (inside + outside) / 2.0
        still = slopes_at(middle) == 0
        inside, outside = np.where(still, middle, inside), np.where(still, outside, middle)
    low, high = np.split(rounded(outside), 2)
    low, high = np.where(first == 0, -inf, low), np.where(last == end, inf, high)
    by_definition, doubtful = np.ones(len(low), bool), np.zeros(len(low), bool)
    for ends, side in ((low, -1.0), (high, 1.0)):
        finite = np.isfinite(ends)
        at = np.where(finite, ends, 0.0)
        distance = np.where(at == 0, OUTSIDE, np.minimum(OUTSIDE, 0.01 * np.abs(at)))
        beyond = np.abs([slopes_at(at + side * distance * part) for part in (0.1, 1.0)]).max(axis=0)
        at_once = beyond > NOISE * usual_size(slopes)
        near_0 = (at != 0) & (np.abs(at) < NEAR_0)
        doubtful |= finite & near_0 & ~at_once & rises_from(slopes_at, at, side, np.ones_like(at))
        by_definition &= ~finite | at_once | rises_from(slopes_at, at, side, np.where(at == 0, 1.0, 0.1 * np.abs(at)))

    def listed(which: np.ndarray) -> list[tuple[float, float]]:
        return [(float(a), float(b)) for a, b in zip(low[which], high[which], strict=True)]

    return listed(by_definition), listed(doubtful & ~by_definition)


def rises_from(
    slopes_at: Callable[[np.ndarray], np.ndarray], ends: np.ndarray, side: float, reach: np.ndarray
) -> np.ndarray:
    """Whether φ' is ordinary within some reach of each end, however smoothly it rises.

    Of z⁵ it is tiny near 0 and ordinary a tenth on: 0 by definition then. Where it underflows, it is still next to
    nothing a tenth of the way farther in: a Gaussian's is 10⁻²⁶⁰ there. Next to 0 the two cannot be told apart:
    exp(−1/z) underflows at 1/745, and so does a function as steep as tanh(10⁵·z).
    """
    farther = np.abs([slopes_at(ends + side * reach * part) for part in (0.1, 0.3, 1.0)])
    return np.nan_to_num(farther, nan=0.0, posinf=np.inf).max(axis=0) > ORDINARY_SLOPE


def usual_size(slopes: np.ndarray) -> float:
    """Return how large φ' at ``POINTS`` is: at most; near 0, where it grows without bound.

    >>> round(usual_size(np.cos(POINTS)), 3), round(usual_size(POINTS**2), 1)
    (1.0, 16.0)
    """
    size = np.where(np.isfinite(slopes), np.abs(slopes), 0.0)
    nearby, near, far = (size[np.abs(POINTS) <= reach].max() for reach in (4.0, REACH, np.inf))
    return float(nearby if nearby > 0 and far > 10.0 * near else far)


def rounded(z: np.ndarray) -> np.ndarray:
    """Round to twelve significant digits, at most nine after the point: a bound that was found by halving is a number.

    >>> rounded(np.array([0.30000000000000016, -1e-12])).tolist()
    [0.3, 0.0]
    """
    return np.array([float(f"{x:.12g}") for x in z]).round(9) + 0.0


class FoundFlat:
    """``flat(z, **parameters)`` of a function that does not declare it: found by looking, at the parameters given.

    >>> flat = FoundFlat(lambda z, *, theta=1.0: jnp.where(z > theta, z, 0.0), {"theta": 1.0}, ())
    >>> flat(jnp.array([0.5, 2.0, 4.0])), flat.pieces({"theta": 3.0})
    (Array([ True, False, False], dtype=bool), ((-inf, 3.0),))
    """

    def __init__(self, phi: Phi, defaults: Mapping[str, float], learnable: tuple[str, ...]) -> None:
        """Look at nothing yet.

        Args:
            phi: the activation.
            defaults: of its parameters.
            learnable: those that training may change.
        """
        self.phi, self.defaults, self.learnable = phi, dict(defaults), learnable
        self._pieces = lru_cache(maxsize=1024)(self._look)

    def pieces(self, parameters: Mapping[str, float]) -> Pieces | None:
        """Return the flat pieces at some parameters; None where they cannot be known (see ``why_unknown``)."""
        found, unknown = self._pieces(tuple(sorted({**self.defaults, **parameters}.items())))
        return None if unknown else found

    def why_unknown(self, parameters: Mapping[str, float]) -> str:
        """Say why the pieces cannot be known, and what to declare; empty where they are known."""
        return self._pieces(tuple(sorted({**self.defaults, **parameters}.items())))[1]

    def __call__(self, z: Array, /, **parameters: Any) -> Array:
        """Whether φ is flat at each z; at parameters that are plain numbers."""
        given = {**self.defaults, **{name: float(value) for name, value in parameters.items()}}
        return within(z, self._pieces(tuple(sorted(given.items())))[0])

    def _look(self, parameters: tuple[tuple[str, float], ...]) -> tuple[Pieces, str]:
        """Find the pieces, and why they are not those of a whole training, if they are not."""
        given = dict(parameters)
        certain, doubtful = zero_slopes(self.phi, given)
        found = tuple(certain)
        if doubtful:
            low, high = doubtful[0]
            return (
                found,
                f"whether it is flat on [{low:.3g}, {high:.3g}] or underflows there cannot be told; {self._remedy()}",
            )
        if len(found) > MOST_PIECES:
            return found, f"it has {len(found)} flat pieces; a run has room for {MOST_PIECES}; {self._remedy()}"
        for name, value in self._elsewhere(given):
            there = flat_intervals(self.phi, {**given, name: value})
            if not np.array_equal(found, there):
                moved = f"where it is flat moves with {name}, which is learned"
                return found, f"{moved}; {self._remedy()}"
        return found, ""

    def _elsewhere(self, given: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        """Yield values that a learned parameter may come to have, where the function is finite: none that is special.

        A set that is there at one value alone, as the left half of a leaky ReLU at slope 0, does not count as moving
        for a start elsewhere: training does not hit it.
        """
        for name in self.learnable:
            start = given[name]
            for value in (start + 0.0173, start - 0.0173, 1.37 * start + 0.61, -1.19 * start - 0.83):
                if np.isfinite(evaluate(self.phi, ORDINARY, parameters={**given, name: value})).all():
                    yield name, value

    def _remedy(self) -> str:
        """Say what to declare."""
        arguments = ", ".join(
            ["z", *(["*"] if self.defaults else []), *(f"{k}={v:g}" for k, v in self.defaults.items())]
        )
        return f"declare it: @actlab.activation(..., flat=lambda {arguments}: ...), true where it is constant"


ORDINARY = np.array([-3.0137, -1.0137, -0.1137, 0.1137, 1.0137, 3.0137])


def within(z: Array, intervals: Pieces) -> Array:
    """Whether each z lies in one of the pieces.

    >>> within(jnp.array([-1.0, 1.0]), ((-inf, 0.0),))
    Array([ True, False], dtype=bool)
    """
    flat = jnp.zeros(jnp.shape(z), bool)
    for low, high in intervals:
        flat |= (z >= low) & (z <= high)
    return flat
