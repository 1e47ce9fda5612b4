"""How cells are drawn: one meaning of each mark in all figures, ranges where an interval says what cannot be."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from actlab.analysis import panels, style
from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import GRID, LINEAR_TO_1, Spec
from actlab.analysis.figures import FIGURES
from actlab.analysis.looks import LineStyle
from actlab.analysis.multiples import OWN
from actlab.analysis.point_intervals import NONE, PARTLY, point
from actlab.study.selection import Select
from tests.synthetic import frames

HOLLOW = "hollow: no run trained"


@pytest.fixture(scope="module")
def study():
    """Networks of which no deep sigmoid one trains, some deep relu ones do, and some deep tanh ones diverge."""
    runs, steps, layers = frames(("sigmoid", "relu", "tanh"), (3, 6), (1e-3,), seeds=6)
    deep = runs["depth"] == 6
    runs["trained"] = ~(deep & (runs["activation"] == "sigmoid"))
    runs.loc[deep & (runs["activation"] == "relu") & (runs["seed"] > 3), "trained"] = False
    lost = deep & (runs["activation"] == "tanh") & (runs["seed"] > 4)
    runs.loc[lost, ["status", "trained", "test_accuracy"]] = "diverged", False, np.nan
    return runs, steps, layers


def drawn(spec, frame):
    with style.apply():
        return panels.render(spec, frame)


def keys_of(figure):
    return {text.get_text() for text in figure.legends[0].get_texts()} if figure.legends else set()


def white(figure):
    lines = [line for axes in figure.axes for line in axes.get_lines() if len(line.get_xdata())]
    return [line for line in lines if line.get_markerfacecolor() in ("white", "#ffffff") and line.get_marker() != "D"]


@pytest.mark.parametrize("name", ["accuracy_by_depth", "intervals_by_depth", "moments", "gradient_norms"])
def test_hollow_is_what_did_not_train_and_nothing_else(study, name):
    runs, steps, layers = study
    made = FIGURES[name].make(build_cells(runs, steps, layers, Select()))
    figure = drawn(made.spec, made.pages[""])
    said = [key for key in keys_of(figure) if "hollow" in key.lower()]
    assert said == ([] if name == "gradient_norms" else [HOLLOW])  # there a panel's title says it
    rest = (one[one["run"].isin(runs.loc[runs["activation"] != "sigmoid", "run"])] for one in study)
    made = FIGURES[name].make(build_cells(*rest, Select()))
    figure = drawn(made.spec, made.pages[""])
    assert white(figure) == []
    assert HOLLOW not in keys_of(figure)
    assert NONE == HOLLOW


def test_layers_between_which_none_was_kept_are_not_hollow_at_init(study):
    runs, steps, layers = study
    kept = layers[layers["layer"].isin([1, 2, 6])]
    made = FIGURES["gradient_norms"].make(build_cells(runs, steps, kept, Select()))
    assert white(drawn(made.spec, made.pages[""])) == []


def test_half_filled_is_of_those_with_a_value():
    axes = style.new_figure(3, 3).subplots()
    row = {"mean": 0.5, "low": 0.4, "high": 0.6, "ranged": False, "diverged": 0, "missing": 1}
    assert PARTLY in point(axes, 0.0, row, LineStyle("#0074CB", "s"))
    assert axes.get_lines()[-1].get_fillstyle() == "left"
    assert NONE in point(axes, 1.0, row | {"none_trained": True}, LineStyle("#0074CB", "s"))
    assert axes.get_lines()[-1].get_markerfacecolor() == "white"


def test_no_interval_of_a_moment_reaches_to_what_no_run_has(study):
    runs, steps, layers = study
    layers = layers.assign(act_mean=0.1 + 0.0 * layers["layer"])
    of = layers["run"].map(runs.set_index("run")["activation"])
    seed = layers["run"].map(runs.set_index("run")["seed"])
    layers.loc[of.eq("relu") & seed.eq(0), "act_mean"] = 5.0  # a skewed sample, all of it above 0
    layers.loc[of.eq("sigmoid") & seed.eq(0), "act_mean"] = -0.2
    made = FIGURES["moments"].make(build_cells(runs, steps, layers, Select()))
    end = made.frame[(made.frame["at"] == "final") & (made.frame["measure"] == "act_mean")]
    none = end[(end["activation"] == "sigmoid") & (end["depth"] == 6)]
    assert none["low"].isna().all()
    assert np.allclose(none[["least", "median", "greatest"]], [-0.2, 0.1, 0.1])
    relu = end[end["activation"] == "relu"]
    assert (relu["low"].fillna(0.1) >= 0).all()
    assert "median and range (dotted)" in made.caption


def test_an_axis_that_is_linear_to_1_says_so_on_itself_and_in_the_caption(study):
    runs, steps, layers = study
    for greatest, said in ((1.0, False), (1e4, True)):
        far = layers["run"].isin(runs.loc[runs["activation"] == "relu", "run"]) & (layers["layer"] == 6)
        moved = layers.assign(act_mean=(0.5 + 0.01 * layers["layer"]).mask(far, greatest))
        made = FIGURES["moments"].make(build_cells(runs, steps, moved, Select()))
        labels = [axes.get_ylabel() for axes in drawn(made.spec, made.pages[""]).axes]
        assert any(LINEAR_TO_1 in label for label in labels) == said
        assert (LINEAR_TO_1 in made.caption) == said


def by_layer(last):
    """One activation by layer at three depths, of which the deepest loses ``last`` decades, and the others one."""
    lost = {5: 1.0, 20: 1.0, 50: last}
    places = [(depth, layer) for depth in lost for layer in (1, 5)]
    rows = [{"depth": depth, "layer": layer, "mean": 10 ** (-lost[depth] * layer / 5)} for depth, layer in places]
    frame = pd.DataFrame(rows).assign(activation="relu", measure="act_var", panel="act_var,init", n=6, runs=6)
    return frame.assign(low=np.nan, high=np.nan)


@pytest.mark.parametrize(("last", "own"), [(30.0, True), (1.5, False)])
def test_a_depth_that_loses_many_decades_has_its_own_scale_and_says_so(last, own):
    spec = Spec(GRID, "layer", "activation", "panel", "depth", ("act_var",), looks={"relu": LineStyle("#0074CB", "s")})
    limits = {axes.get_title(): axes.get_ylim() for axes in drawn(spec, by_layer(last)).axes}
    assert limits["depth 5"] == limits["depth 20"]
    assert (f"depth 50 – {OWN}" in limits) == own
    assert (len(set(limits.values())) > 1) == own


def test_points_of_few_lines_at_one_depth_do_not_lie_on_one_another():
    rows = [{"initialiser": name, "depth": depth, "mean": 0.1} for name in ("a", "b") for depth in (2, 5)]
    frame = pd.DataFrame(rows).assign(low=0.0, high=0.2, predicted=0.1, predicted_low=np.nan, predicted_high=np.nan)
    frame = frame.assign(measure="network_dead", width=2, n=6, runs=6)
    figure = drawn(Spec(GRID, "depth", "initialiser", "measure", "width"), frame)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    points = [line for line in axes.get_lines() if line.get_marker() in "os" and line.get_linestyle() == "None"]
    at = [line.get_transform().transform(line.get_xydata())[:, 0] for line in points]
    assert (np.abs(at[0] - at[1]) >= 4 * figure.dpi / 72).all()
    bars = [one for one in axes.collections if isinstance(one, LineCollection)]
    ends = [one.get_transform().transform(one.get_segments()[0])[:, 0] for one in bars]
    assert np.allclose([end[0] for end in ends], [x[0] for x in at])


def test_a_bar_names_the_colours_of_all_layers_and_the_caption_the_layers(study):
    runs, steps, layers = study
    layers = layers.assign(alpha=0.25 + 0.01 * layers["layer"] * (layers["step"] > 0))
    runs = runs.assign(learnable_per="layer", learned="alpha")
    made = FIGURES["learned_parameters"].make(build_cells(runs, steps, layers, Select()))
    figure = drawn(made.spec, made.pages[""])
    texts = {text.get_text() for axes in figure.axes for text in axes.get_xticklabels()}
    assert {"first layer", "last layer"} <= texts
    assert "at depth 6 these are 1, 2, 3, 4, 5, 6" in made.caption
