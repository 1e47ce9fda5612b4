"""The catalogue of activation functions: each one function and its record, by family; pure JAX."""

from dataclasses import replace
from difflib import get_close_matches

from actlab import compiler_flags

# Families register their activations when they are imported.
from actlab.activations import exponential, gated, others, rectifiers, sigmoidal  # noqa: F401
from actlab.activations.base import FAMILIES, RECORDS, Activation, ActivationError, activation
from actlab.activations.loading import check, load

__all__ = ["CATALOGUE", "STORY", "Activation", "ActivationError", "activation", "check", "get", "load"]

compiler_flags.ensure()

STORY = ("sigmoid", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish")
"""The chain in which each activation is said to repair the one before."""


def in_story_order(records: list[Activation]) -> dict[str, Activation]:
    """The story first, the others after it family by family, with ``order`` filled in."""
    chain = {name: place for place, name in enumerate(STORY)}
    ranked = sorted(records, key=lambda record: (chain.get(record.name, len(STORY)), FAMILIES.index(record.family)))
    return {record.name: replace(record, order=order) for order, record in enumerate(ranked, start=1)}


CATALOGUE: dict[str, Activation] = in_story_order(list(RECORDS.values()))
"""Name -> record, in story order. A user's decorated function does not enter it."""


def get(name: str) -> Activation:
    """The record of a catalogued activation.

    Raises:
        ActivationError: there is none of that name; the message says which is nearest.

    >>> get("relu").formula
    'max(0, z)'
    >>> get("rellu")
    Traceback (most recent call last):
    actlab.activations.base.ActivationError: no activation 'rellu'; did you mean 'relu'?
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = get_close_matches(name, CATALOGUE, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(CATALOGUE)}"
    raise ActivationError(f"no activation {name!r}; {hint}")
