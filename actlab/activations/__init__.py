"""The catalogue of activation functions: each one function and its record, by family; pure JAX.

CATALOGUE["relu"]                         the record of a shipped activation
CATALOGUE.find("mine.py:bent")            likewise, or that of a user's own
"""

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module

from actlab import compiler_flags
from actlab.activations.base import CATALOGUE, Activation, ActivationError, activation
from actlab.activations.loading import check

__all__ = ["CATALOGUE", "STORY", "Activation", "ActivationError", "activation", "check"]

compiler_flags.ensure()

FILES = ("sigmoidal", "rectifiers", "exponential", "gated", "others")
"""Where activations are declared, in the order in which families are listed."""

for file in FILES:
    import_module(f"{__name__}.{file}")

STORY = ("sigmoid", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish")
"""The chain in which each activation is said to repair the one before."""


def in_story_order(records: Iterable[Activation]) -> dict[str, Activation]:
    """Return the story first, the others after it family by family, with ``order`` filled in."""
    records = list(records)
    families = list(dict.fromkeys(record.family for record in records))
    chain = {name: place for place, name in enumerate(STORY)}
    ranked = sorted(records, key=lambda record: (chain.get(record.name, len(STORY)), families.index(record.family)))
    return {record.name: replace(record, order=order) for order, record in enumerate(ranked, start=1)}


CATALOGUE.records = in_story_order(CATALOGUE.values())
