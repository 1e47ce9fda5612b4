"""Layers that training leaves as they are: the first so many hidden layers of a run.

How many is a number of the run, so that no program is compiled for another. It is a choice between two arrays, so that
not even a NaN gets into a frozen layer. Such a choice moves last bits of what is chosen, so a program that freezes none
is without. Activation parameters alone are held in all layers by a program of its own, which moves none.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

Thawed = Callable[[Array | int, Any, Any], Any]
"""(l, what the arrays of layer l were, what training makes of them) -> what they become."""


def thawed(freeze: bool, numbers: Mapping[str, Any], over_runs: Callable[..., Any]) -> Thawed:
    """Return what decides what becomes of a layer's arrays.

    Args:
        freeze: whether the program freezes any.
        numbers: of all runs; their ``freeze_layers`` is how many.
        over_runs: see ``walk.Network``.
    """
    if not freeze:
        return lambda l, was, new: new
    return lambda l, was, new: over_runs(unless_frozen, (0,))(l, numbers["freeze_layers"], was, new)


def unless_frozen(l: Array | int, frozen: Array, was: Any, new: Any) -> Any:
    """Return what the arrays of layer l (from 0) become: what they were, where it is one of the ``frozen`` first.

    >>> unless_frozen(1, jnp.uint32(2), {"bias": jnp.ones(1)}, {"bias": jnp.full(1, jnp.nan)})
    {'bias': Array([1.], dtype=float32)}
    """
    stays = jnp.asarray(l, jnp.int32) < frozen.astype(jnp.int32)
    return jax.tree.map(lambda before, after: jnp.where(stays, before, after), was, new)


def with_activation_of(was: Any, new: Any) -> Any:
    """Return new arrays of a layer, with its activation parameters as they were; what has none is all new.

    >>> with_activation_of({"bias": 1, "activation": 2}, {"bias": 3, "activation": 4}), with_activation_of({}, {})
    ({'bias': 3, 'activation': 2}, {})
    """
    return {name: was[name] if name == "activation" else leaf for name, leaf in new.items()}


def without_activation(gradients: Any) -> Any:
    """Return the gradients of a layer with 0 for its activation parameters: no memory, and no part of their norm.

    >>> without_activation({"bias": jnp.ones(1), "activation": jnp.ones(1)})["activation"]
    Array([0.], dtype=float32)
    """
    return with_activation_of(jax.tree.map(jnp.zeros_like, gradients), gradients)
