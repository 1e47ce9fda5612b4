"""The bins of histograms: fixed, so that runs, layers and studies can be laid over one another."""

import math
from collections.abc import Iterable, Mapping


def mirrored(positive: Iterable[float], *between: float) -> tuple[float, ...]:
    """Mirror edges to both sides of 0.

    >>> mirrored((1.0, 10.0)), mirrored((1.0,), 0.0)
    ((-10.0, -1.0, 1.0, 10.0), (-1.0, 0.0, 1.0))
    """
    above = tuple(positive)
    return (*(-edge for edge in reversed(above)), *between, *above)


# Eight bins per decade from 1e-4 to 1e4, and one for what lies nearer to 0.
VALUES = mirrored(10.0 ** (k / 8) for k in range(-32, 33))
# Of log10|δ|, half a decade each up to 10^±32, then eight for each doubling of the exponent up to 10^±2048.
DECADES = mirrored((*(k / 2 for k in range(1, 65)), *(32 * 2.0 ** (k / 8) for k in range(1, 49))), 0.0)
ZERO = -1e9  # below it lies log10 of 0 alone: the exponent of a δ is an int32

EDGES: Mapping[str, tuple[float, ...]] = {"hist_z": VALUES, "hist_h": VALUES, "hist_delta": (ZERO, *DECADES)}
"""The inner edges of each histogram's bins: bin i holds edges[i − 1] ≤ value < edges[i], the outer two have no end."""


def bounds(name: str) -> list[tuple[float, float]]:
    """Return lower and upper bound of each bin of a histogram (of ``hist_delta`` in log10, the first bin being δ = 0).

    >>> bounds("hist_z")[0], bounds("hist_z")[65], bounds("hist_delta")[1]
    ((-inf, -10000.0), (-0.0001, 0.0001), (-1000000000.0, -2048.0))
    """
    edges = EDGES[name]
    return list(zip((-math.inf, *edges), (*edges, math.inf), strict=True))
