"""Small data: does PReLU overfit where data are few, and does mish keep from it?

The generalisation gap is the test split's loss or error rate minus the training split's. PReLU's controls are leaky
ReLU at its start (α = 0.25, never learned) and PReLU with an α for each unit, which has 64 times as many parameters to
overfit with. Mish's are ReLU, GELU and swish, where each first meets the target's training loss: else what learns less
looks as if it overfitted less. Each cell has a learning rate of its own, selected on three other seeds; where these
rates differ a gap may be theirs, and ``equal_rates.py`` asks again at equal ones.

Leaky ReLU frozen at the slopes that PReLU reaches here, layer by layer, tells learning α from having it: that is
``frozen_slopes.py``, whose study is written from what this one measures.

Predictions. Five numbers are next to nothing beside 20,000 weights: PReLU's gap is within 0.02 of leaky ReLU's at every
number of rows. Mish's gap at equal loss is that of swish and GELU.

What was decided when: all effects and conditions are from before the first results. In these the least rate, 1e-4, was
selected at 50 rows, which is why the grid begins at 1e-5 now. PReLU's prediction was a claim of its own, P2c (within
±0.02), decided by the numbers of P2a: supported at the five conditions at which P2a is contradicted, contradicted at
the sixth. It is left out since.
"""

from collections.abc import Callable

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.judging import capped
from actlab.analysis.under import Condition

MATTERS = 0.02  # of the error rate
LOSS = 0.05  # of the loss, in nats
FIGURE = "gap_by_rows"
PRELU, PER_UNIT, LEAKY = "prelu", "prelu(per=unit)", "leaky_relu(negative_slope=0.25)"


def gaps(cells: Cells, one: str, other: str, measure: str) -> dict[str, pd.Series]:
    """How much larger the gap of one is than the other's, pairs of one seed, by training rows and optimizer."""
    out: dict[str, pd.Series] = {}
    for (rows, optimizer), some in cells.selected.astype({"train_rows": int}).groupby(["train_rows", "optimizer"]):
        wide = some.pivot_table(measure, "seed", "activation")
        out[Condition(f"{rows} rows, {optimizer}", train_rows=rows, optimizer=optimizer)] = wide[one] - wide[other]
    return out


def judged(
    cells: Cells, id: str, activation: str, statement: str, form: str, effect: float, pair: tuple[str, str], of: str
) -> Verdict:
    """Judge the difference of two gaps."""
    one, other = pair
    what = "error rate" if "error" in of else "loss"
    when = ", at the first evaluation with the target's training loss" if "target" in of else " at the end"
    at_one_rate = "; at one rate see P2f" if activation == "prelu" else ""
    evidence = f"gap in {what}{when}, {one} minus {other}, paired by seed{at_one_rate}"
    differences = gaps(cells, one, other, of)
    verdict = judge(id, activation, statement, form, effect, differences, evidence, of, difference=True, figure=FIGURE)
    return capped(verdict, cells, cells.selected[cells.selected["activation"].isin(pair)])


def prelu_overfits(cells: Cells) -> Verdict:
    """P2a, as it is said: a larger gap than the same function with its slope left alone."""
    statement = "overfits on small data (more than leaky relu at its start)"
    pair, of = (PRELU, LEAKY), "generalization_gap_error"
    return judged(cells, "P2a", "prelu", statement, AT_LEAST, MATTERS, pair, of)


def per_unit_overfits(cells: Cells) -> Verdict:
    """P2b: with an α for each unit."""
    statement = "overfits on small data with an α for each unit (more than leaky relu at its start)"
    pair, of = (PER_UNIT, LEAKY), "generalization_gap_error"
    return judged(cells, "P2b", "prelu", statement, AT_LEAST, MATTERS, pair, of)


def mish_regularises(other: str, id: str) -> Callable[[Cells], Verdict]:
    """Make the claim that mish's gap at equal training loss is smaller than another's."""

    def claim(cells: Cells) -> Verdict:
        statement = f"self-regularising (a smaller gap than {other}'s where each meets the target's training loss)"
        of = "generalization_gap_loss_at_target"
        return judged(cells, id, "mish", statement, AT_LEAST, LOSS, (other, "mish"), of)

    claim.__name__ = f"mish_regularises_beside_{other}"
    return claim


CLAIMS = [
    prelu_overfits,
    per_unit_overfits,
    mish_regularises("relu", "M3a"),
    mish_regularises("gelu", "M3b"),
    mish_regularises("swish", "M3c"),
]
