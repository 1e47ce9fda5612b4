"""Cells of which some runs trained and others did not: how many did stands first, then what those came to.

The mean of such a cell lies where no run is, and its interval says little: five accuracies of .1, .2, .8, .9 and .9
have none that is of use. So the table says *3 of 5 trained*, with median and range of the three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from actlab.analysis import layout
from actlab.analysis.intervals import BESIDE, NO_INTERVAL
from actlab.later import pd

OF_TRAINED = ("trained_median", "trained_least", "trained_greatest")
COLUMNS = ("n_trained", *OF_TRAINED)
"""What ``with_trained`` adds to a table."""
NOTE = (
    "*k of n trained*: the training loss of the others is above half of the best constant predictor's at the end, or "
    "they diverged; "
)
SOME = "where some trained, what follows is the median (least to greatest) of those, and no interval"
NONE = "where none trained, what follows is of all runs"
NONE_LOST = (
    "where none trained and some diverged, what follows is the median (least to greatest) of those that have a value, "
    "and no interval"
)


def with_trained(frame: pd.DataFrame, values: pd.DataFrame, runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Add how many runs of each cell trained, and the median and range of those.

    A cell of which some trained and others did not keeps its mean, but has no interval; ``median``, ``least`` and
    ``greatest`` are of all its runs.

    Args:
        frame: estimates by cell and measure.
        values: ``run``, ``measure`` and ``value``, of which they were made.
        runs: the runs' settings, ``status`` and ``trained``.
        keys: the columns of ``runs`` that make a cell.
    """
    by = [*keys, "measure"]
    trained = runs["trained"].astype(bool) & (runs["status"] == "ok")
    each = values.merge(runs[["run", *keys]].assign(trained=trained), on="run")
    finite = each["value"].where(each["value"].abs() < math.inf)
    each = each.assign(value=finite, of_trained=finite.where(each["trained"]))
    groups = each.groupby(by, dropna=False)
    order = ("median", "min", "max")
    counted = groups.agg(
        n_trained=("trained", "sum"),
        **{name: ("of_trained", how) for name, how in zip(OF_TRAINED, order, strict=True)},
        **{f"all_{name}": ("value", how) for name, how in zip(BESIDE[:3], order, strict=True)},
    ).reset_index()
    out = frame.merge(counted, on=by, how="left").set_index(frame.index)
    some = partly(out)
    out[["low", "high", *BESIDE[3:]]] = out[["low", "high", *BESIDE[3:]]].mask(some)
    out["method"] = out["method"].mask(some, NO_INTERVAL)
    for name in BESIDE[:3]:
        out[name] = out[name].mask(some, out.pop(f"all_{name}"))
    return out


def partly(frame: pd.DataFrame) -> pd.Series:
    """Say of which cells some runs trained and others did not; of none, where a table does not count them."""
    if "n_trained" not in frame:
        return pd.Series(False, index=frame.index)
    return (frame["n_trained"] > 0) & (frame["n_trained"] < frame["runs"])


def lost(frame: pd.DataFrame) -> pd.Series:
    """Say of which cells no run trained, and some have no value."""
    if "n_trained" not in frame:
        return pd.Series(False, index=frame.index)
    return (frame["n_trained"] == 0) & (frame["n"] < frame["runs"])


def not_means(frame: pd.DataFrame) -> pd.Series:
    """Say of which cells ``note`` tells what stands in them, which is no mean with an interval."""
    return partly(frame) | lost(frame)


def estimate(row: Mapping[str, Any], decimals: int | None = None) -> str:
    """Write a cell's estimate, with how many runs trained before it where not all did.

    >>> row = {"mean": 0.6, "low": math.nan, "high": math.nan, "n": 5, "runs": 5, "n_trained": 3, "diverged": 1}
    >>> estimate(row | {"trained_median": 0.91, "trained_least": 0.87, "trained_greatest": 0.93}, 2)
    '3 of 5 trained: 0.91 (0.87 to 0.93) (1 of 5 diverged)'
    >>> estimate(row | {"mean": 0.196, "low": 0.191, "high": 0.201, "n_trained": 0, "diverged": 0}, 3)
    '0 of 5 trained: 0.196 [0.191, 0.201]'
    """
    trained, runs = row["n_trained"], row["runs"]
    if trained == runs:
        return layout.estimate(row, decimals)
    head = f"{trained:.0f} of {runs} trained: "
    tail = f" ({row['diverged']} of {runs} diverged)" if row.get("diverged") else ""
    row = {**row, "diverged": 0, "missing": 0}  # of how many there is a value the head says
    if trained == 0:
        return head + layout.estimate(row, decimals) + tail
    median, least, greatest = (row[name] for name in OF_TRAINED)
    apart = {"mean": median, "n": trained, "low": math.nan, "high": math.nan}
    if least < greatest:
        apart |= {"median": median, "least": least, "greatest": greatest}
    return head + layout.estimate({**apart, "runs": runs}, decimals) + tail


def note(frame: pd.DataFrame) -> str:
    """Say what stands in the cells of which not all runs trained; nothing where there is none."""
    if "n_trained" not in frame:
        return ""
    there = lost(frame) & (frame["n"] > 0)
    which = {
        SOME: partly(frame).any(),
        NONE: ((frame["n_trained"] == 0) & ~lost(frame)).any(),
        NONE_LOST: there.any(),
    }
    said = [text for text, occurs in which.items() if occurs]
    return f"{NOTE}{'; '.join(said)}." if said else NOTE.removesuffix("; ") + "." if lost(frame).any() else ""
