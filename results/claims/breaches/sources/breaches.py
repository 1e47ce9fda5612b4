"""Breaches: where SELU's conditions fail, does it train worse, and does GELU do better there?

The conditions are those of ``normalising.py``, and two more that only training knows: dropout, which SELU is said to
need in its own kind (alpha dropout). Each is broken alone, and every cell has a learning rate of its own, which three
other seeds selected.

Predictions. Ten layers of digits are easy: most breaches cost next to nothing in accuracy, since training repairs what
initialisation did. Alpha dropout keeps the moments that dropout does not, which need not classify better.

What was decided when: all effects and conditions are from before the first results. With these known, U1c names the
claims that ask at initialisation.
"""

import numpy as np
import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, WITHIN, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import capped
from actlab.analysis.notes import listed
from actlab.analysis.under import Condition

MATTERS = 0.01  # of test accuracy
FACTOR = 0.3010  # decades of the variance: a factor of 2
WHOLE = ("", "alpha dropout")
"""What breaks none of the conditions."""


def breach(row: pd.Series) -> str:
    """Name the one condition of SELU's that a network lacks; empty where it has all. Alpha dropout breaks none."""
    if row["weight_init"] != "lecun_normal":
        return f"{row['weight_init'].partition('_')[0].title()} weights"
    if row["dropout"] > 0:
        return f"{row['dropout_kind']} dropout"
    return "raw inputs" if not row["standardize"] else "residual" if row["residual"] else ""


def accuracies(cells: Cells) -> dict[tuple[str, str], pd.DataFrame]:
    """Test accuracy by seed and activation at the selected rates, for each optimizer and condition that is broken."""
    rows = cells.selected.assign(breach=cells.selected.apply(breach, axis=1))
    return {
        (str(optimizer), str(name)): some.pivot_table("test_accuracy", "seed", "activation")
        for (optimizer, name), some in rows.groupby(["optimizer", "breach"])
    }


def without(breach: str, optimizer: str) -> Condition:
    """One breach, and an optimizer, as a condition."""
    return Condition(f"{breach}, {optimizer}", breach=breach, optimizer=optimizer)


def stays_normalised(cells: Cells) -> Verdict:
    """U1c: under its conditions the last layer's variance is within a factor of 2 of 1 after training, too."""
    rows = cells.selected[cells.selected["activation"] == "selu"]
    rows = rows[rows.apply(breach, axis=1) == ""]
    last = records_at(cells.layers, rows, "final", ["act_var"])
    last = last[last["layer"] == last["layer"].max()].merge(rows[["run", "seed", "optimizer"]], on="run")
    last = last.assign(decades=np.log10(last["act_var"].astype(float)))
    decades = {
        Condition(str(name), optimizer=name, weight_init="lecun_normal"): some.set_index("seed")["decades"]
        for name, some in last.groupby("optimizer")
    }
    evidence = (
        "log10 of the variance of the last layer's activations at the end, by seed, at the selected rate; at "
        "initialisation, through 100 layers, see U1b"
    )
    statement = "keeps variance 1 through training (last of 10 layers, a factor of 2)"
    verdict = judge("U1c", "selu", statement, WITHIN, FACTOR, decades, evidence)
    return capped(verdict, cells, rows)


def conditions_pay(cells: Cells) -> Verdict:
    """U2b: each breach costs accuracy; of dropout, against alpha dropout of the same rate."""
    selu = {at: frame["selu"] for at, frame in accuracies(cells).items()}
    costs = {
        without(name, optimizer): selu[optimizer, "alpha dropout" if "dropout" in name else ""] - one
        for (optimizer, name), one in selu.items()
        if name not in WHOLE
    }
    evidence = "test accuracy of selu under its conditions (of dropout: with alpha dropout) minus without, by seed"
    verdict = judge(
        "U2b",
        "selu",
        "its conditions are needed to train well",
        AT_LEAST,
        MATTERS,
        costs,
        evidence,
        "test_accuracy",
        difference=True,
    )
    return capped(verdict, cells, cells.selected[cells.selected["activation"] == "selu"])


def not_trained(cells: Cells) -> str:
    """Say of which activation how many networks did not train, under which breach and optimizer; else nothing."""
    rows = cells.selected.assign(breach=cells.selected.apply(breach, axis=1))
    trained = rows["trained"].astype(bool).groupby([rows[key] for key in ("activation", "breach", "optimizer")])
    share = trained.agg(["sum", "size"])
    where = [
        f"{n - k} of {n} of {one} under {name}, {optimizer}"
        for (one, name, optimizer), (k, n) in zip(share.index, share.to_numpy(), strict=True)
        if k < n and name not in WHOLE
    ]
    return f"; not trained are {listed(where)}" * bool(where)


def gelu_is_better_there(cells: Cells) -> Verdict:
    """U3: where a condition fails, GELU does better."""
    gains = {
        without(name, optimizer): frame["gelu"] - frame["selu"]
        for (optimizer, name), frame in accuracies(cells).items()
        if name not in WHOLE
    }
    evidence = (
        "test accuracy, gelu minus selu under the same breach, paired by seed, each at its selected rate"
        f"{not_trained(cells)}"
    )
    verdict = judge(
        "U3",
        "gelu",
        "where selu's conditions fail, gelu does better",
        AT_LEAST,
        MATTERS,
        gains,
        evidence,
        "test_accuracy",
        difference=True,
    )
    return capped(verdict, cells, cells.selected)


CLAIMS = [stays_normalised, conditions_pay, gelu_is_better_there]
