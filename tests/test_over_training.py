"""Lines over training: what leaves an axis is seen to, each seed of a few has its line, and many lines stay apart."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from actlab.analysis import style
from actlab.analysis.cells import build_cells
from actlab.analysis.cuts import CUT
from actlab.analysis.drawings import GRID, Spec
from actlab.analysis.figures import FIGURES
from actlab.analysis.looks import from_palette
from actlab.analysis.named_lines import UNDER
from actlab.analysis.panels import CROWDED, render
from tests.synthetic import frames

STEPS = np.arange(0, 1000, 25)


def losses(**heights: np.ndarray) -> pd.DataFrame:
    """Make losses of one seed, by activation."""
    one = {"measure": "train_loss", "depth": 3, "n": 1, "runs": 1, "low": np.nan, "high": np.nan}
    parts = [pd.DataFrame({"step": STEPS, "mean": of, "activation": name, **one}) for name, of in heights.items()]
    return pd.concat(parts, ignore_index=True)


def drawn(frame: pd.DataFrame) -> Figure:
    looks = {name: from_palette(i) for i, name in enumerate(frame["activation"].unique())}
    spec = Spec(GRID, x="step", lines="activation", panels="measure", columns="depth", log=("train_loss",), looks=looks)
    with style.apply():
        figure = render(spec, frame)
        figure.draw_without_rendering()
    return figure


def key(figure: Figure) -> set[str]:
    return {text.get_text() for text in figure.legends[0].get_texts()}


def test_a_line_leaves_a_cut_axis_through_its_top():
    far = np.where(STEPS == 675, 2.87e6, 1.0)
    figure = drawn(losses(selu=far, gelu=np.full(len(STEPS), 2.0)))
    axes = figure.axes[0]
    top = axes.get_ylim()[1]
    assert top < 100
    own = [line for line in axes.lines if len(line.get_xdata()) > 1 and line.get_transform() == axes.transData]
    assert max(float(np.nanmax(line.get_ydata())) for line in own) == 2.87e6  # not a peak below the edge
    (mark,) = (line for line in axes.lines if line.get_marker() == CUT["marker"] and not line.get_clip_on())
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([675], [1.0])
    assert [text.get_text() for text in axes.texts] == ["to 2.9e6"]
    assert CUT["label"] in key(figure)


def test_an_axis_that_holds_all_has_no_mark():
    figure = drawn(losses(selu=np.where(STEPS == 675, 30.0, 1.0), gelu=np.full(len(STEPS), 2.0)))
    assert figure.axes[0].get_ylim()[1] > 30
    assert not [line for line in figure.axes[0].lines if line.get_marker() == CUT["marker"] and not line.get_clip_on()]
    assert CUT["label"] not in key(figure)


def test_each_time_that_a_line_leaves_has_a_mark_and_texts_do_not_overlap():
    one, other = np.ones(len(STEPS)), np.ones(len(STEPS))
    one[[4, 20]], other[21] = (1e5, 2e5), 1e7
    flat = {name: np.full(len(STEPS), 2.0) for name in ("relu", "elu", "mish")}
    axes = drawn(losses(selu=one, gelu=other, **flat)).axes[0]
    marks = [
        float(line.get_xdata()[0])
        for line in axes.lines
        if line.get_marker() == CUT["marker"] and not line.get_clip_on()
    ]
    assert marks == [100.0, 500.0, 525.0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 2
    assert not boxes[0].overlaps(boxes[1])


def test_of_few_seeds_each_has_its_line_of_dead_units_and_of_many_their_mean():
    for seeds, lines in ((3, 3), (6, 1)):
        runs, steps, layers = frames(("relu", "tanh"), (5,), (1e-3,), seeds=seeds)
        runs = runs.assign(status="ok")
        made = FIGURES["dead_over_training"].make(build_cells(runs, steps, layers))
        with style.apply():
            axes = render(made.spec, made.frame).axes[0]
        heights = [np.asarray(line.get_ydata(), float) for line in axes.lines if len(line.get_xdata()) > 1]
        assert len(heights) == lines
        there = steps.merge(runs.loc[runs["activation"] == "relu", ["run"]])
        of_runs = [one["dead_fraction"].dropna().to_numpy() for _, one in there.groupby("run")]
        if seeds == 3:
            assert "Each line is one seed" in made.caption
            assert not axes.collections  # no band of what each shows
            for own in of_runs:
                assert any(len(one) == len(own) and np.allclose(one, own, rtol=1e-4) for one in heights)


def test_of_many_lines_on_one_another_none_is_wide():
    flat = {
        name: np.full(len(STEPS), 1.0 + 1e-4 * i) for i, name in enumerate(("relu", "elu", "mish", "gelu", "selu", "a"))
    }
    apart = {"tanh": np.full(len(STEPS), 5.0)}
    for lines, said, most in (({"relu": flat["relu"], "elu": flat["elu"]}, UNDER, 4.0), (flat, CROWDED, 0.8)):
        figure = drawn(losses(**lines, **apart))
        widths = [line.get_linewidth() for line in figure.axes[0].lines if len(line.get_xdata()) > 1]
        assert max(widths) <= most
        assert (max(widths) > 2) == (said == UNDER)
        assert {UNDER, CROWDED} & key(figure) == {said}
