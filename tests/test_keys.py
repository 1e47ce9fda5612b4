"""What the marks, keys, titles and captions of pictures say is what is drawn, and nothing that is not."""

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import layout, panels, style
from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import FACETS, GRID, MAP, NAMED_LINES, TILES, Drawing, Spec
from actlab.analysis.figures import FIGURES, base, outcomes
from actlab.analysis.figures.writing import GLUE, draw_page
from actlab.analysis.latex import shortened, unsaid
from actlab.analysis.looks import LineStyle
from actlab.analysis.point_marks import RANGE
from actlab.study.selection import Select
from tests.synthetic import frames

ESTIMATE = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 5, "runs": 5, "diverged": 0, "missing": 0}
TWO = {"relu": LineStyle("#0072b2", "o"), "gelu": LineStyle("#cc79a7", "s")}


def labels(figure):
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def render(spec, frame):
    with style.apply():
        figure = panels.render(spec, frame)
        figure.draw_without_rendering()
    return figure


def test_a_map_without_numbers_has_no_key_of_cells_that_are_not_filled():
    places = pd.DataFrame([(step, layer) for step in range(30) for layer in range(30)], columns=["step", "layer"])
    frame = places.assign(**ESTIMATE, activation="sigmoid", measure="signal_grad_norm", none_trained=True)
    spec = Spec(TILES, x="step", lines="layer", panels="activation", log=("signal_grad_norm",))
    assert labels(render(spec, frame)) == set()
    spec = Spec(TILES, x="step", lines="layer", panels="activation")
    few = frame[(frame["step"] < 3) & (frame["layer"] < 3)].assign(measure="test_accuracy")
    assert "not filled: no run trained" in labels(render(spec, few))


def test_what_is_in_brackets_is_a_number_of_runs_that_did_not_diverge():
    assert "In brackets: how many runs did not diverge, where some did" in base.MARKS


def nearly(lost, seeds=30):
    """A study of two activations of which some runs of the second did not train at depth 5."""
    runs, *others = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=seeds)
    gone = (runs["depth"] == 5) & (runs["activation"] == "elu") & (runs["seed"] < lost)
    runs = runs.assign(trained=~gone, test_accuracy=runs["test_accuracy"].mask(gone, 0.1))
    return build_cells(runs, *others, Select())


@pytest.mark.parametrize("name", ["intervals_by_depth", "accuracy_by_depth"])
def test_one_run_of_many_that_did_not_train_is_a_point_beside_a_ringed_estimate(name):
    made = FIGURES[name].make(nearly(1))
    frame = made.frame[made.frame["measure"] == "test_accuracy"].set_index(["activation", "depth"])
    row, runs = frame.loc["elu", 5], nearly(1).selected
    mine = runs[(runs["activation"] == "elu") & (runs["depth"] == 5) & runs["trained"]]
    assert (row["seeds"], row["of_trained"]) == ("0.1", "29 of 30 trained")
    assert row["mean"] == pytest.approx(mine["test_accuracy"].mean())
    assert row["low"] < row["mean"] < row["high"]
    assert "29 of 30 trained" in made.caption
    assert "Small points beside a ring: the runs that did not." in made.caption
    assert "each run is a small point" not in made.caption
    assert "range" not in made.caption
    figure = render(made.spec, made.frame)
    assert any("of those that trained" in label for label in labels(figure))
    many = [line for line in figure.axes[0].lines if line.get_markersize() == 2.4 and len(line.get_xdata()) > 1]
    assert not many


def test_fewer_runs_or_more_that_did_not_train_are_drawn_one_by_one():
    for cells in (nearly(4), nearly(1, 20)):
        frame = FIGURES["accuracy_by_depth"].make(cells).frame.set_index(["activation", "depth"])
        assert len(frame.loc[("elu", 5), "seeds"].split()) == frame.loc[("elu", 5), "runs"]


def test_a_caption_says_what_clearly_better_is_and_what_no_frame_is_not():
    said = outcomes.clearly(pd.DataFrame({"measure": ["test_accuracy", "test_loss"]}), nearly(1))
    assert "no difference (test accuracy: 0.02; test loss: a factor of 1.1)" in said
    assert "one of 1,000 comparisons" in said
    assert "does not make the selected one the best" in said


@pytest.mark.parametrize(("kind", "x"), [(FACETS, "layer"), (GRID, "layer"), (NAMED_LINES, "depth")])
def test_beside_theory_ranges_are_dotted_and_keyed_and_predictions_alone_dashed(kind, x):
    rows = [
        ESTIMATE
        | {"activation": name, "depth": depth, "layer": layer, "at": "init", "measure": "weight_grad_norm"}
        | {"low": np.nan, "high": np.nan, "median": 0.5, "least": 0.3, "greatest": 0.8}
        | {"predicted": 0.5, "predicted_low": 0.4, "predicted_high": 0.6}
        for name in ("relu", "gelu")
        for depth in ((2, 5) if kind == NAMED_LINES else (5,))
        for layer in ((1,) if kind == NAMED_LINES else range(1, 6))
    ]
    lines, panel = ("depth", "activation") if kind == FACETS else ("activation", "measure")
    spec = Spec(kind, x=x, lines=lines, panels=panel, columns="depth" if kind == GRID else "", looks=TWO)
    ranged, frame = render(spec, pd.DataFrame(rows)), pd.DataFrame(rows)
    assert RANGE in labels(ranged)
    known = render(spec, frame.assign(low=0.4, high=0.6))
    assert RANGE not in labels(known)
    dashes = {one.get_linestyle()[0][1] is None for axes in ranged.axes for one in axes.collections}
    assert False in dashes
    dashed = style.DASHES["dashed"][1][0] / style.DASHES["dashed"][1][1]
    for axes in ranged.axes:
        for one in axes.collections:
            pattern = one.get_linestyle()[0][1]
            assert pattern is None or pattern[0] / pattern[1] != pytest.approx(dashed)


def test_a_title_breaks_at_commas_and_says_what_varies_alone():
    runs, *others = frames(("relu", "elu"), (2, 5), (1e-3,), weight_decay=(0.0, 0.1), optimizer=("adam", "momentum"))
    made = FIGURES["accuracy_by_depth"].make(build_cells(runs, *others, Select()))
    assert set(made.heads.values()) == {
        f"optimizer {optimizer}, weight decay {decay}" for optimizer in ("adam", "momentum") for decay in ("0", "0.1")
    } or set(made.heads.values()) == {
        f"weight decay {decay}, optimizer {optimizer}" for optimizer in ("adam", "momentum") for decay in ("0", "0.1")
    }
    one = made.frame[made.frame["optimizer"] == "adam"]
    page, rows = next((page, rows) for page, rows in made.pages.items() if len(rows))
    head = "train rows 200, optimizer momentum, weight decay 0, dropout 0.2"
    low = Drawing("Share", "", one, {page: rows}, Spec(MAP, x="depth", lines="activation"), {page: head})
    lines = draw_page(low, page).get_suptitle().split("\n")
    assert GLUE not in "".join(lines)
    settings = [one for line in lines[1:] for one in line.strip(", ").split(", ")]
    assert settings == head.split(", ")


def test_rows_of_one_map_keep_their_height_below_a_title_of_several_lines():
    rows = [
        ESTIMATE | {"activation": name, "depth": depth, "measure": "trained", "mean": 1.0}
        for name in ("sigmoid", "centred_sigmoid", "tanh")
        for depth in (1, 2, 3, 5)
    ]
    frame = pd.DataFrame(rows)
    spec = Spec(MAP, x="depth", lines="activation")
    made = Drawing("Share of runs trained", "", frame, {"a": frame}, spec, {"a": "optimizer adam, weight decay 0.1"})
    figure = draw_page(made, "a")
    figure.draw_without_rendering()
    high = figure.axes[0].get_window_extent().height / figure.dpi / 3
    assert high >= 0.17


def test_the_bar_of_layers_is_high_enough_for_its_colours_and_one_depth_is_not_said():
    rows = [
        ESTIMATE | {"panel": "prelu: alpha", "measure": "alpha", "layer": layer, "step": step, "depth": 5}
        for layer in range(1, 6)
        for step in (0, 10, 20)
    ]
    frame = pd.DataFrame(rows)
    spec = Spec(GRID, x="step", lines="layer", panels="panel", columns="depth")
    head = "train rows 1000, optimizer adam"
    figure = draw_page(Drawing("Learned parameters over training", "", frame, {"a": frame}, spec, {"a": head}), "a")
    figure.draw_without_rendering()
    plot, bar = (axes.get_window_extent().height / figure.dpi for axes in figure.axes)
    assert bar >= 0.07
    assert plot >= 0.4 * figure.get_figheight()
    assert figure.axes[0].get_title() == ""


def test_no_number_is_a_negative_zero_and_settings_have_four_digits_where_these_tell_them_apart():
    assert layout.with_bounds(-0.00001, -0.0026, 0.0023) == "0.0000 [−0.0026, 0.0023]"
    assert layout.number(-0.0) == "0"
    rows = [{"activation": "tanh", "weight_gain": gain, "measure": "m", "text": "1"} for gain in (3**-0.5, 1.0)]
    wide = layout.lay_out(pd.DataFrame(rows), ["activation", "weight_gain"], ["measure"])
    assert wide["weight gain"].tolist() == ["0.5774", "1"]
    near = [row | {"weight_gain": gain} for row, gain in zip(rows, (0.577350001, 0.577350002), strict=True)]
    wide = layout.lay_out(pd.DataFrame(near), ["activation", "weight_gain"], ["measure"])
    assert wide["weight gain"].tolist() == ["0.577350001", "0.577350002"]


def test_a_paper_has_the_deepest_networks_of_which_theory_speaks_and_no_column_without_a_value():
    heads = ["activation", "depth", "first", "first, predicted"]
    body = [
        [f"f{i}", str(depth), "0.5", "outside theory" if depth > 30 else "0.4"]
        for i in range(100)
        for depth in (2, 5, 10, 20, 30, 50)
    ]
    _, rows, said = shortened.shortened(heads, body, 2, lambda heads, rows: 2.0 * len(rows))
    assert ({row[1] for row in rows}, said) == ({"30"}, ["of depth 30 alone"])
    deep = [row for row in body if row[1] == "50"]
    left, _, said = unsaid.unsaid(heads, deep, 2)
    assert left == heads[:3]
    assert said == ["No row has a value of first, predicted: outside theory."]
