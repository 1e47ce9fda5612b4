"""What lies far out presses nothing flat, nothing is drawn where nothing is known, and names stand beside points."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from actlab.analysis import panels, profiles, scatter, style
from actlab.analysis.axes import EACH_SEED, NOT_KEPT, curve
from actlab.analysis.catalogue import OVERVIEW, overview
from actlab.analysis.drawings import FACETS, GRID, MULTIPLES, NAMED_LINES, PROFILE, Spec, drawing, on_one_scale
from actlab.analysis.figures.base import of_kept_layers
from actlab.analysis.figures.units import with_predicted_means, with_reasons
from actlab.analysis.looks import LineStyle
from actlab.analysis.multiples import OWN
from actlab.analysis.pages.document import picture
from actlab.study.settings import OF_PREDICTION
from benchmarks import race

SLOPES = {"relu": 0.0, "elu": 0.01, "gelu": -0.02, "tanh": -0.05, "sigmoid": -0.63}
STYLES = {name: LineStyle(f"#0072{i}2", "o") for i, name in enumerate(SLOPES)}
SLOPE_SPEC = Spec(MULTIPLES, x="depth", lines="activation", panels="activation", looks=STYLES)


def slopes(depths: tuple[int, ...], slope_of: dict[str, float] = SLOPES) -> pd.DataFrame:
    """Make vanishing slopes at init and at the end."""
    rows = [
        {"activation": name, "depth": depth, "at": at, "mean": slope, "low": slope - 0.004, "high": slope + 0.004}
        for name, slope in slope_of.items()
        for depth in depths
        for at in ("init", "final")
    ]
    more = {"measure": "vanishing_slope", "n": 5, "runs": 5, "diverged": 0, "missing": 0}
    return pd.DataFrame(rows).assign(**more)


def drawn(spec: Spec, frame: pd.DataFrame):
    """Draw a frame; return the figure."""
    with style.apply():
        return panels.render(spec, frame)


def test_one_slope_that_lies_far_out_has_a_scale_of_its_own_and_all_others_share_one():
    axes = [one for one in drawn(SLOPE_SPEC, slopes((5, 10, 20))).axes if one.get_visible()]
    limits = {one.get_title().partition(" ")[0]: one.get_ylim() for one in axes}
    assert [one.get_title() for one in axes if OWN in one.get_title()] == [f"sigmoid ({OWN})"]
    assert len({limits[name] for name in SLOPES if name != "sigmoid"}) == 1
    low, high = limits["relu"]
    assert low < -0.054 < 0.014 < high
    assert high - low < 0.1
    near = drawn(SLOPE_SPEC, slopes((5, 10, 20), SLOPES | {"sigmoid": -0.06}))
    assert not any(OWN in one.get_title() for one in near.axes)


def test_where_depth_does_not_vary_a_slope_far_out_stands_in_numbers():
    figure = drawn(SLOPE_SPEC, slopes((30,)))
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert high - low < 0.1
        assert [text.get_text() for text in axes.texts] == ["◂ −0.630 [−0.634, −0.626]"]


def test_pictures_of_several_widths_have_one_scale_by_activation():
    frames = {
        str(width): slopes((30,), {"relu": 0.1 / width, "tanh": 1 / width}).assign(width=width) for width in (1, 2)
    }
    wide = on_one_scale(frames, ["activation"])["2"].groupby("activation")[["scale_low", "scale_high"]].first()
    assert np.allclose(wide.loc["tanh"], [0.496, 1.004])
    assert np.allclose(wide.loc["relu"], [0.046, 0.104])


@pytest.mark.parametrize(
    ("layers", "band"),
    [((1, 2, 3, 4), True), (tuple(range(1, 31, 3)), True), ((1, 2, 4, 8, 16, 30), False), ((1, 30), False)],
)
def test_no_line_and_no_band_is_drawn_across_layers_that_were_not_kept(layers, band):
    rows = pd.DataFrame({"layer": layers, "mean": 0.2, "low": 0.1, "high": 0.3})
    axes = style.new_figure(3, 3).subplots()
    line = curve(axes, rows, "layer", LineStyle("#0072b2", "s"))
    assert any(isinstance(one, PolyCollection) for one in axes.collections) == band
    assert (line.get_linestyle() == "-") == band
    assert band or [one.get_marker() for one in axes.get_lines()] == ["s", ""]


def test_beside_theory_what_was_measured_of_few_layers_is_points_alone():
    rows = pd.DataFrame({"layer": range(1, 31), "activation": "relu", "measure": "relative", "predicted": 1.0})
    kept = rows["layer"].isin([1, 2, 4, 8, 16, 30])
    values = {name: np.where(kept, value, math.nan) for name, value in (("mean", 1.0), ("low", 0.9), ("high", 1.1))}
    spec = Spec(PROFILE, x="layer", lines="activation", looks=STYLES)
    axes = drawn(spec, rows.assign(**values, runs=kept.astype(int), n=5)).axes[0]
    measured = [one for one in axes.get_lines() if one.get_marker() == "o"]
    assert [one.get_linestyle() for one in measured] == ["None"]
    assert not [one for one in axes.get_lines() if one.get_alpha() == NOT_KEPT["alpha"]]
    assert not [one for one in axes.collections if isinstance(one, PolyCollection)]


def test_the_band_begins_where_the_line_does():
    rows = pd.DataFrame({"layer": [1, 2, 3], "mean": [0.3, 0.1, 0.0], "low": [0.2, 0.0, math.nan]}).assign(high=0.4)
    ends = profiles.from_the_last(rows.assign(high=[0.4, 0.2, math.nan]), "layer").set_index("layer")
    assert ends.loc[3, ["low", "high"]].tolist() == [0.0, 0.0]
    assert ends.loc[2, "low"] == 0.0


@pytest.mark.parametrize(("kept", "said"), [([1, 2, 3], False), ([1, 2, 4], True)])
def test_captions_say_that_layers_are_missing(kept, said):
    layers = pd.DataFrame({"run": "a", "layer": kept})
    cells = SimpleNamespace(layers=layers, selected=pd.DataFrame({"run": ["a"]}))
    assert bool(of_kept_layers(cells)) == said


def test_norms_by_layer_are_drawn_of_three_depths_with_layers_enough():
    depths = (2, 5, 10, 20, 30, 50)
    frame = pd.DataFrame([{"activation": "relu", "depth": depth, "layer": 1, "mean": 1.0} for depth in depths])
    frame = frame.assign(measure="signal_grad_norm", low=0.9, high=1.1, n=5, runs=5, diverged=0, missing=0)
    runs = pd.DataFrame({"run": list("abcdef"), "depth": depths, "activation": "relu", "seed": 0, "status": "ok"})
    cells = SimpleNamespace(
        runs=runs, selected=runs, over="learning_rate", select=None, selected_keys=["activation", "depth"], test_rows=()
    )
    made = drawing(cells, frame, Spec(FACETS, "layer", "depth", "activation", most=3), "Norms", "Means.")
    assert made.pages[""]["depth"].tolist() == [5, 20, 50]
    assert "3 of 6 depths are drawn; the CSV has them all." in made.caption
    assert len(made.frame) == 6


@pytest.mark.parametrize(("y", "at", "side"), [(-4.0, 0.5, "top"), (4.0, 0.5, "bottom"), (-9.0, 0.01, "center")])
def test_a_name_stands_on_that_side_of_its_point_on_which_no_other_points_are(y, at, side):
    axes = style.new_figure(3, 3).subplots()
    axes.set(xlim=(0, 1), ylim=(-10, 10))
    scatter.name_beyond(axes, "erf", at, y)
    text = axes.texts[0]
    assert text.get_verticalalignment() == side
    if at < 0.2:  # beside it, since the axis may be below it
        assert (text.xyann[0] > 5, text.xyann[1]) == (True, 0)
    else:
        assert text.xyann[1] * y > 0
    assert text.get_horizontalalignment() == ("left" if at < 0.2 else "center")


def test_deviations_far_out_press_no_others_flat():
    for values, scale in (([0.1] * 20 + [-25.0], "symlog"), ([0.1] * 20 + [-4.0], "linear"), ([-25.0] * 9, "linear")):
        axes = style.new_figure(3, 3).subplots()
        scatter.deviations_scale(axes, pd.Series(values), True)
        assert axes.get_yscale() == scale


def test_dead_units_are_predicted_of_networks_of_which_theory_knows_all_layers():
    runs = pd.DataFrame({"run": list("abc"), "seed": 0, "activation": "relu", "depth": [2, 2, 3]})
    rows = [("x", "relu", 2, "dead_fraction", 1, 0.1), ("x", "relu", 2, "dead_fraction", 2, 0.3)]
    rows += [("y", "relu", 3, "dead_fraction", layer, 0.5) for layer in (1, 2)]  # of the third nothing is known
    rows += [("x", "relu", 2, "act_mean", 1, 9.0)]
    predictions = pd.DataFrame([(*row, 0.0, 0.0, "") for row in rows])
    predictions.columns = ["cell", "activation", "depth", *OF_PREDICTION]
    frame = pd.DataFrame({"activation": "relu", "depth": [2, 3], "measure": "dead_fraction", "mean": 0.2})
    out = with_predicted_means(frame, runs, predictions, ["activation", "depth"]).set_index("depth")["predicted"]
    assert out[2] == pytest.approx(0.2)
    assert math.isnan(out[3])
    assert "predicted" not in with_predicted_means(frame, runs, predictions[4:], ["activation", "depth"])


def test_what_falls_deep_does_not_press_flat_what_stays_near_1():
    ends = {"relu": 0.0, "tanh": -0.5, "elu": 0.3, "sigmoid": -18.0}
    rows = [
        {"activation": one, "layer": layer, "mean": 10.0 ** (end * (10 - layer) / 9)}
        for one, end in ends.items()
        for layer in range(1, 11)
    ]
    frame = pd.DataFrame(rows).assign(measure="relative_signal_grad_norm", low=math.nan, high=math.nan, runs=3, n=3)
    spec = Spec(PROFILE, x="layer", lines="activation", looks={one: LineStyle("#007222", "o") for one in ends})
    whole, near = drawn(spec, frame).axes
    assert {text.get_text() for text in whole.texts} == {"sigmoid", profiles.OTHERS}
    assert {text.get_text() for text in near.texts} == {"relu", "tanh", "elu"}
    curves = [sum(len(line.get_xdata()) == 10 for line in axes.lines) for axes in (whole, near)]
    assert curves == [4, 3]
    heights = [axes.get_ylim()[1] - axes.get_ylim()[0] for axes in (whole, near)]
    assert heights[0] > 18
    assert heights[1] < 3
    assert len(drawn(spec, frame[frame["activation"] != "sigmoid"]).axes) == 1


def test_pictures_of_a_learned_parameter_have_one_scale():
    one = {"panel": "prelu: alpha", "measure": "alpha"}
    pages = {rows: pd.DataFrame([one | {"mean": rows / 1000}]) for rows in (50, 200)}
    both = on_one_scale({str(rows): page for rows, page in pages.items()}, ["panel"])
    limits = set()
    for page in both.values():
        page = pd.concat([page.assign(step=step, layer=1, depth=5) for step in (0, 40)], ignore_index=True)
        page = page.assign(low=math.nan, high=math.nan, n=3, runs=3)
        limits.add(drawn(Spec(GRID, "step", "layer", "panel", "depth"), page).axes[0].get_ylim())
    assert len(limits) == 1


def test_dead_units_of_which_nothing_is_predicted_say_why():
    runs = pd.DataFrame({"run": ["a", "b"], "seed": 0, "activation": "relu", "depth": [2, 5]})
    rows = [
        ("x", "relu", 2, "dead_fraction", 1, 0.1, ""),
        ("y", "relu", 5, "", 0, math.nan, "outside theory: no variance"),
    ]
    predictions = pd.DataFrame([(*row[:6], 0.0, 0.0, row[6]) for row in rows])
    predictions.columns = ["cell", "activation", "depth", *OF_PREDICTION]
    cells = SimpleNamespace(predictions=predictions)
    frame = pd.DataFrame({"activation": "relu", "depth": [2, 5], "predicted": [0.1, math.nan]})
    assert with_reasons(frame, runs, cells, ["activation", "depth"])["outside"].tolist() == ["", "no variance"]
    assert "outside" not in with_reasons(frame.drop(columns="predicted"), runs, cells, ["activation", "depth"])


def test_axes_of_small_shares_end_at_one_round_number_and_an_empty_panel_says_why():
    rows = pd.DataFrame(
        [
            {"panel": panel, "optimizer": rule, "step": step, "freeze_layers": 0, "mean": mean}
            for panel, rule, mean in (
                ("2", "adam", 0.06),
                ("2", "sgd", math.nan),
                ("up", "adam", 0.43),
                ("up", "sgd", 0.2),
            )
            for step in (0, 50)
        ]
    ).assign(measure="revival_rate", low=math.nan, high=math.nan, n=3, runs=20)
    figure = drawn(Spec(GRID, "step", "freeze_layers", "panel", "optimizer", fitted=True), rows)
    assert [axes.get_ylim()[1] for axes in figure.axes] == [pytest.approx(1.03 * 0.5)] * 4
    assert [text.get_text().replace("\n", " ") for axes in figure.axes for text in axes.texts] == [
        "not drawn: at most 3 of 20 have a value"
    ]
    lines = rows.rename(columns={"step": "depth"}).query("panel == 'up'").assign(depth=[1, 9, 1, 9])
    for fitted, top in ((True, 0.5), (False, 1.0)):
        axes = drawn(Spec(NAMED_LINES, "depth", "optimizer", fitted=fitted), lines).axes[0]
        assert axes.get_ylim()[1] == pytest.approx(1.03 * top)


def test_the_legend_has_all_that_is_drawn():
    rows = pd.DataFrame(
        {"step": [0, 50], "activation": "relu", "depth": 2, "measure": "train_loss", "mean": [2.0, 1.0]}
    )
    rows = rows.assign(low=math.nan, high=math.nan, n=3, runs=3, each=["2 2.1 1.9", "1 1.1 0.9"])
    figure = drawn(Spec(GRID, "step", "activation", "measure", "depth", ("train_loss",), looks=STYLES), rows)
    handles = {one.get_label(): one for one in figure.legends[0].legend_handles}
    assert handles["each seed"].get_linewidth() == EACH_SEED["linewidth"]


def test_ratios_are_drawn_beside_one_and_an_overview_says_that_its_scales_differ():
    frame = pd.DataFrame({"case": ["a", "a", "b"], "ratio": [0.9, 1.0, 1.1]})
    axes = race.bars(["a", "b"], frame, "case", "ratio", "ratio").axes[0]
    assert any(set(np.asarray(line.get_xdata(), float)) == {1.0} for line in axes.get_lines())
    z = np.linspace(-5, 5, 11)
    properties = pd.DataFrame({"activation": ["linear"], "kinks": [""]})
    curves = {"linear": pd.DataFrame({"z": z, "value": z, "derivative": 1.0})}
    assert overview(properties, curves, {"linear": LineStyle("#555555", "o")}).get_suptitle() == OVERVIEW


@pytest.mark.parametrize("least", [-0.83, -0.4, -0.07, 0.0, 0.3])
def test_every_panel_of_an_overview_has_two_ticks_at_least(least):
    """One tick alone, as 0 where a curve goes from −.8 to .9, says nothing of the scale."""
    z = np.linspace(-5, 5, 101)
    value = least + (0.92 - least) * (z + 5) / 10
    properties = pd.DataFrame({"activation": ["f"] * 20, "kinks": [""] * 20})
    curves = {"f": pd.DataFrame({"z": z, "value": value, "derivative": 0.1})}
    with style.apply():
        axes = overview(properties, curves, {"f": LineStyle("#555555", "o")}).axes[0]
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2


def test_on_a_phone_a_picture_that_is_too_wide_says_so(tmp_path):
    for width, broad in ((6.0, True), (3.0, False)):
        with style.apply():
            figure = style.new_figure(width, 1.0)
            figure.subplots()
            dots, lines = style.save(figure, tmp_path / f"wide-{width}")
        for path in (dots, lines):
            page = picture("A", path)
            assert page.startswith('<figure class="broad">') == broad
            assert float(page.partition("--wide: ")[2].partition("px")[0]) == pytest.approx(96 * width, rel=0.1)
