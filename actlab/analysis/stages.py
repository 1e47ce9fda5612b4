"""A study in two stages, as it is read: which runs chose, which are shown, and what was selected.

What chose a value is never shown at it: a value that was lucky on the tuning seeds would be shown with that luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actlab import commands
from actlab.analysis.layout import words
from actlab.later import pd
from actlab.naming import counted
from actlab.study.selection import of_sweep

if TYPE_CHECKING:
    from actlab.analysis.cells import Cells

AGAIN = commands.typed("run", "study.yaml", "--out", ".", "--reselect")
"""What selects again, typed in a study's folder."""


@dataclass(frozen=True)
class Tuning:
    """The first stage of a study.

    Attributes:
        seeds: its seeds.
        chosen: the tuning runs at the values that were selected.
    """

    seeds: tuple[int, ...]
    chosen: frozenset[str] = frozenset()


def tuning_of(study: Mapping[str, Any], manifest: Mapping[str, Any]) -> Tuning | None:
    """Read how a study tuned; None of one that has no such stage.

    Args:
        study: resolved.
        manifest: of its folder, which says what was selected.
    """
    seeds = of_sweep(study)
    if not seeds:
        return None
    entries = manifest.get("selection", {}).values()
    return Tuning(seeds, frozenset(run for one in entries for run in one["selected"].split()))


def as_stored(selection: pd.DataFrame, tuning_runs: pd.DataFrame, keys: Sequence[str], tuning: Tuning) -> pd.DataFrame:
    """Mark in a table of cells and values what is stored as selected, in place of what the rule says of it.

    Args:
        selection: one row per cell and value, with ``selected`` as the rule has it.
        tuning_runs: the runs of the first stage.
        keys: the columns that tell these rows apart.
        tuning: says what is stored.

    Returns:
        the same, with ``by_rule``: what the rule says of the tuning runs that there are now.
    """
    chosen = tuning_runs.loc[tuning_runs["run"].isin(tuning.chosen), list(keys)].drop_duplicates()
    stored = selection[list(keys)].merge(chosen.assign(_stored=True), on=list(keys), how="left")["_stored"].eq(True)
    return selection.assign(by_rule=selection["selected"], selected=stored.to_numpy())


def stale(cells: Cells) -> pd.DataFrame:
    """Find the cells of which the tuning runs that there are now would select another value than the stored one.

    What was selected stays in force when a grid is widened after it, since its fresh runs are of that value; the rule
    is asked again of all values, where each has as many tuning runs as the selected one.

    Args:
        cells: the study's.

    Returns:
        one row per such cell: its keys, the stored value, and ``by_rule``: the one that the rule selects now.
    """
    by, over = cells.selected_keys, cells.over
    if cells.tuning is None or cells.selection.empty:
        return pd.DataFrame(columns=[*by, over, "by_rule"])
    table = cells.selection
    groups = table.groupby(by, dropna=False) if by else table.groupby(lambda _: 0)
    tuned = groups["runs"].transform("min") == groups["runs"].transform("max")
    stored = table[table["selected"] & ~table["by_rule"] & tuned]
    now = table.loc[table["by_rule"], [*by, over]].rename(columns={over: "by_rule"})
    found = stored[[*by, over]].merge(now, on=by) if by else stored[[over]].merge(now, "cross")
    return found.reset_index(drop=True)


def superseded(runs: pd.DataFrame, tuning: Tuning, selection: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    """Say which runs are tuning runs at a selected value: fresh seeds are shown there, and never these."""
    chosen = selection.loc[selection["selected"], list(keys)].assign(_at=True)
    at = runs[list(keys)].merge(chosen, on=list(keys), how="left")["_at"].eq(True).to_numpy()
    return runs["seed"].isin(tuning.seeds) & at


def but_for(cells: Cells) -> str:
    """Say which runs of a study in two stages are none of ``cells.runs``; empty where there is one stage."""
    if cells.tuning is None:
        return ""
    number = int(cells.selection.loc[cells.selection["selected"], "runs"].sum())
    return f" (all but the {counted(number, 'tuning run')} at selected values)"


def of_stages(cells: Cells) -> str:
    """Say how many runs a study in two stages has, of which seeds; empty where there is one stage."""
    if cells.tuning is None:
        return ""
    fresh = cells.selected
    tuning = int(cells.selection["runs"].sum())
    values, number = cells.selection[cells.over].nunique(), len(cells.selection[cells.selected_keys].drop_duplicates())
    number = number if cells.selected_keys else 1
    seeds = counted(len(cells.tuning.seeds), "tuning seed")
    return (
        f"{counted(tuning, 'tuning run')}: {counted(number, 'cell')}, {counted(values, 'value')} of "
        f"{words(cells.over)} and {seeds}. {counted(len(fresh), 'fresh run')} "
        f"at the selected values: {counted(fresh['seed'].nunique(), 'seed')}."
    )
