"""Functions that are one and the same under two names: found by their values, whatever they are written as."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from actlab.activations.base import CATALOGUE, Activation
from actlab.activations.closed_form import Phi
from actlab.activations.inspect import EDGES, evaluate
from actlab.later import jax
from actlab.naming import listed
from actlab.notation import ALWAYS, AT_FIRST, COMPARED_ON

ALIKE = 1e-6
"""How far values may differ, relative to their size or to 1: more than constants of seven digits and float32 do."""
FIRST = np.array([-7.3, -2.1, -0.9, -0.2, 0.3, 1.7, 5.9])
BEGIN = "computes the same values as "


def twins(record: Activation, among: Mapping[str, Activation] | None = None) -> dict[str, str]:
    """Find the functions that compute the same values as one does, and the same slopes, all at their parameters.

    Both are compared at 2,049 points of [−32, 32], none of them a round number, where kinks are and a slope is only a
    convention: |a − b| ≤ ``ALIKE`` max(1, |a|).

    Args:
        record: the function.
        among: those that it is compared with, by name; by default the catalogue.

    Returns:
        {name: ``ALWAYS``, or ``AT_FIRST`` where a learned parameter begins at such a value}.

    >>> known = {name: CATALOGUE[name] for name in ("relu", "gelu", "gelu_tanh")}
    >>> twins(Activation("mine", jax.nn.gelu, jax.nn.gelu, jax.grad(jax.nn.gelu)), known)
    {'gelu_tanh': 'always'}
    """
    others = CATALOGUE.records if among is None else among
    phi, found = at_defaults(record), None
    (own,), each = at_a_few((phi,)), at_a_few(tuple(map(at_defaults, others.values())))
    out = {}
    for (name, other), first in zip(others.items(), each, strict=True):
        if alike(own, first):
            found = evaluate(phi, EDGES) if found is None else found
            if alike(found, evaluate(at_defaults(other), EDGES)):
                out[name] = AT_FIRST if record.learnable or other.learnable else ALWAYS
    return out


def at_defaults(record: Activation) -> Phi:
    """Fill the parameters of a function in."""
    return partial(record.function, **record.parameters)


def at_a_few(functions: Sequence[Phi]) -> list[np.ndarray]:
    """Compute functions at ``FIRST``, which tells nearly all of them apart; in one program, for these are many."""
    with jax.enable_x64(True):
        return [np.asarray(one) for one in jax.jit(lambda z: [phi(z) for phi in functions])(FIRST)]


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether numbers agree as far as ``ALIKE`` asks; what is not a number agrees with nothing."""
    return bool((np.abs(a - b) <= ALIKE * np.maximum(1.0, np.abs(a))).all())


def said(same: Mapping[str, str], write: Callable[[str], str] = str) -> str:
    """Put in words of which functions one computes the values; empty where of none.

    Args:
        same: from ``twins``.
        write: writes a name.

    >>> said({"swish": "at first", "silu": "always"})
    'computes the same values as swish, silu on [−32, 32], derivative included, where learned parameters begin'
    """
    if not same:
        return ""
    begin = ", where learned parameters begin" if AT_FIRST in same.values() else ""
    return f"{BEGIN}{listed(map(write, same))} on {COMPARED_ON}, derivative included{begin}"
