"""Slopes by depth: one axis for all pictures, 0 on it, intervals that no marker hides, and where theory is not."""

import math

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import panels, style
from actlab.analysis.axes import AT_END, arrangement
from actlab.analysis.drawings import MULTIPLES, Drawing, Spec
from actlab.analysis.looks import LineStyle
from actlab.analysis.point_intervals import NO_THEORY
from actlab.analysis.reaches import AXIS, on_one_axis

STYLES = {name: LineStyle(f"#0072{i}2", "o") for i, name in enumerate(("relu", "elu", "tanh", "selu"))}
SPEC = Spec(MULTIPLES, x="depth", lines="activation", panels="activation", looks=STYLES)


def slopes(*means: float, wide: float = 0.001, predicted: float = np.nan) -> pd.DataFrame:
    frame = pd.DataFrame({"activation": list(STYLES)[: len(means)], "mean": means})
    return frame.assign(
        **{"low": frame["mean"] - wide, "high": frame["mean"] + wide, "measure": "vanishing_slope", "at": "init"},
        **{"depth": 30, "n": 5, "runs": 5, "diverged": 0, "missing": 0},
        **{"predicted": predicted, "predicted_low": predicted - 0.0001, "predicted_high": predicted + 0.0001},
    )


def figure_of(**pages: pd.DataFrame) -> Drawing:
    made = Drawing("", "", pd.concat(pages.values()), pages, SPEC, {page: f"init {page}" for page in pages})
    return on_one_axis(made, "activation")


def drawn(frame: pd.DataFrame):
    with style.apply():
        figure = panels.render(SPEC, frame)
    return figure, figure.axes[0]


def test_pictures_have_one_axis_but_for_those_that_it_would_press_flat():
    made = figure_of(
        he=slopes(0.1, 0.2, -0.1), glorot=slopes(-0.3, -0.2, 0.0), critical=slopes(0.004, 0.005, -0.005, wide=0.0)
    )
    limits = {page: drawn(rows)[1].get_xlim() for page, rows in made.pages.items()}
    assert limits["he"] == limits["glorot"]
    assert all(low < 0 < high for low, high in limits.values())
    assert limits["critical"][1] < 0.006
    assert made.heads == {
        "he": "init he",
        "glorot": "init glorot",
        "critical": "init critical, axis 50 times finer",
    }


def test_what_lies_beyond_the_axis_of_several_pictures_stands_in_numbers():
    made = figure_of(he=slopes(0.1, 0.2, -0.1, -0.2), default=slopes(-0.3, -0.2, -0.1, -2.0))
    low, high = (float(made.pages["default"][name].iloc[0]) for name in AXIS)
    assert (round(low, 2), round(high, 2)) == (-0.3, 0.2)
    _, axes = drawn(made.pages["default"])
    assert [text.get_text()[0] for text in axes.texts] == ["◂"]


def test_one_picture_alone_has_0_on_its_axis():
    _, axes = drawn(slopes(-0.3, -0.2))
    assert axes.get_xlim()[1] > 0


def test_where_theory_does_not_reach_a_row_says_so():
    frame = slopes(-0.3, -0.2, predicted=-0.25)
    frame.loc[1, ["predicted", "predicted_low", "predicted_high"]] = np.nan
    figure, axes = drawn(frame)
    assert [(text.get_text(), text.xy[1]) for text in axes.texts] == [(NO_THEORY, 1)]
    assert not drawn(slopes(-0.3, -0.2))[1].texts  # where no row has a prediction none lacks it
    keys = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "±2 standard errors, where wider than that line" in keys


def test_the_ends_of_an_interval_are_seen_beside_its_marker():
    """By the same height in points however few rows there are, and the marker above all lines."""
    for frame in (slopes(-0.3, -0.2), slopes(-0.3, -0.2)[:1]):
        _, axes = drawn(frame)
        (marker, *_) = (line for line in axes.lines if line.get_marker() == "o")
        (caps, *_) = (line for line in axes.lines if line.get_marker() == "|")
        assert list(caps.get_xdata()) == [-0.301, -0.299]
        assert 1.3 * marker.get_markersize() < caps.get_markersize() < 2 * marker.get_markersize()
        assert marker.get_zorder() > max(line.get_zorder() for line in axes.lines if line.get_marker() != "o")


def test_every_depth_at_the_end_has_a_mark_and_a_panel_without_theory_says_so():
    parts = [slopes(-0.3, -0.2, predicted=-0.25).assign(depth=depth) for depth in (5, 10, 20)]
    init = pd.concat(parts, ignore_index=True)
    names = ["predicted", "predicted_low", "predicted_high"]
    init.loc[init["activation"] == "elu", names] = np.nan
    end = init.assign(at="final", **dict.fromkeys(names, np.nan))
    figure, relu = drawn(pd.concat([init, end], ignore_index=True))
    (line,) = (one for one in relu.lines if one.get_marker() == AT_END)
    assert list(line.get_xdata()) == [5, 10, 20]
    assert line.get_linestyle() == "-"
    texts = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in figure.axes}
    assert texts == {"relu": [], "elu": [NO_THEORY]}


@pytest.mark.parametrize("number", range(1, 11))
def test_no_panel_is_left_over_in_a_row_of_its_own_where_two_columns_hold_all(number):
    rows, columns = arrangement(number)
    assert rows == math.ceil(number / columns)
    assert number in (1, 7) or number % columns != 1  # of seven one is left over in two columns as in three
