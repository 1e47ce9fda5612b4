"""Pictures of units: which of those once dead are alive again, and which maps would only repeat others."""

from types import SimpleNamespace

import pandas as pd
import pytest

from actlab.analysis.estimates import long, summarise
from actlab.analysis.figures.revival import comparable, counted_together
from actlab.analysis.figures.units import unlike_dead

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
        ("layers 3 and up", 0): {0.5},
        ("layers 3 and up", 1): {0.5},
    }
    assert set(counted_together(RUNS, layers, ["optimizer"], frozen=0)["layers"]) == {"all hidden layers"}


@pytest.mark.parametrize(("lost", "seeds"), [([0], {1, 2, 3}), ([], {0, 1, 2, 3}), ([0, 1, 2], {0, 1, 2, 3})])
def test_every_seed_has_the_same_settings(lost, seeds):
    there = (RUNS["depth"] == 5) & (RUNS["freeze_layers"] == 0) & RUNS["seed"].isin(lost)
    kept, said = comparable(RUNS.assign(status=RUNS["status"].mask(there, "diverged")), KEYS, "optimizer")
    assert set(kept["seed"]) == seeds
    assert len({tuple(of) for _, of in kept.groupby(["seed", "freeze_layers"])["depth"]}) == 1
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
    assert "up to 0.03 more: relu. The CSV" in said
    assert unlike_dead(left, SimpleNamespace(steps=steps, runs=runs), keys)[1] == ""
