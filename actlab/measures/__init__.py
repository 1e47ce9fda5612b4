"""What is measured: one record each, from which code, tables, labels, documents and tests read. No JAX here.

To add a measure of one hidden layer's values, write its record in ``catalogue`` and its function, which the record
names, in ``actlab.nn.probes``. A user's own comes from a file (``my_probes.py:gaussianity``); ``measure`` says more.
"""

from actlab.measures.base import (
    ARGUMENTS,
    ARITHMETIC,
    BIN,
    DECADES_PER_LAYER,
    END,
    GEOMETRIC,
    LAYER,
    LOG10,
    RUN,
    SHARE,
    Measure,
    MeasureError,
)
from actlab.measures.bins import EDGES, bounds
from actlab.measures.catalogue import DEFAULT_PROBES, HISTOGRAMS, JACOBIANS, MEASURES, PROBE_SETS, PROBES, about, named
from actlab.measures.jacobians import JACOBIAN_ROWS
from actlab.measures.own import declared, from_plain, measure, to_plain

__all__ = [
    "ARGUMENTS",
    "ARITHMETIC",
    "BIN",
    "DECADES_PER_LAYER",
    "DEFAULT_PROBES",
    "EDGES",
    "END",
    "GEOMETRIC",
    "HISTOGRAMS",
    "JACOBIANS",
    "JACOBIAN_ROWS",
    "LAYER",
    "LOG10",
    "MEASURES",
    "PROBES",
    "PROBE_SETS",
    "RUN",
    "SHARE",
    "Measure",
    "MeasureError",
    "about",
    "bounds",
    "declared",
    "from_plain",
    "measure",
    "named",
    "to_plain",
]
