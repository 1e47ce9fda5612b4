"""Marks at the size at which they are drawn: told apart, half filled of some runs alone, and explained where seen."""

import itertools

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import panels, style
from actlab.analysis.axis_scales import layer_axis
from actlab.analysis.drawings import DOTS, FACETS, GRID, MULTIPLES, NAMED_LINES, Spec
from actlab.analysis.legends import PLANNED, ROW, columns_of
from actlab.analysis.looks import LineStyle
from actlab.analysis.named_lines import UNDER, UNDER_POINT
from actlab.analysis.point_intervals import PARTLY
from actlab.analysis.point_marks import RANGE, SLENDER

SHAPES = {"elu": LineStyle("#2fb594", "D"), "selu": LineStyle("#729e5e", "P"), "relu": LineStyle("#0072b2", "s")}
SHAPES |= {"gelu": LineStyle("#cc79a7", "X")}
MORE = {f"f{i}": LineStyle("#477c57", "o") for i in range(7)}
KINDS = {GRID: "layer", NAMED_LINES: "depth", MULTIPLES: "depth"}


def estimates(x="layer", places=(1, 2, 3), names=tuple(SHAPES), measure="act_mean", **more):
    """One activation after the other, each a little higher than the one before."""
    rows = [
        {"activation": name, "depth": 3, "panel": measure, "measure": measure, "at": "init"}
        | {"mean": 0.1 * i, "low": np.nan, "high": np.nan, "n": 20, "runs": 20, "diverged": 0, "missing": 0}
        | {x: place}
        for (i, name), place in itertools.product(enumerate(names), places)
    ]
    return pd.DataFrame(rows).assign(**more)


def render(kind, frame, x=""):
    panels_by = {GRID: "panel", MULTIPLES: "activation", NAMED_LINES: "", DOTS: ""}[kind]
    columns = "depth" if kind == GRID else ""
    x = x or KINDS[kind]
    with style.apply():
        figure = panels.render(Spec(kind, x, "activation", panels_by, columns, looks=SHAPES | MORE), frame)
        figure.draw_without_rendering()
    return figure


def labels(figure):
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def lines_of(figure):
    return [line for axes in figure.axes for line in axes.lines]


def test_markers_with_arms_are_larger_than_others_with_thin_edges_in_panels_and_keys():
    figure = render(GRID, estimates())
    of_keys = [line for legend in figure.legends for line in legend.get_lines()]
    for lines in (lines_of(figure), of_keys):
        sizes = {line.get_marker(): (line.get_markersize(), line.get_markeredgewidth()) for line in lines}
        assert {"D", "s", "P", "X"} <= set(sizes)
        for slender in "PX":
            assert sizes[slender][0] >= 1.2 * max(sizes["D"][0], sizes["s"][0])
            arm = sizes[slender][0] / 3  # Matplotlib's filled plus is three squares wide
            assert sizes[slender][1] < 0.3 * arm
    assert set("PX") <= set(SLENDER)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_of_some_runs_alone_is_half_filled_and_the_key_says_so(kind):
    x = KINDS[kind]
    frame = estimates(x, (3, 5, 9))
    assert PARTLY not in labels(render(kind, frame))
    some = (frame["activation"] == "selu") & (frame[x] == 9)
    figure = render(kind, frame.assign(n=frame["n"].mask(some, 13), missing=frame["missing"].mask(some, 7)))
    half = [line for line in lines_of(figure) if line.get_fillstyle() == "left"]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in half] == [([9], [0.1])]
    assert PARTLY in labels(figure)
    assert half[0].get_zorder() > max(line.get_zorder() for line in lines_of(figure) if line is not half[0]) - 0.5


def of_theory(**more):
    frame = estimates("depth", (2, 5, 10), ("elu", "relu"), "dead_fraction").drop(columns="at")
    none = dict.fromkeys(("predicted_low", "predicted_high"), np.nan)
    return frame.assign(predicted=0.1, median=0.1, least=0.1, greatest=0.1, **none).assign(**more)


def test_ranges_are_explained_where_they_are_longer_than_the_marks_upon_them():
    assert RANGE not in labels(render(NAMED_LINES, of_theory(greatest=0.102)))
    assert RANGE in labels(render(NAMED_LINES, of_theory(greatest=0.3)))


def test_points_of_two_named_lines_at_one_depth_stand_beside_one_another():
    figure = render(NAMED_LINES, of_theory())
    at = [
        line.get_transform().transform(line.get_xydata())[:, 0]
        for line in lines_of(figure)
        if len(line.get_xdata()) == 3 and line.get_linestyle() == "None" and line.get_marker() in "Ds"
    ]
    assert len(at) == 2
    assert (np.abs(at[0] - at[1]) >= 4 * figure.dpi / 72).all()


def test_points_upon_points_are_large_and_not_called_wide_lines():
    alike = estimates(names=("relu", "elu")).assign(mean=0.5)
    assert UNDER in labels(render(GRID, alike))
    gaps = estimates(places=(1, 2, 50), names=("relu", "elu")).assign(mean=0.5)
    assert {UNDER_POINT} == labels(render(GRID, gaps)) & {UNDER, UNDER_POINT}
    predicted = dict.fromkeys(("predicted", "predicted_low", "predicted_high"), 0.5)
    assert {UNDER_POINT} == labels(render(GRID, alike.assign(**predicted))) & {UNDER, UNDER_POINT}


def test_a_long_key_takes_two_columns_and_no_room_of_the_panels():
    predicted = dict.fromkeys(("predicted", "predicted_low", "predicted_high"), 0.5)
    frame = estimates(places=(1, 50, 100), **predicted).assign(n=13, missing=7)
    frame.loc[0, "predicted"] = np.nan
    long, short = render(GRID, frame), render(GRID, estimates(places=(1, 50, 100), names=("elu",)))
    heights = [figure.axes[0].get_window_extent().height / figure.dpi for figure in (long, short)]
    assert long.legends[0]._ncols == 2
    keys = ["relu", "leaky_relu", "elu", "selu", UNDER, "at the end", "predicted", "measured at init"]
    assert columns_of(keys, 3.8) == 2
    keys = ["relu", "leaky_relu(negative_slope=0.25)", *["mish"] * 4, "range", "half filled: of those with a value"]
    assert (columns_of(keys, 4.6), columns_of(keys, 4.1)) == (2, 1)
    (box,) = (legend.get_window_extent() for legend in long.legends)
    assert box.width / long.dpi <= long.get_figwidth()
    assert heights[0] >= heights[1] - ROW * (PLANNED - 1)


@pytest.mark.parametrize("last", [1, 2, 5, 100])
def test_no_layer_has_two_ticks(last):
    axes = style.new_figure(3, 3).subplots()
    layer_axis(axes, last)
    ticks = list(axes.get_xticks())
    assert ticks == sorted(set(ticks))
    assert {1, last} <= set(ticks)


def test_a_prediction_at_one_place_is_dashed_as_a_line_is():
    predicted = dict.fromkeys(("predicted", "predicted_low", "predicted_high"), 0.5)
    figure = render(GRID, estimates(places=(1,), names=("relu",)).assign(**predicted))
    (mark,) = (line for line in lines_of(figure) if line.get_marker() is style.SHORT_DASHES)
    pieces = np.array(mark.get_marker().vertices)[:, 0].reshape(-1, 2)
    dash, gap = pieces[0, 1] - pieces[0, 0], pieces[1, 0] - pieces[0, 1]
    assert (dash, gap) == style.DASHES["dashed"][1]
    assert mark.get_markersize() == np.ptp(pieces)  # in points, as the pieces are


def test_the_stroke_of_a_prediction_in_a_row_is_dashed_on_either_side_of_the_point_upon_it():
    predicted = {"predicted": 0.1, "predicted_low": 0.09, "predicted_high": 0.11}
    figure = render(NAMED_LINES, estimates("depth", (5,), (*SHAPES, *MORE), "vanishing_slope", **predicted))
    (axes,) = figure.axes
    strokes = [line for line in axes.lines if list(line.get_xdata()) == [0.1] * 2 and line.get_zorder() == 1.5]
    (key,) = (line for line in figure.legends[0].get_lines() if line.get_label() == "predicted")
    assert len(strokes) == len(SHAPES | MORE)
    for line in strokes:
        high = abs(np.ptp(axes.transData.transform(line.get_xydata())[:, 1])) * 72 / figure.dpi
        point = max(one.get_markersize() for one in axes.lines if one.get_marker() == "o")
        assert line.get_linestyle() == key.get_linestyle() == "--"
        assert line._unscaled_dash_pattern == key._unscaled_dash_pattern
        assert 1.5 * sum(line._unscaled_dash_pattern[1]) <= (high - point) / 2  # a gap, and dashes about it


def test_a_depth_without_points_says_why():
    accuracy = estimates("depth", (2, 5), ("relu",), "test_accuracy").assign(at="final")
    slope = estimates("depth", (5,), ("relu",), "vanishing_slope")
    texts = [
        [text.get_text() for text in axes.texts]
        for axes in render(DOTS, pd.concat([accuracy, slope], ignore_index=True), "depth").axes
    ]
    assert texts == [[], ["a slope takes\ndepth 3 or more"]]


@pytest.mark.parametrize(("start", "drawn"), [((0.25, 0.25), True), ((0.25, 0.5), False)])
def test_over_training_a_line_shows_where_all_layers_begin(start, drawn):
    rows = [
        {"data": "wine", "layer": layer, "step": step, "mean": begin + 0.01 * step * layer, "n": 5, "runs": 5}
        for layer, begin in zip((1, 2), start, strict=True)
        for step in (0, 10, 20)
    ]
    frame = pd.DataFrame(rows).assign(low=np.nan, high=np.nan, measure="alpha", diverged=0, missing=0)
    with style.apply():
        figure = panels.render(Spec(FACETS, x="step", lines="layer", panels="data"), frame)
    flat = [line.get_ydata()[0] for line in lines_of(figure) if set(line.get_ydata()) == {0.25}]
    assert (flat == [0.25], "where all layers begin" in labels(figure)) == (drawn, drawn)
