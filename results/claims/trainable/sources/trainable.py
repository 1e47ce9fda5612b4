"""Trainable: does the choice of activation decide how deep a plain network trains, whatever the optimizer and weights?

The usual answer (a sigmoid does not train deep, ReLU does) is at Glorot's and He's weights. A sigmoid, too, has weights
at which its signal and gradient neither vanish nor explode (σ_w ≈ 10.15, σ_b = 0): so everything is asked under two
optimizers, each at the usual (``auto``) and the critical initialisation, and each network at a rate of its own, which
three other seeds selected. Controls: tanh, and ``centred_sigmoid``, σ(z) − ½, with sigmoid's derivative.

Predictions. At the usual weights no sigmoid of 20 layers trains with either optimizer, and every ReLU does; at critical
weights the difference is gone at 20 layers.

What was decided when: all effects are from before the first results of this study; MATTERS is that of ``depth.py``. FEW
was 0.2 at first: of 20 seeds of which none trained the upper bound is 0.238, so that no result could support S3b.
"""

from collections.abc import Iterator

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, Verdict, judge
from actlab.analysis.judging import capped, largest_difference
from actlab.analysis.notes import listed
from actlab.analysis.under import Condition

DEEP = 20
MATTERS = 0.2  # a difference in the share of seeds that trained
FEW = 0.25  # of the seeds: an activation does not train where so few did; of 20 of which none did it is the upper bound
FIGURE = "trained_by_depth"


def conditions(cells: Cells, depth: int) -> Iterator[tuple[Condition, pd.DataFrame]]:
    """Give the selected runs at a depth, optimizer by optimizer, at the usual and at the critical weights."""
    rows = cells.selected[cells.selected["depth"] == depth]
    critical = rows["weight_init"].str.startswith("critical")
    for optimizer in sorted(rows["optimizer"].unique()):
        for name, chosen in (("usual weights", ~critical), ("critical weights", critical)):
            some = rows[(rows["optimizer"] == optimizer) & chosen]
            if len(some):
                init = listed(sorted(some["weight_init"].unique()))
                at = {"optimizer": optimizer, "weight_init": init, "depth": depth}
                yield Condition(f"{optimizer}, {name}", **at), some


def trained(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether each network trained: one row per seed, one column per activation; a diverged one did not."""
    return rows.assign(trained=rows["trained"].astype(float)).pivot_table("trained", "seed", "activation")


def sigmoid_does_not_train(cells: Cells) -> Verdict:
    """S3, second half: learning slows, so far that nothing is learned in the steps that others take."""
    named = dict(conditions(cells, DEEP))
    shares = {name: trained(rows)["sigmoid"] for name, rows in named.items()}
    statement = f"learning slows with depth (at most {FEW:.0%} of seeds train at {DEEP} layers)"
    evidence = f"share of seeds trained at {DEEP} layers, each condition at its selected rate"
    verdict = judge("S3b", "sigmoid", statement, AT_MOST, FEW, shares, evidence, "trained", figure=FIGURE)
    rows = pd.concat(named.values())
    return capped(verdict, cells, rows[rows["activation"] == "sigmoid"])


def centring_trains_deeper(cells: Cells) -> Verdict:
    """S1c: what a centred sigmoid, with the same derivative, gains in depth."""
    rows = pd.concat([some for _, some in conditions(cells, DEEP)])
    gains = {
        name: trained(some)["centred_sigmoid"] - trained(some)["sigmoid"] for name, some in conditions(cells, DEEP)
    }
    statement = f"outputs that are not zero-centred cost depth (share of seeds trained at {DEEP} layers)"
    evidence = f"share of seeds trained at {DEEP} layers, centred_sigmoid minus sigmoid, paired by seed"
    verdict = judge(
        "S1c", "sigmoid", statement, AT_LEAST, MATTERS, gains, evidence, "trained", difference=True, figure=FIGURE
    )
    return capped(verdict, cells, rows[rows["activation"].isin(["sigmoid", "centred_sigmoid"])])


def activation_decides_depth(cells: Cells) -> Verdict:
    """D1, as it is said: some two activations differ in how deep they train, whatever optimizer and initialisation."""
    depth = int(cells.selected["depth"].max())
    named = dict(conditions(cells, depth))
    level = 1 - 0.05 / max(len(named), 1)
    largest = {name: largest_difference(trained(rows), "trained", level) for name, rows in named.items()}
    statement = f"the choice of activation decides how deep a plain MLP trains (share of seeds at {depth} layers)"
    evidence = "the largest difference between any two of the activations, all pairs at once, paired by seed"
    verdict = judge("D1a", "", statement, AT_LEAST, MATTERS, largest, evidence, figure=FIGURE)
    return capped(verdict, cells, pd.concat(named.values()))


def relu_trains_deeper(cells: Cells) -> Verdict:
    """D1, of the two that the story begins with: ReLU cured what stops sigmoid."""
    shares = {name: trained(rows) for name, rows in conditions(cells, DEEP)}
    gains = {name: share["relu"] - share["sigmoid"] for name, share in shares.items()}
    rows = pd.concat([some for _, some in conditions(cells, DEEP)])
    statement = f"relu trains deeper than sigmoid (share of seeds at {DEEP} layers)"
    evidence = f"share of seeds trained at {DEEP} layers, relu minus sigmoid, paired by seed"
    verdict = judge(
        "D1b", "relu", statement, AT_LEAST, MATTERS, gains, evidence, "trained", difference=True, figure=FIGURE
    )
    return capped(verdict, cells, rows[rows["activation"].isin(["relu", "sigmoid"])])


CLAIMS = [sigmoid_does_not_train, centring_trains_deeper, activation_decides_depth, relu_trains_deeper]
