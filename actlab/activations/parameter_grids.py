"""φ and φ' over a grid of its parameters: what a page with a slider for each of them shows.

The grid holds the value that the activation has. All is computed in float64, φ' through the record's closed form.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from actlab.activations.base import Activation
from actlab.activations.inspect import evaluate
from actlab.later import jax, jnp

NARROW, WIDE, SPACING = 6.0, 8.0, 0.1  # |z| of a graph, the second where a kink lies beyond 4
MOST = (101, 21, 7, 5, 3, 3)
"""So many values of each parameter at most, where there are one, two, ... of them."""
TIMES, LEAST = 5.0, 1e-3  # a jump is so many times its neighbours, and such a share of the largest value
FINER = 16  # points for one of a graph, to see where it jumps: no dearer, as `evaluate` fills its blocks
STEPS = (1.0, 2.0, 2.5, 5.0)  # times powers of ten


@dataclass(frozen=True)
class Slider:
    """The values that a parameter takes on a page: ``low``, ``low + step``, …, ``high``; its own ``value`` among them.

    >>> Slider(0.0, 1.0, 0.5, 0.5).values
    [0.0, 0.5, 1.0]
    """

    low: float
    high: float
    step: float
    value: float

    @property
    def values(self) -> list[float]:
        """All of them, rounded to what is shown."""
        return [round(self.low + i * self.step, 9) + 0.0 for i in range(round((self.high - self.low) / self.step) + 1)]


@dataclass(frozen=True)
class Curve:
    """φ and φ' at some values of the parameters.

    Attributes:
        parameters: {parameter: value}.
        value, derivative: at the grid's points [N]; NaN where they are no numbers.
        jumps: of the two, the positions i before which they jump: between points i − 1 and i.
        flat: the stretches on which φ is constant by definition, (from, to), cut at the grid's ends.
    """

    parameters: Mapping[str, float]
    value: np.ndarray
    derivative: np.ndarray
    jumps: tuple[list[int], list[int]]
    flat: tuple[tuple[float, float], ...]


def points(kinks: Iterable[float]) -> np.ndarray:
    """Return the z of a graph [N]: kinks at round numbers are hit exactly, and all are well inside.

    >>> points([0.0])[[0, 1, -1]].tolist(), points([0.0, 6.0])[-1].item()
    ([-6.0, -5.9, 6.0], 8.0)
    """
    reach = WIDE if max(map(abs, kinks), default=0.0) > 4.0 else NARROW
    return np.linspace(-reach, reach, 2 * round(reach / SPACING) + 1).round(9) + 0.0


def interesting(value: float, given: tuple[float, float] | None) -> tuple[float, float]:
    """Choose the range of a slider: what the record says of the parameter, made wider where its value lies outside.

    Where it says nothing, from 0 to four times the value; of a value of 0 from −2 to 2.

    >>> interesting(0.25, None), interesting(-1.0, None), interesting(0.0, None), interesting(5.0, (0.0, 3.0))
    ((0.0, 1.0), (-4.0, 0.0), (-2.0, 2.0), (0.0, 5.0))
    """
    low, high = given or (min(0.0, 4.0 * value), max(0.0, 4.0 * value))
    return (min(low, value), max(high, value)) if low < high else (-2.0, 2.0)


def slider(value: float, ends: tuple[float, float], most: int) -> Slider:
    """Lay a grid over a range: of the finest step of 1, 2, 2.5 or 5 · 10^k with few enough values that meets all three.

    Where no such step meets both ends and the value, the coarsest grid that has the value and stays between the ends.

    >>> slider(0.01, (0.0, 1.0), 101)
    Slider(low=0.0, high=1.0, step=0.01, value=0.01)
    >>> slider(0.8944, (0.0, 2.0), 21)
    Slider(low=0.0944, high=1.9944, step=0.1, value=0.8944)
    """
    low, high = ends
    finest = (high - low) / (most - 1)
    power = math.floor(math.log10(finest))
    steps = [one * 10.0**k for k in range(power, power + 3) for one in STEPS if one * 10.0**k >= finest * (1 - 1e-9)]
    for step in steps:
        if all(abs(x / step - round(x / step)) < 1e-6 for x in (high - low, value - low)) and step <= (high - low) / 2:
            return Slider(low, high, step, value)
    step = steps[0]
    below, above = (math.floor(distance / step + 1e-9) for distance in (value - low, high - value))
    return Slider(round(value - below * step, 9) + 0.0, round(value + above * step, 9) + 0.0, step, value)


def sliders(record: Activation) -> dict[str, Slider]:
    """Give each parameter its slider: the first six, as the curves of all combinations are computed beforehand.

    >>> from actlab.activations import CATALOGUE
    >>> sliders(CATALOGUE["prelu"])["alpha"].values[:3], sliders(CATALOGUE["relu"])
    ([-0.5, -0.475, -0.45], {})
    """
    names = list(record.parameters)[: len(MOST)]
    return {
        name: slider(
            record.parameters[name],
            interesting(record.parameters[name], record.ranges.get(name)),
            MOST[len(names) - 1],
        )
        for name in names
    }


def curves(record: Activation, z: np.ndarray, over: Mapping[str, Slider]) -> Iterator[Curve]:
    """Compute φ and φ' at each combination of the sliders' values; one is compiled for all.

    Args:
        record: of the catalogue, or a user's own.
        z: points [N], as ``points`` returns them.
        over: what ``sliders`` returns.

    >>> from actlab.activations import CATALOGUE
    >>> [curve] = curves(CATALOGUE["relu"], np.array([-1.0, 0.0, 2.0]), {})
    >>> curve.value.tolist(), curve.derivative.tolist(), curve.jumps, curve.flat
    ([0.0, 0.0, 2.0], [0.0, 0.0, 1.0], ([], [2]), ((-1.0, 0.0),))
    """
    fine = np.interp(np.arange(FINER * (len(z) - 1) + 1) / FINER, np.arange(len(z)), z)
    for values in itertools.product(*(one.values for one in over.values())):
        parameters = {**record.parameters, **dict(zip(over, values, strict=True))}
        finely = evaluate(record.exact, fine, 1, parameters)
        value, derivative = np.where(np.isfinite(finely), finely, np.nan)[:, ::FINER]
        with jax.enable_x64(True):
            flat = np.broadcast_to(np.asarray(record.flat(jnp.asarray(z), **parameters)), z.shape)
        jumps = jumps_of(finely[0]), jumps_of(finely[1])
        yield Curve(dict(zip(over, values, strict=True)), value, derivative, jumps, stretches(z, flat))


def jumps_of(finely: np.ndarray) -> list[int]:
    """Find the points of a graph before which a curve jumps: where one step is far larger than its neighbours.

    Args:
        finely: the curve at ``FINER`` points for each one of the graph, and the last.

    >>> jumps_of(np.repeat([0.0, 1.0], [FINER + 1, FINER])), jumps_of(np.linspace(0.0, 1.0, 2 * FINER + 1))
    ([2], [])
    """
    steps = np.abs(np.diff(finely))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(np.nan_to_num(steps), 2), 5)
    least = LEAST * np.abs(finely[np.isfinite(finely)]).max(initial=0.0)
    jumps = steps > TIMES * np.maximum(around[:, [0, 1, 3, 4]].max(axis=1), least)
    return sorted({int(i) // FINER + 1 for i in np.flatnonzero(jumps)})


def stretches(z: np.ndarray, holds: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Find where something holds at two neighbouring points or more.

    >>> stretches(np.arange(5.0), np.array([True, True, False, True, False]))
    ((0.0, 1.0),)
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]]).astype(int)))
    return tuple(
        (float(z[begin]), float(z[end - 1])) for begin, end in edges.reshape(-1, 2).tolist() if end - begin > 1
    )
