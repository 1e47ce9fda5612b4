"""What a comparison says besides its numbers: what else differs between its groups, and what adds seeds to few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from actlab import commands
from actlab.analysis.cells import Cells
from actlab.analysis.compared_runs import Compared, Study
from actlab.analysis.confounds import (
    at_the_end,
    initialisations,
    of_cells,
    of_runs,
    parameters,
    same_seeds,
    that_chose,
)
from actlab.analysis.escaping import code, plain
from actlab.analysis.intervals import FEWEST
from actlab.analysis.marking import more_repeats
from actlab.analysis.variation import SEED, numbers_of, split_varies
from actlab.later import pd
from actlab.naming import listed


def confounds_of(compared: Compared, runs: pd.DataFrame, keys: Sequence[str], ranks: Mapping[str, int]) -> str:
    """Name the confounds of a comparison, in sentences; empty where there is none.

    Args:
        compared: how its runs were chosen.
        runs: those shown, with their study; ``ok`` where they have a value, whatever came of them.
        keys: the columns that make a group.
        ranks: the place of each activation.
    """
    sentences = [of_runs(runs, keys, ranks)]
    if "activation" not in keys and runs["activation"].nunique() > 1:
        found = initialisations(runs, ranks)
        mixed = found and numbers_of(runs, keys, "weight_init_used")[1] > 1
        averaged = found.replace("Compared at different", "Averaged over different") if mixed else found
        sentences += [averaged, parameters(runs, ranks)]
    several = len(compared.studies) + len(compared.empty) > 1
    by_text: dict[str, list[str]] = {}
    for name, cells in compared.selected.items():
        text = of_selection(cells, runs[runs["study"] == name], keys)
        by_text.setdefault(text, []).append(name)
    for text, names in by_text.items():
        sentences.append(f"Of {plain(listed(names))}: {text[0].lower()}{text[1:]}" if several and text else text)
    return " ".join(filter(None, sentences))


def of_selection(cells: Cells, runs: pd.DataFrame, keys: Sequence[str]) -> str:
    """Name the confounds of what a study's rule selected: at an end of its grid, or on the seeds that are shown.

    Args:
        cells: the study's, of all its runs.
        runs: those shown; runs of one name are told apart by their study before it.
        keys: what tells groups apart.
    """
    if runs.empty:
        return ""
    chosen, chose = (of_cells(frame, runs, cells.selected_keys) for frame in (cells.selection, that_chose(cells)))
    if chosen.empty:
        return ""
    tells = [key for key in keys if key in cells.selected_keys] or list(cells.selected_keys)
    if set(tells) < set(cells.selected_keys) and ambiguous(chosen, tells):
        tells = list(cells.selected_keys)
    shown = runs.assign(run=runs["run"].str.rpartition("/")[2])
    sentences = [at_the_end(chosen, shown, cells.over, tells), same_seeds(chosen, chose, shown, cells.over)]
    return " ".join(filter(None, sentences))


def ambiguous(selection: pd.DataFrame, keys: Sequence[str]) -> bool:
    """Whether several cells are alike in some keys."""
    chosen = selection[selection["selected"]]
    return bool(chosen.duplicated(list(keys)).any()) if keys else len(chosen) > 1


def few_seeds(studies: Sequence[Study], compared: Compared, frame: pd.DataFrame, keys: Sequence[str]) -> str:
    """Say which command adds seeds, where a study has too few for an interval; nothing where there are enough.

    Args:
        studies: as they were given, with all of their runs.
        compared: those that are shown.
        frame: estimates.
        keys: what makes a group.
    """
    if SEED in keys or frame.empty or frame["low"].notna().any():
        return ""
    shown = {study.name for study in compared.studies}
    ways = []
    for study in studies:
        tuned = study.tuning.seeds if study.tuning is not None else ()
        seeds = set(study.runs[SEED]) - set(tuned)
        if study.name in shown and study.folder and 0 < len(seeds) < FEWEST and not split_varies(study.runs):
            more = more_repeats(pd.DataFrame({SEED: sorted(seeds)}))["seeds"]
            ways.append(code(commands.resume(Path(study.folder), more)))
    return f"For intervals, more seeds: {'; '.join(ways)}." if ways else ""
