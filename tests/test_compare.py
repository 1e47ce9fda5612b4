"""Properties of comparisons: means over layers, times, diverged runs accounted for, errors that name what is valid."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from actlab.analysis.compare import DYING, CompareError, compare, format
from tests.synthetic import frames


@pytest.fixture(scope="module")
def study():
    return frames(("sigmoid", "relu", "elu"), (2, 5, 7), seeds=4)


OVER = ["depth", "learning_rate"]


def one(study, *arguments, **options):
    return compare([("one", *study)], *arguments, **options)


def test_layer_measures_are_averaged_over_all_hidden_layers(study):
    runs, steps, layers = study
    thinned = (runs, steps, layers[layers["layer"] == 1])  # what keep_layers may leave
    row = one(thinned, "dead_fraction", ["activation"], over=OVER).set_index("activation").loc["relu"]
    relu = runs.loc[(runs["activation"] == "relu") & (runs["status"] == "ok"), ["run", "seed"]]
    last = layers[layers["step"] == 200].merge(relu, on="run").groupby(["seed", "run"])["dead_fraction"].mean()
    assert row["mean"] == pytest.approx(last.groupby("seed").mean().mean())


def test_by_layer_each_layer_stands_alone(study):
    frame = one(study, "dead_fraction", ["activation", "depth", "layer"], over=["learning_rate"])
    assert (frame.groupby(["activation", "depth"])["layer"].max().reset_index().eval("depth == layer")).all()
    relu = frame[(frame["activation"] == "relu") & (frame["depth"] == 5)]
    assert relu["mean"].is_monotonic_increasing  # that is how the synthetic study is made


def test_times_are_what_they_say(study):
    runs, steps, _ = study
    by = ["activation", "depth", "learning_rate", "seed"]
    init, final, largest, at_100 = (one(study, "dead_fraction", by, at=at) for at in ("init", "final", "max", 100))
    ok = final["n"] > 0
    assert (largest["mean"] >= final["mean"])[ok].all()
    row = runs[(runs["activation"] == "relu") & (runs["status"] == "ok")].iloc[0]
    own = steps[steps["run"] == row["run"]].set_index("step")["dead_fraction"]

    def value(frame):
        return frame[(frame[by] == row[by]).all(axis=1)]["mean"].iloc[0]

    assert value(init) == own[0]
    assert value(at_100) == own[100]
    assert value(final) == own[200]
    assert value(largest) == own.max()


@pytest.mark.parametrize("metric", ["test_accuracy", "dead_fraction", "steps_to_target", "vanishing_slope"])
def test_every_run_is_in_the_mean_or_accounted_for(study, metric):
    frame = one(study, metric, ["activation", "depth", "learning_rate"])  # one run per seed
    assert (frame["n"] + frame["diverged"] + frame["missing"] == frame["runs"]).all()
    assert frame["runs"].sum() == len(study[0])
    assert frame["diverged"].sum() == (study[0]["status"] == "diverged").sum() > 0


def test_a_run_that_met_its_target_and_then_diverged_is_diverged(study):
    runs, steps, layers = study
    early = runs.assign(steps_to_target=runs["steps_to_target"].fillna(100.0), target_reached=True)
    frame = one((early, steps, layers), "steps_to_target", ["activation", "depth", "learning_rate"])
    assert (frame["n"] + frame["diverged"] == frame["runs"]).all()


def test_what_is_true_or_false_has_a_wilson_interval(study):
    frame = one(study, "trained", ["activation", "depth", "learning_rate"])
    assert set(frame["method"]) == {"Wilson"}
    assert (frame["n"] == frame["runs"]).all()  # a diverged run is not trained


def test_pooled_flags_keep_wilsons_interval(study):
    runs, steps, layers = study
    none = runs.assign(trained=False)
    row = one((none, steps, layers), "trained", ["activation"], over=OVER).iloc[0]
    assert (row["n"], row["runs"], row["method"]) == (4, 24, "Wilson")  # six settings of each of four seeds
    assert (row["mean"], row["low"]) == (0, 0)
    assert row["high"] == pytest.approx(0.490, abs=1e-3)
    assert "0.00 [0.00, 0.49]" in format(one((none, steps, layers), "trained", ["activation"], over=OVER))


def test_who_reached_the_target_and_diverged_is_in_neither_number(study):
    runs, steps, layers = study
    always = runs.assign(target_reached=True, steps_to_target=100.0)
    by = ["activation", "depth", "learning_rate"]
    share, mean = (one((always, steps, layers), name, by) for name in ("target_reached", "steps_to_target"))
    lost = share["diverged"] > 0
    assert lost.any()
    np.testing.assert_allclose(share["mean"] * share["n"], mean["n"])
    assert (share["n"] == share["runs"]).all()


def test_norms_have_geometric_means(study):
    frame = one(study, "signal_grad_norm", ["activation"], over=OVER).set_index("activation")
    runs, _, layers = study
    last = layers[(layers["step"] == 200) & layers["run"].isin(runs.loc[runs["activation"] == "sigmoid", "run"])]
    of_runs = np.log10(last["signal_grad_norm"]).groupby(last["run"]).mean()
    assert frame.loc["sigmoid", "mean"] == pytest.approx(10 ** of_runs.mean())


def test_copies_of_a_seed_are_no_evidence(study):
    """At step 0 runs that differ in their learning rate are the same network: they must not narrow an interval."""
    runs, steps, layers = study
    one_rate = runs["learning_rate"] == runs["learning_rate"].min()
    first = steps[steps["step"] == 0].merge(runs[["run", "activation", "depth", "seed"]], on="run")
    copied = first.groupby(["activation", "depth", "seed"])["act_mean"].transform("first")
    copies = steps[steps["step"] == 0].reset_index(drop=True).assign(act_mean=copied.to_numpy())
    by = ["activation", "depth"]
    pooled = one((runs, copies, layers), "act_mean", by, at="init", over=["learning_rate"])
    alone = one((runs[one_rate], copies, layers), "act_mean", by, at="init")
    for name in ("mean", "low", "high", "n", "median", "least", "greatest"):
        np.testing.assert_allclose(pooled[name], alone[name])


def test_a_step_after_divergence_has_no_value(study):
    runs, steps, layers = study
    lost = runs["status"] == "diverged"
    runs = runs.assign(diverged_step=runs["diverged_step"].where(~lost, 50.0))
    frame = one((runs, steps, layers), "validation_accuracy", ["activation", "depth", "learning_rate"], at=100)
    assert (
        (frame.loc[frame["diverged"] > 0, "n"] + frame.loc[frame["diverged"] > 0, "diverged"])
        .le(frame.loc[frame["diverged"] > 0, "runs"])
        .all()
    )


def test_the_order_of_rows_changes_no_byte(study):
    other = tuple(frame.sample(frac=1, random_state=3) for frame in study)
    first, second = (one(each, "act_mean", ["layer"], over=["activation", *OVER]) for each in (study, other))
    assert format(first, "csv") == format(second, "csv")


def test_several_studies_stand_side_by_side(study):
    frame = compare([("a", *study), ("b", *study), ("a", *study)], "act_var", ["activation"], over=OVER)
    assert list(frame)[:2] == ["study", "activation"]
    assert list(dict.fromkeys(frame["study"])) == ["a", "a (2)", "b"]
    alone = one(study, "act_var", ["activation"], over=OVER)
    for _, rows in frame.groupby("study"):
        np.testing.assert_array_equal(rows["mean"], alone["mean"])


def test_a_study_without_a_measure_does_not_hide_the_others(study):
    runs, steps, layers = study
    poor = (runs, steps.drop(columns="act_var"), layers)
    frame = compare([("rich", *study), ("poor", *poor)], "act_var", ["activation"], over=OVER)
    assert set(frame["study"]) == {"rich"}
    assert "Not measured in: poor" in format(frame)


def test_the_preset_dying_is_five_measures_side_by_side(study):
    frame = one(study, preset="dying", by=["activation", "depth"], over=["learning_rate"])
    assert tuple(dict.fromkeys(frame["measure"])) == DYING
    head = format(frame).splitlines()[0]
    assert [word.strip() for word in head.strip("|").split("|")][2:] == [
        "born dead",
        "died",
        "revived",
        "ever dead",
        "weak",
        "n",
    ]


def test_formats_carry_the_numbers(study):
    frame = one(study, "dead_fraction", over=["learning_rate"])
    back = pd.read_csv(io.StringIO(format(frame, "csv")))
    np.testing.assert_allclose(back["mean"], frame["mean"], rtol=1e-9)
    assert [row["n"] for row in json.loads(format(frame, "json"))] == frame["n"].tolist()
    assert r"\texttt{sigmoid}" in format(frame, "latex")
    labels = set()
    for metric in ("dead_fraction", "test_accuracy"):
        frame = one(study, metric, over=["learning_rate"])
        frame.attrs["studies"] = ["one", "two"]
        labels |= set(re.findall(r"\\label{(tab:one-two:\w+)}", format(frame, "latex")))
        assert "select none" not in format(frame, "latex")
    assert len(labels) == 2  # both go into one paper
    single = frames(("relu",), (2,), (1e-3,), seeds=1)
    assert json.loads(format(one(single, "dead_fraction"), "json"))[0]["low"] is None  # no NaN in JSON


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "dead_fractoin"}, "unknown metric 'dead_fractoin'; did you mean 'dead_fraction'"),
        ({"metric": "test_accuracy", "by": ["layer"]}, "unknown metric 'test_accuracy' by layer"),
        ({"metric": "act_mean", "by": ["activatoin"]}, "unknown key 'activatoin'; did you mean 'activation'"),
        ({"metric": "act_mean", "at": "finale"}, "at 'finale': expected a recorded step, or one of final, init, max"),
        ({"metric": "act_mean", "at": 70}, "step 70: there is no such record; the nearest are 0, 50, 100"),
        ({"metric": "dead_fraction", "at": "50"}, "measured at evaluations only; the nearest are 0, 100, 200"),
        ({"metric": "steps_to_target", "at": "init"}, "'steps_to_target' is known at the end only"),
        ({"preset": "drying"}, "unknown preset 'drying'; did you mean 'dying'"),
        ({}, "name a metric, or a preset"),
    ],
)
def test_a_wrong_request_names_what_is_valid(study, options, message):
    with pytest.raises(CompareError) as caught:
        one(study, **options)
    assert message in str(caught.value)


def test_no_study_and_no_format_are_refused(study):
    with pytest.raises(CompareError, match="no study"):
        compare([], "act_mean")
    with pytest.raises(CompareError, match="did you mean 'markdown'"):
        format(one(study, "act_mean", over=["learning_rate"]), "markdwn")
