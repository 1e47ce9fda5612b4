"""Which runs of a study stand for its cells: of one in two stages those of fresh seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actlab.analysis.cells import build_cells
from actlab.analysis.stages import tuning_of
from actlab.later import pd
from actlab.study.selection import Select
from actlab.study.settings import of_manifest


def shown_runs(
    study: Mapping[str, Any], manifest: Mapping[str, Any], runs: pd.DataFrame, asked: Sequence[str] = ()
) -> pd.DataFrame:
    """Take the runs that a study shows: all, but of one in two stages those that are of fresh seeds.

    Where the key that is selected over is asked for, tuning runs at the values that were not selected are shown too.

    Args:
        study: resolved.
        manifest: of its folder.
        runs: all of its runs.
        asked: columns of which every value is asked for.
    """
    tuning = tuning_of(study, manifest)
    if tuning is None:
        return runs
    rule, nothing = Select(**study["report"]["select"]), pd.DataFrame({"run": [], "step": [], "layer": []})
    settings = of_manifest(manifest)
    cells = build_cells(runs, nothing.drop(columns="layer"), nothing, rule, settings=settings, tuning=tuning)
    kept = cells.runs if cells.over in asked else cells.selected
    return runs[runs["run"].isin(kept["run"])].reset_index(drop=True)
