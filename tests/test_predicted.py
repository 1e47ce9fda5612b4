"""Predictions in tables and figures: numbers recomputed from the frames, deviations of known draws, dashed lines."""

import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from actlab.analysis import deviations, layout, panels, report, style
from actlab.analysis.cells import build_cells
from actlab.analysis.figures import FIGURES
from actlab.analysis.predictions import OF_PREDICTION
from actlab.analysis.tables import TABLES
from tests.predicted import SPREADS, predictions_of
from tests.synthetic import frames

SEEDS = 6
OF_THEORY = (*deviations.BAND, "deviation", "standard_errors", "outside")
BESIDE = ("gradient_norms", "vanishing_slopes", "moments", "dead_units", "death")
DRAWN = ("gradient_norms", "vanishing_slopes", "moments")


@pytest.fixture(scope="module")
def study():
    return frames(("sigmoid", "relu"), (3, 5), rates=(1e-3,), seeds=SEEDS)


@pytest.fixture(scope="module")
def predicted(study):
    return predictions_of(*study, outside={3: "depth/width is 9"})


@pytest.fixture(scope="module")
def cells(study, predicted):
    return build_cells(*study, predictions=predicted)


def dashed(axes):
    """The lines of a panel that are dashed, as pairs of their colour and heights."""
    dash = (0, (4, 1.5))
    return [
        (to_hex(line.get_color()), np.asarray(line.get_ydata(), float))
        for line in axes.get_lines()
        if line._unscaled_dash_pattern == dash and len(line.get_ydata()) > 2
    ]


def test_numbers_in_the_table_follow_from_the_frames(study, predicted, cells):
    runs, _, layers = study
    frame = TABLES["gradient_norms"].make(cells).frame
    row = frame[
        (frame["activation"] == "relu")
        & (frame["depth"] == 5)
        & (frame["layer"] == 3)
        & (frame["measure"] == "signal_grad_norm")
        & (frame["at"] == "init")
    ].iloc[0]
    names = set(runs.loc[(runs["activation"] == "relu") & (runs["depth"] == 5), "run"])
    kept = [one for one in layers.to_dict("records") if one["run"] in names and one["step"] == 0 and one["layer"] == 3]
    measured = np.array([math.log10(one["signal_grad_norm"]) for one in kept])
    (theory,) = [
        one
        for one in predicted.to_dict("records")
        if (one["activation"], one["depth"], one["layer"]) == ("relu", 5, 3)
        and one["measure"] == "log10_signal_grad_norm"
    ]
    spread = SPREADS["signal_grad_norm"]
    assert len(measured) == SEEDS
    assert row["predicted"] == pytest.approx(10 ** theory["value"])
    assert row["predicted_low"] == pytest.approx(10 ** (theory["value"] - spread))
    assert row["predicted_high"] == pytest.approx(10 ** (theory["value"] + spread))
    assert row["deviation"] == pytest.approx((measured.mean() - theory["value"]) / spread, rel=1e-6)
    assert row["standard_errors"] == pytest.approx(row["deviation"] * math.sqrt(SEEDS), rel=1e-6)


@pytest.mark.parametrize("name", BESIDE)
def test_predictions_stand_at_initialisation_only(cells, name):
    frame = TABLES[name].make(cells).frame
    there = frame[frame["predicted"].notna()]
    assert len(there)
    assert (there["depth"] == 5).all()
    if "at" in frame:
        assert set(there["at"]) == {"init"}
        outside = frame["outside"] != ""
        assert set(frame.loc[outside, "at"]) == {"init"}
    else:
        assert set(there["measure"]) == {"born_dead_fraction"}


def test_a_cell_outside_theory_says_so_once_and_why(cells):
    table = TABLES["gradient_norms"].make(cells)
    beside = table.wide["first, predicted"]
    at_init = table.wide["at"] == "init"
    assert (beside[at_init & (table.wide["depth"] == "3")] == deviations.OUTSIDE).all()
    assert (beside[~at_init] == "").all()
    assert (table.wide["first, deviation"][at_init & (table.wide["depth"] == "5")] != "").all()
    assert "Outside theory: 2 cells (depth 3): depth/width is 9." in table.note
    assert "later steps are outside theory" in table.note
    assert "2 of 4 cells" in deviations.of_study(cells)


@pytest.mark.parametrize("name", [*BESIDE, "predictions"])
def test_a_study_without_predictions_has_the_tables_it_had(study, predicted, name):
    none = TABLES[name].make(build_cells(*study))
    all_outside = predictions_of(*study, outside={3: "wide", 5: "wide"})
    of_others = predicted.assign(activation="another")
    if name == "predictions":
        assert none is None
        assert TABLES[name].make(build_cells(*study, predictions=all_outside)) is None
        return
    for predictions in (all_outside, of_others):
        other = TABLES[name].make(build_cells(*study, predictions=predictions))
        assert (none is None) == (other is None)
        if none is not None:
            assert layout.texts_of(none) == layout.texts_of(other)
            assert not {*OF_THEORY} & {*none.frame}


def test_a_report_without_predictions_does_not_name_them(study, tmp_path):
    few = [frame[frame["run"].isin(study[0]["run"][:3])] for frame in study]
    report.write(tmp_path, {"study": "x", "report": {"figures": []}}, {}, *few)
    assert not re.search("predict(ed|ions)|theory", (tmp_path / "report.md").read_text().replace("`", ""))
    assert not (tmp_path / "tables" / "predictions.csv").exists()


def test_a_report_with_predictions_has_the_same_bytes_whatever_the_order(study, predicted, tmp_path):
    wanted = {"study": "x", "report": {"tables": ["predictions"], "figures": []}}
    texts = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        shuffled = [frame.sample(frac=1, random_state=seed) for frame in (*study, predicted)]
        paths = report.write(folder, wanted, {}, *shuffled[:3], predictions=shuffled[3])
        texts.append({path.name: path.read_bytes() for path in paths})
    assert texts[0] == texts[1]
    assert "Mean-field theory predicts 2 of 4 cells" in texts[0]["report.md"].decode()
    back = pd.read_csv(io.BytesIO(texts[0]["predictions.csv"]))
    assert {"predicted", "deviation", "share_within", "scatter"} <= {*back}


def drawn_about(number, seeds, spread, rng, value=-2.0, copies=1, splits=1):
    """Cells of networks whose measure is drawn from the normal distribution that is predicted of them."""
    runs, rows, theory = [], [], []
    for cell in range(number):
        settings = {"activation": "relu", "depth": 3, "width": cell + 1}
        theory.append((f"c{cell}", *settings.values(), "vanishing_slope", 0, value, 0.0, spread, ""))
        for seed in range(seeds):
            x = value + spread * rng.normal()
            for copy in range(copies):
                for split in range(splits):
                    name = f"{cell}-{seed}-{copy}-{split}"
                    runs.append(
                        {"run": name, **settings, "learning_rate": 0.1 * copy, "seed": seed, "data_seed": split}
                    )
                    rows.append({"run": name, "step": 0, "vanishing_slope": x})
    runs = pd.DataFrame(runs).assign(status="ok", trained=True)
    steps, layers = pd.DataFrame(rows), pd.DataFrame({"run": runs["run"], "step": 0, "layer": 1})
    columns = ["cell", "activation", "depth", "width", *OF_PREDICTION]
    return build_cells(runs, steps, layers, predictions=pd.DataFrame(theory, columns=columns))


@pytest.mark.parametrize(("copies", "splits"), [(1, 1), (3, 1), (1, 2)])
def test_networks_drawn_about_their_prediction_deviate_by_one_spread(copies, splits):
    number, seeds = 200, 8
    cells = drawn_about(number, seeds, 0.25, np.random.default_rng(5), copies=copies, splits=splits)
    values = cells.steps.rename(columns={"vanishing_slope": "value"})[["run", "value"]]
    values = values.assign(measure="vanishing_slope")
    single = deviations.networks(cells, values)
    assert len(single) == number * seeds * copies * splits
    assert single["deviation"].std() == pytest.approx(1.0, abs=0.08)
    by_cell = pd.DataFrame({"width": range(1, number + 1), "measure": "vanishing_slope"})
    frame = deviations.joined(by_cell, single, cells, ["width"])
    assert len(frame) == number
    assert frame["standard_errors"].std() == pytest.approx(1.0, abs=0.15)  # copies of a network are one network
    assert frame["deviation"].std() == pytest.approx(1 / math.sqrt(seeds), rel=0.15)
    assert frame["deviation"].mean() == pytest.approx(0.0, abs=0.08)


def test_the_numerical_error_counts_as_a_spread_does_and_no_mean_lessens_it():
    cells = drawn_about(1, 4, 0.3, np.random.default_rng(0))
    theory = cells.predictions.assign(numerical_error=0.4)
    cells = build_cells(cells.runs, cells.steps.assign(vanishing_slope=-1.0), cells.layers, predictions=theory)
    values = cells.steps.rename(columns={"vanishing_slope": "value"}).drop(columns="step")
    single = deviations.networks(cells, values.assign(measure="vanishing_slope"))
    frame = deviations.joined(pd.DataFrame({"width": [1], "measure": "vanishing_slope"}), single, cells, ["width"])
    assert frame["deviation"][0] == pytest.approx(1 / math.hypot(0.3, 0.4), rel=1e-6)
    assert frame["standard_errors"][0] == pytest.approx(1 / math.hypot(0.15, 0.4), rel=1e-6)


@pytest.mark.parametrize("spread", [0.0, math.nan])
def test_where_no_spread_is_known_there_is_a_prediction_and_no_deviation(study, predicted, spread):
    cells = build_cells(*study, predictions=predicted.assign(spread=spread))
    table = TABLES["gradient_norms"].make(cells)
    assert table.frame["predicted"].notna().any()
    assert table.frame[["deviation", "predicted_low"]].isna().all(axis=None)
    assert "first, predicted" in table.wide
    assert "first, deviation" not in table.wide
    assert len(TABLES["predictions"].make(cells).wide) == 0
    if spread == 0:
        render(FIGURES["predictions"].make(cells))


def test_what_is_not_finite_is_no_measurement(study, predicted):
    runs, steps, layers = study
    lost = layers.assign(signal_grad_norm=layers["signal_grad_norm"].where(layers["run"] != runs["run"][0], np.nan))
    frame = TABLES["predictions"].make(build_cells(runs, steps, lost, predictions=predicted)).frame
    assert np.isfinite(frame[["predicted", "deviation", "standard_errors"]]).all(axis=None)
    of_one = frame[frame["n"] < SEEDS]
    assert (of_one["standard_errors"] / of_one["deviation"]).to_numpy() == pytest.approx(
        math.sqrt(SEEDS - 1), rel=1e-4
    ) or of_one.empty


def test_predictions_beyond_float64_are_written_from_their_log10(study):
    runs, steps, layers = study
    layers = layers.assign(log10_signal_grad_norm=np.log10(layers["signal_grad_norm"]) - 400)
    layers = layers.drop(columns="signal_grad_norm")
    about = layers.assign(signal_grad_norm=1.0)
    predicted = predictions_of(runs, steps, about)
    predicted["value"] = predicted["value"].where(predicted["measure"] != "log10_signal_grad_norm", -400.5)
    cells = build_cells(runs, steps, layers, predictions=predicted)
    table = TABLES["gradient_norms"].make(cells)
    signal = table.wide[(table.wide["measure"] == "signal gradient") & (table.wide["at"] == "init")]
    assert (signal["first, predicted"] == "3.2e−401").all()
    figure = render(FIGURES["gradient_norms"].make(cells))
    assert any(np.allclose(heights, -400.5) for axes in figure.axes for _, heights in dashed(axes))


def test_the_worst_stands_first(cells):
    table = TABLES["predictions"].make(cells)
    sizes = [float(text.replace("−", "-")) for text in table.wide["deviation"]]
    assert sizes == sorted(sizes, key=abs, reverse=True)
    assert max(map(abs, sizes)) == pytest.approx(table.frame["deviation"].abs().max(), abs=0.051)
    assert len(table.wide) <= 20
    pairs = table.frame.dropna(subset="deviation").groupby(["activation", "measure"]).ngroups
    assert len(table.wide) == min(pairs, 20)


def test_one_number_of_death_under_three_names_is_printed_once(study):
    runs, steps, layers = study
    layers = layers.assign(no_gradient_fraction=layers["dead_fraction"])
    spreads = {"dead_fraction": 0.02, "no_gradient_fraction": 0.02, "act_mean": 0.03}
    predicted = predictions_of(runs, steps, layers, spreads=spreads)
    table = TABLES["predictions"].make(build_cells(runs, steps, layers, predictions=predicted))
    assert {"dead_fraction", "no_gradient_fraction"} <= set(table.frame["measure"])
    assert len(table.wide) == len(table.wide.drop_duplicates(["activation", "layer", "measured", "predicted"]))


def test_the_share_within_two_spreads_is_that_of_single_networks():
    cells = drawn_about(200, 5, 0.1, np.random.default_rng(1), copies=2)
    table = TABLES["predictions"].make(cells)
    assert table.note.startswith("Of 1,000 values of single networks 9")
    share = float(table.note.split("networks ")[1].split(" %")[0])
    assert 93 <= share <= 98
    assert table.frame["share_within"].mean() == pytest.approx(share / 100, abs=0.006)
    assert table.frame["scatter"].mean() == pytest.approx(0.94, abs=0.08)  # of five values, on average


def render(drawn):
    with style.apply():
        return panels.render(drawn.spec, next(iter(drawn.pages.values())))


@pytest.mark.parametrize("name", [*DRAWN, "predictions"])
def test_what_is_predicted_is_dashed_and_what_is_measured_at_init_are_points(cells, name):
    drawn = FIGURES[name].make(cells)
    rows = next(iter(drawn.pages.values()))
    rows = rows[rows["predicted"].notna()]
    figure = render(drawn)
    assert len(rows)
    if name == "vanishing_slopes":  # one depth is predicted: a stroke, dashed as the key has it
        assert any(line.get_marker() is style.SHORT_DASHES for line in figure.axes[0].get_lines())
        return
    found = {tuple(np.round(heights, 9)) for axes in figure.axes for _, heights in dashed(axes)}
    for _, line in rows.groupby([key for key in ("activation", "measure", "depth") if key in rows]):
        assert tuple(np.round(line.sort_values("layer")["predicted"], 9)) in found
    dots = [line for axes in figure.axes for line in axes.get_lines() if line.get_linestyle() == "None"]
    assert len(dots) >= 2
    assert "dashed" in drawn.caption.lower()
    assert "redicted by mean-field theory" in drawn.caption


@pytest.mark.parametrize("name", ["gradient_norms", "moments", "predictions", "gradient_by_layer"])
def test_theory_is_drawn_at_layers_that_were_not_kept(study, name):
    """Straight from one kept layer to the next is not what theory says; what was measured is where it was kept."""
    runs, steps, layers = study
    kept = layers[layers["layer"].isin([1, 5])]
    whole, few = (
        FIGURES[name].make(build_cells(runs, steps, one, predictions=predictions_of(*study))) for one in (layers, kept)
    )
    places = [one for one in ("activation", "depth", "measure", "at", "layer") if one in whole.frame]
    both = whole.frame.merge(few.frame, on=places, suffixes=("", "_few"))
    both = both[both["predicted"].notna() & (both["depth"] == 5)]
    between = ~both["layer"].isin([1, 5])
    assert between.any()
    assert len(both) == (whole.frame["predicted"].notna() & (whole.frame["depth"] == 5)).sum()
    np.testing.assert_allclose(both["predicted_few"], both["predicted"], rtol=1e-12)
    assert both.loc[between, "mean_few"].isna().all()
    assert (both.loc[between, "runs_few"] == 0).all()
    assert both.loc[~between, "mean_few"].notna().all()
    if "predicted_low" in both:
        np.testing.assert_allclose(both["predicted_low_few"], both["predicted_low"], rtol=1e-12)
    marked = [line for axes in render(few).axes for line in axes.get_lines() if len(line.get_xdata()) == 2]
    assert name != "gradient_by_layer" or {str(line.get_marker()) for line in marked} & set("os")


def test_bands_are_the_spread_of_one_network(cells):
    drawn = FIGURES["predictions"].make(cells)
    rows = next(iter(drawn.pages.values()))
    rows = rows[(rows["activation"] == "relu") & (rows["depth"] == 5)].sort_values("layer")
    figure = render(drawn)
    (axes,) = (axes for axes in figure.axes if axes.get_title() == "relu")
    corners = np.concatenate([path.vertices for band in axes.collections for path in band.get_paths()])
    for name in ("predicted_low", "predicted_high"):
        assert set(np.round(rows[name], 9)) <= set(np.round(corners[:, 1], 9))


def test_slopes_are_drawn_against_their_predictions(study):
    cells = build_cells(*study, predictions=predictions_of(*study))
    drawn = FIGURES["predicted_slopes"].make(cells)
    figure = render(drawn)
    above = figure.axes[0]
    points = {
        (round(float(x), 9), round(float(y), 9))
        for line in above.get_lines()
        if line.get_linestyle() == "None"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    rows = drawn.frame[drawn.frame["measure"] == "vanishing_slope"]
    assert points == {(round(x, 9), round(y, 9)) for x, y in zip(rows["predicted"], rows["mean"], strict=True)}
    assert len(points) == 4


def test_without_predictions_no_figure_of_theory_is_made(study):
    cells = build_cells(*study)
    assert FIGURES["predictions"].make(cells) is None
    assert FIGURES["predicted_slopes"].make(cells) is None
    drawn = FIGURES["gradient_norms"].make(cells)
    assert "dotted at init, solid at the end" in drawn.caption
    assert not {*OF_THEORY} & {*drawn.frame}


def test_of_a_depth_outside_theory_the_first_picture_draws_what_was_measured():
    """Theory reaches the shallower networks alone, and the picture is of the deepest, as in the quickstart."""
    made = frames(("sigmoid", "relu"), (3, 5), rates=(1e-3,), seeds=SEEDS)
    cells = build_cells(*made, predictions=predictions_of(*made, outside={5: "depth/width is 9"}))
    drawing = FIGURES["gradient_by_layer"].make(cells)
    assert set(drawing.frame["depth"]) == {5}
    assert drawing.frame["mean"].notna().any()
    assert not deviations.is_predicted(drawing.frame)
    assert "mean-field" not in drawing.caption
