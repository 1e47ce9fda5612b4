"""Properties of figures: they draw the table on disk, look alike in every study, have the same bytes each time."""

import io
import json
import math
import re
from concurrent.futures import BrokenExecutor, Future
from dataclasses import asdict
from functools import partial

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from actlab.activations import CATALOGUE, ActivationError, activation, base
from actlab.analysis import axes as drawing_axes
from actlab.analysis import layout, looks, notes, panels, report, style
from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import Spec, as_drawn
from actlab.analysis.figures import FIGURES, writing
from actlab.analysis.parts import OF_THEORY
from actlab.analysis.tables import TABLES
from actlab.engine import manifest, scheduling, store, worker_pools
from actlab.study import plan as planning
from actlab.study import reading, settings
from actlab.study.selection import Select
from tests.serial import SerialExecutor
from tests.synthetic import frames, histograms
from tests.thinned import thinned


@pytest.fixture(scope="module")
def study():
    return frames(("sigmoid", "relu", "prelu"), (2, 5), seeds=3)


@pytest.fixture(scope="module")
def cells(study):
    return build_cells(*study, Select(), histograms=histograms(*study))


def lines_of(figure: Figure) -> set[tuple[float, ...]]:
    """Return the heights of every line of data, rounded as the CSV is."""
    drawn = set()
    for axes in figure.axes:
        for line in axes.get_lines():
            if line.get_transform() == axes.transData and len(np.atleast_1d(line.get_ydata())):
                drawn.add(tuple(float(f"{y:.6g}") for y in np.asarray(line.get_ydata(), float)))
    return drawn


GIVEN = {name: record.look for name, record in CATALOGUE.items()}


def test_an_activation_looks_the_same_in_every_study():
    few = looks.looks_of({"relu": 2, "gelu": 7}, GIVEN)
    many = looks.looks_of({"mine": 0, "sigmoid": 1, "relu": 2, "relu(x=1)": 2, "gelu": 7}, GIVEN)
    assert few["relu"] == many["relu"] == looks.LineStyle(*GIVEN["relu"])
    assert few["gelu"] == many["gelu"]
    assert list(many) == ["mine", "sigmoid", "relu", "relu(x=1)", "gelu"]
    assert looks.looks_of({"sigmoid": 1, "gelu": 7}, {})["gelu"] == looks.looks_of({"gelu": 7, "relu": 2}, {})["gelu"]


def test_every_activation_of_the_catalogue_has_a_look_of_its_own():
    story = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish", "linear"]
    assert len({GIVEN[name][0] for name in story}) == len(story)
    assert None not in GIVEN.values()
    assert len(set(GIVEN.values())) == len(GIVEN)
    assert set(base.LINES) == set(looks.DASHES) == set(style.DASHES)
    assert set(looks.MARKERS) <= set(base.MARKERS)


SLOPES = [f"leaky_relu(negative_slope={a})" for a in (0, 0.01, 0.1, 0.2, 0.5, 1)]


@pytest.mark.parametrize(
    ("orders", "given"),
    [
        (dict.fromkeys(["a", "b", "c"], 0), {}),  # a user's own have no place in the story
        ({"relu": 2, "mine": 0}, {"relu": GIVEN["relu"], "mine": GIVEN["relu"]}),
        (dict.fromkeys(SLOPES, 3), GIVEN),
        ({f"mine({x}=1)": 0 for x in "abcdefghijklmnopqrstuvwxyz"}, {}),
        ({f"f{i}": i for i in range(100)}, {}),
    ],
)
def test_no_two_activations_of_a_study_look_alike(orders, given):
    chosen = looks.looks_of(orders, given)
    assert list(chosen) == list(orders)
    assert len(set(chosen.values())) == len(orders)


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (("blue", "s", "solid"), "look needs a colour"),
        (("#0072B2", "s"), "look needs a colour"),
        ("#0072B2", "look needs a colour"),
        (("#0072B2", "zz", "solid"), "'zz' is none of o, s"),
        (("#0072B2", "s", "dashes"), "'dashes' is none of solid, dashed"),
    ],
)
def test_a_look_that_no_figure_could_draw_is_refused_where_it_is_declared(look, message):
    with pytest.raises(ActivationError, match=message):
        activation(look=look)(lambda z: z)


def test_runs_without_a_place_in_the_story_have_looks_all_the_same(study):
    runs, steps, layers = study
    for lacking in (runs.drop(columns="activation_order"), runs.assign(activation_order=np.nan)):
        cells = build_cells(lacking, steps, layers)
        assert list(cells.looks) == list(cells.ranks) == ["prelu", "relu", "sigmoid"]


def test_a_users_own_activations_differ_in_hue():
    chosen = looks.looks_of(dict.fromkeys(["a", "b", "c"], 0), {})
    assert len({one.colour for one in chosen.values()}) == 3


STUDY = """
study: looks
data: {name: wine}
model: {width: 4, depth: 2}
sweep: {matrix: {model.activation: [relu, "mine.py:bent", {name: leaky_relu, negative_slope: 0.2}]}}
"""
MINE = """
import jax.numpy as jnp
from actlab.activations import activation


@activation(look=("#123456", "x", "dotted"), family="gated")
def bent(z):
    return jnp.arctan(z)
"""


def test_run_notes_what_figures_need_of_each_activation(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "s.yaml").write_text(STUDY)
    plan = planning.plan(reading.read(tmp_path / "s.yaml"))
    scheduling.prepare(store.Stored(tmp_path / "r"), "study: looks\n", plan, {}, trains=False)
    facts = manifest.read_manifest(tmp_path / "r")["activations"]
    (started,) = facts["bent"].pop("started")  # its initializer preserves variances
    assert started["slope"] == pytest.approx(0.5608, abs=1e-4)
    same = facts["bent"].pop("same_as")
    assert same == {"arctan": "always"}
    assert facts["bent"] == {"family": "gated", "order": 0, "look": ["#123456", "x", "dotted"]}
    assert facts["relu"]["look"] == list(GIVEN["relu"])
    assert facts["leaky_relu(negative_slope=0.2)"]["order"] == facts["relu"]["order"] + 1
    frames_ = frames(("relu", "bent", "leaky_relu(negative_slope=0.2)"))
    assert report.study_cells({}, {"activations": facts}, *frames_).looks["bent"].colour == "#123456"


def test_a_study_takes_its_looks_and_its_order_from_the_manifest(study):
    facts = {"relu": {"order": 9, "look": ["#123456", "x", "dotted"]}, "sigmoid": {"order": 10, "look": None}}
    cells = build_cells(*study, activations=facts)
    assert cells.looks["relu"] == looks.LineStyle("#123456", "x", "dotted")
    assert list(cells.ranks) == ["prelu", "relu", "sigmoid"]
    assert [*cells.looks] == [*cells.ranks]
    drawing = FIGURES["accuracy_by_depth"].make(cells)
    with style.apply():
        lines = panels.render(drawing.spec, drawing.frame).axes[0].get_lines()
    assert "#123456" in {line.get_color() for line in lines}


def test_pictures_have_the_same_bytes_and_no_date(tmp_path):
    def picture() -> Figure:
        figure = style.new_figure(3, 2)
        axes = figure.subplots()
        axes.plot([1, 2, 3], [0.001, 0.002, 0.003])
        return figure

    with style.apply():
        first = [path.read_bytes() for path in style.save(picture(), tmp_path / "a")]
        second = [path.read_bytes() for path in style.save(picture(), tmp_path / "b")]
    assert first == second
    svg = first[1].decode()
    assert not re.search(r"<dc:date>|20\d\d-\d\d|[Mm]atplotlib v", svg)
    assert "0.0010" in svg  # tick labels are not cut as coordinates are
    assert b"tEXt" not in first[0]


def test_the_lines_drawn_are_the_table_on_disk(cells, tmp_path):
    drawing = FIGURES["accuracy_by_depth"].make(cells)
    writing.write_figures([drawing], tmp_path)
    table = pd.read_csv(tmp_path / "accuracy_by_depth.csv")
    with style.apply():
        drawn = lines_of(panels.render(drawing.spec, drawing.frame))
    assert drawn == {tuple(rows.sort_values("depth")["median"]) for _, rows in table.groupby("activation")}


@pytest.mark.parametrize("name", ["accuracy_by_depth", "gradient_norms", "moments", "training_curves", "dying"])
@pytest.mark.parametrize(("seeds", "column"), [(3, "median"), (6, "mean")])
def test_figures_draw_what_tables_print(name, seeds, column):
    drawing = FIGURES[name].make(
        build_cells(*frames(("relu", "elu"), (2, 4), seeds=seeds), *([Select()] * (name != "dying")))
    )
    frame = drawing.frame
    assert {"median", "least", "greatest"} <= set(frame)
    shown = as_drawn(frame[frame["n"] > 1])
    few = frame["n"].max() < 5
    assert few == (seeds == 3)
    assert few == ("edians" in drawing.caption)
    assert few == ("of fewer than 5 runs" in drawing.caption)
    assert few != ("eans over seeds" in drawing.caption)
    assert shown["mean"].equals(frame.loc[frame["n"] > 1, column].rename("mean")) or not few
    if few and name != "dying":
        assert "95 %" not in drawing.caption
        assert shown["low"].equals(frame.loc[frame["n"] > 1, "least"].rename("low"))


def test_a_figure_says_of_means_and_medians_what_occurs_in_it():
    rows = [
        {"measure": "act_var", "n": 5, "low": 0.1, "median": math.nan},
        {"measure": "act_var", "n": 4, "low": math.nan, "median": 0.5},
        {"measure": "train_loss", "n": 5, "low": math.nan, "median": 0.5},
        {"measure": "train_loss", "n": 1, "low": math.nan, "median": math.nan},
    ]
    said = (
        "Geometric means over seeds with 95 % intervals",
        "Medians over seeds with the range (dotted edges) of fewer than 5 runs",
        "The value itself where all runs have the same",
        "Single runs as they are",
    )
    assert tuple(notes.mean_of(pd.DataFrame([row])) for row in rows) == said
    assert (
        notes.mean_of(pd.DataFrame(rows[:2]))
        == f"{said[0]}; medians with the range (dotted edges) of fewer than 5 runs"
    )
    both = pd.DataFrame([rows[0], rows[0] | {"measure": "act_mean"}])
    assert notes.mean_of(both) == "Means over seeds (variance of h: geometric) with 95 % intervals"


def test_beyond_float64_the_median_is_drawn_by_its_log10():
    row = {"mean": 0.0, "low": math.nan, "high": math.nan, "median": 0.0, "least": 0.0, "greatest": 0.0}
    logs = {"log10_mean": -401.0, "log10_low": math.nan, "log10_high": math.nan, "log10_median": -402.0}
    shown = as_drawn(pd.DataFrame([row | logs | {"log10_least": -404.0, "log10_greatest": -397.0}])).iloc[0]
    assert (shown["log10_mean"], shown["log10_low"], shown["log10_high"]) == (-402.0, -404.0, -397.0)


def test_a_range_has_dotted_edges_and_an_interval_none():
    axes = style.new_figure(3, 3).subplots()
    rows = pd.DataFrame({"step": [1, 2, 3, 4], "mean": 0.2, "low": 0.1, "high": 0.3})
    rows["ranged"] = [False, False, True, True]
    drawing_axes.curve(axes, rows, "step", looks.LineStyle("#0072b2", "o"))
    interval, median = (one for one in axes.collections if isinstance(one, PolyCollection))
    assert interval.get_linewidth()[0] == 0
    assert median.get_linewidth()[0] > 0
    assert median.get_linestyle()[0][1] is not None
    assert median.get_facecolor()[0][3] < interval.get_facecolor()[0][3]


@pytest.mark.parametrize("name", ["gradient_norms", "moments", "training_curves", "learned_parameters"])
def test_a_figure_can_be_drawn_again_from_its_csv(cells, name):
    drawing = FIGURES[name].make(cells)
    back = pd.read_csv(io.StringIO(layout.to_csv(drawing.frame, "%.6g")))
    with style.apply():
        drawn, again = (lines_of(panels.render(drawing.spec, frame)) for frame in (drawing.frame, back))
    assert drawn == again != set()


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in ("dead_by_depth", "gap_by_rows", *OF_THEORY)])
def test_how_a_figure_is_drawn_is_plain_data(cells, name):
    spec = FIGURES[name].make(cells).spec
    assert spec.kind in panels.KINDS
    columns = {spec.x, spec.lines, spec.panels, spec.columns} - {""}
    assert columns <= set(FIGURES[name].make(cells).frame)
    back = json.loads(json.dumps(asdict(spec)))
    looks_ = {label: looks.LineStyle(**look) for label, look in back.pop("looks").items()}
    assert Spec(**{**back, "log": tuple(back["log"])}, looks=looks_) == spec


def test_a_missing_value_leaves_a_gap():
    frame = pd.DataFrame({"layer": [1, 2, 3], "mean": [1.0, np.nan, 2.0], "low": np.nan, "high": np.nan})
    with style.apply():
        axes = style.new_figure(2, 2).subplots()
        line = drawing_axes.curve(axes, frame, "layer", looks.LineStyle("#0072B2", "s"))
    assert np.isnan(np.asarray(line.get_ydata(), float)).tolist() == [False, True, False]


def test_a_band_is_what_matplotlib_fills_between_two_curves():
    low, high = np.array([0.0, 0.1, np.nan, 0.2, 0.1, 0.3]), np.array([0.5, 0.4, 0.9, 0.6, 0.8, np.nan])
    at = np.arange(6.0)
    pictures, limits = [], []
    for own in (True, False):
        with style.apply():
            figure = style.new_figure(3, 2)
            axes = figure.subplots()
            if own:
                drawing_axes.shade(axes, at, low, high, color="#0072B2", alpha=0.5)
                axes.autoscale_view()
            else:
                axes.fill_between(at, low, high, color="#0072B2", alpha=0.5, linewidth=0)
            raster = io.BytesIO()
            figure.savefig(raster, format="rgba")
        pictures.append(raster.getvalue())
        limits.append((axes.get_xlim(), axes.get_ylim()))
    assert limits[0] == limits[1]
    assert pictures[0] == pictures[1]


class Lost(SerialExecutor):
    """A process that dies as it begins to draw."""

    def submit(self, function, /, *args):
        future = Future()
        future.set_exception(BrokenExecutor("killed"))
        return future


class Late(Future):
    """What is done once somebody waits for it, and may not be taken back."""

    def __init__(self, job):
        super().__init__()
        self.job = job

    def result(self, timeout=None):
        return self.job()

    def cancel(self):
        raise AssertionError("loky's thread fails over a cancelled future when its process is ended")


class Busy(SerialExecutor):
    """A process that is slow: all but one or two pictures are drawn beside it."""

    def submit(self, function, /, *args):
        return Late(partial(function, *args))


@pytest.mark.parametrize("helper", thinned([Lost, SerialExecutor, Busy], 3))
def test_whoever_draws_the_pictures_are_the_same(cells, tmp_path, helper):
    drawings = [FIGURES[name].make(cells) for name in ("accuracy_by_depth", "dead_fraction", "learned_parameters")]
    seen = []
    alone = writing.write_figures(drawings, tmp_path / "alone")
    helped = writing.write_figures(drawings, tmp_path / "helped", helper(), lambda done, of: seen.append((done, of)))
    assert [path.name for path in alone] == [path.name for path in helped]
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in helped]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_process_of_its_own_draws_the_same(cells, tmp_path):
    drawing = FIGURES["moments"].make(cells)
    alone = writing.write_page(drawing, "", tmp_path)
    with worker_pools.Processes() as processes:
        helped = processes.open().submit(writing.write_page, drawing, "", tmp_path / "helped").result()
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in helped]


def test_activations_that_cannot_die_are_named_not_drawn(cells):
    drawing = FIGURES["dead_fraction"].make(cells)
    assert set(drawing.frame["activation"]) == {"relu"}
    assert "No such unit with `sigmoid`, `prelu`" in drawing.caption


def test_a_caption_announces_no_range_of_cells_whose_runs_are_drawn_one_by_one():
    runs, *others = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=6)
    lost = (runs["depth"] == 5) & (runs["seed"] < 3)
    runs = runs.assign(trained=~lost, test_accuracy=runs["test_accuracy"].mask(lost, 0.1))
    cells = build_cells(runs, *others, Select())
    one_by_one, of_trained = (FIGURES[name].make(cells).caption for name in ("accuracy_by_depth", "intervals_by_depth"))
    assert "95 % intervals" in one_by_one
    assert "range" not in one_by_one
    assert "range (dotted) of fewer than 5 runs. Ringed:" in of_trained  # where 3 of 6 trained, these have one


def test_other_settings_get_pictures_of_their_own():
    study = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=2, data=("digits", "wine"), optimizer=("adam", "sgd"))
    drawing = FIGURES["accuracy_by_depth"].make(build_cells(*study, Select()))
    assert len(drawing.pages) == 4
    assert "data=wine-optimizer=sgd" in drawing.pages
    assert sum(len(rows) for rows in drawing.pages.values()) == len(drawing.frame)


def test_without_several_activations_another_setting_takes_their_place():
    study = frames(("relu",), (2, 5), (1e-3,), seeds=2, weight_init=("he_normal", "lecun_normal"))
    drawing = FIGURES["gradient_norms"].make(build_cells(*study, Select()))
    assert len(drawing.pages) == 1
    with style.apply():
        titles = [axes.get_title() for axes in panels.render(drawing.spec, drawing.frame).axes]
    assert titles == ["weight init he_normal", "weight init lecun_normal"]


def test_a_report_written_twice_has_the_same_bytes_and_its_links_lead_somewhere(study, tmp_path):
    wanted = {"study": "x", "report": {"tables": ["performance"], "figures": ["dying", "vanishing_slopes"]}}
    shuffled = [frame.sample(frac=1, random_state=5) for frame in study]
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "figures").mkdir(parents=True)
    (tmp_path / "a" / "figures" / "moments.png").write_text("of an earlier report")
    (tmp_path / "a" / "figures" / "mine.png").write_text("somebody's own")
    first = report.write(tmp_path / "a", wanted, {}, *study)
    second = report.write(tmp_path / "b", wanted, {}, *shuffled)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert sorted(path.name for path in (tmp_path / "a" / "figures").glob("*.png")) == [
        "dying.png",
        "mine.png",
        "vanishing_slopes.png",
    ]
    page = (tmp_path / "a" / "report.md").read_text()
    links = re.findall(r"\]\((.*?)\)", page)
    inner = {link for link in links if link.startswith("#")}
    assert inner
    assert all(f'<a id="{link[1:]}"></a>' in page for link in inner)
    assert all((tmp_path / "a" / link).is_file() for link in links if link not in inner)


def test_one_shallow_regression_run_draws_without_a_warning(tmp_path):
    study = frames(("mine",), (1,), (1e-3,), seeds=1, task="regression", steps=50)
    report.write(tmp_path, {"study": "tiny"}, {}, *study)
    assert (tmp_path / "figures" / "accuracy_by_depth.png").stat().st_size > 1000


def test_a_run_has_a_card(study, tmp_path):
    runs, steps, layers = study
    for run in (runs.loc[runs["status"] == "ok", "run"].iloc[0], runs["run"].iloc[-1]):
        text, path = report.run_summary(run, runs, steps, layers, tmp_path)
        assert path.is_file()
        assert run in text
        assert "test accuracy" in text
    assert "Test accuracy by activation and depth" in report.headline({"question": "Why?"}, {}, *study)


def test_the_terminal_says_what_the_table_on_disk_says():
    """What makes a problem of its own, by the study's manifest, does so in both."""
    study = frames(("relu", "elu"), (2,), (1e-3,), seeds=6, target=("a", "b"))
    stated = settings.to_plain([*settings.UNSTATED, settings.Setting("target", "data.target", problem=True)])
    cells = report.study_cells({}, {"settings": stated}, *study)
    best = TABLES["performance"].make(cells).frame["best"].sum()
    assert best == 2  # one for each target
    assert report.headline({}, {"settings": stated}, *study).count("] *") == best


def test_an_interval_alone_between_values_without_one_is_seen():
    axes = style.new_figure(3, 3).subplots()
    rows = pd.DataFrame({"step": [1, 2, 3], "mean": [0.1, 0.3, 0.1]})
    rows = rows.assign(low=[math.nan, 0.2, math.nan], high=[math.nan, 0.45, math.nan])
    drawing_axes.curve(axes, rows, "step", looks.LineStyle("#0072b2", "o"))
    segments = [one.get_segments() for one in axes.collections if isinstance(one, LineCollection)]
    assert [segment.tolist() for one in segments for segment in one] == [[[2.0, 0.2], [2.0, 0.45]]]


def test_a_matplotlibrc_of_the_users_changes_no_figure():
    with mpl.rc_context({"lines.linestyle": "--", "axes.facecolor": "red", "lines.linewidth": 9.0}):
        with style.apply():
            assert mpl.rcParams["lines.linestyle"] == "-"
            assert mpl.rcParams["axes.facecolor"] == "white"
            assert mpl.rcParams["lines.linewidth"] == style.RC["lines.linewidth"]
        assert mpl.rcParams["axes.facecolor"] == "red"


def test_death_that_is_not_known_is_not_said_to_be_none():
    """A learned parameter that moves the flat set, undeclared: all of unit death is NaN."""
    runs, steps, layers = frames(("sigmoid", "relu", "prelu"), (2, 5), seeds=2)
    prelu = runs.loc[runs["activation"] == "prelu", "run"]
    unknown = [frame.copy() for frame in (steps, layers)]
    for frame in unknown:
        frame.loc[frame["run"].isin(prelu), "dead_fraction"] = np.nan
    cells = build_cells(runs, *unknown, Select())
    for name in ("dead_fraction", "dead_over_training", "dying"):
        caption = FIGURES[name].make(cells).caption
        assert "No such unit with `sigmoid`: not drawn." in caption, name
        assert "Not known of `prelu`: not drawn." in caption, name


def test_a_figure_draws_no_mean_of_the_runs_that_did_not_diverge():
    drawing = FIGURES["dying"].make(build_cells(*frames(("relu", "elu"), (2, 5), seeds=6)))
    partly = drawing.frame["diverged"].between(1, 5)
    assert partly.any()
    assert as_drawn(drawing.frame)["mean"][partly].equals(drawing.frame["median"][partly])
    assert "; medians of those that have a value, where some runs have none" in drawing.caption
