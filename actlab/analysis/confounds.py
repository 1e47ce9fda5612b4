"""Confounds by name: what else differs between the cells of a table than what its rows and columns say.

Each is a sentence under the table that shows it, and only there: who got which initialisation, who learns parameters of
its own, who was selected at the end of its grid, whose runs were left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actlab.analysis.cells import Cells, sort_rows
from actlab.analysis.escaping import code, plain
from actlab.analysis.layout import in_markdown, records, words
from actlab.later import pd
from actlab.naming import counted

MOST_NAMED = 3
"""Of more cells the first are named, and the others counted: the tables say the rest."""


def of_table(
    cells: Cells,
    frame: pd.DataFrame,
    keys: Sequence[str],
    selected: bool = False,
    means: bool = True,
    at_init: bool = False,
) -> str:
    """Name the confounds of a table, in sentences; empty where there is none.

    Args:
        cells: the study's.
        frame: what the table shows, with the columns ``keys``.
        keys: what tells its cells apart.
        selected: whether it shows the runs at the selected values alone.
        means: whether runs that diverged are left out of what it shows.
        at_init: whether it shows them at init all the same.
    """
    keys = [key for key in keys if key in frame]
    runs = of_cells(cells.selected if selected else cells.runs, frame, keys)
    chosen = of_cells(cells.selection, frame, [key for key in keys if key in cells.selection]) if selected else None
    sentences = [of_runs(runs, keys, cells.ranks, means, at_init)]
    if chosen is not None and len(chosen):
        these = of_cells(that_chose(cells), frame, [key for key in keys if key in cells.selection])
        sentences += [at_the_end(chosen, runs, cells.over, keys), same_seeds(chosen, these, runs, cells.over)]
    return " ".join(filter(None, sentences))


def that_chose(cells: Cells) -> pd.DataFrame:
    """Take the runs by which values were selected: in two stages the tuning runs, and never a fresh one."""
    return cells.runs if cells.tuning is None else cells.runs[cells.runs["seed"].isin(cells.tuning.seeds)]


def of_runs(
    runs: pd.DataFrame,
    keys: Sequence[str],
    ranks: Mapping[str, int] | None = None,
    means: bool = True,
    at_init: bool = False,
) -> str:
    """Name the confounds of some runs that are shown by ``keys``: all but those of a selection.

    >>> runs = pd.DataFrame({"activation": ["tanh", "relu"], "weight_init": "auto", "status": "ok"})
    >>> of_runs(runs.assign(weight_init_used=["glorot_normal", "he_normal"]), ["activation"])
    'Compared at different initialisations, by `auto`: `glorot_normal` for `tanh`; `he_normal` for `relu`.'
    """
    several = "activation" in keys and runs["activation"].nunique() > 1
    sentences = [
        initialisations(runs, ranks) if several else "",
        parameters(runs, ranks) if several else "",
        epochs(runs),
        left_out(runs, keys, ranks, at_init) if means else "",
    ]
    return " ".join(filter(None, sentences))


def of_cells(runs: pd.DataFrame, frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Take the runs of the cells that a table has."""
    return runs.merge(frame[list(keys)].drop_duplicates(), on=list(keys)) if keys and len(runs) else runs


def by_initialisation(runs: pd.DataFrame, ranks: Mapping[str, int] | None = None) -> str:
    """Say which initialisation ``auto`` was, for which activations; empty where there is no such run.

    >>> runs = pd.DataFrame({"activation": ["relu", "elu"], "weight_init": "auto", "weight_init_used": "he_normal"})
    >>> by_initialisation(runs)
    '`he_normal` for `relu`, `elu`'
    """
    if not {"weight_init", "weight_init_used"} <= set(runs):
        return ""
    each = used_by(runs, ranks)
    return "; ".join(f"{code(name)} for {', '.join(map(code, activations))}" for name, activations in each.items())


def used_by(runs: pd.DataFrame, ranks: Mapping[str, int] | None = None) -> dict[str, list[str]]:
    """List the activations that each initialisation was of, which ``auto`` chose: both in the activations' order."""
    used = runs[runs["weight_init"] == "auto"].groupby("weight_init_used")["activation"].unique()
    each = {str(name): in_order(used[name], ranks) for name in used.index}
    return {name: each[name] for name in sorted(each, key=lambda one: ranks[each[one][0]] if ranks else 0)}


def in_order(activations: Sequence[str], ranks: Mapping[str, int] | None) -> list[str]:
    """Sort activations by their places in the story."""
    return sorted(activations, key=ranks.__getitem__) if ranks else list(activations)


def in_short(names: Sequence[str]) -> str:
    """Name the first of some, and count the others.

    >>> in_short(["`relu`", "`elu`"]), in_short(list("abcde"))
    ('`relu`, `elu`', 'a, b, c and 2 more')
    """
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def initialisations(runs: pd.DataFrame, ranks: Mapping[str, int] | None = None) -> str:
    """Say that activations are compared at different initialisations, where ``auto`` was not the same for all."""
    if not {"weight_init", "weight_init_used"} <= set(runs):
        return ""
    used = used_by(runs, ranks)
    if len(used) < 2:
        return ""
    each = [f"{code(name)} for {in_short([*map(code, those)])}" for name, those in [*used.items()][:MOST_NAMED]]
    rest = [name for those in [*used.values()][MOST_NAMED:] for name in those]
    each += [f"{counted(len(used) - MOST_NAMED, 'other')} for {counted(len(rest), 'further activation')}"] * bool(rest)
    return f"Compared at different initialisations, by `auto`: {'; '.join(each)}."


def parameters(runs: pd.DataFrame, ranks: Mapping[str, int] | None = None) -> str:
    """Say which activations learn parameters of their own, where others do not.

    >>> parameters(pd.DataFrame({"activation": ["prelu", "relu"], "learned": ["alpha", ""]}))
    'More parameters: `prelu` learns alpha, the others none.'
    """
    if "learned" not in runs:
        return ""
    learned = runs.assign(learned=runs["learned"].fillna("")).drop_duplicates(["activation", "learned"])
    who = learned[learned["learned"] != ""]
    if who.empty or set(who["activation"]) == set(runs["activation"]):
        return ""
    names = who.groupby("learned", sort=False)["activation"].unique()
    each = ", ".join(
        f"{', '.join(map(code, in_order(names[what], ranks)))} {'learn' if len(names[what]) > 1 else 'learns'} "
        f"{plain(str(what).replace(',', ', '))}"
        for what in names.index
    )
    return f"More parameters: {each}, the others none."


def epochs(runs: pd.DataFrame) -> str:
    """Say that equal numbers of steps are not equal numbers of epochs, where rows or batch sizes differ.

    >>> epochs(pd.DataFrame({"steps": [100, 100], "batch_size": [10, 10], "train_rows": [100, 1000]}))
    'All train for 100 steps, which are 1 to 10 epochs: their numbers of training rows differ.'

    An epoch is as many steps as there are whole batches in the rows: training drops what is left of them.
    """
    if not {"steps", "batch_size", "train_rows"} <= set(runs) or runs["steps"].nunique() != 1:
        return ""
    differ = {"train_rows": "training rows", "batch_size": "rows a batch"}
    why = [text for name, text in differ.items() if runs[name].nunique() > 1]
    passes = runs["steps"] / (runs["train_rows"] // runs["batch_size"]).clip(lower=1)
    if not why or passes.max() <= passes.min():
        return ""
    return (
        f"All train for {runs['steps'].iloc[0]} steps, which are {passes.min():.3g} to {passes.max():.3g} epochs: "
        f"their numbers of {' and '.join(why)} differ."
    )


def left_out(
    runs: pd.DataFrame, keys: Sequence[str], ranks: Mapping[str, int] | None = None, at_init: bool = False
) -> str:
    """Name the cells of which runs that diverged are left out (``at_init``: at the end alone), and how many of each.

    >>> runs = pd.DataFrame({"activation": ["relu", "relu", "elu"], "status": ["ok", "diverged", "ok"]})
    >>> left_out(runs, ["activation"])
    'Left out, since they diverged: of `relu` 1 of 2.'
    """
    lost = runs[runs["status"] != "ok"]
    if lost.empty or not keys:
        return ""
    by = list(keys)
    counts = runs.assign(lost=runs["status"] != "ok").groupby(by, dropna=False, sort=False)["lost"].agg(["sum", "size"])
    counts = counts[counts["sum"] > 0].reset_index()
    counts = sort_rows(counts, by, ranks) if ranks else counts
    varied = [key for key in by if runs[key].nunique(dropna=False) > 1] or by[:1]
    each = [f"of {cell(row, varied)} {row['sum']} of {row['size']}" for row in records(counts.head(MOST_NAMED))]
    more = len(counts) - len(each)
    rest = f", and some of {counted(more, 'further cell')}" if more > 0 else ""
    where = " at the end" if at_init else ""
    return f"Left out{where}, since they diverged: {', '.join(each)}{rest}."


def at_the_end(selection: pd.DataFrame, runs: pd.DataFrame, over: str, keys: Sequence[str]) -> str:
    """Name the cells that train and were selected at an end of their grid: a better value may lie beyond it.

    Args:
        selection: one row per cell and value, with ``selected``.
        runs: those at the selected values, with ``trained``.
        over: the column of the values.
        keys: what tells cells apart.
    """
    by = [key for key in keys if key in selection and key != over]
    trains = runs[runs["trained"].astype(bool)] if "trained" in runs else runs
    rows_of = selection.head(len(selection) if len(trains) else 0)
    rows_of = rows_of.merge(trains[by].drop_duplicates(), on=by) if by else rows_of
    found: dict[str, list[dict[str, object]]] = {"lowest": [], "highest": []}
    for _, rows in rows_of.groupby(by, dropna=False, sort=False) if by else [((), rows_of)]:
        if len(rows) < 2:
            continue
        chosen = rows[rows["selected"]].iloc[0]
        for end, value in {"lowest": rows[over].min(), "highest": rows[over].max()}.items():
            if chosen[over] == value:
                found[end].append({key: chosen[key] for key in by})
    varied = [key for key in by if selection[key].nunique(dropna=False) > 1] or by[:1]
    parts = [f"the {end} of its grid for {cells_named(some, varied)}" for end, some in found.items() if some]
    if not parts:
        return ""
    if selection[over].nunique() == 2:
        return f"Of two values of {plain(words(over))}, either is an end of its grid: a better one may lie beyond it."
    return f"The selected {plain(words(over))} is {' and '.join(parts)}, which train: a better one may lie beyond it."


def same_seeds(selection: pd.DataFrame, all_runs: pd.DataFrame, runs: pd.DataFrame, over: str) -> str:
    """Say that values were selected on the seeds that are shown, of how many, and whether some cells had more.

    Args:
        selection: one row per cell and value.
        all_runs: those of these cells that chose, which may be shown as well: see ``that_chose``.
        runs: those that are shown.
        over: the column of the values.
    """
    others = all_runs[~all_runs["run"].isin(runs["run"])]
    if not set(others["seed"]) & set(runs["seed"]):
        return ""
    by = [key for key in selection.columns[: list(selection.columns).index("mean")] if key != over]
    counts = selection.groupby(by, dropna=False).size() if by else pd.Series([len(selection)])
    if counts.max() < 2:
        return ""
    few, most = int(counts.min()), int(counts.max())
    unequal = "; cells with more values had the better chance" if few < most else ""
    of = f"{few} to {most}" if few < most else str(most)
    return f"It is the best of {of} values on the seeds that are shown, which favours these over fresh ones{unequal}."


def cell(row: Mapping[str, object], keys: Sequence[str]) -> str:
    """Write which cell it is: the activation, and what else tells it apart.

    >>> cell({"activation": "relu", "depth": 5}, ["activation", "depth"])
    '`relu` (depth 5)'
    """
    rest = ", ".join(f"{plain(words(key))} {in_markdown(row[key], key)}" for key in keys if key != "activation")
    name = in_markdown(row["activation"], "activation") if "activation" in keys else ""
    return f"{name} ({rest})" if name and rest else name or rest


def cells_named(rows: Sequence[Mapping[str, object]], keys: Sequence[str]) -> str:
    """Name cells, those of one activation together where only one other key tells them apart.

    >>> cells_named([{"activation": "relu", "depth": 5}, {"activation": "relu", "depth": 7}], ["activation", "depth"])
    '`relu` (depth 5, 7)'
    """
    if not keys:
        return "the only cell"
    others = [key for key in keys if key != "activation"]
    if "activation" in keys and len(others) == 1:
        (key,) = others
        values: dict[object, list[str]] = {}
        for row in rows:
            values.setdefault(row["activation"], []).append(in_markdown(row[key], key))
        names = [
            f"{in_markdown(name, 'activation')} ({plain(words(key))} {', '.join(there)})"
            for name, there in values.items()
        ]
    else:
        names = [cell(row, keys) for row in rows]
    return in_short(names)
