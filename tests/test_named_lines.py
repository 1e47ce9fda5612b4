"""Lines named at their ends: accuracies spread by their errors, and lines that lie on one another are both seen."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from actlab.analysis import style
from actlab.analysis.accuracies import accuracy_scale
from actlab.analysis.axes import BETTER, FRAME
from actlab.analysis.drawings import NAMED_LINES, Spec
from actlab.analysis.named_lines import ONE_RUN, RUN, UNDER
from actlab.analysis.panels import render


def drawn(lines: dict[str, list[float]], measure: str, **more: object) -> Figure:
    rows = [
        {"depth": depth, "initialiser": name, "measure": measure, "mean": height, "low": np.nan, "high": np.nan}
        for name, heights in lines.items()
        for depth, height in zip((2, 5, 10), heights, strict=True)
    ]
    with style.apply():
        return render(Spec(NAMED_LINES, x="depth", lines="initialiser"), pd.DataFrame(rows).assign(**more))


def keys(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def places(axes: Axes, heights: list[float]) -> np.ndarray:
    """Where heights stand in a panel: 0 below, 1 above."""
    at = np.column_stack([np.full(len(heights), 5.0), heights])
    return axes.transAxes.inverted().transform(axes.transData.transform(at))[:, 1]


def test_accuracies_stand_by_their_errors():
    axes = Figure().subplots()
    accuracy_scale(axes, [0.1, 0.8, 0.9, 0.975])
    low, a, b, high = places(axes, [0.8, 0.9, 0.95, 0.975])
    assert a - low == pytest.approx(b - a)
    assert high - b == pytest.approx(b - a)
    assert 0 < places(axes, [0.1])[0] < high < 1
    assert high - low > 0.4  # as much as from chance to .8


@pytest.mark.parametrize("heights", [[0.5, 1.0], [1.0], [0.0, 0.0], [], [np.nan]])
def test_every_accuracy_lies_on_the_axis(heights):
    axes = Figure().subplots()
    accuracy_scale(axes, heights)
    low, high = axes.get_ylim()
    assert (low, high >= 0.9) == (0.0, True)  # whatever was measured
    assert all(low <= one <= high for one in heights if one == one)
    assert np.isfinite(places(axes, [low, high])).all()


def test_a_line_under_another_is_wider_and_the_key_says_so():
    figure = drawn({"a": [0.0, 0.1, 0.2], "b": [0.0, 0.1, 0.2], "c": [0.0, 0.1, 0.9]}, "dead_fraction")
    widths = [line.get_linewidth() for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert widths[0] > widths[1] == widths[2]
    sizes = [line.get_markersize() for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert sizes[1] < sizes[0] <= 1.3 * sizes[1] + 1e-9  # larger ones look like errors
    assert keys(figure) == [UNDER]
    apart = drawn({"a": [0.0, 0.1, 0.2], "c": [0.0, 0.1, 0.9]}, "dead_fraction")
    assert keys(apart) == []


def test_single_runs_have_a_key_and_stand_beside_one_another():
    figure = drawn({"a": [0.9, 0.9, 0.5], "b": [0.9, 0.8, 0.5]}, "test_accuracy", seeds=["", "", "0.1 0.9"] * 2)
    assert keys(figure) == [RUN]
    alone = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_markersize() == ONE_RUN["markersize"]]
    assert len(set(alone)) == 2
    heights = [text.get_position()[1] for text in figure.axes[0].texts]
    assert max(heights) < 0.6  # names point at the runs, not at what was left out of the line


@pytest.mark.parametrize("place", range(3))
def test_single_runs_have_a_key_wherever_along_a_line_they_are(place):
    seeds = ["", "", ""]
    seeds[place] = "0.1 0.9"
    assert RUN in keys(drawn({"a": [0.9, 0.9, 0.5]}, "test_accuracy", seeds=seeds))


def test_cells_in_which_another_rate_does_clearly_better_are_framed():
    by = ["", "learning rate", "learning rate"]
    figure = drawn({"a": [0.9, 0.9, 0.5]}, "test_accuracy", seeds=["", "", "0.1 0.2 0.9"], outscored_by=by)
    (frame,) = [line for line in figure.axes[0].lines if line.get_marker() == FRAME["marker"] and len(line.get_xdata())]
    assert (list(frame.get_xdata()), list(frame.get_ydata())) == ([5, 10], [0.9, 0.2])
    assert BETTER.format("learning rate") in keys(figure)
