"""Scores: the ten tasks together, on one scale, as tables of the study ``tasks``.

A task's score is 0 for the best constant predictor and 1 for the best that this study knows: the largest mean over
seeds of any activation with any optimizer. Over all tasks and seeds together stands the interquartile mean: the mean of
the middle half, which neither one easy task nor a few failed runs decide. *Probability of improvement* is how often a
run of one is better than one of another on the same task, all pairs of seeds, a tie counting half, mean over tasks.
Intervals are percentiles of the bootstrap, seeds drawn anew within each task.

Reference: Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice, NeurIPS.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import trim_mean

import actlab
from actlab.analysis.cells import Cells
from actlab.analysis.escaping import code
from actlab.analysis.intervals import Interval
from actlab.analysis.layout import Table, with_interval

Scores = NDArray[np.float64]
"""One activation's with one optimizer [tasks, seeds]."""
RESAMPLES = 2_000
METHOD = "stratified bootstrap, percentiles"
BEFORE = "relu"
"""What each is held against."""


def scored(cells: Cells) -> pd.DataFrame:
    """The selected runs with their score; one that diverged predicts nothing better than a constant does: 0."""
    rows = cells.selected
    is_class = rows["task"] == "classification"
    metric = rows["test_accuracy"].where(is_class, rows["test_r2"]).astype(float)
    constant = rows["data_content"].map(cells.chance).astype(float).where(is_class, 0.0)
    rows = rows.assign(metric=metric, constant=constant).astype({"data": str})
    best = rows.groupby(["data", "activation", "optimizer"])["metric"].mean().groupby("data").max()
    scores = (rows["metric"] - constant) / (rows["data"].map(best) - constant)
    return rows.assign(score=scores.fillna(0.0))


def by_network(cells: Cells) -> dict[tuple[str, str], Scores]:
    """Scores [tasks, seeds] by optimizer and activation, tasks in one order."""
    rows = scored(cells)
    return {
        (str(optimizer), str(name)): some.pivot_table("score", "data", "seed").sort_index().to_numpy(np.float64)
        for (optimizer, name), some in rows.groupby(["optimizer", "activation"])
    }


def interquartile_mean(scores: Scores) -> float:
    """The mean of the middle half of all tasks' and seeds' scores.

    >>> interquartile_mean(np.array([[-100.0, 0.4], [0.6, 100.0]]))
    0.5
    """
    return float(trim_mean(scores, 0.25, axis=None))


def improvement(one: Scores, other: Scores) -> float:
    """How often one is better than another on the same task: pairs of all seeds, ties half, mean over tasks.

    >>> improvement(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]]))
    0.875
    """
    difference = one[:, :, None] - other[:, None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def bootstrapped(statistic: Callable[..., float], *samples: Scores) -> Interval:
    """Give a statistic its interval: seeds are drawn anew within each task, for each of the samples by itself."""
    draws = np.random.default_rng(0)

    def again(scores: Scores) -> Scores:
        return np.take_along_axis(scores, draws.integers(scores.shape[1], size=scores.shape), axis=1)

    found = [statistic(*map(again, samples)) for _ in range(RESAMPLES)]
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(statistic(*samples), float(low), float(high), samples[0].size, METHOD)


def laid_out(title: str, note: str, intervals: Mapping[tuple[str, str], Interval], name: str) -> Table:
    """Lay numbers out: activations down, optimizers across, best under the first optimizer first."""
    frame = pd.DataFrame(
        [
            {"activation": activation, "optimizer": optimizer, "measure": name, "text": with_interval(one)}
            | {key: getattr(one, key) for key in ("mean", "low", "high", "n", "method")}
            for (optimizer, activation), one in intervals.items()
        ]
    ).sort_values(["optimizer", "mean"], ascending=[True, False], ignore_index=True)
    order = list(dict.fromkeys(frame["activation"]))
    wide = frame.pivot_table("text", "activation", "optimizer", aggfunc="first").loc[order].fillna("–").reset_index()
    wide["activation"] = wide["activation"].map(code)
    return Table(title, note, frame.drop(columns="text"), wide.rename_axis(columns=None))


@actlab.table
def scores(cells: Cells) -> Table:
    """The interquartile mean of the scores of all tasks."""
    networks = by_network(cells)
    tasks = next(iter(networks.values())).shape[0]
    failed = int((scored(cells)["status"] != "ok").sum())
    note = (
        f"Interquartile mean over {tasks} tasks and all seeds (Agarwal et al. 2021), each network at its selected "
        "learning rate. Score: 0, the best constant predictor; 1, the largest mean over seeds of any activation and "
        f"optimizer here, task by task. In brackets: 95 % by {METHOD}, seeds within tasks. "
        f"{failed or 'None'} of the {len(cells.selected)} runs diverged{'; their score is 0' * bool(failed)}."
    )
    found = {key: bootstrapped(interquartile_mean, one) for key, one in networks.items()}
    return laid_out("Score over all tasks", note, found, "interquartile mean of the score")


@actlab.table
def improvements(cells: Cells) -> Table:
    """How often each ends better than ReLU."""
    networks = by_network(cells)
    note = (
        f"Probability of improvement on `{BEFORE}` (Agarwal et al. 2021): how often a run ends better than one of "
        f"`{BEFORE}` on the same task, all pairs of seeds, ties half, mean over tasks; ½ where neither is better. "
        f"In brackets: 95 % by {METHOD}, seeds within tasks."
    )
    found = {
        (optimizer, name): bootstrapped(improvement, one, networks[optimizer, BEFORE])
        for (optimizer, name), one in networks.items()
        if name != BEFORE
    }
    return laid_out("Probability of ending better than ReLU", note, found, "probability of improvement")
