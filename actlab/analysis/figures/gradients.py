"""Gradients: their norms by layer, and how they change with depth."""

from __future__ import annotations

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.deviations import is_predicted
from actlab.analysis.drawings import FACETS, MULTIPLES, Drawing, Spec, drawing, subject
from actlab.analysis.estimates import at_both_ends, available
from actlab.analysis.figures.base import (
    MOST_DEPTHS,
    OF_MEANS,
    expected_of_means,
    intervals,
    legend_of_theory,
    marked_untrained,
    of_kept_layers,
    of_those_trained,
    some_trained,
    thin_layers,
    without_logarithm,
)
from actlab.analysis.notes import mean_of
from actlab.analysis.of_trained import with_none_trained
from actlab.analysis.parts import figure
from actlab.analysis.reaches import on_one_axis
from actlab.analysis.tables import gradients as tables


@figure
def vanishing_slopes(cells: Cells) -> Drawing | None:
    """Vanishing slope against depth at init and at the end."""
    table = tables.vanishing_slopes(cells)
    if table is None:
        return None
    frame = table.frame[table.frame["measure"] == "vanishing_slope"].reset_index(drop=True)
    frame = with_none_trained(expected_of_means(frame, cells, cell_keys(cells)), cells.selected, cell_keys(cells))
    shaded = f" Shaded: {OF_MEANS}." * (is_predicted(frame) and frame["depth"].nunique() == 1)
    spec = Spec(MULTIPLES, x="depth", lines=subject(cells), panels=subject(cells), looks=cells.looks)
    caption = (
        "Slope of log10 signal gradient norm per layer towards the input: below 0 it vanishes, above it explodes. "
        "All panels have one scale, in all pictures but those whose titles say that theirs is finer or coarser; what "
        "would press all others flat has its own, or stands in numbers at the end beyond which it lies. "
        f"{mean_of(frame)}. {legend_of_theory(frame, cells)}{shaded} "
        f"{some_trained(frame, cells)} {marked_untrained(frame, 'Diamonds')}"
    ).strip()
    return on_one_axis(drawing(cells, frame, spec, table.title, caption), subject(cells))


@figure
def gradient_norms(cells: Cells) -> Drawing | None:
    """Norm of the backpropagated signal by layer, at init and at the end: a line per depth, a panel per activation."""
    return norms_by_layer(cells, "signal_grad_norm", "Signal gradient norm by layer")


@figure
def weight_gradient_norms(cells: Cells) -> Drawing | None:
    """Norm of the weight gradient by layer, at init and at the end."""
    return norms_by_layer(cells, "weight_grad_norm", "Weight gradient norm by layer")


def norms_by_layer(cells: Cells, measure: str, title: str) -> Drawing | None:
    """Draw a norm by layer on a log axis: geometric means."""
    if not available(cells.layers, [measure]):
        return None
    values = thin_layers(at_both_ends(cells.layers, cells.selected, [measure]), cells)
    frame = intervals(values, cells, ["at", "layer"], trained=True)
    kept = of_kept_layers(cells)
    spec = Spec(FACETS, "layer", "depth", subject(cells), log=(measure,), looks=cells.looks, most=MOST_DEPTHS)
    drawn = kept or "Lines: dotted at init, solid at the end."
    if is_predicted(frame):
        drawn = f"{legend_of_theory(frame, cells)} {kept or 'Solid: at the end.'}"
    caption = (
        f"{mean_of(frame)}. {drawn} Layer 1 is next to the input. All panels have one scale; one that would press "
        f"all others flat has its own, on grey. {of_those_trained(frame, cells)} {without_logarithm(frame)}"
    ).strip()
    return drawing(cells, frame, spec, title, caption)
