"""Regularised: does regularisation, or a simpler activation, mend PReLU's overfitting?

PReLU with 50 training rows, left alone, with weight decay on its weights, on its weights and α, and with dropout; each
with a learning rate of its own, selected on three other seeds. The gap is the test split's error rate minus the
training split's at the end; what mends it must not cost accuracy, so that is asked beside it. That there is something
to mend is for ``small_data.py`` to say.

Predictions. Adam's decoupled decay of 0.1 does little in 400 steps; dropout makes the gap smaller by hurting training.

What was decided when: all effects are from before the first results. These were at 200 rows, where ``small_data.py``
then found nothing to mend; it is asked at 50 rows since, where PReLU overfits under momentum.
"""

from collections.abc import Mapping

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.judging import capped
from actlab.analysis.under import Condition

MATTERS = 0.02  # of the error rate, and of accuracy
PLAIN = "none"
BETWEEN = ("activation", "dropout", "weight_decay", "decay_activation_parameters")


def means(row: pd.Series) -> str:
    """Name what a network is regularised by."""
    if row["dropout"] > 0:
        return "dropout"
    if row["weight_decay"] == 0:
        return PLAIN
    return "decay, also on α" if row["decay_activation_parameters"] else "decay, not on α"


def by_means(cells: Cells, activation: str, measure: str) -> dict[str, pd.DataFrame]:
    """A measure by seed at the selected rates, one column for each means of regularisation, for each optimizer."""
    rows = cells.selected[cells.selected["activation"].str.startswith(activation)]
    rows = rows.assign(means=rows.apply(means, axis=1))
    return {str(name): some.pivot_table(measure, "seed", "means") for name, some in rows.groupby("optimizer")}


def of_prelu(cells: Cells) -> pd.DataFrame:
    """The selected runs of PReLU."""
    return cells.selected[cells.selected["activation"].str.startswith("prelu")]


def over_plain(by_optimizer: Mapping[str, pd.DataFrame]) -> dict[str, pd.Series]:
    """Each means of regularisation minus none, pairs of one seed."""
    return {
        Condition(f"{name}, {optimizer}", regularised_by=name, optimizer=optimizer): wide[name] - wide[PLAIN]
        for optimizer, wide in by_optimizer.items()
        for name in wide
        if name != PLAIN
    }


def regularisation_mends(cells: Cells) -> Verdict:
    """P3a: each means of regularisation makes PReLU's gap smaller."""
    gaps = over_plain(by_means(cells, "prelu", "generalization_gap_error"))
    gains = {name: -gap for name, gap in gaps.items()}
    statement = "regularisation mends its overfitting (a smaller gap)"
    evidence = (
        "gap in error rate at the end, prelu alone minus prelu regularised, paired by seed, 50 training rows; at one "
        "rate see P3d"
    )
    of = "generalization_gap_error"
    verdict = judge("P3a", "prelu", statement, AT_LEAST, MATTERS, gains, evidence, of, difference=True)
    return capped(verdict, cells, of_prelu(cells), between=BETWEEN)


def regularisation_helps(cells: Cells) -> Verdict:
    """P3b: and it classifies better for it."""
    gains = over_plain(by_means(cells, "prelu", "test_accuracy"))
    statement = "regularisation makes it classify better"
    evidence = "test accuracy, prelu regularised minus prelu alone, paired by seed, 50 training rows"
    verdict = judge("P3b", "prelu", statement, AT_LEAST, MATTERS, gains, evidence, "test_accuracy", difference=True)
    return capped(verdict, cells, of_prelu(cells), between=BETWEEN)


def simpler_is_better(cells: Cells) -> Verdict:
    """P3c: a simpler activation, leaky ReLU at PReLU's start, mends it, too."""
    of = "generalization_gap_error"
    prelu, leaky = (by_means(cells, name, of) for name in ("prelu", "leaky_relu"))
    gains = {
        Condition(optimizer, optimizer=optimizer): prelu[optimizer][PLAIN] - leaky[optimizer][PLAIN]
        for optimizer in prelu
    }
    statement = "a simpler activation mends its overfitting (a smaller gap)"
    evidence = "gap in error rate at the end, prelu minus leaky_relu at α = 0.25, paired by seed, 50 training rows"
    verdict = judge("P3c", "prelu", statement, AT_LEAST, MATTERS, gains, evidence, of, difference=True)
    return capped(verdict, cells, cells.selected, between=BETWEEN)


CLAIMS = [regularisation_mends, regularisation_helps, simpler_is_better]
