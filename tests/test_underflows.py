"""A value that underflows stands at the lower edge of a logarithmic axis: it is neither missing nor left out."""

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import underflows
from actlab.analysis.drawings import GRID, Spec
from actlab.analysis.looks import LineStyle
from actlab.analysis.panels import render

OF_GELU = {"gelu": LineStyle("#CC79A7", "s")}


def drawn(last_but_one, measure="act_var"):
    rows = {"layer": [1, 2, 3], "mean": [1.0, last_but_one, np.nan], "n": [5, 5, 0], "missing": [0, 0, 5]}
    frame = pd.DataFrame(rows).assign(low=np.nan, high=np.nan, runs=5, measure=measure, depth=3, activation="gelu")
    figure = render(Spec(GRID, "layer", "activation", "measure", "depth", log=("act_var",), looks=OF_GELU), frame)
    (axes,) = figure.axes
    marks = [
        line for line in axes.lines if line.get_marker() == "v" and line.get_transform() == axes.get_xaxis_transform()
    ]
    return marks, [text.get_text() for text in figure.legends[0].get_texts()]


def test_it_is_marked_at_the_edge_and_in_the_key():
    marks, keys = drawn(1e-35)
    assert [(list(one.get_xdata()), list(one.get_ydata())) for one in marks] == [([3.0], [0.0])]
    assert underflows.KEY in keys


@pytest.mark.parametrize(("last_but_one", "measure"), [(1e-3, "act_var"), (1e-35, "act_mean")])
def test_what_is_missing_for_another_reason_or_on_another_axis_is_not(last_but_one, measure):
    marks, keys = drawn(last_but_one, measure)
    assert not marks
    assert underflows.KEY not in keys
