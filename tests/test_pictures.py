"""Properties of what is on a picture: nothing leaves its axes, shares reach from 0 to 1, lines keep their colours."""

import colorsys
import math

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text

import actlab
from actlab.analysis import axes as on_axes
from actlab.analysis import map_marks, panels, report, style
from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import FACETS, TILES, Spec, drawing
from actlab.analysis.figures import FIGURES
from actlab.analysis.figures.outcomes import counts_alone, with_counts
from actlab.analysis.figures.writing import draw_page
from actlab.analysis.formats import of_report
from actlab.analysis.map_marks import HATCHES
from actlab.analysis.named_lines import UNDER
from actlab.analysis.run_summary import run_summary
from actlab.analysis.said_once import SHORT, sentences
from actlab.naming import drawn_name, few_digits
from actlab.study.selection import Select
from actlab.study.source import StudyError
from tests.synthetic import frames


@pytest.fixture(scope="module")
def cells():
    return build_cells(*frames(("sigmoid", "relu", "prelu"), (2, 5), seeds=6), Select())


def heights(axes: Axes) -> np.ndarray:
    """Return the heights of all lines, bars and bands that are drawn in data."""
    found = [np.asarray(line.get_ydata(), float) for line in axes.get_lines() if line.get_transform() == axes.transData]
    for one in axes.collections:
        if isinstance(one, PolyCollection | LineCollection):
            found += [path.vertices[:, 1] for path in one.get_paths()]
    values = np.concatenate([np.atleast_1d(one) for one in found]) if found else np.zeros(0)
    return values[np.isfinite(values)]


def wider(frame):
    """Make intervals of a frame wide: what is above 0 by a factor of a thousand, but a share stays one."""
    share = frame["measure"].isin(["dead_fraction", "test_accuracy"])
    high = (1000 * frame["high"]).where(frame["high"] > 0, frame["high"])
    return frame.assign(low=frame["low"] / 1000, high=high.mask(share & (high > 1), 1.0))


ALONG = ["gradient_norms", "moments", "training_curves", "dead_fraction", "vanishing_slopes", "gradient_by_layer"]


@pytest.mark.parametrize("name", ["accuracy_by_depth", "intervals_by_depth", *ALONG])
def test_no_interval_leaves_its_axes(cells, name):
    drawing = FIGURES[name].make(cells)
    with style.apply():
        figure = panels.render(drawing.spec, wider(drawing.frame))
    for axes in figure.axes:
        low, high = sorted(axes.get_ylim())
        there = heights(axes)
        assert ((there >= low) & (there <= high)).all(), axes.get_title()


@pytest.mark.parametrize("name", ["dead_fraction", "dead_over_training"])
def test_a_share_reaches_from_0_to_1_whatever_was_measured(cells, name):
    drawing = FIGURES[name].make(cells)
    with style.apply():
        figure = panels.render(drawing.spec, drawing.frame.assign(mean=0.01, low=0.0, high=0.02, ranged=False))
    assert {axes.get_ylim() for axes in figure.axes if axes.get_visible()} == {(-0.03, 1.03)}


def points_of(study):
    """Draw points with intervals; return the figure, and {(height, marker)} of each point by activation's colour."""
    made = build_cells(*study, Select())
    drawing = FIGURES["intervals_by_depth"].make(made)
    with style.apply():
        figure = panels.render(drawing.spec, drawing.frame)
    first = figure.axes[0]
    found = {}
    for line in first.get_lines():
        if len(line.get_xdata()) == 1 and line.get_marker() not in ("", "None"):
            found.setdefault(line.get_color(), []).append((*map(float, line.get_xydata()[0]), line.get_marker()))
    return first, {name: found.get(look.colour, []) for name, look in made.looks.items()}


def test_points_of_one_depth_stand_beside_one_another_and_0_is_no_missing_value():
    runs, steps, layers = frames(("relu", "elu", "tanh"), (2, 5, 9), (1e-3,), seeds=6)
    runs["trained"] = True
    runs.loc[runs["activation"] == "relu", "test_accuracy"] = 0.0
    lost = (runs["activation"] == "elu") & (runs["depth"] == 9)
    runs.loc[lost, ["status", "diverged_step", "test_accuracy"]] = ["diverged", 50.0, np.nan]
    axes, found = points_of((runs, steps, layers))
    assert all(len(points) == 3 for points in found.values())
    places = sorted(x for points in found.values() for x, _, _ in points)
    assert np.diff(places).min() > 0.1
    assert [round(x) for x in places] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert {(y, mark) for _, y, mark in found["relu"]} == {(0.0, "D")}
    (cross,) = [y for _, y, mark in found["elu"] if mark == "x"]
    assert axes.get_ylim()[0] < cross < -0.03  # below all that can be measured
    assert 0.0 in axes.get_yticks()  # from where up accuracies stand by their errors, up to the highest
    assert max(float(tick) for tick in axes.get_yticks()) == 0.9
    assert min(axes.get_yticks()) >= 0


def test_lines_too_many_to_follow_are_points_beside_one_another():
    names = ("sigmoid", "relu", "prelu", "tanh", "elu", "gelu")
    made = build_cells(*frames(names, (2, 5, 10), seeds=6), Select())
    drawing = FIGURES["accuracy_by_depth"].make(made)
    with style.apply():
        figure = panels.render(drawing.spec, drawing.frame)
    (axes,) = [one for one in figure.axes if one.get_visible()]
    single = [line for line in axes.get_lines() if line.get_marker() not in ("", "None", None)]
    places = [float(line.get_xdata()[0]) for line in single if len(line.get_xdata()) == 1]
    assert len(places) == len(set(places)) == len(names) * 3  # none hides another
    assert all(len(line.get_xdata()) <= 2 for line in axes.get_lines())  # nor leads a line across them
    few = build_cells(*frames(names[:3], (2, 5, 10), seeds=6), Select())
    assert FIGURES["accuracy_by_depth"].make(few).spec.kind != drawing.spec.kind


def drawn_of(study, name):
    drawing = FIGURES[name].make(build_cells(*study, Select()))
    with style.apply():
        return panels.render(drawing.spec, drawing.frame), drawing


def keys_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else []


@pytest.fixture(scope="module")
def none_trained():
    """A study of which no deep sigmoid network trains, and relu and leaky_relu are all but alike."""
    runs, steps, layers = frames(("sigmoid", "relu", "leaky_relu"), (3, 5), (1e-3,), seeds=6)
    runs["trained"] = ~((runs["activation"] == "sigmoid") & (runs["depth"] == 5))
    return runs, steps, layers


@pytest.mark.parametrize("name", ["vanishing_slopes", "moments", "training_curves"])
def test_the_end_of_networks_that_did_not_train_is_marked_and_the_mark_has_a_key(none_trained, name):
    figure, drawing = drawn_of(none_trained, name)
    assert any("no run trained" in key for key in keys_of(figure))
    assert "of which no run trained" in drawing.caption
    runs, steps, layers = none_trained
    figure, drawing = drawn_of((runs.assign(trained=True), steps, layers), name)
    assert not any("no run trained" in key for key in keys_of(figure))
    assert "no run trained" not in drawing.caption


def test_the_diamonds_stand_at_the_end_of_those_depths_alone(none_trained):
    figure, _ = drawn_of(none_trained, "vanishing_slopes")
    places = {
        axes.get_title().split()[0]: [
            float(x) for line in axes.get_lines() if line.get_marker() == "D" for x in line.get_xdata()
        ]
        for axes in figure.axes
    }
    assert places == {"sigmoid": [5.0], "relu": [], "leaky_relu": []}


def test_panels_say_of_which_depths_no_run_trained(none_trained):
    figure, _ = drawn_of(none_trained, "gradient_norms")
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert [("depth 5: none trained" in title) for title in titles] == [True, False, False]


@pytest.mark.parametrize("name", ["gradient_norms", "weight_gradient_norms"])
def test_norms_by_layer_have_one_scale_and_the_panel_that_has_its_own_says_so(name):
    names = ("sigmoid", "relu", "tanh", "elu", "gelu")
    figure, drawing = drawn_of(frames(names, (3, 30), (1e-3,), seeds=6), name)
    panels_of = {axes.get_title().split("\n")[0]: axes for axes in figure.axes if axes.get_visible()}
    shared = {axes.get_ylim() for title, axes in panels_of.items() if "own scale" not in title}
    assert len(shared) == 1
    if name == "gradient_norms":
        (own,) = [axes for title, axes in panels_of.items() if "own scale" in title]
        assert own is panels_of["sigmoid (own scale)"]
        assert own.get_facecolor() != panels_of["relu"].get_facecolor()
    assert "one scale" in drawing.caption


def test_a_panel_with_wide_bands_has_its_own_scale_and_panels_of_data_sets_are_named_alone():
    rows = [
        {"data": one, "layer": 1, "step": step, "mean": 0.2, "low": 0.1, "high": 1.0 if one == "wine" else 0.3}
        for one in ("digits", "diabetes", "sine", "wine")
        for step in (0, 50)
    ]
    frame = pd.DataFrame(rows).assign(measure="alpha", n=5, runs=5, diverged=0, missing=0)
    with style.apply():
        figure = panels.render(Spec(FACETS, "step", "layer", "data"), frame)
    limits = {axes.get_title(): axes.get_ylim() for axes in figure.axes if axes.get_visible()}
    assert list(limits) == ["digits", "diabetes", "sine", "wine (own scale)"]
    assert limits["digits"] == limits["sine"] == pytest.approx((-0.0, 0.3), abs=0.12)
    assert limits["wine (own scale)"][1] > 1.0


def test_maps_of_ten_activations_and_nine_rates_fit_a_page():
    sides = {"activation": list("abcdefghij"), "depth": range(6), "learning_rate": 10.0 ** np.arange(-5, -0.5, 0.5)}
    rows = pd.MultiIndex.from_product(sides.values(), names=sides.keys()).to_frame(index=False)
    rows = rows.assign(runs=3, n=2, diverged=1, missing=0, mean=0.5, low=np.nan, high=np.nan)
    both = pd.concat([rows.assign(measure=name) for name in ("trained", "test_accuracy")], ignore_index=True)
    labels = {"test_accuracy": "test accuracy"}
    with style.apply():
        figure = panels.render(Spec(TILES, "learning_rate", "depth", "activation", labels=labels), both)
    wide, high = figure.get_size_inches()
    assert (wide <= style.WIDEST, high <= 9.5) == (True, True)
    heads = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert heads[:4] == ["a: trained", "test accuracy", "b: trained", "test accuracy"]


def test_maps_that_would_be_blank_by_a_quarter_have_their_own_columns():
    """Two optimizers have rates of their own: a map of one has no columns for those of the other."""
    made = {"measure": "weak_fraction", "runs": 3, "n": 3, "diverged": 0, "missing": 0, "mean": 0.5}
    rates = {"adam": (0.001, 0.01), "sgd": (0.1, 1.0)}
    grid = [
        made | {"optimizer": name, "learning_rate": rate, "depth": depth}
        for name, some in rates.items()
        for rate in some
        for depth in (2, 5)
    ]
    spec = Spec(TILES, x="learning_rate", lines="depth", panels="optimizer")
    assert columns_of_maps(spec, grid) == [[".001", ".01"], [".1", "1"]]
    shared = [row for row in grid if row["optimizer"] == "adam"]
    shared += [row | {"optimizer": "sgd"} for row in shared]
    assert columns_of_maps(spec, shared) == [[".001", ".01"]] * 2


def columns_of_maps(spec, rows):
    with style.apply():
        figure = panels.render(spec, pd.DataFrame(rows).assign(low=np.nan, high=np.nan))
    return [[text.get_text() for text in axes.get_xticklabels()] for axes in figure.axes if axes.get_visible()]


@pytest.mark.parametrize("name", ["moments", "training_curves"])
def test_in_a_grid_too_a_line_under_another_is_wider_and_the_key_says_so(name):
    runs, steps, layers = frames(("relu", "tanh"), (3,), (1e-3,), seeds=6)
    twice = [pd.concat([one, one.assign(run=one["run"] + "b")], ignore_index=True) for one in (runs, steps, layers)]
    twice[0].loc[twice[0]["run"].str.endswith("b") & (twice[0]["activation"] == "relu"), "activation"] = "leaky_relu"
    kept = twice[0][~((twice[0]["activation"] == "tanh") & twice[0]["run"].str.endswith("b"))]
    figure, _ = drawn_of((kept, twice[1], twice[2]), name)
    assert UNDER in keys_of(figure)
    figure, _ = drawn_of((runs, steps, layers), name)
    assert UNDER not in keys_of(figure) or name == "training_curves"


def test_of_one_depth_the_points_are_drawn_by_another_figure():
    assert FIGURES["intervals_by_depth"].make(build_cells(*frames(("relu", "elu"), (5,), (1e-3,), seeds=2))) is None


def test_a_thin_line_keeps_its_colour_in_the_palette():
    red, green = np.meshgrid(np.arange(100, dtype=np.uint8), np.arange(100, dtype=np.uint8))
    pixels = np.stack([red, green, np.full_like(red, 170)], -1)  # ten thousand colours much like the line's
    pixels[3, 10:20] = 0x00, 0x72, 0xB2
    drawn = np.asarray(style.in_palette(pixels).convert("RGB"))
    assert (drawn[3, 10:20] == pixels[3, 10:20]).all()
    assert np.abs(drawn.astype(int) - pixels).max() < 32


def test_a_picture_of_few_colours_is_as_it_was():
    pixels = np.random.default_rng(0).integers(0, 6, (20, 30, 3)).astype(np.uint8) * 50
    assert (np.asarray(style.in_palette(pixels).convert("RGB")) == pixels).all()


ASKED = {"figure_format": ["svg", "pdf"], "dpi": 70, "titles": {"accuracy_by_depth": "How deep?"}}


def test_a_study_says_how_its_figures_are_written_and_what_they_are_called(tmp_path):
    study = {"study": "x", "report": {"tables": [], "figures": ["accuracy_by_depth"], **ASKED}}
    made = frames(("relu", "elu"), (2, 5), seeds=2)
    first, second = (report.write(tmp_path / name, study, {}, *made) for name in "ab" if not (tmp_path / name).mkdir())
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert {path.name for path in (tmp_path / "a" / "figures").iterdir()} == {
        f"accuracy_by_depth.{suffix}" for suffix in ("csv", "svg", "pdf")
    }
    assert "How deep?" in (tmp_path / "a" / "figures" / "accuracy_by_depth.svg").read_text()
    assert "![How deep?](figures/accuracy_by_depth.svg)" in (tmp_path / "a" / "report.md").read_text()
    report.write(tmp_path / "a", study | {"report": study["report"] | {"figure_format": ["png"]}}, {}, *made)
    left = {path.suffix for path in (tmp_path / "a" / "figures").iterdir()}
    assert left == {".csv", ".png"}  # nothing outlives its reason


def test_a_title_is_drawn_as_it_is_written_and_a_pdf_is_linked(tmp_path):
    """Two dollars are no formula; what few viewers show is linked, not shown."""
    asked = {"figure_format": ["pdf"], "titles": {"accuracy_by_depth": "costs $5 and $6"}}
    study = {"study": "x", "report": {"tables": [], "figures": ["accuracy_by_depth"], "html": False, **asked}}
    made = frames(("relu", "elu"), (2, 5), seeds=2)
    report.write(tmp_path, study, {}, *made)
    assert "\n[costs $5 and $6](figures/accuracy_by_depth.pdf)" in (tmp_path / "report.md").read_text()
    cells = build_cells(*made, formats=of_report(study["report"]))
    drawing = FIGURES["accuracy_by_depth"].make(cells)
    title = draw_page(drawing, next(iter(drawing.pages))).get_suptitle()
    assert title.startswith(r"costs \$5 and \$6 (")


def test_the_figure_of_a_run_is_written_as_the_study_says(tmp_path):
    runs, steps, layers = frames(("relu",), (5,), (1e-3,), seeds=1)
    formats = of_report({"figure_format": ["svg", "pdf"]})
    _, first = run_summary(runs["run"].item(), runs, steps, layers, tmp_path, formats=formats)
    assert first.suffix == ".svg"
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".pdf"}


def test_a_title_of_no_figure_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("study: x\ndata: {name: digits}\nreport: {titles: {accuracy_by_dept: Mine}}\n")
    with pytest.raises(StudyError, match=r"report\.titles: .*accuracy_by_depth"):
        actlab.study_of(tmp_path / "x.yaml")


def test_a_map_counts_the_seeds_that_have_no_value(tmp_path):
    """A gradient that is 0 has no logarithm: what is left of the seeds is not drawn as if it were all of them."""
    runs, steps, layers = frames(("relu", "tanh"), (6,), (1e-3,), seeds=3)
    column = next(name for name in ("log10_signal_grad_norm", "signal_grad_norm") if name in layers)
    last = runs.loc[(runs["activation"] == "tanh") & (runs["seed"] == 0), "run"].item()
    layers.loc[(layers["run"] == last) & (layers["step"] > 0), column] = 0.0 if column == "signal_grad_norm" else np.nan
    drawing = FIGURES["layers_over_training"].make(build_cells(runs, steps, layers))
    frame = drawing.frame[drawing.frame["measure"] == "signal_grad_norm"]
    lost = frame[(frame["activation"] == "tanh") & (frame["step"] > 0)]
    assert len(lost)
    assert (lost["missing"] == 1).all()
    assert (frame.drop(index=lost.index)["missing"] == 0).all()
    assert "`tanh` (up to 1 of 3 runs)" in drawing.caption


def test_two_bounds_of_theory_are_dashed_without_markers_and_one_law_is_one_line():
    rows = pd.DataFrame(
        {"depth": [2, 5, 9], "predicted": math.nan, "predicted_low": 0.1, "predicted_high": [0.2, 0.3, 0.4]}
    )
    for frame, lines in ((rows, 2), (rows.assign(predicted=0.15, predicted_low=math.nan), 1)):
        assert on_axes.is_predicted(frame)
        panel = style.new_figure(2, 2).subplots()
        on_axes.predicted(panel, frame, "depth", "#000000")
        assert [(one.is_dashed(), one.get_marker()) for one in panel.lines] == [(True, "")] * lines
        assert len(panel.collections) == (lines == 2)  # what lies between
    assert not on_axes.is_predicted(rows.assign(predicted_low=math.nan))
    assert not on_axes.is_predicted(rows[["depth", "predicted"]])  # a headline's frame has no bounds


@pytest.mark.parametrize("height", [0.3, 0.6, 1.0])
def test_a_faded_colour_keeps_its_hue_and_is_never_grey(height):
    """Laid thinly upon white the darkest brown of the scale was a grey that is not on it."""
    colour = matplotlib.colormaps["YlOrBr"](height)
    before, after = (colorsys.rgb_to_hls(*one[:3]) for one in (colour, map_marks.pale(colour)))
    assert (after[0], after[2]) == (pytest.approx(before[0]), pytest.approx(before[2]))
    assert after[1] > 0.7


def test_every_mark_of_a_map_has_one_meaning_and_a_key():
    cell = {"activation": "relu", "depth": 2, "rate": 0.1, "measure": "weak_fraction"}
    cell |= {"mean": 0.5, "n": 20, "runs": 20, "diverged": 0, "begins_dead": False, "framed": False}
    cell |= {"none_trained": False, "counted": np.nan, "of_them": np.nan}
    kinds = {
        "plain": {},
        "framed: selected rate": {"framed": True},
        "(k): k runs left, the others diverged": {"n": 15, "diverged": 5},
        "faded: fewer than half have a value": {"n": 1, "diverged": 19},
        "all diverged": {"n": 0, "diverged": 20, "mean": np.nan},
        "no run has a value": {"n": 0, "mean": np.nan},
        "at least half begin with a dead layer": {"begins_dead": True},
        "not filled: no run trained": {"none_trained": True},
        "i/j: i of j units, where few": {"counted": 1.0, "of_them": 2.0},
    }
    rows = [cell | {"rate": 0.1 * i} | more for i, more in enumerate(kinds.values(), 1)]
    many = [one | {"activation": f"f{i}", "depth": depth} for one in rows for i in range(6) for depth in (2, 20)]
    spec = Spec(TILES, x="rate", lines="depth", panels="activation")
    with style.apply():
        figure = panels.render(spec, pd.DataFrame(many[:-6]))
        texts = [text for text in figure.findobj(Text) if text.get_text()]
        looks = [(p.get_hatch(), p.get_facecolor()[:3]) for p in figure.axes[0].patches if p.get_zorder() < 2]
        assert figure.get_tightbbox().width <= 6.6
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {
        *kinds,
        "other numbers: percent",
    } - {"plain"}
    assert "1/2" in {text.get_text() for text in texts}
    assert min(text.get_fontsize() for text in texts) >= 7
    assert len([one for one in figure.axes[-1].patches if one.get_zorder() < 2]) < len(looks)  # blank: not in the grid
    assert {hatch for hatch, _ in looks} == {None, *HATCHES.values()}
    assert len(set(HATCHES.values())) == 3  # none is told by a shade of grey, which a faded colour may be too


def test_no_frame_of_a_map_rubs_out_its_neighbours_and_runs_are_counted_where_they_are_few():
    made = {"activation": "relu", "rate": 0.1, "runs": 3, "n": 3, "diverged": 0, "missing": 0, "framed": True}
    cell = made | {"measure": "trained", "mean": 1 / 3, "low": np.nan, "high": np.nan}
    frame = counts_alone(with_counts(pd.DataFrame([cell | {"depth": depth} for depth in (2, 5, 10)])))
    other = frame.assign(measure="test_accuracy", counted=np.nan)
    with style.apply():
        both = pd.concat([frame, other], ignore_index=True)
        figure = panels.render(Spec(TILES, x="rate", lines="depth", panels="activation"), both)
    trained, accuracy = (axes for axes in figure.axes if axes.get_visible())
    heights = {to_hex(one.get_edgecolor()): [] for one in trained.patches if one.get_facecolor()[3] == 0}
    for one in (one for one in trained.patches if one.get_facecolor()[3] == 0):
        heights[to_hex(one.get_edgecolor())].append(one.get_zorder())
    assert len(heights["#000000"]) == 3
    assert min(heights["#000000"]) > max(heights["#ffffff"])
    assert [text.get_text() for text in trained.texts] == ["1"] * 3
    assert [text.get_text() for text in accuracy.texts] == ["33"] * 3
    assert {"trained: how many runs", "framed: selected rate"} <= {t.get_text() for t in figure.legends[0].get_texts()}


def test_titles_keep_names_as_they_are_typed_and_round_numbers(cells):
    frame = pd.concat(FIGURES["gradient_norms"].make(cells).frame.assign(weight_gain=g) for g in (3**-0.5, 1.0))
    frame = frame.assign(weight_init="lecun_normal")
    made = drawing(cells, frame, Spec(FACETS, x="layer", lines="depth"), "Norms", "", ["weight_init", "weight_gain"])
    heads = ["weight gain 0.5774", "weight gain 1"]  # and not what is the same in all pictures
    assert [made.heads[page] for page in made.pages] == heads
    long = "mine.py:" + "a" * 60 + "(slope=0.3333333333333333)"
    assert drawn_name(few_digits(long)).endswith("(slope=0.3333)")


@pytest.mark.parametrize("name", ["trained_by_depth", "accuracy_by_depth", "vanishing_slopes", "trained_by_rate"])
def test_a_caption_says_of_how_many_seeds_it_is_in_a_sentence_that_a_report_repeats(cells, name):
    said = [one for one in sentences(FIGURES[name].make(cells).caption) if one.endswith(" per cell.")]
    assert said
    assert all(len(one) <= SHORT for one in said)
