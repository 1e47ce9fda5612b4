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
from actlab.analysis.looks import LineStyle
from actlab.analysis.notes import NO_LOGARITHM
from actlab.analysis.of_trained import of_untrained
from actlab.analysis.pages import dark
from actlab.analysis.pages.controls import boxes, choice, fixed, slider
from actlab.analysis.pages.thinning import Rule, as_plain, in_arrays, kept_layers, spread
from actlab.analysis.variation import split_varies
from actlab.later import Later, pd
from actlab.measures import LOG10, about
from actlab.naming import drawn_name

alt = Later("altair")

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
SEEN = {"or": [{"param": "pointed", "empty": False}, "seeds || datum.mixed"]}
"""When the seeds behind a line are seen."""
FEW = "datum.mixed || (isValid(datum.n) && isValid(datum.n[measure]) && 2 * datum.n[measure] < datum.of)"
"""Of which lines little can be said: of fewer than half the runs, or of those that trained where others did not."""
RUNS = "(datum.mixed ? datum.trained : isValid(datum.n) && isValid(datum.n[measure]) ? datum.n[measure] : datum.of)"
"""Of how many runs a line is."""
DIM = {"opacity": {"condition": {"test": FEW, "value": 0.4}, "value": 1}}
THIN = {"strokeWidth": {"condition": {"test": FEW, "value": 1}, "value": 2.2}}
SHARES = "indexof(shares, measure) >= 0"
"""Whether a share is drawn, of which all can be seen to be between 0 and 1."""
OF_DEPTH = "names[measure] + ', depth ' + d"
NO_ORDER: Mapping[str, Sequence[str]] = {}
NOT_KEPT = [2, 3]  # dashes of a line between layers that are no neighbours
STROKES: Mapping[str, list[int]] = {"solid": [1, 0], "dashed": [6, 3], "dotted": [2, 2], "dashdot": [7, 3, 2, 3]}


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
    early = about(measures[0]).range != (0.0, 1.0)  # units die in training
    begin, when = (steps[0], "at initialisation") if early else (steps[-1], cells.at_last)
    shown = labels[:MOST_SHOWN]
    named = {f"m{i}": axis(column) for i, column in enumerate(measures)}
    shares = [f"m{i}" for i, column in enumerate(measures) if about(column).range == (0.0, 1.0)]
    values: dict[str, Any] = {"names": named, "shares": shares}
    values |= {"d": start, "s": begin, "measure": "m0", "seeds": False, "shown": [drawn(one) for one in shown]}
    values |= {name: setting(first[key]) for key, name in names.items()}
    looks = {drawn(label): cells.looks[label] for label in labels}
    charts = {"by-layer": profile(values, looks, list(columns.values()))} | (
        {"map": layer_maps(values, list(looks), list(columns.values()))} if len(steps) > 1 else {}
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
    gaps = frame.groupby("d")["layer"].agg(lambda layers: layers.nunique() <= layers.max() - layers.min()).any()
    body = [
        dark.style(look.colour for look in looks.values()),
        f"<p>{escape(f'It opens {why}, {when}{chosen_by}.')} Drawn is what figures draw of all seeds; pointing at a "
        "line shows the seeds behind it.",
        f"{escape(rule.in_words()) if len(frame) < total else ''}</p>",
        f'<form class="controls" data-charts="{" ".join(charts)}" data-rows="layers">{"".join(controls)}'
        '<span role="status" class="soft"></span></form>',
        '<figure><div class="chart" id="by-layer"></div>',
        "<figcaption>By layer: 1 is the first hidden layer, next to the input. The axes hold all "
        "depths and steps, so that they stand still while these are changed; shares go from 0 to 1. Means over seeds, "
        f"geometric of norms; the median where runs are few, or some have no value. Faint: of fewer than half the "
        f"runs, or of those alone that trained where others did not. {escape(NO_LOGARITHM)}"
        f"{' Dotted: of the layers between, nothing is kept.' if gaps else ''}</figcaption></figure>",
    ]
    if "map" in charts:
        body += [
            '<figure><div class="chart" id="map"></div>',
            "<figcaption>By layer and step, one map an activation, all in one scale; grey where no run has a "
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
    if "trained" in runs:  # where some runs trained and others did not, those that did
        values = values[(values["step"] == 0) | ~values["run"].isin(of_untrained(runs, keys)["run"])]
    frame = as_drawn(summarise(values, runs, keys))
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


def top(values: Mapping[str, Any]) -> list[Any]:
    """Make the signals of a chart, which the controls set."""
    return [alt.param(name=name, value=value) for name, value in values.items()]


def titled(text: str) -> Any:
    """Make a title that says what is set, for who keeps the picture."""
    return alt.TitleParams(text=alt.ExprRef(text), anchor="start", fontWeight="normal")


def chosen(values: Mapping[str, Any], but: Sequence[str] = ()) -> str:
    """Write which rows are drawn: those with the values that are set."""
    names = [name for name in values if name not in ("names", "shares", "measure", "seeds", "shown", *but)]
    return " && ".join([*(f"datum.{name} === {name}" for name in names), "indexof(shown, datum.a) >= 0"])


def profile(values: Mapping[str, Any], looks: Mapping[str, LineStyle], fields: Sequence[str]) -> dict[str, Any]:
    """Draw a measure by layer: a line an activation, its seeds where a reader points at it or asks for all."""
    labels = list(looks)
    colour = alt.Color("a:N", title=None).scale(domain=labels, range=[looks[one].colour for one in labels])
    legend = alt.Legend(
        orient="bottom", columns=4, symbolType="stroke", symbolStrokeWidth=3, symbolOpacity=1, values=alt.expr("shown")
    )
    dash = alt.StrokeDash("a:N", title=None).scale(domain=labels, range=[STROKES[looks[one].dash] for one in labels])
    pointed = alt.selection_point(name="pointed", fields=["a"], on="pointerover", nearest=True, empty=False)
    whole = {"tickMinStep": 1, "format": "d", "labelExpr": "datum.value % 1 ? '' : datum.label"}  # there is no layer 1½
    across = alt.X("layer:Q", title="layer").scale(nice=False, zero=False).axis(**whole)
    up = alt.Y("v:Q", title=None).scale(zero=False)
    base = rows(values, fields).encode(x=across, y=up, color=colour.legend(legend))
    ends = {"v": "min(v)", "v2": "max(v)", "layer": "min(layer)", "layer2": "max(layer)"}
    extent = (  # of all that a reader can slide to, so that the axes stand still: it is not seen
        rows(values, fields, but=["d", "s"])
        .transform_aggregate(**ends)
        .transform_calculate(v=f"{SHARES} ? 0 : datum.v", v2=f"{SHARES} ? 1 : datum.v2")
        .mark_rule(opacity=0)
        .encode(x=across, x2="layer2:Q", y=up, y2="v2:Q")
    )
    told = [alt.Tooltip("a:N", title="activation"), alt.Tooltip("layer:Q")]
    behind = {"opacity": {"condition": {"test": SEEN, "value": 0.6}, "value": 0}}
    of_seeds = in_pieces(base.transform_filter("datum.seed >= 0"))
    medians = base.transform_filter("datum.seed < 0")
    pieces = in_pieces(medians)
    seeds = of_seeds.mark_line(strokeWidth=1).encode(detail=["seed:N", "piece:N"], **behind)
    lines = pieces.mark_line().encode(strokeDash=dash.legend(legend), detail="piece:N", **THIN, **DIM)
    between = (
        across_gaps(of_seeds).mark_rule(strokeDash=NOT_KEPT).encode(**behind),
        across_gaps(pieces).mark_rule(strokeDash=NOT_KEPT, strokeWidth=1.4).encode(**DIM),
    )
    points = (
        medians.transform_calculate(runs=f"{RUNS} + ' of ' + datum.of")
        .mark_point(filled=True, size=36)
        .encode(tooltip=[*told, alt.Tooltip("v:Q", title="estimate", format=".4~g"), alt.Tooltip("runs:N")], **DIM)
        .properties(name="points")
        .add_params(pointed)
    )
    return (
        alt.layer(extent, *(one.encode(x2="layer0:Q", y2="v0:Q") for one in between), seeds, lines, points)
        .add_params(*top(values))
        .properties(
            title=titled(f"{OF_DEPTH} + ', step ' + s"),
            width="container",
            height=340,
            description="A measure by layer, one line an activation",
        )
        .to_dict()
    )


def rows(values: Mapping[str, Any], fields: Sequence[str], but: Sequence[str] = ()) -> Any:
    """Make a chart of the rows that are drawn, whatever is set of some signals: ``layer``, and ``v``, its value."""
    return (
        alt.Chart(alt.NamedData("layers"))
        .transform_filter(chosen(values, but))
        .transform_flatten(list(fields))
        .transform_calculate(v="datum[measure]")
        .transform_filter("isValid(datum.v)")
    )


def in_pieces(chart: Any) -> Any:
    """Number the pieces of a line: it is one as long as layers are neighbours."""
    along: dict[str, Any] = {"sort": [alt.SortField("layer")], "groupby": ["a", "seed"], "frame": [None, 0]}
    return (
        chart.transform_window(layer0="lag(layer)", v0="lag(v)", **along)
        .transform_calculate(gap="isValid(datum.layer0) && datum.layer - datum.layer0 > 1 ? 1 : 0")
        .transform_window(piece="sum(gap)", **along)
    )


def across_gaps(chart: Any) -> Any:
    """Lead from piece to piece: to ``layer`` and ``v`` from ``layer0`` and ``v0``, which are the same elsewhere."""
    ends = {f"{name}0": f"datum.gap ? datum.{name}0 : datum.{name}" for name in ("layer", "v")}
    return chart.transform_calculate(**ends)


def layer_maps(values: Mapping[str, Any], labels: Sequence[str], fields: Sequence[str]) -> dict[str, Any]:
    """Draw maps of a measure by layer and step, one an activation, in one scale."""
    told = [alt.Tooltip("a:N", title="activation"), alt.Tooltip("layer:O"), alt.Tooltip("s:O", title="step")]
    whole = {end: alt.expr(f"{SHARES} ? {value} : null") for end, value in (("domainMin", 0), ("domainMax", 1))}
    across, down = (120, 130) if len(labels) > 3 else (240, 200)
    chart = (
        rows(values, fields, but=["s"])
        .transform_filter("datum.seed < 0")
        .mark_rect()
        .encode(
            x=alt.X("s:O", title="step").axis(labelAngle=0, labelOverlap=True),
            y=alt.Y("layer:O", title="layer", sort="descending").axis(labelOverlap=True),
            color=alt.Color("v:Q", title=None)
            .scale(scheme="viridis", **whole)
            .legend(orient="bottom", gradientLength=200),
            tooltip=[*told, alt.Tooltip("v:Q", title="estimate", format=".4~g")],
        )
        .properties(width=across, height=down, view=alt.ViewBackground(fill="#8f8f8f", fillOpacity=0.55))
        .facet(facet=alt.Facet("a:N", title=None, sort=list(labels)), columns=6)
        .add_params(*top(values))
        .properties(title=titled(OF_DEPTH), description="A measure by layer and step, a map an activation")
    )
    return dict(chart.to_dict())
