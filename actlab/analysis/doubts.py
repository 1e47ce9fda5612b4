"""What to doubt: how few the seeds are, of what no interval speaks, and which cells are not what they seem.

Like ``findings`` these are rules, in the order in which they are said: each reads a study's cells and the tables of its
report, and gives a sentence or two, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from actlab.analysis import bimodal
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.confounds import (
    MOST_NAMED,
    cell,
    cells_named,
    epochs,
    initialisations,
    parameters,
    same_seeds,
    that_chose,
)
from actlab.analysis.deviations import MOST_REASONS, inside_or_not, those_with
from actlab.analysis.escaping import plain
from actlab.analysis.findings.base import Tables, keys_of, named, varied
from actlab.analysis.findings.decided import open_claims
from actlab.analysis.findings.outcomes import ranking
from actlab.analysis.intervals import FEWEST, wilson_bounds
from actlab.analysis.layout import Table, in_markdown, records, words
from actlab.analysis.notes import listed
from actlab.analysis.outscored import of_selection
from actlab.analysis.stages import AGAIN, stale
from actlab.analysis.tables.times import TIME
from actlab.analysis.variation import SEED, SPLIT, numbers_of, of_what
from actlab.later import pd
from actlab.naming import counted

__all__ = ["RULES", "doubts_about"]

SCOPE, TRAINING = ("data", "depth", "width"), ("optimizer", "learning_rate", "batch_size", "steps")
"""Settings of which it is said where they have one value alone; the latter of networks that are trained."""
USUAL = {"weight_init": "auto", "weight_gain": 1, "bias_init": "zeros", "weight_decay": 0}
"""Settings of which it is said where they have one other value alone; likewise those that are mostly unused."""
DEEP = re.compile(r"depth/width is .*; theory is drawn up to ([\d.]+)$")
MANY = 20  # cells, of which one is expected to be missed by its interval
MISSED = 0.05


def repeats(cells: Cells, tables: Tables) -> str:
    """Say what varied between the runs of a cell, what did not, and what so few can miss."""
    runs, keys = cells.selected, cells.selected_keys
    several = {"split": numbers_of(runs, keys, SPLIT), "seed": numbers_of(runs, keys, SEED)}
    several = {noun: numbers for noun, numbers in several.items() if numbers[1] > 1}
    if not several:
        return "One run per cell: nothing has an interval, and another seed may turn out otherwise."
    noun, (least, _) = min(several.items(), key=lambda one: one[1][0])
    # What stands for an estimate: with an interval, or of too few for one.
    one = {"n": [2], "low": [np.nan if least < FEWEST else 0.0]}
    said = of_what(runs, keys, pd.DataFrame(one), cells.test_rows)
    unseen = float(wilson_bounds(np.array(0.0), np.array(least), 1 - MISSED)[1])
    few = f"{counted(least, noun)} can miss an outcome that up to {100 * unseen:.0f} % of all {noun}s have"
    return f"{said} {few}{', and give no mean an interval' * (least < FEWEST)}."


def scope(cells: Cells, tables: Tables) -> str:
    """Name the settings of a study that have one value alone, which was neither swept nor selected."""
    asked = SCOPE if cells.untrained else (*SCOPE, *TRAINING)
    usual = {one.column: one.unused for one in cells.settings if one.unused}
    usual |= {key: (value,) for key, value in USUAL.items() if key != "weight_decay" or not cells.untrained}
    one = [key for key in (*asked, *usual) if key in cells.runs and cells.runs[key].nunique(dropna=False) == 1]
    one = [key for key in one if cells.runs[key].iloc[0] not in usual.get(key, ())]
    one = [key for key in one if cells.select is None or key != cells.over]
    each = [f"{plain(words(key))} {in_markdown(cells.runs[key].iloc[0], key)}" for key in one]
    return f"All runs have {listed(each)}: other values may give other results." if each else ""


def untrained(cells: Cells, tables: Tables) -> str:
    """Say that no network was trained."""
    return "No network was trained: nothing here speaks of what training does to them." if cells.untrained else ""


def picked(cells: Cells, tables: Tables) -> str:
    """Say that intervals hold one at a time, and that extremes were picked."""
    number = len(cells.selected[cell_keys(cells)].drop_duplicates())
    if number < MANY or cells.selected.groupby(cell_keys(cells), dropna=False).size().max() < FEWEST:
        return ""
    return (
        f"A 95 % interval misses the true value one time in twenty: of the {number} cells of a table about "
        f"{MISSED * number:.0f}. What is named as the largest, the least or the best was picked for it, in part by "
        "chance: measured again it is likely to be less extreme."
    )


def ends_of_grid(cells: Cells, tables: Tables) -> str:
    """Name the cells in which some value of the swept key trains and the selected one is an end of its grid."""
    if cells.select is None or cells.selection.empty:
        return ""
    over, by = cells.over, cells.selected_keys
    low, high = (in_markdown(end, over) for end in (cells.selection[over].min(), cells.selection[over].max()))
    grid = f"its grid ({low} to {high})"
    if cells.selection[over].nunique() == 2:
        return f"Of two values of {plain(words(over))}, either is an end of {grid}: a better one may lie beyond."
    trains = cells.runs.loc[cells.runs["trained"].astype(bool), by].drop_duplicates()  # of either stage
    rows = cells.selection.merge(trains, on=by) if by else cells.selection.head(len(cells.selection) * len(trains))
    groups = rows.groupby(by, dropna=False, sort=False)[over] if by else rows.groupby(lambda _: 0)[over]
    several = groups.transform("nunique") > 1
    at_end = (
        several & rows["selected"] & ((rows[over] == groups.transform("min")) | (rows[over] == groups.transform("max")))
    )
    number = int(at_end.sum())
    if not number:
        return ""
    those = together(rows[at_end], varied(cells.selection, by))
    all_cells = len(cells.selection[by].drop_duplicates()) if by else 1
    some = f"{groups.ngroups} of " * (groups.ngroups < all_cells) + counted(all_cells, "cell")
    return (
        f"Some {plain(words(over))} trains in {some}, and in {number} of these the selected one is "
        f"an end of {grid}: a better one may lie beyond, for {those}."
    )


def selected_before(cells: Cells, tables: Tables) -> str:
    """Name the cells that are shown at a value which today's tuning runs would not select, and what selects again."""
    found = stale(cells)
    if found.empty:
        return ""
    over, keys = plain(words(cells.over)), varied(cells.selection, cells.selected_keys)
    each = [
        f"{cell(row, keys) if keys else 'the only cell'} at {in_markdown(row[cells.over], cells.over)}, by today's "
        f"{in_markdown(row['by_rule'], cells.over)}"
        for row in records(found.head(MOST_NAMED))
    ]
    each += [f"{len(found) - len(each)} more"] if len(found) > len(each) else []
    number = len(cells.selection[cells.selected_keys].drop_duplicates()) if cells.selected_keys else 1
    return (
        f"In {len(found)} of {counted(number, 'cell')} the {over} was selected before all of today's tuning runs were "
        f"there, which would select another: {'; '.join(each)}. What is shown, and every verdict on it, is of the old "
        f"one: `{AGAIN}` in the study's folder selects again."
    )


def lucky(cells: Cells, tables: Tables) -> str:
    """Say that values were selected on the seeds that are shown."""
    if cells.select is None or cells.selection.empty:
        return ""
    said = same_seeds(cells.selection, that_chose(cells), cells.selected, cells.over)
    return f"The selected {plain(words(cells.over))}{said.removeprefix('It')}" if said else ""


def outscored(cells: Cells, tables: Tables) -> str:
    """Say where the selected value has a clearly worse score on the test split than another."""
    said = of_selection(cells) if cells.select is not None else ""
    if not said:
        return ""
    by = plain(words(cells.select.by)) if cells.select else ""
    return f"Selected by {by}, not by what is shown: {said}. These cells can do better than is shown."


def diverged(cells: Cells, tables: Tables) -> str:
    """Say how many runs diverged, in how many cells, and how many of those that are shown."""
    lost = cells.runs["status"] != "ok"
    keys = [key for key in cell_keys(cells, cells.keys) if cells.tuning is None or key in cells.selection]
    number, which, runs = int(lost.sum()), cells.runs.loc[lost, keys].drop_duplicates(), len(cells.runs)
    if cells.tuning is not None:  # of which those at selected values are none of ``runs``
        there = cells.selection[cells.selection["selected"]]
        number, runs = number + int(there["diverged"].sum()), runs + int(there["runs"].sum())
        which = pd.concat([which, there.loc[there["diverged"] > 0, keys]]).drop_duplicates()
    if not number:
        return ""
    here = int((cells.selected["status"] != "ok").sum())
    text = f"{number} of {counted(runs, 'run')} diverged, in {counted(len(which), 'cell')}"
    if cells.untrained:
        return f"{number} of {counted(runs, 'run')}, in {counted(len(which), 'cell')}, have no finite loss."
    if cells.select is not None:
        at_selected = f"{text}, {here or 'none'} of them at selected values"
        return f"{at_selected}; what diverged enters no mean at the end, and never meets a target."
    return f"{text}: they enter no mean at the end, and never meet a target."


def censored(cells: Cells, tables: Tables) -> str:
    """Say how many runs never met the target, and have no time."""
    if "convergence" not in tables or cells.untrained:
        return ""
    frame = tables["convergence"].frame
    frame = frame[frame["measure"] == TIME]
    runs, there = int(frame["runs"].sum()), int(frame["n"].sum())
    if there == runs:
        return ""
    return (
        f"{runs - there} of {counted(runs, 'run')} did not reach the target loss: how long they would take is unknown."
    )


def uneven(cells: Cells, tables: Tables) -> str:
    """Name the cells of which some runs trained, and others did not."""
    if "performance" not in tables:
        return ""
    frame = ranking(tables["performance"].frame)
    rows = frame[bimodal.partly(frame)]
    if rows.empty:
        return ""
    those = together(rows, varied(frame, keys_of(cells, frame)))
    number = counted(len(rows), "cell")
    return f"In {number} some runs trained and others did not, and the mean describes neither of them: {those}."


def together(rows: pd.DataFrame, keys: Sequence[str]) -> str:
    """Name cells, those of one activation together where only one other key tells them apart."""
    return cells_named(records(rows), keys) if len(keys) < 3 else named(rows, keys)


def different_starts(cells: Cells, tables: Tables) -> str:
    """Say in what else than their activation networks differ that are compared."""
    runs = cells.selected
    several = runs["activation"].nunique() > 1
    sentences = [
        *([initialisations(runs, cells.ranks), parameters(runs, cells.ranks)] if several else []),
        epochs(runs),
    ]
    return " ".join(filter(None, sentences))


def outside(cells: Cells, tables: Tables) -> str:
    """Say how many cells are outside theory, and the reasons of most of them."""
    if cells.predictions.empty:
        return ""
    all_of, keys = inside_or_not(cells)
    all_of = all_of.assign(outside=all_of["outside"].map(in_general))
    out = all_of[all_of["outside"] != ""]
    if out.empty:
        return ""
    groups = sorted(out.groupby("outside", sort=False), key=lambda one: -len(one[1]))
    own = [key for key in keys if not key.endswith("_used")]
    each = []
    for reason, rows in groups[:MOST_REASONS]:
        number = f"{len(rows)}" if len(groups) > 1 else ""
        each.append(f"{number}{those_with(rows, all_of, own)}: {plain(str(reason))}".lstrip(": "))
    rest = sum(len(rows) for _, rows in groups[MOST_REASONS:])
    each += [f"{rest} for other reasons"] if rest else []
    which = f"{len(out)} of the {len(all_of)} different networks" if len(all_of) > 1 else "the networks"
    text = f"Mean-field theory of signals and gradients predicts nothing of {which} before training"
    text = f"{text}{': ' if len(groups) > 1 or not each[0].startswith('(') else ' '}{'; '.join(each)}."
    born = "dead_networks" in tables and bool(tables["dead_networks"].frame["born_dead"].any())
    return f"{text} How likely networks are to be born dead is another theory's matter." if born else text


def in_general(reason: str) -> str:
    """Say why theory predicts nothing, without the number of the one setting, so that settings of one kind are one."""
    reason = DEEP.sub(r"too deep for their width (theory is drawn up to a depth of \1 × width)", reason)
    return re.sub(r" in layer \d+$", " in some layer", reason)


def undecided(cells: Cells, tables: Tables) -> str:
    """Name the claims that stay open."""
    return open_claims(tables)


RULES: tuple[Callable[[Cells, Tables], str], ...] = (
    repeats,
    scope,
    untrained,
    different_starts,
    ends_of_grid,
    selected_before,
    lucky,
    outscored,
    diverged,
    censored,
    uneven,
    outside,
    undecided,
    picked,
)


def doubts_about(cells: Cells, tables: Mapping[str, Table | None], incomplete: Sequence[str] = ()) -> tuple[str, ...]:
    """Apply the rules in their order.

    Args:
        cells: the study's.
        tables: those that its report shows, by name; None where one does not apply.
        incomplete: sentences on runs that are planned and not here, which come first.

    Returns:
        what they say, as Markdown.
    """
    if cells.selected.empty:
        return tuple(incomplete)
    there = {name: table for name, table in tables.items() if table is not None and len(table.frame)}
    return (*incomplete, *filter(None, (rule(cells, there) for rule in RULES)))
