"""The figures: one function each, from a study's measurements to numbers on disk and a drawing of exactly those.

Estimate, interval, draw: a figure function takes one value a run (``cells``), puts intervals on them (``summarise``),
and names the function of ``panels`` that draws the resulting frame. The frame is written beside the picture as CSV. To
add a figure, write the function and decorate it; a study's YAML names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.analysis import tables
from actlab.analysis.cells import (
    Cells,
    columns_of,
    held,
    in_one_form,
    long,
    parameter_columns,
    records_at,
    sort_rows,
    summarise,
)
from actlab.analysis.layout import setting, to_csv, words
from actlab.later import Later, pd
from actlab.measures import GEOMETRIC, about

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from actlab.analysis import panels, style
else:  # Matplotlib, for whom the names of the figures need not wait
    panels, style = Later("actlab.analysis.panels"), Later("actlab.analysis.style")

MOST_LAYERS = 25  # a line through more points looks the same
MOST_PAGES = 6
WHEN = {"init": "\nat init", "final": "\nat the end"}
MOST_DEPTHS = 6  # columns of a grid


@dataclass(frozen=True)
class Drawing:
    """A figure before it is drawn.

    Attributes:
        name: its name in the registry and on disk.
        title, caption: what it shows, and how to read it.
        frame: the numbers drawn, with intervals; written as ``<name>.csv``.
        pages: {file stem: rows of ``frame``}: one picture for each setting that has no place in a panel.
        draw: from such rows to a figure.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame = field(repr=False)
    pages: dict[str, pd.DataFrame] = field(repr=False)
    draw: Callable[[pd.DataFrame], Figure] = field(repr=False)


FigureFunction = Callable[[Cells], Drawing | None]
FIGURES: dict[str, FigureFunction] = {}


def figure(function: FigureFunction) -> FigureFunction:
    """Register a figure under its function's name."""
    FIGURES[function.__name__] = function
    return function


def write_figure(drawing: Drawing, folder: Path) -> list[Path]:
    """Write ``<name>.csv`` with the numbers and, for every page, ``.png`` and ``.svg``."""
    return write_figures([drawing], folder)


def write_figures(
    drawings: Sequence[Drawing],
    folder: Path,
    helper: Executor | None = None,
    progress: Callable[[int, int], None] = lambda done, pages: None,
) -> list[Path]:
    """``write_figure`` of several.

    Args:
        drawings: the figures.
        folder: where they go.
        helper: a process that draws too: it begins with the first page, and this one with the last.
        progress: called with the number of pages that are done, and of all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = [(drawing, stem) for drawing in drawings for stem in drawing.pages]
    shared = [] if helper is None else [helper.submit(write_page, *page, folder) for page in pages]
    written: dict[str, list[Path]] = {}
    for i in reversed(range(len(pages))):
        progress(len(written), len(pages))
        drawing, stem = pages[i]
        if shared and not shared[i].cancel():
            try:
                written[stem] = shared[i].result()
                continue
            except BrokenExecutor:  # the helper died, of memory perhaps
                pass
        written[stem] = write_page(drawing, stem, folder)
    paths = []
    for drawing in drawings:
        numbers = folder / f"{drawing.name}.csv"
        numbers.write_text(to_csv(drawing.frame, "%.6g"), encoding="utf-8", newline="\n")
        paths += [numbers, *(path for stem in drawing.pages for path in written[stem])]
    return paths


def write_page(drawing: Drawing, stem: str, folder: Path) -> list[Path]:
    """One picture of a figure, as ``<stem>.png`` and ``.svg``."""
    with style.apply():
        picture = drawing.draw(drawing.pages[stem])
        told = stem.removeprefix(drawing.name).strip("-").replace("-", ", ").replace("_", " ")
        picture.suptitle(f"{drawing.title} ({told})" if told else drawing.title)
        return style.save(picture, folder / stem)


@figure
def accuracy_by_depth(found: Cells) -> Drawing | None:
    """Test accuracy (or loss) against depth, one line an activation."""
    table = tables.performance(found)
    if table is None:
        return None
    frame = table.frame.drop(columns=["best", "tie"])
    caption = "Final metric on the test split, mean over seeds with its 95 % interval."
    return drawing(
        "accuracy_by_depth", f"{table.title}", caption, frame, found, panels.against_depth, "lines", found.selected_keys
    )


@figure
def trained_by_depth(found: Cells) -> Drawing | None:
    """Share of runs that trained against depth, a row an activation."""
    table = tables.trained(found)
    if table is None or found.selected["depth"].nunique() < 2:
        return None
    frame = table.frame.drop(columns=["deepest_trained_depth", "at_grid_end"])
    caption = "Share of runs whose final training loss is at most half of the best constant predictor's."
    return drawing(
        "trained_by_depth", table.title, caption, frame, found, panels.share_map, "lines", found.selected_keys
    )


@figure
def vanishing_slopes(found: Cells) -> Drawing | None:
    """Vanishing slope against depth at init and at the end."""
    table = tables.vanishing_slopes(found)
    if table is None:
        return None
    frame = table.frame[table.frame["measure"] == "vanishing_slope"].reset_index(drop=True)
    caption = "Slope of log10 signal gradient norm a layer towards the input: below 0 it vanishes, above it explodes."
    return drawing(
        "vanishing_slopes", table.title, caption, frame, found, panels.against_depth, "lines", found.selected_keys
    )


@figure
def gradient_norms(found: Cells) -> Drawing | None:
    """Norm of the backpropagated signal by layer, at init and at the end; one line a depth, one panel an activation."""
    return norms_by_layer(found, "gradient_norms", "signal_grad_norm", "Signal gradient norm by layer")


@figure
def weight_gradient_norms(found: Cells) -> Drawing | None:
    """Norm of the weight gradient by layer, at init and at the end."""
    return norms_by_layer(found, "weight_gradient_norms", "weight_grad_norm", "Weight gradient norm by layer")


def norms_by_layer(found: Cells, name: str, measure: str, title: str) -> Drawing | None:
    """A norm by layer on a log axis: geometric means."""
    if not held(found.layers, [measure]):
        return None
    values = pd.concat(
        [long(records_at(found.layers, found.selected, at, [measure]), [measure], at=at) for at in ("init", "final")]
    )
    frame = intervals(thin_layers(values, found), found, ["at", "layer"])
    caption = f"{mean_of(measure)}; dashed: at init, solid: at the end. Layer 1 is next to "
    caption += "the input; a norm of exactly 0 leaves a gap."
    return drawing(
        name, title, caption, frame, found, partial(panels.by_activation, log=True), "facet", found.selected_keys
    )


@figure
def dead_fraction(found: Cells) -> Drawing | None:
    """Dead units by layer at the end, one line a depth; activations that cannot die are left out."""
    if not held(found.layers, ["dead_fraction"]):
        return None
    values = long(records_at(found.layers, found.selected, "final", ["dead_fraction"]), ["dead_fraction"])
    frame, left_out = only_nonzero(intervals(thin_layers(values, found), found, ["layer"]))
    if frame.empty:
        return None
    caption = f"{definition('dead_fraction')} {mean_of('dead_fraction')}.{left_out}"
    draw = panels.by_activation
    return drawing(
        "dead_fraction", "Dead units by layer at the end", caption, frame, found, draw, "facet", found.selected_keys
    )


@figure
def dead_over_training(found: Cells) -> Drawing | None:
    """Dead units over training, mean over all hidden layers."""
    if not held(found.steps, ["dead_fraction"]):
        return None
    frame, left_out = only_nonzero(intervals(over_training(found, ["dead_fraction"]), found, ["step"]))
    if frame.empty:
        return None
    caption = f"{definition('dead_fraction')} {mean_of('dead_fraction')}.{left_out}"
    draw = partial(panels.by_activation, x="step")
    return drawing(
        "dead_over_training", "Dead units over training", caption, frame, found, draw, "facet", found.selected_keys
    )


@figure
def dying(found: Cells) -> Drawing | None:
    """Dead units at the end over depth and learning rate, one map an activation that can die."""
    return by_depth_and_rate(found, "dying", "dead_fraction", "Dead units by depth and learning rate")


@figure
def weakening(found: Cells) -> Drawing | None:
    """Weak units at the end over depth and learning rate, one map an activation: also of those that cannot die."""
    return by_depth_and_rate(found, "weakening", "weak_fraction", "Weak units by depth and learning rate")


def by_depth_and_rate(found: Cells, name: str, measure: str, title: str) -> Drawing | None:
    """A fraction of units at the end, every rate beside the others: a map an activation that has any such unit."""
    if not held(found.steps, [measure]) or "learning_rate" not in found.keys:
        return None
    values = long(records_at(found.steps, found.runs, "final", [measure]), [measure])
    keys = tables.cell_keys(found, found.keys)
    frame, left_out = only_nonzero(sort_rows(summarise(values, found.runs, keys), keys, found.ranks))
    if frame.empty:
        return None
    caption = f"{definition(measure)} Mean over seeds and hidden layers; *div.*: runs that diverged.{left_out}"
    keys = [key for key in found.keys if key != "learning_rate"]
    return drawing(name, title, caption, frame, found, panels.heat_maps, "facet", keys)


@figure
def moments(found: Cells) -> Drawing | None:
    """Mean and variance of the activations by layer, at init and at the end; one line an activation."""
    measures = held(found.layers, ("act_mean", "act_var"))
    if not measures:
        return None
    values = pd.concat(
        [long(records_at(found.layers, found.selected, at, measures), measures, at=at) for at in ("init", "final")]
    )
    frame = intervals(thin_layers(values, found, 12), found, ["measure", "at", "layer"])
    # All of one measure, then all of the next: so the panels come.
    frame = frame.sort_values("measure", kind="stable").reset_index(drop=True)
    frame["panel"] = frame["measure"] + "," + frame["at"]
    draw = partial(
        columns_by_depth,
        rows="panel",
        x="layer",
        log=lambda panel: about(str(panel).split(",")[0]).over_seeds == GEOMETRIC,
        row_label=lambda panel: panels.label(panel.split(",")[0]) + WHEN[panel.split(",")[1]],
    )
    geometric = " and ".join(words(name) for name in measures if about(name).over_seeds == GEOMETRIC)
    means = f"mean ({geometric}: geometric mean)" if geometric else "mean"
    caption = f"Over units and probe rows; {means} over seeds with its 95 % interval."
    return drawing(
        "moments",
        "Mean and variance of activations by layer",
        caption,
        frame,
        found,
        draw,
        "lines",
        found.selected_keys,
    )


@figure
def learned_parameters(found: Cells) -> Drawing | None:
    """Learned activation parameters over training, one line a layer."""
    names = parameter_columns(found.layers, found.runs)
    if not names:
        return None
    learns = found.selected[found.selected["learnable_per"].astype(bool) & (found.selected["status"] == "ok")]
    values = long(found.layers.loc[found.layers["run"].isin(learns["run"]), ["run", "step", "layer", *names]], names)
    frame = intervals(thin_layers(values.dropna(subset="value"), found, 8), found, ["measure", "layer", "step"])
    if frame.empty:
        return None
    frame["panel"] = frame["activation"] + ": " + frame["measure"]
    draw = partial(columns_by_depth, rows="panel", x="step", lines="layer", row_label=panels.title)
    caption = "Mean over seeds (and units, where each has its own) with its 95 % interval; at most 8 layers are drawn."
    return drawing(
        "learned_parameters", "Learned parameters over training", caption, frame, found, draw, "", found.selected_keys
    )


@figure
def training_curves(found: Cells) -> Drawing | None:
    """Training and validation loss over steps."""
    frame = intervals(over_training(found, ["train_loss", "validation_loss"]), found, ["measure", "step"])
    if frame.empty:
        return None
    draw = partial(columns_by_depth, rows="measure", x="step", log=lambda _: True)
    caption = (
        f"{mean_of('train_loss')}; diverged runs are left out. Training loss is the minibatch mean since the last "
    )
    caption += "record, and of the whole split at evaluations."
    return drawing("training_curves", "Loss over training", caption, frame, found, draw, "lines", found.selected_keys)


DEFAULT_FIGURES: tuple[str, ...] = tuple(FIGURES)


# What the figures share.


def intervals(values: pd.DataFrame, found: Cells, within: Sequence[str]) -> pd.DataFrame:
    """Intervals by cell over the selected runs, in the order in which they are drawn."""
    keys = tables.cell_keys(found)
    return tables.order(summarise(values, found.selected, keys, own=found.own), found, keys, within)


def definition(measure: str) -> str:
    """What a measure is, as a sentence of a caption: ``Dead: share of units for which ....``."""
    return f"{words(measure).capitalize()}: {about(measure).definition}."


def mean_of(measure: str) -> str:
    """Which mean over seeds of a measure is drawn."""
    mean = "Geometric mean" if about(measure).over_seeds == GEOMETRIC else "Mean"
    return f"{mean} over seeds with its 95 % interval"


def over_training(found: Cells, measures: Sequence[str]) -> pd.DataFrame:
    """Every record of the selected runs that did not diverge; values that were not evaluated are left out."""
    ok = found.selected.loc[found.selected["status"] == "ok", "run"]
    steps = in_one_form(found.steps[found.steps["run"].isin(ok)], measures)
    return long(steps[["run", "step", *columns_of(steps, measures)]], measures).dropna(subset="value")


def thin_layers(values: pd.DataFrame, found: Cells, most: int = MOST_LAYERS) -> pd.DataFrame:
    """At most so many layers of each depth, evenly spread, with the first and the last."""
    values = values.merge(found.runs[["run", "depth"]], on="run")
    keep = []
    for depth, layers in values.groupby("depth")["layer"]:
        there = np.unique(layers)
        at = np.unique(np.linspace(0, len(there) - 1, min(most, len(there))).round().astype(int))
        keep += [(depth, layer) for layer in there[at]]
    kept = pd.DataFrame(keep, columns=["depth", "layer"])
    return values.merge(kept, on=["depth", "layer"]).drop(columns="depth")


def only_nonzero(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The activations with any estimate that is not 0, and a sentence that names the others, or nothing."""
    some = frame["mean"].fillna(0) > 0
    alive = some.groupby(frame["activation"]).transform("any")
    left_out = list(dict.fromkeys(frame.loc[~alive, "activation"]))
    told = f" No such unit with {', '.join(f'`{name}`' for name in left_out)}: not drawn." if left_out else ""
    return frame[alive].reset_index(drop=True), told


def drawing(
    name: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    found: Cells,
    draw: Callable[..., Figure],
    role: str,
    keys: Sequence[str],
) -> Drawing:
    """Cut a frame into pages: what varies beyond depth and the ``role`` (lines or facet) gets a picture of its own."""
    others = [key for key in keys if key not in ("depth", "activation") and key in frame]
    if role:
        varies = found.runs["activation"].nunique() > 1 or not others
        draw = partial(draw, **{role: "activation" if varies else others.pop(0)})
    pages: dict[str, pd.DataFrame] = {}
    for values, rows in frame.groupby(others, dropna=False, sort=False) if others else [((), frame)]:
        told = "-".join(f"{key}={setting(value)}" for key, value in zip(others, values, strict=True))
        stem = re.sub(r"[^A-Za-z0-9_.=-]+", "_", f"{name}-{told}" if told else name).strip("_")
        if rows["mean"].notna().any():
            pages[stem] = rows.reset_index(drop=True)
    if others:
        caption += f" One picture for each setting of {', '.join(map(words, others))}."
    if len(pages) > MOST_PAGES:
        caption += f" The first {MOST_PAGES} of {len(pages)} are drawn; the CSV has them all."
        pages = dict(list(pages.items())[:MOST_PAGES])
    if found.select is not None and found.select.column not in frame.columns[: frame.columns.get_loc("mean")]:
        caption += f" {tables.selection_note(found)}"
    if getattr(draw, "func", draw) is columns_by_depth and "depth" in frame and frame["depth"].nunique() > MOST_DEPTHS:
        caption += f" {MOST_DEPTHS} of {frame['depth'].nunique()} depths are drawn; the CSV has them all."
    return Drawing(name, title, caption, frame, pages, draw)


def few_depths(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of at most ``MOST_DEPTHS`` depths, spread over the sweep, with the shallowest and the deepest."""
    depths = sorted(rows["depth"].unique())
    at = np.unique(np.linspace(0, len(depths) - 1, min(MOST_DEPTHS, len(depths))).round().astype(int))
    return rows[rows["depth"].isin([depths[i] for i in at])]


def columns_by_depth(frame: pd.DataFrame, **how: Any) -> Figure:
    """A grid of panels with depths as columns, as many as fit."""
    return panels.grid_of_lines(few_depths(frame), columns="depth", **how)
