"""Laws of figures: they draw the table that is on disk, look alike in every study, have the same bytes each time."""

import io
import re
from concurrent.futures import BrokenExecutor, Future

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from actlab.activations import CATALOGUE
from actlab.analysis import figures, layout, panels, report, style
from actlab.analysis.cells import Select, build_cells
from actlab.engine import worker_pools
from tests.serial import SerialExecutor
from tests.synthetic import frames


@pytest.fixture(scope="module")
def study():
    return frames(("sigmoid", "relu", "prelu"), (2, 5), seeds=3)


@pytest.fixture(scope="module")
def found(study):
    return build_cells(*study, Select())


def lines_of(figure: Figure) -> set[tuple[float, ...]]:
    """The heights of every line of data, rounded as the CSV is."""
    drawn = set()
    for axes in figure.axes:
        for line in axes.get_lines():
            if line.get_transform() == axes.transData and len(np.atleast_1d(line.get_ydata())):
                drawn.add(tuple(float(f"{y:.6g}") for y in np.asarray(line.get_ydata(), float)))
    return drawn


def test_an_activation_looks_the_same_in_every_study():
    few = style.colours(["relu", "gelu"])
    many = style.colours(["mine", "gelu", "relu(x=1)", "relu", "sigmoid"], [9, 3, 2, 2, 1])
    assert few["relu"] == many["relu"]
    assert few["gelu"] == many["gelu"]
    assert list(many) == ["sigmoid", "relu", "relu(x=1)", "gelu", "mine"]


def test_the_story_has_no_two_alike_and_variants_differ():
    story = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish", "linear"]
    assert len({style.look(name).colour for name in story}) == len(story)
    slopes = [style.look(f"leaky_relu(negative_slope={a})").colour for a in (0, 0.01, 0.1, 0.2, 0.5, 1)]
    assert len(set(slopes)) == len(slopes)
    assert set(style.LOOKS) == set(CATALOGUE)
    every = {(one.colour, one.marker, str(one.dash)) for one in style.LOOKS.values()}
    assert len(every) == len(style.LOOKS)


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


def test_the_lines_drawn_are_the_table_on_disk(found, tmp_path):
    drawing = figures.FIGURES["accuracy_by_depth"](found)
    figures.write_figure(drawing, tmp_path)
    table = pd.read_csv(tmp_path / "accuracy_by_depth.csv")
    with style.apply():
        drawn = lines_of(drawing.draw(drawing.frame))
    assert drawn == {tuple(rows.sort_values("depth")["mean"]) for _, rows in table.groupby("activation")}


@pytest.mark.parametrize("name", ["gradient_norms", "moments", "training_curves", "learned_parameters"])
def test_a_figure_can_be_drawn_again_from_its_csv(found, name):
    drawing = figures.FIGURES[name](found)
    back = pd.read_csv(io.StringIO(layout.to_csv(drawing.frame, "%.6g")))
    with style.apply():
        assert lines_of(drawing.draw(drawing.frame)) == lines_of(drawing.draw(back)) != set()


def test_a_missing_value_leaves_a_gap():
    frame = pd.DataFrame({"layer": [1, 2, 3], "mean": [1.0, np.nan, 2.0], "low": np.nan, "high": np.nan})
    with style.apply():
        axes = style.new_figure(2, 2).subplots()
        line = panels.curve(axes, frame, "layer", style.look("relu"))
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
                panels.shade(axes, at, low, high, color="#0072B2", alpha=0.5)
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


class Busy(SerialExecutor):
    """A process that takes the first thing it is asked, and has no time for another."""

    asked = 0

    def submit(self, function, /, *args):
        self.asked += 1
        return super().submit(function, *args) if self.asked == 1 else Future()


@pytest.mark.parametrize("helper", [SerialExecutor, Busy, Lost])
def test_whoever_draws_the_pictures_are_the_same(found, tmp_path, helper):
    drawings = [figures.FIGURES[name](found) for name in ("accuracy_by_depth", "dead_fraction", "learned_parameters")]
    told = []
    alone = figures.write_figures(drawings, tmp_path / "alone")
    helped = figures.write_figures(drawings, tmp_path / "helped", helper(), lambda done, of: told.append((done, of)))
    assert [path.name for path in alone] == [path.name for path in helped]
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in helped]
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_a_process_of_its_own_draws_the_same(found, tmp_path):
    drawing = figures.FIGURES["moments"](found)  # drawn by a function that has functions for arguments
    alone = figures.write_page(drawing, "moments", tmp_path)
    with worker_pools.Processes() as processes:
        helped = processes.open().submit(figures.write_page, drawing, "moments", tmp_path / "helped").result()
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in helped]


def test_activations_that_cannot_die_are_named_not_drawn(found):
    drawing = figures.FIGURES["dead_fraction"](found)
    assert set(drawing.frame["activation"]) == {"relu"}
    assert "No such unit with `sigmoid`, `prelu`" in drawing.caption


def test_other_settings_get_pictures_of_their_own():
    study = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=2, data=("digits", "wine"), optimizer=("adam", "sgd"))
    drawing = figures.FIGURES["accuracy_by_depth"](build_cells(*study, Select()))
    assert len(drawing.pages) == 4
    assert "accuracy_by_depth-data=wine-optimizer=sgd" in drawing.pages
    assert sum(len(rows) for rows in drawing.pages.values()) == len(drawing.frame)


def test_without_several_activations_another_setting_takes_their_place():
    study = frames(("relu",), (2, 5), (1e-3,), seeds=2, weight_init=("he_normal", "lecun_normal"))
    drawing = figures.FIGURES["gradient_norms"](build_cells(*study, Select()))
    assert len(drawing.pages) == 1
    with style.apply():
        titles = [axes.get_title() for axes in drawing.draw(drawing.frame).axes]
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
    links = re.findall(r"\]\((.*?)\)", (tmp_path / "a" / "report.md").read_text())
    assert links
    assert all((tmp_path / "a" / link).is_file() for link in links)


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
    assert "Test accuracy by activation and depth" in report.headline({"question": "Why?"}, *study)
