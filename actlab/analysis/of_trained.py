"""Cells of which some runs trained and others did not: after initialisation they are shown by those that trained.

A mean over both lies where no run is: gradients of networks that learned fall with their loss, and those of networks
that did not stay as they were, or vanish. How many of how many trained stands beside what is shown of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actlab.analysis import layout
from actlab.analysis.estimates import summarise
from actlab.later import pd
from actlab.measures import Measure, about
from actlab.naming import counted

TRAINED = "of_trained"
"""How many of how many runs trained, where these alone are shown: ``8 of 20 trained``; else empty."""

NONE_TRAINED = "none_trained"
"""Whether no run of a cell trained: what is shown of its end is of networks that learned little or nothing."""


def of_untrained(runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """List the runs that did not train where others of their cell did, with how many of how many did."""
    trained = runs["trained"].astype(bool) & (runs["status"] == "ok")
    runs = runs.assign(number=trained.astype(int))
    by = runs.groupby(list(keys), dropna=False)["number"]
    number, size = by.transform("sum"), by.transform("size")
    return runs.assign(number=number, size=size)[(number > 0) & ~trained]


def of_all_runs(measure: str) -> bool:
    """Whether a measure is a share of units: of it all runs count that did not diverge, whether they trained or not.

    Units die in networks that do not train: of those that trained alone, death would be left out.

    >>> of_all_runs("dead_fraction"), of_all_runs("weak_fraction"), of_all_runs("log10_signal_grad_norm")
    (True, True, False)
    """
    return about(measure).range == (0.0, 1.0)


def how_many(others: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Write of each cell that has such runs how many trained: keys, ``TRAINED``."""
    texts = [f"{number} of {size} trained" for number, size in zip(others["number"], others["size"], strict=True)]
    return others[list(keys)].assign(**{TRAINED: texts}).drop_duplicates()


def summarise_trained(
    values: pd.DataFrame, runs: pd.DataFrame, keys: Sequence[str], own: Mapping[str, Measure] | None = None
) -> pd.DataFrame:
    """``summarise``, in which after initialisation those runs alone count that trained, of cells where others did not.

    Args:
        values: one row for each run, measure and place; those that are not ``at`` init are of later.
        runs: the runs' settings, ``status`` and ``trained``.
        keys: the columns of ``runs`` that make a cell.
        own: the records of the user's measures.

    Returns:
        the estimates, with the column ``TRAINED`` where there is such a cell: how many of how many trained, or nothing.
    """
    others = of_untrained(runs, keys)
    if others.empty:
        return summarise(values, runs, keys, own=own)
    later = values["at"] != "init" if "at" in values else pd.Series(True, values.index)
    of_kept = values[later & ~values["run"].isin(others["run"])]
    kept = runs[~runs["run"].isin(others["run"])]
    parts = [summarise(of_kept, kept, keys, own=own).merge(how_many(others, keys), "left", on=list(keys))]
    if not later.all():
        parts.insert(0, summarise(values[~later], runs, keys, own=own))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(**{TRAINED: frame[TRAINED].fillna("")})


def with_none_trained(frame: pd.DataFrame, runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Say of estimates after initialisation whether no run of their cell trained; a column only where there is such.

    >>> runs = pd.DataFrame({"depth": [2, 50], "trained": [True, False], "status": "ok", "steps": 9})
    >>> frame = pd.DataFrame({"depth": [2, 50, 50], "at": ["final", "init", "final"]})
    >>> with_none_trained(frame, runs, ["depth"])["none_trained"].tolist()
    [False, False, True]
    """
    trained = runs["trained"].astype(bool) & (runs["status"] == "ok")
    none = ~runs.assign(trained=trained).groupby(list(keys), dropna=False)["trained"].any()
    if not none.any() or runs["steps"].max() == 0:  # of networks that are not trained at all nothing is to be said
        return frame
    out = frame.merge(none.rename(NONE_TRAINED).reset_index(), "left", on=list(keys))
    later = out["at"] != "init" if "at" in out else True
    return out.assign(**{NONE_TRAINED: out[NONE_TRAINED].eq(True) & later})


def untrained(frame: pd.DataFrame) -> pd.Series:
    """Tell of each estimate whether it is of a cell of which no run trained."""
    return frame[NONE_TRAINED].eq(True) if NONE_TRAINED in frame else pd.Series(False, frame.index)


def partly(frame: pd.DataFrame) -> pd.Series:
    """Tell of each estimate whether it is of those runs alone that trained."""
    return frame[TRAINED].fillna("") != "" if TRAINED in frame else pd.Series(False, frame.index)


def of_how_many(rows: pd.DataFrame) -> str:
    """Say in the head of a panel of how many runs it is: of those that trained, or of those that have a value.

    >>> row = {"n": 3, "runs": 3}
    >>> of_how_many(pd.DataFrame([row])), of_how_many(pd.DataFrame([row | {"none_trained": True}]))
    ('3 runs', '0 of 3 trained')
    >>> of_how_many(pd.DataFrame([row | {"of_trained": "1 of 3 trained"}])), of_how_many(pd.DataFrame([row | {"n": 2}]))
    ('1 of 3 trained', '2 of 3 runs')
    """
    most = int(rows["runs"].max()) if "runs" in rows else int(rows["n"].max())
    if partly(rows).any():
        return str(rows.loc[partly(rows), TRAINED].iloc[0])
    if untrained(rows).any():
        return f"0 of {most} trained"
    number = int(rows["n"].max())
    return counted(number, "run") if number == most else f"{number} of {counted(most, 'run')}"


def estimate(row: Mapping[str, Any], decimals: int | None = None) -> str:
    """Write an estimate as tables do, after how many runs trained where it is of those alone.

    >>> estimate({"mean": 0.5, "low": 0.4, "high": 0.6, "n": 8, "of_trained": "8 of 20 trained"})
    '8 of 20 trained: 0.50 [0.40, 0.60]'
    """
    text = layout.estimate(row, decimals)
    return f"{row[TRAINED]}: {text}" if row.get(TRAINED) else text


def all_count(runs: pd.DataFrame, keys: Sequence[str]) -> str:
    """Say of dead units that all runs count, where some of a cell trained and others did not; else nothing."""
    if of_untrained(runs, keys).empty:
        return ""
    return "All runs count, whether they trained or not: of those that trained alone, death would be left out."


def note(frame: pd.DataFrame) -> str:
    """Say below a table what stands in such cells; nothing where there is none."""
    if not partly(frame).any():
        return ""
    return (
        "*k of n trained*: the others did not, or diverged; what follows is of those that trained, since a mean over "
        "both lies where no run is. Where none trained, it is of all."
    )
