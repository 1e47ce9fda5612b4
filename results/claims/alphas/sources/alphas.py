"""Alphas: is the choice of leaky ReLU's negative slope α crucial?

α goes from 0 (ReLU) through 1 (a linear network) to 1.5, where the two sides have changed places; He's weights take α
into account, so that every network begins with its variance kept. Each has a learning rate of its own, selected on
three other seeds, under Adam and under SGD with momentum.

Predictions. α = 1 is linear, and worse than all others: as it is said the claim is true, of one value that nobody
takes. Among the values that are in use (0.01 to 0.3) differences are below 2 points of accuracy.

What was decided when: the effect and the range in use are from before the first results. After them: a condition is
held at inconclusive by itself where a selected rate that it rests on is an end of its grid (under momentum α = 1 and
1.5 have the lowest one).
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.intervals import Interval
from actlab.analysis.judging import capped, largest_difference
from actlab.analysis.under import Condition

MATTERS = 0.02  # of test accuracy
IN_USE = (0.01, 0.3)  # of α, from the first paper's to randomised leaky ReLU's (Maas et al. 2013, Xu et al. 2015)


def slope(label: str) -> float:
    """The α that an activation's label says; its default where it says none."""
    return float(label.partition("negative_slope=")[2].rstrip(")") or 0.01)


def differ(cells: Cells, id: str, statement: str, least: float, most: float) -> Verdict:
    """Judge that some two values of a range differ, under each optimizer, all pairs at once."""
    rows = cells.selected.assign(alpha=cells.selected["activation"].map(slope))
    rows = rows[rows["alpha"].between(least, most)]
    optimizers = sorted(rows["optimizer"].unique())
    largest: dict[str, Interval] = {}
    for optimizer in optimizers:
        wide = rows[rows["optimizer"] == optimizer].pivot_table("test_accuracy", "seed", "alpha")
        largest[Condition(optimizer, optimizer=optimizer)] = largest_difference(
            wide, "test_accuracy", 1 - 0.05 / len(optimizers)
        )
    evidence = f"largest difference in test accuracy between any two α from {least:g} to {most:g}, all pairs at once"
    if lost := int(rows["test_accuracy"].isna().sum()):
        evidence += f"; {lost} of {len(rows)} runs diverged and are left out: n is that of the pair with the fewest"
    verdict = judge(id, "leaky_relu", statement, AT_LEAST, MATTERS, largest, evidence)
    return capped_by_optimizer(verdict, cells, rows)


def any_matters(cells: Cells) -> Verdict:
    """L2a, as it is said: of all values."""
    alphas = cells.selected["activation"].map(slope)
    return differ(cells, "L2a", "the choice of α is crucial", float(alphas.min()), float(alphas.max()))


def in_use_matters(cells: Cells) -> Verdict:
    """L2b: of those that are in use."""
    return differ(cells, "L2b", "the choice of α is crucial among the values in use", *IN_USE)


def linear_is_worse(cells: Cells) -> Verdict:
    """L2c: a linear network is worse than α = 0.01: what the choice must not be."""
    rows = cells.selected.assign(alpha=cells.selected["activation"].map(slope))
    rows = rows[rows["alpha"].isin([0.01, 1.0])]
    gains: dict[str, pd.Series] = {}
    for optimizer, some in rows.groupby("optimizer"):
        wide = some.pivot_table("test_accuracy", "seed", "alpha")
        gains[Condition(str(optimizer), optimizer=optimizer)] = wide[0.01] - wide[1.0]
    statement = "α = 1, a linear network, is worse than α = 0.01"
    evidence = "test accuracy at α = 0.01 minus at α = 1, paired by seed, each at its selected rate"
    verdict = judge(
        "L2c",
        "leaky_relu",
        statement,
        AT_LEAST,
        MATTERS,
        gains,
        evidence,
        "test_accuracy",
        difference=True,
    )
    return capped_by_optimizer(verdict, cells, rows)


def capped_by_optimizer(verdict: Verdict, cells: Cells, rows: pd.DataFrame) -> Verdict:
    """Cap each condition by the cells that it rests on: those of its optimizer."""
    rows = rows.drop(columns="alpha")
    return capped(verdict, cells, rows, under={str(name): some for name, some in rows.groupby("optimizer")})


CLAIMS = [any_matters, in_use_matters, linear_is_worse]
