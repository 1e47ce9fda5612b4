"""The figures of the ten tasks: what PReLU and swish learned, a panel for each task, a line for each layer."""

import numpy as np
import pytest

from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import FACETS
from experiments import tasks
from tests.synthetic import frames


@pytest.fixture(scope="module")
def cells():
    runs, steps, layers = frames(("relu", "prelu", "swish"), (5,), (1e-3,), 5, data=("digits", "wine"))
    return build_cells(runs, steps, layers.assign(preact_second_moment=4.0), None)


@pytest.mark.parametrize(
    ("draw", "activation", "column", "factor"),
    [(tasks.alpha_by_task, "prelu", "alpha", 1.0), (tasks.bend_by_task, "swish", "beta", 2.0)],
)
def test_it_is_drawn_by_layer_over_training_a_panel_for_each_task(cells, draw, activation, column, factor):
    made = draw(cells)
    assert (made.spec.kind, made.spec.panels, made.spec.lines, made.spec.x) == (FACETS, "data", "layer", "step")
    assert set(made.frame["activation"]) == {activation}
    assert set(made.frame["data"]) == {"digits", "wine"}
    runs = cells.runs[(cells.runs["activation"] == activation) & (cells.runs["data"] == "wine")]["run"]
    measured = cells.layers[cells.layers["run"].isin(runs)].groupby(["layer", "step"])[column].mean() * factor
    drawn = made.frame[made.frame["data"] == "wine"].set_index(["layer", "step"])["mean"].sort_index()
    assert np.allclose(drawn, measured.sort_index(), rtol=1e-6)
    assert len(made.pages) == 1


def test_without_what_it_takes_there_is_none(cells):
    runs, steps, layers = frames(("relu", "swish"), (5,), (1e-3,), 5, data=("digits", "wine"))
    cells = build_cells(runs, steps, layers.drop(columns="preact_second_moment"), None)
    assert tasks.bend_by_task(cells) is None
    assert tasks.alpha_by_task(cells) is None
