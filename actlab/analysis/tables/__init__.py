"""The tables: one function each, from a study's cells to numbers with intervals, laid out for people.

To add one, write it in the file of its subject and decorate it with ``table``; a study's YAML names it. By subject:
``outcomes`` (what a run came to), ``times`` (how soon), ``gradients``, ``units`` (their death), ``revival`` (by layer),
``layers`` (moments, learned parameters), ``theory`` (measured beside predicted), ``standing`` (all of it in a row).
"""

from actlab.analysis.parts import TABLES
from actlab.analysis.tables import gradients, layers, outcomes, revival, standing, theory, times, units  # noqa: F401  (its order)

__all__ = ["TABLES"]
