"""Cells in which another value than the selected one scores better on the test split, beyond what luck explains.

A rule reads validation loss, and a network that is sure of its few mistakes has a higher one than a network that is
rarely sure and often wrong: what is drawn of a cell need not be the best score that it can have. Scores on the test
split never choose; here they say where to doubt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from actlab.analysis.cells import Cells
from actlab.analysis.confounds import MOST_NAMED, cell
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import summarise
from actlab.analysis.findings.base import varied
from actlab.analysis.intervals import FEWEST
from actlab.analysis.layout import estimate, in_markdown, records, words
from actlab.analysis.notes import listed
from actlab.analysis.ties import gap, margin_of
from actlab.analysis.variation import least_independent, repeats_of
from actlab.later import pd
from actlab.measures import Measure, about
from actlab.naming import counted

LUCK = 0.001
"""The probability that one comparison says so by luck alone, at most: a study makes hundreds."""


def outscored(cells: Cells, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Find the cells of which another value of the swept key clearly scores better than the selected one.

    Args:
        cells: the study's.
        rows: the selected runs whose cells are looked at; all by default.

    Returns:
        one row per such cell, the widest gap first: its keys, the selected value and its ``estimate``, the ``other``
        value that is ahead the furthest, its ``other_estimate`` and number of runs ``n``, ``measure`` and ``gap``.
    """
    found = pd.DataFrame(compared(cells, rows) if len(cells.selection) and not cells.untrained else [])
    return found.sort_values("gap", ascending=False, kind="stable") if len(found) else found


def with_outscored(frame: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Add to estimates of cells, where there is such a cell, ``outscored_by``: the key of which another is better."""
    found, by = outscored(cells), list(cells.selected_keys)
    if found.empty:
        return frame
    if not by:  # the only cell
        return frame.assign(outscored_by=words(cells.over))
    marked = found[by].assign(outscored_by=words(cells.over))
    out = frame.merge(marked, "left", on=by)
    return out.assign(outscored_by=out["outscored_by"].fillna(""))


def compared(cells: Cells, rows: pd.DataFrame | None = None) -> Iterator[dict[str, Any]]:
    """Compare the runs of each cell at its selected value with those at every other, and yield what is clear."""
    by, over, shown = cells.selected_keys, cells.over, set((cells.selected if rows is None else rows)["run"])
    classes = cells.runs["task"] == "classification"
    runs = cells.runs.assign(
        measure=np.where(classes, "test_accuracy", "test_loss"),
        value=np.where(classes, cells.runs["test_accuracy"], cells.runs["test_loss"]).astype(float),
    )
    for _, own in runs.groupby(by, dropna=False, sort=False) if by else [((), runs)]:
        here = own[own["run"].isin(shown)]
        if here.empty:
            continue
        record = about(str(here["measure"].iloc[0]), cells.own)
        others = own[own[over] != here[over].iloc[0]].groupby(over)
        gaps = {value: how_far(there, here, record) for value, there in others}
        clear = {value: size for value, size in gaps.items() if size == size}
        if clear:
            best = max(clear, key=lambda value: clear[value])
            texts = [written(one, cells, by) for one in (here, others.get_group(best))]
            chosen = {over: here[over].iloc[0], "estimate": texts[0], "other": best, "other_estimate": texts[1]}
            chosen["n"] = len(others.get_group(best))
            yield {**{key: here[key].iloc[0] for key in by}, **chosen, "measure": record.name, "gap": clear[best]}


def how_far(ahead: pd.DataFrame, behind: pd.DataFrame, record: Measure) -> float:
    """Say how far some runs score better than others of their cell; NaN unless that is clear.

    It is clear where it is more than no difference (``ties.margin_of``), no run diverged, and luck would hardly do it:
    of at least five seeds each the interval of the gap is apart from 0, and of fewer every run of the one is better
    than every run of the other, which m and n runs of one kind do with probability 1/C(m + n, n).

    Returns:
        the gap between the means, of ratios its logarithm.
    """
    margin, both = margin_of(record), (ahead, behind)
    if margin is None or any((rows["status"] != "ok").any() or rows["value"].isna().any() for rows in both):
        return math.nan
    repeats = repeats_of(pd.concat(both))
    a, b = (rows.set_index(repeats)["value"] for rows in both)
    sign = 1.0 if record.better == "higher" else -1.0
    if sign * (a.mean() - b.mean()) <= 0:
        return math.nan
    if min(least_independent(a.index), least_independent(b.index)) >= FEWEST:
        one = gap(a, b, record, 1 - LUCK)
        return one.interval.mean if one.apart and one.interval.mean > margin.delta else math.nan
    apart = (sign * a).min() > (sign * b).max() and math.comb(len(a) + len(b), len(a)) >= 1 / LUCK
    ends = (abs(a.mean() - margin.end), abs(b.mean() - margin.end))
    far = abs(math.log(ends[0] / ends[1])) if margin.ratio and min(ends) > 0 else abs(a.mean() - b.mean())
    return far if apart and far > margin.delta else math.nan


def written(runs: pd.DataFrame, cells: Cells, by: list[str]) -> str:
    """Write the score of the runs of one cell, as tables do."""
    keys = by or ["activation"]
    return estimate(records(summarise(runs[["run", "measure", "value"]], runs, keys, own=cells.own))[0], 3)


def of_selection(cells: Cells, rows: pd.DataFrame | None = None) -> str:
    """Say in how many cells another value clearly scores better, and name the first; empty where in none.

    Args:
        cells, rows: as ``outscored`` takes them.
    """
    found = outscored(cells, rows)
    if found.empty:
        return ""
    over, keys = plain(words(cells.over)), varied(cells.selection, cells.selected_keys)
    each = [
        f"{cell(row, keys) if keys else 'the only cell'} {row['other_estimate']} at {in_markdown(row['other'])} "
        f"({row['n']} runs), {row['estimate']} at the selected {in_markdown(row[cells.over])}"
        for row in records(found.head(MOST_NAMED))
    ]
    each += [f"{len(found) - len(each)} more"] if len(found) > len(each) else []
    metrics = listed([plain(words(name)) for name in dict.fromkeys(found["measure"])])
    own = cells.selected if rows is None else rows
    of = counted(len(own[cells.selected_keys].drop_duplicates()) if cells.selected_keys else 1, "cell")
    return f"in {len(found)} of {of} another {over} has a clearly better {metrics}: {'; '.join(each)}"
