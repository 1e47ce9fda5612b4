"""Maps of layers by steps: one scale shows small changes beside many lost decades, and what is 0 takes no room."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.contour import QuadContourSet

from actlab.analysis import maps_of_layers, style
from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import TILES, Spec
from actlab.analysis.figures import FIGURES
from actlab.analysis.panels import render
from tests.synthetic import frames

HEAD = "{}: signal gradient (3 runs)"
STEPS, LAYERS = range(0, 100, 4), range(1, 31)


def rows(activation, measure, height):
    places = [(step, layer) for step in STEPS for layer in LAYERS]
    frame = pd.DataFrame(places, columns=["step", "layer"]).assign(activation=activation, measure=measure)
    means = [height(step, layer) for step, layer in places]
    return frame.assign(mean=means, low=np.nan, high=np.nan, n=3, runs=3, diverged=0, missing=0)


@pytest.fixture(scope="module")
def figure():
    frame = pd.concat(
        [
            rows("sigmoid", "signal_grad_norm", lambda step, layer: 10.0 ** (layer / 1.5 - 20)),
            rows("selu", "signal_grad_norm", lambda step, layer: 0.1 if layer < 15 else 1.0),
            rows("sigmoid", "dead_fraction", lambda step, layer: 0.0),
            rows("selu", "dead_fraction", lambda step, layer: 0.5),
        ],
        ignore_index=True,
    )
    spec = Spec(TILES, x="step", lines="layer", panels="activation", log=("signal_grad_norm",))
    with style.apply():
        figure = render(spec, frame)
        figure.draw_without_rendering()
    return figure


def maps(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def mesh(axes):
    return next(one for one in axes.collections if isinstance(one, QuadMesh))


def test_a_factor_of_ten_is_seen_beside_twenty_lost_decades(figure):
    selu, sigmoid = (mesh(maps(figure)[HEAD.format(one)]) for one in ("selu", "sigmoid"))
    a, b = (selu.norm(one) for one in (-1.0, 0.0))
    assert b - a > 0.2
    assert [selu.norm(one) for one in (-20.0, 0.0)] == [sigmoid.norm(one) for one in (-20.0, 0.0)]  # one scale


def test_lines_of_equal_height_where_one_map_spans_many_decades(figure):
    drawn = {title: [text.get_text() for text in axes.texts] for title, axes in maps(figure).items()}
    assert "$10^{-10}$" in drawn[HEAD.format("sigmoid")]
    assert drawn[HEAD.format("selu")] == []


def pieces_of(axes):
    """Measure the pieces of all lines of equal height, in points."""
    paths = [path for one in axes.collections if isinstance(one, QuadContourSet) for path in one.get_paths()]
    points = [
        axes.transData.transform(one) / axes.figure.dpi * 72
        for path in paths
        for one in path.to_polygons(closed_only=False)
    ]
    return [np.hypot(*np.diff(one, axis=0).T).sum() for one in points]


def test_no_piece_of_a_line_is_so_short_that_it_is_read_as_part_of_its_label(monkeypatch):
    """A label near the edge leaves a bit of its line between both, which would be a dot or a minus before it."""
    layers, steps = np.mgrid[1:31, 0:41]
    shade = -0.9 * (30 - layers) * (1 + 0.6 * np.exp(-steps / 1.5))
    lengths = {}
    for stub in (0.0, maps_of_layers.STUB):
        monkeypatch.setattr(maps_of_layers, "STUB", stub)
        with style.apply():
            axes = style.new_figure(3.5, 2.2).subplots()
            axes.set(xlim=(-0.5, 40.5), ylim=(-0.5, 29.5))
            maps_of_layers.decades(axes, shade)
        lengths[stub] = pieces_of(axes)
    assert min(lengths.pop(0.0)) < maps_of_layers.STUB <= min(*lengths.values())
    assert len(axes.texts) >= 3


def test_one_map_far_below_all_others_does_not_set_their_scale():
    gains = {"sigmoid": -20.0, "relu": -2.0, "selu": -2.0, "gelu": -1.0}
    parts = [
        rows(one, "signal_grad_norm", lambda step, layer, far=far: 10.0 ** (far * layer / 30))
        for one, far in gains.items()
    ]
    frame = pd.concat(parts, ignore_index=True)
    with style.apply():
        figure = render(Spec(TILES, x="step", lines="layer", panels="activation", log=("signal_grad_norm",)), frame)
    assert mesh(maps(figure)["selu (3 runs)"]).get_clim()[0] == pytest.approx(-2.0)
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert {axes._colorbar.extend for axes in bars} == {"min"}


def test_a_map_of_zeros_is_named_in_the_place_of_one(figure):
    assert set(maps(figure)) == {HEAD.format("sigmoid"), HEAD.format("selu"), "selu: dead (3 runs)"}
    texts = [text.get_text().replace("\n", " ") for axes in figure.axes for text in axes.texts]
    assert "dead units, 0 throughout: sigmoid" in texts
    assert not figure.legends


def test_the_head_of_a_map_says_of_how_many_runs_it_is():
    runs, steps, layers = frames(("sigmoid", "relu"), (30,), (1e-3,), seeds=3)
    trained = (runs["activation"] == "relu") & (runs["seed"] == 0)
    made = FIGURES["layers_over_training"].make(
        build_cells(runs.assign(status="ok", trained=trained), steps, layers.assign(dead_fraction=0.5))
    )
    with style.apply():
        heads = set(maps(render(made.spec, made.frame)))
    assert {"sigmoid: signal gradient (0 of 3 trained)", "relu: signal gradient (1 of 3 trained)"} < heads
    assert "relu: dead (3 runs)" in {head.replace("\n", " ") for head in heads}
