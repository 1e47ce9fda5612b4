"""Layers: moments of their activations, and the parameters that they learned."""

from __future__ import annotations

from dataclasses import replace

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.drawings import GRID, LINEAR_TO_1, TILES, WHEN, Drawing, Spec, drawing, pressed_flat, subject
from actlab.analysis.estimates import (
    at_both_ends,
    available,
    columns_of,
    in_one_form,
    long,
    parameter_columns,
    summarise,
)
from actlab.analysis.figures.base import (
    MOST_DEPTHS,
    intervals,
    legend_of_theory,
    marked_untrained,
    of_kept_layers,
    of_those_trained,
    one_depth,
    ranges_where_intervals_mislead,
    thin_layers,
    without_logarithm,
)
from actlab.analysis.notes import mean_of
from actlab.analysis.of_trained import of_all_runs, summarise_trained, with_none_trained
from actlab.analysis.parts import figure
from actlab.analysis.tables.base import order
from actlab.later import pd
from actlab.measures import GEOMETRIC, about
from actlab.naming import counted

FEWEST = 4  # layers and records that make a map
RANGES = (
    "Where no run trained, and where an interval would reach to a side of 0 on which no run is: median and range "
    "(dotted)."
)
OWN_SCALE = "A panel that would press all others of its row flat has its own scale, on grey."
PRESSED = f"Where it says *{LINEAR_TO_1}*, an axis has decades beyond, since a few values would press all others flat."
HEIGHTS_DRAWN = ["mean", "low", "high"]


@figure
def moments(cells: Cells) -> Drawing | None:
    """Mean and variance of the activations by layer, at init and at the end; one line per activation."""
    measures = available(cells.layers, ("act_mean", "act_var"))
    if not measures:
        return None
    values = thin_layers(at_both_ends(cells.layers, cells.selected, measures), cells, 12)
    whole = intervals(values, cells, ["measure", "at", "layer"], trained=True)
    frame = ranges_where_intervals_mislead(whole, values, cells)
    # All of one measure, then all of the next: so the panels come.
    frame = frame.sort_values("measure", kind="stable").reset_index(drop=True)
    frame["panel"] = frame["measure"] + "," + frame["at"]
    geometric = tuple(name for name in measures if about(name).over_seeds == GEOMETRIC)
    spec = Spec(
        GRID,
        x="layer",
        lines=subject(cells),
        panels="panel",
        columns="depth",
        log=geometric,
        labels={f"{name},{at}": f"{about(name).axis}\n{when}" for name in measures for at, when in WHEN.items()},
        looks=cells.looks,
        most=MOST_DEPTHS,
    )
    said = [
        f"{mean_of(whole)}.",
        RANGES * bool((frame["low"].isna() & whole["low"].notna()).any()),
        marked_untrained(frame, "Hollow"),
        legend_of_theory(frame, cells),
        of_kept_layers(cells),
        of_those_trained(frame, cells),
        OWN_SCALE * bool(geometric and frame["depth"].nunique() > 1),
    ]
    caption = " ".join(["Over units and probe rows.", *filter(None, said)])
    made = drawing(cells, frame, spec, "Mean and variance of activations by layer", caption)
    rows = pd.concat(made.pages.values())
    linear = rows[~rows["measure"].isin(geometric)].melt("panel", HEIGHTS_DRAWN).groupby("panel")["value"]
    pressed = any(pressed_flat(heights) for _, heights in linear)
    return replace(made, caption=f"{made.caption} {PRESSED}") if pressed else made


@figure(default=False)
def layers_over_training(cells: Cells) -> Drawing | None:
    """Dead units and signal gradient norm as maps: a row for each layer, a column for each record."""
    measures = available(cells.layers, ("dead_fraction", "signal_grad_norm"))
    depth = one_depth(cells.selected["depth"])
    here = cells.selected["depth"] == depth
    ok = cells.selected[here & (cells.selected["status"] == "ok")]
    there = in_one_form(cells.layers[cells.layers["run"].isin(ok["run"])], measures)
    if not measures or min(there["layer"].nunique(), there["step"].nunique()) < FEWEST:
        return None
    values = long(there[["run", "step", "layer", *columns_of(there, measures)]], measures)
    # What was not measured at a step is left out; a seed that has no value where others have is missing.
    values = values[values.groupby(["measure", "step"])["value"].transform("count") > 0]
    keys = cell_keys(cells)
    units = values["measure"].map(of_all_runs)
    parts = [summarise(values[units], ok, keys, own=cells.own)] if units.any() else []
    if not units.all():
        parts.append(summarise_trained(values[~units], cells.selected[here], keys, cells.own))
    frame = with_none_trained(pd.concat(parts, ignore_index=True), cells.selected[here], keys)
    frame = order(frame, cells, keys, ["layer", "step"])
    if ((frame["measure"] == "dead_fraction").all() and frame["mean"].max() == 0) or frame.empty:
        return None
    frame = frame.sort_values("measure", kind="stable", ascending=False).reset_index(drop=True)  # the gradient first
    spec = Spec(TILES, x="step", lines="layer", panels=subject(cells), log=("signal_grad_norm",))
    caption = (
        f"Layer 1, below, is next to the input. {mean_of(frame, False)}, of the runs that the head of a map says; "
        "diverged ones are left out. Dead units are counted at evaluations, of all other runs. Every map of a measure "
        "has one scale; that of norms is finest about 1, so that what changes by a factor of 10 is seen beside what "
        "loses many decades; one that falls far below all others is dark, with lines of equal norm. "
        f"{of_those_trained(frame, cells)} {without_logarithm(frame)}"
    ).strip()
    title = f"Layer by layer over training, networks of {counted(depth, 'hidden layer')}"
    return drawing(cells, frame, spec, title, caption)


@figure
def learned_parameters(cells: Cells) -> Drawing | None:
    """Learned activation parameters over training, one line per layer."""
    names = parameter_columns(cells.layers, cells.runs)
    if not names:
        return None
    rows = cells.selected
    learns = rows[rows["learnable_per"].astype(bool) & (rows["status"] == "ok")]
    if "learn_activation_parameters" in learns:  # what is kept has no course
        learns = learns[learns["learn_activation_parameters"].astype(bool)]
    values = long(cells.layers.loc[cells.layers["run"].isin(learns["run"]), ["run", "step", "layer", *names]], names)
    values = thin_layers(values.dropna(subset="value"), cells, 8)
    frame = intervals(values, cells, ["measure", "layer", "step"], trained=True)
    if frame.empty:
        return None
    frame["panel"] = frame["activation"] + ": " + frame["measure"]
    spec = Spec(GRID, x="step", lines="layer", panels="panel", columns="depth")
    deepest = frame[frame["depth"] == frame["depth"].max()]
    named = ", ".join(str(one) for one in sorted(deepest["layer"].unique()))
    caption = (
        f"{mean_of(frame)}, of means over units where each has its own. At most 8 layers are drawn, dark to light in "
        f"their order: at depth {deepest['depth'].iloc[0]} these are {named}. Pictures of the "
        "same parameter have one scale."
    )
    caption = f"{caption} {of_those_trained(frame, cells)}".strip()
    return drawing(cells, frame, spec, "Learned parameters over training", caption)
