"""The catalogue's table of the weights that theory would take for each activation."""

import math

import pandas as pd

from actlab.analysis.catalogue import short
from actlab.analysis.escaping import code, plain
from actlab.analysis.layout import Table

NOTE = (
    "Of networks of infinite width, W ~ N(0, σ_w²/n) with n inputs, b ~ N(0, σ_b²), q the mean square of a "
    "pre-activation, V(q) that of the next layer's. Keeps q = 1: σ_w = 1/√(E φ²) without biases; where V′(1) > 1 other "
    "q are driven away from 1. Critical: σ_w and σ_b at which V(q) = q and a gradient's mean squared norm is the same "
    "in every layer; stable where other q are drawn to it (V′(q) < 1), homogeneous where every q is kept."
)


def table(frame: pd.DataFrame) -> Table:
    """Tabulate the weights that keep the variance, and those that are critical.

    Args:
        frame: one row per activation: ``activation``, ``variance_preserving_gain``, ``variance_slope``, and of the
            critical point ``sigma_w``, ``sigma_b``, ``q``, ``slope`` and ``stability``, or there why there is none.

    >>> row = {"activation": "relu", "variance_preserving_gain": 2**0.5, "variance_slope": 1.0, "sigma_w": 2**0.5}
    >>> row |= {"sigma_b": 0.0, "q": 1.0, "slope": 1.0, "stability": "homogeneous"}
    >>> table(pd.DataFrame([row])).wide.iloc[0].tolist()
    ['`relu`', '1.4142', '1', '1.4142', '0', 'any', '1', 'homogeneous']
    """
    any_q = frame["stability"] == "homogeneous"
    wide = pd.DataFrame(
        {
            "activation": frame["activation"].map(code),
            "keeps q = 1: σ_w": frame["variance_preserving_gain"].map(written),
            "V′(1)": frame["variance_slope"].map(written),
            "critical σ_w": frame["sigma_w"].map(written),
            "σ_b": frame["sigma_b"].map(written),
            "q": frame["q"].map(written).mask(any_q, "any"),
            "V′(q)": frame["slope"].map(written),
            "stability, or why there is none": frame["stability"].map(plain),
        }
    )
    return Table("Weights that theory would take", NOTE, frame, wide, "initial_weights")


def written(x: float) -> str:
    """Write a number, or a dash where there is none.

    >>> written(0.97524), written(50.0), written(float("nan"))
    ('0.9752', '50', '–')
    """
    return "–" if math.isnan(x) else short(x)
