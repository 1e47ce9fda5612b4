"""Slopes: whose gradients survive the depth at initialisation, and under which weights?

What decides a gradient's slope at initialisation is χ = σ_w² E φ′(√q Z)², which an activation and its weights make
together. So nothing here is said of an activation alone: every claim is asked under each initialiser, and is *true only
if* it is one of them.

Predictions. He's weights keep ReLU's gradient, LeCun's halve it every two layers; at σ = 0.01 leaky ReLU follows ReLU
to the third digit; a sigmoid loses 0.5 decades a layer and more unless its weights are critical (σ_w ≈ 10). Mish, swish
and GELU differ at equal weights by what mean-field theory says, which no training is needed for.

What was decided when: all effects are from before the first results of this study; those of R2 and S3 are those of
``depth.py``, which has them at one initialiser each.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, WITHIN, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.under import Condition

KEPT = 0.0301  # decades a layer: halves or doubles every ten layers
BETTER = 0.01  # decades a layer: over 30 layers a factor of 2
INPUTS = 64  # of digits: with as many units Glorot's weights are LeCun's
FIGURE = "vanishing_slopes"


def slopes(cells: Cells, activation: str) -> dict[str, pd.Series]:
    """The slope of the signal's gradient by seed, for each initialiser and width."""
    runs = cells.runs[cells.runs["activation"] == activation]
    first = records_at(cells.steps, runs, "init", ["vanishing_slope"])
    first = first.merge(runs[["run", "seed", "weight_init", "width"]], on="run")
    return {
        Condition(f"{init}, width {width}", weight_init=init, width=width): rows.set_index("seed")["vanishing_slope"]
        for (init, width), rows in first.groupby([first["weight_init"].astype(str).str.partition("(")[0], "width"])
        if not (str(init).startswith("glorot") and width == INPUTS)  # there they are LeCun's
    }


SLOPE = "decades per layer towards the input over 20 layers, at initialisation"
ONCE = f"at width {INPUTS}, that of the inputs, Glorot's weights are LeCun's, and count once"
SAID = f"{SLOPE}; {ONCE}"


def sigmoid_vanishes(cells: Cells) -> Verdict:
    """S3, first half: gradients vanish."""
    one = slopes(cells, "sigmoid")
    statement = "gradients vanish with depth (halved in ten layers at least)"
    return judge("S3a", "sigmoid", statement, AT_MOST, -KEPT, one, SAID, "vanishing_slope", figure=FIGURE)


def relu_survives(cells: Cells) -> Verdict:
    """R2: gradients survive."""
    one = slopes(cells, "relu")
    statement = "gradients survive (not halved or doubled in ten layers)"
    return judge("R2a", "relu", statement, WITHIN, KEPT, one, SAID, "vanishing_slope", figure=FIGURE)


def leaky_never_vanishes(cells: Cells) -> Verdict:
    """L3: its gradients never fully vanish: as said, under any weights."""
    one = slopes(cells, "leaky_relu")
    statement = "its gradients never vanish (not halved in ten layers)"
    return judge("L3a", "leaky_relu", statement, AT_LEAST, -KEPT, one, SAID, "vanishing_slope", figure=FIGURE)


def against(cells: Cells, better: str, worse: str) -> dict[str, pd.Series]:
    """How much nearer to 0 a slope is than another, pairs of one seed, for each initialiser and width."""
    a, b = slopes(cells, better), slopes(cells, worse)
    return {name: b[name].abs() - a[name].abs() for name in a if name in b}


def mish_flows_better_than_swish(cells: Cells) -> Verdict:
    """M2, first half, before training: better gradient flow than swish."""
    statement = "better gradient flow than swish (at initialisation)"
    gains = against(cells, "mish", "swish")
    evidence = f"|slope| of swish minus that of mish, {SLOPE}, paired by seed; {ONCE}"
    return judge("M2a", "mish", statement, AT_LEAST, BETTER, gains, evidence, figure=FIGURE)


def mish_flows_better_than_gelu(cells: Cells) -> Verdict:
    """M2, of GELU."""
    statement = "better gradient flow than gelu (at initialisation)"
    gains = against(cells, "mish", "gelu")
    evidence = f"|slope| of gelu minus that of mish, {SLOPE}, paired by seed; {ONCE}"
    return judge("M2b", "mish", statement, AT_LEAST, BETTER, gains, evidence, figure=FIGURE)


CLAIMS = [
    sigmoid_vanishes,
    relu_survives,
    leaky_never_vanishes,
    mish_flows_better_than_swish,
    mish_flows_better_than_gelu,
]
