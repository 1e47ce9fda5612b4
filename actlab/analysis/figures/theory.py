"""Theory: what was measured at initialisation beside what is predicted, by layer, and the slopes of every cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.deviations import PREDICTED, is_predicted
from actlab.analysis.drawings import FACETS, SCATTER, Drawing, Spec, drawing, subject
from actlab.analysis.estimates import available, long, records_at
from actlab.analysis.figures.base import (
    MOST_DEPTHS,
    OF_MEANS,
    expected_of_means,
    intervals,
    legend_of_theory,
    thin_layers,
)
from actlab.analysis.notes import mean_of
from actlab.analysis.parts import figure
from actlab.analysis.tables import theory as tables
from actlab.later import pd
from actlab.measures import GEOMETRIC, about

DRAWN = ("signal_grad_norm", "preact_second_moment", "correlation", "dead_fraction")
SLOPES = ("vanishing_slope", "vanishing_slope_median", "weight_slope")


@figure
def predictions(cells: Cells) -> Drawing | None:
    """Signal gradient norm, mean z², correlation and dead units by layer at initialisation, measured and predicted."""
    if cells.predictions.empty:
        return None
    table = tables.predictions(cells)
    names = [name for name in DRAWN if table is not None and (table.frame["measure"] == name).any()]
    measures = available(cells.layers, names)
    if not measures:
        return None
    values = long(records_at(cells.layers, cells.selected, "init", measures), measures, at="init")
    frame = intervals(thin_layers(values, cells), cells, ["at", "layer"])
    frame = frame.sort_values("measure", key=lambda column: column.map(DRAWN.index), kind="stable")
    # Of networks that theory does not reach whatever their depth, normalised ones say, there is nothing to compare.
    alike = [key for key in cells.selected_keys if key != "depth"]
    by = frame.groupby(list(dict.fromkeys(["measure", subject(cells), *alike])), dropna=False, sort=False)
    some = (frame["measure"] != "dead_fraction") | (by[["mean", PREDICTED]].transform("max").max(axis=1) > 0)
    frame = frame[some & (by[PREDICTED].transform("count") > 0)].reset_index(drop=True)
    log = tuple(name for name in measures if about(name).over_seeds == GEOMETRIC)
    frame = within_range(expected_of_means(by_factors(frame, log), cells, cell_keys(cells), log))
    spec = Spec(FACETS, "layer", "depth", subject(cells), log=log, looks=cells.looks, most=MOST_DEPTHS)
    caption = (
        f"{legend_of_theory(frame, cells)} Points: {mean_of(frame)}. Shaded: {OF_MEANS}; on a log axis the same factor "
        "either way."
    )
    keys = [*cells.selected_keys, "measure"]
    return drawing(cells, frame, spec, "Measured and predicted at initialisation", caption, keys)


def by_factors(frame: pd.DataFrame, log: Sequence[str]) -> pd.DataFrame:
    """Let a prediction's spread be the same factor either way on a log axis: as it is, its lower end may be below 0.

    >>> one = {"measure": "preact_second_moment", "predicted": 1.0, "predicted_low": -0.5, "predicted_high": 2.5}
    >>> by_factors(pd.DataFrame([one]), ["preact_second_moment"])["predicted_low"].tolist()
    [0.4]
    """
    if not is_predicted(frame):
        return frame
    factor = frame["predicted_high"] / frame[PREDICTED].where(frame[PREDICTED] > 0)
    low = (frame[PREDICTED] / factor).where(factor.notna(), frame["predicted_low"])
    return frame.assign(predicted_low=frame["predicted_low"].where(~frame["measure"].isin(log), low))


def within_range(frame: pd.DataFrame) -> pd.DataFrame:
    """Cut a prediction's spread off where its measure ends: no share is below 0, or above 1.

    >>> one = {"measure": "dead_fraction", "predicted": 0.1, "predicted_low": -0.1, "predicted_high": 0.3}
    >>> within_range(pd.DataFrame([one]))["predicted_low"].tolist()
    [0.0]
    """
    if not is_predicted(frame):
        return frame
    ranges = [about(name).range for name in frame["measure"]]
    least = np.array([-np.inf if low is None else low for low, _ in ranges])
    most = np.array([np.inf if high is None else high for _, high in ranges])
    return frame.assign(**{name: frame[name].clip(least, most) for name in ("predicted_low", "predicted_high")})


@figure
def predicted_slopes(cells: Cells) -> Drawing | None:
    """Slopes at initialisation against what is predicted of them, a point for each cell."""
    table = tables.predictions(cells)
    if table is None or not is_predicted(table.frame):
        return None
    frame = table.frame[table.frame["measure"].isin(SLOPES)]
    frame = frame.sort_values("measure", key=lambda column: column.map(SLOPES.index), kind="stable")
    if frame.groupby("measure").size().max() < 2 or frame.empty:
        return None
    spec = Spec(SCATTER, x=PREDICTED, lines=subject(cells), looks=cells.looks)
    caption = (
        "Slopes of log10 gradient norms per layer towards the input, at initialisation: a point for each cell. Above: "
        "measured against predicted by mean-field theory; they are equal on the line. Below: the difference, in the "
        "standard deviation that a mean over so many networks of the cell's width is expected to have (standard "
        "errors); shaded within two of them. Where a few slopes lie far out, axes are linear to ±.1 (deviations: "
        "±5) and in decades beyond. "
        f"{mean_of(frame)}."
    )
    return drawing(cells, frame.reset_index(drop=True), spec, "Slopes, measured and predicted", caption, [])
