"""Gradient decay: how fast do gradients decay or grow per layer at initialisation, and is it known beforehand?

What the sources say. Schoenholz et al. (2017, arXiv:1611.01232): in a wide random network the squared norm of the
backpropagated signal is multiplied by χ₁ = σ_w²·E φ'(√q·Z)² in every layer, so that gradients vanish where χ₁ < 1,
explode where χ₁ > 1, and keep their size at a critical point. Glorot & Bengio (2010): under what was then the usual
initialisation, U(±1/√fan_in), backpropagated gradients of a tanh network decrease towards the input, while its weight
gradients have about the same size in all layers; their own initialisation keeps the former, too. Klambauer et al.
(2017, arXiv:1706.02515) give SELU a fixed point of mean and variance; χ₁ there is 1.0716, and gradients grow.

What is run: networks of 20 layers at step 0, on digits, for every activation and five initialisers, at three widths.
Each prediction propagates the probe rows' own second moments; nothing in it is fitted. Slopes are in decades per layer,
going towards the input. Where an activation has no stable critical point (MC1's evidence names them), `actlab plan`
says why. Glorot & Bengio had no biases, PyTorch's default has: GB1 and GB2 ask for both.

All thresholds were written down before the first run of the study. MC1 was judged over the networks that have a slope
at first; that star_relu's have none, for they overflow, showed in its results: MC1 is a law of all networks since, and
MC4, of those that do not overflow, is what MC1 was.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

import actlab
from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, WITHIN, Verdict, judge
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import judge_law
from actlab.analysis.layout import Table, number
from actlab.analysis.predictions import cells_of_runs

KEPT = math.log10(2) / 10  # a slope that halves or doubles the signal every ten layers, in decades per layer
CLOSE = 0.02  # decades per layer, root mean square over settings: what a wide network may be off
EXPECTED = 1.5  # spreads of one network, root mean square: above it, spreads are too small
SHRINKS = 0.5  # of the deviation at the narrowest width; c·depth/width would be 1/8
GROWS = 0.005  # decades per layer; χ₁ = 1.0716 is 0.015
SLOPES = ("vanishing_slope", "weight_slope")


def beside(cells: Cells, slope: str) -> pd.DataFrame:
    """Put each network's slope at step 0 beside what was predicted: ``measured``, ``predicted``, ``spread``."""
    measured = records_at(cells.steps, cells.runs, "init", [slope]).rename(columns={slope: "measured"})
    there = cells.predictions[(cells.predictions["measure"] == slope) & (cells.predictions["layer"] == 0)]
    predicted = there[["cell", "value", "spread"]].rename(columns={"value": "predicted"})
    found = measured.merge(cells_of_runs(cells.runs, cells.predictions)[["run", "cell"]], on="run")
    table = found.merge(predicted, on="cell").merge(
        cells.runs[["run", "seed", "activation", "weight_init", "width"]], on="run"
    )
    return table.assign(off=table["measured"] - table["predicted"]).dropna(subset=["off"])


def root_mean_square(table: pd.DataFrame, column: str = "off") -> pd.Series:
    """Pool a column over settings, by seed."""
    return np.sqrt(table.assign(square=table[column] ** 2).groupby("seed")["square"].mean())


def widths(cells: Cells) -> tuple[int, int]:
    """Return the narrowest and the widest networks' width."""
    return int(cells.runs["width"].min()), int(cells.runs["width"].max())


def signed(x: float, decimals: int) -> str:
    """Write a number with its sign, as it is printed.

    >>> signed(-0.1041, 3), signed(0.5, 1)
    ('−0.104', '+0.5')
    """
    return f"{x:+.{decimals}f}".replace("-", "−")


def theory_knows(cells: Cells, slope: str, id: str, what: str) -> Verdict:
    """MF1 and MF2: in the widest networks, slopes are as predicted."""
    wide = widths(cells)[1]
    table = beside(cells, slope)
    table = table[table["width"] == wide]
    settings = table.groupby(["activation", "weight_init"]).ngroups
    asked = cells.runs[cells.runs["width"] == wide].groupby(["activation", "weight_init"]).ngroups
    mean = table.groupby(["activation", "weight_init"], as_index=False)["off"].mean()
    worst = mean[mean["off"].abs() == mean["off"].abs().max()]
    least = "".join(
        f"; furthest off: {activation}, {initializer} ({signed(off, 3)})"
        for activation, initializer, off in worst[["activation", "weight_init", "off"]].itertuples(index=False)
    )
    return judge(
        id,
        "",
        f"the slope of {what} gradients is known beforehand, whatever the activation and the initialiser",
        AT_MOST,
        CLOSE,
        root_mean_square(table),
        f"root mean square of measured − predicted over {settings} of {asked} settings (of the others theory "
        f"has no prediction, or networks no slope), decades per layer, width {wide}{least}",
        slope,
        difference=True,
    )


def signal_is_known(cells: Cells) -> Verdict:
    """MF1: of the backpropagated signal."""
    return theory_knows(cells, "vanishing_slope", "MF1", "signal")


def weights_are_known(cells: Cells) -> Verdict:
    """MF2: of weight gradients."""
    return theory_knows(cells, "weight_slope", "MF2", "weight")


def deviations_are_those_of_width(cells: Cells) -> Verdict:
    """MF3: what is off is what a finite width makes: it shrinks with width."""
    narrow, wide = widths(cells)
    table = beside(cells, "vanishing_slope")
    there = table.pivot_table("off", ["seed", "activation", "weight_init"], "width").dropna().reset_index()
    of = {width: root_mean_square(there.assign(off=there[width])) for width in (narrow, wide)}
    by_setting = (there.set_index(["activation", "weight_init"])[wide] ** 2).groupby(level=[0, 1]).sum()
    activation, initializer = map(str, by_setting.sort_values().index[-1])
    others = there[(there["activation"] != activation) | (there["weight_init"] != initializer)]
    without = [root_mean_square(others.assign(off=others[width])).mean() for width in (narrow, wide)]
    share = 100 * by_setting.max() / by_setting.sum()
    one = judge(
        "MF3",
        "",
        "deviations from the theory of infinite width shrink with width",
        AT_MOST,
        SHRINKS,
        of[wide] / of[narrow],
        f"deviation of the signal's slope at width {wide} over that at width {narrow}, root mean square over settings; "
        f"of the squares at width {wide} {share:.0f} % are of {activation}, "
        f"{initializer}, and without it the ratio of the mean deviations is {without[1] / without[0]:.2f}",
    )
    return replace(one, condition=f"({share:.0f} % of the squares at width {wide} are of {activation}, {initializer})")


def spreads_are_right(cells: Cells) -> Verdict:
    """MF4: one network is as far from the prediction as it was expected to be."""
    wide = widths(cells)[1]
    table = beside(cells, "vanishing_slope")
    table = table[(table["width"] == wide) & (table["spread"] > 0)]
    return judge(
        "MF4",
        "",
        "one network is no further from the prediction than expected of its width",
        AT_MOST,
        EXPECTED,
        root_mean_square(table.assign(spreads=table["off"] / table["spread"]), "spreads"),
        f"root mean square of (measured − predicted slope) / expected spread, signal, width {wide}",
    )


def slope_of(cells: Cells, activation: str, initializer: str, slope: str) -> pd.Series:
    """Return a slope at step 0 by seed, in the widest networks."""
    runs = cells.runs
    ours = (runs["activation"] == activation) & (runs["weight_init"] == initializer)
    runs = runs[ours & (runs["width"] == widths(cells)[1])]
    first = records_at(cells.steps, runs, "init", [slope]).merge(runs[["run", "seed"]], on="run")
    return first.set_index("seed")[slope]


def one_slope(
    cells: Cells, id: str, activation: str, initializer: str, statement: str, form: str, effect: float, slope: str
) -> Verdict:
    """Judge one activation's slope under one initialiser."""
    return judge(
        id,
        activation,
        statement,
        form,
        effect,
        slope_of(cells, activation, initializer, slope),
        f"{slope.replace('_', ' ')} at initialisation under {initializer}, decades per layer, width {widths(cells)[1]}",
        slope,
    )


def critical_networks(cells: Cells) -> tuple[pd.DataFrame, str]:
    """Take the widest networks started at critical points, and name the activations that have no such point."""
    runs = cells.runs[(cells.runs["weight_init"] == "critical") & (cells.runs["width"] == widths(cells)[1])]
    without = sorted(set(cells.runs["activation"]) - set(runs["activation"]), key=lambda name: cells.ranks[name])
    first = records_at(cells.steps, runs, "init", ["vanishing_slope"]).merge(
        runs[["run", "seed", "activation"]], on="run"
    )
    return first, f"without a stable critical point: {', '.join(without) or 'none'}"


def critical_keeps_gradients(cells: Cells) -> Verdict:
    """MC1, a law: at a critical point gradients keep their size, whatever the activation."""
    first, without = critical_networks(cells)
    keeps = first["vanishing_slope"].abs() <= KEPT  # false where it overflowed
    others = list(first.loc[~keeps, "activation"].unique())
    return judge_law(
        "MC1",
        "",
        "started at a critical point, networks keep the size of their gradients, whatever the activation",
        1.0,
        keeps.astype(float),
        f"whether |vanishing slope| is at most {KEPT:.4f} at initialisation, in networks of "
        f"{first['activation'].nunique()} activations, width {widths(cells)[1]}; {without}",
        "network",
        others,
    )


def where_finite_critical_keeps_gradients(cells: Cells) -> Verdict:
    """MC4: and where no row's second moment runs away from that point."""
    first, without = critical_networks(cells)
    first = first.dropna(subset=["vanishing_slope"])
    mean = first.groupby("activation")["vanishing_slope"].mean().sort_values(key=lambda slope: slope.abs()).tail(1)
    worst = "".join(f"; steepest: {activation} ({signed(slope, 4)})" for activation, slope in mean.items())
    return judge(
        "MC4",
        "",
        "started at a critical point, networks that do not overflow keep the size of their gradients",
        AT_MOST,
        KEPT,
        first.assign(size=first["vanishing_slope"].abs()).groupby("seed")["size"].max(),
        f"largest |vanishing slope| of {first['activation'].nunique()} activations, width {widths(cells)[1]}{worst}; "
        f"{without}",
        "vanishing_slope",
    )


def he_keeps_relu(cells: Cells) -> Verdict:
    """MC2: He's variance is ReLU's critical point."""
    statement = "gradients keep their size under He's initialisation (χ₁ = 1)"
    return one_slope(cells, "MC2", "relu", "he_normal", statement, WITHIN, KEPT, "vanishing_slope")


def selu_grows(cells: Cells) -> Verdict:
    """MC3: SELU's variance has a fixed point, its gradients have not."""
    statement = "gradients grow at the fixed point of its variance (χ₁ = 1.0716)"
    return one_slope(cells, "MC3", "selu", "lecun_normal", statement, AT_LEAST, GROWS, "vanishing_slope")


def with_and_without_biases(cells: Cells, id: str, statement: str, form: str, effect: float, slope: str) -> Verdict:
    """Judge tanh's slope under U(±1/√fan_in), without biases as in the source, and with those of PyTorch's default."""
    conditions = {"no biases": "lecun_uniform", "biases U(±1/√fan_in)": "pytorch_default"}
    samples = {name: slope_of(cells, "tanh", initializer, slope) for name, initializer in conditions.items()}
    evidence = f"{slope.replace('_', ' ')} at initialisation, decades per layer, width {widths(cells)[1]}"
    return judge(id, "tanh", statement, form, effect, samples, evidence, slope)


def usual_initialisation_vanishes(cells: Cells) -> Verdict:
    """GB1: under U(±1/√fan_in) a tanh network's signal decreases towards the input."""
    statement = "the signal decreases towards the input under U(±1/√fan_in)"
    return with_and_without_biases(cells, "GB1", statement, AT_MOST, -KEPT, "vanishing_slope")


def while_weight_gradients_do_not(cells: Cells) -> Verdict:
    """GB2: and its weight gradients have about the same size in all layers."""
    statement = "weight gradients have about the same size in all layers under U(±1/√fan_in)"
    return with_and_without_biases(cells, "GB2", statement, WITHIN, KEPT, "weight_slope")


def glorot_keeps(cells: Cells) -> Verdict:
    """GB3: Glorot's initialisation keeps a tanh network's signal."""
    statement = "the signal keeps its size under Glorot's initialisation"
    return one_slope(cells, "GB3", "tanh", "glorot_normal", statement, WITHIN, KEPT, "vanishing_slope")


CLAIMS = [
    signal_is_known,
    weights_are_known,
    deviations_are_those_of_width,
    spreads_are_right,
    critical_keeps_gradients,
    where_finite_critical_keeps_gradients,
    he_keeps_relu,
    selu_grows,
    usual_initialisation_vanishes,
    while_weight_gradients_do_not,
    glorot_keeps,
]


@actlab.table
def against_the_source(cells: Cells) -> Table:
    """What the sources say, what was found here, and whether the two agree."""
    rows = [
        (
            "Schoenholz et al. 2017",
            "A wide network's signal is multiplied by √χ₁ a layer, for every activation",
            [signal_is_known, weights_are_known, deviations_are_those_of_width, spreads_are_right],
            "predicted from each row's own second moment, for 20 layers may not reach the fixed point; what is "
            "furthest off, at every width, has uniform biases that are most of z, where theory takes z for Gaussian",
        ),
        (
            "Schoenholz et al. 2017",
            "At a critical point (χ₁ = 1) it keeps its size",
            [critical_keeps_gradients, where_finite_critical_keeps_gradients, he_keeps_relu],
            "a fixed point draws in the second moments about it: of star_relu, which squares, those of a few rows that "
            "are far larger run away from it, and overflow in seven layers",
        ),
        (
            "Klambauer et al. 2017",
            "SELU keeps mean and variance; of the gradient the fixed point says nothing",
            [selu_grows],
            "χ₁ at the fixed point is 1.0716: gradients grow by 3.5 % a layer",
        ),
        (
            "Glorot & Bengio 2010",
            "Under U(±1/√n) the signal shrinks towards the input, and weight gradients keep their size",
            [usual_initialisation_vanishes, while_weight_gradients_do_not],
            "activations shrink from layer to layer as the signal does towards the input, and a weight's gradient is "
            "the product of both; biases keep activations from shrinking",
        ),
        (
            "Glorot & Bengio 2010",
            "Under their initialisation the signal keeps its size",
            [glorot_keeps],
            "σ_w = 1 is tanh's critical point at q = 0, which activations approach slowly: until then they saturate",
        ),
    ]
    frame = pd.DataFrame(
        [(source, says, *found_of([claim(cells) for claim in claims]), why) for source, says, claims, why in rows],
        columns=["source", "says", "here", "verdict", "why"],
    )
    wide = frame.rename(columns={"here": "found here"}).map(plain)
    note = "Networks of 20 layers before training, on digits; what each number is stands in the table of claims."
    return Table("What the sources say", note, frame, wide)


def found_of(verdicts: Sequence[Verdict]) -> tuple[str, str]:
    """Write what was measured of some claims, and what became of them."""
    found = [f"{one.id}: {number(one.estimate)} [{number(one.low)}, {number(one.high)}]" for one in verdicts]
    return "; ".join(found), "; ".join(f"{one.id} {one.verdict}" for one in verdicts)
