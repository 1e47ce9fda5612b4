"""Normalising: does SELU keep mean 0 and variance 1 through 100 layers, and does it need its conditions for that?

Its conditions are a plain network, LeCun's normal weights and standardised inputs. Each is taken away alone: raw inputs
(pixels from 0 to 16), He's or Glorot's weights, residual connections. Networks as they are drawn; what training makes
of it is another study's (``breaches.py``).

Predictions. (0, 1) is a stable fixed point of mean and variance at σ_w = 1 (Klambauer et al. 2017): after 100 layers
both are there, up to the spread of a finite width, and raw inputs are forgotten. At equal widths Glorot's weights are
LeCun's but in the first layer, where inputs are fewer or more than units. He's double every layer's variance: the fixed
point is gone. A residual sum grows.

What was decided when: all effects and conditions are from before the first results. In the first ones 7 of 20 networks
of 256 units with residual connections had no variance, since its sum over rows and units had left float32, and counted
in U2a with the most that float32 holds; it is summed in smaller units since, is known of all, and no larger. U1a,
U1b, U2a and C1a say "at initialisation" since U1c (``breaches.py``) found the variance gone after training; they had it
in the evidence alone. No effect was changed.
"""

import numpy as np
import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, WITHIN, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.under import Condition

NEAR_0 = 0.2  # of the mean, in units of the standard deviation that it is to have
FACTOR = 0.3010  # decades of the variance: a factor of 2
INPUTS = 64  # of digits
FIGURE = "moments"
LATER = "of selu's variance through training, in ten layers, see U1c"


def breach(row: pd.Series) -> str:
    """Name the one condition of SELU's that a network lacks; empty where it has all."""
    if row["weight_init"] != "lecun_normal":
        return f"{row['weight_init'].partition('_')[0].title()} weights"
    return "raw inputs" if not row["standardize"] else "residual" if row["residual"] else ""


def last_layers(cells: Cells, activation: str) -> pd.DataFrame:
    """Mean and variance of the last layer as drawn, with the condition that is broken: one row a network."""
    runs = cells.runs[cells.runs["activation"] == activation]
    first = records_at(cells.layers, runs, "init", ["act_mean", "act_var"])
    rows = first[first["layer"] == first["layer"].max()].merge(runs, on="run")
    return rows.assign(breach=rows.apply(breach, axis=1), decades=np.log10(rows["act_var"].astype(float)))


def by_width(rows: pd.DataFrame, column: str) -> dict[str, pd.Series]:
    """One number a seed, for each width, of networks that have all of SELU's conditions."""
    return {
        Condition(f"width {width}", width=width, weight_init="lecun_normal"): some.set_index("seed")[column]
        for width, some in rows[rows["breach"] == ""].groupby("width")
    }


def mean_is_kept(cells: Cells) -> Verdict:
    """U1a: under its conditions the mean stays near 0."""
    rows = last_layers(cells, "selu")
    means = by_width(rows, "act_mean")
    statement = "keeps mean 0 at initialisation (100 layers)"
    evidence = f"mean activation of layer 100 at initialisation, by seed; {LATER}"
    return judge("U1a", "selu", statement, WITHIN, NEAR_0, means, evidence, "act_mean", figure=FIGURE)


def variance_is_kept(cells: Cells) -> Verdict:
    """U1b: and the variance near 1: within a factor of 2."""
    rows = last_layers(cells, "selu")
    decades = by_width(rows, "decades")
    statement = "keeps variance 1 at initialisation (100 layers, a factor of 2)"
    evidence = f"log10 of the variance of layer 100's activations at initialisation, by seed; {LATER}"
    return judge("U1b", "selu", statement, WITHIN, FACTOR, decades, evidence, figure=FIGURE)


def each_condition_is_needed(cells: Cells) -> Verdict:
    """U2a: with any one of them broken the variance is off by a factor of 2 at least."""
    rows = last_layers(cells, "selu")
    rows = rows.assign(off=rows["decades"].abs())
    # With as many units as inputs Glorot's weights are LeCun's: the same networks, and no breach.
    same = rows["weight_init"].str.startswith("glorot") & (rows["width"] == INPUTS)
    asked = rows[(rows["breach"] != "") & ~same]
    off = {
        Condition(f"{name}, width {width}", width=width, breach=name): some.set_index("seed")["off"]
        for (name, width), some in asked.groupby(["breach", "width"])
    }
    evidence = (
        "|log10 of the variance| of layer 100's activations as drawn, by seed; with as many units as inputs Glorot's "
        f"weights are LeCun's, and no breach (width {INPUTS})"
    )
    statement = "its conditions are needed to normalise at initialisation"
    return judge("U2a", "selu", statement, AT_LEAST, FACTOR, off, evidence, figure=FIGURE)


def elu_drifts(cells: Cells) -> Verdict:
    """C1a, the fault that SELU is to repair: under the same conditions ELU's variance drifts with depth."""
    rows = last_layers(cells, "elu")
    off = by_width(rows.assign(off=rows["decades"].abs()), "off")
    statement = "variance drifts with depth at initialisation (a factor of 2 in 100 layers)"
    evidence = f"|log10 of the variance| of layer 100's activations at initialisation, by seed; {LATER}"
    return judge("C1a", "elu", statement, AT_LEAST, FACTOR, off, evidence, figure=FIGURE)


CLAIMS = [mean_is_kept, variance_is_kept, each_condition_is_needed, elu_drifts]
