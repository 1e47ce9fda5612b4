"""Pictures of units: which of those once dead are alive again, and which maps would only repeat others."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from actlab.analysis.cells import build_cells
from actlab.analysis.estimates import long, summarise
from actlab.analysis.figures import FIGURES
from actlab.analysis.figures.revival import comparable, counted_together
from actlab.analysis.figures.units import unlike_dead
from actlab.analysis.layout import words
from actlab.analysis.tables import TABLES
from tests.synthetic import frames

KEYS = ["freeze_layers", "optimizer"]
RUNS = pd.DataFrame(
    [
        {"seed": seed, "freeze_layers": frozen, "optimizer": "sgd", "depth": depth, "learning_rate": 1.0}
        for seed in range(4)
        for frozen in (0, 1)
        for depth in (2, 5)
    ]
).assign(activation="relu", status="ok")
RUNS["run"] = [str(i) for i in range(len(RUNS))]


def test_units_of_all_depths_are_counted_together_by_layers_that_something_moves_below():
    rows = [
        {"run": run.run, "step": step, "layer": layer, "ever_dead_fraction": 0.1 * run.depth * (step > 0)}
        for run in RUNS.itertuples()
        for step in (0, 50)
        for layer in range(1, run.depth + 1)
    ]
    layers = pd.DataFrame(rows)
    moved = layers["run"].map(RUNS.set_index("run")["freeze_layers"]).eq(0) | (layers["layer"] > 2)
    layers["revived_fraction"] = 0.5 * layers["ever_dead_fraction"].where(moved, 0)
    counts = counted_together(RUNS, layers, KEYS, frozen=1)
    assert set(counts["step"]) == {50}  # before, no unit was ever dead
    rates = counts.groupby(["layers", "freeze_layers"])["revival_rate"].agg(list).map(set).to_dict()
    assert rates == {
        ("layer 2", 0): {0.5},
        ("layer 2", 1): {0.0},
        ("layers above 2", 0): {0.5},
        ("layers above 2", 1): {0.5},
    }


@pytest.mark.parametrize(("lost", "depths"), [([0], {2}), ([], {2, 5}), ([0, 1, 2], {2})])
def test_all_lines_are_of_the_same_settings_in_every_seed(lost, depths):
    there = (RUNS["depth"] == 5) & (RUNS["freeze_layers"] == 0) & RUNS["seed"].isin(lost)
    kept, said = comparable(RUNS.assign(status=RUNS["status"].mask(there, "diverged")), "optimizer")
    assert set(kept["seed"]) == {0, 1, 2, 3}
    assert all(set(of) == depths for _, of in kept.groupby(["seed", "freeze_layers"])["depth"])
    assert (said == "") == (not lost)
    assert f"{len(kept)} of 16 runs with optimizer sgd" in said or not lost


def test_weak_units_that_are_the_dead_ones_are_not_drawn_twice():
    runs = pd.DataFrame(
        [
            {"seed": seed, "activation": name, "depth": depth, "learning_rate": 0.1, "status": "ok"}
            for seed in range(5)
            for name in ("relu", "relu6", "leaky_relu")
            for depth in (2, 5)
        ]
    )
    runs["run"] = [str(i) for i in range(len(runs))]
    dead = runs["activation"].map({"relu": 0.4, "relu6": 0.4, "leaky_relu": 0.0})
    weak = dead + runs["activation"].map({"relu": 0.03, "relu6": 0.2, "leaky_relu": 0.03})
    steps = runs[["run"]].assign(step=9, dead_fraction=dead, weak_fraction=weak)
    keys = ["activation", "depth", "learning_rate"]
    frame = summarise(long(steps[["run", "weak_fraction"]], ["weak_fraction"]), runs, keys)
    left, said = unlike_dead(frame, SimpleNamespace(steps=steps, runs=runs), keys)
    assert set(left["activation"]) == {"relu6", "leaky_relu"}  # what cannot die is drawn, however little is weak
    assert "up to 0.03 more where half of the runs are left or more: relu. The CSV" in said
    assert unlike_dead(left, SimpleNamespace(steps=steps, runs=runs), keys)[1] == ""


def test_dead_units_by_depth_are_of_all_layers_whichever_were_kept():
    runs, steps, layers = frames(("relu",), (2, 5), (1e-3,), seeds=6, weight_init=("he_normal", "lecun_normal"))
    some = build_cells(runs, steps, layers[layers["layer"] != 1])
    whole = build_cells(runs, steps, layers)
    one, other = (FIGURES["dead_by_depth"].make(cells).frame["mean"] for cells in (some, whole))
    assert len(one) == 4
    assert (one == other).all()


def test_a_map_of_revival_has_the_shares_of_the_table_of_deaths():
    cells = build_cells(*frames(("relu",), (2, 5), (1e-3, 1e-2), seeds=6))
    by = ["depth", "learning_rate"]
    drawn = FIGURES["revival"].make(cells).frame.set_index(by)["mean"]
    death = TABLES["death"].make(cells).frame
    listed = death[death["measure"] == "revival_rate"].set_index(by)["mean"]
    assert len(drawn) == 4
    assert np.allclose(drawn, listed[drawn.index])


def test_of_few_runs_the_units_that_came_back_are_counted():
    runs, steps, layers = frames(("relu",), (2, 5), (1e-3, 1e-2), seeds=6)
    runs["width"] = 4
    last = steps["step"] == steps["step"].max()
    few = runs.loc[runs["depth"].eq(2) & runs["learning_rate"].eq(1e-2), "run"].iloc[
        :4
    ]  # those without a unit that ever was dead
    steps.loc[last, ["revived_fraction", "ever_dead_fraction"]] = 0.25, 0.5
    steps.loc[steps["run"].isin(few), ["revived_fraction", "ever_dead_fraction"]] = 0.0
    drawn = FIGURES["revival"].make(build_cells(runs, steps, layers))
    cell = drawn.frame[drawn.frame["learning_rate"] == 1e-2].set_index("depth").loc
    assert (cell[2, "n"], cell[2, "counted"], cell[2, "of_them"]) == (2, 2 * 2, 2 * 4)  # of 8 units in each of two runs
    assert np.isnan(cell[5, "counted"])
    assert "Of fewer than 5 runs" in drawn.caption


def test_frozen_layers_have_one_name_in_all_figures():
    cells = build_cells(
        *frames(("relu",), (5,), (1e-3, 1e-2), seeds=6, optimizer=("adam", "sgd"), freeze_layers=(0, 1))
    )
    revival = FIGURES["revival"].make(cells)
    assert words(revival.spec.lines) == "freeze layers"
    assert set(revival.frame["freeze_layers"]) == {0, 1}
    panels = FIGURES["dying"].make(cells).frame["panel"].unique()
    assert {name.partition(", ")[2] for name in panels} == {"freeze layers 0", "freeze layers 1"}
