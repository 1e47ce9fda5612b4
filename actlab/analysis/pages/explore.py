"""What a reader explores by hand: measures by layer with sliders for depth and step, and maps of layer by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from actlab.analysis.cells import Cells
from actlab.analysis.drawings import as_drawn
from actlab.analysis.estimates import long, records_at, summarise
from actlab.analysis.layout import setting, words
from actlab.analysis.notes import NO_LOGARITHM
from actlab.analysis.of_trained import of_all_runs, of_untrained
from actlab.analysis.pages import dark
from actlab.analysis.pages.controls import boxes, choice, fixed, slider
from actlab.analysis.pages.layer_charts import EVEN, bend, edges, layer_maps, profile
from actlab.analysis.pages.thinning import Rule, as_plain, in_arrays, kept_layers, spread
from actlab.analysis.variation import split_varies
from actlab.later import pd
from actlab.measures import LOG10, about
from actlab.naming import drawn_name

MEASURES = (
    f"{LOG10}signal_grad_norm",
    f"{LOG10}weight_grad_norm",
    "preact_second_moment",
    "act_var",
    "dead_fraction",
    "no_gradient_fraction",
    "weak_fraction",
)
"""What is offered, in this order, of what a study has."""
MOST_MEASURES = 5
MOST_SHOWN = 12  # activations, before the reader asks for others
NO_ORDER: Mapping[str, Sequence[str]] = {}


@dataclass(frozen=True)
class Part:
    """A part of a page: its HTML, its charts, the data sets that they share, and data of its scripts, by element."""

    body: str = ""
    charts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    datasets: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


def explore(cells: Cells, rule: Rule, order: Mapping[str, Sequence[str]] = NO_ORDER) -> Part:
    """Make the part on layers; empty where a study has none.

    Args:
        cells: the study's.
        rule: how much is kept.
        order: {setting: its values as they are written, in the order in which the study names them}.
    """
    measures = offered(cells.layers)
    if cells.layers.empty or not measures or cells.selected.empty:
        return Part()
    others = [key for key in cells.selected_keys if key not in ("activation", "depth")]
    names = {key: f"k{i}" for i, key in enumerate(others)}
    frame, total = by_layer(cells, measures, names, rule)
    steps, depths = sorted(set(frame["s"])), sorted(set(frame["d"]))
    labels = [label for label in cells.ranks if label in set(cells.selected["activation"])]
    columns = {"layer": "layer"} | {column: f"m{i}" for i, column in enumerate(measures)}
    of_cell = ["a", "d", *names.values()]
    records = in_arrays(frame, [*of_cell, "seed", "s"], columns)
    counts = counted_runs(cells, measures, names, steps)
    for one in records:
        about_runs = counts[tuple(one[name] for name in of_cell)][one["s"]]
        one |= about_runs if one["seed"] < 0 else {"mixed": True} if "mixed" in about_runs else {}
    there_are = [dict(zip(of_cell, key, strict=True)) | {"of": at[steps[0]]["of"]} for key, at in counts.items()]
    there = cells.selected[cells.selected["depth"].isin(depths)]
    start, first, why = opening(there, others, order)
    early = not of_all_runs(measures[0])  # units die in training
    begin, when = (steps[0], "at initialisation") if early else (steps[-1], cells.at_last)
    shown = labels[:MOST_SHOWN]
    named = {f"m{i}": axis(column) for i, column in enumerate(measures)}
    shares = [f"m{i}" for i, column in enumerate(measures) if of_all_runs(column)]
    values: dict[str, Any] = {"names": named, "shares": shares}
    values |= {"d": start, "s": begin, "measure": "m0", "seeds": False, "shown": [drawn(one) for one in shown]}
    values |= {name: setting(first[key]) for key, name in names.items()}
    looks = {drawn(label): cells.looks[label] for label in labels}
    gaps = frame.groupby("d")["layer"].agg(lambda layers: layers.nunique() <= layers.max() - layers.min()).any()
    known = {
        name: frame.loc[frame["seed"] < 0, ["s", column]].dropna() for name, column in zip(named, measures, strict=True)
    }
    bends = {name: bend(column, known[name][column]) for name, column in zip(named, measures, strict=True)}
    of_maps = {"edges": {name: edges(sorted(set(of["s"]))) for name, of in known.items()}, "bends": bends}
    charts = {"by-layer": profile(values, looks, list(columns.values()), not gaps)} | (
        {"map": layer_maps(values | of_maps, list(looks), list(columns.values()), not gaps)} if len(steps) > 1 else {}
    )
    controls = [
        choice("measure", "measure", named, "m0"),
        slider("depth", "d", depths, start, field="d") if len(depths) > 1 else fixed("d", start),
        slider("step", "s", steps, begin) if len(steps) > 1 else fixed("s", steps[0]),
        *(
            choice(words(key), name, {one: one for one in options(cells.selected, key)}, setting(first[key]), name)
            for key, name in names.items()
        ),
        '<label><input type="checkbox" data-signal="seeds"> every seed</label>',
        boxes("activations", "shown", [drawn(one) for one in labels], [drawn(one) for one in shown]),
    ]
    chosen_by = f", each network at its selected {words(cells.over)}" if cells.select is not None else ""
    whole = "; of shares of units all runs count that did not diverge, whether they trained or not" * bool(shares)
    body = [
        dark.style(look.colour for look in looks.values()),
        f"<p>{escape(f'It opens {why}, {when}{chosen_by}.')} Drawn is what figures draw of all seeds; pointing at a "
        "line shows the seeds behind it.",
        f"{escape(rule.in_words()) if len(frame) < total else ''}</p>",
        f'<form class="controls" data-charts="{" ".join(charts)}" data-rows="layers" '
        f'data-shares="{" ".join(shares)}">{"".join(controls)}'
        '<span role="status" class="soft"></span></form>',
        '<figure><div class="chart" id="by-layer"></div>',
        "<figcaption>By layer: 1 is the first hidden layer, next to the input. The axes hold all "
        "depths and steps, so that they stand still while these are changed; shares go from 0 to 1. Means over seeds, "
        f"geometric of norms; the median where runs are few, or some have no value. Faint: of fewer than half the "
        f"runs, or of those alone that trained where others did not{whole}. {escape(NO_LOGARITHM)}"
        f"{' Dotted: of the layers between, nothing is kept.' if gaps else ''}</figcaption></figure>",
    ]
    bent = ", that of norms (and of what a few values would press flat) finest about 0" * (min(bends.values()) < EVEN)
    if "map" in charts:
        body += [
            '<figure><div class="chart" id="map"></div>',
            f"<figcaption>By layer and step, one map an activation, all in one scale{bent}; grey where no run has a "
            f"value; the step that is set above plays no part here."
            f"{' Layers of which nothing is kept have no row.' if gaps else ''}</figcaption></figure>",
        ]
    return Part("\n".join(body), charts, {"layers": records}, {"layers-cells": there_are})


def offered(layers: pd.DataFrame) -> list[str]:
    """List which measures of layers a reader can choose."""
    return [name for name in MEASURES if name in layers and layers[name].notna().any()][:MOST_MEASURES]


def by_layer(cells: Cells, measures: Sequence[str], names: Mapping[str, str], rule: Rule) -> tuple[pd.DataFrame, int]:
    """Make the rows that are drawn: what figures draw of all seeds, ``seed`` −1, and the seeds that are kept.

    Returns:
        the rows, sorted; and how many there would be without the rule.
    """
    runs = cells.selected.sort_values(["seed", "run"], kind="stable")
    keys = ["activation", "depth", *names]
    about_runs = runs[["run", *keys]].copy()
    for key in keys:
        if key != "depth":
            about_runs[key] = [drawn(str(one)) if key == "activation" else setting(one) for one in about_runs[key]]
    repeat = about_runs.groupby(keys, dropna=False).cumcount()
    about_runs["seed"] = repeat if split_varies(runs) else runs["seed"]
    layers = cells.layers[cells.layers["run"].isin(runs["run"])]
    total = len(layers) + len(layers.merge(about_runs, on="run").drop_duplicates([*keys, "step", "layer"]))
    merged = layers[["run", "step", "layer", *measures]].merge(about_runs, on="run")
    merged = kept_layers(merged[merged["step"].isin(spread(merged["step"], rule.steps))], rule.layers)
    overall = estimates(merged, runs.assign(**{key: about_runs[key] for key in keys}), measures, keys)
    kept = merged["seed"].isin(sorted(set(about_runs["seed"]))[: rule.seeds])
    frame = pd.concat([overall.assign(seed=-1), merged[kept].drop(columns="run")], ignore_index=True)
    new = {"activation": "a", "depth": "d", "step": "s"} | dict(names)
    frame = frame.rename(columns=new)
    order = ["a", "d", *names.values(), "seed", "s", "layer"]
    return frame.sort_values(order, kind="stable").reset_index(drop=True), total


def counted_runs(
    cells: Cells, measures: Sequence[str], names: Mapping[str, str], steps: Sequence[int]
) -> dict[tuple[Any, ...], dict[int, dict[str, Any]]]:
    """Count the runs behind each line, by what makes a cell and by step.

    Returns:
        ``of``, all runs of the cell; ``n``, of each measure how many have a value, where not all do; at steps after the
        first of cells of which some trained and others did not ``mixed``, and ``trained``, how many did.
    """
    runs = cells.selected
    keys = ["activation", "depth", *names]
    written = runs[keys].assign(
        **{key: runs[key].map(setting) for key in names}, activation=runs["activation"].map(lambda one: drawn(str(one)))
    )
    places = written.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    cell_of = dict(zip(runs["run"], places, strict=True))
    layers = cells.layers[cells.layers["run"].isin(cell_of) & cells.layers["step"].isin(steps)]
    there = layers[list(measures)].notna().groupby([layers["run"], layers["step"]]).any().reset_index()
    lost = ~there["run"].isin(runs.loc[runs["status"] == "ok", "run"]) & (there["step"] > 0)
    units = [name for name in measures if of_all_runs(name)]
    there[units] = there[units].where(~lost, False)
    by_cell = there.groupby([there["run"].map(cell_of), "step"])[list(measures)].sum().to_dict("index")
    ok = runs["status"] == "ok"
    trained = runs["trained"].astype(bool) & ok if "trained" in runs else ~ok
    out: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = {}
    for place, at in runs.assign(trained=trained, ok=ok).groupby(places, sort=False):
        key = tuple(map(as_plain, written.loc[at.index[0]]))
        several = 0 < at["trained"].sum() < at["ok"].sum()
        for step in steps:
            row = by_cell.get((place, step), {})
            n = {f"m{i}": int(row.get(name, 0)) for i, name in enumerate(measures) if row.get(name, 0) < len(at)}
            said = {"of": len(at)} | ({"n": n} if n else {})
            mixed = {"mixed": True, "trained": int(at["trained"].sum())} if several and step > 0 else {}
            out.setdefault(key, {})[step] = said | mixed
    return out


def estimates(layers: pd.DataFrame, runs: pd.DataFrame, measures: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
    """Take of each cell, step and layer what a figure draws of it: ``keys``, ``step``, ``layer`` and the measures."""
    names = [name.removeprefix(LOG10) for name in measures]
    at_step = [
        records_at(layers[layers["step"].isin([0, step])], runs, int(step), names).assign(step=step)
        for step in sorted(set(layers["step"]))
    ]
    values = long(pd.concat(at_step, ignore_index=True), names)
    ok = runs[runs["status"] == "ok"]
    units = values["measure"].map(of_all_runs) & (values["step"] > 0)
    parts = [values[units & values["run"].isin(ok["run"])], values[~units]]
    if "trained" in runs:  # where some runs trained and others did not, those that did
        parts[1] = parts[1][(parts[1]["step"] == 0) | ~parts[1]["run"].isin(of_untrained(runs, keys)["run"])]
    each = [summarise(part, of, keys) for part, of in zip(parts, (ok, runs), strict=True) if not part.empty]
    frame = as_drawn(pd.concat(each, ignore_index=True))
    with np.errstate(divide="ignore"):
        logs = np.log10(frame["mean"].where(frame["mean"] > 0))
    logs = frame[LOG10 + "mean"].fillna(logs) if LOG10 + "mean" in frame else logs
    logged = frame["measure"].isin([name.removeprefix(LOG10) for name in measures if name.startswith(LOG10)])
    frame = frame.assign(mean=frame["mean"].where(~logged, logs))
    wide = frame.pivot(index=[*keys, "step", "layer"], columns="measure", values="mean").reset_index()
    return wide.rename(columns={name.removeprefix(LOG10): name for name in measures})


def opening(
    runs: pd.DataFrame, others: Sequence[str], order: Mapping[str, Sequence[str]] = NO_ORDER
) -> tuple[int, dict[str, Any], str]:
    """Choose what is shown first: the deepest networks some of which trained, in the setting in which most of them did.

    Where as many activations train in several settings, it is the first in the study's own order.

    Args:
        runs: those that can be shown.
        others: their settings besides activation and depth.
        order: {setting: its values as they are written, in the order in which the study names them}.

    Returns:
        the depth; the values of the other settings; and why, in words.

    >>> runs = pd.DataFrame({"depth": [2, 9, 9], "trained": [True, True, False], "status": "ok", "rate": [1, 1, 2]})
    >>> opening(runs.assign(activation="relu"), ["rate"])
    (9, {'rate': 1}, 'at depth 9, the deepest at which a network trained')
    """
    trained = runs["trained"].astype(bool) & (runs["status"] == "ok") if "trained" in runs else runs["depth"] < 0
    depth = int(runs.loc[trained, "depth"].max() if trained.any() else runs["depth"].max())
    why = f"at depth {depth}"
    if runs["depth"].nunique() > 1:
        why += ", the deepest" + (" at which a network trained" if trained.any() else "")
    if not others:
        return depth, {}, why
    there = runs.assign(trained=trained)[runs["depth"] == depth]
    share = there.groupby([*others, "activation"], dropna=False)["trained"].mean()
    said = {key: list(order.get(key, options(runs, key))) for key in others}
    ranked = []
    for values, one in share.groupby(list(others), dropna=False):
        texts = [(said[key], setting(value)) for key, value in zip(others, values, strict=True)]
        place = [known.index(text) if text in known else len(known) for known, text in texts]
        ranked.append((-(one >= 0.5).sum(), -(one > 0).sum(), -len(one), place, values))
    return depth, dict(zip(others, min(ranked, key=lambda one: one[:4])[-1], strict=True)), why


def options(runs: pd.DataFrame, key: str) -> list[str]:
    """List the values of a setting, in order, as they are written."""
    return [setting(value) for value in runs[key].drop_duplicates().sort_values(na_position="first")]


def drawn(label: str) -> str:
    """Write a label as a chart has room for it."""
    return str(drawn_name(label))


def axis(column: str) -> str:
    """Write what a column is, with the scale that it is in."""
    one = about(column)
    name = one.label or one.words
    return f"log₁₀ {name}" if column.startswith(LOG10) else name
