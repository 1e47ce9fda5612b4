"""Networks that share their first layers: what was computed of one depth serves every other.

Wide networks of one activation, initialiser and data differ in nothing but how many layers are taken.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

Result = TypeVar("Result")
Parameters = tuple[float, float, float]
"""σ_w², mean and standard deviation of the biases, of one layer."""

kept: "dict[str, tuple[Any, Chain[Any]]]" = {}
"""Of each kind the last one: with many rows and layers each is most of what a process holds."""


class Chain(Generic[Result]):
    """Layers one after the other, as many as were asked for so far."""

    def __init__(self, begin: Any, step: Callable[[Any, Parameters, int], tuple[Any, Result]]) -> None:
        """Begin with a state; a step makes of it, of a layer's parameters and its place the next one, and a result."""
        self.begin, self.step = begin, step
        self.state, self.parameters, self.results = begin, list[Parameters](), list[Result]()

    def upto(self, parameters: Sequence[Parameters]) -> list[Result]:
        """Return the results of these layers; those that are known are not computed again.

        Args:
            parameters: of each layer, from the first.

        Returns:
            As many results.

        >>> Chain(0, lambda total, one, layer: (total + one[0], total + one[0])).upto([(1.0, 0.0, 0.0)] * 3)
        [1.0, 2.0, 3.0]
        """
        common = min(len(parameters), len(self.parameters))
        if list(parameters[:common]) != self.parameters[:common]:
            self.state, self.parameters, self.results = self.begin, [], []
        for layer in range(len(self.parameters), len(parameters)):
            self.state, result = self.step(self.state, parameters[layer], layer)
            self.parameters.append(parameters[layer])
            self.results.append(result)
        return self.results[: len(parameters)]


def chain(kind: str, key: Any, make: Callable[[], Chain[Result]]) -> Chain[Result]:
    """Return the chain of that kind and key, made where it is not the last one of its kind.

    Args:
        kind: of what there is one at a time.
        key: equal for chains that begin alike (``key_of``).
        make: makes it.

    Returns:
        The chain, with the results that it has so far.
    """
    if kind not in kept or kept[kind][0] != key:
        kept.pop(kind, None)  # before another is begun
        kept[kind] = key, make()
    return kept[kind][1]


def key_of(*values: Any) -> tuple[Any, ...]:
    """Make a key of plain values, arrays by their contents, functions with their filled-in parameters.

    >>> key_of(partial(round, ndigits=2), 1) == key_of(partial(round, ndigits=2), 1)
    True
    """
    return tuple(plain(value) for value in values)


def plain(value: Any) -> Any:
    """Return something hashable that is equal for equal values.

    >>> plain(np.zeros(2)) == plain(np.zeros(2)), plain(0.5)
    (True, 0.5)
    """
    if isinstance(value, np.ndarray):
        return value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, partial):
        return value.func, value.args, tuple(sorted(value.keywords.items()))
    return value
