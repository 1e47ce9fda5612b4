"""The tables: one function each, from a study's measurements to numbers with intervals, laid out for people.

A table function takes ``cells.Cells`` and returns a ``Table``, or None where it has nothing to say (no learned
parameters, no deep network). To add one, write the function and decorate it; a study's YAML names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import cast

import numpy as np

from actlab.analysis import stats
from actlab.analysis.cells import (
    KEYS,
    PROBLEM,
    Cells,
    held,
    long,
    made_with,
    parameter_columns,
    records_at,
    sort_rows,
    summarise,
)
from actlab.analysis.layout import DAGGER, Table, lay_out, number, pivot, records, setting, words, write_table
from actlab.later import pd
from actlab.measures import GEOMETRIC, about

__all__ = ["DEFAULT_TABLES", "TABLES", "Table", "make_tables", "write_table"]

TableFunction = Callable[[Cells], Table | None]
TABLES: dict[str, TableFunction] = {}
DEATHS = (
    "born_dead_fraction",
    "died_fraction",
    "revived_fraction",
    "ever_dead_fraction",
    "revival_rate",
    "weak_fraction",
)
TRAINED_SHARE = 0.8


def table(function: TableFunction) -> TableFunction:
    """Register a table under its function's name; it is made once, whoever asks for it."""
    name = function.__name__

    @wraps(function)
    def once(found: Cells) -> Table | None:
        if name not in found.tables:
            found.tables[name] = function(found)
        return cast(Table | None, found.tables[name])

    TABLES[name] = once
    return once


def make_tables(found: Cells, names: Sequence[str] | None = None) -> dict[str, Table | None]:
    """The named tables (the default ones without names), None where a table does not apply.

    Raises:
        KeyError: a name that is not in ``TABLES``.
    """
    return {name: TABLES[name](found) for name in (DEFAULT_TABLES if names is None else names)}


@table
def performance(found: Cells) -> Table | None:
    """Test accuracy (classification) or test loss (regression) at the end, by cell."""
    measure = np.where(found.selected["task"] == "classification", "test_accuracy", "test_loss")
    value = np.where(measure == "test_accuracy", found.selected["test_accuracy"], found.selected["test_loss"])
    values = pd.DataFrame({"run": found.selected["run"], "measure": measure, "value": value.astype(float)})
    keys = cell_keys(found)
    frame = mark_best(cells(found, values, keys), values, found, keys)
    frame = with_selected(frame, found)
    wide = pivot(frame, [*without(keys, "depth"), "measure"], ["depth"], {"test_accuracy": 3})
    metrics = " and ".join(words(name) for name in sorted(set(measure)))
    note = notes(found, frame, f"Final {metrics}.", selected=True, marks=True)
    return Table("performance", f"{metrics[0].upper()}{metrics[1:]} by activation and depth", note, frame, wide)


@table
def trained(found: Cells) -> Table | None:
    """Share of runs that trained, and the deepest network of which at least 80 % did."""
    keys = cell_keys(found)
    values = found.selected[["run"]].assign(measure="trained", value=found.selected["trained"].astype(float))
    frame = with_selected(cells(found, values, keys), found)
    wide = pivot(frame, without(keys, "depth"), ["depth"], 2)
    groups = frame.assign(_=frame["depth"].where(frame["mean"] >= TRAINED_SHARE)).groupby(
        without(keys, "depth"), dropna=False, sort=False
    )
    frame["deepest_trained_depth"] = groups["_"].transform("max")
    frame["at_grid_end"] = frame["deepest_trained_depth"] == groups["depth"].transform("max")
    if frame["depth"].nunique() > 1:
        deepest = frame.drop_duplicates(without(keys, "depth"))
        pairs = zip(deepest["deepest_trained_depth"], deepest["at_grid_end"], strict=True)
        wide["deepest"] = ["none" if math.isnan(d) else f"≥ {d:g}" if at_end else f"{d:g}" for d, at_end in pairs]
    explained = "Share of runs whose final training loss is at most half of the best constant predictor's; a diverged "
    explained += "run is not trained. *deepest*: the deepest network of which at least 80 % of runs trained; ≥ where "
    explained += "that is the end of the grid."
    return Table("trained", "Share of runs trained", notes(found, frame, explained, selected=True), frame, wide)


@table
def gradient_norms(found: Cells) -> Table | None:
    """Norms of the backpropagated signal and of the weight gradient, by place in the network, at init and end."""
    measures = held(found.layers, ("signal_grad_norm", "weight_grad_norm"))
    if not measures:
        return None
    keys = cell_keys(found)
    frame = cells(found, at_both_ends(found, measures), keys)
    frame = order(frame, found, keys, ["measure", "at", "position"])
    wide = pivot(frame, [*keys, "measure", "at"], ["position"])
    note = (
        "Geometric means over seeds, intervals taken of log10; a norm of exactly 0 has no logarithm and is counted as "
    )
    note += "undefined. *first*, *middle*, *last*: hidden layers from the input on."
    return Table("gradient_norms", "Gradient norms", notes(found, frame, note, selected=True), frame, wide)


@table
def vanishing_slopes(found: Cells) -> Table | None:
    """Least-squares slope per layer of log10 gradient norm towards the input, at init and at the end."""
    names = ("vanishing_slope", "vanishing_slope_residual", "weight_slope", "weight_slope_residual")
    deep = found.selected[found.selected["depth"] >= 3]
    measures = held(found.steps, names)
    if deep.empty or not measures:
        return None
    keys = cell_keys(found)
    parts = [long(records_at(found.steps, deep, at, measures), measures, at=at) for at in ("init", "final")]
    frame = order(summarise(pd.concat(parts), deep, keys), found, keys, ["measure", "at"])
    wide = pivot(frame, keys, ["measure", "at"])
    note = "Slope in decades a layer, going towards the input, over all hidden layers: negative is vanishing, "
    note += (
        "0 preserved, positive exploding; *residual*: standard deviation about the line, in decades. From depth 3 on; "
    )
    note += "undefined where a norm is exactly 0."
    return Table("vanishing_slopes", "Vanishing slopes", notes(found, frame, note, selected=True), frame, wide)


@table
def dead_units(found: Cells) -> Table | None:
    """Dead, weak and born dead units at the end, at every learning rate."""
    measures = held(found.steps, ("dead_fraction", "weak_fraction", "born_dead_fraction"))
    if not measures:
        return None
    keys = cell_keys(found, found.keys)
    frame = summarise(long(records_at(found.steps, found.runs, "final", measures), measures), found.runs, keys)
    frame = order(frame, found, keys, ["measure"], {"measure": measures})
    whole = long(records_at(found.steps, found.runs, "final", ["network_dead"]), ["network_dead"])
    frame = pd.concat([frame, order(summarise(whole, found.runs, keys), found, keys, [])], ignore_index=True)
    others = [*without(keys, "depth"), "measure"]
    shown, left_out = without_zeros(frame, others, "dead_fraction")
    wide = pivot(sort_rows(shown, others[:-1], found.ranks), others, ["depth"], 3)
    note = f"At the end, mean over all hidden layers. {definitions('dead_fraction', 'weak_fraction', 'network_dead')}."
    note += left_out
    return Table("dead_units", "Dead and weak units", notes(found, frame, note), frame, wide)


@table
def death(found: Cells) -> Table | None:
    """How units died: born dead, died in training, revived, ever dead."""
    measures = [*held(found.steps, DEATHS), "revival_rate"]
    if "ever_dead_fraction" not in found.steps:
        return None
    keys = cell_keys(found, found.keys)
    at_end = records_at(found.steps, found.runs, "final", measures)
    ever = at_end["ever_dead_fraction"]
    at_end["revival_rate"] = at_end["revived_fraction"] / ever.where(ever > 0)
    frame = order(summarise(long(at_end, DEATHS), found.runs, keys), found, keys, ["measure"], {"measure": DEATHS})
    frame["measure"] = frame["measure"].astype(str)
    died = frame[frame["measure"] == "ever_dead_fraction"].assign(_=lambda f: ~(f["mean"] == 0))
    cells_with = frame.merge(died[[*keys, "_"]], on=keys)["_"].to_numpy()
    shown = frame[cells_with] if cells_with.any() else frame
    wide = pivot(shown, keys, ["measure"], 3)
    every = sorted(set(found.runs["evaluate_every"])) if "evaluate_every" in found.runs else []
    note = "At the end, mean over all hidden layers; death is judged on the whole training split, at evaluations"
    note += (
        f", every {' or '.join(map(str, every))} steps: a unit that dies and revives in between is not seen. "
        if every
        else ". "
    )
    note += f"{definitions('revival_rate')}."
    note += "" if len(shown) == len(frame) else " Cells in which no unit was ever dead are in the CSV only."
    return Table("death", "How units died", notes(found, frame, note), frame, wide)


@table
def moments(found: Cells) -> Table | None:
    """Mean and variance of the activations in the first, middle and last hidden layer, at init and at the end."""
    measures = held(found.layers, ("act_mean", "act_var", "act_var_within", "preact_mean_share"))
    if not measures:
        return None
    keys = cell_keys(found)
    frame = order(cells(found, at_both_ends(found, measures), keys), found, keys, ["at", "measure", "position"])
    both = frame["measure"].isin(["act_mean", "act_var"]) & (frame["position"] == "first")
    shown = frame[both | (frame["position"] == "last")]
    wide = pivot(shown, [*keys, "at"], ["measure", "position"])
    geometric = [words(name) for name in measures if about(name).over_seeds == GEOMETRIC]
    note = f"{definitions(*measures)}. "
    note += f"Of {' and '.join(geometric)} geometric means. " if geometric else ""
    note += "The other layers are in the CSV."
    return Table("moments", "Means and variances of activations", notes(found, frame, note, selected=True), frame, wide)


@table
def learned_parameters(found: Cells) -> Table | None:
    """Learned activation parameters by layer at the end."""
    names = parameter_columns(found.layers, found.runs)
    if not names:
        return None
    measures = held(found.layers, [name + part for name in names for part in ("", "_min", "_max")])
    learns = found.selected[found.selected["learnable_per"].astype(bool)]
    keys = cell_keys(found)
    values = long(records_at(found.layers, learns, "final", measures), measures)
    frame = order(summarise(values, learns, keys), found, keys, ["measure", "layer"])
    frame = frame[frame.groupby(["activation", "measure"])["n"].transform("max") > 0].reset_index(drop=True)
    places = positions(found)
    shown = frame.merge(places, on=["depth", "layer"], how="inner")
    shown = order(shown, found, keys, ["measure", "position"])
    wide = pivot(shown, [*keys, "measure"], ["position"])
    named = shown[["activation", "measure"]].drop_duplicates()
    told = ", ".join(f"{row['measure']} of `{row['activation']}`" for row in records(named) if row["measure"] in names)
    note = f"{told}, at the end; *min* and *max* over a layer's units where each unit has its own. "
    note += "The layers between are in the CSV."
    return Table("learned_parameters", "Learned parameters", notes(found, frame, note, selected=True), frame, wide)


@table
def convergence(found: Cells) -> Table | None:
    """Steps to the stated validation loss, with the runs that never got there."""
    keys = cell_keys(found)
    ok = found.selected["status"] == "ok"
    steps = found.selected["steps_to_target"].astype(float).where(ok)
    values = found.selected[["run"]].assign(measure="steps_to_target", value=steps)
    frame = mark_best(cells(found, values, keys), values, found, keys)
    frame = frame.rename(columns={"missing": "censored"})
    reached = found.selected[["run"]].assign(
        measure="target_reached", value=found.selected["target_reached"].astype(float)
    )
    share = cells(found, reached, keys).drop(columns="missing")
    unsound = frame["censored"] > 0
    frame[["best", "tie"]] = frame[["best", "tie"]].mask(unsound, False)
    wide = pivot(frame, without(keys, "depth"), ["depth"])
    both = with_selected(pd.concat([frame, share], ignore_index=True), found)
    both[["best", "tie"]] = both[["best", "tie"]].eq(True)  # where the share has none: False
    both["censored"] = both["censored"].fillna(0).astype(int)
    pairs = found.selected[["data", "target_loss"]].drop_duplicates().sort_values("data")
    targets = ", ".join(
        f"{data} {number(loss)}" for data, loss in zip(pairs["data"], pairs["target_loss"], strict=True)
    )
    note = f"First evaluation with validation loss at most the target ({targets}). The mean is over the runs that got "
    note += "there; *censored* did not within their steps: a mean beside censored runs is too low, and never marked as "
    note += "best. The share that got there is in the CSV."
    return Table("convergence", "Steps to target", notes(found, frame, note, selected=True, marks=True), both, wide)


@table
def generalization(found: Cells) -> Table | None:
    """Test minus train, for loss and error rate, at the end and at equal training loss."""
    names = ("generalization_gap_loss", "generalization_gap_error")
    measures = [name + part for name in names for part in ("", "_at_target") if name in found.selected]
    measures = [name for name in measures if found.selected[name].notna().any()]
    if not measures:
        return None
    keys = cell_keys(found)
    values = found.selected[["run", *measures]].copy()
    values.loc[found.selected["status"] != "ok", measures] = math.nan  # it may have met the target before it diverged
    frame = order(cells(found, long(values, measures), keys), found, keys, ["measure"])
    frame = with_selected(frame, found)
    wide = pivot(frame, keys, ["measure"])
    note = "Test − train, at the end and at the first evaluation whose training loss is at most the data set's target "
    note += "(*at target*; undefined for a run that never gets there). A network that learned nothing has no gap."
    return Table("generalization", "Generalisation gaps", notes(found, frame, note, selected=True), frame, wide)


@table
def ranks(found: Cells) -> Table | None:
    """Mean rank of each activation over all other settings, with the Friedman test."""
    others = without(found.selected_keys, "activation")
    shown = performance(found)
    if shown is None or not others or found.selected["activation"].nunique() < 2:
        return None
    higher = shown.frame["measure"].map(lambda name: about(name).better == "higher")
    score = shown.frame["mean"] * np.where(higher, -1, 1)
    score = score.where(shown.frame["diverged"] == 0, math.inf)
    scores = shown.frame.assign(score=score).pivot_table(
        index=others, columns="activation", values="score", dropna=False, observed=True
    )
    ranked = stats.rank_over_blocks(scores.dropna(how="all"))
    if len(ranked.ranks) < 2:
        return None
    diverged = shown.frame.groupby("activation")["diverged"].sum()
    rows = [
        {"activation": name, "measure": "rank", "mean": one.mean, "low": one.low, "high": one.high, "n": one.n}
        | {"diverged": int(diverged[name]), "method": one.method}
        for name, one in ranked.mean.items()
    ]
    frame = pd.DataFrame(rows).sort_values("mean", kind="stable").reset_index(drop=True)
    best = str(frame["activation"].iloc[0])
    tied = stats.ties_with(best, {str(name): ranked.ranks[name].reset_index(drop=True) for name in ranked.ranks})
    frame["best"], frame["tie"] = frame["activation"] == best, frame["activation"].isin(tied)
    shown_frame = frame.assign(diverged=0, runs=frame["n"])
    wide = pivot(shown_frame, ["activation"], [], 2).rename(columns={"rank": "mean rank"})
    wide["runs diverged"] = [str(count) for count in frame["diverged"]]
    test = f"Friedman χ² = {number(ranked.statistic)}, p = {number(ranked.p_value, 2)}"
    metrics = " or ".join(sorted({words(name) for name in shown.frame["measure"]}))
    note = (
        f"Rank of each activation (1 is best, by mean final {metrics}) within each of the {len(ranked.ranks)} settings "
    )
    note += (
        f"of {', '.join(map(words, others))} that all activations share, averaged; a cell with a diverged run ranks "
    )
    note += (
        f"last. {test}. 95 % intervals over settings: {', '.join(sorted(set(frame['method'])))}. **Bold**: the best; "
    )
    note += f"{DAGGER}: its difference from the best, paired by setting, has a 95 % interval that contains 0."
    return Table("ranks", "Mean ranks", note, frame, wide)


@table
def selection(found: Cells) -> Table | None:
    """Which value of the swept key each cell got, and what diverged at the others."""
    if found.select is None:
        return None
    over = found.select.column
    frame = found.selection
    others = cell_keys(found)
    frame = frame.assign(**{key: found.runs[key].iloc[0] for key in others if key not in frame})
    lines = []
    at_edge = 0
    for _, rows in frame.groupby(others, dropna=False, sort=False):
        chosen = rows[rows["selected"]].iloc[0]
        at_edge += int(len(rows) > 1 and chosen[over] in (rows[over].min(), rows[over].max()))
        elsewhere = int(rows.loc[~rows["selected"], "diverged"].sum())
        told = (
            [f"{int(chosen['diverged'])} of {int(chosen['n'] + chosen['diverged'])} diverged"]
            if chosen["diverged"]
            else []
        )
        told += [f"{elsewhere} diverged at other values"] if elsewhere else []
        text = setting(chosen[over]) + (f" ({'; '.join(told)})" if told else "")
        lines.append({key: chosen[key] for key in others} | {"text": text})
    across = ["depth"] if "depth" in others else []
    wide = lay_out(pd.DataFrame(lines).assign(measure=over), without(others, "depth"), across)
    note = f"{selection_note(found)} In {at_edge} of {len(lines)} cells the selected value is at an end of its grid. "
    note += f"The CSV has the mean final {words(found.select.by)} of every value."
    return Table("selection", f"Selected {words(over)}", note, frame, wide)


DEFAULT_TABLES: tuple[str, ...] = (
    "performance",
    "trained",
    "ranks",
    "gradient_norms",
    "vanishing_slopes",
    "dead_units",
    "death",
    "moments",
    "learned_parameters",
    "convergence",
    "generalization",
    "selection",
)


# What the tables share.


def cell_keys(found: Cells, keys: Sequence[str] | None = None) -> list[str]:
    """The keys of a table: what varies, and activation and depth in any case, in the order of ``KEYS``."""
    wanted = {*(found.selected_keys if keys is None else keys), "activation", "depth"}
    return [*(key for key in KEYS if key in wanted), *sorted(wanted - set(KEYS))]


def without(keys: Sequence[str], name: str) -> list[str]:
    """The keys but one."""
    return [key for key in keys if key != name]


def cells(found: Cells, values: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Intervals by cell over the selected runs, sorted."""
    return sort_rows(summarise(values, found.selected, keys, own=found.own), keys, found.ranks)


def definitions(*measures: str) -> str:
    """What measures are, as a table's note says it: ``*dead*: share of units for which ...; *weak*: ...``."""
    return "; ".join(f"*{about(name).words}*: {about(name).definition}" for name in measures)


def order(
    frame: pd.DataFrame,
    found: Cells,
    keys: Sequence[str],
    within: Sequence[str],
    places: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Rows sorted by cell, then by the splits within a cell, words in the order in which they are said."""
    said: dict[str, Sequence[str]] = {
        "at": ("init", "final"),
        "position": ("first", "middle", "last"),
        **(places or {}),
    }
    out = frame.copy()
    for name in within:
        if name in said:
            out[name] = pd.Categorical(
                out[name].astype(str), [w for w in said[name] if w in set(out[name])], ordered=True
            )
    out = out.sort_values(list(within), kind="stable") if within else out
    for name in within:
        if name in said:
            out[name] = out[name].astype(str)
    return sort_rows(out, keys, found.ranks)


def positions(found: Cells) -> pd.DataFrame:
    """First, middle and last kept hidden layer of each depth: ``depth``, ``layer``, ``position``."""
    kept = found.layers[["run", "layer"]].drop_duplicates().merge(found.runs[["run", "depth"]], on="run")
    rows = []
    for depth, layers in kept.groupby("depth")["layer"]:
        there = sorted(set(layers))
        inner = [layer for layer in there if there[0] < layer < there[-1]]
        middle = min(inner, key=lambda layer: (abs(2 * layer - (there[0] + there[-1])), layer)) if inner else None
        named = {"first": there[0], "middle": middle, "last": there[-1] if len(there) > 1 else None}
        rows += [(depth, layer, position) for position, layer in named.items() if layer is not None]
    return pd.DataFrame(rows, columns=["depth", "layer", "position"])


def at_both_ends(found: Cells, measures: Sequence[str]) -> pd.DataFrame:
    """Layer measures of the selected runs at init and at the end, in the first, middle and last kept layer."""
    depth = found.runs[["run", "depth"]]
    parts = [long(records_at(found.layers, found.selected, at, measures), measures, at=at) for at in ("init", "final")]
    values = pd.concat(parts).merge(depth, on="run").merge(positions(found), on=["depth", "layer"])
    return values.drop(columns="depth")


def mark_best(frame: pd.DataFrame, values: pd.DataFrame, found: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Add ``best`` and ``tie``: within one data set and depth, the best mean, and what cannot be told from it.

    A cell with a diverged or undefined run is best only where every cell has one.
    """
    frame = frame.assign(best=False, tie=False)
    where = [*keys, "measure"]
    row_of = frame[where].assign(_row=frame.index)
    samples = (
        values.merge(found.runs[["run", "seed", *keys]], on="run").merge(row_of, on=where).sort_values(["_row", "seed"])
    )
    by_row = {row: pd.Series(part["value"].to_numpy(), index=part["seed"]) for row, part in samples.groupby("_row")}
    problem = [name for name in where if name in (*PROBLEM, "measure")]
    for _, rows in frame.groupby(problem, dropna=False):
        some = rows[rows["n"] > 0]
        sound = some[(some["diverged"] == 0) & (some["missing"] == 0)]
        pool = sound if len(sound) else some
        if len(rows) < 2 or pool.empty:
            continue
        higher = about(str(rows["measure"].iloc[0])).better == "higher"
        best = pool["mean"].idxmax() if higher else pool["mean"].idxmin()
        frame.loc[best, "best"] = True
        tied = stats.ties_with(best, {row: by_row[row] for row in some.index})
        frame.loc[[row for row in pool.index if row in tied], "tie"] = True
    return frame


def with_selected(frame: pd.DataFrame, found: Cells) -> pd.DataFrame:
    """Add the selected value of the swept key to each cell."""
    if found.select is None:
        return frame
    chosen = found.selection.loc[found.selection["selected"], [*found.selected_keys, found.select.column]]
    if not found.selected_keys:
        return frame.assign(**{found.select.column: chosen[found.select.column].iloc[0]})
    return frame.merge(chosen, on=found.selected_keys, how="left")


def without_zeros(frame: pd.DataFrame, by: Sequence[str], keep: str) -> tuple[pd.DataFrame, str]:
    """The rows whose group has any estimate that is not 0, and a sentence about the others."""
    nonzero = frame.assign(_=~(frame["mean"] == 0)).groupby(list(by), dropna=False)["_"].transform("any").to_numpy()
    if nonzero.all():
        return frame, ""
    shown = frame[nonzero] if nonzero.any() else frame[(frame["measure"] == keep).to_numpy()]
    return shown, " Rows that are 0 throughout are in the CSV only."


def notes(found: Cells, frame: pd.DataFrame, what: str, selected: bool = False, marks: bool = False) -> str:
    """A table's note: what it shows, interval and n, what diverged, the selection rule, what the marks mean."""
    methods = sorted(set(frame["method"]) - {stats.NO_INTERVAL})
    fewest, most = int(frame["runs"].min()), int(frame["runs"].max())
    parts = [what]
    parts.append(
        f"95 % intervals over seeds: {', '.join(methods)}."
        if methods
        else "Fewer than two values a cell: no intervals."
    )
    parts.append(f"{fewest if fewest == most else f'{fewest} to {most}'} run{'s' * (most > 1)} a cell.")
    of = found.selected if selected else found.runs
    diverged, elsewhere = int((of["status"] != "ok").sum()), int((found.runs["status"] != "ok").sum())
    if diverged:
        parts.append(f"{diverged} of {len(of)} runs diverged: they enter no mean and are counted in their cells.")
    else:
        parts.append(
            "No run diverged." if not elsewhere else f"No selected run diverged; {elsewhere} of the others did."
        )
    if (mixed := made_with(of, found.keys)) != "":
        parts.append(mixed)
    if selected:
        parts.append(selection_note(found))
    if marks:
        parts.append(_marks_note())
    return " ".join(parts)


def selection_note(found: Cells) -> str:
    """How the swept key was chosen, in a sentence."""
    if found.select is None:
        return "Nothing was selected: every setting is shown."
    rule = f"{'highest' if found.select.higher_is_better else 'lowest'} mean final {words(found.select.by)}"
    return (
        f"The {words(found.select.column)} of each cell is the one with the {rule} over seeds; a value with a diverged "
        "run ranks last; the test split never chooses."
    )


def _marks_note() -> str:
    return (
        f"**Bold**: the best of a column (and data set); {DAGGER}: its difference from the best, paired by seed where "
        "both have the same seeds (Welch else), has a 95 % interval that contains 0, not corrected for many "
        "comparisons."
    )
