"""Equal rates: does PReLU overfit with few rows at one learning rate, and does regularisation mend it there?

``small_data.py`` and ``regularised.py`` give each network the rate that its validation loss selects, as is fair where
accuracies are compared. A gap between test and training rows is another matter: a lower rate learns less in the same
steps, and at 50 rows PReLU is given a lower one than leaky ReLU under momentum (under Adam it is the same for both).
Here both have the same rate, at four of them.

Prediction. At equal rates PReLU's gap is within 0.02 of leaky ReLU's.

What was decided when: effects are those of the two studies, and from before their results. That a control at equal
rates was needed was seen in those results; it was written before its own.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.under import Condition

MATTERS = 0.02  # of the error rate
PLAIN = "none"
OF = "generalization_gap_error"


def by_network(cells: Cells) -> dict[Condition, pd.DataFrame]:
    """The gap by seed, one column for each activation and means of regularisation, at each optimizer and rate."""
    runs = cells.runs
    means = pd.Series(PLAIN, runs.index).mask(runs["dropout"] > 0, "dropout").mask(runs["weight_decay"] > 0, "decay")
    rows = runs.assign(network=runs["activation"].str.partition("(")[0] + ", " + means)
    return {
        Condition(f"{optimizer} at {rate:g}", optimizer=optimizer, learning_rate=rate): some.pivot_table(
            OF, "seed", "network"
        )
        for (optimizer, rate), some in rows.groupby(["optimizer", "learning_rate"])
    }


def regularised(by: str, at: Condition) -> Condition:
    """One means of regularisation at an optimizer and rate: under which PReLU alone overfits, and what mends that."""
    return Condition(f"{by}, {at}", **dict(at.settings), regularised_by=by)


def prelu_overfits_at_equal_rates(cells: Cells) -> Verdict:
    """P2f: a larger gap than the same function with its slope left alone, at the same rate."""
    gaps = {at: wide[f"prelu, {PLAIN}"] - wide[f"leaky_relu, {PLAIN}"] for at, wide in by_network(cells).items()}
    statement = "overfits on small data (more than leaky relu at its start), both at one rate"
    evidence = "gap in error rate at the end, prelu minus leaky_relu at α = 0.25, paired by seed, 50 training rows"
    return judge("P2f", "prelu", statement, AT_LEAST, MATTERS, gaps, evidence, OF, difference=True)


def regularisation_mends_at_equal_rates(cells: Cells) -> Verdict:
    """P3d: each means of regularisation makes PReLU's gap smaller at the same rate."""
    gains = {
        regularised(name.partition(", ")[2], at): wide[f"prelu, {PLAIN}"] - wide[name]
        for at, wide in by_network(cells).items()
        for name in map(str, wide)
        if name.startswith("prelu") and not name.endswith(PLAIN)
    }
    statement = "regularisation mends its overfitting (a smaller gap), both at one rate"
    evidence = "gap in error rate at the end, prelu alone minus prelu regularised, paired by seed, 50 training rows"
    return judge("P3d", "prelu", statement, AT_LEAST, MATTERS, gains, evidence, OF, difference=True)


CLAIMS = [prelu_overfits_at_equal_rates, regularisation_mends_at_equal_rates]
