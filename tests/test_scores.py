"""Scores over tasks: their scale, the interquartile mean and the probability of improvement, beside SciPy's."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from experiments.scores import bootstrapped, by_network, improvement, improvements, interquartile_mean, scored, scores

SEEDS = 8


@pytest.fixture
def cells():
    """Two tasks: a classification, 60 % in one class, and a regression; relu constant, elu best, one run diverged."""
    rows = [
        {
            "data": task,
            "data_content": task,
            "task": "classification" if task == "digits" else "regression",
            "activation": name,
            "optimizer": "adam",
            "seed": seed,
            "status": "ok",
            "test_accuracy": {"relu": 0.6, "elu": 0.9 + 0.01 * (-1) ** seed}[name] if task == "digits" else np.nan,
            "test_r2": {"relu": 0.0, "elu": 0.5}[name] if task != "digits" else np.nan,
        }
        for task in ("digits", "sine")
        for name in ("relu", "elu")
        for seed in range(SEEDS)
    ]
    frame = pd.DataFrame(rows)
    frame.loc[frame.index[-1], ["status", "test_r2"]] = ["diverged", np.nan]
    return SimpleNamespace(selected=frame, chance={"digits": 0.6}, made={})


def test_the_best_constant_predictor_has_0_the_best_mean_1_and_a_diverged_run_0(cells):
    rows = scored(cells)
    means = rows.groupby(["data", "activation"])["score"].mean()
    assert means["digits", "relu"] == means["sine", "relu"] == 0
    assert means["digits", "elu"] == pytest.approx(1)
    assert rows.loc[rows["status"] == "diverged", "score"].tolist() == [0.0]
    table = scores(cells)
    assert "1 of the 32 runs diverged; their score is 0" in table.note
    assert table.wide["activation"].tolist() == ["`elu`", "`relu`"]


def test_improvement_is_what_the_rank_test_counts(cells):
    draws = np.random.default_rng(3)
    one, other = draws.integers(4, size=(3, 7)).astype(float), draws.integers(4, size=(3, 5)).astype(float)
    by_hand = np.mean([mannwhitneyu(x, y).statistic / (7 * 5) for x, y in zip(one, other, strict=True)])
    assert improvement(one, other) == pytest.approx(by_hand)
    assert improvements(cells).frame["activation"].tolist() == ["elu"]


def test_the_middle_half_is_not_moved_by_what_lies_outside():
    values = np.arange(16.0).reshape(2, 8)
    far = values.copy()
    far[0, 0], far[1, 7] = -1e9, 1e9
    assert interquartile_mean(values) == interquartile_mean(far) == 7.5


def test_the_interval_covers_a_known_mean_as_often_as_it_says(monkeypatch):
    """Normal scores: the interquartile mean is 0; 40 seeds, 200 repetitions, 95 % ± 3 standard errors."""
    monkeypatch.setattr("experiments.scores.RESAMPLES", 200)
    draws = np.random.default_rng(0)
    found = [bootstrapped(interquartile_mean, draws.normal(size=(2, 40))) for _ in range(200)]
    assert 0.89 < np.mean([one.low <= 0 <= one.high for one in found]) <= 1


def test_every_network_has_its_tasks_in_one_order(cells):
    assert {array.shape for array in by_network(cells).values()} == {(2, SEEDS)}
