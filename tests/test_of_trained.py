"""Cells of which some runs trained: at the end tables and figures are of those, by one rule, and say how many."""

import numpy as np
import pytest

from actlab.analysis import panels, style
from actlab.analysis.cells import build_cells
from actlab.analysis.figures import FIGURES
from actlab.analysis.maps import head_of
from actlab.analysis.tables import TABLES
from tests.synthetic import frames

SEEDS, LOST = 7, 2
OF_LAYERS = ("gradient_norms", "weight_gradient_norms", "moments", "gradient_by_layer_at_end", "layers_over_training")
OF_STEPS = ("vanishing_slopes", "intervals_by_depth", "training_curves")
OF_TABLES = ("vanishing_slopes", "gradient_norms", "moments", "generalization")


@pytest.fixture(scope="module")
def study():
    """Runs of relu at depth 6 that did not train have other gradients, moments and losses than those that did."""
    runs, steps, layers = frames(("relu", "tanh"), (4, 6), (1e-3,), seeds=SEEDS)
    lost = (runs["activation"] == "relu") & (runs["depth"] == 6) & (runs["seed"] < LOST)
    runs = runs.assign(status="ok", trained=~lost)
    names = set(runs.loc[lost, "run"])
    for frame in (steps, layers):
        numbers = [name for name in frame if frame[name].dtype == float]
        frame.loc[frame["run"].isin(names) & (frame["step"] > 0), numbers] *= 0.2
    return runs, steps, layers


@pytest.fixture(scope="module")
def both(study):
    """The whole study, and one without those that did not train."""
    runs, steps, layers = study
    kept = runs[runs["trained"]]
    rest = [frame[frame["run"].isin(kept["run"])] for frame in (steps, layers)]
    return build_cells(*study), build_cells(kept, *rest)


def later(frame):
    frame = frame[(frame["activation"] == "relu") & (frame["depth"] == 6)]
    frame = frame[frame["at"] == "final"] if "at" in frame else frame
    return frame[frame["measure"] != "dead_fraction"].reset_index(drop=True)


@pytest.mark.parametrize("name", [*OF_LAYERS, *OF_STEPS])
def test_figures_draw_those_that_trained(both, name):
    of_all, of_trained = (FIGURES[name].make(cells) for cells in both)
    here, there = later(of_all.frame), later(of_trained.frame)
    if name == "intervals_by_depth":  # of its accuracies every run is drawn by itself
        here, there = (frame[frame["measure"] == "vanishing_slope"] for frame in (here, there))
    assert len(here) == len(there) > 0
    for column in ("mean", "low", "high", "n"):
        np.testing.assert_array_equal(here[column], there[column])
    assert set(here["of_trained"]) == {f"{SEEDS - LOST} of {SEEDS} trained"}
    assert f"{SEEDS - LOST} of {SEEDS} trained" in of_all.caption
    assert "trained are drawn" not in of_trained.caption
    others = of_all.frame[(of_all.frame["activation"] == "tanh")]
    assert (others["of_trained"].fillna("") == "").all()


@pytest.mark.parametrize("name", OF_TABLES)
def test_tables_show_those_that_trained(both, name):
    of_all, of_trained = (TABLES[name].make(cells) for cells in both)
    here, there = later(of_all.frame), later(of_trained.frame)
    for column in ("mean", "low", "high", "n"):
        np.testing.assert_array_equal(here[column], there[column])
    assert f"{SEEDS - LOST} of {SEEDS} trained: " in of_all.wide.to_string()
    assert of_all.note.count("*k of n trained*") == 1
    assert "*k of n trained*" not in of_trained.note


def test_at_initialisation_all_runs_count(both):
    frame = TABLES["vanishing_slopes"].make(both[0]).frame
    init = frame[(frame["at"] == "init") & (frame["activation"] == "relu") & (frame["depth"] == 6)]
    assert (init["n"] == SEEDS).all()
    assert (init["of_trained"] == "").all()


def test_a_ring_says_so(both):
    for cells, number in zip(both, (1, 0), strict=True):
        drawing = FIGURES["vanishing_slopes"].make(cells)
        with style.apply():
            figure = panels.render(drawing.spec, drawing.frame)
        rings = [line for axes in figure.axes for line in axes.get_lines() if line.get_markersize() == 7.0]
        assert sum(len(line.get_xdata()) for line in rings) == number
        assert ("Ringed" in drawing.caption) == bool(number)


def test_the_loss_beside_a_name_is_of_the_runs_whose_line_it_is(study, both):
    runs = study[0]
    of_cell = runs[(runs["activation"] == "relu") & (runs["depth"] == 6)]
    frame = FIGURES["gradient_by_layer_at_end"].make(both[0]).frame
    (loss,) = frame.loc[frame["activation"] == "relu", "loss"].unique()
    assert loss == of_cell.loc[of_cell["trained"], "train_loss"].median()


def test_beside_the_share_that_trained_stands_what_those_came_to():
    runs, steps, layers = frames(("relu",), (4, 6), (1e-3, 1e-2), seeds=5)
    runs = runs.assign(status="ok", trained=(runs["depth"] == 4) | (runs["seed"] > 1))
    runs = runs.assign(test_accuracy=np.where(runs["trained"], 0.9, 0.1))
    made = FIGURES["trained_by_rate"].make(build_cells(runs, steps, layers))
    names = ("trained", "test_accuracy")
    heads = {name: head_of(made.spec, "relu", name, names, True) for name in names}
    assert heads == {"trained": "relu: trained", "test_accuracy": "test accuracy"}
    frame = made.frame
    cell = frame[(frame["depth"] == 6) & (frame["learning_rate"] == 1e-2)].set_index("measure")
    assert cell.loc["test_accuracy", "mean"] == pytest.approx(0.9)
    assert cell.loc["trained", "mean"] == pytest.approx(3 / 5)
    assert (frame["runs"] == 5).all()


def test_of_dead_units_all_runs_count(study):
    runs, steps, layers = study
    cells = build_cells(runs, steps, layers)
    for made in (FIGURES["dead_fraction"].make(cells), FIGURES["dead_over_training"].make(cells)):
        assert (made.frame["n"] == SEEDS).all()
        assert "All runs count, whether they trained or not" in made.caption
    assert "All runs count" in TABLES["dead_units"].make(cells).note
    every = build_cells(runs.assign(trained=True), steps, layers)
    assert "All runs count" not in TABLES["dead_units"].make(every).note


def test_many_such_cells_are_counted():
    runs, steps, layers = frames(("relu", "tanh", "elu", "gelu", "mish"), (3, 5), (1e-3,), seeds=2)
    runs = runs.assign(status="ok", trained=runs["seed"] == 0)
    caption = FIGURES["gradient_norms"].make(build_cells(runs, steps, layers)).caption
    assert caption.count("1 of 2 trained") == 8
    assert "and 2 further cells" in caption


def test_how_many_runs_a_cell_has_is_said_once_where_few_trained():
    """Of three seeds, of which one trained in some cells, a note has one number of runs per cell, and it is true."""
    runs, steps, layers = frames(("sigmoid", "relu"), (5, 10), (1e-3,), seeds=3)
    runs["trained"] = (runs["activation"] == "relu") | (runs["seed"] == 0)
    note = TABLES["vanishing_slopes"].make(build_cells(runs, steps, layers, None)).note
    assert note.count("runs per cell") == 1
    assert "3 runs per cell, of which 1 to 3 count: too few for an interval" in note
