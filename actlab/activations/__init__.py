"""The catalogue of activation functions: each one function and its record, by family; pure JAX.

CATALOGUE["relu"]                         the record of a shipped activation
CATALOGUE.find("mine.py:bent")            likewise, or that of a user's own
"""

from collections.abc import Iterable
from dataclasses import replace

from actlab import compiler_flags

# Families register their activations when they are imported.
from actlab.activations import exponential, gated, others, rectifiers, sigmoidal  # noqa: F401
from actlab.activations.base import CATALOGUE, FAMILIES, Activation, ActivationError, activation
from actlab.activations.loading import check

__all__ = ["CATALOGUE", "STORY", "Activation", "ActivationError", "activation", "check"]

compiler_flags.ensure()

STORY = ("sigmoid", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish")
"""The chain in which each activation is said to repair the one before."""


def in_story_order(records: Iterable[Activation]) -> dict[str, Activation]:
    """Return the story first, the others after it family by family, with ``order`` filled in."""
    chain = {name: place for place, name in enumerate(STORY)}
    ranked = sorted(records, key=lambda record: (chain.get(record.name, len(STORY)), FAMILIES.index(record.family)))
    return {record.name: replace(record, order=order) for order, record in enumerate(ranked, start=1)}


CATALOGUE.records = in_story_order(CATALOGUE.records.values())
