"""Equal speed: does mish converge faster than swish and GELU at one learning rate?

In ``tasks.py`` each network has the rate of its own least validation loss, and these differ: a network of a larger
rate may be the faster for that. Here the networks of a pair have one rate, of those at which such networks meet the
targets: two of each optimizer, on five tasks of ``tasks.py`` whose targets are met. *Faster* is what it is there, the
probability of improvement (Agarwal et al. 2021): how often a network meets its task's target loss before the other of
the same seed, a tie counting half, a network that never does coming last; a seed's number is the mean over tasks and
rates.

Predictions. The three functions are within 0.1 of one another in that probability.

What was decided when: δ is that of ``tasks.py``; rates and tasks are from what was met there, by all three functions;
all of it from before the first results of this study.

Reference: Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice, NeurIPS.
"""

import math

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.notes import listed
from actlab.analysis.tables.times import times_of
from actlab.analysis.under import Condition
from actlab.measures import Measure

OFTEN = 0.6  # of the pairs: faster where it is so often
NEVER = 1e9  # steps to a target that is not met: later than any that is
CELL = ["data", "learning_rate"]  # what a seed's number is averaged over
FIRST = Measure("probability of meeting the target first, mean over tasks and rates", range=(0.0, 1.0))


def first_to_meet(cells: Cells, one: str, other: str, optimizer: str) -> pd.DataFrame:
    """Whether one meets the target before the other, a tie counting half: a row a seed, a column a task and rate.

    Where neither meets it in most of the pairs, failures are compared with failures: such a cell has no column.
    """
    rows = times_of(cells.runs[cells.runs["activation"].isin([one, other])])
    rows = rows[rows["optimizer"] == optimizer].assign(time=lambda frame: frame["time"].replace(math.inf, NEVER))
    times = rows.pivot_table("time", ["seed", *CELL], "activation")
    won = (times[one] < times[other]) + 0.5 * (times[one] == times[other])
    met = (times < NEVER).any(axis=1).unstack(CELL)
    return won.unstack(CELL).loc[:, met.mean() >= 0.5]


def faster(cells: Cells, id: str, other: str, by_task: str) -> Verdict:
    """Judge that mish converges faster than another at one rate, under each optimizer."""
    won = {name: first_to_meet(cells, "mish", other, name) for name in sorted(cells.runs["optimizer"].unique())}
    ties = int(sum((frame == 0.5).sum().sum() for frame in won.values()))
    silent = sum(len(rows[CELL].drop_duplicates()) for _, rows in cells.runs.groupby("optimizer"))
    silent -= sum(frame.shape[1] for frame in won.values())
    rows = cells.runs[cells.runs["activation"].isin(["mish", other])]
    diverged = int((rows["status"] != "ok").sum())
    rates = [
        f"{name} at {listed([f'{rate:g}' for rate in sorted(some['learning_rate'].unique())])}"
        for name, some in rows.groupby("optimizer")
    ]
    pairs = sum(frame.size for frame in won.values())
    evidence = (
        f"probability that mish meets the task's target validation loss before {other} at the same rate, pairs of one "
        f"seed, mean over tasks (one by one, at selected rates, see {by_task}) and rates ({listed(rates)}); ties "
        f"count ½ ({ties} of {pairs} pairs, as losses are looked at every so many steps), and a network that never "
        f"does comes last, as the {diverged} of {len(rows)} runs that diverged do; where neither does in most "
        f"of the pairs, cells of a task and a rate are left out ({silent or 'none'})"
    )
    shares = {Condition(name, optimizer=name): frame.mean(axis=1) for name, frame in won.items()}
    statement = f"faster convergence than {other}, both at one rate (over five tasks)"
    return judge(id, "mish", statement, AT_LEAST, OFTEN, shares, evidence, FIRST)


def mish_is_faster_at_equal_rates(cells: Cells) -> Verdict:
    """M2g: M2c at one rate."""
    return faster(cells, "M2g", "swish", "M2c")


def mish_is_faster_than_gelu_at_equal_rates(cells: Cells) -> Verdict:
    """M2h: M2f at one rate."""
    return faster(cells, "M2h", "gelu", "M2f")


CLAIMS = [mish_is_faster_at_equal_rates, mish_is_faster_than_gelu_at_equal_rates]
