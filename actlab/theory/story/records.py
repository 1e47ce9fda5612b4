"""What a row of the story is: words, derivations, and for each step the numbers that the catalogue's function gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from actlab.activations import CATALOGUE
from actlab.activations.cost import operations
from actlab.activations.inspect import evaluate
from actlab.activations.properties import value_and_pullback
from actlab.theory.gaussian import GaussianMoments, moments_at, weak_threshold


@dataclass(frozen=True)
class Number:
    """A number that a statement rests on, computed, beside what the statement says of it.

    Attributes:
        what: what was computed.
        computed: from the catalogue's own function.
        stated: what it equals, or is bounded by.
        relation: how the two compare: ``=`` (within the tolerance), ``≤``, ``≥``, ``<`` or ``>``.
        tolerance: the largest difference that counts as equal.

    >>> Number("the largest slope", 0.25, 0.25).holds, Number("the largest slope", 0.26, 0.25, "≤").holds
    (True, False)
    """

    what: str
    computed: float
    stated: float
    relation: str = "="
    tolerance: float = 1e-9

    @property
    def holds(self) -> bool:
        """Whether the statement is true of the computed number; a NaN makes none true."""
        a, b = self.computed, self.stated
        return {
            "=": abs(a - b) <= self.tolerance,
            "≤": a <= b,
            "≥": a >= b,
            "<": a < b,
            ">": a > b,
        }[self.relation]


Numbers = Callable[[], tuple[Number, ...]]


@dataclass(frozen=True)
class Step:
    """A step of a derivation.

    Attributes:
        why: what is done, in words.
        latex: what follows, in LaTeX.
        text: the same in Unicode, lines of at most 74 characters.
        numbers: computes what the step states; None for a definition.
    """

    why: str
    latex: str
    text: str
    numbers: Numbers | None = None


@dataclass(frozen=True)
class Correction:
    """Something that is widely said and is loose or wrong, what holds instead, and the numbers that this rests on."""

    said: str
    holds: str
    numbers: Numbers | None = None


@dataclass(frozen=True)
class Row:
    """An activation's row of the table; its formula is the catalogue's.

    Attributes:
        name: the activation.
        comparison: beside what came before it.
        problem: that it has.
        solution: what is said to solve that.
        fact: what the derivation ends in, in one line.
        steps: from the definition to that fact.
        corrections: of what is widely said of it.
        claims: {id: what is said}, for an experiment to decide.
    """

    name: str
    comparison: str
    problem: str
    solution: str
    fact: str
    steps: tuple[Step, ...]
    corrections: tuple[Correction, ...] = ()
    claims: Mapping[str, str] = field(default_factory=dict)


GRID = np.linspace(-30.0, 30.0, 1501)  # 0 is among them, and steps of .04


def value(name: str, z: np.ndarray | float, **parameters: float) -> np.ndarray:
    """Compute φ(z) in float64, at points [N] or at one.

    >>> value("relu", -1.0).tolist()
    [0.0]
    """
    return both(name, z, parameters)[0]


def slope(name: str, z: np.ndarray | float, **parameters: float) -> np.ndarray:
    """Compute φ'(z) in float64, at points [N] or at one; at a kink it is the catalogue's convention.

    >>> slope("relu", 0.0).tolist()
    [0.0]
    """
    return both(name, z, parameters)[1]


def both(name: str, z: np.ndarray | float, parameters: Mapping[str, float]) -> np.ndarray:
    """Compute φ and φ' [2, N]; other parameters compile nothing."""
    record = CATALOGUE[name]
    return evaluate(record.exact, np.atleast_1d(np.asarray(z, np.float64)), 1, {**record.parameters, **parameters})


def at(name: str, z: float, **parameters: float) -> float:
    """Compute φ at one point."""
    return float(value(name, z, **parameters)[0])


def slope_at(name: str, z: float, **parameters: float) -> float:
    """Compute φ' at one point."""
    return float(slope(name, z, **parameters)[0])


def moments(name: str, q: float = 1.0, **parameters: float) -> GaussianMoments:
    """Compute the Gaussian moments at √q Z, Z standard normal."""
    return moments_at(phi(name, **parameters), q)


def mean(name: str, q: float = 1.0, **parameters: float) -> float:
    """Compute E φ(√q Z)."""
    return moments(name, q, **parameters).mean


def square(name: str, q: float = 1.0, **parameters: float) -> float:
    """Compute E φ(√q Z)²."""
    return moments(name, q, **parameters).second_moment


def slope_square(name: str, q: float = 1.0, **parameters: float) -> float:
    """Compute E φ'(√q Z)²."""
    return moments(name, q, **parameters).slope_second_moment


def phi(name: str, **parameters: float) -> Callable[..., Any]:
    """Return an activation of the catalogue as measures take it, at its default or other parameters."""
    record = CATALOGUE[name]
    return partial(record.exact, **{**record.parameters, **parameters})


def weak_slope(name: str) -> float:
    """Compute the slope up to which a unit counts as weak: .05·√E φ'(Z)²."""
    return weak_threshold(phi(name))


def decades(chi: float) -> float:
    """What a layer that multiplies squared norms by χ does to a norm, in decades: ½ log₁₀ χ.

    >>> decades(0.01)
    -1.0
    """
    return 0.5 * float(np.log10(chi))


def largest(x: np.ndarray) -> float:
    """Return the largest absolute value."""
    return float(np.abs(x).max())


def cost(name: str, training: bool = False) -> int:
    """Count an activation's weighted operations for one element (see ``activations.cost``).

    Args:
        name: the activation.
        training: with those of φ' and its product with an incoming gradient.

    >>> cost("relu"), cost("relu", training=True)
    (2, 5)
    """
    record = CATALOGUE[name]
    trained = partial(record.function, **record.parameters)
    return operations(partial(value_and_pullback, trained), arguments=2) if training else operations(trained)
